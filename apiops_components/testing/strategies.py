"""Hypothesis strategies of what the models hold, for property tests of one's own guardrails and programs.

::

    from hypothesis import given
    from apiops_components.testing import strategies

    @given(strategies.api_specs())
    def test_every_api_that_can_be_written_is_rendered(api):
        ...

Everything drawn is valid. Numbers are small, so that what is drawn collides often enough to find what collides. Needs
``hypothesis``, which is no dependency of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hypothesis import strategies as st

from apiops_components.models.api import ApiSpec
from apiops_components.models.filters import Filter, Mirror, ServiceRef
from apiops_components.models.match import HeaderMatch, Match, PathMatch, QueryMatch
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.actions import (
    AddHeaders,
    CustomResponse,
    Deny,
    JwtValidation,
    RateLimit,
    RemoveHeaders,
)
from apiops_components.models.policy.cel import literal
from apiops_components.models.policy.document import Rule, TrafficPolicy
from apiops_components.models.route import Backend, Route, Timeouts

__all__ = [
    "actions",
    "api_specs",
    "backends",
    "conditions",
    "dns_labels",
    "filters",
    "header_names",
    "hosts",
    "matches",
    "paths",
    "routes",
    "rules",
    "traffic_policies",
]

T = TypeVar("T")

_METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
_STATUSES = st.integers(200, 599)
_VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=12).filter(
    lambda text: "${" not in text  # the start of an expression
)
_PHASES = ("on_http_request", "on_http_response")


def dns_labels() -> st.SearchStrategy[str]:
    """Names of Kubernetes objects, at most 20 characters."""
    return st.from_regex(r"[a-z]([-a-z0-9]{0,18}[a-z0-9])?", fullmatch=True)


def hosts() -> st.SearchStrategy[str]:
    """Exact host names below ``example.com``."""
    return dns_labels().map(lambda label: f"{label}.example.com")


def header_names() -> st.SearchStrategy[str]:
    """Names of HTTP headers that a policy may set, some in mixed case."""
    return st.from_regex(r"[xX]-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,8}", fullmatch=True)


def paths() -> st.SearchStrategy[str]:
    """Absolute paths that a prefix or exact match may have: up to four segments, some with a slash at the end."""
    segment = st.sampled_from(["a", "b", "pub", "public", "v1", "orders", "%20", "~x", "a.b", "it's"])
    return st.builds(
        lambda segments, slash: "/" + "/".join(segments) + ("/" if segments and slash else ""),
        st.lists(segment, max_size=4),
        st.booleans(),
    )


def matches() -> st.SearchStrategy[Match]:
    """Matches by path, method, headers and query."""
    path = st.one_of(
        st.builds(PathMatch, type=st.sampled_from(["Exact", "PathPrefix"]), value=paths()),
        st.builds(PathMatch, type=st.just("RegularExpression"), value=st.sampled_from(["/a/[0-9]+", "/.*", "/(a|b)"])),
    )
    headers = st.builds(HeaderMatch, type=_kinds(), name=header_names(), value=_VALUES)
    query = st.builds(QueryMatch, type=_kinds(), name=header_names(), value=_VALUES)
    return st.builds(
        Match,
        path=path,
        headers=_tuples(headers, 2, lambda item: item.name.lower()),
        query_params=_tuples(query, 2, lambda item: item.name),
        method=st.none() | _METHODS,
    )


def _kinds() -> st.SearchStrategy[Any]:
    return st.sampled_from(["Exact", "Exact", "RegularExpression"])


def _tuples(items: st.SearchStrategy[T], most: int, key: Callable[[T], Any]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(items, max_size=most, unique_by=key).map(tuple)


def filters() -> st.SearchStrategy[Filter]:
    """One filter of any kind but CORS and ExtensionRef."""
    modifiers: Mapping[str, st.SearchStrategy[Any]] = {
        "set": _headers(),
        "add": _headers(),
        "remove": st.lists(header_names(), max_size=2, unique=True),
    }
    mirrored = st.builds(
        lambda name, port: Filter(
            type="RequestMirror", request_mirror=Mirror(backend_ref=ServiceRef(name=name, port=port))
        ),
        dns_labels(),
        st.integers(1, 65535),
    )
    return st.one_of(
        st.builds(Filter.request_headers, **modifiers),
        st.builds(Filter.response_headers, **modifiers),
        st.builds(
            Filter.redirect,
            scheme=st.none() | st.sampled_from(["http", "https"]),
            hostname=st.none() | hosts(),
            path=st.none() | paths(),
            status_code=st.sampled_from([301, 302, 303, 307, 308]),
        ),
        st.builds(Filter.rewrite, hostname=st.none() | hosts(), path=st.none() | paths()),
        mirrored,
    )


def _headers(least: int = 0) -> st.SearchStrategy[dict[str, str]]:
    """Headers, each once in any case."""
    pairs = st.lists(
        st.tuples(header_names(), _VALUES), min_size=least, max_size=3, unique_by=lambda pair: pair[0].lower()
    )
    return pairs.map(dict)


def backends() -> st.SearchStrategy[Backend]:
    """Services of the route's own namespace, weighted."""
    return st.builds(Backend, name=dns_labels(), port=st.integers(1, 65535), weight=st.sampled_from([0, 1, 1, 9, 100]))


def routes() -> st.SearchStrategy[Route]:
    """Rules of a route: each answers with a redirect, or goes to one to three backends."""

    def made(given: tuple[Match, ...], items: list[Filter], refs: list[Backend], timeouts: Timeouts | None) -> Route:
        kinds = {item.type for item in items}
        if {"RequestRedirect", "URLRewrite"} <= kinds:
            items = [item for item in items if item.type != "URLRewrite"]
        targets = () if "RequestRedirect" in kinds else tuple(refs)
        return Route(matches=given, filters=tuple(items), backend_refs=targets, timeouts=timeouts)

    return st.builds(
        made,
        st.lists(matches(), min_size=1, max_size=3, unique_by=repr).map(tuple),
        st.lists(filters(), max_size=2, unique_by=lambda item: item.type),
        st.lists(backends(), min_size=1, max_size=3, unique_by=lambda item: item.name),
        st.none() | st.builds(Timeouts, request=st.sampled_from(["1s", "30s", "1m30s"])),
    )


def conditions(phase: str = "on_http_request") -> st.SearchStrategy[str]:
    """Expressions that are true or false, with text of every kind in them."""
    text = st.text(max_size=6).map(literal)
    simple = [
        st.builds("req.method == {}".format, _METHODS.map(literal)),
        st.builds("req.url.path.startsWith({})".format, text),
        st.builds("{} in req.headers".format, header_names().map(str.lower).map(literal)),
        st.builds("inCidrRange(conn.client_ip, {})".format, st.sampled_from(["'10.0.0.0/8'", "'::/0'"])),
        st.builds("req.host != {}".format, text),
    ]
    if phase == "on_http_response":
        simple.append(st.builds("res.status_code >= {}".format, _STATUSES))
    whole = st.one_of(simple)
    return whole | st.builds("!({})".format, whole) | st.builds("{} || {}".format, whole, whole)


def actions(phase: str = "on_http_request", *, terminating: bool = True) -> st.SearchStrategy[Action]:
    """One action that the phase may hold.

    Args:
        phase: ``on_http_request`` or ``on_http_response``.
        terminating: Whether actions that end the phase are among them.
    """
    headers = _headers(least=1)
    found: list[st.SearchStrategy[Action]] = [
        st.builds(AddHeaders, headers=headers),
        st.builds(RemoveHeaders, headers=headers.map(tuple)),
    ]
    if phase == "on_http_request":
        found += [
            st.builds(
                JwtValidation.bearer,
                issuer=hosts().map("https://{}/".format),
                jwks=hosts().map("https://{}/jwks.json".format),
                audience=st.none() | dns_labels(),
                algorithms=st.sampled_from([("RS256",), ("ES256", "RS512")]),
            ),
            st.builds(
                RateLimit,
                name=dns_labels(),
                capacity=st.integers(1, 2_000_000_000),
                rate=st.integers(6, 8640).map(lambda tens: f"{tens * 10}s"),
                bucket_key=st.sampled_from([("conn.client_ip",), ("req.host", "req.method")]),
                enforce=st.none() | st.booleans(),
            ),
        ]
        if terminating:
            found.append(st.builds(Deny, status_code=st.none() | _STATUSES))
    if terminating:
        body = st.none() | st.text(max_size=8).filter(lambda text: "${" not in text)
        found.append(st.builds(CustomResponse, status_code=_STATUSES, body=body, headers=st.none() | headers))
    return st.one_of(found)


def rules(phase: str = "on_http_request", *, conditional: bool = False) -> st.SearchStrategy[Rule]:
    """Rules with up to two conditions and three actions, of which only the last may end the phase.

    Args:
        phase: ``on_http_request`` or ``on_http_response``.
        conditional: Whether each has a condition, so that none makes those behind it unreachable.
    """
    return st.builds(
        lambda name, given, first, last: Rule(name=name, expressions=tuple(given), actions=(*first, last)),
        st.none() | dns_labels(),
        st.lists(conditions(phase), min_size=int(conditional), max_size=2),
        st.lists(actions(phase, terminating=False), max_size=2),
        actions(phase),
    )


def traffic_policies() -> st.SearchStrategy[TrafficPolicy]:
    """Policies for requests and responses; up to three rules each."""

    def phase(name: str) -> st.SearchStrategy[tuple[Rule, ...]]:
        first = st.lists(rules(name, conditional=True), max_size=2)
        return st.builds(lambda before, last: (*before, *last), first, st.lists(rules(name), max_size=1))

    return st.builds(TrafficPolicy, **{name: phase(name) for name in _PHASES})


def api_specs() -> st.SearchStrategy[ApiSpec]:
    """APIs of one to three routes with a policy, without workload."""
    apart = st.lists(routes(), min_size=1, max_size=3).map(_without_repeated_matches)
    return st.builds(
        ApiSpec,
        name=dns_labels(),
        owner=st.none() | dns_labels(),
        routes=apart,
        policy=traffic_policies(),
    )


def _without_repeated_matches(given: list[Route]) -> tuple[Route, ...]:
    seen: set[Match] = set()
    kept: list[Route] = []
    for route in given:
        if not seen.intersection(route.matches):
            kept.append(route)
            seen.update(route.matches)
    return tuple(kept)
