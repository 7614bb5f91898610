"""Actions that are not fully known: ai-gateway, and whatever ngrok adds tomorrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import ConfigDict, JsonValue
from pydantic_core import InitErrorDetails

from apiops_components.models.base import fault
from apiops_components.models.policy.action import PHASES, Action

__all__ = ["AiGateway", "RawAction"]


class AiGateway(Action):
    """Passes requests on to providers of language models. Legacy: ngrok took its reference down in July 2026.

    Its fields are not checked. A policy may hold one (ERR_NGROK_2266).
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    type: ClassVar[str] = "ai-gateway"
    phases: ClassVar[frozenset[str]] = frozenset({"on_http_request"})
    result: ClassVar[str] = "ai_gateway"
    terminating: ClassVar[bool] = True

    @property
    def ends(self) -> bool:  # noqa: D102  (it may be told to go on after an error)
        return False


class RawAction(Action):
    """An action that these models do not know yet: ``RawAction(type="new-action", config={…})``.

    Nothing of it is checked, neither where it may stand nor its expressions, and every report counts it
    (`TrafficPolicy.raw`). Only Python can say it: a document with an action of an unknown type is refused.
    """

    phases: ClassVar[frozenset[str]] = frozenset(PHASES)
    terminating: ClassVar[bool] = True  # for all that is known, both
    protecting: ClassVar[bool] = True

    type: str  # type: ignore[misc]  # of the class in all others
    """ngrok's name of the action."""
    config: Mapping[str, JsonValue] = {}
    """Written as it is."""

    @property
    def ends(self) -> bool:  # noqa: D102
        return False

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        from apiops_components.models.policy.actions import ACTIONS  # noqa: PLC0415  (it holds this one's siblings)

        if self.type in ACTIONS:
            message = f"{self.type} is known, and is checked as {ACTIONS[self.type].__name__}"
            yield fault("policy/raw-known", message, f"write {ACTIONS[self.type].__name__}(…)", ["type"])

    def settings(self) -> dict[str, Any]:  # noqa: D102
        config: dict[str, Any] = self.model_dump(mode="json")["config"]
        return config
