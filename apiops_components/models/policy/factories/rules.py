"""Rules, and policies of them."""

from __future__ import annotations

from collections.abc import Sequence

from apiops_components.models.policy.action import Action
from apiops_components.models.policy.cel import literal
from apiops_components.models.policy.document import Rule, TrafficPolicy
from apiops_components.models.policy.terms import Condition, Term

__all__ = ["Policy", "rule", "secret", "several"]


def several(value: str | Term | Sequence[str | Term]) -> tuple[str, ...]:
    """One text or term, or several, as a tuple of texts."""
    return (str(value),) if isinstance(value, str | Term) else tuple(map(str, value))


def rule(*actions: Action, when: str | Condition | Sequence[str | Condition] = (), name: str | None = None) -> Rule:
    """Actions, taken in order where every expression of ``when`` is true; always without one.

    Args:
        actions: At least one (ERR_NGROK_2206).
        when: One condition, in CEL or built, or several, all of which must hold.
        name: Shown in ngrok's events and in reports.
    """
    conditions = several(when)
    return Rule(name=name, expressions=conditions, actions=actions) if conditions else Rule(name=name, actions=actions)


class Policy:
    """Begins a `TrafficPolicy`, phase by phase; ``+`` puts them together.

    Rules stay as they are given; actions next to each other become one rule, without a condition.
    """

    @staticmethod
    def on_connect(*steps: Action | Rule) -> TrafficPolicy:
        """For connections, before anything of a request is known."""
        return TrafficPolicy(on_tcp_connect=_rules(steps))

    @staticmethod
    def on_request(*steps: Action | Rule) -> TrafficPolicy:
        """For requests, before they reach a backend."""
        return TrafficPolicy(on_http_request=_rules(steps))

    @staticmethod
    def on_response(*steps: Action | Rule) -> TrafficPolicy:
        """For responses, before they reach the client."""
        return TrafficPolicy(on_http_response=_rules(steps))

    @staticmethod
    def on_event(*steps: Action | Rule) -> TrafficPolicy:
        """For the messages of event streams."""
        return TrafficPolicy(on_event_stream_message=_rules(steps))


def _rules(steps: Sequence[Action | Rule]) -> tuple[Rule, ...]:
    groups: list[Rule | list[Action]] = []
    for step in steps:
        if isinstance(step, Rule):
            groups.append(step)
        elif groups and isinstance(groups[-1], list):
            groups[-1].append(step)
        else:
            groups.append([step])
    return tuple(group if isinstance(group, Rule) else Rule(actions=tuple(group)) for group in groups)


def secret(vault: str, name: str) -> str:
    """Text that stands for a secret of one of ngrok's vaults, wherever ``${…}`` is evaluated."""
    return f"${{secrets.get({literal(vault)}, {literal(name)})}}"
