"""Actions on headers: add-headers, remove-headers."""

from __future__ import annotations

from typing import ClassVar

from apiops_components.models.policy.action import Action
from apiops_components.models.policy.fields import SettableHeaders, SettableNames

__all__ = ["AddHeaders", "RemoveHeaders"]

_HTTP = frozenset({"on_http_request", "on_http_response"})


class AddHeaders(Action):
    """Adds headers to the request or the response; only ``host`` is replaced.

    ngrok ignores ``ngrok-skip-browser-warning`` here.
    """

    type: ClassVar[str] = "add-headers"
    phases: ClassVar[frozenset[str]] = _HTTP
    result: ClassVar[str] = "add_headers"

    headers: SettableHeaders
    """1 to 10; values may hold ``${…}``. ngrok lower-cases the names."""


class RemoveHeaders(Action):
    """Removes headers from the request or the response."""

    type: ClassVar[str] = "remove-headers"
    phases: ClassVar[frozenset[str]] = _HTTP
    result: ClassVar[str] = "remove_headers"

    headers: SettableNames
    """1 to 10 names, in any case; not user-agent."""
