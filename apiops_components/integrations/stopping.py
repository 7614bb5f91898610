"""Signals that end a process, heard where that is safe."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["Stopped", "Stopping"]

_SIGNALS = [found for name in ("SIGINT", "SIGTERM", "SIGHUP") if (found := getattr(signal, name, None)) is not None]


class Stopped(BaseException):
    """A signal came; the exit code is 128 and its number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


class Stopping:
    """Lets what must be undone be undone, whatever comes.

    While it is entered, a signal raises `Stopped` inside `heard` only; one that comes elsewhere is kept, and raised
    when the next `heard` begins or the whole ends. So a clean-up outside `heard` is never broken off.
    """

    def __init__(self) -> None:
        self._listening = False
        self._came: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            self._before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if error is None and self._came is not None:
            raise Stopped(self._came)

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._came = number
        if self._listening:
            self._listening = False
            raise Stopped(number)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Where a signal ends the work at once."""
        if self._came is not None:
            raise Stopped(self._came)
        self._listening = True
        try:
            yield
        finally:
            self._listening = False
