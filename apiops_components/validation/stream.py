"""Checks whole files, in several processes where there is enough to do.

Reading YAML takes most of the time, so a large file is cut where a document begins (a line ``---``) and its pieces are
read side by side. Results come in the order of the documents, as if one process had read them all.
"""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import os
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Literal

from apiops_components.documents import load_all
from apiops_components.errors import NotRunnable, Problem
from apiops_components.validation.definitions import Definitions
from apiops_components.validation.files import contents
from apiops_components.validation.objects import validate
from apiops_components.validation.result import Result

__all__ = ["Checked", "check_files"]

As = Literal["auto", "traffic-policy"]
_PIECE = 128 * 1024
_ENOUGH = 1024 * 1024
"""Bytes from which more processes pay: starting them takes as long as checking half of it."""
_MAX_WORKERS = 4
_DIRECTIVE = re.compile(rb"^%", re.MULTILINE)
_START = re.compile(rb"^---(?=[ \t\r\n])", re.MULTILINE)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a file, or in a piece of one.

    Attributes:
        file: The file.
        documents: How many documents it holds.
        results: What was found in them.
        unreadable: Why the rest could not be read; empty where all was.
    """

    file: str
    documents: int = 0
    results: tuple[Result, ...] = ()
    unreadable: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Piece:
    """Documents of a file: its bytes from line ``above`` on, or why there are none."""

    file: str
    content: bytes = b""
    above: int = 0
    unreadable: tuple[Problem, ...] = ()


def check_files(
    paths: Sequence[str], as_: As = "auto", crds: Sequence[str] = (), kept: dict[str, bytes] | None = None
) -> Iterator[Checked]:
    """Checks every document that the paths stand for by itself, in order.

    Args:
        paths: Files, folders, ``-``.
        as_: How a document is taken.
        crds: Files and folders with CustomResourceDefinitions of more kinds.
        kept: Gets what was read from stdin, which cannot be read again.

    Raises:
        NotRunnable: The definitions cannot be read, or a process that checks was ended from outside.
    """
    definitions = Definitions.read(crds) if crds else None
    pieces, ahead, size = _pieces(paths, kept), list[_Piece](), 0
    while size <= _ENOUGH and (piece := next(pieces, None)) is not None:
        ahead.append(piece)
        size += len(piece.content)
    every = itertools.chain(ahead, pieces)
    if size > _ENOUGH and _workers() > 1:
        yield from _in_order(_side_by_side(every, as_, crds, definitions))
    else:
        yield from _in_order((piece, _check(piece, as_, definitions)) for piece in every)


def _pieces(paths: Iterable[str], kept: dict[str, bytes] | None) -> Iterator[_Piece]:
    for path in paths:
        try:
            for file, content in contents(path):
                if path == "-" and kept is not None:
                    kept[file] = content
                yield from _cut(file, content)
        except NotRunnable as error:
            yield _Piece(path, unreadable=error.problems)


def _cut(file: str, content: bytes) -> Iterator[_Piece]:
    start, above = 0, 0
    if len(content) > 2 * _PIECE and not _DIRECTIVE.search(content) and not content.startswith(_UTF16):
        for match in _START.finditer(content):
            if match.start() - start >= _PIECE:
                yield _Piece(file, content[start : match.start()], above)
                above += content.count(b"\n", start, match.start())
                start = match.start()
    yield _Piece(file, content[start:] if start else content, above)


def _check(piece: _Piece, as_: As, definitions: Definitions | None) -> Checked:
    results: list[Result] = []
    documents, unreadable = 0, piece.unreadable
    try:
        for document in load_all(piece.content, piece.file):
            results += validate(document, as_, definitions)
            documents += 1
    except NotRunnable as error:
        unreadable = error.problems
    return Checked(piece.file, documents, tuple(results), unreadable)


def _in_order(found: Iterable[tuple[_Piece, Checked]]) -> Iterator[Checked]:
    """Numbers of documents and lines as in the whole file; nothing behind what could not be read."""
    documents, broken = 0, False
    for piece, checked in found:
        if piece.above == 0:
            documents, broken = 0, False
        if broken:
            continue
        yield _moved(checked, documents, piece.above) if piece.above else checked
        documents += checked.documents
        broken = bool(checked.unreadable)


def _moved(checked: Checked, documents: int, lines: int) -> Checked:
    def lower(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
        return tuple(replace(problem, line=problem.line + lines if problem.line else 0) for problem in problems)

    results = (
        replace(
            result,
            index=result.index + documents,
            problems=lower(result.problems) if result.problems else (),
            warnings=lower(result.warnings) if result.warnings else (),
        )
        for result in checked.results
    )
    return replace(checked, results=tuple(results), unreadable=lower(checked.unreadable))


# --- more than one process -----------------------------------------------------------------------------------------


def _workers() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, _MAX_WORKERS)


def _side_by_side(
    pieces: Iterator[_Piece], as_: As, crds: Sequence[str], definitions: Definitions | None
) -> Iterator[tuple[_Piece, Checked]]:
    # A fork has everything loaded; elsewhere than on Linux it is not safe, and a fresh process reads it again.
    forked = sys.platform == "linux"
    if forked:
        _Worker.definitions = definitions
    workers = _workers()
    with ProcessPoolExecutor(
        workers,
        multiprocessing.get_context("fork" if forked else "spawn"),
        initializer=_start,
        initargs=(None if forked else tuple(crds),),
    ) as pool:
        waiting: deque[tuple[_Piece, Future[Checked]]] = deque()
        try:
            for piece in pieces:
                waiting.append((piece, pool.submit(_work, piece, as_)))
                if len(waiting) > 2 * workers:  # as much ahead as keeps them busy, not all of the input
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        except BrokenProcessPool:
            message = "a process that checks was ended from outside, perhaps for want of memory"
            raise NotRunnable(Problem(message, code="validate/process")) from None


class _Worker:
    """What a process that checks keeps."""

    definitions: Definitions | None = None


def _start(crds: tuple[str, ...] | None) -> None:
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    if crds:
        _Worker.definitions = Definitions.read(crds)


def _work(piece: _Piece, as_: As) -> Checked:
    return _check(piece, as_, _Worker.definitions)
