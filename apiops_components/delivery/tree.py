"""A folder of rendered manifests, one file an object, and its ``index.json``.

The index lists every file with its sha256, so that it is known which files are ours: others are never touched, and a
folder that holds files but no index is refused (design decision 7).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from apiops_components.documents import dump
from apiops_components.errors import NotRunnable, Problem
from apiops_components.render.manifest import Manifest

__all__ = ["INDEX", "Difference", "Tree", "compare", "write"]

INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class Tree:
    """Files by path, ``/`` between its parts, and the text of the index."""

    files: Mapping[str, str]
    index: str

    @classmethod
    def of(cls, manifests: Iterable[Manifest], *, environment: str, form: Literal["yaml", "json"] = "yaml") -> Tree:
        """The tree of these manifests; the same manifests give the same bytes."""
        files: dict[str, str] = {}
        for manifest in manifests:
            if form == "yaml":
                files[manifest.path] = dump(manifest.object)
            else:
                path = str(PurePosixPath(manifest.path).with_suffix(".json"))
                files[path] = json.dumps(manifest.object, indent=2, ensure_ascii=False) + "\n"
        digests = {path: f"sha256:{hashlib.sha256(files[path].encode()).hexdigest()}" for path in sorted(files)}
        return cls(files, json.dumps({"environment": environment, "files": digests}, indent=2) + "\n")


@dataclass(frozen=True, slots=True)
class Difference:
    """One file that is not as it should be."""

    path: str
    what: Literal["missing", "changed", "left over"]


def compare(tree: Tree, folder: Path) -> list[Difference]:
    """Where the folder differs from the tree; files that are not ours do not count.

    Raises:
        NotRunnable: The folder is not there, or its index is not readable.
    """
    if not folder.is_dir():
        raise NotRunnable(Problem("there is no such folder to check", file=str(folder), code="tree/missing"))
    differences = [
        Difference(path, "changed" if (folder / path).is_file() else "missing")
        for path, text in {**tree.files, INDEX: tree.index}.items()
        if _text(folder / path) != text
    ]
    left = sorted(path for path in _listed(folder) - tree.files.keys() if (folder / path).is_file())
    return sorted([*differences, *(Difference(path, "left over") for path in left)], key=lambda item: item.path)


def write(tree: Tree, folder: Path) -> list[Difference]:
    """Brings the folder to the tree and says what was different; a file that is right already is not touched.

    Raises:
        NotRunnable: The folder holds files and no index, or cannot be written.
    """
    if folder.is_dir() and not (folder / INDEX).is_file() and any(folder.iterdir()):
        raise NotRunnable(
            Problem(
                f"the folder holds files but no {INDEX}, so it is not one that this command wrote",
                file=str(folder),
                code="tree/foreign",
                hint="name an empty or a new folder",
            )
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        differences = compare(tree, folder)
        texts = {**tree.files, INDEX: tree.index}
        # The index last: a run that is broken off leaves one that lists no file it did not write.
        for difference in sorted(differences, key=lambda item: item.path == INDEX):
            target = folder / difference.path
            if difference.what == "left over":
                target.unlink()
                _remove_empty(target.parent, folder)
            else:
                _replace(target, texts[difference.path])
    except OSError as error:
        place = str(error.filename or folder)
        raise NotRunnable(Problem(f"cannot be written: {error.strerror}", file=place, code="tree/write")) from None
    return differences


def _replace(target: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_text(text, encoding="utf-8", newline="\n")
    os.replace(part, target)  # noqa: PTH105  (atomic)


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _text(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return None


def _listed(folder: Path) -> set[str]:
    """The files that the folder's index lists."""
    text = _text(folder / INDEX)
    if text is None:
        return set()
    try:
        content: Any = json.loads(text)
        listed = set(content["files"])
    except (ValueError, KeyError, TypeError):
        raise NotRunnable(
            Problem("is not an index that this command wrote", file=str(folder / INDEX), code="tree/index")
        ) from None
    outside = sorted(path for path in listed if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts)
    if outside:
        raise NotRunnable(
            Problem(f"lists {outside[0]!r}, which is outside the folder", file=str(folder / INDEX), code="tree/index")
        )
    return listed
