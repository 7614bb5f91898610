"""Gateways that the specification allows and ngrok's operator does not serve."""

from __future__ import annotations

from typing import Any

import pytest

from apiops_components.validation.linked import linked
from apiops_components.validation.references import check_references

GROUP = "gateway.networking.k8s.io"
HOST = "api.example.com"
HTTPS = {"name": "a", "hostname": HOST, "port": 443, "protocol": "HTTPS"}
TCP = {"name": "a", "port": 5432, "protocol": "TCP"}
TLS = {"name": "a", "port": 8443, "protocol": "TLS", "tls": {"mode": "Passthrough"}}
UDP = {"name": "a", "port": 53, "protocol": "UDP"}
ADDRESS = {"type": "Hostname", "value": HOST}
FIRST = "spec.listeners[0]"


def made(kind: str, name: str, spec: Any) -> Any:
    metadata = {"name": name, "namespace": "edge"}
    return linked({"metadata": metadata, "spec": spec}, GROUP, kind)


def gateway(*listeners: Any, kind: str = "ngrok", **spec: Any) -> Any:
    return made("Gateway", "public", {"gatewayClassName": kind, "listeners": list(listeners), **spec})


def class_(name: str, controller: str) -> Any:
    return made("GatewayClass", name, {"controllerName": controller})


def tls(**block: Any) -> dict[str, Any]:
    return HTTPS | {"tls": block}


def found(*objects: Any) -> list[tuple[str, str]]:
    return [(one.problem.path, one.problem.code) for one in check_references(objects) if not one.warning]


SERVED = {
    "HTTPS on 443": gateway(HTTPS),
    "HTTP on 80": gateway(HTTPS | {"protocol": "HTTP", "port": 80}),
    "TCP with an address": gateway(TCP, addresses=[ADDRESS]),
    "TLS with an address": gateway(TLS, addresses=[ADDRESS]),
    "TLS with a hostname": gateway(TLS | {"hostname": HOST}),
    "a wildcard for its address": gateway(HTTPS | {"hostname": "*.example.com"}, addresses=[ADDRESS]),
    "an address of another type": gateway(HTTPS, addresses=[{"value": "10.0.0.1"}]),
    "options of its own": gateway(tls(options={"ngrok.com/terminate-tls.min_version": "1.3"})),
    "another class": gateway(UDP, kind="other"),
}  # fmt: skip


@pytest.mark.parametrize("name", SERVED)
def test_what_the_operator_serves_is_valid(name):
    assert found(SERVED[name]) == []


CA = {"group": "", "kind": "Secret", "name": "ca"}
REFUSED = {
    "HTTP": (gateway(HTTPS | {"protocol": "HTTP", "port": 8080}), f"{FIRST}.port", "ngrok/listener-port"),
    "HTTPS": (gateway(HTTPS | {"port": 8443}), f"{FIRST}.port", "ngrok/listener-port"),
    "no host": (
        gateway({"name": "a", "port": 80, "protocol": "HTTP"}),
        f"{FIRST}.hostname",
        "ngrok/listener-hostname",
    ),
    "UDP": (gateway(UDP), f"{FIRST}.protocol", "ngrok/listener-protocol"),
    "own": (gateway(HTTPS | {"protocol": "a.b/c"}), f"{FIRST}.protocol", "ngrok/listener-protocol"),
    "TCP": (gateway(TCP), FIRST, "ngrok/listener-hostname"),
    "TLS": (gateway(TLS, addresses=[{"value": "10.0.0.1"}]), FIRST, "ngrok/listener-hostname"),
    "address": (
        gateway(HTTPS, addresses=[ADDRESS | {"value": "a.example.com"}]),
        f"{FIRST}.hostname",
        "ngrok/address-hostname",
    ),
    "narrower": (
        gateway(HTTPS, addresses=[ADDRESS | {"value": "*.example.com"}]),
        f"{FIRST}.hostname",
        "ngrok/address-hostname",
    ),
    "certificate": (
        gateway(tls(certificateRefs=[{"name": "a", "kind": "ConfigMap"}])),
        f"{FIRST}.tls.certificateRefs[0].kind",
        "ngrok/certificate",
    ),
    "authority": (
        gateway(HTTPS, tls={"frontend": {"default": {"validation": {"caCertificateRefs": [CA]}}}}),
        "spec.tls.frontend.default.validation.caCertificateRefs[0].kind",
        "ngrok/certificate",
    ),
    "option": (
        gateway(tls(options={"ngrok.com/terminate-tls.server_certificate": "x"})),
        f'{FIRST}.tls.options["ngrok.com/terminate-tls.server_certificate"]',
        "ngrok/tls-option",
    ),
    "old option": (
        gateway(tls(options={"k8s.ngrok.com/terminate-tls.server_private_key": "x"})),
        f'{FIRST}.tls.options["k8s.ngrok.com/terminate-tls.server_private_key"]',
        "ngrok/tls-option",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_operator_does_not_serve_is_an_error_with_its_reason(name):
    item, path, code = REFUSED[name]
    assert found(item) == [(path, code)]
    (one,) = check_references([item])
    assert one.problem.hint
    assert "ngrok" in one.problem.message or "reserved" in one.problem.message


def test_the_class_is_ngroks_by_its_controller_and_without_it_by_its_name():
    wrong = [(f"{FIRST}.protocol", "ngrok/listener-protocol")]
    assert found(gateway(UDP, kind="edge"), class_("edge", "ngrok.com/gateway-controller")) == wrong
    assert found(gateway(UDP), class_("ngrok", "example.com/controller")) == []
    assert found(gateway(UDP), class_("other", "example.com/controller")) == wrong


NEW, OLD = "ngrok.com/description", "k8s.ngrok.com/description"


@pytest.mark.parametrize(
    ("kind", "annotations", "told"),
    [
        ("ngrok", {OLD: "a", NEW: "b"}, [f'metadata.annotations["{OLD}"]']),
        ("ngrok", {OLD: "a", NEW: "a"}, []),
        ("ngrok", {OLD: "a", "ngrok.com/metadata": "b"}, []),
        ("other", {OLD: "a", NEW: "b"}, []),
    ],
)
def test_an_annotation_of_old_beside_another_value_of_today_s_is_a_warning(kind, annotations, told):
    item = gateway(HTTPS, kind=kind)._replace(annotations=annotations)
    found = check_references([item])
    assert [(one.problem.path, one.warning) for one in found] == [(path, True) for path in told]
    for one in found:
        assert one.problem.code == "ngrok/annotation"
        assert (
            one.problem.message == f"is 'a', and not read: ngrok's operator reads {NEW}, which is there too and differs"
        )


def test_routes_that_the_operator_does_not_read_are_a_warning():
    route = made("GRPCRoute", "orders", {"parentRefs": [{"name": "public"}]})
    ((number, problem, warning),) = check_references([gateway(HTTPS), route])
    assert (number, problem.path, problem.code, warning) == (1, "spec.parentRefs[0]", "ngrok/route-kind", True)
    assert check_references([gateway(HTTPS, kind="other"), route]) == []


def test_the_messages_about_listeners_are_the_operators():
    told = {name: check_references([REFUSED[name][0]])[0].problem.message for name in ("HTTP", "no host", "UDP")}
    assert told == {
        "HTTP": "ngrok only supports HTTP on port 80",
        "no host": "ngrok does not support HTTP listeners without a hostname",
        "UDP": "ngrok does not currently support UDP listeners",
    }
