"""A hardened cluster at Google (GKE Standard).

Defaults are the strict end of the CIS GKE benchmark; ids are those of its version 1.6 (``CIS-1.6:5.6.5``), beside
those of checkov (``CKV_GCP_25``). What no platform should relax is not a setting: see `components.gke`.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import Bool, CheckedModel, Host, fault, matching
from apiops_components.models.cluster.gke_parts import (
    AuthorizedNetwork,
    MaintenanceWindow,
    NetworkSpec,
    NodePoolSpec,
    is_private,
)

__all__ = ["AuthorizedNetwork", "GkeSpec", "MaintenanceWindow", "NetworkSpec", "NodePoolSpec"]

_ACCOUNT_ID = 30  # characters; a service account's id has 6 to 30
_WIDEST_PUBLIC = 8  # bits of prefix

_ClusterName = Annotated[
    str,
    matching(
        r"[a-z]([a-z0-9-]*[a-z0-9])?", 40, "gke/name", "a cluster's name (lower-case letter, then letters, digits, '-')"
    ),
]
_Project = Annotated[
    str, matching(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", 30, "gke/project", "the id of a project such as acme-prod")
]
_Region = Annotated[
    str,
    matching(
        r"[a-z]+-[a-z]+\d+",
        30,
        "gke/region",
        "a region such as europe-west1 (a zone would be a single point of failure)",
    ),
]
_Zone = Annotated[str, matching(r"[a-z]+-[a-z]+\d+-[a-z]", 32, "gke/zone", "a zone such as europe-west1-b")]
_Key = Annotated[
    str,
    matching(
        r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+",
        300,
        "gke/key",
        "a key such as projects/P/locations/L/keyRings/R/cryptoKeys/K",
    ),
]
_Repository = Annotated[
    str,
    matching(
        r"projects/[^/]+/locations/[^/]+/repositories/[^/]+",
        300,
        "gke/repository",
        "a repository such as projects/P/locations/L/repositories/R",
    ),
]
_LabelKey = Annotated[str, matching(r"[a-z][a-z0-9_-]*", 63, "gke/label", "a label's key (lower-case letter first)")]
_LabelValue = Annotated[str, matching(r"[a-z0-9_-]*", 63, "gke/label", "a label's value (lower case)")]


class GkeSpec(CheckedModel):
    """A regional cluster with private nodes in a network of its own.

    Network, node account and the like are named after ``name``, so it is unique in the project. A change of name,
    project, region or the control plane's range replaces the cluster and everything in it.
    """

    kind: Literal["gke"] = "gke"
    """Tells it from the other clusters."""
    name: _ClusterName
    """At most 40 characters. Change: replaced."""
    project: _Project
    """Id of the Google Cloud project. Change: replaced."""
    region: _Region
    """Where the control plane runs, in three zones. Change: replaced."""
    zones: tuple[_Zone, ...] = ()
    """Zones of the nodes, all in the region; by default GKE takes three."""
    network: NetworkSpec = Field(default_factory=NetworkSpec)
    """Ranges of addresses."""
    node_pool: NodePoolSpec = Field(default_factory=NodePoolSpec)
    """The nodes."""
    private_endpoint: Bool = True
    """The control plane has no public address (CIS-1.6:5.6.4)."""
    authorized_networks: tuple[AuthorizedNetwork, ...] = ()
    """Who may talk to the control plane (CIS-1.6:5.6.3, CKV_GCP_20); private ranges (RFC 1918) with a private
    endpoint."""
    dns_endpoint: Bool = False
    """Reach the control plane by its DNS name, guarded by IAM (``container.clusters.connect``) instead of ranges
    (CIS-2.0:5.6.4): how a pipeline outside the network gets in without a public address."""
    release_channel: Literal["rapid", "regular", "stable", "extended"] = "regular"
    """Which upgrades arrive (CIS-1.6:5.5.4, CKV_GCP_70); regular is what most clusters have proven."""
    maintenance: MaintenanceWindow = Field(default_factory=MaintenanceWindow)
    """When upgrades may happen."""
    deletion_protection: Bool = True
    """Refuses to delete or replace the cluster, at Google and in Pulumi. To remove it, first run an update with
    false."""
    secrets_key: _Key | None = None
    """KMS key, in the region, that encrypts Kubernetes Secrets (CIS-1.6:5.3.1); GKE's service agent must be allowed to
    use it. By default one is made, rotated every 90 days (CKV_GCP_43)."""
    image_repositories: tuple[_Repository, ...] = ()
    """Repositories of Artifact Registry that the nodes may read (CIS-1.6:5.1.3); no other is readable."""
    rbac_groups_domain: Host | None = None
    """Domain of the Google group ``gke-security-groups``, for RBAC by group (CIS-1.6:5.8.2, CKV_GCP_65). There is none
    that could be guessed."""
    binary_authorization: Bool = True
    """Images must pass the project's Binary Authorization policy (CIS-1.6:5.10.4, CKV_GCP_66)."""
    security_posture: Literal["disabled", "basic", "enterprise"] = "basic"
    """Audit of workload configuration (CIS-1.6:5.10.5); basic costs nothing."""
    vulnerability_scan: Literal["disabled", "basic", "enterprise"] = "basic"
    """Scan of running images (CIS-1.6:5.1.1)."""
    intranode_visibility: Bool = True
    """Traffic inside a node passes the flow logs too (CIS-1.6:5.6.1, CKV_GCP_61)."""
    encrypt_between_nodes: Bool = False
    """WireGuard between nodes; off, as Google encrypts its own network already. On where a regulation asks for it."""
    managed_prometheus: Bool = True
    """Metrics by Google's managed Prometheus (CIS-1.6:5.7.1, CKV_GCP_8); billed by sample."""
    labels: Annotated[Mapping[_LabelKey, _LabelValue], Field(max_length=60)] = Field(default_factory=dict)
    """Labels of all billed resources (CKV_GCP_21), such as owner and environment; ``managed-by`` is added."""

    @property
    def node_account_id(self) -> str:
        """Id of the nodes' service account: from the name, cut with a digest where it would be too long."""
        plain = f"{self.name}-nodes"
        if len(plain) <= _ACCOUNT_ID:
            return plain
        return f"{self.name[:17].rstrip('-')}-{hashlib.sha256(self.name.encode()).hexdigest()[:6]}-nodes"

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        # An invalid field is absent here and reported already; the rules that do not need it still hold.
        if hasattr(self, "authorized_networks"):
            yield from _who_may_enter(self)
        if hasattr(self, "network") and hasattr(self, "node_pool"):
            yield from _room(self)
        yield from _outside_region(self)


def _room(spec: GkeSpec) -> Iterator[InitErrorDetails]:
    needed = spec.node_pool.max_nodes + 1  # an upgrade adds one
    if needed > spec.network.most_nodes:
        yield fault(
            "gke/range-small",
            f"the ranges hold {spec.network.most_nodes} nodes; {needed} are needed (max_nodes and one for upgrades)",
            "a wider nodes_cidr or pods_cidr: each node takes 1 address of the one and 256 of the other",
            ["network"],
        )


def _outside_region(spec: GkeSpec) -> Iterator[InitErrorDetails]:
    for position, zone in enumerate(spec.zones):
        if zone.rpartition("-")[0] != spec.region:
            yield fault("gke/zone", f"zone {zone!r} is not in region {spec.region!r}", "", ["zones", position])
        if zone in spec.zones[:position]:
            yield fault("gke/zone", f"zone {zone!r} is listed twice", "", ["zones", position])
    for position, repository in enumerate(spec.image_repositories):
        if repository in spec.image_repositories[:position]:
            yield fault("gke/repository", f"{repository} is listed twice", "", ["image_repositories", position])
    if spec.secrets_key is not None and spec.secrets_key.split("/")[3] != spec.region:
        yield fault("gke/key", f"the key is not in region {spec.region!r}", "a key serves one region", ["secrets_key"])


def _who_may_enter(spec: GkeSpec) -> Iterator[InitErrorDetails]:
    if not spec.authorized_networks and not spec.dns_endpoint:
        yield fault(
            "gke/unreachable",
            "nobody could reach the control plane: authorized_networks is empty and dns_endpoint is off",
            "list the ranges you come from, or set dns_endpoint: true",
            ["authorized_networks"],
        )
    for position, allowed in enumerate(spec.authorized_networks):
        place: tuple[str | int, ...] = ("authorized_networks", position, "cidr")
        network = ipaddress.IPv4Network(allowed.cidr)
        if allowed.cidr in (other.cidr for other in spec.authorized_networks[:position]):
            yield fault("gke/authorized-network", f"{allowed.cidr} is listed twice", "", place)
        if is_private(network):
            continue
        if spec.private_endpoint:
            yield fault(
                "gke/authorized-network",
                f"{allowed.cidr} is not a private range (RFC 1918), which is required for a private endpoint",
                "use the range of your VPN, or dns_endpoint: true",
                place,
            )
        elif network.prefixlen < _WIDEST_PUBLIC:
            yield fault(
                "gke/authorized-network",
                f"{allowed.cidr} opens the control plane to the internet",
                f"list the addresses you come from; at most a /{_WIDEST_PUBLIC}",
                place,
            )
