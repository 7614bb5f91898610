from __future__ import annotations

import pytest
from hypothesis import given
from pydantic import ValidationError

from apiops_components import Backend, Filter, HeaderMatch, Match, PathMatch, Problem, Route
from apiops_components.errors import problems_of
from apiops_components.models.match import describe
from apiops_components.models.route import HttpRoute
from apiops_components.testing import strategies


def problems(spec: dict) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        HttpRoute.model_validate(spec)
    return list(problems_of(caught.value, spec))


def rules(*given: dict) -> dict:
    return {"rules": list(given)}


def match(**value) -> dict:
    return rules({"matches": [value]})


def path(value: str, kind: str = "PathPrefix") -> dict:
    return match(path={"type": kind, "value": value})


def backend(**value) -> dict:
    return rules({"backendRefs": [{"name": "orders", "port": 80} | value]})


def parents(*given: dict) -> dict:
    return {"parentRefs": list(given)}


def timeouts(**value) -> dict:
    return rules({"timeouts": value})


def named(count: int, field: str) -> dict:
    return match(**{field: [{"name": f"x{n}", "value": "v"} for n in range(count)]})


def distinct(count: int, rule: int = 0) -> list[dict]:
    return [{"path": {"value": f"/{rule}/{n}"}} for n in range(count)]


def replaced_prefix(kind: str) -> dict:
    field = "requestRedirect" if kind == "RequestRedirect" else "urlRewrite"
    return {"type": kind, field: {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}


MANY = "gateway/matches"
SECTION = "gateway/parent-section"
PREFIX = "gateway/replace-prefix"
ONE_PREFIX = "filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified"
CHARACTERS = (
    "must only contain valid characters (matching ^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$) "
    "for types ['Exact', 'PathPrefix']"
)
VALID = [
    {},
    {"hostnames": ["*.example.com", "a.b.example.com", "x"], "parentRefs": [{"name": "public"}]},
    {"hostnames": [f"h{n}.example.com" for n in range(16)]},
    parents(*({"name": f"g{n}"} for n in range(32))),
    parents({"name": "g", "sectionName": "a"}, {"name": "g", "sectionName": "b"}, {"name": "g", "namespace": "n"}),
    parents({"name": "g", "kind": "Service", "group": "", "port": 65535}, {"name": "g"}),
    rules(*({"matches": distinct(8, n)} for n in range(16))),
    rules({"matches": distinct(64)}, {"matches": distinct(64, 1)}),
    path("/" + "a" * 1023),
    path("/a%20b/-._~!$&'()*+,;=:@"),
    path("/.../..a/.b"),
    path("^/[0-9]+ // # /../$", "RegularExpression"),
    path("", "RegularExpression"),
    *(
        match(method=method)
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
    ),
    named(16, "headers"),
    named(16, "queryParams"),
    match(headers=[{"name": "!#$%&'*+-.^_`|~" + "x" * 200, "value": "v" * 4096, "type": "RegularExpression"}]),
    match(queryParams=[{"name": "a", "value": "1"}, {"name": "A", "value": "1" * 1024}]),
    backend(weight=0),
    backend(weight=1_000_000, namespace="other"),
    backend(weight=2.0),
    rules({"backendRefs": [{"name": "x", "kind": "ServiceImport", "group": "multicluster.x-k8s.io"}]}),
    rules({"backendRefs": [{"name": f"b{n}", "port": 1} for n in range(16)]}),
    rules({"filters": [replaced_prefix("URLRewrite")], "matches": [{"path": {"value": "/a"}}]}),
    rules({"filters": [replaced_prefix("RequestRedirect")]}),
    rules({"name": "first.rule"}),
    timeouts(request="10s", backendRequest="10s"),
    timeouts(request="0s", backendRequest="1h"),
    timeouts(request="1h2m3s4ms", backendRequest="99999ms"),
    timeouts(backendRequest="1m"),
]
REFUSED = [
    (
        {"hostnames": [f"h{n}" for n in range(17)]},
        "hostnames",
        "schema/too-long",
        "at most 16 items are expected, got 17",
    ),
    *(
        ({"hostnames": [host]}, "hostnames[0]", "name/hostname", repr(host))
        for host in (
            "",
            "*",
            "A.example",
            "a.*.example",
            "*a.example",
            "-a",
            "a-",
            "a..b",
            "a.",
            "a_b",
            "a:80",
            "ä.example",
        )
    ),
    ({"hostnames": ["a" * 254]}, "hostnames[0]", "name/hostname", "at most 253 characters"),
    (parents(*({"name": f"g{n}"} for n in range(33))), "parentRefs", "schema/too-long", "at most 32"),
    (parents({}), "parentRefs[0].name", "schema/required", "required"),
    (parents({"name": ""}), "parentRefs[0].name", "name/dns-subdomain", "''"),
    (parents({"name": "g", "namespace": "a.b"}), "parentRefs[0].namespace", "name/dns-label", "'a.b'"),
    (parents({"name": "g", "namespace": "a" * 64}), "parentRefs[0].namespace", "name/dns-label", "at most 63"),
    (parents({"name": "g", "sectionName": "A"}), "parentRefs[0].sectionName", "name/dns-subdomain", "'A'"),
    (parents({"name": "g", "port": 0}), "parentRefs[0].port", "schema/greater-than-equal", "1"),
    (parents({"name": "g", "port": 65536}), "parentRefs[0].port", "schema/less-than-equal", "65535"),
    (parents({"name": "g", "group": "A"}), "parentRefs[0].group", "name/group", "'A'"),
    (parents({"name": "g", "kind": ""}), "parentRefs[0].kind", "name/kind", "''"),
    (
        parents({"name": "g"}, {"name": "g", "sectionName": "a"}),
        "parentRefs",
        SECTION,
        "sectionName must be specified when parentRefs includes 2 or more references to the same parent",
    ),
    (
        parents({"name": "g", "sectionName": "a"}, {"name": "g", "sectionName": "a"}),
        "parentRefs",
        SECTION,
        "sectionName must be unique when parentRefs includes 2 or more references to the same parent",
    ),
    (parents({"name": "g"}, {"name": "g"}), "parentRefs", SECTION, "sectionName must be unique"),
    ({"rules": []}, "rules", "schema/too-short", "at least 1 item is expected, got 0"),
    (rules(*({"matches": distinct(1, n)} for n in range(17))), "rules", "schema/too-long", "at most 16"),
    (rules({"matches": distinct(65)}), "rules[0].matches", "schema/too-long", "at most 64"),
    (
        rules({"matches": distinct(64)}, {"matches": distinct(64, 1)}, {"matches": distinct(1, 2)}),
        "rules",
        MANY,
        "the total number of matches across all rules in a route must be less than 128",
    ),
    (rules({"name": "A"}), "rules[0].name", "name/dns-subdomain", "'A'"),
    (
        rules({"filters": [{"type": "ExtensionRef", "extensionRef": {"group": "", "kind": "K", "name": "n"}}] * 17}),
        "rules[0].filters",
        "schema/too-long",
        "at most 16",
    ),
    (
        rules({"backendRefs": [{"name": f"b{n}", "port": 1} for n in range(17)]}),
        "rules[0].backendRefs",
        "schema/too-long",
        "at most 16",
    ),
    (
        backend(port=None),
        "rules[0].backendRefs[0].port",
        "gateway/backend-port",
        "Must have port for Service reference",
    ),
    (backend(port=0), "rules[0].backendRefs[0].port", "schema/greater-than-equal", "1"),
    (backend(port=65536), "rules[0].backendRefs[0].port", "schema/less-than-equal", "65535"),
    (backend(port="80"), "rules[0].backendRefs[0].port", "schema/integer", "must be an integer, got '80'"),
    (backend(port=True), "rules[0].backendRefs[0].port", "schema/integer", "must be an integer, got True"),
    (backend(port=80.5), "rules[0].backendRefs[0].port", "schema/int-from-float", "80.5"),
    (backend(weight=-1), "rules[0].backendRefs[0].weight", "schema/greater-than-equal", "0"),
    (backend(weight=1_000_001), "rules[0].backendRefs[0].weight", "schema/less-than-equal", "1000000"),
    (backend(name=""), "rules[0].backendRefs[0].name", "name/dns-subdomain", "''"),
    (backend(name="orders.shop"), "rules[0].backendRefs[0].name", "name/dns-label", "'orders.shop'"),
    (backend(name="a" * 64), "rules[0].backendRefs[0].name", "name/dns-label", "at most 63"),
    (backend(namespace="A"), "rules[0].backendRefs[0].namespace", "name/dns-label", "'A'"),
    (backend(servicePort=80), "rules[0].backendRefs[0].servicePort", "schema/unknown-field", "unknown field"),
    (path("/" + "a" * 1024), "rules[0].matches[0].path.value", "schema/string-too-long", "1024"),
    (
        path("/", "Prefix"),
        "rules[0].matches[0].path.type",
        "schema/literal-error",
        "'Exact', 'PathPrefix' or 'RegularExpression'",
    ),
    (match(method="get"), "rules[0].matches[0].method", "schema/literal-error", "'GET'"),
    (named(17, "headers"), "rules[0].matches[0].headers", "schema/too-long", "at most 16"),
    (named(17, "queryParams"), "rules[0].matches[0].queryParams", "schema/too-long", "at most 16"),
    *(
        (
            match(**{field: [{"name": "x", "value": "v"}] * 2}),
            f"rules[0].matches[0].{field}[1].name",
            "gateway/duplicate",
            f"{what} 'x' is there twice",
        )
        for field, what in (("headers", "header"), ("queryParams", "query parameter"))
    ),
    *(
        (match(**{field: [{"name": "x", "value": "v"} | wrong]}), f"rules[0].matches[0].{field}[0].{key}", code, "")
        for field, most in (("headers", 4096), ("queryParams", 1024))
        for key, code, wrong in (
            ("name", "http/header-name", {"name": "a b"}),
            ("name", "http/header-name", {"name": "x" * 257}),
            ("value", "schema/string-too-short", {"value": ""}),
            ("value", "schema/string-too-long", {"value": "v" * (most + 1)}),
            ("type", "schema/literal-error", {"type": "Prefix"}),
        )
    ),
    *(
        (
            path(value, kind),
            "rules[0].matches[0].path.value",
            code,
            message + " when type one of ['Exact', 'PathPrefix']",
        )
        for kind in ("Exact", "PathPrefix")
        for value, code, message in (
            ("a", "gateway/path-absolute", "value must be an absolute path and start with '/'"),
            ("/a//b", "gateway/path-content", "must not contain '//'"),
            ("/a/./b", "gateway/path-content", "must not contain '/./'"),
            ("/a/../b", "gateway/path-content", "must not contain '/../'"),
            ("/a%2fb", "gateway/path-content", "must not contain '%2f'"),
            ("/a%2Fb", "gateway/path-content", "must not contain '%2F'"),
            ("/a/..", "gateway/path-end", "must not end with '/..'"),
            ("/a/.", "gateway/path-end", "must not end with '/.'"),
        )
    ),
    *(
        (
            path(value),
            "rules[0].matches[0].path.value",
            "gateway/path-characters",
            CHARACTERS,
        )
        for value in ("/a b", "/ä", "/a%2", "/a%zz", "/a?b=c", "/{id}", "/a\n")
    ),
    (
        rules(
            {
                "filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}],
                "backendRefs": [{"name": "a", "port": 1}],
            }
        ),
        "rules[0]",
        "gateway/redirect-backend",
        "RequestRedirect filter must not be used together with backendRefs",
    ),
    *(
        (
            rules({"filters": [replaced_prefix(kind)], "matches": matches}),
            "rules[0].filters",
            PREFIX,
            f"When using {kind} {ONE_PREFIX}",
        )
        for kind in ("RequestRedirect", "URLRewrite")
        for matches in ([{"path": {"type": "Exact", "value": "/a"}}], distinct(2), [])
    ),
    *(
        (
            rules(
                {"backendRefs": [{"name": "a", "port": 1, "filters": [replaced_prefix(kind)]}], "matches": distinct(2)}
            ),
            "rules[0].backendRefs[0].filters",
            PREFIX,
            f"Within backendRefs, {when} using {kind} {ONE_PREFIX}",
        )
        for kind, when in (("RequestRedirect", "when"), ("URLRewrite", "When"))
    ),
    (
        timeouts(request="1s", backendRequest="1001ms"),
        "rules[0].timeouts.backendRequest",
        "gateway/timeouts",
        "backendRequest timeout cannot be longer than request timeout",
    ),
    *(
        (timeouts(request=value), "rules[0].timeouts.request", "gateway/duration", repr(value))
        for value in ("", "1", "1.5s", "-1s", "1d", "123456s", "1s2s3s4s5s", " 1s", "1us")
    ),
]


@pytest.mark.parametrize("spec", VALID)
def test_what_the_definitions_allow_is_taken(spec):
    assert HttpRoute.model_validate(spec).rules


@pytest.mark.parametrize(("spec", "where", "code", "message"), REFUSED)
def test_each_constraint_of_the_definitions_refuses_with_path_and_code(spec, where, code, message):
    (problem,) = problems(spec)
    assert (problem.path, problem.code) == (where, code)
    assert message in problem.message


def test_names_the_constraints_leave_are_refused_where_a_request_could_not_tell_them_apart():
    (problem,) = problems(match(headers=[{"name": "X-A", "value": "1"}, {"name": "x-a", "value": "2"}]))
    assert (problem.path, problem.code) == ("rules[0].matches[0].headers[1].name", "gateway/duplicate")
    assert problem.hint == "keep one of them"
    (problem,) = problems({"hostnames": ["192.168.0.1"]})
    assert (problem.path, problem.code) == ("hostnames[0]", "name/hostname")
    assert "IP address" in problem.message


def test_a_path_without_its_slash_is_shown_with_it():
    (problem,) = problems(path("orders"))
    assert problem.hint == "write '/orders'"


def test_a_match_that_an_earlier_rule_has_is_named_with_both_places():
    spec = rules(
        {"matches": [{"path": {"value": "/a"}}]},
        {"matches": [{"path": {"value": "/b"}}, {"path": {"type": "PathPrefix", "value": "/a"}}]},
    )
    (problem,) = problems(spec)
    assert (problem.path, problem.code) == ("rules[1].matches[1]", "gateway/duplicate-route")
    assert problem.message == "/a/* is matched by rules[0] already, so this one is never reached"


def test_every_problem_of_a_route_is_told_at_once():
    spec = {
        "hostnames": ["A"],
        "parentRef": {},
        "rules": [
            {"matches": [{"path": {"value": "a"}, "method": "get"}], "timeouts": {"request": "1"}},
            {"backendRefs": [{"name": "x"}, {"name": "y", "port": "80", "weight": -1}]},
        ],
    }
    assert {problem.path for problem in problems(spec)} == {
        "hostnames[0]",
        "parentRef",
        "rules[0].matches[0].path.value",
        "rules[0].matches[0].method",
        "rules[0].timeouts.request",
        "rules[1].backendRefs[0].port",
        "rules[1].backendRefs[1].port",
        "rules[1].backendRefs[1].weight",
    }


def test_paths_are_spelt_as_the_author_spelt_the_fields():
    spec = {
        "rules": [{"matches": [{"query_params": [{"name": "a", "value": "1"}] * 2}], "backend_refs": [{"name": "x"}]}]
    }
    assert [problem.path for problem in problems(spec)] == [
        "rules[0].matches[0].query_params[1].name",
        "rules[0].backend_refs[0].port",
    ]


def test_defaults_are_those_of_the_definitions():
    (rule,) = HttpRoute().rules
    assert rule.matches == (Match(path=PathMatch(type="PathPrefix", value="/")),)
    assert Backend.to("a", 1).weight == 1
    assert (Backend.to("a", 1).group, Backend.to("a", 1).kind) == ("", "Service")


def test_factories_write_what_the_definitions_ask_for():
    route = Route.prefix(
        "/orders",
        Backend.to("v1", 80, weight=9),
        Backend.to("v2", 80, namespace="next"),
        method="GET",
        filters=[Filter.rewrite(prefix="/")],
    )
    assert route.model_dump(by_alias=True, exclude_defaults=True, mode="json") == {
        "matches": [{"path": {"value": "/orders"}, "method": "GET"}],
        "filters": [
            {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
        ],
        "backendRefs": [
            {"name": "v1", "port": 80, "weight": 9},
            {"name": "v2", "port": 80, "namespace": "next"},
        ],
    }
    assert Route.exact("/healthz").matches[0].path == PathMatch(type="Exact", value="/healthz")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Match(), "/*"),
        (Match(path=PathMatch(value="/a/"), method="GET"), "GET /a/*"),
        (Match(path=PathMatch(type="Exact", value="/a")), "/a"),
        (Match(path=PathMatch(type="RegularExpression", value="/[0-9]")), "~/[0-9]"),
        (
            Match(headers=(HeaderMatch(name="x", value="1"),), query_params=({"name": "q", "value": "2"},)),
            "/* with header x: 1 and query q=2",
        ),
    ],
)
def test_a_match_in_words(made, words):
    assert describe(made) == words


@given(strategies.routes())
def test_what_is_written_is_read_as_the_same(made):
    assert Route.model_validate(made.model_dump(by_alias=True, exclude_none=True, mode="json")) == made
    assert Route.model_validate(made.model_dump(mode="json", exclude_none=True)) == made
