from __future__ import annotations

import sys
from pathlib import Path

import pytest

from apiops_components.errors import InvalidInput
from apiops_components.semantics.request import request_of
from apiops_components.semantics.resources import Resources
from apiops_components.semantics.specification import Specification

sys.path.insert(0, str(Path(__file__).parent))
from semantics_objects import backend, gateway, grant, listener, match, namespace, policy, route, rule, service


def answer(objects, url, method="GET", **more):
    return Specification(Resources.of(objects)).answer(request_of({"url": url, "method": method, **more})).json()


def where(objects, url, method="GET", **more):
    """Route and rule, or else the outcome."""
    found = answer(objects, url, method, **more)
    return f"{found['route'].partition('/')[2]}.{found['rule']}" if found["route"] else found["outcome"]


# --- whole outcomes ------------------------------------------------------------------------------------------------


def test_a_request_that_is_forwarded():
    objects = [gateway(), route("orders", rule("/v1", to=["orders:8080"]))]
    given = {"headers": {"Accept": "a/b"}, "response": {"status": 201, "headers": {"X-Served-By": "v1"}}}
    assert answer(objects, "http://api.example.com/v1/orders?x=1", "POST", **given) == {
        "outcome": "forwarded",
        "status": None,
        "gateway": "shop/edge",
        "listener": "http-all-80",
        "route": "shop/orders",
        "rule": 0,
        "backend": {"namespace": "shop", "name": "orders", "port": 8080, "weight": 1},
        "backends": None,
        "request": {
            "method": "POST",
            "host": "api.example.com",
            "path": "/v1/orders",
            "query": "x=1",
            "headers": {"accept": "a/b"},
        },
        "actions": [],
        "response": {"status": 201, "headers": {"x-served-by": "v1"}},
    }


NOTHING = dict.fromkeys(["gateway", "listener", "route", "rule", "backend", "backends", "request", "response"])


def test_a_request_without_route_or_listener():
    objects = [gateway("edge", "http://a.example.com", "https://a.example.com"), route("a", rule("/a"))]
    not_found = NOTHING | {"outcome": "no-route", "status": 404, "actions": [], "gateway": "shop/edge"}
    not_found["response"] = {"status": 404, "headers": {}}
    closed = NOTHING | {"outcome": "closed", "status": None, "actions": []}

    assert answer(objects, "http://a.example.com/b") == not_found | {"listener": "http-a.example.com-80"}
    assert answer(objects, "http://b.example.com/a") == not_found
    assert answer(objects, "https://b.example.com/a") == closed | {"gateway": "shop/edge"}
    assert answer(objects, "http://a.example.com:8080/a") == closed
    assert answer(objects, "https://a.example.com:80/a") == closed


@pytest.mark.parametrize(
    ("rules", "more"),
    [
        (rule("/", to=()), []),
        (rule("/", to=[backend("a:80", weight=0)]), []),
        (rule("/", to=["a:80"]), [service("b", 80)]),
        (rule("/", to=["a:80"]), [service("a", 81)]),
        (rule("/", to=["other/a:80"]), []),
        (rule("/", to=["other/a:80"]), [grant("other", "HTTPRoute", "elsewhere")]),
        (rule("/", to=["other/a:80"]), [grant("other", "Gateway", "shop")]),
        (rule("/", to=["other/a:80"]), [grant("other", "HTTPRoute", "shop", name="b")]),
        (rule("/", to=["other/a:80"]), [grant("other", "HTTPRoute", "shop", to="Secret")]),
        (rule("/", to=[backend("a:80", kind="Bucket", group="example.com")]), []),
    ],
)
def test_a_rule_without_a_backend_that_counts_is_500(rules, more):
    found = answer([gateway(), route("a", rules), *more], "http://a/")

    assert found == NOTHING | {
        "outcome": "no-backend",
        "status": 500,
        "gateway": "shop/edge",
        "listener": "http-all-80",
        "route": "shop/a",
        "rule": 0,
        "actions": [],
        "response": {"status": 500, "headers": {}},
    }


@pytest.mark.parametrize(
    "more",
    [
        [],  # it may come from elsewhere
        [service("a", 80, 81)],
        [service("b", 80, namespace="other")],
    ],
)
def test_a_service_counts_as_there_unless_its_namespace_is_known_without_it(more):
    assert where([gateway(), route("a", rule("/")), *more], "http://a/") == "a.0"


def test_a_grant_opens_another_namespace():
    objects = [gateway(), route("a", rule("/", to=["other/a:80"])), grant("other", "HTTPRoute", "shop", name="a")]
    assert answer(objects, "http://a/")["backend"] == {"namespace": "other", "name": "a", "port": 80, "weight": 1}


def test_weights_are_shares_and_an_invalid_backend_has_its_own():
    refs = [backend("a:80", weight=6), backend("b:80", weight=3), backend("c:80", weight=1), backend("d:80", weight=0)]
    objects = [gateway(), route("a", rule("/", to=refs)), *(service(name, 80) for name in "abd")]
    found = answer(objects, "http://a/")

    assert (found["outcome"], found["backend"]) == ("forwarded", None)
    assert found["backends"] == [
        {"namespace": "shop", "name": "a", "port": 80, "weight": 6, "share": 0.6},
        {"namespace": "shop", "name": "b", "port": 80, "weight": 3, "share": 0.3},
        {"namespace": "shop", "name": "c", "port": 80, "weight": 1, "share": 0.1, "status": 500},
        {"namespace": "shop", "name": "d", "port": 80, "weight": 0, "share": 0.0},
    ]


# --- listeners and attachment --------------------------------------------------------------------------------------

LISTENERS = ("http://", "http://*.example.com", "http://*.foo.example.com", "http://a.foo.example.com")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("a.foo.example.com", "http-a.foo.example.com-80"),
        ("b.a.foo.example.com", "http-any.foo.example.com-80"),
        ("foo.example.com", "http-any.example.com-80"),
        ("example.com", "http-all-80"),
    ],
)
def test_the_most_specific_listener_alone_serves(host, expected):
    objects = [gateway("edge", *LISTENERS), route("a", rule("/a"))]
    assert answer(objects, f"http://{host}/a")["listener"] == expected

    only = {"name": "edge", "sectionName": "http-all-80"}
    objects = [gateway("edge", *LISTENERS), route("a", rule("/a"), parents=[only])]
    assert where(objects, f"http://{host}/a") == ("a.0" if expected == "http-all-80" else "no-route")


@pytest.mark.parametrize(
    ("parent", "taken"),
    [
        ({"name": "edge"}, True),
        ({"name": "edge", "namespace": "shop"}, True),
        ({"name": "edge", "port": 80}, True),
        ({"name": "edge", "sectionName": "http-all-80", "port": 80}, True),
        ({"name": "edge", "sectionName": "http-all-80", "port": 81}, False),
        ({"name": "edge", "port": 81}, False),
        ({"name": "edge", "sectionName": "other"}, False),
        ({"name": "edge", "namespace": "other"}, False),
        ({"name": "edge", "kind": "Service", "group": ""}, False),
        ({"name": "other"}, False),
    ],
)
def test_a_route_attaches_to_what_its_parents_name(parent, taken):
    objects = [gateway(), route("a", rule("/"), parents=[parent])]
    assert where(objects, "http://a/") == ("a.0" if taken else "no-route")


@pytest.mark.parametrize(
    ("allowed", "taken"),
    [
        ({}, {"shop"}),
        ({"namespaces": {"from": "Same"}}, {"shop"}),
        ({"namespaces": {"from": "All"}}, {"shop", "blue", "red"}),
        ({"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "blue"}}}}, {"blue"}),
        ({"namespaces": {"from": "Selector", "selector": {}}}, {"shop", "blue", "red"}),
        ({"namespaces": {"from": "Selector"}}, set()),
        (
            {
                "namespaces": {
                    "from": "Selector",
                    "selector": {"matchLabels": {"kubernetes.io/metadata.name": "red"}},
                }
            },
            {"red"},
        ),
        ({"kinds": [{"kind": "GRPCRoute"}], "namespaces": {"from": "All"}}, set()),
        ({"kinds": [{"kind": "HTTPRoute"}, {"kind": "GRPCRoute"}]}, {"shop"}),
        ({"kinds": [{"kind": "HTTPRoute", "group": "example.com"}]}, set()),
    ],
)
def test_a_listener_says_whose_routes_it_takes(allowed, taken):
    edge = gateway()
    edge["spec"]["listeners"] = [listener("http://", allowedRoutes=allowed)]
    parents = [{"name": "edge", "namespace": "shop"}]
    routes = [route("a", rule(f"/{team}"), namespace=team, parents=parents) for team in ("shop", "blue", "red")]
    objects = [edge, namespace("blue", team="blue"), namespace("red", team="red"), *routes]

    assert {team for team in ("shop", "blue", "red") if where(objects, f"http://a/{team}") == "a.0"} == taken


@pytest.mark.parametrize(
    ("operator", "values", "taken"),
    [
        ("In", ["blue", "red"], {"blue", "red"}),
        ("NotIn", ["blue"], {"red", "none"}),
        ("Exists", [], {"blue", "red"}),
        ("DoesNotExist", [], {"none"}),
        ("Like", ["blue"], set()),
    ],
)
def test_selectors_have_expressions(operator, values, taken):
    terms = [{"key": "team", "operator": operator, "values": values}]
    edge = gateway()
    chosen = {"namespaces": {"from": "Selector", "selector": {"matchExpressions": terms}}}
    edge["spec"]["listeners"] = [listener("http://", allowedRoutes=chosen)]
    teams = ("blue", "red", "none")
    parents = [{"name": "edge", "namespace": "shop"}]
    routes = [route("a", rule(f"/{team}"), namespace=team, parents=parents) for team in teams]
    objects = [edge, namespace("blue", team="blue"), namespace("red", team="red"), *routes]

    assert {team for team in teams if where(objects, f"http://a/{team}") == "a.0"} == taken


def test_what_is_no_http_listener_serves_no_route():
    tls = {"mode": "Passthrough"}
    edge = gateway()
    edge["spec"]["listeners"] = [
        listener("tls://a.example.com", tls=tls),
        listener("https://b.example.com"),
        listener("http://:90"),
        {"name": "tcp", "protocol": "TCP", "port": 90},
        {"name": "own", "protocol": "example.com/bar", "port": 80},
    ]
    objects = [edge, route("a", rule("/"))]

    assert where(objects, "https://a.example.com/") == "closed"
    assert where(objects, "https://b.example.com/") == "a.0"
    assert where(objects, "http://b.example.com:90/") == "closed"  # a TCP listener takes the port from all others
    assert where(objects, "http://b.example.com/") == "closed"


def test_a_listener_without_a_certificate_that_it_may_read_serves_nothing():
    edge = gateway()
    tls = {"certificateRefs": [{"name": "cert", "namespace": "certs"}]}
    edge["spec"]["listeners"] = [listener("https://a.example.com", tls=tls)]
    objects = [edge, route("a", rule("/"))]

    assert where(objects, "https://a.example.com/") == "closed"
    assert where([*objects, grant("certs", "Gateway", "shop", to="Secret")], "https://a.example.com/") == "a.0"


def test_any_gateway_takes_a_request_unless_one_is_named():
    objects = [
        gateway("a", "http://"),
        gateway("b", "http://*.example.com"),
        gateway("c", "http://"),
        route("of-b", rule("/b"), parents=[{"name": "b"}]),
        route("of-c", rule("/"), parents=[{"name": "c"}]),
    ]

    assert where(objects, "http://x.example.com/b") == "of-b.0"
    assert where(objects, "http://x.example.com/c") == "of-c.0"
    assert where(objects, "http://x.example.com/b", gateway="shop/c") == "of-c.0"
    assert where(objects, "http://x.example.com/b", gateway="shop/a") == "no-route"
    assert answer(objects, "http://x.example.com:81/b", gateway="shop/a")["gateway"] == "shop/a"


# --- precedence ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("a.b.example.com", "exact.0"),
        ("c.b.example.com", "long.0"),
        ("d.c.b.example.com", "long.0"),
        ("b.example.com", "short.0"),
        ("example.com", "every.0"),
        ("a.example.org", "every.0"),
    ],
)
def test_more_specific_hosts_of_routes_win_whatever_the_path(host, expected):
    objects = [
        gateway(),
        route("every", rule("=/a")),
        route("short", rule("=/a"), hosts=["*.example.com"]),
        route("long", rule("/"), hosts=["*.b.example.com"]),
        route("exact", rule("/"), hosts=["a.b.example.com", "x.example.com"]),
    ]
    assert where(objects, f"http://{host}/a") == expected


def test_a_host_without_a_match_leaves_the_request_to_less_specific_ones():
    objects = [gateway(), route("a", rule("/a"), hosts=["a.example.com"]), route("b", rule("/"), hosts=["*.com"])]

    assert where(objects, "http://a.example.com/a") == "a.0"
    assert where(objects, "http://a.example.com/b") == "b.0"


def test_hosts_outside_of_the_listener_count_for_nothing():
    hosts = ["a.example.org", "*.example.org", "a.example.com"]
    objects = [gateway("edge", "http://*.example.com"), route("a", rule("/"), hosts=hosts)]

    assert where(objects, "http://a.example.com/") == "a.0"
    assert where(objects, "http://b.example.com/") == "no-route"
    assert where([gateway("edge", "http://*.net"), route("a", rule("/"), hosts=hosts)], "http://a.net/") == "no-route"
    for host in ("*.com", "*.a.example.com", "b.a.example.com"):
        objects = [gateway("edge", "http://*.example.com"), route("a", rule("/"), hosts=[host])]
        assert where(objects, "http://b.a.example.com/") == "a.0"


RULES = [
    rule(match("~/.*")),
    rule(match("/")),
    rule(match("/ab", headers=[{"name": "x", "value": "1"}])),
    rule(match("/ab", queryParams=[{"name": "x", "value": "1"}, {"name": "y", "value": "1"}])),
    rule(match("/ab", headers=[{"name": "x", "value": "1"}], queryParams=[{"name": "x", "value": "1"}])),
    rule(match("/ab", method="GET")),
    rule(match("/ab/c")),
    rule(match("=/ab/c/d")),
    rule(match("=/ab")),
]


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/ab", {}, 8),
        ("GET", "/ab/c/d", {}, 7),
        ("GET", "/ab/c/d/", {}, 6),
        ("GET", "/ab/c", {}, 6),
        ("GET", "/ab/cd", {"X": "1"}, 5),
        ("PUT", "/ab/?x=1&y=1", {"X": "1"}, 4),
        ("PUT", "/ab/?x=2&y=1", {"X": "1"}, 2),
        ("PUT", "/ab/?y=1&x=1", {"X": "2"}, 3),
        ("PUT", "/ab/", {}, 1),
        ("PUT", "/abc", {"X": "1"}, 1),
        ("PUT", "/AB", {"X": "1"}, 1),
        ("PUT", "//ab", {"X": "1"}, 1),
    ],
)
def test_exact_longest_prefix_method_headers_and_parameters_in_this_order(method, path, headers, expected):
    objects = [gateway(), *(route(f"r{number}", each) for number, each in enumerate(RULES))]
    assert where(objects, f"http://a{path}", method, headers=headers) == f"r{expected}.0"


def test_ties_go_to_the_oldest_route_then_the_first_by_name_then_the_first_rule():
    old, new = {"creationTimestamp": "2026-01-01T00:00:00Z"}, {"creationTimestamp": "2026-01-02T00:00:00Z"}
    tied = [gateway(), route("b", rule("/a"), rule("/b/"), rule("/b")), route("a", rule("/a"))]

    assert where(tied, "http://a/a") == "a.0"
    assert where(tied, "http://a/b") == "b.1"
    twice = [gateway(), route("a", rule("/a", "/a"), rule("=/b"), rule("/a", "=/b"))]
    assert [where(twice, f"http://a/{path}") for path in "ab"] == ["a.0", "a.1"]
    assert where([gateway(), route("b", rule("/"), **old), route("a", rule("/"), **new)], "http://a/") == "b.0"
    assert where([gateway(), route("b", rule("/"), **old), route("a", rule("/"))], "http://a/") == "b.0"


# --- conditions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"X-Tenant": "a,b"}, True),
        ({"x-tenant": ["a", "b"]}, True),
        ({"X-TENANT": "a,b", "other": "c"}, True),
        ({"x-tenant": "a, b"}, False),
        ({"x-tenant": "A,B"}, False),
        ({"x-tenant": "a"}, False),
        ({}, False),
    ],
)
def test_names_of_headers_match_in_any_case_and_values_as_one(headers, taken):
    objects = [gateway(), route("a", rule(match("/", headers=[{"name": "x-Tenant", "value": "a,b"}])))]
    assert where(objects, "http://a/", headers=headers) == ("a.0" if taken else "no-route")


@pytest.mark.parametrize(
    ("query", "taken"),
    [("x=a b", True), ("x=a+b", True), ("%78=a%20b&x=c", True), ("x=c&x=a+b", False), ("X=a+b", False), ("", False)],
)
def test_the_first_of_equal_parameters_counts(query, taken):
    objects = [gateway(), route("a", rule(match("/", queryParams=[{"name": "x", "value": "a b"}])))]
    url = f"http://a/?{query.replace(' ', '%20')}"
    assert where(objects, url) == ("a.0" if taken else "no-route")


def test_the_host_header_is_matched_as_the_host():
    objects = [gateway(), route("a", rule(match("/", headers=[{"name": "Host", "value": "a.example.com"}])))]

    assert where(objects, "http://a.example.com/") == "a.0"
    assert where(objects, "http://x/", headers={"host": "a.example.com:99"}) == "a.0"
    assert where(objects, "http://b.example.com/") == "no-route"


@pytest.mark.parametrize(
    ("pattern", "path", "taken"),
    [
        ("/a/[0-9]+", "/a/12", True),
        ("/a/[0-9]+", "/a/12/", False),
        ("/a/[0-9]+", "/x/a/12", False),
        ("^/a/[0-9]+$", "/a/12", True),
        ("/a|/b", "/b", True),
        ("/a|/b", "/bc", False),
        ("/(orders|items)/.*", "/items/", True),
        ("/a/?", "/a", True),
        ("(?i)/A/b", "/a/B", True),
        (r"/\pL+", "/abc", True),
        (r"/a\.b", "/a.b", True),
        (r"/a\.b", "/acb", False),
        (r"/(a*)*b", "/" + "a" * 5000, False),
        ("/.*a.*a.*a.*b", "/" + "a" * 5000, False),
        ("/a$", "/a%0A", False),
    ],
)
def test_regular_expressions_match_the_whole_path_in_their_syntax(pattern, path, taken):
    objects = [gateway(), route("a", rule(f"~{pattern}"))]
    assert where(objects, f"http://a{path}") == ("a.0" if taken else "no-route")


def test_headers_and_parameters_may_be_regular_expressions():
    conditions = {
        "headers": [{"name": "x", "type": "RegularExpression", "value": "[ab]+"}],
        "queryParams": [{"name": "y", "type": "RegularExpression", "value": "[0-9]{2}"}],
    }
    objects = [gateway(), route("a", rule(match("/", **conditions)))]

    assert where(objects, "http://a/?y=12", headers={"x": "ab"}) == "a.0"
    assert where(objects, "http://a/?y=123", headers={"x": "ab"}) == "no-route"
    assert where(objects, "http://a/?y=12", headers={"x": "abc"}) == "no-route"


def test_longer_regular_expressions_come_first_wherever_they_begin():
    objects = [gateway(), route("a", rule("~/.*"), rule("~/a/.*"), rule("~/(a|b)/.*"), rule("~/a/b/.*c"))]

    assert where(objects, "http://a/a/b/c") == "a.2"
    assert where(objects, "http://a/a/c") == "a.2"
    assert where(objects, "http://a/c") == "a.0"


def test_what_is_no_regular_expression_is_refused_with_its_place():
    objects = [gateway(), route("a", rule("/"), rule("/b", "~/(?=a)")), route("b", rule("~["))]
    with pytest.raises(InvalidInput) as error:
        Specification(Resources.of(objects))
    assert [(p.document, p.path) for p in error.value.problems] == [
        ("HTTPRoute shop/a", "spec.rules[1].matches[1]"),
        ("HTTPRoute shop/b", "spec.rules[0].matches[0]"),
    ]


# --- policies and mirrors ------------------------------------------------------------------------------------------


def extension(name):
    ref = {"group": "ngrok.k8s.ngrok.com", "kind": "NgrokTrafficPolicy", "name": name}
    return {"type": "ExtensionRef", "extensionRef": ref}


def test_a_policy_is_named_and_one_that_is_missing_fails_closed():
    objects = [gateway(), route("a", rule("/", filters=[extension("limits")]))]
    there, missing = answer([*objects, policy("limits")], "http://a/"), answer(objects, "http://a/")

    assert there["outcome"] == "forwarded"
    assert there["actions"] == [
        {
            "policy": "shop/limits",
            "phase": None,
            "rule": None,
            "type": "NgrokTrafficPolicy",
            "result": "not-run",
        }
    ]
    assert (missing["outcome"], missing["status"], missing["backend"]) == ("responded", 500, None)
    assert missing["actions"][0]["result"] == "missing"
    assert where([*objects, policy("limits", "other")], "http://a/") == "a.0"
    assert answer([*objects, policy("limits", "other")], "http://a/")["status"] == 500


def test_a_backend_whose_own_policy_is_missing_fails_alone():
    refs = [backend("a:80"), backend("b:80", filters=[extension("limits")])]
    found = answer([gateway(), route("a", rule("/", to=refs))], "http://a/")

    assert [(each["name"], each.get("status")) for each in found["backends"]] == [("a", None), ("b", 500)]


def test_a_mirror_is_noted_and_changes_nothing():
    def mirrored(place):
        return {"type": "RequestMirror", "requestMirror": {"backendRef": backend(place)}}

    objects = [gateway(), route("a", rule("/", filters=[mirrored("b:80"), mirrored("other/b:80")]))]
    found = answer(objects, "http://a/")

    assert (found["outcome"], found["backend"]["name"]) == ("forwarded", "a")
    assert [action["result"] for action in found["actions"]] == [
        "copied to shop/b:80",
        "not copied: other/b:80 is not there",
    ]
