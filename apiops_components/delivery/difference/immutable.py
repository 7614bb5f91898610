"""What cannot be changed in place: such a change deletes the object and makes a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from apiops_components.delivery.difference.fields import FieldChange

__all__ = ["forces_replacement"]

_Rule = Callable[[tuple[str, ...], Mapping[str, Any]], bool]


def _below(*paths: str) -> _Rule:
    prefixes = tuple(tuple(path.split(".")) for path in paths)

    def rule(names: tuple[str, ...], before: Mapping[str, Any]) -> bool:  # noqa: ARG001
        return any(names[: len(prefix)] == prefix for prefix in prefixes)

    return rule


def _all_but(path: str, *mutable: str) -> _Rule:
    above, free = tuple(path.split(".")), frozenset(mutable)

    def rule(names: tuple[str, ...], before: Mapping[str, Any]) -> bool:  # noqa: ARG001
        return names[: len(above)] == above and (len(names) == len(above) or names[len(above)] not in free)

    return rule


def _frozen(names: tuple[str, ...], before: Mapping[str, Any]) -> bool:
    """A ConfigMap or Secret that says of itself that it is immutable."""
    return before.get("immutable") is True and names[:1] in (
        ("data",),
        ("binaryData",),
        ("stringData",),
        ("immutable",),
    )


def _secret(names: tuple[str, ...], before: Mapping[str, Any]) -> bool:
    return names == ("type",) or _frozen(names, before)


# Kubernetes' API reference: validation of an update of each kind. By API group and kind.
_KUBERNETES: Mapping[tuple[str, str], _Rule] = {
    ("", "ConfigMap"): _frozen,
    ("", "Secret"): _secret,
    ("", "PersistentVolumeClaim"): _all_but("spec", "resources", "volumeAttributesClassName"),
    ("", "Service"): _below("spec.clusterIP", "spec.clusterIPs"),
    ("apps", "DaemonSet"): _below("spec.selector"),
    ("apps", "Deployment"): _below("spec.selector"),
    ("apps", "ReplicaSet"): _below("spec.selector"),
    ("apps", "StatefulSet"): _all_but(
        "spec",
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ),
    ("batch", "Job"): _below("spec.selector", "spec.template", "spec.completionMode", "spec.manualSelector"),
    ("gateway.networking.k8s.io", "GatewayClass"): _below("spec.controllerName"),
    ("networking.k8s.io", "IngressClass"): _below("spec.controller"),
    ("node.k8s.io", "RuntimeClass"): _below("handler"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _below("roleRef"),
    ("rbac.authorization.k8s.io", "RoleBinding"): _below("roleRef"),
    ("scheduling.k8s.io", "PriorityClass"): _below("value", "preemptionPolicy"),
    ("storage.k8s.io", "StorageClass"): _below("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _below("spec.group", "spec.scope", "spec.names.plural"),
}

_EVERYTHING = ("",)

# Fields that a provider can only change by making the resource anew; facts of the provider's schema ("ForceNew").
_PULUMI: Mapping[str, tuple[str, ...]] = {
    "gcp:binaryauthorization/policy:Policy": ("project",),
    "gcp:container/cluster:Cluster": (
        "name",
        "location",
        "project",
        "description",
        "network",
        "subnetwork",
        "networkingMode",
        "datapathProvider",
        "initialNodeCount",
        "enableAutopilot",
        "confidentialNodes",
        "defaultMaxPodsPerNode",
        "ipAllocationPolicy",
        "privateClusterConfig.masterIpv4CidrBlock",
        "privateClusterConfig.privateEndpointSubnetwork",
        "masterAuth.clientCertificateConfig",
        "enableKubernetesAlpha",
    ),
    "gcp:container/nodePool:NodePool": (
        "name",
        "namePrefix",
        "location",
        "project",
        "cluster",
        "initialNodeCount",
        "maxPodsPerNode",
        "nodeConfig.bootDiskKmsKey",
        "nodeConfig.imageStreaming",
        "nodeConfig.preemptible",
        "nodeConfig.serviceAccount",
        "nodeConfig.spot",
        "nodeConfig.oauthScopes",
        "nodeConfig.shieldedInstanceConfig",
    ),
    "gcp:compute/network:Network": ("name", "project", "description", "autoCreateSubnetworks"),
    "gcp:compute/subnetwork:Subnetwork": ("name", "project", "region", "network", "description"),
    "gcp:compute/router:Router": ("name", "project", "region", "network"),
    "gcp:compute/routerNat:RouterNat": ("name", "project", "region", "router"),
    "gcp:serviceaccount/account:Account": ("accountId", "project"),
    "gcp:kms/keyRing:KeyRing": _EVERYTHING,
    "gcp:kms/cryptoKey:CryptoKey": ("name", "keyRing", "purpose", "destroyScheduledDuration", "importOnly"),
    "kubernetes:helm.sh/v3:Release": ("name", "namespace"),
}
# Of a cluster at Google: switched on in place, off only with a new cluster.
_NEVER_OFF = (("enableFqdnNetworkPolicy",), ("enableL4IlbSubsetting",))


def forces_replacement(group: str, kind: str, change: FieldChange, before: Mapping[str, Any]) -> bool:
    """Whether a change of this field cannot be made in place."""
    rule = _KUBERNETES.get((group, kind))
    if rule is not None:
        return rule(change.names, before)
    if kind.endswith("IAMMember"):
        return True
    if kind == "gcp:container/cluster:Cluster" and change.names in _NEVER_OFF:
        return before.get(change.names[0]) is True
    paths = _PULUMI.get(kind, ())
    return paths == _EVERYTHING or bool(paths and _below(*paths)(change.names, before))
