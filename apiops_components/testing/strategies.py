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
from apiops_components.models.route import Backend, Route, Timeouts
from apiops_components.testing.hosts import gateway_specs, requests_to
from apiops_components.testing.names import dns_labels, header_names, headers, hosts, values
from apiops_components.testing.policies import actions, conditions, logins, rules, traffic_policies

__all__ = [
    "actions",
    "api_specs",
    "backends",
    "conditions",
    "dns_labels",
    "filters",
    "gateway_specs",
    "header_names",
    "hosts",
    "logins",
    "matches",
    "paths",
    "requests_to",
    "routes",
    "rules",
    "traffic_policies",
]

T = TypeVar("T")

_METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])


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
    headers = st.builds(HeaderMatch, type=_kinds(), name=header_names(), value=values())
    query = st.builds(QueryMatch, type=_kinds(), name=header_names(), value=values())
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
        "set": headers(),
        "add": headers(),
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
