"""Who owns which field of a live object: `metadata.managedFields`, as server-side apply keeps them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Owned", "only_controllers", "owned_beside"]

# Programs that people change objects with by hand; each names itself by its user agent.
_PEOPLE = re.compile(r"kubectl|k9s|lens|headlamp|octant|dashboard|curl|python|mozilla|^oc$|node-fetch", re.IGNORECASE)
# Programs that change objects for their own reasons, and always again.
_CONTROLLERS = re.compile(
    r"^kube-|kubelet|controller|operator|scheduler|autoscaler|^manager$|^vpa|^hpa|^keda|provisioner|webhook|^cert-manager"
    r"|^istio|^cilium|^ngrok|^gke-|^glbc|-agent$",
    re.IGNORECASE,
)
_DELIVERS = re.compile(r"^(argocd|apiopsctl|pulumi)")

# What Argo CD and kubectl write beside what they apply.
_BOOKKEEPING = (
    ("metadata", "annotations", "argocd.argoproj.io/"),
    ("metadata", "labels", "argocd.argoproj.io/"),
    ("metadata", "labels", "kubernetes.io/metadata.name"),
    ("metadata", "labels", "app.kubernetes.io/instance"),
    ("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"),
    ("metadata", "annotations", "pulumi.com/"),
    ("metadata", "finalizers"),
)

Step = tuple[str, Any]
"""One step of a path: a field (``f``), an item by its keys (``k``) or by its value (``v``)."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A field that is there beside what Git says.

    Attributes:
        manager: Who wrote it.
        path: Where it is.
        value: What it holds.
    """

    manager: str
    path: str
    value: Any


def owned_beside(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Owned]:
    """Fields that people added, or that were delivered once and are gone from Git.

    What controllers own is theirs, and so is the status.
    """
    found: dict[str, Owned] = {}
    for entry in _entries(live):
        manager = str(entry.get("manager", ""))
        if entry.get("subresource") == "status" or not (_is_person(manager) or _DELIVERS.match(manager)):
            continue
        for path in _paths(entry.get("fieldsV1") or {}, ()):
            extra = _beside(path, live, wanted)
            if extra is not None and not _is_bookkeeping(path):
                shown, value = extra
                found.setdefault(shown, Owned(manager, shown, value))
    return [found[path] for path in sorted(found) if not any(path.startswith((f"{p}.", f"{p}[")) for p in found)]


def only_controllers(live: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    """Whether a field is owned by controllers and by nobody else, such as the replicas of an autoscaler."""
    owners = [
        entry
        for entry in _entries(live)
        if any(_names(path)[: len(names)] == names for path in _paths(entry.get("fieldsV1") or {}, ()))
    ]
    return bool(owners) and all(
        entry.get("subresource") == "status" or _is_controller(str(entry.get("manager", ""))) for entry in owners
    )


def _is_person(manager: str) -> bool:
    return bool(_PEOPLE.search(manager))


def _is_controller(manager: str) -> bool:
    return bool(_CONTROLLERS.search(manager)) and not _DELIVERS.match(manager) and not _is_person(manager)


def _entries(live: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return (live.get("metadata") or {}).get("managedFields") or []


def _names(path: tuple[Step, ...]) -> tuple[str, ...]:
    return tuple(value for kind, value in path if kind == "f")


def _paths(fields: Mapping[str, Any], above: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    """The innermost fields of an entry."""
    for key, below in fields.items():
        if key == ".":
            yield above
            continue
        kind, _, text = key.partition(":")
        step: Step = (kind, text if kind == "f" else json.loads(text))
        path = (*above, step)
        if below:
            yield from _paths(below, path)
        else:
            yield path


def _is_bookkeeping(path: tuple[Step, ...]) -> bool:
    names = _names(path)
    for *above, last in _BOOKKEEPING:
        depth = len(above)
        if list(names[:depth]) == above and len(names) > depth and names[depth].startswith(last):
            return True
    return False


def _beside(path: tuple[Step, ...], live: Any, wanted: Any) -> tuple[str, Any] | None:
    """The outermost part of a path that is in the live object and not in the wanted one, with its value."""
    shown = ""
    for kind, name in path:
        live, wanted = _step(kind, name, live), _step(kind, name, wanted)
        if kind == "f":
            word = name.replace("-", "_").isidentifier()
            shown += f'["{name}"]' if not word else f".{name}" if shown else name
        else:
            text = ",".join(f"{k}={v}" for k, v in name.items()) if isinstance(name, Mapping) else str(name)
            shown += f"[{text}]"
        if live is None:
            return None  # gone since; what Git says decides
        if wanted is None:
            return shown, live
    return None


def _step(kind: str, name: Any, value: Any) -> Any:
    if kind == "f":
        return value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(value, list):
        return None
    if kind == "v":
        return name if name in value else None
    for item in value:
        if isinstance(item, Mapping) and all(item.get(key, want) == want for key, want in name.items()):
            return item
    return None
