"""The rules of the CIS GKE benchmark, each as a predicate over what is registered, and what breaks it.

Written from the benchmark's text and not from the code that keeps it. No tool runs them: kube-bench leaves the rules on
the cluster's own settings (chapter 5) to people. checkov's rules: tests/judges/test_gke.py.
"""

import copy
import functools
import ipaddress
import json
from typing import Any, NamedTuple

import pytest

from apiops_components.components.gke import GkeCluster
from apiops_components.models.cluster import GkeAutopilotSpec, GkeSpec
from apiops_components.models.cluster.hardening import hardening
from apiops_components.models.cluster.hardening_rules import CHOSEN, CONTROLS, FIXED
from apiops_components.testing.pulumi import record

GONE = object()
KEY = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/disks"
STANDARD = {
    "kind": "gke",
    "name": "acme-prod",
    "project": "acme-prod",
    "region": "europe-west1",
    "authorized_networks": [{"name": "vpn", "cidr": "10.8.0.0/16"}],
    "image_repositories": ["projects/acme/locations/europe/repositories/apis"],
    # What is advised and has no default, for no value could be guessed.
    "rbac_groups_domain": "acme.example",
    "secret_manager": True,
    "image_policy": {"allowed": ["quay.io/argoproj/*"]},
    "node_pool": {"boot_disk_key": KEY},
    "more_node_pools": {"batch": {"boot_disk_key": KEY}},
    "auto_provisioning": {"max_cpus": 64, "max_memory_gb": 256},
}
AUTOPILOT = {
    key: value
    for key, value in {**STANDARD, "kind": "gke-autopilot"}.items()
    if key not in ("node_pool", "more_node_pools", "auto_provisioning")
}
ACCOUNT = "acme-prod-nodes@acme-prod.iam.gserviceaccount.com"
PLACES = {
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": "reader",
    "gcp:binaryauthorization/policy:Policy": "images",
    "gcp:compute/subnetwork:Subnetwork": "subnet",
    "gcp:container/cluster:Cluster": "cluster",
    "gcp:container/nodePool:NodePool": "pool",
    "gcp:kms/cryptoKey:CryptoKey": "key",
    "gcp:projects/iAMMember:IAMMember": "grant",
    "gcp:serviceaccount/account:Account": "account",
}
OUTPUTS = {
    "cluster": {"endpoint": "172.16.0.2", "masterAuth": {"clusterCaCertificate": "QQ=="}},
    "account": {"email": ACCOUNT, "member": f"serviceAccount:{ACCOUNT}"},
}


def registered(settings):
    """The inputs of each resource that a rule speaks of, by place; those of node pools in a list."""
    return copy.deepcopy(_registered(json.dumps(settings)))


@functools.cache
def _registered(settings):
    recording = record(
        lambda: GkeCluster("prod", json.loads(settings)),
        outputs=lambda resource: OUTPUTS.get(PLACES.get(resource.type)),
        preview=False,
    )
    found: dict[str, Any] = {"pool": []}
    for resource in recording.resources:
        if place := PLACES.get(resource.type):
            inputs = dict(resource.inputs)
            found["pool"].append(inputs) if place == "pool" else found.update({place: inputs})
    return found


def at(value, path):
    """A value by its path; None where there is none."""
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def cluster(path, *, is_):
    return lambda found: at(found["cluster"], path) == is_


def pools(path, *, is_):
    """Of each pool of ours."""
    return lambda found: bool(found["pool"]) and all(at(pool, path) == is_ for pool in found["pool"])


def made_pools(path, *, is_):
    """Of pools that GKE makes, where it makes any."""

    def holds(found):
        if not at(found["cluster"], "clusterAutoscaling.enabled"):
            return True
        return at(found["cluster"], f"clusterAutoscaling.autoProvisioningDefaults.{path}") == is_

    return holds


def every(*predicates):
    return lambda found: all(predicate(found) for predicate in predicates)


def no_read_only_port(found):
    """Asked of pools of our own, of those to come, and of those that GKE makes, as always in Autopilot."""
    places = [at(pool, "nodeConfig.kubeletConfig.insecureKubeletReadonlyPortEnabled") for pool in found["pool"]]
    makes = at(found["cluster"], "enableAutopilot") or at(found["cluster"], "clusterAutoscaling.enabled")
    if found["pool"]:
        place = "nodePoolDefaults.nodeConfigDefaults.insecureKubeletReadonlyPortEnabled"
        places.append(at(found["cluster"], place))
    if makes:
        place = "nodePoolAutoConfig.nodeKubeletConfig.insecureKubeletReadonlyPortEnabled"
        places.append(at(found["cluster"], place))
    return set(places) == {"FALSE"}


def network_policies_are_enforced(found):
    return at(found["cluster"], "datapathProvider") == "ADVANCED_DATAPATH" or at(found["cluster"], "enableAutopilot")


def nodes_have_an_account_of_their_own(found):
    made = at(found["cluster"], "clusterAutoscaling.autoProvisioningDefaults.serviceAccount")
    accounts = [at(pool, "nodeConfig.serviceAccount") for pool in found["pool"]] + ([made] if made else [])
    return set(accounts) == {ACCOUNT} and found["grant"]["role"] == "roles/container.defaultNodeServiceAccount"


def only_trusted_images_run(found):
    rule = at(found.get("images"), "defaultAdmissionRule") or {}
    enforced = rule.get("enforcementMode") == "ENFORCED_BLOCK_AND_AUDIT_LOG"
    return enforced and rule.get("evaluationMode") in ("ALWAYS_DENY", "REQUIRE_ATTESTATION")


def flows_are_logged(found):
    inside = at(found["cluster"], "enableIntranodeVisibility") or at(found["cluster"], "enableAutopilot")
    return bool(inside) and (at(found["subnet"], "logConfig.flowSampling") or 0) > 0


def entry_is_by_listed_networks(found):
    config = at(found["cluster"], "masterAuthorizedNetworksConfig")
    if not config or config.get("gcpPublicCidrsAccessEnabled") is not False:
        return False
    if config.get("privateEndpointEnforcementEnabled") is not True:
        return False
    return all(ipaddress.ip_network(block["cidrBlock"]).prefixlen for block in config.get("cidrBlocks", ()))


def no_public_address(found):
    private = at(found["cluster"], "privateClusterConfig.enablePrivateEndpoint")
    return private is True or at(found["cluster"], "controlPlaneEndpointsConfig.ipEndpointsConfig.enabled") is False


def dns_endpoint_asks_iam(found):
    config = at(found["cluster"], "controlPlaneEndpointsConfig.dnsEndpointConfig") or {}
    return not config.get("enableK8sTokensViaDns") and not config.get("enableK8sCertsViaDns")


def is_observed(found):
    logs = set(at(found["cluster"], "loggingConfig.enableComponents") or ())
    metrics = set(at(found["cluster"], "monitoringConfig.enableComponents") or ())
    collected = at(found["cluster"], "monitoringConfig.managedPrometheus.enabled")
    return bool({"SYSTEM_COMPONENTS", "WORKLOADS"} <= logs and "SYSTEM_COMPONENTS" in metrics and collected)


def relaxed(rule, **settings):
    return {**settings, "exemptions": [{"rule": rule, "reason": "Shown in this test."}]}


class Rule(NamedTuple):
    holds: Any
    breaks: tuple[Any, ...]
    """Settings, or, where none can, a place, a path there and another value."""
    standard: bool = False
    """Of nodes that are ours; in Autopilot Google keeps it, and the provider refuses the argument."""


ALIAS, CLIENT = "ipAllocationPolicy", "masterAuth.clientCertificateConfig.issueClientCertificate"
SHIELD = "shieldedInstanceConfig"
MADE = "clusterAutoscaling.autoProvisioningDefaults"
RULES = {
    "CIS-1.6:3.2.4": Rule(
        no_read_only_port,
        (("cluster", "nodePoolAutoConfig.nodeKubeletConfig.insecureKubeletReadonlyPortEnabled", "TRUE"),),
    ),
    "CIS-1.6:4.1.8": Rule(
        every(
            cluster("anonymousAuthenticationConfig.mode", is_="LIMITED"),
            cluster("rbacBindingConfig.enableInsecureBindingSystemUnauthenticated", is_=False),
        ),
        (
            ("cluster", "anonymousAuthenticationConfig.mode", "ENABLED"),
            ("cluster", "rbacBindingConfig.enableInsecureBindingSystemUnauthenticated", True),
        ),
    ),
    "CIS-1.6:4.1.9": Rule(
        cluster("rbacBindingConfig.enableInsecureBindingSystemUnauthenticated", is_=False),
        (("cluster", "rbacBindingConfig.enableInsecureBindingSystemUnauthenticated", True),),
    ),
    "CIS-1.6:4.1.10": Rule(
        cluster("rbacBindingConfig.enableInsecureBindingSystemAuthenticated", is_=False),
        (("cluster", "rbacBindingConfig.enableInsecureBindingSystemAuthenticated", True),),
    ),
    "CIS-1.6:4.3.1": Rule(
        network_policies_are_enforced, (("cluster", "datapathProvider", "LEGACY_DATAPATH"),), standard=True
    ),
    "CIS-1.6:4.4.2": Rule(cluster("secretManagerConfig.enabled", is_=True), ({"secret_manager": False},)),
    "CIS-1.6:5.1.3": Rule(
        lambda found: found["reader"]["role"] == "roles/artifactregistry.reader",
        (("reader", "role", "roles/artifactregistry.repoAdmin"),),
    ),
    "CIS-1.6:5.1.4": Rule(
        only_trusted_images_run,
        (
            {"image_policy": None},
            relaxed("binary-authorization", image_policy={"allowed": ["quay.io/argoproj/*"], "dry_run": True}),
            ("images", "defaultAdmissionRule.evaluationMode", "ALWAYS_ALLOW"),
        ),
    ),
    "CIS-1.6:5.2.1": Rule(
        nodes_have_an_account_of_their_own,
        (("cluster", MADE + ".serviceAccount", "default"), ("grant", "role", "roles/editor")),
    ),
    "CIS-1.6:5.2.2": Rule(
        cluster("workloadIdentityConfig.workloadPool", is_="acme-prod.svc.id.goog"),
        (("cluster", "workloadIdentityConfig", GONE),),
    ),
    "CIS-1.6:5.3.1": Rule(
        lambda found: (
            at(found["cluster"], "databaseEncryption.state") == "ENCRYPTED"
            and bool(at(found["cluster"], "databaseEncryption.keyName"))
            and at(found["key"], "rotationPeriod") == f"{90 * 24 * 3600}s"
        ),
        (
            ("cluster", "databaseEncryption.state", "DECRYPTED"),
            ("cluster", "databaseEncryption.keyName", GONE),
            ("key", "rotationPeriod", GONE),
        ),
    ),
    "CIS-1.6:5.4.1": Rule(
        every(
            pools("nodeConfig.workloadMetadataConfig.mode", is_="GKE_METADATA"),
            pools("nodeConfig.metadata.disable-legacy-endpoints", is_="true"),
        ),
        (
            ("pool", "nodeConfig.workloadMetadataConfig.mode", "GCE_METADATA"),
            ("pool", "nodeConfig.metadata.disable-legacy-endpoints", GONE),
        ),
        standard=True,
    ),
    "CIS-1.6:5.5.1": Rule(
        every(pools("nodeConfig.imageType", is_="COS_CONTAINERD"), made_pools("imageType", is_="COS_CONTAINERD")),
        (("pool", "nodeConfig.imageType", "UBUNTU_CONTAINERD"), ("cluster", MADE + ".imageType", "UBUNTU")),
        standard=True,
    ),
    "CIS-1.6:5.5.2": Rule(
        every(pools("management.autoRepair", is_=True), made_pools("management.autoRepair", is_=True)),
        (("pool", "management.autoRepair", False), ("cluster", MADE + ".management.autoRepair", False)),
        standard=True,
    ),
    "CIS-1.6:5.5.3": Rule(
        every(pools("management.autoUpgrade", is_=True), made_pools("management.autoUpgrade", is_=True)),
        (("pool", "management.autoUpgrade", False), ("cluster", MADE + ".management.autoUpgrade", False)),
        standard=True,
    ),
    "CIS-1.6:5.5.4": Rule(
        lambda found: at(found["cluster"], "releaseChannel.channel") in ("REGULAR", "STABLE", "EXTENDED"),
        (
            relaxed("release-channel", release_channel="rapid"),
            ("cluster", "releaseChannel.channel", "UNSPECIFIED"),
            ("cluster", "releaseChannel", GONE),
        ),
    ),
    "CIS-1.6:5.5.5": Rule(
        cluster("enableShieldedNodes", is_=True), (("cluster", "enableShieldedNodes", False),), standard=True
    ),
    "CIS-1.6:5.5.6": Rule(
        every(
            pools(f"nodeConfig.{SHIELD}.enableIntegrityMonitoring", is_=True),
            made_pools(f"{SHIELD}.enableIntegrityMonitoring", is_=True),
        ),
        (
            ("pool", f"nodeConfig.{SHIELD}.enableIntegrityMonitoring", False),
            ("cluster", f"{MADE}.{SHIELD}.enableIntegrityMonitoring", False),
        ),
        standard=True,
    ),
    "CIS-1.6:5.5.7": Rule(
        every(
            pools(f"nodeConfig.{SHIELD}.enableSecureBoot", is_=True), made_pools(f"{SHIELD}.enableSecureBoot", is_=True)
        ),
        (
            relaxed("secure-boot", node_pool={"secure_boot": False, "boot_disk_key": KEY}),
            relaxed("secure-boot", more_node_pools={"batch": {"secure_boot": False, "boot_disk_key": KEY}}),
            ("cluster", f"{MADE}.{SHIELD}.enableSecureBoot", False),
        ),
        standard=True,
    ),
    "CIS-1.6:5.6.1": Rule(
        flows_are_logged,
        (("subnet", "logConfig", GONE),),
    ),
    "CIS-1.6:5.6.2": Rule(
        lambda found: at(found["cluster"], "networkingMode") == "VPC_NATIVE" and bool(found["cluster"].get(ALIAS)),
        (("cluster", "networkingMode", "ROUTES"), ("cluster", ALIAS, GONE)),
    ),
    "CIS-1.6:5.6.3": Rule(
        entry_is_by_listed_networks,
        (
            ("cluster", "masterAuthorizedNetworksConfig", GONE),
            ("cluster", "masterAuthorizedNetworksConfig.cidrBlocks", [{"cidrBlock": "0.0.0.0/0"}]),
            ("cluster", "masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled", True),
            ("cluster", "masterAuthorizedNetworksConfig.privateEndpointEnforcementEnabled", False),
        ),
    ),
    "CIS-1.6:5.6.4": Rule(no_public_address, (relaxed("private-endpoint", private_endpoint=False),)),
    "CIS-2.0:5.6.4": Rule(
        every(no_public_address, dns_endpoint_asks_iam),
        (
            relaxed("private-endpoint", private_endpoint=False),
            ("cluster", "controlPlaneEndpointsConfig.dnsEndpointConfig.enableK8sTokensViaDns", True),
            ("cluster", "controlPlaneEndpointsConfig.dnsEndpointConfig.enableK8sCertsViaDns", True),
        ),
    ),
    "CIS-1.6:5.6.5": Rule(
        lambda found: (
            at(found["cluster"], "privateClusterConfig.enablePrivateNodes") is True
            and all(at(pool, "networkConfig.enablePrivateNodes") is True for pool in found["pool"])
        ),
        (("cluster", "privateClusterConfig.enablePrivateNodes", False),),
    ),
    "CIS-1.6:5.7.1": Rule(
        is_observed,
        (
            {"managed_prometheus": False},
            ("cluster", "loggingConfig.enableComponents", ["SYSTEM_COMPONENTS"]),
            ("cluster", "monitoringConfig.enableComponents", []),
        ),
    ),
    "CIS-1.6:5.8.1": Rule(cluster(CLIENT, is_=False), (("cluster", CLIENT, True),)),
    "CIS-1.6:5.8.2": Rule(
        cluster("authenticatorGroupsConfig.securityGroup", is_="gke-security-groups@acme.example"),
        ({"rbac_groups_domain": None},),
    ),
    "CIS-1.6:5.8.3": Rule(cluster("enableLegacyAbac", is_=False), (("cluster", "enableLegacyAbac", True),)),
    "CIS-1.6:5.9.2": Rule(
        lambda found: all(at(pool, "nodeConfig.bootDiskKmsKey") for pool in found["pool"]),
        ({"node_pool": {}}, {"more_node_pools": {"batch": {}}}),
        standard=True,
    ),
    "CIS-1.6:5.10.2": Rule(cluster("enableKubernetesAlpha", is_=False), (("cluster", "enableKubernetesAlpha", True),)),
    "CIS-1.6:5.10.4": Rule(
        cluster("binaryAuthorization.evaluationMode", is_="PROJECT_SINGLETON_POLICY_ENFORCE"),
        (relaxed("binary-authorization", binary_authorization=False, image_policy=None),),
    ),
    "CIS-1.6:5.10.5": Rule(
        lambda found: (
            at(found["cluster"], "securityPostureConfig.mode") in ("BASIC", "ENTERPRISE")
            and at(found["cluster"], "securityPostureConfig.vulnerabilityMode")
            in ("VULNERABILITY_BASIC", "VULNERABILITY_ENTERPRISE")
        ),
        (
            relaxed("security-posture", security_posture="disabled"),
            relaxed("vulnerability-scan", vulnerability_scan="disabled"),
        ),
    ),
}
# What only Standard has, beside what both kinds have.
OF_POOLS = {
    "CIS-1.6:3.2.4": (
        ("pool", "nodeConfig.kubeletConfig.insecureKubeletReadonlyPortEnabled", "TRUE"),
        ("cluster", "nodePoolDefaults.nodeConfigDefaults.insecureKubeletReadonlyPortEnabled", GONE),
    ),
    "CIS-1.6:5.2.1": (("pool", "nodeConfig.serviceAccount", GONE),),
    "CIS-1.6:5.6.1": (relaxed("intranode-visibility", intranode_visibility=False),),
    "CIS-1.6:5.6.5": (("pool", "networkConfig.enablePrivateNodes", False),),
}
KINDS = {"gke": STANDARD, "gke-autopilot": AUTOPILOT}
CASES = [
    pytest.param(kind, rule, change, id=f"{kind}-{rule}-{number}")
    for kind in KINDS
    for rule, (_, breaks, standard) in RULES.items()
    if kind == "gke" or not standard
    for number, change in enumerate((*breaks, *(OF_POOLS.get(rule, ()) if kind == "gke" else ())))
]


def broken(settings, change):
    """What is registered, with what breaks a rule; of pools, in the last one alone."""
    if isinstance(change, dict):
        return registered({**settings, **change})
    place, path, value = change
    found = registered(settings)
    where = found[place][-1] if place == "pool" else found[place]
    *parents, last = path.split(".")
    for part in parents:
        where = where[part]
    assert last in where
    if value is GONE:
        del where[last]
    else:
        where[last] = value
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_each_rule_of_the_benchmark_holds(kind):
    found = registered(KINDS[kind])
    assert [
        id_ for id_, rule in RULES.items() if not rule.holds(found) and not (rule.standard and not found["pool"])
    ] == []


@pytest.mark.parametrize(("kind", "rule", "change"), CASES)
def test_each_rule_fails_when_its_setting_is_flipped(kind, rule, change):
    assert RULES[rule].holds(registered(KINDS[kind]))
    assert not RULES[rule].holds(broken(KINDS[kind], change))


def ids(rows):
    return {id_ for row in rows for id_ in row.ids if id_.startswith("CIS")}


def test_each_rule_is_named_beside_what_keeps_it_and_the_report_has_it():
    assert ids((*CONTROLS, *CHOSEN, *FIXED)) == RULES.keys()
    assert ids(hardening(GkeSpec.model_validate(STANDARD))) == RULES.keys()
    common = {id_ for id_, rule in RULES.items() if not rule.standard}
    assert ids(hardening(GkeAutopilotSpec.model_validate(AUTOPILOT))) == common


@pytest.mark.parametrize("control", [c for c in CONTROLS if ids([c])], ids=lambda control: control.rule)
def test_each_setting_that_can_be_relaxed_breaks_its_rules(control):
    setting = control.setting.partition(".")[0]
    for rule in ids([control]):
        changes = [*RULES[rule].breaks, *OF_POOLS.get(rule, ())]
        assert any(isinstance(change, dict) and setting in change for change in changes), rule
