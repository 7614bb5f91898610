"""Kinds of CustomResourceDefinitions that the user names: their schema, defaults and CEL rules.

A definition's *structural schema* becomes JSON Schema; what that cannot say is done here as the API server does it:
nulls are dropped and defaults set before anything is checked, lists that are sets or maps hold no item twice.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from apiops_components.documents import load_all
from apiops_components.errors import NotRunnable, Problem, join_path
from apiops_components.models.base import duration_seconds
from apiops_components.validation.definition_rules import Rules
from apiops_components.validation.files import contents
from apiops_components.validation.metadata import check_metadata
from apiops_components.validation.structure import Structure
from apiops_components.validation.walk import below, get, items, mapping, text

__all__ = ["Definitions", "Version"]

_KEPT = (
    *("enum", "required", "pattern", "minimum", "maximum", "multipleOf", "uniqueItems"),
    *("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"),
)
_BOUNDS = {"int32": 2**31, "int64": 2**63}
_FORMATS = ("date-time", "date", "email", "ipv4", "ipv6", "uri", "uuid", "duration")


@dataclass(frozen=True)
class Version:
    """One version of a kind: what an object of it must be.

    Attributes:
        schema: ``openAPIV3Schema``.
        served: Whether the server takes it.
    """

    schema: Mapping[str, Any]
    served: bool = True

    def check(self, value: Mapping[str, Any]) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        """Problems and warnings of an object."""
        value = with_defaults(value, self.schema)
        structure, warnings = self._structure
        problems = list(check_metadata(value.get("metadata")))
        if not structure.is_valid(value):
            problems += structure.problems(value)
        problems += _repeated(value, self.schema, "", self._lists)
        if not problems or not any(problem.code == "schema/type" for problem in problems):
            broken, unchecked = self._rules.check(value)
            problems += broken
            warnings += unchecked
        return tuple(problems), warnings

    @cached_property
    def _structure(self) -> tuple[Structure, tuple[Problem, ...]]:
        schema = json_schema(self.schema)
        schema["properties"] = {
            **schema.get("properties", {}),
            **{key: {"type": "string"} for key in ("apiVersion", "kind")},
            "metadata": {"type": "object"},
        }
        formats = {"duration": _is_duration}
        try:
            return Structure(schema, formats), ()
        except ValueError:  # a pattern of a dialect that Go's regular expressions know and Rust's do not
            message = "patterns of its definition are not checked: one of them cannot be read"
            return Structure(_without_patterns(schema), formats), (Problem(message, code="definition/pattern"),)

    @cached_property
    def _lists(self) -> set[int]:
        found: set[int] = set()
        _noted(self.schema, found)
        return found

    @cached_property
    def _rules(self) -> Rules:
        return Rules(self.schema)


class Definitions:
    """Kinds by group and name."""

    def __init__(self, kinds: Mapping[tuple[str, str], Mapping[str, Version]]) -> None:
        self._kinds = kinds

    @classmethod
    def read(cls, paths: Iterable[str]) -> Definitions:
        """The definitions in files and folders; other documents there are passed over.

        Raises:
            NotRunnable: A path cannot be read, or holds no definition.
        """
        kinds: dict[tuple[str, str], dict[str, Version]] = {}
        for path in paths:
            before = len(kinds)
            for file, content in contents(path):
                for document in load_all(content, file):
                    for value in _definitions(document.value):
                        group, kind, versions = _read(value, file)
                        kinds[group, kind] = versions
            if len(kinds) == before:
                message = "holds no CustomResourceDefinition"
                raise NotRunnable(Problem(message, file=path, code="definition/none"))
        return cls(kinds)

    def versions(self, group: str, kind: str) -> Mapping[str, Version]:
        """The versions of a kind; none where it is not defined here."""
        return self._kinds.get((group, kind), {})

    def check(
        self, value: Mapping[str, Any], group: str, version: str, kind: str
    ) -> tuple[tuple[Problem, ...], tuple[Problem, ...]] | None:
        """Problems and warnings of an object; None where its kind is not defined here."""
        versions = self.versions(group, kind)
        if not versions:
            return None
        served = [name for name, item in versions.items() if item.served]
        if version not in served:
            message = f"version {version!r} of {kind} is not served by its definition"
            hint = f"write {group}/{served[0]}" if served else ""
            return (Problem(message, "apiVersion", "object/api-version", hint),), ()
        return versions[version].check(value)


def _definitions(value: Any) -> Iterator[Mapping[str, Any]]:
    if text(value, "kind") == "CustomResourceDefinition":
        yield value
    elif text(value, "kind").endswith("List"):
        for _, item in items(value, "", "items"):
            yield from _definitions(item)


def _read(value: Mapping[str, Any], file: str) -> tuple[str, str, dict[str, Version]]:
    group, kind = text(value, "spec", "group"), text(value, "spec", "names", "kind")
    if text(value, "apiVersion") != "apiextensions.k8s.io/v1" or not group or not kind:
        message = "a CustomResourceDefinition of apiextensions.k8s.io/v1 with group and names.kind is expected"
        raise NotRunnable(Problem(message, file=file, code="definition/shape"))
    versions: dict[str, Version] = {}
    for _, version in items(value, "", "spec", "versions"):
        schema = mapping(version, "schema", "openAPIV3Schema")
        if not schema:
            message = f"version {text(version, 'name')} of {kind} has no schema.openAPIV3Schema"
            raise NotRunnable(Problem(message, file=file, code="definition/shape"))
        versions[text(version, "name")] = Version(schema, get(version, "served") is not False)
    return group, kind, versions


def json_schema(schema: Mapping[str, Any], *, strict: bool = True) -> dict[str, Any]:
    """A structural schema in JSON Schema's words; fields that it does not name are refused where ``strict``."""
    made: dict[str, Any] = {key: schema[key] for key in _KEPT if key in schema}
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    elif "type" in schema:
        made["type"] = schema["type"]
    if schema.get("format") in _FORMATS:
        made["format"] = schema["format"]
    if limit := _BOUNDS.get(str(schema.get("format"))):
        made = {"minimum": -limit, "maximum": limit - 1} | made
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if schema.get(exclusive) is True and bound in made:  # OpenAPI 3.0 says whether, JSON Schema says how much
            made[exclusive] = made.pop(bound)
    _add_parts(made, schema, strict=strict)
    if schema.get("nullable"):
        return {"anyOf": [{"type": "null"}, made]} if "enum" in made or "type" not in made else _or_null(made)
    return made


def _or_null(made: dict[str, Any]) -> dict[str, Any]:
    kinds = made["type"] if isinstance(made["type"], list) else [made["type"]]
    return made | {"type": [*kinds, "null"]}


def _add_parts(made: dict[str, Any], schema: Mapping[str, Any], *, strict: bool) -> None:
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        made["properties"] = {key: json_schema(part, strict=strict) for key, part in properties.items()}
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        made["additionalProperties"] = json_schema(extra, strict=strict)
    elif strict and properties and extra is None and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    if schema.get("x-kubernetes-embedded-resource"):
        own: dict[str, Any] = {key: {"type": "string", "minLength": 1} for key in ("apiVersion", "kind")}
        own["metadata"] = {"type": "object"}
        made["properties"] = made.get("properties", {}) | own
        made["required"] = sorted({*made.get("required", ()), "apiVersion", "kind"})
    if isinstance(schema.get("items"), Mapping):
        made["items"] = json_schema(schema["items"], strict=strict)
    for word in ("allOf", "anyOf", "oneOf"):  # they only say more of fields that are named elsewhere
        if isinstance(schema.get(word), list):
            made[word] = [json_schema(part, strict=False) for part in schema[word]]
    if isinstance(schema.get("not"), Mapping):
        made["not"] = json_schema(schema["not"], strict=False)


def _without_patterns(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {
            key: _without_patterns(value)
            for key, value in schema.items()
            if not (key == "pattern" and isinstance(value, str))
        }
    return [_without_patterns(item) for item in schema] if isinstance(schema, list) else schema


def _is_duration(text: str) -> bool:
    try:
        duration_seconds(text.removeprefix("-"))
    except ValueError:
        return text == "0"
    return True


def with_defaults(value: Any, schema: Any) -> Any:
    """The value as the API server takes it: without nulls that mean nothing, with the defaults of its schema."""
    if not isinstance(value, dict | list) or not isinstance(schema, dict):
        return value
    if isinstance(value, dict):
        properties, extra = mapping(schema, "properties"), schema.get("additionalProperties")
        made: dict[str, Any] = {}
        for key, item in value.items():
            part = properties.get(key, extra)
            if item is not None or part is None or get(part, "nullable") is True:
                made[key] = with_defaults(item, part)
        for key, part in properties.items():
            if key not in made and get(part, "default") is not None:
                made[key] = with_defaults(copy.deepcopy(part["default"]), part)
        return made
    part = schema.get("items")
    return [with_defaults(item, part) for item in value]


def _noted(schema: Any, found: set[int]) -> bool:
    """Notes every part of a schema that has a list here or below whose items must differ."""
    if not isinstance(schema, Mapping):
        return False
    parts = [*mapping(schema, "properties").values(), schema.get("additionalProperties"), schema.get("items")]
    noted = [_noted(part, found) for part in parts]  # all of them, not only up to the first
    if any(noted) or schema.get("x-kubernetes-list-type") in ("set", "map"):
        found.add(id(schema))
        return True
    return False


def _repeated(value: Any, schema: Any, path: str, noted: set[int]) -> Iterator[Problem]:
    """Items that are twice in a list that is a set, or a map by the keys of its items."""
    if id(schema) not in noted:
        return
    if isinstance(value, dict):
        properties, extra = mapping(schema, "properties"), get(schema, "additionalProperties")
        for key, item in value.items():
            part = properties.get(key, extra)
            if id(part) in noted:
                yield from _repeated(item, part, below(path, key), noted)
    elif isinstance(value, list):
        kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or ()
        seen: set[str] = set()
        for index, item in enumerate(value):
            if kind in ("set", "map"):
                mark = json.dumps([get(item, key) for key in keys] if kind == "map" else item, sort_keys=True)
                if mark in seen:
                    shown = ", ".join(f"{key} {get(item, key)!r}" for key in keys) if kind == "map" else repr(item)
                    yield Problem(f"{shown} is there twice", f"{path}[{index}]", "schema/duplicate")
                seen.add(mark)
            yield from _repeated(item, schema.get("items"), join_path(path, f"[{index}]"), noted)
