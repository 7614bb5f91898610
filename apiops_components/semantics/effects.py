"""What the filters of a route do to a request and its answer, as the specification says.

Filters run in the order in which they stand. One that answers ends the request's way there; those that change the
answer then change that one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from apiops_components.models.filters import Cors, Filter, HeaderModifier, PathModifier, Redirect, UrlRewrite
from apiops_components.models.gateway import Listener
from apiops_components.semantics.cors import is_preflight, preflight_headers, response_headers
from apiops_components.semantics.outcome import Received
from apiops_components.semantics.request import Headers, Request, Response

__all__ = ["Effects", "changed", "location", "received"]

Step = Callable[[Received, Request, Listener], Received | Response]
"""Passes a request on, changed or as it is, or answers it."""

_USUAL_PORTS = {"http": 80, "https": 443}


def received(request: Request) -> Received:
    """The request as a backend receives it where no filter changes it."""
    return Received(request.method, request.host, request.path, request.query, request.headers)


class Effects:
    """The filters of one rule, or of one backend.

    Args:
        filters: In their order.
        prefix: The prefix that the rule matches, for filters that replace it.
    """

    __slots__ = ("_cors", "_modifiers", "_steps")

    def __init__(self, filters: Sequence[Filter], prefix: str = "/") -> None:
        self._steps = [step for item in filters if (step := _step(item, prefix)) is not None]
        self._modifiers = [item.response_header_modifier for item in filters if item.response_header_modifier]
        self._cors = next((item.cors for item in filters if item.cors), None)

    def __bool__(self) -> bool:
        return bool(self._steps or self._modifiers)

    def on_request(self, passed: Received, request: Request, listener: Listener) -> Received | Response:
        """The request behind the filters, or the answer of the first that answers.

        Args:
            passed: As it reaches them.
            request: As it was sent.
            listener: Where it came in.
        """
        for step in self._steps:
            found = step(passed, request, listener)
            if isinstance(found, Response):
                return found
            passed = found
        return passed

    def on_response(self, response: Response, request: Request) -> Response:
        """The answer behind the filters."""
        headers = response.headers
        for modifier in self._modifiers:
            headers = changed(headers, modifier)
        if self._cors is not None:
            headers = {**headers, **response_headers(self._cors, request)}
        return response if headers is response.headers else Response(response.status, headers)


def _step(item: Filter, prefix: str) -> Step | None:
    if item.request_header_modifier is not None:
        return _header_change(item.request_header_modifier)
    if item.url_rewrite is not None:
        return _rewriting(item.url_rewrite, prefix)
    if item.request_redirect is not None:
        return _redirecting(item.request_redirect, prefix)
    if item.cors is not None:
        return _sharing(item.cors)
    return None


def _header_change(modifier: HeaderModifier) -> Step:
    def change(passed: Received, request: Request, listener: Listener) -> Received:  # noqa: ARG001
        return passed._replace(headers=changed(passed.headers, modifier))

    return change


def _rewriting(rewrite: UrlRewrite, prefix: str) -> Step:
    def change(passed: Received, request: Request, listener: Listener) -> Received:  # noqa: ARG001
        return passed._replace(
            host=rewrite.hostname or passed.host,
            path=_modified(passed.path, rewrite.path, prefix) if rewrite.path else passed.path,
        )

    return change


def _redirecting(redirect: Redirect, prefix: str) -> Step:
    def answer(passed: Received, request: Request, listener: Listener) -> Response:
        path = _modified(passed.path, redirect.path, prefix) if redirect.path else passed.path
        return Response(redirect.status_code, {"location": (location(redirect, path, request, listener),)})

    return answer


def _sharing(cors: Cors) -> Step:
    def answer(passed: Received, request: Request, listener: Listener) -> Received | Response:  # noqa: ARG001
        return Response(204, preflight_headers(cors, request)) if is_preflight(request) else passed

    return answer


def changed(headers: Headers, modifier: HeaderModifier) -> Headers:
    """Headers after some were set, then some added to, then some removed."""
    found = dict(headers)
    for header in modifier.set:
        found[header.name.lower()] = (header.value,)
    for header in modifier.add:
        name = header.name.lower()
        found[name] = (*found.get(name, ()), header.value)
    for removed in modifier.remove:
        found.pop(removed.lower(), None)
    return found


def location(redirect: Redirect, path: str, request: Request, listener: Listener) -> str:
    """The new address: the port of the scheme where one is given, else the listener's, and only where unusual."""
    scheme = redirect.scheme or request.scheme
    port = redirect.port or (_USUAL_PORTS[scheme] if redirect.scheme else listener.port)
    shown = "" if port == _USUAL_PORTS[scheme] else f":{port}"
    query = f"?{request.query}" if request.query else ""
    return f"{scheme}://{redirect.hostname or request.host}{shown}{path}{query}"


def _modified(path: str, modifier: PathModifier, prefix: str) -> str:
    if modifier.replace_prefix_match is None:
        whole = modifier.replace_full_path or ""
        return whole if whole.startswith("/") else f"/{whole}"
    # A slash at the end of either counts for nothing.
    rest = path[len(prefix.rstrip("/")) :]
    found = modifier.replace_prefix_match.rstrip("/") + rest
    return found if found.startswith("/") else f"/{found}"
