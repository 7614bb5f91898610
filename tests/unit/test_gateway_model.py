from __future__ import annotations

import pytest
from pydantic import ValidationError

from apiops_components import Problem
from apiops_components.errors import problems_of
from apiops_components.models.gateway import Gateway, GatewayClass

LISTENER = {"name": "https", "hostname": "api.example.com", "port": 443, "protocol": "HTTPS"}


def gateway(*listeners: dict, **fields) -> dict:
    return {"gatewayClassName": "ngrok", "listeners": list(listeners) or [LISTENER], **fields}


def listener(**value) -> dict:
    return gateway(LISTENER | value)


def addresses(*given: dict) -> dict:
    return gateway(addresses=list(given))


def problems(spec: dict, model: type = Gateway) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(spec)
    return list(problems_of(caught.value, spec))


CERTIFICATE = {"certificateRefs": [{"name": "tls"}]}
CA = {"validation": {"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]}}
TLS = "gateway/listener-tls"
VALID = [
    gateway(),
    gateway(*(LISTENER | {"name": f"l{n}", "hostname": f"h{n}.example.com"} for n in range(64))),
    listener(tls=CERTIFICATE),
    listener(tls={"options": {f"o{n}": "x" for n in range(16)}}),
    listener(protocol="TLS", tls={"mode": "Passthrough"}),
    listener(protocol="HTTP", port=80, hostname="*.example.com"),
    gateway({"name": "tcp", "port": 5432, "protocol": "TCP"}),
    gateway({"name": "own", "port": 1, "protocol": "example.com/Bar"}),
    gateway(
        {"name": "a", "port": 80, "protocol": "HTTP"}, {"name": "b", "port": 80, "protocol": "HTTP", "hostname": "a"}
    ),
    listener(allowedRoutes={"namespaces": {"from": "All"}, "kinds": [{"kind": "HTTPRoute"}]}),
    listener(allowedRoutes={"namespaces": {"from": "Selector", "selector": {"matchLabels": {"a": "b"}}}}),
    addresses({"value": "10.0.0.1"}, {"value": "2001:db8::1"}, {"type": "Hostname", "value": "a.example.com"}),
    addresses({}, {"type": "Hostname"}, {"type": "NamedAddress", "value": "x y"}, {"type": "Hostname"}),
    addresses({"type": "example.com/own", "value": "x"}, {"type": "Hostname", "value": "*.example.com"}),
    gateway(infrastructure={"labels": {f"example.com/l{n}": "v" for n in range(8)}, "annotations": {"a": "v" * 4096}}),
    gateway(tls={"frontend": {"default": CA, "perPort": [{"port": 443, "tls": CA}, {"port": 444, "tls": CA}]}}),
]
REFUSED = [
    ({"listeners": [LISTENER]}, "gatewayClassName", "schema/required", "required"),
    ({"gatewayClassName": "ngrok"}, "listeners", "schema/required", "required"),
    ({"gatewayClassName": "", "listeners": [LISTENER]}, "gatewayClassName", "name/dns-subdomain", "''"),
    ({"gatewayClassName": "x", "listeners": []}, "listeners", "schema/too-short", "at least 1 item is expected, got 0"),
    (
        gateway(*(LISTENER | {"name": f"l{n}", "hostname": f"h{n}"} for n in range(65))),
        "listeners",
        "schema/too-long",
        "at most 64 items are expected, got 65",
    ),
    (gateway({"port": 443, "protocol": "HTTPS"}), "listeners[0].name", "schema/required", "required"),
    (gateway({"name": "a", "protocol": "HTTPS"}), "listeners[0].port", "schema/required", "required"),
    (gateway({"name": "a", "port": 443}), "listeners[0].protocol", "schema/required", "required"),
    (listener(name="A"), "listeners[0].name", "name/dns-subdomain", "'A'"),
    (listener(hostname="A"), "listeners[0].hostname", "name/hostname", "'A'"),
    (listener(hostname=""), "listeners[0].hostname", "name/hostname", "''"),
    (listener(port=0), "listeners[0].port", "schema/greater-than-equal", "1"),
    (listener(port=65536), "listeners[0].port", "schema/less-than-equal", "65535"),
    (listener(protocol=""), "listeners[0].protocol", "gateway/protocol", "a protocol"),
    (listener(protocol="HTTP 2"), "listeners[0].protocol", "gateway/protocol", "'HTTP 2'"),
    *(
        (
            gateway({"name": "a", "port": 80, "protocol": protocol, "tls": CERTIFICATE}),
            "listeners[0].tls",
            TLS,
            "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
        )
        for protocol in ("HTTP", "TCP", "UDP")
    ),
    (
        listener(tls={"mode": "Passthrough"}),
        "listeners[0].tls.mode",
        TLS,
        "tls mode must be Terminate for protocol HTTPS",
    ),
    (listener(protocol="TLS"), "listeners[0].tls", TLS, "tls mode must be set for protocol TLS"),
    *(
        (
            listener(protocol=protocol),
            "listeners[0].hostname",
            "gateway/listener-hostname",
            "hostname must not be specified for protocols ['TCP', 'UDP']",
        )
        for protocol in ("TCP", "UDP")
    ),
    (
        gateway(LISTENER, LISTENER | {"port": 444}),
        "listeners[1].name",
        "gateway/listener-name",
        "Listener name must be unique within the Gateway",
    ),
    (
        gateway(LISTENER, LISTENER | {"name": "b"}),
        "listeners[1]",
        "gateway/listener-unique",
        "Combination of port, protocol and hostname must be unique for each listener",
    ),
    (
        gateway({"name": "a", "port": 80, "protocol": "HTTP"}, {"name": "b", "port": 80, "protocol": "HTTP"}),
        "listeners[1]",
        "gateway/listener-unique",
        "Combination of port, protocol and hostname",
    ),
    (
        listener(tls={}),
        "listeners[0].tls",
        "gateway/tls",
        "certificateRefs or options must be specified when mode is Terminate",
    ),
    (listener(tls=CERTIFICATE | {"mode": "Off"}), "listeners[0].tls.mode", "schema/literal-error", "'Terminate'"),
    (
        listener(tls={"certificateRefs": [{"name": "a"}] * 65}),
        "listeners[0].tls.certificateRefs",
        "schema/too-long",
        "64",
    ),
    (
        listener(tls={"certificateRefs": [{}]}),
        "listeners[0].tls.certificateRefs[0].name",
        "schema/required",
        "required",
    ),
    (
        listener(tls={"certificateRefs": [{"name": "a", "kind": "1"}]}),
        "listeners[0].tls.certificateRefs[0].kind",
        "name/kind",
        "'1'",
    ),
    (
        listener(tls={"certificateRefs": [{"name": "a", "group": "A"}]}),
        "listeners[0].tls.certificateRefs[0].group",
        "name/group",
        "'A'",
    ),
    (listener(tls={"options": {f"o{n}": "x" for n in range(17)}}), "listeners[0].tls.options", "schema/too-long", "16"),
    (
        listener(tls={"options": {"o": "x" * 4097}}),
        "listeners[0].tls.options.o",
        "schema/string-too-long",
        "4096",
    ),
    (
        listener(allowedRoutes={"kinds": [{"kind": f"K{n}"} for n in range(9)]}),
        "listeners[0].allowedRoutes.kinds",
        "schema/too-long",
        "at most 8",
    ),
    (
        listener(allowedRoutes={"kinds": [{}]}),
        "listeners[0].allowedRoutes.kinds[0].kind",
        "schema/required",
        "required",
    ),
    (
        listener(allowedRoutes={"kinds": [{"kind": "a b"}]}),
        "listeners[0].allowedRoutes.kinds[0].kind",
        "name/kind",
        "'a b'",
    ),
    (
        listener(allowedRoutes={"namespaces": {"from": "None"}}),
        "listeners[0].allowedRoutes.namespaces.from",
        "schema/literal-error",
        "'All', 'Selector' or 'Same'",
    ),
    (addresses(*({"value": f"10.0.0.{n}"} for n in range(17))), "addresses", "schema/too-long", "at most 16"),
    (addresses({"value": "a.example.com"}), "addresses[0].value", "gateway/address", "is not an IP address"),
    (
        addresses({"type": "Hostname", "value": "A"}),
        "addresses[0].value",
        "gateway/address",
        "Hostname value must be empty",
    ),
    (addresses({"type": "Mail", "value": "A"}), "addresses[0].type", "gateway/address", "'Mail'"),
    (addresses({"type": "NamedAddress", "value": "a" * 254}), "addresses[0].value", "schema/string-too-long", "253"),
    *(
        (
            addresses(*[{"type": kind, "value": value}] * 2),
            "addresses[1].value",
            "gateway/address-unique",
            f"{kind} values must be unique",
        )
        for kind, value in (("IPAddress", "10.0.0.1"), ("Hostname", "a.example.com"))
    ),
    (
        gateway(infrastructure={"labels": {f"l{n}": "v" for n in range(9)}}),
        "infrastructure.labels",
        "schema/too-long",
        "at most 8",
    ),
    (
        gateway(infrastructure={"annotations": {f"l{n}": "v" for n in range(9)}}),
        "infrastructure.annotations",
        "schema/too-long",
        "at most 8",
    ),
    (gateway(infrastructure={"labels": {"a": "b c"}}), "infrastructure.labels.a", "label/value", "'b c'"),
    (
        gateway(infrastructure={"annotations": {"a": "b" * 4097}}),
        "infrastructure.annotations.a",
        "schema/string-too-long",
        "4096",
    ),
    (
        gateway(infrastructure={"annotations": {"A/b": "c"}}),
        'infrastructure.annotations["A/b"]',
        "gateway/infrastructure-key",
        "Annotation keys must be in the form of an optional DNS subdomain prefix",
    ),
    (
        gateway(infrastructure={"labels": {"a/": "c"}}),
        'infrastructure.labels["a/"]',
        "gateway/infrastructure-key",
        "Label keys must be in the form of an optional DNS subdomain prefix",
    ),
    (
        gateway(tls={"frontend": {"default": CA, "perPort": [{"port": 443, "tls": CA}] * 2}}),
        "tls.frontend.perPort[1].port",
        "gateway/tls-port",
        "Port for TLS configuration must be unique within the Gateway",
    ),
]


@pytest.mark.parametrize("spec", VALID)
def test_what_the_definitions_allow_is_taken(spec):
    assert Gateway.model_validate(spec).listeners


@pytest.mark.parametrize(("spec", "where", "code", "message"), REFUSED)
def test_each_constraint_of_the_definitions_refuses_with_path_and_code(spec, where, code, message):
    (problem,) = problems(spec)
    assert (problem.path, problem.code) == (where, code)
    assert message in problem.message


def test_every_problem_of_a_gateway_is_told_at_once():
    spec = gateway(
        LISTENER | {"tls": {"mode": "Passthrough"}},
        LISTENER | {"port": 70000},
        {"name": "x", "port": 1, "protocol": "TCP", "hostname": "a"},
        adresses=[],
    )
    assert {problem.path for problem in problems(spec)} == {
        "listeners[0].tls.mode",
        "listeners[1].port",
        "listeners[2].hostname",
        "adresses",
    }


CLASSES = [
    ({"controllerName": "ngrok.com/gateway-controller", "description": "d" * 64}, None, ""),
    ({}, "controllerName", "schema/required"),
    ({"controllerName": "ngrok.com"}, "controllerName", "gateway/controller-name"),
    ({"controllerName": "ngrok.com/"}, "controllerName", "gateway/controller-name"),
    ({"controllerName": "Ngrok.com/a"}, "controllerName", "gateway/controller-name"),
    ({"controllerName": f"a.b/{'c' * 250}"}, "controllerName", "gateway/controller-name"),
    ({"controllerName": "a.b/c", "description": "d" * 65}, "description", "schema/string-too-long"),
]


@pytest.mark.parametrize(("spec", "where", "code"), CLASSES)
def test_a_class_names_its_controller(spec, where, code):
    if where is None:
        assert GatewayClass.model_validate(spec).controller_name == spec["controllerName"]
    else:
        (problem,) = problems(spec, GatewayClass)
        assert (problem.path, problem.code) == (where, code)
