"""Who gets a request, and whose protection it meets: guards against two references written apart from the code.

`specification` is the Gateway API's text on precedence, `operator` is ngrok's operator as built (its ``SortRoutes`` and
``irMatchCriteriaToTPExpressions``), reading the manifests that are rendered.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cache

import pytest
from cel_expr_python import cel
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from apiops_components.errors import InvalidInput
from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.match import HeaderMatch, Match, PathMatch, QueryMatch
from apiops_components.models.policy.actions import AddHeaders, CustomResponse, Deny, JwtValidation, RateLimit
from apiops_components.models.policy.cel import literal
from apiops_components.models.policy.document import Rule, TrafficPolicy
from apiops_components.models.route import Backend, HttpRoute, Route
from apiops_components.render.gateway import api_objects, gateway_objects
from apiops_components.render.guard import guards
from apiops_components.render.refusal import check_host

EXAMPLES = int(os.environ.get("APIOPS_EXAMPLES", "40"))
"""Per property; each host meets eight requests. APIOPS_EXAMPLES=2000 before a change of guards is merged."""


@dataclass(frozen=True)
class Request:
    path: str
    method: str = "GET"
    headers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    query: dict[str, tuple[str, ...]] = field(default_factory=dict)
    token: bool = False


# --- expressions, evaluated by CEL itself ----------------------------------------------------------------------------


@cache
def _environment():
    many = cel.Type.Map(cel.Type.STRING, cel.Type.List(cel.Type.STRING))
    join = cel.Overload(
        "join_text",
        cel.Type.STRING,
        [cel.Type.List(cel.Type.DYN), cel.Type.STRING],
        is_member=True,
        impl=lambda items, separator: separator.join(items),
    )
    return cel.NewEnv(
        variables={
            "req.url.path": cel.Type.STRING,
            "req.method": cel.Type.STRING,
            "req.headers": many,
            "req.url.query_params": many,
        },
        functions=[cel.FunctionDecl("join", [join])],
    )


@cache
def _compiled(expression):
    return _environment().compile(expression)


def holds(expression, request):
    """Whether the expression is true for the request; no expression is always true."""
    if expression is None:
        return True
    found = _compiled(expression).eval(
        data={
            "req.url.path": request.path,
            "req.method": request.method,
            "req.headers": {name: list(values) for name, values in request.headers.items()},
            "req.url.query_params": {name: list(values) for name, values in request.query.items()},
        }
    )
    assert found.type().name() == "BOOL", found
    return found.value()


# --- the two references ----------------------------------------------------------------------------------------------


def _values_match(item, given, fits):
    # Repeated values are joined, as RFC 9110 says of headers; for a query parameter the specification leaves it open.
    if item["name"] not in given:
        return False
    value = ",".join(given[item["name"]])
    return bool(fits(item["value"], value)) if item["type"] == "RegularExpression" else value == item["value"]


def _rest_matches(match, request, fits=re.fullmatch):
    headers = [{**item, "name": item["name"].lower()} for item in match.get("headers", ())]
    return (
        match.get("method") in (None, request.method)
        and all(_values_match(item, request.headers, fits) for item in headers)
        and all(_values_match(item, request.query, fits) for item in match.get("queryParams", ()))
    )


def specification(rules, request):
    """The owners of a request by the Gateway API: several where it leaves the choice to the age of the routes."""

    def path_matches(path):
        if path["type"] == "Exact":
            return request.path == path["value"]
        wanted = [part for part in path["value"].split("/") if part]
        return request.path.split("/")[1 : len(wanted) + 1] == wanted

    def rank(match):
        segments = "/".join(part for part in match["path"]["value"].split("/") if part)
        return (
            match["path"]["type"] == "Exact",
            0 if match["path"]["type"] == "Exact" else len(segments),
            match.get("method") is not None,
            len(match.get("headers", ())),
            len(match.get("queryParams", ())),
        )

    found = [(rank(m), owner) for owner, m in rules if path_matches(m["path"]) and _rest_matches(m, request)]
    best = max((ranked for ranked, _ in found), default=None)
    return {owner for ranked, owner in found if ranked == best}


def operator(rules, request):
    """The owners of a request by ngrok's operator: the first match in its order, several only where they are equal."""

    def text(items):
        ordered = sorted(items, key=lambda i: (i["name"], i["type"] != "Exact", i["value"]))
        kinds = {"Exact": "exact", "RegularExpression": "regex"}
        return "".join(f"{i['name']}:{kinds[i['type']]}:{i['value']};" for i in ordered)

    def position(match):
        headers, query = text(match.get("headers", ())), text(match.get("queryParams", ()))
        return (
            match["path"]["type"] != "Exact",
            -len(match["path"]["value"]),
            match["path"]["value"],
            not headers,
            headers,
            not query,
            query,
            match.get("method") is None,
            match.get("method") or "",
        )

    def path_matches(path):
        exact = path["type"] == "Exact"
        return request.path == path["value"] if exact else request.path.startswith(path["value"])

    found = [
        (position(m), owner) for owner, m in rules if path_matches(m["path"]) and _rest_matches(m, request, re.search)
    ]
    first = min((placed for placed, _ in found), default=None)
    return {owner for placed, owner in found if placed == first}


def written(apis):
    """The matches as the team wrote them, each with its API and rule."""
    return [
        ((api.name, number), match.model_dump(by_alias=True, exclude_none=True))
        for api in apis
        for number, route in enumerate(api.routes)
        for match in route.matches
    ]


def rendered(spec):
    """The matches as they are rendered, each with its API and the rule it comes from (its backend's name says so)."""
    return [
        ((api.name, int(rule["backendRefs"][0]["name"].rpartition("-")[2])), match)
        for api in spec.apis
        for item in api_objects(spec, api, ingress_namespace="ngrok")
        if item["kind"] == "HTTPRoute"
        for rule in item["spec"]["rules"]
        for match in rule["matches"]
    ]


def owners(pairs):
    return {api for api, _ in pairs}


# --- hosts and requests ----------------------------------------------------------------------------------------------

_segments = st.sampled_from(["a", "b", "ab", "a-b"])
_paths = st.lists(_segments, max_size=2).map(lambda parts: "/" + "/".join(parts))
_values = st.sampled_from(["1", "2", "1|2"])
_kinds = st.sampled_from(["Exact", "Exact", "Exact", "RegularExpression"])
_few = {"max_size": 2, "unique_by": lambda item: item.name.lower()}


@st.composite
def _matches(draw):
    kind = draw(st.sampled_from(["PathPrefix", "PathPrefix", "Exact"]))
    path = draw(_paths)
    if path != "/" and draw(st.integers(0, 4)) == 0:
        path += "/"
    extra = draw(st.integers(0, 2)) == 0
    headers = st.builds(HeaderMatch, name=st.sampled_from(["X-A", "x-b"]), type=_kinds, value=_values)
    query = st.builds(QueryMatch, name=st.sampled_from(["q", "r"]), type=_kinds, value=_values)
    return Match(
        path=PathMatch(type=kind, value=path),
        method=draw(st.sampled_from([None, None, "GET", "POST"])),
        headers=tuple(draw(st.lists(headers, **_few))) if extra else (),
        query_params=tuple(draw(st.lists(query, **_few))) if extra else (),
    )


def host(*apis):
    return ApiGatewaySpec(name="host", namespace="team", host="a.example.com", apis=apis)


def api(name, *routes, policy=None):
    """An API whose backends' names say which rule they stand in."""
    made = tuple(
        Route(matches=matches, backend_refs=(Backend.to(f"{name}-{number}", 80),))
        for number, matches in enumerate(routes)
    )
    return ApiSpec(name=name, routes=made, policy=policy or TrafficPolicy())


def path(value, kind="PathPrefix", **more):
    return Match(path=PathMatch(type=kind, value=value), **more)


def exact(value, **more):
    return path(value, "Exact", **more)


def header(name, value="1"):
    return HeaderMatch(name=name, value=value)


_routes = st.lists(st.lists(_matches(), min_size=1, max_size=2).map(tuple), min_size=1, max_size=2)


@st.composite
def hosts(draw, policies=None):
    """A host of some APIs that is accepted."""
    count = draw(st.integers(2, 4))
    apis = []
    try:
        for number in range(count):
            policy = draw(policies) if policies is not None else None
            apis.append(api("abcd"[number], *draw(_routes), policy=policy))
        made = host(*apis)
        check_host(made)
    except (ValidationError, InvalidInput):
        reject()
    return made


_given_values = st.lists(st.sampled_from(["1", "2", "3"]), min_size=1, max_size=2).map(tuple)
_requests = st.builds(
    Request,
    path=st.builds(lambda whole, end: whole + end, _paths, st.sampled_from(["", "", "/", "/a", "x"])),
    method=st.sampled_from(["GET", "POST", "PUT"]),
    headers=st.dictionaries(st.sampled_from(["x-a", "x-b"]), _given_values),
    query=st.dictionaries(st.sampled_from(["q", "r"]), _given_values),
    token=st.booleans(),
)
_many_requests = st.lists(_requests, min_size=8, max_size=8)


_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)  # CEL's binding ends texts at NUL


# --- what is shown ---------------------------------------------------------------------------------------------------


@settings(max_examples=EXAMPLES, deadline=None)
@given(hosts(), _many_requests)
def test_rendered_routes_mean_the_same_to_specification_and_operator(spec, requests):
    meant, emitted = written(spec.apis), rendered(spec)
    for request in requests:
        wanted = specification(meant, request)
        assert specification(emitted, request) == wanted
        assert operator(emitted, request) <= wanted
        assert bool(operator(emitted, request)) == bool(wanted)


@settings(max_examples=EXAMPLES, deadline=None)
@given(hosts(), _many_requests)
def test_a_request_that_either_sends_to_an_api_satisfies_its_guard(spec, requests):
    meant, emitted = written(spec.apis), rendered(spec)
    conditions = dict(zip((a.name for a in spec.apis), guards(spec.apis), strict=True))
    for request in requests:
        served = specification(meant, request) | specification(emitted, request) | operator(emitted, request)
        for name in owners(served):
            assert holds(conditions[name], request), (name, conditions[name])


@settings(max_examples=EXAMPLES, deadline=None)
@given(hosts(), _many_requests)
def test_a_more_specific_path_of_another_api_keeps_a_request_out_of_a_guard(spec, requests):
    conditions = dict(zip((a.name for a in spec.apis), guards(spec.apis), strict=True))
    by_path = [(owner, {"path": match["path"]}) for owner, match in written(spec.apis)]
    for request in requests:
        takes = [(o, p) for (o, m), (_, p) in zip(written(spec.apis), by_path, strict=True) if _takes(m, request)]
        first = owners(specification(takes, request))
        for name, condition in conditions.items():
            if len(first) == 1 and name not in first:
                assert not holds(condition, request), (name, condition)


def _takes(match, request):
    return bool(specification([("", match)], request))


@settings(max_examples=EXAMPLES, deadline=None)
@given(hosts())
def test_every_rendered_route_is_valid_by_its_own_model(spec):
    for one in spec.apis:
        for item in api_objects(spec, one, ingress_namespace="ngrok"):
            if item["kind"] == "HTTPRoute":
                HttpRoute.model_validate(item["spec"])


def test_a_guard_is_the_matches_of_its_api():
    spec = host(api("orders", [path("/orders")]), api("docs", [path("/docs", method="GET"), exact("/help")]))

    orders, docs = guards(spec.apis)

    assert orders == "req.url.path == '/orders' || req.url.path.startsWith('/orders/')"
    assert docs == (
        "((req.url.path == '/docs' || req.url.path.startsWith('/docs/')) && req.method == 'GET') "
        "|| req.url.path == '/help'"
    )


def test_a_guard_leaves_out_what_a_longer_path_takes():
    spec = host(api("all", [path("/")]), api("pub", [path("/pub")]), api("health", [exact("/pub/health")]))

    assert guards(spec.apis) == [
        "!(req.url.path == '/pub' || req.url.path.startsWith('/pub/') || req.url.path == '/pub/health')",
        "(req.url.path == '/pub' || req.url.path.startsWith('/pub/')) && !(req.url.path == '/pub/health')",
        "req.url.path == '/pub/health'",
    ]


def test_an_api_that_has_its_host_alone_needs_no_guard():
    assert guards(host(api("all", [path("/")])).apis) == [None]


def test_headers_and_queries_are_looked_up_before_they_are_read():
    spec = host(
        api("a", [path("/", headers=(header("X-Tenant", "b"),), query_params=(QueryMatch(name="q", value="1"),))])
    )

    (condition,) = guards(spec.apis)

    assert condition == (
        "'x-tenant' in req.headers && req.headers['x-tenant'].join(',') == 'b' && "
        "'q' in req.url.query_params && req.url.query_params['q'].join(',') == '1'"
    )
    assert not holds(condition, Request("/"))


def test_a_match_with_more_headers_is_left_in_the_guard_where_the_operator_ranks_by_text():
    """The operator puts {a} before {a, b}: such a request reaches the first API, so its guard must hold."""
    one, two = path("/x", headers=(header("a"),)), path("/x", headers=(header("a"), header("b")))
    conditions = guards((api("one", [one]), api("two", [two])))

    assert all(holds(c, Request("/x", headers={"a": ("1",), "b": ("1",)})) for c in conditions)


@given(_texts, _texts)
def test_no_text_changes_the_syntax_of_an_expression(wanted, got):
    assert holds(f"req.method == {literal(wanted)}", Request("/", method=wanted))
    assert holds(f"req.method == {literal(wanted)}", Request("/", method=got)) == (wanted == got)
    assert "${" not in literal(wanted)


@given(_texts.filter(bool))
@example("' || true || '")
@example("\\' || true || '")
@example("${req.method}")
@example("a\nb")
def test_no_header_value_or_parameter_widens_a_guard(value):
    match = path("/", headers=(header("x-a", value),), query_params=(QueryMatch(name="q", value=value),))
    (condition,) = guards((api("a", [match]),))

    assert holds(condition, Request("/", headers={"x-a": (value,)}, query={"q": (value,)}))
    assert not holds(condition, Request("/", headers={"x-a": (value + "x",)}, query={"q": (value,)}))
    assert not holds(condition, Request("/", headers={"x-a": (value,)}))
    assert not holds(condition, Request("/"))


def test_many_apis_on_one_host_take_time_in_proportion():
    apis = tuple(api(f"api-{number}", [path(f"/v1/api-{number}")]) for number in range(2000))
    assert len(set(guards(apis))) == 2000  # seconds if each were compared with each


# --- failing closed --------------------------------------------------------------------------------------------------

_expressions = st.sampled_from(["req.method == 'POST'", "req.url.path.startsWith('/a')", "'x-a' in req.headers"])
_actions = st.sampled_from(
    [
        Deny(),
        CustomResponse(status_code=403),
        JwtValidation.bearer(issuer="https://i", jwks="https://i/keys"),
        RateLimit(name="n", capacity=1, rate="60s", bucket_key=("conn.client_ip",)),
        AddHeaders(headers={"x-other": "1"}),
    ]
)
_rules = st.builds(
    lambda expressions, action: Rule(expressions=tuple(expressions), actions=(action,)),
    st.lists(_expressions, max_size=1),
    _actions,
)


@st.composite
def _policies(draw):
    rules = draw(st.lists(_rules, max_size=4))
    try:
        return TrafficPolicy(on_http_request=tuple(rules))
    except ValidationError:  # a rule behind one that always ends
        reject()


def passes(rules, request):
    """Whether a request gets through the rules of a policy."""
    for rule in rules:
        if not all(holds(expression, request) for expression in rule.get("expressions", ())):
            continue
        for action in rule["actions"]:
            if action["type"] in ("deny", "custom-response"):
                return False
            if action["type"] == "jwt-validation" and not request.token:
                return False
    return True


def allowed(objects, request):
    """Whether a request reaches a backend, by the operator's rules for policies that are missing."""
    policies = {o["metadata"]["name"]: o["spec"]["policy"] for o in objects if o["kind"] == "NgrokTrafficPolicy"}
    (gateway,) = (o for o in objects if o["kind"] == "Gateway")
    named = gateway["metadata"].get("annotations", {}).get("ngrok.com/traffic-policy")
    if named is not None and named not in policies:
        return False  # the Gateway serves nothing
    if named is not None and not passes(policies[named].get("on_http_request", ()), request):
        return False
    rules = [(number, match) for number, rule in enumerate(_rules_of(objects)) for match in rule["matches"]]
    for number in operator(rules, request):
        for item in _rules_of(objects)[number].get("filters", ()):
            found = policies.get(item["extensionRef"]["name"], {})  # missing: skipped
            if not passes(found.get("on_http_request", ()), request):
                return False
        return True
    return False


def _rules_of(objects):
    return [rule for o in objects if o["kind"] == "HTTPRoute" for rule in o["spec"]["rules"]]


def _objects(spec):
    return [*gateway_objects(spec), *(o for a in spec.apis for o in api_objects(spec, a, ingress_namespace="ngrok"))]


@settings(max_examples=EXAMPLES, deadline=None)
@given(hosts(_policies()), _many_requests)
def test_no_request_is_newly_allowed_where_a_policy_object_is_missing(spec, requests):
    objects = _objects(spec)
    for missing in (o for o in objects if o["kind"] == "NgrokTrafficPolicy"):
        left = [o for o in objects if o is not missing]
        for request in requests:
            assert allowed(objects, request) or not allowed(left, request), missing["metadata"]["name"]


@settings(max_examples=EXAMPLES, deadline=None)
@given(hosts(_policies()), _many_requests)
def test_no_request_is_newly_allowed_where_a_route_is_missing(spec, requests):
    """Nor reaches another API than before without what that one asks for."""
    objects = _objects(spec)
    policies = {a.name: a.policy.model_dump()["on_http_request"] for a in spec.apis}
    for missing in (o for o in objects if o["kind"] == "HTTPRoute"):
        left = [o for o in objects if o is not missing]
        rules = [(item["metadata"]["name"], match) for item, match in _matches_of(left)]
        for request in requests:
            assert allowed(objects, request) or not allowed(left, request), missing["metadata"]["name"]
            if allowed(left, request):
                assert all(passes(policies[name], request) for name in operator(rules, request))


def _matches_of(objects):
    routes = [o for o in objects if o["kind"] == "HTTPRoute"]
    return [(item, match) for item in routes for rule in item["spec"]["rules"] for match in rule["matches"]]


@settings(max_examples=EXAMPLES, deadline=None)
@given(hosts(_policies()), _many_requests)
def test_a_request_gets_through_exactly_where_the_policy_of_its_api_lets_it(spec, requests):
    """Against the policies as written; where the specification leaves the API open, both of them are asked."""
    policies = {a.name: a.policy for a in spec.apis}
    conditions = dict(zip(policies, guards(spec.apis), strict=True))
    objects = _objects(spec)
    for request in requests:
        served = owners(specification(written(spec.apis), request))
        guarding = {name for name, condition in conditions.items() if holds(condition, request)}
        asked = [policies[name].model_dump()["on_http_request"] for name in served | guarding]
        wanted = bool(served) and all(passes(rules, request) for rules in asked)
        assert allowed(objects, request) == wanted


@pytest.mark.parametrize(
    "apis",
    [
        pytest.param((api("a", [path("/pub")]), api("b", [exact("/pub")])), id="an exact path and its prefix"),
        pytest.param(
            (api("a", [path("/pub", headers=(header("x-a"),))]), api("b", [exact("/pub")])),
            id="an exact path and its prefix with a header",
        ),
    ],
)
def test_an_exact_path_keeps_its_requests_from_the_prefix_of_the_same_path(apis):
    spec = host(*apis)
    request = Request("/pub", headers={"x-a": ("1",)})

    assert operator(rendered(spec), request) == specification(rendered(spec), request) == {("b", 0)}
    assert [holds(condition, request) for condition in guards(spec.apis)] == [False, True]
