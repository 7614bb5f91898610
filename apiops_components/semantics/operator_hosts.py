"""The hosts that ngrok's operator serves, and the routes of each, as its own translator was seen to find them.

What differs from the specification (facts: ngrok §5; the rest was seen in the operator's own translation):

- The status of Gateways, listeners and routes does not count, nor do group and kind of a parentRef.
- A listener needs a host name, unless the Gateway has addresses of type Hostname, which then are the hosts; a listener
  that does not match each of them takes the whole Gateway out.
- Hostnames of a route choose listeners, nothing else: what is attached to ``*.example.com`` is served on all of it.
  A star stands for any characters, but a listener takes no route whose names are wider than its own.
- A Gateway's annotation ``ngrok.com/traffic-policy`` (or, without that, ``k8s.ngrok.com/traffic-policy``) must name one
  policy that exists and has no phase but those of TCP, requests and responses; otherwise no route attaches.
- The policy is read anew for each parentRef of each route, and all hosts first met there share what was read.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from apiops_components.models.gateway import Gateway, Listener
from apiops_components.models.policy.document import TrafficPolicy
from apiops_components.models.route import HttpRoute, ParentRef
from apiops_components.semantics.outcome import Action
from apiops_components.semantics.resources import GROUP, Object, Resources, selects

__all__ = ["CONTROLLER", "POLICY", "Host", "Place", "annotation", "granted", "hosts", "old_keys", "places"]

CONTROLLER = "ngrok.com/gateway-controller"
"""``controllerName`` of ngrok's classes."""
POLICY = "NgrokTrafficPolicy"
"""The kind of a policy."""

_PREFIXES = ("ngrok.com/", "k8s.ngrok.com/")
_RESERVED = frozenset(
    f"{prefix}terminate-tls.{name}"
    for prefix in _PREFIXES
    for name in ("server_private_key", "server_certificate", "mutual_tls_certificate_authorities")
)


@dataclass(slots=True, eq=False)
class Place:
    """Where a listener would serve.

    Attributes:
        gateway: Its Gateway.
        listener: The name of the listener.
        protocol: HTTP or HTTPS.
        name: Host or wildcard.
        port: The port.
    """

    gateway: Object[Gateway]
    listener: str
    protocol: str
    name: str
    port: int


@dataclass(slots=True, eq=False)
class Host(Place):
    """A place with routes: it becomes an endpoint.

    Attributes:
        policy: ``namespace/name`` of the Gateway's own policy.
        read: Where the policy was read: hosts with the same share it.
        routes: In order of namespace and name; the operator's own order is random.
    """

    policy: str | None
    read: tuple[str, int]
    routes: list[Object[HttpRoute]] = field(default_factory=list)

    @property
    def order(self) -> str:
        """By which hosts are put in order here; the operator's own order is random."""
        gateway = self.gateway
        return f"{gateway.name}.{gateway.namespace} {self.name} {self.protocol} {self.port:05d}"


def hosts(resources: Resources) -> list[Host]:
    """The hosts that have routes."""
    found: dict[tuple[str, str, str, int], Host] = {}
    policies = {key: policy_of(resources, gateway) for key, gateway in _gateways(resources)}
    for route in resources.routes.values():
        hit: dict[tuple[str, str, str, int], Host] = {}
        for number, parent in enumerate(route.spec.parent_refs):
            gateway = resources.gateways.get(f"{parent.namespace or route.namespace}/{parent.name}")
            if gateway is None or gateway.key not in policies:
                continue
            policy, fault = policies[gateway.key]
            if fault is not None or not _usable(resources, gateway):
                continue
            addresses = _addresses(gateway.spec)
            for listener in _listeners(resources, gateway, route, parent, addresses):
                if listener.protocol not in ("HTTP", "HTTPS") or not _has_usable_tls(resources, gateway, listener):
                    continue
                for name in addresses or [str(listener.hostname)]:
                    key = (gateway.key, name, listener.protocol, listener.port)
                    if key not in found:
                        found[key] = Host(
                            *(gateway, listener.name, listener.protocol, name, listener.port),
                            policy=policy,
                            read=(route.key, number),
                        )
                    hit[key] = found[key]
        for host in hit.values():
            host.routes.append(route)
    return sorted(found.values(), key=lambda host: host.order)


def places(resources: Resources) -> Iterator[tuple[Place, Action | None]]:
    """Where each listener would serve, and what is wrong with its Gateway's policy."""
    for key, gateway in _gateways(resources):
        fault = policy_of(resources, gateway)[1]
        for listener in resources.gateways[key].spec.listeners:
            for name in _addresses(gateway.spec) or [listener.hostname or ""]:
                if name:
                    yield Place(gateway, listener.name, listener.protocol, name, listener.port), fault


def _gateways(resources: Resources) -> Iterator[tuple[str, Object[Gateway]]]:
    """Gateways of ngrok; a class that is not given may be the one that comes with the operator."""
    for key, gateway in resources.gateways.items():
        found = resources.classes.get(gateway.spec.gateway_class_name)
        if found is None or found.spec.controller_name == CONTROLLER:
            yield key, gateway


# --- Gateways ------------------------------------------------------------------------------------------------------


def annotation(gateway: Object[Gateway], name: str) -> str | None:
    """The value of one of ngrok's annotations; that the newer is there counts, not what it says."""
    key = next((prefix + name for prefix in _PREFIXES if prefix + name in gateway.annotations), None)
    return None if key is None else "\n".join(line.strip() for line in gateway.annotations[key].split("\n"))


def policy_of(resources: Resources, gateway: Object[Gateway]) -> tuple[str | None, Action | None]:
    """Key of a Gateway's own policy, and why no route attaches, if so."""
    names = annotation(gateway, "traffic-policy")
    if names is None:
        return None, None
    key = f"{gateway.namespace}/{names}"
    policy = resources.policies.get(key)
    if policy is None:
        return None, Action(key, None, None, POLICY, "missing")
    if {"inbound", "outbound", "enabled"} & old_keys(policy.spec):
        return None, Action(key, None, None, POLICY, "refused: it has keys of old")
    if "on_event_stream_message" in policy.spec.model_fields_set:
        return None, Action(key, None, None, POLICY, "refused: on_event_stream_message is not known here")
    return key, None


def old_keys(policy: TrafficPolicy) -> frozenset[str]:
    """What of old a policy says, such as ``inbound``, which the operator does not know."""
    return frozenset(problem.path for problem in policy.warnings() if problem.code == "policy/legacy")


def _usable(resources: Resources, gateway: Object[Gateway]) -> bool:
    bindings = annotation(gateway, "bindings")
    if bindings is not None and (not bindings or "," in bindings):
        return False
    tls = gateway.spec.tls
    ref = tls.backend.client_certificate_ref if tls is not None and tls.backend is not None else None
    return ref is None or granted(resources, "Gateway", gateway.namespace, "Secret", ref.namespace, ref.name)


def _addresses(gateway: Gateway) -> list[str]:
    values = (address.value or "" for address in gateway.addresses if address.type == "Hostname")
    return [value for value in dict.fromkeys(values) if not _is_ip(value)]


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _has_usable_tls(resources: Resources, gateway: Object[Gateway], listener: Listener) -> bool:
    """False where the operator skips the listener. Secrets and ConfigMaps are taken to be there."""
    tls = listener.tls
    if tls is None:
        return True
    if listener.protocol == "HTTP" or tls.mode == "Passthrough" or _RESERVED & tls.options.keys():
        return False
    of = gateway.namespace
    for ref in tls.certificate_refs[:1]:
        if ref.kind.lower() != "secret" or not granted(resources, "Gateway", of, "Secret", ref.namespace, ref.name):
            return False
    frontend = gateway.spec.tls.frontend if gateway.spec.tls is not None else None
    validation = frontend.default.validation if frontend is not None else None
    return all(
        authority.kind.lower() == "configmap"
        and granted(resources, "Gateway", of, "ConfigMap", authority.namespace, authority.name)
        for authority in (validation.ca_certificate_refs if validation is not None else ())
    )


def granted(resources: Resources, kind: str, namespace: str, to: str, other: str | None, name: str) -> bool:
    """Whether an object of the Gateway API may refer to one of the core group; unlike in Kubernetes, case is nothing.

    Args:
        resources: All objects.
        kind: Who refers.
        namespace: Where it is.
        to: Kind of what it refers to.
        other: Where that is; None for the same namespace.
        name: Its name.
    """
    if other is None or other == namespace:
        return True
    wanted = (GROUP, kind.lower(), namespace)
    return any(
        any((who.group.lower(), who.kind.lower(), who.namespace.lower()) == wanted for who in grant.spec.from_)
        and any(
            (of.group, of.kind.lower()) == ("", to.lower()) and (of.name is None or of.name.lower() == name.lower())
            for of in grant.spec.to
        )
        for grant in resources.grants.values()
        if grant.namespace == other
    )


# --- listeners and routes ------------------------------------------------------------------------------------------


def _listeners(
    resources: Resources,
    gateway: Object[Gateway],
    route: Object[HttpRoute],
    parent: ParentRef,
    addresses: Sequence[str],
) -> list[Listener]:
    """The listeners that a route attaches to."""
    found = []
    for listener in gateway.spec.listeners:
        if parent.section_name not in (None, listener.name) or parent.port not in (None, listener.port):
            continue
        if not _allows(resources, gateway, listener, route.namespace):
            continue
        name = listener.hostname or "*"
        if not addresses and name == "*":
            continue
        if any(not _match(name, address) for address in addresses):
            return []
        names = route.spec.hostnames
        if not names or any(_match(name, each) for each in names):
            found.append(listener)
    return found


def _allows(resources: Resources, gateway: Object[Gateway], listener: Listener, namespace: str) -> bool:
    allowed = listener.allowed_routes
    if allowed.kinds and not any(kind.kind.lower() == "httproute" for kind in allowed.kinds):
        return False
    origin, selector = allowed.namespaces.from_, allowed.namespaces.selector
    if origin == "Selector" and selector is not None:
        labels: Mapping[str, str] = resources.labels_of_namespace(namespace)
        return selects(selector, labels)
    return origin == "All" or namespace == gateway.namespace


def _match(one: str, other: str) -> bool:
    if "*" in one:
        return _glob(one).fullmatch(other) is not None
    if "*" in other:
        return _glob(other).fullmatch(one) is not None
    return one == other


@lru_cache(maxsize=4096)
def _glob(name: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, name.split("*"))))
