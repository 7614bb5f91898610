"""A traffic policy: rules by phase."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PlainValidator,
    PrivateAttr,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails

from apiops_components.errors import Problem, format_path
from apiops_components.models.base import CheckedModel, details, fault, raise_faults
from apiops_components.models.policy.action import PHASES, Action, Text
from apiops_components.models.policy.actions import ACTIONS
from apiops_components.models.policy.actions.other import RawAction
from apiops_components.models.policy.actions.values import SetVars
from apiops_components.models.policy.cel import Scope, expression_fault, never_there, retry_scope, template_faults
from apiops_components.models.policy.legacy import today
from apiops_components.models.policy.order import guaranteed_to_terminate, repeated_faults, unreachable
from apiops_components.models.policy.terms import text_of
from apiops_components.models.policy.union import AnyAction, parse

__all__ = ["PHASES", "Rule", "TrafficPolicy"]


def _rule_name(name: Any) -> Any:
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise_faults([fault("schema/string-type", f"a name is a string or a whole number, got {name!r}")])
    if name == "":
        raise_faults([fault("schema/string-too-short", "a name has at least one character", "leave it out")])
    return name


RuleName = Annotated[str | int, PlainValidator(_rule_name), WithJsonSchema({"type": ["string", "integer"]})]
"""What a rule is called."""


class Rule(CheckedModel):
    """Actions, taken in order when all expressions are true."""

    name: RuleName | None = None
    """Shown in ngrok's events and in reports; ngrok takes a number too."""
    expressions: tuple[Annotated[str, BeforeValidator(text_of)], ...] = ()
    """Conditions in CEL or built with `expression`, all of which must hold; none means always."""
    actions: tuple[AnyAction, ...] = Field(min_length=1)
    """At least one (ERR_NGROK_2206)."""

    @model_validator(mode="before")
    @classmethod
    def _with_actions(cls, data: Any) -> Any:
        if isinstance(data, dict) and "actions" not in data and "type" in data:
            message = "a rule without actions: the short form {type, config} loses its action on the way to ngrok"
            hint = f"write actions: [{{type: {data['type']}, config: …}}]"
            raise_faults([fault("policy/shorthand", message, hint)])
        if isinstance(data, dict) and data.get("actions", ()) in ([], ()):
            code = "schema/too-short" if "actions" in data else "schema/required"
            hint = "say what happens: actions: [{type: …, config: {…}}]"
            raise_faults([fault(code, "a rule without actions (ERR_NGROK_2206)", hint, ["actions"])])
        return data

    def faults_in(self, phase: str, scope: Scope | None = None) -> Iterator[InitErrorDetails]:
        """What is wrong with the rule in this phase; paths relative to the rule.

        ``scope`` is what ran before it, and is extended by what the rule does; without one everything may have run.
        """
        yield from _faults_in(
            phase, scope or Scope(phase, known=False), enumerate(self.expressions), enumerate(self.actions)
        )

    def texts(self) -> Iterator[Text]:
        """Every text that ngrok evaluates: its conditions and those of its actions; paths relative to the rule."""
        for index, text in enumerate(self.expressions):
            yield ("expressions", index), text, "expression"
        for index, step in enumerate(self.actions):
            for place, text, kind in step.texts():
                yield ("actions", index, "config", *place), text, kind

    @property
    def ends(self) -> bool:
        """Whether no rule behind this one ever runs."""
        return not self.expressions and any(step.ends for step in self.actions)


def _faults_in(
    phase: str, scope: Scope, expressions: Iterable[tuple[int, str]], actions: Iterable[tuple[int, Action]]
) -> Iterator[InitErrorDetails]:
    for index, text in expressions:
        if wrong := expression_fault(text, scope, ("expressions", index)):
            yield wrong
    ended: Action | None = None
    for index, step in actions:
        if phase not in step.phases:
            yield _wrong_phase(type(step), phase, index, step.type)
        if ended is not None:
            yield unreachable(f"behind {ended.type}, which ends the phase", ["actions", index])
        if step.ends:
            ended = step
        for found in step.faults_in(phase):
            found["loc"] = ("actions", index, "config", *found.get("loc", ()))
            yield found
        yield from _text_faults(step, scope, index)


def _text_faults(step: Action, scope: Scope, index: int) -> Iterator[InitErrorDetails]:
    """What is wrong with an action's texts; extends the scope by what the action sets."""
    unset = list(step.assignments) if isinstance(step, SetVars) else []
    for place, text, kind in step.texts():
        if kind == "template" and "${" not in text:
            continue  # nothing in it is evaluated
        while isinstance(step, SetVars) and len(step.vars) - len(unset) < int(place[1]):
            scope.set(*unset.pop(0))  # an entry may read those before it
        loc = ("actions", index, "config", *place)
        if kind == "template":
            yield from template_faults(text, scope, loc)
        elif wrong := expression_fault(
            text, retry_scope(scope) if kind == "retry" else scope, loc, condition=kind == "retry"
        ):
            yield wrong
    for name, value in unset:
        scope.set(name, value)
    if isinstance(step, RawAction):
        scope.unknown.add(step.type.replace("-", "_"))
    elif step.result:
        scope.results.add(step.result)


def _rule_list(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        got = "a mapping" if isinstance(value, Mapping) else repr(value)
        message = f"a phase is a list of rules, got {got} (ERR_NGROK_9026)"
        raise_faults([fault("schema/tuple-type", message, "put '- ' before each rule")])
    return value


Rules = Annotated[tuple[Rule, ...], BeforeValidator(_rule_list)]
"""The rules of a phase, in the order in which they run."""


class TrafficPolicy(CheckedModel):
    """What ngrok does with requests and responses, in the order of the rules.

    ``Policy.on_request(jwt(…), rate_limit(100, per="1m")) + Policy.on_response(remove_headers("server"))``, or field by
    field: ``TrafficPolicy(on_http_request=(Rule(actions=(RateLimit(…),)),))``.
    """

    on_tcp_connect: Rules = ()
    """Before anything of the request is known."""
    on_http_request: Rules = ()
    """Before the request reaches a backend."""
    on_http_response: Rules = ()
    """Before the answer reaches the client."""
    on_event_stream_message: Rules = ()
    """For each message of an event stream (server-sent events)."""

    _legacy: tuple[Problem, ...] = PrivateAttr(default=())

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Reads documents of old too."""
        if not isinstance(data, Mapping):
            return handler(data)
        read = today(data)
        try:
            policy = handler(read.document)
        except ValidationError as error:
            found = [details(item) for item in error.errors(include_url=False)]
            told = (*found, *_faults_beside(read.document, found))
            for item in told:
                item["loc"] = read.place(item.get("loc", ()))
            raise_faults((*read.faults, *told))
            raise
        raise_faults(read.faults)
        if read.warnings:
            policy._legacy = read.warnings  # noqa: SLF001
        return policy

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        values = self.__dict__
        for phase in PHASES:
            rules = values.get(phase)
            if not rules:  # none, or invalid and reported already
                continue
            ended: int | None = None
            scope = Scope(phase)
            for index, rule in enumerate(rules):
                for found in rule.faults_in(phase, scope):
                    found["loc"] = (phase, index, *found.get("loc", ()))
                    yield found
                if ended is not None:
                    yield unreachable(f"rule {ended} always ends the phase", [phase, index])
                elif rule.ends:
                    ended = index
        yield from repeated_faults(self)

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

    @property
    def raw(self) -> tuple[RawAction, ...]:
        """The actions that nothing here checks; reports count them."""
        return tuple(step for step in self.actions if isinstance(step, RawAction))

    def warnings(self) -> tuple[Problem, ...]:
        """What is old, or hardly does what was meant, and is no error; paths in the document that was read."""
        found = [
            problem.at(prefix=f"{phase}[{index}].actions[{number}].config")
            for phase, index, rule in self.rules
            for number, step in enumerate(rule.actions)
            for problem in step.warnings()
        ]
        found += (
            Problem(
                f"{name} has no key {key!r}: its keys are in lower case, so this finds nothing",
                format_path((phase, index, *place)),
                "policy/header-case",
                f"write {key.lower()!r}",
            )
            for phase, index, rule in self.rules
            for place, text, kind in rule.texts()
            for name, key in never_there(text, phase, kind)
        )
        return (*self._legacy, *found)

    def __add__(self, other: TrafficPolicy) -> TrafficPolicy:
        """The rules of both, in each phase those of the first before those of the second."""
        phases = {phase: (*getattr(self, phase), *getattr(other, phase)) for phase in PHASES}
        return TrafficPolicy(**{phase: rules for phase, rules in phases.items() if rules})

    def guaranteed_to_terminate(self) -> bool:
        """Whether some rule without a condition ends every request, as a cloud endpoint needs (ERR_NGROK_2235)."""
        return guaranteed_to_terminate(self)

    def __eq__(self, other: object) -> bool:  # one that was read from a document of old equals one of today
        return isinstance(other, TrafficPolicy) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __bool__(self) -> bool:
        return any(getattr(self, phase) for phase in PHASES)


def _faults_beside(document: Mapping[str, Any], found: Sequence[InitErrorDetails]) -> Iterator[InitErrorDetails]:
    """What is wrong with the valid parts of rules that are broken elsewhere; what ran before them is not known."""
    broken = {loc[0] for item in found if (loc := item.get("loc", ()))}
    for phase, rules in document.items():
        for index, rule in enumerate(rules if phase in PHASES and isinstance(rules, list | tuple) else ()):
            if phase in broken:
                yield from _misplaced(phase, index, rule)
                for wrong in _faults_in(phase, Scope(phase, known=False), *_valid_parts(rule)):
                    wrong["loc"] = (phase, index, *wrong.get("loc", ()))
                    if all(wrong["loc"] != item.get("loc") for item in found):
                        yield wrong


def _wrong_phase(
    action: type[Action], phase: str, index: int, name: str, place: Sequence[str | int] = ()
) -> InitErrorDetails:
    return fault(
        "policy/action-phase",
        f"{name} may not be used in {phase} (ERR_NGROK_2202)",
        f"it belongs in {' or '.join(sorted(action.phases))}",
        [*place, "actions", index, "type"],
    )


def _misplaced(phase: str, position: int, rule: Any) -> Iterator[InitErrorDetails]:
    """Actions whose config is invalid, and which the phase may not hold whatever their config."""
    actions = rule.get("actions") if isinstance(rule, Mapping) else None
    for index, item in enumerate(actions if isinstance(actions, list | tuple) else ()):
        name = item.get("type") if isinstance(item, Mapping) else None
        action = ACTIONS.get(name) if isinstance(name, str) else None
        if action is not None and phase not in action.phases:
            try:
                parse(item)
            except ValidationError:
                yield _wrong_phase(action, phase, index, str(name), (phase, position))


def _valid_parts(rule: Any) -> tuple[list[tuple[int, str]], list[tuple[int, Action]]]:
    if isinstance(rule, Rule):
        return list(enumerate(rule.expressions)), list(enumerate(rule.actions))
    expressions, actions = (
        enumerate(value) if isinstance(rule, Mapping) and isinstance(value := rule.get(key), list | tuple) else ()
        for key in ("expressions", "actions")
    )
    steps: list[tuple[int, Action]] = []
    for index, item in actions:
        with contextlib.suppress(ValidationError):
            steps.append((index, parse(item)))
    return [(index, text) for index, text in expressions if isinstance(text, str)], steps
