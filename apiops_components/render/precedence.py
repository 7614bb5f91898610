"""Which of two matches takes a request: by the Gateway API specification, and by ngrok's operator as built.

Both put an exact path before a prefix and a longer prefix before a shorter one. Behind the path the specification asks
for a method, then counts headers, then query parameters. The operator (its ``SortRoutes``) puts a match with headers
before one without, two with headers in the order of their text whatever their number, the same for query parameters,
and last the method. So two matches of one path may be ranked one way by the one and the other way by the other.
"""

from __future__ import annotations

from collections.abc import Iterable

from apiops_components.models.match import HeaderMatch, Match, PathMatch, QueryMatch

__all__ = ["beats", "covers", "operator_first", "overlaps", "paths_overlap", "ties"]


def beats(first: Match, second: Match) -> bool:
    """Whether a request that matches both goes to ``first``, by the specification *and* by the operator."""
    return _specification(first) < _specification(second) and _operator(first) < _operator(second)


def ties(first: Match, second: Match) -> bool:
    """Whether the specification leaves the order of the two to the age, the name and the rules of their routes."""
    return _specification(first) == _specification(second)


def operator_first(first: Match, second: Match) -> bool:
    """Whether the operator puts ``first`` before ``second``."""
    return _operator(first) < _operator(second)


def _specification(match: Match) -> tuple[object, ...]:
    """Smaller goes first."""
    return (*_path(match), match.method is None, -len(match.headers), -len(match.query_params))


def _operator(match: Match) -> tuple[object, ...]:
    """Smaller goes first."""
    headers = _text((item.name.lower(), item) for item in match.headers)
    queries = _text((item.name, item) for item in match.query_params)
    return (*_path(match), not headers, headers, not queries, queries, match.method is None, match.method or "")


def _path(match: Match) -> tuple[bool, int]:
    return match.path.type != "Exact", -len(match.path.value.rstrip("/"))


def _text(items: Iterable[tuple[str, HeaderMatch | QueryMatch]]) -> str:
    kinds = {"Exact": 0, "RegularExpression": 1}
    words = {"Exact": "exact", "RegularExpression": "regex"}
    ordered = sorted(items, key=lambda pair: (pair[0], kinds[pair[1].type], pair[1].value))
    return "".join(f"{name}:{words[item.type]}:{item.value};" for name, item in ordered)


def covers(first: Match, second: Match) -> bool:
    """Whether each request that ``second`` takes on a path is one that ``first`` takes there."""
    return first.method in (None, second.method) and all(
        conditions <= others for conditions, others in zip(_conditions(first), _conditions(second), strict=True)
    )


def _conditions(match: Match) -> tuple[set[tuple[str, str, str]], set[tuple[str, str, str]]]:
    return (
        {(item.name.lower(), item.type, item.value) for item in match.headers},
        {(item.name, item.type, item.value) for item in match.query_params},
    )


def overlaps(first: Match, second: Match) -> bool:
    """Whether a request can match both; true where that is not easily told."""
    if first.method and second.method and first.method != second.method:
        return False
    return paths_overlap(first.path, second.path) and not any(
        name == other and value != different
        for these, those in zip(_conditions(first), _conditions(second), strict=True)
        for name, kind, value in these
        for other, another, different in those
        if kind == another == "Exact"
    )


def paths_overlap(first: PathMatch, second: PathMatch) -> bool:
    """Whether a path can match both."""
    exact, prefix = sorted((first, second), key=lambda path: path.type != "Exact")
    if prefix.type == "Exact":
        return exact.value == prefix.value
    base = prefix.value.rstrip("/")
    if exact.type == "Exact":
        return exact.value == base or exact.value.startswith(f"{base}/")
    other = exact.value.rstrip("/")
    return f"{other}/".startswith(f"{base}/") or f"{base}/".startswith(f"{other}/")
