"""What ngrok's operator makes of the filters of a route, and what that does to a request.

As seen in the operator's own translation:

- Header filters become ``remove-headers`` of what is removed or set, then ``add-headers`` of what is set or added.
- Redirects and rewrites become a replacement in the whole URL by a regular expression, into which the path of the
  match goes as it is. So ``/a`` rewritten to ``/n`` makes ``/ab`` to ``/nb``, ``/`` rewritten to ``/n`` makes ``/x`` to
  ``/nx``, a whole path loses the query, and a path with ``+`` or ``(`` matches something else than itself.
- ``https`` with a port other than 443 keeps the port that was there, and so does ``http`` with 80.
- An ExtensionRef to a policy that does not exist, or may not stand here, is skipped, and the route is served without
  it; mirrors and CORS are always skipped.
- Policies are not run here. What they would change decides, though, on what routes match (`Effects.changes`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from apiops_components.models.filters import ExtensionRef, Filter, HeaderModifier, Redirect, UrlRewrite
from apiops_components.models.policy.cel import is_pattern
from apiops_components.semantics.operator_expression import RefusedError, filled
from apiops_components.semantics.operator_hosts import POLICY, old_keys
from apiops_components.semantics.outcome import Action
from apiops_components.semantics.request import Headers, Request, Response
from apiops_components.semantics.resources import Resources

__all__ = ["POLICY_GROUPS", "Effects", "effects_of"]

Step = Callable[[Request], Request | Response]
"""Passes a request on, changed or as it is, or answers it."""
Change = Callable[[Headers, Request], Headers]
"""Changes headers."""

POLICY_GROUPS = ("ngrok.k8s.ngrok.com", "")
"""The API groups of a policy, in any case."""

_MOST_HEADERS = 10
_FROM = (
    r"^(?P<scheme>[a-zA-Z][a-zA-Z0-9+\-.]*):\/\/(?P<hostname>[^\/:]+)(?P<port>:\d+)?(?P<prefix>{})(?P<remaining>.*)$"
)
_URL = re.compile(r"[^:/?#]+://([^/?#]*)([^?#]*)(?:\?([^#]*))?.*")
_USUAL_PORTS = {"http": 80, "https": 443}


class Effects(NamedTuple):
    """Filters of a rule or of a backend.

    A filter that was skipped counts for nothing but a note.
    """

    counts: bool = False
    """Whether one was not skipped."""
    steps: Sequence[Step] = ()
    """On the request."""
    answers: Sequence[Change] = ()
    """On the headers of the answer."""
    changes: frozenset[str] = frozenset()
    """``url`` and ``headers``: what of the request they change, those of policies included."""
    notes: tuple[Action, ...] = ()
    """What is skipped, or not run here."""


def effects_of(resources: Resources, namespace: str, number: int, filters: Sequence[Filter], path: str) -> Effects:
    """What becomes of filters.

    Args:
        resources: All objects.
        namespace: Of the route.
        number: Of the rule.
        filters: In their order.
        path: The value of the match's path, whatever its type.

    Raises:
        RefusedError: ngrok takes no such action.
    """
    counts = False
    steps: list[Step] = []
    answers: list[Change] = []
    changes: set[str] = set()
    notes: list[Action] = []
    for item in filters:
        if item.extension_ref is not None:
            result, changed = _policy(resources, namespace, item.extension_ref)
            changes |= changed
            key = f"{namespace}/{item.extension_ref.name}"
            notes.append(Action(key, None, None, item.extension_ref.kind, result))
            counts |= result == "not-run"
            continue
        if item.request_mirror is not None or item.cors is not None:
            notes.append(Action(None, None, number, item.type, "skipped"))
            continue
        counts = True
        if item.request_header_modifier is not None:
            steps.append(partial(_with_headers, _change(item.request_header_modifier)))
            changes.add("headers")
        elif item.response_header_modifier is not None:
            answers.append(_change(item.response_header_modifier))
        elif item.url_rewrite is not None:
            steps.append(partial(_rewritten, _replacement(item.url_rewrite, path)))
            changes.add("url")
        elif item.request_redirect is not None:
            redirect = item.request_redirect
            steps.append(partial(_redirected, _replacement(redirect, path), redirect.status_code))
        notes += (
            Action(None, None, number, item.type, f"not evaluated: {text}")
            for text in _texts(item)
            if "${" in text and filled(text) is None
        )
    return Effects(counts, tuple(steps), tuple(answers), frozenset(changes), tuple(notes))


def _policy(resources: Resources, namespace: str, ref: ExtensionRef) -> tuple[str, frozenset[str]]:
    """What comes of a policy, and what it would change."""
    if ref.kind.lower() != POLICY.lower() or ref.group.lower() not in POLICY_GROUPS:
        return "skipped", frozenset()
    found = resources.policies.get(f"{namespace}/{ref.name}")
    if found is None:
        return "missing", frozenset()
    policy, old = found.spec, old_keys(found.spec)
    if policy.on_tcp_connect and "inbound" not in old:
        return "skipped", frozenset()
    rules = policy.on_http_request if "inbound" not in old else ()
    types = {step.type for rule in rules for step in rule.actions}
    names = {"url-rewrite": "url", "add-headers": "headers", "remove-headers": "headers"}
    return "not-run", frozenset(names[kind] for kind in types & names.keys())


# --- headers -------------------------------------------------------------------------------------------------------


def _change(modifier: HeaderModifier) -> Change:
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


def _with_headers(change: Change, request: Request) -> Request:
    headers = dict(change(request.headers, request))
    host = headers.pop("host", None)  # the one header that is replaced
    return request._replace(headers=headers, host=host[-1] if host else request.host)


def _text(value: str) -> Callable[[Request], str]:
    return (filled(value) if "${" in value else None) or (lambda request: value)  # noqa: ARG005


def _texts(item: Filter) -> Iterator[str]:
    for modifier in (item.request_header_modifier, item.response_header_modifier):
        if modifier is not None:
            yield from (header.value for header in (*modifier.set, *modifier.add))
    change = item.url_rewrite or item.request_redirect
    if change is not None and change.path is not None:
        yield change.path.replace_full_path or change.path.replace_prefix_match or ""


# --- URLs ----------------------------------------------------------------------------------------------------------


def _replacement(change: Redirect | UrlRewrite, path: str) -> Callable[[Request], str | None]:
    """The new URL of a request; None where the expression does not match it."""
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
        matches = re.compile(pattern, re.ASCII).search
    except re.error:  # RE2 knows some constructs that Python does not
        return lambda request: None  # noqa: ARG005

    def replace(request: Request) -> str | None:
        found = matches(_url(request))
        return None if found is None else _expanded(template(request), found)

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


def _redirected(replacement: Callable[[Request], str | None], status: int, request: Request) -> Request | Response:
    location = replacement(request)
    return request if location is None else Response(status, {"location": (location,)})


def _rewritten(replacement: Callable[[Request], str | None], request: Request) -> Request:
    url = replacement(request)
    parts = _URL.fullmatch(url) if url is not None else None
    if parts is None:
        return request
    host = re.sub(r":\d*$", "", parts[1])
    return request._replace(host=host or request.host, path=parts[2] or "/", query=parts[3] or "")
