"""Actions that ngrok's operator writes for filters of a route, and what they do to a request.

As seen in the operator's own translation:

- Header filters become ``remove-headers`` of what is removed or set, then ``add-headers`` of what is set or added.
- Redirects and rewrites become a replacement in the whole URL by a regular expression, into which the path of the
  match goes as it is. So ``/a`` rewritten to ``/n`` makes ``/ab`` to ``/nb``, ``/`` rewritten to ``/n`` makes ``/x`` to
  ``/nx``, a whole path loses the query, and a path with ``+`` or ``(`` matches something else than itself.
- ``https`` with a port other than 443 keeps the port that was there, and so does ``http`` with 80.

The regular expressions are RE2's; Python's engine reads those that can occur in the same way, but for a few constructs
that it does not know: with them nothing is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from apiops_components.models.filters import Filter, HeaderModifier, Redirect, UrlRewrite
from apiops_components.models.policy.cel import is_pattern
from apiops_components.semantics.operator_expression import RefusedError, filled
from apiops_components.semantics.request import Headers, Request, Response

__all__ = ["Change", "header_change", "redirected", "replacement", "rewritten", "texts", "with_headers"]

Change = Callable[[Headers, Request], Headers]
"""Changes headers."""

_MOST_HEADERS = 10
_FROM = (
    r"^(?P<scheme>[a-zA-Z][a-zA-Z0-9+\-.]*):\/\/(?P<hostname>[^\/:]+)(?P<port>:\d+)?(?P<prefix>{})(?P<remaining>.*)$"
)
_URL = re.compile(r"[^:/?#]+://([^/?#]*)([^?#]*)(?:\?([^#]*))?.*")
_USUAL_PORTS = {"http": 80, "https": 443}


def header_change(modifier: HeaderModifier) -> Change:
    """The actions ``remove-headers`` and ``add-headers``.

    Raises:
        RefusedError: ngrok takes no such action.
    """
    removed = [*modifier.remove, *(header.name for header in modifier.set)]
    # Each spelling of a name is a key of its own; of one that is both added and set, what is set counts.
    added = {header.name: header.value for header in (*modifier.add, *modifier.set)}
    if len(removed) > _MOST_HEADERS or len(added) > _MOST_HEADERS:
        raise RefusedError("more than 10 headers (ERR_NGROK_2212)")
    if any(name.lower() == "user-agent" for name in (*removed, *added)):
        raise RefusedError("user-agent cannot be changed (ERR_NGROK_2219)")
    names = frozenset(name.lower() for name in removed)
    values = [(name.lower(), _text(value)) for name, value in sorted(added.items())]

    def change(headers: Headers, request: Request) -> Headers:
        found = {name: value for name, value in headers.items() if name not in names}
        for name, value in values:
            found[name] = (*found.get(name, ()), value(request))
        return found

    return change


def with_headers(change: Change, request: Request) -> Request:
    """The request with its headers changed; that of the host is replaced."""
    headers = dict(change(request.headers, request))
    host = headers.pop("host", None)
    return request._replace(headers=headers, host=host[-1] if host else request.host)


def _text(value: str) -> Callable[[Request], str]:
    return (filled(value) if "${" in value else None) or (lambda request: value)  # noqa: ARG005


def texts(item: Filter) -> Iterator[str]:
    """The texts of a filter, in which ``${…}`` is CEL."""
    for modifier in (item.request_header_modifier, item.response_header_modifier):
        if modifier is not None:
            yield from (header.value for header in (*modifier.set, *modifier.add))
    change = item.url_rewrite or item.request_redirect
    if change is not None and change.path is not None:
        yield change.path.replace_full_path or change.path.replace_prefix_match or ""


# --- URLs ----------------------------------------------------------------------------------------------------------


def replacement(change: Redirect | UrlRewrite, path: str) -> Callable[[Request], str | None]:
    """The new URL of a request; None where the expression does not match it.

    Args:
        change: The filter.
        path: The value of the match's path, whatever its type.

    Raises:
        RefusedError: The expression is none.
    """
    pattern = _FROM.format(path.replace("/", r"\/"))
    if not is_pattern(pattern):
        raise RefusedError(f"{pattern} is no regular expression in RE2's syntax (ERR_NGROK_2261)")
    scheme, port, prefix, rest = "$1://", "$3", "$4", "$5"
    if isinstance(change, Redirect):
        scheme = f"{change.scheme}://" if change.scheme else scheme
        if change.port is not None and not _keeps_port(change.scheme, change.port):
            port = f":{change.port}"
    if change.path is not None and change.path.replace_prefix_match is None:
        prefix, rest = "", change.path.replace_full_path or ""
    elif change.path is not None:
        prefix = change.path.replace_prefix_match or ""
    template = _text(scheme + (change.hostname or "$2") + port + prefix + rest)
    try:
        expression = re.compile(pattern, re.ASCII)
    except re.error:  # RE2 knows some constructs that Python does not
        return lambda request: None  # noqa: ARG005

    def replace(request: Request) -> str | None:
        url = _url(request)
        if expression.search(url) is None:
            return None
        made = template(request)
        return expression.sub(lambda found: _expanded(made, found), url)

    return replace


def _keeps_port(scheme: str | None, port: int) -> bool:
    return (scheme == "http" and port == 80) or (scheme == "https" and port != 443)  # noqa: PLR2004


def _url(request: Request) -> str:
    port = "" if request.port == _USUAL_PORTS[request.scheme] else f":{request.port}"
    query = f"?{request.query}" if request.query else ""
    return f"{request.scheme}://{request.host}{port}{request.path}{query}"


_GROUP = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))?")


def _expanded(template: str, found: re.Match[str]) -> str:
    """What Go puts for ``$1``, ``$name`` and ``${name}``: nothing for a group that there is not, such as ``$3n``."""

    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        if name.isdecimal() and (name == "0" or not name.startswith("0")):
            number = int(name)
            return (found[number] or "") if number <= (found.re.groups or 0) else ""
        groups: Mapping[str, str | None] = found.groupdict()
        return groups.get(name) or ""

    return _GROUP.sub(group, template)


def redirected(replace: Callable[[Request], str | None], status: int, request: Request) -> Request | Response:
    """The action ``redirect``."""
    location = replace(request)
    return request if location is None else Response(status, {"location": (location,)})


def rewritten(replace: Callable[[Request], str | None], request: Request) -> Request:
    """The action ``url-rewrite``."""
    url = replace(request)
    parts = _URL.fullmatch(url) if url is not None else None
    if parts is None:
        return request
    host = re.sub(r":\d*$", "", parts[1])
    return request._replace(host=host or request.host, path=parts[2] or "/", query=parts[3] or "")
