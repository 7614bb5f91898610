"""Reaches into plain data that may have any shape: the rules ask, and what is not there gives no answer.

A wrong type is the schema's problem to report; a rule about it stays silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apiops_components.errors import Problem, format_path, join_path

__all__ = ["below", "choice", "duplicates", "get", "integer", "is_larger", "items", "mapping", "text", "without_nulls"]


def get(value: Any, *steps: str) -> Any:
    """The value at a path of keys, or None."""
    for step in steps:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def mapping(value: Any, *steps: str) -> Mapping[str, Any]:
    """The mapping at a path of keys, or an empty one."""
    found = get(value, *steps)
    return found if isinstance(found, Mapping) else {}


def text(value: Any, *steps: str) -> str:
    """The string at a path of keys, or an empty one."""
    found = get(value, *steps)
    return found if isinstance(found, str) else ""


def integer(value: Any, *steps: str) -> int | None:
    """The whole number at a path of keys, or None."""
    found = get(value, *steps)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def items(value: Any, path: str, *steps: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Path and value of each mapping in the list at a path of keys below ``path``."""
    found = get(value, *steps)
    if isinstance(found, list):
        where = join_path(path, *steps)
        for index, item in enumerate(found):
            if isinstance(item, Mapping):
                yield f"{where}[{index}]", item


def below(path: str, key: str) -> str:
    """The path of a key that may hold any characters."""
    return join_path(path, format_path([key]))


def choice(value: Any, path: str, field: str, allowed: tuple[str, ...], code: str) -> Iterator[Problem]:
    """The field, where it is there, is one of a few words."""
    found = get(value, field)
    if isinstance(found, str) and found not in allowed:
        near = next((word for word in allowed if word.lower() == found.lower()), "")
        hint = f"did you mean {near}?" if near else ""
        listed = ", ".join(allowed)
        yield Problem(f"one of {listed} is expected, got {found!r}", join_path(path, field), code, hint)


def duplicates(found: list[tuple[str, Any]], what: str, code: str) -> Iterator[Problem]:
    """Every text that was there before; pairs of path and value."""
    seen: dict[str, str] = {}
    for path, value in found:
        if not isinstance(value, str):
            continue
        if value in seen:
            yield Problem(f"{what} {value!r} is there twice, first at {seen[value]}", path, code)
        else:
            seen[value] = path


def is_larger(value: Any, limit: int) -> bool:
    """Whether a value holds more than so many values, what is shared by aliases counted each time."""
    found = [value]
    for item in found:  # which grows
        if isinstance(item, dict):
            found += item.values()
        elif isinstance(item, list):
            found += item
        if len(found) > limit:
            return True
    return False


def without_nulls(value: Any) -> Any:
    """The value as the API server takes it: a field that is null is no field."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
