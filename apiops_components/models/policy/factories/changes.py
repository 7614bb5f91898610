"""Changes to requests and responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from apiops_components.models.policy.actions import (
    AddHeaders,
    CompressResponse,
    EventReplacement,
    RemoveHeaders,
    Replacement,
    RequestBodyFindReplace,
    ResponseBodyFindReplace,
    SseFindReplace,
    UrlRewrite,
)

__all__ = [
    "add_headers",
    "compress",
    "remove_headers",
    "replace_in_events",
    "replace_in_request",
    "replace_in_response",
    "rewrite",
]


def rewrite(to: str, *, pattern: str | None = None) -> UrlRewrite:
    """Changes the URL, unseen by the client; 10 units. ``pattern`` as in `redirect`."""
    return UrlRewrite(from_=pattern, to=to)


def add_headers(headers: Mapping[str, str]) -> AddHeaders:
    """Adds 1 to 10 headers; what is there stays, but for ``host``."""
    return AddHeaders(headers=headers)


def remove_headers(*names: str) -> RemoveHeaders:
    """Removes 1 to 10 headers; 1 unit."""
    return RemoveHeaders(headers=names)


def _replacements(found: Mapping[str, str | None]) -> tuple[Replacement, ...]:
    return tuple(Replacement(from_=pattern, to=to) for pattern, to in found.items())


def replace_in_request(replacements: Mapping[str, str | None]) -> RequestBodyFindReplace:
    """Replaces in the request's body, in order: pattern (RE2) → text, None to delete."""
    return RequestBodyFindReplace(replacements=_replacements(replacements))


def replace_in_response(replacements: Mapping[str, str | None]) -> ResponseBodyFindReplace:
    """Replaces in the response's body, in order: pattern (RE2) → text, None to delete."""
    return ResponseBodyFindReplace(replacements=_replacements(replacements))


def replace_in_events(replacements: Mapping[str, str | None], *, field: str | None = None) -> SseFindReplace:
    """Replaces in a field of each message of an event stream: ``data``, the default, or ``retry``."""
    found = (EventReplacement(from_=pattern, to=to, field=field) for pattern, to in replacements.items())
    return SseFindReplace(replacements=tuple(found))


def compress(*algorithms: Literal["br", "compress", "deflate", "gzip"]) -> CompressResponse:
    """Compresses the response; with gzip, deflate, br or compress by default; 10 units."""
    return CompressResponse(algorithms=algorithms or None)
