"""The files that a path on the command line stands for, read within bounds."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from apiops_components.errors import NotRunnable, Problem

__all__ = ["contents"]

_ENDINGS = (".yaml", ".yml", ".json")
_MAX_BYTES = 256 * 1024 * 1024
_PART = 1024 * 1024


def contents(name: str) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file that a path stands for: a file, a folder with all below it, ``-`` for stdin.

    A link to a folder is followed once: one that leads back to where it came from is not walked again.

    Raises:
        NotRunnable: There is no such file, it cannot be read, or the folder holds none. What could be read before it
            has been given.
    """
    if name == "-":
        yield "<stdin>", _bounded(sys.stdin.buffer, "<stdin>")
        return
    path = Path(name)
    try:
        exists, folder = path.exists(), path.is_dir()
    except OSError as error:  # a name that is too long
        raise _unreadable(name, error) from None
    if not exists:
        broken = "a link that leads nowhere" if path.is_symlink() else "there is no such file or folder"
        raise NotRunnable(Problem(broken, file=name, code="file/missing"))
    if not folder:
        yield name, _read(path)
        return
    files = sorted(_walk(path))
    if not files:
        message = f"the folder holds no file ending in {', '.join(_ENDINGS)}"
        raise NotRunnable(Problem(message, file=name, code="file/none"))
    problems: list[Problem] = []
    for file in files:
        try:
            content = _read(file)
        except NotRunnable as error:
            problems += error.problems
        else:
            yield from _but_an_index(file, content)
    if problems:
        raise NotRunnable(problems)


def _but_an_index(file: Path, content: bytes) -> Iterator[tuple[str, bytes]]:
    """The file, unless it is the index that `render` writes beside its manifests: a list of files, and no manifest."""
    if file.name == "index.json":
        with suppress(ValueError, RecursionError):
            value = json.loads(content)
            if isinstance(value, dict) and value.keys() >= {"environment", "files"} and "kind" not in value:
                return
    yield str(file), content


def _walk(folder: Path) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()

    def unreadable(error: OSError) -> None:
        raise _unreadable(str(error.filename), error)

    for root, folders, files in os.walk(folder, followlinks=True, onerror=unreadable):
        place = os.stat(root)  # noqa: PTH116  (os.walk gives text, and a Path for each folder would only cost)
        if (place.st_dev, place.st_ino) in seen:
            folders.clear()
            continue
        seen.add((place.st_dev, place.st_ino))
        folders.sort()
        for file in files:
            path = Path(root, file)
            if path.suffix in _ENDINGS and (path.is_file() or path.is_symlink()):
                yield path


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return _bounded(stream, str(path))
    except OSError as error:
        raise _unreadable(str(path), error) from None


def _bounded(stream: BinaryIO, name: str) -> bytes:
    """All of it, read in parts: to ask for the bound at once would take that much memory for any file."""
    parts: list[bytes] = []
    size = 0
    while part := stream.read(_PART):
        parts.append(part)
        size += len(part)
        if size > _MAX_BYTES:
            message = f"holds more than {_MAX_BYTES // 2**20} MiB"
            raise NotRunnable(Problem(message, file=name, code="file/size", hint="check it in parts"))
    return b"".join(parts) if len(parts) != 1 else parts[0]


def _unreadable(name: str, error: OSError) -> NotRunnable:
    return NotRunnable(Problem(f"cannot be read: {error.strerror}", file=name, code="file/unreadable"))
