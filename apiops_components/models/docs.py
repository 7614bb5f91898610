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
from pydantic.json_schema import DEFAULT_REF_TEMPLATE, GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

__all__ = ["documented_schema", "field_docs", "settings_file_schema"]


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
    return {name: docs[name] for name in model.model_fields if name in docs}


def documented_schema(model: type[BaseModel], ref_template: str = DEFAULT_REF_TEMPLATE) -> dict[str, Any]:
    """The JSON Schema of a model, each field with its documentation."""
    return model.model_json_schema(ref_template=ref_template, schema_generator=_Documented)


def settings_file_schema(model: type[BaseModel], key: str) -> dict[str, Any]:
    """The JSON Schema of a file `Pulumi.<env>.yaml` that holds the model under a key of its ``config``.

    The name is the file's; keys of other programs, encrypted values and Pulumi's own are left to them.
    """
    settings = documented_schema(model)
    definitions = settings.pop("$defs", {})
    settings["required"] = [name for name in settings.get("required", ()) if name != "name"]
    config = {"type": "object", "properties": {key: settings}}
    return {"type": "object", "properties": {"config": config}, "$defs": definitions}


class _Documented(GenerateJsonSchema):
    """Adds the documentation where the class is known: two classes may have the same name."""

    def generate(self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        """The schema, in JSON Schema's words alone: bounds that stand before a function keep pydantic's otherwise."""
        json_schema = super().generate(schema, mode)
        _say_bounds(json_schema)
        return json_schema

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """What tells the members apart has a default in each of them, but must be said here."""
        json_schema = super().tagged_union_schema(schema)
        if isinstance(schema["discriminator"], str):
            json_schema["required"] = [schema["discriminator"]]
        return json_schema

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        json_schema = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        docs = field_docs(model)
        for name, field in model.model_fields.items():
            described = json_schema.get("properties", {}).get(field.alias or name)
            if described is not None and name in docs:
                described["description"] = docs[name]
        return json_schema


_BOUNDS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}


def _say_bounds(value: Any) -> None:
    if isinstance(value, dict):
        for name, word in _BOUNDS.items():
            if isinstance(value.get(name), int | float):  # else a property of this name
                value[word] = value.pop(name)
        for item in value.values():
            _say_bounds(item)
    elif isinstance(value, list):
        for item in value:
            _say_bounds(item)
