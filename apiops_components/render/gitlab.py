"""What Argo CD reads a repository on GitLab with."""

from __future__ import annotations

from typing import Any

from apiops_components.models.argo_repository import BasicCredential
from apiops_components.models.gitlab import RepositoryCredential
from apiops_components.render.argo_repository import repository_object

__all__ = ["TOKEN", "repository_secret"]

TOKEN = "gitlab-token"  # noqa: S105  (a name)
"""Name of the slot that the token takes; no key of the settings has it."""


def repository_secret(credential: RepositoryCredential) -> dict[str, Any]:
    """The Secret that Argo CD finds by its label; named by the repository, so that no two are for the same."""
    found = BasicCredential(url=credential.url, username=credential.username, password=TOKEN)
    return repository_object(found, credential.namespace)
