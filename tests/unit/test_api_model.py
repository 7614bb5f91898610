from __future__ import annotations

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from apiops_components import ApiGatewaySpec, ApiSpec, Problem
from apiops_components.errors import problems_of
from apiops_components.testing import strategies

DENY = {"actions": [{"type": "deny"}]}


def route(path: str = "/", **fields) -> dict:
    return {"matches": [{"path": {"value": path}}], "backendRefs": [{"name": "a", "port": 80}], **fields}


def api(name: str = "orders", *paths: str, **fields) -> dict:
    return {"name": name, "routes": [route(path) for path in paths or (f"/{name}",)], **fields}


def host(*apis: dict, **fields) -> dict:
    return {"name": "public", "namespace": "shop", "host": "api.example.com", "apis": list(apis) or [api()], **fields}


def problems(model: type, data: dict) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return list(problems_of(caught.value, data))


def workload(name: str) -> dict:
    digest = f"sha256:{'0' * 64}"
    return {
        "name": name,
        "image": f"registry.example.com/{name}:1.2.3@{digest}",
        "port": 8080,
        "resources": {"cpu_request": "10m", "memory": "64Mi"},
        "readiness": {"path": "/"},
    }


def test_an_api_and_its_host_are_taken():
    made = ApiGatewaySpec.model_validate(host(api("orders"), api("carts", policy={"on_http_request": [DENY]})))
    assert [item.name for item in made.apis] == ["orders", "carts"]
    assert (made.team, made.owner, made.apis[0].owner, bool(made.apis[0].policy)) == (None, None, None, False)


@pytest.mark.parametrize(
    ("data", "path", "code"),
    [
        (api("Orders"), "name", "name/dns-label"),
        (api("a" * 64), "name", "name/dns-label"),
        (api("public-gateway"), "name", "api/name"),
        (api(owner=""), "owner", "schema/string-too-short"),
        ({"name": "a"}, "routes", "schema/required"),
        ({"name": "a", "routes": []}, "routes", "schema/too-short"),
        (api("a", *(f"/{n}" for n in range(17))), "routes", "schema/too-long"),
        (api("a", "/a", "/b", "/a"), "routes[2].matches[0]", "api/duplicate-route"),
        (api("a", "nope"), "routes[0].matches[0].path.value", "gateway/path-absolute"),
        (
            {"name": "a", "routes": [route(backendRefs=[{"name": "a"}])]},
            "routes[0].backendRefs[0].port",
            "gateway/backend-port",
        ),
        (
            {
                "name": "a",
                "routes": [
                    route("/x"),
                    route(
                        "/y",
                        filters=[{"type": "ExtensionRef", "extensionRef": {"group": "g", "kind": "K", "name": "n"}}],
                    ),
                ],
            },
            "routes[1].filters[0]",
            "api/extension-ref",
        ),
        (api(policy={"on_tcp_connect": [DENY]}), "policy.on_tcp_connect", "api/phase"),
        (
            api(policy={"on_http_request": [{"actions": [{"type": "no"}]}]}),
            "policy.on_http_request[0].actions[0].type",
            "policy/action-type",
        ),
        (api(policy=[]), "policy", "schema/model-type"),
        (api(route=[]), "route", "schema/unknown-field"),
    ],
)
def test_what_is_no_api_is_refused(data, path, code):
    (problem,) = problems(ApiSpec, data)
    assert (problem.path, problem.code) == (path, code)


@pytest.mark.parametrize(
    ("data", "path", "code"),
    [
        (host(name="Public"), "name", "name/dns-label"),
        (host(namespace="a.b"), "namespace", "name/dns-label"),
        (host(host="API"), "host", "name/hostname"),
        (host(host="*.example.com"), "host", "gateway/wildcard-host"),
        (host(host="10.0.0.1"), "host", "name/hostname"),
        (host(team="A"), "team", "name/dns-label"),
        (host(apis=[]), "apis", "schema/too-short"),
        (host(api("a"), api("b"), api("a", "/c")), "apis[2].name", "api/duplicate"),
        (host(api("a", "/x"), api("b", "/y", "/x")), "apis[1].routes[1].matches[0]", "api/duplicate-route"),
        (
            host(api("a", workload=workload("one")), api("b", workload=workload("one"))),
            "apis[1].workload.name",
            "api/duplicate",
        ),
        (host(api("a", "/x", "/x")), "apis[0].routes[1].matches[0]", "api/duplicate-route"),
    ],
)
def test_what_is_no_host_is_refused(data, path, code):
    (problem,) = problems(ApiGatewaySpec, data)
    assert (problem.path, problem.code) == (path, code)


def test_a_repeated_match_is_told_with_the_first_place():
    (problem,) = problems(ApiGatewaySpec, host(api("a", "/x"), api("b", "/y", "/x")))
    assert problem.message == "/x/* is matched by apis[0].routes[0] already"
    (problem,) = problems(ApiSpec, api("a", "/x", "/x"))
    assert problem.message == "/x/* is matched by routes[0] already"


def test_everything_wrong_on_a_host_is_told_at_once():
    data = host(
        api("a", "/x", "/x", policy={"on_http_request": [{"expressions": ["nope"], "actions": [{"type": "deny"}]}]}),
        api("B", "y"),
        host="*.example.com",
        namespac="shop",
    )
    assert {(problem.path, problem.code) for problem in problems(ApiGatewaySpec, data)} == {
        ("apis[0].routes[1].matches[0]", "api/duplicate-route"),
        ("apis[0].policy.on_http_request[0].expressions[0]", "policy/expression"),
        ("apis[1].name", "name/dns-label"),
        ("apis[1].routes[0].matches[0].path.value", "gateway/path-absolute"),
        ("host", "gateway/wildcard-host"),
        ("namespac", "schema/unknown-field"),
    }


@settings(deadline=None, max_examples=40)
@given(strategies.api_specs())
def test_what_is_written_is_read_as_the_same(made):
    assert ApiSpec.model_validate(made.model_dump(exclude_none=True, mode="json")) == made
    assert ApiSpec.model_validate(made.model_dump(exclude_none=True, by_alias=True, mode="json")) == made
