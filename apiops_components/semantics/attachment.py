"""Which listeners serve, and which routes they take, as the specification says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from apiops_components.models.gateway import Gateway, Listener
from apiops_components.models.route import HttpRoute
from apiops_components.semantics.resources import GROUP, Object, Resources, selects

__all__ = ["Serving", "attached", "intersect", "serving"]


class Serving(NamedTuple):
    """A listener that serves."""

    gateway: Object[Gateway]
    """Its Gateway."""
    listener: Listener
    """Its definition."""


def serving(resources: Resources) -> Iterator[Serving]:
    """Listeners that take connections: no conflict with another, and a certificate that they may read."""
    for gateway in resources.gateways.values():
        listeners = gateway.spec.listeners
        of_tcp = {listener.port for listener in listeners if listener.protocol == "TCP"}
        for listener in listeners:
            if listener.port not in of_tcp and _has_certificate(resources, gateway, listener):
                yield Serving(gateway, listener)


def _has_certificate(resources: Resources, gateway: Object[Gateway], listener: Listener) -> bool:
    """False where each of its certificates is in a namespace that grants it no access."""
    if listener.tls is None or not listener.tls.certificate_refs:
        return True
    return any(
        resources.may_refer(
            "Gateway",
            gateway.namespace,
            ref.kind,
            ref.namespace or gateway.namespace,
            ref.name,
            to_group=ref.group,
        )
        for ref in listener.tls.certificate_refs
    )


def attached(resources: Resources, listeners: list[Serving]) -> Mapping[int, list[Object[HttpRoute]]]:
    """The routes of each listener, by its number."""
    by_gateway: dict[str, list[int]] = defaultdict(list)
    for number, serves in enumerate(listeners):
        by_gateway[serves.gateway.key].append(number)
    found: dict[int, list[Object[HttpRoute]]] = defaultdict(list)
    for route in resources.routes.values():
        taken: dict[int, None] = {}
        for parent in route.spec.parent_refs:
            if (parent.group, parent.kind) != (GROUP, "Gateway"):
                continue
            for number in by_gateway.get(f"{parent.namespace or route.namespace}/{parent.name}", ()):
                serves = listeners[number]
                if (
                    parent.section_name in (None, serves.listener.name)
                    and parent.port in (None, serves.listener.port)
                    and _takes(resources, serves, route)
                ):
                    taken[number] = None
        for number in taken:
            found[number].append(route)
    return found


def _takes(resources: Resources, serves: Serving, route: Object[HttpRoute]) -> bool:
    listener, allowed = serves.listener, serves.listener.allowed_routes
    if listener.protocol not in ("HTTP", "HTTPS"):
        return False
    if allowed.kinds and not any((kind.group, kind.kind) == (GROUP, "HTTPRoute") for kind in allowed.kinds):
        return False
    origin, selector = allowed.namespaces.from_, allowed.namespaces.selector
    if origin == "Same" and route.namespace != serves.gateway.namespace:
        return False
    if origin == "Selector":
        labels = resources.labels_of_namespace(route.namespace)
        if selector is None or not selects(selector, labels):
            return False
    names = route.spec.hostnames
    return not names or listener.hostname is None or any(intersect(listener.hostname, name) for name in names)


def intersect(one: str, other: str) -> bool:
    """Whether there is a host that both names stand for; either may be a wildcard."""
    if one.startswith("*") and other.startswith("*"):
        return one.endswith(other[1:]) or other.endswith(one[1:])
    if one.startswith("*"):
        return other.endswith(one[1:])
    if other.startswith("*"):
        return one.endswith(other[1:])
    return one == other
