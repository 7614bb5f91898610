"""Where the sandbox keeps what it makes: one cache a user, one folder a sandbox in it."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apiops_components.errors import NotRunnable, Problem

__all__ = ["CACHE_VARIABLE", "Cache", "Folder", "file_errors"]

CACHE_VARIABLE = "APIOPS_CACHE_DIR"
"""Names another folder for the cache."""


@dataclass(frozen=True, slots=True)
class Cache:
    """Programs, definitions and sandboxes of one user."""

    root: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Cache:
        """The cache that these variables say: APIOPS_CACHE_DIR, or ``apiops`` in the user's cache folder."""
        if named := environment.get(CACHE_VARIABLE):
            return cls(Path(named).absolute())
        base = environment.get("XDG_CACHE_HOME")
        return cls(Path(base) / "apiops" if base else Path.home() / ".cache" / "apiops")

    @property
    def programs(self) -> Path:
        """Built programs, one folder a version."""
        return self.root / "programs"

    @property
    def definitions(self) -> Path:
        """Definitions and kwok's stages, one folder a version."""
        return self.root / "definitions"

    @property
    def sandboxes(self) -> Path:
        """One folder a sandbox."""
        return self.root / "sandboxes"

    def sandbox(self, name: str) -> Folder:
        """The folder of a sandbox, whether it is there or not."""
        return Folder(self.sandboxes / name)

    def names(self) -> list[str]:
        """The sandboxes that are there."""
        return sorted(path.name for path in self.sandboxes.glob("*/") if path.is_dir())


@dataclass(frozen=True, slots=True)
class Folder:
    """Everything of one sandbox."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held by whoever changes the sandbox; beside the folder, which may go."""
        return self.root.with_name(f"{self.root.name}.lock")

    @property
    def state(self) -> Path:
        """What was chosen for it: ports, programs."""
        return self.root / "state.json"

    @property
    def kubeconfig(self) -> Path:
        """Of an administrator."""
        return self.root / "kubeconfig"

    @property
    def certificates(self) -> Path:
        """Its own authority, certificates and keys."""
        return self.root / "certificates"

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.root / "logs"

    @property
    def records(self) -> Path:
        """One file a process: its id and when it began."""
        return self.root / "processes"

    @property
    def bin(self) -> Path:
        """Before PATH for its processes."""
        return self.root / "bin"

    @property
    def redis(self) -> Path:
        """Settings and password of the cache."""
        return self.root / "redis"

    @property
    def pulumi(self) -> Path:
        """State and settings of Pulumi."""
        return self.root / "pulumi"

    @property
    def repository(self) -> Path:
        """The Git repository that Argo CD watches."""
        return self.root / "repository"


@contextmanager
def file_errors(what: str) -> Iterator[None]:
    """Turns an error of the file system into one that says the next step.

    Raises:
        NotRunnable: Instead of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise NotRunnable(_problem(what, error)) from None


def _problem(what: str, error: OSError) -> Problem:
    file = str(error.filename or "")
    message = f"{what}: {error.strerror or error}"
    if isinstance(error, PermissionError):
        hint = f"it belongs to another user, perhaps root; own it (sudo chown -R $USER) or set {CACHE_VARIABLE}"
        return Problem(message, code="sandbox/permission", hint=hint, file=file)
    if error.errno in _FULL:
        hint = f"free some space, or set {CACHE_VARIABLE} to a folder on another disk; then run it again"
        return Problem(message, code="sandbox/disk", hint=hint, file=file)
    return Problem(message, code="sandbox/file", file=file)


_FULL = {errno.ENOSPC, errno.EDQUOT}
