"""Which changes of a cluster's settings replace it, and everything in it.

From the provider's schema (ForceNew) for Google, and from what minikube ignores on a profile that exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["Replacement", "replacements"]

_GKE = {
    "name": "name",
    "project": "project",
    "region": "location",
    "network.control_plane_cidr": "master_ipv4_cidr_block",
    "network.pods_cidr": "ip_allocation_policy",
    "network.services_cidr": "ip_allocation_policy",
    "existing_network": "network, subnetwork, ip_allocation_policy",
}
_MINIKUBE = dict.fromkeys(
    ("name", "driver", "nodes", "highly_available", "cpus", "memory_mb", "disk_gb", "container_runtime", "cni"),
    "minikube ignores it on a profile that exists",
)
_REPLACING = {"gke": _GKE, "gke-autopilot": _GKE, "minikube": _MINIKUBE, "existing": {}}


class Replacement(NamedTuple):
    """A changed setting that replaces the cluster."""

    setting: str
    """Path of the setting."""
    old: Any
    """Its value before."""
    new: Any
    """Its value now."""
    why: str
    """The provider's arguments that force it, or what else does."""
    allowed: bool
    """Whether the new settings say so, in ``allow_replace``."""


def replacements(old: Any, new: Any) -> Iterator[Replacement]:
    """The changes between two clusters of the same environment that replace it; none where both are alike."""
    allowed = set(getattr(new, "allow_replace", ()))
    if old.kind != new.kind:
        yield Replacement("kind", old.kind, new.kind, "another kind of cluster", allowed="kind" in allowed)
        return
    for path, why in _REPLACING[new.kind].items():
        before, after = _at(old, path), _at(new, path)
        if before != after:
            yield Replacement(path, before, after, why, allowed=path.partition(".")[0] in allowed)
    if getattr(old, "fqdn_network_policies", False) and not getattr(new, "fqdn_network_policies", False):
        setting = "fqdn_network_policies"
        why = "enable_fqdn_network_policy switched off"
        yield Replacement(setting, old=True, new=False, why=why, allowed=setting in allowed)


def _at(spec: Any, path: str) -> Any:
    value = spec
    for part in path.split("."):
        value = getattr(value, part)
    return value
