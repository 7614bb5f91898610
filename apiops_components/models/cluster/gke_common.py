"""What both kinds of a cluster at Google have: where it is, who may enter, when it changes, what protects it.

Defaults are the strict end of the CIS GKE benchmark; ids are those of its version 1.6 (``CIS-1.6:5.6.5``), beside
those of checkov (``CKV_GCP_25``). `hardening` tells which setting keeps which rule.
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
    ExistingNetwork,
    Key,
    MaintenanceWindow,
    NetworkSpec,
    is_private,
)
from apiops_components.models.cluster.gke_workloads import ImagePolicy, WorkloadIdentity
from apiops_components.models.cluster.hardening import HardeningExemption, hardening_faults

__all__ = ["GkeCommon", "Zone"]

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
Zone = Annotated[str, matching(r"[a-z]+-[a-z]+\d+-[a-z]", 32, "gke/zone", "a zone such as europe-west1-b")]
"""A zone of a region."""
_Repository = Annotated[
    str,
    matching(
        r"projects/[^/]+/locations/[^/]+/repositories/[^/]+",
        300,
        "gke/repository",
        "a repository such as projects/P/locations/L/repositories/R",
    ),
]
_Topic = Annotated[
    str, matching(r"projects/[^/]+/topics/[^/]+", 300, "gke/topic", "a topic such as projects/P/topics/T")
]
_LabelKey = Annotated[str, matching(r"[a-z][a-z0-9_-]*", 63, "gke/label", "a label's key (lower-case letter first)")]
_LabelValue = Annotated[str, matching(r"[a-z0-9_-]*", 63, "gke/label", "a label's value (lower case)")]

Replacing = Literal["existing_network", "fqdn_network_policies", "kind", "name", "network", "project", "region"]
"""A setting whose change replaces the cluster."""


class GkeCommon(CheckedModel):
    """What both kinds of a cluster at Google have."""

    name: _ClusterName
    """At most 40 characters. Change: replaced."""
    project: _Project
    """Id of the Google Cloud project. Change: replaced."""
    region: _Region
    """Where the control plane runs, in three zones. Change: replaced."""
    network: NetworkSpec = Field(default_factory=NetworkSpec)
    """Ranges of addresses of a network of its own, and of the control plane."""
    existing_network: ExistingNetwork | None = None
    """A network that is there already, instead of one of its own; of ``network`` only the control plane's range counts
    then. Change: replaced."""
    private_endpoint: Bool = True
    """The control plane has no public address (CIS-1.6:5.6.4)."""
    authorized_networks: tuple[AuthorizedNetwork, ...] = ()
    """Who may talk to the control plane (CIS-1.6:5.6.3, CKV_GCP_20); private ranges (RFC 1918) with a private
    endpoint."""
    dns_endpoint: Bool = False
    """Reach the control plane by its DNS name, guarded by IAM (``container.clusters.connect``) instead of ranges
    (CIS-2.0:5.6.4): how a pipeline outside the network gets in without a public address."""
    ip_endpoint: Bool = True
    """Reach the control plane by its address too, from ``authorized_networks``. False leaves its DNS name alone
    (CIS-2.0:5.6.4)."""
    login: Literal["gcloud", "application-default"] = "gcloud"
    """Whose credentials `gke-gcloud-auth-plugin` takes: those of ``gcloud auth login``, or Google's application default
    credentials, which a pipeline with workload identity federation has."""
    release_channel: Literal["rapid", "regular", "stable", "extended"] = "regular"
    """Which upgrades arrive (CIS-1.6:5.5.4, CKV_GCP_70); regular is what most clusters have proven. ``rapid`` has what
    few have run, and needs an exemption."""
    accelerated_patches: Bool = False
    """Take security patches of the channel as soon as there are any, instead of when Google rolls them out."""
    maintenance: MaintenanceWindow = Field(default_factory=MaintenanceWindow)
    """When upgrades may happen."""
    upgrade_topic: _Topic | None = None
    """Topic of Pub/Sub that is told of upgrades and security bulletins; none by default."""
    deletion_protection: Bool = True
    """Refuses to delete or replace the cluster, at Google and in Pulumi. To remove it, first run an update with
    false."""
    allow_replace: tuple[Replacing, ...] = ()
    """Settings whose change may replace the cluster and everything in it. Lifts its protection: update with this alone
    first, then change the setting, then take it out again."""
    secrets_key: Key | None = None
    """KMS key, in the region, that encrypts Kubernetes Secrets (CIS-1.6:5.3.1); GKE's service agent must be allowed to
    use it. By default one is made, rotated every 90 days (CKV_GCP_43)."""
    image_repositories: tuple[_Repository, ...] = ()
    """Repositories of Artifact Registry that the nodes may read (CIS-1.6:5.1.3); no other is readable."""
    rbac_groups_domain: Host | None = None
    """Domain of the Google group ``gke-security-groups``, for RBAC by group (CIS-1.6:5.8.2, CKV_GCP_65). There is none
    that could be guessed."""
    binary_authorization: Bool = True
    """Images must pass the project's Binary Authorization policy (CIS-1.6:5.10.4, CKV_GCP_66)."""
    image_policy: ImagePolicy | None = None
    """That policy (CIS-1.6:5.1.4). By default it is said elsewhere; a project where nobody did so lets every image
    in."""
    workload_identities: tuple[WorkloadIdentity, ...] = ()
    """Which pods act as which service account of Google Cloud; by default none does."""
    security_posture: Literal["disabled", "basic", "enterprise"] = "basic"
    """Audit of workload configuration (CIS-1.6:5.10.5); basic costs nothing."""
    vulnerability_scan: Literal["disabled", "basic", "enterprise"] = "basic"
    """Scan of running images (CIS-1.6:5.10.5)."""
    encrypt_between_nodes: Bool = False
    """WireGuard between nodes; off, as Google encrypts its own network already. On where a regulation asks for it."""
    fqdn_network_policies: Bool = False
    """Network policies by DNS name, an extra that Google bills. Switched off again: replaced, and what was in the
    cluster comes back with ``pulumi refresh`` and another ``pulumi up``."""
    cilium_clusterwide_policies: Bool = False
    """Network policies of the whole cluster, in Cilium's own kind."""
    managed_prometheus: Bool = True
    """Metrics by Google's managed Prometheus (CIS-1.6:5.7.1, CKV_GCP_8); billed by sample."""
    vertical_pod_autoscaling: Bool = False
    """Recommends, or sets, requests by what pods used."""
    secret_manager: Bool = False
    """Mounts secrets of Google's Secret Manager as files (CIS-1.6:4.4.2)."""
    backup_agent: Bool = False
    """Runs the agent of Backup for GKE; plans of backups are made elsewhere."""
    labels: Annotated[Mapping[_LabelKey, _LabelValue], Field(max_length=60)] = Field(default_factory=dict)
    """Labels of all billed resources (CKV_GCP_21), such as owner and environment; ``managed-by`` is added."""
    exemptions: tuple[HardeningExemption, ...] = ()
    """Rules of `hardening` that this cluster breaks, each with the reason."""

    @property
    def protected(self) -> bool:
        """Whether the engine refuses to delete or replace it."""
        return self.deletion_protection and not self.allow_replace

    @property
    def node_account_id(self) -> str:
        """Id of the nodes' service account: from the name, cut with a digest where it would be too long."""
        plain = f"{self.name}-nodes"
        if len(plain) <= _ACCOUNT_ID:
            return plain
        return f"{self.name[:17].rstrip('-')}-{hashlib.sha256(self.name.encode()).hexdigest()[:6]}-nodes"

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        # An invalid field is absent here and reported already; the rules that do not need it still hold.
        yield from self.told(
            self._entry_faults,
            self._dns_only_faults,
            self._network_faults,
            self._repository_faults,
            self._image_faults,
            self._identity_faults,
            self._key_faults,
            self._hardening_faults,
        )

    def _hardening_faults(self) -> Iterator[InitErrorDetails]:
        yield from hardening_faults(self, self.exemptions)

    def _network_faults(self) -> Iterator[InitErrorDetails]:
        if self.existing_network is None:
            return
        for name in ("subnetwork", "control_plane_subnetwork"):
            link = getattr(self.existing_network, name)
            if link is not None and link.split("/")[3] != self.region:
                message = f"the subnetwork is not in region {self.region!r}"
                yield fault("gke/subnetwork", message, "", ["existing_network", name])
        own = set() if self.existing_network.control_plane_subnetwork else {"control_plane_cidr"}
        for name in sorted(self.network.model_fields_set - own):
            message = "a network that is there already has this already"
            yield fault("gke/network", message, "leave it out, or existing_network", ["network", name])

    def _repository_faults(self) -> Iterator[InitErrorDetails]:
        for position, repository in enumerate(self.image_repositories):
            if repository in self.image_repositories[:position]:
                yield fault("gke/repository", f"{repository} is listed twice", "", ["image_repositories", position])

    def _image_faults(self) -> Iterator[InitErrorDetails]:
        if self.image_policy is not None and not self.binary_authorization:
            message = "no image is asked for: binary_authorization is off"
            yield fault("gke/image-policy", message, "binary_authorization: true, or leave it out", ["image_policy"])

    def _identity_faults(self) -> Iterator[InitErrorDetails]:
        for position, identity in enumerate(self.workload_identities):
            if identity in self.workload_identities[:position]:
                message = f"{identity.namespace}/{identity.service_account} is there twice with this account"
                yield fault("gke/workload-identity", message, "", ["workload_identities", position])

    def _key_faults(self) -> Iterator[InitErrorDetails]:
        if self.secrets_key is not None and self.secrets_key.split("/")[3] != self.region:
            message = f"the key is not in region {self.region!r}"
            yield fault("gke/key", message, "a key serves one region", ["secrets_key"])

    def _dns_only_faults(self) -> Iterator[InitErrorDetails]:
        if self.ip_endpoint:
            return
        if not self.dns_endpoint:
            message = "nobody could reach the control plane: dns_endpoint is off too"
            yield fault("gke/unreachable", message, "dns_endpoint: true", ["ip_endpoint"])
        for name, idle in (("authorized_networks", self.authorized_networks), ("private_endpoint", None)):
            if idle or (idle is None and not self.private_endpoint):
                message = "it is about the control plane's address, which ip_endpoint: false switches off"
                yield fault("gke/ip-endpoint", message, "leave it out", [name])

    def _entry_faults(self) -> Iterator[InitErrorDetails]:
        if not self.authorized_networks and not self.dns_endpoint:
            yield fault(
                "gke/unreachable",
                "nobody could reach the control plane: authorized_networks is empty and dns_endpoint is off",
                "list the ranges you come from, or set dns_endpoint: true",
                ["authorized_networks"],
            )
        for position, allowed in enumerate(self.authorized_networks):
            place: tuple[str | int, ...] = ("authorized_networks", position, "cidr")
            network = ipaddress.IPv4Network(allowed.cidr)
            if allowed.cidr in (other.cidr for other in self.authorized_networks[:position]):
                yield fault("gke/authorized-network", f"{allowed.cidr} is listed twice", "", place)
            if is_private(network):
                continue
            if self.private_endpoint:
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
