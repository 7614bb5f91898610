"""What cannot be said safely to ngrok's operator is refused, with the reason (design decision 1).

Each construct, what the operator makes of it and what is done about it: docs/reference/lowering.md. What is refused
about matches, filters, policies and their order has a module each (`refused_matches` and so on).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from apiops_components.errors import InvalidInput, Problem
from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.filters import Filter
from apiops_components.models.policy.actions import UrlRewrite
from apiops_components.models.route import Route
from apiops_components.render.lowering import plain_apis
from apiops_components.render.refused_filters import filter_problems, placed_filters
from apiops_components.render.refused_matches import match_problems
from apiops_components.render.refused_order import order_problems
from apiops_components.render.refused_policies import policy_problems
from apiops_components.render.refused_redirects import redirect_problems
from apiops_components.render.refused_responses import response_problems

__all__ = ["check_host", "host_warnings", "refusals"]


def check_host(spec: ApiGatewaySpec) -> None:
    """Refuses what ngrok's operator would serve otherwise than the specification says.

    Raises:
        InvalidInput: Every such place of the host.
    """
    if problems := refusals(spec):
        raise InvalidInput(problems)


def refusals(spec: ApiGatewaySpec) -> list[Problem]:
    """Every such place of a host."""
    problems = [
        problem.at(prefix=f"apis[{index}]")
        for index, api in enumerate(spec.apis)
        for problem in _api_problems(api, spec.namespace)
    ]
    problems.extend(policy_problems(spec.apis))
    if not problems:
        apis = plain_apis(spec.apis)
        problems.extend(response_problems(apis))
        problems.extend(redirect_problems(spec.host, apis))
        problems.extend(order_problems(spec.apis, apis))
    return [problem.at(document=f"ApiGateway {spec.name}") for problem in problems]


def host_warnings(spec: ApiGatewaySpec) -> list[Problem]:
    """What ngrok's operator does otherwise, and what does no harm."""
    return [
        Problem(
            "ngrok's operator does not apply timeouts: a request takes as long as the backend lets it",
            f"apis[{index}].routes[{position}].timeouts",
            "lowering/timeouts",
            "set them in the backend",
            document=f"ApiGateway {spec.name}",
        )
        for index, api in enumerate(spec.apis)
        for position, route in enumerate(api.routes)
        if route.timeouts is not None
    ]


def _api_problems(api: ApiSpec, namespace: str) -> Iterator[Problem]:
    answers = any(rule.ends for rule in api.policy.on_http_request)
    for index, route in enumerate(api.routes):
        path = f"routes[{index}]"
        if not route.matches:
            yield Problem(
                "without a match the specification takes every request, ngrok's operator none",
                f"{path}.matches",
                "lowering/no-match",
                "leave matches out: then it takes every request to both",
            )
        filters = placed_filters(route, path)
        changes_url = any(item.url_rewrite or item.request_redirect for _, item in filters)
        for number, match in enumerate(route.matches):
            yield from match_problems(match, f"{path}.matches[{number}]", in_pattern=changes_url)
        for place, item in filters:
            yield from filter_problems(item, place, route)
        yield from _rewrite_problems(api, filters)
        yield from _backend_problems(route, path, namespace, answers=answers)


def _rewrite_problems(api: ApiSpec, filters: Sequence[tuple[str, Filter]]) -> Iterator[Problem]:
    """The operator's rewrites and redirects look for the path that was matched, so only the first finds it."""
    first = "the API's policy" if any(isinstance(step, UrlRewrite) for step in api.policy.actions) else ""
    for place, item in filters:
        if item.url_rewrite or item.request_redirect:
            if first and (".backend_refs[" in place or not first.startswith("routes")):
                yield Problem(
                    f"{first} rewrites the URL before, and ngrok's operator would not find the old path in it any more",
                    place,
                    "lowering/rewritten-twice",
                    "rewrite in one place",
                )
            if ".backend_refs[" not in place:
                first = first or place


def _backend_problems(route: Route, path: str, namespace: str, *, answers: bool) -> Iterator[Problem]:
    for number, backend in enumerate(route.backend_refs):
        if (backend.group, backend.kind) != ("", "Service"):
            message = f"ngrok's operator takes Services only, not {backend.kind}"
            place = f"{path}.backend_refs[{number}].kind"
            yield Problem(message, place, "lowering/backend-kind", "name a Service")
        if backend.namespace not in (None, namespace):
            yield Problem(
                f"the Service is in namespace {backend.namespace!r}, the route in {namespace!r}: without a grant "
                "there, which is not ours to give, the specification answers 500 and ngrok's operator goes on to the "
                "next rule",
                f"{path}.backend_refs[{number}].namespace",
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
    if not (route.backend_refs or answers or any(item.type == "RequestRedirect" for item in route.filters)):
        yield Problem(
            "without a backend the specification answers 500, but ngrok's operator goes on to the next rule",
            f"{path}.backend_refs",
            "lowering/no-backend",
            "name a backend, redirect, or refuse the requests with a Deny rule",
        )
