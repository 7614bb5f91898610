"""A team's own stack outside the platform's repository: it imports components and reads the platform's outputs."""

import pulumi

from apiops_components import (
    Api,
    ApiGateway,
    ApiGatewaySpec,
    ApiSpec,
    AuthenticationRequired,
    Backend,
    Deny,
    ExistingCluster,
    Filter,
    Guardrails,
    JwtValidation,
    Match,
    PathMatch,
    RateLimit,
    Route,
    Rule,
    TrafficPolicy,
    Workload,
    readable_errors,
    stack_output,
)

TOKEN = Rule(actions=(JwtValidation.bearer(issuer="https://id.example.com", jwks="https://id.example.com/jwks"),))
LIMIT = Rule(actions=(RateLimit(name="payments", capacity=60, rate="60s", bucket_key=("conn.client_ip",)),))

payments = ApiSpec(
    name="payments",
    routes=(
        # A tenth of the traffic goes to the next version.
        Route.prefix("/payments", Backend.to("payments", 80, weight=9), Backend.to("payments-next", 80, weight=1)),
        Route(
            matches=(Match(path=PathMatch(type="Exact", value="/v1/pay")),),
            filters=(Filter.redirect(path="/payments", status_code=301),),
        ),
    ),
    policy=TrafficPolicy(
        on_http_request=(
            Rule(
                name="ours alone",
                expressions=("!(conn.client_ip.geo.location.country_code in ['DE', 'FR'])",),
                actions=(Deny(status_code=451),),
            ),
            TOKEN,
            LIMIT,
        )
    ),
    workload=Workload(
        name="payments",
        image="ghcr.io/example/payments:2.0.1@sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        port=8080,
    ),
)

with readable_errors():
    environment = pulumi.get_stack()
    kubeconfig = stack_output(f"organization/apiops-platform/{environment}", "kubeconfig")
    cluster = ExistingCluster("platform", {"kubeconfig_secret": "kubeconfig"}, kubeconfig=kubeconfig)
    on_cluster = pulumi.ResourceOptions(provider=cluster.provider)
    host = ApiGatewaySpec(
        name="payments",
        namespace="payments",
        host=pulumi.Config().require("host"),
        team="payments",
        owner="payments@example.com",
        apis=(payments,),
    )
    # In the platform's repository these come from the platform's own description (see ../../stacks/teams/shop).
    guardrails = Guardrails(environment, (AuthenticationRequired(),))
    gateway = ApiGateway("payments", host, guardrails=guardrails, opts=on_cluster)
    Api("payments", payments, gateway=gateway, opts=on_cluster)
    pulumi.export("url", gateway.url)
