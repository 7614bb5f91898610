from __future__ import annotations

import pytest

from apiops_components.components.gitops import GitOpsSet
from apiops_components.errors import InvalidInput
from apiops_components.models.argo_applicationset import ApplicationSetSpec
from apiops_components.models.environment import Environment
from apiops_components.models.gitops_set import ClusterFacts
from apiops_components.render.argocd import gitops_objects
from apiops_components.render.description import gitops_set, gitops_specs
from apiops_components.render.gitops_set import gitops_set_objects
from apiops_components.testing.pulumi import record

SETTINGS = {
    "name": "prod",
    "owner": "platform@example.com",
    "cluster": {"kind": "existing", "context": "here"},
    "argocd": {"applications": "set"},
    "git": {"repository": "https://git.example.com/apis.git"},
    "teams": {"shop": {"owner": "shop"}, "billing": {"owner": "billing", "namespace": "money"}},
}


def spec(**changes):
    return gitops_set(Environment.model_validate({**SETTINGS, **changes}))


def test_one_set_makes_the_applications_of_all_teams_on_the_clusters_of_the_environment():
    _, found = gitops_set_objects(spec())
    (matrix,) = found["spec"]["generators"]
    clusters, teams = matrix["matrix"]["generators"]
    assert clusters == {"clusters": {"selector": {"matchLabels": {"apiops/environment": "prod"}}}}
    assert teams["list"]["elements"] == [
        {"team": "billing", "namespace": "money", "path": "deploy/prod/money"},
        {"team": "shop", "namespace": "shop", "path": "deploy/prod/shop"},
    ]
    assert ApplicationSetSpec.model_validate(found["spec"])


def test_its_template_filled_in_is_the_application_that_pulumi_would_make():
    environment = Environment.model_validate({**SETTINGS, "argocd": {}})
    assert gitops_set(environment) is None
    _, alone = gitops_objects(gitops_specs(environment)["shop"])
    _, found = gitops_set_objects(spec())
    template = found["spec"]["template"]
    values = {
        "team": "shop",
        "namespace": "shop",
        "path": "deploy/prod/shop",
        "server": "https://kubernetes.default.svc",
    }

    def filled(value):
        if isinstance(value, dict):
            return {key: filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [filled(item) for item in value]
        for name, text in values.items():
            value = value.replace(f"{{{{.{name}}}}}", text) if isinstance(value, str) else value
        return value

    assert filled(template["spec"]) == alone["spec"]
    assert filled(template["metadata"]["name"]) == alone["metadata"]["name"]


def test_the_facts_of_a_cluster_are_read_as_they_were_written():
    secret, found = gitops_set_objects(spec())
    assert secret["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "cluster"
    facts = ClusterFacts.of(secret)
    assert facts == spec().facts
    assert facts.cluster_kind == "existing"
    assert found["spec"]["template"]["metadata"]["labels"]["apiops/environment"] == ClusterFacts.template("environment")


def test_a_fact_that_is_missing_or_of_another_type_is_told_where_it_should_stand():
    secret, _ = gitops_set_objects(spec())
    del secret["metadata"]["annotations"]["apiops/owner"]
    del secret["metadata"]["annotations"]["apiops/gateway-class"]
    secret["metadata"]["labels"]["apiops/cluster-kind"] = "Not A Label"
    with pytest.raises(InvalidInput) as caught:
        ClusterFacts.of(secret)

    assert {(problem.document, problem.path) for problem in caught.value.problems} == {
        ("Secret argocd/cluster-in-cluster", "metadata.annotations.apiops/gateway-class"),
        ("Secret argocd/cluster-in-cluster", "metadata.annotations.apiops/owner"),
        ("Secret argocd/cluster-in-cluster", "metadata.labels.apiops/cluster-kind"),
    }


def test_a_template_can_read_facts_alone():
    assert "apiops/gateway-class" in ClusterFacts.template("gateway_class")
    with pytest.raises(KeyError):
        ClusterFacts.template("colour")


def test_pulumi_registers_the_facts_then_the_set():
    recording = record(lambda: GitOpsSet("teams", spec()))
    secret, found = recording.children(recording.one("apiops:index:GitOpsSet"))
    assert (secret.inputs["kind"], found.inputs["kind"]) == ("Secret", "ApplicationSet")
    assert secret.urn in found.dependencies


def test_teams_that_one_template_cannot_serve_are_refused():
    teams = [team.model_dump() for team in spec().teams]
    teams[1]["prune"] = False
    with pytest.raises(InvalidInput) as caught:
        record(lambda: GitOpsSet("teams", {"facts": spec().facts, "teams": [*teams, teams[0]]}))
    assert [(problem.path, problem.code) for problem in caught.value.problems] == [
        ("teams[1].prune", "argocd/set"),
        ("teams[2].team", "argocd/duplicate"),
    ]
