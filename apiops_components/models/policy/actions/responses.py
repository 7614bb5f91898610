"""Actions that answer in place of the backend: custom-response, deny, redirect, close-connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import fault
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.fields import Bounds, Evaluated, Headers, Integer, Pattern, StatusCode, Template

__all__ = ["CloseConnection", "CustomResponse", "Deny", "Redirect"]

_HTTP = frozenset({"on_http_request", "on_http_response"})
_CONNECT_OR_REQUEST = frozenset({"on_tcp_connect", "on_http_request"})


class CustomResponse(Action):
    """Answers in place of the backend, or changes the backend's answer. Rules on the response still run."""

    type: ClassVar[str] = "custom-response"
    phases: ClassVar[frozenset[str]] = _HTTP
    terminating: ClassVar[bool] = True

    status_code: StatusCode | None = None
    """200 by default."""
    body: Annotated[str, Evaluated("template")] | None = None
    """``${…}`` is evaluated. Documents of old call it ``content``, which is read."""
    headers: Headers | None = None
    """At most 10; values may hold ``${…}``. Without content-type ngrok infers one."""


class Deny(Action):
    """Refuses the request, or the connection."""

    type: ClassVar[str] = "deny"
    phases: ClassVar[frozenset[str]] = _CONNECT_OR_REQUEST
    terminating: ClassVar[bool] = True
    protecting: ClassVar[bool] = True

    status_code: StatusCode | None = None
    """403 by default; in on_http_request only."""

    def faults_in(self, phase: str) -> Iterator[InitErrorDetails]:  # noqa: D102
        if phase == "on_tcp_connect" and self.status_code is not None:
            message = "deny takes no fields in on_tcp_connect: there is no HTTP yet (ERR_NGROK_2203)"
            yield fault("policy/deny-status", message, "leave it out", ["status_code"])


class CloseConnection(Action):
    """Closes the connection without an answer. It has no fields."""

    type: ClassVar[str] = "close-connection"
    phases: ClassVar[frozenset[str]] = _CONNECT_OR_REQUEST
    terminating: ClassVar[bool] = True
    protecting: ClassVar[bool] = True


class Redirect(Action):
    """Sends the client to another address, where the pattern matches and changes the URL.

    It ends the phase then; where the URL stays as it is, the next action runs.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    type: ClassVar[str] = "redirect"
    phases: ClassVar[frozenset[str]] = frozenset({"on_http_request"})
    result: ClassVar[str] = "redirect"
    renamed: ClassVar[Mapping[str, str]] = {"location": "to"}
    terminating: ClassVar[bool] = True

    from_: Pattern | None = Field(default=None, alias="from")
    """Regular expression (RE2) that is looked for in the whole URL, scheme included; all of the URL by default."""
    to: Template
    """What is put in place of the match: ``$1`` is the first group, ``${…}`` is evaluated before."""
    status_code: Annotated[Integer, Bounds(300, 399)] | None = None
    """301, 302, 303, 307 or 308; 302 by default."""
    headers: Headers | None = None
    """Added to the answer, at most 10; values may hold ``${…}``."""

    @property
    def ends(self) -> bool:  # noqa: D102  (the URL may stay as it is)
        return False

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from never_matches(self.from_)


def never_matches(pattern: str | None) -> Iterator[InitErrorDetails]:
    """A pattern that starts with ``^/`` matches no URL: a URL starts with its scheme."""
    if pattern is not None and pattern.startswith("^/"):
        message = f"{pattern!r} never matches: it is looked for in the whole URL, which starts with its scheme"
        yield fault("policy/pattern-never", message, f"^https?://[^/]+{pattern[1:]}", ["from"])
