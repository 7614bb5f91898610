"""Safe lowering: routes and policies that mean the same to the specification and to ngrok's operator as built.

The operator does not match as the Gateway API says (facts: ngrok §5, seen in its own translator): a prefix ``/pub``
also opens ``/public-admin``, and a route's policy that is missing is skipped. Here matches are said so that both read
the same in them; `changes` does that for filters. What cannot be said safely is refused in `refusal`.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from apiops_components.models.api import ApiSpec
from apiops_components.models.filters import Filter, PathModifier
from apiops_components.models.match import HeaderMatch, Match, PathMatch, QueryMatch
from apiops_components.models.policy.actions import SetVars
from apiops_components.models.policy.document import Rule
from apiops_components.models.route import Route
from apiops_components.render.pattern import anchored, literal_start, without_backslashes
from apiops_components.render.precedence import covers

__all__ = [
    "ExactMatches",
    "exact_matches",
    "filters_of",
    "lower_match",
    "lower_route",
    "plain_apis",
    "plain_match",
    "split_rules",
]

ExactMatches = Mapping[str, Sequence[Match]]
"""The exact matches of a host, by path."""


def exact_matches(apis: Iterable[ApiSpec]) -> ExactMatches:
    """The exact matches of all APIs of a host: they may take the path of a prefix itself."""
    found: dict[str, list[Match]] = defaultdict(list)
    for api in apis:
        for route in api.routes:
            for match in route.matches:
                if match.path.type == "Exact":
                    found[match.path.value].append(match)
    return found


# --- matches of few kinds: names in lower case, patterns that fit the whole value, no pattern for a path ------------


def plain_apis(apis: Sequence[ApiSpec]) -> Sequence[ApiSpec]:
    """The APIs with plain matches; the same ones where all are plain already."""
    plain = [_plain_api(api) for api in apis]
    return apis if _same(apis, plain) else plain


def _same(these: Sequence[object], those: Sequence[object]) -> bool:
    return all(map(operator.is_, these, those))


def _plain_api(api: ApiSpec) -> ApiSpec:
    routes = tuple(_plain_route(route) for route in api.routes)
    if _same(api.routes, routes):
        return api
    return api.model_copy(update={"routes": routes})


def _plain_route(route: Route) -> Route:
    matches = tuple(plain_match(match) for match in route.matches)
    if _same(route.matches, matches):
        return route
    return route.model_copy(update={"matches": tuple(dict.fromkeys(matches))})


def plain_match(match: Match) -> Match:
    """The match with headers in lower case and whole patterns; a path's pattern becomes the folder that it lies in.

    What the folder holds besides is answered with 404 by the Gateway's policy (`answers`).
    """
    update: dict[str, object] = {}
    if match.headers and any(item.type != "Exact" or item.name != item.name.lower() for item in match.headers):
        update["headers"] = tuple(_plain_value(item, item.name.lower()) for item in match.headers)
    if match.query_params and any(item.type != "Exact" for item in match.query_params):
        update["query_params"] = tuple(_plain_value(item, item.name) for item in match.query_params)
    if match.path.type == "RegularExpression" and (folder := literal_start(match.path.value)) is not None:
        update["path"] = PathMatch.model_construct(type="PathPrefix", value=folder)
    return match.model_copy(update=update) if update else match


def _plain_value(item: HeaderMatch | QueryMatch, name: str) -> HeaderMatch | QueryMatch:
    value = item.value
    if item.type == "RegularExpression":
        value = anchored(without_backslashes(value) or value)
    return item.model_copy(update={"name": name, "value": value})


# --- policies: what goes to the Gateway, what stays with the route ---------------------------------------------------


def split_rules(rules: Sequence[Rule]) -> tuple[list[Rule], list[Rule]]:
    """The rules for the Gateway's policy and those for the route's, each in the order given.

    Every rule that may refuse or answer a request goes to the Gateway, whose policy fails closed, and with it all
    before it: behind it they would see, count and change other requests than their author meant. So does a later rule
    that reads what one of these has set: in a policy of its own it would read what nothing there sets.
    """
    last = 0
    for number, rule in enumerate(rules, start=1):
        if any(step.protecting or step.terminating for step in rule.actions):
            last = number
    if 0 < last < len(rules):
        for number, rule in enumerate(rules[last:], start=last + 1):
            if _reads(rule, _set_by(rules[:last])):
                last = number
    return list(rules[:last]), list(rules[last:])


def _set_by(rules: Sequence[Rule]) -> list[str]:
    """The variables that rules set, as expressions name them."""
    steps = [step for rule in rules for step in rule.actions]
    variables = [f"vars.{name}" for step in steps if isinstance(step, SetVars) for name, _ in step.assignments]
    return [*variables, *(f"actions.ngrok.{step.result}" for step in steps if step.result)]


def _reads(rule: Rule, names: Sequence[str]) -> bool:
    texts = [*rule.expressions, *(text for step in rule.actions for _, text, _ in step.texts())]
    return any(name in text for text in texts for name in names)


# --- routes ----------------------------------------------------------------------------------------------------------


def filters_of(route: Route) -> list[Filter]:
    """Those of a rule and of its backends."""
    return [*route.filters, *(item for backend in route.backend_refs if backend.filters for item in backend.filters)]


def lower_route(route: Route, exact: ExactMatches) -> list[Route]:
    """The rule with its prefixes made safe; two where a filter replaces the matched prefix. Its matches are plain."""
    # A backend without a share is left out: where the others are missing, the operator would send it everything.
    backends = tuple(backend for backend in route.backend_refs if backend.weight)
    update: dict[str, object] = {} if len(backends) == len(route.backend_refs) else {"backend_refs": backends}
    if not _replaces_prefix(route):
        lowered = [safe for match in route.matches for safe in lower_match(match, exact)]
        matches = tuple(dict.fromkeys(lowered) if len(lowered) > 1 else lowered)
        if matches != route.matches:
            update["matches"] = matches
        return [route.model_copy(update=update) if update else route]
    return [
        route.model_copy(
            update={
                "name": f"{route.name}-{number}" if route.name and number > 1 else route.name,
                "matches": (match,),
                "filters": _replaced(route.filters, match),
                "backend_refs": tuple(
                    backend.model_copy(update={"filters": _replaced(backend.filters, match)}) for backend in backends
                ),
            }
        )
        for number, match in enumerate(lower_match(route.matches[0], exact), start=1)
    ]


def lower_match(match: Match, exact: ExactMatches) -> list[Match]:
    """``/pub`` becomes exactly ``/pub`` and everything below ``/pub/``; the match is plain.

    Exactly ``/pub`` is left out where an exact match of the host takes all its requests: the two would be equals.
    """
    base = match.path.value.rstrip("/")
    if match.path.type != "PathPrefix" or not base:
        return [match]
    # Not validated again: that would take most of the time of rendering.
    itself = match.model_copy(update={"path": PathMatch.model_construct(type="Exact", value=base)})
    below = match.model_copy(update={"path": PathMatch.model_construct(type="PathPrefix", value=f"{base}/")})
    return [below] if any(covers(other, itself) for other in exact.get(base, ())) else [itself, below]


def _replaces_prefix(route: Route) -> bool:
    return any(_new_prefix(item) is not None for item in filters_of(route))


def _new_prefix(item: Filter) -> str | None:
    change = item.request_redirect or item.url_rewrite
    return change.path.replace_prefix_match if change is not None and change.path is not None else None


def _replaced(filters: Iterable[Filter], match: Match) -> tuple[Filter, ...]:
    """The filters for one half of a lowered prefix: ``/v2`` for exactly ``/api``, ``/v2/`` below ``/api/``."""
    return tuple(item if (new := _new_prefix(item)) is None else _half(item, new, match) for item in filters)


def _half(item: Filter, new: str, match: Match) -> Filter:
    if match.path.type == "Exact":
        path = PathModifier(type="ReplaceFullPath", replace_full_path=new.rstrip("/") or "/")
    else:
        path = PathModifier(type="ReplacePrefixMatch", replace_prefix_match=new.rstrip("/") + "/")
    field = "request_redirect" if item.request_redirect is not None else "url_rewrite"
    return item.model_copy(update={field: getattr(item, field).model_copy(update={"path": path})})
