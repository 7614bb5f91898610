"""ApplicationSets: what only Argo CD's controller refuses."""

# ruff: noqa: E501  (one case a line)

from __future__ import annotations

from typing import Any

import pytest

from apiops_components.documents import dump, load_all
from apiops_components.validation import Result, validate

LIST = {"list": {"elements": [{"env": "dev"}, {"env": "prod"}]}}
CLUSTERS = {"clusters": {"selector": {"matchLabels": {"a": "b"}}}}
GIT = {"git": {"repoURL": "https://g/x.git", "revision": "main", "directories": [{"path": "apps/*"}]}}
SPEC = {
    "project": "shop",
    "source": {"repoURL": "https://g/x.git", "path": "{{.path.path}}", "targetRevision": "main"},
    "destination": {"server": "https://kubernetes.default.svc", "namespace": "{{.env}}"},
}


def checked(generators: list[Any], spec: dict[str, Any] | None = None, **fields: Any) -> Result:
    template = {"metadata": {"name": "{{.env}}"}, "spec": spec or SPEC}
    whole = {"goTemplate": True, "generators": generators, "template": template, **fields}
    value = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "a"}, "spec": whole}
    (document,) = load_all(dump(value))
    (result,) = validate(document)
    return result


def matrix(*generators: Any) -> dict[str, Any]:
    return {"matrix": {"generators": list(generators)}}


def merge(*generators: Any, keys: list[str] | None = None) -> dict[str, Any]:
    return {"merge": {"generators": list(generators), "mergeKeys": ["env"] if keys is None else keys}}


@pytest.mark.parametrize(
    "generators",
    [
        [LIST],
        [LIST, CLUSTERS, GIT],
        [matrix(GIT, CLUSTERS)],
        [matrix(matrix(LIST, CLUSTERS), GIT)],
        [matrix(merge(LIST, LIST), GIT)],
        [merge(LIST, matrix(LIST, CLUSTERS), CLUSTERS)],
        [{**LIST, "selector": {"matchLabels": {"env": "dev"}}}],
        [matrix(GIT, {"git": {**GIT["git"], "pathParamPrefix": "b"}})],
        [{"clusters": {}}],
        [{"scmProvider": {"github": {"organization": "o"}, "filters": [{"repositoryMatch": "a"}], "cloneProtocol": "https"}}],
        [{"pullRequest": {"gitlab": {"project": "1"}, "requeueAfterSeconds": 60}}],
        [{"plugin": {"configMapRef": {"name": "a"}, "input": {"parameters": {"a": 1}}}}],
        [{"clusterDecisionResource": {"configMapRef": "a"}}],
        [{"list": {"elements": [], "template": {"metadata": {}, "spec": {"project": "x"}}}}],
    ],
)  # fmt: skip
def test_good_generators_are_valid(generators: list[Any]) -> None:
    assert [*map(str, checked(generators).problems)] == []


@pytest.mark.parametrize(
    ("generator", "path", "code", "message"),
    [
        (matrix(LIST), "matrix.generators", "argocd/matrix", "found less than two generators, Matrix support only two"),
        (matrix(LIST, GIT, LIST), "matrix.generators", "argocd/matrix", "found more than two generators, Matrix support only two"),
        (matrix(GIT, GIT), "matrix.generators", "argocd/matrix", "two git generators"),
        (merge(LIST), "merge.generators", "argocd/merge", "found less than two generators, Merge requires two or more"),
        (merge(LIST, LIST, keys=[]), "merge.mergeKeys", "argocd/merge", "no merge keys were specified, Merge requires at least one"),
        (matrix(matrix(merge(LIST, LIST), LIST), LIST), "matrix.generators[0].matrix.generators[0].merge", "argocd/nesting", "merge may not stand here"),
        ({**LIST, **GIT}, "", "argocd/one-generator", "exactly one of"),
        ({}, "", "argocd/one-generator", "got none"),
        ({"selector": {}}, "", "argocd/one-generator", "got none"),
        ({"lists": {}}, "lists", "schema/unknown-field", "unknown field"),
        ({"list": {"elements": [1]}}, "list.elements[0]", "argocd/element", "a mapping"),
        ({"git": {"repoURL": "x", "revision": "y"}}, "git", "argocd/git-generator", "exactly one of directories and files"),
        ({"git": {"revision": "y", "files": [{"path": "a"}]}}, "git.repoURL", "schema/required", "required"),
        ({"scmProvider": {}}, "scmProvider", "argocd/one-forge", "got none"),
        ({"scmProvider": {"github": {"organization": "o"}, "gitlab": {"group": "g"}}}, "scmProvider", "argocd/one-forge", "got github and gitlab"),
        ({"scmProvider": {"github": {}}}, "scmProvider.github.organization", "schema/required", "required"),
        ({"scmProvider": {"azureDevops": {}}}, "scmProvider.azureDevops", "schema/unknown-field", "unknown field"),
        ({"pullRequest": {"github": {"owner": "o", "repository": "r"}}}, "pullRequest.github.repository", "schema/unknown-field", "unknown field"),
        ({"list": {"elements": [], "template": {"metadata": {}, "spec": {"projct": "x"}}}}, "list.template.spec.projct", "schema/unknown-field", "unknown field"),
    ],
)  # fmt: skip
def test_a_bad_generator_is_refused_at_its_place(generator: Any, path: str, code: str, message: str) -> None:
    result = checked([LIST, generator])
    place = f"spec.generators[1].{path}" if path else "spec.generators[1]"
    found = [problem for problem in result.problems if (problem.path, problem.code) == (place, code)]
    assert found, result.problems
    assert message in found[0].message


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"generators": []}, "spec.generators", "schema/too-short"),
        ({"template": {"metadata": {"name": "fixed"}, "spec": SPEC}}, "spec.template.metadata.name", "argocd/template-name"),
        ({"template": {"metadata": {}, "spec": SPEC}}, "spec.template.metadata.name", "schema/required"),
        ({"goTemplate": False}, "spec.template.metadata.name", "argocd/template-syntax"),
        ({"template": {"metadata": {"name": "{{env}}"}, "spec": SPEC}}, "spec.template.metadata.name", "argocd/template-syntax"),
        ({"goTemplateOptions": ["missingkey=eror"]}, "spec.goTemplateOptions[0]", "argocd/template-option"),
        ({"goTemplate": False, "templatePatch": "a: b"}, "spec.templatePatch", "argocd/template-patch"),
        ({"syncPolicy": {"applicationsSync": "all"}}, "spec.syncPolicy.applicationsSync", "schema/literal-error"),
        ({"strategy": {"type": "RollingSync"}}, "spec.strategy.rollingSync", "argocd/strategy"),
        ({"strategy": {"deletionOrder": "Reverse"}}, "spec.strategy.deletionOrder", "argocd/strategy"),
        ({"strategy": {"type": "Rolling"}}, "spec.strategy.type", "schema/literal-error"),
    ],
)  # fmt: skip
def test_a_bad_set_is_refused_at_its_place(fields: dict[str, Any], path: str, code: str) -> None:
    generators = fields.pop("generators", [LIST])
    result = checked(generators, **fields)
    assert (path, code) in {(problem.path, problem.code) for problem in result.problems}, result.problems


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ({"projct": "x"}, "projct", "schema/unknown-field"),
        ({"syncPolicy": {"syncOptions": ["CreateNamespac=true"]}}, "syncPolicy.syncOptions[0]", "argocd/sync-option"),
        ({"destination": {"name": "a", "server": "b"}}, "destination", "argocd/destination"),
        ({"syncPolicy": {"automated": {"prune": "{{.prune}}"}}}, "syncPolicy.automated.prune", "schema/bool-type"),
    ],
)
def test_the_template_is_an_application(change: dict[str, Any], path: str, code: str) -> None:
    result = checked([LIST], {**SPEC, **change})
    assert [(problem.path, problem.code) for problem in result.problems] == [(f"spec.template.spec.{path}", code)]


@pytest.mark.parametrize(
    "change",
    [
        {"syncPolicy": {"syncOptions": ["CreateNamespace={{.create}}"]}},
        {"destination": {"server": "{{.server}}", "name": "{{.name}}"}},
        {"syncPolicy": {"retry": {"backoff": {"duration": "{{.wait}}"}}}},
        {"project": "{{.project}}"},
    ],
)
def test_what_is_filled_in_later_is_not_checked(change: dict[str, Any]) -> None:
    assert [*map(str, checked([LIST], {**SPEC, **change}).problems)] == []


def test_depth_costs_no_time() -> None:
    deep: Any = LIST
    for _ in range(12):
        deep = matrix(deep, {"list": {"elements": [1]}})
    result = checked([deep])
    assert [problem.code for problem in result.problems] == ["argocd/nesting"]
