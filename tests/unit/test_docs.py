from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, Field

import apiops_components
from apiops_components import models
from apiops_components.models.docs import documented_schema, field_docs
from apiops_components.models.policy.actions import ACTIONS


def classes() -> list[type[BaseModel]]:
    found = []
    for module in pkgutil.walk_packages(models.__path__, f"{models.__name__}."):
        loaded = importlib.import_module(module.name)
        found += [
            cls
            for _, cls in inspect.getmembers(loaded, inspect.isclass)
            if issubclass(cls, BaseModel) and cls.__module__ == module.name
        ]
    return found


MODELS = classes()
PUBLIC = [
    found
    for name in apiops_components.__all__
    if isinstance(found := getattr(apiops_components, name), type) and issubclass(found, BaseModel)
]


def identity(cls: type[BaseModel]) -> str:
    return f"{cls.__module__.removeprefix('apiops_components.models.')}.{cls.__name__}"


def undocumented(schema: Any, path: str = "") -> Iterator[str]:
    """Every property of a schema, at any depth, that has no description."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict) and schema.get("type") == "object":
            yield from (f"{path}.{key}" for key, value in properties.items() if not value.get("description"))
        for key, value in schema.items():
            yield from undocumented(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from undocumented(value, f"{path}[{index}]")


@pytest.mark.parametrize("cls", MODELS, ids=identity)
def test_every_model_and_every_field_has_its_docstring(cls):
    assert cls.__dict__.get("__doc__") or cls.__name__.startswith("_"), "no docstring"
    assert [name for name in cls.model_fields if not field_docs(cls).get(name)] == []


@pytest.mark.parametrize("cls", PUBLIC, ids=identity)
def test_the_schema_of_every_public_model_describes_every_field(cls):
    assert list(undocumented(documented_schema(cls))) == []


@pytest.mark.parametrize("cls", PUBLIC, ids=identity)
def test_the_schema_of_every_public_model_refers_to_what_is_in_it(cls):
    schema = documented_schema(cls)

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    assert {found.removeprefix("#/$defs/") for found in references(schema)} <= set(schema.get("$defs", {}))


class Local(BaseModel):
    documented: int = 0
    """What it is,
    on two lines."""
    missing: int = 0
    renamed: int = Field(default=0, alias="reNamed")
    """Renamed."""


class Below(Local):
    constant: ClassVar[int] = 0
    """No field."""
    own: Local | None = None
    """Its own."""


def test_what_stands_below_a_field_is_its_documentation():
    assert field_docs(Local) == {"documented": "What it is, on two lines.", "renamed": "Renamed."}
    assert field_docs(Below) == field_docs(Local) | {"own": "Its own."}


def test_a_field_without_documentation_is_found():
    schema = documented_schema(Below)
    assert sorted(undocumented(schema)) == [".missing", "/$defs/Local.missing"]
    assert schema["properties"]["reNamed"]["description"] == "Renamed."


def test_two_classes_of_one_name_keep_their_own_documentation():
    names = [cls.__name__ for cls in MODELS]
    twice = {name for name in names if names.count(name) > 1}
    for cls in (cls for cls in MODELS if cls.__name__ in twice):
        described = documented_schema(cls)["properties"]
        docs = field_docs(cls)
        assert {name: described[field.alias or name]["description"] for name, field in cls.model_fields.items()} == docs


def test_actions_are_described_as_ngrok_writes_them():
    schema = documented_schema(apiops_components.Rule)
    branches = {one["properties"]["type"]["const"]: one for one in schema["properties"]["actions"]["items"]["oneOf"]}
    assert set(branches) == set(ACTIONS)
    assert branches["deny"]["required"] == ["type"]
    assert branches["rate-limit"]["required"] == ["type", "config"]
    rate = branches["rate-limit"]["properties"]["config"]["properties"]["rate"]
    assert rate["description"] == field_docs(ACTIONS["rate-limit"])["rate"]
    token = branches["jwt-validation"]["properties"]["config"]["properties"]["http"]["properties"]["tokens"]["items"]
    assert token["properties"]["method"]["description"].startswith("A header, or a field of the body")
