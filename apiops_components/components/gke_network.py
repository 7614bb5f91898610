"""The network of a cluster at Google: its own, with flow logs and a way out for private nodes."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute

from apiops_components.components._base import Component
from apiops_components.models.cluster import GkeAutopilotSpec, GkeSpec

PODS_RANGE = "pods"
"""Name of the subnet's range for pods."""
SERVICES_RANGE = "services"
"""Name of the subnet's range for Services."""


@dataclass(frozen=True)
class Network:
    """What the cluster and its nodes need of the network."""

    network: pulumi.Input[str]
    """Id of the network."""
    subnet: pulumi.Input[str]
    """Id of the subnet of the nodes."""
    pods_range: str
    """Name of the subnet's range for pods."""
    services_range: str
    """Name of the subnet's range for Services."""
    control_plane_subnet: str | None
    """Subnetwork of the control plane's address, where it has one."""
    ready: list[pulumi.Resource]
    """What must be there before nodes work: their way out."""


def network(component: Component, name: str, spec: GkeSpec | GkeAutopilotSpec, after: list[pulumi.Resource]) -> Network:
    """Registers network, subnet, router and address translation; nothing where there is a network already."""
    if (given := spec.existing_network) is not None:
        return Network(
            given.network,
            given.subnetwork,
            given.pods_range,
            given.services_range,
            given.control_plane_subnetwork,
            ready=[],
        )
    vpc = compute.Network(
        f"{name}-network",
        name=spec.name,
        project=spec.project,
        auto_create_subnetworks=False,
        routing_mode="REGIONAL",
        opts=component.child(depends_on=after),
    )
    subnet = compute.Subnetwork(
        f"{name}-subnet",
        name=f"{spec.name}-nodes",
        project=spec.project,
        region=spec.region,
        network=vpc.id,
        ip_cidr_range=spec.network.nodes_cidr,
        stack_type="IPV4_ONLY",
        # Private nodes reach Google's own services by it, without passing the address translation.
        private_ip_google_access=True,
        secondary_ip_ranges=[
            compute.SubnetworkSecondaryIpRangeArgs(range_name=PODS_RANGE, ip_cidr_range=spec.network.pods_cidr),
            compute.SubnetworkSecondaryIpRangeArgs(range_name=SERVICES_RANGE, ip_cidr_range=spec.network.services_cidr),
        ],
        log_config=compute.SubnetworkLogConfigArgs(
            aggregation_interval="INTERVAL_5_SEC",
            flow_sampling=spec.network.flow_log_sampling,
            metadata="INCLUDE_ALL_METADATA",
        ),
        opts=component.child(),
    )
    router = compute.Router(
        f"{name}-router",
        name=spec.name,
        project=spec.project,
        region=spec.region,
        network=vpc.id,
        opts=component.child(),
    )
    # Without it private nodes reach neither ngrok nor Git servers nor public registries.
    nat = compute.RouterNat(
        f"{name}-nat",
        name=spec.name,
        project=spec.project,
        region=spec.region,
        router=router.name,
        nat_ip_allocate_option="AUTO_ONLY",
        source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",
        subnetworks=[compute.RouterNatSubnetworkArgs(name=subnet.id, source_ip_ranges_to_nats=["ALL_IP_RANGES"])],
        log_config=compute.RouterNatLogConfigArgs(enable=True, filter="ERRORS_ONLY"),
        opts=component.child(),
    )
    return Network(vpc.id, subnet.id, PODS_RANGE, SERVICES_RANGE, None, ready=[nat])
