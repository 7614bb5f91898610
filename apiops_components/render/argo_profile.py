"""What the profiles of Argo CD differ in: replicas, sizes, and one Redis or three."""

from __future__ import annotations

from typing import Any

from apiops_components.render.installs import PART_OF

__all__ = ["highly_available", "probed", "redis_policy", "resources", "restricted", "small"]

# No file in the images of Redis and HAProxy belongs to a user that they would have to run as.
_USER = {"runAsUser": 10001, "runAsGroup": 10001}
_ZONES = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}


def small() -> dict[str, Any]:
    """One of everything."""
    return {
        "controller": {"resources": resources("100m", "512Mi")},
        "server": {"resources": resources("50m", "128Mi")},
        "repoServer": {"resources": resources("50m", "256Mi")},
        "applicationSet": {"resources": resources("20m", "128Mi")},
        "redis": {
            "resources": resources("20m", "64Mi", "128Mi"),
            "securityContext": dict(_USER),
            "automountServiceAccountToken": False,
            **probed(),
        },
    }


def highly_available() -> dict[str, Any]:
    """Two of everything but the controller, and three Redis behind three HAProxy, one on each node."""
    return {
        "global": {"topologySpreadConstraints": [dict(_ZONES)]},
        # More controllers would only share out clusters, and there is one.
        "controller": {"replicas": 1, "resources": resources("500m", "2Gi")},
        "server": {"autoscaling": _scaling(), "pdb": _budget(), "resources": resources("100m", "256Mi")},
        "repoServer": {"autoscaling": _scaling(), "pdb": _budget(), "resources": resources("250m", "1Gi")},
        "applicationSet": {"replicas": 2, "pdb": _budget(), "resources": resources("50m", "256Mi")},
        "redis-ha": _redis(),
    }


def _redis() -> dict[str, Any]:
    return {
        "enabled": True,
        # A cache: what is lost is made again, and a volume would hold a pod in its zone.
        "persistentVolume": {"enabled": False},
        "auth": True,
        "existingSecret": "argocd-redis",  # made by a hook of Argo CD's chart, never by values
        "hardAntiAffinity": True,
        "topologySpreadConstraints": {"enabled": True, **_ZONES},
        "podDisruptionBudget": {"maxUnavailable": 1},
        "securityContext": {**_USER, "fsGroup": 10001, **restricted()},
        "containerSecurityContext": {**_USER, "readOnlyRootFilesystem": True},
        # Neither Redis nor HAProxy asks the API server for anything.
        "rbac": {"create": False},
        "redis": {
            "resources": resources("100m", "512Mi", "1Gi"),
            # Below the memory limit, so that old entries go instead of the pod.
            "config": {"maxmemory": "384mb"},
        },
        "sentinel": {"resources": resources("50m", "64Mi", "128Mi")},
        "splitBrainDetection": {"resources": resources("10m", "64Mi", "128Mi")},
        "init": {"resources": resources("10m", "64Mi", "128Mi")},
        # For what a replica receives of the primary when it starts.
        "emptyDir": {"sizeLimit": "1Gi"},
        # This chart inside the chart does not know of the default that denies all ingress, so it needs its own.
        "networkPolicy": {"enabled": True},
        "haproxy": {
            "hardAntiAffinity": True,
            # With one on each of three nodes there is no place for a fourth, which the default would wait for.
            "deploymentStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "podDisruptionBudget": {"maxUnavailable": 1},
            "resources": resources("50m", "128Mi", "128Mi"),
            "init": {"resources": resources("10m", "32Mi", "128Mi")},
            "emptyDir": {"sizeLimit": "16Mi"},
            "securityContext": {**_USER, "fsGroup": 10001, **restricted()},
            "containerSecurityContext": {"readOnlyRootFilesystem": True},
            "serviceAccount": {"automountToken": False},
            "metrics": {"enabled": True},
            "networkPolicy": _proxy_policy(),
        },
    }


def _proxy_policy() -> dict[str, Any]:
    clients = ("argocd-server", "argocd-repo-server", "argocd-application-controller")
    return {
        "enabled": True,
        "ingressRules": [
            {"selectors": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": name}}} for name in clients]}
        ],
        # Clouds and node-local caches answer DNS on link-local addresses, which no namespace selector matches.
        "egressRules": [
            {
                "selectors": [{"ipBlock": {"cidr": "169.254.0.0/16"}}],
                "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
            }
        ],
    }


def redis_policy(profile: str, namespace: str) -> dict[str, Any]:
    """What the policies of the charts lack of Redis.

    The single one answers and asks nobody. Of three, readers of metrics are let in to HAProxy, as the chart does for
    Argo CD's own pods; a rule in the chart's values would let them in to Redis, too: the chart adds its ports to each.
    """
    name = "argocd-redis" if profile == "small" else "argocd-redis-ha-haproxy"
    spec: dict[str, Any] = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": name}}}
    if profile == "small":
        spec |= {"policyTypes": ["Egress"], "egress": []}
    else:
        metrics = {"from": [{"namespaceSelector": {}}], "ports": [{"port": "metrics-port", "protocol": "TCP"}]}
        spec |= {"policyTypes": ["Ingress"], "ingress": [metrics]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": f"{name}-{'egress' if profile == 'small' else 'metrics'}",
            "namespace": namespace,
            "labels": dict(PART_OF),
        },
        "spec": spec,
    }


def probed() -> dict[str, Any]:
    """Switches on probes that the chart knows and leaves off: without them a pod that hangs stays."""
    return {"livenessProbe": {"enabled": True}, "readinessProbe": {"enabled": True}}


def resources(cpu: str, memory: str, disk: str | None = None) -> dict[str, Any]:
    """A request of each, and a limit of those that cannot be taken back: memory and disk."""
    held = {"memory": memory} | ({"ephemeral-storage": disk} if disk else {})
    return {"requests": {"cpu": cpu, **held}, "limits": held}


def restricted() -> dict[str, Any]:
    """What a restricted namespace asks of a pod."""
    return {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def _budget() -> dict[str, Any]:
    return {"enabled": True, "maxUnavailable": 1}


def _scaling() -> dict[str, Any]:
    return {"enabled": True, "minReplicas": 2, "maxReplicas": 5}
