"""Matches whose texts would become part of an expression or a pattern, or that nobody can say alike to both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from apiops_components.errors import Problem
from apiops_components.models.match import LONGEST_PATH, HeaderMatch, Match, QueryMatch
from apiops_components.models.policy.cel import is_pattern
from apiops_components.render.pattern import anchored, is_half_anchored, literal_start, without_backslashes

__all__ = ["match_problems"]

_LONGEST = {"headers": 4096, "query_params": 1024}
"""Characters of a value in the definitions."""


def match_problems(match: Match, path: str, *, in_pattern: bool) -> Iterator[Problem]:
    """What is wrong with a match; ``in_pattern`` where the operator builds a pattern of its path, too."""
    yield from _path_problems(match, f"{path}.path", in_pattern=in_pattern)
    for field in ("headers", "query_params"):
        items: tuple[HeaderMatch | QueryMatch, ...] = getattr(match, field)
        for number, item in enumerate(items):
            place = f"{path}.{field}[{number}]"
            yield from _text_problems(item.name, f"{place}.name")
            if item.type == "RegularExpression":
                yield from _pattern_problems(item.value, f"{place}.value", _LONGEST[field])
            else:
                yield from _text_problems(item.value, f"{place}.value")


def _path_problems(match: Match, path: str, *, in_pattern: bool) -> Iterator[Problem]:
    value = match.path.value
    if "%" in value:
        yield Problem(
            f"ngrok compares paths that are normalized, and does not say whether {value!r} still holds a '%' then",
            f"{path}.value",
            "lowering/percent",
            "match the path above it",
        )
    if match.path.type == "RegularExpression":
        if not is_pattern(value):
            yield _no_pattern(value, f"{path}.value")
            return
        if is_half_anchored(value):
            yield _half_anchored(value, f"{path}.value")
        folder = literal_start(value)
        if folder is None:
            yield Problem(
                "ngrok's operator takes a regular expression for a prefix, and no folder holds all paths that "
                f"{value!r} fits",
                path,
                "lowering/regular-expression",
                "start it with a literal folder, such as /orders/[0-9]+, one match for each alternative; or use a "
                "prefix, and a rule that denies what does not fit",
            )
            return
        value = folder
    if in_pattern and (special := set("$()*+") & set(value)):
        yield Problem(
            f"{min(special)!r} in {value!r} would become part of a pattern: to redirect or rewrite, ngrok's operator "
            "does not escape it",
            f"{path}.value",
            "lowering/unsafe-value",
            "rewrite in the backend",
        )
    if match.path.type == "PathPrefix" and len(value.rstrip("/")) >= LONGEST_PATH:
        yield Problem(
            f"with the slash that ends the prefix for ngrok's operator it is longer than {LONGEST_PATH} characters",
            f"{path}.value",
            "lowering/path-length",
            "shorten it",
        )
    if match.path.type != "RegularExpression":  # its text goes into a policy, escaped
        yield from _text_problems(value, f"{path}.value")


def _text_problems(text: str, path: str) -> Iterable[Problem]:
    usual = text.isprintable() and "'" not in text and "\\" not in text and "${" not in text
    return () if usual else _unsafe_text(text, path)


def _unsafe_text(text: str, path: str) -> Iterator[Problem]:
    for unsafe in (part for part in ("'", "\\", "${") if part in text):
        yield Problem(
            f"{unsafe!r} in {text!r} would become part of an expression: ngrok's operator does not escape it",
            path,
            "lowering/unsafe-value",
            "match it in a policy rule instead",
        )
    if not text.isprintable():
        yield Problem(
            f"{text!r} holds a character that cannot be printed, which would break an expression",
            path,
            "lowering/unsafe-value",
            "match it in a policy rule instead",
        )


def _pattern_problems(pattern: str, path: str, longest: int) -> Iterator[Problem]:
    if not is_pattern(pattern):
        yield _no_pattern(pattern, path)
        return
    if is_half_anchored(pattern):
        yield _half_anchored(pattern, path)
    plain = without_backslashes(pattern)
    if plain is None:
        yield Problem(
            f"{pattern!r} needs a backslash, which ngrok's operator does not escape",
            path,
            "lowering/unsafe-value",
            "write a class, such as [.] or [0-9], or match it in a policy rule instead",
        )
        return
    yield from _text_problems(plain, path)
    if len(anchored(plain)) > longest:
        message = f"written so that it fits the whole value it is longer than {longest} characters"
        yield Problem(message, path, "lowering/pattern-length", "shorten it")


def _no_pattern(pattern: str, path: str) -> Problem:
    return Problem(
        f"{pattern!r} is not a regular expression of RE2",
        path,
        "lowering/pattern",
        "see https://github.com/google/re2/wiki/Syntax",
    )


def _half_anchored(pattern: str, path: str) -> Problem:
    return Problem(
        f"{pattern!r} would have to fit the whole value to some, and begin or end it to others",
        path,
        "lowering/half-anchored",
        "leave out '^' and '$', and write .* where more may follow",
    )
