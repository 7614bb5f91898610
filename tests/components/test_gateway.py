from __future__ import annotations

import pulumi
import pytest

from apiops_components.components.gateway import Api, ApiGateway
from apiops_components.components.team import Team
from apiops_components.errors import GuardrailError, InvalidInput
from apiops_components.guardrails.check import Guardrails
from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.environment import Environment
from apiops_components.models.guardrail import AuthenticationRequired
from apiops_components.models.policy.actions import AddHeaders, JwtValidation
from apiops_components.models.policy.document import Rule, TrafficPolicy
from apiops_components.models.route import Backend, Route
from apiops_components.models.workload import Workload
from apiops_components.render.description import team_objects
from apiops_components.render.gateway import api_objects, gateway_objects
from apiops_components.testing.pulumi import record

IMAGE = "ghcr.io/example/orders:1.0.0@sha256:" + "0" * 64
POLICY = TrafficPolicy(
    on_http_request=(
        Rule(actions=(JwtValidation.bearer(issuer="https://i", jwks="https://i/k"),)),
        Rule(actions=(AddHeaders(headers={"x-tier": "gold"}),)),
    )
)
ORDERS = ApiSpec(
    name="orders",
    routes=(Route.prefix("/orders", Backend.to("orders", 80)),),
    policy=POLICY,
    workload=Workload(name="orders", image=IMAGE, port=8080),
)
WEB = ApiSpec(name="web", routes=(Route.prefix("/", Backend.to("web", 80)),))


def host(*apis, **more):
    return ApiGatewaySpec(**{"name": "shop", "namespace": "shop", "host": "shop.example.com", "apis": apis} | more)


def serve(spec, **more):
    gateway = ApiGateway(spec.name, spec, **more)
    for api in spec.apis:
        Api(f"{spec.name}-{api.name}", api, gateway=gateway)
    return gateway


def manifests(recording):
    return [dict(r.inputs) for r in recording.resources if r.package == "kubernetes"]


def rendered(spec, ingress="ngrok-operator"):
    apis = [o for api in spec.apis for o in api_objects(spec, api, ingress_namespace=ingress)]
    return [*gateway_objects(spec), *apis]


def by_title(objects):
    return sorted(objects, key=lambda o: (o["kind"], o["metadata"]["name"]))


def test_what_is_registered_is_what_is_rendered():
    spec = host(ORDERS, WEB)
    recording = record(lambda: serve(spec))

    assert by_title(manifests(recording)) == by_title(rendered(spec))


def test_children_belong_to_their_component_and_are_named_after_it():
    recording = record(lambda: serve(host(ORDERS)))
    gateway, api = recording.one("apiops:index:ApiGateway"), recording.one("apiops:index:Api")

    assert [child.name for child in recording.children(gateway)] == [
        "shop-ngroktrafficpolicy-shop-gateway",
        "shop-gateway-shop",
    ]
    children = recording.children(api)
    assert {child.type.rpartition(":")[2] for child in children} >= {"HTTPRoute", "NgrokTrafficPolicy", "Deployment"}
    assert all(child.name.startswith("shop-orders-") for child in children)
    assert {r.parent for r in recording.resources if r.package == "apiops"} == {recording.stack_urn}
    assert (gateway.inputs, api.inputs) == ({}, {})


def test_a_gateway_comes_after_its_policy_and_routes_after_everything():
    recording = record(lambda: serve(host(ORDERS)))
    gateway = recording.one(name="shop-gateway-shop")
    policy = recording.one(name="shop-ngroktrafficpolicy-shop-gateway")
    route = recording.one("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute")
    api = recording.one("apiops:index:Api")
    others = [child.urn for child in recording.children(api) if child.urn != route.urn]

    assert policy.urn in gateway.dependencies
    assert {gateway.urn, policy.urn, *others} <= set(route.dependencies)
    for urn in others:
        (child,) = (r for r in recording.resources if r.urn == urn)
        assert gateway.urn in child.dependencies


def test_addresses_are_known_before_anything_is_deployed():
    def program():
        gateway = ApiGateway("shop", host(ORDERS))
        pulumi.export("host", gateway.url)
        pulumi.export("api", Api("orders", ORDERS, gateway=gateway).url)

    recording = record(program)
    assert recording.outputs == {"host": "https://shop.example.com", "api": "https://shop.example.com/orders"}
    assert recording.one("apiops:index:ApiGateway").outputs == {"url": "https://shop.example.com"}


def test_what_argo_cd_delivers_is_not_registered():
    recording = record(lambda: serve(host(ORDERS, WEB), delivery="gitops"))

    assert manifests(recording) == []
    assert [r.type for r in recording.resources] == ["apiops:index:ApiGateway", *["apiops:index:Api"] * 2]


def test_a_mapping_is_as_good_as_a_spec():
    spec = host(WEB)
    recording = record(lambda: serve_mapping(spec))

    assert by_title(manifests(recording)) == by_title(rendered(spec))


def serve_mapping(spec):
    data = spec.model_dump()
    gateway = ApiGateway("shop", data)
    Api("web", data["apis"][0], gateway=gateway)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"name": "shop", "namespace": "shop", "host": "a.example.com"}, "apis"),
        ({"name": "shop", "namespace": "shop", "host": "*.example.com", "apis": [WEB]}, "host"),
    ],
)
def test_a_mapping_that_breaks_the_model_is_refused_with_the_components_name(spec, path):
    with pytest.raises(InvalidInput) as raised:
        record(lambda: ApiGateway("edge", spec))

    assert [(p.document, p.path) for p in raised.value.problems] == [("ApiGateway edge", path)]


def test_an_api_that_is_none_of_the_gateways_is_refused():
    stranger = WEB.model_copy(update={"name": "stranger"})
    weaker = ORDERS.model_copy(update={"policy": TrafficPolicy()})
    for api in (stranger, weaker):
        with pytest.raises(InvalidInput) as raised:
            record(lambda api=api: Api("x", api, gateway=ApiGateway("shop", host(ORDERS))))
        (problem,) = raised.value.problems
        assert (problem.code, problem.document) == ("api/gateway", "Api x")
        assert "whose policy would not protect it" in problem.message


def test_two_gateways_in_one_stack_do_not_clash():
    other = host(
        WEB, ORDERS.model_copy(update={"workload": None}), name="docs", namespace="docs", host="docs.example.com"
    )
    recording = record(lambda: (serve(host(ORDERS, WEB)), serve(other)))
    urns = [r.urn for r in recording.resources]

    assert len(set(urns)) == len(urns)
    assert by_title(manifests(recording)) == by_title([*rendered(host(ORDERS, WEB)), *rendered(other)])


def test_the_same_name_twice_is_refused():
    with pytest.raises(InvalidInput, match="shop"):
        record(lambda: (ApiGateway("shop", host(WEB)), ApiGateway("shop", host(WEB))))


registered: list[str] = []


def test_a_broken_guardrail_raises_before_anything_is_registered():
    registered.clear()

    def watch(resource):
        registered.append(resource.type)

    with pytest.raises(GuardrailError) as raised:
        record(
            lambda: serve(host(ORDERS, WEB), guardrails=Guardrails("prod", (AuthenticationRequired(),))), outputs=watch
        )

    assert [p.document for p in raised.value.problems] == ["Api shop/web"]
    assert registered == []


def test_guardrails_act_on_what_argo_cd_delivers_too():
    with pytest.raises(GuardrailError):
        record(
            lambda: ApiGateway(
                "s", host(WEB), guardrails=Guardrails("prod", (AuthenticationRequired(),)), delivery="gitops"
            )
        )


def test_guardrails_that_hold_change_nothing():
    rails = Guardrails("prod", (AuthenticationRequired(),))
    assert manifests(record(lambda: serve(host(ORDERS), guardrails=rails))) == manifests(
        record(lambda: serve(host(ORDERS)))
    )


def test_what_cannot_be_said_safely_raises_before_anything_is_registered():
    registered.clear()
    unsafe = WEB.model_copy(update={"routes": (Route.prefix("/it's", Backend.to("web", 80)),)})
    with pytest.raises(InvalidInput, match="lowering/unsafe-value"):
        record(lambda: ApiGateway("shop", host(unsafe)), outputs=lambda r: registered.append(r.type))
    assert registered == []


def test_the_callers_options_reach_the_component_and_its_provider_the_children():
    class Cloud(pulumi.ProviderResource):
        def __init__(self):
            super().__init__("kubernetes", "cluster", {"kubeconfig": "x"})

    def program():
        provider = Cloud()
        gateway = ApiGateway("shop", host(ORDERS), opts=pulumi.ResourceOptions(provider=provider, protect=True))
        Api("orders", ORDERS, gateway=gateway, opts=pulumi.ResourceOptions(provider=provider))

    recording = record(program)
    provider = recording.one("pulumi:providers:kubernetes")
    objects = [r for r in recording.resources if r.package == "kubernetes"]

    assert objects
    assert all(r.provider.startswith(provider.urn) for r in objects)
    assert recording.one("apiops:index:ApiGateway").protect
    assert all(r.protect for r in recording.children(recording.one("apiops:index:ApiGateway")))


def test_workloads_let_in_the_operator_of_the_settings():
    def program():
        Api("orders", ORDERS, gateway=ApiGateway("shop", host(ORDERS)), ingress_namespace="edge")

    assert by_title(manifests(record(program))) == by_title(rendered(host(ORDERS), ingress="edge"))


def environment(**teams):
    data = {"name": "t", "owner": "p@example.com", "cluster": {"kind": "existing", "context": "c"}, "teams": teams}
    return Environment.model_validate(data)


def test_a_team_is_its_namespace_which_is_closed_by_default():
    settings = environment(red={"owner": "r@example.com", "delivery": "direct", "namespace": "scarlet"})

    def program():
        pulumi.export("namespace", Team("red", settings).namespace)

    recording = record(program)
    made, closed = recording.children(recording.one("apiops:index:Team"))

    assert [made.inputs, closed.inputs] == team_objects(settings, "red")
    assert (made.name, closed.name) == ("red-namespace-scarlet", "red-networkpolicy-default-deny")
    assert made.urn in closed.dependencies
    assert recording.outputs == {"namespace": "scarlet"}


def test_a_team_without_settings_is_refused():
    with pytest.raises(InvalidInput, match="team 'blue' has no settings"):
        record(lambda: Team("blue", environment()))
