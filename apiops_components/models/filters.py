"""What changes on a request's way to the backend, or on the answer's way back.

The classes have the shape of ``gateway.networking.k8s.io/v1`` HTTPRoute; limits and messages are those of the
definitions named in `versions.GATEWAY_API`, standard channel.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails

from apiops_components.models.base import (
    ApiGroup,
    Bool,
    DnsLabel,
    DnsSubdomain,
    ExactHost,
    HeaderName,
    Integer,
    Kind,
    KubernetesChecked,
    KubernetesModel,
    Port,
    fault,
    matching,
)
from apiops_components.models.match import repeated

__all__ = [
    "Cors",
    "ExtensionRef",
    "Filter",
    "Header",
    "HeaderModifier",
    "Mirror",
    "PathModifier",
    "Redirect",
    "ServiceRef",
    "UrlRewrite",
    "filter_faults",
    "filters_faults",
    "prefix_replacements",
]

_INT32 = 2**31 - 1
_LONGEST_LABEL = 63


class Header(KubernetesModel):
    """A header to set or add."""

    name: HeaderName
    """Field name."""
    value: Annotated[str, Field(min_length=1, max_length=4096)]
    """1 to 4,096 characters."""


def _repeated_values(values: Sequence[str], field: str) -> Iterator[InitErrorDetails]:
    for index, value in enumerate(values):
        if value in values[:index]:
            yield fault("gateway/duplicate", f"{value!r} is there twice", "keep one of them", [field, index])


class HeaderModifier(KubernetesChecked):
    """Headers to set, add and remove; at most 16 each."""

    set: tuple[Header, ...] = Field(default=(), max_length=16)
    """Overwrites."""
    add: tuple[Header, ...] = Field(default=(), max_length=16)
    """Appends to what is there."""
    remove: tuple[str, ...] = Field(default=(), max_length=16)
    """Names, in any case."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from repeated(self.set, "set", "header", fold=True)
        yield from repeated(self.add, "add", "header", fold=True)
        if self.remove:
            yield from _repeated_values(self.remove, "remove")


class PathModifier(KubernetesChecked):
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
                message = f"{field} must be specified when type is set to '{kind}'"
                yield fault("gateway/path-modifier", message, f"add {field}: beside type")
            if self.type != kind and value is not None:
                message, hint = f"type must be '{kind}' when {field} is set", f"set type: {kind}, or remove {field}"
                yield fault("gateway/path-modifier", message, hint, [field])


class Redirect(KubernetesModel):
    """Answers with a redirect; what is not given stays as it came."""

    scheme: Literal["http", "https"] | None = None
    """Of the new address."""
    hostname: ExactHost | None = None
    """Of the new address; no wildcard."""
    path: PathModifier | None = None
    """Of the new address."""
    port: Port | None = None
    """Of the new address."""
    status_code: Literal[301, 302, 303, 307, 308] = 302
    """HTTP status of the answer."""


class UrlRewrite(KubernetesModel):
    """Changes host or path of the request on its way to the backend."""

    hostname: ExactHost | None = None
    """New Host header; no wildcard."""
    path: PathModifier | None = None
    """New path."""


class Fraction(KubernetesChecked):
    """A part of the requests."""

    numerator: Annotated[Integer, Field(ge=0, le=_INT32)]
    """At most the denominator."""
    denominator: Annotated[Integer, Field(ge=1, le=_INT32)] = 100
    """At least 1."""

    def faults(self) -> Iterator[InitErrorDetails]:
        if self.numerator > self.denominator:
            message = "numerator must be less than or equal to denominator"
            yield fault("gateway/fraction", message, f"at most {self.denominator}")


class ServiceRef(KubernetesChecked):
    """A Service and its port."""

    group: ApiGroup = ""
    """The core group by default."""
    kind: Kind = "Service"
    """Service by default, the only kind that ngrok's operator takes."""
    name: DnsSubdomain
    """Name of the Service, a DNS label; other kinds may have longer names."""
    namespace: DnsLabel | None = None
    """Namespace of the Service; another one than the route's needs a ReferenceGrant there."""
    port: Port | None = None
    """Port of the Service; required."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if (self.group, self.kind) != ("", "Service"):
            return
        if self.port is None:
            yield fault(
                "gateway/backend-port", "Must have port for Service reference", "add the Service's port", ["port"]
            )
        if "." in self.name or len(self.name) > _LONGEST_LABEL:
            message = f"{self.name!r} is not the name of a Service, which is a DNS label, at most 63 characters"
            hint = "another namespace is told by namespace:" if "." in self.name else ""
            yield fault("name/dns-label", message, hint, ["name"], self.name)


class Mirror(KubernetesChecked):
    """Sends a copy of the request to another backend and ignores the answer."""

    backend_ref: ServiceRef
    """Where the copy goes."""
    percent: Annotated[Integer, Field(ge=0, le=100)] | None = None
    """How many of a hundred requests; all by default."""
    fraction: Fraction | None = None
    """The same, finer."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.percent is not None and self.fraction is not None:
            message = "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter"
            yield fault("gateway/mirror", message, "keep one of them")


Origin = Annotated[
    str,
    matching(
        r"\*|https?://((\*\.)?([a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?",
        253,
        "gateway/cors-origin",
        "an origin such as https://example.com, https://*.example.com:8443 or *",
    ),
]
"""Scheme, host and port, without path."""


CorsMethod = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"]


class Cors(KubernetesChecked):
    """Which origins a browser may call from."""

    allow_origins: tuple[Origin, ...] = Field(default=(), max_length=64)
    """At most 64; ``*`` alone for all."""
    allow_credentials: Bool | None = None
    """Whether cookies may be sent."""
    allow_methods: tuple[CorsMethod, ...] = Field(default=(), max_length=9)
    """``*`` alone for all."""
    allow_headers: tuple[HeaderName, ...] = Field(default=(), max_length=64)
    """``*`` alone for all."""
    expose_headers: tuple[HeaderName, ...] = Field(default=(), max_length=64)
    """Response headers that a script may read."""
    max_age: Annotated[Integer, Field(ge=1, le=_INT32)] = 5
    """Seconds for which the answer may be kept."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        for field, values, other in (
            ("AllowOrigins", self.allow_origins, "origins"),
            ("AllowMethods", self.allow_methods, "methods"),
            ("AllowHeaders", self.allow_headers, "methods"),  # the server's message says so
        ):
            if "*" in values and len(values) > 1:
                loc = [field[0].lower() + field[1:]]
                yield fault(
                    "gateway/cors",
                    f"{field} cannot contain '*' alongside other {other}",
                    "'*' alone stands for all",
                    loc,
                )
        for name in ("allow_origins", "allow_methods", "allow_headers", "expose_headers"):
            yield from _repeated_values(getattr(self, name), to_camel(name))


class ExtensionRef(KubernetesModel):
    """Refers to an object of the route's namespace: for ngrok, an NgrokTrafficPolicy."""

    group: ApiGroup
    """API group of the object."""
    kind: Kind
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


def filter_faults(item: Any, fields: Mapping[str, str]) -> Iterator[InitErrorDetails]:
    """What is wrong with the field that belongs to the type of a filter, and with those that do not."""
    values = item.__dict__
    if [field for field in fields.values() if values.get(field) is not None] == [fields.get(item.type)]:
        return
    for kind, attribute in fields.items():
        value = getattr(item, attribute)
        if (kind == item.type) == (value is not None):
            continue
        field = to_camel(attribute)
        if value is None:
            yield fault(
                "gateway/filter-field",
                f"filter.{field} must be specified for {kind} filter.type",
                f"add {field}: beside type",
            )
        else:
            yield fault(
                "gateway/filter-field",
                f"filter.{field} must be nil if the filter.type is not {kind}",
                f"set type: {kind}, or remove {field}",
                [field],
            )


class Filter(KubernetesChecked):
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
    url_rewrite: UrlRewrite | None = None
    """For URLRewrite."""
    extension_ref: ExtensionRef | None = None
    """For ExtensionRef."""
    cors: Cors | None = None
    """For CORS."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from filter_faults(self, _FILTER_FIELDS)

    @classmethod
    def request_headers(
        cls,
        *,
        set: Mapping[str, str] | None = None,  # noqa: A002  (the definition's word)
        add: Mapping[str, str] | None = None,
        remove: Sequence[str] = (),
    ) -> Self:
        """Changes headers of the request."""
        return cls(type="RequestHeaderModifier", request_header_modifier=_modifier(set, add, remove))

    @classmethod
    def response_headers(
        cls,
        *,
        set: Mapping[str, str] | None = None,  # noqa: A002  (the definition's word)
        add: Mapping[str, str] | None = None,
        remove: Sequence[str] = (),
    ) -> Self:
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
    ) -> Self:
        """Answers with a redirect."""
        modifier = PathModifier(type="ReplaceFullPath", replace_full_path=path) if path is not None else None
        redirect = Redirect(scheme=scheme, hostname=hostname, path=modifier, status_code=status_code)
        return cls(type="RequestRedirect", request_redirect=redirect)

    @classmethod
    def rewrite(cls, *, hostname: str | None = None, path: str | None = None, prefix: str | None = None) -> Self:
        """Changes the host, the whole path, or the matched prefix of the path."""
        modifier = None
        if path is not None:
            modifier = PathModifier(type="ReplaceFullPath", replace_full_path=path)
        elif prefix is not None:
            modifier = PathModifier(type="ReplacePrefixMatch", replace_prefix_match=prefix)
        return cls(type="URLRewrite", url_rewrite=UrlRewrite(hostname=hostname, path=modifier))


def _modifier(set_: Mapping[str, str] | None, add: Mapping[str, str] | None, remove: Sequence[str]) -> HeaderModifier:
    def headers(values: Mapping[str, str] | None) -> tuple[Header, ...]:
        return tuple(Header(name=name, value=value) for name, value in (values or {}).items())

    return HeaderModifier(set=headers(set_), add=headers(add), remove=tuple(remove))


def filters_faults(filters: Sequence[Any], loc: Sequence[str | int]) -> Iterator[InitErrorDetails]:
    """Rules across the filters of one list."""
    if len(filters) < 2:  # noqa: PLR2004  (each rule is about two)
        return
    kinds = [item.type for item in filters]
    if "RequestRedirect" in kinds and "URLRewrite" in kinds:
        yield fault(
            "gateway/filter-conflict",
            "May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both",
            "keep one of them, or split the rule",
            loc,
        )
    for kind in ("CORS", "RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite"):
        if kinds.count(kind) > 1:
            index = [i for i, item in enumerate(filters) if item.type == kind][1]
            yield fault(
                "gateway/filter-repeated", f"{kind} filter cannot be repeated", "merge the two into one", [*loc, index]
            )


def prefix_replacements(filters: Sequence[Filter]) -> Iterator[str]:
    """The types of the filters that replace the matched prefix."""
    for item in filters:
        change = item.request_redirect if item.type == "RequestRedirect" else item.url_rewrite
        if change is not None and change.path is not None and change.path.type == "ReplacePrefixMatch":
            yield item.type
