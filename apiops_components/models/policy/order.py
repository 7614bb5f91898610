"""What follows from the order of rules and from what stands together in one policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic_core import InitErrorDetails

from apiops_components.models.base import fault

if TYPE_CHECKING:
    from apiops_components.models.policy.document import Rule, TrafficPolicy

__all__ = ["guaranteed_to_terminate", "repeated_faults", "unreachable"]

_LOGINS = ("oauth", "openid-connect", "saml")


def unreachable(why: str, loc: Sequence[str | int]) -> InitErrorDetails:
    """Something that never runs."""
    message = f"never reached: {why} (ERR_NGROK_2207)"
    return fault("policy/unreachable", message, "move it up, or add a condition", loc)


def repeated_faults(policy: TrafficPolicy) -> Iterator[InitErrorDetails]:
    """Actions of which a policy may hold one only: a login, whichever, and ai-gateway. JWTs go with either."""
    login: str | None = None
    gateway = False
    for phase, index, rule in policy.rules:
        for number, step in enumerate(rule.actions):
            loc: tuple[str | int, ...] = (phase, index, "actions", number, "type")
            if step.type in _LOGINS:
                if login is not None:
                    message = f"{step.type} besides {login}: a policy has one login at most (ERR_NGROK_2239)"
                    yield fault(
                        "policy/two-logins", message, "jwt-validation goes with one; another login does not", loc
                    )
                login = login or step.type
            elif step.type == "ai-gateway":
                if gateway:
                    yield fault(
                        "policy/two-ai-gateways", "a policy has one ai-gateway at most (ERR_NGROK_2266)", "", loc
                    )
                gateway = True


def guaranteed_to_terminate(policy: TrafficPolicy) -> bool:
    """Whether some rule without a condition ends every connection or every request (ERR_NGROK_2235)."""
    return any(_terminates(rule) for rule in (*policy.on_tcp_connect, *policy.on_http_request))


def _terminates(rule: Rule) -> bool:
    return not rule.expressions and any(step.ends for step in rule.actions)
