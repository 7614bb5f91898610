from __future__ import annotations

import sys
from pathlib import Path

import pytest

from apiops_components.errors import InvalidInput
from apiops_components.semantics.operator import Operator
from apiops_components.semantics.request import request_of
from apiops_components.semantics.resources import Resources

sys.path.insert(0, str(Path(__file__).parent))
from semantics_objects import backend, gateway, grant, listener, match, namespace, policy, route, rule, service

EDGE = gateway("edge", "https://a.example.com")
URL = "https://a.example.com"
NOTHING = dict.fromkeys(["gateway", "listener", "route", "rule", "backend", "backends", "request", "response"])
CLOSED = NOTHING | {"outcome": "closed", "status": None, "actions": []}


def answer(objects, url, method="GET", **more):
    return Operator(Resources.of(objects)).answer(request_of({"url": url, "method": method, **more})).json()


def where(objects, url, method="GET", **more):
    """Route and rule, or else the outcome."""
    found = answer(objects, url, method, **more)
    return f"{found['route'].partition('/')[2]}.{found['rule']}" if found["route"] else found["outcome"]


def backends(found):
    listed = found["backends"] or [found["backend"] | {"share": 1.0}]
    return {f"{each['name']}:{each['port']}": each["share"] for each in listed}


def annotated(item, **annotations):
    names = {f"ngrok.com/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return item | {"metadata": item["metadata"] | {"annotations": names}}


# --- whole outcomes ------------------------------------------------------------------------------------------------


def test_a_request_that_is_forwarded():
    objects = [EDGE, route("orders", rule("/v1", to=["orders:8080"]))]
    given = {"headers": {"Accept": "a/b"}, "response": {"status": 201, "headers": {"X-Served-By": "v1"}}}
    assert answer(objects, f"{URL}/v1/orders?x=1", "POST", **given) == {
        "outcome": "forwarded",
        "status": None,
        "gateway": "shop/edge",
        "listener": "https-a.example.com-443",
        "route": "shop/orders",
        "rule": 0,
        "backend": {"namespace": "shop", "name": "orders", "port": 8080, "weight": 1},
        "backends": None,
        "request": {
            "method": "POST",
            "host": "a.example.com",
            "path": "/v1/orders",
            "query": "x=1",
            "headers": {"accept": "a/b"},
        },
        "actions": [],
        "response": {"status": 201, "headers": {"x-served-by": "v1"}},
    }


def test_a_request_that_nothing_takes():
    found = answer([EDGE, route("a", rule("/a"))], f"{URL}/b")
    assert found == NOTHING | {
        "outcome": "no-route",
        "status": 404,
        "gateway": "shop/edge",
        "listener": "https-a.example.com-443",
        "actions": [],
        "response": {"status": 404, "headers": {}},
    }


def test_a_request_to_no_endpoint():
    objects = [EDGE, route("a", rule("/"))]
    assert answer(objects, "http://a.example.com/") == CLOSED
    assert answer(objects, "https://b.example.com/") == CLOSED
    assert answer(objects, "https://a.example.com:8443/") == CLOSED


def test_a_redirect():
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    objects = [gateway("edge", "http://a.example.com"), route("a", rule("/", to=(), filters=[redirect]))]
    assert answer(objects, "http://a.example.com/x?y=1") == NOTHING | {
        "outcome": "responded",
        "status": 301,
        "gateway": "shop/edge",
        "listener": "http-a.example.com-80",
        "route": "shop/a",
        "rule": 0,
        "actions": [],
        "response": {"status": 301, "headers": {"location": "https://a.example.com/x?y=1"}},
    }


# --- which endpoint ------------------------------------------------------------------------------------------------


def test_a_narrower_hostname_of_a_route_is_not_enforced():
    objects = [gateway("edge", "https://*.example.com"), route("a", rule("/"), hosts=["a.example.com"])]
    assert where(objects, "https://a.example.com/") == "a.0"
    assert where(objects, "https://b.example.com/") == "a.0"
    assert where(objects, "https://b.c.example.com/") == "a.0"
    assert where(objects, "https://example.com/") == "closed"


def test_an_exact_host_goes_before_wildcards_the_longest_first():
    edge = gateway("edge", "https://*.example.com", "https://*.b.example.com", "https://a.b.example.com")
    names = [each["name"] for each in edge["spec"]["listeners"]]
    routes = [
        route(f"r{number}", rule("/"), parents=[{"name": "edge", "sectionName": name}])
        for number, name in enumerate(names)
    ]
    objects = [edge, *routes]
    assert where(objects, "https://a.example.com/") == "r0.0"
    assert where(objects, "https://c.b.example.com/") == "r1.0"
    assert where(objects, "https://a.b.example.com/") == "r2.0"


def test_a_listener_takes_no_route_that_is_wider_than_itself():
    objects = [gateway("edge", "https://*.b.example.com"), route("a", rule("/"), hosts=["*.example.com"])]
    assert where(objects, "https://a.b.example.com/") == "closed"


def test_a_listener_without_a_host_serves_nothing():
    assert where([gateway("edge", "https://"), route("a", rule("/"))], "https://a.example.com/") == "closed"


def test_addresses_are_the_hosts_and_every_listener_must_match_each():
    edge = gateway("edge", "https://")
    edge["spec"]["addresses"] = [{"type": "Hostname", "value": "a.example.com"}, {"type": "IPAddress", "value": "::1"}]
    assert where([edge, route("a", rule("/"))], f"{URL}/") == "a.0"
    edge["spec"]["listeners"].append(listener("https://b.example.com:8443"))
    assert where([edge, route("a", rule("/"))], f"{URL}/") == "closed"


def test_ports_stay_in_the_endpoint():
    objects = [gateway("edge", "https://a.example.com:8443", "http://a.example.com:443"), route("a", rule("/"))]
    assert where(objects, "https://a.example.com:8443/") == "a.0"
    assert where(objects, "https://a.example.com/") == "closed"


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, "closed"),
        ({"allowedRoutes": {"namespaces": {"from": "All"}}}, "a.0"),
        ({"allowedRoutes": {"namespaces": {"from": "All"}, "kinds": [{"kind": "GRPCRoute"}]}}, "closed"),
        ({"allowedRoutes": {"namespaces": {"from": "All"}, "kinds": [{"group": "x.io", "kind": "HTTPRoute"}]}}, "a.0"),
        ({"allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"t": "1"}}}}}, "a.0"),
        ({"allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"t": "2"}}}}}, "closed"),
        ({"allowedRoutes": {"namespaces": {"from": "Selector"}}}, "closed"),
        (
            {
                "allowedRoutes": {"namespaces": {"from": "All"}},
                "tls": {"options": {"ngrok.com/terminate-tls.server_certificate": "x"}},
            },
            "closed",
        ),
    ],
)
def test_who_may_attach(more, found):
    edge = gateway("edge")
    edge["spec"]["listeners"] = [listener(URL, **more)]
    parents = [{"name": "edge", "namespace": "shop", "kind": "Service", "group": ""}]
    objects = [edge, route("a", rule("/"), parents=parents, namespace="team"), namespace("team", t="1")]
    assert where(objects, f"{URL}/") == found


def test_gateways_of_another_class_are_not_served():
    other = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "any"},
        "spec": {"controllerName": "example.com/controller"},
    }
    assert where([EDGE, route("a", rule("/")), other], f"{URL}/") == "closed"
    other["spec"]["controllerName"] = "ngrok.com/gateway-controller"
    assert where([EDGE, route("a", rule("/")), other], f"{URL}/") == "a.0"


def test_a_request_may_name_its_gateway():
    objects = [
        EDGE,
        gateway("more", "https://a.example.com"),
        route("a", rule("/")),
        route("b", rule("/"), parents=[{"name": "more"}]),
    ]
    assert where(objects, f"{URL}/", gateway="shop/more") == "b.0"
    assert where(objects, f"{URL}/") == "a.0"
    found = answer(objects, f"{URL}/", gateway="shop/more")
    assert [each["result"] for each in found["actions"]] == ["by chance: shop/edge serves the same URL"]


# --- the Gateway's own policy --------------------------------------------------------------------------------------


def test_a_gateways_own_policy_is_named_and_must_be_there():
    edge, noted = annotated(EDGE, traffic_policy="guard"), {"phase": None, "rule": None, "type": "NgrokTrafficPolicy"}
    objects = [edge, route("a", rule("/"))]
    place = {"gateway": "shop/edge", "listener": "https-a.example.com-443"}
    assert answer(objects, f"{URL}/") == CLOSED | place | {
        "actions": [noted | {"policy": "shop/guard", "result": "missing"}]
    }
    found = answer([*objects, policy("guard")], f"{URL}/")
    assert found["outcome"] == "forwarded"
    assert found["actions"] == [noted | {"policy": "shop/guard", "result": "not-run"}]
    assert where([*objects, policy("guard", namespace="other")], f"{URL}/") == "closed"


def test_the_newer_annotation_counts_even_if_it_is_empty():
    edge = annotated(EDGE, traffic_policy="")
    edge["metadata"]["annotations"]["k8s.ngrok.com/traffic-policy"] = "guard"
    assert where([edge, route("a", rule("/")), policy("guard")], f"{URL}/") == "closed"
    del edge["metadata"]["annotations"]["ngrok.com/traffic-policy"]
    assert where([edge, route("a", rule("/")), policy("guard")], f"{URL}/") == "a.0"


@pytest.mark.parametrize("phase", ["inbound", "on_event_stream_message"])
def test_a_gateways_own_policy_may_have_no_other_phase(phase):
    guard = policy("guard")
    actions = {"inbound": {"type": "deny"}}.get(phase) or {
        "type": "sse-find-replace",
        "config": {"replacements": [{"from": "a", "to": "b"}]},
    }
    guard["spec"]["policy"] = {phase: [{"actions": [actions]}]}
    assert where([annotated(EDGE, traffic_policy="guard"), route("a", rule("/")), guard], f"{URL}/") == "closed"


def test_a_host_without_a_rule_that_counts_is_closed_unless_its_gateway_has_a_policy():
    objects = [route("a", rule("/", to=["nowhere:80"])), service("a", 80), policy("guard")]
    assert where([EDGE, *objects], f"{URL}/") == "closed"
    assert where([annotated(EDGE, traffic_policy="guard"), *objects], f"{URL}/") == "no-route"


def test_two_hosts_that_share_a_policy_leak():
    edge = annotated(gateway("edge", "https://a.example.com", "https://b.example.com"), traffic_policy="guard")
    both, only = route("both", rule("/both")), rule("/only", to=["b:80"])
    to_b = route("only", only, parents=[{"name": "edge", "sectionName": "https-b.example.com-443"}])
    objects = [edge, both, to_b, policy("guard")]
    # The first host has no Service of its own, so it is a cloud endpoint, whose 404 now stands in the second one's.
    assert where(objects, "https://b.example.com/both") == "both.0"
    assert where(objects, "https://b.example.com/only") == "no-route"
    notes = [each["result"] for each in answer(objects, "https://b.example.com/only")["actions"]]
    assert notes == ["not-run", "by chance: shared with listener https-a.example.com-443, whose rules come first"]
    assert where([edge | {"metadata": EDGE["metadata"]}, both, to_b], "https://b.example.com/only") == "only.0"


def test_two_endpoints_of_one_name_are_one():
    objects = [gateway("edge", "http://a.example.com", "https://a.example.com"), route("a", rule("/"))]
    assert where(objects, "https://a.example.com/") == "a.0"
    found = answer(objects, "http://a.example.com/")
    assert (found["outcome"], found["listener"]) == ("closed", "http-a.example.com-80")
    assert "the same name" in found["actions"][0]["result"]


# --- which rule ----------------------------------------------------------------------------------------------------


def test_a_prefix_opens_its_neighbours_and_a_slash_closes_itself():
    objects = [EDGE, route("a", rule("/pub"), rule("/x/"))]
    assert where(objects, f"{URL}/pub-admin") == "a.0"
    assert where(objects, f"{URL}/public") == "a.0"
    assert where(objects, f"{URL}/x/y") == "a.1"
    assert where(objects, f"{URL}/x") == "no-route"


def test_a_regular_expression_is_a_beginning_behind_all_prefixes():
    objects = [EDGE, route("a", rule("~/x/[0-9]+"), rule("/x"), rule("~/y"))]
    assert where(objects, f"{URL}/x/12") == "a.1"
    assert where(objects, f"{URL}/x/[0-9]+") == "a.1"
    assert where([EDGE, route("a", rule("~/x/[0-9]+"))], f"{URL}/x/12") == "no-route"
    assert where([EDGE, route("a", rule("~/x/[0-9]+"))], f"{URL}/x/[0-9]+/y") == "a.0"
    assert where(objects, f"{URL}/yes") == "a.2"


def header(value="1", name="x-a", **more):
    return {"name": name, "value": value, **more}


def test_headers_go_before_methods_and_by_their_text_not_their_number():
    objects = [
        EDGE,
        route(
            "a",
            rule(match("/", method="GET")),
            rule(match("/", headers=[header(), header(name="x-b")])),
            rule(match("/", headers=[header()])),
            rule(match("/", queryParams=[header(name="q")])),
        ),
    ]
    assert where(objects, f"{URL}/?q=1", headers={"X-A": "1", "X-B": "1"}) == "a.2"
    assert where(objects, f"{URL}/?q=1") == "a.3"
    assert where(objects, f"{URL}/") == "a.0"
    assert where(objects, f"{URL}/", "POST") == "no-route"


def test_a_header_with_a_capital_is_never_there():
    objects = [EDGE, route("a", rule(match("/", headers=[header(name="X-A")])), rule("/"))]
    assert where(objects, f"{URL}/", headers={"X-A": "1"}) == "a.1"


def test_several_values_are_one():
    found = rule(match("/", headers=[header("1,2")], queryParams=[header("b c,d", name="q")]))
    objects = [EDGE, route("a", found)]
    assert where(objects, f"{URL}/?q=b+c&q=d", headers={"x-a": ["1", "2"]}) == "a.0"
    assert where(objects, f"{URL}/?q=b+c", headers={"x-a": ["1", "2"]}) == "no-route"


def test_a_regular_expression_of_a_header_matches_anywhere():
    objects = [EDGE, route("a", rule(match("/", headers=[header("b+", type="RegularExpression")])))]
    assert where(objects, f"{URL}/", headers={"x-a": "abbc"}) == "a.0"
    assert where(objects, f"{URL}/", headers={"x-a": "ac"}) == "no-route"


def test_rules_of_several_routes_that_match_the_same_are_a_matter_of_chance():
    objects = [EDGE, route("b", rule("/")), route("a", rule("/"), created="2020-01-01T00:00:00Z")]
    found = answer(objects, f"{URL}/")
    assert found["route"] == "shop/a"
    assert [each["result"] for each in found["actions"]] == [
        "by chance: shop/b, rule 0 matches the same and may go first"
    ]


# --- values that become code ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        match("/it's"),
        match("/", headers=[header("it's")]),
        match("/", headers=[header("a' || true || 'b")]),
        match("/", headers=[header(r"\d+", type="RegularExpression")]),
        match("/", headers=[header("[0", type="RegularExpression")]),
        match("/", queryParams=[header("a\nb")]),
    ],
)
def test_a_value_that_breaks_its_expression_closes_the_whole_endpoint(wrong):
    objects = [EDGE, route("a", rule("/ok"), rule(wrong))]
    found = answer(objects, f"{URL}/ok")
    assert (found["outcome"], found["listener"]) == ("closed", "https-a.example.com-443")
    assert found["actions"][0]["result"].startswith("refused by ngrok: ")


def test_a_value_becomes_code():
    opened = match("/", headers=[header("a' || true || 'b' == 'b")])
    assert where([EDGE, route("a", rule(opened))], f"{URL}/") == "a.0"
    anywhere = match("~/a') || true || ('x' == 'x")
    assert where([EDGE, route("a", rule(anywhere), rule("/x"))], f"{URL}/y") == "a.0"
    assert where([EDGE, route("a", rule(anywhere), rule("/x"))], f"{URL}/x") == "a.1"


def test_a_backslash_begins_an_escape():
    objects = [EDGE, route("a", rule(match("/", headers=[header(r"a\\d", type="RegularExpression")])))]
    assert where(objects, f"{URL}/", headers={"x-a": "a1"}) == "a.0"
    assert where(objects, f"{URL}/", headers={"x-a": "ad"}) == "no-route"


def test_code_that_reads_more_than_a_request_cannot_be_simulated():
    reads = match("/", headers=[header("a' || conn.client_ip == '1.2.3.4")])
    with pytest.raises(InvalidInput, match="cannot be simulated"):
        Operator(Resources.of([EDGE, route("a", rule(reads))]))


# --- backends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ref", "more"),
    [
        (backend("gone:80"), []),
        (backend("a:81"), []),
        (backend("other/a:80"), []),
        (backend("a:80", kind="Bucket", group="example.com"), []),
    ],
)
def test_a_rule_without_a_backend_that_counts_is_not_there(ref, more):
    objects = [EDGE, route("a", rule("/a", to=[ref]), rule("/", to=["b:80"])), service("a", 80), service("b", 80)]
    assert where([*objects, *more], f"{URL}/a") == "a.1"


def test_a_grant_opens_another_namespace_in_any_case():
    objects = [EDGE, route("a", rule("/", to=["other/a:80"])), grant("other", "httproute", "shop", "service", "a")]
    assert backends(answer(objects, f"{URL}/")) == {"a:80": 1.0}


def test_a_port_without_a_name_takes_any_number():
    nameless = service("a", 8080)
    del nameless["spec"]["ports"][0]["name"]
    assert backends(answer([EDGE, route("a", rule("/")), nameless], f"{URL}/")) == {"a:8080": 1.0}


def test_weights_are_shares_among_the_backends_that_count():
    refs = [backend("a:80", weight=3), backend("gone:80", weight=9), backend("b:80"), backend("c:80", weight=0)]
    objects = [EDGE, route("a", rule("/", to=refs)), *(service(name, 80) for name in "abc")]
    assert backends(answer(objects, f"{URL}/")) == {"a:80": 0.75, "b:80": 0.25, "c:80": 0.0}


def test_of_one_backend_the_weight_does_not_count_and_of_several_without_any_none_is_chosen():
    nothing = [backend("a:80", weight=0)]
    assert backends(answer([EDGE, route("a", rule("/", to=nothing))], f"{URL}/")) == {"a:80": 1.0}
    assert where([EDGE, route("a", rule("/", to=nothing * 2))], f"{URL}/") == "a.0"
    assert answer([EDGE, route("a", rule("/", to=nothing * 2))], f"{URL}/")["outcome"] == "no-backend"
