"""A workload as the objects that run it. Pure: same input, same objects, in the same order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apiops_components.models.network import Caller, Egress
from apiops_components.models.workload import Workload
from apiops_components.render.pod import pod_spec

__all__ = ["workload_objects"]

Manifest = dict[str, Any]

_NAME = "app.kubernetes.io/name"

# Every way in which a cluster resolves names: its DNS pods, their cache on each node, Cloud DNS. Port 53 alone, so the
# last one, which is the metadata server too, gives nothing but names.
_DNS: Manifest = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {
                "matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns", "node-local-dns"]}]
            },
        },
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
        {"ipBlock": {"cidr": "169.254.169.254/32"}},
    ],
    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
}


def workload_objects(
    workload: Workload, *, namespace: str, labels: Mapping[str, str], ingress_namespace: str
) -> list[Manifest]:
    """ServiceAccount, Deployment or ReplicaSet, Service, PodDisruptionBudget, NetworkPolicy and, if asked, autoscaler.

    Args:
        workload: What to run.
        namespace: Where; also the value of ``app.kubernetes.io/part-of`` where ``labels`` has none.
        labels: Of whoever delivers it, on every object and pod; they win over the workload's own.
        ingress_namespace: Where the gateway's pods run, which may call the workload.
    """
    every = _labels(workload, namespace, labels)

    def metadata(**more: Any) -> Manifest:
        return {"name": workload.name, "namespace": namespace, "labels": dict(every), **more}

    objects = [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(),
            "automountServiceAccountToken": False,
        },
        _controller(workload, metadata, every),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(),
            "spec": {
                "type": "ClusterIP",
                "selector": _selector(workload),
                "ports": [{"name": "http", "protocol": "TCP", "port": workload.service_port, "targetPort": "http"}],
            },
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(),
            "spec": {
                "maxUnavailable": 1,
                # Pods that never became ready must not keep a node from being drained.
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": {"matchLabels": _selector(workload)},
            },
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata(),
            "spec": _network_policy(workload, ingress_namespace),
        },
    ]
    if workload.autoscale:
        objects.append(
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": metadata(),
                "spec": _autoscaler(workload),
            }
        )
    return objects


def _labels(workload: Workload, namespace: str, labels: Mapping[str, str]) -> dict[str, str]:
    every = {_NAME: workload.name, "app.kubernetes.io/part-of": namespace, "app.kubernetes.io/managed-by": "apiops"}
    return every | dict(sorted(workload.labels.items())) | dict(sorted(labels.items())) | {_NAME: workload.name}


def _selector(workload: Workload) -> dict[str, str]:
    """The one label that never changes and that no other workload of the namespace has: a selector is immutable."""
    return {_NAME: workload.name}


def _controller(workload: Workload, metadata: Any, labels: Mapping[str, str]) -> Manifest:
    exemptions = {f"apiops/exempt-{item.rule}": item.reason for item in workload.exemptions}
    is_deployment = workload.kind == "Deployment"
    spec: Manifest = {}
    if workload.autoscale is None:  # else the autoscaler's number would be undone by each delivery
        spec["replicas"] = workload.replicas
    if is_deployment:
        spec["revisionHistoryLimit"] = 5
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    spec["selector"] = {"matchLabels": _selector(workload)}
    spec["template"] = {
        "metadata": {"labels": dict(labels)},
        "spec": pod_spec(workload, _selector(workload)),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": workload.kind,
        "metadata": metadata(**({"annotations": exemptions} if exemptions else {})),
        "spec": spec,
    }


def _network_policy(workload: Workload, ingress_namespace: str) -> Manifest:
    callers = [Caller(namespace=ingress_namespace), *workload.allow_ingress]
    return {
        "podSelector": {"matchLabels": _selector(workload)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [_pods(caller) for caller in callers],
                "ports": [{"protocol": "TCP", "port": workload.port}],
            }
        ],
        "egress": [_DNS, *(_egress(egress) for egress in workload.allow_egress)],
    }


def _egress(egress: Egress) -> Manifest:
    if egress.cidr is None:
        peer = _pods(egress)
    else:
        peer = {"ipBlock": {"cidr": egress.cidr} | ({"except": list(egress.exclude)} if egress.exclude else {})}
    return {"to": [peer], "ports": [{"protocol": egress.protocol, "port": port} for port in egress.ports]}


def _pods(peer: Caller | Egress) -> Manifest:
    selectors: Manifest = {}
    if peer.namespace:
        selectors["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": peer.namespace}}
    if peer.pods:
        selectors["podSelector"] = {"matchLabels": dict(sorted(peer.pods.items()))}
    return selectors


def _autoscaler(workload: Workload) -> Manifest:
    scale = workload.autoscale
    assert scale is not None  # noqa: S101  (its caller asked)
    aims = {"cpu": scale.cpu, "memory": scale.memory}
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": workload.kind, "name": workload.name},
        "minReplicas": scale.min,
        "maxReplicas": scale.max,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": percent}},
            }
            for name, percent in aims.items()
            if percent is not None
        ],
        "behavior": {
            "scaleDown": {
                "stabilizationWindowSeconds": 300,
                "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}],
            }
        },
    }
