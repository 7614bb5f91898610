"""Whole manifests: the example platform against what is committed, and small hosts written out by hand."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings

from apiops_components.documents import Document, dump_all, load_all
from apiops_components.errors import InvalidInput
from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.description import Description
from apiops_components.models.environment import Environment
from apiops_components.models.filters import Filter
from apiops_components.models.gateway import Gateway
from apiops_components.models.match import HeaderMatch, Match, PathMatch, QueryMatch
from apiops_components.models.policy.actions import AddHeaders, CustomResponse, Deny, JwtValidation, RateLimit
from apiops_components.models.policy.document import PHASES, Rule, TrafficPolicy
from apiops_components.models.route import Backend, HttpRoute, Route
from apiops_components.models.secret import SecretSlot
from apiops_components.models.workload import Workload
from apiops_components.project import Project
from apiops_components.render.description import (
    gitops_specs,
    ingress_namespace,
    render_all,
    team_namespace,
    team_objects,
)
from apiops_components.render.gateway import api_objects, gateway_objects
from apiops_components.render.lowering import exact_matches, lower_route
from apiops_components.render.manifest import Manifest
from apiops_components.render.policy import policy_object
from apiops_components.render.route import route_objects
from apiops_components.testing import strategies
from apiops_components.validation import validate

ROOT = Path(__file__).parents[2]
EXPECTED = Path(__file__).with_name("expected")
ENVIRONMENTS = ("dev", "prod", "sandbox", "staging")


# --- the example platform --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project():
    return Project.load(ROOT)


def test_every_environment_has_an_expected_file(project):
    assert tuple(sorted(file.stem for file in EXPECTED.glob("*.yaml"))) == project.environments == ENVIRONMENTS


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_example_platform_is_rendered_as_expected(project, env):
    """Where a change is meant: `make expected`, then read the difference."""
    stream = io.StringIO()
    manifests = render_all(project.descriptions(env))
    dump_all((m.object for m in manifests), stream)

    expected = [document.value for document in load_all((EXPECTED / f"{env}.yaml").read_bytes(), env)]
    assert [m.object for m in manifests] == expected
    assert stream.getvalue() == (EXPECTED / f"{env}.yaml").read_text(encoding="utf-8")


@settings(deadline=None, max_examples=40)
@given(strategies.api_specs())
def test_whatever_is_rendered_is_valid_by_what_checks_the_documents_of_others(api):
    """So what is rendered need not be checked again: the models have."""
    exact = exact_matches((api,))
    lowered = [part for route in api.routes for part in lower_route(route, exact)]
    routes = route_objects(api.name, "shop", {}, "public", "api.example.com", lowered)
    policy = policy_object(api.name, "shop", {}, {phase: getattr(api.policy, phase) for phase in PHASES})
    for item in (*routes, policy):
        (result,) = validate(Document(item, "", 0, {}))
        assert (result.status, result.problems) == ("valid", ())


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_routes_and_gateways_of_the_example_are_valid_by_their_models(project, env):
    objects = [m.object for m in render_all(project.descriptions(env))]
    routes = [HttpRoute.model_validate(o["spec"]) for o in objects if o["kind"] == "HTTPRoute"]
    gateways = [Gateway.model_validate(o["spec"]) for o in objects if o["kind"] == "Gateway"]
    policies = [TrafficPolicy.model_validate(o["spec"]["policy"]) for o in objects if o["kind"] == "NgrokTrafficPolicy"]
    assert (len(routes), len(gateways), len(policies)) == (2, 1, 2)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_each_object_has_one_owner(project, env):
    manifests = render_all(project.descriptions(env))
    by_owner = {owner: [m for m in manifests if m.owner == owner] for owner in ("pulumi", "gitops")}

    assert len({m.path for m in manifests}) == len(manifests)
    if env in ("dev", "sandbox"):  # direct
        assert not by_owner["gitops"]
    else:
        assert {m.team for m in by_owner["gitops"]} == {"shop"}
        assert {m.namespace for m in by_owner["gitops"]} == {"shop"}
        assert not {"Secret", "Namespace"} & {m.kind for m in by_owner["gitops"]}


# --- a host by hand --------------------------------------------------------------------------------------------------

JWT = JwtValidation.bearer(issuer="https://i.example.com", jwks="https://i.example.com/keys", audience="shop")
LABELS = {"app.kubernetes.io/part-of": "apiops"}
META = {"namespace": "team", "labels": LABELS}


def host(*apis, **more):
    return ApiGatewaySpec(**{"name": "host", "namespace": "team", "host": "a.example.com", "apis": apis} | more)


def route_object(name, rules, **metadata):
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, **META, **metadata},
        "spec": {
            "parentRefs": [
                {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "host", "sectionName": "https"}
            ],
            "hostnames": ["a.example.com"],
            "rules": rules,
        },
    }


def policy(name, document, **metadata):
    return {
        "apiVersion": "ngrok.k8s.ngrok.com/v1alpha1",
        "kind": "NgrokTrafficPolicy",
        "metadata": {"name": name, **META, **metadata},
        "spec": {"policy": document},
    }


def service(name, port=80, weight=1):
    return {"group": "", "kind": "Service", "name": name, "port": port, "weight": weight}


GATEWAY = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "host", **META},
    "spec": {
        "gatewayClassName": "ngrok",
        "listeners": [
            {
                "name": "https",
                "hostname": "a.example.com",
                "port": 443,
                "protocol": "HTTPS",
                "allowedRoutes": {"namespaces": {"from": "Same"}},
            }
        ],
    },
}


def test_a_public_api_is_a_gateway_and_a_route():
    spec = host(ApiSpec(name="web", routes=(Route.prefix("/", Backend.to("web", 80)),)))

    assert gateway_objects(spec) == [GATEWAY]
    assert api_objects(spec, spec.apis[0], ingress_namespace="ngrok") == [
        route_object(
            "web", [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [service("web")]}]
        )
    ]


def test_protection_goes_to_the_gateway_guarded_and_the_rest_stays_with_the_route():
    api = ApiSpec(
        name="orders",
        routes=(Route.prefix("/orders", Backend.to("orders", 8080)),),
        policy=TrafficPolicy(
            on_http_request=(
                Rule(actions=(JWT,)),
                Rule(
                    name="limit",
                    actions=(RateLimit(name="n", capacity=10, rate="60s", bucket_key=("conn.client_ip",)),),
                ),
            ),
            on_http_response=(Rule(name="hsts", actions=(AddHeaders(headers={"a": "b"}),)),),
        ),
    )
    spec = host(api, owner="team@example.com", team="red")
    owned = {"labels": {**LABELS, "apiops/team": "red"}, "annotations": {"apiops/owner": "team@example.com"}}
    guard = "req.url.path == '/orders' || req.url.path.startsWith('/orders/')"
    jwt = {
        "type": "jwt-validation",
        "config": {
            "issuer": {"allow_list": [{"value": "https://i.example.com"}]},
            "audience": {"allow_list": [{"value": "shop"}]},
            "http": {"tokens": [{"type": "jwt", "method": "header", "name": "Authorization", "prefix": "Bearer "}]},
            "jws": {
                "allowed_algorithms": ["RS256"],
                "keys": {"sources": {"additional_jkus": ["https://i.example.com/keys"]}},
            },
        },
    }
    limit = {
        "type": "rate-limit",
        "config": {
            "name": "n",
            "algorithm": "sliding_window",
            "capacity": 10,
            "rate": "60s",
            "bucket_key": ["conn.client_ip"],
        },
    }
    names = {"ngrok.com/traffic-policy": "host-gateway", "k8s.ngrok.com/traffic-policy": "host-gateway"}
    reference = {
        "type": "ExtensionRef",
        "extensionRef": {"group": "ngrok.k8s.ngrok.com", "kind": "NgrokTrafficPolicy", "name": "orders"},
    }

    assert gateway_objects(spec) == [
        policy(
            "host-gateway",
            {
                "on_http_request": [{"name": "orders", "expressions": [guard], "actions": [jwt]}],
                "on_http_response": [
                    {
                        "name": "orders: hsts",
                        "expressions": [guard],
                        "actions": [{"type": "add-headers", "config": {"headers": {"a": "b"}}}],
                    }
                ],
            },
            **owned,
        ),
        {
            **GATEWAY,
            "metadata": {
                "name": "host",
                "namespace": "team",
                "labels": owned["labels"],
                "annotations": {**owned["annotations"], **names},
            },
        },
    ]
    assert api_objects(spec, api, ingress_namespace="ngrok") == [
        policy("orders", {"on_http_request": [{"name": "limit", "actions": [limit]}]}, **owned),
        route_object(
            "orders",
            [
                {
                    "matches": [
                        {"path": {"type": "Exact", "value": "/orders"}},
                        {"path": {"type": "PathPrefix", "value": "/orders/"}},
                    ],
                    "filters": [reference],
                    "backendRefs": [service("orders", 8080)],
                }
            ],
            **owned,
        ),
    ]


def test_every_part_of_a_route_is_written():
    match = Match(
        path=PathMatch(type="Exact", value="/a"),
        method="PUT",
        headers=(HeaderMatch(name="X-A", value="1"), HeaderMatch(type="RegularExpression", name="b", value="x.*")),
        query_params=(QueryMatch(name="Q", value="1"),),
    )
    headers = Filter.request_headers(set={"x": "1"}, add={"y": "2"}, remove=["z"])
    canary = Backend(name="new", port=81, weight=5, filters=(Filter.request_headers(set={"v": "2"}),))
    api = ApiSpec(
        name="web",
        owner="web@example.com",
        routes=(
            Route(
                name="all",
                matches=(match,),
                filters=(headers,),
                backend_refs=(Backend.to("old", 80, weight=95), canary),
            ),
            Route.exact(
                "/old",
                filters=[Filter.redirect(scheme="https", hostname="b.example.com", path="/new", status_code=301)],
            ),
        ),
    )

    policy, route = api_objects(host(api), api, ingress_namespace="ngrok")
    redirect = {
        "from": "^([a-zA-Z][-+.a-zA-Z0-9]*)://([^/?#:]*)(:[0-9]+)?[^?#]*(.*)$",
        "to": "https://b.example.com/new$4",
        "status_code": 301,
    }
    assert policy == {
        "apiVersion": "ngrok.k8s.ngrok.com/v1alpha1",
        "kind": "NgrokTrafficPolicy",
        "metadata": {"name": "web.2", **META, "annotations": {"apiops/owner": "web@example.com"}},
        "spec": {"policy": {"on_http_request": [{"actions": [{"type": "redirect", "config": redirect}]}]}},
    }
    assert route == route_object(
        "web",
        [
            {
                "name": "all",
                "matches": [
                    {
                        "path": {"type": "Exact", "value": "/a"},
                        "headers": [
                            {"type": "Exact", "name": "x-a", "value": "1"},
                            {"type": "RegularExpression", "name": "b", "value": "^(?:x.*)$"},
                        ],
                        "queryParams": [{"type": "Exact", "name": "Q", "value": "1"}],
                        "method": "PUT",
                    }
                ],
                "filters": [
                    {
                        "type": "RequestHeaderModifier",
                        "requestHeaderModifier": {
                            "set": [{"name": "x", "value": "1"}],
                            "add": [{"name": "y", "value": "2"}],
                            "remove": ["z"],
                        },
                    }
                ],
                "backendRefs": [
                    service("old", weight=95),
                    {
                        **service("new", 81, 5),
                        "filters": [
                            {
                                "type": "RequestHeaderModifier",
                                "requestHeaderModifier": {"set": [{"name": "v", "value": "2"}]},
                            }
                        ],
                    },
                ],
            },
            {
                "matches": [{"path": {"type": "Exact", "value": "/old"}}],
                "filters": [
                    {
                        "type": "ExtensionRef",
                        "extensionRef": {"group": "ngrok.k8s.ngrok.com", "kind": "NgrokTrafficPolicy", "name": "web.2"},
                    },
                    {
                        "type": "RequestRedirect",
                        "requestRedirect": {
                            "scheme": "https",
                            "hostname": "b.example.com",
                            "path": {"type": "ReplaceFullPath", "replaceFullPath": "/new"},
                            "statusCode": 301,
                        },
                    },
                ],
            },
        ],
        annotations={"apiops/owner": "web@example.com"},
    )


def test_an_answer_in_place_of_the_backend_is_protection():
    api = ApiSpec(
        name="web",
        routes=(Route.prefix("/", Backend.to("web", 80)),),
        policy=TrafficPolicy(on_http_request=(Rule(actions=(CustomResponse(status_code=503),)),)),
    )
    made, _ = gateway_objects(host(api))

    answer = {"type": "custom-response", "config": {"status_code": 503}}
    assert made == policy("host-gateway", {"on_http_request": [{"name": "web", "actions": [answer]}]})


def test_rules_of_several_apis_keep_their_order_in_the_gateways_policy():
    def api(name):
        rules = tuple(Rule(name=n, expressions=("req.method == 'GET'",), actions=(Deny(),)) for n in ("one", "two"))
        route = Route.prefix(f"/{name}", Backend.to(name, 80))
        return ApiSpec(name=name, routes=(route,), policy=TrafficPolicy(on_http_request=rules))

    made, _ = gateway_objects(host(api("a"), api("b")))
    rules = made["spec"]["policy"]["on_http_request"]

    assert [rule["name"] for rule in rules] == ["a: one", "a: two", "b: one", "b: two"]
    assert all(rule["expressions"][1] == "req.method == 'GET'" for rule in rules)


# --- descriptions ----------------------------------------------------------------------------------------------------


def environment(**more):
    data = {"name": "test", "owner": "p@example.com", "cluster": {"kind": "existing", "context": "c"}}
    return Environment.model_validate(data | more)


def description(*gateways, **more):
    return Description(environment=environment(), gateways=gateways, **more)


def web(name="web", **policy_):
    return ApiSpec(name=name, routes=(Route.prefix("/", Backend.to(name, 80)),), **policy_)


def problem(*descriptions):
    with pytest.raises(InvalidInput) as raised:
        render_all(descriptions)
    (found,) = raised.value.problems
    return found


def test_a_host_has_one_gateway_across_all_descriptions():
    one, other = host(web()), host(web(), name="other", namespace="other")

    found = problem(description(one), description(other))
    assert found.code == "render/shared-host"
    assert "'a.example.com'" in found.message
    assert "team/host" in found.message
    assert "other/other" in found.message


def test_an_object_has_one_description():
    one, other = host(web()), host(web(), name="other", host="b.example.com")

    found = problem(description(one), description(other))
    assert found.code == "render/duplicate-object"
    assert found.message.startswith("HTTPRoute team/web is there twice")


def test_the_place_of_a_secret_in_a_hosts_objects_is_refused():
    headers = AddHeaders(headers={"x-key": f"Key {SecretSlot('upstream')}"})
    api = web(policy=TrafficPolicy(on_http_request=(Rule(actions=(headers,)),)))

    found = problem(description(host(api)))
    assert (found.code, found.document) == ("render/secret", "NgrokTrafficPolicy team/web")
    assert "secrets.get(" in found.hint


def test_a_name_kept_for_the_gateways_policy_is_refused():
    with pytest.raises(ValueError, match="are kept for the policies of Gateways"):
        web("host-gateway")


def test_a_teams_namespace_says_whose_it_is_and_what_its_pods_may_do():
    made = environment(
        teams={
            "red": {"owner": "red@example.com", "delivery": "direct"},
            "blue": {
                "owner": "blue@example.com",
                "delivery": "direct",
                "namespace": "azure",
                "pod_security": {"level": "baseline", "reason": "An old image."},
            },
        }
    )
    red, blue = team_namespace(made, "red"), team_namespace(made, "blue")

    assert red["metadata"]["name"] == "red"
    assert red["metadata"]["labels"]["apiops/team"] == "red"
    assert red["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert red["metadata"]["annotations"] == {"apiops/owner": "red@example.com"}
    assert blue["metadata"]["name"] == "azure"
    assert blue["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    assert blue["metadata"]["annotations"]["apiops/pod-security-reason"] == "An old image."


def test_pods_of_a_team_talk_to_nobody_unless_a_policy_or_a_reason_says_so():
    reason = "What runs here is deployed by a chart without policies."
    made = environment(
        teams={
            "red": {"owner": "red@example.com", "delivery": "direct"},
            "blue": {"owner": "blue@example.com", "delivery": "direct", "open_network": reason},
        }
    )
    red, blue = team_objects(made, "red"), team_objects(made, "blue")

    assert [item["kind"] for item in red] == ["Namespace", "NetworkPolicy"]
    assert red[1]["metadata"]["namespace"] == "red"
    assert red[1]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert [item["kind"] for item in blue] == ["Namespace"]
    assert blue[0]["metadata"]["annotations"]["apiops/open-network-reason"] == reason


def test_only_teams_that_argo_cd_delivers_have_an_application():
    made = environment(
        argocd={},
        git={"repository": "https://git.example.com/apis.git", "path": "trees"},
        teams={
            "red": {"owner": "red@example.com", "delivery": "direct"},
            "blue": {"owner": "blue@example.com", "namespace": "azure"},
        },
    )
    (spec,) = gitops_specs(made).values()

    assert (spec.team, spec.namespaces, spec.path) == ("blue", ("azure",), "trees/test/azure")
    assert gitops_specs(environment()) == {}


def test_workloads_let_in_the_operator_from_where_it_runs():
    assert ingress_namespace(environment()) == "ngrok-operator"
    ngrok = {"ngrok": {"namespace": "edge"}, "secrets": ["ngrok-api-key", "ngrok-authtoken"]}
    assert ingress_namespace(environment(**ngrok)) == "edge"

    image = "ghcr.io/example/web:1.0.0@sha256:" + "0" * 64
    api = web(workload=Workload(name="web", image=image, port=8080))
    found = api_objects(host(api), api, ingress_namespace="edge")
    (rule,) = [o for o in found if o["kind"] == "NetworkPolicy"]
    assert "edge" in str(rule["spec"]["ingress"])


def test_a_manifest_knows_its_place():
    namespaced = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "team"}}
    cluster = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}

    one, other = Manifest(namespaced, "Api web", "pulumi"), Manifest(cluster, "Team team", "pulumi")
    assert (one.title, one.path) == ("Service team/web", "team/service-web.yaml")
    assert (other.title, other.path, other.namespace) == ("Namespace team", "_cluster/namespace-team.yaml", None)


def test_rendering_twice_gives_equal_manifests(project):
    assert render_all(project.descriptions("prod")) == render_all(project.descriptions("prod"))
