"""Argo CD's profile ``ha`` by the real chart and engine: from ``small`` and back, unchanged, changed, killed, down.

Needs what tests/engine/test_installs.py needs, three nodes that pods are scheduled to, and redis-ha inside the chart
argo-cd. The tests build on each other, in their order.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from installs_stack import RETAINED, installs
from interruption import AFTER_UP, cut_off, releases, type_in

pytestmark = pytest.mark.engine

UPDATED_ARGOCD = {"argocd-release": "update"}
DOMAIN = {"domain": "argocd.example.com"}
SSO = {"issuer": "https://id.example.com", "client_id": "argocd", "client_secret": "argocd-sso"}
REPOSITORY = {"kind": "basic", "url": "https://git.example.com/apis.git", "username": "argocd", "password": "git"}
ARGOCD_CHANGES = [
    (DOMAIN, UPDATED_ARGOCD),
    ({**DOMAIN, "sso": SSO}, {"argocd-release": "update", "argocd-secret-argocd-sso": "create"}),
    ({**DOMAIN, "sso": SSO, "admin_enabled": True}, {"argocd-release": "update", "argocd-secret-argocd-sso": "create"}),
    ({"repositories": [REPOSITORY]}, {"argocd-secret-repository-2ed35fb42b": "create"}),
    ({"rbac": {"default_role": "readonly"}}, UPDATED_ARGOCD),
    ({"chart": {"values": {"configs": {"cm": {"timeout.reconciliation": "600s"}}}}}, UPDATED_ARGOCD),
    ({"timeout": "6m"}, UPDATED_ARGOCD),
]
"""Each setting of Argo CD that can change in a cluster that is in use, and what the engine then does."""
HA = {"argocd": {"profile": "ha"}}
METRICS = "argocd-networkpolicy-argocd-redis-ha-haproxy-metrics"
EGRESS = "argocd-networkpolicy-argocd-redis-egress"
# Makes new pods of every workload, so that each has to find places on the nodes that there are.
NEW_PODS = {"podAnnotations": {"example.com/changed": "yes"}}
EVERY_POD = {
    "global": NEW_PODS,
    "redis-ha": {"redis": NEW_PODS, "haproxy": NEW_PODS},
}


@pytest.fixture(scope="module")
def stack(project, tmp_path_factory):
    if not (Path(os.environ.get("APIOPS_CHARTS", "")) / "argo-cd/charts/redis-ha").is_dir():
        pytest.skip("the chart argo-cd in APIOPS_CHARTS does not hold redis-ha")
    stack = installs(project, tmp_path_factory.mktemp("installs"))
    if len(json.loads(stack.kubectl("get", "nodes", "-o", "json"))["items"]) != 3:
        pytest.skip("the cluster of APIOPS_TEST_KUBECONFIG has not three nodes")
    del stack.settings["ngrok"]
    before = stack.objects()
    stack.write(stack.settings)
    stack.up()
    yield stack
    stack.destroy()
    left = {tuple(line.split()) for line in stack.objects().keys() - before.keys()}
    assert {name for _, kind, name in left if kind != "APIService"} <= RETAINED


@pytest.fixture(scope="module")
def small(stack):
    """What there is before anything is highly available."""
    return lasting(stack)


def lasting(stack):
    """What is there but what gets new names by and by."""
    passing = ("Pod ", "ReplicaSet ", "ControllerRevision ", "EndpointSlice ", "IPAddress ", "Job ", "Secret sh.helm.")
    return {line for line in stack.objects() if not line.partition(" ")[2].startswith(passing)}


def uids(stack, *kinds):
    found = json.loads(stack.kubectl("get", ",".join(kinds), "-n", "argocd", "-o", "json"))["items"]
    return {(item["kind"], item["metadata"]["name"]): item["metadata"]["uid"] for item in found}


def ready(stack, name):
    """The nodes with a ready pod of a workload."""
    pods = json.loads(stack.kubectl("get", "pod", "-n", "argocd", "-o", "json"))["items"]
    return [
        pod["spec"]["nodeName"]
        for pod in pods
        if pod["metadata"]["name"].startswith(name)
        and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))
    ]


def eventually(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(1)


def test_small_becomes_highly_available_in_place(stack, small):
    before = uids(stack, "deployment", "statefulset", "namespace", "secret")
    stack.write(stack.with_changes(HA))
    assert stack.steps() == {"argocd-release": "update", METRICS: "create", EGRESS: "delete"}
    stack.up()

    stack.unchanged()
    after = uids(stack, "deployment", "statefulset", "namespace", "secret")
    gone = {key for key in before if key not in after and not key[1].startswith("sh.helm.")}
    assert gone == {("Deployment", "argocd-redis")}
    assert all(after[key] == uid for key, uid in before.items() if key in after)
    assert small - lasting(stack) == {
        f"argocd {kind} argocd-redis" for kind in ("Deployment", "Endpoints", "NetworkPolicy", "Service")
    } | {"argocd ConfigMap argocd-redis-health-configmap", "argocd NetworkPolicy argocd-redis-egress"}


def test_each_part_runs_as_often_as_it_should(stack):
    for part in ("argocd-redis-ha-server", "argocd-redis-ha-haproxy"):
        assert sorted(ready(stack, part)) == ["node-1", "node-2", "node-3"]
    # Two of these are what their autoscalers make of one.
    for part in ("argocd-server", "argocd-repo-server", "argocd-applicationset-controller"):
        eventually(lambda part=part: len(set(ready(stack, part))) == 2)
    assert len(ready(stack, "argocd-application-controller")) == 1


def test_a_refresh_finds_no_change(stack):
    stack.refreshed()
    stack.unchanged()


@pytest.mark.parametrize(("change", "steps"), ARGOCD_CHANGES, ids=lambda value: json.dumps(value) if value else "")
def test_a_setting_changes_in_place(stack, change, steps):
    stack.write(stack.with_changes(HA, {"argocd": change}))

    assert stack.steps() == steps


def test_all_of_them_and_new_pods_of_every_part_find_their_place_on_three_nodes(stack):
    before = uids(stack, "deployment", "statefulset")
    changes = [{"argocd": change} for change, _ in ARGOCD_CHANGES]
    stack.write(stack.with_changes(HA, *changes, {"argocd": {"chart": {"values": EVERY_POD}}}))
    stack.up()

    stack.unchanged()
    assert uids(stack, "deployment", "statefulset") == before
    pods = json.loads(stack.kubectl("get", "pod", "-n", "argocd", "-o", "json"))["items"]
    lasting_pods = [pod for pod in pods if "secret-init" not in pod["metadata"]["name"]]
    assert {pod["metadata"]["annotations"].get("example.com/changed") for pod in lasting_pods} == {"yes"}
    assert sorted(ready(stack, "argocd-redis-ha-haproxy")) == ["node-1", "node-2", "node-3"]


def test_a_second_node_is_not_emptied_while_the_redis_of_the_first_has_no_place(stack):
    drain = ("drain", "--ignore-daemonsets", "--delete-emptydir-data", "--force")
    stack.kubectl(*drain, "node-1", "--timeout=60s")
    try:
        assert sorted(ready(stack, "argocd-redis-ha-server")) == ["node-2", "node-3"]
        with pytest.raises(subprocess.CalledProcessError) as refused:
            stack.kubectl(*drain, "node-2", "--timeout=15s")
        assert "violate the pod's disruption budget" in refused.value.stderr
        assert sorted(ready(stack, "argocd-redis-ha-server")) == ["node-2", "node-3"]
        for part in ("argocd-server", "argocd-repo-server", "argocd-applicationset-controller"):
            assert ready(stack, part), part
    finally:
        stack.kubectl("uncordon", "node-1", "node-2")
    eventually(lambda: len(ready(stack, "argocd-redis-ha-server")) == 3)


def test_highly_available_becomes_small_again_and_nothing_is_left_over(stack, small):
    stack.write(stack.settings)
    assert {"argocd-release": "update", METRICS: "delete", EGRESS: "create"}.items() <= stack.steps().items()
    assert not {"replace", "delete-replaced"} & set(stack.steps().values())
    stack.up()

    stack.unchanged()
    assert lasting(stack) == small
    assert len(ready(stack, "argocd-server")) == 1


def test_killed_on_the_way_to_ha_it_converges(stack):
    stack.write(stack.with_changes(HA))
    cut_off(stack, "up", lambda _, line: "argocd-release updating" in line, status=("argocd", "pending-upgrade"))
    assert releases(stack) == {"argocd": "pending-upgrade"}
    type_in(stack, AFTER_UP)

    stack.unchanged()
    assert releases(stack) == {"argocd": "deployed"}
    assert sorted(ready(stack, "argocd-redis-ha-server")) == ["node-1", "node-2", "node-3"]
