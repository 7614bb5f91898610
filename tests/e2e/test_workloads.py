"""Workloads on a real control plane: admitted as the Pod Security Standard says, scaled, and there through a change."""

from __future__ import annotations

import json

import pytest
from story import eventually, named
from workloads import DIGEST, IMAGE, objects, workloads

from apiops_components import versions
from apiops_components.models.container import Resources
from apiops_components.sandbox.gitops import identity
from apiops_components.sandbox.kube import Refused

pytestmark = pytest.mark.e2e

LEVELS = ("restricted", "baseline")


@pytest.fixture(scope="module")
def cluster(full):
    """The API server, with a namespace for each level of the Pod Security Standard."""
    found = full.cluster()
    for level in LEVELS:
        labels = {
            "pod-security.kubernetes.io/enforce": level,
            "pod-security.kubernetes.io/enforce-version": f"v{versions.KUBERNETES}",
        }
        found.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"at-{level}", "labels": labels}})
    yield found
    for level in LEVELS:
        found.delete({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"at-{level}"}})


def pod_of(items):
    """A pod as the controller would make it; the ServiceAccount, which only a running pod needs, is the default one."""
    (controller,) = [item for item in items if item["kind"] in ("Deployment", "ReplicaSet")]
    template, metadata = controller["spec"]["template"], controller["metadata"]
    place = {"name": metadata["name"], "namespace": metadata["namespace"]}
    spec = {**template["spec"], "serviceAccountName": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**template["metadata"], **place}, "spec": spec}


@pytest.mark.parametrize("workload", workloads().values(), ids=lambda workload: workload.name)
def test_its_pods_are_admitted_where_it_says_and_nowhere_stricter(cluster, workload):
    def admitted(level):
        return cluster.apply(pod_of(objects(workload, f"at-{level}")), dry_run=True)

    eventually(lambda: cluster.get(default_account(workload.pod_security)))
    admitted(workload.pod_security)
    if workload.pod_security == "baseline":
        with pytest.raises(Refused, match='violates PodSecurity "restricted:v') as raised:
            admitted("restricted")
        assert raised.value.status == 403


def default_account(level):
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": f"at-{level}"}}


@pytest.mark.parametrize("workload", workloads().values(), ids=lambda workload: workload.name)
def test_the_server_takes_all_its_objects_as_they_are(cluster, workload):
    for item in objects(workload, f"at-{workload.pod_security}"):
        taken = cluster.apply(item, dry_run=True)
        assert within(item, taken), json.dumps(taken)


def within(ours, theirs):
    """Whether all of ours is in theirs; the server adds its defaults, and keeps lists in their order."""
    if isinstance(ours, dict):
        return isinstance(theirs, dict) and all(name in theirs and within(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list):
        return isinstance(theirs, list) and len(ours) == len(theirs) and all(map(within, ours, theirs))
    return ours == theirs


# --- through a change ------------------------------------------------------------------------------------------------


def is_serving(pod):
    conditions = pod.get("status", {}).get("conditions", [])
    is_ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return is_ready and "deletionTimestamp" not in pod["metadata"]


class Run:
    """A workload that runs, and what became of its pods."""

    def __init__(self, cluster, name):
        self.name, self._cluster = f"run-{name}", cluster
        self._workload = workloads()[name].model_copy(update={"name": self.name})
        self._path = cluster.resource("v1", "Pod").path("at-restricted")
        self._query = f"labelSelector=app.kubernetes.io%2Fname%3D{self.name}"

    def deliver(self, change=None, **more):
        """Applies its objects, with other settings or changed."""
        for item in objects(self._workload.model_copy(update=more), "at-restricted"):
            if change and item["kind"] == "Deployment":
                change(item)
            self._cluster.apply(item)

    def deployment(self):
        return self._cluster.get(named("apps/v1", "Deployment", self.name, "at-restricted"))

    def is_done(self, replicas=3):
        found = self.deployment()
        status = found.get("status", {})
        counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")}
        return status.get("observedGeneration") == found["metadata"]["generation"] and counts == {replicas}

    def pods(self):
        """Pods by their id, and the version of the list."""
        found = self._cluster.request("GET", f"{self._path}?{self._query}")
        return {pod["metadata"]["uid"]: pod for pod in found["items"]}, found["metadata"]["resourceVersion"]

    def serving_since(self, pods, version):
        """How many served, after each event since then: the server tells all of them, so none is missed."""
        url = f"{self._cluster.server}{self._path}?{self._query}&watch=1&resourceVersion={version}&timeoutSeconds=2"
        serving = {uid for uid, pod in pods.items() if is_serving(pod)}
        counts = [len(serving)]
        for line in self._cluster._http.request("GET", url).data.splitlines():
            event = json.loads(line)
            uid = event["object"]["metadata"]["uid"]
            if event["type"] != "DELETED" and is_serving(event["object"]):
                serving.add(uid)
            else:
                serving.discard(uid)
            counts.append(len(serving))
        return counts

    def end(self):
        for item in objects(self._workload, "at-restricted"):
            self._cluster.delete(item)
        self._cluster.delete(named("autoscaling/v2", "HorizontalPodAutoscaler", self.name, "at-restricted"))


@pytest.fixture
def run(cluster, request):
    found = Run(cluster, request.param)
    found.deliver()
    eventually(found.is_done)
    yield found
    found.end()


plain = pytest.mark.parametrize("run", ["plain"], indirect=True)
NEXT = {"image": IMAGE.replace("1.4.2", "1.5.0") + DIGEST}


def one_less(deployment):
    deployment["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": 0, "maxUnavailable": 1}


@plain
def test_a_change_never_leaves_fewer_than_three_pods_that_serve(run):
    before, version = run.pods()
    run.deliver(**NEXT)
    eventually(run.is_done)
    after, _ = run.pods()
    counts = run.serving_since(before, version)

    assert not before.keys() & after.keys()
    assert {pod["spec"]["containers"][0]["image"] for pod in after.values()} == {NEXT["image"]}
    assert (min(counts), max(counts)) == (3, 4)


@plain
def test_a_strategy_that_takes_pods_away_first_would_be_seen(run):
    before, version = run.pods()
    run.deliver(one_less, **NEXT)
    eventually(run.is_done)

    assert min(run.serving_since(before, version)) == 2


@plain
def test_a_version_that_never_becomes_ready_leaves_the_one_before_in_place(run):
    before, version = run.pods()
    run.deliver(resources=Resources(cpu_request="1000", cpu_limit="1000"), **NEXT)  # no node is so large
    eventually(lambda: len(run.pods()[0]) == 4)
    after, _ = run.pods()

    assert before.keys() < after.keys()
    assert set(run.serving_since(before, version)) == {3}
    run.deliver()
    eventually(run.is_done)
    assert run.pods()[0].keys() == before.keys()


@pytest.mark.parametrize("run", ["autoscaled"], indirect=True)
def test_the_autoscaler_keeps_its_bounds_and_a_delivery_does_not_undo_it(run, cluster):
    deployment = run.deployment()
    cluster.merge(deployment, {"spec": {"replicas": 9}}, "scale")
    eventually(lambda: run.is_done(6))
    before, version = run.pods()
    run.deliver(**NEXT)
    eventually(lambda: run.is_done(6) and not before.keys() & run.pods()[0].keys())

    assert min(run.serving_since(before, version)) == 6


@pytest.mark.parametrize("run", ["autoscaled"], indirect=True)
def test_only_one_pod_at_a_time_may_be_evicted(run, cluster):
    budget = named("policy/v1", "PodDisruptionBudget", run.name, "at-restricted")
    eventually(lambda: cluster.get(budget)["status"]["disruptionsAllowed"] == 1)
    pods, version = run.pods()
    with pytest.raises(Refused, match="disruption budget") as raised:
        evict(cluster, [{"apiVersion": "v1", "kind": "Pod", **pod} for pod in pods.values()])
    eventually(run.is_done)

    assert raised.value.status == 429
    assert min(run.serving_since(pods, version)) == 2


def evict(cluster, pods):
    for pod in pods:
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": identity(pod)["metadata"]}
        cluster.create(pod, eviction, "eviction")
