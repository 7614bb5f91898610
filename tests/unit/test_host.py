"""What the Gateway's policy and the routes' policies hold beside the rules that their authors wrote."""

from __future__ import annotations

import pytest

from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.filters import Filter
from apiops_components.models.match import HeaderMatch, Match, PathMatch
from apiops_components.models.policy.actions import AddHeaders, JwtValidation, OAuth, OpenIdConnect, UrlRewrite
from apiops_components.models.policy.document import Rule, TrafficPolicy
from apiops_components.models.route import Backend, Route
from apiops_components.render.gateway import api_objects
from apiops_components.render.host import Host
from apiops_components.render.policy import policy_document
from apiops_components.render.refusal import refusals

BACKEND = Backend.to("web", 80)
JWT = TrafficPolicy(
    on_http_request=(Rule(name="jwt", actions=(JwtValidation.bearer(issuer="https://i", jwks="https://i/k"),)),)
)
HEADER = Rule(actions=(AddHeaders(headers={"x": "1"}),))


def api(name, *routes, policy=None):
    made = tuple(r if isinstance(r, Route) else Route.prefix(r, BACKEND) for r in routes)
    return ApiSpec(name=name, routes=made, policy=policy or TrafficPolicy())


def pattern(value, **more):
    return Route(
        matches=(Match(path=PathMatch(type="RegularExpression", value=value), **more),), backend_refs=(BACKEND,)
    )


def spec(*apis):
    return ApiGatewaySpec(name="host", namespace="team", host="a.example.com", apis=apis)


def written(rules):
    return policy_document(TrafficPolicy.model_construct(on_http_request=tuple(rules)))["on_http_request"]


def codes(*apis):
    return [(p.path, p.code.removeprefix("lowering/")) for p in refusals(spec(*apis))]


# --- strays ----------------------------------------------------------------------------------------------------------


def test_an_api_refuses_what_the_gateways_policy_left_to_another_one():
    """A deleted route of pub would let its requests through to web, which nobody asked a token of."""
    web, pub = api("web", "/", policy=JWT), api("pub", "/pub")
    host = Host(spec(web, pub))

    assert written(host.route_rules(web)) == [
        {
            "name": "web: meant for another API",
            "expressions": ["!(!(req.url.path == '/pub' || req.url.path.startsWith('/pub/')))"],
            "actions": [{"type": "deny", "config": {"status_code": 503}}],
        }
    ]
    assert host.route_rules(pub) == []
    policy, route = api_objects(host.spec, web, ingress_namespace="i")
    (rule,) = route["spec"]["rules"]
    assert rule["filters"][0]["extensionRef"]["name"] == policy["metadata"]["name"] == "web"


def test_an_api_without_protection_or_without_anything_more_specific_refuses_nothing():
    assert Host(spec(api("web", "/"), api("pub", "/pub", policy=JWT))).route_rules(api("web", "/")) == []
    both = spec(api("a", "/a", policy=JWT), api("b", "/b", policy=JWT))
    assert all(Host(both).route_rules(one) == [] for one in both.apis)


def test_strays_are_refused_before_anything_else_happens():
    policy = JWT + TrafficPolicy(on_http_request=(HEADER,))
    web = api("web", "/", policy=policy)

    first, second = Host(spec(web, api("pub", "/pub"))).route_rules(web)
    assert (first.name, second) == ("web: meant for another API", HEADER)


# --- patterns of paths -----------------------------------------------------------------------------------------------


def test_what_does_not_fit_a_pattern_is_answered_with_404_in_its_folder():
    orders = api("orders", pattern(r"/orders/\d+", method="GET"), policy=JWT)
    assert codes(orders) == []
    host = Host(spec(orders))

    folder = "(req.url.path == '/orders' || req.url.path.startsWith('/orders/')) && req.method == 'GET'"
    unfit, jwt = written(host.request_rules())
    assert unfit == {
        "name": "orders: no such path",
        "expressions": [
            folder,
            r"!((req.url.path.matches('^(?:/orders/\\d+)\u0024') && req.method == 'GET'))".replace("$", "\\u0024"),
        ],
        "actions": [{"type": "deny", "config": {"status_code": 404}}],
    }
    assert jwt["expressions"] == [folder]
    (route,) = (o for o in api_objects(host.spec, orders, ingress_namespace="i") if o["kind"] == "HTTPRoute")
    assert [m["path"] for m in route["spec"]["rules"][0]["matches"]] == [
        {"type": "Exact", "value": "/orders"},
        {"type": "PathPrefix", "value": "/orders/"},
    ]


def test_what_others_serve_in_the_folder_of_a_pattern_is_not_answered():
    host = Host(spec(api("orders", pattern("/orders/[0-9]+")), api("other", "/orders/new")))

    (rule,) = host.request_rules()
    assert rule.expressions[0].endswith("!(req.url.path == '/orders/new' || req.url.path.startsWith('/orders/new/'))")


@pytest.mark.parametrize(
    ("routes", "others"),
    [
        ((pattern("/orders/[0-9]+"),), ("/",)),
        ((pattern("/orders/[0-9]+"),), ("/orders",)),
        ((pattern("/orders/[0-9]+"), pattern("/orders/[a-z]+")), ()),
        ((pattern("/orders/[0-9]+"), "/"), ()),
    ],
)
def test_a_pattern_is_refused_where_others_would_serve_what_does_not_fit(routes, others):
    found = codes(api("orders", *routes), *(api(f"o{n}", path) for n, path in enumerate(others)))

    assert found
    assert {code for _, code in found} == {"regular-expression"}


def test_patterns_that_are_told_apart_by_method_or_stand_in_one_rule_are_accepted():
    two = Route(
        matches=tuple(
            Match(path=PathMatch(type="RegularExpression", value=value))
            for value in ("/orders/[0-9]+", "/orders/[a-z]+")
        ),
        backend_refs=(BACKEND,),
    )
    assert codes(api("orders", two)) == []
    assert codes(api("a", pattern("/x/[0-9]", method="GET")), api("b", pattern("/x/.*", method="POST"))) == []


# --- responses -------------------------------------------------------------------------------------------------------


def changing(path, **more):
    return Route.prefix(path, BACKEND, filters=[Filter.response_headers(set={"x": "1"})], **more)


def test_a_routes_change_to_responses_is_found_by_what_that_route_serves():
    orders = api("orders", changing("/orders"), "/orders/new", policy=JWT)
    assert codes(orders) == []

    (rule,) = Host(spec(orders)).response_rules()
    assert rule.expressions == (
        (
            "(req.url.path == '/orders' || req.url.path.startsWith('/orders/')) && "
            "!(req.url.path == '/orders/new' || req.url.path.startsWith('/orders/new/'))"
        ),
    )


def test_a_change_to_responses_goes_with_no_rewrite_of_its_own_route():
    both = Route.prefix("/a", BACKEND, filters=[Filter.response_headers(set={"x": "1"}), Filter.rewrite(path="/y")])
    wanted = [("apis[0].routes[0].filters[0]", "response-after-rewrite")]

    assert codes(api("a", both)) == wanted
    assert codes(api("a", both.model_copy(update={"matches": (Match(),)}))) == []  # it holds for every path


def test_a_rewrite_does_not_lead_to_what_changes_the_responses_of_another():
    def rewriting(new):
        return Route.prefix("/b", BACKEND, filters=[Filter.rewrite(path=new)])

    wanted = [("apis[1].routes[0].filters[0]", "response-of-another")]
    assert codes(api("a", changing("/a")), api("b", rewriting("/a/x"))) == wanted
    assert codes(api("a", changing("/a")), api("b", rewriting("/c"))) == []
    assert codes(api("a", "/a", changing("/aa")), api("b", rewriting("/a/x"))) == []
    action = TrafficPolicy(on_http_request=(Rule(actions=(UrlRewrite(from_="b", to="a"),)),))
    assert [code for _, code in codes(api("a", changing("/a")), api("b", "/b", policy=action))] == [
        "response-of-another"
    ]


def test_headers_that_anybody_matches_on_are_not_changed_where_anybody_changes_responses():
    match = Match(headers=(HeaderMatch(name="X-Tenant", value="1"),))
    change = Filter.request_headers(set={"x-tenant": "2"})
    other = Route.prefix("/b", BACKEND, filters=[change])

    assert codes(
        api("a", changing("/a")), api("b", other), api("c", Route(matches=(match,), backend_refs=(BACKEND,)))
    ) == [("apis[1].routes[0].filters[0]", "matched-header")]


# --- logins ----------------------------------------------------------------------------------------------------------


def test_ngroks_own_paths_belong_to_the_login():
    login = TrafficPolicy(on_http_request=(Rule(actions=(OAuth(provider="github"),)),))

    (rule,) = Host(spec(api("a", "/a", policy=login), api("b", "/b"))).request_rules()
    assert rule.expressions == (
        (
            "req.url.path == '/a' || req.url.path.startsWith('/a/') || "
            "req.url.path == '/ngrok/login' || req.url.path == '/ngrok/logout'"
        ),
    )


def test_a_host_has_one_login_at_most():
    github = TrafficPolicy(on_http_request=(Rule(actions=(OAuth(provider="github"),)),))
    other = TrafficPolicy(on_http_request=(Rule(actions=(OpenIdConnect(issuer_url="https://id.example.com"),)),))

    assert codes(api("a", "/a", policy=github), api("b", "/b", policy=other)) == [
        ("apis[1].policy.on_http_request[0].actions[0]", "two-logins")
    ]
