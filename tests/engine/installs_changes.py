"""A change of each setting of the operator and of Argo CD, and what the engine then does."""

from __future__ import annotations

from typing import Any

from settings_walk import fields, paths

from apiops_components.models.argo_repository import Repository
from apiops_components.models.argocd import ArgoCDSpec
from apiops_components.models.operator import NgrokOperatorSpec

CRDS = {"ngrok-crds": "update"}
OPERATOR = {"ngrok-operator": "update"}
CREDENTIALS = {"ngrok-secret-ngrok-credentials": "update"}
RELEASE = {"argocd-release": "update"}
SSO = {"issuer": "https://id.example.com", "client_id": "argocd", "client_secret": "argocd-sso"}
SSO_SECRET = {"argocd-secret-argocd-sso": "update"}
GRANT = {"role": "ops", "resource": "projects", "action": "get", "object": "shop", "effect": "deny"}


def _repository(**fields: Any) -> dict[str, Any]:
    return {"repositories": [{"kind": "basic", "url": "https://git.example.com/apis.git", **fields}]}


_BASIC = {"username": "argocd", "password": "git"}

# Each on top of those before it, in a cluster that is in use; never a replacement of what stays.
NGROK: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"replicas": 3}, OPERATOR),
    ({"agent_replicas": 3}, OPERATOR),
    ({"resources": {"cpu": "150m", "memory": "256Mi"}}, OPERATOR),
    ({"resources": {"memory": "300Mi"}}, OPERATOR),
    ({"agent_resources": {"cpu": "300m", "memory": "512Mi"}}, OPERATOR),
    ({"agent_resources": {"memory": "600Mi"}}, OPERATOR),
    ({"spread": False}, OPERATOR),
    ({"watch_namespace": "ngrok-operator"}, OPERATOR),
    ({"region": "eu"}, OPERATOR),
    ({"domain_reclaim_policy": "Delete"}, OPERATOR),
    ({"drain_policy": "Delete"}, OPERATOR),
    ({"cleanup_hook_image": "docker.io/alpine/kubectl:1.35.0"}, OPERATOR),
    ({"chart": {"values": {"log": {"level": "debug"}}}}, OPERATOR),
    ({"chart": {"path": "{newer}/ngrok-operator"}}, OPERATOR),
    ({"chart": {"path": "{charts}/ngrok-operator"}}, OPERATOR),  # and back
    ({"crds": {"values": {"note": "none of the chart's"}}}, CRDS),
    ({"crds": {"path": "{newer}/ngrok-crds"}}, CRDS),
    ({"crds": {"path": "{charts}/ngrok-crds"}}, CRDS),
    ({"api_key": "ngrok-other"}, CREDENTIALS),
    ({"authtoken": "ngrok-another"}, CREDENTIALS),
    ({"timeout": "6m"}, CRDS | OPERATOR),
    ({"disruption_budget": False}, OPERATOR | {"ngrok-poddisruptionbudget-ngrok-operator-agent": "delete"}),
    ({"keep_crds": False}, {}),
    ({"keep_crds": True}, {}),
]
ARGOCD: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"domain": "argocd.example.com"}, RELEASE),
    ({"sso": SSO}, RELEASE | {"argocd-secret-argocd-sso": "create"}),
    ({"sso": {"name": "Company"}}, RELEASE),
    ({"sso": {"issuer": "https://login.example.com"}}, RELEASE),
    ({"sso": {"client_id": "argo"}}, RELEASE),
    ({"sso": {"client_secret": "argocd-sso-other"}}, SSO_SECRET),
    ({"sso": {"scopes": ["openid", "groups"]}}, RELEASE),
    ({"admin_enabled": True}, RELEASE),
    ({"rbac": {"default_role": "readonly"}}, RELEASE),
    ({"rbac": {"grants": [GRANT]}}, RELEASE),
    ({"rbac": {"bindings": [{"group": "shop-developers", "role": "ops"}]}}, RELEASE),
    (_repository(**_BASIC), {"argocd-secret-repository-*": "create"}),
    (_repository(**{**_BASIC, "username": "reader"}), {"argocd-secret-repository-*": "update"}),
    ({"chart": {"values": {"configs": {"cm": {"timeout.reconciliation": "600s"}}}}}, RELEASE),
    ({"chart": {"path": "{newer}/argo-cd"}}, RELEASE),
    ({"chart": {"path": "{charts}/argo-cd"}}, RELEASE),
    ({"timeout": "6m"}, RELEASE),
    ({"applications": "set"}, {}),
]
UNCHANGED = {
    "ngrok.namespace": "another namespace is another install: everything in it is replaced",
    "argocd.namespace": "another namespace is another install: everything in it is replaced",
    "argocd.profile": "test_installs_ha.py",
    **{
        f"{chart}.{field}": "says where a repository has the chart; one on this machine is given by its path"
        for chart in ("ngrok.chart", "ngrok.crds", "argocd.chart")
        for field in ("name", "version", "repository")
    },
}
"""Settings that do not change here, each with the reason."""


def settings() -> set[str]:
    """Every setting of the two, by its path."""
    # A credential of each kind is a Secret of its own, with nothing else depending on it: one setting.
    whole = (tuple[Repository, ...],)
    return {*fields(NgrokOperatorSpec, "ngrok", whole), *fields(ArgoCDSpec, "argocd", whole)}


def changed() -> set[str]:
    """The settings that the lists above change."""
    lists = (("ngrok", NGROK), ("argocd", ARGOCD))
    return {path for name, changes in lists for change, _ in changes for path in paths(change, name)}
