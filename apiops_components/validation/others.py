"""ConfigMap, Secret, HorizontalPodAutoscaler, PodDisruptionBudget, and RBAC."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from apiops_components.errors import Problem
from apiops_components.validation.metadata import check_label_selector
from apiops_components.validation.walk import below, choice, get, integer, items, mapping, text
from apiops_components.validation.workloads import count_problem

__all__ = [
    "check_autoscaler",
    "check_config_map",
    "check_disruption_budget",
    "check_role",
    "check_role_binding",
    "check_secret",
]

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_MAX_BYTES = 1024 * 1024
_RBAC = "rbac.authorization.k8s.io"
_SECRET_KEYS: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_METRICS = ("resource", "pods", "object", "external", "containerResource")


def check_config_map(value: Mapping[str, Any]) -> Iterator[Problem]:
    """ConfigMap."""
    data, binary = mapping(value, "data"), mapping(value, "binaryData")
    yield from _keys(value, ("data", "binaryData"))
    for key in sorted(data.keys() & binary.keys()):
        yield Problem(f"{key!r} is in data too", below("binaryData", key), "data/duplicate")


def check_secret(value: Mapping[str, Any]) -> Iterator[Problem]:
    """Secret."""
    yield from _keys(value, ("data", "stringData"))
    kind = text(value, "type")
    given = mapping(value, "data").keys() | mapping(value, "stringData").keys()
    for key in _SECRET_KEYS.get(kind, ()):
        if key not in given:
            yield Problem(f"required in a Secret of type {kind}, but missing", below("data", key), "secret/key")
    if kind == "kubernetes.io/basic-auth" and not given & {"username", "password"}:
        yield Problem(f"username or password is required in a Secret of type {kind}", "data", "secret/key")


def _keys(value: Mapping[str, Any], fields: tuple[str, ...]) -> Iterator[Problem]:
    size = 0
    for field in fields:
        for key, content in mapping(value, field).items():
            if isinstance(content, str):
                encoded = field == "binaryData" or (field == "data" and "stringData" in fields)
                size += len(content) * 3 // 4 if encoded else len(content.encode())
            if not _KEY.fullmatch(key) or key in (".", "..") or key.startswith(".."):
                message = f"{key!r} is not a key: letters, digits, '-', '_' and '.', at most 253 characters"
                yield Problem(message, below(field, key), "data/key")
    if size > _MAX_BYTES:
        yield Problem("holds more than 1 MiB", fields[0], "data/size")


def check_disruption_budget(value: Mapping[str, Any]) -> Iterator[Problem]:
    """PodDisruptionBudget."""
    spec = value.get("spec")
    least, most = get(spec, "minAvailable"), get(spec, "maxUnavailable")
    if least is not None and most is not None:
        message = "minAvailable and maxUnavailable cannot be both set"
        yield Problem(message, "spec", "disruption-budget/both", "keep one of them")
    for field, amount in (("minAvailable", least), ("maxUnavailable", most)):
        yield from count_problem(amount, f"spec.{field}")
    yield from check_label_selector(get(spec, "selector"), "spec.selector")
    eviction = ("IfHealthyBudget", "AlwaysAllow")
    yield from choice(spec, "spec", "unhealthyPodEvictionPolicy", eviction, "disruption-budget/eviction")


def check_autoscaler(value: Mapping[str, Any]) -> Iterator[Problem]:
    """HorizontalPodAutoscaler."""
    spec = value.get("spec")
    least, most = integer(spec, "minReplicas"), integer(spec, "maxReplicas")
    if least is not None and least < 1:
        yield Problem(f"must be 1 or more, got {least}", "spec.minReplicas", "autoscaler/replicas")
    if most is not None and most < 1:
        yield Problem(f"must be greater than 0, got {most}", "spec.maxReplicas", "autoscaler/replicas")
    elif least is not None and most is not None and most < least:
        message = f"must be greater than or equal to `minReplicas` ({least}), got {most}"
        yield Problem(message, "spec.maxReplicas", "autoscaler/replicas")
    if text(value, "apiVersion") == "autoscaling/v1":
        return
    for where, metric in items(spec, "spec", "metrics"):
        yield from _metric(metric, where)
    for direction in ("scaleUp", "scaleDown"):
        rules = f"spec.behavior.{direction}"
        policies = get(spec, "behavior", direction)
        yield from choice(policies, rules, "selectPolicy", ("Max", "Min", "Disabled"), "autoscaler/behavior")
        for where, policy in items(policies, rules, "policies"):
            yield from choice(policy, where, "type", ("Pods", "Percent"), "autoscaler/behavior")


def _metric(metric: Mapping[str, Any], path: str) -> Iterator[Problem]:
    kind = text(metric, "type")
    names = {name[0].upper() + name[1:]: name for name in _METRICS}
    yield from choice(metric, path, "type", tuple(names), "autoscaler/metric")
    field = names.get(kind)
    if field is None:
        return
    if metric.get(field) is None:
        message = f"must populate information for the given metric source: type is {kind}"
        yield Problem(message, f"{path}.{field}", "autoscaler/metric")
    for other in _METRICS:
        if other != field and metric.get(other) is not None:
            message = f"must populate the given metric source only: type is {kind}"
            yield Problem(message, f"{path}.{other}", "autoscaler/metric")
    target = get(metric, field, "target")
    if isinstance(target, Mapping):
        where = f"{path}.{field}.target"
        yield from choice(target, where, "type", ("Utilization", "Value", "AverageValue"), "autoscaler/metric")
        wanted = {"Utilization": "averageUtilization", "Value": "value", "AverageValue": "averageValue"}
        name = wanted.get(text(target, "type"))
        if name and target.get(name) is None:
            message = f"required where the target's type is {target['type']}"
            yield Problem(message, f"{where}.{name}", "autoscaler/metric")


def check_role(value: Mapping[str, Any]) -> Iterator[Problem]:
    """Role and ClusterRole."""
    wide = value.get("kind") == "ClusterRole"
    for where, rule in items(value, "", "rules"):
        if not rule.get("verbs"):
            yield Problem("verbs must contain at least one value", f"{where}.verbs", "rbac/verbs")
        if rule.get("nonResourceURLs"):
            if not wide:
                message = "namespaced rules cannot apply to non-resource URLs"
                yield Problem(message, f"{where}.nonResourceURLs", "rbac/urls", "a ClusterRole can")
            elif rule.get("resources") or rule.get("apiGroups") or rule.get("resourceNames"):
                message = "rules cannot apply to both regular resources and non-resource URLs"
                yield Problem(message, f"{where}.nonResourceURLs", "rbac/urls", "make two rules of it")
            continue
        if not rule.get("apiGroups"):
            message = "resource rules must supply at least one api group"
            yield Problem(message, f"{where}.apiGroups", "rbac/groups", 'the core group is ""')
        if not rule.get("resources"):
            message = "resource rules must supply at least one resource"
            yield Problem(message, f"{where}.resources", "rbac/resources")


def check_role_binding(value: Mapping[str, Any]) -> Iterator[Problem]:
    """RoleBinding and ClusterRoleBinding."""
    wide = value.get("kind") == "ClusterRoleBinding"
    if (group := get(value, "roleRef", "apiGroup")) not in (None, _RBAC):
        yield Problem(f"{_RBAC} is expected, got {group!r}", "roleRef.apiGroup", "rbac/role")
    kinds = ("ClusterRole",) if wide else ("Role", "ClusterRole")
    yield from choice(value.get("roleRef"), "roleRef", "kind", kinds, "rbac/role")
    for where, subject in items(value, "", "subjects"):
        yield from choice(subject, where, "kind", ("User", "Group", "ServiceAccount"), "rbac/subject")
        group = subject.get("apiGroup") or ""
        expected = "" if subject.get("kind") == "ServiceAccount" else _RBAC
        if subject.get("kind") in ("User", "Group", "ServiceAccount") and group not in (expected, ""):
            yield Problem(f"{expected or 'no group'} is expected, got {group!r}", f"{where}.apiGroup", "rbac/subject")
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            yield Problem("required, but missing", f"{where}.namespace", "rbac/subject")
