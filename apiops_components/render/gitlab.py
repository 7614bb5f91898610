"""What Argo CD reads a repository on GitLab with."""

from __future__ import annotations

import hashlib
from typing import Any

from apiops_components.models.gitlab import RepositoryCredential
from apiops_components.models.secret import SecretSlot
from apiops_components.render.installs import PART_OF

__all__ = ["TOKEN", "repository_secret"]

TOKEN = "gitlab-token"  # noqa: S105  (a name)
"""Name of the slot that the token takes; no key of the settings has it."""


def repository_secret(credential: RepositoryCredential) -> dict[str, Any]:
    """The Secret that Argo CD finds by its label; named by the repository, so that no two are for the same."""
    digest = hashlib.sha256(credential.url.encode()).hexdigest()[:10]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"repository-{digest}",
            "namespace": credential.namespace,
            "labels": {**PART_OF, "argocd.argoproj.io/secret-type": "repository"},
        },
        "type": "Opaque",
        "stringData": {
            "type": "git",
            "url": credential.url,
            "username": credential.username,
            "password": SecretSlot(TOKEN),
        },
    }
