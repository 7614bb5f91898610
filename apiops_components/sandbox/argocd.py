"""What Argo CD expects to find in its namespace before it starts. Pure."""

from __future__ import annotations

from typing import Any

from apiops_components.sandbox.plan import HOST

__all__ = ["NAMESPACE", "argocd_settings", "redis_configuration"]

NAMESPACE = "argocd"
_HEALTHY = 'return {status = "Healthy", message = "accepted; no operator runs in the sandbox"}'
_LABELS = {"app.kubernetes.io/part-of": "argocd"}


def argocd_settings(server_key: str) -> list[dict[str, Any]]:
    """Namespace, settings, secret and the default project."""
    settings = {
        "application.resourceTrackingMethod": "annotation",
        # Nobody serves Gateways here, so none would ever say that it is: routes are judged by `simulate` instead.
        **{
            f"resource.customizations.health.gateway.networking.k8s.io_{kind}": _HEALTHY
            for kind in ("Gateway", "HTTPRoute", "GRPCRoute")
        },
    }
    maps: dict[str, dict[str, str]] = {
        "argocd-cm": settings,
        "argocd-rbac-cm": {},
        "argocd-cmd-params-cm": {},
        "argocd-ssh-known-hosts-cm": {},
        "argocd-tls-certs-cm": {},
        "argocd-gpg-keys-cm": {},
    }
    secret = {"stringData": {"server.secretkey": server_key}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        *({"apiVersion": "v1", "kind": "ConfigMap", **_named(name), "data": data} for name, data in maps.items()),
        {"apiVersion": "v1", "kind": "Secret", **_named("argocd-secret"), **secret},
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "default", "namespace": NAMESPACE},
            "spec": {
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
                "destinations": [{"namespace": "*", "server": "*"}],
                "sourceRepos": ["*"],
            },
        },
    ]


def _named(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": NAMESPACE, "labels": _LABELS}}


def redis_configuration(port: int, password: str) -> str:
    """A redis.conf: a cache that writes nothing to the disk."""
    return f'bind {HOST}\nport {port}\nrequirepass {password}\nappendonly no\nsave ""\n'
