"""Kubernetes' own kinds: their schema, and the rules of its server that catch most.

The schema is data of Kubernetes (see ``kubernetes/README.md``); `tools/kubernetes_schema.py` writes it anew.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from apiops_components.errors import Problem
from apiops_components.models.quantity import quantity_value
from apiops_components.validation import others, pods, services, workloads
from apiops_components.validation.metadata import check_metadata, is_dns_label, is_dns_subdomain, is_path_segment
from apiops_components.validation.structure import Structure
from apiops_components.validation.walk import without_nulls

__all__ = ["check", "groups", "kinds", "version"]

_NAMES: Mapping[str, Callable[[str], bool]] = {
    "Namespace": is_dns_label,
    "Service": is_dns_label,
    **dict.fromkeys(("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"), is_path_segment),
}
_RULES: Mapping[str, tuple[Callable[[Mapping[str, Any]], Iterator[Problem]], ...]] = {
    "ConfigMap": (others.check_config_map,),
    "CronJob": (workloads.check_cron_job, pods.check),
    "DaemonSet": (workloads.check_daemon_set, pods.check),
    "Deployment": (workloads.check_deployment, pods.check),
    "HorizontalPodAutoscaler": (others.check_autoscaler,),
    "Ingress": (services.check_ingress,),
    "Job": (workloads.check_job, pods.check),
    "NetworkPolicy": (services.check_network_policy,),
    "Pod": (pods.check,),
    "PodDisruptionBudget": (others.check_disruption_budget,),
    "ReplicaSet": (workloads.check_replica_set, pods.check),
    "Secret": (others.check_secret,),
    "Service": (services.check_service,),
    "StatefulSet": (workloads.check_stateful_set, pods.check),
    **dict.fromkeys(("Role", "ClusterRole"), (others.check_role,)),
    **dict.fromkeys(("RoleBinding", "ClusterRoleBinding"), (others.check_role_binding,)),
}


def version() -> str:
    """The version of Kubernetes that the schema is of."""
    return str(_data()["version"])


@cache
def kinds() -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Group and kind to the versions that are served, the best one first."""
    found: dict[tuple[str, str], list[str]] = {}
    for key in _data()["kinds"]:
        group, served, kind = key.split("/")
        found.setdefault((group, kind), []).append(served)
    return {key: tuple(sorted(served, key=_stability)) for key, served in found.items()}


@cache
def groups() -> frozenset[str]:
    """The API groups of Kubernetes itself."""
    return frozenset(group for group, _ in kinds())


def check(value: Mapping[str, Any], group: str, served: str, kind: str) -> Iterator[Problem]:
    """Everything that is wrong with an object of a kind and version that are known."""
    structure = _structure(f"{group}/{served}/{kind}")
    if not structure.is_valid(value):
        value = without_nulls(value)
        for problem in structure.problems(value):
            if not problem.path.startswith("metadata"):  # told below, in words of its own
                yield problem
    yield from check_metadata(value.get("metadata"), _NAMES.get(kind, is_dns_subdomain))
    for rule in _RULES.get(kind, ()):
        yield from rule(value)


def _stability(name: str) -> tuple[bool, bool, int]:
    return "alpha" in name, "beta" in name, -int("".join(filter(str.isdigit, name)))


@cache
def _data() -> Mapping[str, Any]:
    content = resources.files(__package__).joinpath("kubernetes", "schema.json.gz").read_bytes()
    data: Mapping[str, Any] = json.loads(gzip.decompress(content))
    return data


@cache
def _structure(key: str) -> Structure:
    data = _data()
    schema = {"$defs": data["definitions"], "$ref": f"#/$defs/{data['kinds'][key]}"}
    formats = {"byte": _is_base64, "quantity": _is_quantity}
    return Structure(schema, formats, _EXPECTED, secret=key.endswith("/Secret"))


_EXPECTED = {
    "byte": "base64 (plain text stands in stringData)",
    "quantity": "a quantity such as 250m, 2 or 128Mi",
    "date-time": "a time such as 2026-01-31T12:00:00Z",
}


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_quantity(text: str) -> bool:
    try:
        quantity_value(text.lstrip("+-") if text[:1] in "+-" and text[1:2] not in "+-" else text)
    except ValueError:
        return False
    return True
