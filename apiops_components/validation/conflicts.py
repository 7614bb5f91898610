"""Routes of one listener that ask for the same requests: of two equal matches only one is ever reached.

Only valid routes come here, so their parts have the types of their model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from apiops_components.errors import Problem
from apiops_components.validation.linked import Linked
from apiops_components.validation.objects_by_name import place

__all__ = ["Conflicts"]

_NEVER = "9999"  # what is not in a cluster yet is younger than all that is
_EVERYTHING: Mapping[str, Any] = {}

_Claim = tuple[str, str, int, str]
"""Who asks for a match: creation and title of the route, its document, the path of the match; the least one wins."""


class Conflicts:
    """The matches of routes by Gateway, listener and host."""

    def __init__(self) -> None:
        self._first: dict[tuple[Any, ...], _Claim] = {}
        self._several: dict[tuple[Any, ...], list[_Claim]] = {}
        self._matches: tuple[int, list[tuple[tuple[Any, ...], str]]] = (-1, [])

    def add(
        self, document: int, route: Linked, gateway: Linked, listener: Mapping[str, Any], hosts: Iterable[str]
    ) -> None:
        """Notes what a route asks of a listener."""
        if self._matches[0] != document:
            self._matches = (document, list(_matches(route)))
        created, title = route.created or _NEVER, route.title
        at = (place(gateway, gateway.namespace), gateway.name, listener["name"])
        for host in hosts:
            for match, path in self._matches[1]:
                key = (at, host, match)
                claim = (created, title, document, path)
                first = self._first.setdefault(key, claim)
                if first is not claim:
                    self._several.setdefault(key, [first]).append(claim)

    def problems(self) -> Iterator[tuple[int, Problem]]:
        """Each match that is never reached, once, on the route that loses."""
        told: set[tuple[int, str]] = set()
        for ((where, gateway, listener), host, _), claims in self._several.items():
            _, winner, _, first = min(claims)
            for _, title, document, path in claims:
                # The same route in several versions, for several environments say, is no conflict.
                if title == winner or (document, path) in told:
                    continue
                told.add((document, path))
                shown = f"{where}/{gateway}" if isinstance(where, str) else gateway
                message = (
                    f"{winner} ({first}) matches the same requests for {host} at listener {listener!r} of Gateway "
                    f"{shown}, so this one is never reached"
                )
                hint = "the older route wins, of two as old the first by name: remove one, or merge their backends"
                yield document, Problem(message, path, "reference/conflict", hint)


def _matches(route: Linked) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Each match in a form that is the same for matches of the same requests, and its path."""
    rules = route.spec.get("rules")
    if not rules:
        yield _key(_EVERYTHING), "spec"
        return
    for index, rule in enumerate(rules):
        matches = rule.get("matches")
        if not matches:
            yield _key(_EVERYTHING), f"spec.rules[{index}]"
            continue
        for number, match in enumerate(matches):
            yield _key(match), f"spec.rules[{index}].matches[{number}]"


def _key(match: Mapping[str, Any]) -> tuple[Any, ...]:
    path = match.get("path") or _EVERYTHING
    kind, value = path.get("type") or "PathPrefix", path.get("value")
    value = "/" if value is None else value
    if kind == "PathPrefix":
        value = value.rstrip("/")  # /a and /a/ are one prefix
    headers, query = match.get("headers"), match.get("queryParams")
    return (
        kind,
        value,
        match.get("method"),
        headers and frozenset((item.get("type") or "Exact", item["name"].lower(), item["value"]) for item in headers),
        query and frozenset((item.get("type") or "Exact", item["name"], item["value"]) for item in query),
    )
