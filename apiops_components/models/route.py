"""HTTP routes: what is matched, what is changed on the way, where it goes.

The classes have the shape of ``gateway.networking.k8s.io/v1`` HTTPRoute, so the same ones check a document that
somebody else wrote. The factories (`Route.prefix`, `Backend.to`) are how a person writes them.

Limits and messages are those of the Gateway API definitions named in `versions.GATEWAY_API`, standard channel.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import (
    ApiGroup,
    DnsLabel,
    DnsSubdomain,
    Host,
    Kind,
    KubernetesChecked,
    KubernetesModel,
    Port,
    Whole,
    fault,
    raise_faults,
)
from apiops_components.models.filters import Filter, ServiceRef, filters_faults, prefix_replacements
from apiops_components.models.match import Match, Method, PathMatch, describe

__all__ = ["Backend", "HttpRoute", "ParentRef", "Route", "Timeouts", "duplicate_matches", "parent_faults"]

_GATEWAY_DURATION = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")


def _gateway_duration(value: str) -> str:
    if not _GATEWAY_DURATION.fullmatch(value):
        raise_faults(
            [fault("gateway/duration", f"{value!r} is not a duration of the Gateway API, such as 30s or 1m30s")]
        )
    return value


GatewayDuration = Annotated[str, AfterValidator(_gateway_duration)]
"""At most four parts of at most five digits, units h, m, s, ms."""


class Backend(ServiceRef):
    """A Service that takes a share of the requests."""

    weight: Annotated[int, Field(ge=0, le=1_000_000), Whole] = 1
    """Its share is its weight by the sum of all weights of the rule; 0 takes none."""
    filters: tuple[Filter, ...] = Field(default=(), max_length=16)
    """Changes for this backend alone."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from super().faults()
        if self.filters:
            yield from filters_faults(self.filters, ["filters"])

    @classmethod
    def to(cls, name: str, port: int, *, weight: int = 1, namespace: str | None = None) -> Self:
        """``Backend.to("orders", 8080)``."""
        return cls(name=name, port=port, weight=weight, namespace=namespace)


class Timeouts(KubernetesChecked):
    """How long a request may take. ngrok's operator does not apply them."""

    request: GatewayDuration | None = None
    """For the whole request; ``0s`` switches it off."""
    backend_request: GatewayDuration | None = None
    """For one try at the backend; at most ``request``."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.request and self.backend_request:
            whole, part = _milliseconds(self.request), _milliseconds(self.backend_request)
            if whole and part > whole:
                yield fault(
                    "gateway/timeouts",
                    "backendRequest timeout cannot be longer than request timeout",
                    f"at most {self.request}, or a longer request",
                    ["backendRequest"],
                )


def _milliseconds(text: str) -> int:
    units = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"([0-9]+)(ms|h|m|s)", text))


class Route(KubernetesChecked):
    """One rule: requests that match any of ``matches`` get ``filters`` and go to ``backend_refs``."""

    name: DnsSubdomain | None = None
    """Shown in reports."""
    matches: tuple[Match, ...] = Field(default_factory=lambda: (Match(),), max_length=64)
    """At most 64; any of them suffices. Everything by default."""
    filters: tuple[Filter, ...] = Field(default=(), max_length=16)
    """At most 16."""
    backend_refs: tuple[Backend, ...] = Field(default=(), max_length=16)
    """At most 16. Without any, requests are answered with 500 unless a filter or policy answers."""
    timeouts: Timeouts | None = None
    """How long a request may take."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if filters := self.filters:
            yield from filters_faults(filters, ["filters"])
        if self.backend_refs and any(item.type == "RequestRedirect" for item in filters):
            message = "RequestRedirect filter must not be used together with backendRefs"
            yield fault("gateway/redirect-backend", message, "remove backendRefs: a redirect is the answer")
        one_prefix = len(self.matches) == 1 and self.matches[0].path.type == "PathPrefix"
        if not one_prefix:
            need = "filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified"
            for kind in prefix_replacements(filters):
                yield fault("gateway/replace-prefix", f"When using {kind} {need}", "split the rule", ["filters"])
            for index, backend in enumerate(self.backend_refs):
                for kind in prefix_replacements(backend.filters) if backend.filters else ():
                    when = "when" if kind == "RequestRedirect" else "When"
                    message = f"Within backendRefs, {when} using {kind} {need}"
                    yield fault("gateway/replace-prefix", message, "split the rule", ["backendRefs", index, "filters"])

    @classmethod
    def prefix(
        cls, path: str, *backends: Backend, method: Method | None = None, filters: Sequence[Filter] = ()
    ) -> Self:
        """Everything at or below a path: ``Route.prefix("/orders", Backend.to("orders", 8080))``."""
        match = Match(path=PathMatch(type="PathPrefix", value=path), method=method)
        return cls(matches=(match,), backend_refs=backends, filters=tuple(filters))

    @classmethod
    def exact(cls, path: str, *backends: Backend, method: Method | None = None, filters: Sequence[Filter] = ()) -> Self:
        """One path: ``Route.exact("/healthz", Backend.to("orders", 8080))``."""
        match = Match(path=PathMatch(type="Exact", value=path), method=method)
        return cls(matches=(match,), backend_refs=backends, filters=tuple(filters))


class ParentRef(KubernetesModel):
    """The Gateway that a route belongs to."""

    group: ApiGroup = "gateway.networking.k8s.io"
    """Gateway API by default."""
    kind: Kind = "Gateway"
    """Gateway by default, the only kind that ngrok's operator takes."""
    name: DnsSubdomain
    """Name of the Gateway."""
    namespace: DnsLabel | None = None
    """Its namespace; the route's own by default."""
    section_name: DnsSubdomain | None = None
    """One listener of it; all by default."""
    port: Port | None = None
    """One port of it; all by default."""


class HttpRoute(KubernetesChecked):
    """``spec`` of an HTTPRoute."""

    parent_refs: tuple[ParentRef, ...] = Field(default=(), max_length=32)
    """At most 32 Gateways or listeners."""
    hostnames: tuple[Host, ...] = Field(default=(), max_length=16)
    """At most 16; those of the listener by default."""
    rules: tuple[Route, ...] = Field(default_factory=lambda: (Route(),), min_length=1, max_length=16)
    """1 to 16, together at most 128 matches."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if sum(len(rule.matches) for rule in self.rules) > 128:  # noqa: PLR2004  (the definition's limit)
            yield fault(
                "gateway/matches",
                "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a "
                "route must be less than 128",
                "split the route into several HTTPRoutes",
                ["rules"],
            )
        yield from parent_faults(self.parent_refs)
        yield from duplicate_matches(self.rules, "rules")


def parent_faults(parents: Sequence[ParentRef]) -> Iterator[InitErrorDetails]:
    """Rules across the references of one route."""
    sections: dict[tuple[str, str, str, str | None], list[str | None]] = {}
    for parent in parents:
        place = (parent.group, parent.kind, parent.name, parent.namespace)
        sections.setdefault(place, []).append(parent.section_name)
    message = "when parentRefs includes 2 or more references to the same parent"
    for named in sections.values():
        if None in named and any(named):
            hint = "name a listener in each, or keep the one without sectionName"
            yield fault("gateway/parent-section", f"sectionName must be specified {message}", hint, ["parentRefs"])
        if len(set(named)) < len(named):
            hint = "keep one of them"
            yield fault("gateway/parent-section", f"sectionName must be unique {message}", hint, ["parentRefs"])


def duplicate_matches(rules: Sequence[Route], field: str) -> Iterator[InitErrorDetails]:
    """A match that an earlier rule has already can never be reached: the first rule wins."""
    seen: dict[Any, int] = {}
    for index, rule in enumerate(rules):
        for number, match in enumerate(rule.matches):
            first = seen.setdefault(match, index)
            if first != index or match in rule.matches[:number]:
                yield fault(
                    "gateway/duplicate-route",
                    f"{describe(match)} is matched by {field}[{first}] already, so this one is never reached",
                    "remove one of the two, or merge their backends with weights",
                    [field, index, "matches", number],
                )
