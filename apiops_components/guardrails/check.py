"""The guardrails over what a project holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from apiops_components.errors import GuardrailError
from apiops_components.guardrails.finding import Finding
from apiops_components.guardrails.rules import RULES
from apiops_components.models.api import ApiGatewaySpec
from apiops_components.models.description import Description
from apiops_components.models.guardrail import Guardrail

__all__ = ["Guardrails", "check"]


@dataclass(frozen=True, slots=True)
class Guardrails:
    """The platform's guardrails in one environment; what components are given, and `check` uses.

    Attributes:
        environment: Name of the environment.
        rules: All of the platform's guardrails; those for other environments or teams are passed over.
    """

    environment: str
    rules: Sequence[Guardrail] = ()

    def findings(self, gateway: ApiGatewaySpec) -> Iterator[Finding]:
        """Where they do not hold for a host and its APIs, waived places included."""
        for position, api in enumerate(gateway.apis):
            for rail in self.rules:
                if not rail.applies(self.environment, gateway.team):
                    continue
                reason = next((e.reason for e in rail.waivers if (e.team, e.api) == (gateway.team, api.name)), "")
                for broken in RULES[type(rail)](rail, gateway, api):
                    place = broken.path if broken.path in ("host", "namespace") else f"apis[{position}].{broken.path}"
                    yield Finding(
                        guardrail=rail.kind,
                        subject=f"Api {gateway.namespace}/{api.name}",
                        owner=api.owner or gateway.owner or "",
                        team=gateway.team,
                        message=broken.message,
                        hint=broken.hint,
                        path=place,
                        request=broken.request,
                        waived=reason,
                    )

    def enforce(self, gateway: ApiGatewaySpec) -> None:
        """Refuses a host that breaks them.

        Raises:
            GuardrailError: Every place that is not waived.
        """
        broken = [finding.problem() for finding in self.findings(gateway) if not finding.waived]
        if broken:
            raise GuardrailError(broken)


def check(descriptions: Iterable[Description], rules: Sequence[Guardrail]) -> list[Finding]:
    """Findings of the platform's guardrails on every host of every description."""
    return [
        finding
        for description in descriptions
        for gateway in description.gateways
        for finding in Guardrails(description.environment.name, rules).findings(gateway)
    ]
