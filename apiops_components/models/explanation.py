"""What a model or one of its fields is, read from its documented JSON Schema: type, default, limits, words."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from apiops_components.models.docs import documented_schema

__all__ = ["Explanation", "explain"]

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The documentation of a model or a field."""

    name: str
    """``RateLimit`` or ``RateLimit.capacity``."""
    type: str
    """In words: ``list of string``."""
    required: bool
    """Whether it must be given; true for a model itself."""
    default: Any
    """What holds where it is not given; None where nothing does."""
    constraints: tuple[str, ...]
    """Its limits, in words."""
    description: str
    """The string below it in the source."""
    about: str
    """What its type says of itself, where that is a model of its own."""
    fields: tuple[Explanation, ...]
    """What it has below it, one level."""


def explain(model: type[BaseModel], name: str, path: Sequence[str]) -> Explanation:
    """The documentation of the field at ``path`` of a model that is called ``name``; of the model without a path.

    Lists and mappings are passed through: ``JwtValidation.issuer.allow_list.value``. Names are taken as Python and as
    documents write them.

    Raises:
        LookupError: No such field; the message names the nearest.
    """
    whole = documented_schema(model)
    schema: Schema = whole
    required = True
    for part in path:
        fields = dict(_fields(schema, whole))
        key = next((key for key in (part, to_camel(part), part.rstrip("_")) if key in fields), None)
        if key is None:
            raise LookupError(_unknown(name, part, list(fields)))
        schema, required = fields[key]
        name = f"{name}.{key}"
    below = tuple(_one(key, found, whole, required=must) for key, (found, must) in _fields(schema, whole))
    return _one(name, schema, whole, required=required, fields=below)


def _one(
    name: str, schema: Schema, whole: Schema, *, required: bool, fields: tuple[Explanation, ...] = ()
) -> Explanation:
    described = str(schema.get("description", "")).strip()
    about = next((part.get("description", "") for part in _objects(schema, whole) if part is not schema), "")
    constraints = tuple(dict.fromkeys(text for part in _parts(schema) for text in _constraints(part)))
    return Explanation(
        name, _type(schema), required, schema.get("default"), constraints, described, about.strip(), fields
    )


def _unknown(name: str, part: str, known: Sequence[str]) -> str:
    if not known:
        return f"{name} has no fields"
    near = difflib.get_close_matches(part, known, 1)
    return f"{name} has no field {part!r}; " + (f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}")


# --- finding the way through a schema --------------------------------------------------------------------------------


def _parts(schema: Schema) -> Iterator[Schema]:
    """The schema itself and its alternatives, that of nothing left out."""
    yield schema
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if choice.get("type") != "null":
            yield from _parts(choice)


def _objects(schema: Schema, whole: Schema) -> Iterator[Schema]:
    """What has properties: the schema itself, what it refers to, and what its lists and mappings hold."""
    for part in _parts(schema):
        if "$ref" in part:
            yield from _objects(whole["$defs"][part["$ref"].rsplit("/", 1)[1]], whole)
        elif "properties" in part:
            yield part
        for inner in (part.get("items"), part.get("additionalProperties")):
            if isinstance(inner, Mapping):
                yield from _objects(inner, whole)


def _fields(schema: Schema, whole: Schema) -> Iterator[tuple[str, tuple[Schema, bool]]]:
    """Name, schema and necessity of each field; a list of actions has the actions' names in their place."""
    seen: set[str] = set()
    for found in _objects(schema, whole):
        properties = found["properties"]
        kind = properties.get("type", {}).get("const")
        if kind is not None and properties.keys() == {"type", "config"}:
            yield kind, (properties["config"], False)
            continue
        for name, field in properties.items():
            if name not in seen:
                seen.add(name)
                yield name, (field, name in found.get("required", ()))


# --- words -----------------------------------------------------------------------------------------------------------


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return " | ".join(map(repr, schema["enum"]))
    choices = [choice for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())) if choice != {"type": "null"}]
    if choices:
        return " | ".join(dict.fromkeys(map(_type, choices)))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"mapping of {_type(values)}" if isinstance(values, Mapping) else str(schema.get("title", "mapping"))
    return " | ".join(kind) if isinstance(kind, list) else str(kind)


_CEL = {
    "template": "${…} in it is evaluated",
    "expression": "bare CEL, without ${}",
    "retry": "bare CEL over attempts and last_attempt",
}


def _constraints(schema: Schema) -> Iterator[str]:
    for low, high, what in (
        ("minimum", "maximum", ""),
        ("x-minimum", "x-maximum", ""),
        ("minLength", "maxLength", "characters"),
        ("minItems", "maxItems", "entries"),
        ("minProperties", "maxProperties", "entries"),
    ):
        yield from _bounds(schema.get(low), schema.get(high), what)
    for key, text in (
        ("exclusiveMinimum", "more than {}"),
        ("exclusiveMaximum", "less than {}"),
        ("multipleOf", "a multiple of {}"),
        ("x-multiple-of", "a multiple of {}"),
        ("pattern", "matches {}"),
        ("format", "format {}"),
    ):
        if key in schema:
            yield text.format(schema[key])
    if schema.get("x-cel") in _CEL:
        yield _CEL[schema["x-cel"]]
    for inner in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, Mapping):
            yield from (f"each {text}" for part in _parts(inner) for text in _constraints(part))


def _bounds(low: Any, high: Any, what: str) -> Iterator[str]:
    unit = f" {what}" if what else ""
    one = {"characters": " character", "entries": " entry"}.get(what, unit) if low == 1 else unit
    if low is not None and low == high:
        yield f"exactly {low}{one}"
    elif low is not None and high is not None:
        yield f"{low} to {high}{unit}"
    elif low is not None:
        yield f"at least {low}{one}"
    elif high is not None:
        yield f"at most {high}{unit}"
