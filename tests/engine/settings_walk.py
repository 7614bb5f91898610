"""The settings that a model has, and those that a change touches, by their paths."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel


def fields(model: type[BaseModel], at: str = "", whole: Sequence[Any] = ()) -> Iterator[str]:
    """Each field, and in its place those of the models that it holds; types in ``whole`` count as one setting."""
    for name, field in model.model_fields.items():
        path = f"{at}.{name}" if at else name
        inner = [] if field.annotation in whole else list(_models(field.annotation))
        for part in inner:
            yield from fields(part, path, whole)
        if not inner:
            yield path


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        for argument in typing.get_args(annotation):
            yield from _models(argument)


def paths(change: Any, at: str = "", whole: Sequence[str] = ("values", "repositories", "variables")) -> Iterator[str]:
    """The paths of what a change names; below the fields in ``whole`` it names one."""
    items = change if isinstance(change, list) and all(isinstance(item, Mapping) for item in change) else [change]
    for item in items:
        if isinstance(item, Mapping) and at.rpartition(".")[2] not in whole:
            for key, value in item.items():
                yield from paths(value, f"{at}.{key}" if at else key, whole)
        else:
            yield at
