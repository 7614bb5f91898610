"""Filters that ngrok's operator skips, or takes otherwise than they are meant, and no policy can make up for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from apiops_components.errors import Problem
from apiops_components.models.filters import Filter, HeaderModifier
from apiops_components.models.route import Route

__all__ = ["filter_problems", "placed_filters"]

_NAME = re.compile(r"[-A-Za-z0-9!#$%&'*+.^_`|~]{1,256}")
_KEPT = frozenset({"user-agent", "host"})
"""ngrok changes the first nowhere, the second is the name that requests are routed by."""


def placed_filters(route: Route, path: str) -> list[tuple[str, Filter]]:
    """Each filter of a rule and of its backends, with its place."""
    found = [(f"{path}.filters[{number}]", item) for number, item in enumerate(route.filters)]
    for number, backend in enumerate(route.backend_refs):
        for position, item in enumerate(backend.filters):
            found.append((f"{path}.backend_refs[{number}].filters[{position}]", item))
    return found


def filter_problems(item: Filter, path: str, route: Route) -> Iterator[Problem]:
    """What is wrong with a filter of a rule or of one of its backends."""
    if item.type in ("RequestMirror", "CORS"):
        yield Problem(
            f"ngrok's operator skips {item.type} filters",
            path,
            "lowering/filter",
            "answer with a policy rule, or in the backend",
        )
    if ".backend_refs[" in path:
        yield from _backend_filter_problems(item, path, route)
    for field in ("request_header_modifier", "response_header_modifier"):
        if (change := getattr(item, field)) is not None:
            yield from _header_problems(change, f"{path}.{field}")
    for place, text in _path_texts(item):
        if "$" in text:
            yield Problem(
                f"'$' in {text!r} would stand for a part of the request: ngrok's operator does not escape it",
                f"{path}.{place}",
                "lowering/unsafe-value",
                "percent-encode it: %24",
            )
        if not text.isprintable() or set("?# ") & set(text):
            yield Problem(
                f"{text!r} is not the path of a URL",
                f"{path}.{place}",
                "lowering/unsafe-value",
                "percent-encode what is no part of a path",
            )
        if not text.startswith("/") and text:
            message = f"{text!r} does not start with '/': it would become part of the host"
            yield Problem(message, f"{path}.{place}", "lowering/relative-path", f"write {'/' + text!r}")


def _backend_filter_problems(item: Filter, path: str, route: Route) -> Iterator[Problem]:
    if item.type == "ExtensionRef":
        yield Problem(
            "a policy referred to by name is not checked, and skipped by ngrok's operator where it is missing",
            path,
            "lowering/extension-ref",
            "give its rules in the API's policy",
        )
    elif item.type == "RequestRedirect":
        yield Problem(
            "a backend that redirects is none", path, "lowering/backend-redirect", "redirect in a rule of its own"
        )
    elif item.type == "ResponseHeaderModifier":
        if sum(backend.weight > 0 for backend in route.backend_refs) > 1:
            yield Problem(
                "which of several backends answered is no longer known where ngrok changes the response",
                path,
                "lowering/backend-response",
                "change the header in the backend itself, or for all of them in the rule's filters",
            )
        elif any(other.type == item.type for other in route.filters):
            yield Problem(
                "the rule and its backend both change the headers of responses, and nobody says which goes first",
                path,
                "lowering/header-twice",
                "merge the two",
            )


def _header_problems(change: HeaderModifier, path: str) -> Iterator[Problem]:
    valued = [("set", index, item) for index, item in enumerate(change.set)]
    valued += [("add", index, item) for index, item in enumerate(change.add)]
    named = [(kind, index, item.name) for kind, index, item in valued]
    named += [("remove", index, name) for index, name in enumerate(change.remove)]
    seen: set[str] = set()
    for kind, index, name in named:
        folded = name.lower()
        place = f"{kind}[{index}]"
        if not _NAME.fullmatch(name):
            yield Problem(
                f"{name!r} is not the name of a header", f"{path}.{place}", "lowering/header-name", "write x-…"
            )
        if folded in _KEPT:
            yield Problem(
                f"ngrok does not change {folded!r} this way",
                f"{path}.{place}",
                "lowering/header-name",
                "rewrite the hostname" if folded == "host" else "leave it as it came",
            )
        if folded in seen:
            yield Problem(
                f"{name!r} is changed twice in one filter, and nobody says in which order",
                f"{path}.{place}",
                "lowering/header-twice",
                "keep one of them",
            )
        seen.add(folded)
    for kind, index, header in valued:
        if not header.value.isprintable():
            yield Problem(
                f"{header.value!r} holds a character that a header cannot have",
                f"{path}.{kind}[{index}].value",
                "lowering/unsafe-value",
                "leave it out",
            )


def _path_texts(item: Filter) -> Iterator[tuple[str, str]]:
    for field in ("request_redirect", "url_rewrite"):
        change = getattr(item, field)
        if change is not None and change.path is not None:
            for kind in ("replace_full_path", "replace_prefix_match"):
                if (text := getattr(change.path, kind)) is not None:
                    yield f"{field}.path.{kind}", text
