"""YAML documents, read and written as Kubernetes reads them.

PyYAML types scalars by YAML 1.1, other parsers by 1.2, and Kubernetes' parser (``sigs.k8s.io/yaml``) by a mixture of
its own: ``1e3`` is a number there and a string in PyYAML, ``2024-01-01`` is a string there and a date in PyYAML. So a
document is read here from PyYAML's events with Kubernetes' typing, duplicate keys refused and positions kept, and
written with quotes around every string that any of the three would retype.

Measured against every library there was when this was written: none passes. `emitter` does the writing.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import yaml

from apiops_components.block import blocks
from apiops_components.emitter import dump, dump_all, escape
from apiops_components.errors import NotRunnable, Problem, format_path
from apiops_components.scalars import key_text, scalar

__all__ = ["Document", "dump", "dump_all", "load_all"]

_MAX_DEPTH = 100
_MAX_NODES = 2_000_000
_TOO_DEEP = f"nested deeper than {_MAX_DEPTH} levels"

_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML or JSON document.

    Attributes:
        value: Plain data: dict, list, str, int, float, bool, None.
        file: Where it was read from.
        index: Its number in that file, from 0.
        lines: Field path to line number, from 1.
        most: It holds at most so many values, those that aliases repeat counted again; None where nobody counted.
    """

    value: Any
    file: str
    index: int
    lines: Mapping[str, int]
    most: int | None = field(default=None, compare=False)

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
        content = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        index = read = 0
        for block in blocks(content):
            if block.value is not None:
                lines = _Lines(content, _Mark(block.start, block.line), block.end)
                yield Document(block.value, file, index, lines, block.most)
                index += 1
            read = block.end
        if read == len(content):
            return
        # Empty lines for what has been read: the lines of the rest are still those of the whole.
        rest = "\n" * content.count("\n", 0, read) + content[read:] if read else content
        readable = _without_what_only_json_may(rest)
        counted = readable.removeprefix("\ufeff")  # the parser does not count it
        yield from _parsed(readable, counted, file, index)
    except UnicodeError as error:
        raise NotRunnable(_not_unicode(error, file)) from None
    except yaml.reader.ReaderError as error:
        message = f"not readable as YAML: the character #x{error.character:04x} may not stand in it"
        line = content.count("\n", 0, content.find(chr(error.character))) + 1
        hint = "write it as an escape in double quotes"
        raise NotRunnable(Problem(message, "", "yaml/syntax", hint, file, line)) from None
    except yaml.MarkedYAMLError as error:
        raise NotRunnable(_not_yaml(error, counted, file)) from None
    except _NotRead as error:
        where = _line(error.event), "", error.event.start_mark.column + 1
        raise NotRunnable(Problem(error.message, error.path, "yaml/content", error.hint, file, *where)) from None


def _parsed(readable: str, counted: str, file: str, index: int) -> Iterator[Document]:
    done = 0
    try:
        for start, event in _document_starts(loader := _LOADER(readable)):
            composer = _Composer(loader.get_event)
            value = composer.document(event)
            done = composer.last.end_mark.index
            if value is not None:
                yield Document(value, file, index, _Lines(counted, start, done), composer.count)
                index += 1
    except yaml.YAMLError:
        if (following := _one_more_of_json(counted, done)) is None:
            raise
        yield from _more_of_json(counted, following, file, index)


_NOT_BLANK = re.compile(r"[^ \t\r\n]")
_JSON = json.JSONDecoder()


def _one_more_of_json(text: str, done: int) -> int | None:
    """Where one JSON document follows another: without ``---``, as ``jq`` and logs write them."""
    at = _next(text, done)
    if not (text.startswith("{", at) and text.lstrip().startswith("{")):
        return None
    if not done:  # the first is one already that YAML may not hold
        try:
            _, end = _JSON.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        return at if text[end:].strip() else None
    return at


def _next(text: str, at: int) -> int:
    found = _NOT_BLANK.search(text, at)
    return found.start() if found else len(text)


def _more_of_json(text: str, at: int, file: str, index: int) -> Iterator[Document]:
    line = text.count("\n", 0, at)
    while at < len(text):
        try:
            _, end = _JSON.raw_decode(text, at)
        except json.JSONDecodeError as error:
            line, column = line + text.count("\n", at, error.pos), error.pos - text.rfind("\n", 0, error.pos)
            message = f"not readable as JSON: {error.msg.lower()}"
            raise NotRunnable(Problem(message, "", "yaml/syntax", "", file, line + 1, "", column)) from None
        except RecursionError:
            raise NotRunnable(Problem(_TOO_DEEP, "", "yaml/content", "", file, line + 1)) from None
        try:
            for document in load_all(text[at:end], file):
                yield replace(document, index=index, lines=_Lines(text, _Mark(at, line), end))
                index += 1
        except NotRunnable as error:
            raise NotRunnable(replace(problem, line=problem.line + line) for problem in error.problems) from None
        following = _next(text, end)
        at, line = following, line + text.count("\n", at, following)


def _not_yaml(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    mark: Any = error.problem_mark or error.context_mark
    what = " ".join(part for part in (error.context, error.problem) if part)
    hint = _QUOTED if "scanning a tag" in what else ""
    if "cannot start any token" in what and mark:
        at = text[mark.index : mark.index + 1]
        hint = "indent with spaces, not with tabs" if at == "\t" else f"text that begins with {at} stands in quotes"
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return Problem(f"not readable as YAML: {what}", "", "yaml/syntax", hint, file, line, "", column)


def _document_starts(loader: Any) -> Iterator[tuple[Any, Any]]:
    """Where each document starts, and its first event; the rest of its events is for the caller to take."""
    while not isinstance(event := loader.get_event(), yaml.StreamEndEvent):
        if isinstance(event, yaml.DocumentStartEvent):
            if event.version not in (None, (1, 1)):
                message = "Kubernetes' parser refuses every version but 1.1 in a %YAML line"
                raise _NotRead(event, message, "", "leave the line out")
            yield event.start_mark, loader.get_event()


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a document starts, as the parser's own mark says it."""

    index: int
    line: int
    column: int = 0


class _Lines(Mapping[str, int]):
    """The lines of a document's fields: read again from its text when a problem asks for them, as few ever do."""

    def __init__(self, text: str, start: Any, end: int) -> None:
        self._text, self._start, self._end = text, start, end

    @cached_property
    def _first(self) -> int:
        loader = _LOADER("\n" + self._text[self._start.index - self._start.column : self._end])
        with contextlib.suppress(yaml.YAMLError):
            return _line(next(_document_starts(loader))[1]) + int(self._start.line) - 1
        return 0

    @cached_property
    def _found(self) -> dict[str, int]:
        # From the beginning of the line: the indentation of the first key is that of all. The line before it keeps a
        # byte order mark that is part of the text from being taken for the mark of a file.
        loader = _LOADER("\n" + self._text[self._start.index - self._start.column : self._end])
        found: dict[str, int] = {}
        with contextlib.suppress(yaml.YAMLError):
            _, event = next(_document_starts(loader))
            _Composer(loader.get_event, found).document(event)
        return {path: line + self._start.line - 1 for path, line in found.items()}

    def __getitem__(self, path: str) -> int:
        return self._found[path] if path else self._first

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class _NotRead(Exception):  # noqa: N818  (never leaves this module)
    """Well-formed YAML that is refused."""

    def __init__(self, event: Any, message: str, path: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.event, self.message, self.path, self.hint = event, message, path, hint


_plain_key = lru_cache(maxsize=4096)(key_text)
_plain_value = lru_cache(maxsize=4096)(scalar)
_SHORT = 64
"""Characters of what is kept."""


class _Extent(NamedTuple):
    """How large a value is with its aliases expanded: values in it, and levels below it."""

    nodes: int
    depth: int


_LEAF = _Extent(1, 0)

_Place = tuple[Any, str | int] | None
"""A field: the one around it, and its key or number; None is the document. A path is made of it only when needed."""


class _Composer:
    """Builds the value of one document from PyYAML's events."""

    def __init__(self, take: Callable[[], Any], lines: dict[str, int] | None = None) -> None:
        self._take = take
        self._lines = lines
        self._anchors: dict[str, tuple[Any, _Extent]] = {}
        self.count = 0
        """Values so far, those that aliases repeat counted again."""
        self._deepest = 0

    def document(self, event: Any) -> Any:
        self.last = event
        if self._lines is not None:
            self._lines[""] = _line(event)
        return self._node(event, None, 0)

    def _node(self, event: Any, place: _Place, depth: int) -> Any:
        """The value that starts with this event; ``depth`` also counts levels of ``<<``, which are none of the path."""
        if depth > _MAX_DEPTH:
            raise _NotRead(event, _TOO_DEEP)
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self._alias(event, depth)
        before, above, self._deepest = self.count, self._deepest, depth
        if kind is yaml.ScalarEvent:
            value = _scalar(event)
        elif event.tag not in _COLLECTION_TAGS:
            raise _NotRead(event, f"unknown tag {event.tag}", hint=_QUOTED)
        else:
            self._deepest = depth + 1
            value = self._sequence(place, depth) if kind is yaml.SequenceStartEvent else self._mapping(place, depth)
        self._add(event, 1)
        if event.anchor:
            self._anchors[event.anchor] = (value, _Extent(self.count - before, self._deepest - depth))
        self._deepest = max(self._deepest, above)
        return value

    def _alias(self, event: Any, depth: int) -> Any:
        if event.anchor not in self._anchors:
            raise _NotRead(event, f"alias *{event.anchor} names no anchor before it")
        value, extent = self._anchors[event.anchor]
        if depth + extent.depth > _MAX_DEPTH:
            raise _NotRead(event, f"nested deeper than {_MAX_DEPTH} levels, aliases counted")
        self._deepest = max(self._deepest, depth + extent.depth)
        self._add(event, extent.nodes)
        return value

    def _add(self, event: Any, nodes: int) -> None:
        self.count += nodes
        if self.count > _MAX_NODES:
            raise _NotRead(event, f"more than {_MAX_NODES} values, aliases counted")

    def _sequence(self, place: _Place, depth: int) -> list[Any]:
        take, lines, usual = self._take, self._lines, depth < _MAX_DEPTH
        items: list[Any] = []
        while (kind := type(event := take())) is not yaml.SequenceEndEvent:
            if lines is not None:
                lines.setdefault(_path((place, len(items))), _line(event))
            if usual and kind is yaml.ScalarEvent and event.tag is None and event.anchor is None:
                items.append(self._simple(event))
            else:
                items.append(self._node(event, (place, len(items)), depth + 1))
        self.last = event
        return items

    def _mapping(self, place: _Place, depth: int) -> dict[str, Any]:
        # Most keys and values are scalars without tag and anchor: read here, in half of the time.
        take, lines, usual = self._take, self._lines, depth < _MAX_DEPTH
        mapping: dict[str, Any] = {}
        own: Container[str] = mapping
        while (kind := type(event := take())) is not yaml.MappingEndEvent:
            simple = kind is yaml.ScalarEvent and event.tag is None and event.anchor is None
            key = (event.value if event.style else _plain_key(event.value)) if simple else None
            if kind is yaml.ScalarEvent and event.value == "<<" and not event.style:
                # Like Kubernetes' parser, which takes '<<' as if its keys stood there: later keys win, earlier lose.
                own = set(mapping) if own is mapping else own
                mapping.update(_merged(event, self._node(take(), place, depth + 1)))
                continue
            if key is None:
                key = self._key(event)
            if key in own:
                raise _NotRead(event, f"key {key!r} is there twice", _path((place, key)))
            if isinstance(own, set):
                own.add(key)
            if lines is not None:
                lines[_path((place, key))] = _line(event)
            event = take()
            if usual and type(event) is yaml.ScalarEvent and event.tag is None and event.anchor is None:
                mapping[key] = self._simple(event)
            else:
                mapping[key] = self._node(event, (place, key), depth + 1)
        self.last = event
        return mapping

    def _simple(self, event: Any) -> Any:
        """The value of a scalar without tag and anchor."""
        self.count += 1
        if self.count > _MAX_NODES:
            self._add(event, 0)
        text = event.value
        value = text if event.style else _plain_value(text) if len(text) < _SHORT else scalar(text)
        return value if type(value) is not float else _scalar(event)

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise _NotRead(event, "a key must be a plain value")
        plain = not event.style and event.tag is None
        key = key_text(event.value) if plain else event.value
        if key is None or event.tag not in (None, "!", _STRING_TAG):
            raise _NotRead(event, f"{event.value or 'nothing'!r} cannot be a key: a string is expected")
        if event.anchor:
            self._anchors[event.anchor] = (scalar(event.value) if plain else key, _LEAF)
        return str(key)


def _scalar(event: Any) -> Any:
    tag = event.tag
    if tag in (None, "!", _STRING_TAG):
        # The C parser says "" for plain, the Python one None.
        if event.style or tag is not None:
            return event.value
        value = scalar(event.value)
    elif tag in _TAGS:
        value = scalar(event.value)
        if type(value) not in _TAGS[tag]:
            raise _NotRead(event, f"{event.value!r} is not of the type that its tag {tag} says")
    else:
        raise _NotRead(event, f"unknown tag {tag}", hint=_QUOTED)
    if isinstance(value, float) and not math.isfinite(value):
        raise _NotRead(event, f"JSON has no {event.value}, so Kubernetes has not either")
    return value


def _merged(event: Any, value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in reversed(value) if isinstance(value, list) else [value]:
        if not isinstance(part, dict):
            raise _NotRead(event, "'<<' merges mappings only")
        found.update(part)
    return found


def _path(place: _Place) -> str:
    steps: list[str | int] = []
    while place is not None:
        place, step = place
        steps.append(step)
    return format_path(reversed(steps))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


_QUOTED = "text that begins with ! stands in quotes: '!(a in b)'"
_STRING_TAG = "tag:yaml.org,2002:str"
_TAGS: Mapping[str, tuple[type, ...]] = {
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (float, int),
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:null": (type(None),),
}
_COLLECTION_TAGS = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


def _without_what_only_json_may(text: str) -> str:
    r"""JSON may hold what YAML may not, or reads otherwise: ``\ud83d\ude00`` for one character, and some raw ones."""
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "[", '"')) or not _ONLY_JSON.search(text, 1):
        return text
    try:
        json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return text
    joined = _PAIR.sub(lambda pair: pair[1] + json.loads(f'"{pair[2]}"'), text.removeprefix("\ufeff"))
    return _RAW.sub(escape, joined)


_RAW = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_ONLY_JSON = re.compile(rf"{_RAW.pattern}|\\u[dD][89abAB]")
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})+)")


def _not_unicode(error: UnicodeError, file: str) -> Problem:
    if isinstance(error, UnicodeDecodeError):
        line = error.object.count(b"\n", 0, error.start) + 1
        return Problem(f"not UTF-8: {error.reason} at byte {error.start}", code="yaml/encoding", file=file, line=line)
    return Problem("holds half of a surrogate pair, which is no character", code="yaml/encoding", file=file)
