from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from apiops_components.errors import Problem, problems_of
from apiops_components.models.cluster import Cluster, ExistingSpec, GkeSpec, MinikubeSpec

GKE = {
    "kind": "gke",
    "name": "acme-prod",
    "project": "acme-prod",
    "region": "europe-west1",
    "authorized_networks": [{"name": "vpn", "cidr": "10.8.0.0/16"}],
}
CLUSTER: TypeAdapter[Any] = TypeAdapter(Cluster)


def problems(settings: dict[str, Any]) -> tuple[Problem, ...]:
    with pytest.raises(ValidationError) as caught:
        CLUSTER.validate_python(settings)
    return problems_of(caught.value, settings)


def found(settings: dict[str, Any]) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in problems(settings)]


def gke(**changes: Any) -> dict[str, Any]:
    return {**GKE, **changes}


@pytest.mark.parametrize(
    ("settings", "model"),
    [
        ({"kind": "minikube"}, MinikubeSpec),
        (GKE, GkeSpec),
        ({"kind": "existing", "context": "kind-dev"}, ExistingSpec),
    ],
)
def test_kind_says_which_cluster_and_little_else_is_required(settings, model):
    assert type(CLUSTER.validate_python(settings)) is model


def test_settings_as_written_in_yaml_are_read():
    spec = CLUSTER.validate_python(
        gke(node_pool={"machine_type": "e2-standard-4", "min_nodes": 3, "max_nodes": 9}, deletion_protection=True)
    )
    assert (spec.node_pool.min_nodes, spec.node_pool.max_nodes, spec.deletion_protection) == (3, 9, True)
    assert spec.authorized_networks[0].cidr == "10.8.0.0/16"


def test_an_unknown_kind_names_the_known_ones():
    (problem,) = problems({"kind": "eks"})
    assert "minikube" in problem.message
    assert "gke" in problem.message
    assert "existing" in problem.message


def test_what_has_no_safe_default_is_required():
    assert found({"kind": "gke"}) == [
        ("name", "schema/required"),
        ("project", "schema/required"),
        ("region", "schema/required"),
        ("authorized_networks", "gke/unreachable"),
    ]


def test_all_faults_of_a_cluster_come_at_once_with_their_paths():
    settings = gke(
        name="Acme",
        zones=["us-east1-b"],
        authorized_networks=[{"name": "all", "cidr": "0.0.0.0/0"}],
        network={"pods_cidr": "10.0.0.0/8", "control_plane_cidr": "172.16.0.0/24"},
        node_pool={"min_nodes": 9, "max_nodes": 3},
        node_pools=[],
    )
    assert set(found(settings)) == {
        ("name", "gke/name"),
        ("zones[0]", "gke/zone"),
        ("authorized_networks[0].cidr", "gke/authorized-network"),
        ("network.pods_cidr", "gke/range-overlap"),
        ("network.services_cidr", "gke/range-overlap"),
        ("network.control_plane_cidr", "gke/control-plane-range"),
        ("node_pool.min_nodes", "gke/autoscaling"),
        ("node_pools", "schema/unknown-field"),
    }


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"name": "a" * 41}, "name", "gke/name"),
        ({"name": "1st"}, "name", "gke/name"),
        ({"name": "ends-"}, "name", "gke/name"),
        ({"project": "Acme"}, "project", "gke/project"),
        ({"region": "europe-west1-b"}, "region", "gke/region"),
        ({"zones": ["europe-west1-b", "europe-west1-b"]}, "zones[1]", "gke/zone"),
        ({"zones": ["europe-west4-b"]}, "zones[0]", "gke/zone"),
        ({"authorized_networks": []}, "authorized_networks", "gke/unreachable"),
        ({"authorized_networks": [{"name": "x", "cidr": "fd00::/8"}]}, "authorized_networks[0].cidr", "net/ipv4"),
        ({"authorized_networks": [{"name": "x", "cidr": "10.0.0.1/8"}]}, "authorized_networks[0].cidr", "net/cidr"),
        (
            {"authorized_networks": [{"name": "x", "cidr": "10.0.0.0/9"}, {"name": "y", "cidr": "10.0.0.0/9"}]},
            "authorized_networks[1].cidr",
            "gke/authorized-network",
        ),
        (
            {"authorized_networks": [{"name": "office", "cidr": "203.0.113.0/24"}]},
            "authorized_networks[0].cidr",
            "gke/authorized-network",
        ),
        (
            {"private_endpoint": False, "authorized_networks": [{"name": "half", "cidr": "0.0.0.0/1"}]},
            "authorized_networks[0].cidr",
            "gke/authorized-network",
        ),
        ({"network": {"nodes_cidr": "8.8.0.0/20"}}, "network.nodes_cidr", "gke/range-public"),
        ({"network": {"services_cidr": "10.0.8.0/24"}}, "network.services_cidr", "gke/range-overlap"),
        ({"network": {"control_plane_cidr": "10.0.0.0/28"}}, "network.control_plane_cidr", "gke/range-overlap"),
        ({"network": {"control_plane_cidr": "172.16.0.0/27"}}, "network.control_plane_cidr", "gke/control-plane-range"),
        ({"network": {"nodes_cidr": "10.0.0.0/28"}, "node_pool": {"max_nodes": 12}}, "network", "gke/range-small"),
        ({"network": {"pods_cidr": "10.16.0.0/22"}, "node_pool": {"max_nodes": 4}}, "network", "gke/range-small"),
        ({"network": {"flow_log_sampling": 0}}, "network.flow_log_sampling", "schema/greater-than"),
        ({"node_pool": {"min_nodes": 0}}, "node_pool.min_nodes", "schema/greater-than-equal"),
        ({"node_pool": {"min_nodes": 10}}, "node_pool.min_nodes", "gke/autoscaling"),
        ({"node_pool": {"machine_type": "big"}}, "node_pool.machine_type", "gke/machine-type"),
        ({"maintenance": {"days": ["SA"], "hours": 6}}, "maintenance.hours", "gke/maintenance"),
        ({"maintenance": {"days": ["SA", "SA"], "hours": 24}}, "maintenance.days[1]", "gke/maintenance"),
        ({"maintenance": {"start": "25:00"}}, "maintenance.start", "gke/time"),
        ({"maintenance": {"days": []}}, "maintenance.days", "schema/too-short"),
        (
            {"secrets_key": "projects/p/locations/global/keyRings/r/cryptoKeys/k"},
            "secrets_key",
            "gke/key",
        ),
        ({"secrets_key": "k"}, "secrets_key", "gke/key"),
        ({"image_repositories": ["gcr.io/acme"]}, "image_repositories[0]", "gke/repository"),
        ({"labels": {"Owner": "x"}}, "labels.Owner", "gke/label"),
        (
            {"image_repositories": ["projects/p/locations/l/repositories/r"] * 2},
            "image_repositories[1]",
            "gke/repository",
        ),
        (
            {"authorized_networks": [{"name": "x", "cidr": "10.0.0.0/8"}, {"name": "y", "cidr": "10.0.0.0/255.0.0.0"}]},
            "authorized_networks[1].cidr",
            "gke/authorized-network",
        ),
        ({"labels": {"owner": "Team A"}}, "labels.owner", "gke/label"),
        ({"deletion_protection": "true"}, "deletion_protection", "schema/bool-type"),
    ],
)
def test_a_broken_rule_is_named_where_it_is_broken(changes, path, code):
    assert (path, code) in found(gke(**changes)), found(gke(**changes))


def test_ranges_are_compared_even_where_another_one_cannot_be_read():
    settings = gke(network={"nodes_cidr": "x", "pods_cidr": "10.32.0.0/16"})
    assert found(settings) == [("network.nodes_cidr", "net/cidr"), ("network.services_cidr", "gke/range-overlap")]


def test_a_public_endpoint_takes_public_ranges():
    spec = GkeSpec.model_validate(
        gke(
            private_endpoint=False,
            authorized_networks=[{"name": "office", "cidr": "203.0.113.0/24"}],
            exemptions=[{"rule": "private-endpoint", "reason": "The office has no way into the network yet."}],
        )
    )
    assert not spec.private_endpoint


def test_the_dns_endpoint_needs_no_range():
    assert GkeSpec.model_validate(gke(authorized_networks=[], dns_endpoint=True)).authorized_networks == ()


@given(st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True))
def test_every_cluster_name_gives_a_valid_account_id(name):
    account = GkeSpec.model_validate(gke(name=name)).node_account_id
    assert re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", account)


def test_long_names_with_the_same_start_have_different_accounts():
    first, second = (GkeSpec.model_validate(gke(name="a" * 30 + end)).node_account_id for end in ("-eu", "-us"))
    assert first != second


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"cpus": 1}, [("cpus", "schema/greater-than-equal")]),
        ({"memory_mb": 1024}, [("memory_mb", "schema/greater-than-equal")]),
        ({"name": "My Cluster"}, [("name", "minikube/profile")]),
        ({"name": "d"}, [("name", "minikube/profile")]),
        ({"name": "dev-m02"}, [("name", "minikube/profile")]),  # the second node of a profile dev
        ({"kubernetes_version": "1.30"}, [("kubernetes_version", "minikube/kubernetes-version")]),
        ({"kubernetes_version": "v1.30.01"}, [("kubernetes_version", "minikube/kubernetes-version")]),
        ({"highly_available": True, "nodes": 2}, [("nodes", "minikube/highly-available")]),
        ({"addons": ["registry", "registry"]}, [("addons[1]", "minikube/addon-twice")]),
        ({"addons": ["a; rm -rf /"]}, [("addons[0]", "minikube/addon")]),
        ({"start_timeout": "10"}, [("start_timeout", "time/duration")]),
        (
            {"cpus": 1, "highly_available": True, "driver": "lxc"},
            [
                ("driver", "schema/literal-error"),
                ("cpus", "schema/greater-than-equal"),
                ("nodes", "minikube/highly-available"),
            ],
        ),
    ],
)
def test_minikube_refuses_what_would_fail_later(settings, expected):
    assert found({"kind": "minikube", **settings}) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [("", "existing/source")]),
        ({"kubeconfig_path": "~/x", "kubeconfig_secret": "kubeconfig"}, [("kubeconfig_secret", "existing/source")]),
        ({"kubeconfig_secret": "Not A Name"}, [("kubeconfig_secret", "name/secret")]),
        ({"context": ""}, [("context", "schema/string-too-short")]),
    ],
)
def test_an_existing_cluster_is_named_by_one_source(settings, expected):
    assert found({"kind": "existing", **settings}) == expected


@pytest.mark.parametrize(
    "settings",
    [
        {"context": "kind-dev"},
        {"kubeconfig_path": "~/.kube/dev"},
        {"kubeconfig_path": "~/.kube/dev", "context": "dev"},
        {"kubeconfig_secret": "kubeconfig", "context": "dev"},
    ],
)
def test_a_context_narrows_either_source(settings):
    assert ExistingSpec.model_validate(settings).kind == "existing"
