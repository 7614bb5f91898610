"""Cross-origin requests, answered as the specification says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from apiops_components.models.filters import Cors
from apiops_components.semantics.request import Headers, Request

__all__ = ["is_preflight", "preflight_headers", "response_headers"]


def is_preflight(request: Request) -> bool:
    """Whether a browser asks if it may send the real request."""
    headers = request.headers
    return request.method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def response_headers(cors: Cors, request: Request) -> Headers:
    """What every answer to this origin gets; nothing where the origin is not allowed."""
    origin = request.header("origin")
    if origin is None or not _is_allowed(cors.allow_origins, origin):
        return {}
    # A star would be allowed, too, where the request carries no credentials; the origin always is.
    found = {"access-control-allow-origin": (origin,)}
    if cors.allow_credentials:
        found["access-control-allow-credentials"] = ("true",)
    # With credentials a star would be taken for a name.
    if cors.expose_headers and not ("*" in cors.expose_headers and _has_credentials(cors, request)):
        found["access-control-expose-headers"] = (",".join(cors.expose_headers),)
    return found


def preflight_headers(cors: Cors, request: Request) -> Headers:
    """What the answer to a preflight request gets besides; nothing where the origin is not allowed."""
    if not response_headers(cors, request):
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for name, values, asked in (
        ("access-control-allow-methods", cors.allow_methods, "access-control-request-method"),
        ("access-control-allow-headers", cors.allow_headers, "access-control-request-headers"),
    ):
        value: str | None = ",".join(values)
        if "*" in values and _has_credentials(cors, request):
            value = request.header(asked)
        if value:
            found[name] = (value,)
    found["access-control-max-age"] = (str(cors.max_age),)
    return found


def _has_credentials(cors: Cors, request: Request) -> bool:
    return bool(cors.allow_credentials) or "cookie" in request.headers or "authorization" in request.headers


def _is_allowed(allowed: Sequence[str], origin: str) -> bool:
    return _pattern(tuple(allowed)).fullmatch(_without_usual_port(origin.lower())) is not None


@lru_cache(maxsize=1024)
def _pattern(allowed: Sequence[str]) -> re.Pattern[str]:
    """A star stands for any characters of the host, dots too."""
    origins = (re.escape(_without_usual_port(one.lower())).replace(r"\*", "[^/:]+") for one in allowed)
    return re.compile("|".join(".*" if one == "[^/:]+" else one for one in origins) or "(?!)")


def _without_usual_port(origin: str) -> str:
    for scheme, port in (("http://", ":80"), ("https://", ":443")):
        if origin.startswith(scheme) and origin.endswith(port):
            return origin.removesuffix(port)
    return origin
