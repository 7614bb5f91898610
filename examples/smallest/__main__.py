"""The smallest program: a cluster that is there already, one host, one API with a token and a limit per client."""

import pulumi

from apiops_components import (
    Api,
    ApiGateway,
    ApiGatewaySpec,
    ApiSpec,
    Backend,
    ExistingCluster,
    JwtValidation,
    RateLimit,
    Route,
    Rule,
    TrafficPolicy,
)

orders = ApiSpec(
    name="orders",
    routes=(Route.prefix("/orders", Backend.to("orders", 80)),),
    policy=TrafficPolicy(
        on_http_request=(
            Rule(actions=(JwtValidation.bearer(issuer="https://id.example.com", jwks="https://id.example.com/jwks"),)),
            Rule(actions=(RateLimit(name="orders", capacity=100, rate="60s", bucket_key=("conn.client_ip",)),)),
        ),
    ),
)
host = ApiGatewaySpec(name="shop", namespace="shop", host="shop.example.com", owner="shop@example.com", apis=(orders,))

kubeconfig = pulumi.Config().require_secret("kubeconfig")
cluster = ExistingCluster("cluster", {"kubeconfig_secret": "kubeconfig"}, kubeconfig=kubeconfig)
on_cluster = pulumi.ResourceOptions(provider=cluster.provider)

gateway = ApiGateway("shop", host, opts=on_cluster)
api = Api("orders", orders, gateway=gateway, opts=on_cluster)

pulumi.export("url", api.url)
