"""What hardens a cluster at Google, each setting with the rule that asks for it.

``CIS-1.6`` and ``CIS-2.0`` are versions of the CIS GKE benchmark, whose numbers move; ``CKV`` are checkov's, which
judges the same settings under Terraform's names. What a setting can relax is a `Control`: relaxed, it needs an
exemption with a reason. What no setting can relax is `FIXED`: the argument of the provider, and the value it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from pydantic_core import InitErrorDetails

from apiops_components.models.base import Model, Reason, fault

__all__ = ["CONTROLS", "FIXED", "Control", "Fixed", "HardeningExemption", "HardeningRow", "hardening"]

HardeningRule = Literal[
    "binary-authorization",
    "deletion-protection",
    "groups",
    "intranode-visibility",
    "metrics",
    "private-endpoint",
    "secure-boot",
    "security-posture",
    "vulnerability-scan",
]
"""Name of a rule that a setting can relax."""


class HardeningExemption(Model):
    """Leave for a cluster to break one rule."""

    rule: HardeningRule
    """Which one."""
    reason: Reason
    """Why, for whoever reads it next year; it is in the report of `apiopsctl hardening`."""


class Control(NamedTuple):
    """A rule that a setting can relax."""

    rule: HardeningRule
    """Its name in exemptions."""
    ids: tuple[str, ...]
    """Where the rule comes from."""
    setting: str
    """Path of the setting."""
    kept: Callable[[Any], bool]
    """Whether a spec keeps it."""
    fix: str
    """How to keep it."""
    required: bool = True
    """Whether relaxing it is refused without an exemption; the others are reported only."""


class Fixed(NamedTuple):
    """A setting that no spec can relax."""

    argument: str
    """Path of the provider's argument."""
    ids: tuple[str, ...]
    """Where the rule comes from."""
    value: Any
    """What it is given."""
    on: Literal["cluster", "standard", "pool"] = "cluster"
    """Every cluster, only one with nodes of its own, or its node pools."""


def _pools_boot_securely(spec: Any) -> bool:
    return all(pool.secure_boot for pool in getattr(spec, "node_pools", {}).values())


CONTROLS: tuple[Control, ...] = (
    Control(
        "private-endpoint",
        ("CIS-1.6:5.6.4", "CIS-2.0:5.6.4"),
        "private_endpoint",
        lambda spec: spec.private_endpoint,
        "private_endpoint: true, and dns_endpoint: true for who comes from outside",
    ),
    Control(
        "binary-authorization",
        ("CIS-1.6:5.10.4", "CKV_GCP_66"),
        "binary_authorization",
        lambda spec: spec.binary_authorization,
        "binary_authorization: true",
    ),
    Control(
        "security-posture",
        ("CIS-1.6:5.10.5",),
        "security_posture",
        lambda spec: spec.security_posture != "disabled",
        "security_posture: basic, which costs nothing",
    ),
    Control(
        "vulnerability-scan",
        ("CIS-1.6:5.1.1",),
        "vulnerability_scan",
        lambda spec: spec.vulnerability_scan != "disabled",
        "vulnerability_scan: basic",
    ),
    Control(
        "intranode-visibility",
        ("CIS-1.6:5.6.1", "CKV_GCP_61"),
        "intranode_visibility",
        lambda spec: getattr(spec, "intranode_visibility", True),
        "intranode_visibility: true",
    ),
    Control(
        "secure-boot",
        ("CIS-1.6:5.5.7", "CKV_GCP_68"),
        "node_pool.secure_boot",
        _pools_boot_securely,
        "secure_boot: true",
    ),
    Control(
        "metrics",
        ("CIS-1.6:5.7.1",),
        "managed_prometheus",
        lambda spec: spec.managed_prometheus,
        "managed_prometheus: true",
        required=False,
    ),
    Control(
        "groups",
        ("CIS-1.6:5.8.2", "CKV_GCP_65"),
        "rbac_groups_domain",
        lambda spec: spec.rbac_groups_domain is not None,
        "rbac_groups_domain: the domain of the group gke-security-groups",
        required=False,
    ),
    Control(
        "deletion-protection",
        ("https://cloud.google.com/kubernetes-engine/docs/how-to/deletion-protection",),
        "deletion_protection",
        lambda spec: spec.protected,
        "deletion_protection: true, and nothing in allow_replace",
        required=False,
    ),
)
"""What a setting can relax."""

FIXED: tuple[Fixed, ...] = (
    Fixed("privateClusterConfig.enablePrivateNodes", ("CIS-1.6:5.6.5", "CKV_GCP_25", "CKV_GCP_64"), value=True),
    Fixed("masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled", ("CIS-1.6:5.6.3", "CKV_GCP_20"), value=False),
    Fixed("masterAuthorizedNetworksConfig.privateEndpointEnforcementEnabled", ("CIS-1.6:5.6.3",), value=True),
    Fixed("controlPlaneEndpointsConfig.dnsEndpointConfig.enableK8sTokensViaDns", ("CIS-2.0:5.6.4",), value=False),
    Fixed("controlPlaneEndpointsConfig.dnsEndpointConfig.enableK8sCertsViaDns", ("CIS-2.0:5.6.4",), value=False),
    Fixed("masterAuth.clientCertificateConfig.issueClientCertificate", ("CIS-1.6:5.8.1", "CKV_GCP_13"), value=False),
    Fixed("enableLegacyAbac", ("CIS-1.6:5.8.3", "CKV_GCP_7"), value=False),
    Fixed("enableKubernetesAlpha", ("CIS-1.6:5.10.2",), value=False),
    Fixed("anonymousAuthenticationConfig.mode", ("CIS-1.6:4.1.10",), value="LIMITED"),
    Fixed("rbacBindingConfig.enableInsecureBindingSystemAuthenticated", ("CIS-1.6:4.1.8",), value=False),
    Fixed("rbacBindingConfig.enableInsecureBindingSystemUnauthenticated", ("CIS-1.6:4.1.9",), value=False),
    Fixed("workloadIdentityConfig.workloadPool", ("CIS-1.6:5.2.2",), value="{project}.svc.id.goog"),
    Fixed("databaseEncryption.state", ("CIS-1.6:5.3.1",), value="ENCRYPTED"),
    Fixed("networkingMode", ("CIS-1.6:5.6.2", "CKV_GCP_23"), value="VPC_NATIVE"),
    Fixed("serviceExternalIpsConfig.enabled", ("CVE-2020-8554",), value=False),
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
)
"""What no setting can relax."""


def hardening_faults(spec: Any, exemptions: Sequence[HardeningExemption]) -> Iterator[InitErrorDetails]:
    """Rules broken without an exemption, and exemptions that nothing needs."""
    given = {exemption.rule for exemption in exemptions}
    broken = {control.rule for control in CONTROLS if not control.kept(spec)}
    for control in CONTROLS:
        if control.required and control.rule in broken - given:
            yield fault(
                f"gke/{control.rule}",
                f"breaks {', '.join(control.ids)}",
                f"{control.fix}; or say why not: exemptions: [{{rule: {control.rule}, reason: …}}]",
                control.setting.split("."),
            )
    seen: set[str] = set()
    for index, exemption in enumerate(exemptions):
        loc = ("exemptions", index, "rule")
        if exemption.rule in seen:
            yield fault("gke/exemption", f"{exemption.rule} is exempted twice", "leave one", loc)
        elif exemption.rule not in broken:
            message = f"nothing breaks {exemption.rule}: the exemption would only hide what breaks it next"
            yield fault("gke/exemption", message, "leave it out", loc)
        seen.add(exemption.rule)


class HardeningRow(NamedTuple):
    """One line of the report."""

    setting: str
    """Path of the setting, or of the provider's argument where there is none."""
    value: Any
    """What it is."""
    ids: tuple[str, ...]
    """The rules."""
    status: Literal["kept", "fixed", "exempted", "open"]
    """Kept by the settings, by the component whatever they say, broken with a reason, or broken."""
    reason: str
    """Of an exemption; else how to keep an open rule."""


def hardening(spec: Any) -> list[HardeningRow]:
    """What hardens a cluster at Google: settings first, then what no setting changes; nothing for other clusters."""
    if not spec.kind.startswith("gke"):
        return []
    reasons = {exemption.rule: exemption.reason for exemption in spec.exemptions}
    rows: list[HardeningRow] = []
    standard = spec.kind == "gke"
    for control in CONTROLS:
        if not standard and control.rule in ("intranode-visibility", "secure-boot"):
            continue  # not a setting of Autopilot, which always keeps them
        value = _value(spec, control.setting)
        if control.kept(spec):
            rows.append(HardeningRow(control.setting, value, control.ids, "kept", ""))
        elif control.rule in reasons:
            rows.append(HardeningRow(control.setting, value, control.ids, "exempted", reasons[control.rule]))
        else:
            rows.append(HardeningRow(control.setting, value, control.ids, "open", control.fix))
    for fixed in FIXED:
        if fixed.on == "cluster" or standard:
            value = fixed.value.format(project=spec.project) if isinstance(fixed.value, str) else fixed.value
            place = f"nodePool.{fixed.argument}" if fixed.on == "pool" else f"cluster.{fixed.argument}"
            rows.append(HardeningRow(place, value, fixed.ids, "fixed", ""))
    return rows


def _value(spec: Any, path: str) -> Any:
    value = spec
    for part in path.split("."):
        value = getattr(value, part)
    return value
