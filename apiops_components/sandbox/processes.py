"""Processes of a sandbox: started apart from whoever starts them, found again and ended by their record.

A process writes its own record, id and second of its start, before it becomes the program. So there is no moment at
which it runs and nobody knows, wherever the command that started it was killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import psutil

from apiops_components.sandbox.folders import Folder
from apiops_components.sandbox.plan import Service

__all__ = ["Processes"]

_MARK = "APIOPS_SANDBOX"
_RECORD_THEN_BECOME = 'echo "$$ $(date +%s)" >"$0.part" && mv "$0.part" "$0" && exec "$@"'
_NEAR = 10
"""Seconds between a process's start and its record, on a machine that is busy."""


_children: dict[Path, subprocess.Popen[bytes]] = {}
"""What this very run started, by record: their parent must ask for them once they have ended."""


class Processes:
    """What runs in a sandbox."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def start(self, service: Service) -> None:
        """Starts a process; its log begins anew."""
        record = self._record(service.name)
        record.unlink(missing_ok=True)
        with self.log(service.name).open("wb") as log:
            _children[record] = subprocess.Popen(
                ["/bin/sh", "-c", _RECORD_THEN_BECOME, str(record), *service.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder.root,
                env=self._environment(service),
                start_new_session=True,
            )

    def names(self) -> list[str]:
        """Every process that has a record, running or not."""
        return sorted(path.name for path in self._folder.records.glob("*") if path.suffix != ".part")

    def find(self, name: str) -> psutil.Process | None:
        """The running process of this name, or None; never another one that was given its id since."""
        if (child := _children.get(self._record(name))) and child.poll() is not None:
            return None
        try:
            pid, started = map(int, self._record(name).read_text().split())
        except (FileNotFoundError, ValueError):
            return None
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            try:
                return process if process.environ().get(_MARK) == self._mark(name) else None
            except psutil.AccessDenied:
                return process if abs(process.create_time() - started) <= _NEAR else None
        except psutil.NoSuchProcess:
            return None

    def exited(self, name: str) -> bool:
        """Whether a process that was started here has ended by itself."""
        child = _children.get(self._record(name))
        return child is not None and child.poll() is not None

    def wait(self, name: str) -> int:
        """The exit code of a process that was started here, when it has ended."""
        child = _children.pop(self._record(name))
        try:
            code = child.wait()
        except BaseException:
            _children[self._record(name)] = child
            self.stop([name])
            raise
        self._record(name).unlink(missing_ok=True)
        return code

    def stop(self, names: Iterable[str], *, patience: float = 5) -> None:
        """Ends processes, in this order, with all that they started; those that do not listen, by force."""
        for name in names:
            process = self.find(name)
            if process is not None:
                _end(process, patience)
            if child := _children.pop(self._record(name), None):
                child.wait()
            self._record(name).unlink(missing_ok=True)

    def log(self, name: str) -> Path:
        """Where it writes."""
        return self._folder.logs / f"{name}.log"

    def last_words(self, name: str, lines: int = 8) -> str:
        """The end of its log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log(name).read_text(errors="replace").splitlines()[-lines:])
        return ""

    def _record(self, name: str) -> Path:
        return self._folder.records / name

    def _environment(self, service: Service) -> dict[str, str]:
        own = {"PATH": f"{self._folder.bin}:{os.environ.get('PATH', os.defpath)}", _MARK: self._mark(service.name)}
        return {**_inherited(os.environ), **own, **service.environment}

    def _mark(self, name: str) -> str:
        return f"{self._folder.root}:{name}"


def _end(process: psutil.Process, patience: float) -> None:
    for sent, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        # It leads a group of its own: what it started goes with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sent)
        if _gone(process, wait):
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _gone(process: psutil.Process, wait: float) -> bool:
    for _ in _ticks(wait):
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
    return False


def _ticks(seconds: float, pause: float = 0.05) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(pause)


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What programs may see of the user's environment: no KUBECONFIG, no tokens, no settings of Argo CD or etcd."""
    names = ("HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "TZ")
    return {name: environment[name] for name in names if name in environment}
