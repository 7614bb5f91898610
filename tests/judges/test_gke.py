"""The cluster at Google, judged by checkov: what is registered, under the names that Terraform has for it.

checkov reads no Pulumi. It is taken from PATH, or from APIOPS_CHECKOV. The rules of the CIS benchmark are judged in
tests/components/test_gke_rules.py.
"""

from __future__ import annotations

import copy
import json
import re

import pytest
from verdicts import CHECKOV, checkov_report

from apiops_components.components.gke import GkeCluster
from apiops_components.models.cluster.hardening_rules import CHOSEN, CONTROLS, FIXED
from apiops_components.testing.pulumi import record

pytestmark = pytest.mark.judges

SPEC = {
    "name": "acme-prod",
    "project": "acme-prod",
    "region": "europe-west1",
    "authorized_networks": [{"name": "vpn", "cidr": "10.8.0.0/16"}],
    "image_repositories": ["projects/acme/locations/europe/repositories/apis"],
    "rbac_groups_domain": "acme.example",
}
KINDS = {
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": "google_artifact_registry_repository_iam_member",
    "gcp:compute/network:Network": "google_compute_network",
    "gcp:compute/router:Router": "google_compute_router",
    "gcp:compute/routerNat:RouterNat": "google_compute_router_nat",
    "gcp:compute/subnetwork:Subnetwork": "google_compute_subnetwork",
    "gcp:container/cluster:Cluster": "google_container_cluster",
    "gcp:container/nodePool:NodePool": "google_container_node_pool",
    "gcp:kms/cryptoKey:CryptoKey": "google_kms_crypto_key",
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": "google_kms_crypto_key_iam_member",
    "gcp:kms/keyRing:KeyRing": "google_kms_key_ring",
    "gcp:projects/iAMMember:IAMMember": "google_project_iam_member",
    "gcp:projects/service:Service": "google_project_service",
    "gcp:projects/serviceIdentity:ServiceIdentity": "google_project_service_identity",
    "gcp:serviceaccount/account:Account": "google_service_account",
}
# Where Terraform's name is not the snake case of Pulumi's: blocks that Pulumi counts as lists.
RENAMED = {
    "secondaryIpRanges": "secondary_ip_range",
    "subnetworks": "subnetwork",
    "nodeDrainConfigs": "node_drain_config",
}
FREE = {"metadata", "resourceLabels", "labels"}
CLUSTER, POOL = "google_container_cluster", "google_container_node_pool"
KEY, SUBNET = "google_kms_crypto_key", "google_compute_subnetwork"
KEY_USE, ROLE = "google_kms_crypto_key_iam_member", "google_project_iam_member"
READER, RING = "google_artifact_registry_repository_iam_member", "google_kms_key_ring"
ACCOUNT = "acme-prod-nodes@acme-prod.iam.gserviceaccount.com"
# What a provider adds to a resource.
OUTPUTS = {
    "google_container_cluster": {"endpoint": "172.16.0.2", "masterAuth": {"clusterCaCertificate": "QQ=="}},
    "google_project_service_identity": {
        "member": "serviceAccount:service-1@container-engine-robot.iam.gserviceaccount.com"
    },
    "google_service_account": {"email": ACCOUNT, "member": f"serviceAccount:{ACCOUNT}"},
}
GONE = object()


def without(rule):
    return {"exemptions": [{"rule": rule, "reason": "Shown in this test."}]}


# What checkov says against the cluster as it is, and why that is no fault.
ACCEPTED = {
    ("CKV_GCP_69", "prod_cluster"): "asks for node_config on the cluster; the pools are separate, and keep it",
    ("CKV2_GCP_18", "prod_network"): "asks for a firewall of one's own; GKE makes those of its nodes",
}
# Of Autopilot, whose provider refuses the argument or whose nodes are Google's.
ACCEPTED_AUTOPILOT = {
    **ACCEPTED,
    ("CKV_GCP_12", "prod_cluster"): "network_policy is refused; Dataplane V2 is always on",
    ("CKV_GCP_61", "prod_cluster"): "enable_intranode_visibility is refused; it is always on",
}
KINDS_OF_CLUSTER = pytest.mark.parametrize(
    ("kind", "accepted"), [("gke", ACCEPTED), ("gke-autopilot", ACCEPTED_AUTOPILOT)]
)

# Each rule that checkov keeps over what we set, and what breaks it: settings, or, where none can, another input of what
# is registered.
FLIPPED = {
    "CKV_GCP_1": (CLUSTER, "logging_service", "none"),
    "CKV_GCP_7": (CLUSTER, "enable_legacy_abac", True),
    "CKV_GCP_8": (CLUSTER, "monitoring_service", "none"),
    "CKV_GCP_9": (POOL, "management.auto_repair", False),
    "CKV_GCP_10": (POOL, "management.auto_upgrade", False),
    "CKV_GCP_12": (CLUSTER, "network_policy", GONE),
    "CKV_GCP_13": (CLUSTER, "master_auth.client_certificate_config.issue_client_certificate", True),
    "CKV_GCP_18": (CLUSTER, "master_authorized_networks_config.cidr_blocks", {"cidr_block": "0.0.0.0/0"}),
    "CKV_GCP_20": (CLUSTER, "master_authorized_networks_config", GONE),
    "CKV_GCP_21": (CLUSTER, "resource_labels", GONE),
    "CKV_GCP_23": (CLUSTER, "ip_allocation_policy", GONE),
    "CKV_GCP_25": (CLUSTER, "private_cluster_config", GONE),
    "CKV_GCP_26": (SUBNET, "log_config", GONE),
    "CKV_GCP_41": (ROLE, "role", "roles/iam.serviceAccountUser"),
    "CKV_GCP_42": (ROLE, "role", "roles/container.clusterAdmin"),
    "CKV_GCP_43": (KEY, "rotation_period", "31536000s"),
    "CKV_GCP_46": (ROLE, "member", "serviceAccount:1-compute@developer.gserviceaccount.com"),
    "CKV_GCP_49": (ROLE, "role", "roles/iam.serviceAccountTokenCreator"),
    "CKV_GCP_61": {"intranode_visibility": False, **without("intranode-visibility")},
    "CKV_GCP_64": (CLUSTER, "private_cluster_config", GONE),
    "CKV_GCP_65": {"rbac_groups_domain": None},
    "CKV_GCP_66": {"binary_authorization": False, **without("binary-authorization")},
    "CKV_GCP_68": {"node_pool": {"secure_boot": False}, **without("secure-boot")},
    "CKV_GCP_69": (POOL, "node_config.workload_metadata_config.mode", "GCE_METADATA"),
    "CKV_GCP_70": (CLUSTER, "release_channel", GONE),
    "CKV_GCP_71": (CLUSTER, "enable_shielded_nodes", False),
    "CKV_GCP_72": (POOL, "node_config.shielded_instance_config.enable_integrity_monitoring", False),
    "CKV_GCP_74": (SUBNET, "private_ip_google_access", False),
    "CKV_GCP_76": (SUBNET, "stack_type", "IPV4_IPV6"),
    "CKV_GCP_82": (KEY, "lifecycle", GONE),
    "CKV_GCP_101": (READER, "member", "allUsers"),
    "CKV_GCP_112": (KEY_USE, "member", "allUsers"),
    "CKV_GCP_117": (ROLE, "role", "roles/editor"),
    "CKV_GCP_123": (CLUSTER, "", {"node_pool": {"name": "inside"}, "remove_default_node_pool": False}),
    "CKV2_GCP_6": (KEY_USE, "member", "allAuthenticatedUsers"),
    "CKV2_GCP_8": (
        "google_kms_key_ring_iam_member",
        "",
        {"key_ring_id": f"${{{RING}.prod_keys.id}}", "member": "allUsers"},
    ),
    "CKV2_GCP_19": (CLUSTER, "enable_kubernetes_alpha", True),
}
# Rules that are named beside the settings that keep them, and on which checkov has no word.
SILENT = {
    "CKV_GCP_22": "asks only where the version of the nodes is before 1.24",
    "CKV2_GCP_1": "asks only where a google_project_default_service_accounts is",
}


def terraform(value, names, key=""):
    if isinstance(value, dict):
        free = key in FREE
        return {name if free else snake(name): terraform(item, names, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [terraform(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def snake(name):
    return RENAMED.get(name) or re.sub(r"(?<!^)([A-Z])", lambda match: f"_{match[1].lower()}", name)


def resources(**changes):
    recording = record(
        lambda: GkeCluster("prod", {**SPEC, **changes}),
        outputs=lambda resource: OUTPUTS.get(KINDS.get(resource.type)),
        preview=False,
    )
    registered = [resource for resource in recording.resources if resource.type.startswith("gcp:")]
    plain = {resource.name: re.sub(r"\W", "_", resource.name) for resource in registered}
    names = {f"{r.name}-id": f"${{{KINDS[r.type]}.{plain[r.name]}.id}}" for r in registered}
    found = {}
    for resource in registered:
        block = terraform(dict(resource.inputs), names)
        if resource.protect or resource.retain_on_delete:
            block["lifecycle"] = {"prevent_destroy": True}
        found.setdefault(KINDS[resource.type], {})[plain[resource.name]] = block
    return found


def flipped(base, rule, kind):
    """What is registered, with what breaks a rule."""
    change = FLIPPED[rule]
    if isinstance(change, dict):
        return resources(kind=kind, **change)
    of, path, value = change
    blocks = copy.deepcopy(base)
    (place,) = blocks.setdefault(of, {"flipped": {}}).values()
    if not path:
        place |= value
        return blocks
    *parents, last = path.split(".")
    for part in parents:
        place = place[part]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return blocks


def judged(folder, **files):
    """What checkov says: passed and failed, each as (folder, rule, name of resource)."""
    for name, content in files.items():
        (folder / name).mkdir()
        (folder / name / "main.tf.json").write_text(json.dumps({"resource": content}))
    if not CHECKOV:
        pytest.skip("checkov is not on PATH")
    report = checkov_report(folder, "terraform_json")
    return [
        {
            (item["file_path"].split("/")[1], item["check_id"], item["resource"].rpartition(".")[2])
            for item in report[key]
        }
        for key in ("passed_checks", "failed_checks")
    ]


@KINDS_OF_CLUSTER
def test_checkov_finds_nothing_but_what_is_listed_with_a_reason(tmp_path, kind, accepted):
    passed, failed = judged(tmp_path, default=resources(kind=kind))
    assert {item[1:] for item in failed} == accepted.keys()
    # Each rule that holds is one that can fail: it is flipped below.
    silent = {"CKV_GCP_76"}  # no answer without IPv6
    assert {rule for _, rule, _ in passed} == FLIPPED.keys() - silent - not_asked(kind)


def not_asked(kind):
    """Rules of what Autopilot does not have, or is excused from."""
    standard = {rule for rule, change in FLIPPED.items() if isinstance(change, tuple) and change[0] == POOL}
    return {*standard, "CKV_GCP_12", "CKV_GCP_61", "CKV_GCP_68"} if kind == "gke-autopilot" else set()


@KINDS_OF_CLUSTER
def test_each_rule_fails_when_its_setting_is_flipped(tmp_path, kind, accepted):
    base = resources(kind=kind)
    rules = FLIPPED.keys() - not_asked(kind)
    _, failed = judged(tmp_path, **{rule: flipped(base, rule, kind) for rule in rules})
    excused = {(rule, *known) for rule in rules for known in accepted}
    broken = {(folder, rule) for folder, rule, _ in failed - excused}
    assert {rule for rule in rules if (rule, rule) not in broken} == set()


def test_each_rule_is_named_beside_what_keeps_it():
    named = {rule for row in (*CONTROLS, *CHOSEN, *FIXED) for rule in row.ids if rule.startswith("CKV")}
    assert named == FLIPPED.keys() | SILENT.keys()
