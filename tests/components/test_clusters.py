"""What all clusters have in common, so that a stack differs only in settings."""

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from apiops_components.components.existing import ExistingCluster
from apiops_components.components.gke import GkeCluster
from apiops_components.components.minikube import MinikubeCluster
from apiops_components.testing.pulumi import SECRET, record

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: dev
contexts: [{name: dev, context: {cluster: dev, user: dev}}]
clusters: [{name: dev, cluster: {server: "https://127.0.0.1:6443"}}]
users: [{name: dev, user: {token: the-token-of-dev}}]
"""
AT_GOOGLE = "projects/acme-prod/locations/europe-west1/clusters/acme-one?control_plane=172.16.0.0/28"
GKE = {"project": "acme-prod", "region": "europe-west1", "dns_endpoint": True}


def gke(name, opts=None):
    return GkeCluster(name, {**GKE, "name": f"acme-{name}"}, opts=opts)


def autopilot(name, opts=None):
    return GkeCluster(name, {**GKE, "kind": "gke-autopilot", "name": f"acme-{name}"}, opts=opts)


def minikube(name, opts=None):
    return MinikubeCluster(name, {}, opts=opts)


def existing(name, opts=None):
    return ExistingCluster(name, {"kubeconfig_secret": "kubeconfig"}, kubeconfig=KUBECONFIG, opts=opts)


ALL = pytest.mark.parametrize("make", [gke, autopilot, minikube, existing])


@ALL
def test_every_cluster_has_the_same_outputs(make):
    def program():
        cluster = make("one")
        assert isinstance(cluster.provider, kubernetes.Provider)
        pulumi.export("name", cluster.cluster_name)
        pulumi.export("kubeconfig", cluster.kubeconfig)

    recording = record(program)
    component = next(r for r in recording.resources if r.type.startswith("apiops:index:"))
    assert set(component.outputs) == {"cluster_name", "kubeconfig"}
    assert recording.outputs["kubeconfig"] is SECRET
    assert component.outputs["kubeconfig"] is SECRET
    assert (
        recording.outputs["name"]
        == {"gke": "acme-one", "autopilot": "acme-one", "minikube": "one", "existing": "dev"}[make.__name__]
    )


def test_every_cluster_has_attributes_of_the_same_names_and_types():
    declared = [kind.__annotations__ for kind in (GkeCluster, MinikubeCluster, ExistingCluster)]
    assert [{**types, "deleted_with": None} for types in declared] == [{**declared[0], "deleted_with": None}] * 3
    assert list(declared[0]) == ["cluster_name", "kubeconfig", "provider", "deleted_with"]


@ALL
def test_name_and_kubeconfig_are_text_and_only_the_kubeconfig_is_secret(make):
    found = {}

    def program():
        cluster = make("one")
        for key in ("cluster_name", "kubeconfig"):
            output = getattr(cluster, key)
            output.apply(lambda value, key=key: found.setdefault(key, value))
            pulumi.Output.from_input(output.is_secret()).apply(
                lambda it, key=key: found.setdefault(f"{key} secret", it)
            )

    made = {"endpoint": "192.0.2.1", "masterAuth": {"clusterCaCertificate": "QUJD"}, "name": "acme-one", "stdout": "x"}
    record(program, preview=False, outputs=lambda _: made, invokes={"command:local:run": {"stdout": "kind: Config"}})
    assert {key: type(value) for key, value in found.items() if "secret" not in key} == {
        "cluster_name": str,
        "kubeconfig": str,
    }
    assert (found["cluster_name secret"], found["kubeconfig secret"]) == (False, True)


@ALL
def test_the_component_is_the_parent_of_everything_and_keeps_nothing_in_its_own_inputs(make):
    recording = record(lambda: make("one"))
    component, *children = sorted(recording.resources, key=lambda r: r.custom)
    assert component.inputs == {}
    assert children
    assert {child.parent for child in children} == {component.urn}
    assert all(child.name.startswith("one-") for child in children)


@ALL
def test_two_in_one_stack_share_no_name_neither_logical_nor_physical(make):
    def program():
        make("one")
        make("two")

    recording = record(program)
    urns = [r.urn for r in recording.resources]
    assert len(urns) == len(set(urns))
    physical = [
        (r.type, r.inputs[key])
        for r in recording.resources
        for key in ("name", "accountId")
        if key in r.inputs and r.type != "gcp:container/nodePool:NodePool"  # its name is unique in its cluster alone
    ]
    assert len(physical) == len(set(physical))
    profiles = [r.inputs["environment"]["PROFILE"] for r in recording.of_type("command:local:Command")]
    assert set(profiles) == ({"one", "two"} if make is minikube else set())


@ALL
def test_the_provider_applies_on_the_server_and_is_identified_by_a_value_known_in_a_preview(make):
    provider = record(lambda: make("one")).one("pulumi:providers:kubernetes", "one-provider")
    assert provider.inputs == {
        "kubeconfig": SECRET,
        "clusterIdentifier": {
            "gke": AT_GOOGLE,
            "autopilot": f"{AT_GOOGLE}&autopilot",
            "minikube": "minikube/one/dbbcc56ceabb",  # another value would replace everything in clusters that exist
            "existing": "https://127.0.0.1:6443",
        }[make.__name__],
        "deleteUnreachable": "false" if make is existing else "true",
        "enableServerSideApply": "true",
        "enableSecretMutable": "true",
    }


@ALL
def test_deleted_with_is_the_cluster_where_the_stack_makes_it(make):
    def program():
        cluster = make("one")
        kubernetes.core.v1.Namespace(
            "inside",
            metadata={"name": "inside"},
            opts=pulumi.ResourceOptions(provider=cluster.provider, deleted_with=cluster.deleted_with),
        )

    recording = record(program)
    made_by = {"gke": "one-cluster", "autopilot": "one-cluster", "minikube": "one-minikube"}.get(make.__name__)
    expected = recording.one(name=made_by).urn if made_by else ""
    assert recording.one(name="inside").deleted_with == expected


@ALL
def test_what_depends_on_the_component_comes_after_its_provider(make):
    def program():
        kubernetes.core.v1.Namespace(
            "after", metadata={"name": "after"}, opts=pulumi.ResourceOptions(depends_on=[make("one")])
        )

    recording = record(program)
    after = recording.one(name="after")
    assert recording.one("pulumi:providers:kubernetes").urn in after.dependencies


@ALL
def test_options_of_the_caller_go_to_the_component(make):
    def program():
        make("one", pulumi.ResourceOptions(aliases=[pulumi.Alias(name="former")]))

    recording = record(program)
    component, *children = sorted(recording.resources, key=lambda r: r.custom)
    assert component.aliases == ({"name": "former"},)
    assert not [child.name for child in children if {"name": "former"} in child.aliases]
