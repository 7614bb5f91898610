"""A host as a whole: what its Gateway's policy holds, and which routes need a rule of their own against strays.

The Gateway's policy protects an API by the requests that its routes are meant to get. A route that is missing (deleted,
not yet there, or left out by ngrok's operator because its Service is) leaves its requests to a more general one, whose
protection was never meant for them. So the policy of the more general API refuses what is not its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.filters import Filter
from apiops_components.models.match import Match
from apiops_components.models.policy.actions import AddHeaders, Deny, RemoveHeaders, UrlRewrite
from apiops_components.models.policy.document import Rule
from apiops_components.render.changes import response_changes
from apiops_components.render.guard import Guard, Guards, match_expression
from apiops_components.render.lowering import ExactMatches, exact_matches, plain_apis, plain_match, split_rules
from apiops_components.render.pattern import anchored

__all__ = ["Host"]

_LOGINS = frozenset({"oauth", "openid-connect", "saml"})
_LOGIN_PATHS = "req.url.path == '/ngrok/login' || req.url.path == '/ngrok/logout'"
"""ngrok's own, which a login answers itself; they lie outside of every API."""


class Host:
    """What the objects of one host have in common."""

    def __init__(self, spec: ApiGatewaySpec) -> None:
        """Looks at nothing yet."""
        self.spec = spec

    @cached_property
    def apis(self) -> dict[str, ApiSpec]:
        """The APIs with plain matches, by name."""
        return {api.name: api for api in plain_apis(self.spec.apis)}

    @cached_property
    def exact(self) -> ExactMatches:
        """The exact matches of the host."""
        return exact_matches(self.apis.values())

    @cached_property
    def guards(self) -> Guards:
        """The guards of its APIs."""
        return Guards(tuple(self.apis.values()))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.apis)}

    # --- the Gateway's policy ---

    def request_rules(self) -> list[Rule]:
        """What refuses or answers requests, in the order of the APIs."""
        rules = [rule for api in self.spec.apis for rule in self._unfit_paths(api)]
        for api in self.spec.apis:
            own, _ = split_rules(api.policy.on_http_request)
            if own:
                guard = self.guards.of_api(self._numbers[api.name])
                rules += (_guarded(rule, api.name, guard) for rule in own)
        return rules

    def response_rules(self) -> list[Rule]:
        """What changes responses: the policies' rules, then the routes' filters."""
        rules: list[Rule] = []
        changes: list[Rule] = []
        for api in self.spec.apis:
            number = self._numbers[api.name]
            if api.policy.on_http_response:
                guard = self.guards.of_api(number)
                rules += (_guarded(rule, api.name, guard) for rule in api.policy.on_http_response)
            for position, route in enumerate(api.routes):
                if found := response_changes(route):
                    guard = self.guards.of_route(number, position)
                    changes += (_guarded(rule, api.name, guard) for rule in found)
        return rules + changes

    def _unfit_paths(self, api: ApiSpec) -> Iterator[Rule]:
        """404 for what lies in the folder of a path's pattern, and does not fit it."""
        for position, route in enumerate(api.routes):
            if all(match.path.type != "RegularExpression" for match in route.matches):
                continue
            guard = self.guards.of_route(self._numbers[api.name], position).expression
            fit = dict.fromkeys(match_expression(_with_pattern(match)) for match in route.matches)
            if None in fit:
                continue  # another match of the route takes everything
            unfit = f"!({' || '.join(f'({part})' for part in fit)})"
            expressions = (guard, unfit) if guard else (unfit,)
            yield Rule(name=f"{api.name}: no such path", expressions=expressions, actions=(Deny(status_code=404),))

    # --- the policies of routes ---

    @cached_property
    def _left_out(self) -> frozenset[int]:
        """The APIs whose requests are left out of the protection of another one."""
        return frozenset().union(
            *(
                self.guards.of_api(number).leaves_out
                for number, api in enumerate(self.spec.apis)
                if split_rules(api.policy.on_http_request)[0]
            )
        )

    def changes_at_backends(self, api: ApiSpec) -> bool:
        """Whether what changes a request of the API must wait until a backend is there to take it.

        Where the Service is missing, the operator still applies a rule's filters, and goes on with the changed request
        to a more general route, which would not know any more that it is not its own.
        """
        if self._numbers[api.name] not in self._left_out:
            return False
        matched = self._matched_headers
        return any(
            isinstance(step, UrlRewrite)
            or (isinstance(step, AddHeaders | RemoveHeaders) and not matched.isdisjoint(map(str.lower, step.headers)))
            for step in api.policy.actions
        ) or any(_changes_request(item, matched) for route in api.routes for item in route.filters)

    @cached_property
    def _matched_headers(self) -> frozenset[str]:
        return frozenset(
            item.name
            for api in self.apis.values()
            for route in api.routes
            for match in route.matches
            for item in match.headers
        )

    def route_rules(self, api: ApiSpec) -> list[Rule]:
        """The rules that stay with the routes of an API, behind the one that refuses what is not its own."""
        own, rules = split_rules(api.policy.on_http_request)
        if own and (guard := self.guards.of_api(self._numbers[api.name])).leaves_out:
            refused = Rule(
                name=f"{api.name}: meant for another API",
                expressions=(f"!({guard.expression})",),
                actions=(Deny(status_code=503),),
            )
            return [refused, *rules]
        return rules


def _with_pattern(match: Match) -> Match:
    plain = plain_match(match)
    if match.path.type != "RegularExpression":
        return plain
    return plain.model_copy(update={"path": match.path.model_copy(update={"value": anchored(match.path.value)})})


def _changes_request(item: Filter, matched: frozenset[str]) -> bool:
    """Whether the filter changes what routes are found by."""
    change = item.request_header_modifier
    if change is not None:
        names = [*change.remove, *(header.name for header in (*change.set, *change.add))]
        return not matched.isdisjoint(name.lower() for name in names)
    return item.url_rewrite is not None


def _guarded(rule: Rule, api: str, guard: Guard) -> Rule:
    condition = guard.expression
    if condition and any(step.type in _LOGINS for step in rule.actions):
        condition = f"{condition} || {_LOGIN_PATHS}"
    expressions = (condition, *rule.expressions) if condition else rule.expressions
    return rule.model_copy(update={"name": f"{api}: {rule.name}" if rule.name else api, "expressions": expressions})
