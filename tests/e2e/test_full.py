"""The story: a team commits, Argo CD has it live; what is edited by hand is healed, what is deleted is pruned."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from apiops_components.sandbox.gitops import identity
from apiops_components.sandbox.kube import Refused, wait_for

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
NAME = f"full-{os.getpid()}"
GIBIBYTE = 1024


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The example platform, to be changed."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "stacks", folder / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    return folder


@pytest.fixture(scope="module")
def up(ctl, crds):
    ctl("sandbox", "up", "--name", NAME, "--crds", crds)
    yield
    ctl("sandbox", "down", "--name", NAME)


@pytest.fixture(scope="module")
def deploy(ctl, project, up):
    def run(**options):
        arguments = ("--name", NAME, "--env", "sandbox", "--project", project, "--by", "argocd", "--format", "json")
        return json.loads(ctl("sandbox", "deploy", *arguments, **options))

    run()
    return run


@pytest.fixture
def cluster(sandbox, deploy):
    return sandbox(NAME).cluster()


def processes(ctl, code=0):
    printed = ctl("sandbox", "status", "--name", NAME, "--format", "json", code=code)
    return {process["name"]: process for process in json.loads(printed)["processes"]}


def named(api_version, kind, name, namespace="shop"):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def eventually(probe, seconds=60):
    found = wait_for(probe, seconds=seconds)
    assert found
    return found


# --- the control plane -----------------------------------------------------------------------------------------------


def test_all_of_it_runs_here_alone_in_two_gibibytes(ctl, deploy):
    found = processes(ctl)

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

ROUTE = """
def returns(*, issuer: str) -> ApiSpec:
    \"\"\"What customers send back: a token, a limit per client.\"\"\"
    return ApiSpec(
        name="returns",
        routes=(Route.prefix("/returns", Backend.to("orders", 80)),),
        policy=TrafficPolicy(
            on_http_request=(
                Rule(actions=(JwtValidation.bearer(issuer=issuer, jwks=f"{issuer}/.well-known/jwks.json"),)),
                Rule(actions=(RateLimit(name="returns", capacity=60, rate="60s", bucket_key=("conn.client_ip",)),)),
            ),
        ),
    )
"""
APIS = 'apis=(guestbook(), orders(issuer=environment.variable(TEAM, "issuer")))'
MORE = 'apis=(guestbook(), *(each(issuer=environment.variable(TEAM, "issuer")) for each in (orders, returns)))'


@pytest.fixture
def returns(project, deploy):
    """A route that the team has committed, and that goes with the test."""
    file = project / "stacks/teams/shop/describe.py"
    before = file.read_text()
    assert APIS in before
    file.write_text(before.replace(APIS, MORE) + "\n" + ROUTE)
    deployed = deploy()
    yield deployed
    file.write_text(before)
    deploy()


def test_a_committed_route_is_live_with_its_token_and_its_limit(cluster, returns):
    route = cluster.get(named("gateway.networking.k8s.io/v1", "HTTPRoute", "returns"))
    gateway = cluster.get(named("ngrok.k8s.ngrok.com/v1alpha1", "NgrokTrafficPolicy", "shop-gateway"))
    own = cluster.get(named("ngrok.k8s.ngrok.com/v1alpha1", "NgrokTrafficPolicy", "returns"))

    assert route["spec"]["hostnames"] == ["shop.sandbox.test"]
    assert [action["type"] for rule in own["spec"]["policy"]["on_http_request"] for action in rule["actions"]] == [
        "rate-limit"
    ]
    protecting = [rule for rule in gateway["spec"]["policy"]["on_http_request"] if "/returns" in str(rule)]
    assert [action["type"] for rule in protecting for action in rule["actions"]] == ["jwt-validation"]
    tracking = route["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"]
    assert tracking == "shop:gateway.networking.k8s.io/HTTPRoute:shop/returns"
    shop = cluster.get(named("argoproj.io/v1alpha1", "Application", "shop", "argocd"))
    assert shop["status"]["sync"] | {"comparedTo": None} == {
        "status": "Synced",
        "revision": returns["commit"],
        "comparedTo": None,
    }


def test_a_manual_edit_is_healed(cluster):
    route = named("gateway.networking.k8s.io/v1", "HTTPRoute", "orders")
    before = cluster.get(route)["spec"]
    cluster.merge(route, {"spec": {"hostnames": ["evil.example.com"]}})

    eventually(lambda: cluster.get(route)["spec"] == before)


def test_what_is_deleted_by_hand_comes_back(cluster):
    policy = named("ngrok.k8s.ngrok.com/v1alpha1", "NgrokTrafficPolicy", "shop-gateway")
    before = cluster.get(policy)
    cluster.delete(policy)

    eventually(lambda: (cluster.get(policy) or before)["metadata"]["uid"] != before["metadata"]["uid"])
    assert cluster.get(policy)["spec"] == before["spec"]


def test_a_route_that_is_no_longer_committed_is_pruned(cluster, project, deploy):
    file = project / "stacks/teams/shop/describe.py"
    before = file.read_text()
    file.write_text(before.replace(APIS, MORE) + "\n" + ROUTE)
    deploy()
    assert cluster.get(named("gateway.networking.k8s.io/v1", "HTTPRoute", "returns"))
    file.write_text(before)
    deploy()

    for api_version, kind in (
        ("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ("ngrok.k8s.ngrok.com/v1alpha1", "NgrokTrafficPolicy"),
    ):
        assert cluster.get(named(api_version, kind, "returns")) is None
    assert cluster.get(named("gateway.networking.k8s.io/v1", "HTTPRoute", "orders"))


def test_a_commit_that_a_person_pushes_is_live_without_a_deploy(cluster, sandbox, deploy, tmp_path):
    url = sandbox(NAME).folder.repository.as_uri()
    route = named("gateway.networking.k8s.io/v1", "HTTPRoute", "guestbook")

    def git(*arguments):
        command = ["git", "-c", "user.name=shop", "-c", "user.email=shop@example.com", *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    git("clone", url, ".")
    file = tmp_path / "deploy/sandbox/shop/httproute-guestbook.yaml"
    file.write_text(file.read_text().replace("  annotations:\n", "  annotations:\n    said-by: hand\n"))
    git("commit", "-am", "Say who")
    git("push", "origin", "HEAD:main")

    eventually(lambda: cluster.get(route)["metadata"]["annotations"].get("said-by") == "hand")
    deploy()
    assert "said-by" not in cluster.get(route)["metadata"]["annotations"]


def test_a_broken_guardrail_is_refused_and_nothing_changes(ctl, project, sandbox, deploy):
    head = deploy()["commit"]
    file = project / "stacks/teams/shop/describe.py"
    before = file.read_text()
    file.write_text(before.replace("JwtValidation.bearer(issuer=issuer, jwks", "Deny() if 1 else dict(jwks"))
    try:
        ctl("sandbox", "deploy", "--name", NAME, "--env", "sandbox", "--project", project, "--by", "argocd", code=1)
    finally:
        file.write_text(before)
    assert deploy()["commit"] == head


# --- workloads -------------------------------------------------------------------------------------------------------


def frontends(cluster):
    found = cluster.list("v1", "Pod", "shop", "app.kubernetes.io/name=frontend")
    return [
        pod
        for pod in found
        if "deletionTimestamp" not in pod["metadata"]
        and any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))
    ]


def test_the_guestbook_keeps_three_replicas(cluster):
    before = eventually(lambda: (found := frontends(cluster)) and len(found) == 3 and found)
    gone = {pod["metadata"]["name"] for pod in before[:2]}
    for pod in before[:2]:
        cluster.delete(pod)

    def three():
        names = {pod["metadata"]["name"] for pod in frontends(cluster)}
        return len(names) == 3 and not names & gone

    eventually(three)


def test_an_eviction_too_many_is_refused(cluster):
    pods = eventually(lambda: (found := frontends(cluster)) and len(found) == 3 and found)
    budget = named("policy/v1", "PodDisruptionBudget", "frontend")
    eventually(lambda: cluster.get(budget)["status"]["disruptionsAllowed"] == 1)

    with pytest.raises(Refused, match="disruption budget") as raised:
        evict(cluster, pods)
    assert raised.value.status == 429
    eventually(lambda: len(frontends(cluster)) == 3)


def evict(cluster, pods):
    for pod in pods:
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": identity(pod)["metadata"]}
        cluster.create(pod, eviction, "eviction")


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("killed", ["kube-controller-manager", "argocd-repo-server", "redis"])
def test_what_was_killed_is_started_again_by_the_next_deploy(ctl, cluster, deploy, killed):
    os.kill(processes(ctl)[killed]["pid"], signal.SIGKILL)
    assert processes(ctl, code=1)[killed]["state"] == "dead"

    assert deploy()["applications"] == ["shop"]
    assert {process["state"] for process in processes(ctl).values()} == {"ready"}
