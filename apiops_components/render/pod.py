"""The pod of a workload: what is the same for every kind of controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apiops_components.models.container import SecretFile
from apiops_components.models.probe import HttpProbe, TcpProbe
from apiops_components.models.workload import FIRST_UNPRIVILEGED_PORT, Workload

__all__ = ["pod_spec"]

Manifest = dict[str, Any]

_STARTUP = {"period_seconds": 2, "timeout_seconds": 2, "failure_threshold": 60}


def pod_spec(workload: Workload, selector: Mapping[str, str]) -> Manifest:
    """``spec`` of the pod template; ``selector`` finds the pods among which it is spread."""
    volumes = _volumes(workload)
    spec: Manifest = {
        "serviceAccountName": workload.name,
        "automountServiceAccountToken": False,
        # Else every Service of the namespace becomes a variable, and may shadow one of the container's.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": workload.termination_grace_seconds,
        "securityContext": _pod_security(workload),
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": dict(selector)},
            }
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ],
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 100,
                        "podAffinityTerm": {
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {"matchLabels": dict(selector)},
                        },
                    }
                ]
            }
        },
        "containers": [_container(workload)],
    }
    if volumes:
        spec["volumes"] = volumes
    return spec


def _pod_security(workload: Workload) -> Manifest:
    context: Manifest = {
        "runAsNonRoot": workload.user != 0,
        "runAsUser": workload.user,
        "runAsGroup": workload.group_id,
        "fsGroup": workload.group_id,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if workload.port < FIRST_UNPRIVILEGED_PORT:
        # Opens the port without a capability; one of the few sysctls that the standard "restricted" admits.
        context["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": str(workload.port)}]
    return context


def _container(workload: Workload) -> Manifest:
    resources = workload.resources
    capabilities: Manifest = {"drop": ["ALL"]}
    if workload.add_capabilities:
        capabilities["add"] = sorted(workload.add_capabilities)
    container: Manifest = {"name": workload.name, "image": workload.image, "imagePullPolicy": "Always"}
    if workload.command:
        container["command"] = [_literal(text) for text in workload.command]
    if workload.args:
        container["args"] = [_literal(text) for text in workload.args]
    container["ports"] = [{"name": "http", "protocol": "TCP", "containerPort": workload.port}]
    if workload.env:
        container["env"] = [
            {"name": name, "value": value.path if isinstance(value, SecretFile) else _literal(value)}
            for name, value in sorted(workload.env.items())
        ]
    fixed = {"memory": resources.memory, "ephemeral-storage": resources.ephemeral_storage}
    container["resources"] = {
        "requests": {"cpu": resources.cpu_request, **fixed},
        "limits": {"cpu": resources.cpu_limit, **fixed},
    }
    container |= _probes(workload)
    if workload.drain_seconds:
        # The kubelet's own sleep: an image without shell can drain too.
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": workload.drain_seconds}}}
    container["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": workload.read_only_root,
        "capabilities": capabilities,
    }
    mounts = _mounts(workload)
    if mounts:
        container["volumeMounts"] = mounts
    return container


def _literal(text: str) -> str:
    """The text in a form that Kubernetes, which replaces ``$(NAME)`` and reads ``$$`` as ``$``, leaves as it is."""
    return text.replace("$", "$$")


def _probes(workload: Workload) -> Manifest:
    startup = workload.startup
    if startup is None and workload.liveness is not None:
        startup = workload.liveness.model_copy(update=_STARTUP)
    asked = {"startupProbe": startup, "readinessProbe": workload.readiness, "livenessProbe": workload.liveness}
    return {name: _probe(probe, workload.port) for name, probe in asked.items() if probe is not None}


def _probe(probe: HttpProbe | TcpProbe, port: int) -> Manifest:
    target: int | str = "http" if probe.port in (None, port) else probe.port or port
    if isinstance(probe, HttpProbe):
        action: Manifest = {"httpGet": {"path": probe.path, "port": target, "scheme": probe.scheme}}
    else:
        action = {"tcpSocket": {"port": target}}
    return action | {
        "periodSeconds": probe.period_seconds,
        "timeoutSeconds": probe.timeout_seconds,
        "failureThreshold": probe.failure_threshold,
    }


def _secrets(workload: Workload) -> dict[str, list[str]]:
    """The keys that are mounted, by Secret."""
    keys: dict[str, set[str]] = {}
    for value in workload.env.values():
        if isinstance(value, SecretFile):
            keys.setdefault(value.secret, set()).add(value.key)
    return {secret: sorted(keys[secret]) for secret in sorted(keys)}


def _volumes(workload: Workload) -> list[Manifest]:
    scratch = [
        {"name": f"scratch-{index}", "emptyDir": {"sizeLimit": size}}
        for index, (_, size) in enumerate(sorted(workload.scratch.items()))
    ]
    secrets = [
        {
            "name": f"secret-{index}",
            "secret": {
                "secretName": secret,
                "defaultMode": 0o440,
                "items": [{"key": key, "path": key} for key in keys],
            },
        }
        for index, (secret, keys) in enumerate(_secrets(workload).items())
    ]
    return scratch + secrets


def _mounts(workload: Workload) -> list[Manifest]:
    scratch = [{"name": f"scratch-{index}", "mountPath": path} for index, path in enumerate(sorted(workload.scratch))]
    secrets = [
        {"name": f"secret-{index}", "mountPath": SecretFile(secret=secret, key=keys[0]).directory, "readOnly": True}
        for index, (secret, keys) in enumerate(_secrets(workload).items())
    ]
    return scratch + secrets
