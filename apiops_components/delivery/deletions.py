"""The delete guard: what nobody means by accident is refused until somebody says that it is meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from apiops_components.errors import DeletionRefused, Problem

__all__ = ["MOST_DELETIONS", "refuse_deletions"]

MOST_DELETIONS = 10
"""How many objects may go in one step; a renamed API with its workload is seven."""


def refuse_deletions(before: Iterable[str], after: Iterable[str], *, most: int, place: str) -> None:
    """Checks a step from one set of files to another.

    Args:
        before: Paths of the files that are there.
        after: Paths of the files that will be.
        most: How many may go.
        place: The folder, for the message.

    Raises:
        DeletionRefused: More go, or all of a folder: of a namespace, for Argo CD.
    """
    gone = sorted(_objects(before) - _objects(after))
    problems = list(_problems(gone, _objects(before), _objects(after), most))
    if problems:
        hint = "if that is meant: --allow-deletes"
        raise DeletionRefused(Problem(text, code=code, file=place, hint=hint) for code, text in problems)


def _objects(paths: Iterable[str]) -> set[str]:
    """Objects, whichever form their files have."""
    return {str(PurePosixPath(path).with_suffix("")) for path in paths}


def _problems(gone: list[str], before: set[str], after: set[str], most: int) -> Iterator[tuple[str, str]]:
    for folder in sorted({_folder(path) for path in gone} - {_folder(path) for path in after}):
        count = sum(_folder(path) == folder for path in before)
        objects = "its only object" if count == 1 else f"all of its {count} objects"
        yield "deletions/emptied", f"{folder}/ would be emptied: {objects} would be deleted"
    if len(gone) > most:
        named = ", ".join(gone[:3])
        yield "deletions/too-many", f"{len(gone)} objects would be deleted, at most {most} may be: {named}, ..."


def _folder(path: str) -> str:
    return path.partition("/")[0]
