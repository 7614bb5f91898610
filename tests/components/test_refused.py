"""What cannot work is refused before anything is made: by each command, and by the component itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from apiops_components.cli import main
from apiops_components.components.argocd import ArgoCD
from apiops_components.components.gke import GkeCluster
from apiops_components.components.minikube import MinikubeCluster
from apiops_components.components.operator import NgrokOperator
from apiops_components.documents import dump
from apiops_components.errors import InvalidInput
from apiops_components.testing.pulumi import record

ROOT = Path(__file__).parents[2]
PREFIX = 'config["apiops:environment"].'
SHOP = {
    "owner": "shop@example.com",
    "delivery": "direct",
    "host": "shop.example.com",
    "pod_security": {"level": "baseline", "reason": "the sample image runs as root"},
    "variables": {"issuer": "https://login.example.com"},
}
SECRETS = ["ngrok-api-key", "ngrok-authtoken"]
MINIKUBE = {"kind": "minikube"}
GKE = {
    "kind": "gke",
    "name": "acme-prod",
    "project": "acme-prod",
    "region": "europe-west1",
    "authorized_networks": [{"name": "vpn", "cidr": "10.8.0.0/16"}],
}
AUTOPILOT = GKE | {"kind": "gke-autopilot"}
PUBLIC = {"authorized_networks": [{"name": "office", "cidr": "203.0.113.0/24"}]}
OVERLAP = {"network": {"nodes_cidr": "10.16.0.0/20"}}
NO_PROJECT = {name: value for name, value in GKE.items() if name != "project"}
FEW = {"node_pool": {"min_nodes": 1, "max_nodes": 2}}

# Settings of an environment, and path and code of each problem.
CANNOT_WORK = {
    "Autopilot with node pools": (
        {"cluster": AUTOPILOT | {"node_pool": {}, "more_node_pools": {"big": {}}}},
        {"cluster.node_pool": "schema/unknown-field", "cluster.more_node_pools": "schema/unknown-field"},
    ),
    "a private endpoint with a public range": (
        {"cluster": GKE | PUBLIC},
        {"cluster.authorized_networks[0].cidr": "gke/authorized-network"},
    ),
    "ranges that overlap": ({"cluster": GKE | OVERLAP}, {"cluster.network.pods_cidr": "gke/range-overlap"}),
    "high availability on one node": (
        {"cluster": MINIKUBE, "argocd": {"profile": "ha"}},
        {"argocd.profile": "environment/nodes"},
    ),
    "high availability on a pool of two nodes": (
        {"cluster": GKE | FEW, "argocd": {"profile": "ha"}},
        {"argocd.profile": "environment/nodes"},
    ),
    "a cluster's name too long": ({"cluster": GKE | {"name": "a" * 41}}, {"cluster.name": "gke/name"}),
    "a profile's name too long": ({"cluster": MINIKUBE | {"name": "a" * 41}}, {"cluster.name": "minikube/profile"}),
    "no project": ({"cluster": NO_PROJECT}, {"cluster.project": "schema/required"}),
    "no chart": (
        {
            "cluster": MINIKUBE,
            "ngrok": {"chart": {"path": "nowhere"}, "crds": {"path": "stacks"}},
            "argocd": {"profile": "small", "chart": {"path": "Pulumi.yaml"}},
            "secrets": SECRETS,
        },
        dict.fromkeys(("ngrok.chart.path", "ngrok.crds.path", "argocd.chart.path"), "helm/no-chart"),
    ),
    "all of it": (
        {
            "cluster": NO_PROJECT | {"kind": "gke-autopilot", "name": "a" * 41, "node_pool": {}} | PUBLIC | OVERLAP,
            "ngrok": {"chart": {"path": "nowhere"}, "replicas": 0},
            "argocd": {"profile": "large", "chart": {"path": "nowhere", "version": "1.x"}},
            "teams": {"a" * 64: SHOP, "shop": SHOP | {"host": "*"}, "default": {"delivery": "direct"}},
        },
        {
            "cluster.name": "gke/name",
            "cluster.project": "schema/required",
            "cluster.node_pool": "schema/unknown-field",
            "cluster.authorized_networks[0].cidr": "gke/authorized-network",
            "cluster.network.pods_cidr": "gke/range-overlap",
            "ngrok.chart.path": "helm/no-chart",
            "ngrok.replicas": "schema/greater-than-equal",
            "ngrok.api_key": "secret/undeclared",
            "ngrok.authtoken": "secret/undeclared",
            "argocd.profile": "schema/literal-error",
            "argocd.chart.path": "helm/no-chart",
            "argocd.chart.version": "helm/version",
            f"teams.{'a' * 64}": "name/dns-label",
            "teams.shop.host": "name/hostname",
            "teams.default": "environment/team",
            "teams.default.namespace": "environment/namespace",
            "teams.default.owner": "schema/required",
        },
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "stacks", folder / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    return folder


@pytest.mark.parametrize("command", ["check", "render", "preview"])
@pytest.mark.parametrize("wrong", CANNOT_WORK)
def test_each_command_refuses_it_with_all_that_is_wrong_and_where(project, capsys, monkeypatch, wrong, command):
    monkeypatch.chdir(project)
    settings, expected = CANNOT_WORK[wrong]
    whole = {"owner": "platform@example.com", "teams": {"shop": SHOP}, **settings}
    (project / "stacks/config/Pulumi.dev.yaml").write_text(dump({"config": {"apiops:environment": whole}}))
    with pytest.raises(SystemExit) as ended:
        main([command, "--env", "dev", "--format", "json"])
    problems = json.loads(capsys.readouterr().out)["errors"]

    assert ended.value.code == 1
    assert {problem["path"].removeprefix(PREFIX): problem["code"] for problem in problems} == expected
    assert {problem["file"] for problem in problems} == {"stacks/config/Pulumi.dev.yaml"}
    assert all(problem["line"] and problem["message"] for problem in problems)


def test_the_example_s_own_settings_are_what_they_are_refused_against(project, capsys, monkeypatch):
    monkeypatch.chdir(project)
    with pytest.raises(SystemExit) as ended:
        main(["check", "--env", "prod"])

    assert ended.value.code == 0, capsys.readouterr()


@pytest.mark.parametrize(
    ("component", "spec", "expected"),
    [
        (GkeCluster, *CANNOT_WORK["Autopilot with node pools"]),
        (GkeCluster, *CANNOT_WORK["a private endpoint with a public range"]),
        (GkeCluster, *CANNOT_WORK["ranges that overlap"]),
        (GkeCluster, *CANNOT_WORK["a cluster's name too long"]),
        (GkeCluster, *CANNOT_WORK["no project"]),
        (MinikubeCluster, *CANNOT_WORK["a profile's name too long"]),
        (
            NgrokOperator,
            {"chart": {"path": "nowhere"}, "crds": {"path": "nowhere"}, "replicas": 0},
            {
                "chart.path": "helm/no-chart",
                "crds.path": "helm/no-chart",
                "replicas": "schema/greater-than-equal",
            },
        ),
        (
            ArgoCD,
            {"chart": {"path": "nowhere"}, "profile": "large"},
            {"chart.path": "helm/no-chart", "profile": "schema/literal-error"},
        ),
    ],
)
def test_a_component_refuses_it_before_anything_is_registered(component, spec, expected):
    found = {}

    def program():
        given = {} if component in (GkeCluster, MinikubeCluster) else {"secrets": {}}
        with pytest.raises(InvalidInput) as caught:
            component("edge", spec.get("cluster", spec), **given)
        found.update({problem.path: problem.code for problem in caught.value.problems})
        assert all(problem.document == f"{component.__name__} edge" for problem in caught.value.problems)

    recording = record(program)

    assert recording.resources == ()
    assert found == {path.removeprefix("cluster."): code for path, code in expected.items()}
