"""Requests to elsewhere, and values for later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from apiops_components.models.policy.actions import ForwardInternal, HttpRequest, Log, QueryParam, SetVars

__all__ = ["forward_to", "http_request", "log", "set_vars"]


def forward_to(url: str, *, or_continue: bool = False) -> ForwardInternal:
    """Hands the request to an internal endpoint of the account, ``https://name.internal``.

    Args:
        url: Scheme of the endpoint itself, host below ``.internal``.
        or_continue: Whether the next action runs where the endpoint cannot be reached.
    """
    return ForwardInternal(url=url, on_error="continue" if or_continue else None)


def http_request(
    url: str,
    *,
    method: Literal["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"] | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    timeout: str | None = None,
    retry_when: str | None = None,
    or_halt: bool = False,
) -> HttpRequest:
    """Makes a request, whose answer later expressions see in ``actions.ngrok.http_request``; 1 unit.

    Args:
        url: An internal endpoint, ``https://name.internal/path``.
        method: GET by default.
        query: At most 32 parameters.
        headers: At most 10.
        body: Sent as it is, once its ``${…}`` are evaluated.
        timeout: For all attempts together, 1s to 30s; 3s by default.
        retry_when: Bare CEL on ``attempts`` and ``last_attempt``; at most 3 times.
        or_halt: Whether a failure ends the policy; it goes on by default.
    """
    return HttpRequest(
        url=url,
        method=method,
        query_params=tuple(QueryParam(key=key, value=value) for key, value in query.items()) if query else None,
        headers=headers,
        body=body,
        timeout=timeout,
        retry_condition=retry_when,
        on_error="halt" if or_halt else None,
    )


def set_vars(**values: Any) -> SetVars:
    """Sets variables, in the order given, that later expressions of the phase read as ``vars.<name>``."""
    return SetVars(vars=tuple({name: value} for name, value in values.items()))


def log(**metadata: Any) -> Log:
    """Puts this into ngrok's events, in ``traffic_policy.logs``."""
    return Log(metadata=metadata)
