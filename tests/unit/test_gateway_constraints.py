"""Each constraint and CEL rule of the Gateway API's definitions: one object that breaks it, and where that is said.

What the definitions state is data (`expected/gateway_constraints.json`, written by `tools/gateway_constraints.py`).
`EVERY_FIELD` holds a valid value for each of their fields, from which the objects are made; a field without a value, a
keyword that is not known here and a rule without an object in `BROKEN_RULES` fail. The engine tests ask a real API
server about the same objects.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from apiops_components.documents import Document
from apiops_components.errors import Problem
from apiops_components.validation import Result, validate
from apiops_components.validation.modelled import MODELLED, _loaded

STATED: dict[str, Any] = json.loads(
    Path(__file__).with_name("expected").joinpath("gateway_constraints.json").read_text()
)
GROUP = "gateway.networking.k8s.io"

PARENTS = [
    {"group": GROUP, "kind": "Gateway", "name": "public", "namespace": "edge", "sectionName": "https", "port": 443}
]
SERVICE = {"group": "", "kind": "Service", "name": "orders", "namespace": "shop", "port": 80}
HEADER = {"type": "Exact", "name": "x-a", "value": "b"}
MODIFIER = {"set": [{"name": "x-a", "value": "b"}], "add": [{"name": "x-b", "value": "c"}], "remove": ["x-c"]}
MIRROR = {"backendRef": SERVICE, "percent": 10}
FULL = {"type": "ReplaceFullPath", "replaceFullPath": "/a"}
PREFIX = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/a"}
CORS = {
    "allowOrigins": ["https://example.com"],
    "allowCredentials": True,
    "allowMethods": ["GET"],
    "allowHeaders": ["x-a"],
    "exposeHeaders": ["x-b"],
    "maxAge": 10,
}
COMMON_FILTERS = [
    {"type": "RequestHeaderModifier", "requestHeaderModifier": MODIFIER},
    {"type": "ResponseHeaderModifier", "responseHeaderModifier": MODIFIER},
    {"type": "RequestMirror", "requestMirror": MIRROR},
    {"type": "RequestMirror", "requestMirror": {"backendRef": SERVICE, "fraction": {"numerator": 1, "denominator": 9}}},
    {
        "type": "ExtensionRef",
        "extensionRef": {"group": "ngrok.k8s.ngrok.com", "kind": "NgrokTrafficPolicy", "name": "p"},
    },
]
FILTERS = [*COMMON_FILTERS, {"type": "CORS", "cors": CORS}]


def rewrite(path: Any) -> dict[str, Any]:
    return {"type": "URLRewrite", "urlRewrite": {"hostname": "example.com", "path": path}}


def redirect(path: Any) -> dict[str, Any]:
    found = {"scheme": "https", "hostname": "example.com", "path": path, "port": 443, "statusCode": 301}
    return {"type": "RequestRedirect", "requestRedirect": found}


def http_route(*filters: Any, on_backend: bool = False) -> dict[str, Any]:
    match = {
        "path": {"type": "PathPrefix", "value": "/orders"},
        "headers": [HEADER],
        "queryParams": [HEADER],
        "method": "GET",
    }
    timeouts = {"request": "10s", "backendRequest": "5s"}
    rule: dict[str, Any] = {"name": "orders", "matches": [match], "timeouts": timeouts}
    if on_backend:
        rule["backendRefs"] = [{**SERVICE, "weight": 1, "filters": [*FILTERS, *filters]}]
    rule["filters"] = list(FILTERS if on_backend else [*FILTERS, *filters])
    return {"parentRefs": PARENTS, "hostnames": ["shop.example.com"], "rules": [rule]}


AUTHORITY = {"group": "", "kind": "ConfigMap", "name": "ca"}
SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
SECRET = {"group": "", "kind": "Secret", "name": "tls", "namespace": "edge"}
LISTENER = {
    "name": "https",
    "hostname": "shop.example.com",
    "port": 443,
    "protocol": "HTTPS",
    "tls": {"mode": "Terminate", "certificateRefs": [SECRET], "options": {"example.com/a": "b"}},
    "allowedRoutes": {
        "namespaces": {"from": "Selector", "selector": SELECTOR},
        "kinds": [{"group": GROUP, "kind": "HTTPRoute"}],
    },
}
CLIENTS = {"validation": {"caCertificateRefs": [{**AUTHORITY, "namespace": "edge"}], "mode": "AllowValidOnly"}}

# Of each kind one or more specs that together have every field.
EVERY_FIELD: dict[str, list[dict[str, Any]]] = {
    "BackendTLSPolicy": [
        {
            "targetRefs": [{"group": "", "kind": "Service", "name": "orders", "sectionName": "https"}],
            "validation": {
                **authorities,
                "hostname": "orders.example.com",
                "subjectAltNames": [
                    {"type": "Hostname", "hostname": "orders.example.com"},
                    {"type": "URI", "uri": "spiffe://example.com/orders"},
                ],
            },
            "options": {"example.com/a": "b"},
        }
        for authorities in ({"caCertificateRefs": [AUTHORITY]}, {"wellKnownCACertificates": "example.com/roots"})
    ],
    "GRPCRoute": [
        {
            "parentRefs": PARENTS,
            "hostnames": ["shop.example.com"],
            "rules": [
                {
                    "name": "orders",
                    "matches": [
                        {"method": {"type": "Exact", "service": "Orders", "method": "Get"}, "headers": [HEADER]}
                    ],
                    "filters": COMMON_FILTERS,
                    "backendRefs": [{**SERVICE, "weight": 1, "filters": COMMON_FILTERS}],
                }
            ],
        }
    ],
    "Gateway": [
        {
            "gatewayClassName": "other",
            "listeners": [LISTENER],
            "addresses": [{"type": "Hostname", "value": "shop.example.com"}],
            "infrastructure": {
                "labels": {"a": "b"},
                "annotations": {"a": "b"},
                "parametersRef": {"group": "", "kind": "ConfigMap", "name": "parameters"},
            },
            "tls": {
                "backend": {"clientCertificateRef": SECRET},
                "frontend": {"default": CLIENTS, "perPort": [{"port": 443, "tls": CLIENTS}]},
            },
            "allowedListeners": {"namespaces": {"from": "Selector", "selector": SELECTOR}},
        }
    ],
    "GatewayClass": [
        {
            "controllerName": "example.com/controller",
            "description": "of example.com",
            "parametersRef": {"group": "", "kind": "ConfigMap", "name": "parameters", "namespace": "edge"},
        }
    ],
    "HTTPRoute": [
        *(http_route(change(path)) for change in (rewrite, redirect) for path in (FULL, PREFIX)),
        *(http_route(change(path), on_backend=True) for change in (rewrite, redirect) for path in (FULL, PREFIX)),
    ],
    "ListenerSet": [
        {
            "parentRef": {"group": GROUP, "kind": "Gateway", "name": "public", "namespace": "edge"},
            "listeners": [LISTENER],
        }
    ],
    "ReferenceGrant": [
        {
            "from": [{"group": GROUP, "kind": "HTTPRoute", "namespace": "shop"}],
            "to": [{"group": "", "kind": "Service", "name": "orders"}],
        }
    ],
    "TLSRoute": [
        {
            "parentRefs": PARENTS,
            "hostnames": ["shop.example.com"],
            "rules": [{"name": "orders", "backendRefs": [{**SERVICE, "weight": 1}]}],
        }
    ],
}


def document(kind: str, spec: Any, version: str = "v1") -> dict[str, Any]:
    metadata = {"name": "x"} if kind == "GatewayClass" else {"name": "x", "namespace": "default"}
    return {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": metadata, "spec": spec}


def checked(value: Any) -> Result:
    (result,) = validate(Document(value, "f.yaml", 0, {}))
    return result


def problems(value: Any) -> tuple[Problem, ...]:
    result = checked(value)
    assert (result.status == "invalid") == bool(result.problems)
    return result.problems


class Broken(NamedTuple):
    """An object that breaks one constraint: which, and the path that is blamed."""

    kind: str
    place: str
    keyword: str
    spec: Any
    path: str


# --- from fields and limits -----------------------------------------------------------------------------------------

STEP = re.compile(r"\[\]|\{\}|[A-Za-z][A-Za-z0-9]*")


def concrete(value: Any, steps: list[str], path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The places of a value that a path with ``[]`` and ``{}`` stands for, and what is there."""
    if not steps:
        yield path, value
        return
    step, *rest = steps
    if step == "[]":
        for index, item in enumerate(value):
            yield from concrete(item, rest, (*path, index))
    elif step == "{}":
        for key, item in value.items():
            yield from concrete(item, rest, (*path, key))
    elif step in value:
        yield from concrete(value[step], rest, (*path, step))


def found(kind: str, place: str) -> tuple[dict[str, Any], tuple[Any, ...], Any]:
    for spec in EVERY_FIELD[kind]:
        for path, value in concrete(spec, STEP.findall(place)[1:]):
            return spec, path, value
    raise AssertionError(f"EVERY_FIELD has no value for {kind} {place}")


MISSING = object()


def replaced(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    if not path:
        return wrong
    changed = copy.copy(value)
    key, *rest = path
    if not rest and wrong is MISSING:
        del changed[key]
    else:
        below = value.get(key) if isinstance(value, dict) else value[key]
        changed[key] = replaced(below, tuple(rest), wrong)
    return changed


def dotted(*parts: Any) -> str:
    path = "spec"
    for part in parts:
        plain = isinstance(part, str) and part.replace("-", "_").isidentifier()
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if plain else f'["{part}"]'
    return path


WRONG_TYPE = {"string": 1, "integer": "1", "boolean": "true", "array": {"a": 1}, "object": ["a"]}
INT32 = 2**31


def longer(value: str, limit: int, stated: Mapping[str, Any]) -> str:
    """A valid text but for its length."""
    more = "a" * (limit + 1 - len(value))
    pattern = stated.get("pattern", "")
    return next(text for text in (value + more, more + value) if re.search(pattern, text))


METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"]


def one_match(item: Any, number: int) -> Any:  # noqa: ARG001  (one signature for all)
    return {"headers": [{"name": "x", "value": str(number)}]}


def one_rule(item: Any, number: int) -> Any:
    return {**item, "matches": [one_match(None, number)], "filters": []} if "matches" in item else item


# By the name of a list: its item once more, so that nothing is there twice.
NUMBERED = {
    "listeners": lambda item, number: {**item, "name": f"l{number}", "hostname": f"h{number}.example.com"},
    **dict.fromkeys(("parentRefs", "targetRefs"), lambda item, number: {**item, "sectionName": f"s{number}"}),
    "perPort": lambda item, number: {**item, "port": number + 1},
    "rules": one_rule,
    "matches": one_match,
    **dict.fromkeys(("set", "add", "headers", "queryParams"), lambda item, number: {**item, "name": f"x-{number}"}),
    "filters": lambda _item, _number: {"type": "RequestMirror", "requestMirror": MIRROR},
    "addresses": lambda item, number: {**item, "value": f"h{number}.example.com"},
    "allowMethods": lambda _item, number: METHODS[number],
    "allowOrigins": lambda _item, number: f"https://h{number}.example.com",
    **dict.fromkeys(("remove", "allowHeaders", "exposeHeaders"), lambda item, number: f"{item}{number}"),
}


def numbered(item: Any, number: int, place: str) -> Any:
    return NUMBERED.get(place.rsplit(".", 1)[-1], lambda item, _: item)(item, number)


def without_each(limit: list[str], value: Any, *_: Any) -> list[Any]:
    return [((key,), {name: item for name, item in value.items() if name != key}) for key in limit]


def there_twice(limit: list[str], value: Any, _stated: Any, place: str) -> list[Any]:
    (key,) = limit
    return [((len(value), key), [*value, {**numbered(value[0], 7, place), key: value[0][key]}])]


def too_many(limit: int, value: Any, _stated: Any, place: str) -> list[Any]:
    return [((), [numbered(value[0], number, place) for number in range(limit + 1)])]


# Of each keyword: what is blamed below the place, and a value that breaks the constraint and no other of it.
WRONG = {
    "type": lambda limit, *_: [((), WRONG_TYPE[limit])],
    "required": without_each,
    "enum": lambda limit, *_: [((), 418 if isinstance(limit[0], int) else "no-such-word")],
    "format": lambda limit, *_: [((), {"int32": INT32, "int64": 2**63}[limit])],
    "pattern": lambda *_: [((), "\xfc!")],
    "minimum": lambda limit, *_: [((), limit - 1)],
    "maximum": lambda limit, *_: [((), limit + 1)],
    "minLength": lambda limit, value, *_: [((), value[: limit - 1])] if limit else [],
    "maxLength": lambda limit, value, stated, _: [((), longer(value, limit, stated))],
    "minItems": lambda limit, value, *_: [((), value[: limit - 1])],
    "maxItems": too_many,
    "maxProperties": lambda limit, value, *_: [((), {f"{next(iter(value))}{n}": "x" for n in range(limit + 1)})],
    "x-kubernetes-list-map-keys": there_twice,
    "set": lambda _limit, value, *_: [((len(value),), [*value, value[0]])],
    "oneOf": lambda *_: [(("value",), {"type": "IPAddress", "value": "10.0.0.256"})],  # such an address is one
    **dict.fromkeys(("default", "rules", "rules on change"), lambda *_: []),
}


# --- the CEL rules --------------------------------------------------------------------------------------------------


def filter_rules() -> Iterator[tuple[str, tuple[Any, Any]]]:
    fields = {
        item["type"]: next(key for key in item if key != "type") for item in [*FILTERS, rewrite(FULL), redirect(FULL)]
    }
    other = {"type": "ExtensionRef", "extensionRef": COMMON_FILTERS[-1]["extensionRef"]}
    for kind, field in fields.items():
        given = next(item for item in [*FILTERS, rewrite(FULL), redirect(FULL)] if item["type"] == kind)
        beside = COMMON_FILTERS[2] if kind == "ExtensionRef" else other
        yield (
            f"filter.{field} must be nil if the filter.type is not {kind}",
            ((field,), {**beside, field: given[field]}),
        )
        yield f"filter.{field} must be specified for {kind} filter.type", ((), {"type": kind})
        if kind not in ("RequestMirror", "ExtensionRef"):
            yield f"{kind} filter cannot be repeated", ((1,), [given, given])


def path_rules() -> Iterator[tuple[str, tuple[Any, Any]]]:
    when = "when type one of ['Exact', 'PathPrefix']"
    for kind, value in (("Exact", "a"), ("PathPrefix", "")):
        yield f"value must be an absolute path and start with '/' {when}", (("value",), {"type": kind, "value": value})
    for part in ("//", "/./", "/../", "%2f", "%2F", "#"):
        value = part if part.startswith("/") else f"/{part}"
        yield f"must not contain '{part}' {when}", (("value",), {"type": "Exact", "value": f"/a{value}b"})
    for end in ("/..", "/."):
        yield f"must not end with '{end}' {when}", (("value",), {"type": "PathPrefix", "value": f"/a{end}"})
    yield "type must be one of ['Exact', 'PathPrefix', 'RegularExpression']", (("type",), {"type": "x", "value": "/"})
    message = (
        "must only contain valid characters (matching ^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$) "
        "for types ['Exact', 'PathPrefix']"
    )
    yield message, (("value",), {"type": "Exact", "value": "/a b"})


def modifier_rules() -> Iterator[tuple[str, tuple[Any, Any]]]:
    for kind, field, other in (
        ("ReplaceFullPath", "replaceFullPath", PREFIX),
        ("ReplacePrefixMatch", "replacePrefixMatch", FULL),
    ):
        yield f"{field} must be specified when type is set to '{kind}'", ((), {"type": kind})
        yield f"type must be '{kind}' when {field} is set", ((field,), {**other, field: "/a"})


TWO = [{"path": {"value": "/a"}}, {"path": {"value": "/b"}}]
PORT_80 = {"name": "a", "port": 80}
HTTPS = {**LISTENER, "tls": {"mode": "Passthrough"}}
PARENT = {"name": "public"}
TARGET = {"group": "", "kind": "Service", "name": "orders"}
LONG = ".".join(["a" * 50] * 5)  # 254 characters
CA = {"caCertificateRefs": [AUTHORITY]}


def matches(count: int) -> list[dict[str, Any]]:
    return [{"headers": [{"name": "x", "value": str(number)}]} for number in range(count)]


def several(count: int, first: int) -> list[dict[str, Any]]:
    return [{"matches": [numbered(None, first + 64 * n + m, "matches") for m in range(43)]} for n in range(count)]


def replaces(filters: list[Any], **rule: Any) -> dict[str, Any]:
    return {"matches": TWO, "filters": filters, **rule}


def on_backend(*filters: Any) -> dict[str, Any]:
    return {"matches": TWO, "backendRefs": [{**SERVICE, "filters": list(filters)}]}


EXACTLY_ONE = "filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified"
KEYS = (
    "keys must be in the form of an optional DNS subdomain prefix followed by a required name segment of up to 63 "
    "characters."
)
PREFIXES = "key's prefix must be a DNS subdomain not longer than 253 characters in total."
SAME = "when parentRefs includes 2 or more references to the same parent"
SAME_TARGET = "when targetRefs includes 2 or more references to the same target"
DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
UNIQUE = "Combination of port, protocol and hostname must be unique for each listener"

TOO_MANY = (
    "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a route must "
    "be less than 128"
)
NO_TLS = "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']"
NO_HOSTNAME = "hostname must not be specified for protocols ['TCP', 'UDP']"
ONE_NAME = "Listener name must be unique within the Gateway"
SOME_CERTIFICATE = "certificateRefs or options must be specified when mode is Terminate"

# By the rule's message: what is blamed below its place, and a value for that place; several, for its sides.
BROKEN_RULES: list[tuple[str, tuple[Any, Any]]] = [
    *filter_rules(),
    *path_rules(),
    *modifier_rules(),
    (f"sectionName must be specified {SAME}", ((), [PARENT, {**PARENT, "sectionName": "a"}])),
    (f"sectionName must be unique {SAME}", ((), [{**PARENT, "sectionName": "a"}] * 2)),
    (f"sectionName must be unique {SAME}", ((), [PARENT, {**PARENT, "group": GROUP, "kind": "Gateway"}])),
    (f"sectionName must be specified {SAME_TARGET}", ((), [TARGET, {**TARGET, "sectionName": "a"}])),
    (f"sectionName must be unique {SAME_TARGET}", ((), [TARGET, TARGET])),
    (TOO_MANY, ((), several(3, 0))),
    (
        "RequestRedirect filter must not be used together with backendRefs",
        ((), {"filters": [redirect(FULL)], "backendRefs": [SERVICE]}),
    ),
    (f"When using RequestRedirect {EXACTLY_ONE}", (("filters",), replaces([redirect(PREFIX)]))),
    (f"When using URLRewrite {EXACTLY_ONE}", (("filters",), replaces([rewrite(PREFIX)]))),
    (
        f"When using URLRewrite {EXACTLY_ONE}",
        (("filters",), {"matches": [{"path": {"type": "Exact", "value": "/a"}}], "filters": [rewrite(PREFIX)]}),
    ),
    (
        f"Within backendRefs, when using RequestRedirect {EXACTLY_ONE}",
        (("backendRefs", 0, "filters"), on_backend(redirect(PREFIX))),
    ),
    (
        f"Within backendRefs, When using URLRewrite {EXACTLY_ONE}",
        (("backendRefs", 0, "filters"), on_backend(rewrite(PREFIX))),
    ),
    ("Must have port for Service reference", (("port",), {"name": "orders"})),
    ("Must have port for Service reference", (("port",), {"group": "", "kind": "Service", "name": "orders"})),
    (
        "May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both",
        ((), [rewrite(FULL), redirect(FULL)]),
    ),
    ("AllowHeaders cannot contain '*' alongside other methods", ((), ["*", "x-a"])),
    ("AllowMethods cannot contain '*' alongside other methods", ((), ["GET", "*"])),
    ("AllowOrigins cannot contain '*' alongside other origins", ((), ["https://example.com", "*"])),
    (
        "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter",
        ((), {**MIRROR, "fraction": {"numerator": 1}}),
    ),
    ("numerator must be less than or equal to denominator", ((), {"numerator": 2, "denominator": 1})),
    ("numerator must be less than or equal to denominator", ((), {"numerator": 101})),
    (
        "backendRequest timeout cannot be longer than request timeout",
        (("backendRequest",), {"request": "1s", "backendRequest": "1001ms"}),
    ),
    ("IPAddress values must be unique", ((1, "value"), [{"value": "::1"}, {"type": "IPAddress", "value": "::1"}])),
    ("Hostname values must be unique", ((1, "value"), [{"type": "Hostname", "value": "a.example.com"}] * 2)),
    (
        rf"Hostname value must be empty or contain only valid characters (matching ^(\*\.)?{DOMAIN}$)",
        (("value",), {"type": "Hostname", "value": "A.example.com"}),
    ),
    (f"Annotation {KEYS}", (("a/",), {"a/": "b"})),
    (f"Annotation {KEYS}", (("A/b",), {"A/b": "b"})),
    (f"Label {KEYS}", (("a b",), {"a b": "b"})),
    (f"Label {KEYS}", (("a" * 64,), {"a" * 64: "b"})),
    (f"If specified, the annotation {PREFIXES}", ((f"{LONG}/a",), {f"{LONG}/a": "b"})),
    (f"If specified, the label {PREFIXES}", ((f"{LONG}/a",), {f"{LONG}/a": "b"})),
    *(
        (NO_TLS, ((0, "tls"), [{**PORT_80, "protocol": protocol, "tls": HTTPS["tls"]}]))
        for protocol in ("HTTP", "TCP", "UDP")
    ),
    ("tls mode must be Terminate for protocol HTTPS", ((0, "tls", "mode"), [HTTPS])),
    ("tls mode must be set for protocol TLS", ((0, "tls"), [{**PORT_80, "protocol": "TLS"}])),
    *(
        (NO_HOSTNAME, ((0, "hostname"), [{**PORT_80, "protocol": protocol, "hostname": "a"}]))
        for protocol in ("TCP", "UDP")
    ),
    (ONE_NAME, ((1, "name"), [LISTENER, {**LISTENER, "hostname": "b.example.com"}])),
    (UNIQUE, ((1,), [LISTENER, {**LISTENER, "name": "b"}])),
    (UNIQUE, ((1,), [{**PORT_80, "protocol": "HTTP"}, {"name": "b", "port": 80, "protocol": "HTTP"}])),
    (SOME_CERTIFICATE, ((), {})),
    (SOME_CERTIFICATE, ((), {"mode": "Terminate", "certificateRefs": []})),
    ("Port for TLS configuration must be unique within the Gateway", ((1, "port"), [{"port": 1, "tls": CLIENTS}] * 2)),
    ("One or both of 'service' or 'method' must be specified", ((), {})),
    ("One or both of 'service' or 'method' must be specified", ((), {"type": "RegularExpression"})),
    (
        r"service must only contain valid characters (matching ^(?i)\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$)",
        (("service",), {"service": "a-b"}),
    ),
    (
        "method must only contain valid characters (matching ^[A-Za-z_][A-Za-z_0-9]*$)",
        (("method",), {"type": "Exact", "method": "1"}),
    ),
    ("Hostnames cannot contain an IP", ((0,), ["10.0.0.1"])),
    ("Hostnames must be valid based on RFC-1123", ((1,), ["a.example.com", "A.example.com"])),
    (
        "Wildcards on hostnames must be the first label, and the rest of hostname must be valid based on RFC-1123",
        ((0,), ["a.*.example.com"]),
    ),
    (
        "must not contain both CACertificateRefs and WellKnownCACertificates",
        ((), {**CA, "wellKnownCACertificates": "System", "hostname": "a"}),
    ),
    ("must specify either CACertificateRefs or WellKnownCACertificates", ((), {"hostname": "a"})),
    *(
        (f"SubjectAltName element must contain {kind}, if Type is set to {kind}", ((), {"type": kind}))
        for kind in ("Hostname", "URI")
    ),
    (
        "SubjectAltName element must not contain Hostname, if Type is not set to Hostname",
        (("hostname",), {"type": "URI", "uri": "spiffe://a/b", "hostname": "a"}),
    ),
    (
        "SubjectAltName element must not contain URI, if Type is not set to URI",
        (("uri",), {"type": "Hostname", "uri": "spiffe://a/b", "hostname": "a"}),
    ),
]  # fmt: skip

# What the schema says already, so that the server's rule is never the only one to speak, or says nothing of creation.
SAID_BY_THE_SCHEMA = {"type must be one of ['Exact', 'PathPrefix', 'RegularExpression']"}


def every() -> Iterator[Broken]:
    for kind, stated in STATED.items():
        for place, limits in stated["places"].items():
            spec, path, value = found(kind, place)
            for keyword, limit in limits.items():
                for blamed, wrong in WRONG[keyword](limit, value, limits, place):  # unknown here: it fails
                    yield Broken(kind, place, keyword, replaced(spec, path, wrong), dotted(*path, *blamed))
            if any(other.startswith(f"{place}.") for other in stated["places"]):
                given = {**value, "noSuchField": 1}
                yield Broken(kind, place, "unknown", replaced(spec, path, given), dotted(*path, "noSuchField"))
            for message in limits.get("rules", ()):
                for blamed, wrong in (broken for told, broken in BROKEN_RULES if told == message):
                    yield Broken(kind, place, message, replaced(spec, path, wrong), dotted(*path, *blamed))


BROKEN = list(every())


@pytest.mark.parametrize("kind", sorted(EVERY_FIELD))
def test_every_field_has_a_valid_value_from_which_the_wrong_ones_are_made(kind):
    for version in STATED[kind]["versions"]:
        for spec in EVERY_FIELD[kind]:
            assert checked(document(kind, spec, version)).status == "valid"
    assert [found(kind, place)[0] for place in STATED[kind]["places"]]


def test_every_rule_of_the_definitions_has_an_object_that_breaks_it():
    stated = {rule for kind in STATED.values() for place in kind["places"].values() for rule in place.get("rules", ())}
    assert {message for message, _ in BROKEN_RULES} == stated


def test_what_is_only_said_of_changes_is_known():
    found = {
        (kind, rule)
        for kind, stated in STATED.items()
        for place in stated["places"].values()
        for rule in place.get("rules on change", ())
    }
    assert found == {("GatewayClass", "Value is immutable")}


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: f"{case.kind} {case.place} {case.keyword}")
def test_an_object_that_breaks_one_constraint_is_refused_at_its_place(case):
    told = problems(document(case.kind, case.spec))
    assert {problem.path for problem in told} == {case.path}
    assert all(problem.message and "/" in problem.code for problem in told)
    if " " in case.keyword and case.keyword not in SAID_BY_THE_SCHEMA:
        assert [bool(problem.hint) for problem in told if problem.message == case.keyword] == [True]


CAMEL = [
    (kind, place)
    for kind, stated in STATED.items()
    for place in stated["places"]
    if re.search("[A-Z][A-Za-z]*$", place)
]


@pytest.mark.parametrize(("kind", "place"), CAMEL)
def test_names_of_python_are_no_names_of_documents(kind, place):
    spec, path, value = found(kind, place)
    snake = re.sub("[A-Z]+", lambda match: f"_{match[0].lower()}", path[-1])
    told = problems(document(kind, replaced(replaced(spec, path, MISSING), (*path[:-1], snake), value)))
    assert (dotted(*path[:-1], snake), "schema/unknown-field") in [(problem.path, problem.code) for problem in told]


DEFAULTS = [
    (kind, place, limits["default"])
    for kind, stated in STATED.items()
    for place, limits in stated["places"].items()
    if "default" in limits
]


@pytest.mark.parametrize(("kind", "place", "default"), DEFAULTS, ids=lambda value: str(value)[:80])
def test_a_field_that_is_absent_is_read_as_its_default(kind, place, default):
    model = _loaded(MODELLED[GROUP, kind].model)
    spec, path, _ = found(kind, place)
    absent, given = replaced(spec, path, MISSING), replaced(spec, path, default)
    assert _as_data(model, absent) == _as_data(model, given)


def _as_data(model: Any, spec: Any) -> Any:
    try:
        return model.model_validate(spec).model_dump()
    except ValueError as error:  # the default breaks a rule, and so does its absence
        return [(item["loc"], item["type"]) for item in error.errors()]  # type: ignore[attr-defined]
