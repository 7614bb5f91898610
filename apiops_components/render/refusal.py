"""What cannot be said safely to ngrok's operator is refused, with the reason (design decision 1).

It takes a regular expression for a prefix, pastes values into expressions and patterns unescaped, skips filters and
rules that it cannot serve so that the next rule takes the request, and orders matches in its own way. The sources are
facts: ngrok §5 and its translator.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from apiops_components.errors import InvalidInput, Problem
from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.filters import Filter
from apiops_components.models.match import LONGEST_PATH, HeaderMatch, Match, QueryMatch, describe
from apiops_components.models.policy.actions import AddHeaders, RemoveHeaders, SetVars, UrlRewrite
from apiops_components.models.policy.cel import is_pattern
from apiops_components.models.policy.document import Rule
from apiops_components.models.route import Route
from apiops_components.render.lowering import exact_matches, lower_match, split_rules
from apiops_components.render.precedence import beats, contradictory, covers, overlaps

__all__ = ["check_host", "refusals"]


def check_host(spec: ApiGatewaySpec) -> None:
    """Refuses what ngrok's operator would serve otherwise than the specification says.

    Raises:
        InvalidInput: Every such place of the host.
    """
    if problems := refusals(spec):
        raise InvalidInput(problems)


def refusals(spec: ApiGatewaySpec) -> list[Problem]:
    """Every such place of a host."""
    matched = {item.name.lower() for api in spec.apis for r in api.routes for m in r.matches for item in m.headers}
    problems = [
        problem.at(prefix=f"apis[{index}]")
        for index, api in enumerate(spec.apis)
        for problem in (*_api_problems(api, spec.namespace), *_changed_header_problems(api, matched))
    ]
    if not problems:
        problems.extend(_order_problems(spec.apis))
    return [problem.at(document=f"ApiGateway {spec.name}") for problem in problems]


def _api_problems(api: ApiSpec, namespace: str) -> Iterator[Problem]:
    rewrites = any(isinstance(step, UrlRewrite) for step in api.policy.actions)
    answers = any(rule.ends for rule in api.policy.on_http_request)
    for index, route in enumerate(api.routes):
        path = f"routes[{index}]"
        filters = list(_placed_filters(route, path))
        changes_url = any(item.url_rewrite or item.request_redirect for _, item in filters)
        rewrites |= any(item.url_rewrite is not None and item.url_rewrite.path is not None for _, item in filters)
        for number, match in enumerate(route.matches):
            yield from _match_problems(match, f"{path}.matches[{number}]", in_pattern=changes_url)
        for place, item in filters:
            yield from _filter_problems(item, place)
        yield from _backend_problems(route, path, namespace, answers=answers)
        if route.timeouts is not None:
            yield Problem(
                "ngrok's operator does not apply timeouts",
                f"{path}.timeouts",
                "lowering/timeouts",
                "leave them out, and set them in the backend",
            )
    if rewrites and api.policy.on_http_response:
        yield Problem(
            "a rule on responses is found by the request's path, which a rewrite in the same API changes",
            "policy.on_http_response",
            "lowering/response-after-rewrite",
            "rewrite in the backend, or use a response_headers filter",
        )
    yield from _action_problems(api)


def _placed_filters(route: Route, path: str) -> Iterator[tuple[str, Filter]]:
    yield from ((f"{path}.filters[{number}]", item) for number, item in enumerate(route.filters))
    for number, backend in enumerate(route.backend_refs):
        for position, item in enumerate(backend.filters):
            yield f"{path}.backend_refs[{number}].filters[{position}]", item


def _backend_problems(route: Route, path: str, namespace: str, *, answers: bool) -> Iterator[Problem]:
    for number, backend in enumerate(route.backend_refs):
        place = f"{path}.backend_refs[{number}]"
        if (backend.group, backend.kind) != ("", "Service"):
            message = f"ngrok's operator takes Services only, not {backend.kind}"
            yield Problem(message, f"{place}.kind", "lowering/backend-kind", "name a Service")
        if backend.namespace not in (None, namespace):
            yield Problem(
                f"the Service is in namespace {backend.namespace!r}, the route in {namespace!r}",
                f"{place}.namespace",
                "lowering/cross-namespace",
                "serve it from its own host, or move it",
            )
    if route.backend_refs and not any(backend.weight for backend in route.backend_refs):
        yield Problem(
            "no backend has a weight: the specification answers 500, ngrok's operator still forwards",
            f"{path}.backend_refs",
            "lowering/no-weight",
            "give one a weight, or refuse the requests with a Deny rule",
        )
    redirects = any(item.type == "RequestRedirect" for item in route.filters)
    if not (route.backend_refs or redirects or answers):
        yield Problem(
            "without a backend the specification answers 500, but ngrok's operator goes on to the next rule",
            f"{path}.backend_refs",
            "lowering/no-backend",
            "name a backend, redirect, or refuse the requests with a Deny rule",
        )


# --- texts that would become part of an expression or a pattern ------------------------------------------------------


def _match_problems(match: Match, path: str, *, in_pattern: bool) -> Iterator[Problem]:
    if match.path.type == "RegularExpression":
        yield Problem(
            "ngrok's operator takes a regular expression for a prefix, so the path would never match",
            f"{path}.path",
            "lowering/regular-expression",
            "use a prefix, and a rule that denies what does not match",
        )
    elif in_pattern and (special := set("$()*+") & set(match.path.value)):
        yield Problem(
            f"{min(special)!r} in {match.path.value!r} would become part of a pattern: to redirect or rewrite, ngrok's "
            "operator does not escape it",
            f"{path}.path.value",
            "lowering/unsafe-value",
            "percent-encode it, or rewrite in the backend",
        )
    if match.path.type == "PathPrefix" and len(match.path.value.rstrip("/")) >= LONGEST_PATH:
        yield Problem(
            f"with the slash that ends the prefix for ngrok's operator it is longer than {LONGEST_PATH} characters",
            f"{path}.path.value",
            "lowering/path-length",
            "shorten it",
        )
    texts = [("path.value", match.path.value)]
    items: list[tuple[str, HeaderMatch | QueryMatch]] = [
        *((f"headers[{number}]", item) for number, item in enumerate(match.headers)),
        *((f"query_params[{number}]", item) for number, item in enumerate(match.query_params)),
    ]
    for place, item in items:
        texts += [(f"{place}.name", item.name), (f"{place}.value", item.value)]
        if item.type == "RegularExpression" and not is_pattern(item.value):
            yield Problem(
                f"{item.value!r} is not a regular expression of RE2",
                f"{path}.{place}.value",
                "lowering/pattern",
                "see https://github.com/google/re2/wiki/Syntax",
            )
    for place, text in texts:
        for unsafe in (part for part in ("'", "\\", "${") if part in text):
            yield Problem(
                f"{unsafe!r} in {text!r} would become part of an expression: ngrok's operator does not escape it",
                f"{path}.{place}",
                "lowering/unsafe-value",
                "match it in a policy rule instead",
            )
        if not text.isprintable():
            yield Problem(
                f"{text!r} holds a character that cannot be printed, which would break an expression",
                f"{path}.{place}",
                "lowering/unsafe-value",
                "match it in a policy rule instead",
            )


def _filter_problems(item: Filter, path: str) -> Iterator[Problem]:
    if item.type in ("RequestMirror", "CORS"):
        yield Problem(
            f"ngrok's operator skips {item.type} filters",
            path,
            "lowering/filter",
            "answer with a policy rule, or in the backend",
        )
    for place, text in (*_header_texts(item), *_path_texts(item)):
        if "${" in text:
            yield Problem(
                f"'${{' in {text!r} would be evaluated by ngrok",
                f"{path}.{place}",
                "lowering/unsafe-value",
                "say it in a policy rule, where expressions are checked",
            )
    for place, text in _path_texts(item):
        if "$" in text.replace("${", ""):
            yield Problem(
                f"'$' in {text!r} would stand for a part of the request: ngrok's operator does not escape it",
                f"{path}.{place}",
                "lowering/unsafe-value",
                "percent-encode it: %24",
            )
        if not text.startswith("/") and text:
            message = f"{text!r} does not start with '/': it would become part of the host"
            yield Problem(message, f"{path}.{place}", "lowering/relative-path", f"write {'/' + text!r}")


def _header_texts(item: Filter) -> Iterator[tuple[str, str]]:
    for field in ("request_header_modifier", "response_header_modifier"):
        modifier = getattr(item, field)
        for kind in ("set", "add") if modifier is not None else ():
            for index, header in enumerate(getattr(modifier, kind)):
                yield f"{field}.{kind}[{index}].value", header.value


def _path_texts(item: Filter) -> Iterator[tuple[str, str]]:
    for field in ("request_redirect", "url_rewrite"):
        change = getattr(item, field)
        if change is not None and change.path is not None:
            for kind in ("replace_full_path", "replace_prefix_match"):
                if (text := getattr(change.path, kind)) is not None:
                    yield f"{field}.path.{kind}", text


# --- actions that would mislead the operator's own rules -------------------------------------------------------------

# What the operator keeps for itself, in the same variables: the path it matches, whether a route was taken.
_RESERVED = frozenset(
    {
        *("original_path", "original_headers", "original_query_params"),
        *("request_matched_local_svc", "weighted_route_random_num"),
    }
)


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


# --- headers that are matched on, and changed too early --------------------------------------------------------------


def _changed_header_problems(api: ApiSpec, matched: set[str]) -> Iterator[Problem]:
    """A rule in the Gateway's policy runs before the routes are matched, and its guard reads headers again."""
    gateway, _ = split_rules(api.policy.on_http_request)
    early = api.policy.on_http_request if api.policy.on_http_response else gateway
    changes = [(place, name) for index, rule in enumerate(early) for place, name in _policy_headers(rule, index)]
    if api.policy.on_http_response:
        for index, route in enumerate(api.routes):
            for place, item in _placed_filters(route, f"routes[{index}]"):
                modifier = item.request_header_modifier
                if modifier is not None:
                    names = [*(header.name for header in (*modifier.set, *modifier.add)), *modifier.remove]
                    changes += [(place, name) for name in names]
    for place, name in changes:
        if name.lower() in matched:
            yield Problem(
                f"header {name!r} is changed before a rule in the Gateway's policy, which finds its requests by the "
                "headers that the routes of this host match on",
                place,
                "lowering/matched-header",
                "change it in a rule behind the protecting ones, or match on another header",
            )


def _policy_headers(rule: Rule, index: int) -> Iterator[tuple[str, str]]:
    for number, step in enumerate(rule.actions):
        if isinstance(step, AddHeaders | RemoveHeaders):
            yield from ((f"policy.on_http_request[{index}].actions[{number}]", name) for name in step.headers)


# --- matches that are ranked differently -----------------------------------------------------------------------------


class _Lowered(NamedTuple):
    """A match as it is rendered, and where it comes from."""

    match: Match
    source: Match
    rule: tuple[int, int]
    place: str


def _order_problems(apis: Sequence[ApiSpec]) -> Iterator[Problem]:
    """Matches of one path whose order the specification and the operator do not agree on."""
    for found in _lowered_by_path(apis):
        for one, other in combinations(found, 2):
            if one.rule == other.rule or not overlaps(one.match, other.match):
                continue
            if covers(one.match, other.match) and covers(other.match, one.match):
                if one.match.path.type == one.source.path.type:  # else its other half says so
                    yield _duplicate(one, other)
            elif _differs(one, other):
                yield _ambiguous(one, other)


def _lowered_by_path(apis: Sequence[ApiSpec]) -> Iterable[list[_Lowered]]:
    exact = exact_matches(apis)
    by_path: dict[tuple[str, str], list[_Lowered]] = defaultdict(list)
    for index, api in enumerate(apis):
        for position, route in enumerate(api.routes):
            for number, match in enumerate(route.matches):
                place = f"apis[{index}].routes[{position}].matches[{number}]"
                for lowered in lower_match(match, exact):
                    here = _Lowered(lowered, match, (index, position), place)
                    by_path[lowered.path.type, lowered.path.value].append(here)
    return by_path.values()


def _differs(one: _Lowered, other: _Lowered) -> bool:
    if one.source.path.type == other.source.path.type:
        return contradictory(one.match, other.match)
    exact, prefix = (one, other) if one.source.path.type == "Exact" else (other, one)
    return not beats(exact.match, prefix.match)


def _duplicate(one: _Lowered, other: _Lowered) -> Problem:
    return Problem(
        f"{describe(other.source)} takes the same requests as {one.place}",
        other.place,
        "lowering/duplicate-route",
        "remove one of the two, or merge their backends with weights",
    )


def _ambiguous(one: _Lowered, other: _Lowered) -> Problem:
    return Problem(
        f"a request that matches {describe(other.source)} and {describe(one.source)} ({one.place}) goes to one by the "
        "specification and to the other by ngrok's operator",
        other.place,
        "lowering/ambiguous",
        "give them different paths or methods, or let the one with headers ask for the other's method, too",
    )
