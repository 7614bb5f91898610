"""One function a kind of guardrail: where it does not hold for one API of a host.

Each is given the host, the API and its path in the description, and yields message, hint, path and, where there is
one, a request that gets through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.guardrail import (
    AllowedHosts,
    AllowedNamespaces,
    AuthenticationRequired,
    ForbiddenActions,
    HighestRateLimit,
    OwnerRequired,
)
from apiops_components.models.match import Match
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.actions import RateLimit
from apiops_components.models.policy.actions.other import RawAction
from apiops_components.models.policy.document import Rule
from apiops_components.models.route import Route

__all__ = ["RULES", "Broken"]


class Broken(NamedTuple):
    """Where and how a guardrail does not hold."""

    message: str
    hint: str
    path: str
    request: str = ""


# By name: a class is loaded only where a policy uses it. restrict-ips and verify-webhook say where a request comes
# from or that it was signed, not who sends it.
_AUTHENTICATING = frozenset({"jwt-validation", "basic-auth", "oauth", "openid-connect", "saml"})
_ELSEWHERE = frozenset({"forward-internal", "ai-gateway"})


def authentication(rail: AuthenticationRequired, gateway: ApiGatewaySpec, api: ApiSpec) -> Iterator[Broken]:  # noqa: ARG001
    """Some rule without a condition authenticates, and nothing passes a request on before it."""
    served = [route for route in api.routes if route.backend_refs]
    found = list(_authenticating(api))
    always = next((place for place in found if not place.rule.expressions and place.step.enforced), None)
    early = next((place for place in _forwarding(api) if always is None or place.before(always)), None)
    if not served and early is None:
        return  # an API that only redirects has nothing to protect
    request = example_request(gateway.host, (served or api.routes)[0].matches[0])
    if early is not None and (always is not None or not served):
        yield Broken(
            f"{early.step.type} may pass requests on before they are authenticated",
            "put it behind the rule that authenticates",
            early.path,
            request,
        )
    elif always is not None:
        if getattr(always.step, "allow_cors_preflight", None):
            message = "preflight requests (OPTIONS) reach the backend without a login"
            yield Broken(message, "leave it out", f"{always.path}.allow_cors_preflight", _preflight(gateway, served[0]))
    elif conditional := next((place for place in found if place.rule.expressions and place.step.enforced), None):
        message = f"requests are authenticated only where {' && '.join(conditional.rule.expressions)}"
        path = f"policy.on_http_request[{conditional.rule_number}].expressions"
        yield Broken(message, "drop the condition", path, request)
    elif found:
        message = f"{found[0].step.type} only records who would not pass: enforce is false"
        yield Broken(message, "leave enforce out", f"{found[0].path}.enforce", request)
    else:
        message = "requests reach the backend without authentication"
        yield Broken(message, "add JwtValidation.bearer(issuer=…, jwks=…) to on_http_request", "policy", request)


class _Place(NamedTuple):
    """An action of a request's rules, and where it stands."""

    rule_number: int
    number: int
    rule: Rule
    step: Action

    @property
    def path(self) -> str:
        return f"policy.on_http_request[{self.rule_number}].actions[{self.number}]"

    def before(self, other: _Place) -> bool:
        return (self.rule_number, self.number) < (other.rule_number, other.number)


def _places(api: ApiSpec) -> Iterator[_Place]:
    for index, rule in enumerate(api.policy.on_http_request):
        for number, step in enumerate(rule.actions):
            yield _Place(index, number, rule, step)


def _authenticating(api: ApiSpec) -> Iterator[_Place]:
    return (place for place in _places(api) if place.step.type in _AUTHENTICATING)


def _forwarding(api: ApiSpec) -> Iterator[_Place]:
    """What may send a request elsewhere; of an action that is not known nobody can tell."""
    return (place for place in _places(api) if place.step.type in _ELSEWHERE or isinstance(place.step, RawAction))


def _preflight(gateway: ApiGatewaySpec, route: Route) -> str:
    return example_request(gateway.host, route.matches[0].model_copy(update={"method": "OPTIONS"}))


def highest_rate_limit(rail: HighestRateLimit, gateway: ApiGatewaySpec, api: ApiSpec) -> Iterator[Broken]:
    """Every request counts against an enforced limit that is low enough; none is higher."""
    limits = [
        (index, number, rule, step)
        for index, rule in enumerate(api.policy.on_http_request)
        for number, step in enumerate(rule.actions)
        if isinstance(step, RateLimit) and step.enforce is not False
    ]
    for index, number, _, step in limits:
        if step.per_minute() > rail.per_minute:
            yield Broken(
                f"{step.capacity} requests in {step.rate} are {step.per_minute():g} a minute, "
                f"at most {rail.per_minute} are allowed",
                f"capacity={int(step.capacity * rail.per_minute / step.per_minute())}",
                f"policy.on_http_request[{index}].actions[{number}].capacity",
            )
    if rail.required and not any(not rule.expressions for _, _, rule, _ in limits):
        where = "only under a condition" if limits else "not at all"
        yield Broken(
            f"requests are limited {where}; at most {rail.per_minute} a minute are allowed",
            "add a RateLimit rule without expressions",
            "policy",
            example_request(gateway.host, api.routes[0].matches[0]),
        )


def allowed_hosts(rail: AllowedHosts, gateway: ApiGatewaySpec, api: ApiSpec) -> Iterator[Broken]:  # noqa: ARG001
    """The host is one of those listed."""
    if not any(_host_within(gateway.host, allowed) for allowed in rail.hosts):
        yield Broken(f"host {gateway.host!r} is not among {', '.join(rail.hosts)}", "use one of them", "host")


def _host_within(host: str, allowed: str) -> bool:
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed


def allowed_namespaces(rail: AllowedNamespaces, gateway: ApiGatewaySpec, api: ApiSpec) -> Iterator[Broken]:
    """The host's namespace, and every backend's, is one of those listed."""
    places = [(gateway.namespace, "namespace")]
    places += [
        (backend.namespace, f"routes[{index}].backend_refs[{number}].namespace")
        for index, route in enumerate(api.routes)
        for number, backend in enumerate(route.backend_refs)
        if backend.namespace is not None
    ]
    for namespace, path in places:
        if namespace not in rail.namespaces:
            yield Broken(f"namespace {namespace!r} is not among {', '.join(rail.namespaces)}", "use one of them", path)


def forbidden_actions(rail: ForbiddenActions, gateway: ApiGatewaySpec, api: ApiSpec) -> Iterator[Broken]:  # noqa: ARG001
    """No rule uses one of the actions."""
    for phase, index, rule in api.policy.rules:
        for number, step in enumerate(rule.actions):
            if step.type in rail.actions:
                yield Broken(f"{step.type} is forbidden", "take it out", f"policy.{phase}[{index}].actions[{number}]")


def owner_required(rail: OwnerRequired, gateway: ApiGatewaySpec, api: ApiSpec) -> Iterator[Broken]:  # noqa: ARG001
    """The API or its host names an owner."""
    if not (api.owner or gateway.owner):
        yield Broken("nobody is named who answers for it", "owner='team@example.com'", "owner")


RULES: dict[type[Any], Callable[[Any, ApiGatewaySpec, ApiSpec], Iterator[Broken]]] = {
    AuthenticationRequired: authentication,
    HighestRateLimit: highest_rate_limit,
    AllowedHosts: allowed_hosts,
    AllowedNamespaces: allowed_namespaces,
    ForbiddenActions: forbidden_actions,
    OwnerRequired: owner_required,
}


def example_request(host: str, match: Match) -> str:
    """A request that the match takes, as a person would type it."""
    query = "&".join(f"{item.name}={item.value}" for item in match.query_params)
    headers = "".join(f" -H '{item.name}: {item.value}'" for item in match.headers)
    return f"{match.method or 'GET'} https://{host}{match.path.value}{'?' + query if query else ''}{headers}"
