from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import apiops_components

PACKAGE = Path(apiops_components.__file__).parent
NAME = PACKAGE.name


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def within(module: str, *packages: str) -> bool:
    return any(f"{module}.".startswith(f"{NAME}.{package}.") for package in packages)


# What may register resources, and what is there to test that.
PURE = [module for module in FILES if not within(module, "components", "plugin", "testing.pulumi")]

_REFUSING = """
import importlib, json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0].startswith(REFUSED):
            raise ImportError(f"{name} is imported")

sys.meta_path.insert(0, Refuse())
found = {}
for module in MODULES:
    try:
        importlib.import_module(module)
    except ImportError as error:
        found[module] = str(error)
print(json.dumps(found))
"""


def run(program: str, *options: str) -> str:
    done = subprocess.run([sys.executable, *options, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(modules: list[str], *names: str) -> dict[str, str]:
    """Which of the modules cannot be imported in a new interpreter that refuses to import what begins with a name."""
    return json.loads(run(f"MODULES = {modules!r}\nREFUSED = {names!r}\n{_REFUSING}"))


@pytest.fixture(scope="module")
def impure() -> dict[str, str]:
    return refused(PURE, "pulumi")


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_is_imported_without_pulumi(impure, module):
    assert impure.get(module) is None


def test_what_registers_resources_does_import_pulumi():
    assert refused([f"{NAME}.components.team"], "pulumi") == {f"{NAME}.components.team": "pulumi is imported"}


def test_the_root_imports_none_of_the_libraries():
    libraries = ("pulumi", "pydantic", "click", "rich", "yaml", "cel_expr_python")
    assert refused([NAME, f"{NAME}.versions", f"{NAME}.errors"], *libraries) == {}
    loaded = set(run(f"import {NAME}, sys; print(*sys.modules)").split())
    assert not {name for name in loaded if name.split(".")[0] in libraries}
    assert {name for name in loaded if name.startswith(NAME)} == {NAME}


def test_one_model_costs_one_model():
    loaded = set(run(f"from {NAME} import Route; import sys; print(*sys.modules)").split())
    assert {
        name for name in loaded if name.split(".")[0] in ("pulumi", "click", "rich", "yaml", "cel_expr_python")
    } == set()
    assert {name.removeprefix(f"{NAME}.") for name in loaded if name.startswith(f"{NAME}.models.")} == {
        "models.base",
        "models.filters",
        "models.match",
        "models.route",
    }


def test_a_policy_without_expressions_does_not_load_the_type_checker():
    program = f"from {NAME} import Deny, Rule, TrafficPolicy; TrafficPolicy(on_http_request=(Rule(actions=(Deny(),)),))"
    assert "cel_expr_python" not in run(f"{program}; import sys; print(*sys.modules)")


def test_help_loads_click_alone():
    program = (
        f"import sys; from {NAME}.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Usage: apiopsctl" in done.stdout
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "click" in loaded
    assert not loaded & {"pulumi", "pydantic", "rich", "yaml", "cel_expr_python", "hypothesis"}


def test_hypothesis_is_imported_by_the_strategies_alone():
    strategies = [f"{NAME}.testing.{module}" for module in ("hosts", "names", "policies", "strategies")]
    importing = [module for module, file in FILES.items() if "hypothesis" in file.read_text()]
    assert importing == strategies
    assert list(refused([f"{NAME}.testing", f"{NAME}.testing.pulumi", *strategies], "hypothesis")) == strategies


# --- layers --------------------------------------------------------------------------------------------------------

# Each may import itself and what stands before it.
LAYERS = [
    ("versions", "errors", "extras", "scalars", "emitter", "importing"),
    ("block",),
    ("documents",),
    ("models",),
    ("render",),
    ("semantics",),
    ("guardrails",),
    ("charts", "project", "validation", "delivery", "integrations"),
    ("components",),
    ("sandbox",),
    ("testing", "cli"),
]
LAYER = {package: number for number, packages in enumerate(LAYERS) for package in packages}


def imports(file: Path) -> Iterator[str]:
    """Modules of this package that a file imports, anywhere in it but for type checkers only."""

    def walk(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}:{node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    yield from (name for name in walk(ast.parse(file.read_text())) if name.startswith(f"{NAME}."))


@pytest.mark.parametrize("module", [module for module in FILES if module != NAME])
def test_imports_go_to_the_left_only(module):
    own = module.split(".")[1]
    assert own in LAYER, "say in which layer the new package is"
    reached = {found.split(".")[1] for found in imports(FILES[module])} - {"__version__"}
    assert {found: LAYER[found] for found in reached if LAYER[found] > LAYER[own]} == {}


@pytest.mark.parametrize("module", FILES)
def test_annotations_are_read_late_but_where_they_are_read_at_once(module):
    text = FILES[module].read_text()
    late = "from __future__ import annotations" in text
    if within(module, "components"):
        assert not late, "Pulumi reads the annotations of components when their class is made"
    elif within(module, "models"):
        return  # pydantic reads them, too; the models that every route needs start faster without
    elif module != NAME and ("def " in text or "class " in text):
        assert late


@pytest.mark.parametrize(
    ("library", "only"),
    [
        ("pulumi_gcp", ("components.gke",)),
        ("pulumi_command", ("components.minikube",)),
        ("pulumi_gitlab", ("components.gitlab",)),
        ("yaml", ("documents",)),
    ],
)
def test_a_library_is_imported_in_its_place_only(library, only):
    users = {
        module.removeprefix(f"{NAME}.")
        for module, file in FILES.items()
        for node in ast.walk(ast.parse(file.read_text()))
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == library for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == library)
    }
    assert users == {user for user in users if user.startswith(only)}
    assert users
