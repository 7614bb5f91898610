"""Parts of a cluster at Google: ranges, nodes, who may enter, when upgrades happen."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import combinations
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import Bool, CheckedModel, Cidr, Integer, Model, Text, fault, matching, raise_faults
from apiops_components.models.labels import LabelKey, Labels, LabelValue

__all__ = [
    "AuthorizedNetwork",
    "ExistingNetwork",
    "Key",
    "MaintenanceExclusion",
    "MaintenanceWindow",
    "NetworkSpec",
    "NodePoolSpec",
    "Taint",
    "is_private",
]

_PRIVATE = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_RESERVED = 4  # addresses that Google keeps of each subnet
_PER_NODE = 256  # addresses of pods that GKE gives each node, for at most 110 pods
_CONTROL_PLANE_BITS = 28
_HOURS_IN_32_DAYS = 48  # of maintenance that GKE asks for
_WEEKS_IN_32_DAYS = 4


def is_private(network: ipaddress.IPv4Network) -> bool:
    """Whether the whole range lies in RFC 1918."""
    return any(network.subnet_of(private) for private in _PRIVATE)


def _ipv4(value: str) -> str:
    if ":" in value:
        raise_faults([fault("net/ipv4", f"{value!r} is an IPv6 range; GKE takes IPv4 here")])
    return str(ipaddress.IPv4Network(value))  # Google takes 10.0.0.0/8, not 10.0.0.0/255.0.0.0


_Range = Annotated[Cidr, AfterValidator(_ipv4)]


Key = Annotated[
    str,
    matching(
        r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+",
        300,
        "gke/key",
        "a key such as projects/P/locations/L/keyRings/R/cryptoKeys/K",
    ),
]
"""Name of a key of Google's KMS."""


class AuthorizedNetwork(Model):
    """A range that may talk to the control plane."""

    name: Annotated[str, Field(min_length=1, max_length=50)]
    """Whose range it is, for people."""
    cidr: _Range
    """Range of IPv4 addresses."""


class NetworkSpec(CheckedModel):
    """Ranges of the cluster's own network, private (RFC 1918) and apart from one another.

    The defaults hold 1,024 nodes of 110 pods. Clusters whose networks are joined later need ranges of their own. They
    are chosen once: later only ``nodes_cidr`` can be widened, any other change fails or replaces the cluster.
    """

    nodes_cidr: _Range = "10.0.0.0/20"
    """Addresses of nodes."""
    pods_cidr: _Range = "10.16.0.0/14"
    """Addresses of pods: 256 for each node."""
    services_cidr: _Range = "10.32.0.0/20"
    """Addresses of Services."""
    control_plane_cidr: _Range = "172.16.0.0/28"
    """Addresses of the control plane: exactly a /28."""
    flow_log_sampling: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of flows that are logged (CIS-1.6:5.6.1, CKV_GCP_26); billed by volume."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        names = ("nodes_cidr", "pods_cidr", "services_cidr", "control_plane_cidr")
        # A range that is invalid by itself is absent here; the rules on the others still hold.
        ranges = {name: ipaddress.IPv4Network(getattr(self, name)) for name in names if hasattr(self, name)}
        for name, network in ranges.items():
            if not is_private(network):
                yield fault(
                    "gke/range-public", f"{network} is not a private range (RFC 1918)", "such as 10.0.0.0/20", [name]
                )
        for (name, network), (other_name, other) in combinations(ranges.items(), 2):
            if network.overlaps(other):
                hint = f"a range outside of {network}"
                yield fault("gke/range-overlap", f"{other} overlaps {network} of {name}", hint, [other_name])
        control_plane = ranges.get("control_plane_cidr")
        if control_plane and control_plane.prefixlen != _CONTROL_PLANE_BITS:
            yield fault(
                "gke/control-plane-range",
                f"{control_plane} is a /{control_plane.prefixlen}; GKE takes exactly a /{_CONTROL_PLANE_BITS}",
                f"{control_plane.network_address}/{_CONTROL_PLANE_BITS}",
                ["control_plane_cidr"],
            )

    @property
    def most_nodes(self) -> int:
        """How many nodes the ranges have room for."""
        nodes, pods = (ipaddress.IPv4Network(cidr).num_addresses for cidr in (self.nodes_cidr, self.pods_cidr))
        return min(nodes - _RESERVED, pods // _PER_NODE)


_NetworkLink = Annotated[
    str,
    matching(
        r"projects/[^/]+/global/networks/[^/]+", 300, "gke/network", "a network such as projects/P/global/networks/N"
    ),
]
_SubnetLink = Annotated[
    str,
    matching(
        r"projects/[^/]+/regions/[^/]+/subnetworks/[^/]+",
        300,
        "gke/subnetwork",
        "a subnetwork such as projects/P/regions/R/subnetworks/S",
    ),
]


class ExistingNetwork(Model):
    """A network that somebody else runs, such as one shared by a host project. Change of any field: replaced.

    It must give private nodes a way out (Cloud NAT), log its flows (CIS-1.6:5.6.1) and let them reach Google's own
    services; none of that can be seen from here.
    """

    network: _NetworkLink
    """``projects/P/global/networks/N``."""
    subnetwork: _SubnetLink
    """``projects/P/regions/R/subnetworks/S``, in the cluster's region."""
    pods_range: Text = "pods"
    """Name of the subnetwork's secondary range for pods."""
    services_range: Text = "services"
    """Name of the subnetwork's secondary range for Services."""
    control_plane_subnetwork: _SubnetLink | None = None
    """Subnetwork, in the cluster's region, that the control plane takes its address from; then
    ``network.control_plane_cidr`` says nothing."""


class Taint(Model):
    """Keeps pods off the nodes of a pool unless they tolerate it."""

    key: LabelKey
    """What a toleration names."""
    value: LabelValue = ""
    """Its value."""
    effect: Literal["no-schedule", "prefer-no-schedule", "no-execute"] = "no-schedule"
    """What happens to pods that do not tolerate it."""


class NodePoolSpec(CheckedModel):
    """Nodes of one kind: shielded, of Container-Optimized OS, kept up by Google (CIS-1.6:5.5.1 to 5.5.7)."""

    machine_type: Annotated[
        str, matching(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", 63, "gke/machine-type", "a machine type such as e2-standard-4")
    ] = "e2-standard-4"
    """Type of machine: 4 processors and 16 GiB hold the platform's own pods with room for others."""
    min_nodes: Annotated[Integer, Field(ge=1)] = 3
    """Fewest nodes, over all zones together; one a zone by default."""
    max_nodes: Annotated[Integer, Field(ge=1)] = 9
    """Most nodes, over all zones together."""
    disk_gb: Annotated[Integer, Field(ge=10, le=65536)] = 100
    """Boot disk of each node in GB."""
    disk_type: Literal["pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"] = "pd-balanced"
    """Type of the boot disk."""
    spot: Bool = False
    """Cheap machines that Google takes back at will; not for production. Change: a new pool takes over."""
    secure_boot: Bool = True
    """Only signed software boots (CIS-1.6:5.5.7, CKV_GCP_68); off only for drivers without signature. Change: a new
    pool takes over."""
    boot_disk_key: Key | None = None
    """KMS key, in the region, that encrypts the boot disks (CIS-1.6:5.9.2); the service agent of Compute Engine must be
    allowed to use it. Google's own keys by default. Change: a new pool takes over."""
    max_surge: Annotated[Integer, Field(ge=1, le=20)] = 1
    """Nodes that an upgrade adds at a time; none is taken away before its successor stands."""
    labels: Labels = Field(default_factory=dict)
    """Kubernetes labels of the nodes."""
    taints: tuple[Taint, ...] = ()
    """Keep other pods off."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.min_nodes > self.max_nodes:
            yield fault(
                "gke/autoscaling",
                f"min_nodes {self.min_nodes} is more than max_nodes {self.max_nodes}",
                f"max_nodes: {self.min_nodes}",
                ["min_nodes"],
            )


_Moment = Annotated[
    str,
    matching(
        r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ",
        20,
        "gke/moment",
        "a moment in UTC such as 2026-12-20T00:00:00Z",
    ),
]


class MaintenanceExclusion(CheckedModel):
    """A time without upgrades, such as the weeks before a holiday."""

    name: Text
    """Unique in the cluster."""
    start: _Moment
    """First moment, UTC."""
    end: _Moment
    """Last moment, UTC."""
    scope: Literal["no-upgrades", "no-minor-upgrades", "no-minor-or-node-upgrades"] = "no-minor-or-node-upgrades"
    """What waits. ``no-upgrades`` holds back security patches too, so GKE allows it for at most 30 days."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.start >= self.end:  # of one fixed form, so the order of the texts is that of the moments
            yield fault("gke/maintenance", f"{self.end} is not after the start {self.start}", "", ["end"])


class MaintenanceWindow(CheckedModel):
    """Hours of the week, in UTC, in which Google may upgrade."""

    days: Annotated[tuple[Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"], ...], Field(min_length=1)] = ("SA", "SU")
    """Days on which it starts; the weekend by default."""
    start: Annotated[str, matching(r"([01]\d|2[0-3]):[0-5]\d", 5, "gke/time", "a time of day such as 01:00")] = "01:00"
    """When it starts, UTC."""
    hours: Annotated[Integer, Field(ge=4, le=24)] = 6
    """How long it lasts; GKE counts only windows of at least 4 hours."""
    exclusions: Annotated[tuple[MaintenanceExclusion, ...], Field(max_length=20)] = ()
    """Times without upgrades; at most 20, each with a name of its own."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        for position, day in enumerate(self.days):
            if day in self.days[:position]:
                yield fault("gke/maintenance", f"{day} is listed twice", "", ["days", position])
        names = [exclusion.name for exclusion in self.exclusions]
        for position, name in enumerate(names):
            if name in names[:position]:
                yield fault("gke/maintenance", f"{name!r} is there twice", "", ["exclusions", position, "name"])
        total = len(set(self.days)) * self.hours * _WEEKS_IN_32_DAYS
        if total < _HOURS_IN_32_DAYS:
            yield fault(
                "gke/maintenance",
                f"{total} hours in 32 days; GKE asks for at least {_HOURS_IN_32_DAYS}",
                "add days or hours",
                ["hours"],
            )
