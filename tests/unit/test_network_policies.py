"""Who may talk to whom: every connection that ngrok's pods and an API's make, and those that nobody may make.

What the operator listens on and connects to was taken from its running processes (`tests/engine/test_operator.py`). The
verdicts here are ours; `tests/judges/test_network_policies.py` has them confirmed by another's evaluator.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

import pytest

from apiops_components.models.environment import Environment
from apiops_components.models.operator import NgrokOperatorSpec
from apiops_components.models.workload import Workload
from apiops_components.render.description import team_objects
from apiops_components.render.operator import operator_objects
from apiops_components.render.workload import workload_objects

NGROK = {"app.kubernetes.io/name": "ngrok-operator", "app.kubernetes.io/instance": "ngrok-operator"}
COMPONENT = "app.kubernetes.io/component"


class Peer(NamedTuple):
    """A pod by its namespace and labels, or an address outside."""

    namespace: str = ""
    labels: dict[str, str] = {}  # noqa: RUF012  (never changed)
    address: str = "10.1.2.3"


MANAGER = Peer("ngrok-operator", NGROK | {COMPONENT: "controller"})
AGENT = Peer("ngrok-operator", NGROK | {COMPONENT: "agent"})
CLEANUP = Peer("ngrok-operator", NGROK | {COMPONENT: "cleanup"})
FORWARDER = Peer("ngrok-operator", NGROK | {COMPONENT: "bindings-forwarder"})
ORDERS = Peer("shop", {"app.kubernetes.io/name": "orders", "app.kubernetes.io/part-of": "shop"})
NEIGHBOUR = Peer("shop", {"app.kubernetes.io/name": "frontend"})
STRANGER = Peer("payments", {"app.kubernetes.io/name": "orders"})
PROMETHEUS = Peer("monitoring", {"app.kubernetes.io/name": "prometheus"})
DNS = Peer("kube-system", {"k8s-app": "kube-dns"})
OTHER_SYSTEM = Peer("kube-system", {"k8s-app": "metrics-server"})
API_SERVER = Peer(address="10.0.0.1")
NGROKS = Peer(address="203.0.113.7")
METADATA = Peer(address="169.254.169.254")

ALLOWED = [
    # The operator to the API server: watches, the managers' election, the clean-up's kubectl.
    (MANAGER, API_SERVER, 443, "TCP"),
    (AGENT, API_SERVER, 443, "TCP"),
    (CLEANUP, API_SERVER, 443, "TCP"),
    (FORWARDER, API_SERVER, 443, "TCP"),
    # To ngrok: its API, the edge, the list of revoked certificates, the edge of bound endpoints.
    (MANAGER, NGROKS, 443, "TCP"),
    (AGENT, NGROKS, 443, "TCP"),
    (AGENT, NGROKS, 80, "TCP"),
    (FORWARDER, NGROKS, 443, "TCP"),
    (MANAGER, DNS, 53, "UDP"),
    (AGENT, DNS, 53, "UDP"),
    (AGENT, DNS, 53, "TCP"),
    # What is published.
    (AGENT, ORDERS, 8080, "TCP"),
    (PROMETHEUS, MANAGER, 8080, "TCP"),
    (PROMETHEUS, AGENT, 8080, "TCP"),
    # Services of bound endpoints lead to the forwarder, from any pod and on any port.
    (STRANGER, FORWARDER, 10001, "TCP"),
    (ORDERS, DNS, 53, "UDP"),
    (ORDERS, DNS, 53, "TCP"),
    (ORDERS, METADATA, 53, "UDP"),
]
REFUSED = [
    # Probes come from the node, which no policy keeps out; nobody else asks there. Webhooks it has none.
    (PROMETHEUS, MANAGER, 8081, "TCP"),
    (STRANGER, AGENT, 8081, "TCP"),
    (STRANGER, AGENT, 443, "TCP"),
    (STRANGER, MANAGER, 9443, "TCP"),
    (MANAGER, AGENT, 8081, "TCP"),
    (NGROKS, AGENT, 443, "TCP"),
    (NGROKS, CLEANUP, 22, "TCP"),
    (PROMETHEUS, AGENT, 8080, "UDP"),
    # Past the agents nobody reaches an API, and they reach no other port of it.
    (NEIGHBOUR, ORDERS, 8080, "TCP"),
    (STRANGER, ORDERS, 8080, "TCP"),
    (PROMETHEUS, ORDERS, 8080, "TCP"),
    (NGROKS, ORDERS, 8080, "TCP"),
    (AGENT, ORDERS, 9090, "TCP"),
    (AGENT, ORDERS, 8080, "UDP"),
    # An API that declares nothing gets names, and nothing else.
    (ORDERS, API_SERVER, 443, "TCP"),
    (ORDERS, NGROKS, 443, "TCP"),
    (ORDERS, METADATA, 80, "TCP"),
    (ORDERS, NEIGHBOUR, 80, "TCP"),
    (ORDERS, AGENT, 8080, "TCP"),
    (ORDERS, OTHER_SYSTEM, 53, "UDP"),
    (ORDERS, DNS, 9153, "TCP"),
    # A pod of the team that no policy is for is closed both ways.
    (AGENT, NEIGHBOUR, 8080, "TCP"),
    (STRANGER, NEIGHBOUR, 8080, "TCP"),
    (NEIGHBOUR, DNS, 53, "UDP"),
    (NEIGHBOUR, STRANGER, 8080, "TCP"),
]


def policies():
    workload = Workload(name="orders", image=f"registry.example.com/shop/orders:1.2.3@sha256:{'0' * 64}", port=8080)
    team = {"owner": "shop@example.com", "delivery": "direct"}
    cluster = {"kind": "minikube", "name": "dev"}
    settings = {"name": "dev", "owner": "platform@example.com", "cluster": cluster, "teams": {"shop": team}}
    ours = operator_objects(NgrokOperatorSpec()) + team_objects(Environment.model_validate(settings), "shop")
    ours += workload_objects(workload, namespace="shop", labels={}, ingress_namespace="ngrok-operator")
    return [item for item in ours if item["kind"] == "NetworkPolicy"]


def matches(selector, labels):
    operators = {"In": lambda label, values: label in values, "NotIn": lambda label, values: label not in values}
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        operators[one["operator"]](labels.get(one["key"]), one["values"])
        for one in selector.get("matchExpressions", [])
    )


def fits(peer, one, home):
    if "ipBlock" in one:
        address, block = ipaddress.ip_address(peer.address), one["ipBlock"]
        inside = address in ipaddress.ip_network(block["cidr"])
        return inside and not any(address in ipaddress.ip_network(left) for left in block.get("except", []))
    if not peer.namespace:
        return False
    there = {"kubernetes.io/metadata.name": peer.namespace}
    right = matches(one["namespaceSelector"], there) if "namespaceSelector" in one else peer.namespace == home
    return right and matches(one.get("podSelector", {}), peer.labels)


def lets(direction, side, other, port, protocol):
    """Whether the policies of a pod let a connection out, or in; those of an address outside always do."""
    found = [
        policy
        for policy in policies()
        if policy["metadata"]["namespace"] == side.namespace
        and direction.capitalize() in policy["spec"]["policyTypes"]
        and matches(policy["spec"]["podSelector"], side.labels)
    ]
    end = {"ingress": "from", "egress": "to"}[direction]
    rules = [rule for policy in found for rule in policy["spec"].get(direction, [])]
    return not found or any(
        (end not in rule or any(fits(other, one, side.namespace) for one in rule[end]))
        and ("ports" not in rule or {"port": port, "protocol": protocol} in rule["ports"])
        for rule in rules
    )


def allowed(source, target, port, protocol):
    return lets("egress", source, target, port, protocol) and lets("ingress", target, source, port, protocol)


@pytest.mark.parametrize("connection", ALLOWED)
def test_a_connection_that_is_needed_is_let_through(connection):
    assert allowed(*connection)


@pytest.mark.parametrize("connection", REFUSED)
def test_any_other_is_refused(connection):
    assert not allowed(*connection)
