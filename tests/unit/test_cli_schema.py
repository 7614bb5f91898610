from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from pydantic import BaseModel

import apiops_components
from apiops_components.cli import main
from apiops_components.errors import InvalidInput
from apiops_components.models.docs import settings_file_schema
from apiops_components.project import parse_environment
from apiops_components.validation.modelled import MODELLED

ROOT = Path(__file__).parents[2]


def schema(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["schema", *arguments])
    return ended.value.code, capsys.readouterr()


def test_without_a_model_it_lists_every_public_model(capsys):
    code, (out, err) = schema(capsys)
    names = out.split()

    assert (code, err) == (0, "")
    assert names == sorted({*models(), *KINDS})
    assert {"ApiGatewaySpec", "Environment", "TrafficPolicy", "GkeSpec"} <= set(names)
    assert not {"ApiGateway", "render", "Project", "InvalidInput", "Policy", "rate_limit", "req"} & set(names)


KINDS = sorted(kind for _, kind in MODELLED)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_a_schema_of_what_is_modelled_of_it(capsys, kind):
    code, (out, err) = schema(capsys, kind)
    found = json.loads(out)

    assert (code, err) == (0, "")
    assert found["required"] == ["spec"] == list(found["properties"])
    assert set(references(found)) <= {f"#/$defs/{name}" for name in found.get("$defs", ())}


def test_an_action_goes_by_ngroks_name(capsys):
    assert schema(capsys, "rate-limit") == schema(capsys, "RateLimit")


def models():
    """The public models; what makes them, or an expression, has no schema."""
    public = {name: getattr(apiops_components, name) for name in apiops_components.__all__}
    return sorted(name for name, found in public.items() if isinstance(found, type) and issubclass(found, BaseModel))


@pytest.mark.parametrize("name", models())
def test_each_model_has_a_schema_whose_references_lead_somewhere(capsys, name):
    code, (out, err) = schema(capsys, name)
    found = json.loads(out)

    assert (code, err) == (0, "")
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["type"] == "object"
    for reference in references(found):
        target = found
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        assert isinstance(target, dict)


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_fields_are_documented(capsys):
    _, (out, _) = schema(capsys, "Environment")
    properties = json.loads(out)["properties"]

    assert all(field.get("description") for field in properties.values())
    assert json.loads(out)["additionalProperties"] is False
    assert {"owner", "cluster"} <= set(json.loads(out)["required"])


def test_an_unknown_model_is_2_and_names_the_nearest(capsys):
    code, (out, err) = schema(capsys, "Enviroment")

    assert (code, out) == (2, "")
    assert "did you mean Environment?" in err


@pytest.mark.parametrize("name", ["render", "Policy", "openid_connect", "req"])
def test_what_is_no_model_is_2(capsys, name):
    code, (out, err) = schema(capsys, name)

    assert (code, out) == (2, "")
    assert f"unknown model {name!r}; " in err


def test_where_no_model_is_near_the_list_of_them_is_named(capsys):
    assert "`apiopsctl schema` lists the models" in schema(capsys, "render")[1].err


CHARTS = {"chart": {"path": "charts/argo-cd"}}
GKE = {"name": "acme-prod", "project": "acme-prod", "region": "europe-west1"}


@pytest.fixture(scope="module")
def wrong():
    """What an editor would mark in settings: the place of each problem."""
    environment = importlib.import_module("apiops_components.models.environment").Environment
    schema = settings_file_schema(environment, "apiops:environment")
    validator = jsonschema_rs.validator_for(schema)

    def found(settings):
        file = {"config": {"apiops:environment": {"owner": "platform@example.com", **settings}}}
        return [".".join(map(str, error.instance_path[2:])) for error in validator.iter_errors(file)]

    return found


@pytest.mark.parametrize("env", ["dev", "sandbox", "staging", "prod"])
def test_the_schema_of_the_file_takes_the_example_s_settings(capsys, env):
    code, (out, err) = schema(capsys, "Environment", "--file")
    settings = yaml.safe_load((ROOT / f"stacks/config/Pulumi.{env}.yaml").read_text())

    assert (code, err) == (0, "")
    assert list(jsonschema_rs.validator_for(json.loads(out)).iter_errors({"encryptionsalt": "v1:x", **settings})) == []


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        ({"cluster": {"kind": "minikube", "nodes": 3}, "argocd": CHARTS, "ngrok": {"crds": {"version": "1.2.3"}}}, []),
        ({"cluster": {"kind": "existing", "context": "here"}}, []),
        ({"cluster": {"kind": "gke", "node_pool": {}, **GKE}}, []),
        ({"cluster": {"kind": "gke-autopilot", **GKE}}, []),
        ({"cluster": {"kind": "gke-autopilot", "node_pool": {}, **GKE}}, ["cluster"]),
        ({"cluster": {"kind": "minikube", **GKE}}, ["cluster"]),
        ({"cluster": {"nodes": 3}}, ["cluster"]),
        ({"cluster": {"kind": "minikube"}, "argocd": {"chart": {"paths": "x"}}}, ["argocd"]),
        ({"cluster": {"kind": "minikube"}, "argo": {}}, [""]),
        ({}, [""]),
    ],
)
def test_it_tells_the_kinds_of_clusters_apart(wrong, settings, places):
    assert wrong(settings) == places


MINIKUBE = {"cluster": {"kind": "minikube"}}


@pytest.mark.parametrize(
    "settings",
    [
        {"cluster": {"kind": "nowhere"}},
        {"cluster": {"kind": "minikube", "nodes": 0}},
        {"cluster": {"kind": "minikube", "nodes": "three"}},
        {"cluster": {"kind": "gke", "release_channel": "slow", "dns_endpoint": True, **GKE}},
        {"cluster": {"kind": "gke", "dns_endpoint": True, "name": "acme-prod", "region": "europe-west1"}},
        {"cluster": {"kind": "gke", "dns_endpoint": True, "node_pool": {"min": 3}, **GKE}},
        MINIKUBE | {"teams": {"shop": {"owner": "", "delivery": "direct"}}},
        MINIKUBE | {"teams": {"shop": {"owner": "a", "delivery": "both"}}},
        MINIKUBE | {"teams": {"shop": {"owner": "a", "delivery": "direct", "open_network": "because"}}},
        MINIKUBE | {"teams": ["shop"]},
        MINIKUBE | {"secrets": "a"},
        MINIKUBE | {"argocd": {"profile": "large"}},
        MINIKUBE | {"argocd": {"profile": "small", "sso": {}}},
        MINIKUBE | {"ngrok": {"replicas": 0}, "secrets": ["ngrok-api-key", "ngrok-authtoken"]},
        MINIKUBE | {"git": {}},
        MINIKUBE | {"promoted": "staging"},
    ],
)
def test_what_has_the_wrong_structure_is_marked_in_an_editor_as_check_refuses_it(wrong, settings):
    with pytest.raises(InvalidInput) as caught:
        parse_environment({"owner": "platform@example.com", **settings}, "dev")

    assert any(problem.code.startswith("schema/") for problem in caught.value.problems)
    assert wrong(settings)


def test_another_program_reads_the_written_schema_alike(capsys, tmp_path):
    (tmp_path / "schema.json").write_text(schema(capsys, "Environment", "--file")[1].out)
    (tmp_path / "wrong.yaml").write_text(
        'config: {"apiops:environment": {owner: a, cluster: {kind: minikube, node: 3}}}'
    )
    program = shutil.which("check-jsonschema", path=Path(sys.executable).parent)
    command = [program, "--schemafile", tmp_path / "schema.json"]

    good = subprocess.run(
        [*command, *sorted((ROOT / "stacks/config").glob("*.yaml"))], capture_output=True, check=False
    )
    bad = subprocess.run([*command, tmp_path / "wrong.yaml"], capture_output=True, text=True, check=False)

    assert good.returncode == 0, good.stdout
    assert (bad.returncode, "'node' was unexpected" in bad.stdout) == (1, True), bad.stdout


def test_only_environments_stand_in_files(capsys):
    code, (_, err) = schema(capsys, "GkeSpec", "--file")

    assert code == 2
    assert "--file goes with Environment" in err


def test_two_runs_print_the_same(capsys):
    assert schema(capsys, "ApiGatewaySpec") == schema(capsys, "ApiGatewaySpec")
