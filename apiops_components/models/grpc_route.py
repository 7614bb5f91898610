"""GRPCRoutes that somebody else wrote, with the shape of ``gateway.networking.k8s.io/v1``.

ngrok's operator does not read them. Limits and messages are those of the definitions named in `versions.GATEWAY_API`,
standard channel.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import DnsSubdomain, Host, Integer, KubernetesChecked, fault
from apiops_components.models.filters import ExtensionRef, HeaderModifier, Mirror, ServiceRef, filter_faults
from apiops_components.models.match import HeaderMatch, repeated
from apiops_components.models.route import ParentRef, parent_faults

__all__ = ["GrpcRoute"]

_SERVICE = re.compile(r"\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*", re.ASCII | re.IGNORECASE)
_METHOD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*", re.ASCII)
_MOST_MATCHES = 128


class GrpcMethodMatch(KubernetesChecked):
    """Which methods; a service, a method, or both."""

    type: Literal["Exact", "RegularExpression"] = "Exact"
    """How both are read."""
    service: Annotated[str, Field(max_length=1024)] | None = None
    """Full name of the service; any by default."""
    method: Annotated[str, Field(max_length=1024)] | None = None
    """Name of the method; any by default."""

    def faults(self) -> Iterator[InitErrorDetails]:
        yield from self.told(self._some, self._service, self._method)

    def _some(self) -> Iterator[InitErrorDetails]:
        if self.service is None and self.method is None:
            message = "One or both of 'service' or 'method' must be specified"
            yield fault("gateway/grpc-method", message, "without method: every method matches")

    def _service(self) -> Iterator[InitErrorDetails]:
        if self.type == "Exact" and self.service is not None and not _SERVICE.fullmatch(self.service):
            message = (
                "service must only contain valid characters "
                r"(matching ^(?i)\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$)"
            )
            yield fault("gateway/grpc-method", message, "such as orders.v1.Orders", ["service"], self.service)

    def _method(self) -> Iterator[InitErrorDetails]:
        if self.type == "Exact" and self.method is not None and not _METHOD.fullmatch(self.method):
            message = "method must only contain valid characters (matching ^[A-Za-z_][A-Za-z_0-9]*$)"
            yield fault("gateway/grpc-method", message, "such as GetOrder", ["method"], self.method)


class GrpcMatch(KubernetesChecked):
    """One way for a call to match: every part given must hold."""

    method: GrpcMethodMatch | None = None
    """Any by default."""
    headers: tuple[HeaderMatch, ...] = Field(default=(), max_length=16)
    """At most 16, each name once (in any case)."""

    def faults(self) -> Iterator[InitErrorDetails]:
        yield from repeated(self.headers, "headers", "header", fold=True)


_FILTER_FIELDS = {
    "RequestHeaderModifier": "request_header_modifier",
    "ResponseHeaderModifier": "response_header_modifier",
    "RequestMirror": "request_mirror",
    "ExtensionRef": "extension_ref",
}


class GrpcFilter(KubernetesChecked):
    """One change to call or answer; exactly the field that belongs to its type is set."""

    type: Literal["ResponseHeaderModifier", "RequestHeaderModifier", "RequestMirror", "ExtensionRef"]
    """Which kind."""
    request_header_modifier: HeaderModifier | None = None
    """For RequestHeaderModifier."""
    response_header_modifier: HeaderModifier | None = None
    """For ResponseHeaderModifier."""
    request_mirror: Mirror | None = None
    """For RequestMirror."""
    extension_ref: ExtensionRef | None = None
    """For ExtensionRef."""

    def faults(self) -> Iterator[InitErrorDetails]:
        yield from filter_faults(self, _FILTER_FIELDS)


def _repeated_filters(filters: Sequence[GrpcFilter], loc: Sequence[str | int]) -> Iterator[InitErrorDetails]:
    count = Counter(item.type for item in filters)
    for kind in ("RequestHeaderModifier", "ResponseHeaderModifier"):
        if count[kind] > 1:
            index = [i for i, item in enumerate(filters) if item.type == kind][1]
            message = f"{kind} filter cannot be repeated"
            yield fault("gateway/filter-repeated", message, "merge the two into one", [*loc, index])


class GrpcBackend(ServiceRef):
    """A Service that takes a share of the calls."""

    weight: Annotated[Integer, Field(ge=0, le=1_000_000)] = 1
    """Its share is its weight by the sum of all weights of the rule; 0 takes none."""
    filters: tuple[GrpcFilter, ...] = Field(default=(), max_length=16)
    """Changes for this backend alone."""

    def faults(self) -> Iterator[InitErrorDetails]:
        yield from self.told(super().faults, lambda: _repeated_filters(self.filters, ["filters"]))


class GrpcRule(KubernetesChecked):
    """Calls that match any of ``matches`` get ``filters`` and go to ``backend_refs``."""

    name: DnsSubdomain | None = None
    """Shown in reports."""
    matches: tuple[GrpcMatch, ...] = Field(default=(), max_length=64)
    """At most 64; any of them suffices. Everything by default."""
    filters: tuple[GrpcFilter, ...] = Field(default=(), max_length=16)
    """At most 16."""
    backend_refs: tuple[GrpcBackend, ...] = Field(default=(), max_length=16)
    """At most 16. Without any, calls are answered with UNAVAILABLE."""

    def faults(self) -> Iterator[InitErrorDetails]:
        yield from _repeated_filters(self.filters, ["filters"])


class GrpcRoute(KubernetesChecked):
    """``spec`` of a GRPCRoute."""

    parent_refs: tuple[ParentRef, ...] = Field(default=(), max_length=32)
    """At most 32 Gateways or listeners."""
    hostnames: tuple[Host, ...] = Field(default=(), max_length=16)
    """At most 16; those of the listener by default."""
    rules: tuple[GrpcRule, ...] = Field(default=(), max_length=16)
    """At most 16, together at most 128 matches."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from self.told(self._matches, lambda: parent_faults(self.parent_refs))

    def _matches(self) -> Iterator[InitErrorDetails]:
        if sum(len(rule.matches) for rule in self.rules) > _MOST_MATCHES:
            yield fault(
                "gateway/matches",
                "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a "
                "route must be less than 128",
                "split the route into several GRPCRoutes",
                ["rules"],
            )
