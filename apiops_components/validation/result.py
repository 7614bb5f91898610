"""What was found in one document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from apiops_components.errors import Problem

if TYPE_CHECKING:
    from apiops_components.validation.linked import Linked

__all__ = ["Result", "Status"]

Status = Literal["valid", "invalid", "skipped"]


@dataclass(frozen=True, slots=True)
class Result:
    """What was found in one document.

    Attributes:
        file: Where it was read from.
        index: Its number in that file, from 0; of the list, for an item of one.
        api_version: As the document says, or None.
        kind: As the document says, or None; ``TrafficPolicy`` for a bare traffic policy.
        namespace: As the document says, or None.
        name: As the document says, or None.
        status: ``valid``, ``invalid``, or ``skipped``: a kind that is not known.
        problems: Everything that is wrong.
        warnings: What works today and should be changed, or could not be checked; they do not make it invalid.
        linked: What checks across documents ask of it; None for most kinds.
    """

    file: str
    index: int
    api_version: str | None
    kind: str | None
    namespace: str | None
    name: str | None
    status: Status
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    linked: Linked | None = field(default=None, repr=False, compare=False)
