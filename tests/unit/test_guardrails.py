from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from apiops_components.errors import GuardrailError, problems_of
from apiops_components.guardrails.check import Guardrails, check
from apiops_components.guardrails.finding import Finding
from apiops_components.guardrails.rules import RULES, example_request
from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.description import Description
from apiops_components.models.environment import Environment
from apiops_components.models.filters import Filter
from apiops_components.models.guardrail import (
    AllowedHosts,
    AllowedNamespaces,
    AuthenticationRequired,
    ForbiddenActions,
    Guardrail,
    HighestRateLimit,
    OwnerRequired,
    Waiver,
)
from apiops_components.models.match import HeaderMatch, Match, PathMatch, QueryMatch
from apiops_components.models.policy.actions import (
    AddHeaders,
    BasicAuth,
    CustomResponse,
    Deny,
    ForwardInternal,
    JwtValidation,
    OAuth,
    OpenIdConnect,
    RateLimit,
    RawAction,
    RestrictIps,
    Saml,
    VerifyWebhook,
)
from apiops_components.models.policy.document import Rule, TrafficPolicy
from apiops_components.models.route import Backend, Route

JWT = Rule(actions=(JwtValidation.bearer(issuer="https://i", jwks="https://i/k"),))


def limit(capacity=10, rate="60s", **more):
    return RateLimit(name="n", capacity=capacity, rate=rate, bucket_key=("conn.client_ip",), **more)


def api(*rules, name="orders", response=(), routes=None, **more):
    policy = TrafficPolicy(on_http_request=rules, on_http_response=response)
    return ApiSpec(name=name, routes=routes or (Route.prefix("/orders", Backend.to("web", 80)),), policy=policy, **more)


def host(*apis, **more):
    data = {"name": "shop", "namespace": "shop", "host": "shop.example.com", "team": "shop", "apis": apis}
    return ApiGatewaySpec(**data | more)


def findings(rail, *apis, environment="prod", **more):
    return list(Guardrails(environment, (rail,)).findings(host(*apis, **more)))


def one(rail, *apis, **more):
    (found,) = findings(rail, *apis, **more)
    return found


def test_every_kind_of_guardrail_has_its_rule():
    union, _ = get_args(Guardrail)
    assert set(RULES) == set(get_args(union))


# --- authentication --------------------------------------------------------------------------------------------------


def test_a_token_asked_of_every_request_is_authentication():
    assert findings(AuthenticationRequired(), api(JWT)) == []
    assert findings(AuthenticationRequired(), api(Rule(actions=(limit(), JWT.actions[0])))) == []


def test_without_authentication_a_request_that_gets_through_is_shown():
    assert one(AuthenticationRequired(), api(owner="orders@example.com")) == Finding(
        guardrail="authentication-required",
        subject="Api shop/orders",
        owner="orders@example.com",
        team="shop",
        message="requests reach the backend without authentication",
        hint="add JwtValidation.bearer(issuer=…, jwks=…) to on_http_request",
        path="apis[0].policy",
        request="GET https://shop.example.com/orders",
    )


def test_authentication_under_a_condition_is_none():
    rule = JWT.model_copy(update={"expressions": ("req.method == 'POST'", "req.host == 'a'")})
    found = one(AuthenticationRequired(), api(Rule(actions=(limit(),)), rule))

    assert found.message == "requests are authenticated only where req.method == 'POST' && req.host == 'a'"
    assert found.path == "apis[0].policy.on_http_request[1].expressions"
    assert found.request


@pytest.mark.parametrize("action", [Deny(), CustomResponse(status_code=403), limit(), AddHeaders(headers={"a": "b"})])
def test_no_other_action_authenticates(action):
    rule = Rule(expressions=("req.method == 'POST'",), actions=(action,))
    assert one(AuthenticationRequired(), api(rule)).guardrail == "authentication-required"


def test_an_api_that_only_redirects_has_nothing_to_protect():
    redirect = Route.exact("/", filters=[Filter.redirect(path="/docs")])
    assert findings(AuthenticationRequired(), api(routes=(redirect,))) == []

    mixed = (redirect, Route.prefix("/docs", Backend.to("docs", 80)))
    assert one(AuthenticationRequired(), api(routes=mixed)).request == "GET https://shop.example.com/docs"


BASIC = BasicAuth(credentials=("me:0123456789",))


@pytest.mark.parametrize(
    "action",
    [BASIC, OAuth(provider="github"), OpenIdConnect(issuer_url="https://id.example.com"), Saml(idp_metadata="<x/>")],
)
def test_each_login_of_every_request_is_authentication(action):
    assert findings(AuthenticationRequired(), api(Rule(actions=(action,)))) == []

    rule = Rule(expressions=("req.method == 'POST'",), actions=(action,))
    assert one(AuthenticationRequired(), api(rule)).path == "apis[0].policy.on_http_request[0].expressions"


def test_a_login_that_is_not_enforced_is_none():
    unenforced = Rule(actions=(BASIC.model_copy(update={"enforce": False}),))
    found = one(AuthenticationRequired(), api(unenforced))

    assert found.message == "basic-auth only records who would not pass: enforce is false"
    assert found.path == "apis[0].policy.on_http_request[0].actions[0].enforce"
    assert findings(AuthenticationRequired(), api(unenforced, JWT)) == []


@pytest.mark.parametrize(
    "action",
    [
        RestrictIps(allow=("192.0.2.0/24",)),
        VerifyWebhook(provider="github", secret="x"),  # noqa: S106
        RawAction(type="passkey", config={}),
    ],
)
def test_an_address_a_signature_or_an_unknown_action_authenticates_nobody(action):
    assert one(AuthenticationRequired(), api(Rule(actions=(action,)))).path == "apis[0].policy"


@pytest.mark.parametrize("action", [ForwardInternal(url="https://a.internal"), RawAction(type="relay", config={})])
def test_what_passes_requests_on_before_they_are_authenticated_breaks_it(action):
    early = Rule(expressions=("req.method == 'GET'",), actions=(action,))
    found = one(AuthenticationRequired(), api(early, JWT))

    assert found.message == f"{action.type} may pass requests on before they are authenticated"
    assert found.path == "apis[0].policy.on_http_request[0].actions[0]"
    assert found.request == "GET https://shop.example.com/orders"
    assert findings(AuthenticationRequired(), api(JWT, early)) == []


def test_an_api_without_a_backend_that_forwards_is_protected_too():
    forward = Rule(actions=(ForwardInternal(url="https://a.internal"),))
    routes = (Route.prefix("/orders"),)
    assert one(AuthenticationRequired(), api(forward, routes=routes)).request == "GET https://shop.example.com/orders"
    assert findings(AuthenticationRequired(), api(JWT, forward, routes=routes)) == []


def test_preflight_requests_without_a_login_are_told():
    found = one(AuthenticationRequired(), api(Rule(actions=(OAuth(provider="github", allow_cors_preflight=True),))))
    assert found.path == "apis[0].policy.on_http_request[0].actions[0].allow_cors_preflight"
    assert found.request == "OPTIONS https://shop.example.com/orders"


# --- rate limits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capacity", "rate", "high"),
    [(600, "60s", False), (601, "60s", True), (1200, "2m", False), (1201, "2m", True), (36_000, "1h", False)],
)
def test_a_limit_counts_by_proportion_of_its_period(capacity, rate, high):
    found = findings(HighestRateLimit(per_minute=600), api(Rule(actions=(limit(capacity, rate),))))

    assert bool(found) == high
    if high:
        assert found[0].path == "apis[0].policy.on_http_request[0].actions[0].capacity"
        assert found[0].hint == f"capacity={int(capacity * 600 / limit(capacity, rate).per_minute())}"
        fixed = limit(int(found[0].hint.removeprefix("capacity=")), rate)
        assert findings(HighestRateLimit(per_minute=600), api(Rule(actions=(fixed,)))) == []


def test_no_limit_at_all_breaks_it_unless_none_is_required():
    found = one(HighestRateLimit(per_minute=600), api())

    assert found.message == "requests are limited not at all; at most 600 a minute are allowed"
    assert found.request == "GET https://shop.example.com/orders"
    assert findings(HighestRateLimit(per_minute=600, required=False), api()) == []


def test_a_limit_under_a_condition_or_one_that_only_counts_is_none():
    conditional = Rule(expressions=("req.method == 'POST'",), actions=(limit(),))
    counting = Rule(actions=(limit(enforce=False),))

    assert "only under a condition" in one(HighestRateLimit(per_minute=600), api(conditional)).message
    assert "not at all" in one(HighestRateLimit(per_minute=600), api(counting)).message


def test_a_high_limit_beside_a_low_one_is_still_told():
    rules = (Rule(actions=(limit(10),)), Rule(expressions=("req.method == 'GET'",), actions=(limit(5000),)))
    assert (
        one(HighestRateLimit(per_minute=600), api(*rules)).path
        == "apis[0].policy.on_http_request[1].actions[0].capacity"
    )


# --- hosts, namespaces, actions, owners ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("shop.example.com", True),
        ("a.b.example.com", True),
        ("example.com", False),
        ("notexample.com", False),
        ("shop.example.org", False),
        ("exact.test", True),
        ("sub.exact.test", False),
    ],
)
def test_hosts_are_those_listed_or_below_a_wildcard(name, allowed):
    found = findings(AllowedHosts(hosts=("*.example.com", "exact.test")), api(), host=name)

    wanted = [] if allowed else [("host", f"host {name!r} is not among *.example.com, exact.test")]
    assert [(f.path, f.message) for f in found] == wanted


def test_namespaces_are_those_listed_for_hosts_and_backends():
    rail = AllowedNamespaces(namespaces=("shop",))
    elsewhere = api(routes=(Route.prefix("/", Backend.to("a", 80), Backend.to("b", 80, namespace="kube-system")),))

    assert findings(rail, api()) == []
    assert one(rail, elsewhere).path == "apis[0].routes[0].backend_refs[1].namespace"
    assert one(rail, api(), namespace="other").path == "namespace"


def test_forbidden_actions_are_found_in_every_phase():
    rail = ForbiddenActions(actions=("add-headers", "deny"))
    header = Rule(actions=(AddHeaders(headers={"a": "b"}),))
    found = findings(rail, api(JWT, Rule(actions=(limit(), Deny())), response=(header,)))

    assert [f.path for f in found] == [
        "apis[0].policy.on_http_request[1].actions[1]",
        "apis[0].policy.on_http_response[0].actions[0]",
    ]
    assert [f.message for f in found] == ["deny is forbidden", "add-headers is forbidden"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("custom-respons", "did you mean custom-response?"),
        ("oidc", "it is called openid-connect"),
        ("", "known: add-headers, ai-gateway, "),
    ],
)
def test_an_action_that_is_not_known_cannot_be_forbidden(name, hint):
    with pytest.raises(ValidationError) as raised:
        ForbiddenActions(actions=("deny", name))
    (problem,) = problems_of(raised.value)
    assert (problem.path, problem.code) == ("actions[1]", "guardrail/action")
    assert problem.message == f"ngrok has no action {name!r}"
    assert problem.hint.startswith(hint)


def test_an_owner_is_the_apis_or_the_hosts():
    assert findings(OwnerRequired(), api(owner="a@example.com")) == []
    assert findings(OwnerRequired(), api(), owner="a@example.com") == []
    assert one(OwnerRequired(), api()).path == "apis[0].owner"


# --- scope and waivers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "environment", "team", "acts"),
    [
        ({}, "dev", "shop", True),
        ({}, "dev", None, True),
        ({"environments": ("prod",)}, "dev", "shop", False),
        ({"environments": ("prod", "dev")}, "dev", "shop", True),
        ({"teams": ("shop",)}, "dev", "shop", True),
        ({"teams": ("shop",)}, "dev", "other", False),
        ({"teams": ("shop",)}, "dev", None, False),
        ({"teams": ("shop",), "environments": ("prod",)}, "dev", "shop", False),
    ],
)
def test_guardrails_act_within_their_scope(scope, environment, team, acts):
    found = findings(OwnerRequired(**scope), api(), environment=environment, team=team)

    assert bool(found) == acts


@pytest.mark.parametrize(
    ("waiver", "waived"),
    [
        ({"team": "shop", "api": "orders"}, True),
        ({"team": "shop", "api": "other"}, False),
        ({"team": "red", "api": "orders"}, False),
    ],
)
def test_a_waiver_is_for_one_api_of_one_team_and_keeps_the_finding(waiver, waived):
    reason = "Public by decision of the board."
    found = one(OwnerRequired(waivers=(Waiver(**waiver, reason=reason),)), api())

    assert found.waived == (reason if waived else "")


def test_a_waiver_of_one_guardrail_waives_no_other():
    waiver = Waiver(team="shop", api="orders", reason="Public by decision.")
    rails = (OwnerRequired(waivers=(waiver,)), AuthenticationRequired())
    found = list(Guardrails("prod", rails).findings(host(api())))

    assert [(f.guardrail, bool(f.waived)) for f in found] == [
        ("owner-required", True),
        ("authentication-required", False),
    ]


def test_enforcing_raises_every_breach_at_once_and_none_that_is_waived():
    waiver = Waiver(team="shop", api="b", reason="Public by decision.")
    rails = Guardrails("prod", (OwnerRequired(), AuthenticationRequired(waivers=(waiver,))))
    other = api(name="b", routes=(Route.prefix("/b", Backend.to("b", 80)),), owner="b@example.com")
    with pytest.raises(GuardrailError) as raised:
        rails.enforce(host(api(), other))

    assert [(p.document, p.path, p.code) for p in raised.value.problems] == [
        ("Api shop/orders", "apis[0].owner", "guardrail/owner-required"),
        ("Api shop/orders", "apis[0].policy", "guardrail/authentication-required"),
    ]
    assert "gets through: GET https://shop.example.com/orders" in raised.value.problems[1].message


def test_what_holds_is_enforced_without_a_word():
    Guardrails("prod", (AuthenticationRequired(), HighestRateLimit(per_minute=60))).enforce(
        host(api(Rule(actions=(limit(),)), JWT))
    )
    Guardrails("prod").enforce(host(api()))


def test_checking_covers_every_host_of_every_description():
    environment = Environment.model_validate(
        {"name": "prod", "owner": "p", "cluster": {"kind": "existing", "context": "c"}}
    )
    described = Description(
        environment=environment, gateways=(host(api()), host(api(name="x"), name="b", host="b.test"))
    )
    found = check([described, described], [OwnerRequired()])

    assert [f.subject for f in found] == ["Api shop/orders", "Api shop/x"] * 2


def test_an_example_request_is_what_a_person_would_type():
    match = Match(
        path=PathMatch(type="Exact", value="/a"),
        method="PUT",
        headers=(HeaderMatch(name="X-A", value="1"),),
        query_params=(QueryMatch(name="q", value="2"), QueryMatch(name="r", value="3")),
    )
    assert example_request("a.test", match) == "PUT https://a.test/a?q=2&r=3 -H 'X-A: 1'"
