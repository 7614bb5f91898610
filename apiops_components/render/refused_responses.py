"""Rules on responses that a rewritten path would keep from their requests, or lead to those of others.

Such a rule stands in the Gateway's policy and finds its requests by their path, which may be the new one by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from apiops_components.errors import Problem
from apiops_components.models.api import ApiSpec
from apiops_components.models.match import Match, PathMatch
from apiops_components.models.policy.actions import UrlRewrite
from apiops_components.render.changes import response_changes
from apiops_components.render.guard import Guards
from apiops_components.render.lowering import filters_of
from apiops_components.render.precedence import paths_overlap
from apiops_components.render.refused_filters import placed_filters

__all__ = ["response_problems"]


class _Responding(NamedTuple):
    """An API, or one route of it, whose responses are changed."""

    api: int
    route: int | None
    place: str
    matches: tuple[Match, ...]


class _Rewriting(NamedTuple):
    api: int
    route: int
    place: str
    path: PathMatch | None
    """The new paths; None where they cannot be told."""


def response_problems(apis: Sequence[ApiSpec]) -> Iterator[Problem]:
    """Every such rule of a host with plain matches."""
    rewriting = list(_rewriting(apis))
    if not rewriting:
        return
    guards = Guards(apis)
    for found in _responding(apis):
        guard = guards.of_api(found.api) if found.route is None else guards.of_route(found.api, found.route)
        if guard.expression is None:
            continue  # it holds for every request of the host, whatever its path
        told: set[str] = set()
        for change in rewriting:
            if change.api == found.api and found.route in (None, change.route):
                if found.place not in told:
                    told.add(found.place)
                    yield Problem(
                        "a rule on responses is found by the request's path, which a rewrite in the same API changes",
                        found.place,
                        "lowering/response-after-rewrite",
                        "rewrite, or change the response, in the backend",
                    )
            elif change.path is None or any(paths_overlap(change.path, match.path) for match in found.matches):
                yield Problem(
                    f"the new path may be one of those that {found.place} changes the responses of",
                    change.place,
                    "lowering/response-of-another",
                    "rewrite to another path, or in the backend",
                )


def _responding(apis: Sequence[ApiSpec]) -> Iterator[_Responding]:
    for index, api in enumerate(apis):
        if api.policy.on_http_response:
            matches = tuple(match for route in api.routes for match in route.matches)
            yield _Responding(index, None, f"apis[{index}].policy.on_http_response", matches)
        for position, route in enumerate(api.routes):
            if response_changes(route):
                place = next(
                    place
                    for place, item in placed_filters(route, f"apis[{index}].routes[{position}]")
                    if item.response_header_modifier is not None
                )
                yield _Responding(index, position, place, route.matches)


def _rewriting(apis: Sequence[ApiSpec]) -> Iterator[_Rewriting]:
    for index, api in enumerate(apis):
        actions = [
            f"apis[{index}].policy.{phase}[{number}].actions[{position}]"
            for phase, number, rule in api.policy.rules
            for position, step in enumerate(rule.actions)
            if isinstance(step, UrlRewrite)
        ]
        for position, route in enumerate(api.routes):
            yield from (_Rewriting(index, position, place, None) for place in actions)
            if not any(item.url_rewrite for item in filters_of(route)):
                continue
            for place, item in placed_filters(route, f"apis[{index}].routes[{position}]"):
                change = item.url_rewrite.path if item.url_rewrite is not None else None
                if change is not None:
                    full, prefix = change.replace_full_path, change.replace_prefix_match
                    path = (
                        PathMatch.model_construct(type="Exact", value=full or "/")
                        if full is not None
                        else PathMatch.model_construct(type="PathPrefix", value=prefix or "/")
                    )
                    yield _Rewriting(index, position, place, path)
