"""The shop's host: the guestbook for everyone, the orders API for those with a token."""

from apiops_components import (
    AddHeaders,
    ApiGatewaySpec,
    ApiSpec,
    Backend,
    Deny,
    Description,
    Environment,
    Exemption,
    HttpProbe,
    JwtValidation,
    RateLimit,
    RemoveHeaders,
    Route,
    Rule,
    TcpProbe,
    TrafficPolicy,
    Workload,
)

TEAM = "shop"


def describe(environment: Environment) -> Description:
    """One host, two APIs."""
    gateway = ApiGatewaySpec(
        name="shop",
        namespace=environment.namespace(TEAM),
        host=environment.host(TEAM),
        team=TEAM,
        owner=environment.team(TEAM).owner,
        apis=(guestbook(), orders(issuer=environment.variable(TEAM, "issuer"))),
    )
    return Description(environment=environment, team=TEAM, gateways=(gateway,))


def guestbook() -> ApiSpec:
    """The front end: public, so it has no policy."""
    return ApiSpec(
        name="guestbook",
        routes=(Route.prefix("/", Backend.to("frontend", 80)),),
        workload=Workload(
            name="frontend",
            kind="ReplicaSet",
            image="gcr.io/google_samples/gb-frontend:v3",
            port=80,
            labels={"app": "guestbook", "tier": "frontend"},
            readiness=HttpProbe(path="/"),
            liveness=TcpProbe(),
            user=0,
            read_only_root=False,
            exemptions=(
                Exemption(rule="run-as-root", reason="Apache of this sample image starts as root to bind port 80."),
                Exemption(rule="privileged-port", reason="The sample image listens on port 80 and no other."),
                Exemption(rule="writable-root-filesystem", reason="Apache writes its pid file and locks below /var."),
                Exemption(rule="image-without-digest", reason="The sample names its image by tag alone."),
            ),
        ),
    )


def orders(*, issuer: str) -> ApiSpec:
    """The orders API: a token, a limit per client, no scrapers, and no word about what serves it."""
    return ApiSpec(
        name="orders",
        routes=(Route.prefix("/orders", Backend.to("orders", 80)),),
        policy=TrafficPolicy(
            on_http_request=(
                Rule(
                    name="no scrapers",
                    expressions=("req.user_agent.name.matches('(?i)(curl|scrapy|wget)')",),
                    actions=(Deny(status_code=403),),
                ),
                Rule(
                    name="token",
                    actions=(JwtValidation.bearer(issuer=issuer, jwks=f"{issuer}/.well-known/jwks.json"),),
                ),
                Rule(
                    name="limit per client",
                    actions=(
                        RateLimit(name="orders", capacity=300, rate="60s", bucket_key=("conn.client_ip",)),
                        AddHeaders(headers={"x-client-country": "${conn.client_ip.geo.location.country_code}"}),
                    ),
                ),
            ),
            on_http_response=(
                Rule(
                    name="quiet",
                    actions=(
                        RemoveHeaders(headers=("server", "x-powered-by")),
                        AddHeaders(headers={"strict-transport-security": "max-age=31536000"}),
                    ),
                ),
            ),
        ),
        workload=Workload(
            name="orders",
            image="ghcr.io/example/orders:1.4.2@sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
            port=8080,
        ),
    )
