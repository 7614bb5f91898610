"""Hardened clusters at Google: GKE Standard, whose nodes are ours to shape, and Autopilot, whose nodes are Google's.

Both are private and regional. What they share is in `gke_common`, what no platform should relax in `components.gke`,
and `hardening` says which rule each setting keeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import Bool, fault, matching
from apiops_components.models.cluster.gke_common import GkeCommon, Zone
from apiops_components.models.cluster.gke_parts import NodePoolSpec
from apiops_components.models.cluster.gke_workloads import AutoProvisioning

__all__ = ["GkeAutopilotSpec", "GkeSpec"]

_PoolName = Annotated[
    str,
    matching(r"[a-z]([a-z0-9-]*[a-z0-9])?", 20, "gke/pool-name", "a pool's name (lower-case letter, digits, '-')"),
]
"""At most 20 characters: what forces a new pool is added to it, and GKE takes 40."""


class GkeSpec(GkeCommon):
    """A regional Standard cluster with private nodes.

    Network, node account and the like are named after ``name``, so it is unique in the project. A change of name,
    project, region, network or the control plane's range replaces the cluster and everything in it.
    """

    kind: Literal["gke"] = "gke"
    """Tells it from the other clusters. Change: replaced."""
    node_pool: NodePoolSpec = Field(default_factory=NodePoolSpec)
    """The nodes that every cluster has."""
    more_node_pools: Mapping[_PoolName, NodePoolSpec] = Field(default_factory=dict)
    """Further nodes, such as large or cheap ones, by name; give them taints to keep other pods off."""
    zones: tuple[Zone, ...] = ()
    """Zones of the nodes, all in the region; by default GKE takes three."""
    intranode_visibility: Bool = True
    """Traffic inside a node passes the flow logs too (CIS-1.6:5.6.1, CKV_GCP_61)."""
    node_local_dns: Bool = True
    """Answers names on each node; without it every look-up crosses the network."""
    cloud_dns: Bool = False
    """Google's Cloud DNS answers names in the cluster, instead of pods of kube-dns. Nodes made before the change keep
    what they had until they are made anew."""
    auto_provisioning: AutoProvisioning | None = None
    """Pools that GKE makes by itself, up to these limits; by default it makes none."""
    autoscaling_profile: Literal["balanced", "optimize-utilization"] = "balanced"
    """How soon nodes go that are little used: ``optimize-utilization`` saves money, and moves pods more often."""

    @property
    def node_pools(self) -> dict[str, NodePoolSpec]:
        """All pools by name; the first is ``nodes``."""
        return {"nodes": self.node_pool, **self.more_node_pools}

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from super().faults()
        yield from self.told(self._zone_faults, self._pool_faults, self._room_faults)

    def _pool_faults(self) -> Iterator[InitErrorDetails]:
        if "nodes" in self.more_node_pools:
            message = "'nodes' is the name of node_pool"
            yield fault("gke/pool-name", message, "choose another name", ["more_node_pools", "nodes"])
        for place, pool in self._placed_pools():
            if pool.boot_disk_key is not None and pool.boot_disk_key.split("/")[3] != self.region:
                message = f"the key is not in region {self.region!r}"
                yield fault("gke/key", message, "a key serves one region", [*place, "boot_disk_key"])

    def _zone_faults(self) -> Iterator[InitErrorDetails]:
        for position, zone in enumerate(self.zones):
            if zone.rpartition("-")[0] != self.region:
                yield fault("gke/zone", f"zone {zone!r} is not in region {self.region!r}", "", ["zones", position])
            if zone in self.zones[:position]:
                yield fault("gke/zone", f"zone {zone!r} is listed twice", "", ["zones", position])

    def _placed_pools(self) -> Iterator[tuple[tuple[str, ...], NodePoolSpec]]:
        yield ("node_pool",), self.node_pool
        for name, pool in self.more_node_pools.items():
            yield ("more_node_pools", name), pool

    def _room_faults(self) -> Iterator[InitErrorDetails]:
        if self.existing_network is not None:
            return  # its ranges are not known here
        needed = sum(pool.max_nodes + pool.max_surge for pool in self.node_pools.values())
        if needed > self.network.most_nodes:
            yield fault(
                "gke/range-small",
                f"the ranges hold {self.network.most_nodes} nodes; {needed} are needed (max_nodes of each pool, and "
                "those that an upgrade adds)",
                "a wider nodes_cidr or pods_cidr: each node takes 1 address of the one and 256 of the other",
                ["network"],
            )


class GkeAutopilotSpec(GkeCommon):
    """A regional Autopilot cluster: Google runs the nodes, and bills by what pods ask for.

    Autopilot adds requests to pods that have none, and refuses privileged ones. A change of name, project, region,
    network or the control plane's range replaces the cluster and everything in it.
    """

    kind: Literal["gke-autopilot"] = "gke-autopilot"
    """Tells it from the other clusters. Change: replaced."""

    elsewhere: ClassVar[Mapping[str, str]] = {
        "zones": "a setting of kind: gke; Google chooses the zones of Autopilot's nodes",
        "node_pool": "a setting of kind: gke; Autopilot makes nodes as pods ask for them",
        "more_node_pools": "a setting of kind: gke; Autopilot makes nodes as pods ask for them",
        "intranode_visibility": "a setting of kind: gke; in Autopilot it is always on",
        "node_local_dns": "a setting of kind: gke; in Autopilot it is always on",
        "cloud_dns": "a setting of kind: gke; in Autopilot it is always on",
        "auto_provisioning": "a setting of kind: gke; Autopilot makes nodes as pods ask for them",
        "autoscaling_profile": "a setting of kind: gke; Autopilot bills pods, not nodes",
    }
