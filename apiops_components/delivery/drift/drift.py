"""What in a cluster is not as Git says: asked of the API server itself, by a dry run of applying what Git says.

The server fills in its defaults and normal forms on both sides, so that only what somebody changed is different.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

from apiops_components.delivery.difference.comparison import Comparison, EnvironmentChange, ObjectChange, in_order
from apiops_components.delivery.difference.fields import FieldChange, differences
from apiops_components.delivery.difference.hidden import hide, revealed
from apiops_components.delivery.difference.item import Item, of_object
from apiops_components.delivery.drift.owners import only_controllers, owned_beside
from apiops_components.errors import ApiOpsError

__all__ = ["Live", "drift_of"]

# What the server keeps for itself.
_SERVERS = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
_AT_ONCE = 8
_LABEL = "app.kubernetes.io/part-of=apiops"
_INVALID = frozenset({400, 409, 422})

# Kinds that a team's tree may hold, looked through for objects that Git does not know any more.
_KINDS = (
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("ngrok.k8s.ngrok.com/v1alpha1", "NgrokTrafficPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
)


class Live(Protocol):
    """A cluster, as far as it is asked here."""

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Any:
        """A live object, or None."""

    def list(self, api_version: str, kind: str, namespace: str, labels: str) -> Iterable[Any]:
        """The objects of a kind in a namespace that have these labels."""

    def dry_run(self, item: Mapping[str, Any], namespace: str) -> Any:
        """What an object would be if this were applied over it."""


def drift_of(
    cluster: Live,
    items: Sequence[Item],
    *,
    environment: str,
    git: str,
    context: str,
    known: Iterable[tuple[str, str, str, str]] = (),
) -> Comparison:
    """What is different in the cluster: changed, deleted there, or there beside what Git says.

    Args:
        cluster: The cluster.
        items: What Git says.
        environment: Name of the environment.
        git: What a person calls that state of Git.
        context: What a person calls the cluster.
        known: Group, kind, namespace and name of other objects that are right to be there.

    Raises:
        ApiOpsError: The cluster could not be asked.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        changes = [change for change in pool.map(lambda item: _compared(cluster, item), items) if change]
        rights = {item.identity[1:] for item in items} | set(known)
        looked = sorted({(item.api_version, item.kind) for item in items} | set(_KINDS))
        places = [(*kind, namespace) for namespace in sorted({i.namespace for i in items} - {""}) for kind in looked]
        for extra in pool.map(lambda place: list(_extra(cluster, place, rights, environment)), places):
            changes += extra
    return Comparison(git, context, (EnvironmentChange(environment, in_order(changes)),))


def _compared(cluster: Live, item: Item) -> ObjectChange | None:
    live = cluster.get(item.api_version, item.kind, item.namespace, item.name)
    if live is None:
        return ObjectChange("deleted", item)
    try:
        wanted = cluster.dry_run(revealed(item.content), item.namespace)
    except ApiOpsError as error:
        if getattr(error, "status", 0) not in _INVALID:
            raise
        # The server would not take what Git says over what is there: a field that cannot be changed is another one.
        return ObjectChange("changed", item, tuple(_refused(item, live, error)))
    if wanted is None:
        return ObjectChange("deleted", item)
    fields = [
        field
        for field in differences(item.kind, _compared_part(wanted), _compared_part(live))
        if not only_controllers(live, field.names)
    ]
    seen = {field.path for field in fields}
    beside = [owned for owned in owned_beside(live, item.content) if owned.path not in seen]
    fields += (FieldChange(owned.path, "added", None, owned.value) for owned in beside)
    return ObjectChange("changed", item, tuple(sorted(fields, key=lambda f: f.path))) if fields else None


def _refused(item: Item, live: Mapping[str, Any], error: ApiOpsError) -> Iterator[FieldChange]:
    """What Git says and the live object has otherwise; the server's word where that shows nothing."""
    found = [
        field
        for field in differences(item.kind, item.content, _compared_part(live))
        if field.before is not None  # what Git does not say may be a default
    ]
    yield from found or [FieldChange("", "changed", "what Git says", str(error.problems[0].message))]


def _compared_part(value: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = {key: item for key, item in (value.get("metadata") or {}).items() if key not in _SERVERS}
    return hide({**{key: item for key, item in value.items() if key != "status"}, "metadata": metadata})


def _extra(
    cluster: Live, place: tuple[str, str, str], rights: set[tuple[str, str, str, str]], environment: str
) -> Iterator[ObjectChange]:
    api_version, kind, namespace = place
    for live in cluster.list(api_version, kind, namespace, _LABEL):
        metadata = live.get("metadata") or {}
        if metadata.get("ownerReferences") or metadata.get("deletionTimestamp"):
            continue  # of a controller, or on its way out
        item = of_object({**_compared_part(live)}, environment)
        if item.identity[1:] not in rights:
            yield ObjectChange("created", replace(item, applied_by=""))
