"""Which listeners of a Gateway take a route, as the specification says, and why the others do not.

Only valid routes and Gateways come here, so their parts have the types of their models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from apiops_components.errors import Problem
from apiops_components.validation.linked import NAMESPACE, Kind, Linked
from apiops_components.validation.objects_by_name import ByName
from apiops_components.validation.walk import get, items, mapping, text

__all__ = ["Attached", "attached", "common_host", "hostnames"]

_GROUP = "gateway.networking.k8s.io"
_KINDS: Mapping[str, tuple[str, ...]] = {
    "HTTP": ("HTTPRoute", "GRPCRoute"),
    "HTTPS": ("HTTPRoute", "GRPCRoute"),
    "TLS": ("TLSRoute", "TCPRoute"),
    "TCP": ("TCPRoute",),
    "UDP": ("UDPRoute",),
}
_NOTHING: Mapping[str, Any] = {}
_OWN_NAME = "kubernetes.io/metadata.name"


class Attached(NamedTuple):
    """The listeners that take a route, or why none does."""

    listeners: Sequence[Mapping[str, Any]] = ()
    problem: Problem | None = None


def attached(route: Linked, parent: Mapping[str, Any], gateway: Linked, objects: ByName, path: str) -> Attached:
    """What becomes of one reference of a route to a Gateway.

    Args:
        route: The route.
        parent: Its reference.
        gateway: What is referred to.
        objects: For labels of namespaces.
        path: Of the reference, for problems.
    """
    listeners: Sequence[Mapping[str, Any]] = gateway.spec["listeners"]
    if section := parent.get("sectionName"):
        known = listeners
        listeners = [item for item in listeners if item["name"] == section]
        if not listeners:
            message = f"{gateway.title} has no listener {section!r}"
            hint = f"its listeners: {', '.join(item['name'] for item in known)}"
            return _refused(message, f"{path}.sectionName", "listener", hint)
    if (port := parent.get("port")) is not None:
        known = listeners
        listeners = [item for item in listeners if item["port"] == port]
        if not listeners:
            message = f"{gateway.title} has no listener {section + ' ' if section else ''}on port {port}"
            hint = f"listeners are on port {', '.join(sorted({str(item['port']) for item in known}))}"
            return _refused(message, f"{path}.port", "listener", hint)
    return _taken(route, gateway, objects, path, listeners)


def _taken(
    route: Linked, gateway: Linked, objects: ByName, path: str, listeners: Sequence[Mapping[str, Any]]
) -> Attached:
    of_kind = [item for item in listeners if _takes_kind(item, route.kind)]
    if not of_kind:
        message = f"no {route.kind[1]} is taken by {_named(listeners)} of {gateway.title}"
        return _refused(message, path, "route-kind", "protocol and allowedRoutes.kinds of the listener say which kinds")
    of_namespace = [item for item in of_kind if _takes_namespace(item, route, gateway, objects)]
    if not of_namespace:
        message = f"no route of namespace {route.namespace!r} is taken by {_named(of_kind)} of {gateway.title}"
        hint = "allow it in allowedRoutes.namespaces of the listener: by default only the Gateway's own (Same)"
        return _refused(message, path, "namespace", hint)
    hosts = hostnames(route)
    if not hosts:
        return Attached(of_namespace)
    found = [item for item in of_namespace if any(common_host(item.get("hostname") or "", host) for host in hosts)]
    if not found:
        served = ", ".join(item["hostname"] for item in of_namespace)
        message = f"none of these is a host of {_named(of_namespace)} of {gateway.title}: {served}"
        return _refused(
            message, "spec.hostnames", "hostname", "a hostname that both have, or none: the listener's then"
        )
    return Attached(found)


def _refused(message: str, path: str, code: str, hint: str) -> Attached:
    return Attached((), Problem(message, path, f"reference/{code}", hint))


def _named(listeners: Sequence[Mapping[str, Any]]) -> str:
    return f"listener {listeners[0]['name']!r}" if len(listeners) == 1 else "any listener"


def _takes_kind(listener: Mapping[str, Any], kind: Kind) -> bool:
    protocol = _KINDS.get(listener["protocol"])  # of an implementation's own nothing is known
    if protocol is not None and kind[1] not in protocol:
        return False
    allowed = (listener.get("allowedRoutes") or _NOTHING).get("kinds")
    return not allowed or any((_group(item), item["kind"]) == kind for item in allowed)


def _group(item: Mapping[str, Any]) -> str:
    group: str | None = item.get("group")
    return _GROUP if group is None else group


def _takes_namespace(listener: Mapping[str, Any], route: Linked, gateway: Linked, objects: ByName) -> bool:
    """False only where it is certain."""
    namespaces = (listener.get("allowedRoutes") or _NOTHING).get("namespaces") or _NOTHING
    allowed = namespaces.get("from") or "Same"
    if route.namespace is None or gateway.namespace is None or allowed == "All":
        return True
    if allowed == "Same":
        return route.namespace == gateway.namespace
    return _may_select(namespaces.get("selector") or _NOTHING, route.namespace, objects)


def _may_select(selector: Mapping[str, Any], namespace: str, objects: ByName) -> bool:
    """Whether a selector may take a namespace, of which perhaps only the name is known."""
    versions = objects.meant(NAMESPACE, "", namespace)
    own = {_OWN_NAME: namespace}
    if not versions:
        return _selects(selector, own, known=False)
    return any(_selects(selector, {**item.labels, **own}, known=True) for item in versions)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, Any], *, known: bool) -> bool:
    def is_known(key: Any) -> bool:
        return known or key == _OWN_NAME

    if any(is_known(key) and labels.get(key) != value for key, value in mapping(selector, "matchLabels").items()):
        return False
    for _, term in items(selector, "", "matchExpressions"):
        key, values = text(term, "key"), get(term, "values") or []
        has, value = key in labels, labels.get(key)
        holds = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": has,
            "DoesNotExist": not has,
        }
        if is_known(key) and not holds.get(text(term, "operator"), True):
            return False
    return True


def hostnames(route: Linked) -> Sequence[str]:
    """The hostnames that a route asks for; none for those of the listener."""
    return route.spec.get("hostnames") or ()


def common_host(listener: str, route: str) -> str:
    """The narrower of two hostnames that have hosts in common; empty where they have none. Empty stands for any host.

    ``*.example.com`` stands for ``a.example.com`` and ``a.b.example.com``, not for ``example.com``.
    """
    if not listener or not route:
        return listener or route or "*"
    if listener == route or _covers(listener, route):
        return route
    return listener if _covers(route, listener) else ""


def _covers(wide: str, narrow: str) -> bool:
    return wide.startswith("*.") and narrow.removeprefix("*").endswith(wide[1:]) and narrow != wide
