"""YAML documents, read and written as Kubernetes reads them.

PyYAML types scalars by YAML 1.1, other parsers by 1.2, and Kubernetes' parser (``sigs.k8s.io/yaml``) by a mixture of
its own: ``1e3`` is a number there and a string in PyYAML, ``2024-01-01`` is a string there and a date in PyYAML. So a
document is read here from PyYAML's events with Kubernetes' typing, duplicate keys refused and positions kept, and
written with quotes around every string that any of the three would retype.

Measured against every library in ``../shared/facts/performance.md`` §1 when this was written: none passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

import yaml

from apiops_components.errors import NotRunnable, Problem, format_path

__all__ = ["Document", "dump", "dump_all", "load_all"]

_MAX_DEPTH = 100
_MAX_NODES = 2_000_000

_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)

# --- reading -------------------------------------------------------------------------------------------------------

_BOOLEANS = dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True) | dict.fromkeys(
    ("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False
)
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOATS = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def scalar(text: str) -> Any:
    """The value that Kubernetes' parser gives to a plain (unquoted) scalar."""
    if text in _NULLS:
        return None
    first = text[0]
    if first in "tTyYoOfFnN":
        return _BOOLEANS.get(text, text)
    if first in "+-.0123456789":
        if text in _SPECIAL_FLOATS:
            return _SPECIAL_FLOATS[text]
        if _INTEGER.fullmatch(text):
            return _integer(text)
        if _FLOAT.fullmatch(text):
            value = float(text)
            # The JSON step between Kubernetes' parser and its types turns 1e3 into 1000.
            return int(value) if value.is_integer() and abs(value) < 1e15 and "." not in text else value  # noqa: PLR2004
    return text


def _integer(text: str) -> Any:
    digits = text.replace("_", "")
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    try:
        if digits[:2] in ("0b", "0o", "0x"):
            return sign * int(digits, 0)
        if len(digits) > 1 and digits[0] == "0":
            return sign * int(digits, 8)
        return sign * int(digits)
    except ValueError:  # 09 is no octal number: Kubernetes' parser falls back to a float
        return sign * float(digits) if digits.isdigit() else text


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML or JSON document.

    Attributes:
        value: Plain data: dict, list, str, int, float, bool, None.
        file: Where it was read from.
        index: Its number in that file, from 0.
        lines: Field path to line number, from 1.
    """

    value: Any
    file: str
    index: int
    lines: Mapping[str, int]

    def line(self, path: str) -> int:
        """The line of a field, or of the nearest enclosing one that is there."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 0)


def load_all(text: str | bytes, file: str = "") -> Iterator[Document]:
    """The documents of a YAML stream (JSON is one); empty documents are passed over.

    Raises:
        NotRunnable: The text is not readable as YAML: syntax, encoding, a duplicate key, an unknown tag, a depth or
            size beyond all reason. The problem carries file and line.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        events = yaml.parse(text, Loader=_LOADER)
        index = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                composer = _Composer(events, file)
                value = composer.document()
                if value is not None:
                    yield Document(value, file, index, composer.lines)
                    index += 1
    except UnicodeDecodeError as error:
        raise NotRunnable(Problem(f"not UTF-8: {error.reason} at byte {error.start}", file=file)) from None
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise NotRunnable(
            Problem(f"not readable as YAML: {what}", code="yaml/syntax", file=file, line=mark.line + 1 if mark else 0)
        ) from None
    except yaml.YAMLError as error:
        raise NotRunnable(Problem(f"not readable as YAML: {error}", code="yaml/syntax", file=file)) from None


class _Composer:
    """Builds the value of one document from PyYAML's events."""

    def __init__(self, events: Iterator[Any], file: str) -> None:
        self._events = events
        self._file = file
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self.lines: dict[str, int] = {}

    def document(self) -> Any:
        return self._node(next(self._events), [])[0]

    def _node(self, event: Any, path: list[str | int]) -> tuple[Any, int]:
        """The value that starts with this event, and how many nodes it holds with its aliases expanded."""
        where = format_path(path)
        self.lines.setdefault(where, _line(event))
        if len(path) > _MAX_DEPTH:
            raise self._problem(event, f"nested deeper than {_MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._problem(event, f"alias *{event.anchor} names no anchor before it")
            value, size = self._anchors[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            value, size = self._scalar(event), 1
        elif isinstance(event, yaml.SequenceStartEvent):
            value, size = self._sequence(path)
        else:
            value, size = self._mapping(event, path)
        self._nodes += size if isinstance(event, yaml.AliasEvent) else 1
        if self._nodes > _MAX_NODES:
            raise self._problem(event, f"more than {_MAX_NODES} values, aliases counted")
        anchor = getattr(event, "anchor", None)
        if anchor and not isinstance(event, yaml.AliasEvent):
            self._anchors[anchor] = (value, size)
        return value, size

    def _scalar(self, event: Any) -> Any:
        if event.tag in (None, "!") or event.tag == "tag:yaml.org,2002:str":
            plain = not event.style and event.tag is None  # the C parser says "" for plain, the Python one None
            return scalar(event.value) if plain else event.value
        if event.tag in _TAGS:
            return scalar(event.value)
        raise self._problem(event, f"unknown tag {event.tag}")

    def _sequence(self, path: list[str | int]) -> tuple[list[Any], int]:
        items: list[Any] = []
        size = 1
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            value, count = self._node(event, [*path, len(items)])
            items.append(value)
            size += count
        return items, size

    def _mapping(self, start: Any, path: list[str | int]) -> tuple[dict[str, Any], int]:
        mapping: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        size = 1
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._problem(event, "a key must be a plain value")
            key = event.value
            if key == "<<" and not event.style:
                value, count = self._node(next(self._events), path)
                merged += value if isinstance(value, list) else [value]
                size += count
                continue
            if key in mapping:
                raise self._problem(event, f"key {key!r} is there twice", format_path(path))
            position = _line(event)
            self.lines[format_path([*path, key])] = position
            value, count = self._node(next(self._events), [*path, key])
            mapping[key] = value
            size += count
        for other in merged:
            if not isinstance(other, dict):
                raise self._problem(start, "'<<' merges mappings only")
            mapping = other | mapping
        return mapping, size

    def _problem(self, event: Any, message: str, path: str = "") -> NotRunnable:
        return NotRunnable(Problem(message, path, "yaml/content", file=self._file, line=_line(event)))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null"))

# --- writing -------------------------------------------------------------------------------------------------------

# A plain string: starts with a letter, '/' or '_', holds nothing that means something in YAML, and is no word that
# YAML 1.1, 1.2 or Kubernetes types as something else. Everything else is quoted.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./()+%@=,;^~$-]*(?:[ :][A-Za-z0-9_./()+%@=,;^~$-]+)*")
_RETYPED = re.compile(r"(?:y|Y|n|N|[yY]es|YES|[nN]o|NO|[tT]rue|TRUE|[fF]alse|FALSE|[oO]n|ON|[oO]ff|OFF|[nN]ull|NULL)")
_BLOCK = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff\t\r]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
_UNSAFE = re.compile(r"[\\\"\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def dump(value: Any) -> str:
    """One document as block YAML: two spaces a level, keys in the order given, strings quoted where needed.

    Raises:
        TypeError: It holds something that is neither dict, list, str, int, float, bool nor None.
    """
    out: list[str] = []
    if isinstance(value, Mapping) and value:
        _write_mapping(value, "", out)
    elif isinstance(value, list | tuple) and value:
        _write_sequence(value, "", out)
    else:
        out.append(_inline(value))
        out.append("\n")
    return "".join(out)


def dump_all(values: Iterable[Any], stream: TextIO) -> None:
    """Writes documents to a stream, one at a time, with ``---`` between them."""
    for number, value in enumerate(values):
        if number:
            stream.write("---\n")
        stream.write(dump(value))


def _write_mapping(mapping: Mapping[str, Any], indent: str, out: list[str]) -> None:
    for key, value in mapping.items():
        if not isinstance(key, str):
            raise TypeError(f"a key must be a string, got {key!r}")
        out.append(f"{indent}{_string(key)}:")
        _write_value(value, indent, out)


def _write_value(value: Any, indent: str, out: list[str]) -> None:
    if isinstance(value, Mapping) and value:
        out.append("\n")
        _write_mapping(value, indent + "  ", out)
    elif isinstance(value, list | tuple) and value:
        out.append("\n")
        _write_sequence(value, indent, out)
    elif isinstance(value, str) and "\n" in value and _fits_block(value):
        lines = value.split("\n")
        chomp = "" if value.endswith("\n") else "-"
        out.append(f" |{chomp}\n")
        body = lines[:-1] if value.endswith("\n") else lines
        out.extend(f"{indent}  {line}\n" if line else "\n" for line in body)
    else:
        out.append(f" {_inline(value)}\n")


def _write_sequence(items: Iterable[Any], indent: str, out: list[str]) -> None:
    for item in items:
        if isinstance(item, Mapping) and item:
            start = len(out)
            _write_mapping(item, indent + "  ", out)
            out[start] = f"{indent}- {out[start][len(indent) + 2 :]}"
        elif isinstance(item, list | tuple) and item:
            start = len(out)
            _write_sequence(item, indent + "  ", out)
            out[start] = f"{indent}- {out[start][len(indent) + 2 :]}"
        else:
            out.append(f"{indent}- {_inline(item)}\n")


def _fits_block(text: str) -> bool:
    """Whether a literal block keeps the text as it is in every parser."""
    lines = text.split("\n")
    return (
        not text.startswith((" ", "\n"))
        and not text.endswith("\n\n")
        and all(not line or (_BLOCK.fullmatch(line) and not line.endswith(" ")) for line in lines)
    )


def _inline(value: Any) -> str:
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
    if _PLAIN.fullmatch(text) and not _RETYPED.fullmatch(text) and len(text) <= 1024:  # noqa: PLR2004
        return text
    return '"' + _UNSAFE.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004
