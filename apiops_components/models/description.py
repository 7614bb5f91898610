"""What a project holds in one environment: the answer of its ``describe(environment)``."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.api import ApiGatewaySpec
from apiops_components.models.base import CheckedModel, DnsLabel, fault
from apiops_components.models.environment import Delivery, Environment
from apiops_components.models.guardrail import Guardrail

__all__ = ["Description"]


class Description(CheckedModel):
    """Everything a project registers, as plain data, for both its readers: the commands and its Pulumi program.

    The platform's description covers the cluster and what is installed on it (all from `environment`), the
    guardrails, and hosts that several teams share; a team's covers the hosts that it owns.
    """

    environment: Environment
    """The settings it was made from."""
    team: DnsLabel | None = None
    """Whose it is; the platform's where there is none."""
    gateways: tuple[ApiGatewaySpec, ...] = ()
    """The hosts and their APIs."""
    guardrails: tuple[Guardrail, ...] = Field(default=())
    """The platform's, for itself and every team; a team cannot state or lift any."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.team is not None and self.guardrails:
            yield fault("guardrail/team", "guardrails are stated by the platform alone", "", ["guardrails"])
        if self.team is not None and self.team not in self.environment.teams:
            message = f"team {self.team!r} has no settings in environment {self.environment.name!r}"
            yield fault("description/team", message, "add it under teams: in the settings", ["team"])
        names: set[tuple[str, str]] = set()
        hosts: set[str] = set()
        apis: set[tuple[str, str]] = set()
        for index, gateway in enumerate(self.gateways):
            if (gateway.namespace, gateway.name) in names:
                message = f"Gateway {gateway.namespace}/{gateway.name} is there twice"
                yield fault("gateway/duplicate", message, "", ["gateways", index, "name"])
            names.add((gateway.namespace, gateway.name))
            if gateway.host in hosts:
                message = f"host {gateway.host!r} has a Gateway already"
                hint = "a host has one Gateway: move the APIs there"
                yield fault("gateway/host", message, hint, ["gateways", index, "host"])
            hosts.add(gateway.host)
            for number, api in enumerate(gateway.apis):
                if (gateway.namespace, api.name) in apis:
                    message = f"API {gateway.namespace}/{api.name} is there twice"
                    yield fault("api/duplicate", message, "", ["gateways", index, "apis", number, "name"])
                apis.add((gateway.namespace, api.name))
            if self.team is not None:
                yield from self._foreign(index, gateway)
            yield from self._pod_security(index, gateway)

    def _foreign(self, index: int, gateway: ApiGatewaySpec) -> Iterator[InitErrorDetails]:
        """A team stays in its own namespace and under its own name."""
        team = self.team or ""
        own = self.environment.namespace(team) if team in self.environment.teams else None
        if own is not None and gateway.namespace != own:
            message = f"team {self.team!r} owns namespace {own!r} here, not {gateway.namespace!r}"
            yield fault("gateway/namespace", message, "", ["gateways", index, "namespace"])
        if gateway.team != self.team:
            message = f"this is the project of team {self.team!r}, the host says {gateway.team!r}"
            yield fault("gateway/team", message, f"team={self.team!r}", ["gateways", index, "team"])

    def _pod_security(self, index: int, gateway: ApiGatewaySpec) -> Iterator[InitErrorDetails]:
        """A workload that its namespace would refuse, seen before anything is deployed."""
        settings = self.environment.teams.get(gateway.team or "")
        level = settings.pod_security.level if settings and settings.pod_security else "restricted"
        for number, api in enumerate(gateway.apis):
            if api.workload is not None and level == "restricted" and api.workload.pod_security != "restricted":
                yield fault(
                    "workload/pod-security",
                    f"namespace {gateway.namespace!r} admits restricted pods only, and would refuse this one",
                    f"keep the restrictions, or set teams.{gateway.team}.pod_security in the settings, with a reason",
                    ["gateways", index, "apis", number, "workload"],
                )

    @property
    def raw_actions(self) -> int:
        """How many actions of its traffic policies nothing here has checked; every report tells it."""
        return sum(len(api.policy.raw) for gateway in self.gateways for api in gateway.apis)

    @property
    def delivery(self) -> Delivery:
        """Who applies the routes, policies and workloads: what the team's settings say; Pulumi for the platform's."""
        return self.environment.team(self.team).delivery if self.team is not None else "direct"
