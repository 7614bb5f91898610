"""What leads requests to pods: Service, Ingress, NetworkPolicy."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from apiops_components.errors import Problem
from apiops_components.validation.metadata import (
    check_label_selector,
    check_labels,
    is_dns_label,
    is_dns_subdomain,
    name_problem,
)
from apiops_components.validation.pods import is_port_name
from apiops_components.validation.walk import choice, duplicates, get, integer, items, text

__all__ = ["check_ingress", "check_network_policy", "check_service"]

_MAX_PORT = 65535
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
_PORT = f"a port is 1 to {_MAX_PORT}"


def check_service(value: Mapping[str, Any]) -> Iterator[Problem]:
    """Service."""
    spec = value.get("spec")
    if not isinstance(spec, Mapping):
        yield Problem("required, but missing", "spec", "schema/required")
        return
    yield from choice(spec, "spec", "type", _TYPES, "service/type")
    yield from choice(spec, "spec", "sessionAffinity", ("None", "ClientIP"), "service/affinity")
    for field in ("externalTrafficPolicy", "internalTrafficPolicy"):
        yield from choice(spec, "spec", field, ("Cluster", "Local"), "service/traffic-policy")
    yield from check_labels(spec.get("selector"), "spec.selector")
    kind = text(spec, "type") or "ClusterIP"
    if kind == "ExternalName":
        name = text(spec, "externalName").removesuffix(".")
        if not is_dns_subdomain(name):
            yield Problem("a host name is needed for type ExternalName", "spec.externalName", "service/external-name")
    elif not spec.get("ports") and spec.get("clusterIP") != "None":
        yield Problem("required, but missing", "spec.ports", "service/ports", "or clusterIP: None for none")
    if kind == "LoadBalancer" and spec.get("clusterIP") == "None":
        yield Problem("may not be set to 'None' for LoadBalancer services", "spec.clusterIP", "service/cluster-ip")
    yield from _service_ports(spec, kind)


def _service_ports(spec: Mapping[str, Any], kind: str) -> Iterator[Problem]:
    ports = list(items(spec, "spec", "ports"))
    names: list[tuple[str, Any]] = []
    numbers: list[tuple[str, Any]] = []
    for where, port in ports:
        number, name = integer(port, "port"), text(port, "name")
        protocol = text(port, "protocol") or "TCP"
        if number is not None:
            numbers.append((f"{where}.port", f"{number}/{protocol}"))
            if not 1 <= number <= _MAX_PORT:
                yield Problem(f"{_PORT}, got {number}", f"{where}.port", "service/port")
        yield from choice(port, where, "protocol", _PROTOCOLS, "service/protocol")
        if name:
            names.append((f"{where}.name", name))
            yield from name_problem(name, f"{where}.name", is_dns_label)
        elif len(ports) > 1:
            message = "required where a Service has more than one port"
            yield Problem(message, f"{where}.name", "service/port-name", "such as http")
        yield from _target(port.get("targetPort"), f"{where}.targetPort")
        if integer(port, "nodePort") and kind == "ClusterIP":
            message = "may not be used when `type` is 'ClusterIP'"
            yield Problem(message, f"{where}.nodePort", "service/node-port", "type: NodePort, or leave it out")
    yield from duplicates(names, "port name", "service/duplicate")
    yield from duplicates(numbers, "port", "service/duplicate")


def _target(target: Any, path: str) -> Iterator[Problem]:
    if isinstance(target, bool):
        return
    if isinstance(target, int) and not 1 <= target <= _MAX_PORT:
        yield Problem(f"{_PORT}, got {target}", path, "service/port")
    if isinstance(target, str) and not is_port_name(target):
        hint = f"write {target} without quotes" if target.isdigit() else ""
        message = f"{target!r} is not the name of a container's port (at most 15 characters, one of them a letter)"
        yield Problem(message, path, "service/port-name", hint)


def check_ingress(value: Mapping[str, Any]) -> Iterator[Problem]:
    """Ingress."""
    spec = value.get("spec")
    if not get(spec, "rules") and not get(spec, "defaultBackend"):
        yield Problem("either `defaultBackend` or `rules` must be specified", "spec", "ingress/empty")
    if get(spec, "defaultBackend") is not None:
        yield from _backend(get(spec, "defaultBackend"), "spec.defaultBackend")
    for where, rule in items(spec, "spec", "rules"):
        host = text(rule, "host")
        if host and not is_dns_subdomain(host.removeprefix("*.")):
            yield Problem(f"{host!r} is not a host name", f"{where}.host", "ingress/host")
        for place, path in items(rule, where, "http", "paths"):
            kinds = ("Exact", "Prefix", "ImplementationSpecific")
            yield from choice(path, place, "pathType", kinds, "ingress/path-type")
            start = text(path, "path")
            if get(path, "pathType") in ("Exact", "Prefix"):
                if not start.startswith("/"):
                    yield Problem(f"must be an absolute path, got {start!r}", f"{place}.path", "ingress/path")
                elif any(part in start for part in ("//", "/./", "/../", "%2f", "%2F")):
                    message = f"must not contain '//', '/./', '/../' or '%2f', got {start!r}"
                    yield Problem(message, f"{place}.path", "ingress/path")
            yield from _backend(get(path, "backend"), f"{place}.backend")


def _backend(backend: Any, path: str) -> Iterator[Problem]:
    service, resource = get(backend, "service"), get(backend, "resource")
    if not isinstance(backend, Mapping):
        return
    if (service is None) == (resource is None):
        yield Problem("exactly one of service and resource is expected", path, "ingress/backend")
    if isinstance(service, Mapping):
        name, number = text(service, "port", "name"), integer(service, "port", "number")
        if bool(name) == bool(number):
            message = "exactly one of name and number is expected"
            yield Problem(message, f"{path}.service.port", "ingress/port", "such as number: 80")


def check_network_policy(value: Mapping[str, Any]) -> Iterator[Problem]:
    """NetworkPolicy."""
    spec = value.get("spec")
    yield from check_label_selector(get(spec, "podSelector"), "spec.podSelector")
    kinds = get(spec, "policyTypes")
    for index, kind in enumerate(kinds if isinstance(kinds, list) else ()):
        if kind not in ("Ingress", "Egress"):
            message = f"one of Ingress, Egress is expected, got {kind!r}"
            yield Problem(message, f"spec.policyTypes[{index}]", "network-policy/type")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for where, rule in items(spec, "spec", direction):
            for place, peer in items(rule, where, peers):
                yield from _peer(peer, place)
            for place, port in items(rule, where, "ports"):
                yield from _policy_port(port, place)


def _peer(peer: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for field in ("podSelector", "namespaceSelector"):
        yield from check_label_selector(peer.get(field), f"{path}.{field}")
    given = [field for field in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(field) is not None]
    if not given:
        yield Problem("must specify a peer", path, "network-policy/peer", "podSelector: {} means all pods")
    if "ipBlock" in given and len(given) > 1:
        message = "may not be specified when both podSelector and namespaceSelector, or one of them, are"
        yield Problem(message, f"{path}.ipBlock", "network-policy/peer", "make it a peer of its own")
    block = text(peer, "ipBlock", "cidr")
    if block:
        yield from _ranges(block, get(peer, "ipBlock", "except"), f"{path}.ipBlock")


def _ranges(block: str, parts: Any, path: str) -> Iterator[Problem]:
    whole = _network(block)
    if whole is None:
        yield Problem(f"{block!r} is not an address range such as 10.0.0.0/16", f"{path}.cidr", "net/cidr")
    for index, part in enumerate(parts if isinstance(parts, list) else ()):
        inner = _network(part) if isinstance(part, str) else None
        if inner is None:
            yield Problem(f"{part!r} is not an address range", f"{path}.except[{index}]", "net/cidr")
        elif whole is not None and (inner == whole or not _within(inner, whole)):
            message = f"must be a strict subset of `cidr`: {part} is not within {block}"
            yield Problem(message, f"{path}.except[{index}]", "net/cidr")


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: str) -> _Network | None:
    if "/" not in text:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _within(inner: _Network, whole: _Network) -> bool:
    return inner.version == whole.version and inner.network_address in whole and inner.broadcast_address in whole


def _policy_port(port: Mapping[str, Any], path: str) -> Iterator[Problem]:
    yield from choice(port, path, "protocol", _PROTOCOLS, "network-policy/protocol")
    yield from _target(port.get("port"), f"{path}.port")
    start, end = port.get("port"), integer(port, "endPort")
    if end is not None and (not isinstance(start, int) or end < start):
        message = f"endPort needs a port that is a number and not above it, got {start!r}"
        yield Problem(message, f"{path}.endPort", "network-policy/port")
