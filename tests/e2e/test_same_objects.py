"""Deployed by Pulumi or by Argo CD: the same objects. Needs `pulumi` on PATH."""

from __future__ import annotations

import os
import shutil

import pytest
from story import ROOT

pytestmark = pytest.mark.e2e

NAME = f"pulumi-{os.getpid()}"
KINDS = [
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("ngrok.k8s.ngrok.com/v1alpha1", "NgrokTrafficPolicy"),
]
OF_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "ownerReferences")
OF_WHO_APPLIED = ("argocd.argoproj.io/", "pulumi.com/", "deployment.kubernetes.io/", "kubectl.kubernetes.io/")


def test_pulumi_and_argo_cd_end_with_the_same_objects(ctl, crds, full, sandbox):
    if shutil.which("pulumi") is None:
        pytest.skip("the pulumi program is not on PATH")
    ctl("sandbox", "deploy", "--name", full.name, "--env", "sandbox", "--by", "argocd")
    settings = (ROOT / "stacks/config/Pulumi.sandbox.yaml").read_bytes()
    ctl("sandbox", "up", "--name", NAME, "--crds", crds)
    try:
        ctl("sandbox", "deploy", "--name", NAME, "--env", "sandbox", "--by", "pulumi")
        ctl("sandbox", "deploy", "--name", NAME, "--env", "sandbox", "--by", "argocd", code=2)  # it has an owner
        by_pulumi = held(sandbox(NAME).cluster())
    finally:
        ctl("sandbox", "down", "--name", NAME)

    assert (ROOT / "stacks/config/Pulumi.sandbox.yaml").read_bytes() == settings
    assert by_pulumi == held(full.cluster())


def held(cluster):
    """What the team's namespace holds, and itself, without what tells who applied it and when."""
    namespace = cluster.get({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    items = [namespace, *(item for kind in KINDS for item in cluster.list(*kind, "shop"))]
    # A Deployment's ReplicaSet has a name of its own making; the Deployment is compared.
    stated = [item for item in items if not item["metadata"].get("ownerReferences")]
    return {(item["kind"], item["metadata"]["name"]): comparable(item) for item in stated}


def comparable(item):
    metadata = {key: value for key, value in item["metadata"].items() if key not in OF_THE_SERVER}
    annotations = metadata.pop("annotations", {})
    kept = {key: value for key, value in annotations.items() if not key.startswith(OF_WHO_APPLIED)}
    labels = {key: value for key, value in metadata.pop("labels", {}).items() if not key.startswith(OF_WHO_APPLIED)}
    spec = dict(item.get("spec") or {})
    for given in ("clusterIP", "clusterIPs"):  # the server hands them out
        spec.pop(given, None)
    return {"metadata": metadata, "annotations": kept, "labels": labels, "spec": spec}
