"""Whether Argo CD has what is about to move: synced, healthy, and that very state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from apiops_components.delivery.git import Repository
from apiops_components.delivery.place import Place
from apiops_components.delivery.promotion.committed import committed
from apiops_components.errors import ApiOpsError, GuardrailError, Problem

__all__ = ["check_synced"]

_API = "argoproj.io/v1alpha1"


class Applications(Protocol):
    """A cluster, as far as it is asked here."""

    def list(self, api_version: str, kind: str, namespace: str, labels: str) -> Iterable[Any]:
        """The objects of a kind in a namespace that have these labels."""


def check_synced(cluster: Applications, namespace: str, place: Place, digest: str) -> tuple[str, ...]:
    """Checks every Application of Argo CD that applies a part of a tree; their names.

    Args:
        cluster: Where Argo CD runs.
        namespace: Its namespace.
        place: The tree.
        digest: The tree's digest, as it is about to move.

    Raises:
        GuardrailError: There is none, or one of them is not synced, not healthy, or of another state.
        ApiOpsError: The cluster could not be asked.
    """
    found = [item for item in cluster.list(_API, "Application", namespace, "") if _applies(item, place.folder)]
    if not found:
        message = f"Argo CD has no Application in {namespace!r} that applies {place.folder}"
        hint = "is this the cluster of the first environment?"
        raise GuardrailError(Problem(message, code="promotion/argocd", hint=hint))
    problems = [problem for item in found for problem in _problems(item, place, digest)]
    if problems:
        raise GuardrailError(problems)
    return tuple(sorted(str(item["metadata"]["name"]) for item in found))


def _applies(item: Mapping[str, Any], folder: str) -> bool:
    spec = item.get("spec") or {}
    sources = spec.get("sources") or [spec.get("source") or {}]
    return any(f"{source.get('path', '')}/".startswith(f"{folder}/") for source in sources)


def _problems(item: Mapping[str, Any], place: Place, digest: str) -> Iterator[Problem]:
    status = item.get("status") or {}
    sync, health = status.get("sync") or {}, status.get("health") or {}
    name = f"Application {item['metadata'].get('namespace')}/{item['metadata']['name']}"
    for what, state, wanted in (("sync", sync.get("status"), "Synced"), ("health", health.get("status"), "Healthy")):
        if state != wanted:
            message = f"{what} is {state or 'Unknown'}, and {wanted} is needed"
            hint = str(health.get("message") or "wait for Argo CD, or look at the application there")
            yield Problem(message, f"status.{what}.status", "promotion/argocd", hint, document=name)
    revision = str(sync.get("revision") or next(iter(sync.get("revisions") or []), ""))
    if sync.get("status") == "Synced" and not _is_state(place.repository, revision, place.folder, digest):
        message = f"it has revision {revision[:12] or 'none'}, whose {place.folder} is not the state that would move"
        hint = "wait for Argo CD, or git fetch"
        yield Problem(message, "status.sync.revision", "promotion/argocd", hint, document=name)


def _is_state(repository: Repository, revision: str, folder: str, digest: str) -> bool:
    try:
        tree = committed(repository, repository.commit(revision), folder)
    except ApiOpsError:
        return False
    return tree is not None and tree.index.digest == digest
