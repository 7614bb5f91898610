"""The texts of an action that ngrok evaluates, found by the marks of its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from apiops_components.models.policy.fields import Evaluated

__all__ = ["Text", "evaluated"]

Text = tuple[tuple[str | int, ...], str, Literal["template", "expression", "retry"]]
"""A piece of user's text in an action that ngrok evaluates: where, what, and how it is read.

``template`` is text with ``${…}`` in it, ``expression`` bare CEL of any type; ``retry`` is a condition in bare CEL that
sees ``attempts`` and ``last_attempt`` besides the phase's variables (``retry_condition`` of http-request).
"""

_Place = tuple[str | int, ...]
_Walk = Callable[[Any, _Place, list[Text]], None]
"""Adds the texts in a value, which stands in a place, to a list: generators within generators take twice the time."""


def evaluated(model: BaseModel) -> Sequence[Text]:
    """Every marked text of a model, in the order of its fields."""
    found: list[Text] = []
    _add(model, (), found)
    return found


def _add(model: BaseModel, place: _Place, found: list[Text]) -> None:
    values = model.__dict__
    for name, key, walk in _walks(type(model)):
        value = values[name]
        if value is not None:
            walk(value, (*place, key), found)


@cache
def _walks(model: type[BaseModel]) -> tuple[tuple[str, str, _Walk], ...]:
    """The fields that can hold such text: name, name in a document, and how the text is found. Read once a class."""
    found = []
    for name, field in model.model_fields.items():
        annotation: Any = field.annotation
        walk = _walk(Annotated[annotation, *field.metadata] if field.metadata else annotation)
        if walk is not None:
            found.append((name, field.alias or name, walk))
    return tuple(found)


def _walk(annotation: Any) -> _Walk | None:
    """How texts are found in a value of this type; None where it holds none."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        how = next((mark.how for mark in marks if isinstance(mark, Evaluated)), None)
        return _walk(inner) if how is None else _WALKS[how]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _add if _walks(annotation) else None
    walks = [walk for argument in get_args(annotation) if (walk := _walk(argument)) is not None]
    if not walks:
        return None
    if get_origin(annotation) is tuple:
        return partial(_add_items, walks[0])
    return walks[0]  # an optional value


def _add_items(walk: _Walk, value: Any, place: _Place, found: list[Text]) -> None:
    for index, item in enumerate(value):
        walk(item, (*place, index), found)


def _strings(how: Literal["template", "expression", "retry"]) -> _Walk:
    """Adds a text, or every one in a list or mapping."""

    def add(value: Any, place: _Place, found: list[Text]) -> None:
        if isinstance(value, str):
            found.append((place, value, how))
        elif isinstance(value, Mapping):
            for key, item in value.items():
                add(item, (*place, key), found)
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                add(item, (*place, index), found)

    return add


_WALKS: Mapping[str, _Walk] = {
    "template": _strings("template"),
    "expression": _strings("expression"),
    "retry": _strings("retry"),
}
