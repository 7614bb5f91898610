"""Writes block YAML that every parser reads back as the same values.

PyYAML, Kubernetes' parser and YAML 1.2 parsers retype different plain scalars; so every string that any of them would
retype stands in quotes. No library's emitter passes (see `documents`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TextIO

__all__ = ["dump", "dump_all", "escape"]

# A plain string: starts with a letter, '/' or '_', holds nothing that means something in YAML, and is no word that
# YAML 1.1, 1.2 or Kubernetes types as something else. Everything else is quoted.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./()+%@=,;^~$-]*(?:[ :][A-Za-z0-9_./()+%@=,;^~$-]+)*")
_RETYPED = re.compile(r"(?:y|Y|n|N|[yY]es|YES|[nN]o|NO|[tT]rue|TRUE|[fF]alse|FALSE|[oO]n|ON|[oO]ff|OFF|[nN]ull|NULL)")
_BLOCK = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff\t\r]+")
_MAX_KEY = 1000
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
_UNSAFE = re.compile(r"[\\\"\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def dump(value: Any) -> str:
    """One document as block YAML: two spaces a level, keys in the order given, strings quoted where needed.

    Raises:
        TypeError: It holds what JSON has no form for: neither dict, list, str, int, float, bool nor None, a key that
            is no string, an infinite number, half of a surrogate pair.
    """
    out: list[str] = []
    if isinstance(value, Mapping) and value:
        _write_mapping(value, "", "", out)
    elif isinstance(value, list | tuple) and value:
        _write_sequence(value, "", "", out)
    else:
        out.append(f"{_inline(value)}\n")
    return "".join(out)


def dump_all(values: Iterable[Any], stream: TextIO) -> None:
    """Writes documents to a stream, one at a time, with ``---`` between them."""
    for number, value in enumerate(values):
        if number:
            stream.write("---\n")
        stream.write(dump(value))


# Types are told by `type` where that is enough, ordered by how often they are met: a test for an abstract class takes
# ten times as long.


def _write_mapping(mapping: Mapping[str, Any], indent: str, lead: str, out: list[str]) -> None:
    """``lead`` stands before the first line: the indentation, or the dashes of the items that the mapping begins."""
    deeper = indent + "  "
    for key, value in mapping.items():
        start = lead + _kept_key(key) if type(key) is str and len(key) < _SHORT else lead + _key(key, indent)
        lead = indent
        kind = type(value)
        if kind is str and "\n" not in value:
            out.append(f"{start} {_kept(value) if len(value) < _SHORT else _string(value)}\n")
        elif kind is int:
            out.append(f"{start} {value}\n")
        elif kind is dict and value:
            out.append(f"{start}\n")
            _write_mapping(value, deeper, deeper, out)
        elif kind is list and value:
            out.append(f"{start}\n")
            _write_sequence(value, indent, indent, out)
        else:
            out.append(start)
            _write_value(value, indent, out)


def _key(key: Any, indent: str = "") -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key must be a string, got {key!r}")
    text = _string(key)
    # A parser looks 1,024 characters ahead for the colon of a key, unless '?' announces it.
    return f"{text}:" if len(text) <= _MAX_KEY else f"? {text}\n{indent}:"


def _write_value(value: Any, indent: str, out: list[str]) -> None:
    if value and isinstance(value, Mapping):
        out.append("\n")
        indent += "  "
        _write_mapping(value, indent, indent, out)
    elif value and isinstance(value, list | tuple):
        out.append("\n")
        _write_sequence(value, indent, indent, out)
    elif isinstance(value, str) and "\n" in value and _fits_block(value):
        lines = value.split("\n")
        chomp = "" if value.endswith("\n") else "-"
        out.append(f" |{chomp}\n")
        body = lines[:-1] if value.endswith("\n") else lines
        out.extend(f"{indent}  {line}\n" if line else "\n" for line in body)
    else:
        out.append(f" {_inline(value)}\n")


def _write_sequence(items: Iterable[Any], indent: str, lead: str, out: list[str]) -> None:
    """``lead`` is as for a mapping."""
    inner = indent + "  "
    for item in items:
        kind = type(item)
        if kind is str:
            out.append(f"{lead}- {_kept(item) if len(item) < _SHORT else _string(item)}\n")
        elif item and (kind is dict or (kind is not list and isinstance(item, Mapping))):
            _write_mapping(item, inner, f"{lead}- ", out)
        elif item and (kind is list or isinstance(item, list | tuple)):
            _write_sequence(item, inner, f"{lead}- ", out)
        else:
            out.append(f"{lead}- {_inline(item)}\n")
        lead = indent


def _fits_block(text: str) -> bool:
    """Whether a literal block keeps the text as it is in every parser."""
    lines = text.split("\n")
    return (
        not text.startswith((" ", "\n"))
        and not text.endswith("\n\n")
        and all(not line or (_BLOCK.fullmatch(line) and not line.endswith(" ")) for line in lines)
    )


def _inline(value: Any) -> str:
    if type(value) is int:
        return str(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    raise TypeError(f"cannot be written as YAML: {type(value).__name__}")


def _number(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  (NaN is the number unequal to itself)
        raise TypeError(f"JSON has no {value}, so Kubernetes has not either")
    text = repr(value)
    # PyYAML reads 1e-07 as a string; a dot makes it a number for everyone.
    return text if "." in text or "e" not in text else text.replace("e", ".0e")


def _string(text: str) -> str:
    if _PLAIN.fullmatch(text) and (len(text) > 5 or not _RETYPED.fullmatch(text)) and len(text) <= 1024:  # noqa: PLR2004
        return text
    return '"' + _UNSAFE.sub(escape, text) + '"'


_SHORT = 64
_kept = lru_cache(maxsize=4096)(_string)
"""Of short texts: names, kinds and values come again and again."""
_kept_key = lru_cache(maxsize=4096)(_key)
"""Of short keys."""


def escape(match: re.Match[str]) -> str:
    """The escape, inside double quotes, of the one character that was found."""
    character = match.group()
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if 0xD800 <= code < 0xE000:  # noqa: PLR2004
        raise TypeError(f"half of a surrogate pair, \\u{code:04x}, is no character")
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004
