"""What must hold, stated once by the platform team: scoped to environments and teams, waived only with a reason."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from apiops_components.models.base import Bool, DnsLabel, Host, Integer, Model, Reason, fault, raise_faults

__all__ = [
    "AllowedHosts",
    "AllowedNamespaces",
    "AuthenticationRequired",
    "ForbiddenActions",
    "Guardrail",
    "HighestRateLimit",
    "OwnerRequired",
    "Waiver",
]


class Waiver(Model):
    """One API for which a guardrail does not hold."""

    api: DnsLabel
    """Its name."""
    team: DnsLabel
    """The team that owns it: the same name elsewhere is not waived."""
    reason: Reason
    """Why; shown in every report."""


class _Scoped(Model):
    environments: tuple[DnsLabel, ...] = ()
    """Where it holds; everywhere by default."""
    teams: tuple[DnsLabel, ...] = ()
    """For whom it holds; for everyone, the platform included, by default."""
    waivers: tuple[Waiver, ...] = ()
    """APIs for which it does not hold."""

    def applies(self, environment: str, team: str | None) -> bool:
        """Whether it holds for this team in this environment."""
        return (not self.environments or environment in self.environments) and (
            not self.teams or (team is not None and team in self.teams)
        )


class AuthenticationRequired(_Scoped):
    """Every request that reaches a backend was authenticated."""

    kind: Literal["authentication-required"] = "authentication-required"
    """Tells it from the other guardrails."""


class HighestRateLimit(_Scoped):
    """Every API has an enforced rate limit, and no more requests than this pass in one bucket."""

    kind: Literal["highest-rate-limit"] = "highest-rate-limit"
    """Tells it from the other guardrails."""
    per_minute: Annotated[Integer, Field(ge=1)]
    """Requests a minute; a limit with another period counts by proportion."""
    required: Bool = True
    """Whether an API without any limit breaks the guardrail, too."""


class AllowedHosts(_Scoped):
    """APIs are served on these hosts only."""

    kind: Literal["allowed-hosts"] = "allowed-hosts"
    """Tells it from the other guardrails."""
    hosts: tuple[Host, ...] = Field(min_length=1)
    """Exact names, or ``*.`` for one or more labels."""


class AllowedNamespaces(_Scoped):
    """APIs and what they refer to are in these namespaces only."""

    kind: Literal["allowed-namespaces"] = "allowed-namespaces"
    """Tells it from the other guardrails."""
    namespaces: tuple[DnsLabel, ...] = Field(min_length=1)
    """Names."""


def _action_name(name: str) -> str:
    from apiops_components.models.policy.actions import ACTIONS  # noqa: PLC0415  (a guardrail rarely names actions)
    from apiops_components.models.policy.union import action_hint  # noqa: PLC0415

    if name not in ACTIONS:
        raise_faults([fault("guardrail/action", f"ngrok has no action {name!r}", action_hint(name))])
    return name


class ForbiddenActions(_Scoped):
    """Traffic policies do not use these actions."""

    kind: Literal["forbidden-actions"] = "forbidden-actions"
    """Tells it from the other guardrails."""
    actions: tuple[Annotated[str, AfterValidator(_action_name)], ...] = Field(min_length=1)
    """ngrok's names of known actions, such as ``custom-response``: one that is misspelt would forbid nothing."""


class OwnerRequired(_Scoped):
    """Every API names who answers for it."""

    kind: Literal["owner-required"] = "owner-required"
    """Tells it from the other guardrails."""


Guardrail = Annotated[
    AuthenticationRequired | HighestRateLimit | AllowedHosts | AllowedNamespaces | ForbiddenActions | OwnerRequired,
    Field(discriminator="kind"),
]
"""One rule of the platform."""
