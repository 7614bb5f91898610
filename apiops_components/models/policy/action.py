"""What all actions of a traffic policy share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal, get_args

from pydantic_core import InitErrorDetails

from apiops_components.errors import Problem
from apiops_components.models.base import CheckedModel
from apiops_components.models.policy.texts import Text, evaluated

__all__ = ["PHASES", "Action", "Phase", "Text"]

Phase = Literal["on_tcp_connect", "on_http_request", "on_http_response", "on_event_stream_message"]

PHASES: tuple[str, ...] = get_args(Phase)
"""In the order in which they run."""


class Action(CheckedModel):
    """One step of a rule. Its fields are the ``config`` of ngrok's document; an absent one is ngrok's default."""

    type: ClassVar[str]
    """ngrok's name of the action."""
    phases: ClassVar[frozenset[str]]
    """The phases that may hold it."""
    result: ClassVar[str] = ""
    """Name below ``actions.ngrok`` of what it leaves for later expressions; empty where it leaves nothing."""
    terminating: ClassVar[bool] = False
    """Whether it may answer in place of the backend, or pass the request on, so that nothing runs behind it."""
    protecting: ClassVar[bool] = False
    """Whether leaving it out lets a request through that it would have stopped, whoever sends it."""
    vendor_required: ClassVar[frozenset[str]] = frozenset()
    """Fields with a default here that ngrok wants to see in a document."""

    @property
    def ends(self) -> bool:
        """Whether nothing behind it ever runs in the same phase."""
        return self.terminating

    @property
    def enforced(self) -> bool:
        """Whether it acts at all: an action with ``enforce: false`` only records what it would do."""
        return getattr(self, "enforce", None) is not False

    def texts(self) -> Iterable[Text]:
        """Every text that ngrok evaluates: of the fields that are marked `Evaluated`, nested ones too."""
        return evaluated(self)

    def warnings(self) -> Iterator[Problem]:
        """What ngrok takes, but hardly does what was meant; paths relative to ``config``."""
        yield from ()

    def faults_in(self, phase: str) -> Iterable[InitErrorDetails]:  # noqa: ARG002  (for those that depend on it)
        """What is wrong with it in this phase alone; paths relative to ``config``."""
        return ()

    def settings(self) -> dict[str, Any]:
        """The ``config`` of the document, plain data: a copy, with lists instead of tuples."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
