"""A hardened, private cluster at Google: GKE Standard or Autopilot."""

import hashlib
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_gcp import container, serviceaccount

from apiops_components import documents
from apiops_components.components import gke_project
from apiops_components.components import kubeconfig as reach
from apiops_components.components._base import Component, spec_of
from apiops_components.components.gke_cluster import cluster_args, pool_args
from apiops_components.components.gke_network import network
from apiops_components.models.cluster import GkeAutopilotSpec, GkeSpec, NodePoolSpec
from apiops_components.render import kubeconfig as rendered


class GkeCluster(Component):
    """Network, nodes' account, key, cluster, node pools (of Standard), and the provider to reach it.

    Uses gcloud's credentials of whoever runs Pulumi; the kubeconfig holds none, and asks `gke-gcloud-auth-plugin`.
    """

    cluster_name: pulumi.Output[str]
    """Name of the cluster."""
    kubeconfig: pulumi.Output[str]
    """Kubeconfig without credentials; secret all the same, as that of the other clusters."""
    provider: kubernetes.Provider
    """For what is put into the cluster: it waits for the nodes, and they stay until all of that is gone."""
    deleted_with: pulumi.Resource
    """The cluster itself: the option of this name for whatever has no effect outside the cluster. Without it each such
    object is deleted by itself, which fails once where a new cluster took the old one's place."""

    def __init__(
        self,
        name: str,
        spec: GkeSpec | GkeAutopilotSpec | Mapping[str, Any],
        *,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Registers everything.

        Args:
            name: Unique in the stack.
            spec: Of Standard or of Autopilot; a mapping says ``kind: gke-autopilot`` for the latter.
            opts: Of the component.

        Raises:
            InvalidInput: The spec breaks its model.
        """
        spec = _spec(spec, f"GkeCluster {name}")
        super().__init__(name, opts)
        services = gke_project.services(self, name, spec)
        net = network(self, name, spec, services)
        account, grants = gke_project.node_account(self, name, spec, services)
        key, key_ready = gke_project.secrets_key(self, name, spec, services)
        policy = gke_project.image_policy(self, name, spec, services)

        # Nodes without their role or a way out come up broken; Autopilot makes its own with the cluster.
        for_nodes = [*grants, *net.ready]
        first = [*services, *key_ready, *policy, *(() if isinstance(spec, GkeSpec) else for_nodes)]
        cluster = container.Cluster(
            f"{name}-cluster",
            cluster_args(spec, net, key, account.email),
            self.child(protect=spec.protected, depends_on=first),
        )
        gke_project.workload_identities(self, name, spec, cluster)
        pools = self._pools(name, spec, cluster, account, for_nodes) if isinstance(spec, GkeSpec) else []

        self.cluster_name = cluster.name
        self.kubeconfig = _kubeconfig(cluster, spec)
        self.deleted_with = cluster
        self.provider = reach.provider(
            self,
            name,
            self.kubeconfig,
            # All that always replaces the cluster.
            identifier=_identifier(spec),
            delete_unreachable=True,
            depends_on=pools or [cluster],
        )
        self.register_outputs({"cluster_name": self.cluster_name, "kubeconfig": self.kubeconfig})

    def _pools(
        self,
        name: str,
        spec: GkeSpec,
        cluster: container.Cluster,
        account: serviceaccount.Account,
        after: list[pulumi.Resource],
    ) -> list[pulumi.Resource]:
        return [
            container.NodePool(
                f"{name}-pool" if role == "nodes" else f"{name}-pool-{role}",
                pool_args(spec, _pool_name(role, pool), pool, cluster.id, account.email),
                # GKE changes the count itself, and a new count here would replace the pool.
                self.child(depends_on=after, ignore_changes=["initial_node_count"]),
            )
            for role, pool in spec.node_pools.items()
        ]


def _spec(spec: GkeSpec | GkeAutopilotSpec | Mapping[str, Any], where: str) -> GkeSpec | GkeAutopilotSpec:
    if isinstance(spec, GkeAutopilotSpec) or (isinstance(spec, Mapping) and spec.get("kind") == "gke-autopilot"):
        return spec_of(GkeAutopilotSpec, spec, where)
    return spec_of(GkeSpec, spec, where)


def _identifier(spec: GkeSpec | GkeAutopilotSpec) -> str:
    network = spec.existing_network
    parts = [f"control_plane={(network and network.control_plane_subnetwork) or spec.network.control_plane_cidr}"]
    if not isinstance(spec, GkeSpec):
        parts.append("autopilot")
    if network is not None:
        parts += [network.network, network.subnetwork, network.pods_range, network.services_range]
    return f"projects/{spec.project}/locations/{spec.region}/clusters/{spec.name}?{'&'.join(parts)}"


def _pool_name(role: str, pool: NodePoolSpec) -> str:
    # Named by what cannot be changed in place, a pool that replaces another stands beside it until the pods have moved.
    parts = [role]
    if pool.spot:
        parts.append("spot")
    if not pool.secure_boot:
        parts.append("any-boot")
    if pool.boot_disk_key is not None:
        parts.append(hashlib.sha256(pool.boot_disk_key.encode()).hexdigest()[:6])
    return "-".join(parts)


def _kubeconfig(cluster: container.Cluster, spec: GkeSpec | GkeAutopilotSpec) -> pulumi.Output[str]:
    if spec.dns_endpoint:
        parts = pulumi.Output.all(
            cluster.name, cluster.control_plane_endpoints_config.dns_endpoint_config.endpoint, None
        )
    else:
        parts = pulumi.Output.all(cluster.name, cluster.endpoint, cluster.master_auth.cluster_ca_certificate)
    return pulumi.Output.secret(parts.apply(lambda part: documents.dump(rendered.gke(*part, login=spec.login))))
