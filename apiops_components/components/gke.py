"""A hardened, private cluster at Google (GKE Standard)."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_gcp import container

from apiops_components import documents
from apiops_components.components import gke_project
from apiops_components.components import kubeconfig as reach
from apiops_components.components._base import Component, spec_of
from apiops_components.components.gke_cluster import cluster_args, pool_args
from apiops_components.components.gke_network import network
from apiops_components.models.cluster import GkeSpec
from apiops_components.render import kubeconfig as rendered


class GkeCluster(Component):
    """Network, nodes' account, key, cluster, node pool, and the provider to reach it.

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
        spec: GkeSpec | Mapping[str, Any],
        *,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Registers everything.

        Raises:
            InvalidInput: The spec breaks its model.
        """
        spec = spec_of(GkeSpec, spec, f"GkeCluster {name}")
        super().__init__(name, opts)
        services = gke_project.services(self, name, spec)
        net = network(self, name, spec, services)
        account, grants = gke_project.node_account(self, name, spec, services)
        key, key_ready = gke_project.secrets_key(self, name, spec, services)

        cluster = container.Cluster(
            f"{name}-cluster",
            cluster_args(spec, net, key),
            self.child(protect=spec.deletion_protection, depends_on=[*services, *key_ready]),
        )
        pool = container.NodePool(
            f"{name}-pool",
            pool_args(spec, _pool_name(spec), cluster.id, account.email),
            # Nodes without their role or a way out come up broken. GKE changes the count itself, and a new count
            # here would replace the pool.
            self.child(depends_on=[*grants, net.nat], ignore_changes=["initial_node_count"]),
        )

        self.cluster_name = cluster.name
        self.kubeconfig = _kubeconfig(cluster, spec)
        self.deleted_with = cluster
        self.provider = reach.provider(
            self,
            name,
            self.kubeconfig,
            # All that always replaces the cluster.
            identifier=f"projects/{spec.project}/locations/{spec.region}/clusters/{spec.name}"
            f"?control_plane={spec.network.control_plane_cidr}",
            delete_unreachable=True,
            depends_on=[pool],
        )
        self.register_outputs({"cluster_name": self.cluster_name, "kubeconfig": self.kubeconfig})


def _pool_name(spec: GkeSpec) -> str:
    # Named by what cannot be changed in place, a pool that replaces another stands beside it until the pods have moved.
    parts = ["nodes"]
    if spec.node_pool.spot:
        parts.append("spot")
    if not spec.node_pool.secure_boot:
        parts.append("any-boot")
    return "-".join(parts)


def _kubeconfig(cluster: container.Cluster, spec: GkeSpec) -> pulumi.Output[str]:
    if spec.dns_endpoint:
        parts = pulumi.Output.all(
            cluster.name, cluster.control_plane_endpoints_config.dns_endpoint_config.endpoint, None
        )
    else:
        parts = pulumi.Output.all(cluster.name, cluster.endpoint, cluster.master_auth.cluster_ca_certificate)
    return pulumi.Output.secret(parts.apply(lambda part: documents.dump(rendered.gke(*part))))
