"""Gateways and their listeners, with the shape of ``gateway.networking.k8s.io/v1``.

Limits and messages are those of the Gateway API definitions named in `versions.GATEWAY_API`, standard channel.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import (
    ApiGroup,
    DnsLabel,
    DnsSubdomain,
    Host,
    Kind,
    KubernetesChecked,
    KubernetesModel,
    Port,
    Text,
    fault,
    matching,
)
from apiops_components.models.gateway_tls import GatewayTls, ListenerTls
from apiops_components.models.labels import LabelValue

__all__ = ["Gateway", "GatewayClass", "Listener", "ListenerSet"]


class RouteKind(KubernetesModel):
    """A kind of route."""

    group: ApiGroup = "gateway.networking.k8s.io"
    """Its API group."""
    kind: Kind
    """Its kind."""


class SelectorTerm(KubernetesModel):
    """A condition on the value of a label."""

    key: str
    """Of the label."""
    operator: Text
    """In, NotIn, Exists or DoesNotExist."""
    values: tuple[str, ...] = ()
    """For In and NotIn."""


class LabelSelector(KubernetesModel):
    """Labels that an object must have; all of them."""

    match_labels: Mapping[str, str] = Field(default_factory=dict)
    """Label and value."""
    match_expressions: tuple[SelectorTerm, ...] = ()
    """More general conditions."""


class RouteNamespaces(KubernetesModel):
    """The namespaces whose routes are taken."""

    from_: Literal["All", "Selector", "Same"] = Field(default="Same", alias="from")
    """The Gateway's own by default."""
    selector: LabelSelector | None = None
    """For Selector: labels of the namespaces."""


class ListenerNamespaces(KubernetesModel):
    """The namespaces whose ListenerSets are taken."""

    from_: Literal["All", "Selector", "Same", "None"] = Field(default="None", alias="from")
    """None by default."""
    selector: LabelSelector | None = None
    """For Selector: labels of the namespaces."""


class AllowedListeners(KubernetesModel):
    """Which ListenerSets may attach."""

    namespaces: ListenerNamespaces = Field(default_factory=ListenerNamespaces)
    """From where."""


class ParametersRef(KubernetesModel):
    """An object with parameters of the implementation."""

    group: ApiGroup
    """Its API group."""
    kind: Kind
    """Its kind."""
    name: DnsSubdomain
    """Its name."""


class ClassParametersRef(ParametersRef):
    """The same for a GatewayClass, which has no namespace of its own."""

    namespace: DnsLabel | None = None
    """Its namespace; none for objects of the cluster."""


class AllowedRoutes(KubernetesModel):
    """Which routes may attach."""

    namespaces: RouteNamespaces = Field(default_factory=RouteNamespaces)
    """From where."""
    kinds: tuple[RouteKind, ...] = Field(default=(), max_length=8)
    """At most 8; those of the protocol by default."""


_DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_OWN_NAME = rf"{_DOMAIN}/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"

Protocol = Annotated[
    str,
    matching(
        rf"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?|{_DOMAIN}/[A-Za-z0-9]+",
        255,
        "gateway/protocol",
        "a protocol (letters, digits and '-', or 'domain/name')",
    ),
]
"""One of the Gateway API, or one of the implementation's own."""


class Listener(KubernetesChecked):
    """Where requests come in."""

    name: DnsSubdomain
    """Unique in the Gateway."""
    hostname: Host | None = None
    """All by default. ngrok's operator needs one."""
    port: Port
    """ngrok takes 443 for HTTPS and 80 for HTTP."""
    protocol: Protocol
    """HTTP, HTTPS, TLS, TCP, UDP, or one of the implementation's own, such as ``example.com/bar``."""
    tls: ListenerTls | None = None
    """How TLS ends; with ngrok leave it out."""
    allowed_routes: AllowedRoutes = Field(default_factory=AllowedRoutes)
    """Which routes may attach."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.protocol in ("HTTP", "TCP", "UDP") and self.tls is not None:
            message = "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']"
            hint = "remove tls, or set protocol: HTTPS" if self.protocol == "HTTP" else "remove tls"
            yield fault("gateway/listener-tls", message, hint, ["tls"])
        if self.protocol == "HTTPS" and self.tls is not None and self.tls.mode != "Terminate":
            message, hint = "tls mode must be Terminate for protocol HTTPS", "protocol: TLS passes encrypted traffic on"
            yield fault("gateway/listener-tls", message, hint, ["tls", "mode"])
        if self.protocol == "TLS" and self.tls is None:
            hint = "tls: {mode: Passthrough}, or mode: Terminate with certificateRefs"
            yield fault("gateway/listener-tls", "tls mode must be set for protocol TLS", hint, ["tls"])
        if self.protocol in ("TCP", "UDP") and self.hostname:
            message = "hostname must not be specified for protocols ['TCP', 'UDP']"
            yield fault("gateway/listener-hostname", message, "remove hostname", ["hostname"])


class Address(KubernetesChecked):
    """An address that is asked for."""

    type: Annotated[
        str, matching(rf"Hostname|IPAddress|NamedAddress|{_OWN_NAME}", 253, "gateway/address", "a type of address")
    ] = "IPAddress"
    """IPAddress by default; ngrok's operator reads only Hostname."""
    value: Annotated[str, Field(max_length=253)] | None = None
    """Any by default."""

    def faults(self) -> Iterator[InitErrorDetails]:
        if self.value is None:
            return
        if self.type == "IPAddress" and not _is_address(self.value):
            yield fault("gateway/address", f"{self.value!r} is not an IP address", "set type: Hostname", ["value"])
        if self.type == "Hostname" and not re.fullmatch(rf"(\*\.)?{_DOMAIN}", self.value):
            message = (
                "Hostname value must be empty or contain only valid characters (matching "
                r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$)"
            )
            yield fault("gateway/address", message, "lower case, '*.' only in front", ["value"])


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return "%" not in value  # a zone means something on one machine only


_KEY = re.compile(rf"({_DOMAIN}/)?([A-Za-z0-9][-A-Za-z0-9_.]{{0,61}})?[A-Za-z0-9]")
_LONGEST_PREFIX = 252  # the rule says 253 and means less than that


class Infrastructure(KubernetesChecked):
    """What is put on the objects that are made for a Gateway."""

    labels: Mapping[str, LabelValue] = Field(default_factory=dict, max_length=8)
    """At most 8."""
    annotations: Mapping[str, Annotated[str, Field(max_length=4096)]] = Field(default_factory=dict, max_length=8)
    """At most 8, each at most 4,096 characters."""
    parameters_ref: ParametersRef | None = None
    """Parameters of the implementation."""

    def faults(self) -> Iterator[InitErrorDetails]:
        yield from self.told(
            lambda: _key_faults("labels", "label", self.labels),
            lambda: _key_faults("annotations", "annotation", self.annotations),
        )


def _key_faults(field: str, what: str, found: Mapping[str, str]) -> Iterator[InitErrorDetails]:
    for key in found:
        if not _KEY.fullmatch(key):
            message = (
                f"{what.capitalize()} keys must be in the form of an optional DNS subdomain prefix followed by a "
                "required name segment of up to 63 characters."
            )
            yield fault("gateway/infrastructure-key", message, "such as example.com/team", [field, key], key)
        if len(key.split("/")[0]) > _LONGEST_PREFIX:
            message = (
                f"If specified, the {what} key's prefix must be a DNS subdomain not longer than 253 characters in "
                "total."
            )
            yield fault("gateway/infrastructure-key", message, "shorten it", [field, key], key)


class Gateway(KubernetesChecked):
    """``spec`` of a Gateway."""

    gateway_class_name: DnsSubdomain
    """Which implementation serves it; ``ngrok`` here."""
    listeners: tuple[Listener, ...] = Field(min_length=1, max_length=64)
    """1 to 64."""
    addresses: tuple[Address, ...] = Field(default=(), max_length=16)
    """At most 16, each once."""
    infrastructure: Infrastructure | None = None
    """Labels and annotations of what is made for it."""
    tls: GatewayTls | None = None
    """Validation of client certificates, certificate towards backends."""
    allowed_listeners: AllowedListeners | None = None
    """Which ListenerSets may attach; none by default."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from self.told(lambda: _listeners_faults(self.listeners), self._address_faults)

    def _address_faults(self) -> Iterator[InitErrorDetails]:
        addresses: set[tuple[str, str]] = set()
        for index, address in enumerate(self.addresses):
            if address.value is not None and (address.type, address.value) in addresses:
                message = f"{address.type} values must be unique"
                yield fault("gateway/address-unique", message, "keep one of them", ["addresses", index, "value"])
            if address.type in ("IPAddress", "Hostname"):
                addresses.add((address.type, address.value or ""))


def _listeners_faults(listeners: Sequence[Listener]) -> Iterator[InitErrorDetails]:
    """Rules across the listeners of one Gateway or ListenerSet."""
    names: set[str] = set()
    places: set[tuple[Any, ...]] = set()
    for index, listener in enumerate(listeners):
        if listener.name in names:
            message = "Listener name must be unique within the Gateway"
            yield fault("gateway/listener-name", message, "give it another name", ["listeners", index, "name"])
        names.add(listener.name)
        place = (listener.port, listener.protocol, listener.hostname)
        if place in places:
            message = "Combination of port, protocol and hostname must be unique for each listener"
            hint = "remove one of the two, or give it another hostname"
            yield fault("gateway/listener-unique", message, hint, ["listeners", index])
        places.add(place)


class ParentGateway(KubernetesModel):
    """The Gateway that a ListenerSet belongs to."""

    group: ApiGroup = "gateway.networking.k8s.io"
    """Gateway API by default."""
    kind: Kind = "Gateway"
    """Gateway by default."""
    name: DnsSubdomain
    """Name of the Gateway."""
    namespace: DnsLabel | None = None
    """Its namespace; the ListenerSet's own by default."""


class ListenerSet(KubernetesChecked):
    """``spec`` of a ListenerSet: more listeners for a Gateway. ngrok's operator does not read it."""

    parent_ref: ParentGateway
    """The Gateway, which must allow it (``allowedListeners``)."""
    listeners: tuple[Listener, ...] = Field(min_length=1, max_length=64)
    """1 to 64."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from _listeners_faults(self.listeners)


class GatewayClass(KubernetesModel):
    """``spec`` of a GatewayClass."""

    controller_name: Annotated[
        str, matching(_OWN_NAME, 253, "gateway/controller-name", "a controller's name such as example.com/controller")
    ]
    """``domain/path`` of the controller; cannot be changed later."""
    parameters_ref: ClassParametersRef | None = None
    """Parameters of the implementation."""
    description: Annotated[str, Field(max_length=64)] | None = None
    """At most 64 characters."""
