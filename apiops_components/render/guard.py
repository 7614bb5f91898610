"""Which requests belong to an API, as one expression: the guard of its rules in the Gateway's policy.

A rule in the Gateway's policy sees every request of the host, so it carries a condition that is true for exactly the
requests that reach the API: its own matches, less those that a more specific match of another API takes. Where the
specification and ngrok's operator rank two matches differently, neither is taken off the other's guard: the request
is then asked for more than it needs, never for less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from apiops_components.models.api import ApiSpec
from apiops_components.models.match import Match
from apiops_components.models.policy.cel import literal
from apiops_components.render.lowering import plain_apis
from apiops_components.render.precedence import beats, operator_first, overlaps, ties

__all__ = ["Guard", "Guards", "guards", "match_expression", "upwards"]


class Guard(NamedTuple):
    """A condition on requests."""

    expression: str | None
    """None where it holds for every request of the host."""
    leaves_out: frozenset[int]
    """The APIs whose requests are left out, since a more specific match of theirs takes them; by number."""


class _Placed(NamedTuple):
    api: int
    route: int
    match: Match


class Guards:
    """The guards of a host's APIs and of their routes. Their matches must be plain (`lowering.plain_apis`)."""

    def __init__(self, apis: Sequence[ApiSpec]) -> None:
        """Sorts the matches of the host."""
        self._apis = apis
        self._of_apis: dict[int, Guard] = {}
        # A match is beaten by none on a shorter path, so it is enough to look at those at and below its own.
        self._below: Mapping[str, list[_Placed]] = defaultdict(list)
        for number, api in enumerate(apis):
            for position, route in enumerate(api.routes):
                for match in route.matches:
                    placed = _Placed(number, position, match)
                    for path in upwards(match):
                        self._below[path].append(placed)

    def of_api(self, number: int) -> Guard:
        """The requests of an API."""
        if number not in self._of_apis:
            matches = (match for route in self._apis[number].routes for match in route.matches)
            self._of_apis[number] = self._guard(matches, number, None)
        return self._of_apis[number]

    def of_route(self, number: int, position: int) -> Guard:
        """The requests of one route of an API."""
        return self._guard(self._apis[number].routes[position].matches, number, position)

    def _guard(self, matches: Iterable[Match], number: int, position: int | None) -> Guard:
        parts: dict[str, None] = {}  # a set that keeps its order
        everything = False
        leaves_out: set[int] = set()
        for match in matches:
            own = match_expression(match)
            found = [other for other in self._below[_base(match)] if _is_taken(match, other, number, position)]
            taken = [match_expression(other.match) for other in found]
            leaves_out.update(other.api for other in found)
            if not taken and own is None:
                everything = True
                continue
            excluded = f"!({' || '.join(dict.fromkeys(filter(None, taken)))})" if taken else None
            both = [part for part in (own, excluded) if part]
            parts[" && ".join(map(_grouped, both)) if len(both) > 1 else both[0]] = None
        if everything:
            return Guard(None, frozenset())
        whole = " || ".join(f"({part})" if " && " in part and len(parts) > 1 else part for part in parts)
        return Guard(whole, frozenset(leaves_out))


def _is_taken(match: Match, other: _Placed, number: int, position: int | None) -> bool:
    if other.api == number and (position is None or other.route == position):
        return False
    if not overlaps(match, other.match):
        return False
    # Two of one API may be settled by the order of their rules, which is the operator's then (`refused_order`).
    settled = other.api == number and ties(other.match, match) and operator_first(other.match, match)
    return settled or beats(other.match, match)


def guards(apis: Sequence[ApiSpec]) -> list[str | None]:
    """The expression of each API of a host, or None where every request of the host belongs to it."""
    found = Guards(plain_apis(apis))
    return [found.of_api(number).expression for number in range(len(apis))]


def _base(match: Match) -> str:
    return match.path.value.rstrip("/")


def upwards(match: Match) -> Iterator[str]:
    """The path without its last slash, and every one above it, down to the empty one."""
    path = _base(match)
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""


def _grouped(part: str) -> str:
    return f"({part})" if " || " in part and not part.startswith("!(") else part


def match_expression(match: Match) -> str | None:
    """The expression that is true for the requests of one match, or None where it is true for all."""
    conditions = [
        _path(match.path.type, match.path.value),
        f"req.method == {literal(match.method)}" if match.method else None,
        *(_values("req.headers", item.name.lower(), item.type, item.value) for item in match.headers),
        *(_values("req.url.query_params", item.name, item.type, item.value) for item in match.query_params),
    ]
    found = [condition for condition in conditions if condition]
    if len(found) > 1:
        return " && ".join(f"({part})" if " || " in part else part for part in found)
    return found[0] if found else None


def _path(kind: str, value: str) -> str | None:
    if kind == "Exact":
        return f"req.url.path == {literal(value)}"
    if kind == "RegularExpression":
        return f"req.url.path.matches({literal(value)})"
    base = value.rstrip("/")
    if not base:
        return None
    return f"req.url.path == {literal(base)} || req.url.path.startsWith({literal(base + '/')})"


def _values(variable: str, name: str, kind: str, value: str) -> str:
    found = f"{variable}[{literal(name)}].join(',')"
    test = f"{found} == {literal(value)}" if kind == "Exact" else f"{found}.matches({literal(value)})"
    return f"{literal(name)} in {variable} && {test}"
