"""All teams' Applications as one ApplicationSet, and Argo CD's cluster Secret with what is known of the cluster."""

from __future__ import annotations

from typing import Any

from apiops_components.models.gitops_set import ClusterFacts, GitOpsSetSpec
from apiops_components.render.argocd import gitops_objects
from apiops_components.render.installs import PART_OF

__all__ = ["gitops_set_objects"]

_IN_CLUSTER = "https://kubernetes.default.svc"


def gitops_set_objects(spec: GitOpsSetSpec) -> list[dict[str, Any]]:
    """The cluster Secret, then the ApplicationSet."""
    return [_cluster(spec), _application_set(spec)]


def _cluster(spec: GitOpsSetSpec) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "cluster-in-cluster",
            "namespace": spec.argocd_namespace,
            "labels": {**PART_OF, "argocd.argoproj.io/secret-type": "cluster", **spec.facts.labels},
            "annotations": spec.facts.annotations,
        },
        "type": "Opaque",
        # Argo CD's own cluster needs no credential: its service account has the rights.
        "stringData": {"name": "in-cluster", "server": _IN_CLUSTER, "config": '{"tlsClientConfig":{"insecure":false}}'},
    }


def _application_set(spec: GitOpsSetSpec) -> dict[str, Any]:
    # The template is the Application of one team, with the parameters of the generators in place of what differs.
    _, application = gitops_objects(spec.teams[0].model_copy(update={"application": True}))
    template = {
        "metadata": {
            "name": "{{.team}}",
            "labels": {**application["metadata"]["labels"], "apiops/environment": ClusterFacts.template("environment")},
            "finalizers": application["metadata"]["finalizers"],
        },
        "spec": {
            **application["spec"],
            "project": "{{.team}}",
            "source": {**application["spec"]["source"], "path": "{{.path}}"},
            "destination": {"server": "{{.server}}", "namespace": "{{.namespace}}"},
        },
    }
    elements = [
        {"team": team.team, "namespace": team.namespaces[0], "path": team.path}
        for team in sorted(spec.teams, key=lambda team: team.team)
    ]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "teams", "namespace": spec.argocd_namespace, "labels": dict(PART_OF)},
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [
                {
                    "matrix": {
                        "generators": [
                            {"clusters": {"selector": {"matchLabels": {"apiops/environment": spec.facts.environment}}}},
                            {"list": {"elements": elements}},
                        ]
                    }
                }
            ],
            "template": template,
        },
    }
