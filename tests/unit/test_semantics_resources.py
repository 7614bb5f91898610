from __future__ import annotations

import sys
from pathlib import Path

import pytest

from apiops_components.documents import load_all
from apiops_components.errors import InvalidInput
from apiops_components.semantics.resources import NEVER, Resources

sys.path.insert(0, str(Path(__file__).parent))
from semantics_objects import gateway, grant, namespace, policy, route, rule, service

ALL = [
    route("b", rule("/"), creationTimestamp="2026-01-01T00:00:00Z", labels={"a": "b"}, annotations={"c": 1}),
    route("a", rule("/"), namespace=""),
    gateway(),
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "ngrok"},
        "spec": {"controllerName": "ngrok.com/gateway-controller"},
    },
    grant("shop", "HTTPRoute", "other"),
    service("orders", 80, 81),
    namespace("shop", team="blue"),
    policy("limits"),
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ignored"}},
    {"apiVersion": "networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "of-another-group"}},
]


def test_objects_are_picked_typed_and_named():
    found = Resources.of(ALL)

    assert list(found.routes) == ["default/a", "shop/b"]
    assert (found.routes["shop/b"].created, found.routes["default/a"].created) == ("2026-01-01T00:00:00Z", NEVER)
    assert (found.routes["shop/b"].labels, found.routes["shop/b"].annotations) == ({"a": "b"}, {"c": "1"})
    assert found.routes["shop/b"].spec.rules[0].backend_refs[0].weight == 1
    assert [list(each) for each in (found.gateways, found.classes, found.grants, found.namespaces)] == [
        ["shop/edge"],
        ["ngrok"],
        ["shop/httproute-other"],
        ["shop"],
    ]
    assert [port.port for port in found.service("shop", "orders").spec.ports] == [80, 81]
    assert found.policies["shop/limits"].spec.on_http_request
    assert found.labels_of_namespace("shop") == {"team": "blue", "kubernetes.io/metadata.name": "shop"}
    assert found.labels_of_namespace("other") == {"kubernetes.io/metadata.name": "other"}


def test_a_list_is_taken_apart():
    assert list(Resources.of([{"apiVersion": "v1", "kind": "List", "items": ALL}]).routes) == ["default/a", "shop/b"]


def test_what_is_wrong_is_told_with_document_path_and_line():
    text = """\
apiVersion: v1
kind: List
items:
- apiVersion: gateway.networking.k8s.io/v1
  kind: HTTPRoute
  metadata: {name: a, namespace: shop}
  spec:
    rules:
    - matches:
      - path: {value: a}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: ngrok
"""
    with pytest.raises(InvalidInput) as error:
        Resources.read(load_all(text, "a.yaml"))
    assert [(p.file, p.line, p.document, p.path) for p in error.value.problems] == [
        ("a.yaml", 10, "HTTPRoute shop/a", "spec.rules[0].matches[0].path.value"),
        ("a.yaml", 15, "Gateway edge", "spec.listeners"),
    ]


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        (["text"], "document 0: an object is a mapping"),
        ([{**ALL[0], "metadata": {}}], "HTTPRoute of document 0: metadata.name: required, but missing"),
        ([{**ALL[0], "metadata": {"name": 1}}], "metadata.name: required, but missing"),
        ([{**ALL[0], "spec": None}, {**ALL[2], "spec": None}], "Gateway shop/edge: spec.gatewayClassName: required"),
        ([{**ALL[0], "apiVersion": "gateway.networking.k8s.io/v1alpha2"}], "version 'v1alpha2' of HTTPRoute"),
        ([ALL[0], ALL[0]], "HTTPRoute shop/b: is there twice"),
        ([{**ALL[5], "spec": {"ports": [{"port": "http"}]}}], "Service shop/orders: spec.ports[0].port"),
        ([{**ALL[7], "spec": {"policy": {"on_http_request": [{}]}}}], "NgrokTrafficPolicy shop/limits: spec.policy"),
    ],
)
def test_what_is_no_such_object_is_refused(objects, message):
    with pytest.raises(InvalidInput) as error:
        Resources.of(objects)
    assert message in str(error.value)


def test_a_service_is_missing_only_where_others_are_known():
    found = Resources.of(ALL)

    assert [found.is_missing(*place) for place in (("shop", "orders"), ("shop", "x"), ("other", "x"))] == [
        *(False, True, False)
    ]


def test_grants_say_who_may_refer_to_what():
    found = Resources.of([grant("shop", "HTTPRoute", "other"), grant("data", "HTTPRoute", "other", name="db")])

    assert found.may_refer("HTTPRoute", "other", "Service", "shop", "any")
    assert found.may_refer("HTTPRoute", "other", "Service", "other", "any")
    assert found.may_refer("HTTPRoute", "other", "Service", "data", "db")
    assert not found.may_refer("HTTPRoute", "other", "Service", "data", "any")
    assert not found.may_refer("HTTPRoute", "third", "Service", "shop", "any")
    assert not found.may_refer("Gateway", "other", "Service", "shop", "any")
    assert not found.may_refer("HTTPRoute", "other", "Secret", "shop", "any")
    assert not found.may_refer("HTTPRoute", "other", "Service", "shop", "any", group="example.com")
