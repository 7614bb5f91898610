"""A Git repository, through the ``git`` program's plumbing: nothing here changes the work tree or fetches anything.

A commit is made in an index of its own and becomes visible by one update of one ref, which fails when somebody else
was there first (`committing`).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from apiops_components.errors import NotRunnable, Problem

__all__ = ["GitFailed", "Repository"]

# Variables by which a hook, or a person, would point git at another repository or index.
_POINTING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX")
_QUIET = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",  # no command of ours touches a network, not even for an object of a partial clone
    "GIT_LFS_SKIP_SMUDGE": "1",  # the same
    "GIT_NO_REPLACE_OBJECTS": "1",  # what a commit holds is what its hash says
    "GIT_LITERAL_PATHSPECS": "1",
}


class GitFailed(Exception):  # noqa: N818  (always caught, and said with the fix that fits)
    """A ``git`` command failed; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with a work tree.

    Attributes:
        root: The work tree.
    """

    root: Path

    @classmethod
    def around(cls, folder: Path) -> Repository | None:
        """The repository that a folder stands in; None where it stands in none, or there is no ``git``."""
        folder = folder.resolve()
        try:
            return cls(Path(_git(folder, "rev-parse", "--show-toplevel").decode().rstrip("\n")))
        except (GitFailed, NotRunnable):
            return None

    @classmethod
    def of(cls, folder: Path) -> Repository:
        """The repository that a folder stands in.

        Raises:
            NotRunnable: It stands in none.
        """
        try:
            return cls(Path(_git(folder.resolve(), "rev-parse", "--show-toplevel").decode().rstrip("\n")))
        except GitFailed as error:
            message = f"is not in the work tree of a Git repository: {error}"
            raise NotRunnable(Problem(message, file=str(folder), code="git/repository")) from None

    def git(self, *arguments: str, given: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
        """What a ``git`` command prints.

        Raises:
            GitFailed: It failed.
        """
        return _git(self.root, *arguments, given=given, env=env)

    def line(self, *arguments: str) -> str:
        """The same as one line of text."""
        return self.git(*arguments).decode("utf-8", "replace").strip()

    # --- reading ------------------------------------------------------------------------------------------------------

    @property
    def shallow(self) -> bool:
        """Whether the history was cut off."""
        return self.line("rev-parse", "--is-shallow-repository") == "true"

    def commit(self, revision: str) -> str:
        """The hash of the commit that a revision names.

        Raises:
            NotRunnable: It names none here.
        """
        try:
            return self.line("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        except GitFailed:
            raise NotRunnable(self._unknown(revision)) from None

    def _unknown(self, revision: str) -> Problem:
        if self.shallow:
            hint = "this clone is shallow: git fetch --unshallow, or a greater fetch depth in the pipeline"
        else:
            hint = "fetch it first, or name a branch, tag or commit of this repository"
        return Problem(f"unknown revision {revision!r}", file=str(self.root), code="git/revision", hint=hint)

    def is_ancestor(self, first: str, second: str) -> bool:
        """Whether a commit is another one or in its history, as far as that is here."""
        try:
            self.git("merge-base", "--is-ancestor", first, second)
        except GitFailed:
            return False
        return True

    def uncommitted(self, *without: Path) -> list[str]:
        """Paths with changes that are not committed, untracked files among them; below these folders none count."""
        left_out = [self.path(folder) for folder in without if folder.resolve().is_relative_to(self.root)]
        listed = self.git("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames").decode()
        paths = (entry[3:] for entry in listed.split("\0") if entry)
        return [path for path in paths if not any(_below(path, folder) for folder in left_out)]

    def path(self, place: Path) -> str:
        """A place in the work tree as Git names it; empty for all of it."""
        try:
            relative = place.resolve().relative_to(self.root.resolve()).as_posix()
        except ValueError:
            message = f"is outside of the repository {self.root}"
            raise NotRunnable(Problem(message, file=str(place), code="git/path")) from None
        return "" if relative == "." else relative

    def files(self, commit: str, folder: str) -> dict[str, str]:
        """The files below a folder in a commit, by their path in it, with the hash of their content."""
        listed = self.git("ls-tree", "-r", "-z", "--full-tree", commit, *([f"{folder}/"] if folder else [])).decode()
        found = {}
        for entry in filter(None, listed.split("\0")):
            about, _, path = entry.partition("\t")
            found[path.removeprefix(f"{folder}/") if folder else path] = about.split()[2]
        return found

    def contents(self, blobs: Mapping[str, str]) -> dict[str, bytes]:
        """The content of files by path, given the hash of each."""
        given = "".join(f"{blob}\n" for blob in blobs.values()).encode()
        printed = self.git("cat-file", "--batch", given=given)
        found, position = {}, 0
        for path in blobs:
            end = printed.index(b"\n", position)
            size = int(printed[position:end].split()[2])
            found[path] = printed[end + 1 : end + 1 + size]
            position = end + size + 2
        return found

    def read(self, commit: str, path: str) -> bytes | None:
        """The content of a file in a commit; None where it is not there."""
        folder, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
        blobs = {key: blob for key, blob in self.files(commit, "" if folder == "." else folder).items() if key == name}
        return self.contents(blobs)[name] if blobs else None

    def history(self, commit: str, path: str) -> list[str]:
        """The commits that changed a path, the newest first, along first parents."""
        return self.line("log", "--first-parent", "--format=%H", commit, "--", path).split()

    @contextmanager
    def checked_out(self, commit: str) -> Iterator[Path]:
        """All files of a commit in a folder of their own, for as long as they are needed."""
        with tempfile.TemporaryDirectory(prefix="apiops-") as made:
            folder = Path(made).resolve() / "tree"
            folder.mkdir()
            env = {"GIT_INDEX_FILE": str(folder.parent / "index")}
            self.git("read-tree", commit, env=env)
            self.git("checkout-index", "--all", "--quiet", f"--prefix={folder}/", env=env)
            yield folder


def _below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _git(folder: Path, *arguments: str, given: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
    environment = {key: value for key, value in os.environ.items() if key not in _POINTING} | _QUIET | dict(env or {})
    command = ["git", "-c", "core.quotePath=false", "-c", "core.hooksPath=/dev/null", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, input=given, capture_output=True, check=False)
    except FileNotFoundError:
        message = "the program git is needed for this, and is not on PATH" if folder.is_dir() else "is no folder"
        raise NotRunnable(Problem(message, file=str(folder), code="git/missing")) from None
    except OSError as error:
        raise NotRunnable(Problem(f"cannot run git: {error.strerror}", file=str(folder), code="git/missing")) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise GitFailed(said.removeprefix("fatal: ").splitlines()[0] if said else f"git {arguments[0]} failed")
    return done.stdout
