"""A folder of rendered manifests, one file an object, and its ``index.json``.

The index lists every file with its sha256, so that it is known which files are ours: others are never touched, and a
folder that holds files but no index is refused (design decision 7). It is written only where something else is: the
commit that it names is the one whose sources gave this output first.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from apiops_components.delivery.deletions import refuse_deletions
from apiops_components.delivery.index import INDEX, Index, Part, Promotion, read_index
from apiops_components.documents import dump
from apiops_components.errors import NotRunnable, Problem
from apiops_components.render.manifest import Manifest

__all__ = ["INDEX", "Difference", "Tree", "compare", "listed", "write"]


@dataclass(frozen=True, slots=True)
class Tree:
    """Files by path, ``/`` between its parts, and what the index says of them.

    Attributes:
        files: Every file's text by its path, the index left out.
        listing: What the index says.
        only: The one folder that the tree is about; empty for all. What the old index lists elsewhere stays.
    """

    files: Mapping[str, str]
    listing: Index
    only: str = ""

    @classmethod
    def of(
        cls,
        manifests: Iterable[Manifest],
        *,
        environment: str,
        form: Literal["yaml", "json"] = "yaml",
        source: str | None = None,
        promoted: Promotion | None = None,
        only: str = "",
    ) -> Tree:
        """The tree of these manifests; the same manifests give the same bytes."""
        files: dict[str, str] = {}
        parts: dict[tuple[str, str], _Part] = {}
        for manifest in manifests:
            if form == "yaml":
                path, text = manifest.path, dump(manifest.object)
            else:
                path = str(PurePosixPath(manifest.path).with_suffix(".json"))
                text = json.dumps(manifest.object, indent=2, ensure_ascii=False) + "\n"
            files[path] = text
            part = parts.setdefault((manifest.team or "", manifest.component), _Part())
            part.files.append(path)
            part.owner = part.owner or manifest.responsible
        listing = Index(
            environment,
            {path: _digest(files[path]) for path in sorted(files)},
            source,
            promoted,
            tuple(
                Part(component, team, part.owner, tuple(sorted(part.files)))
                for (team, component), part in sorted(parts.items())
            ),
        )
        return cls(files, listing, only)

    @property
    def index(self) -> str:
        """The text of the index."""
        return self.listing.text

    def beside(self, old: Index | None) -> Tree:
        """The tree with what an older index lists outside the one folder that this tree is about."""
        if not self.only or old is None:
            return self
        kept = {path: digest for path, digest in old.files.items() if not self.holds(path)}
        foreign = [
            Part(part.component, part.team, part.owner, files)
            for part in old.parts
            if (files := tuple(path for path in part.files if not self.holds(path)))
        ]
        by_name = {(part.team, part.component): part for part in foreign}
        for part in self.listing.parts:
            there = by_name.get((part.team, part.component), part)
            files = tuple(sorted({*there.files, *part.files}))  # of a component, some may be here and some elsewhere
            by_name[part.team, part.component] = replace(part, owner=part.owner or there.owner, files=files)
        parts = [by_name[name] for name in sorted(by_name)]
        everything = dict(sorted({**kept, **self.listing.files}.items()))
        new = Index(self.listing.environment, everything, self.listing.source, self.listing.promoted, tuple(parts))
        return Tree(self.files, new, self.only)

    def holds(self, path: str) -> bool:
        """Whether a path is in the folder that the tree is about."""
        return not self.only or path.startswith(f"{self.only}/")


@dataclass(slots=True)
class _Part:
    files: list[str] = field(default_factory=list)
    owner: str = ""


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One file that is not as it should be."""

    path: str
    what: Literal["missing", "changed", "left over"]


def compare(tree: Tree, folder: Path) -> list[Difference]:
    """Where the folder differs from the tree; files that are not ours do not count.

    Raises:
        NotRunnable: The folder is not there, its index is not readable, or it is another environment's.
    """
    if not folder.is_dir():
        raise NotRunnable(Problem("there is no such folder to check", file=str(folder), code="tree/missing"))
    try:
        old = listed(folder)
        _check_environment(tree, folder, old)
        return _compare(tree.beside(old), folder, old)
    except OSError as error:
        raise NotRunnable(_failed("read", error, folder)) from None


def _compare(tree: Tree, folder: Path, old: Index | None) -> list[Difference]:
    differences = [
        Difference(path, "changed" if (folder / path).is_file() else "missing")
        for path, text in tree.files.items()
        if _text(folder / path) != text
    ]
    if old is None or _text(folder / INDEX) != old.text or not old.same_output(tree.listing):
        differences.append(Difference(INDEX, "missing" if old is None else "changed"))
    known = old.files.keys() if old else set[str]()
    left = (path for path in known - tree.listing.files.keys() if (folder / path).is_file())
    return sorted([*differences, *(Difference(path, "left over") for path in left)], key=lambda item: item.path)


def write(tree: Tree, folder: Path, *, most_deletions: int | None = None) -> list[Difference]:
    """Brings the folder to the tree and says what was different; a file that is right already is not touched.

    Args:
        tree: What the folder shall hold.
        folder: Where; made where it is not there.
        most_deletions: How many objects may go, and no folder of them whole; None for any.

    Raises:
        NotRunnable: The folder holds files that are not ours, where ours would be or without an index; it is another
            environment's; or it cannot be written.
        DeletionRefused: More would be deleted than may be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        old = listed(folder)
        _check_environment(tree, folder, old)
        tree = tree.beside(old)
        differences = _compare(tree, folder, old)
        if foreign := _foreign(folder, differences, old):
            raise NotRunnable(foreign)
        if most_deletions is not None and old is not None:
            refuse_deletions(old.files, tree.listing.files, most=most_deletions, place=str(folder))
        left = {item.path: old.files[item.path] for item in differences if old and item.what == "left over"}
        if differences:
            # First an index of the old files and the new: a run that is broken off leaves none that is not listed.
            _replace(folder / INDEX, _with(tree.listing, left).text)
        for difference in differences:
            target = folder / difference.path
            if difference.what == "left over":
                target.unlink()
                _remove_empty(target.parent, folder)
            elif difference.path != INDEX:
                _replace(target, tree.files[difference.path])
        if left:
            _replace(folder / INDEX, tree.index)
    except OSError as error:
        raise NotRunnable(_failed("written", error, folder)) from None
    return differences


def _check_environment(tree: Tree, folder: Path, old: Index | None) -> None:
    if old is not None and old.environment != tree.listing.environment:
        message = f"holds environment {old.environment!r}, not {tree.listing.environment!r}"
        hint = "a folder has one environment: name another folder"
        raise NotRunnable(Problem(message, file=str(folder), code="tree/environment", hint=hint))


def _foreign(folder: Path, differences: Iterable[Difference], old: Index | None) -> list[Problem]:
    if old is None and any(folder.iterdir()):
        return [
            Problem(
                f"the folder holds files but no {INDEX}, so it is not one that this command wrote",
                file=str(folder),
                code="tree/foreign",
                hint="name an empty or a new folder",
            )
        ]
    known = old.files.keys() if old else set[str]()
    return [
        Problem(
            f"stands where a manifest would be written, and {INDEX} does not list it: somebody else wrote it",
            file=str(folder / difference.path),
            code="tree/foreign",
            hint="move it away",
        )
        for difference in differences
        if difference.what == "changed" and difference.path not in {INDEX, *known}
    ]


def _with(listing: Index, more: Mapping[str, str]) -> Index:
    files = dict(sorted({**listing.files, **more}.items()))
    return Index(listing.environment, files, listing.source, listing.promoted, listing.parts)


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


def listed(folder: Path) -> Index | None:
    """What the folder's index says; None where it has none.

    Raises:
        NotRunnable: It is none that this package wrote.
    """
    file = folder / INDEX
    return read_index(_text(file), str(file)) if file.is_file() else None
