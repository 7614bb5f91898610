"""Routes of one listener that ask for the same requests: of two equal matches only one is ever reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from apiops_components.errors import Problem
from apiops_components.validation.linked import Linked
from apiops_components.validation.objects_by_name import place
from apiops_components.validation.walk import items, mapping, text

__all__ = ["Conflicts"]

_NEVER = "9999"  # what is not in a cluster yet is younger than all that is
_EVERYTHING: Mapping[str, Any] = {}


class _Claim(NamedTuple):
    """A match of a route."""

    created: str
    title: str
    document: int
    path: str


class Conflicts:
    """The matches of routes by Gateway, listener and host."""

    def __init__(self) -> None:
        self._claims: dict[tuple[Any, ...], list[_Claim]] = {}
        self._matches: dict[int, list[tuple[tuple[Any, ...], str]]] = {}

    def add(
        self, document: int, route: Linked, gateway: Linked, listener: Mapping[str, Any], hosts: Iterable[str]
    ) -> None:
        """Notes what a route asks of a listener."""
        if document not in self._matches:
            self._matches[document] = list(_matches(route))
        at = (place(gateway, gateway.namespace), gateway.name, listener.get("name"))
        for host in hosts:
            for key, path in self._matches[document]:
                claim = _Claim(route.created or _NEVER, route.title, document, path)
                self._claims.setdefault((*at, host, key), []).append(claim)

    def problems(self) -> Iterator[tuple[int, Problem]]:
        """Each match that is never reached, once, on the route that loses."""
        told: set[tuple[int, str]] = set()
        for (where, gateway, listener, host, _), claims in self._claims.items():
            if len(claims) == 1:
                continue
            first = min(claims)
            for claim in claims:
                # The same route in several versions, for several environments say, is no conflict.
                if claim.title == first.title or (claim.document, claim.path) in told:
                    continue
                told.add((claim.document, claim.path))
                shown = f"{where}/{gateway}" if isinstance(where, str) else gateway
                message = (
                    f"{first.title} ({first.path}) matches the same requests for {host} at listener {listener!r} of "
                    f"Gateway {shown}, so this one is never reached"
                )
                hint = "the older route wins, of two as old the first by name: remove one, or merge their backends"
                yield claim.document, Problem(message, claim.path, "reference/conflict", hint)


def _matches(route: Linked) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Each match in a form that is the same for matches of the same requests, and its path."""
    rules = list(items(route.spec, "spec", "rules")) or [("spec", _EVERYTHING)]
    for path, rule in rules:
        for at, match in list(items(rule, path, "matches")) or [(path, _EVERYTHING)]:
            yield _key(match), at


def _key(match: Mapping[str, Any]) -> tuple[Any, ...]:
    path = mapping(match, "path")
    kind, value = path.get("type", "PathPrefix"), path.get("value", "/")
    if kind == "PathPrefix" and isinstance(value, str):
        value = value.rstrip("/")  # /a and /a/ are one prefix
    return (
        kind,
        value,
        match.get("method"),
        frozenset(_named(item, text(item, "name").lower()) for _, item in items(match, "", "headers")),
        frozenset(_named(item, text(item, "name")) for _, item in items(match, "", "queryParams")),
    )


def _named(item: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    return item.get("type", "Exact"), name, item.get("value")
