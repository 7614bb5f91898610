"""A rule, and what its parts are made of."""

from __future__ import annotations

from collections.abc import Sequence

from apiops_components.models.policy.action import Action
from apiops_components.models.policy.cel import literal
from apiops_components.models.policy.document import Rule

__all__ = ["rule", "secret", "several"]


def several(value: str | Sequence[str]) -> tuple[str, ...]:
    """One text, or several, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)


def rule(*actions: Action, when: str | Sequence[str] = (), name: str | None = None) -> Rule:
    """Actions, taken in order where every expression of ``when`` is true; always without one.

    Args:
        actions: At least one (ERR_NGROK_2206).
        when: One condition in CEL, or several, all of which must hold.
        name: Shown in ngrok's events and in reports.
    """
    conditions = several(when)
    return Rule(name=name, expressions=conditions, actions=actions) if conditions else Rule(name=name, actions=actions)


def secret(vault: str, name: str) -> str:
    """Text that stands for a secret of one of ngrok's vaults, wherever ``${…}`` is evaluated."""
    return f"${{secrets.get({literal(vault)}, {literal(name)})}}"
