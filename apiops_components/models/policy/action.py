"""What all actions of a traffic policy share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic_core import InitErrorDetails

from apiops_components.models.base import CheckedModel

__all__ = ["Action", "Phase", "Text"]

Phase = Literal["on_tcp_connect", "on_http_request", "on_http_response"]

Text = tuple[tuple[str | int, ...], str, Literal["template", "expression"]]
"""A piece of user's text in an action that ngrok evaluates: where, what, and how it is read."""


class Action(CheckedModel):
    """One step of a rule. Its fields are the ``config`` of ngrok's document; an absent one is ngrok's default."""

    type: ClassVar[str]
    """ngrok's name of the action."""
    phases: ClassVar[frozenset[str]]
    """The phases that may hold it."""
    terminating: ClassVar[bool] = False
    """Whether nothing runs behind it."""
    protecting: ClassVar[bool] = False
    """Whether leaving it out lets a request through that it would have stopped, whoever sends it."""
    vendor_required: ClassVar[frozenset[str]] = frozenset()
    """Fields with a default here that ngrok wants to see in a document."""

    def texts(self) -> Iterator[Text]:
        """Every text that ngrok evaluates."""
        yield from ()

    def faults_in(self, phase: str) -> Iterator[InitErrorDetails]:  # noqa: ARG002  (of those that have any)
        """What is wrong with the action in this phase."""
        yield from ()

    def config(self) -> dict[str, Any]:
        """The ``config`` of the document."""
        return self.model_dump(exclude_none=True)
