"""The documents of one run together: what `references` finds is told on the documents that refer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from apiops_components.documents import Document, load_all
from apiops_components.errors import NotRunnable, Problem, join_path
from apiops_components.validation.references import Found, check_references
from apiops_components.validation.result import Result

__all__ = ["check_together"]


def check_together(results: Sequence[Result], kept: Mapping[str, bytes] | None = None) -> Iterator[tuple[int, Result]]:
    """The results to which something is added, with their positions.

    Args:
        results: Of every document of the run, in order.
        kept: What was read from where it cannot be read again, for the lines of problems.
    """
    found = check_references([result.linked for result in results])
    if not found:
        return
    added: dict[int, list[Found]] = defaultdict(list)
    for one in found:
        added[one.document].append(one)
    lines = _lines([results[position] for position in added], kept or {})
    for position, ones in added.items():
        result = results[position]
        placed = [(one.warning, _placed(one.problem, result, lines.get((result.file, result.index)))) for one in ones]
        problems = (*result.problems, *(problem for warning, problem in placed if not warning))
        warnings = (*result.warnings, *(problem for warning, problem in placed if warning))
        status = "invalid" if problems else result.status
        yield position, replace(result, status=status, problems=problems, warnings=warnings)


def _placed(problem: Problem, result: Result, document: Document | None) -> Problem:
    prefix = result.linked.prefix if result.linked is not None else ""
    line = document.line(join_path(prefix, problem.path)) if document is not None else 0
    title = result.linked.title if result.linked is not None else ""
    return problem.at(file=result.file, line=line, document=title)


def _lines(results: Sequence[Result], kept: Mapping[str, bytes]) -> Mapping[tuple[str, int], Document]:
    """The documents once more, for the lines of their fields: only problems need them, and few documents have any."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for result in results:
        wanted[result.file].add(result.index)
    found: dict[tuple[str, int], Document] = {}
    for file, indices in wanted.items():
        with suppress(NotRunnable, OSError):
            # A pipe can be read once; a problem in what came through it goes without its line.
            content = kept[file] if file in kept else Path(file).read_bytes() if Path(file).is_file() else b""
            for document in load_all(content, file):
                if document.index in indices:
                    found[file, document.index] = document
    return found
