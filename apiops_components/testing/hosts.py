"""Hypothesis strategies of hosts that are accepted, and of requests that come near what they match."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from hypothesis import reject
from hypothesis import strategies as st
from pydantic import ValidationError

from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.filters import Filter, PathModifier, UrlRewrite
from apiops_components.models.match import HeaderMatch, Match, PathMatch, QueryMatch
from apiops_components.models.policy.document import TrafficPolicy
from apiops_components.models.route import Backend, Route
from apiops_components.render.refusal import refusals
from apiops_components.semantics.request import Request

__all__ = ["gateway_specs", "requests_to"]

# Few and alike, so that matches overlap, and neighbours begin with each other.
_SEGMENTS = st.sampled_from(["a", "ab", "a-b", "a.b", "b"])
_TEXTS = ["1", "2", "x y", "a,b", '"', "{1}", "1=2&3", "é"]
_PATTERNS = ["1|2", r"\d", "[a-z ]+", ".*", r"a\.?,b", "^1$"]
_METHODS = ["GET", "POST", "DELETE"]


def _paths() -> st.SearchStrategy[str]:
    return st.builds(
        lambda parts, slash: "/" + "/".join(parts) + ("/" if parts and slash else ""),
        st.lists(_SEGMENTS, max_size=2),
        st.sampled_from([False, False, False, True]),
    )


def _values(kind: Any, names: list[str]) -> st.SearchStrategy[tuple[Any, ...]]:
    name = st.sampled_from(names)
    item = st.one_of(
        st.builds(kind, name=name, value=st.sampled_from(_TEXTS)),
        st.builds(kind, type=st.just("RegularExpression"), name=name, value=st.sampled_from(_PATTERNS)),
    )
    return st.lists(item, min_size=1, max_size=2, unique_by=lambda one: one.name.lower()).map(tuple)


def _seldom(strategy: st.SearchStrategy[Any], otherwise: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([False, False, True]).flatmap(lambda drawn: strategy if drawn else st.just(otherwise))


def _matches() -> st.SearchStrategy[Match]:
    pattern = st.sampled_from(["/a/[0-9]+", r"/ab/\w", "/b/(a|b)/.*", "/a.b/x?"])
    path = st.one_of(
        st.builds(PathMatch, value=_paths()),
        st.builds(PathMatch, value=_paths()),
        st.builds(PathMatch, type=st.just("Exact"), value=_paths()),
        st.builds(PathMatch, type=st.just("RegularExpression"), value=pattern),
    )
    return st.builds(
        Match,
        path=path,
        headers=_seldom(_values(HeaderMatch, ["X-A", "x-b"]), ()),
        query_params=_seldom(_values(QueryMatch, ["q", "Q"]), ()),
        method=_seldom(st.sampled_from(_METHODS), None),
    )


def _filters() -> st.SearchStrategy[tuple[Filter, ...]]:
    names = st.sampled_from(["x-new", "X-Old", "x-a"])
    texts = st.sampled_from(["1", "${req.host}", "$1", "it's", "a\\b"])
    headers = st.builds(
        lambda items: Filter.request_headers(
            set={name: text for name, text, kind in items if kind == "set"},
            add={name: text for name, text, kind in items if kind == "add"},
            remove=[name for name, _, kind in items if kind == "remove"],
        ),
        st.lists(
            st.tuples(names, texts, st.sampled_from(["set", "add", "remove"])), max_size=3, unique_by=lambda one: one[0]
        ),
    )
    rewrite = st.builds(
        lambda host, full, prefix, which: Filter(
            type="URLRewrite",
            url_rewrite=UrlRewrite(
                hostname=host,
                path=PathModifier(type="ReplaceFullPath", replace_full_path=full)
                if which
                else PathModifier(type="ReplacePrefixMatch", replace_prefix_match=prefix),
            ),
        ),
        st.sampled_from([None, "b.example.com"]),
        _paths(),
        _paths(),
        st.booleans(),
    )
    return st.lists(st.one_of(headers, rewrite), max_size=2, unique_by=lambda item: item.type).map(tuple)


@st.composite
def gateway_specs(
    draw: st.DrawFn, *, policies: st.SearchStrategy[TrafficPolicy] | None = None, filters: bool = True
) -> ApiGatewaySpec:
    """Hosts of one to three APIs that are accepted, their matches alike enough to get into each other's way.

    Args:
        draw: Given by Hypothesis.
        policies: Of the APIs; none by default.
        filters: Whether routes have filters.
    """
    apis = []
    try:
        for name in "abc"[: draw(st.integers(1, 3))]:
            routes = []
            for number in range(draw(st.integers(1, 3))):
                shares = draw(st.sampled_from([(1,), (1,), (9, 1), (1, 0), (1, 2, 1)]))
                backends = [Backend.to(f"{name}-{number}-{n}", 80, weight=share) for n, share in enumerate(shares)]
                route = Route(
                    matches=tuple(draw(st.lists(_matches(), min_size=1, max_size=2, unique=True))),
                    filters=draw(_seldom(_filters(), ())) if filters else (),
                    backend_refs=tuple(backends),
                )
                routes.append(route)
            policy = draw(policies) if policies is not None else TrafficPolicy()
            apis.append(ApiSpec(name=name, routes=tuple(routes), policy=policy))
        made = ApiGatewaySpec(name="host", namespace="team", host="a.example.com", apis=tuple(apis))
    except ValidationError:
        reject()
    if refusals(made):
        reject()
    return made


@st.composite
def requests_to(draw: st.DrawFn, spec: ApiGatewaySpec) -> Request:
    """Requests to the host that match one of its matches, or nearly do."""
    matches = [match for api in spec.apis for route in api.routes for match in route.matches]
    match = draw(st.sampled_from(matches))
    method: str = match.method or draw(st.sampled_from([*_METHODS, "PUT"]))
    if draw(_one_in(6)):
        method = draw(st.sampled_from([*_METHODS, "PUT"]))
    headers: dict[str, tuple[str, ...]] = {}
    query: dict[str, str] = {}
    for source in (match, draw(st.sampled_from(matches))):
        for header in source.headers:
            headers[header.name.lower()] = (_given(draw, header),)
        for parameter in source.query_params:
            query[parameter.name] = _given(draw, parameter)
        if not draw(_one_in(4)):
            break
    if draw(_one_in(6)):
        headers |= {"x-b": ("1", "2"), "x-old": ("0",)}
    text = "&".join(f"{name}={quote(value)}" for name, value in query.items()) or draw(st.sampled_from(["", "limit=1"]))
    return Request(method, "https", spec.host, 443, _near(draw, match), text, headers)


def _one_in(number: int) -> st.SearchStrategy[bool]:
    return st.sampled_from([True, *[False] * (number - 1)])


def _given(draw: st.DrawFn, item: HeaderMatch | QueryMatch) -> str:
    other = item.type == "RegularExpression" or draw(_one_in(6))
    return draw(st.sampled_from([*_TEXTS, "11", "b"])) if other else item.value


def _near(draw: st.DrawFn, match: Match) -> str:
    path = match.path.value
    if match.path.type == "RegularExpression":
        path = draw(
            st.sampled_from(["/a/1", "/a/12/", "/ab/x", "/ab/", "/b/a/", "/b/b/c/d", "/a.b/", "/a.b/x", "/a/x"])
        )
    base = path.rstrip("/")
    ends = ["/", "/x", "/-b", "/a", "//x", "/1"] if not base else ["/", "/x", "x", "-b", "/a", "//x", "/1", ".b"]
    return draw(st.sampled_from([path, path, path, base or "/", base.upper() or "/", *(base + end for end in ends)]))
