"""What ngrok's operator makes of the filters of a route.

As seen in the operator's own translation (for what headers, redirects and rewrites do see `operator_actions`):

- An ExtensionRef to a policy that does not exist, or may not stand here, is skipped, and the route is served without
  it; so are rewrites of nothing; mirrors and CORS are always skipped.
- Policies are not run here. What they would change decides, though, on what routes match (`Effects.changes`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from apiops_components.models.filters import ExtensionRef, Filter, Redirect, UrlRewrite
from apiops_components.semantics.operator_actions import (
    Change,
    header_change,
    redirected,
    replacement,
    rewritten,
    texts,
    with_headers,
)
from apiops_components.semantics.operator_expression import RefusedError, filled
from apiops_components.semantics.operator_hosts import POLICY, old_keys
from apiops_components.semantics.outcome import Action
from apiops_components.semantics.request import Request, Response
from apiops_components.semantics.resources import Resources

__all__ = ["POLICY_GROUPS", "Effects", "effects_of"]

Step = Callable[[Request], Request | Response]
"""Passes a request on, changed or as it is, or answers it."""
POLICY_GROUPS = ("ngrok.k8s.ngrok.com", "")
"""The API groups of a policy, in any case."""

_UNCHANGED = UrlRewrite()


class Effects(NamedTuple):
    """Filters of a rule or of a backend.

    A filter that was skipped counts for nothing but a note.
    """

    counts: bool = False
    """Whether one was not skipped."""
    written: bool = False
    """Whether one became a rule; a policy without rules does not."""
    steps: Sequence[Step] = ()
    """On the request."""
    answers: Sequence[Change] = ()
    """On the headers of the answer."""
    changes: frozenset[str] = frozenset()
    """``url`` and ``headers``: what of the request they change, those of policies included."""
    notes: tuple[Action, ...] = ()
    """What is skipped, or not run here."""
    refused: str = ""
    """Why ngrok refuses what was written."""


def effects_of(resources: Resources, namespace: str, number: int, filters: Sequence[Filter], path: str) -> Effects:
    """What becomes of filters.

    Args:
        resources: All objects.
        namespace: Of the route.
        number: Of the rule.
        filters: In their order.
        path: The value of the match's path, whatever its type.
    """
    counts = written = False
    steps: list[Step] = []
    answers: list[Change] = []
    changes: set[str] = set()
    notes: list[Action] = []
    refused = ""
    for item in filters:
        if item.extension_ref is not None:
            result, changed = _policy(resources, namespace, item.extension_ref)
            changes |= changed
            key = f"{namespace}/{item.extension_ref.name}"
            notes.append(Action(key, None, None, item.extension_ref.kind, result))
            counts |= result in ("not-run", "empty")
            written |= result == "not-run"
            continue
        if item.request_mirror is not None or item.cors is not None or item.url_rewrite == _UNCHANGED:
            notes.append(Action(None, None, number, item.type, "skipped"))
            continue
        counts = written = True
        if item.request_header_modifier is not None:
            changes.add("headers")
        elif item.url_rewrite is not None:
            changes.add("url")
        try:
            if item.response_header_modifier is not None:
                answers.append(header_change(item.response_header_modifier))
            else:
                steps.append(_step(item, path))
            unknown = [text for text in texts(item) if "${" in text and filled(text) is None]
        except RefusedError as error:
            refused = str(error)
        else:
            notes += (Action(None, None, number, item.type, f"not evaluated: {text}") for text in unknown)
    return Effects(counts, written, tuple(steps), tuple(answers), frozenset(changes), tuple(notes), refused)


def _step(item: Filter, path: str) -> Step:
    if item.request_header_modifier is not None:
        return partial(with_headers, header_change(item.request_header_modifier))
    if item.url_rewrite is not None:
        return partial(rewritten, replacement(item.url_rewrite, path))
    redirect = item.request_redirect or Redirect()
    return partial(redirected, replacement(redirect, path), redirect.status_code)


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
    if not rules and ("outbound" in old or not policy.on_http_response):
        return "empty", frozenset()
    names = {"url-rewrite": "url", "add-headers": "headers", "remove-headers": "headers"}
    return "not-run", frozenset(names[kind] for kind in types & names.keys())
