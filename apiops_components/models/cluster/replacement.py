"""Which changes of a cluster's settings replace it, and everything in it.

From the provider's schema (ForceNew) for Google, and from what minikube ignores on a profile that exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any, NamedTuple

__all__ = ["Replacement", "replacements"]

_GKE = {
    "name": "name",
    "project": "project",
    "region": "location",
    "network.control_plane_cidr": "master_ipv4_cidr_block",
    "existing_network.network": "network",
    "existing_network.subnetwork": "subnetwork",
    "existing_network.pods_range": "ip_allocation_policy",
    "existing_network.services_range": "ip_allocation_policy",
    "existing_network.control_plane_subnetwork": "private_endpoint_subnetwork",
}
_NEW_NETWORK = ("name", "project", "region")
# Google refuses another range while the cluster uses it; only of a new network, with the cluster, can it be another.
_RANGES = ("nodes_cidr", "pods_cidr", "services_cidr")
_MINIKUBE = dict.fromkeys(
    ("name", "driver", "nodes", "highly_available", "cpus", "memory_mb", "disk_gb", "container_runtime", "cni"),
    "minikube ignores it on a profile that exists",
)
_GOOGLE = ("gke", "gke-autopilot")
_REPLACING: Mapping[str, Mapping[str, str]] = {**dict.fromkeys(_GOOGLE, _GKE), "minikube": _MINIKUBE, "existing": {}}
_IN_USE = "Google refuses another range while a cluster uses it"
_ELSEWHERE = "change name with it (allow_replace: [name]): the new cluster has a network of its own"


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
    """Whether the settings say so, those before already, in ``allow_replace``."""
    instead: str = ""
    """How to come there where nothing can allow it."""


def replacements(old: Any, new: Any) -> Iterator[Replacement]:
    """The changes between two clusters of the same environment that replace it; none where both are alike.

    What replaces a protected cluster fails unless ``allow_replace`` named it before: the engine and Google go by the
    protection that the cluster has, not by the one that it is about to get.
    """
    named = set(getattr(new, "allow_replace", ())) & set(getattr(old, "allow_replace", ()))
    if old.kind != new.kind:
        yield Replacement("kind", old.kind, new.kind, "another kind of cluster", allowed="kind" in named)
        return
    moved = _at(old, "existing_network") is None or _at(new, "existing_network") is None
    for path, why in _REPLACING[new.kind].items():
        setting, _, part = path.partition(".")
        before, after = _at(old, path), _at(new, path)
        if before == after:
            continue
        if setting != "existing_network" or not moved:
            yield Replacement(path, before, after, why, allowed=setting in named)
        elif part == "network":  # to a network of its own, or from there: all of it is another
            yield Replacement(setting, before, after, f"{why}, subnetwork, ip_allocation_policy", setting in named)
    if new.kind not in _GOOGLE:
        return
    if old.fqdn_network_policies and not new.fqdn_network_policies:
        setting = "fqdn_network_policies"
        # Where it was on cannot be seen from what is on now, so the provider of what is inside stays the same.
        why = "enable_fqdn_network_policy switched off; pulumi refresh and up again bring back what was inside"
        yield Replacement(setting, old=True, new=False, why=why, allowed=setting in named)
    yield from _ranges(old, new)


def _ranges(old: Any, new: Any) -> Iterator[Replacement]:
    if old.existing_network or new.existing_network or any(_at(old, x) != _at(new, x) for x in _NEW_NETWORK):
        return  # not the same network of its own, before and after
    for name in _RANGES:
        before, after = getattr(old.network, name), getattr(new.network, name)
        if before == after or (name == "nodes_cidr" and IPv4Network(before).subnet_of(IPv4Network(after))):
            continue
        yield Replacement(f"network.{name}", before, after, _IN_USE, allowed=False, instead=_ELSEWHERE)


def _at(spec: Any, path: str) -> Any:
    value = spec
    for part in path.split("."):
        value = getattr(value, part, None)
    return value
