"""The documentation of models' fields, read from the string below each, and put into their JSON Schema.

Pydantic can do it when a class is made, but then every import pays for what only ``schema`` shows.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

__all__ = ["documented_schema", "field_docs"]


@cache
def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """The string below each field, inherited fields included; white space folded."""
    docs: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not issubclass(cls, BaseModel) or cls is BaseModel:
            continue
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        body = node.body if isinstance(node, ast.ClassDef) else []
        for statement, after in pairwise(body):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                docs[statement.target.id] = " ".join(after.value.value.split())
    return docs


def documented_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model, each field with its documentation."""
    schema = model.model_json_schema()
    classes = {cls.__name__: cls for cls in _subclasses(BaseModel)}
    for name, part in {model.__name__: schema, **schema.get("$defs", {})}.items():
        cls = classes.get(name)
        if cls is None:
            continue
        for field, text in field_docs(cls).items():
            info = cls.model_fields.get(field)
            target = part.get("properties", {}).get((info.alias if info else None) or field)
            if target is not None:
                target["description"] = text
    return schema


def _subclasses(cls: type[BaseModel]) -> list[type[BaseModel]]:
    found = [sub for sub in cls.__subclasses__() if sub.__module__.startswith("apiops_components.")]
    other = [sub for sub in cls.__subclasses__() if sub not in found]
    return [*found, *(deeper for sub in (*found, *other) for deeper in _subclasses(sub))]
