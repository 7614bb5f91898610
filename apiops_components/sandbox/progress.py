"""What a long command says while it works: a bar on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

__all__ = ["Progress"]


class Progress:
    """Steps, on stderr."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()

    @property
    def on_terminal(self) -> bool:
        """Whether a person looks on."""
        return self._terminal

    def say(self, text: str) -> None:
        """One line."""
        print(text, file=self._stream, flush=True)

    @contextmanager
    def step(self, text: str, total: int = 0) -> Iterator[Callable[[], None]]:
        """A step that takes a while; call what it gives for each of ``total`` parts."""
        began = time.monotonic()
        if not self._terminal:
            self.say(f"{text} ...")
            yield lambda: None
        else:
            # Of the steps alone that a person sees: importing it takes longer than --help may.
            from rich.console import Console  # noqa: PLC0415
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
            from rich.progress import Progress as Bar  # noqa: PLC0415

            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            with Bar(*columns, console=Console(file=self._stream), transient=True) as bar:
                task = bar.add_task(text, total=total or None)
                yield lambda: bar.advance(task)
        self.say(f"{text}: {time.monotonic() - began:.1f} s")
