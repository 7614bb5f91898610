from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from apiops_components.errors import InvalidInput, problems_of
from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.filters import (
    Cors,
    ExtensionRef,
    Filter,
    HeaderModifier,
    Mirror,
    PathModifier,
    Redirect,
    ServiceRef,
    UrlRewrite,
)
from apiops_components.models.match import HeaderMatch, Match, PathMatch, QueryMatch
from apiops_components.models.policy.actions import (
    AddHeaders,
    BasicAuth,
    CircuitBreaker,
    CloseConnection,
    CustomResponse,
    Deny,
    ForwardInternal,
    JwtValidation,
    Log,
    OAuth,
    OpenIdConnect,
    OwaspCrsRequest,
    RateLimit,
    RawAction,
    RemoveHeaders,
    RestrictIps,
    Saml,
    SetVars,
    SseFindReplace,
    VerifyWebhook,
)
from apiops_components.models.policy.actions import Redirect as RedirectAction
from apiops_components.models.policy.actions import UrlRewrite as RewriteAction
from apiops_components.models.policy.document import Rule, TrafficPolicy
from apiops_components.models.route import Backend, HttpRoute, Route, Timeouts
from apiops_components.render.gateway import api_objects
from apiops_components.render.lowering import exact_matches, lower_route, plain_apis, split_rules
from apiops_components.render.refusal import check_host, host_warnings, refusals

BACKEND = Backend.to("web", 80)


def match(value="/x", kind="PathPrefix", **more):
    return Match(path=PathMatch(type=kind, value=value), **more)


def lowered(route, *others):
    apis = (ApiSpec(name="a", routes=(route,)), *(ApiSpec(name=f"b{n}", routes=(o,)) for n, o in enumerate(others)))
    plain = plain_apis(apis)
    return lower_route(plain[0].routes[0], exact_matches(plain))


def paths(route, *others):
    return [[(m.path.type, m.path.value) for m in rule.matches] for rule in lowered(route, *others)]


# --- prefixes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("/pub", [("Exact", "/pub"), ("PathPrefix", "/pub/")]),
        ("/pub/", [("Exact", "/pub"), ("PathPrefix", "/pub/")]),
        ("/a/b", [("Exact", "/a/b"), ("PathPrefix", "/a/b/")]),
        ("/", [("PathPrefix", "/")]),
    ],
)
def test_a_prefix_ends_at_a_segment(written, wanted):
    assert paths(Route.prefix(written, BACKEND)) == [wanted]


def test_an_exact_path_stays_as_it_is():
    assert paths(Route.exact("/pub/", BACKEND)) == [[("Exact", "/pub/")]]


def test_the_same_prefix_twice_in_a_rule_is_lowered_once():
    assert paths(Route(matches=(match("/a"), match("/a/")), backend_refs=(BACKEND,))) == [
        [("Exact", "/a"), ("PathPrefix", "/a/")]
    ]


def test_header_names_become_lower_case_and_query_names_stay():
    route = Route(
        matches=(
            match(headers=(HeaderMatch(name="X-Tenant", value="A"),), query_params=(QueryMatch(name="Q", value="V"),)),
        )
    )
    for item in lowered(route)[0].matches:
        assert [h.name for h in item.headers] == ["x-tenant"]
        assert [(q.name, q.value) for q in item.query_params] == [("Q", "V")]


def test_an_exact_match_that_takes_all_of_the_prefix_itself_replaces_it():
    other = Route.exact("/pub", BACKEND)

    assert paths(Route.prefix("/pub", BACKEND), other) == [[("PathPrefix", "/pub/")]]
    assert paths(Route.prefix("/pub", BACKEND, method="GET"), other) == [[("PathPrefix", "/pub/")]]


def test_an_exact_match_that_takes_a_part_of_the_prefix_itself_leaves_the_rest():
    other = Route.exact("/pub", BACKEND, method="GET")

    assert paths(Route.prefix("/pub", BACKEND), other) == [[("Exact", "/pub"), ("PathPrefix", "/pub/")]]
    assert paths(Route.prefix("/pub", BACKEND, method="POST"), other) == [[("Exact", "/pub"), ("PathPrefix", "/pub/")]]


@pytest.mark.parametrize(
    ("prefix", "new", "itself", "below"),
    [("/api", "/v2", "/v2", "/v2/"), ("/api/", "/v2/", "/v2", "/v2/"), ("/api", "/", "/", "/"), ("/api", "", "/", "/")],
)
def test_a_replaced_prefix_is_split_into_the_path_itself_and_what_is_below(prefix, new, itself, below):
    rules = lowered(Route.prefix(prefix, BACKEND, filters=[Filter.rewrite(prefix=new)]))

    assert [[m.path.model_dump() for m in rule.matches] for rule in rules] == [
        [{"type": "Exact", "value": "/api"}],
        [{"type": "PathPrefix", "value": "/api/"}],
    ]
    assert [rule.filters[0].url_rewrite.path for rule in rules] == [
        PathModifier(type="ReplaceFullPath", replace_full_path=itself),
        PathModifier(type="ReplacePrefixMatch", replace_prefix_match=below),
    ]


def test_a_replaced_prefix_of_everything_needs_no_split():
    (rule,) = lowered(Route.prefix("/", BACKEND, filters=[Filter.rewrite(prefix="/v2")]))

    assert rule.filters[0].url_rewrite.path.replace_prefix_match == "/v2/"


def test_a_prefix_replaced_for_one_backend_alone_is_split_too():
    backend = Backend(name="web", port=80, filters=(Filter.rewrite(prefix="/v2"),))
    rules = lowered(Route(name="r", matches=(match("/api"),), backend_refs=(backend, BACKEND)))

    found = [rule.backend_refs[0].filters[0].url_rewrite.path.type for rule in rules]
    assert found == ["ReplaceFullPath", "ReplacePrefixMatch"]
    assert [rule.name for rule in rules] == ["r", "r-2"]
    assert all(rule.backend_refs[1] == BACKEND for rule in rules)


def test_a_redirect_of_a_prefix_keeps_its_other_fields():
    redirect = Redirect(
        hostname="b.example.com",
        status_code=301,
        path=PathModifier(type="ReplacePrefixMatch", replace_prefix_match="/new"),
    )
    for rule in lowered(Route.prefix("/old", filters=[Filter(type="RequestRedirect", request_redirect=redirect)])):
        change = rule.filters[0].request_redirect
        assert (change.hostname, change.status_code) == ("b.example.com", 301)


# --- limits of the definition ----------------------------------------------------------------------------------------


def routes_of(*routes):
    spec = ApiGatewaySpec(
        name="h", namespace="n", host="a.example.com", apis=(ApiSpec(name="api", routes=tuple(routes)),)
    )
    check_host(spec)
    return [o for o in api_objects(spec, spec.apis[0], ingress_namespace="i") if o["kind"] == "HTTPRoute"]


def shape(objects):
    return [[len(rule["matches"]) for rule in item["spec"]["rules"]] for item in objects]


def values(objects):
    return [m["path"]["value"] for item in objects for rule in item["spec"]["rules"] for m in rule["matches"]]


def test_a_rule_with_more_than_64_matches_becomes_two():
    route = Route(name="many", matches=tuple(match(f"/p{n:02}") for n in range(40)), backend_refs=(BACKEND,))
    objects = routes_of(route)

    assert shape(objects) == [[64, 16]]
    assert [rule["name"] for rule in objects[0]["spec"]["rules"]] == ["many", "many-2"]
    assert values(objects) == [value for n in range(40) for value in (f"/p{n:02}", f"/p{n:02}/")]


def test_more_than_16_rules_and_more_than_128_matches_become_several_routes_in_order():
    rules = [Route.prefix(f"/p{n:02}", BACKEND, filters=[Filter.rewrite(prefix="/q")]) for n in range(10)]
    objects = routes_of(*rules)
    assert shape(objects) == [[1] * 16, [1] * 4]
    assert values(objects) == [value for n in range(10) for value in (f"/p{n:02}", f"/p{n:02}/")]

    rules = [Route(matches=tuple(match(f"/r{r}-{n:02}") for n in range(30)), backend_refs=(BACKEND,)) for r in range(3)]
    objects = routes_of(*rules)
    assert shape(objects) == [[60, 60], [60]]
    assert [item["metadata"]["name"] for item in objects] == ["api", "api.2"]
    assert values(objects) == [
        value for r in range(3) for n in range(30) for value in (f"/r{r}-{n:02}", f"/r{r}-{n:02}/")
    ]
    for item in objects:
        HttpRoute.model_validate(item["spec"])


def test_the_most_that_an_api_can_hold_is_split_into_valid_routes():
    rules = [
        Route(name=f"r{r}", matches=tuple(match(f"/r{r:02}/{n:02}") for n in range(64)), backend_refs=(BACKEND,))
        for r in range(16)
    ]
    objects = routes_of(*rules)

    assert len(values(objects)) == 16 * 64 * 2
    for item in objects:
        HttpRoute.model_validate(item["spec"])
    names = [rule["name"] for item in objects for rule in item["spec"]["rules"]]
    assert len(set(names)) == len(names)


# --- what is refused -------------------------------------------------------------------------------------------------


def problems(*routes, policy=None, others=()):
    apis = (ApiSpec(name="a", routes=routes, policy=policy or TrafficPolicy()), *others)
    with pytest.raises(InvalidInput) as raised:
        check_host(ApiGatewaySpec(name="h", namespace="n", host="a.example.com", apis=apis))
    assert {p.document for p in raised.value.problems} == {"ApiGateway h"}
    assert all(p.message and p.hint for p in raised.value.problems)
    return [(p.path.removeprefix("apis[0]."), p.code.removeprefix("lowering/")) for p in raised.value.problems]


def one(item=None, **more):
    return Route(matches=(item or match(),), **{"backend_refs": (BACKEND,), **more})


def rewrite(**path):
    return Filter(type="URLRewrite", url_rewrite=UrlRewrite(path=PathModifier(**path)))


HEADER = "routes[0].matches[0].headers[0]"
QUERY = "routes[0].matches[0].query_params[0]"
VALUE = "routes[0].matches[0].path.value"
FILTER = "routes[0].filters[0]"

REFUSED = {
    "regular expression without a folder": (
        one(match("/a|/b", "RegularExpression")),
        ("routes[0].matches[0].path", "regular-expression"),
    ),
    "bad pattern in path": (one(match("/a/(", "RegularExpression")), (VALUE, "pattern")),
    "percent": (one(match("/a%20b")), (VALUE, "percent")),
    "percent in a pattern": (one(match("/a/%20[0-9]", "RegularExpression")), (VALUE, "percent")),
    "no match": (one().model_copy(update={"matches": ()}), ("routes[0].matches", "no-match")),
    "longest path": (one(match("/" + "a" * 1023)), (VALUE, "path-length")),
    "quote in path": (one(match("/it's")), (VALUE, "unsafe-value")),
    "quote in header": (
        one(match(headers=(HeaderMatch(name="a", value="' || true"),))),
        (f"{HEADER}.value", "unsafe-value"),
    ),
    "quote in header name": (
        one(match(headers=(HeaderMatch(name="a'b", value="1"),))),
        (f"{HEADER}.name", "unsafe-value"),
    ),
    "backslash": (one(match(headers=(HeaderMatch(name="a", value="a\\b"),))), (f"{HEADER}.value", "unsafe-value")),
    "interpolation": (one(match(headers=(HeaderMatch(name="a", value="${x}"),))), (f"{HEADER}.value", "unsafe-value")),
    "quote in query": (one(match(query_params=(QueryMatch(name="a", value="'"),))), (f"{QUERY}.value", "unsafe-value")),
    "quote in query name": (
        one(match(query_params=(QueryMatch(name="'", value="1"),))),
        (f"{QUERY}.name", "unsafe-value"),
    ),
    "new line": (one(match(headers=(HeaderMatch(name="a", value="a\nb"),))), (f"{HEADER}.value", "unsafe-value")),
    "line separator": (
        one(match(headers=(HeaderMatch(name="a", value="a\u2028b"),))),
        (f"{HEADER}.value", "unsafe-value"),
    ),
    "bad pattern": (
        one(match(headers=(HeaderMatch(type="RegularExpression", name="a", value="("),))),
        (f"{HEADER}.value", "pattern"),
    ),
    "bad pattern in query": (
        one(match(query_params=(QueryMatch(type="RegularExpression", name="a", value="(?=x)"),))),
        (f"{QUERY}.value", "pattern"),
    ),
    "mirror": (
        one(filters=(Filter(type="RequestMirror", request_mirror=Mirror(backend_ref=ServiceRef(name="m", port=80))),)),
        (FILTER, "filter"),
    ),
    "cors": (one(filters=(Filter(type="CORS", cors=Cors(allow_origins=("*",))),)), (FILTER, "filter")),
    "cors of a backend": (
        one(backend_refs=(Backend(name="w", port=80, filters=(Filter(type="CORS", cors=Cors()),)),)),
        ("routes[0].backend_refs[0].filters[0]", "filter"),
    ),
    "backslash that no class stands for": (
        one(match(headers=(HeaderMatch(type="RegularExpression", name="a", value=r"a\bc"),))),
        (f"{HEADER}.value", "unsafe-value"),
    ),
    "quote in a pattern": (
        one(match(headers=(HeaderMatch(type="RegularExpression", name="a", value="a'b"),))),
        (f"{HEADER}.value", "unsafe-value"),
    ),
    "longest pattern": (
        one(match(headers=(HeaderMatch(type="RegularExpression", name="a", value="a" * 4095),))),
        (f"{HEADER}.value", "pattern-length"),
    ),
    "a header twice": (
        one(filters=(Filter.request_headers(set={"X-A": "1"}, remove=["x-a"]),)),
        (f"{FILTER}.request_header_modifier.remove[0]", "header-twice"),
    ),
    "user-agent": (
        one(filters=(Filter.request_headers(remove=["User-Agent"]),)),
        (f"{FILTER}.request_header_modifier.remove[0]", "header-name"),
    ),
    "host": (
        one(filters=(Filter.request_headers(set={"host": "b"}),)),
        (f"{FILTER}.request_header_modifier.set[0]", "header-name"),
    ),
    "no header's name": (
        one(filters=(Filter.response_headers(remove=["a b"]),)),
        (f"{FILTER}.response_header_modifier.remove[0]", "header-name"),
    ),
    "new line in a header": (
        one(filters=(Filter.request_headers(add={"a": "1\r\nb: 2"}),)),
        (f"{FILTER}.request_header_modifier.add[0].value", "unsafe-value"),
    ),
    "query in a new path": (
        one(filters=(Filter.rewrite(path="/a?b=c"),)),
        (f"{FILTER}.url_rewrite.path.replace_full_path", "unsafe-value"),
    ),
    "policy by name at a backend": (
        one(
            backend_refs=(
                Backend(
                    name="w",
                    port=80,
                    filters=(Filter(type="ExtensionRef", extension_ref=ExtensionRef(group="", kind="K", name="n")),),
                ),
            )
        ),
        ("routes[0].backend_refs[0].filters[0]", "extension-ref"),
    ),
    "backend that redirects": (
        one(backend_refs=(Backend(name="w", port=80, filters=(Filter.redirect(hostname="b.example.com"),)),)),
        ("routes[0].backend_refs[0].filters[0]", "backend-redirect"),
    ),
    "responses of one of two backends": (
        one(backend_refs=(BACKEND, Backend(name="w", port=80, filters=(Filter.response_headers(set={"a": "1"}),)))),
        ("routes[0].backend_refs[1].filters[0]", "backend-response"),
    ),
    "responses of a rule and of its backend": (
        one(
            filters=(Filter.response_headers(set={"a": "1"}),),
            backend_refs=(Backend(name="w", port=80, filters=(Filter.response_headers(set={"a": "2"}),)),),
        ),
        ("routes[0].backend_refs[0].filters[0]", "header-twice"),
    ),
    "namespace": (
        one(backend_refs=(Backend.to("w", 80, namespace="other"),)),
        ("routes[0].backend_refs[0].namespace", "cross-namespace"),
    ),
    "kind": (
        one(backend_refs=(Backend(group="x.io", kind="Bucket", name="w"),)),
        ("routes[0].backend_refs[0].kind", "backend-kind"),
    ),
    "no backend": (one(backend_refs=()), ("routes[0].backend_refs", "no-backend")),
    "no backend, but a filter": (
        one(backend_refs=(), filters=(Filter.request_headers(set={"a": "1"}),)),
        ("routes[0].backend_refs", "no-backend"),
    ),
    "no weight": (one(backend_refs=(Backend.to("w", 80, weight=0),)), ("routes[0].backend_refs", "no-weight")),
    "group in a new path": (
        one(filters=(rewrite(type="ReplaceFullPath", replace_full_path="/a$1"),)),
        (f"{FILTER}.url_rewrite.path.replace_full_path", "unsafe-value"),
    ),
    "group in a new prefix": (
        one(filters=(rewrite(type="ReplacePrefixMatch", replace_prefix_match="/$5"),)),
        (f"{FILTER}.url_rewrite.path.replace_prefix_match", "unsafe-value"),
    ),
    "relative new path": (
        one(filters=(Filter.redirect(path="evil.example.com"),), backend_refs=()),
        (f"{FILTER}.request_redirect.path.replace_full_path", "relative-path"),
    ),
    "pattern in a path that is rewritten": (
        one(match("/f(x)"), filters=(Filter.rewrite(path="/y"),)),
        (VALUE, "unsafe-value"),
    ),
    "pattern in a path that is redirected": (
        one(match("/a+b"), filters=(Filter.redirect(hostname="b.example.com"),), backend_refs=()),
        (VALUE, "unsafe-value"),
    ),
}


@pytest.mark.parametrize(("route", "wanted"), REFUSED.values(), ids=REFUSED)
def test_what_the_operator_would_do_otherwise_is_refused(route, wanted):
    assert problems(route) == [wanted]


def test_every_problem_of_a_host_is_told_at_once():
    bad = one(match("/a|/b", "RegularExpression"), backend_refs=())
    other = ApiSpec(name="b", routes=(one(match("/b'")),))

    assert problems(bad, others=(other,)) == [
        ("routes[0].matches[0].path", "regular-expression"),
        ("routes[0].backend_refs", "no-backend"),
        ("apis[1].routes[0].matches[0].path.value", "unsafe-value"),
    ]


def test_timeouts_are_written_and_warned_of_since_ngrok_does_not_apply_them():
    """Nothing goes elsewhere or is newly allowed for it; a request may take longer, that is all."""
    route = one(timeouts=Timeouts(request="10s", backend_request="1s"))
    spec = ApiGatewaySpec(
        name="h", namespace="n", host="a.example.com", apis=(ApiSpec(name="a", routes=(one(match("/y")), route)),)
    )

    assert refusals(spec) == []
    (warning,) = host_warnings(spec)
    assert (warning.document, warning.path, warning.code) == (
        "ApiGateway h",
        "apis[0].routes[1].timeouts",
        "lowering/timeouts",
    )
    (rendered,) = routes_of(route)
    assert rendered["spec"]["rules"][0]["timeouts"] == {"request": "10s", "backendRequest": "1s"}


def test_a_backend_without_a_share_is_left_out():
    """Were the other's Service missing, ngrok's operator would send it every request."""
    (route,) = lowered(one(backend_refs=(BACKEND, Backend.to("old", 80, weight=0))))

    assert route.backend_refs == (BACKEND,)


def test_equals_are_settled_by_the_order_of_rules_within_one_object():
    first, second = one(by("a")), one(by("b"))
    check_host(
        ApiGatewaySpec(name="h", namespace="n", host="a.example.com", apis=(ApiSpec(name="a", routes=(first, second)),))
    )

    assert set(problems(second, first)) == {("routes[1].matches[0]", "ambiguous")}
    many = tuple(one(match(f"/p{n}")) for n in range(8))
    assert set(problems(first, second, *many)) == {("routes[1].matches[0]", "ambiguous")}


RESPONSE = TrafficPolicy(on_http_response=(Rule(actions=(AddHeaders(headers={"a": "b"}),)),))
CHANGE = RemoveHeaders(headers=("X-Tenant",))
JWT = JwtValidation.bearer(issuer="https://i", jwks="https://i/k")
BY_TENANT = match("/t", headers=(HeaderMatch(name="x-tenant", value="a"),))


def test_a_response_rule_with_a_rewrite_is_refused():
    wanted = [("policy.on_http_response", "response-after-rewrite")]

    assert problems(one(filters=(Filter.rewrite(path="/y"),)), policy=RESPONSE) == wanted
    backend = Backend(name="w", port=80, filters=(Filter.rewrite(path="/y"),))
    assert problems(one(backend_refs=(backend,)), policy=RESPONSE) == wanted


def test_a_matched_header_is_not_changed_before_a_protecting_rule():
    policy = TrafficPolicy(on_http_request=(Rule(actions=(CHANGE,)), Rule(actions=(JWT,))))
    other = ApiSpec(name="b", routes=(one(BY_TENANT),))

    assert problems(one(), policy=policy, others=(other,)) == [
        ("policy.on_http_request[0].actions[0]", "matched-header")
    ]


def test_a_matched_header_may_be_changed_behind_the_protecting_rules():
    policy = TrafficPolicy(on_http_request=(Rule(actions=(JWT,)), Rule(actions=(CHANGE,))))
    api = ApiSpec(name="a", routes=(one(BY_TENANT),), policy=policy)
    check_host(ApiGatewaySpec(name="h", namespace="n", host="a.example.com", apis=(api,)))


def test_a_matched_header_is_not_changed_at_all_where_responses_have_rules():
    policy = RESPONSE.model_copy(update={"on_http_request": (Rule(actions=(CHANGE,)),)})
    change = Filter(type="RequestHeaderModifier", request_header_modifier=HeaderModifier(remove=("X-TENANT",)))

    assert problems(one(BY_TENANT), policy=policy) == [("policy.on_http_request[0].actions[0]", "matched-header")]
    assert problems(one(BY_TENANT, filters=(change,)), policy=RESPONSE) == [("routes[0].filters[0]", "matched-header")]


def test_a_rule_without_backend_is_accepted_where_the_policy_always_answers():
    policy = TrafficPolicy(on_http_request=(Rule(actions=(CustomResponse(status_code=503),)),))
    api = ApiSpec(name="a", routes=(one(backend_refs=()),), policy=policy)
    check_host(ApiGatewaySpec(name="h", namespace="n", host="a.example.com", apis=(api,)))


def by(*names, **more):
    return match(headers=tuple(HeaderMatch(name=name, value="1") for name in names), **more)


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (match("/x"), match("/x/"), "duplicate-route"),
        (by("x-a"), by("X-A"), "duplicate-route"),
        (by("a", "b"), by("b", "a"), "duplicate-route"),
        (by(method="GET"), by("a"), "ambiguous"),
        (by("a"), by("a", "b"), "ambiguous"),
        (by("a"), by("b"), "ambiguous"),  # the specification leaves it to the age of the routes
        (match("/x", method="GET"), match("/x/"), "ambiguous"),  # the longer by its characters, the same by segments
        (match("/x", "Exact", method="GET"), by("a"), "ambiguous"),
        (match("/x", query_params=(QueryMatch(name="q", value="1"),)), by(method="GET"), "ambiguous"),
    ],
)
def test_matches_that_the_two_rank_differently_are_refused(first, second, code):
    for one_, other in ((first, second), (second, first)):
        found = problems(one(one_), others=(ApiSpec(name="b", routes=(one(other),)),))
        assert {found_code for _, found_code in found} == {code}
        assert {path for path, _ in found} == {"apis[1].routes[0].matches[0]"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (by(), by("a")),
        (by(), by(method="GET")),
        (by(method="GET"), by("a", method="GET")),
        (match("/x"), match("/x/", method="GET")),
        (by(method="GET"), by("a", method="POST")),
        (
            match(headers=(HeaderMatch(name="a", value="1"),)),
            match(headers=(HeaderMatch(name="A", value="2"), HeaderMatch(name="b", value="1"))),
        ),
    ],
)
def test_matches_that_the_two_rank_alike_or_that_no_request_shares_are_accepted(first, second):
    apis = (ApiSpec(name="a", routes=(one(first),)), ApiSpec(name="b", routes=(one(second),)))
    check_host(ApiGatewaySpec(name="h", namespace="n", host="a.example.com", apis=apis))


# --- rules -----------------------------------------------------------------------------------------------------------

LIMIT = RateLimit(name="n", capacity=1, rate="60s", bucket_key=("conn.client_ip",))
ACTIONS = [Deny(), CustomResponse(body="no"), JWT, LIMIT, AddHeaders(headers={"a": "b"}), RemoveHeaders(headers=("c",))]

_rules = st.lists(
    st.builds(
        lambda number, actions: Rule(name=str(number), expressions=("req.method == 'GET'",), actions=tuple(actions)),
        st.integers(),
        st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=3),
    ),
    max_size=6,
)


@given(_rules)
def test_rules_are_split_without_loss_or_change_of_order(rules):
    gateway, route = split_rules(rules)

    assert [*gateway, *route] == rules


@given(_rules)
def test_whatever_may_refuse_or_answer_is_in_the_gateways_part(rules):
    gateway, route = split_rules(rules)

    assert not any(step.protecting or step.terminating for rule in route for step in rule.actions)
    assert not gateway or any(step.protecting or step.terminating for step in gateway[-1].actions)


def test_a_limit_before_a_token_still_counts_requests_without_one():
    limit, token, header = Rule(actions=(LIMIT,)), Rule(actions=(JWT,)), Rule(actions=(ACTIONS[4],))

    assert split_rules((limit, token, header)) == ([limit, token], [header])
    assert split_rules((token, limit)) == ([token], [limit])


def test_a_deny_that_reads_what_another_action_found_has_it_in_front():
    limit = Rule(actions=(LIMIT,))
    deny = Rule(expressions=("actions.ngrok.rate_limit.limited",), actions=(Deny(),))

    assert split_rules((limit, deny)) == ([limit, deny], [])


def test_a_rule_that_reads_what_the_gateways_policy_has_set_goes_there_too():
    """Alone in the route's policy it would read a variable that nothing sets, and be refused as such."""
    before, reading = Rule(actions=(SET,)), Rule(actions=(AddHeaders(headers={"x-t": "${vars.tenant}"}),))
    behind = Rule(actions=(AddHeaders(headers={"x-u": "1"}),))
    limit, limited = (
        Rule(actions=(LIMIT,)),
        Rule(expressions=("actions.ngrok.rate_limit.limited",), actions=(ACTIONS[4],)),
    )

    assert split_rules((before, Rule(actions=(JWT,)), behind, reading, behind))[1] == [behind]
    assert split_rules((limit, Rule(actions=(JWT,)), limited)) == ([limit, Rule(actions=(JWT,)), limited], [])
    assert split_rules((Rule(actions=(JWT,)), before, reading))[1] == [before, reading]
    assert split_rules((before, reading)) == ([], [before, reading])


REWRITE = RewriteAction(from_="/x", to="/y")
SET = SetVars(vars=({"tenant": "${req.headers['x-tenant'][0]}"},))


@pytest.mark.parametrize(
    "action",
    [
        BasicAuth(credentials=("me:0123456789",)),
        OAuth(provider="github"),
        OpenIdConnect(issuer_url="https://id.example.com"),
        Saml(idp_metadata="<x/>"),
        RestrictIps(allow=("192.0.2.0/24",)),
        VerifyWebhook(provider="github", secret="x"),  # noqa: S106
        OwaspCrsRequest(),
        CloseConnection(),
        RedirectAction(to="https://b.example.com/"),
        ForwardInternal(url="https://a.internal"),
        RawAction(type="passkey", config={}),
    ],
)
def test_what_protects_or_answers_takes_all_before_it_to_the_gateway(action):
    before, protecting, behind = Rule(actions=(SET,)), Rule(actions=(action,)), Rule(actions=(REWRITE,))

    assert split_rules((before, protecting, behind)) == ([before, protecting], [behind])


@pytest.mark.parametrize("action", [SET, REWRITE, Log(metadata={"a": 1}), CircuitBreaker(error_threshold=0.5)])
def test_what_only_changes_counts_or_tells_stays_with_the_route(action):
    assert split_rules((Rule(actions=(action,)),)) == ([], [Rule(actions=(action,))])


def test_a_url_is_not_rewritten_before_or_beside_a_protecting_rule():
    before = TrafficPolicy(on_http_request=(Rule(actions=(REWRITE,)), Rule(actions=(JWT,))))
    beside = TrafficPolicy(on_http_request=(Rule(actions=(JWT, REWRITE)),))

    assert problems(one(), policy=before) == [("policy.on_http_request[0].actions[0]", "early-rewrite")]
    assert problems(one(), policy=beside) == [("policy.on_http_request[0].actions[1]", "early-rewrite")]


def test_a_url_may_be_rewritten_behind_the_protecting_rules_where_responses_have_none():
    policy = TrafficPolicy(on_http_request=(Rule(actions=(JWT,)), Rule(actions=(REWRITE,))))
    api = ApiSpec(name="a", routes=(one(),), policy=policy)
    check_host(ApiGatewaySpec(name="h", namespace="n", host="a.example.com", apis=(api,)))

    assert problems(one(), policy=policy + RESPONSE) == [("policy.on_http_response", "response-after-rewrite")]


@pytest.mark.parametrize(
    "name",
    [
        "request_matched_local_svc",
        "weighted_route_random_num",
        "original_path",
        "original_headers",
        "original_query_params",
    ],
)
@pytest.mark.parametrize("phase", ["on_http_request", "on_http_response"])
def test_the_operators_own_variables_are_not_set(name, phase):
    policy = TrafficPolicy(**{phase: (Rule(actions=(LIMIT, SET)[phase != "on_http_request" :]),)})
    check_host(
        ApiGatewaySpec(
            name="h",
            namespace="n",
            host="a.example.com",
            apis=(ApiSpec(name="a", routes=(one(),), policy=policy),),
        )
    )

    taken = TrafficPolicy(**{phase: (Rule(actions=(SetVars(vars=({"mine": 1}, {name: "/"})),)),)})
    assert problems(one(), policy=taken) == [
        (f"policy.{phase}[0].actions[0].config.vars[1].{name}", "reserved-variable")
    ]


@pytest.mark.parametrize(
    ("phase", "action"),
    [("on_tcp_connect", Deny()), ("on_event_stream_message", SseFindReplace(replacements=({"from": "a", "to": "b"},)))],
)
def test_rules_of_phases_that_no_route_has_are_refused(phase, action):
    with pytest.raises(ValidationError) as raised:
        ApiSpec(name="a", routes=(one(),), policy=TrafficPolicy(**{phase: (Rule(actions=(action,)),)}))
    (problem,) = problems_of(raised.value)
    assert (problem.path, problem.code) == (f"policy.{phase}", "api/phase")
