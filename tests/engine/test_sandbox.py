"""The example platform's `sandbox` environment on the real engine, and what the in-process preview says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from apiops_components import Project, render_all
from apiops_components.components.program import preview_programs
from apiops_components.delivery.recording import SECRET, UNKNOWN

pytestmark = pytest.mark.engine

HIDDEN = "[secret]"
UNKNOWN_TO_THE_ENGINE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def comparable(value):
    """Inputs in one notation: secrets and unknowns marked, what only the engine adds left out."""
    if value is SECRET or value == HIDDEN:
        return "<secret>"
    if value is UNKNOWN or value == UNKNOWN_TO_THE_ENGINE:
        return "<unknown>"
    if isinstance(value, dict):
        if "4dabf18193072939515e22adb298388d" in value:  # how the engine wraps a secret
            return "<secret>"
        return {key: comparable(item) for key, item in value.items() if key != "__defaults"}
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    return value


def provider(inputs):
    """A provider's inputs: the engine keeps each as text and adds the version; here it has a folder, no cluster."""
    elsewhere = ("__internal", "version", "renderYamlToDirectory", "kubeconfig", "clusterIdentifier")
    kept = {key: value for key, value in inputs.items() if key not in elsewhere}
    return {key: value if isinstance(value, str) else str(value).lower() for key, value in kept.items()}


@pytest.fixture(scope="module")
def deployed(engine):
    """Both stacks up, in their order."""
    for team in (None, "shop"):
        engine.run("up", "--yes", "--skip-preview", "-s", "sandbox", team=team)
    yield engine
    for team in ("shop", None):
        engine.run("destroy", "--yes", "--skip-preview", "-s", "sandbox", team=team)
    state = [yaml.safe_load(engine.run("stack", "export", "-s", "sandbox", team=team)) for team in ("shop", None)]
    assert [part["deployment"].get("resources", []) for part in state if part["deployment"].get("resources")] == []


def test_the_preview_in_process_and_that_of_the_engine_hold_the_same(engine):
    project = Project.load(engine.project)
    platform, shop = preview_programs(project, "sandbox")
    for program, team in ((platform, None), (shop, "shop")):
        if team is not None:  # its reference needs the platform's stack
            engine.run("up", "--yes", "--skip-preview", "-s", "sandbox")
        there = engine.preview("sandbox", team)
        here = {resource.urn: resource for resource in program.recording.resources if not resource.read}
        there.pop(next(urn for urn in there if "pulumi:pulumi:Stack::" in urn))
        here = {urn: resource for urn, resource in here.items() if "pulumi:pulumi:Stack::" not in urn}
        assert sorted(here) == sorted(there)
        for urn, resource in here.items():
            expected = comparable(there[urn].get("inputs") or {})
            got = comparable(dict(resource.inputs))
            if "pulumi:providers:" in urn:
                got, expected = provider(got), provider(expected)
            assert got == expected, urn
            assert resource.protect == there[urn].get("protect", False), urn
            assert resource.parent == there[urn].get("parent", ""), urn


def test_after_up_nothing_is_left_to_do(deployed):
    for team in (None, "shop"):
        deployed.run("preview", "--expect-no-changes", "-s", "sandbox", team=team)


def test_what_is_deployed_is_what_is_rendered(deployed):
    if deployed.cluster:
        pytest.skip("APIOPS_TEST_KUBECONFIG: the objects are in a cluster, not in a folder")
    files = [file for file in Path(deployed.rendered).rglob("*.yaml") if file.is_file()]
    made = {key(value): value for file in files if (value := yaml.safe_load(file.read_text()))}
    expected = {
        key(manifest.object): manifest.object
        for manifest in render_all(Project.load(deployed.project).descriptions("sandbox"))
    }
    assert sorted(made) == sorted(expected)
    for name, value in expected.items():
        made[name]["metadata"].get("labels", {}).pop("app.kubernetes.io/managed-by", None)
        value["metadata"].get("labels", {}).pop("app.kubernetes.io/managed-by", None)
        made[name]["metadata"].get("annotations", {}).pop("pulumi.com/autonamed", None)
        assert made[name] == value


def key(value):
    return (value["kind"], value["metadata"].get("namespace", ""), value["metadata"]["name"])


def test_the_state_holds_no_secret_in_clear(deployed):
    for team in (None, "shop"):
        assert "sentinel-kubeconfig-token" not in deployed.run("stack", "export", "-s", "sandbox", team=team)
    assert "sentinel-kubeconfig-token" not in deployed.run("stack", "output", "-s", "sandbox", "--json")


def test_settings_that_break_the_model_are_one_clear_error(engine):
    file = engine.project / "stacks/config/Pulumi.sandbox.yaml"
    text = file.read_text()
    file.write_text(text.replace("delivery: direct", "delivery: directly"))
    try:
        said = engine.run("preview", "-s", "sandbox", code=1)
    finally:
        file.write_text(text)
    assert "teams.shop.delivery" in said
    assert "Traceback" not in said
