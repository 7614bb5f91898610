"""Locks between runs of ``apiopsctl``; the kernel lets go of one when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from apiops_components.sandbox.folders import file_errors

__all__ = ["locked"]


@contextmanager
def locked(file: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds the lock; calls ``waiting`` once where somebody else holds it, and waits. Its holder may remove the file.

    Raises:
        NotRunnable: The file cannot be made or opened.
    """
    while True:
        with file_errors("the lock cannot be taken"):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            stream = file.open("a")
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(stream, fcntl.LOCK_EX)
            if not _is(stream, file):  # its holder removed it meanwhile: what we hold, nobody else will ask for
                continue
            yield
            return


def _is(stream: TextIO, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), file.stat())
    except FileNotFoundError:
        return False
