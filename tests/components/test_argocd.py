"""Argo CD as Pulumi resources."""

from __future__ import annotations

from unittest.mock import ANY

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from apiops_components import versions
from apiops_components.components.argocd import ArgoCD
from apiops_components.errors import InvalidInput
from apiops_components.models.argocd import ArgoCDSpec
from apiops_components.render.argocd import argocd_values
from apiops_components.testing.pulumi import record

SMALL = {"profile": "small"}


def test_a_namespace_then_the_policy_of_redis_then_the_release():
    recording = record(lambda: ArgoCD("argocd", SMALL))
    component = recording.one("apiops:index:ArgoCD", "argocd")
    namespace, policy, release = recording.children(component)

    assert (namespace.name, release.name) == ("argocd-namespace-argocd", "argocd-release")
    assert policy.name == "argocd-networkpolicy-argocd-redis-egress"
    assert set(release.dependencies) == {namespace.urn, policy.urn}
    assert component.outputs == {"namespace": "argocd"}
    assert len(recording.resources) == 4


def test_the_release_is_exact_waits_and_never_uninstalls_itself():
    release = record(lambda: ArgoCD("argocd", SMALL)).one("kubernetes:helm.sh/v3:Release")

    assert release.inputs == {
        "atomic": False,
        "chart": "argo-cd",
        "compat": "true",
        "description": ANY,
        "maxHistory": 10,
        "name": "argocd",
        "namespace": "argocd",
        "repositoryOpts": {"repo": "https://argoproj.github.io/argo-helm"},
        "skipAwait": False,
        "timeout": 900,
        "values": argocd_values(ArgoCDSpec(profile="small")),
        "version": versions.ARGOCD_CHART,
    }


def test_what_helm_is_told_is_described_so_that_a_refresh_cannot_hide_it():
    def described(**spec):
        release = record(lambda: ArgoCD("argocd", {**SMALL, **spec})).one("kubernetes:helm.sh/v3:Release")
        return release.inputs["description"]

    assert described() == described()
    assert len({described(), described(domain="a.example.com"), described(chart={"version": "10.1.2"})}) == 3


def test_its_definitions_stay_by_the_chart_s_own_means():
    release = record(lambda: ArgoCD("argocd", SMALL)).one("kubernetes:helm.sh/v3:Release")

    assert release.inputs["values"]["crds"] == {"install": True, "keep": True}
    assert release.retain_on_delete is False


def test_a_second_one_on_the_same_cluster_is_refused_with_the_reason():
    def program():
        ArgoCD("argocd", SMALL)
        ArgoCD("argocd-2", {**SMALL, "namespace": "other"})

    with pytest.raises(InvalidInput, match="cluster roles have the same names") as caught:
        record(program)
    assert caught.value.problems[0].code == "component/one-a-cluster"


def test_two_clusters_in_one_stack_each_have_one():
    def program():
        for name in ("east", "west"):
            opts = pulumi.ResourceOptions(provider=kubernetes.Provider(name, kubeconfig="{}"))
            ArgoCD(f"argocd-{name}", SMALL, opts=opts)

    recording = record(program)

    assert len(recording.of_type("kubernetes:helm.sh/v3:Release")) == 2
    for name in ("east", "west"):
        provider = recording.one("pulumi:providers:kubernetes", name)
        children = recording.children(recording.one("apiops:index:ArgoCD", f"argocd-{name}"))
        assert {child.provider.rpartition("::")[0] for child in children} == {provider.urn}


def test_a_broken_spec_is_told_with_the_component():
    with pytest.raises(InvalidInput, match=r"ArgoCD argocd: profile: .*'large'"):
        record(lambda: ArgoCD("argocd", {"profile": "large"}))
