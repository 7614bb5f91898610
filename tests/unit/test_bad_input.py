"""Combinations that cannot work, as settings of an environment: refused with the path of each, all at once."""

from __future__ import annotations

import pytest

from apiops_components.errors import InvalidInput
from apiops_components.project import parse_environment

GKE = {
    "kind": "gke",
    "name": "acme-prod",
    "project": "acme-prod",
    "region": "europe-west1",
    "authorized_networks": [{"name": "vpn", "cidr": "10.8.0.0/16"}],
}
AUTOPILOT = GKE | {"kind": "gke-autopilot"}
MINIKUBE = {"kind": "minikube"}
PREFIX = 'config["apiops:environment"].'


def without(cluster, *names):
    return {key: value for key, value in cluster.items() if key not in names}


def refused(**settings):
    """Path and code of each problem."""
    with pytest.raises(InvalidInput) as caught:
        parse_environment({"owner": "platform@example.com", **settings}, "prod")
    assert all(problem.message for problem in caught.value.problems)
    return {(problem.path.removeprefix(PREFIX), problem.code) for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(
            {"cluster": AUTOPILOT | {"node_pool": {}, "more_node_pools": {"big": {}}}},
            {("cluster.node_pool", "schema/unknown-field"), ("cluster.more_node_pools", "schema/unknown-field")},
            id="Autopilot with node pools",
        ),
        pytest.param(
            {"cluster": GKE | {"authorized_networks": [{"name": "office", "cidr": "203.0.113.0/24"}]}},
            {("cluster.authorized_networks[0].cidr", "gke/authorized-network")},
            id="a private endpoint with a public range",
        ),
        pytest.param(
            {"cluster": GKE | {"network": {"pods_cidr": "10.0.0.0/14", "services_cidr": "10.0.0.0/20"}}},
            {
                ("cluster.network.pods_cidr", "gke/range-overlap"),
                ("cluster.network.services_cidr", "gke/range-overlap"),
            },
            id="overlapping ranges",
        ),
        pytest.param(
            {"cluster": MINIKUBE, "argocd": {"profile": "ha"}},
            {("argocd.profile", "environment/nodes")},
            id="Argo CD's high availability on one node",
        ),
        pytest.param({"cluster": GKE | {"name": "a" * 41}}, {("cluster.name", "gke/name")}, id="a name too long"),
        pytest.param(
            {"cluster": MINIKUBE | {"name": "a" * 41}}, {("cluster.name", "minikube/profile")}, id="a profile too long"
        ),
        pytest.param(
            {"cluster": MINIKUBE, "teams": {"a" * 64: {"owner": "a", "delivery": "direct"}}},
            {(f"teams.{'a' * 64}", "name/dns-label")},
            id="a team's name too long",
        ),
        pytest.param({"cluster": without(GKE, "project")}, {("cluster.project", "schema/required")}, id="no project"),
        pytest.param(
            {"cluster": without(MINIKUBE, "kind")}, {("cluster.kind", "schema/union-tag-not-found")}, id="no kind"
        ),
        pytest.param(
            {"cluster": {"kind": "existing"}}, {("cluster", "existing/source")}, id="no word about which cluster"
        ),
        pytest.param(
            {"cluster": MINIKUBE | {"highly_available": True, "addons": ["registry", "registry"]}},
            {("cluster.nodes", "minikube/highly-available"), ("cluster.addons[1]", "minikube/addon-twice")},
            id="several control planes on one node",
        ),
        pytest.param(
            {"cluster": MINIKUBE, "argocd": {"profile": "small", "chart": {"path": "a", "repository": "b"}}},
            {
                ("argocd.chart", "helm/source"),
                ("argocd.chart.version", "helm/version"),
                ("argocd.chart.repository", "helm/repository"),
            },
            id="a chart from two places",
        ),
    ],
)
def test_what_cannot_work_is_refused(settings, expected):
    assert refused(**settings) == expected


def test_all_problems_of_an_environment_are_told_at_once():
    cluster = without(GKE, "project") | {
        "name": "a" * 41,
        "authorized_networks": [{"name": "office", "cidr": "203.0.113.0/24"}],
        "network": {"nodes_cidr": "10.16.0.0/20"},
        "node_pool": {"min_nodes": 9, "max_nodes": 3},
        "binary_authorization": False,
    }

    assert refused(
        cluster=cluster,
        ngrok={"api_key": "same", "authtoken": "same", "agent_replicas": 0, "region": "EU"},
        argocd={"profile": "large", "sso": {"issuer": "http://id.example.com", "client_id": "argocd"}},
        teams={"shop": {"owner": "a", "delivery": "git"}, "default": {"owner": "b"}},
    ) >= {
        ("cluster.project", "schema/required"),
        ("cluster.name", "gke/name"),
        ("cluster.authorized_networks[0].cidr", "gke/authorized-network"),
        ("cluster.network.pods_cidr", "gke/range-overlap"),
        ("cluster.node_pool.min_nodes", "gke/autoscaling"),
        ("cluster.binary_authorization", "gke/binary-authorization"),
        ("ngrok.authtoken", "ngrok/same-secret"),
        ("ngrok.agent_replicas", "schema/greater-than-equal"),
        ("ngrok.region", "schema/string-pattern-mismatch"),
        ("argocd.profile", "schema/literal-error"),
        ("argocd.sso.issuer", "argocd/issuer"),
        ("argocd.sso.client_secret", "schema/required"),
        ("teams.shop.delivery", "schema/literal-error"),
    }
