"""Which listeners of a Gateway take a route, as the specification says, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    listeners: Sequence[Mapping[str, Any]] = [item for _, item in items(gateway.spec, "", "listeners")]
    if section := text(parent, "sectionName"):
        known = ", ".join(text(item, "name") for item in listeners)
        listeners = [item for item in listeners if item.get("name") == section]
        if not listeners:
            message = f"{gateway.title} has no listener {section!r}"
            return _refused(message, f"{path}.sectionName", "listener", f"its listeners: {known}")
    if (port := parent.get("port")) is not None:
        known = ", ".join(sorted({str(item.get("port")) for item in listeners}))
        listeners = [item for item in listeners if item.get("port") == port]
        if not listeners:
            message = f"{gateway.title} has no listener {section + ' ' if section else ''}on port {port}"
            return _refused(message, f"{path}.port", "listener", f"listeners are on port {known}")
    return _taken(route, gateway, objects, path, listeners)


def _taken(
    route: Linked, gateway: Linked, objects: ByName, path: str, listeners: Sequence[Mapping[str, Any]]
) -> Attached:
    kind = route.kind[1]
    named = _named(listeners)
    listeners = [item for item in listeners if _takes_kind(item, route.kind)]
    if not listeners:
        message = f"no {kind} is taken by {named} of {gateway.title}"
        return _refused(message, path, "route-kind", "protocol and allowedRoutes.kinds of the listener say which kinds")
    named = _named(listeners)
    listeners = [item for item in listeners if _takes_namespace(item, route, gateway, objects)]
    if not listeners:
        message = f"no route of namespace {route.namespace!r} is taken by {named} of {gateway.title}"
        hint = "allow it in allowedRoutes.namespaces of the listener: by default only the Gateway's own (Same)"
        return _refused(message, path, "namespace", hint)
    hosts = hostnames(route)
    found = [item for item in listeners if any(common_host(text(item, "hostname"), host) for host in hosts or ("",))]
    if hosts and not found:
        served = ", ".join(text(item, "hostname") for item in listeners)
        message = f"none of these is a host of {_named(listeners)} of {gateway.title}: {served}"
        return _refused(
            message, "spec.hostnames", "hostname", "a hostname that both have, or none: the listener's then"
        )
    return Attached(found)


def _refused(message: str, path: str, code: str, hint: str) -> Attached:
    return Attached((), Problem(message, path, f"reference/{code}", hint))


def _named(listeners: Iterable[Mapping[str, Any]]) -> str:
    names = [text(item, "name") for item in listeners]
    return f"listener {names[0]!r}" if len(names) == 1 else "any listener"


def _takes_kind(listener: Mapping[str, Any], kind: Kind) -> bool:
    protocol = _KINDS.get(text(listener, "protocol"))  # of an implementation's own nothing is known
    if protocol is not None and kind[1] not in protocol:
        return False
    allowed = [
        (item.get("group", _GROUP), item.get("kind")) for _, item in items(listener, "", "allowedRoutes", "kinds")
    ]
    return not allowed or kind in allowed


def _takes_namespace(listener: Mapping[str, Any], route: Linked, gateway: Linked, objects: ByName) -> bool:
    """False only where it is certain."""
    namespaces = mapping(listener, "allowedRoutes", "namespaces")
    allowed = namespaces.get("from", "Same")
    if route.namespace is None or gateway.namespace is None or allowed == "All":
        return True
    if allowed == "Same":
        return route.namespace == gateway.namespace
    return _may_select(mapping(namespaces, "selector"), route.namespace, objects)


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


def hostnames(route: Linked) -> list[str]:
    """The hostnames that a route asks for; none for those of the listener."""
    found = route.spec.get("hostnames")
    return [host for host in found if isinstance(host, str)] if isinstance(found, list) else []


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
