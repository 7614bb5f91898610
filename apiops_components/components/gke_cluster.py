"""The settings of a cluster at Google, from its spec: what is fixed here, no platform should relax.

Ids of rules are those of the CIS GKE benchmark 1.6 and of checkov.
"""

from datetime import UTC, datetime, timedelta

import pulumi
from pulumi_gcp import container

from apiops_components.components.gke_network import Network
from apiops_components.components.gke_project import labels
from apiops_components.models.cluster import GkeAutopilotSpec, GkeSpec, MaintenanceWindow, NodePoolSpec

_WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)  # any will do: the window repeats every week from then on


def cluster_args(
    spec: GkeSpec | GkeAutopilotSpec,
    network: Network,
    secrets_key: pulumi.Input[str],
    account: pulumi.Input[str],
) -> container.ClusterArgs:
    """All settings of the cluster; what Autopilot decides by itself, and the provider then refuses, is left out."""
    standard = spec if isinstance(spec, GkeSpec) else None
    return container.ClusterArgs(
        name=spec.name,
        project=spec.project,
        location=spec.region,
        node_locations=(list(standard.zones) or None) if standard else None,
        resource_labels=labels(spec),
        deletion_protection=spec.protected,
        enable_autopilot=None if standard else True,
        # The pool that GKE starts with has the project's default account; ours takes its place (CKV_GCP_123).
        remove_default_node_pool=True if standard else None,
        initial_node_count=1 if standard else None,
        cluster_autoscaling=_autoscaling(standard, account),
        release_channel=container.ClusterReleaseChannelArgs(channel=spec.release_channel.upper()),
        gke_auto_upgrade_config=container.ClusterGkeAutoUpgradeConfigArgs(patch_mode="ACCELERATED")
        if spec.accelerated_patches
        else None,
        maintenance_policy=container.ClusterMaintenancePolicyArgs(
            recurring_window=_window(spec.maintenance), maintenance_exclusions=_exclusions(spec.maintenance) or None
        ),
        notification_config=container.ClusterNotificationConfigArgs(
            pubsub=container.ClusterNotificationConfigPubsubArgs(enabled=True, topic=spec.upgrade_topic)
        )
        if spec.upgrade_topic
        else None,
        # --- network ---
        network=network.network,
        subnetwork=network.subnet,
        networking_mode="VPC_NATIVE",  # CIS 5.6.2, CKV_GCP_23
        ip_allocation_policy=container.ClusterIpAllocationPolicyArgs(
            cluster_secondary_range_name=network.pods_range,
            services_secondary_range_name=network.services_range,
            stack_type="IPV4",
        ),
        # CIS 4.3.1: enforces network policies by itself, which GKE forbids to ask for twice; always so in Autopilot.
        datapath_provider="ADVANCED_DATAPATH" if standard else None,
        network_policy=container.ClusterNetworkPolicyArgs(enabled=False) if standard else None,
        enable_intranode_visibility=standard.intranode_visibility if standard else None,
        enable_fqdn_network_policy=True if spec.fqdn_network_policies else None,
        enable_cilium_clusterwide_network_policy=True if spec.cilium_clusterwide_policies else None,
        in_transit_encryption_config="IN_TRANSIT_ENCRYPTION_INTER_NODE_TRANSPARENT"
        if spec.encrypt_between_nodes
        else None,
        dns_config=container.ClusterDnsConfigArgs(cluster_dns="CLOUD_DNS", cluster_dns_scope="CLUSTER_SCOPE")
        if standard and standard.cloud_dns
        else None,
        service_external_ips_config=container.ClusterServiceExternalIpsConfigArgs(enabled=False),  # CVE-2020-8554
        # GKE keeps the definitions of the Gateway API at the version that fits the cluster.
        gateway_api_config=container.ClusterGatewayApiConfigArgs(channel="CHANNEL_STANDARD"),
        addons_config=_addons(spec),
        # --- who may reach and use the control plane ---
        private_cluster_config=container.ClusterPrivateClusterConfigArgs(
            enable_private_nodes=True,  # CIS 5.6.5, CKV_GCP_64
            enable_private_endpoint=spec.private_endpoint,
            master_ipv4_cidr_block=None if network.control_plane_subnet else spec.network.control_plane_cidr,
            private_endpoint_subnetwork=network.control_plane_subnet,
            # From other regions of the network too: a VPN often ends elsewhere. By its DNS name it is there anyway.
            master_global_access_config=container.ClusterPrivateClusterConfigMasterGlobalAccessConfigArgs(enabled=True)
            if spec.ip_endpoint
            else None,
        ),
        master_authorized_networks_config=container.ClusterMasterAuthorizedNetworksConfigArgs(
            cidr_blocks=[
                container.ClusterMasterAuthorizedNetworksConfigCidrBlockArgs(
                    cidr_block=allowed.cidr, display_name=allowed.name
                )
                for allowed in spec.authorized_networks
            ],
            gcp_public_cidrs_access_enabled=False,  # not every machine at Google
            private_endpoint_enforcement_enabled=True,
        ),
        control_plane_endpoints_config=container.ClusterControlPlaneEndpointsConfigArgs(
            dns_endpoint_config=container.ClusterControlPlaneEndpointsConfigDnsEndpointConfigArgs(
                allow_external_traffic=spec.dns_endpoint,
                # Only identities of IAM get in from outside.
                enable_k8s_tokens_via_dns=False,
                enable_k8s_certs_via_dns=False,
            ),
            ip_endpoints_config=container.ClusterControlPlaneEndpointsConfigIpEndpointsConfigArgs(
                enabled=spec.ip_endpoint
            ),
        ),
        master_auth=container.ClusterMasterAuthArgs(  # CIS 5.8.1, CKV_GCP_13
            client_certificate_config=container.ClusterMasterAuthClientCertificateConfigArgs(
                issue_client_certificate=False
            )
        ),
        anonymous_authentication_config=container.ClusterAnonymousAuthenticationConfigArgs(mode="LIMITED"),
        rbac_binding_config=container.ClusterRbacBindingConfigArgs(  # CIS 4.1.8 to 4.1.10
            enable_insecure_binding_system_authenticated=False, enable_insecure_binding_system_unauthenticated=False
        ),
        authenticator_groups_config=container.ClusterAuthenticatorGroupsConfigArgs(
            security_group=f"gke-security-groups@{spec.rbac_groups_domain}"
        )
        if spec.rbac_groups_domain
        else None,
        enable_legacy_abac=False,  # CIS 5.8.3, CKV_GCP_7
        enable_kubernetes_alpha=False,  # CIS 5.10.2
        # --- workloads and nodes ---
        workload_identity_config=container.ClusterWorkloadIdentityConfigArgs(  # CIS 5.2.2
            workload_pool=f"{spec.project}.svc.id.goog"
        ),
        enable_shielded_nodes=True if standard else None,  # CIS 5.5.5, CKV_GCP_71
        # CIS 3.2.4; the provider takes a string.
        node_pool_defaults=container.ClusterNodePoolDefaultsArgs(
            node_config_defaults=container.ClusterNodePoolDefaultsNodeConfigDefaultsArgs(
                insecure_kubelet_readonly_port_enabled="FALSE"
            )
        )
        if standard
        else None,
        # Of nodes that GKE makes by itself.
        node_pool_auto_config=container.ClusterNodePoolAutoConfigArgs(
            node_kubelet_config=container.ClusterNodePoolAutoConfigNodeKubeletConfigArgs(
                insecure_kubelet_readonly_port_enabled="FALSE"
            )
        )
        if standard is None or standard.auto_provisioning
        else None,
        vertical_pod_autoscaling=container.ClusterVerticalPodAutoscalingArgs(enabled=True)
        if spec.vertical_pod_autoscaling
        else None,
        secret_manager_config=container.ClusterSecretManagerConfigArgs(enabled=True) if spec.secret_manager else None,
        binary_authorization=container.ClusterBinaryAuthorizationArgs(
            evaluation_mode="PROJECT_SINGLETON_POLICY_ENFORCE" if spec.binary_authorization else "DISABLED"
        ),
        database_encryption=container.ClusterDatabaseEncryptionArgs(state="ENCRYPTED", key_name=secrets_key),
        security_posture_config=container.ClusterSecurityPostureConfigArgs(
            mode=spec.security_posture.upper(),
            vulnerability_mode=f"VULNERABILITY_{spec.vulnerability_scan.upper()}",
        ),
        # --- what is seen of it ---
        logging_config=container.ClusterLoggingConfigArgs(  # CIS 5.7.1, CKV_GCP_1
            enable_components=["SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "CONTROLLER_MANAGER", "SCHEDULER"]
        ),
        monitoring_config=container.ClusterMonitoringConfigArgs(  # CIS 5.7.1, CKV_GCP_8
            enable_components=["SYSTEM_COMPONENTS"],
            managed_prometheus=container.ClusterMonitoringConfigManagedPrometheusArgs(enabled=spec.managed_prometheus),
            advanced_datapath_observability_config=(
                container.ClusterMonitoringConfigAdvancedDatapathObservabilityConfigArgs(
                    enable_metrics=True, enable_relay=False
                )
            ),
        ),
        cost_management_config=container.ClusterCostManagementConfigArgs(enabled=True),
    )


def pool_args(
    spec: GkeSpec, name: str, pool: NodePoolSpec, cluster: pulumi.Input[str], account: pulumi.Input[str]
) -> container.NodePoolArgs:
    """All settings of a node pool."""
    zones = len(spec.zones) or 3  # GKE takes three of a region
    first = max(1, min(-(-pool.min_nodes // zones), pool.max_nodes // zones))
    return container.NodePoolArgs(
        name=name,
        project=spec.project,
        location=spec.region,
        cluster=cluster,
        initial_node_count=first,  # in each zone
        autoscaling=container.NodePoolAutoscalingArgs(
            total_min_node_count=pool.min_nodes, total_max_node_count=pool.max_nodes, location_policy="BALANCED"
        ),
        management=container.NodePoolManagementArgs(auto_repair=True, auto_upgrade=True),  # CIS 5.5.2, 5.5.3
        upgrade_settings=container.NodePoolUpgradeSettingsArgs(
            strategy="SURGE", max_surge=pool.max_surge, max_unavailable=0
        ),
        # Without it the pool's deletion evicts whatever the disruption budgets protect.
        node_drain_configs=[container.NodePoolNodeDrainConfigArgs(respect_pdb_during_node_pool_deletion=True)],
        network_config=container.NodePoolNetworkConfigArgs(enable_private_nodes=True),
        node_config=container.NodePoolNodeConfigArgs(
            machine_type=pool.machine_type,
            disk_size_gb=pool.disk_gb,
            disk_type=pool.disk_type,
            spot=pool.spot,
            boot_disk_kms_key=pool.boot_disk_key,
            labels=dict(pool.labels) or None,
            taints=[
                container.NodePoolNodeConfigTaintArgs(
                    key=taint.key, value=taint.value, effect=taint.effect.replace("-", "_").upper()
                )
                for taint in pool.taints
            ]
            or None,
            image_type="COS_CONTAINERD",  # CIS 5.5.1
            service_account=account,
            oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],  # the account's roles are the limit
            resource_labels=labels(spec),
            metadata={"disable-legacy-endpoints": "true"},
            workload_metadata_config=container.NodePoolNodeConfigWorkloadMetadataConfigArgs(  # CIS 5.4.1, CKV_GCP_69
                mode="GKE_METADATA"
            ),
            shielded_instance_config=container.NodePoolNodeConfigShieldedInstanceConfigArgs(  # CKV_GCP_68, CKV_GCP_72
                enable_secure_boot=pool.secure_boot, enable_integrity_monitoring=True
            ),
            kubelet_config=container.NodePoolNodeConfigKubeletConfigArgs(
                insecure_kubelet_readonly_port_enabled="FALSE"
            ),
        ),
    )


def _autoscaling(spec: GkeSpec | None, account: pulumi.Input[str]) -> container.ClusterClusterAutoscalingArgs:
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]  # the account's roles are the limit
    if spec is None:  # Autopilot gives this account to the nodes that it makes, and shapes them itself
        return container.ClusterClusterAutoscalingArgs(
            auto_provisioning_defaults=container.ClusterClusterAutoscalingAutoProvisioningDefaultsArgs(
                service_account=account, oauth_scopes=scopes
            )
        )
    profile = spec.autoscaling_profile.replace("-", "_").upper()
    if (most := spec.auto_provisioning) is None:
        return container.ClusterClusterAutoscalingArgs(enabled=False, autoscaling_profile=profile)
    return container.ClusterClusterAutoscalingArgs(
        enabled=True,
        autoscaling_profile=profile,
        resource_limits=[
            container.ClusterClusterAutoscalingResourceLimitArgs(resource_type="cpu", maximum=most.max_cpus),
            container.ClusterClusterAutoscalingResourceLimitArgs(resource_type="memory", maximum=most.max_memory_gb),
        ],
        # As `pool_args`, where a pool has the same setting.
        auto_provisioning_defaults=container.ClusterClusterAutoscalingAutoProvisioningDefaultsArgs(
            service_account=account,
            oauth_scopes=scopes,
            image_type="COS_CONTAINERD",
            disk_type="pd-balanced",
            management=container.ClusterClusterAutoscalingAutoProvisioningDefaultsManagementArgs(
                auto_repair=True, auto_upgrade=True
            ),
            shielded_instance_config=(
                container.ClusterClusterAutoscalingAutoProvisioningDefaultsShieldedInstanceConfigArgs(
                    enable_secure_boot=True, enable_integrity_monitoring=True
                )
            ),
            upgrade_settings=container.ClusterClusterAutoscalingAutoProvisioningDefaultsUpgradeSettingsArgs(
                strategy="SURGE", max_surge=1, max_unavailable=0
            ),
        ),
    )


def _addons(spec: GkeSpec | GkeAutopilotSpec) -> container.ClusterAddonsConfigArgs:
    backup = container.ClusterAddonsConfigGkeBackupAgentConfigArgs(enabled=True) if spec.backup_agent else None
    if not isinstance(spec, GkeSpec):  # the others are Autopilot's own
        return container.ClusterAddonsConfigArgs(
            http_load_balancing=container.ClusterAddonsConfigHttpLoadBalancingArgs(disabled=False),
            horizontal_pod_autoscaling=container.ClusterAddonsConfigHorizontalPodAutoscalingArgs(disabled=False),
            gke_backup_agent_config=backup,
        )
    return container.ClusterAddonsConfigArgs(
        gke_backup_agent_config=backup,
        http_load_balancing=container.ClusterAddonsConfigHttpLoadBalancingArgs(disabled=False),
        horizontal_pod_autoscaling=container.ClusterAddonsConfigHorizontalPodAutoscalingArgs(disabled=False),
        network_policy_config=container.ClusterAddonsConfigNetworkPolicyConfigArgs(
            disabled=True
        ),  # Dataplane V2 does it
        dns_cache_config=container.ClusterAddonsConfigDnsCacheConfigArgs(enabled=spec.node_local_dns),
        gce_persistent_disk_csi_driver_config=container.ClusterAddonsConfigGcePersistentDiskCsiDriverConfigArgs(
            enabled=True
        ),
    )


def _window(maintenance: MaintenanceWindow) -> container.ClusterMaintenancePolicyRecurringWindowArgs:
    hour, minute = map(int, maintenance.start.split(":"))
    # The first window must start on one of its days, else GKE adds that day.
    first_day = min(map(_WEEK.index, maintenance.days))
    start = _MONDAY + timedelta(days=first_day, hours=hour, minutes=minute)
    end = start + timedelta(hours=maintenance.hours)
    return container.ClusterMaintenancePolicyRecurringWindowArgs(
        start_time=f"{start:%Y-%m-%dT%H:%M:%SZ}",
        end_time=f"{end:%Y-%m-%dT%H:%M:%SZ}",
        recurrence=f"FREQ=WEEKLY;BYDAY={','.join(maintenance.days)}",
    )


def _exclusions(maintenance: MaintenanceWindow) -> list[container.ClusterMaintenancePolicyMaintenanceExclusionArgs]:
    return [
        container.ClusterMaintenancePolicyMaintenanceExclusionArgs(
            exclusion_name=exclusion.name,
            start_time=exclusion.start,
            end_time=exclusion.end,
            exclusion_options=container.ClusterMaintenancePolicyMaintenanceExclusionExclusionOptionsArgs(
                scope=exclusion.scope.replace("-", "_").upper()
            ),
        )
        for exclusion in maintenance.exclusions
    ]
