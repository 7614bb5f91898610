"""Pods, wherever a kind holds one: the rules of Kubernetes' server beyond the schema (its ``validation.go``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from apiops_components.errors import Problem, join_path
from apiops_components.models.quantity import quantity_value
from apiops_components.validation.metadata import check_labels, is_dns_label, is_dns_subdomain, name_problem
from apiops_components.validation.walk import below, choice, duplicates, get, integer, items, mapping, text

__all__ = ["PATHS", "check", "is_port_name"]

_TEMPLATE = ("spec", "template", "spec")
PATHS: Mapping[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
    **dict.fromkeys(("DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"), _TEMPLATE),
}
"""Where the pod is in each kind."""

_PORT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_MAX_PORT = 65535
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_ENDS = {
    **dict.fromkeys(("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"), ("Always",)),
    **dict.fromkeys(("CronJob", "Job"), ("OnFailure", "Never")),
}


def check(value: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the pod in an object."""
    kind = text(value, "kind")
    steps = PATHS[kind]
    pod, path = get(value, *steps), join_path(*steps)
    if not isinstance(pod, Mapping):
        return
    if len(steps) > 1:
        labels = (*steps[:-1], "metadata", "labels")
        yield from check_labels(get(value, *labels), join_path(*labels))
    yield from _restart_policy(pod, path, kind)
    yield from choice(pod, path, "dnsPolicy", ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"), "pod/dns")
    if name := text(pod, "serviceAccountName"):
        yield from name_problem(name, f"{path}.serviceAccountName", is_dns_subdomain)
    yield from _volumes(pod, path)
    volumes = {text(item, "name") for _, item in items(pod, "", "volumes")}
    if kind == "StatefulSet":
        volumes |= {text(item, "metadata", "name") for _, item in items(value, "", "spec", "volumeClaimTemplates")}
    if not pod.get("containers"):
        yield Problem("a pod has at least one container", f"{path}.containers", "pod/containers")
    names: list[tuple[str, Any]] = []
    for field in ("initContainers", "containers"):
        for where, container in items(pod, path, field):
            names.append((f"{where}.name", container.get("name")))
            sidecar = field == "containers" or container.get("restartPolicy") == "Always"
            yield from _container(container, where, volumes, probes=sidecar)
    yield from duplicates(names, "container name", "pod/duplicate")
    yield from _placement(pod, path)


def _restart_policy(pod: Mapping[str, Any], path: str, kind: str) -> Iterator[Problem]:
    allowed, got = _ENDS.get(kind, ("Always", "OnFailure", "Never")), text(pod, "restartPolicy")
    if (got and got not in allowed) or (not got and "Always" not in allowed):
        words = " or ".join(allowed)
        message = f"a {kind}'s pods need restartPolicy {words}, got {got or 'none, which means Always'}"
        yield Problem(message, f"{path}.restartPolicy", "pod/restart-policy", f"write {allowed[0]}")


def _volumes(pod: Mapping[str, Any], path: str) -> Iterator[Problem]:
    names: list[tuple[str, Any]] = []
    for where, volume in items(pod, path, "volumes"):
        if name := text(volume, "name"):
            names.append((f"{where}.name", name))
            yield from name_problem(name, f"{where}.name", is_dns_label)
        sources = sorted(key for key, value in volume.items() if key != "name" and isinstance(value, Mapping))
        if len(sources) > 1:
            yield Problem(f"more than one kind of volume: {', '.join(sources)}", where, "pod/volume", "keep one")
        elif not sources:
            yield Problem("says no kind of volume", where, "pod/volume", "such as emptyDir: {}")
    yield from duplicates(names, "volume name", "pod/duplicate")


def _container(container: Mapping[str, Any], path: str, volumes: set[str], *, probes: bool) -> Iterator[Problem]:
    if name := text(container, "name"):
        yield from name_problem(name, f"{path}.name", is_dns_label)
    image = container.get("image")
    if not image:
        yield Problem("required, but missing", f"{path}.image", "schema/required")
    elif isinstance(image, str) and image != image.strip():
        yield Problem(f"{image!r} begins or ends with a space", f"{path}.image", "pod/image")
    yield from choice(container, path, "imagePullPolicy", ("Always", "IfNotPresent", "Never"), "pod/pull-policy")
    yield from _ports(container, path)
    yield from _environment(container, path)
    yield from _resources(container, path)
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(field) is not None and not probes:
            message = "an init container that ends has no probes"
            yield Problem(message, f"{path}.{field}", "pod/probe", "restartPolicy: Always makes it a sidecar")
        yield from _probe(container.get(field), f"{path}.{field}", field)
    for hook in ("postStart", "preStop"):
        if isinstance(handler := get(container, "lifecycle", hook), Mapping):
            yield from _one_of(handler, f"{path}.lifecycle.{hook}", ("exec", "httpGet", "tcpSocket", "sleep"))
    yield from _mounts(container, path, volumes)
    security = mapping(container, "securityContext")
    if security.get("allowPrivilegeEscalation") is False and security.get("privileged") is True:
        message = "cannot be false where privileged is true"
        yield Problem(message, f"{path}.securityContext.allowPrivilegeEscalation", "pod/privileges")


def _mounts(container: Mapping[str, Any], path: str, volumes: set[str]) -> Iterator[Problem]:
    mounts: list[tuple[str, Any]] = []
    for where, mount in items(container, path, "volumeMounts"):
        if (name := text(mount, "name")) and name not in volumes:
            known = ", ".join(sorted(volumes))
            hint = f"known: {known}" if known else "add it to the pod's volumes"
            yield Problem(f"there is no volume {name!r}", f"{where}.name", "pod/mount", hint)
        if target := text(mount, "mountPath"):
            mounts.append((f"{where}.mountPath", target))
    yield from duplicates(mounts, "mountPath", "pod/duplicate")


def _ports(container: Mapping[str, Any], path: str) -> Iterator[Problem]:
    names: list[tuple[str, Any]] = []
    for where, port in items(container, path, "ports"):
        for field in ("containerPort", "hostPort"):
            number = integer(port, field)
            if number is not None and not 1 <= number <= _MAX_PORT and not (field == "hostPort" and number == 0):
                yield Problem(f"a port is 1 to {_MAX_PORT}, got {number}", f"{where}.{field}", "pod/port")
        yield from choice(port, where, "protocol", ("TCP", "UDP", "SCTP"), "pod/protocol")
        if name := text(port, "name"):
            names.append((f"{where}.name", name))
            if not is_port_name(name):
                yield Problem(_port_name_message(name), f"{where}.name", "pod/port-name")
    yield from duplicates(names, "port name", "pod/duplicate")


def is_port_name(name: str) -> bool:
    """IANA service name: at most 15 characters, one of them a letter."""
    return (
        len(name) <= 15  # noqa: PLR2004
        and _PORT_NAME.fullmatch(name) is not None
        and "--" not in name
        and any(character.isalpha() for character in name)
    )


def _port_name_message(name: str) -> str:
    return f"{name!r} is not a port name: at most 15 lower-case letters, digits and single '-', at least one letter"


def _environment(container: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for where, variable in items(container, path, "env"):
        source = variable.get("valueFrom")
        name = variable.get("name")
        if isinstance(name, str) and (not name or "=" in name or not name.isprintable() or not name.isascii()):
            message = f"{name!r} is not the name of a variable: printable ASCII without '=', not empty"
            yield Problem(message, f"{where}.name", "pod/env")
        if isinstance(source, Mapping):
            if variable.get("value"):
                message = "may not be specified when `value` is not empty"
                yield Problem(message, f"{where}.valueFrom", "pod/env", "keep one of them")
            known = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
            yield from _one_of(source, f"{where}.valueFrom", known)
    for where, source in items(container, path, "envFrom"):
        yield from _one_of(source, where, ("configMapRef", "secretRef"))


def _one_of(value: Mapping[str, Any], path: str, known: tuple[str, ...]) -> Iterator[Problem]:
    given = [key for key in known if value.get(key) is not None]
    if len(given) != 1:
        got = " and ".join(given) or "none"
        yield Problem(f"exactly one of {', '.join(known)} is expected, got {got}", path, "pod/one-of")


def _probe(probe: Any, path: str, field: str) -> Iterator[Problem]:
    if not isinstance(probe, Mapping):
        return
    yield from _one_of(probe, path, _HANDLERS)
    for handler in ("httpGet", "tcpSocket", "grpc"):
        port = get(probe, handler, "port")
        bad = not 1 <= port <= _MAX_PORT if isinstance(port, int) else isinstance(port, str) and not is_port_name(port)
        if bad:
            message = f"a port is 1 to {_MAX_PORT}, or the name of one, got {port!r}"
            yield Problem(message, f"{path}.{handler}.port", "pod/port")
    for name in ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold"):
        if (number := integer(probe, name)) is not None and number < 0:
            yield Problem(f"0 or more is expected, got {number}", f"{path}.{name}", "pod/probe")
    if field != "readinessProbe" and integer(probe, "successThreshold") not in (None, 0, 1):
        yield Problem(f"must be 1 for {field}", f"{path}.successThreshold", "pod/probe")


def _resources(container: Mapping[str, Any], path: str) -> Iterator[Problem]:
    limits = mapping(container, "resources", "limits")
    for part in ("limits", "requests"):
        for name, amount in mapping(container, "resources", part).items():
            where = below(f"{path}.resources.{part}", name)
            value = _quantity(amount)
            if value is not None and value < 0:
                yield Problem(f"0 or more is expected, got {amount}", where, "pod/resources")
            limit = _quantity(limits.get(name)) if part == "requests" else None
            if value is not None and limit is not None and value > limit:
                message = f"the request {amount} is more than the limit {limits[name]}"
                yield Problem(message, where, "pod/resources")
            if "/" not in name and name not in ("cpu", "memory", "ephemeral-storage") and name[:9] != "hugepages":
                message = f"there is no resource {name!r}"
                yield Problem(message, where, "pod/resources", "cpu, memory, ephemeral-storage, or one with a domain")


def _quantity(amount: Any) -> Fraction | None:
    if isinstance(amount, bool) or not isinstance(amount, str | int | float):
        return None
    shown = str(amount)
    try:
        return -quantity_value(shown[1:]) if shown.startswith("-") else quantity_value(shown.removeprefix("+"))
    except ValueError:
        return None


def _placement(pod: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for where, toleration in items(pod, path, "tolerations"):
        yield from choice(toleration, where, "operator", ("Exists", "Equal", "Lt", "Gt"), "pod/toleration")
        yield from choice(
            toleration, where, "effect", ("", "NoSchedule", "PreferNoSchedule", "NoExecute"), "pod/toleration"
        )
        if not toleration.get("key") and toleration.get("operator") != "Exists":
            message = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield Problem(message, f"{where}.operator", "pod/toleration")
        if toleration.get("operator") == "Exists" and toleration.get("value"):
            yield Problem("value must be empty when `operator` is 'Exists'", f"{where}.value", "pod/toleration")
    for where, spread in items(pod, path, "topologySpreadConstraints"):
        yield from choice(spread, where, "whenUnsatisfiable", ("DoNotSchedule", "ScheduleAnyway"), "pod/spread")
        if (skew := integer(spread, "maxSkew")) is not None and skew < 1:
            yield Problem(f"must be 1 or more, got {skew}", f"{where}.maxSkew", "pod/spread")
