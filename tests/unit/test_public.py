from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

import apiops_components

ROOT = Path(apiops_components.__file__)


def for_type_checkers() -> dict[str, str]:
    """Name to module, as the block for type checkers imports them."""
    (block,) = (node for node in ast.parse(ROOT.read_text()).body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name: str(statement.module)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


def at_run_time() -> dict[str, str]:
    return {
        name: f"apiops_components.{module}"
        for module, names in apiops_components._MODULES.items()
        for name in names.split()
    }


def test_names_are_sorted_and_there_once():
    assert apiops_components.__all__ == sorted(set(apiops_components.__all__))


def test_type_checkers_and_programs_see_the_same_names_from_the_same_modules():
    assert for_type_checkers() == at_run_time()
    assert sorted(at_run_time()) == apiops_components.__all__
    assert sum(len(names.split()) for names in apiops_components._MODULES.values()) == len(apiops_components.__all__)


MODULES = {path.stem for path in ROOT.parent.iterdir() if path.is_dir() or path.suffix == ".py"}


def test_no_public_name_is_the_name_of_a_module():
    assert MODULES.isdisjoint(apiops_components.__all__)


# What an expression begins with is a value, and no class or function with a name of its own.
VALUES = {"client_ip", "conn", "endpoint", "now", "req", "res", "var"}


@pytest.mark.parametrize("name", sorted({*apiops_components.__all__} - MODULES))
def test_every_public_name_is_there_and_documented(name):
    value = getattr(apiops_components, name)
    assert value is getattr(apiops_components, name)
    if name in VALUES:
        assert type(value).__module__.startswith("apiops_components.models.policy.")
        assert type(value).__dict__.get("__doc__"), "a base's docstring says nothing about this value"
        return
    assert value.__name__ == name
    if not (isinstance(value, type) and issubclass(value, BaseModel)):
        assert value.__doc__
    else:
        assert value.__dict__.get("__doc__"), "a base's docstring says nothing about this model"


@pytest.mark.parametrize("name", apiops_components.__all__)
def test_every_public_name_is_public_where_it_comes_from(name):
    module = importlib.import_module(at_run_time()[name])
    assert name in getattr(module, "__all__", [name])


def test_a_name_that_is_not_there_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'apiops_components' has no attribute 'Nope'"):
        _ = apiops_components.Nope
    with pytest.raises(ImportError):
        exec("from apiops_components import Nope")  # noqa: S102
    assert not hasattr(apiops_components, "__path_of_nothing__")


def test_dir_shows_what_is_public():
    assert dir(apiops_components) == sorted([*apiops_components.__all__, "__version__"])


def test_a_star_import_gives_exactly_the_public_names():
    program = "before = set(dir()); from apiops_components import *; print(*sorted(set(dir()) - before - {'before'}))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == apiops_components.__all__


def test_the_package_says_that_it_is_typed():
    assert (ROOT.parent / "py.typed").is_file()
