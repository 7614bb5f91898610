"""The API as its users type it: never run, only checked by mypy (`make types`)."""

from __future__ import annotations

from typing import assert_type

import pulumi

from apiops_components import (
    Api,
    ApiGateway,
    ApiGatewaySpec,
    ApiSpec,
    Backend,
    Description,
    Environment,
    ExistingCluster,
    GkeCluster,
    GkeSpec,
    Guardrails,
    HttpProbe,
    JwtValidation,
    OwnerRequired,
    Project,
    RateLimit,
    Route,
    Rule,
    TrafficPolicy,
    Workload,
    cluster_of,
    render_all,
)
from apiops_components.render.manifest import Manifest


def models(environment: Environment) -> Description:
    route = Route.prefix("/orders", Backend.to("orders", 80, weight=2), method="GET")
    assert_type(route, Route)
    policy = TrafficPolicy(
        on_http_request=(
            Rule(actions=(JwtValidation.bearer(issuer="https://i.example.com", jwks="https://i.example.com/k"),)),
            Rule(actions=(RateLimit(name="a", capacity=1, rate="60s", bucket_key=("conn.client_ip",)),)),
        )
    )
    workload = Workload(name="orders", image="ghcr.io/a/b:1.0.0", port=8080, readiness=HttpProbe(path="/readyz"))
    api = ApiSpec(name="orders", routes=(route,), policy=policy, workload=workload)
    gateway = ApiGatewaySpec(name="shop", namespace="shop", host=environment.host("shop"), apis=(api,))
    return Description(environment=environment, team="shop", gateways=(gateway,))


def refused() -> None:
    Route.prefix("/orders", Backend.to("orders", "80"))  # type: ignore[arg-type]
    Route.prefix("/orders", method="FETCH")  # type: ignore[arg-type]
    ApiSpec(nam="orders", routes=())  # type: ignore[call-arg]


def components(gateway: ApiGatewaySpec, spec: GkeSpec, environment: Environment) -> None:
    cluster = GkeCluster("prod", spec, opts=pulumi.ResourceOptions(protect=True))
    assert_type(cluster.kubeconfig, pulumi.Output[str])
    assert_type(cluster.cluster_name, pulumi.Output[str])
    existing = ExistingCluster("here", {"context": "minikube"})
    chosen = cluster_of("cluster", environment.cluster)
    for one in (cluster, existing, chosen):
        assert_type(one.kubeconfig, pulumi.Output[str])
    host = ApiGateway("shop", gateway, guardrails=Guardrails("prod", (OwnerRequired(),)), delivery="gitops")
    assert_type(host.url, pulumi.Output[str])
    Api("orders", gateway.apis[0], gateway=host)
    ApiGateway("shop", gateway, delivery="git")  # type: ignore[arg-type]


def rendered(project: Project) -> None:
    assert_type(render_all(project.descriptions("prod")), list[Manifest])
