"""Every option and every exemption of a workload, judged by checkov and kube-score.

Needed, and each test says which of them is missing: checkov on PATH or named by APIOPS_CHECKOV, and kube-score on PATH.
"""

from __future__ import annotations

from copy import deepcopy

import pytest
from click.testing import CliRunner
from verdicts import judged, text
from workloads import EXEMPTED, OPTIONS, objects, workloads

from apiops_components.cli.validate import command as validate

pytestmark = pytest.mark.judges

OPTIONAL = ("container-memory-requests-equal-limits", "container-ports-check", "container-seccomp-profile")
"""Tests that kube-score runs only when asked."""

REPLICA_SETS = {"autoscaled-replica-set", "replica-set"}
"""kube-score looks for pods in Deployments, and finds none for what selects those of a ReplicaSet."""

BLIND = {
    "horizontalpodautoscaler-has-target": {"autoscaled-replica-set"},
    "networkpolicy-targets-pod": REPLICA_SETS,
    "service-targets-pod": REPLICA_SETS,
}

FOUND = {
    "CKV_K8S_8": {"without-liveness"},
    "CKV_K8S_9": {"without-readiness"},
    "CKV_K8S_22": {"writes-anywhere"},
    "CKV_K8S_23": {"root"},
    "CKV_K8S_25": {"adds-a-capability", "binds-as-net-bind-service"},
    "CKV_K8S_40": {"low-user", "root"},
    "CKV_K8S_43": {"by-tag"},
    "container-security-context-readonlyrootfilesystem": {"writes-anywhere"},
    "container-security-context-user-group-id": {"low-group", "low-user", "root", "root-group"},
    "deployment-replicas": {"alone"},
    "horizontalpodautoscaler-replicas": {"alone-at-least"},
    "pod-probes": {"without-liveness", "without-readiness"},
}
"""What the judges find, which each of these workloads names in an exemption with its reason."""

UNJUDGED = {"low-port", "plain-secret", "talks-to-anybody"}
"""Exempted for reasons of our own: no judge looks."""


def pairs(found):
    return {(rule, name) for rule, names in found.items() for name in names}


def test_judges_find_nothing_but_what_is_exempted(tmp_path):
    content = text([item for workload in workloads().values() for item in objects(workload)])

    assert judged(tmp_path, content, *OPTIONAL) == pairs(BLIND) | pairs(FOUND)
    assert set().union(*FOUND.values()) == EXEMPTED.keys() - UNJUDGED
    assert not set().union(*FOUND.values()) & OPTIONS.keys()


def test_our_own_validate_finds_nothing(tmp_path):
    (tmp_path / "objects.yaml").write_text(text([item for w in workloads().values() for item in objects(w)]))
    done = CliRunner().invoke(validate, [str(tmp_path / "objects.yaml")], standalone_mode=False)

    assert done.return_value == 0, done.output
    assert ", 0 invalid, 0 skipped" in done.output


def without(*path):
    """Takes a field of the objects away: the kind, then the way to it."""

    def change(items):
        kind, *steps, last = path
        (place,) = [item for item in items if item["kind"] == kind]
        for step in steps:
            place = place[step]
        del place[last]

    return change


def no(kind):
    return lambda items: items.remove(next(item for item in items if item["kind"] == kind))


def recreated(items):
    next(item for item in items if item["kind"] == "Deployment")["spec"]["strategy"] = {"type": "Recreate"}


POD = ("Deployment", "spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)
TAKEN_AWAY = {
    "budget": (no("PodDisruptionBudget"), "deployment-has-poddisruptionbudget"),
    "policy": (no("NetworkPolicy"), "pod-networkpolicy"),
    "egress": (without("NetworkPolicy", "spec", "policyTypes", 1), "pod-networkpolicy"),
    "spread": (without(*POD, "topologySpreadConstraints", 0, "labelSelector"), "pod-topology-spread-constraints"),
    "affinity": (without(*POD, "affinity"), "deployment-has-host-podantiaffinity"),
    "token": (without(*POD, "automountServiceAccountToken"), "CKV_K8S_38"),
    "context": (without(*POD, "securityContext"), "CKV_K8S_31"),
    "capabilities": (without(*CONTAINER, "securityContext", "capabilities"), "CKV_K8S_37"),
    "escalation": (without(*CONTAINER, "securityContext", "allowPrivilegeEscalation"), "CKV_K8S_20"),
    "requests": (without(*CONTAINER, "resources", "requests"), "container-memory-requests-equal-limits"),
    "limits": (without(*CONTAINER, "resources", "limits"), "container-resources"),
    "storage": (
        without(*CONTAINER, "resources", "limits", "ephemeral-storage"),
        "container-ephemeral-storage-request-and-limit",
    ),
    "pulled": (without(*CONTAINER, "imagePullPolicy"), "container-image-pull-policy"),
    "namespace": (without("Deployment", "metadata", "namespace"), "CKV_K8S_21"),
    "strategy": (recreated, "deployment-strategy"),
}


def test_what_is_taken_away_is_found(tmp_path):
    plain = workloads()["plain"]
    content, expected = [], set()
    for name, (change, rule) in TAKEN_AWAY.items():
        items = deepcopy(objects(plain.model_copy(update={"name": name}), namespace=f"shop-{name}"))
        change(items)
        content += items
        expected.add((rule, name))

    assert expected - judged(tmp_path, text(content), *OPTIONAL) == set()
