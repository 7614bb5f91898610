"""The guardrails over what a project holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from apiops_components.errors import GuardrailError
from apiops_components.guardrails.finding import Finding
from apiops_components.guardrails.rules import RULES
from apiops_components.models.api import ApiGatewaySpec
from apiops_components.models.description import Description
from apiops_components.models.guardrail import Guardrail

__all__ = ["Guardrails", "check", "collected"]


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
        """Refuses a host that breaks them; inside `collected`, notes it instead.

        Raises:
            GuardrailError: Every place that is not waived.
        """
        findings = list(self.findings(gateway))
        if (notes := _notes.get()) is not None:
            notes += findings
            return
        broken = [finding.problem() for finding in findings if not finding.waived]
        if broken:
            raise GuardrailError(broken)


_notes: ContextVar[list[Finding] | None] = ContextVar("notes", default=None)


@contextmanager
def collected() -> Iterator[list[Finding]]:
    """Lets a preview go on past a broken guardrail: what `Guardrails.enforce` finds meanwhile is in the list.

    Who opens this must report the list: a preview that stopped at the first broken guardrail would show its reader
    nothing else of the change.
    """
    notes: list[Finding] = []
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


def check(descriptions: Iterable[Description], rules: Sequence[Guardrail]) -> list[Finding]:
    """Findings of the platform's guardrails on every host of every description."""
    return [
        finding
        for description in descriptions
        for gateway in description.gateways
        for finding in Guardrails(description.environment.name, rules).findings(gateway)
    ]
