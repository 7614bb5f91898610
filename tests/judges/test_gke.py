"""The cluster at Google, judged by checkov: what is registered, under the names that Terraform has for it.

checkov reads no Pulumi. It is taken from PATH, or from APIOPS_CHECKOV.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess

import pytest

from apiops_components.components.gke import GkeCluster
from apiops_components.testing.pulumi import UNKNOWN, record

pytestmark = pytest.mark.judges

CHECKOV = os.environ.get("APIOPS_CHECKOV") or shutil.which("checkov")
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
GONE = object()

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

# Each rule that checkov keeps over what we set, and the change that breaks it.
FLIPPED = {
    "CKV_GCP_1": (CLUSTER, "logging_service", "none"),
    "CKV_GCP_7": (CLUSTER, "enable_legacy_abac", True),
    "CKV_GCP_8": (CLUSTER, "monitoring_service", "none"),
    "CKV_GCP_9": (POOL, "management.auto_repair", False),
    "CKV_GCP_10": (POOL, "management.auto_upgrade", False),
    "CKV_GCP_12": (CLUSTER, "network_policy", GONE),
    "CKV_GCP_13": (CLUSTER, "master_auth.client_certificate_config.issue_client_certificate", True),
    "CKV_GCP_20": (CLUSTER, "master_authorized_networks_config", GONE),
    "CKV_GCP_21": (CLUSTER, "resource_labels", GONE),
    "CKV_GCP_23": (CLUSTER, "ip_allocation_policy", GONE),
    "CKV_GCP_25": (CLUSTER, "private_cluster_config", GONE),
    "CKV_GCP_26": (SUBNET, "log_config", GONE),
    "CKV_GCP_43": (KEY, "rotation_period", "31536000s"),
    "CKV_GCP_61": (CLUSTER, "enable_intranode_visibility", False),
    "CKV_GCP_64": (CLUSTER, "private_cluster_config", GONE),
    "CKV_GCP_65": (CLUSTER, "authenticator_groups_config", GONE),
    "CKV_GCP_66": (CLUSTER, "binary_authorization.evaluation_mode", "DISABLED"),
    "CKV_GCP_68": (POOL, "node_config.shielded_instance_config.enable_secure_boot", False),
    "CKV_GCP_69": (POOL, "node_config.workload_metadata_config.mode", "GCE_METADATA"),
    "CKV_GCP_70": (CLUSTER, "release_channel", GONE),
    "CKV_GCP_71": (CLUSTER, "enable_shielded_nodes", False),
    "CKV_GCP_72": (POOL, "node_config.shielded_instance_config.enable_integrity_monitoring", False),
    "CKV_GCP_74": (SUBNET, "private_ip_google_access", False),
    "CKV_GCP_82": (KEY, "lifecycle", GONE),
}


def terraform(value, key=""):
    if value is UNKNOWN:
        return "${google_x.y.id}"
    if isinstance(value, dict):
        return dict(value) if key in FREE else {snake(name): terraform(item, name) for name, item in value.items()}
    return [terraform(item) for item in value] if isinstance(value, list | tuple) else value


def snake(name):
    return RENAMED.get(name) or re.sub(r"(?<!^)([A-Z])", lambda match: f"_{match[1].lower()}", name)


def resources(**changes):
    found = {}
    for resource in record(lambda: GkeCluster("prod", {**SPEC, **changes})).resources:
        if resource.type.startswith("gcp:"):
            block = terraform(dict(resource.inputs))
            if resource.protect or resource.retain_on_delete:
                block["lifecycle"] = {"prevent_destroy": True}
            found.setdefault(KINDS[resource.type], {})[resource.name.replace("-", "_").replace(".", "_")] = block
    return found


def changed(block, path, value):
    block = copy.deepcopy(block)
    *parents, last = path.split(".")
    place = block
    for part in parents:
        place = place[part]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return block


def judged(folder, **files):
    """What checkov finds wrong: (rule, name of resource)."""
    for name, content in files.items():
        (folder / name).mkdir()
        (folder / name / "main.tf.json").write_text(json.dumps({"resource": content}))
    if not CHECKOV:
        pytest.skip("checkov is not on PATH")
    done = subprocess.run(
        [CHECKOV, "--directory", folder, "--framework", "terraform_json", "--output", "json", "--compact"],
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)["results"]
    assert report["passed_checks"]
    assert not report["parsing_errors"]
    return {(item["check_id"], item["resource"].rpartition(".")[2]) for item in report["failed_checks"]}


@pytest.mark.parametrize(("kind", "accepted"), [("gke", ACCEPTED), ("gke-autopilot", ACCEPTED_AUTOPILOT)])
def test_checkov_finds_nothing_but_what_is_listed_with_a_reason(tmp_path, kind, accepted):
    failed = judged(tmp_path, default=resources(kind=kind))
    assert failed == accepted.keys()


def test_each_rule_fails_when_its_setting_is_flipped(tmp_path):
    base = resources()
    variants = {}
    for rule, (kind, path, value) in FLIPPED.items():
        (block,) = base[kind].values()
        variants.setdefault(kind, {})[rule.lower()] = changed(block, path, value)
    pools_inside = {**base[CLUSTER]["prod_cluster"], "node_pool": {"name": "inside"}, "remove_default_node_pool": False}
    variants[CLUSTER]["ckv_gcp_123"] = pools_inside
    failed = judged(tmp_path, flipped=variants)
    assert [rule for rule in (*FLIPPED, "CKV_GCP_123") if (rule, rule.lower()) not in failed] == []
