"""Objects by name, and when one that is not among them can be called missing.

What a run is given is seldom all there is: a route's Gateway may be the platform's, its Service another team's. So an
object counts as missing only where its absence is certain:

- among documents that anyone wrote (`validate`), where the input holds other objects of its kind in its namespace;
- among the manifests of a project (`check`), where its kind is the project's own: Gateways, policies, grants. A Service
  may always be deployed elsewhere.

A document without namespace may be applied to any: it counts as present in each. What is in one file is applied
together, so there it is known to be in the namespace of the others that have none, too; that of another file may be for
another day.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Literal

from apiops_components.validation.linked import GATEWAY, GRANT, POLICY, Kind, Linked

__all__ = ["ByName", "Place", "Scope", "place"]

Scope = Literal["input", "project"]
"""Whose objects are given: whatever a user names, or all of a project."""

Place = str | tuple[str]
"""A namespace; a file in a tuple, for what has none and is applied with the rest of that file."""

_OWNED = frozenset({GATEWAY, GRANT, POLICY})


def place(item: Linked, namespace: str | None) -> Place:
    """The place that an object means by a namespace."""
    return (item.file,) if namespace is None else namespace


class ByName:
    """Objects by kind and name."""

    def __init__(self, objects: Iterable[Linked], scope: Scope = "input") -> None:
        self._scope = scope
        self._kinds: dict[Kind, list[Linked]] = {}
        self._places: dict[tuple[Kind, Place], set[str]] = {}
        self._named: dict[tuple[Kind, str], list[Linked]] = {}
        self._exact: dict[tuple[Kind, Place, str], list[Linked]] = {}
        self._anywhere: dict[tuple[Kind, str], list[Linked]] = {}
        for item in objects:
            where = place(item, item.namespace)
            self._kinds.setdefault(item.kind, []).append(item)
            self._places.setdefault((item.kind, where), set()).add(item.name)
            self._named.setdefault((item.kind, item.name), []).append(item)
            self._exact.setdefault((item.kind, where, item.name), []).append(item)
            if item.namespace is None:
                self._anywhere.setdefault((item.kind, item.name), []).append(item)

    def of(self, kind: Kind) -> Sequence[Linked]:
        """All objects of a kind."""
        return self._kinds.get(kind, ())

    def meant(self, kind: Kind, where: Place, name: str) -> Sequence[Linked]:
        """The objects that a reference means, where that is certain and something can be told of them.

        They are valid, and few: one for each version in which the input holds the object.
        """
        found = self._exact.get((kind, where, name))
        if not found:
            return ()
        others = self._anywhere.get((kind, name), ()) if isinstance(where, str) else self._named.get((kind, name), ())
        if len(found) > _MOST_VERSIONS or len(others) > _MOST_VERSIONS:
            return ()
        certain = all(item.valid for item in found) and all(place(item, item.namespace) == where for item in others)
        return found if certain else ()

    def is_missing(self, kind: Kind, where: Place, name: str) -> bool:
        """Whether there is certainly no such object."""
        if not self.knows(kind, where) or (kind, where, name) in self._exact:
            return False
        return (kind, name) not in (self._anywhere if isinstance(where, str) else self._named)

    def knows(self, kind: Kind, where: Place) -> bool:
        """Whether every object of a kind in a place is among these."""
        return kind in _OWNED if self._scope == "project" else (kind, where) in self._places

    def near(self, kind: Kind, where: Place, name: str) -> str:
        """A hint: what may have been meant."""
        names = self._places.get((kind, where), set())
        if not names or len(names) > _MOST_COMPARED:
            return ""
        if close := difflib.get_close_matches(name, sorted(names), 1):
            return f"did you mean {close[0]}?"
        shown = ", ".join(sorted(names)[:_MOST_SHOWN])
        return f"there: {shown}{f' and {len(names) - _MOST_SHOWN} more' if len(names) > _MOST_SHOWN else ''}"


_MOST_VERSIONS = 16
_MOST_SHOWN = 8
_MOST_COMPARED = 200  # comparing each missing name with every other would take time by the square
