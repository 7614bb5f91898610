"""ngrok's kinds: what its API and its definitions refuse, and what is deprecated."""

# ruff: noqa: E501  (one case a line)

from __future__ import annotations

import copy
from typing import Any

import pytest

from apiops_components.documents import dump, load_all
from apiops_components.validation import Result, validate

DENY = {"on_http_request": [{"actions": [{"type": "deny"}]}]}
MAYBE = {"on_http_request": [{"expressions": ["req.method == 'GET'"], "actions": [{"type": "deny"}]}]}
TCP = {"on_tcp_connect": [{"actions": [{"type": "deny"}]}]}
SPECS: dict[str, dict[str, Any]] = {
    "CloudEndpoint": {"url": "https://api.example.com", "trafficPolicy": {"inline": DENY}},
    "AgentEndpoint": {"url": "https://a.internal:8443", "upstream": {"url": "http://orders.shop:8080"}},
    "Domain": {"domain": "*.example.com", "reclaimPolicy": "Retain", "resolvesTo": [{"value": "us"}]},
    "IPPolicy": {"rules": [{"cidr": "10.0.0.0/8", "action": "allow"}, {"cidr": "2001:db8::/32", "action": "deny"}]},
    "NgrokTrafficPolicy": {"policy": DENY},
}
GROUPS = {"Domain": "ingress", "IPPolicy": "ingress"}


def one(value: Any) -> Result:
    (document,) = load_all(dump(value), "a.yaml")
    (result,) = validate(document)
    return result


def made(kind: str, **spec: Any) -> dict[str, Any]:
    whole = {key: value for key, value in {**copy.deepcopy(SPECS[kind]), **spec}.items() if value is not ...}
    version = f"{GROUPS.get(kind, 'ngrok')}.k8s.ngrok.com/v1alpha1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": whole}


@pytest.mark.parametrize("kind", SPECS)
def test_a_good_object_is_valid_without_warnings(kind: str) -> None:
    result = one(made(kind))
    assert ([*map(str, result.problems)], result.warnings) == ([], ())


@pytest.mark.parametrize(
    "spec",
    [
        {"url": ""},
        {"url": "https://"},
        {"url": "api.example.com"},
        {"url": "https://api.example.com:443"},
        {"url": "http://api.example.com:80"},
        {"url": "tls://api.example.com", "trafficPolicy": {"inline": TCP}},
        {"url": "tcp://1.tcp.ngrok.io:12345", "trafficPolicy": {"inline": TCP}},
        {"trafficPolicy": {"inline": TCP}},
        {"trafficPolicy": {"targetRef": {"name": "p"}}},
        {"url": "http://service.namespace:8080", "bindings": ["kubernetes"]},
        {"url": "https://a.b.c.d.e.internal", "bindings": ["internal"]},
        {"metadata": {"team": "shop"}, "poolingEnabled": True, "description": None},
    ],
)
def test_every_form_of_a_cloud_endpoint_is_taken(spec: dict[str, Any]) -> None:
    assert [*map(str, one(made("CloudEndpoint", **spec)).problems)] == []


@pytest.mark.parametrize(
    ("kind", "spec", "path", "code", "number"),
    [
        ("CloudEndpoint", {"url": ...}, "spec.url", "schema/required", ""),
        ("CloudEndpoint", {"url": "https://a.example.com/x"}, "spec.url", "ngrok/url-path", "9037"),
        ("CloudEndpoint", {"url": "https://a.example.com/"}, "spec.url", "ngrok/url-path", "9037"),
        ("CloudEndpoint", {"url": "https://a.example.com:8443"}, "spec.url", "ngrok/url-port", "9035"),
        ("CloudEndpoint", {"url": "http://a.example.com:443"}, "spec.url", "ngrok/url-port", "9035"),
        ("CloudEndpoint", {"url": "tcp://a.example.com:70000", "trafficPolicy": {"inline": TCP}}, "spec.url", "ngrok/url-port", ""),
        ("CloudEndpoint", {"url": "ftp://a.example.com"}, "spec.url", "ngrok/url-scheme", "9034"),
        ("CloudEndpoint", {"url": "https://A.example.com"}, "spec.url", "ngrok/url-host", ""),
        ("CloudEndpoint", {"url": "https://a:b:c"}, "spec.url", "ngrok/url", ""),
        ("CloudEndpoint", {"url": "https://a.b.c.d.e.f.internal"}, "spec.url", "ngrok/url-internal", "9031"),
        ("CloudEndpoint", {"bindings": ["internal"]}, "spec.bindings", "ngrok/binding", ""),
        ("CloudEndpoint", {"url": "https://a.internal", "bindings": ["public"]}, "spec.bindings", "ngrok/binding", ""),
        ("CloudEndpoint", {"bindings": ["kubernetes"]}, "spec.url", "ngrok/binding", ""),
        ("CloudEndpoint", {"bindings": ["public", "internal"]}, "spec.bindings", "schema/too-long", ""),
        ("CloudEndpoint", {"bindings": ["private"]}, "spec.bindings[0]", "schema/literal-error", ""),
        ("CloudEndpoint", {"trafficPolicy": {"inline": MAYBE}}, "spec.trafficPolicy.inline", "ngrok/terminates", "2235"),
        ("CloudEndpoint", {"trafficPolicy": {"policy": MAYBE}}, "spec.trafficPolicy.policy", "ngrok/terminates", "2235"),
        ("CloudEndpoint", {"trafficPolicy": {"inline": {}}}, "spec.trafficPolicy.inline", "ngrok/terminates", "2235"),
        ("CloudEndpoint", {"trafficPolicy": {"inline": DENY, "targetRef": {"name": "p"}}}, "spec.trafficPolicy", "ngrok/policy-source", ""),
        ("CloudEndpoint", {"trafficPolicy": {"inline": DENY, "policy": DENY}}, "spec.trafficPolicy.policy", "ngrok/policy-source", ""),
        ("CloudEndpoint", {"url": "tls://a.example.com"}, "spec.trafficPolicy.inline.on_http_request", "ngrok/phase", "2230"),
        ("CloudEndpoint", {"url": "https://a.internal", "trafficPolicy": {"inline": TCP}}, "spec.trafficPolicy.inline.on_tcp_connect", "ngrok/phase", "2262"),
        ("CloudEndpoint", {"url": "http://a.example.com", "trafficPolicy": {"inline": {"on_tcp_connect": [{"actions": [{"type": "terminate-tls"}, {"type": "deny"}]}]}}}, "spec.trafficPolicy.inline.on_tcp_connect[0].actions[0]", "ngrok/tls", "2205"),
        ("CloudEndpoint", {"pooling": True}, "spec.pooling", "schema/unknown-field", ""),
        ("CloudEndpoint", {"metadata": "{"}, "spec.metadata", "ngrok/metadata", ""),
        ("AgentEndpoint", {"upstream": ...}, "spec.upstream", "schema/required", ""),
        ("AgentEndpoint", {"upstream": {"url": "tcp://x"}}, "spec.upstream.url", "ngrok/upstream", ""),
        ("AgentEndpoint", {"upstream": {"url": "99999"}}, "spec.upstream.url", "ngrok/upstream", ""),
        ("AgentEndpoint", {"upstream": {"url": "http://x/y"}}, "spec.upstream.url", "ngrok/upstream", ""),
        ("AgentEndpoint", {"upstream": {"url": "80", "protocol": "http3"}}, "spec.upstream.protocol", "schema/literal-error", ""),
        ("AgentEndpoint", {"upstream": {"url": "80", "proxyProtocolVersion": 1}}, "spec.upstream.proxyProtocolVersion", "schema/literal-error", ""),
        ("AgentEndpoint", {"trafficPolicy": {}}, "spec.trafficPolicy", "ngrok/policy-source", ""),
        ("AgentEndpoint", {"trafficPolicy": {"inline": DENY, "targetRef": {"name": "p"}}}, "spec.trafficPolicy", "ngrok/policy-source", ""),
        ("AgentEndpoint", {"trafficPolicy": {"policy": DENY}}, "spec.trafficPolicy.policy", "schema/unknown-field", ""),
        ("AgentEndpoint", {"tlsTermination": {"serverCertificateRef": {"name": "a"}}}, "spec.url", "ngrok/tls-url", ""),
        ("AgentEndpoint", {"clientCertificateRefs": [{"name": "a", "namespace": "b"}]}, "spec.clientCertificateRefs[0].namespace", "schema/unknown-field", ""),
        ("AgentEndpoint", {"poolingEnabled": True}, "spec.poolingEnabled", "schema/unknown-field", ""),
        ("Domain", {"domain": "https://a.example.com"}, "spec.domain", "ngrok/domain", ""),
        ("Domain", {"domain": "a.internal"}, "spec.domain", "ngrok/domain", ""),
        ("Domain", {"reclaimPolicy": "retain"}, "spec.reclaimPolicy", "schema/literal-error", ""),
        ("Domain", {"region": "us"}, "spec.region", "schema/unknown-field", ""),
        ("IPPolicy", {"rules": [{"cidr": "10.0.0.1", "action": "allow"}]}, "spec.rules[0].cidr", "ngrok/cidr", "1413"),
        ("IPPolicy", {"rules": [{"cidr": "10.0.0.1/8", "action": "allow"}]}, "spec.rules[0].cidr", "ngrok/cidr", "1409"),
        ("IPPolicy", {"rules": [{"cidr": "10.0.0.0/255.0.0.0", "action": "allow"}]}, "spec.rules[0].cidr", "ngrok/cidr", ""),
        ("IPPolicy", {"rules": [{"cidr": "x/8", "action": "allow"}]}, "spec.rules[0].cidr", "ngrok/cidr", ""),
        ("IPPolicy", {"rules": [{"cidr": "1.2.3.4/32", "action": "allow"}] * 2}, "spec.rules[1].cidr", "ngrok/duplicate", "1408"),
        ("IPPolicy", {"rules": [{"cidr": "1.2.3.4/32", "action": "permit"}]}, "spec.rules[0].action", "schema/literal-error", ""),
        ("IPPolicy", {"rules": [{"cidr": "1.2.3.4/32", "action": "deny", "description": "x" * 256}]}, "spec.rules[0].description", "schema/string-too-long", ""),
        ("NgrokTrafficPolicy", {"policy": ...}, "spec.policy", "schema/required", ""),
        ("NgrokTrafficPolicy", {"policy": ..., "on_http_request": []}, "spec.on_http_request", "schema/unknown-field", ""),
    ],
)  # fmt: skip
def test_one_fault_is_refused_at_its_place(kind: str, spec: dict[str, Any], path: str, code: str, number: str) -> None:
    result = one(made(kind, **spec))
    found = [problem for problem in result.problems if (problem.path, problem.code) == (path, code)]
    assert found, result.problems
    assert not number or f"ERR_NGROK_{number}" in found[0].message


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        ("CloudEndpoint", {"trafficPolicy": {"policy": DENY}}, "spec.trafficPolicy.policy"),
        ("CloudEndpoint", {"trafficPolicy": ..., "trafficPolicyName": "p"}, "spec.trafficPolicyName"),
        ("CloudEndpoint", {"trafficPolicy": ...}, "spec.trafficPolicy"),
        ("CloudEndpoint", {"metadata": '{"a": "b"}'}, "spec.metadata"),
        ("AgentEndpoint", {"metadata": '{"a": "b"}'}, "spec.metadata"),
        ("Domain", {"resolvesTo": ..., "resolves_to": [{"value": "us"}]}, "spec.resolves_to"),
        ("IPPolicy", {"rules": [{"cidr": "1.2.3.4/32", "action": "deny", "metadata": "{}"}]}, "spec.rules[0].metadata"),
    ],
)
def test_what_is_deprecated_is_valid_with_a_warning(kind: str, spec: dict[str, Any], path: str) -> None:
    result = one(made(kind, **spec))
    assert result.status == "valid", result.problems
    assert [(warning.path, warning.file) for warning in result.warnings] == [(path, "a.yaml")]


def test_the_wrong_versions_of_the_documentation_are_refused_with_the_right_ones() -> None:
    policy = {"apiVersion": "ingress.k8s.ngrok.com/v1alpha1", "kind": "NgrokTrafficPolicy", "metadata": {"name": "a"}}
    found = {problem.path: problem.hint for problem in one({**policy, "policy": DENY}).problems}
    assert found["apiVersion"] == "write ngrok.k8s.ngrok.com/v1alpha1"
    assert found["policy"] == "it belongs below spec: spec.policy"
    (problem,) = one({**made("CloudEndpoint"), "apiVersion": "ngrok.k8s.ngrok.com/v1"}).problems
    assert (problem.path, problem.hint) == ("apiVersion", "write ngrok.k8s.ngrok.com/v1alpha1")


@pytest.mark.parametrize("kind", ["HTTPSEdge", "TCPEdge", "TLSEdge", "Tunnel", "NgrokModuleSet"])
def test_kinds_that_are_gone_are_refused(kind: str) -> None:
    (problem,) = one({"apiVersion": "ingress.k8s.ngrok.com/v1alpha1", "kind": kind, "metadata": {"name": "a"}}).problems
    assert problem.code == "object/removed"


def test_a_phase_as_a_mapping_gives_one_problem_with_the_fix() -> None:
    (document,) = load_all("on_http_request:\n  actions:\n  - type: deny\n")
    (problem,) = next(iter(validate(document))).problems
    assert (problem.path, problem.line, problem.hint) == ("on_http_request", 1, "put '- ' before each rule")
    result = one(made("NgrokTrafficPolicy", policy={"on_http_request": {"actions": []}}))
    assert [problem.path for problem in result.problems] == ["spec.policy.on_http_request"]
