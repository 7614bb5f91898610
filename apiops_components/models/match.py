"""What a request must look like: path, headers, query, method.

The classes have the shape of ``gateway.networking.k8s.io/v1`` HTTPRoute; limits and messages are those of the
definitions named in `versions.GATEWAY_API`, standard channel.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal, Protocol

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import HeaderName, KubernetesChecked, KubernetesModel, fault

__all__ = ["LONGEST_PATH", "HeaderMatch", "Match", "Method", "PathMatch", "QueryMatch", "describe", "repeated"]

Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]

LONGEST_PATH = 1024
"""Characters of a path to match."""

_PATH_CHARACTERS = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+")
_USUAL_PATH = re.compile(r"(?:/[-A-Za-z0-9_]+)+")
"""Nothing can be wrong with one of these, which nearly all are."""
_RESOLVED = "write the path as it is without '.' and '..'"
_SLASH = "an encoded slash cannot be matched: use type: RegularExpression"
_FORBIDDEN_IN_PATH = {
    "//": "write a single '/'",
    **dict.fromkeys(("/./", "/../"), _RESOLVED),
    **dict.fromkeys(("%2f", "%2F"), _SLASH),
    "#": "a fragment never reaches the server",
}


def path_faults(value: str, expected: str) -> Iterable[InitErrorDetails]:
    """What is wrong with the value of an Exact or PathPrefix match."""
    return () if _USUAL_PATH.fullmatch(value) else _path_faults(value, expected)


def _path_faults(value: str, expected: str) -> Iterator[InitErrorDetails]:
    suffix = " when type one of ['Exact', 'PathPrefix']"
    loc = ["value"]
    if not value.startswith("/"):
        hint = f"write {'/' + value!r}" if _PATH_CHARACTERS.fullmatch(value) else "such as '/orders'"
        yield fault("gateway/path-absolute", f"value must be an absolute path and start with '/'{suffix}", hint, loc)
    for part, hint in _FORBIDDEN_IN_PATH.items():
        if part in value:
            yield fault("gateway/path-content", f"must not contain {part!r}{suffix}", hint, loc)
    for end in ("/..", "/."):
        if value.endswith(end):
            yield fault("gateway/path-end", f"must not end with {end!r}{suffix}", _RESOLVED, loc)
    if not _PATH_CHARACTERS.fullmatch(value):
        yield fault(
            "gateway/path-characters",
            "must only contain valid characters (matching ^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$) "
            f"for types {expected}",
            "percent-encode the others",
            loc,
        )


class PathMatch(KubernetesChecked):
    """Which paths. A prefix ends at a segment: ``/pub`` takes ``/pub`` and ``/pub/x``, never ``/public``."""

    type: Literal["Exact", "PathPrefix", "RegularExpression"] = "PathPrefix"
    """How ``value`` is read."""
    value: Annotated[str, Field(max_length=LONGEST_PATH)] = "/"
    """Absolute path, at most 1,024 characters."""

    def faults(self) -> Iterable[InitErrorDetails]:  # noqa: D102
        return path_faults(self.value, "['Exact', 'PathPrefix']") if self.type != "RegularExpression" else ()


class HeaderMatch(KubernetesModel):
    """A request header and its value. Names match in any case, values exactly; a pattern fits the whole value."""

    type: Literal["Exact", "RegularExpression"] = "Exact"
    """How ``value`` is read."""
    name: HeaderName
    """Field name."""
    value: Annotated[str, Field(min_length=1, max_length=4096)]
    """1 to 4,096 characters."""


class QueryMatch(KubernetesModel):
    """A query parameter and its value, both case-sensitive; a pattern fits the whole value."""

    type: Literal["Exact", "RegularExpression"] = "Exact"
    """How ``value`` is read."""
    name: HeaderName
    """Name of the parameter (the definitions allow the characters of a header name)."""
    value: Annotated[str, Field(min_length=1, max_length=1024)]
    """1 to 1,024 characters."""


class Named(Protocol):
    """An item of a list in which each name may stand once."""

    @property
    def name(self) -> str:
        """Its name."""


def repeated(items: Sequence[Named], field: str, what: str, *, fold: bool) -> Iterable[InitErrorDetails]:
    """Names that are there twice; with ``fold`` in any case."""
    return _repeated([item.name for item in items], field, what, fold=fold) if len(items) > 1 else ()


def _repeated(names: Sequence[str], field: str, what: str, *, fold: bool) -> Iterator[InitErrorDetails]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        key = name.lower() if fold else name
        if key in seen:
            yield fault(
                "gateway/duplicate", f"{what} {name!r} is there twice", "keep one of them", [field, index, "name"]
            )
        seen.add(key)


class Match(KubernetesChecked):
    """One way for a request to match: every part given must hold."""

    path: PathMatch = Field(default_factory=PathMatch)
    """Which paths; all by default."""
    headers: tuple[HeaderMatch, ...] = Field(default=(), max_length=16)
    """At most 16, each name once (in any case)."""
    query_params: tuple[QueryMatch, ...] = Field(default=(), max_length=16)
    """At most 16, each name once."""
    method: Method | None = None
    """Any by default."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from repeated(self.headers, "headers", "header", fold=True)
        yield from repeated(self.query_params, "queryParams", "query parameter", fold=False)


def describe(match: Match) -> str:
    """A match in words: ``GET /orders/* with header x-tenant: a``."""
    path = match.path.value
    if match.path.type == "PathPrefix":
        path = path.rstrip("/") + "/*"
    elif match.path.type == "RegularExpression":
        path = f"~{path}"
    parts = [f"{match.method} {path}" if match.method else path]
    parts += [f"header {item.name}: {item.value}" for item in match.headers]
    parts += [f"query {item.name}={item.value}" for item in match.query_params]
    return " with ".join([*parts[:1], " and ".join(parts[1:])]) if parts[1:] else parts[0]
