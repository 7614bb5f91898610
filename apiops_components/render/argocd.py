"""Argo CD as Helm values, and what one team gets as manifests."""

from __future__ import annotations

from typing import Any

from apiops_components.documents import dump
from apiops_components.models.argocd import ArgoCDSpec, GitOpsSpec, Rbac, Sso
from apiops_components.models.secret import SecretSlot
from apiops_components.render.argo_profile import (
    highly_available,
    probed,
    redis_policy,
    resources,
    restricted,
    small,
)
from apiops_components.render.argo_repository import repository_object
from apiops_components.render.installs import PART_OF, merged, namespace

__all__ = ["RELEASE", "SSO_SECRET", "TEAM_KINDS", "argocd_objects", "argocd_values", "gitops_objects"]

RELEASE = "argocd"
"""Name of the Helm release; with it the chart calls its Service ``argocd-server``, and so on."""

TEAM_KINDS = (
    ("", "ConfigMap"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("gateway.networking.k8s.io", "*"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("ngrok.k8s.ngrok.com", "NgrokTrafficPolicy"),
    ("policy", "PodDisruptionBudget"),
)
"""Group and kind of everything that this package renders for a team, and of nothing else. No Secret: its place is not
Git. No CloudEndpoint or AgentEndpoint of ngrok: they would open a host past the Gateway and what guards it."""

SSO_SECRET = "argocd-sso"  # noqa: S105  (a name)
"""Name of the Secret with what Argo CD shows to the provider of log-ins."""

_API = "argoproj.io/v1alpha1"


def argocd_values(spec: ArgoCDSpec) -> dict[str, Any]:
    """Values of the chart; what the settings' ``chart.values`` say comes last.

    Keys such as ``server.insecure`` are literal: the dot is part of the key.
    """
    values: dict[str, Any] = {
        "crds": {"install": True, "keep": True},
        "global": {
            "networkPolicy": {"create": True, "defaultDenyIngress": True},
            "logging": {"format": "json"},
            # Containers of the chart are as restricted already; this holds for those that `chart.values` add.
            "securityContext": restricted(),
        },
        "configs": {
            "cm": {"admin.enabled": spec.admin, "exec.enabled": False, **_sso(spec.sso)},
            # A synchronisation waits for what it applied to become healthy, and a newer commit waits for it: without
            # an end, one image that never starts would keep its own correction out.
            "params": {"controller.sync.timeout.seconds": "900"},
            "rbac": {"policy.default": _role(spec.rbac.default_role), "policy.csv": policy_csv(spec.rbac)},
        },
        # Argo CD speaks OpenID Connect by itself, and messages are not modelled: what does not run cannot be attacked.
        "dex": {"enabled": False},
        "notifications": {"enabled": False},
        # It runs the tools of others on what teams wrote, and asks the API server for nothing.
        "repoServer": {"automountServiceAccountToken": False},
        "redisSecretInit": {"resources": resources("20m", "128Mi", "128Mi"), "securityContext": restricted()},
        "applicationSet": probed(),
    }
    if spec.domain is not None:
        values["global"]["domain"] = spec.domain
        values["configs"]["params"]["server.insecure"] = True
    return merged(merged(values, highly_available() if spec.profile == "ha" else small()), spec.chart.values)


def _sso(sso: Sso | None) -> dict[str, str]:
    if sso is None:
        return {}
    config = {
        "name": sso.name,
        "issuer": sso.issuer,
        "clientID": sso.client_id,
        "clientSecret": f"${SSO_SECRET}:clientSecret",  # Argo CD looks it up in the Secret of this name
        "requestedScopes": list(sso.scopes),
    }
    return {"oidc.config": dump(config)}


def policy_csv(rbac: Rbac) -> str:
    """Grants and bindings as lines of Argo CD's policy."""
    lines = [
        f"p, {_role(grant.role)}, {grant.resource}, {grant.action}, {grant.object}, {grant.effect}"
        for grant in rbac.grants
    ]
    for binding in rbac.bindings:
        group = (
            f'"{binding.group}"' if "," in binding.group or binding.group != binding.group.strip() else binding.group
        )
        lines.append(f"g, {group}, {_role(binding.role)}")
    return "".join(f"{line}\n" for line in lines)


def _role(name: str) -> str:
    return f"role:{name}" if name else ""


def argocd_objects(spec: ArgoCDSpec) -> list[dict[str, Any]]:
    """The Namespace, then the Secrets of log-in and repositories, and the network policy of Redis."""
    objects = [namespace(spec.namespace, enforce="restricted")]
    if spec.sso is not None:
        objects.append(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": SSO_SECRET,
                    "namespace": spec.namespace,
                    # Argo CD reads values from Secrets with this label alone.
                    "labels": {**PART_OF, "app.kubernetes.io/part-of": "argocd"},
                },
                "type": "Opaque",
                "stringData": {"clientSecret": SecretSlot(spec.sso.client_secret)},
            }
        )
    objects += [repository_object(repository, spec.namespace) for repository in spec.repositories]
    return [*objects, redis_policy(spec.profile, spec.namespace)]


def gitops_objects(spec: GitOpsSpec) -> list[dict[str, Any]]:
    """AppProject and, unless an ApplicationSet makes it, Application of a team, in the order of creation."""
    return [_project(spec), _application(spec)] if spec.application else [_project(spec)]


def _project(spec: GitOpsSpec) -> dict[str, Any]:
    kinds = {*TEAM_KINDS, *((extra.group, extra.kind) for extra in spec.extra_kinds)}
    project: dict[str, Any] = {
        "description": spec.description or f"APIs of team {spec.team}",
        "sourceRepos": [spec.repository],
        "destinations": [{"server": spec.server, "namespace": name} for name in spec.namespaces],
        # Written out although it means the same as its absence: none. The next field, absent, would mean all.
        "clusterResourceWhitelist": [],
        "namespaceResourceWhitelist": [{"group": group, "kind": kind} for group, kind in sorted(kinds)],
    }
    if spec.groups:
        project["roles"] = [_team_role(spec)]
    if spec.windows:
        project["syncWindows"] = [
            window.model_dump(mode="json", by_alias=True, exclude_defaults=True) for window in spec.windows
        ]
    return {
        "apiVersion": _API,
        "kind": "AppProject",
        "metadata": {"name": spec.team, "namespace": spec.argocd_namespace, "labels": dict(PART_OF)},
        "spec": project,
    }


def _team_role(spec: GitOpsSpec) -> dict[str, Any]:
    begin = f"p, proj:{spec.team}:team"
    return {
        "name": "team",
        "description": "Sees the team's applications and their logs, and may ask for a synchronisation",
        "policies": [
            f"{begin}, applications, get, {spec.team}/*, allow",
            f"{begin}, applications, sync, {spec.team}/*, allow",
            f"{begin}, logs, get, {spec.team}/*, allow",
        ],
        "groups": [f'"{group}"' if "," in group else group for group in spec.groups],
    }


def _application(spec: GitOpsSpec) -> dict[str, Any]:
    return {
        "apiVersion": _API,
        "kind": "Application",
        "metadata": {
            "name": spec.team,
            "namespace": spec.argocd_namespace,
            "labels": dict(PART_OF),
            # Deleting the Application deletes what it deployed, and ends when all of it is gone.
            "finalizers": ["resources-finalizer.argocd.argoproj.io/foreground"],
        },
        "spec": {
            "project": spec.team,
            "source": {
                "repoURL": spec.repository,
                "targetRevision": spec.revision,
                "path": spec.path,
                "directory": {"recurse": True},
            },
            "destination": {"server": spec.server, "namespace": spec.namespaces[0]},
            "syncPolicy": {
                "automated": {"prune": spec.prune, "selfHeal": spec.self_heal, "allowEmpty": spec.allow_empty},
                "syncOptions": [
                    "ServerSideApply=true",
                    # What replaces an object is healthy before the object goes: a renamed route is never missing.
                    "PruneLast=true",
                    # An object has one owner; the second one is told, instead of the two undoing each other.
                    "FailOnSharedResource=true",
                ],
                "retry": {
                    "limit": spec.retry.limit,
                    "backoff": {
                        "duration": spec.retry.duration,
                        "factor": spec.retry.factor,
                        "maxDuration": spec.retry.max_duration,
                    },
                },
            },
        },
    }
