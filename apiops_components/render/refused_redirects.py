"""Redirects that may lead to where they come from.

A client would be sent round in a circle by the specification; ngrok takes a redirect that leaves the URL as it is for
none, and goes on to the next route.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from apiops_components.errors import Problem
from apiops_components.models.api import ApiSpec
from apiops_components.models.filters import Redirect
from apiops_components.models.match import Match, PathMatch
from apiops_components.models.route import Route
from apiops_components.render.guard import upwards
from apiops_components.render.precedence import beats, covers, paths_overlap

__all__ = ["redirect_problems"]

_HTTPS = 443


def redirect_problems(host: str, apis: Sequence[ApiSpec]) -> Iterator[Problem]:
    """Every such redirect of a host with plain matches."""
    found = [
        (f"apis[{index}].routes[{position}].filters[{number}]", route, item.request_redirect)
        for index, api in enumerate(apis)
        for position, route in enumerate(api.routes)
        for number, item in enumerate(route.filters)
        if item.request_redirect is not None and _stays(item.request_redirect, host)
    ]
    if not found:
        return
    by_base: dict[str, list[Match]] = defaultdict(list)
    for api in apis:
        for route in api.routes:
            for match in route.matches:
                by_base[match.path.value.rstrip("/")].append(match)
    for place, route, redirect in found:
        if _is_a_circle(route, redirect, by_base):
            yield Problem(
                "some requests would be redirected to where they came to: ngrok goes on to the next route with them",
                place,
                "lowering/redirect-circle",
                "redirect to another host or path, or serve that path by a match of its own",
            )


def _stays(redirect: Redirect, host: str) -> bool:
    return redirect.scheme in (None, "https") and redirect.port in (None, _HTTPS) and redirect.hostname in (None, host)


def _is_a_circle(route: Route, redirect: Redirect, by_base: Mapping[str, Sequence[Match]]) -> bool:
    if redirect.path is None:
        return True
    if redirect.path.replace_prefix_match is not None:
        return redirect.path.replace_prefix_match.rstrip("/") == route.matches[0].path.value.rstrip("/")
    target = Match.model_construct(
        path=PathMatch.model_construct(type="Exact", value=redirect.path.replace_full_path or "/"),
        headers=(),
        query_params=(),
        method=None,
    )
    there = [match for base in upwards(target) for match in by_base.get(base, ())]
    there = [match for match in there if paths_overlap(match.path, target.path)]
    return any(
        match in route.matches
        and not any(beats(other, match) and covers(other, match) for other in there if other not in route.matches)
        for match in there
    )
