"""Trees as they were committed, and as they stand in the work tree: each checked against its own index."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from apiops_components.delivery.git import Repository
from apiops_components.delivery.index import INDEX, Index, read_index
from apiops_components.errors import GuardrailError, Problem

__all__ = ["CommittedTree", "committed", "hand_made", "in_work_tree"]

_MANIFESTS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class CommittedTree:
    """A tree in a commit.

    Attributes:
        index: What its index says.
        files: Path to content of everything that is listed, and of the index itself.
    """

    index: Index
    files: Mapping[str, bytes]


def committed(repository: Repository, commit: str, folder: str) -> CommittedTree | None:
    """The tree in a folder of a commit; None where there is none.

    Raises:
        GuardrailError: It holds something else than its index says: somebody changed it by hand.
        NotRunnable: The index is none that this package wrote.
    """
    blobs = repository.files(commit, folder)
    if INDEX not in blobs:
        return None
    files = repository.contents(blobs)
    index = read_index(files[INDEX].decode("utf-8", "replace"), f"{folder}/{INDEX}")
    if problems := list(hand_made(index, files, folder)):
        raise GuardrailError(problems)
    return CommittedTree(index, {path: files[path] for path in (*index.files, INDEX)})


def in_work_tree(place: Path, folder: str) -> tuple[Index | None, list[Problem]]:
    """The index of a tree in the work tree, and what was changed by hand.

    Raises:
        NotRunnable: The index is none that this package wrote.
    """
    paths = [file for file in sorted(place.rglob("*")) if file.is_file()] if place.is_dir() else []
    files = {file.relative_to(place).as_posix(): file.read_bytes() for file in paths}
    if INDEX not in files:
        return None, []
    index = read_index(files[INDEX].decode("utf-8", "replace"), f"{folder}/{INDEX}")
    return index, list(hand_made(index, files, folder))


def hand_made(index: Index, files: Mapping[str, bytes], folder: str) -> Iterator[Problem]:
    """Where files are not what an index says; Argo CD applies every manifest that is there, listed or not."""
    for path, digest in sorted(index.files.items()):
        content = files.get(path)
        if content is None:
            yield _changed(folder, path, "is missing, though the index lists it")
        elif f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            yield _changed(folder, path, "was changed by hand: it has another digest than the index says")
    for path in _unlisted(index, files):
        yield _changed(folder, path, "was put there by hand: the index does not list it, and Argo CD would apply it")


def _unlisted(index: Index, files: Iterable[str]) -> list[str]:
    """Manifests below a folder of the tree; a README beside the index is applied by nobody."""
    found = (path for path in files if PurePosixPath(path).suffix in _MANIFESTS and "/" in path)
    return sorted(path for path in found if path not in index.files)


def _changed(folder: str, path: str, message: str) -> Problem:
    hint = "take the change back, or make it in the sources and render or promote them"
    return Problem(message, file=f"{folder}/{path}", code="tree/hand-made", hint=hint)
