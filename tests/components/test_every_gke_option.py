"""Each option of a cluster at Google, those of its parts too, and what it changes in what is registered.

The options are read from the models: one without a row here fails, and so does a choice that no row makes.
"""

import functools
import json
import types
import typing
from collections.abc import Mapping

import pytest
import yaml
from pydantic import BaseModel

from apiops_components.components.gke import GkeCluster
from apiops_components.models.cluster import GkeAutopilotSpec, GkeSpec
from apiops_components.models.cluster.hardening import hardening
from apiops_components.testing.pulumi import record

GONE = object()
STANDARD = {
    "kind": "gke",
    "name": "acme-prod",
    "project": "acme-prod",
    "region": "europe-west1",
    "authorized_networks": [{"name": "vpn", "cidr": "10.8.0.0/16"}],
}
AUTOPILOT = {**STANDARD, "kind": "gke-autopilot"}
CLUSTER, POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
POLICY = "gcp:binaryauthorization/policy:Policy"
READER = "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember"
IDENTITY = "gcp:serviceaccount/iAMMember:IAMMember"
KEY = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
NETWORK = {
    "network": "projects/host/global/networks/shared",
    "subnetwork": "projects/host/regions/europe-west1/subnetworks/gke",
}
CONTROL_PLANE = "projects/host/regions/europe-west1/subnetworks/control-plane"
RANGES = "ipAllocationPolicy/"
WINDOW, EXCLUSION = "maintenancePolicy/recurringWindow/", "maintenancePolicy/maintenanceExclusions/0/"
PRIVATE, DNS = "privateClusterConfig/", "controlPlaneEndpointsConfig/dnsEndpointConfig/"
DEFAULTS = "clusterAutoscaling/"
IMAGES = {"allowed": ["quay.io/argoproj/*"]}
SIGNED = {"attestors": ["projects/p/attestors/a"]}
PODS = {"namespace": "shop", "service_account": "orders", "google_account": "orders@acme-data.iam.gserviceaccount.com"}
YEAR_END = {"name": "year-end", "start": "2026-12-15T00:00:00Z", "end": "2027-01-05T00:00:00Z"}


def without(rule, reason="Shown in this test."):
    return {"exemptions": [{"rule": rule, "reason": reason}]}


@functools.cache
def recording(settings):
    return record(lambda: GkeCluster("prod", json.loads(settings)))


def registered(kind, path):
    """What a program registers: a value in the inputs of the one resource of a kind; GONE where it is not there."""

    def read(settings, name=""):
        found = recording(json.dumps(settings)).of_type(kind)
        found = [resource for resource in found if not name or resource.name == name]
        return GONE if not found else below(found[0].inputs, path)

    return read


def below(value, path):
    for part in path.split("/"):
        try:
            value = value[int(part) if isinstance(value, list | tuple) else part]
        except (KeyError, IndexError):
            return GONE
    return value


def login(settings, name=""):  # noqa: ARG001
    """What the kubeconfig runs."""
    found = []
    outputs = {"endpoint": "172.16.0.2", "masterAuth": {"clusterCaCertificate": "QQ=="}}
    record(
        lambda: GkeCluster("prod", settings).kubeconfig.apply(found.append),
        outputs=lambda resource: outputs if resource.type == CLUSTER else None,
        preview=False,
    )
    return yaml.safe_load(found[0])["users"][0]["user"]["exec"].get("args")


def protected(settings, name=""):  # noqa: ARG001
    found = recording(json.dumps(settings)).one(CLUSTER)
    return found.protect, found.inputs["deletionProtection"]


def reported(setting):
    """What the report of `apiopsctl hardening` says of a setting."""

    def read(settings, name=""):  # noqa: ARG001
        model = GkeSpec if settings["kind"] == "gke" else GkeAutopilotSpec
        (row,) = [row for row in hardening(model.model_validate(settings)) if row.setting == setting]
        return row.status, row.reason

    return read


def in_cluster(path, *rows):
    """Rows of settings and what stands in the cluster's inputs."""
    return [(settings, registered(CLUSTER, path), expected) for settings, expected in rows]


def in_pool(path, *rows):
    return [({"node_pool": settings}, registered(POOL, path), expected) for settings, expected in rows]


def in_exclusion(path, settings, expected):
    return in_cluster(EXCLUSION + path, ({"maintenance": {"exclusions": [{**YEAR_END, **settings}]}}, expected))


def on(name, path, rest=None):
    """A switch that is off by default."""
    return in_cluster(path, ({name: True, **(rest or {})}, True))


# Where an option stands: its path in the settings, [] for each item of a list, {} for each value of a mapping.
# What is said of it, where that is read, and what stands there.
COMMON = {
    "name": in_cluster("name", ({"name": "acme-eu"}, "acme-eu")),
    "project": in_cluster("project", ({"project": "acme-live"}, "acme-live")),
    "region": in_cluster("location", ({"region": "europe-west4"}, "europe-west4")),
    "network.nodes_cidr": [
        ({"network": {"nodes_cidr": "10.1.0.0/20"}}, registered(SUBNET, "ipCidrRange"), "10.1.0.0/20")
    ],
    "network.pods_cidr": [
        (
            {"network": {"pods_cidr": "10.64.0.0/14"}},
            registered(SUBNET, "secondaryIpRanges/0/ipCidrRange"),
            "10.64.0.0/14",
        )
    ],
    "network.services_cidr": [
        (
            {"network": {"services_cidr": "10.40.0.0/20"}},
            registered(SUBNET, "secondaryIpRanges/1/ipCidrRange"),
            "10.40.0.0/20",
        )
    ],
    "network.control_plane_cidr": in_cluster(
        PRIVATE + "masterIpv4CidrBlock", ({"network": {"control_plane_cidr": "172.20.0.16/28"}}, "172.20.0.16/28")
    ),
    "network.flow_log_sampling": [
        ({"network": {"flow_log_sampling": 1.0}}, registered(SUBNET, "logConfig/flowSampling"), 1.0)
    ],
    "existing_network.network": in_cluster("network", ({"existing_network": NETWORK}, NETWORK["network"])),
    "existing_network.subnetwork": in_cluster("subnetwork", ({"existing_network": NETWORK}, NETWORK["subnetwork"])),
    "existing_network.pods_range": in_cluster(
        RANGES + "clusterSecondaryRangeName", ({"existing_network": {**NETWORK, "pods_range": "p"}}, "p")
    ),
    "existing_network.services_range": in_cluster(
        RANGES + "servicesSecondaryRangeName", ({"existing_network": {**NETWORK, "services_range": "s"}}, "s")
    ),
    "existing_network.control_plane_subnetwork": [
        *in_cluster(
            PRIVATE + "privateEndpointSubnetwork",
            ({"existing_network": {**NETWORK, "control_plane_subnetwork": CONTROL_PLANE}}, CONTROL_PLANE),
        ),
        *in_cluster(
            PRIVATE + "masterIpv4CidrBlock",
            ({"existing_network": {**NETWORK, "control_plane_subnetwork": CONTROL_PLANE}}, GONE),
        ),
    ],
    "private_endpoint": in_cluster(
        PRIVATE + "enablePrivateEndpoint", ({"private_endpoint": False, **without("private-endpoint")}, False)
    ),
    "authorized_networks[].name": in_cluster(
        "masterAuthorizedNetworksConfig/cidrBlocks/0/displayName",
        ({"authorized_networks": [{"name": "office", "cidr": "10.8.0.0/16"}]}, "office"),
    ),
    "authorized_networks[].cidr": in_cluster(
        "masterAuthorizedNetworksConfig/cidrBlocks/0/cidrBlock",
        ({"authorized_networks": [{"name": "vpn", "cidr": "10.9.0.0/16"}]}, "10.9.0.0/16"),
    ),
    "dns_endpoint": in_cluster(DNS + "allowExternalTraffic", ({"dns_endpoint": True}, True)),
    "ip_endpoint": [
        *in_cluster(
            "controlPlaneEndpointsConfig/ipEndpointsConfig/enabled",
            ({"ip_endpoint": False, "dns_endpoint": True, "authorized_networks": []}, False),
        ),
        *in_cluster(
            PRIVATE + "masterGlobalAccessConfig",
            ({"ip_endpoint": False, "dns_endpoint": True, "authorized_networks": []}, GONE),
        ),
    ],
    "login": [({"login": "application-default"}, login, ["--use_application_default_credentials"])],
    "release_channel": in_cluster(
        "releaseChannel/channel",
        ({"release_channel": "rapid", **without("release-channel")}, "RAPID"),
        ({"release_channel": "stable"}, "STABLE"),
        ({"release_channel": "extended"}, "EXTENDED"),
    ),
    "accelerated_patches": in_cluster("gkeAutoUpgradeConfig/patchMode", ({"accelerated_patches": True}, "ACCELERATED")),
    "maintenance.days[]": in_cluster(
        WINDOW + "recurrence",
        *(
            ({"maintenance": {"days": [day], "hours": 12}}, f"FREQ=WEEKLY;BYDAY={day}")
            for day in ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
        ),
    ),
    "maintenance.start": in_cluster(
        WINDOW + "startTime", ({"maintenance": {"start": "22:30"}}, "2024-01-06T22:30:00Z")
    ),
    "maintenance.hours": in_cluster(WINDOW + "endTime", ({"maintenance": {"hours": 8}}, "2024-01-06T09:00:00Z")),
    "maintenance.exclusions[].name": in_exclusion("exclusionName", {"name": "fair"}, "fair"),
    "maintenance.exclusions[].start": in_exclusion(
        "startTime", {"start": "2026-12-16T00:00:00Z"}, "2026-12-16T00:00:00Z"
    ),
    "maintenance.exclusions[].end": in_exclusion("endTime", {"end": "2027-01-06T00:00:00Z"}, "2027-01-06T00:00:00Z"),
    "maintenance.exclusions[].scope": [
        *in_exclusion("exclusionOptions/scope", {"scope": "no-upgrades"}, "NO_UPGRADES"),
        *in_exclusion("exclusionOptions/scope", {"scope": "no-minor-upgrades"}, "NO_MINOR_UPGRADES"),
        *in_exclusion("exclusionOptions/scope", {"scope": "no-minor-or-node-upgrades"}, "NO_MINOR_OR_NODE_UPGRADES"),
    ],
    "upgrade_topic": in_cluster(
        "notificationConfig/pubsub",
        ({"upgrade_topic": "projects/p/topics/t"}, {"enabled": True, "topic": "projects/p/topics/t"}),
    ),
    "deletion_protection": [({"deletion_protection": False}, protected, (False, False))],
    "allow_replace[]": [
        ({"allow_replace": [setting]}, protected, (False, False))
        for setting in ("existing_network", "fqdn_network_policies", "kind", "name", "network", "project", "region")
    ],
    "secrets_key": [
        *in_cluster("databaseEncryption/keyName", ({"secrets_key": KEY}, KEY)),
        ({"secrets_key": KEY}, registered("gcp:kms/cryptoKey:CryptoKey", "rotationPeriod"), GONE),
    ],
    "image_repositories[]": [
        ({"image_repositories": ["projects/p/locations/l/repositories/r"]}, registered(READER, "repository"), "r")
    ],
    "rbac_groups_domain": in_cluster(
        "authenticatorGroupsConfig/securityGroup",
        ({"rbac_groups_domain": "acme.example"}, "gke-security-groups@acme.example"),
    ),
    "binary_authorization": in_cluster(
        "binaryAuthorization/evaluationMode",
        ({"binary_authorization": False, **without("binary-authorization")}, "DISABLED"),
    ),
    "image_policy.allowed[]": [
        (
            {"image_policy": IMAGES},
            registered(POLICY, "admissionWhitelistPatterns/0/namePattern"),
            "quay.io/argoproj/*",
        ),
        ({"image_policy": IMAGES}, registered(POLICY, "defaultAdmissionRule/evaluationMode"), "ALWAYS_DENY"),
        ({"image_policy": IMAGES}, registered(POLICY, "globalPolicyEvaluationMode"), "ENABLE"),
    ],
    "image_policy.attestors[]": [
        ({"image_policy": SIGNED}, registered(POLICY, "defaultAdmissionRule/evaluationMode"), "REQUIRE_ATTESTATION"),
        (
            {"image_policy": SIGNED},
            registered(POLICY, "defaultAdmissionRule/requireAttestationsBies"),
            SIGNED["attestors"],
        ),
    ],
    "image_policy.dry_run": [
        (
            {"image_policy": {**IMAGES, "dry_run": True}, **without("binary-authorization")},
            registered(POLICY, "defaultAdmissionRule/enforcementMode"),
            "DRYRUN_AUDIT_LOG_ONLY",
        ),
        (
            {"image_policy": {**IMAGES, "dry_run": False}},
            registered(POLICY, "defaultAdmissionRule/enforcementMode"),
            "ENFORCED_BLOCK_AND_AUDIT_LOG",
        ),
    ],
    "workload_identities[].namespace": [
        (
            {"workload_identities": [{**PODS, "namespace": "cart"}]},
            registered(IDENTITY, "member"),
            "serviceAccount:acme-prod.svc.id.goog[cart/orders]",
        )
    ],
    "workload_identities[].service_account": [
        (
            {"workload_identities": [{**PODS, "service_account": "bills"}]},
            registered(IDENTITY, "member"),
            "serviceAccount:acme-prod.svc.id.goog[shop/bills]",
        )
    ],
    "workload_identities[].google_account": [
        (
            {"workload_identities": [PODS]},
            registered(IDENTITY, "serviceAccountId"),
            f"projects/acme-data/serviceAccounts/{PODS['google_account']}",
        )
    ],
    "security_posture": in_cluster(
        "securityPostureConfig/mode",
        ({"security_posture": "disabled", **without("security-posture")}, "DISABLED"),
        ({"security_posture": "enterprise"}, "ENTERPRISE"),
    ),
    "vulnerability_scan": in_cluster(
        "securityPostureConfig/vulnerabilityMode",
        ({"vulnerability_scan": "disabled", **without("vulnerability-scan")}, "VULNERABILITY_DISABLED"),
        ({"vulnerability_scan": "enterprise"}, "VULNERABILITY_ENTERPRISE"),
    ),
    "encrypt_between_nodes": in_cluster(
        "inTransitEncryptionConfig", ({"encrypt_between_nodes": True}, "IN_TRANSIT_ENCRYPTION_INTER_NODE_TRANSPARENT")
    ),
    "fqdn_network_policies": on("fqdn_network_policies", "enableFqdnNetworkPolicy"),
    "cilium_clusterwide_policies": on("cilium_clusterwide_policies", "enableCiliumClusterwideNetworkPolicy"),
    "managed_prometheus": in_cluster(
        "monitoringConfig/managedPrometheus/enabled", ({"managed_prometheus": False}, False)
    ),
    "vertical_pod_autoscaling": on("vertical_pod_autoscaling", "verticalPodAutoscaling/enabled"),
    "secret_manager": on("secret_manager", "secretManagerConfig/enabled"),
    "backup_agent": on("backup_agent", "addonsConfig/gkeBackupAgentConfig/enabled"),
    "labels{}": in_cluster("resourceLabels/team", ({"labels": {"team": "shop"}}, "shop")),
    "exemptions[].rule": [
        (
            {"private_endpoint": False, **without("private-endpoint")},
            reported("private_endpoint"),
            ("exempted", "Shown in this test."),
        )
    ],
    "exemptions[].reason": [
        (
            {"private_endpoint": False, **without("private-endpoint", "The VPN comes in May.")},
            reported("private_endpoint"),
            ("exempted", "The VPN comes in May."),
        )
    ],
}
POOLS = {
    "machine_type": in_pool("nodeConfig/machineType", ({"machine_type": "n2-standard-8"}, "n2-standard-8")),
    "min_nodes": [
        *in_pool("autoscaling/totalMinNodeCount", ({"min_nodes": 4}, 4)),
        *in_pool("initialNodeCount", ({"min_nodes": 4}, 2), ({"min_nodes": 7, "max_nodes": 8}, 2)),
    ],
    "max_nodes": in_pool("autoscaling/totalMaxNodeCount", ({"max_nodes": 12}, 12)),
    "disk_gb": in_pool("nodeConfig/diskSizeGb", ({"disk_gb": 50}, 50)),
    "disk_type": in_pool(
        "nodeConfig/diskType",
        *(({"disk_type": kind}, kind) for kind in ("pd-standard", "pd-ssd", "hyperdisk-balanced")),
    ),
    "spot": in_pool("nodeConfig/spot", ({"spot": True}, True)),
    "secure_boot": [
        (
            {"node_pool": {"secure_boot": False}, **without("secure-boot")},
            registered(POOL, "nodeConfig/shieldedInstanceConfig/enableSecureBoot"),
            False,
        )
    ],
    "boot_disk_key": in_pool("nodeConfig/bootDiskKmsKey", ({"boot_disk_key": KEY}, KEY)),
    "max_surge": in_pool("upgradeSettings/maxSurge", ({"max_surge": 3}, 3)),
    "labels{}": in_pool("nodeConfig/labels/disk", ({"labels": {"disk": "fast"}}, "fast")),
    "taints[].key": in_pool("nodeConfig/taints/0/key", ({"taints": [{"key": "only"}]}, "only")),
    "taints[].value": in_pool("nodeConfig/taints/0/value", ({"taints": [{"key": "only", "value": "batch"}]}, "batch")),
    "taints[].effect": in_pool(
        "nodeConfig/taints/0/effect",
        *(
            ({"taints": [{"key": "only", "effect": effect}]}, expected)
            for effect, expected in (
                ("no-schedule", "NO_SCHEDULE"),
                ("prefer-no-schedule", "PREFER_NO_SCHEDULE"),
                ("no-execute", "NO_EXECUTE"),
            )
        ),
    ),
}
LIMITS = {"max_cpus": 64, "max_memory_gb": 256}
STANDARD_ONLY = {
    **{f"node_pool.{name}": rows for name, rows in POOLS.items()},
    "zones[]": in_cluster("nodeLocations", ({"zones": ["europe-west1-b"]}, ["europe-west1-b"])),
    "intranode_visibility": in_cluster(
        "enableIntranodeVisibility", ({"intranode_visibility": False, **without("intranode-visibility")}, False)
    ),
    "node_local_dns": in_cluster("addonsConfig/dnsCacheConfig/enabled", ({"node_local_dns": False}, False)),
    "cloud_dns": in_cluster(
        "dnsConfig", ({"cloud_dns": True}, {"clusterDns": "CLOUD_DNS", "clusterDnsScope": "CLUSTER_SCOPE"})
    ),
    "auto_provisioning.max_cpus": in_cluster(
        DEFAULTS + "resourceLimits/0", ({"auto_provisioning": LIMITS}, {"resourceType": "cpu", "maximum": 64})
    ),
    "auto_provisioning.max_memory_gb": in_cluster(
        DEFAULTS + "resourceLimits/1", ({"auto_provisioning": LIMITS}, {"resourceType": "memory", "maximum": 256})
    ),
    "autoscaling_profile": in_cluster(
        DEFAULTS + "autoscalingProfile", ({"autoscaling_profile": "optimize-utilization"}, "OPTIMIZE_UTILIZATION")
    ),
}


def in_another_pool(rows):
    """The rows of a pool, said of one more pool, and read there."""
    return [
        (
            {**{key: value for key, value in said.items() if key != "node_pool"}, "more_node_pools": {"x": of_pool}},
            lambda settings, name="", read=read: read(settings, name or "prod-pool-x"),
            expected,
        )
        for said, read, expected in rows
        for of_pool in [said["node_pool"]]
    ]


STANDARD_ONLY |= {f"more_node_pools{{}}.{name}": in_another_pool(rows) for name, rows in POOLS.items()}
MODELS = ((GkeSpec, STANDARD, COMMON | STANDARD_ONLY), (GkeAutopilotSpec, AUTOPILOT, COMMON))
ALL = [
    pytest.param(base, path, *row, id=f"{base['kind']}-{path}-{number}")
    for _, base, options in MODELS
    for path, rows in options.items()
    for number, row in enumerate(rows)
]


def leaves(annotation, path="", default=None):
    """The options below an annotation: what each may be, and what it is where nothing is said."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from leaves(parts[0], path, default)
    elif origin in (typing.Union, types.UnionType):
        (one,) = (part for part in parts if part is not types.NoneType)
        yield from leaves(one, path, default)
    elif origin is tuple:
        yield from leaves(parts[0], f"{path}[]")
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from leaves(parts[1], f"{path}{{}}")
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        hints = typing.get_type_hints(annotation, include_extras=True)
        for name, field in annotation.model_fields.items():
            yield from leaves(hints[name], f"{path}.{name}" if path else name, field.default)
    else:
        yield path, annotation, default


def said(settings, path):
    """What settings say of an option; None where they say nothing."""
    for part in path.split("."):
        name, mark = part.rstrip("[]{}"), part[-2:]
        settings = settings.get(name) if settings else None
        if settings and mark in ("[]", "{}"):
            settings = settings[0] if mark == "[]" else next(iter(settings.values()))
    return settings


@pytest.mark.parametrize(("base", "path", "settings", "read", "expected"), ALL)
def test_an_option_arrives_and_its_absence_registers_something_else(base, path, settings, read, expected):
    assert said(settings, path) is not None
    assert read({**base, **settings}) == expected
    assert read(base) != expected


@pytest.mark.parametrize(("model", "base", "options"), MODELS, ids=["gke", "gke-autopilot"])
def test_no_option_is_left_out(model, base, options):
    known = {path: annotation for path, annotation, _ in leaves(model)}
    assert options.keys() == known.keys() - {"kind"}
    assert typing.get_args(known["kind"]) == (base["kind"],)


@pytest.mark.parametrize(("model", "base", "options"), MODELS, ids=["gke", "gke-autopilot"])
def test_no_choice_is_left_out(model, base, options):  # noqa: ARG001
    for path, annotation, default in leaves(model):
        choices = {True, False} if annotation is bool else set(typing.get_args(annotation))
        if not choices or path in ("kind", "exemptions[].rule"):  # each rule: tests/unit/test_hardening.py
            continue
        made = {said(settings, path) for settings, _, _ in options[path]}
        assert choices - made <= {default}, path


def test_the_walk_sees_through_what_annotations_are_made_of():
    class Part(BaseModel):
        word: typing.Annotated[str, "limit"] = ""
        choice: typing.Literal["a", "b"] | None = None

    class Whole(BaseModel):
        one: Part | None = None
        many: tuple[Part, ...] = ()
        named: typing.Annotated[Mapping[str, Part], "most"]
        words: tuple[str, ...] = ()

    paths = {path: annotation for path, annotation, _ in leaves(Whole)}
    assert set(paths) == {
        *("one.word", "one.choice", "many[].word", "many[].choice", "named{}.word", "named{}.choice", "words[]"),
    }
    assert typing.get_args(paths["one.choice"]) == ("a", "b")
