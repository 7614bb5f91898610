"""Which requests belong to an API, as one expression: the guard of its rules in the Gateway's policy.

A rule in the Gateway's policy sees every request of the host, so it carries a condition that is true for exactly the
requests that reach the API: its own matches, less those that a more specific match of another API takes. Where the
specification and ngrok's operator rank two matches differently, neither is taken off the other's guard: the request
is then asked for more than it needs, never for less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from apiops_components.models.api import ApiSpec
from apiops_components.models.match import Match
from apiops_components.models.policy.cel import literal
from apiops_components.render.precedence import beats, overlaps

__all__ = ["guards", "match_expression"]


def guards(apis: Sequence[ApiSpec]) -> list[str | None]:
    """The expression of each API of a host, or None where every request of the host belongs to it."""
    # A match is beaten by none on a shorter path, so it is enough to look at those at and below its own.
    below: dict[str, list[tuple[int, Match]]] = defaultdict(list)
    for number, api in enumerate(apis):
        for match in _matches(api):
            for path in _upwards(match):
                below[path].append((number, match))
    return [_guard(number, api, below) for number, api in enumerate(apis)]


def _matches(api: ApiSpec) -> Iterator[Match]:
    for route in api.routes:
        yield from route.matches


def _base(match: Match) -> str:
    return match.path.value.rstrip("/")


def _upwards(match: Match) -> Iterator[str]:
    """The path without its last slash, and every one above it, down to the empty one."""
    path = _base(match)
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""


def _guard(number: int, api: ApiSpec, below: Mapping[str, Sequence[tuple[int, Match]]]) -> str | None:
    parts: dict[str, None] = {}  # a set that keeps its order
    for match in _matches(api):
        own = match_expression(match)
        taken = [
            match_expression(other)
            for owner, other in below[_base(match)]
            if owner != number and overlaps(match, other) and beats(other, match)
        ]
        if not taken and own is None:
            return None
        excluded = f"!({' || '.join(dict.fromkeys(filter(None, taken)))})" if taken else None
        both = [part for part in (own, excluded) if part]
        parts[" && ".join(map(_grouped, both)) if len(both) > 1 else both[0]] = None
    return " || ".join(f"({part})" if " && " in part and len(parts) > 1 else part for part in parts)


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
    base = value.rstrip("/")
    if not base:
        return None
    return f"req.url.path == {literal(base)} || req.url.path.startsWith({literal(base + '/')})"


def _values(variable: str, name: str, kind: str, value: str) -> str:
    found = f"{variable}[{literal(name)}].join(',')"
    test = f"{found} == {literal(value)}" if kind == "Exact" else f"{found}.matches({literal(value)})"
    return f"{literal(name)} in {variable} && {test}"
