"""The story: a team commits, Argo CD has it live; what is edited by hand is healed, what is deleted is pruned."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import psutil
import pytest
from story import eventually, named

from apiops_components import documents
from apiops_components.sandbox.gitops import identity
from apiops_components.sandbox.kube import Refused

pytestmark = pytest.mark.e2e

ROUTES = "gateway.networking.k8s.io/v1"
POLICIES = "ngrok.k8s.ngrok.com/v1alpha1"
GIBIBYTE = 1024


@pytest.fixture(scope="module")
def deploy(ctl, project, full):
    def run(code=0):
        arguments = ("--name", full.name, "--env", "sandbox", "--project", project, "--by", "argocd")
        return json.loads(ctl("sandbox", "deploy", *arguments, "--format", "json", code=code))

    run()
    return run


@pytest.fixture
def cluster(full, deploy):
    return full.cluster()


def processes(ctl, full, code=0):
    printed = ctl("sandbox", "status", "--name", full.name, "--format", "json", code=code)
    return {process["name"]: process for process in json.loads(printed)["processes"]}


# --- the control plane -----------------------------------------------------------------------------------------------


def test_all_of_it_runs_here_alone_in_two_gibibytes(ctl, full, deploy):
    found = processes(ctl, full)

    assert list(found) == [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kwok",
        "redis",
        "argocd-repo-server",
        "argocd-application-controller",
        "argocd-applicationset-controller",
    ]
    assert {process["state"] for process in found.values()} == {"ready"}
    assert sum(process["megabytes"] for process in found.values()) <= 2 * GIBIBYTE
    for process in found.values():
        addresses = {c.laddr.ip for c in psutil.Process(process["pid"]).net_connections() if c.status == "LISTEN"}
        assert addresses == {"127.0.0.1"}, process["name"]


def test_three_nodes_are_ready_in_three_zones(cluster):
    nodes = cluster.list("v1", "Node")

    assert len({node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes}) == 3


# --- a team's day ----------------------------------------------------------------------------------------------------


def test_a_committed_route_is_live_with_its_token_and_its_limit(ctl, full, cluster, deploy, team):
    team.adds_a_route()
    deployed = deploy()

    route = cluster.get(named(ROUTES, "HTTPRoute", "returns"))
    gateway = cluster.get(named(POLICIES, "NgrokTrafficPolicy", "shop-gateway"))
    own = cluster.get(named(POLICIES, "NgrokTrafficPolicy", "returns"))
    assert route["spec"]["hostnames"] == ["shop.sandbox.test"]
    assert kinds_of(own["spec"]["policy"]["on_http_request"]) == ["rate-limit"]
    protecting = [rule for rule in gateway["spec"]["policy"]["on_http_request"] if "/returns" in str(rule)]
    assert "jwt-validation" in kinds_of(protecting)
    shop = cluster.get(named("argoproj.io/v1alpha1", "Application", "shop", "argocd"))
    assert (shop["status"]["sync"]["status"], shop["status"]["sync"]["revision"]) == ("Synced", deployed["commit"])
    assert shop["status"]["health"]["status"] == "Healthy"
    assert json.loads(ctl("sandbox", "status", "--name", full.name, "--format", "json"))["applications"] == [
        {"name": "shop", "sync": "Synced", "health": "Healthy", "commit": deployed["commit"], "detail": ""}
    ]


def kinds_of(rules):
    return [action["type"] for rule in rules for action in rule["actions"]]


def test_the_matcher_sends_requests_to_the_live_routes(ctl, cluster, deploy, team, tmp_path):
    team.adds_a_route()
    deploy()
    live = [
        item
        for api_version, kind in (
            ("v1", "Namespace"),
            ("v1", "Service"),
            (ROUTES, "Gateway"),
            (ROUTES, "HTTPRoute"),
            (POLICIES, "NgrokTrafficPolicy"),
        )
        for item in cluster.list(api_version, kind)
    ]
    for number, item in enumerate(live):
        (tmp_path / f"{number}.yaml").write_text(documents.dump(item))

    def answered(method, path):
        url = f"https://shop.sandbox.test{path}"
        return json.loads(ctl("simulate", "--manifests", tmp_path, "--format", "json", method, url))["spec"]

    for path, route, backend in (
        ("/returns/7", "shop/returns", "orders"),
        ("/orders", "shop/orders", "orders"),
        ("/ordersaurus", "shop/guestbook", "frontend"),
        ("/", "shop/guestbook", "frontend"),
    ):
        found = answered("GET", path)
        assert (found["outcome"], found["route"], found["backend"]["name"]) == ("forwarded", route, backend)


def test_a_manual_edit_is_healed(cluster):
    route = named(ROUTES, "HTTPRoute", "orders")
    before = cluster.get(route)["spec"]
    cluster.merge(route, {"spec": {"hostnames": ["evil.example.com"]}})

    eventually(lambda: cluster.get(route)["spec"] == before)


def test_what_is_deleted_by_hand_comes_back(cluster):
    policy = named(POLICIES, "NgrokTrafficPolicy", "shop-gateway")
    before = cluster.get(policy)
    cluster.delete(policy)

    eventually(lambda: (cluster.get(policy) or before)["metadata"]["uid"] != before["metadata"]["uid"])
    assert cluster.get(policy)["spec"] == before["spec"]


def test_a_route_that_is_no_longer_committed_is_pruned(cluster, deploy, team):
    team.adds_a_route()
    deploy()
    assert cluster.get(named(ROUTES, "HTTPRoute", "returns"))
    team.takes_it_out()
    deploy()

    assert cluster.get(named(ROUTES, "HTTPRoute", "returns")) is None
    assert cluster.get(named(POLICIES, "NgrokTrafficPolicy", "returns")) is None
    assert cluster.get(named(ROUTES, "HTTPRoute", "orders"))


def test_a_commit_that_a_person_pushes_is_live_without_a_deploy(cluster, full, deploy, tmp_path):
    route = named(ROUTES, "HTTPRoute", "guestbook")

    def git(*arguments):
        command = ["git", "-c", "user.name=shop", "-c", "user.email=shop@example.com", *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    git("clone", full.folder.repository.as_uri(), ".")
    file = tmp_path / "deploy/sandbox/shop/httproute-guestbook.yaml"
    file.write_text(file.read_text().replace("  annotations:\n", "  annotations:\n    said-by: hand\n"))
    git("commit", "-am", "Say who")
    git("push", "origin", "HEAD:main")

    eventually(lambda: cluster.get(route)["metadata"]["annotations"].get("said-by") == "hand")
    deploy()
    assert "said-by" not in cluster.get(route)["metadata"]["annotations"]


def test_a_broken_guardrail_is_refused_and_nothing_changes(deploy, team):
    head = deploy()["commit"]
    team.forgets_the_token()

    errors = deploy(code=1)["errors"]

    assert "authentication" in str(errors)
    team.takes_it_out()
    assert deploy()["commit"] == head


def test_a_team_that_leaves_the_settings_is_taken_down(cluster, deploy, project):
    file = project / "stacks/config/Pulumi.sandbox.yaml"
    before = file.read_text()
    head, _, rest = before.partition("    teams:\n")
    _, _, secrets = rest.partition("    secrets:\n")
    file.write_text(f"{head}    secrets:\n{secrets}")
    try:
        assert deploy()["applications"] == []
        assert cluster.get({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}) is None
        assert cluster.get(named("argoproj.io/v1alpha1", "AppProject", "shop", "argocd")) is None
    finally:
        file.write_text(before)
    assert deploy()["applications"] == ["shop"]


# --- workloads -------------------------------------------------------------------------------------------------------


def frontends(cluster):
    return [
        pod
        for pod in cluster.list("v1", "Pod", "shop", "app.kubernetes.io/name=frontend")
        if "deletionTimestamp" not in pod["metadata"]
        and any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))
    ]


def three_frontends(cluster):
    return eventually(lambda: (found := frontends(cluster)) and len(found) == 3 and found)


def test_the_guestbook_keeps_three_replicas(cluster):
    before = three_frontends(cluster)
    gone = {pod["metadata"]["name"] for pod in before[:2]}
    for pod in before[:2]:
        cluster.delete(pod)

    def three_again():
        names = {pod["metadata"]["name"] for pod in frontends(cluster)}
        return len(names) == 3 and not names & gone

    eventually(three_again)


def test_an_eviction_too_many_is_refused(cluster):
    pods = three_frontends(cluster)
    budget = named("policy/v1", "PodDisruptionBudget", "frontend")
    eventually(lambda: cluster.get(budget)["status"]["disruptionsAllowed"] == 1)

    with pytest.raises(Refused, match="disruption budget") as raised:
        evict(cluster, pods)

    assert raised.value.status == 429
    three_frontends(cluster)


def evict(cluster, pods):
    for pod in pods:
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": identity(pod)["metadata"]}
        cluster.create(pod, eviction, "eviction")


# --- what was killed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("killed", ["kube-controller-manager", "argocd-repo-server", "redis"])
def test_what_was_killed_is_started_again_by_the_next_deploy(ctl, full, deploy, killed):
    os.kill(processes(ctl, full)[killed]["pid"], signal.SIGKILL)
    assert processes(ctl, full, code=1)[killed]["state"] == "dead"

    assert deploy()["applications"] == ["shop"]
    assert {process["state"] for process in processes(ctl, full).values()} == {"ready"}
