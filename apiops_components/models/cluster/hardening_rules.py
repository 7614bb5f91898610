"""The rules that harden a cluster at Google, each with the setting, or the provider's argument, that keeps it.

``CIS-1.6`` and ``CIS-2.0`` are versions of the CIS GKE benchmark, whose numbers move; ``CKV`` are checkov's, which
judges the same settings under Terraform's names. What a setting can relax is a `Control`: relaxed, it needs an
exemption with a reason. A setting none of whose values breaks its rule is `CHOSEN`. What no setting changes is `FIXED`:
the argument of the provider, and the value it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

__all__ = ["CHOSEN", "CONTROLS", "FIXED", "Chosen", "Control", "Fixed", "HardeningRule"]

HardeningRule = Literal[
    "binary-authorization",
    "boot-disk-key",
    "deletion-protection",
    "external-secrets",
    "groups",
    "image-policy",
    "intranode-visibility",
    "metrics",
    "private-endpoint",
    "release-channel",
    "secure-boot",
    "security-posture",
    "vulnerability-scan",
]
"""Name of a rule that a setting can relax."""


class Control(NamedTuple):
    """A rule that a setting can relax."""

    rule: HardeningRule
    """Its name in exemptions."""
    ids: tuple[str, ...]
    """Where the rule comes from."""
    setting: str
    """Path of the setting; one of ``node_pool`` is one of each pool."""
    kept: Callable[[Any, Any], bool]
    """Whether a spec keeps it, with this value."""
    fix: str
    """How to keep it."""
    required: bool = True
    """Whether relaxing it is refused without an exemption; the others are reported only."""


class Chosen(NamedTuple):
    """A setting that keeps a rule with each of its values."""

    setting: str
    """Its path."""
    ids: tuple[str, ...]
    """Where the rule comes from."""
    own: str = ""
    """The setting that leaves all this to somebody else."""


class Fixed(NamedTuple):
    """A setting that no spec can relax."""

    argument: str
    """Path of the provider's argument."""
    ids: tuple[str, ...]
    """Where the rule comes from."""
    value: Any
    """What it is given."""
    on: Literal["cluster", "standard", "autopilot", "pool", "subnet", "key", "keyUse", "account"] = "cluster"
    """Every cluster, only one of a kind, its node pools, or what is made beside it."""


def _on(spec: Any, value: Any) -> bool:  # noqa: ARG001
    return bool(value)


CONTROLS: tuple[Control, ...] = (
    Control(
        "private-endpoint",
        ("CIS-1.6:5.6.4", "CIS-2.0:5.6.4"),
        "private_endpoint",
        _on,
        "private_endpoint: true, and dns_endpoint: true for who comes from outside",
    ),
    Control(
        "binary-authorization",
        ("CIS-1.6:5.10.4", "CKV_GCP_66"),
        "binary_authorization",
        lambda spec, value: value and not (spec.image_policy and spec.image_policy.dry_run),
        "binary_authorization: true, and no dry_run in image_policy",
    ),
    Control(
        "security-posture",
        ("CIS-1.6:5.10.5",),
        "security_posture",
        lambda _, value: value != "disabled",
        "security_posture: basic, which costs nothing",
    ),
    Control(
        "vulnerability-scan",
        ("CIS-1.6:5.10.5",),
        "vulnerability_scan",
        lambda _, value: value != "disabled",
        "vulnerability_scan: basic",
    ),
    Control(
        "intranode-visibility",
        ("CIS-1.6:5.6.1", "CKV_GCP_61"),
        "intranode_visibility",
        _on,
        "intranode_visibility: true",
    ),
    Control("secure-boot", ("CIS-1.6:5.5.7", "CKV_GCP_68"), "node_pool.secure_boot", _on, "secure_boot: true"),
    Control(
        "release-channel",
        ("CIS-1.6:5.5.4", "CKV_GCP_70"),
        "release_channel",
        lambda _, value: value != "rapid",
        "release_channel: regular or stable",
    ),
    Control(
        "image-policy",
        ("CIS-1.6:5.1.4",),
        "image_policy",
        lambda _, value: value is not None and not value.dry_run,
        "image_policy: the registries that you trust; or exempt it where the project's policy is said elsewhere",
        required=False,
    ),
    Control("metrics", ("CIS-1.6:5.7.1",), "managed_prometheus", _on, "managed_prometheus: true", required=False),
    Control(
        "groups",
        ("CIS-1.6:5.8.2", "CKV_GCP_65"),
        "rbac_groups_domain",
        _on,
        "rbac_groups_domain: the domain of the group gke-security-groups",
        required=False,
    ),
    Control(
        "boot-disk-key",
        ("CIS-1.6:5.9.2",),
        "node_pool.boot_disk_key",
        _on,
        "boot_disk_key: a key of your own; Google encrypts disks in any case",
        required=False,
    ),
    Control(
        "external-secrets",
        ("CIS-1.6:4.4.2",),
        "secret_manager",
        _on,
        "secret_manager: true, and secrets kept there",
        required=False,
    ),
    Control(
        "deletion-protection",
        ("https://cloud.google.com/kubernetes-engine/docs/how-to/deletion-protection",),
        "deletion_protection",
        lambda spec, _: spec.protected,
        "deletion_protection: true, and nothing in allow_replace",
        required=False,
    ),
)
"""What a setting can relax."""

CHOSEN: tuple[Chosen, ...] = (
    Chosen("authorized_networks", ("CIS-1.6:5.6.3", "CKV_GCP_18", "CKV_GCP_20")),
    Chosen("image_repositories", ("CIS-1.6:5.1.3", "CKV_GCP_101")),
    Chosen("network.flow_log_sampling", ("CIS-1.6:5.6.1", "CKV_GCP_26"), own="existing_network"),
)
"""What a setting says, and no value of it breaks."""

FIXED: tuple[Fixed, ...] = (
    Fixed("privateClusterConfig.enablePrivateNodes", ("CIS-1.6:5.6.5", "CKV_GCP_25", "CKV_GCP_64"), value=True),
    Fixed("masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled", ("CIS-1.6:5.6.3", "CKV_GCP_20"), value=False),
    Fixed("masterAuthorizedNetworksConfig.privateEndpointEnforcementEnabled", ("CIS-1.6:5.6.3",), value=True),
    Fixed("controlPlaneEndpointsConfig.dnsEndpointConfig.enableK8sTokensViaDns", ("CIS-2.0:5.6.4",), value=False),
    Fixed("controlPlaneEndpointsConfig.dnsEndpointConfig.enableK8sCertsViaDns", ("CIS-2.0:5.6.4",), value=False),
    Fixed("masterAuth.clientCertificateConfig.issueClientCertificate", ("CIS-1.6:5.8.1", "CKV_GCP_13"), value=False),
    Fixed("enableLegacyAbac", ("CIS-1.6:5.8.3", "CKV_GCP_7"), value=False),
    Fixed("enableKubernetesAlpha", ("CIS-1.6:5.10.2", "CKV2_GCP_19"), value=False),
    # Whoever has not logged in reaches the probes of health and nothing else.
    Fixed("anonymousAuthenticationConfig.mode", ("CIS-1.6:4.1.8",), value="LIMITED"),
    Fixed(
        "rbacBindingConfig.enableInsecureBindingSystemUnauthenticated",
        ("CIS-1.6:4.1.8", "CIS-1.6:4.1.9"),
        value=False,
    ),
    Fixed("rbacBindingConfig.enableInsecureBindingSystemAuthenticated", ("CIS-1.6:4.1.10",), value=False),
    Fixed("workloadIdentityConfig.workloadPool", ("CIS-1.6:5.2.2",), value="{project}.svc.id.goog"),
    Fixed("databaseEncryption.state", ("CIS-1.6:5.3.1",), value="ENCRYPTED"),
    Fixed("networkingMode", ("CIS-1.6:5.6.2", "CKV_GCP_23"), value="VPC_NATIVE"),
    Fixed("serviceExternalIpsConfig.enabled", ("CVE-2020-8554",), value=False),
    Fixed(
        "loggingConfig.enableComponents",
        ("CIS-1.6:5.7.1", "CKV_GCP_1"),
        value=("SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "CONTROLLER_MANAGER", "SCHEDULER"),
    ),
    Fixed("monitoringConfig.enableComponents", ("CIS-1.6:5.7.1", "CKV_GCP_8"), value=("SYSTEM_COMPONENTS",)),
    Fixed("resourceLabels.managed-by", ("CKV_GCP_21",), value="pulumi"),
    Fixed("datapathProvider", ("CIS-1.6:4.3.1",), value="ADVANCED_DATAPATH", on="standard"),
    Fixed("networkPolicy.enabled", ("CKV_GCP_12",), value=False, on="standard"),  # Dataplane V2 enforces them by itself
    Fixed("enableShieldedNodes", ("CIS-1.6:5.5.5", "CKV_GCP_71"), value=True, on="standard"),
    Fixed("removeDefaultNodePool", ("CKV_GCP_123",), value=True, on="standard"),
    Fixed(
        "nodePoolDefaults.nodeConfigDefaults.insecureKubeletReadonlyPortEnabled",
        ("CIS-1.6:3.2.4",),
        value="FALSE",
        on="standard",
    ),
    Fixed(
        "nodePoolAutoConfig.nodeKubeletConfig.insecureKubeletReadonlyPortEnabled",
        ("CIS-1.6:3.2.4",),
        value="FALSE",
        on="autopilot",
    ),
    Fixed("networkConfig.enablePrivateNodes", ("CIS-1.6:5.6.5",), value=True, on="pool"),
    Fixed("management.autoRepair", ("CIS-1.6:5.5.2", "CKV_GCP_9"), value=True, on="pool"),
    Fixed("management.autoUpgrade", ("CIS-1.6:5.5.3", "CKV_GCP_10"), value=True, on="pool"),
    Fixed("nodeConfig.imageType", ("CIS-1.6:5.5.1", "CKV_GCP_22"), value="COS_CONTAINERD", on="pool"),
    Fixed("nodeConfig.workloadMetadataConfig.mode", ("CIS-1.6:5.4.1", "CKV_GCP_69"), value="GKE_METADATA", on="pool"),
    Fixed("nodeConfig.metadata.disable-legacy-endpoints", ("CIS-1.6:5.4.1",), value="true", on="pool"),
    Fixed(
        "nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring",
        ("CIS-1.6:5.5.6", "CKV_GCP_72"),
        value=True,
        on="pool",
    ),
    Fixed("nodeConfig.kubeletConfig.insecureKubeletReadonlyPortEnabled", ("CIS-1.6:3.2.4",), value="FALSE", on="pool"),
    # No role to administer, no basic role, none to act as an account: what checkov asks of each grant in a project.
    Fixed(
        "role",
        (
            "CIS-1.6:5.2.1",
            "CKV_GCP_41",
            "CKV_GCP_42",
            "CKV_GCP_46",
            "CKV_GCP_49",
            "CKV_GCP_117",
            "CKV2_GCP_1",
        ),
        value="roles/container.defaultNodeServiceAccount",
        on="account",
    ),
    Fixed("privateIpGoogleAccess", ("CKV_GCP_74",), value=True, on="subnet"),
    Fixed("stackType", ("CKV_GCP_76",), value="IPV4_ONLY", on="subnet"),  # what has no IPv6 needs no access by it
    Fixed("logConfig.metadata", ("CIS-1.6:5.6.1",), value="INCLUDE_ALL_METADATA", on="subnet"),
    Fixed("rotationPeriod", ("CIS-1.6:5.3.1", "CKV_GCP_43"), value="7776000s", on="key"),
    Fixed("retainOnDelete", ("CKV_GCP_82",), value=True, on="key"),
    Fixed(
        "role",
        ("CKV_GCP_112", "CKV2_GCP_6", "CKV2_GCP_8"),
        value="roles/cloudkms.cryptoKeyEncrypterDecrypter",
        on="keyUse",
    ),
)
"""What no setting can relax."""
