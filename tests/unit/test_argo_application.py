"""Rules of Application that show too late, or never."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from apiops_components.errors import problems_of
from apiops_components.models.argo_application import ApplicationSpec

REPO = "https://github.com/acme/apis"
HERE = {"server": "https://kubernetes.default.svc", "namespace": "shop"}
SOURCE = {"repoURL": REPO, "path": "deploy"}
ONE_SOURCE = "exactly one of source, sources and sourceHydrator is expected"
APPLICATION = {"project": "shop", "destination": HERE, "source": SOURCE}


def problems(**changes):
    data = {key: value for key, value in {**APPLICATION, **changes}.items() if value is not None}
    with pytest.raises(ValidationError) as caught:
        ApplicationSpec.model_validate(data)
    return [(problem.path, problem.message) for problem in problems_of(caught.value, data)]


def test_an_application_with_everything_is_valid():
    ApplicationSpec.model_validate(
        {
            "project": "shop",
            "destination": {"name": "in-cluster", "namespace": "shop"},
            "sources": [
                {
                    "repoURL": "https://charts.example.com",
                    "chart": "redis",
                    "targetRevision": "1.2.3",
                    "name": "cache",
                    "helm": {
                        "releaseName": "cache",
                        "valueFiles": ["$values/cache.yaml"],
                        "valuesObject": {"replicas": 2},
                        "parameters": [{"name": "a.b", "value": "1", "forceString": True}],
                        "fileParameters": [{"name": "c", "path": "d"}],
                        "skipCrds": True,
                        "apiVersions": ["v1"],
                    },
                },
                {"repoURL": REPO, "ref": "values", "targetRevision": "main"},
                {
                    "repoURL": REPO,
                    "path": "overlays/prod",
                    "kustomize": {
                        "images": ["orders=registry.example.com/orders:1.2.3"],
                        "replicas": [{"name": "orders", "count": 3}, {"name": "carts", "count": "2"}],
                        "patches": [{"path": "patch.yaml", "target": {"kind": "Deployment"}}],
                        "commonLabels": {"a": "b"},
                    },
                },
                {"repoURL": REPO, "path": "plain", "directory": {"recurse": True, "jsonnet": {"libs": ["vendor"]}}},
                {"repoURL": REPO, "path": "own", "plugin": {"name": "cdk8s", "env": [{"name": "A", "value": "b"}]}},
            ],
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True, "allowEmpty": False, "enabled": True},
                "syncOptions": ["CreateNamespace=true", "PrunePropagationPolicy=foreground", "Prune=confirm"],
                "retry": {"limit": -1, "refresh": True, "backoff": {"duration": "5", "factor": 2, "maxDuration": "3m"}},
                "managedNamespaceMetadata": {"labels": {"a": "b"}},
            },
            "ignoreDifferences": [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}],
            "info": [{"name": "wiki", "value": "https://wiki.example.com"}],
            "revisionHistoryLimit": 3,
        }
    )


def test_a_hydrated_application_is_valid():
    hydrator = {
        "drySource": {"repoURL": REPO, "path": "src", "targetRevision": "HEAD"},
        "syncSource": {"targetBranch": "env/prod", "path": "shop"},
        "hydrateTo": {"targetBranch": "env/prod-next"},
    }
    ApplicationSpec.model_validate({"project": "shop", "destination": HERE, "sourceHydrator": hydrator})


def test_misspelt_fields_are_found_at_every_depth():
    found = problems(
        source={**SOURCE, "helm": {"valuefiles": ["a"]}, "target": "main"},
        syncPolicy={"automated": {"selfheal": True}, "syncoptions": []},
        projects="x",
    )

    assert sorted(found) == [
        ("projects", "unknown field"),
        ("source.helm.valuefiles", "unknown field"),
        ("source.target", "unknown field"),
        ("syncPolicy.automated.selfheal", "unknown field"),
        ("syncPolicy.syncoptions", "unknown field"),
    ]


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"source": None}, "", ONE_SOURCE),
        (
            {"sources": [SOURCE]},
            "source",
            f"{ONE_SOURCE}; Argo CD would take sources and ignore source",
        ),
        ({"project": ""}, "project", "project must not be empty"),
        ({"project": None}, "project", "required, but missing"),
        ({"destination": {"namespace": "a"}}, "destination", "Destination server missing from app spec"),
        (
            {"destination": {"name": "a", "server": "b"}},
            "destination",
            "application destination can't have both name and server defined: a b",
        ),
        (
            {"source": {"repoURL": REPO}},
            "source",
            "spec.source.repoURL and either spec.source.path or spec.source.chart are required",
        ),
        (
            {"source": {"repoURL": REPO, "chart": "redis"}},
            "source.targetRevision",
            "spec.source.targetRevision is required if the manifest source is a helm chart",
        ),
        (
            {"source": {**SOURCE, "helm": {}, "kustomize": {}}},
            "source",
            "multiple application sources defined: Kustomize,Helm",
        ),
        (
            {"source": None, "sources": [SOURCE, {"repoURL": REPO}]},
            "sources[1]",
            "spec.source.repoURL and either source.path, source.chart, or source.ref are required for source " + REPO,
        ),
        (
            {"source": None, "sources": [{**SOURCE, "ref": "a.b"}]},
            "sources[0].ref",
            "sources.ref a.b cannot contain any special characters except '_' and '-'",
        ),
        (
            {"source": None, "sources": [{**SOURCE, "ref": "a"}, {**SOURCE, "ref": "a"}]},
            "sources[1].ref",
            "invalid sources: multiple sources had the same `ref` key",
        ),
        (
            {"source": None, "sources": [{**SOURCE, "name": "a"}, {**SOURCE, "name": "a"}]},
            "sources[1].name",
            "application has duplicate source name: a",
        ),
        (
            {"syncPolicy": {"retry": {"backoff": {"maxDuration": "soon"}}}},
            "syncPolicy.retry.backoff.maxDuration",
            "unable to parse soon as a duration",
        ),
        (
            {"syncPolicy": {"syncOptions": ["CreateNamespaces=true"]}},
            "syncPolicy.syncOptions[0]",
            "Argo CD ignores 'CreateNamespaces=true': it has no such option",
        ),
        (
            {"syncPolicy": {"syncOptions": ["PruneLast"]}},
            "syncPolicy.syncOptions[0]",
            "Argo CD ignores 'PruneLast': PruneLast takes true, false",
        ),
        (
            {"syncPolicy": {"managedNamespaceMetadata": {"labels": {"a": "b"}}}},
            "syncPolicy.managedNamespaceMetadata",
            "managedNamespaceMetadata has no effect without the option CreateNamespace=true",
        ),
        (
            {"ignoreDifferences": [{"kind": "Service"}]},
            "ignoreDifferences[0]",
            "one of jsonPointers, jqPathExpressions and managedFieldsManagers is expected: nothing is ignored",
        ),
        (
            {"ignoreDifferences": [{"kind": "Service", "jsonPointers": [".spec.ports"]}]},
            "ignoreDifferences[0].jsonPointers[0]",
            "'.spec.ports' is not a JSON pointer (RFC 6901): it starts with /",
        ),
        (
            {"syncPolicy": {"automated": {"prune": "true"}}},
            "syncPolicy.automated.prune",
            "input should be a valid boolean, got 'true'",
        ),
    ],
)
def test_what_argo_cd_would_refuse_or_ignore(changes, path, message):
    assert problems(**changes) == [(path, message)]


def test_a_hydrator_needs_its_parts():
    hydrator = {
        "drySource": {"repoURL": "", "path": "src", "targetRevision": ""},
        "syncSource": {"targetBranch": "", "path": "shop"},
        "hydrateTo": {"targetBranch": ""},
    }

    assert problems(source=None, sourceHydrator=hydrator) == [
        ("sourceHydrator.drySource.repoURL", "spec.sourceHydrator.drySource.repoURL is required"),
        ("sourceHydrator.syncSource.targetBranch", "spec.sourceHydrator.syncSource.targetBranch is required"),
        (
            "sourceHydrator.hydrateTo.targetBranch",
            "when spec.sourceHydrator.hydrateTo is set, spec.sourceHydrator.hydrateTo.targetBranch is required",
        ),
    ]


def test_all_problems_of_an_application_are_told_at_once():
    found = problems(
        destination={},
        source={"repoURL": REPO, "chart": "redis"},
        syncPolicy={"syncOptions": ["Replace"], "automated": {"Prune": True}},
    )

    assert sorted(path for path, _ in found) == [
        "destination",
        "source.targetRevision",
        "syncPolicy.automated.Prune",
        "syncPolicy.syncOptions[0]",
    ]
