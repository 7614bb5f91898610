"""Filters, said so that they mean the same to the specification and to ngrok's operator as built.

What the operator says otherwise becomes a rule of a policy, beside the filter or in its place (facts: ngrok §5):

- It forgets the query where a whole path is replaced. A rule in front of the filter replaces the path and keeps the
  query; the filter then finds nothing left to do.
- It always writes a remove-headers and an add-headers action, and ngrok takes no empty one, nor more than ten headers.
- It tests a variable of the request phase in front of a change to the response, and leaves out no request that goes
  elsewhere: such changes belong to the Gateway's policy (`gateway`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from apiops_components.models.filters import Filter, HeaderModifier, PathModifier, Redirect, UrlRewrite
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.actions import AddHeaders, RemoveHeaders
from apiops_components.models.policy.actions import Redirect as RedirectAction
from apiops_components.models.policy.actions import UrlRewrite as RewriteAction
from apiops_components.models.policy.document import Rule
from apiops_components.models.route import Route

__all__ = ["Changes", "filter_changes", "response_changes"]

_MOST_HEADERS = 10
"""In one action."""
_SCHEME = "[a-zA-Z][-+.a-zA-Z0-9]*"
_HTTPS, _HTTP = 443, 80


class Changes(NamedTuple):
    """What stands for the filters of a rule or a backend, in the order in which it is written."""

    before: tuple[Filter, ...] = ()
    """Filters in front of the policy."""
    rules: tuple[Rule, ...] = ()
    """The policy, empty where none is needed."""
    behind: tuple[Filter, ...] = ()
    """Filters behind it."""


def filter_changes(filters: Sequence[Filter], paths: Sequence[str], *, headers_apart: bool = False) -> Changes:
    """What stands for these filters of requests that are matched by these paths; nothing for those on responses.

    ``headers_apart``: changes of headers go into the policy, however simple.
    """
    before: list[Filter] = []
    rules: list[Rule] = []
    behind: list[Filter] = []
    for item in filters:
        if item.request_header_modifier is not None:
            if _is_simple(item.request_header_modifier) and not headers_apart:
                behind.append(item)
            else:
                rules += _header_rules(item.request_header_modifier)
        elif item.url_rewrite is not None:
            _rewrite(item, item.url_rewrite, paths, before, rules, behind)
        elif item.request_redirect is not None:
            redirect = _plain_redirect(item.request_redirect)
            if _full_path(redirect.path) is not None:
                rules.append(Rule(actions=(_redirect_action(redirect),)))
            behind.append(item if redirect is item.request_redirect else _with(item, redirect))
        elif item.response_header_modifier is None:
            behind.append(item)
    return Changes(tuple(before), tuple(rules), tuple(behind))


def response_changes(route: Route) -> list[Rule]:
    """The changes that a route makes to responses, its one backend's included."""
    backends = [backend for backend in route.backend_refs if backend.weight]
    filters = (*(backends[0].filters if len(backends) == 1 else ()), *route.filters)
    return [
        rule
        for item in filters
        if item.response_header_modifier is not None
        for rule in _header_rules(item.response_header_modifier)
    ]


# --- headers ---------------------------------------------------------------------------------------------------------


def _is_simple(change: HeaderModifier) -> bool:
    """Whether the two actions that the operator makes of it are both ones that ngrok takes, and say the same."""
    removed, added = len(change.remove) + len(change.set), len(change.add) + len(change.set)
    return (
        1 <= removed <= _MOST_HEADERS
        and 1 <= added <= _MOST_HEADERS
        and not any("${" in header.value for header in (*change.set, *change.add))
    )


def _header_rules(change: HeaderModifier) -> list[Rule]:
    actions = tuple(_header_actions(change))
    return [Rule(actions=actions)] if actions else []


def _header_actions(change: HeaderModifier) -> Iterator[Action]:
    removed = [*change.remove, *(header.name for header in change.set)]
    added = [(header.name, _as_template(header.value)) for header in (*change.set, *change.add)]
    for start in range(0, len(removed), _MOST_HEADERS):
        yield RemoveHeaders(headers=tuple(removed[start : start + _MOST_HEADERS]))
    for start in range(0, len(added), _MOST_HEADERS):
        yield AddHeaders(headers=dict(added[start : start + _MOST_HEADERS]))


def _as_template(text: str) -> str:
    """A template that gives this text: what looks like an expression in it is none."""
    return text.replace("${", "${'\\u0024'}{")


# --- URLs ------------------------------------------------------------------------------------------------------------


def _full_path(change: PathModifier | None) -> str | None:
    return None if change is None or change.replace_full_path is None else change.replace_full_path or "/"


def _rewrite(
    item: Filter,
    change: UrlRewrite,
    paths: Sequence[str],
    before: list[Filter],
    rules: list[Rule],
    behind: list[Filter],
) -> None:
    path = _full_path(change.path)
    if path is None:
        behind.append(item)
        return
    action = RewriteAction.model_validate({"from": f"^({_SCHEME}://[^/?#]*)[^?#]*", "to": f"$1{path}"})
    rules.append(Rule(actions=(action,)))
    if change.hostname is not None:
        # It looks for the path that was matched, so it goes first.
        before.append(_with(item, UrlRewrite(hostname=change.hostname)))
    elif not any(re.match(re.escape(matched).replace(r"\.", "."), path) for matched in paths):
        behind.append(item)  # does not find the path that was matched (a dot as any character): it changes nothing


def _plain_redirect(change: Redirect) -> Redirect:
    """Without what goes without saying; the operator keeps the old port where ``https`` has another than its own."""
    if change.port is None:
        return change
    usual = {"http": _HTTP, "https": _HTTPS, None: _HTTPS}[change.scheme]
    if change.port == usual:
        return change.model_copy(update={"port": None})
    return change.model_copy(update={"scheme": None}) if change.scheme == "https" else change


def _redirect_action(change: Redirect) -> RedirectAction:
    scheme = change.scheme or "$1"
    host = change.hostname or "$2"
    port = f":{change.port}" if change.port is not None else "" if change.scheme else "$3"
    return RedirectAction.model_validate(
        {
            "from": f"^({_SCHEME})://([^/?#:]*)(:[0-9]+)?[^?#]*(.*)$",
            "to": f"{scheme}://{host}{port}{_full_path(change.path)}$4",
            "status_code": change.status_code,
        }
    )


def _with(item: Filter, change: Redirect | UrlRewrite) -> Filter:
    field = "request_redirect" if isinstance(change, Redirect) else "url_rewrite"
    return item.model_copy(update={field: change})
