"""An API and the host it is served on: what a team writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.errors import format_path
from apiops_components.models.base import CheckedModel, DnsLabel, Host, Text, fault
from apiops_components.models.match import describe
from apiops_components.models.policy.document import TrafficPolicy
from apiops_components.models.route import Route
from apiops_components.models.workload import Workload

__all__ = ["ApiGatewaySpec", "ApiSpec"]


class ApiSpec(CheckedModel):
    """One API: its routes, the policy that holds for all of them, and what serves it.

    An API with public and protected paths is two of these, one policy each.
    """

    name: DnsLabel
    """Unique in its namespace; names the HTTPRoute and its policy."""
    owner: Text | None = None
    """Who answers for it; the host's owner by default."""
    routes: tuple[Route, ...] = Field(min_length=1, max_length=16)
    """1 to 16 rules."""
    policy: TrafficPolicy = Field(default_factory=TrafficPolicy)
    """Holds for every route of the API; none by default."""
    workload: Workload | None = None
    """What serves it, where it is deployed with the API; a Service named by the routes is expected otherwise."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from _duplicates([(("routes",), self.routes)])
        for index, route in enumerate(self.routes):
            for number, item in enumerate(route.filters):
                if item.type == "ExtensionRef":
                    yield fault(
                        "api/extension-ref",
                        "a policy referred to by name is not checked, and skipped by ngrok's operator where missing",
                        "give its rules in policy=",
                        ["routes", index, "filters", number],
                    )
        if self.policy.on_tcp_connect:
            yield fault(
                "api/phase",
                "on_tcp_connect runs before the path is known, so it cannot belong to one API",
                "",
                ["policy", "on_tcp_connect"],
            )
        if self.policy.on_event_stream_message:
            yield fault(
                "api/phase",
                "ngrok's operator drops on_event_stream_message from a route's policy, and refuses it on a Gateway",
                "change the events in the backend",
                ["policy", "on_event_stream_message"],
            )
        if self.name.endswith("-gateway"):
            message = f"{self.name!r}: names with this end are kept for the policies of Gateways"
            yield fault("api/name", message, "choose another name", ["name"])


class ApiGatewaySpec(CheckedModel):
    """One hostname, its Gateway, and every API on it.

    A hostname has one Gateway, in the namespace of the team that owns it: protection of all its APIs sits in that
    Gateway's own policy, without which ngrok serves nothing of the host (design decision 2).
    """

    name: DnsLabel
    """Names the Gateway."""
    namespace: DnsLabel
    """Where the Gateway, the routes and the workloads are."""
    host: Host
    """Exact host name: one Gateway cannot protect a narrower host below a wildcard."""
    team: DnsLabel | None = None
    """The team that owns the host; the platform where there is none."""
    owner: Text | None = None
    """Who answers for it."""
    apis: tuple[ApiSpec, ...] = Field(min_length=1)
    """At least one."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.host.startswith("*."):
            yield fault(
                "gateway/wildcard-host",
                f"{self.host!r}: ngrok's operator does not enforce a narrower host name below a wildcard listener",
                "name each host, one ApiGateway each",
                ["host"],
            )
        names: set[str] = set()
        for index, api in enumerate(self.apis):
            if api.name in names:
                yield fault("api/duplicate", f"API {api.name!r} is there twice", "", ["apis", index, "name"])
            names.add(api.name)
        workloads: set[str] = set()
        for index, api in enumerate(self.apis):
            if api.workload is None:
                continue
            if api.workload.name in workloads:
                message = f"workload {api.workload.name!r} is there twice in namespace {self.namespace}"
                yield fault("api/duplicate", message, "", ["apis", index, "workload", "name"])
            workloads.add(api.workload.name)
        yield from _duplicates([(("apis", index, "routes"), api.routes) for index, api in enumerate(self.apis)])


def _duplicates(found: Sequence[tuple[tuple[str | int, ...], Sequence[Route]]]) -> Iterator[InitErrorDetails]:
    """Matches that are there twice: which of the two answers would depend on the controller."""
    paths = [match.path.value for _, routes in found for route in routes for match in route.matches]
    if len(set(paths)) == len(paths):
        return  # most differ in their paths; to hash a whole match takes long
    seen: dict[object, tuple[str | int, ...]] = {}
    for place, routes in found:
        for index, route in enumerate(routes):
            here = (*place, index)
            for number, match in enumerate(route.matches):
                first = seen.setdefault(match, here)
                if first != here or match in route.matches[:number]:
                    yield fault(
                        "api/duplicate-route",
                        f"{describe(match)} is matched by {format_path(first)} already",
                        "remove one of the two, or merge their backends with weights",
                        [*here, "matches", number],
                    )
