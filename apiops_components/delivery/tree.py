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
    try:
        return _compare(tree, folder, _listed(folder))
    except OSError as error:
        raise NotRunnable(_failed("read", error, folder)) from None


def _compare(tree: Tree, folder: Path, listed: Mapping[str, str]) -> list[Difference]:
    differences = [
        Difference(path, "changed" if (folder / path).is_file() else "missing")
        for path, text in {**tree.files, INDEX: tree.index}.items()
        if _text(folder / path) != text
    ]
    left = (path for path in listed.keys() - tree.files.keys() if (folder / path).is_file())
    return sorted([*differences, *(Difference(path, "left over") for path in left)], key=lambda item: item.path)


def write(tree: Tree, folder: Path) -> list[Difference]:
    """Brings the folder to the tree and says what was different; a file that is right already is not touched.

    Raises:
        NotRunnable: The folder holds files that are not ours, where ours would be or without an index; or it cannot
            be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        listed = _listed(folder)
        differences = _compare(tree, folder, listed)
        if foreign := _foreign(folder, differences, listed):
            raise NotRunnable(foreign)
        texts = {**tree.files, INDEX: tree.index}
        left = {item.path: listed[item.path] for item in differences if item.what == "left over"}
        if differences:
            # First an index of the old files and the new: a run that is broken off leaves none that is not listed.
            _replace(folder / INDEX, _with(tree.index, left))
        for difference in differences:
            target = folder / difference.path
            if difference.what == "left over":
                target.unlink()
                _remove_empty(target.parent, folder)
            elif difference.path != INDEX:
                _replace(target, texts[difference.path])
        if left:
            _replace(folder / INDEX, tree.index)
    except OSError as error:
        raise NotRunnable(_failed("written", error, folder)) from None
    return differences


def _foreign(folder: Path, differences: Iterable[Difference], listed: Mapping[str, str]) -> list[Problem]:
    if not (folder / INDEX).is_file() and any(folder.iterdir()):
        return [
            Problem(
                f"the folder holds files but no {INDEX}, so it is not one that this command wrote",
                file=str(folder),
                code="tree/foreign",
                hint="name an empty or a new folder",
            )
        ]
    return [
        Problem(
            f"stands where a manifest would be written, and {INDEX} does not list it: somebody else wrote it",
            file=str(folder / difference.path),
            code="tree/foreign",
            hint="move it away",
        )
        for difference in differences
        if difference.what == "changed" and difference.path not in {INDEX, *listed}
    ]


def _with(index: str, more: Mapping[str, str]) -> str:
    content = json.loads(index)
    content["files"] = dict(sorted({**content["files"], **more}.items()))
    return json.dumps(content, indent=2) + "\n"


def _failed(what: str, error: OSError, folder: Path) -> Problem:
    return Problem(f"cannot be {what}: {error.strerror}", file=str(error.filename or folder), code="tree/file")


def _replace(target: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        os.replace(part, target)  # noqa: PTH105  (atomic)
    finally:
        part.unlink(missing_ok=True)


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _text(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return None


def _listed(folder: Path) -> dict[str, str]:
    """The files that the folder's index lists, with their digests."""
    file = folder / INDEX
    if not file.is_file():
        return {}
    try:
        content: Any = json.loads(_text(file) or "")
        listed: dict[str, str] = content["files"]
        ours = isinstance(content["environment"], str) and all(v.startswith("sha256:") for v in listed.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        ours = False
    if not ours:
        raise NotRunnable(Problem("is not an index that this command wrote", file=str(file), code="tree/index"))
    outside = sorted(path for path in listed if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts)
    if outside:
        message = f"lists {outside[0]!r}, which is outside the folder"
        raise NotRunnable(Problem(message, file=str(file), code="tree/index"))
    return {path: digest for path, digest in listed.items() if path != INDEX}
