"""Answers in place of the backend."""

from __future__ import annotations

from collections.abc import Mapping

from apiops_components.models.policy.actions import CloseConnection, CustomResponse, Deny, Redirect

__all__ = ["close_connection", "deny", "redirect", "respond"]


def deny(status: int | None = None) -> Deny:
    """Refuses the request; 403 by default. In on_tcp_connect without a status: it refuses the connection."""
    return Deny(status_code=status)


def close_connection() -> CloseConnection:
    """Closes the connection without an answer."""
    return CloseConnection()


def respond(
    status: int | None = None, body: str | None = None, *, headers: Mapping[str, str] | None = None
) -> CustomResponse:
    """Answers in place of the backend; 200 by default, at most 10 headers."""
    return CustomResponse(status_code=status, body=body, headers=headers)


def redirect(
    to: str,
    *,
    pattern: str | None = None,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Redirect:
    """Sends the client to another address; 10 units.

    Args:
        to: What is put in place of what was found; ``$1`` is the first group.
        pattern: Looked for (RE2) in the whole URL, scheme included; all of the URL by default.
        status: 301, 302, 303, 307 or 308; 302 by default.
        headers: Added to the answer, at most 10.
    """
    return Redirect(from_=pattern, to=to, status_code=status, headers=headers)
