"""Every host that is accepted, rendered, answers every request alike by the specification and by ngrok's operator.

What was meant is told by `meant`, a plain reading of the routes as they were written, without the renderer. Policies
are not run by either semantics: rules that stand for a filter are shown in test_changes, those that answer 404 outside
of a pattern are evaluated here. APIOPS_EXAMPLES sets the number of hosts; ``-m long`` shows 1,300 of them.
"""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl

import pytest
from cel_expr_python import cel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.match import HeaderMatch, Match, QueryMatch
from apiops_components.models.policy.cel import compile_expression
from apiops_components.models.policy.syntax import shape, tree
from apiops_components.models.route import Backend, Route
from apiops_components.render import refused_order
from apiops_components.render import route as rendering
from apiops_components.render.gateway import api_objects, gateway_objects
from apiops_components.render.guard import guards
from apiops_components.render.host import Host
from apiops_components.render.pattern import literal_start
from apiops_components.render.refusal import refusals
from apiops_components.semantics.operator import Operator
from apiops_components.semantics.outcome import diverges
from apiops_components.semantics.resources import Resources
from apiops_components.semantics.specification import Specification
from apiops_components.testing.hosts import gateway_specs, requests_to

EXAMPLES = int(os.environ.get("APIOPS_EXAMPLES", "30"))
REQUESTS = 8
few = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
many = settings(max_examples=max(EXAMPLES, 1300), deadline=None, suppress_health_check=list(HealthCheck))


# --- what was meant --------------------------------------------------------------------------------------------------


def fits(item, value):
    return value == item.value if item.type == "Exact" else re.fullmatch(item.value, value) is not None


def matches(match, request):
    parameters = dict(parse_qsl(request.query, keep_blank_values=True))
    if match.path.type == "Exact":
        here = request.path == match.path.value
    elif match.path.type == "RegularExpression":
        here = re.fullmatch(match.path.value, request.path) is not None
    else:
        wanted = [part for part in match.path.value.split("/") if part]
        here = request.path.split("/")[1 : len(wanted) + 1] == wanted
    return (
        here
        and match.method in (None, request.method)
        and all((h := request.header(item.name.lower())) is not None and fits(item, h) for item in match.headers)
        and all(item.name in parameters and fits(item, parameters[item.name]) for item in match.query_params)
    )


def rank(match):
    path = match.path.value if match.path.type != "RegularExpression" else literal_start(match.path.value)
    length = 0 if match.path.type == "Exact" else -len(path.rstrip("/"))
    return match.path.type != "Exact", length, match.method is None, -len(match.headers), -len(match.query_params)


def meant(spec, request):
    """The route that takes the request, and the match by which it does; the first one of equals, within one API."""
    found = [
        (rank(match), number, position, route, match)
        for number, api in enumerate(spec.apis)
        for position, route in enumerate(api.routes)
        for match in route.matches
        if matches(match, request)
    ]
    if not found:
        return None
    best = min(item[0] for item in found)
    equals = [item for item in found if item[0] == best]
    assert len({number for _, number, *_ in equals}) == 1, "the age of routes would settle it"
    return min(equals, key=lambda item: item[1:3])[3:]


def changed(route, match, request):
    """Host, path and headers as the backend is meant to get them."""
    host, path, headers = request.host, request.path, {name: list(values) for name, values in request.headers.items()}
    for item in route.filters:
        if (change := item.request_header_modifier) is not None:
            for name in (*change.remove, *(header.name for header in change.set)):
                headers.pop(name.lower(), None)
            for header in (*change.set, *change.add):
                headers.setdefault(header.name.lower(), []).append(header.value)
        if (change := item.url_rewrite) is not None:
            host = change.hostname or host
            if change.path.replace_full_path is not None:
                path = change.path.replace_full_path
            else:
                base = match.path.value.rstrip("/")
                path = change.path.replace_prefix_match.rstrip("/") + path[len(base) :] or "/"
    return host, path, {name: tuple(values) for name, values in headers.items()}


# --- what is rendered ------------------------------------------------------------------------------------------------


def objects_of(spec):
    host = Host(spec)
    routes = [o for api in spec.apis for o in api_objects(spec, api, ingress_namespace="ngrok", host=host)]
    return [*gateway_objects(spec, host=host), *routes]


def rules_of(objects):
    return {
        (f"{o['metadata']['namespace']}/{o['metadata']['name']}", number): rule
        for o in objects
        if o["kind"] == "HTTPRoute"
        for number, rule in enumerate(o["spec"]["rules"])
    }


def denied(objects, request):
    """Whether the Gateway's policy answers; here it holds nothing but what keeps patterns of paths."""
    (policy,) = [o for o in objects if o["metadata"]["name"] == "host-gateway"] or (None,)
    if policy is None:
        return False
    return any(
        all(holds(expression, request) for expression in rule["expressions"])
        for rule in policy["spec"]["policy"]["on_http_request"]
    )


_MANY = cel.Type.Map(cel.Type.STRING, cel.Type.List(cel.Type.STRING))
_JOIN = cel.Overload(
    "join_text",
    cel.Type.STRING,
    [cel.Type.List(cel.Type.DYN), cel.Type.STRING],
    is_member=True,
    impl=lambda items, separator: separator.join(items),
)
_VARIABLES = {
    "req.url.path": cel.Type.STRING,
    "req.method": cel.Type.STRING,
    "req.headers": _MANY,
    "req.url.query_params": _MANY,
}
_ENVIRONMENT = cel.NewEnv(variables=_VARIABLES, functions=[cel.FunctionDecl("join", [_JOIN])])


def holds(expression, request):
    found = _ENVIRONMENT.compile(expression).eval(
        data={
            "req.url.path": request.path,
            "req.method": request.method,
            "req.headers": {name: list(values) for name, values in request.headers.items()},
            "req.url.query_params": {name: list(values) for name, values in request.parameters.items()},
        }
    )
    assert found.type().name() == "BOOL", found
    return found.value()


def shares(outcome):
    return {target.name: round(target.share, 6) for target in outcome.targets if target.share}


class Readings:
    """What both make of the same objects."""

    def __init__(self, objects):
        resources = Resources.of(objects)
        self.objects = objects
        self.both = Specification(resources), Operator(resources)

    def answers(self, request):
        return [reading.answer(request) for reading in self.both]


def check(spec, readings, request):
    """Both read the rendered objects as they were meant."""
    objects = readings.objects
    by_specification, by_operator = readings.answers(request)
    wanted = meant(spec, request)
    if wanted is None:
        assert by_operator.outcome == by_specification.outcome
        assert by_operator.outcome == "no-route" or denied(objects, request)
        return
    assert not denied(objects, request)
    route, match = wanted
    total = sum(backend.weight for backend in route.backend_refs)
    backends = {b.name: round(b.weight / total, 6) for b in route.backend_refs if b.weight}
    assert shares(by_specification) == shares(by_operator) == backends
    assert (by_operator.route, by_operator.rule) == (by_specification.route, by_specification.rule)
    rule = rules_of(objects)[by_operator.route, by_operator.rule]
    if not any(item["type"] == "ExtensionRef" for item in rule.get("filters", ())):
        assert not diverges(by_specification, by_operator)
        got = by_operator.request
        assert (got.host, got.path, dict(got.headers)) == changed(route, match, request)
        assert got.query == request.query


def check_host(spec, data):
    readings = Readings(objects_of(spec))
    for _ in range(REQUESTS):
        check(spec, readings, data.draw(requests_to(spec)))


@few
@given(gateway_specs(), st.data())
def test_a_rendered_host_answers_as_it_was_meant_to_both(spec, data):
    check_host(spec, data)


@pytest.mark.long
@many
@given(gateway_specs(), st.data())
def test_ten_thousand_pairs_are_answered_as_they_were_meant_to_both(spec, data):
    check_host(spec, data)


def small_objects(monkeypatch):
    """The definition's limits, so small that nearly every API is split; fewer equals are accepted then."""
    for module in (rendering, refused_order):
        monkeypatch.setattr(module, "MAX_RULES", 1)
        monkeypatch.setattr(module, "MAX_MATCHES_IN_ALL", 2)
    monkeypatch.setattr(rendering, "_MAX_MATCHES", 1)


@few
@given(gateway_specs(filters=False), st.data())
def test_a_split_changes_nothing(spec, data):
    whole = objects_of(spec)
    with pytest.MonkeyPatch.context() as patch:
        small_objects(patch)
        if refusals(spec):
            return
        split = objects_of(spec)
    assert len(split) >= len(whole)
    before, after = Readings(whole), Readings(split)
    for _ in range(REQUESTS):
        request = data.draw(requests_to(spec))
        check(spec, after, request)
        found = {
            (answer.outcome, *sorted(shares(answer).items())) for r in (before, after) for answer in r.answers(request)
        }
        assert len(found) == 1


# --- texts -----------------------------------------------------------------------------------------------------------

_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
_NASTY = st.sampled_from(
    ["'", "' || true || '", "\\' || true || '", "\\", "${req.host}", "a\nb", "\u2028", '"', "}", "x'"]
)


def expressions(match):
    """What the operator makes of a match (facts: ngrok §5), and our own guard."""
    (api,) = apis = (ApiSpec(name="a", routes=(Route(matches=(match,), backend_refs=(Backend.to("w", 80),)),)),)
    if refusals(ApiGatewaySpec(name="host", namespace="team", host="a.example.com", apis=apis)):
        return None
    (route,) = (
        o
        for o in objects_of(ApiGatewaySpec(name="h", namespace="t", host="a.example.com", apis=apis))
        if o["kind"] == "HTTPRoute"
    )
    made = [guards((api,))[0]]
    for item in route["spec"]["rules"][0]["matches"]:
        for variable, field in (("req.headers", "headers"), ("req.url.query_params", "queryParams")):
            for value in item.get(field, ()):
                name, text = value["name"], value["value"]
                test = f"== '{text}'" if value["type"] == "Exact" else f".matches('{text}')"
                made.append(f"{variable}.exists_one(x, x == '{name}') && {variable}['{name}'].join(',') {test}")
    return made


@given(st.one_of(_TEXTS, _NASTY), st.sampled_from(["Exact", "RegularExpression"]))
def test_no_value_changes_the_syntax_tree_of_an_expression(text, kind):
    def match(value):
        return Match(
            headers=(HeaderMatch(type=kind, name="x-a", value=value),),
            query_params=(QueryMatch(type=kind, name="q", value=value),),
        )

    harmless, made = expressions(match("x")), expressions(match(text))
    if made is None:
        return
    for one, other in zip(harmless, made, strict=True):
        trees = [shape(tree(compile_expression(expression, "on_http_request"))) for expression in (one, other)]
        assert trees[0] == trees[1], other


@pytest.mark.parametrize("text", ["'", "x' || true || '", "\\", "${req.host}", "a\nb", "\u2028"])
def test_a_value_that_would_change_it_is_refused(text):
    assert expressions(Match(headers=(HeaderMatch(name="x-a", value=text),))) is None
    assert expressions(Match(query_params=(QueryMatch(name="q", value=text),))) is None
