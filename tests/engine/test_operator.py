"""ngrok's own operator, as our settings install it, against a real API server with the chart's own rights.

Needs ngrok's operator (APIOPS_NGROK_OPERATOR, or on PATH), helm, kubectl, APIOPS_CHARTS, and by APIOPS_TEST_KUBECONFIG
a control plane with the Gateway API's definitions, whose namespaces come and go. `ngrok_cloud` stands in for ngrok.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from ngrok_cloud import Cloud
from operator_processes import Operator, needed, until

from apiops_components import Project, render_all
from apiops_components.render.operator import RELEASE

pytestmark = pytest.mark.engine

HOST = "https://shop-dev.ngrok.app"
FINALIZER = "k8s.ngrok.com/finalizer"
TEAM = "shop"


def manifests():
    """The example team as it is delivered, with its namespace."""
    rendered = render_all(Project.load(Path(__file__).parents[2]).descriptions("dev"))
    return [
        one.object
        for one in rendered
        if TEAM in (one.object["metadata"].get("namespace"), one.object["metadata"]["name"])
    ]


@pytest.fixture
def operator(tmp_path):
    """An operator that is not installed yet, and of which nothing is left."""
    made_of = needed()
    cloud = Cloud(tmp_path / "cloud")
    operator = Operator(tmp_path, cloud, **made_of)
    taken = {item["metadata"]["name"] for item in operator.objects("namespace")} & {RELEASE, TEAM}
    assert not taken, f"the cluster of APIOPS_TEST_KUBECONFIG holds namespaces {taken} already: delete them"
    yield operator
    operator.end(kill=True)
    cloud.close()
    left = [*operator.objects("gatewayclasses,gateways,httproutes,agentendpoints,cloudendpoints,domains", "-A")]
    for item in [*left, *operator.objects("kubernetesoperators", "-A")]:
        name, namespace = item["metadata"]["name"], item["metadata"].get("namespace", "default")
        operator.kubectl(
            "patch", item["kind"], name, "-n", namespace, "--type=merge", '-p={"metadata":{"finalizers":null}}'
        )
    operator.kubectl("delete", "--ignore-not-found", "gatewayclass/ngrok", f"namespace/{TEAM}")
    if not operator.gone("namespace", RELEASE):
        operator.helm("uninstall", RELEASE, "--ignore-not-found", "--no-hooks", f"--namespace={RELEASE}")
        operator.kubectl("delete", "namespace", RELEASE)


def publish(operator):
    """Applies the team's objects, and waits until every agent serves both of its APIs."""
    operator.apply(manifests())

    def served():
        bound = {url: len(agents) for url, agents in operator.cloud.bound.items()}
        return len(bound) == 2 and bound.get(HOST) and bound

    until(60, served, "the agents serve the host and what it forwards to")
    until(60, lambda: all(map(ready, operator.objects("agentendpoints", "-A"))), "all endpoints are ready")


def ready(item):
    return any(one["type"] == "Ready" and one["status"] == "True" for one in item["status"].get("conditions", []))


def withdraw(operator):
    """What a team's stack does when it is destroyed, and then the platform with the team's namespace."""
    operator.kubectl("delete", "httproute,gateway,ngroktrafficpolicy", "--all", f"--namespace={TEAM}", "--timeout=60s")
    operator.kubectl("delete", "namespace", TEAM, "--timeout=60s")


@pytest.mark.parametrize(
    ("settings", "values", "pods"),
    [
        ({}, {}, 4),
        ({"watch_namespace": RELEASE}, {}, 4),
        ({"replicas": 1, "agent_replicas": 1, "domain_reclaim_policy": "Delete", "drain_policy": "Delete"}, {}, 2),
        ({"watch_namespace": RELEASE}, {"bindings": {"enabled": True}}, 5),
        ({"region": "eu"}, {"gateway": {"disableReferenceGrants": True}}, 4),
    ],
    ids=["default", "watch-namespace", "single", "bindings", "region"],
)
def test_it_starts_as_it_is_installed_and_lacks_no_right(operator, settings, values, pods):
    operator.install(values, **settings)
    leader = operator.leader()
    until(30, lambda: leader.log.count("Starting workers") >= 10, "the leader's controllers work")
    registered = until(30, lambda: operator.cloud.objects.get("kubernetes_operators"), "it registers with ngrok")

    assert len(operator.running()) == pods
    assert [line for process in operator.running() for line in process.refused()] == []
    assert [one["region"] for one in registered.values()] == [settings.get("region", "global")]
    assert {session["Authtoken"] for session in operator.cloud.sessions} == {"value-of-ngrok-authtoken"}
    accepted = operator.objects("gatewayclass")[0]["status"]["conditions"][0]
    assert (accepted["type"], accepted["status"]) == ("Accepted", "True")


def test_its_connections_are_those_that_the_network_policy_knows(operator):
    operator.install()
    publish(operator)
    known = {
        "kubernetes": (operator.host, int(operator.port)),
        "api": ("127.0.0.1", int(operator.cloud.api.rpartition(":")[2])),
        "edge": ("127.0.0.1", int(operator.cloud.edge.rpartition(":")[2])),
    }

    for process in operator.running():
        # Metrics and probes alone: no webhook, and no pod of the operator calls another.
        assert process.connections("LISTEN") == {("127.0.0.1", port) for port in process.ports.values()}
        assert process.answers("metrics", "metrics")
        other = "edge" if "agent" in process.name else "api"
        assert process.connections("ESTABLISHED") == {known["kubernetes"], known[other]}


def test_the_example_is_served_by_every_agent_and_another_manager_takes_over(operator):
    operator.install()
    publish(operator)
    first = operator.leader()
    (domain,) = operator.objects("domains", "-A")
    (gateway,) = operator.objects("gateways", "-A")

    assert domain["spec"]["domain"] == HOST.removeprefix("https://")
    assert domain["spec"]["reclaimPolicy"] == "Retain"
    assert {one["type"] for one in gateway["status"]["conditions"] if one["status"] == "True"} == {
        "Accepted",
        "Programmed",
    }
    until(60, lambda: {len(agents) for agents in operator.cloud.bound.values()} == {2}, "both agents serve each URL")
    (policy,) = {agent["Opts"]["TrafficPolicy"] for agent in operator.cloud.bound[HOST]}
    assert "/orders" in policy

    first.end(kill=True)
    second = operator.leader()
    assert second is not first
    operator.kubectl("delete", "httproute", "--all", f"--namespace={TEAM}", "--timeout=60s")
    until(60, lambda: not operator.objects("agentendpoints", "-A"), "the second manager takes the endpoints down")
    # An agent that is late finds its endpoint gone already, and serves it on (operator 0.22.0). A restart ends that.
    for agent in operator.running("agent"):
        agent.end()
    until(30, lambda: not any(operator.cloud.bound.values()), "no agent serves what is gone")


@pytest.mark.parametrize("reclaim", ["Retain", "Delete"])
def test_taken_down_in_our_order_nothing_hangs(operator, reclaim):
    operator.install(domain_reclaim_policy=reclaim)
    publish(operator)
    assert all(FINALIZER in one["metadata"]["finalizers"] for one in operator.objects("gateways,httproutes", "-A"))

    withdraw(operator)
    operator.kubectl("delete", "gatewayclass", "ngrok", "--timeout=30s")
    operator.uninstall()
    operator.kubectl("delete", "namespace", RELEASE, "--timeout=60s")

    assert operator.held() == set()
    assert not any(operator.cloud.bound.values())
    assert operator.cloud.objects["kubernetes_operators"] == {}
    kept = [one["domain"] for one in operator.cloud.objects["reserved_domains"].values()]
    assert kept == ([HOST.removeprefix("https://")] if reclaim == "Retain" else [])


@pytest.mark.parametrize("drain", ["Retain", "Delete"])
def test_with_the_platform_first_its_drain_frees_the_teams_and_only_the_class_is_held(operator, drain):
    operator.install(drain_policy=drain, domain_reclaim_policy=drain)
    publish(operator)
    operator.uninstall()
    kept = operator.cloud.objects["reserved_domains"]
    assert bool(kept) is (drain == "Retain")
    assert bool(operator.objects("agentendpoints", "-A")) is (drain == "Retain")

    operator.kubectl("delete", "namespace", TEAM, RELEASE, "--timeout=60s")
    # Nobody is left who would let go of it: this is why it goes before the operator, and waits there for all Gateways.
    operator.kubectl("delete", "gatewayclass", "ngrok", "--wait=false")
    assert operator.held() == {"GatewayClass/ngrok"}


def test_an_operator_that_is_gone_without_its_drain_leaves_all_of_it_hanging_until_it_is_back(operator):
    operator.install()
    publish(operator)
    operator.end(kill=True)

    operator.kubectl("delete", "namespace", TEAM, "--wait=false")
    operator.kubectl("delete", "gatewayclass", "ngrok", "--wait=false")
    held = until(
        30, lambda: {one for one in operator.held() if "AgentEndpoint" in one} and operator.held(), "what is held"
    )
    assert {one.partition("/")[0] for one in held} == {
        "AgentEndpoint",
        "Domain",
        "Gateway",
        "GatewayClass",
        "HTTPRoute",
        "Namespace",
    }

    operator.start()
    until(90, lambda: operator.held() == set(), "all is gone once an operator runs again")
