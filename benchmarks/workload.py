"""The work that is measured: pairs of a route with two rules and a traffic policy, each different from all others."""

from collections.abc import Iterator
from typing import Any

ISSUER = "https://login.example.com/"
RENDERED_FOR = ("shop", {"labels": {"app.kubernetes.io/part-of": "apiops"}}, "public", "api.example.com")


def typed(number: int, *, own_expression: bool) -> Any:
    """One API of the package's models: routes and policy are checked as they are made.

    With ``own_expression`` its expression is one that no other has, so that it has to be compiled.
    """
    from apiops_components import (  # noqa: PLC0415  (a peer in this file must not pay for it)
        AddHeaders,
        ApiSpec,
        Backend,
        Filter,
        HeaderMatch,
        JwtValidation,
        Match,
        PathMatch,
        RateLimit,
        Route,
        Rule,
        TrafficPolicy,
    )

    service = f"service-{number}"
    orders = Match(
        path=PathMatch(type="Exact", value=f"/v1/orders-{number}"),
        method="GET",
        headers=(HeaderMatch(name="x-tenant", value=f"t{number}"),),
    )
    health = Match(path=PathMatch(type="Exact", value=f"/v1/orders-{number}/health"))
    filters = (
        Filter(
            type="RequestHeaderModifier",
            request_header_modifier={"set": [{"name": "x-from", "value": "edge"}], "remove": ["x-debug"]},
        ),
        Filter(
            type="ResponseHeaderModifier",
            response_header_modifier={"add": [{"name": "x-service", "value": service}]},
        ),
    )
    expression = f"req.url.path.startsWith('/v1/orders-{number if own_expression else ''}')"
    actions = (
        JwtValidation(
            issuer={"allow_list": [{"value": ISSUER}]},
            audience={"allow_list": [{"value": f"{service}.example.com"}]},
            http={"tokens": [{"type": "jwt", "method": "header", "name": "Authorization", "prefix": "Bearer "}]},
            jws={"allowed_algorithms": ["RS256"], "keys": {"sources": {"additional_jkus": [f"{ISSUER}jwks.json"]}}},
        ),
        RateLimit(
            name=service, algorithm="sliding_window", capacity=100 + number, rate="60s", bucket_key=["conn.client_ip"]
        ),
        AddHeaders(headers={"x-service": service}),
    )
    return ApiSpec(
        name=f"orders-{number}",
        routes=(
            Route(
                name="orders",
                matches=(orders,),
                filters=filters,
                backend_refs=(
                    Backend(name=service, port=8080, weight=90),
                    Backend(name=f"{service}-canary", port=8080, weight=10),
                ),
            ),
            Route(name="health", matches=(health,), backend_refs=(Backend(name=service, port=8080),)),
        ),
        policy=TrafficPolicy(on_http_request=(Rule(name="protect", expressions=(expression,), actions=actions),)),
    )


def rendered(api: Any) -> Iterator[dict[str, Any]]:
    """The pair as manifests, by the package's renderer."""
    from apiops_components.render.lowering import exact_matches, lower_route  # noqa: PLC0415
    from apiops_components.render.policy import policy_object  # noqa: PLC0415
    from apiops_components.render.route import route_objects  # noqa: PLC0415

    namespace, metadata, gateway, host = RENDERED_FOR
    exact = exact_matches((api,))
    lowered = [part for route in api.routes for part in lower_route(route, exact)]
    yield from route_objects(api.name, namespace, metadata, gateway, host, lowered)
    yield policy_object(api.name, namespace, metadata, {"on_http_request": api.policy.on_http_request})


def pair(number: int) -> list[dict[str, Any]]:
    """The same two manifests as plain data, for tools that know no types."""
    service, name = f"service-{number}", f"orders-{number}"
    namespace, metadata, gateway, host = RENDERED_FOR
    here = {"name": name, "namespace": namespace, **metadata}
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway, "sectionName": "https"}
    orders = {
        "path": {"type": "Exact", "value": f"/v1/{name}"},
        "headers": [{"type": "Exact", "name": "x-tenant", "value": f"t{number}"}],
        "method": "GET",
    }
    filters = [
        {
            "type": "RequestHeaderModifier",
            "requestHeaderModifier": {"set": [{"name": "x-from", "value": "edge"}], "remove": ["x-debug"]},
        },
        {
            "type": "ResponseHeaderModifier",
            "responseHeaderModifier": {"add": [{"name": "x-service", "value": service}]},
        },
    ]
    backends = [
        {"group": "", "kind": "Service", "name": target, "port": 8080, "weight": weight}
        for target, weight in ((service, 90), (f"{service}-canary", 10))
    ]
    tokens = [{"type": "jwt", "method": "header", "name": "Authorization", "prefix": "Bearer "}]
    actions = [
        {
            "type": "jwt-validation",
            "config": {
                "issuer": {"allow_list": [{"value": ISSUER}]},
                "audience": {"allow_list": [{"value": f"{service}.example.com"}]},
                "http": {"tokens": tokens},
                "jws": {
                    "allowed_algorithms": ["RS256"],
                    "keys": {"sources": {"additional_jkus": [f"{ISSUER}jwks.json"]}},
                },
            },
        },
        {
            "type": "rate-limit",
            "config": {
                "name": service,
                "algorithm": "sliding_window",
                "capacity": 100 + number,
                "rate": "60s",
                "bucket_key": ["conn.client_ip"],
            },
        },
        {"type": "add-headers", "config": {"headers": {"x-service": service}}},
    ]
    rule = {"name": "protect", "expressions": [f"req.url.path.startsWith('/v1/{name}')"], "actions": actions}
    health = [{"path": {"type": "Exact", "value": f"/v1/{name}/health"}}]
    rules = [
        {"name": "orders", "matches": [orders], "filters": filters, "backendRefs": backends},
        {"name": "health", "matches": health, "backendRefs": [{**backends[0], "weight": 1}]},
    ]
    return [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": here,
            "spec": {"parentRefs": [parent], "hostnames": [host], "rules": rules},
        },
        {
            "apiVersion": "ngrok.k8s.ngrok.com/v1alpha1",
            "kind": "NgrokTrafficPolicy",
            "metadata": here,
            "spec": {"policy": {"on_http_request": [rule]}},
        },
    ]
