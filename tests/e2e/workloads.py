"""Workloads with every option and every exemption: for judges of manifests, and for a real API server."""

from __future__ import annotations

from typing import Any

from apiops_components.models.workload import Workload
from apiops_components.render.workload import workload_objects

IMAGE = "ghcr.io/acme/orders:1.4.2"
DIGEST = "@sha256:" + "0123456789abcdef" * 4
REASON = "shown in a test, not in earnest"

OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "replica-set": {"kind": "ReplicaSet"},
    "autoscaled": {"autoscale": {"max": 6}},
    "autoscaled-by-memory": {"autoscale": {"min": 2, "max": 6, "cpu": None, "memory": 80}},
    "autoscaled-replica-set": {"kind": "ReplicaSet", "autoscale": {"max": 6}},
    "labelled": {"labels": {"tier": "backend", "acme.example/cost-center": "shop"}},
    "started-by-hand": {"command": ["/bin/orders"], "args": ["--listen=:8080", "$(NOT_EXPANDED)"]},
    "configured": {
        "env": {
            "LOG_LEVEL": "info",
            "DB_PASSWORD_FILE": {"secret": "orders-db", "key": "password"},
            "DB_USER_FILE": {"secret": "orders-db", "key": "user"},
            "CERTIFICATE_FILE": {"secret": "orders-tls", "key": "tls.crt"},
        }
    },
    "probed": {
        "readiness": {"path": "/ready?deep=1", "scheme": "HTTPS", "port": 8443, "period_seconds": 5},
        "liveness": {"failure_threshold": 5},
        "startup": {"path": "/started", "period_seconds": 5, "timeout_seconds": 5, "failure_threshold": 10},
    },
    "large": {
        "resources": {"cpu_request": "1", "cpu_limit": "2", "memory": "1Gi", "ephemeral_storage": "2Gi"},
        "scratch": {"/tmp": "1Gi", "/var/cache/orders": "512Mi"},  # noqa: S108  (a path in the container)
    },
    "without-scratch": {"scratch": {}},
    "stopped-at-once": {"drain_seconds": 0, "termination_grace_seconds": 5},
    "on-another-port": {"port": 9090, "service_port": 8080},
    "talkative": {
        "allow_ingress": [{"namespace": "monitoring"}, {"pods": {"app": "basket"}}],
        "allow_egress": [
            {"namespace": "data", "pods": {"app": "postgres"}, "ports": [5432]},
            {"pods": {"app": "cache"}, "ports": [6379, 6380]},
            {"cidr": "203.0.113.0/24", "exclude": ["203.0.113.128/25"], "ports": [443]},
            {"cidr": "2001:db8::/32", "ports": [123], "protocol": "UDP"},
        ],
    },
    "with-ids-of-its-own": {"user": 20_000, "group": 30_000},
}
"""What needs no exemption."""

EXEMPTED: dict[str, tuple[str, dict[str, Any]]] = {
    "adds-a-capability": ("added-capabilities", {"add_capabilities": ["CHOWN"]}),
    "binds-as-net-bind-service": ("added-capabilities", {"add_capabilities": ["NET_BIND_SERVICE"]}),
    "by-tag": ("image-without-digest", {"image": IMAGE}),
    "low-user": ("low-user-id", {"user": 101}),
    "low-group": ("low-user-id", {"group": 33}),
    "without-readiness": ("no-probes", {"readiness": None}),
    "without-liveness": ("no-probes", {"liveness": None}),
    "low-port": ("privileged-port", {"port": 80}),
    "root": ("run-as-root", {"user": 0}),
    "root-group": ("run-as-root", {"group": 0}),
    "plain-secret": ("secret-in-environment", {"env": {"DB_PASSWORD": "x"}}),
    "alone": ("single-replica", {"replicas": 1}),
    "alone-at-least": ("single-replica", {"autoscale": {"min": 1, "max": 4}}),
    "talks-to-anybody": (
        "wide-egress",
        {"allow_egress": [{"cidr": "0.0.0.0/0", "exclude": ["169.254.0.0/16"], "ports": [443]}]},
    ),
    "writes-anywhere": ("writable-root-filesystem", {"read_only_root": False}),
}
"""What needs one: which, and what breaks it."""


def workloads() -> dict[str, Workload]:
    """Each of them, by its name."""
    exempted = {
        name: broken | {"exemptions": [{"rule": rule, "reason": REASON}]} for name, (rule, broken) in EXEMPTED.items()
    }
    plain = {"image": IMAGE + DIGEST, "port": 8080}
    return {
        name: Workload.model_validate({"name": name, **plain, **own}) for name, own in {**OPTIONS, **exempted}.items()
    }


def objects(workload: Workload, namespace: str = "shop") -> list[dict[str, Any]]:
    """The objects that run it."""
    return workload_objects(workload, namespace=namespace, labels={}, ingress_namespace="ngrok-operator")
