"""Reads the plain block YAML that most manifests are, a line at a time, several times faster than any parser of all.

Only what cannot mean anything else is taken: keys and values on one line each, ASCII, quotes without escapes, comments.
Whatever else is met, an error among it, ends the reading: `documents` reads it with a whole parser, and must come to
the same values where both read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from apiops_components.scalars import key_text, scalar

__all__ = ["Block", "blocks"]

_MAX_DEPTH = 50
_MAX_LINES = 1_000_000
_NEXT = re.compile(r"\n(?=---(?:[ \t\r\n]|\Z))")


class Block(NamedTuple):
    """One document.

    Attributes:
        value: Plain data; None for an empty one.
        start: Where in the text it starts.
        end: Where the next one does.
        line: Lines above it.
        most: It holds at most so many values.
    """

    value: Any
    start: int
    end: int
    line: int
    most: int


def blocks(text: str) -> Iterator[Block]:
    """The documents up to the first that holds anything unusual."""
    start = line = 0
    while start < len(text):
        found = _NEXT.search(text, start)
        end = found.end() if found else len(text)
        lines = text[start:end].split("\n")
        if len(lines) > _MAX_LINES:
            return
        try:
            value = _value(lines)
        except _UnusualError:
            return
        yield Block(value, start, end, line, 2 * len(lines))
        start, line = end, line + len(lines) - 1


class _UnusualError(Exception):
    """This is for a whole parser."""


_DOCUMENT: str | None = ""
_LATER: Any = object()
"""The value follows on the next lines."""
_NOTHING: Any = object()


def _value(lines: list[str]) -> Any:
    # The innermost collection and its indentation; its last key, where the value is still to come: first the document.
    document: dict[str | None, Any] = {}
    inner: Any = document
    at, last = -1, _DOCUMENT
    above: list[tuple[int, Any]] = []
    for text in lines:
        line = _kept(text) if len(text) < _SHORT else _parsed(text)
        if line is _NOTHING:
            continue
        indent, dash, key, value = line
        if last is not None:
            if indent > at or (dash and indent == at):
                above.append((at, inner))
                inner[last] = inner = [] if dash else {}
                at = indent
        elif indent > at:
            raise _UnusualError  # the second line of a text
        while indent < at or (indent == at and not dash and type(inner) is list):
            at, inner = above.pop()
        if indent != at or dash is not (type(inner) is list):
            raise _UnusualError
        if dash and key is not None:
            above.append((at, inner))
            inner.append({})
            inner, at = inner[-1], at + 2
        last = _add(inner, key, value)
        if len(above) > _MAX_DEPTH:
            raise _UnusualError
    return document.get(_DOCUMENT)


def _add(inner: Any, key: str | None, value: Any) -> str | None:
    """Adds an item, or a value; gives the key back whose value is to come."""
    if value is dict or value is list:
        value = value()
    if key is None:
        inner.append(value)
        return None
    if key in inner:
        raise _UnusualError
    if value is _LATER:
        inner[key] = None
        return key
    inner[key] = value
    return None


# In a plain text a colon, or a space, is followed by something that does not end it.
_PLAIN = r"-?[A-Za-z0-9_/.~+](?:[!-9;-~]|:(?=[!-~])|[ ](?=[!-\"$-~]))*"
_QUOTED = r"\"[ !#-\[\]-~]*\"|'[ -&(-~]*'"
_PARTS = re.compile(
    rf"( *)(- )?(?:([A-Za-z_/][A-Za-z0-9_./-]{{0,200}}|{_QUOTED}):(?= |$))?"
    rf"(?: *(?:({_PLAIN})|({_QUOTED})|(\[\]|\{{\}})))?(?: +(?:#[ -~]*)?)?"
)
_EMPTY = re.compile(r" *(?:#[ -~]*)?|--- *")  # a document begins with the one, and holds none
_SHORT = 200


def _parsed(text: str) -> Any:
    """Indentation, whether an item starts, key and value; `dict` and `list` stand for an empty one."""
    if _EMPTY.fullmatch(text):
        return _NOTHING
    found = _PARTS.fullmatch(text)
    if found is None:
        raise _UnusualError
    indent, dash, key, plain, quoted, empty = found.groups()
    if key is not None:
        key = key_text(key) if key[0] not in "\"'" else key[1:-1]
    # A key that is none; a second line of a text; an item on the next lines.
    if (found[3] and key is None) or not (found[3] or dash) or not (found[3] or plain or quoted or empty):
        raise _UnusualError
    return len(indent), dash is not None, key, _typed(plain, quoted, empty)


def _typed(plain: str | None, quoted: str | None, empty: str | None) -> Any:
    if plain is not None:
        value = scalar(plain)
        if type(value) is float and not math.isfinite(value):
            raise _UnusualError
        return value
    if quoted is not None:
        return quoted[1:-1]
    return {"{}": dict, "[]": list, None: _LATER}[empty]


_kept = lru_cache(maxsize=8192)(_parsed)
"""Of short lines: in manifests most come again and again."""
