"""One object of one side of a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from apiops_components.delivery.difference.hidden import hide
from apiops_components.delivery.recording import RecordedResource
from apiops_components.render.manifest import Manifest

__all__ = ["PULUMI", "Identity", "Item", "items_of", "of_manifest", "of_object", "of_resource"]

PULUMI = "pulumi"
"""What stands in the place of an API version for a resource of a Pulumi provider."""

Identity = tuple[str, str, str, str, str]
"""What stays the same as long as it is the same object: environment, API group, kind, namespace, name."""


@dataclass(frozen=True, slots=True)
class Item:
    """An object and what is known of it; secrets in it are hidden.

    Attributes:
        environment: The environment; empty where it is not known.
        api_version: Such as ``apps/v1``; ``pulumi`` for a resource that is no Kubernetes object.
        kind: Such as ``HTTPRoute``; the type token for a resource of Pulumi.
        namespace: Its namespace; empty where it has none.
        name: Its name.
        content: All of it.
        component: The component that it comes from; empty where it is not known.
        team: Whose it is; empty for the platform, or where it is not known.
        owner: Who answers for it; empty where nobody is named.
        applied_by: Who applies it; empty where it is not known.
    """

    environment: str
    api_version: str
    kind: str
    namespace: str
    name: str
    content: Mapping[str, Any]
    component: str = ""
    team: str = ""
    owner: str = ""
    applied_by: Literal["pulumi", "gitops", ""] = ""

    @property
    def group(self) -> str:
        """Its API group; empty for Kubernetes' own core."""
        return self.api_version.rpartition("/")[0] if self.api_version != PULUMI else PULUMI

    @property
    def identity(self) -> Identity:
        """What it is, apart from what it holds and from the version of its API."""
        return (self.environment, self.group, self.kind, self.namespace, self.name)

    @property
    def title(self) -> str:
        """``HTTPRoute shop/orders``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def of_manifest(manifest: Manifest, environment: str, owner: str) -> Item:
    """A rendered manifest; ``owner`` for one that does not say who answers for it."""
    return Item(
        environment,
        str(manifest.object["apiVersion"]),
        manifest.kind,
        manifest.namespace or "",
        manifest.name,
        hide(manifest.object),
        manifest.component,
        manifest.team or "",
        manifest.responsible or owner,
        manifest.owner,
    )


def of_object(value: Mapping[str, Any], environment: str, component: str = "", team: str = "", owner: str = "") -> Item:
    """An object that was read from a file."""
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}

    def said(field: str, key: str) -> str:
        found = metadata.get(field)
        return str(found.get(key, "")) if isinstance(found, Mapping) else ""

    return Item(
        environment,
        str(value.get("apiVersion", "")),
        str(value.get("kind", "")),
        str(metadata.get("namespace") or ""),
        str(metadata.get("name") or metadata.get("generateName") or ""),
        hide(value),
        component,
        team or said("labels", "apiops/team"),
        said("annotations", "apiops/owner") or owner,
        "gitops" if component else "",
    )


def items_of(value: Any) -> Iterable[Mapping[str, Any]]:
    """The objects in a document: itself, or those of a list; nothing where it holds none."""
    if not isinstance(value, Mapping):
        return
    if str(value.get("kind", "")).endswith("List") and isinstance(value.get("items"), list):
        for item in value["items"]:
            yield from items_of(item)
    elif value.get("kind") and isinstance(value.get("metadata"), Mapping):
        yield value


def of_resource(resource: RecordedResource, environment: str, team: str, owner: str) -> Item:
    """A resource of a Pulumi program that is no Kubernetes object."""
    options = {
        "protect": resource.protect,
        "retainOnDelete": resource.retain_on_delete,
        "deleteBeforeReplace": bool(resource.delete_before_replace),
    }
    return Item(
        environment,
        PULUMI,
        resource.type,
        "",
        resource.name,
        {**resource.inputs, **({"options": set_} if (set_ := {key: on for key, on in options.items() if on}) else {})},
        _component_of(resource),
        team,
        owner,
        "pulumi",
    )


def _component_of(resource: RecordedResource) -> str:
    """``GkeCluster cluster`` from the URN of the component that it is in."""
    kinds, _, name = resource.parent.rpartition("::")
    kind = kinds.rpartition("$")[2].rpartition("::")[2].rpartition(":")[2]
    return f"{kind} {name}" if kind and kind != "Stack" else ""
