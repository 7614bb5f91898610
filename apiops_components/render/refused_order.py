"""Matches whose order the specification and ngrok's operator do not agree on, or that nobody settles.

Where two routes match alike, the specification asks which HTTPRoute is older, and then which name comes first in the
alphabet - where ``orders.10`` stands before ``orders.2``. Neither is known here, so it is only left to the order of
rules within one HTTPRoute, and only where the operator's order is the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from apiops_components.errors import Problem
from apiops_components.models.api import ApiSpec
from apiops_components.models.match import Match, describe
from apiops_components.render.guard import upwards
from apiops_components.render.lowering import exact_matches, lower_match, plain_match
from apiops_components.render.precedence import beats, covers, operator_first, overlaps, ties
from apiops_components.render.route import MAX_MATCHES_IN_ALL, MAX_RULES

__all__ = ["order_problems"]


class _Lowered(NamedTuple):
    """A match as it is rendered, and where it comes from."""

    match: Match
    source: Match
    rule: tuple[int, int]
    place: str


def order_problems(written: Sequence[ApiSpec], apis: Sequence[ApiSpec]) -> Iterator[Problem]:
    """Matches of one path in an order that is not known; ``apis`` are those written, with plain matches."""
    problems = list(_pattern_problems(written, apis))
    if problems:
        yield from problems
        return
    paths = [match.path.value.rstrip("/") for api in apis for route in api.routes for match in route.matches]
    if len(set(paths)) == len(paths):
        return  # only matches of one path are ranked, and those of different paths have none in common when lowered
    whole = [_is_one_object(api) for api in apis]
    for found in _lowered_by_path(apis):
        for one, other in combinations(found, 2):
            if one.rule == other.rule or not overlaps(one.match, other.match):
                continue
            if covers(one.match, other.match) and covers(other.match, one.match):
                if one.match.path.type == one.source.path.type:  # else its other half says so
                    yield _duplicate(one, other)
            elif not _is_settled(one, other, whole):
                yield _ambiguous(one, other)


def _lowered_by_path(apis: Sequence[ApiSpec]) -> Iterable[list[_Lowered]]:
    exact = exact_matches(apis)
    by_path: dict[tuple[str, str], list[_Lowered]] = defaultdict(list)
    for index, api in enumerate(apis):
        for position, route in enumerate(api.routes):
            for number, match in enumerate(route.matches):
                place = f"apis[{index}].routes[{position}].matches[{number}]"
                for lowered in lower_match(match, exact):
                    here = _Lowered(lowered, match, (index, position), place)
                    by_path[lowered.path.type, lowered.path.value].append(here)
    return by_path.values()


def _is_settled(one: _Lowered, other: _Lowered, whole: Sequence[bool]) -> bool:
    if one.source.path.type != other.source.path.type:
        exact, prefix = (one, other) if one.source.path.type == "Exact" else (other, one)
        return beats(exact.match, prefix.match)
    lengths = len(one.source.path.value), len(other.source.path.value)
    if lengths[0] != lengths[1]:
        # "/x/" is the longer prefix by its characters, and the same one by its segments.
        longer, shorter = (one, other) if lengths[0] > lengths[1] else (other, one)
        return beats(longer.match, shorter.match)
    if beats(one.match, other.match) or beats(other.match, one.match):
        return True
    first, second = (one, other) if one.rule < other.rule else (other, one)
    same = one.rule[0] == other.rule[0] and whole[one.rule[0]]
    return same and ties(first.match, second.match) and operator_first(first.match, second.match)


def _is_one_object(api: ApiSpec) -> bool:
    """Whether all rules of an API surely come into one HTTPRoute."""
    return (
        2 * len(api.routes) <= MAX_RULES and 2 * sum(len(route.matches) for route in api.routes) <= MAX_MATCHES_IN_ALL
    )


def _duplicate(one: _Lowered, other: _Lowered) -> Problem:
    return Problem(
        f"{describe(other.source)} takes the same requests as {one.place}",
        other.place,
        "lowering/duplicate-route",
        "remove one of the two, or merge their backends with weights",
    )


def _ambiguous(one: _Lowered, other: _Lowered) -> Problem:
    if ties(one.match, other.match):
        return Problem(
            f"whether a request that matches {describe(other.source)} and {describe(one.source)} ({one.place}) goes to "
            "the one or the other depends on the age and the names of objects by the specification, and on the "
            "alphabet by ngrok's operator",
            other.place,
            "lowering/ambiguous",
            "give them different paths or methods, or let one ask for all that the other asks for, too",
        )
    return Problem(
        f"a request that matches {describe(other.source)} and {describe(one.source)} ({one.place}) goes to one by the "
        "specification and to the other by ngrok's operator",
        other.place,
        "lowering/ambiguous",
        "give them different paths or methods, or let the one with headers ask for the other's method, too",
    )


# --- patterns of paths -----------------------------------------------------------------------------------------------


def _pattern_problems(written: Sequence[ApiSpec], apis: Sequence[ApiSpec]) -> Iterator[Problem]:
    """A pattern stands as the folder that it lies in, so nobody else may serve what does not fit it there."""
    patterns = [
        (index, position, number)
        for index, api in enumerate(written)
        for position, route in enumerate(api.routes)
        for number, match in enumerate(route.matches)
        if match.path.type == "RegularExpression"
    ]
    if not patterns:
        return
    prefixes: dict[str, list[tuple[int, int, Match]]] = defaultdict(list)
    for index, api in enumerate(apis):
        for position, route in enumerate(api.routes):
            for match in route.matches:
                if match.path.type == "PathPrefix":  # an exact path goes before the folder
                    prefixes[match.path.value.rstrip("/")].append((index, position, match))
    for index, position, number in patterns:
        source = written[index].routes[position].matches[number]
        own = plain_match(source)
        above = (item for base in upwards(own) for item in prefixes[base])
        for other_index, other_position, other in above:
            if (other_index, other_position) == (index, position):
                continue
            if overlaps(own, other) and not beats(other, own):
                yield Problem(
                    f"a path below {own.path.value!r} that does not fit {source.path.value!r} would belong to "
                    f"{describe(other)} (apis[{other_index}].routes[{other_position}]), but ngrok's operator can only "
                    "take the whole folder",
                    f"apis[{index}].routes[{position}].matches[{number}].path",
                    "lowering/regular-expression",
                    "use prefixes for both, or tell them apart by method or header",
                )
                break
