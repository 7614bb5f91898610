"""What the installs of this package have in common: their label, their namespaces, how Helm values merge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apiops_components.versions import KUBERNETES

__all__ = ["PART_OF", "merged", "namespace"]

PART_OF = {"app.kubernetes.io/part-of": "apiops"}
"""Label of every manifest here. Not ``managed-by``: Pulumi's provider writes that one itself."""


def merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with ``over`` on top, as Helm merges: mappings key by key, anything else replaced."""
    result = dict(values)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def namespace(name: str, *, enforce: str) -> dict[str, Any]:
    """A Namespace whose pods are held to a Pod Security Standard, and warned about the strictest one."""
    version = f"v{KUBERNETES}"
    labels = dict(PART_OF)
    for mode, level in (("enforce", enforce), ("audit", "restricted"), ("warn", "restricted")):
        labels[f"pod-security.kubernetes.io/{mode}"] = level
        labels[f"pod-security.kubernetes.io/{mode}-version"] = version
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
