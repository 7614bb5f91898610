import base64

import pytest
import yaml

from apiops_components.components.gke import GkeCluster
from apiops_components.errors import InvalidInput
from apiops_components.models.cluster import GkeAutopilotSpec
from apiops_components.models.cluster.hardening_rules import FIXED
from apiops_components.testing.pulumi import UNKNOWN, record

SPEC = {
    "name": "acme-prod",
    "project": "acme-prod",
    "region": "europe-west1",
    "authorized_networks": [{"name": "vpn", "cidr": "10.8.0.0/16"}],
}
CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
DISKS = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/disks"
AUTHORITY = base64.b64encode(b"certificate").decode()


NETWORK = {
    "network": "projects/host/global/networks/shared",
    "subnetwork": "projects/host/regions/europe-west1/subnetworks/gke",
}
CONTROL_PLANE = "projects/host/regions/europe-west1/subnetworks/control-plane"
AUTOPILOT = {**SPEC, "kind": "gke-autopilot"}


def at(inputs, path):
    """A value by its path; the last part may hold dashes."""
    for part in path.split("."):
        inputs = inputs[part]
    return inputs


def recorded(**changes):
    return record(lambda: GkeCluster("prod", {**SPEC, **changes}))


def without(*rules):
    return {"exemptions": [{"rule": rule, "reason": "Shown in this test."} for rule in rules]}


def cluster(**changes):
    return recorded(**changes).one(CLUSTER)


def pool(**changes):
    return recorded(**changes).one(POOL)


def test_the_whole_cluster_is_hardened_by_default():
    assert cluster().inputs == {
        "name": "acme-prod",
        "project": "acme-prod",
        "location": "europe-west1",
        "resourceLabels": {"managed-by": "pulumi"},
        "deletionProtection": True,
        "removeDefaultNodePool": True,
        "initialNodeCount": 1,
        "releaseChannel": {"channel": "REGULAR"},
        "maintenancePolicy": {
            "recurringWindow": {
                "startTime": "2024-01-06T01:00:00Z",
                "endTime": "2024-01-06T07:00:00Z",
                "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
            }
        },
        "network": UNKNOWN,
        "subnetwork": UNKNOWN,
        "networkingMode": "VPC_NATIVE",
        "ipAllocationPolicy": {
            "clusterSecondaryRangeName": "pods",
            "servicesSecondaryRangeName": "services",
            "stackType": "IPV4",
        },
        "datapathProvider": "ADVANCED_DATAPATH",
        "clusterAutoscaling": {"enabled": False, "autoscalingProfile": "BALANCED"},
        "networkPolicy": {"enabled": False},
        "enableIntranodeVisibility": True,
        "serviceExternalIpsConfig": {"enabled": False},
        "gatewayApiConfig": {"channel": "CHANNEL_STANDARD"},
        "addonsConfig": {
            "httpLoadBalancing": {"disabled": False},
            "horizontalPodAutoscaling": {"disabled": False},
            "networkPolicyConfig": {"disabled": True},
            "dnsCacheConfig": {"enabled": True},
            "gcePersistentDiskCsiDriverConfig": {"enabled": True},
        },
        "privateClusterConfig": {
            "enablePrivateNodes": True,
            "enablePrivateEndpoint": True,
            "masterIpv4CidrBlock": "172.16.0.0/28",
            "masterGlobalAccessConfig": {"enabled": True},
        },
        "masterAuthorizedNetworksConfig": {
            "cidrBlocks": [{"cidrBlock": "10.8.0.0/16", "displayName": "vpn"}],
            "gcpPublicCidrsAccessEnabled": False,
            "privateEndpointEnforcementEnabled": True,
        },
        "controlPlaneEndpointsConfig": {
            "dnsEndpointConfig": {
                "allowExternalTraffic": False,
                "enableK8sTokensViaDns": False,
                "enableK8sCertsViaDns": False,
            },
            "ipEndpointsConfig": {"enabled": True},
        },
        "masterAuth": {"clientCertificateConfig": {"issueClientCertificate": False}},
        "anonymousAuthenticationConfig": {"mode": "LIMITED"},
        "rbacBindingConfig": {
            "enableInsecureBindingSystemAuthenticated": False,
            "enableInsecureBindingSystemUnauthenticated": False,
        },
        "enableLegacyAbac": False,
        "enableKubernetesAlpha": False,
        "workloadIdentityConfig": {"workloadPool": "acme-prod.svc.id.goog"},
        "enableShieldedNodes": True,
        "nodePoolDefaults": {"nodeConfigDefaults": {"insecureKubeletReadonlyPortEnabled": "FALSE"}},
        "binaryAuthorization": {"evaluationMode": "PROJECT_SINGLETON_POLICY_ENFORCE"},
        "databaseEncryption": {"state": "ENCRYPTED", "keyName": UNKNOWN},
        "securityPostureConfig": {"mode": "BASIC", "vulnerabilityMode": "VULNERABILITY_BASIC"},
        "loggingConfig": {
            "enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "CONTROLLER_MANAGER", "SCHEDULER"]
        },
        "monitoringConfig": {
            "enableComponents": ["SYSTEM_COMPONENTS"],
            "managedPrometheus": {"enabled": True},
            "advancedDatapathObservabilityConfig": {"enableMetrics": True, "enableRelay": False},
        },
        "costManagementConfig": {"enabled": True},
    }


def test_the_whole_node_pool_is_hardened_by_default():
    resource = pool()
    assert resource.inputs == {
        "name": "nodes",
        "project": "acme-prod",
        "location": "europe-west1",
        "cluster": UNKNOWN,
        "initialNodeCount": 1,
        "autoscaling": {"totalMinNodeCount": 3, "totalMaxNodeCount": 9, "locationPolicy": "BALANCED"},
        "management": {"autoRepair": True, "autoUpgrade": True},
        "upgradeSettings": {"strategy": "SURGE", "maxSurge": 1, "maxUnavailable": 0},
        "nodeDrainConfigs": [{"respectPdbDuringNodePoolDeletion": True}],
        "networkConfig": {"enablePrivateNodes": True},
        "nodeConfig": {
            "machineType": "e2-standard-4",
            "diskSizeGb": 100,
            "diskType": "pd-balanced",
            "spot": False,
            "imageType": "COS_CONTAINERD",
            "serviceAccount": UNKNOWN,
            "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
            "resourceLabels": {"managed-by": "pulumi"},
            "metadata": {"disable-legacy-endpoints": "true"},
            "workloadMetadataConfig": {"mode": "GKE_METADATA"},
            "shieldedInstanceConfig": {"enableSecureBoot": True, "enableIntegrityMonitoring": True},
            "kubeletConfig": {"insecureKubeletReadonlyPortEnabled": "FALSE"},
        },
    }
    assert resource.ignore_changes == ("initialNodeCount",)


@pytest.mark.parametrize(
    ("changes", "path", "expected"),
    [
        ({"labels": {"team": "platform"}}, "resourceLabels", {"team": "platform", "managed-by": "pulumi"}),
        (
            {"maintenance": {"days": ["TU", "MO"], "start": "22:30", "hours": 8}},
            "maintenancePolicy.recurringWindow",
            {
                "startTime": "2024-01-01T22:30:00Z",
                "endTime": "2024-01-02T06:30:00Z",
                "recurrence": "FREQ=WEEKLY;BYDAY=TU,MO",
            },
        ),
        (
            {"dns_endpoint": True, "authorized_networks": [], "ip_endpoint": False},
            "controlPlaneEndpointsConfig",
            {
                "dnsEndpointConfig": {
                    "allowExternalTraffic": True,
                    "enableK8sTokensViaDns": False,
                    "enableK8sCertsViaDns": False,
                },
                "ipEndpointsConfig": {"enabled": False},
            },
        ),
        (
            {"dns_endpoint": True, "authorized_networks": []},
            "masterAuthorizedNetworksConfig",
            {"cidrBlocks": [], "gcpPublicCidrsAccessEnabled": False, "privateEndpointEnforcementEnabled": True},
        ),
    ],
)
def test_settings_that_belong_together_arrive_together(changes, path, expected):
    # Each by itself: test_every_gke_option.py.
    assert at(cluster(**changes).inputs, path) == expected


def test_pools_that_gke_makes_are_hardened_like_the_others():
    inputs = cluster(auto_provisioning={"max_cpus": 64, "max_memory_gb": 256}).inputs
    assert inputs["clusterAutoscaling"] == {
        "enabled": True,
        "autoscalingProfile": "BALANCED",
        "resourceLimits": [{"resourceType": "cpu", "maximum": 64}, {"resourceType": "memory", "maximum": 256}],
        "autoProvisioningDefaults": {
            "serviceAccount": UNKNOWN,
            "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
            "imageType": "COS_CONTAINERD",
            "diskType": "pd-balanced",
            "management": {"autoRepair": True, "autoUpgrade": True},
            "shieldedInstanceConfig": {"enableSecureBoot": True, "enableIntegrityMonitoring": True},
            "upgradeSettings": {"strategy": "SURGE", "maxSurge": 1, "maxUnavailable": 0},
        },
    }
    assert inputs["nodePoolAutoConfig"] == {"nodeKubeletConfig": {"insecureKubeletReadonlyPortEnabled": "FALSE"}}


def test_the_policy_of_images_is_there_before_the_cluster_and_outlives_it():
    recording = recorded(image_policy={"allowed": ["quay.io/argoproj/*"], "attestors": ["projects/p/attestors/a"]})
    policy = recording.one("gcp:binaryauthorization/policy:Policy")
    assert policy.inputs == {
        "project": "acme-prod",
        "globalPolicyEvaluationMode": "ENABLE",
        "admissionWhitelistPatterns": [{"namePattern": "quay.io/argoproj/*"}],
        "defaultAdmissionRule": {
            "evaluationMode": "REQUIRE_ATTESTATION",
            "enforcementMode": "ENFORCED_BLOCK_AND_AUDIT_LOG",
            "requireAttestationsBies": ["projects/p/attestors/a"],
        },
    }
    assert policy.retain_on_delete
    assert policy.urn in recording.one(CLUSTER).dependencies


def test_pods_act_as_an_account_of_google_once_the_cluster_made_the_pool_of_identities():
    account = "orders@acme-data.iam.gserviceaccount.com"
    pods = {"namespace": "shop", "service_account": "orders", "google_account": account}
    recording = recorded(workload_identities=[pods])
    identity = recording.one("gcp:serviceaccount/iAMMember:IAMMember")
    assert identity.inputs == {
        "serviceAccountId": f"projects/acme-data/serviceAccounts/{account}",
        "role": "roles/iam.workloadIdentityUser",
        "member": "serviceAccount:acme-prod.svc.id.goog[shop/orders]",
    }
    assert recording.one(CLUSTER).urn in identity.dependencies


def test_a_pool_that_must_be_replaced_has_another_name_so_that_both_can_stand():
    names = [
        pool(node_pool=changes, **rest).inputs["name"]
        for changes, rest in (
            ({}, {}),
            ({"machine_type": "n2-standard-8"}, {}),
            ({"spot": True}, {}),
            ({"secure_boot": False}, without("secure-boot")),
            ({"boot_disk_key": DISKS}, {}),
        )
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 4


def test_more_pools_stand_beside_the_first():
    recording = recorded(more_node_pools={"batch": {"spot": True, "taints": [{"key": "batch"}]}})
    assert [(r.name, r.inputs["name"]) for r in recording.of_type(POOL)] == [
        ("prod-pool", "nodes"),
        ("prod-pool-batch", "batch-spot"),
    ]


# Where what is fixed is registered.
PLACES = {
    "cluster": CLUSTER,
    "standard": CLUSTER,
    "autopilot": CLUSTER,
    "pool": POOL,
    "subnet": "gcp:compute/subnetwork:Subnetwork",
    "key": "gcp:kms/cryptoKey:CryptoKey",
    "keyUse": "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember",
    "account": "gcp:projects/iAMMember:IAMMember",
}


@pytest.mark.parametrize("fixed", FIXED, ids=lambda fixed: f"{fixed.on}.{fixed.argument}")
def test_what_no_setting_relaxes_is_registered_as_the_report_says(fixed):
    expected = fixed.value.format(project="acme-prod") if isinstance(fixed.value, str) else fixed.value
    kinds = {"standard": [SPEC], "pool": [SPEC], "autopilot": [AUTOPILOT]}
    for spec in kinds.get(fixed.on, [SPEC, AUTOPILOT]):
        found = record(lambda spec=spec: GkeCluster("prod", spec)).one(PLACES[fixed.on])
        if fixed.argument == "retainOnDelete":
            assert found.retain_on_delete is expected
        else:
            value = at(found.inputs, fixed.argument)
            assert (tuple(value) if isinstance(value, list) else value) == expected


def test_autopilot_is_the_same_cluster_less_what_the_provider_refuses_there():
    recording = record(lambda: GkeCluster("prod", AUTOPILOT))
    inputs = recording.one(CLUSTER).inputs
    refused = {
        *("enableShieldedNodes", "networkPolicy", "removeDefaultNodePool", "initialNodeCount", "datapathProvider"),
        *("enableIntranodeVisibility", "nodePoolDefaults", "nodeLocations"),
    }
    assert not refused & set(inputs)
    assert set(inputs) - set(cluster().inputs) == {"enableAutopilot", "nodePoolAutoConfig"}
    assert set(cluster().inputs) - set(inputs) == refused - {"nodeLocations"}
    assert inputs["enableAutopilot"] is True
    assert inputs["binaryAuthorization"] == {"evaluationMode": "PROJECT_SINGLETON_POLICY_ENFORCE"}  # not `enabled`
    assert set(inputs["addonsConfig"]) == {"httpLoadBalancing", "horizontalPodAutoscaling"}
    assert inputs["nodePoolAutoConfig"] == {"nodeKubeletConfig": {"insecureKubeletReadonlyPortEnabled": "FALSE"}}
    assert inputs["clusterAutoscaling"] == {
        "autoProvisioningDefaults": {
            "serviceAccount": UNKNOWN,
            "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
        }
    }
    assert not recording.of_type(POOL)


def test_no_setting_of_autopilot_brings_what_the_provider_refuses_there():
    switches = {
        name: True
        for name, field in GkeAutopilotSpec.model_fields.items()
        if field.annotation is bool and field.default is False
    }
    assert {"dns_endpoint", "backup_agent", "fqdn_network_policies"} <= switches.keys()
    inputs = record(lambda: GkeCluster("prod", {**AUTOPILOT, **switches})).one(CLUSTER).inputs
    refused = {
        *("enableShieldedNodes", "networkPolicy", "nodePools", "removeDefaultNodePool", "defaultMaxPodsPerNode"),
        *("enableIntranodeVisibility", "nodeConfig", "nodeVersion"),
    }
    assert not refused & set(inputs)
    assert not {"enabled", "resourceLimits"} & set(inputs["clusterAutoscaling"])
    assert not {"networkPolicyConfig", "dnsCacheConfig", "statefulHaConfig"} & set(inputs["addonsConfig"])
    assert "enabled" not in inputs["binaryAuthorization"]


def test_autopilot_comes_after_its_nodes_role_and_way_out_and_before_what_is_in_it():
    recording = record(lambda: GkeCluster("prod", AUTOPILOT))
    found = recording.one(CLUSTER)
    needed = ("gcp:compute/routerNat:RouterNat", "gcp:projects/iAMMember:IAMMember")
    assert {recording.one(kind).urn for kind in needed} <= set(found.dependencies)
    assert found.urn in recording.one("pulumi:providers:kubernetes").dependencies


def test_a_network_that_is_there_is_used_and_none_made():
    given = {**NETWORK, "services_range": "svc"}
    recording = recorded(existing_network=given, network={"control_plane_cidr": "172.20.0.0/28"})
    inputs = recording.one(CLUSTER).inputs
    assert (inputs["network"], inputs["subnetwork"]) == (given["network"], given["subnetwork"])
    assert inputs["ipAllocationPolicy"] == {
        "clusterSecondaryRangeName": "pods",
        "servicesSecondaryRangeName": "svc",
        "stackType": "IPV4",
    }
    assert not [r for r in recording.resources if r.type.startswith("gcp:compute/")]


def test_leave_to_replace_lifts_the_protection_of_the_engine_too():
    assert not recorded(allow_replace=["region"]).one(CLUSTER).protect


def test_the_network_is_the_clusters_own_with_flow_logs_and_a_way_out():
    recording = recorded()
    assert recording.one("gcp:compute/network:Network").inputs == {
        "name": "acme-prod",
        "project": "acme-prod",
        "autoCreateSubnetworks": False,
        "routingMode": "REGIONAL",
    }
    assert recording.one("gcp:compute/subnetwork:Subnetwork").inputs == {
        "name": "acme-prod-nodes",
        "project": "acme-prod",
        "region": "europe-west1",
        "network": UNKNOWN,
        "ipCidrRange": "10.0.0.0/20",
        "stackType": "IPV4_ONLY",
        "privateIpGoogleAccess": True,
        "secondaryIpRanges": [
            {"rangeName": "pods", "ipCidrRange": "10.16.0.0/14"},
            {"rangeName": "services", "ipCidrRange": "10.32.0.0/20"},
        ],
        "logConfig": {
            "aggregationInterval": "INTERVAL_5_SEC",
            "flowSampling": 0.5,
            "metadata": "INCLUDE_ALL_METADATA",
        },
    }
    assert recording.one("gcp:compute/routerNat:RouterNat").inputs == {
        "name": "acme-prod",
        "project": "acme-prod",
        "region": "europe-west1",
        "router": "acme-prod",
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS",
        "subnetworks": [{"name": UNKNOWN, "sourceIpRangesToNats": ["ALL_IP_RANGES"]}],
        "logConfig": {"enable": True, "filter": "ERRORS_ONLY"},
    }


def test_services_are_switched_on_first_and_never_off():
    recording = recorded()
    services = recording.of_type("gcp:projects/service:Service")
    assert {(s.inputs["disableOnDestroy"], s.inputs["disableDependentServices"]) for s in services} == {(False, False)}
    assert {"container.googleapis.com", "compute.googleapis.com", "cloudkms.googleapis.com"} <= {
        s.inputs["service"] for s in services
    }
    by_urn = {r.urn: r for r in recording.resources}

    def before(resource, seen):
        for urn in resource.dependencies:
            if urn not in seen:
                seen.add(urn)
                before(by_urn[urn], seen)
        return seen

    for resource in recording.resources:
        if resource.custom and resource not in services:
            assert {s.urn for s in services} <= before(resource, set()), resource.name


def test_nodes_have_an_account_with_the_least_role():
    recording = recorded(image_repositories=["projects/acme-images/locations/europe/repositories/apis"])
    assert recording.one("gcp:serviceaccount/account:Account").inputs["accountId"] == "acme-prod-nodes"
    roles = {r.inputs["role"] for r in recording.resources if "role" in r.inputs}
    assert roles == {
        "roles/container.defaultNodeServiceAccount",
        "roles/artifactregistry.reader",
        "roles/cloudkms.cryptoKeyEncrypterDecrypter",
    }
    reader = recording.one("gcp:artifactregistry/repositoryIamMember:RepositoryIamMember")
    assert (reader.inputs["project"], reader.inputs["location"], reader.inputs["repository"]) == (
        "acme-images",
        "europe",
        "apis",
    )


def test_nodes_come_after_their_role_and_their_way_out():
    recording = recorded()
    needed = {
        recording.one(kind).urn
        for kind in (
            CLUSTER,
            "gcp:compute/routerNat:RouterNat",
            "gcp:projects/iAMMember:IAMMember",
            "gcp:serviceaccount/account:Account",
        )
    }
    assert needed <= set(recording.one(POOL).dependencies)


def test_everything_in_the_cluster_comes_after_the_nodes():
    recording = recorded()
    provider = recording.one("pulumi:providers:kubernetes")
    assert recording.one(POOL).urn in provider.dependencies


@pytest.mark.parametrize(
    ("changes", "replaced"),
    [
        ({"name": "acme-eu"}, True),
        ({"project": "acme-live"}, True),
        ({"region": "europe-west4"}, True),
        ({"kind": "gke-autopilot"}, True),
        ({"network": {"control_plane_cidr": "172.20.0.0/28"}}, True),
        ({"existing_network": NETWORK}, True),
        ({"network": {"nodes_cidr": "10.0.0.0/19"}}, False),
        ({"node_pool": {"max_nodes": 20}}, False),
        ({"release_channel": "stable"}, False),
    ],
)
def test_the_identifier_changes_with_what_replaces_the_cluster_and_with_nothing_else(changes, replaced):
    def identifier(**settings):
        return recorded(**settings).one("pulumi:providers:kubernetes").inputs["clusterIdentifier"]

    assert (identifier(**changes) != identifier()) is replaced


@pytest.mark.parametrize("part", ["network", "subnetwork", "pods_range", "services_range", "control_plane_subnetwork"])
def test_the_identifier_changes_with_each_part_of_a_network_that_is_there(part):
    def identifier(**settings):
        recording = recorded(existing_network={**NETWORK, **settings})
        return recording.one("pulumi:providers:kubernetes").inputs["clusterIdentifier"]

    assert identifier(**{part: NETWORK.get(part, CONTROL_PLANE) + "-2"}) != identifier()


def test_a_new_address_or_authority_of_the_cluster_leaves_the_identifier_alone():
    def provider(address, authority):
        outputs = {"endpoint": address, "masterAuth": {"clusterCaCertificate": authority}}
        recording = record(
            lambda: GkeCluster("prod", SPEC),
            outputs=lambda resource: outputs if resource.type == CLUSTER else None,
            preview=False,
        )
        return recording.one("pulumi:providers:kubernetes").inputs

    before, after = provider("172.16.0.2", AUTHORITY), provider("172.16.0.9", base64.b64encode(b"next").decode())
    assert before["clusterIdentifier"] == after["clusterIdentifier"]
    assert before["deleteUnreachable"] in (True, "true")


def test_the_key_rotates_outlives_the_stack_and_is_usable_before_the_cluster_starts():
    recording = recorded()
    ring = recording.one("gcp:kms/keyRing:KeyRing")
    key = recording.one("gcp:kms/cryptoKey:CryptoKey")
    grant = recording.one("gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember")
    assert key.inputs["rotationPeriod"] == "7776000s"
    assert [(r.protect, r.retain_on_delete) for r in (ring, key)] == [(True, True)] * 2
    # Google keeps the name of a key ring for ever: a fixed one could not be created a second time.
    assert "name" not in ring.inputs
    assert "name" not in key.inputs
    assert grant.inputs["role"] == "roles/cloudkms.cryptoKeyEncrypterDecrypter"
    assert grant.urn in recording.one(CLUSTER).dependencies


def test_a_key_that_is_given_is_used_and_none_made():
    recording = recorded(secrets_key="projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k")
    assert not [r for r in recording.resources if r.type.startswith("gcp:kms/")]


@pytest.mark.parametrize("protection", [True, False])
def test_protection_is_what_the_settings_say(protection):
    recording = recorded(deletion_protection=protection)
    protected = {r.type for r in recording.resources if r.protect}
    assert protected == ({CLUSTER, "gcp:kms/keyRing:KeyRing", "gcp:kms/cryptoKey:CryptoKey"} if protection else set())
    # Keys stay in any case: without them no backup can be read.
    assert recording.one("gcp:kms/cryptoKey:CryptoKey").retain_on_delete


def kubeconfig_of(**changes):
    found = []

    def program():
        GkeCluster("prod", {**SPEC, **changes}).kubeconfig.apply(found.append)

    def outputs(resource):
        if resource.type == CLUSTER:
            dns = {"endpoint": "gke-1.europe-west1.gke.goog", "allowExternalTraffic": True}
            return {
                "endpoint": "172.16.0.2",
                "masterAuth": {"clusterCaCertificate": AUTHORITY, "clientKey": "the-client-key"},
                "controlPlaneEndpointsConfig": {"dnsEndpointConfig": dns},
            }
        return None

    record(program, outputs=outputs, preview=False)
    (text,) = found
    return text


def test_the_kubeconfig_holds_address_and_authority_but_no_credential():
    assert yaml.safe_load(kubeconfig_of()) == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "acme-prod",
                "cluster": {"server": "https://172.16.0.2", "certificate-authority-data": AUTHORITY},
            }
        ],
        "contexts": [{"name": "acme-prod", "context": {"cluster": "acme-prod", "user": "acme-prod"}}],
        "current-context": "acme-prod",
        "users": [
            {
                "name": "acme-prod",
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "gke-gcloud-auth-plugin",
                        "installHint": "gcloud components install gke-gcloud-auth-plugin",
                        "interactiveMode": "Never",
                        "provideClusterInfo": True,
                    }
                },
            }
        ],
    }
    assert "the-client-key" not in kubeconfig_of()


def test_with_the_dns_endpoint_the_kubeconfig_has_the_name_and_no_authority():
    config = yaml.safe_load(kubeconfig_of(dns_endpoint=True))
    assert config["clusters"][0]["cluster"] == {"server": "https://gke-1.europe-west1.gke.goog"}


def test_every_resource_names_its_project_so_that_no_default_decides():
    recording = recorded(
        image_repositories=["projects/acme-images/locations/europe/repositories/apis"],
        image_policy={"allowed": ["quay.io/argoproj/*"]},
    )
    without = {r.type for r in recording.resources if r.type.startswith("gcp:") and "project" not in r.inputs}
    # A key and its grant are named by their key ring, which has one.
    assert without == {"gcp:kms/cryptoKey:CryptoKey", "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {**AUTOPILOT, "node_pool": {}, "more_node_pools": {"big": {}}},
            [("node_pool", "schema/unknown-field"), ("more_node_pools", "schema/unknown-field")],
            id="Autopilot with node pools",
        ),
        pytest.param(
            {**SPEC, "authorized_networks": [{"name": "office", "cidr": "203.0.113.0/24"}]},
            [("authorized_networks[0].cidr", "gke/authorized-network")],
            id="a private endpoint with a public range",
        ),
        pytest.param(
            {**SPEC, "network": {"pods_cidr": "10.0.0.0/14"}},
            [("network.pods_cidr", "gke/range-overlap")],
            id="overlapping ranges",
        ),
        pytest.param({**SPEC, "name": "a" * 41}, [("name", "gke/name")], id="a name too long"),
        pytest.param(
            {key: value for key, value in SPEC.items() if key != "project"},
            [("project", "schema/required")],
            id="no project",
        ),
        pytest.param(
            {**SPEC, "region": "europe-west1-b", "authorized_networks": [], "binary_authorization": False},
            [
                ("region", "gke/region"),
                ("authorized_networks", "gke/unreachable"),
                ("binary_authorization", "gke/binary-authorization"),
            ],
            id="several at once",
        ),
    ],
)
def test_a_broken_spec_registers_nothing_and_names_the_component(spec, expected):
    caught = []

    def program():
        with pytest.raises(InvalidInput) as error:
            GkeCluster("prod", spec)
        caught.extend(error.value.problems)

    assert record(program).resources == ()
    assert [(p.document, p.path, p.code) for p in caught] == [("GkeCluster prod", *place) for place in expected]
