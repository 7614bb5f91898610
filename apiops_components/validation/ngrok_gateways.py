"""What ngrok's operator does not serve of a Gateway that the specification allows.

The messages about ports, hostnames and UDP are the operator's own, from the conditions that it sets on listeners.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apiops_components.errors import Problem
from apiops_components.validation.attachment import common_host
from apiops_components.validation.linked import GATEWAY_CLASS, Linked
from apiops_components.validation.objects_by_name import ByName
from apiops_components.validation.walk import below, get, items, mapping, text

__all__ = ["CLASS", "CONTROLLER", "NgrokGateways"]

CONTROLLER = "ngrok.com/gateway-controller"
"""``controllerName`` of ngrok's GatewayClass."""
CLASS = "ngrok"
"""Its usual name."""

_PORTS = {"HTTP": 80, "HTTPS": 443}
_TODAY, _OLD = "ngrok.com/", "k8s.ngrok.com/"
_PREFIXES = (f"{_TODAY}terminate-tls.", f"{_OLD}terminate-tls.")
_RESERVED = ("server_private_key", "server_certificate", "mutual_tls_certificate_authorities")


class NgrokGateways:
    """The Gateways that ngrok's operator serves."""

    def __init__(self, objects: ByName) -> None:
        self._classes: dict[str, set[str]] = {}
        for item in objects.of(GATEWAY_CLASS):
            self._classes.setdefault(item.name, set()).add(text(item.spec, "controllerName"))

    def serves(self, gateway: Linked) -> bool:
        """Whether its class is ngrok's: by the GatewayClass where the input holds it, by its name otherwise."""
        name = text(gateway.spec, "gatewayClassName")
        controllers = self._classes.get(name)
        return CONTROLLER in controllers if controllers is not None else name == CLASS

    def problems(self, gateway: Linked) -> Iterator[Problem]:
        """What the operator would not serve; nothing of a Gateway of another class."""
        if not self.serves(gateway):
            return
        addresses = [
            text(item, "value")
            for _, item in items(gateway.spec, "spec", "addresses")
            if item.get("type") == "Hostname"
        ]
        for path, listener in items(gateway.spec, "spec", "listeners"):
            yield from _protocol(listener, path, addresses)
            yield from _addresses(listener, path, addresses)
            yield from _tls(listener, path)
        validation = ("tls", "frontend", "default", "validation")
        for path, reference in items(gateway.spec, "spec", *validation, "caCertificateRefs"):
            if text(reference, "kind").lower() != "configmap":
                message = f"ngrok's operator reads certificates of authorities from ConfigMaps, not {reference['kind']}"
                yield Problem(message, f"{path}.kind", "ngrok/certificate", "a ConfigMap with the key ca.crt")

    def ignored(self, gateway: Linked) -> Iterator[Problem]:
        """Annotations of the old prefix that say otherwise than the same one of today's, which alone is read."""
        if not self.serves(gateway):
            return
        for key, value in gateway.annotations.items():
            today = f"{_TODAY}{key.removeprefix(_OLD)}"
            if key.startswith(_OLD) and gateway.annotations.get(today, value) != value:
                message = f"is {value!r}, and not read: ngrok's operator reads {today}, which is there too and differs"
                yield Problem(message, below("metadata.annotations", key), "ngrok/annotation", "keep one of them")


def _protocol(listener: Mapping[str, Any], path: str, addresses: list[str]) -> Iterator[Problem]:
    protocol, hostname = text(listener, "protocol"), text(listener, "hostname")
    if protocol in _PORTS:
        port = _PORTS[protocol]
        if listener.get("port") != port:
            message = f"ngrok only supports {protocol} on port {port}"
            yield Problem(message, f"{path}.port", "ngrok/listener-port", f"port: {port}")
        if not hostname:
            message = f"ngrok does not support {protocol} listeners without a hostname"
            yield Problem(message, f"{path}.hostname", "ngrok/listener-hostname", "such as hostname: api.example.com")
    elif protocol in ("TCP", "TLS"):
        if not hostname and not addresses:
            message = f"ngrok's operator skips a {protocol} listener without host"
            hint = "spec.addresses: [{type: Hostname, value: 1.tcp.ngrok.io}]"
            yield Problem(message, path, "ngrok/listener-hostname", hint)
    else:
        known = "HTTP, HTTPS, TLS and TCP"
        message = "ngrok does not currently support UDP listeners"
        if protocol != "UDP":
            message = f"ngrok's operator ignores listeners of protocol {protocol!r}"
        yield Problem(message, f"{path}.protocol", "ngrok/listener-protocol", f"it serves {known}")


def _addresses(listener: Mapping[str, Any], path: str, addresses: list[str]) -> Iterator[Problem]:
    """The operator skips the whole Gateway where a listener is not for all of its addresses."""
    hostname = text(listener, "hostname")
    for address in addresses:
        if hostname and address and common_host(hostname, address) != address:
            message = f"{hostname!r} is not for the Gateway's address {address!r}: ngrok's operator skips the Gateway"
            hint = "every listener's hostname must be for every address of type Hostname"
            yield Problem(message, f"{path}.hostname", "ngrok/address-hostname", hint)


def _tls(listener: Mapping[str, Any], path: str) -> Iterator[Problem]:
    tls = mapping(listener, "tls")
    for place, reference in list(items(tls, f"{path}.tls", "certificateRefs"))[:1]:  # the others are not read
        if str(get(reference, "kind") or "Secret").lower() != "secret":
            message = f"ngrok's operator reads certificates from Secrets, not {reference['kind']}"
            yield Problem(message, f"{place}.kind", "ngrok/certificate", "a Secret of type kubernetes.io/tls")
    for key in mapping(tls, "options"):
        prefix = next((prefix for prefix in _PREFIXES if key.startswith(prefix)), "")
        if prefix and key.removeprefix(prefix) in _RESERVED:
            message = "is reserved: ngrok's operator skips the listener"
            hint = "certificateRefs of the listener, or tls.frontend of the Gateway"
            yield Problem(message, below(f"{path}.tls.options", key), "ngrok/tls-option", hint)
