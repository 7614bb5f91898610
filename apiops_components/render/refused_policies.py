"""Actions that would mislead the rules of ngrok's operator, or those that guard the APIs in the Gateway's policy."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from apiops_components.errors import Problem
from apiops_components.models.api import ApiSpec
from apiops_components.models.policy.actions import AddHeaders, RemoveHeaders, SetVars, UrlRewrite
from apiops_components.render.lowering import filters_of, split_rules
from apiops_components.render.refused_filters import placed_filters

__all__ = ["policy_problems"]

# What the operator keeps for itself, in the same variables: the path it matches, whether a route was taken.
_RESERVED = frozenset(
    {
        *("original_path", "original_headers", "original_query_params"),
        *("request_matched_local_svc", "weighted_route_random_num"),
    }
)
_LOGINS = frozenset({"oauth", "openid-connect", "saml"})


def policy_problems(apis: Sequence[ApiSpec]) -> Iterator[Problem]:
    """What is wrong with the policies of a host's APIs."""
    matched = {item.name.lower() for api in apis for r in api.routes for m in r.matches for item in m.headers}
    responding = any(
        api.policy.on_http_response
        or any(item.type == "ResponseHeaderModifier" for route in api.routes for item in filters_of(route))
        for api in apis
    )
    login = ""
    for index, api in enumerate(apis):
        prefix = f"apis[{index}]"
        if api.policy:
            yield from (problem.at(prefix=prefix) for problem in _action_problems(api))
            for place, name in _logins(api):
                if login and not login.startswith(f"{prefix}."):
                    yield Problem(
                        f"{name} besides that of {login}: the policy of a Gateway has one login at most "
                        "(ERR_NGROK_2239)",
                        f"{prefix}.{place}",
                        "lowering/two-logins",
                        "serve one of the two APIs from its own host; jwt-validation goes with a login",
                    )
                login = login or f"{prefix}.{place}"
        if matched and (api.policy or responding):
            changes = _changed_headers(api, matched, all_of_them=responding)
            yield from (_changed(place, name).at(prefix=prefix) for place, name in changes)


def _action_problems(api: ApiSpec) -> Iterator[Problem]:
    gateway, _ = split_rules(api.policy.on_http_request)
    for phase, index, rule in api.policy.rules:
        for number, step in enumerate(rule.actions):
            place = f"policy.{phase}[{index}].actions[{number}]"
            if isinstance(step, SetVars):
                for position, (name, _) in enumerate(step.assignments):
                    if name in _RESERVED:
                        yield Problem(
                            f"vars.{name} is one of those by which ngrok's operator finds the route",
                            f"{place}.config.vars[{position}].{name}",
                            "lowering/reserved-variable",
                            "choose another name",
                        )
            elif isinstance(step, UrlRewrite) and index < len(gateway):
                # Behind the Gateway's policy the operator remembers the path as it came.
                yield Problem(
                    "the URL would be rewritten in the Gateway's policy: the rules there and the routes would find "
                    "their requests by the new path",
                    place,
                    "lowering/early-rewrite",
                    "rewrite in a rule of its own, behind all that refuse or answer",
                )


def _logins(api: ApiSpec) -> Iterator[tuple[str, str]]:
    for phase, index, rule in api.policy.rules:
        for number, step in enumerate(rule.actions):
            if step.type in _LOGINS:
                yield f"policy.{phase}[{index}].actions[{number}]", step.type


# --- headers that are matched on, and changed too early --------------------------------------------------------------


def _changed_headers(api: ApiSpec, matched: Container[str], *, all_of_them: bool) -> Iterator[tuple[str, str]]:
    """A rule in the Gateway's policy runs before the routes are matched; one on responses reads headers again."""
    rules = api.policy.on_http_request if all_of_them else split_rules(api.policy.on_http_request)[0]
    for index, rule in enumerate(rules):
        for number, step in enumerate(rule.actions):
            if isinstance(step, AddHeaders | RemoveHeaders):
                place = f"policy.on_http_request[{index}].actions[{number}]"
                yield from ((place, name) for name in step.headers if name.lower() in matched)
    for index, route in enumerate(api.routes if all_of_them else ()):
        for place, item in placed_filters(route, f"routes[{index}]"):
            modifier = item.request_header_modifier
            if modifier is not None:
                names = [*(header.name for header in (*modifier.set, *modifier.add)), *modifier.remove]
                yield from ((place, name) for name in names if name.lower() in matched)


def _changed(place: str, name: str) -> Problem:
    return Problem(
        f"header {name!r} is changed before a rule in the Gateway's policy, which finds its requests by the headers "
        "that the routes of this host match on",
        place,
        "lowering/matched-header",
        "change it in a rule behind the protecting ones, or match on another header",
    )
