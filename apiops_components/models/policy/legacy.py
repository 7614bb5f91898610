"""Documents of old: read, with a warning for each old name, and written in today's form.

``inbound`` and ``outbound`` are phases of old, ``content`` is the body of a custom-response, ``enabled`` a switch that
is no more (facts: ngrok §2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import InitErrorDetails

from apiops_components.errors import Problem
from apiops_components.models.base import fault
from apiops_components.models.policy.actions import ACTIONS

__all__ = ["LEGACY_PHASES", "Today", "today"]

LEGACY_PHASES = ("inbound", "outbound")
"""Names of old of what is a phase today."""


class Today(NamedTuple):
    """A document in today's form."""

    document: Mapping[str, Any]
    """What is said today."""
    warnings: tuple[Problem, ...]
    """One for each old name; paths in the document as it was written."""
    faults: tuple[InitErrorDetails, ...]
    """What cannot be said today; paths in the document as it was written."""
    old_phases: Mapping[str, str]
    """Phases of today, by the name of old that the document has for them."""
    written: Mapping[str, Any]
    """The document as it was written."""

    def place(self, loc: Sequence[str | int]) -> tuple[str | int, ...]:
        """Where in the document as it was written something is that was found in today's form."""
        if not loc:
            return ()
        old = {new: old for old, new in self.old_phases.items()}
        path = (old.get(str(loc[0]), loc[0]), *loc[1:])
        if path[-1] == "body" and path[-2:-1] == ("config",):
            config: Any = self.written
            for key in path[:-1]:
                config = config[key]
            return (*path[:-1], "body" if "body" in config else "content")
        return path


def today(document: Mapping[str, Any]) -> Today:
    """The document in today's form; itself where nothing in it is old."""
    warnings: list[Problem] = []
    faults: list[InitErrorDetails] = []
    phases: dict[str, str] = {}
    made: dict[str, Any] = {}
    for key, value in document.items():
        if key == "enabled":
            if value is True:
                warnings.append(_warning("enabled is no longer known, and true is what holds", key, "leave it out"))
            else:
                message = f"enabled is no longer known, so a policy cannot be switched off by it: got {value!r}"
                faults.append(fault("policy/enabled", message, "take the policy away, or its rules", [key]))
            continue
        name = _phase_of(key, value)
        if name != key:
            if name in document:
                faults.append(
                    fault("policy/legacy-phase", f"{key} is the old name of {name}, which is there", "", [key])
                )
                continue
            phases[key] = name
            warnings.append(_warning(f"{key} is the old name of {name}", key, f"write {name}"))
        made[name] = _rules(value, key, warnings, faults)
    if not (warnings or faults):
        return Today(document, (), (), {}, document)
    return Today(made, tuple(warnings), tuple(faults), phases, document)


def _warning(message: str, path: str, hint: str) -> Problem:
    return Problem(message, path, "policy/legacy", hint)


def _phase_of(key: str, rules: Any) -> str:
    if key == "outbound":
        return "on_http_response"
    if key != "inbound":
        return key
    # It was the phase of requests, or of connections where there are no requests: what it holds tells.
    kinds = (ACTIONS.get(str(action.get("type"))) for _, _, action in _actions(rules))
    only_connect = any(kind is not None and kind.phases == {"on_tcp_connect"} for kind in kinds)
    return "on_tcp_connect" if only_connect else "on_http_request"


def _actions(rules: Any) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
    """Every action that looks like one, with its place."""
    for index, rule in enumerate(rules if isinstance(rules, list | tuple) else ()):
        steps = rule.get("actions") if isinstance(rule, Mapping) else None
        for number, step in enumerate(steps if isinstance(steps, list | tuple) else ()):
            if isinstance(step, Mapping):
                yield index, number, step


def _rules(rules: Any, phase: str, warnings: list[Problem], faults: list[InitErrorDetails]) -> Any:
    """The rules with the body of each custom-response under its name of today."""
    changed: dict[tuple[int, int], Mapping[str, Any]] = {}
    for index, number, step in _actions(rules):
        config = step.get("config")
        if step.get("type") != "custom-response" or not isinstance(config, Mapping) or "content" not in config:
            continue
        loc = (phase, index, "actions", number, "config", "content")
        if "body" in config:
            faults.append(fault("policy/legacy-content", "content is the old name of body, which is there", "", loc))
        path = f"{phase}[{index}].actions[{number}].config.content"
        warnings.append(_warning("content is the old name of body", path, "write body"))
        named = {"body" if key == "content" else key: value for key, value in config.items()}
        changed[index, number] = {**step, "config": named}
    if not changed:
        return rules
    return [
        {**rule, "actions": [changed.get((index, number), step) for number, step in enumerate(rule["actions"])]}
        if any(place[0] == index for place in changed)
        else rule
        for index, rule in enumerate(rules)
    ]
