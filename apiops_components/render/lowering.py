"""Safe lowering: routes and policies that mean the same to the specification and to ngrok's operator as built.

The operator does not match as the Gateway API says (facts: ngrok §5, seen in its own translator): a prefix ``/pub``
also opens ``/public-admin``, a regular expression never matches, values are pasted into expressions unescaped, and a
route's policy that is missing is skipped. What cannot be said safely is refused, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from apiops_components.errors import InvalidInput, Problem
from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.filters import Filter, HeaderModifier, PathModifier
from apiops_components.models.match import Match, PathMatch
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.cel import uses
from apiops_components.models.policy.document import Rule
from apiops_components.models.route import Route

__all__ = ["check_host", "lower_route", "split_rules"]


# --- policies: what goes to the Gateway, what stays with the route ---------------------------------------------------


def split_rules(rules: Sequence[Rule]) -> tuple[list[Rule], list[Rule]]:
    """The rules for the Gateway's policy and those for the route's, each in the order given.

    Protecting actions go to the Gateway, whose policy fails closed. With them goes what they depend on: an action
    that may answer before they run, and one whose result they read. The rest stays with the route.
    """
    protected = False
    needed: set[str] = set()
    gateway: list[Rule] = []
    route: list[Rule] = []
    for rule in reversed(rules):
        moved: list[Action] = []
        kept: list[Action] = []
        for step in reversed(rule.actions):
            if step.protecting or (protected and step.terminating) or _result(step) in needed:
                moved.insert(0, step)
                protected = True
                needed |= uses((*rule.expressions, *(text for _, text, _ in step.texts())))
            else:
                kept.insert(0, step)
        if moved:
            gateway.insert(0, rule.model_copy(update={"actions": tuple(moved)}))
        if kept:
            route.insert(0, rule.model_copy(update={"actions": tuple(kept)}))
    return gateway, route


def _result(step: Action) -> str:
    """Where expressions find the action's result: ``actions.ngrok.<this>``."""
    return step.type.replace("-", "_")


# --- routes ----------------------------------------------------------------------------------------------------------


def lower_route(route: Route) -> list[Route]:
    """The rule with its prefixes made safe; more than one where a filter replaces the matched prefix."""
    if any(_replaced_prefix(item) is not None for item in route.filters):
        return [
            route.model_copy(
                update={"matches": (match,), "filters": tuple(_exact_replacement(f, match) for f in route.filters)}
            )
            for match in _lower_match(route.matches[0])
        ]
    matches = dict.fromkeys(safe for match in route.matches for safe in _lower_match(match))
    return [route.model_copy(update={"matches": tuple(matches)})]


def _lower_match(match: Match) -> list[Match]:
    """``/pub`` becomes exactly ``/pub`` and everything below ``/pub/``; header names become lower-case."""
    headers = tuple(item.model_copy(update={"name": item.name.lower()}) for item in match.headers)
    match = match.model_copy(update={"headers": headers})
    base = match.path.value.rstrip("/")
    if match.path.type != "PathPrefix" or not base:
        return [match]
    return [
        match.model_copy(update={"path": PathMatch(type="Exact", value=base)}),
        match.model_copy(update={"path": PathMatch(type="PathPrefix", value=f"{base}/")}),
    ]


def _replaced_prefix(item: Filter) -> str | None:
    change = item.request_redirect or item.url_rewrite
    return change.path.replace_prefix_match if change is not None and change.path is not None else None


def _exact_replacement(item: Filter, match: Match) -> Filter:
    """The filter for one half of a lowered prefix: ``/v2`` for exactly ``/api``, ``/v2/`` below ``/api/``."""
    new = _replaced_prefix(item)
    if new is None:
        return item
    if match.path.type == "Exact":
        path = PathModifier(type="ReplaceFullPath", replace_full_path=new.rstrip("/") or "/")
    else:
        path = PathModifier(type="ReplacePrefixMatch", replace_prefix_match=new.rstrip("/") + "/")
    field = "request_redirect" if item.request_redirect is not None else "url_rewrite"
    return item.model_copy(update={field: getattr(item, field).model_copy(update={"path": path})})


# --- what cannot be said safely --------------------------------------------------------------------------------------


def check_host(spec: ApiGatewaySpec) -> None:
    """Refuses what ngrok's operator would serve otherwise than the specification says.

    Raises:
        InvalidInput: Every such place of the host.
    """
    problems = [
        problem.at(document=f"ApiGateway {spec.name}", prefix=f"apis[{index}]")
        for index, api in enumerate(spec.apis)
        for problem in _problems(api, spec.namespace)
    ]
    if problems:
        raise InvalidInput(problems)


def _problems(api: ApiSpec, namespace: str) -> Iterator[Problem]:
    rewrites = False
    for index, route in enumerate(api.routes):
        for number, match in enumerate(route.matches):
            yield from _match_problems(match, f"routes[{index}].matches[{number}]")
        for number, item in enumerate(route.filters):
            yield from _filter_problems(item, f"routes[{index}].filters[{number}]")
            rewrites |= item.url_rewrite is not None and item.url_rewrite.path is not None
        for number, backend in enumerate(route.backend_refs):
            path = f"routes[{index}].backend_refs[{number}]"
            if (backend.group, backend.kind) != ("", "Service"):
                yield Problem(
                    f"ngrok's operator takes Services only, not {backend.kind}",
                    f"{path}.kind",
                    "lowering/backend-kind",
                    "name a Service",
                )
            if backend.namespace not in (None, namespace):
                yield Problem(
                    f"the Service is in namespace {backend.namespace!r}, the route in {namespace!r}",
                    f"{path}.namespace",
                    "lowering/cross-namespace",
                    "serve it from its own host, or move it",
                )
            for position, item in enumerate(backend.filters):
                yield from _filter_problems(item, f"{path}.filters[{position}]")
        if route.timeouts is not None:
            yield Problem(
                "ngrok's operator does not apply timeouts",
                f"routes[{index}].timeouts",
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


def _match_problems(match: Match, path: str) -> Iterator[Problem]:
    if match.path.type == "RegularExpression":
        yield Problem(
            "ngrok's operator takes a regular expression for a prefix, so the path would never match",
            f"{path}.path",
            "lowering/regular-expression",
            "use a prefix, and a rule that denies what does not match",
        )
    texts = [(f"{path}.path.value", match.path.value)]
    texts += [(f"{path}.headers[{i}].value", item.value) for i, item in enumerate(match.headers)]
    texts += [(f"{path}.headers[{i}].name", item.name) for i, item in enumerate(match.headers)]
    texts += [(f"{path}.query_params[{i}].value", item.value) for i, item in enumerate(match.query_params)]
    texts += [(f"{path}.query_params[{i}].name", item.name) for i, item in enumerate(match.query_params)]
    for place, text in texts:
        for unsafe in ("'", "\\", "${"):
            if unsafe in text:
                yield Problem(
                    f"{unsafe!r} in {text!r} would become part of an expression: ngrok's operator does not escape it",
                    place,
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
    for place, text in _filter_texts(item):
        if "${" in text:
            yield Problem(
                f"'${{' in {text!r} would be evaluated by ngrok",
                f"{path}.{place}",
                "lowering/unsafe-value",
                "say it in a policy rule, where expressions are checked",
            )


def _filter_texts(item: Filter) -> Iterator[tuple[str, str]]:
    for field in ("request_header_modifier", "response_header_modifier"):
        modifier: HeaderModifier | None = getattr(item, field)
        if modifier is not None:
            for kind in ("set", "add"):
                for index, header in enumerate(getattr(modifier, kind)):
                    yield f"{field}.{kind}[{index}].value", header.value
    for field in ("request_redirect", "url_rewrite"):
        change = getattr(item, field)
        if change is not None and change.path is not None:
            for kind in ("replace_full_path", "replace_prefix_match"):
                if (text := getattr(change.path, kind)) is not None:
                    yield f"{field}.path.{kind}", text
