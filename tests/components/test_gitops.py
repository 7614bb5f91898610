"""What a team gets from Argo CD, as Pulumi resources."""

from __future__ import annotations

import pulumi
import pytest

from apiops_components.components.argocd import ArgoCD
from apiops_components.components.gitops import GitOps
from apiops_components.errors import InvalidInput
from apiops_components.models.argocd import GitOpsSpec
from apiops_components.render.argocd import gitops_objects
from apiops_components.testing.pulumi import record

REPOSITORY = "https://github.com/acme/apis.git"


def of(team):
    return {"team": team, "namespaces": [team], "repository": REPOSITORY, "path": f"deploy/dev/{team}"}


def test_the_application_comes_after_its_project_and_goes_before_it():
    recording = record(lambda: GitOps("shop", of("shop")))
    project = recording.one("kubernetes:argoproj.io/v1alpha1:AppProject", "shop-appproject-shop")
    application = recording.one("kubernetes:argoproj.io/v1alpha1:Application", "shop-application-shop")
    component = recording.one("apiops:index:GitOps", "shop")

    assert recording.children(component) == (project, application)
    assert application.dependencies == (project.urn,)
    assert component.outputs == {"project": "shop", "application": "shop"}


def test_what_is_registered_is_what_is_rendered():
    recording = record(lambda: GitOps("shop", of("shop")))

    assert [resource.inputs for resource in recording.resources if resource.custom] == gitops_objects(
        GitOpsSpec.model_validate(of("shop"))
    )


def test_deleting_waits_for_what_was_deployed():
    recording = record(lambda: GitOps("shop", of("shop")))
    application = recording.one("kubernetes:argoproj.io/v1alpha1:Application")

    assert application.inputs["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io/foreground"]
    assert application.timeouts == {"delete": "30m"}


def test_argo_cd_outlives_the_applications_that_it_has_to_take_down():
    def program():
        argocd = ArgoCD("argocd", {"profile": "small"})
        GitOps("shop", of("shop"), opts=pulumi.ResourceOptions(depends_on=[argocd]))

    recording = record(program)
    release = recording.one("kubernetes:helm.sh/v3:Release")

    # The engine puts a child after its parent, and so after all that the parent depends on.
    assert release.urn in recording.one("apiops:index:GitOps").dependencies


def test_two_teams_live_side_by_side():
    def program():
        for team in ("shop", "billing"):
            GitOps(team, of(team))

    recording = record(program)

    assert len({resource.urn for resource in recording.resources}) == 6


def test_a_broken_spec_is_told_with_the_component_and_all_its_problems():
    with pytest.raises(InvalidInput) as caught:
        record(lambda: GitOps("shop", {"team": "Shop", "namespaces": [], "repository": REPOSITORY}))

    assert {(problem.document, problem.path) for problem in caught.value.problems} == {
        ("GitOps shop", "team"),
        ("GitOps shop", "namespaces"),
        ("GitOps shop", "path"),
    }
