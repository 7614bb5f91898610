"""Repositories as the Secrets that Argo CD finds by their label."""

from __future__ import annotations

import hashlib
from typing import Any

from apiops_components.models.argo_repository import (
    AzureCredential,
    BasicCredential,
    GitHubAppCredential,
    GoogleCredential,
    Repository,
    SshCredential,
    TokenCredential,
)
from apiops_components.models.secret import SecretSlot
from apiops_components.render.installs import PART_OF

__all__ = ["repository_object"]


def repository_object(repository: Repository, namespace: str) -> dict[str, Any]:
    """The Secret of one repository, named by its address: a second one for the same has the same name."""
    kind = "repo-creds" if repository.template else "repository"
    identity = f"{repository.url}\n{repository.project}" if repository.project else repository.url
    digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
    given = {"name": repository.name, "project": repository.project, "proxy": repository.proxy}
    data: dict[str, Any] = {"url": repository.url, "type": repository.type}
    data |= {key: value for key, value in given.items() if value is not None}
    if repository.type == "helm" and "://" not in repository.url:
        data["enableOCI"] = "true"  # every value of a Secret is text
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"{kind}-{digest}",
            "namespace": namespace,
            "labels": {**PART_OF, "argocd.argoproj.io/secret-type": kind},
        },
        "type": "Opaque",
        "stringData": data | _credential(repository) | _certificate(repository),
    }


def _credential(repository: Repository) -> dict[str, Any]:
    match repository:
        case BasicCredential():
            return {"username": repository.username, "password": SecretSlot(repository.password)}
        case TokenCredential():
            return {"bearerToken": SecretSlot(repository.token)}
        case SshCredential():
            return {"sshPrivateKey": SecretSlot(repository.private_key)}
        case GitHubAppCredential():
            enterprise = repository.enterprise_url
            return {
                "githubAppID": str(repository.app_id),
                "githubAppInstallationID": str(repository.installation_id),
                "githubAppPrivateKey": SecretSlot(repository.private_key),
                **({"githubAppEnterpriseBaseUrl": enterprise} if enterprise else {}),
            }
        case GoogleCredential():
            return {"gcpServiceAccountKey": SecretSlot(repository.service_account_key)}
        case AzureCredential():
            return {"useAzureWorkloadIdentity": "true"}
        case _:
            return {}


def _certificate(repository: Repository) -> dict[str, Any]:
    shown = getattr(repository, "client_certificate", None)
    if shown is None:
        return {}
    return {
        "tlsClientCertData": SecretSlot(shown.certificate),
        "tlsClientCertKey": SecretSlot(shown.private_key),
    }
