"""A traffic policy: rules by phase."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import InitErrorDetails

from apiops_components.models.base import CheckedModel, Model, fault, raise_faults
from apiops_components.models.policy.action import PHASES, Action
from apiops_components.models.policy.cel import expression_fault, template_faults
from apiops_components.models.policy.union import AnyAction

__all__ = ["PHASES", "Rule", "TrafficPolicy"]


class Rule(Model):
    """Actions, taken in order when all expressions are true."""

    name: Annotated[str, Field(min_length=1)] | None = None
    """Shown in ngrok's events and in reports."""
    expressions: tuple[str, ...] = ()
    """Conditions in CEL, all of which must hold; none means always."""
    actions: tuple[AnyAction, ...] = Field(min_length=1)
    """At least one (ERR_NGROK_2206)."""

    @model_validator(mode="before")
    @classmethod
    def _no_shorthand(cls, data: Any) -> Any:
        if isinstance(data, dict) and "type" in data and "actions" not in data:
            raise_faults(
                [
                    fault(
                        "policy/shorthand",
                        "a rule without actions: the short form {type, config} loses its action on the way to ngrok",
                        f"write actions: [{{type: {data['type']}, config: …}}]",
                    )
                ]
            )
        return data

    def faults_in(self, phase: str) -> Iterator[InitErrorDetails]:
        """What is wrong with the rule in this phase; paths relative to the rule."""
        for index, text in enumerate(self.expressions):
            if found := expression_fault(text, phase, ("expressions", index)):
                yield found
        ended: Action | None = None
        for index, step in enumerate(self.actions):
            if phase not in step.phases:
                yield fault(
                    "policy/action-phase",
                    f"{step.type} may not be used in {phase} (ERR_NGROK_2202)",
                    f"it belongs in {' or '.join(sorted(step.phases))}",
                    ["actions", index, "type"],
                )
            if ended is not None:
                yield _unreachable(f"behind {ended.type}, which ends the phase", ["actions", index])
            if step.ends:
                ended = step
            for found in step.faults_in(phase):
                found["loc"] = ("actions", index, "config", *found.get("loc", ()))
                yield found
            yield from _text_faults(step, phase, index)

    @property
    def ends(self) -> bool:
        """Whether no rule behind this one ever runs."""
        return not self.expressions and any(step.ends for step in self.actions)


def _unreachable(why: str, loc: list[str | int]) -> InitErrorDetails:
    return fault("policy/unreachable", f"never reached: {why} (ERR_NGROK_2207)", "move it up, or add a condition", loc)


def _text_faults(step: Action, phase: str, index: int) -> Iterator[InitErrorDetails]:
    for place, text, kind in step.texts():
        loc = ("actions", index, "config", *place)
        if kind == "template":
            yield from template_faults(text, phase, loc)
        elif found := expression_fault(text, phase, loc, condition=False):
            yield found


class TrafficPolicy(CheckedModel):
    """What ngrok does with requests and responses, in the order of the rules.

    ``TrafficPolicy(on_http_request=(Rule(actions=(RateLimit(…),)),))``
    """

    on_tcp_connect: tuple[Rule, ...] = ()
    """Before anything of the request is known."""
    on_http_request: tuple[Rule, ...] = ()
    """Before the request reaches a backend."""
    on_http_response: tuple[Rule, ...] = ()
    """Before the answer reaches the client."""
    on_event_stream_message: tuple[Rule, ...] = ()
    """For each message of an event stream (server-sent events)."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        for phase in PHASES:
            if phase not in self.__dict__:  # invalid, and reported already
                continue
            ended: int | None = None
            for index, rule in enumerate(getattr(self, phase)):
                for found in rule.faults_in(phase):
                    found["loc"] = (phase, index, *found.get("loc", ()))
                    yield found
                if ended is not None:
                    yield _unreachable(f"rule {ended} always ends the phase", [phase, index])
                elif rule.ends:
                    ended = index

    @property
    def rules(self) -> Iterator[tuple[str, int, Rule]]:
        """Phase, position and rule, in the order in which they run."""
        for phase in PHASES:
            for index, rule in enumerate(getattr(self, phase)):
                yield phase, index, rule

    @property
    def actions(self) -> Iterator[Action]:
        """Every action of every rule."""
        for _, _, rule in self.rules:
            yield from rule.actions

    def __bool__(self) -> bool:
        return any(getattr(self, phase) for phase in PHASES)
