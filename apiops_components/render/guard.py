"""Which requests belong to an API, as one expression: the guard of its rules in the Gateway's policy.

A rule in the Gateway's policy sees every request of the host, so it carries a condition that is true for exactly the
requests that reach the API: its own matches, less those that a more specific match of another API takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from apiops_components.models.api import ApiSpec
from apiops_components.models.match import Match
from apiops_components.models.policy.cel import literal

__all__ = ["guard", "match_expression"]


def guard(api: ApiSpec, others: Sequence[ApiSpec]) -> str | None:
    """The expression, or None where every request of the host belongs to the API."""
    foreign = [match for other in others if other is not api for route in other.routes for match in route.matches]
    parts: dict[str, None] = {}  # a set that keeps its order
    for match in (match for route in api.routes for match in route.matches):
        own = match_expression(match)
        taken = [match_expression(other) for other in foreign if _overlaps(match, other) and _beats(other, match)]
        if not taken and own is None:
            return None
        excluded = f"!({' || '.join(dict.fromkeys(filter(None, taken)))})" if taken else None
        parts[_all(part for part in (own, excluded) if part)] = None
    return " || ".join(f"({part})" if " && " in part and len(parts) > 1 else part for part in parts)


def _all(conditions: Iterable[str]) -> str:
    """All of them, each in parentheses where it holds an alternative."""
    found = list(conditions)
    if len(found) < 2:  # noqa: PLR2004
        return "".join(found)
    return " && ".join(f"({part})" if " || " in part and not part.startswith("!(") else part for part in found)


def match_expression(match: Match) -> str | None:
    """The expression that is true for the requests of one match, or None where it is true for all."""
    conditions = [
        _path(match.path.type, match.path.value),
        f"req.method == {literal(match.method)}" if match.method else None,
        *(_values("req.headers", item.name.lower(), item.type, item.value) for item in match.headers),
        *(_values("req.url.query_params", item.name, item.type, item.value) for item in match.query_params),
    ]
    return _all(condition for condition in conditions if condition) or None


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


def _beats(first: Match, second: Match) -> bool:
    """Whether a request that matches both goes to ``first``, by the specification *and* by ngrok's operator.

    They rank what comes after the path differently. Where they disagree, neither is excluded from the other's guard:
    the request is then asked for more than it needs, never for less.
    """
    if (by_path := _path_rank(first)) != (other_path := _path_rank(second)):
        return by_path > other_path
    method, headers, queries = (
        (bool(first.method), bool(second.method)),
        (len(first.headers), len(second.headers)),
        (len(first.query_params), len(second.query_params)),
    )
    specification = _first_difference((method, headers, queries))
    operator = _first_difference((headers, queries, method))
    return specification > 0 and operator > 0


def _path_rank(match: Match) -> tuple[bool, int]:
    return match.path.type == "Exact", len(match.path.value.rstrip("/"))


def _first_difference(pairs: Iterable[tuple[int, int]]) -> int:
    return next((first - second for first, second in pairs if first != second), 0)


def _overlaps(first: Match, second: Match) -> bool:
    """Whether a request can match both; true where that is not easily told."""
    if first.method and second.method and first.method != second.method:
        return False
    exact, prefix = sorted((first, second), key=lambda match: match.path.type != "Exact")
    path, base = exact.path.value, prefix.path.value.rstrip("/")
    if prefix.path.type == "Exact":
        return path == prefix.path.value
    if exact.path.type == "Exact":
        return path == base or path.startswith(base + "/")
    other = path.rstrip("/")
    return f"{other}/".startswith(f"{base}/") or f"{base}/".startswith(f"{other}/")
