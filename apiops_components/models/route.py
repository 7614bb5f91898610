"""HTTP routes: what is matched, what is changed on the way, where it goes.

The classes have the shape of ``gateway.networking.k8s.io/v1`` HTTPRoute, so the same ones check a document that
somebody else wrote. The factories (`Route.prefix`, `Backend.to`) are how a person writes them.

Limits and messages are those of the Gateway API definitions named in `versions.GATEWAY_API`, standard channel.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import (
    CheckedModel,
    DnsLabel,
    DnsSubdomain,
    HeaderName,
    Host,
    Integer,
    KubernetesModel,
    Port,
    fault,
    raise_faults,
)

__all__ = [
    "Backend",
    "Cors",
    "ExtensionRef",
    "Filter",
    "Header",
    "HeaderMatch",
    "HeaderModifier",
    "HttpRoute",
    "Match",
    "Mirror",
    "ParentRef",
    "PathMatch",
    "PathModifier",
    "QueryMatch",
    "Redirect",
    "Route",
    "Timeouts",
    "UrlRewrite",
]

Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]

_PATH_CHARACTERS = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+")
_FORBIDDEN_IN_PATH = ("//", "/./", "/../", "%2f", "%2F", "#")
_GATEWAY_DURATION = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")


def _gateway_duration(value: str) -> str:
    if not _GATEWAY_DURATION.fullmatch(value):
        raise_faults(
            [fault("gateway/duration", f"{value!r} is not a duration of the Gateway API, such as 30s or 1m30s")]
        )
    return value


GatewayDuration = Annotated[str, AfterValidator(_gateway_duration)]
"""At most four parts of at most five digits, units h, m, s, ms."""


class _Checked(KubernetesModel, CheckedModel):
    """Shape of Kubernetes, and rules across fields."""


def path_faults(value: str, expected: str) -> Iterator[InitErrorDetails]:
    """What is wrong with the value of an Exact or PathPrefix match."""
    suffix = " when type one of ['Exact', 'PathPrefix']"
    loc = ["value"]
    if not value.startswith("/"):
        hint = f"write {'/' + value!r}" if _PATH_CHARACTERS.fullmatch(value) else ""
        yield fault("gateway/path-absolute", f"value must be an absolute path and start with '/'{suffix}", hint, loc)
    for part in _FORBIDDEN_IN_PATH:
        if part in value:
            yield fault("gateway/path-content", f"must not contain {part!r}{suffix}", "", loc)
    for end in ("/..", "/."):
        if value.endswith(end):
            yield fault("gateway/path-end", f"must not end with {end!r}{suffix}", "", loc)
    if not _PATH_CHARACTERS.fullmatch(value):
        yield fault(
            "gateway/path-characters",
            "must only contain valid characters (matching ^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$) "
            f"for types {expected}",
            "percent-encode the others",
            loc,
        )


class PathMatch(_Checked):
    """Which paths. A prefix ends at a segment: ``/pub`` takes ``/pub`` and ``/pub/x``, never ``/public``."""

    type: Literal["Exact", "PathPrefix", "RegularExpression"] = "PathPrefix"
    """How ``value`` is read."""
    value: Annotated[str, Field(max_length=1024)] = "/"
    """Absolute path, at most 1,024 characters."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.type != "RegularExpression":
            yield from path_faults(self.value, "['Exact', 'PathPrefix']")


class HeaderMatch(KubernetesModel):
    """A request header and its value. Names match in any case, values exactly."""

    type: Literal["Exact", "RegularExpression"] = "Exact"
    """How ``value`` is read."""
    name: HeaderName
    """Field name."""
    value: Annotated[str, Field(min_length=1, max_length=4096)]
    """1 to 4,096 characters."""


class QueryMatch(KubernetesModel):
    """A query parameter and its value, both case-sensitive."""

    type: Literal["Exact", "RegularExpression"] = "Exact"
    """How ``value`` is read."""
    name: HeaderName
    """Name of the parameter (the definitions allow the characters of a header name)."""
    value: Annotated[str, Field(min_length=1, max_length=1024)]
    """1 to 1,024 characters."""


def _repeated(names: Iterable[str], field: str, what: str, *, fold: bool) -> Iterator[InitErrorDetails]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        key = name.lower() if fold else name
        if key in seen:
            yield fault(
                "gateway/duplicate", f"{what} {name!r} is there twice", "keep one of them", [field, index, "name"]
            )
        seen.add(key)


class Match(_Checked):
    """One way for a request to match: every part given must hold."""

    path: PathMatch = Field(default_factory=PathMatch)
    """Which paths; all by default."""
    headers: tuple[HeaderMatch, ...] = Field(default=(), max_length=16)
    """At most 16, each name once (in any case)."""
    query_params: tuple[QueryMatch, ...] = Field(default=(), max_length=16)
    """At most 16, each name once."""
    method: Method | None = None
    """Any by default."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from _repeated((h.name for h in self.headers), "headers", "header", fold=True)
        yield from _repeated((q.name for q in self.query_params), "queryParams", "query parameter", fold=False)


class Header(KubernetesModel):
    """A header to set or add."""

    name: HeaderName
    """Field name."""
    value: Annotated[str, Field(min_length=1, max_length=4096)]
    """1 to 4,096 characters."""


class HeaderModifier(_Checked):
    """Headers to set, add and remove; at most 16 each."""

    set: tuple[Header, ...] = Field(default=(), max_length=16)
    """Overwrites."""
    add: tuple[Header, ...] = Field(default=(), max_length=16)
    """Appends to what is there."""
    remove: tuple[str, ...] = Field(default=(), max_length=16)
    """Names, in any case."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from _repeated((h.name for h in self.set), "set", "header", fold=True)
        yield from _repeated((h.name for h in self.add), "add", "header", fold=True)
        for index, name in enumerate(self.remove):
            if name in self.remove[:index]:
                yield fault("gateway/duplicate", f"header {name!r} is there twice", "", ["remove", index])


class PathModifier(_Checked):
    """A new path: the whole of it, or the matched prefix."""

    type: Literal["ReplaceFullPath", "ReplacePrefixMatch"]
    """Which of the two fields counts."""
    replace_full_path: Annotated[str, Field(max_length=1024)] | None = None
    """At most 1,024 characters."""
    replace_prefix_match: Annotated[str, Field(max_length=1024)] | None = None
    """At most 1,024 characters; needs a rule with exactly one PathPrefix match."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        for field, value, kind in (
            ("replaceFullPath", self.replace_full_path, "ReplaceFullPath"),
            ("replacePrefixMatch", self.replace_prefix_match, "ReplacePrefixMatch"),
        ):
            if self.type == kind and value is None:
                yield fault("gateway/path-modifier", f"{field} must be specified when type is set to '{kind}'")
            if self.type != kind and value is not None:
                yield fault("gateway/path-modifier", f"type must be '{kind}' when {field} is set", "", [field])


class Redirect(KubernetesModel):
    """Answers with a redirect; what is not given stays as it came."""

    scheme: Literal["http", "https"] | None = None
    """Of the new address."""
    hostname: Host | None = None
    """Of the new address; no wildcard."""
    path: PathModifier | None = None
    """Of the new address."""
    port: Port | None = None
    """Of the new address."""
    status_code: Literal[301, 302, 303, 307, 308] = 302
    """HTTP status of the answer."""


class UrlRewrite(KubernetesModel):
    """Changes host or path of the request on its way to the backend."""

    hostname: Host | None = None
    """New Host header; no wildcard."""
    path: PathModifier | None = None
    """New path."""


class Fraction(_Checked):
    """A part of the requests."""

    numerator: Annotated[Integer, Field(ge=0)]
    """At most the denominator."""
    denominator: Annotated[Integer, Field(ge=1)] = 100
    """At least 1."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.numerator > self.denominator:
            yield fault("gateway/fraction", "numerator must be less than or equal to denominator")


class _BackendRef(_Checked):
    group: Literal[""] = ""
    """The core group; ngrok's operator takes Services only."""
    kind: Literal["Service"] = "Service"
    """Service, the only kind that ngrok's operator takes."""
    name: DnsLabel
    """Name of the Service."""
    namespace: DnsLabel | None = None
    """Namespace of the Service; another one than the route's needs a ReferenceGrant there."""
    port: Port | None = None
    """Port of the Service; required."""

    def faults(self) -> Iterator[InitErrorDetails]:
        if self.port is None:
            yield fault(
                "gateway/backend-port", "Must have port for Service reference", "add the Service's port", ["port"]
            )


class BackendRef(_BackendRef):
    """A Service and its port."""


class Mirror(_Checked):
    """Sends a copy of the request to another backend and ignores the answer."""

    backend_ref: BackendRef
    """Where the copy goes."""
    percent: Annotated[Integer, Field(ge=0, le=100)] | None = None
    """How many of a hundred requests; all by default."""
    fraction: Fraction | None = None
    """The same, finer."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.percent is not None and self.fraction is not None:
            yield fault(
                "gateway/mirror", "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter"
            )


class Cors(_Checked):
    """Which origins a browser may call from."""

    allow_origins: tuple[str, ...] = Field(default=(), max_length=64)
    """At most 64; ``*`` alone for all."""
    allow_credentials: bool | None = None
    """Whether cookies may be sent."""
    allow_methods: tuple[Method | Literal["*"], ...] = Field(default=(), max_length=9)
    """``*`` alone for all."""
    allow_headers: tuple[str, ...] = Field(default=(), max_length=64)
    """``*`` alone for all."""
    expose_headers: tuple[str, ...] = Field(default=(), max_length=64)
    """Response headers that a script may read."""
    max_age: Annotated[Integer, Field(ge=1)] = 5
    """Seconds for which the answer may be kept."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        for field, values, other in (
            ("AllowOrigins", self.allow_origins, "origins"),
            ("AllowMethods", self.allow_methods, "methods"),
            ("AllowHeaders", self.allow_headers, "methods"),  # the server's message says so
        ):
            if "*" in values and len(values) > 1:
                loc = [field[0].lower() + field[1:]]
                yield fault("gateway/cors", f"{field} cannot contain '*' alongside other {other}", "", loc)


class ExtensionRef(KubernetesModel):
    """Refers to an object of the route's namespace: for ngrok, an NgrokTrafficPolicy."""

    group: str
    """API group of the object."""
    kind: Annotated[str, Field(min_length=1, max_length=63)]
    """Kind of the object."""
    name: DnsSubdomain
    """Name of the object."""


_FILTER_FIELDS = {
    "RequestHeaderModifier": "request_header_modifier",
    "ResponseHeaderModifier": "response_header_modifier",
    "RequestMirror": "request_mirror",
    "RequestRedirect": "request_redirect",
    "URLRewrite": "url_rewrite",
    "ExtensionRef": "extension_ref",
    "CORS": "cors",
}


class Filter(_Checked):
    """One change to request or response; exactly the field that belongs to its type is set.

    A person writes ``Filter.request_headers(set={"x-tier": "gold"})`` and the like.
    """

    type: Literal[
        "RequestHeaderModifier",
        "ResponseHeaderModifier",
        "RequestMirror",
        "RequestRedirect",
        "URLRewrite",
        "ExtensionRef",
        "CORS",
    ]
    """Which kind."""
    request_header_modifier: HeaderModifier | None = None
    """For RequestHeaderModifier."""
    response_header_modifier: HeaderModifier | None = None
    """For ResponseHeaderModifier."""
    request_mirror: Mirror | None = None
    """For RequestMirror."""
    request_redirect: Redirect | None = None
    """For RequestRedirect."""
    url_rewrite: Annotated[UrlRewrite | None, Field(alias="urlRewrite")] = None
    """For URLRewrite."""
    extension_ref: ExtensionRef | None = None
    """For ExtensionRef."""
    cors: Cors | None = None
    """For CORS."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        for kind, attribute in _FILTER_FIELDS.items():
            field = _camel(attribute)
            value = getattr(self, attribute)
            if kind == self.type and value is None:
                yield fault("gateway/filter-field", f"filter.{field} must be specified for {kind} filter.type")
            if kind != self.type and value is not None:
                yield fault(
                    "gateway/filter-field",
                    f"filter.{field} must be nil if the filter.type is not {kind}",
                    f"set type: {kind}, or remove {field}",
                    [field],
                )

    @classmethod
    def request_headers(
        cls, *, set: Mapping[str, str] | None = None, add: Mapping[str, str] | None = None, remove: Sequence[str] = ()
    ) -> Filter:
        """Changes headers of the request."""
        return cls(type="RequestHeaderModifier", request_header_modifier=_modifier(set, add, remove))

    @classmethod
    def response_headers(
        cls, *, set: Mapping[str, str] | None = None, add: Mapping[str, str] | None = None, remove: Sequence[str] = ()
    ) -> Filter:
        """Changes headers of the response."""
        return cls(type="ResponseHeaderModifier", response_header_modifier=_modifier(set, add, remove))

    @classmethod
    def redirect(
        cls,
        *,
        scheme: Literal["http", "https"] | None = None,
        hostname: str | None = None,
        path: str | None = None,
        status_code: Literal[301, 302, 303, 307, 308] = 302,
    ) -> Filter:
        """Answers with a redirect."""
        modifier = PathModifier(type="ReplaceFullPath", replace_full_path=path) if path is not None else None
        redirect = Redirect(scheme=scheme, hostname=hostname, path=modifier, status_code=status_code)
        return cls(type="RequestRedirect", request_redirect=redirect)

    @classmethod
    def rewrite(cls, *, hostname: str | None = None, path: str | None = None, prefix: str | None = None) -> Filter:
        """Changes the host, the whole path, or the matched prefix of the path."""
        modifier = None
        if path is not None:
            modifier = PathModifier(type="ReplaceFullPath", replace_full_path=path)
        elif prefix is not None:
            modifier = PathModifier(type="ReplacePrefixMatch", replace_prefix_match=prefix)
        return cls(type="URLRewrite", url_rewrite=UrlRewrite(hostname=hostname, path=modifier))


def _modifier(
    set_: Mapping[str, str] | None, add: Mapping[str, str] | None, remove: Sequence[str]
) -> HeaderModifier:
    def headers(values: Mapping[str, str] | None) -> tuple[Header, ...]:
        return tuple(Header(name=name, value=value) for name, value in (values or {}).items())

    return HeaderModifier(set=headers(set_), add=headers(add), remove=tuple(remove))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _filters_faults(filters: Sequence[Filter], loc: Sequence[str | int]) -> Iterator[InitErrorDetails]:
    count = Counter(item.type for item in filters)
    if count["RequestRedirect"] and count["URLRewrite"]:
        yield fault(
            "gateway/filter-conflict",
            "May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both",
            "",
            loc,
        )
    for kind in ("CORS", "RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite"):
        if count[kind] > 1:
            index = [i for i, item in enumerate(filters) if item.type == kind][1]
            yield fault(
                "gateway/filter-repeated", f"{kind} filter cannot be repeated", "merge the two into one", [*loc, index]
            )


def _prefix_replacements(filters: Sequence[Filter]) -> Iterator[str]:
    for item in filters:
        change = item.request_redirect if item.type == "RequestRedirect" else item.url_rewrite
        if change is not None and change.path is not None and change.path.type == "ReplacePrefixMatch":
            yield item.type


class Backend(_BackendRef):
    """A Service that takes a share of the requests."""

    weight: Annotated[Integer, Field(ge=0, le=1_000_000)] = 1
    """Its share is its weight by the sum of all weights of the rule; 0 takes none."""
    filters: tuple[Filter, ...] = Field(default=(), max_length=16)
    """Changes for this backend alone."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from super().faults()
        yield from _filters_faults(self.filters, ["filters"])

    @classmethod
    def to(cls, name: str, port: int, *, weight: int = 1, namespace: str | None = None) -> Backend:
        """``Backend.to("orders", 8080)``."""
        return cls(name=name, port=port, weight=weight, namespace=namespace)


class Timeouts(_Checked):
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
                    "",
                    ["backendRequest"],
                )


def _milliseconds(text: str) -> int:
    units = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"([0-9]+)(ms|h|m|s)", text))


class Route(_Checked):
    """One rule: requests that match any of ``matches`` get ``filters`` and go to ``backends``."""

    name: DnsSubdomain | None = None
    """Shown in reports."""
    matches: tuple[Match, ...] = Field(default_factory=lambda: (Match(),), max_length=64)
    """At most 64; any of them suffices. Everything by default."""
    filters: tuple[Filter, ...] = Field(default=(), max_length=16)
    """At most 16."""
    backends: tuple[Backend, ...] = Field(default=(), max_length=16, alias="backendRefs")
    """At most 16. Without any, requests are answered with 500 unless a filter or policy answers."""
    timeouts: Timeouts | None = None
    """How long a request may take."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from _filters_faults(self.filters, ["filters"])
        kinds = {item.type for item in self.filters}
        if "RequestRedirect" in kinds and self.backends:
            yield fault(
                "gateway/redirect-backend", "RequestRedirect filter must not be used together with backendRefs"
            )
        one_prefix = len(self.matches) == 1 and self.matches[0].path.type == "PathPrefix"
        if not one_prefix:
            need = "filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified"
            for kind in _prefix_replacements(self.filters):
                yield fault("gateway/replace-prefix", f"When using {kind} {need}", "split the rule", ["filters"])
            for index, backend in enumerate(self.backends):
                for kind in _prefix_replacements(backend.filters):
                    when = "when" if kind == "RequestRedirect" else "When"
                    message = f"Within backendRefs, {when} using {kind} {need}"
                    yield fault("gateway/replace-prefix", message, "split the rule", ["backendRefs", index, "filters"])
        for index, match in enumerate(self.matches):
            if match in self.matches[:index]:
                yield fault("gateway/duplicate", "the same match is there twice", "", ["matches", index])

    @classmethod
    def prefix(
        cls, path: str, *backends: Backend, method: Method | None = None, filters: Sequence[Filter] = ()
    ) -> Route:
        """Everything at or below a path: ``Route.prefix("/orders", Backend.to("orders", 8080))``."""
        match = Match(path=PathMatch(type="PathPrefix", value=path), method=method)
        return cls(matches=(match,), backends=backends, filters=tuple(filters))

    @classmethod
    def exact(
        cls, path: str, *backends: Backend, method: Method | None = None, filters: Sequence[Filter] = ()
    ) -> Route:
        """One path: ``Route.exact("/healthz", Backend.to("orders", 8080))``."""
        match = Match(path=PathMatch(type="Exact", value=path), method=method)
        return cls(matches=(match,), backends=backends, filters=tuple(filters))


class ParentRef(KubernetesModel):
    """The Gateway that a route belongs to."""

    group: Literal["gateway.networking.k8s.io"] = "gateway.networking.k8s.io"
    """Gateway API."""
    kind: Literal["Gateway"] = "Gateway"
    """Gateway."""
    name: DnsSubdomain
    """Name of the Gateway."""
    namespace: DnsLabel | None = None
    """Its namespace; the route's own by default."""
    section_name: DnsSubdomain | None = None
    """One listener of it; all by default."""
    port: Port | None = None
    """One port of it; all by default."""


class HttpRoute(_Checked):
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
        yield from _parent_faults(self.parent_refs)
        yield from duplicate_matches(self.rules, "rules")


def _parent_faults(parents: Sequence[ParentRef]) -> Iterator[InitErrorDetails]:
    sections: dict[tuple[str, str | None], list[str | None]] = {}
    for parent in parents:
        sections.setdefault((parent.name, parent.namespace), []).append(parent.section_name)
    for named in sections.values():
        message = "when parentRefs includes 2 or more references to the same parent"
        if len(named) > 1 and None in named:
            yield fault("gateway/parent-section", f"sectionName must be specified {message}", "", ["parentRefs"])
        elif len(set(named)) < len(named):
            yield fault("gateway/parent-section", f"sectionName must be unique {message}", "", ["parentRefs"])


def duplicate_matches(rules: Sequence[Route], field: str) -> Iterator[InitErrorDetails]:
    """A match that an earlier rule has already can never be reached: the first rule wins."""
    seen: dict[Any, int] = {}
    for index, rule in enumerate(rules):
        for number, match in enumerate(rule.matches):
            first = seen.setdefault(match, index)
            if first != index:
                yield fault(
                    "gateway/duplicate-route",
                    f"{describe(match)} is matched by {field}[{first}] already, so this one is never reached",
                    "remove one of the two, or merge their backends with weights",
                    [field, index, "matches", number],
                )


def describe(match: Match) -> str:
    """A match in words: ``GET /orders/* with header x-tenant: a``."""
    path = match.path.value
    if match.path.type == "PathPrefix":
        path = path.rstrip("/") + "/*"
    elif match.path.type == "RegularExpression":
        path = f"~{path}"
    parts = [f"{match.method} {path}" if match.method else path]
    parts += [f"header {item.name}: {item.value}" for item in match.headers]
    parts += [f"query {item.name}={item.value}" for item in match.query_params]
    return " with ".join(parts[:1] + [" and ".join(parts[1:])]) if parts[1:] else parts[0]
