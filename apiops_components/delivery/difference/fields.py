"""The difference of two objects, field by field, as Kubernetes reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from apiops_components.delivery.difference.hidden import Hidden
from apiops_components.delivery.difference.lists import list_rule
from apiops_components.errors import InvalidInput, format_path
from apiops_components.models.quantity import quantity_value

__all__ = ["FieldChange", "differences"]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that is not the same.

    Attributes:
        path: Such as ``spec.template.spec.containers[name=orders].image``.
        what: What became of it.
        before: Its value; None where it was not there.
        after: Its value; None where it is not there any more.
        names: The path without places in lists.
    """

    path: str
    what: Literal["added", "removed", "changed", "reordered"]
    before: Any
    after: Any
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    kind: str
    text: str = ""
    names: tuple[str, ...] = ()

    def field(self, name: str) -> _Place:
        part = format_path([name])
        text = part if not self.text else f"{self.text}{part}" if part.startswith("[") else f"{self.text}.{part}"
        return _Place(self.kind, text, (*self.names, name))

    def item(self, which: str) -> _Place:
        return _Place(self.kind, f"{self.text}[{which}]", self.names)

    def change(self, before: Any, after: Any) -> FieldChange:
        what: Any = "added" if before is None else "removed" if after is None else "changed"
        return FieldChange(self.text, what, before, after, self.names)


def differences(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """All fields that are not the same; a field that is null is one that is not there."""
    return tuple(_mappings(_Place(kind), before, after))


def _values(place: _Place, before: Any, after: Any) -> Iterator[FieldChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _mappings(place, before, after)
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        yield from _lists(place, before, after)
    elif not (before == after and isinstance(before, bool) == isinstance(after, bool)) and not _same_quantity(
        place, before, after
    ):
        yield place.change(before, after)


def _mappings(place: _Place, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    for name in [*before, *(name for name in after if name not in before)]:
        yield from _values(place.field(str(name)), before.get(name), after.get(name))


# --- lists -----------------------------------------------------------------------------------------------------------


def _lists(place: _Place, before: Sequence[Any], after: Sequence[Any]) -> Iterator[FieldChange]:
    rule = list_rule(place.kind, place.names)
    old, new = _by_key(rule.keys, before), _by_key(rule.keys, after)
    if old is not None and new is not None:
        yield from _keyed(place, old, new, ordered=rule.ordered)
    elif not rule.ordered:
        yield from _sets(place, before, after)
    elif all(not isinstance(item, Mapping | list) for item in (*before, *after)):
        if list(before) != list(after):
            yield place.change(before, after)
    else:
        yield from _sequences(place, before, after)


def _by_key(keys: tuple[str, ...], items: Sequence[Any]) -> dict[str, Any] | None:
    """The items by their key; None where they have none, or share one."""
    if not keys:
        return None
    found = {}
    for item in items:
        if not isinstance(item, Mapping) or all(item.get(key) is None for key in keys):
            return None
        name = ",".join(f"{key}={item[key]}" for key in keys if item.get(key) not in (None, ""))
        if name in found:
            return None
        found[name] = item
    return found


def _keyed(place: _Place, old: Mapping[str, Any], new: Mapping[str, Any], *, ordered: bool) -> Iterator[FieldChange]:
    for name in [*old, *(name for name in new if name not in old)]:
        yield from _values(place.item(name), old.get(name), new.get(name))
    if ordered:
        before, after = [name for name in old if name in new], [name for name in new if name in old]
        if before != after:
            first, then = ([name.partition("=")[2] for name in names] for names in (before, after))
            yield FieldChange(place.text, "reordered", first, then, place.names)


def _sets(place: _Place, before: Sequence[Any], after: Sequence[Any]) -> Iterator[FieldChange]:
    """What is in one and not in the other, each as often as it is there; a single one on each side is one changed."""
    new: list[tuple[int, Any]] = list(enumerate(after))
    gone: list[tuple[int, Any]] = []
    for index, item in enumerate(before):
        same = next((position for position, (_, other) in enumerate(new) if item == other), None)
        if same is None:
            gone.append((index, item))
        else:
            del new[same]
    if len(gone) == len(new) == 1 and isinstance(gone[0][1], Mapping) and isinstance(new[0][1], Mapping):
        yield from _values(place.item(str(gone[0][0])), gone[0][1], new[0][1])
        return
    yield from (place.item(str(index)).change(item, None) for index, item in gone)
    yield from (place.item(str(index)).change(None, item) for index, item in new)


def _sequences(place: _Place, before: Sequence[Any], after: Sequence[Any]) -> Iterator[FieldChange]:
    """Items in an order that counts: those in between that are new or gone do not make all later ones changed."""
    old, new = [_text(item) for item in before], [_text(item) for item in after]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        paired = min(i2 - i1, j2 - j1)
        for offset in range(paired):
            yield from _values(place.item(str(j1 + offset)), before[i1 + offset], after[j1 + offset])
        for index in range(i1 + paired, i2):
            yield place.item(str(index)).change(before[index], None)
        for index in range(j1 + paired, j2):
            yield place.item(str(index)).change(None, after[index])


def _text(item: Any) -> str:
    return json.dumps(item, sort_keys=True, default=lambda other: repr(getattr(other, "value", other)))


# --- quantities ------------------------------------------------------------------------------------------------------

_QUANTITIES = frozenset({"limits", "requests", "capacity", "hard"})
_QUANTITY = frozenset({"sizeLimit"})


def _same_quantity(place: _Place, before: Any, after: Any) -> bool:
    """``1000m`` and ``1``: the same amount, written otherwise."""
    is_one = _QUANTITY.intersection(place.names[-1:]) or _QUANTITIES.intersection(place.names[-2:-1])
    if not is_one or any(value is None or isinstance(value, bool | Hidden) for value in (before, after)):
        return False
    try:
        return quantity_value(str(before)) == quantity_value(str(after))
    except (InvalidInput, ValueError):
        return False
