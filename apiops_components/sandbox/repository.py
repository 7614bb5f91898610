"""The Git repository that Argo CD watches: bare, on this machine, written in whole commits."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from apiops_components.errors import NotRunnable, Problem

__all__ = ["Repository"]

_BRANCH = "main"
_AUTHOR = "apiopsctl <apiopsctl@localhost>"


class Repository:
    """A bare repository. People clone it, and push to it, as to any other."""

    def __init__(self, path: Path) -> None:
        if shutil.which("git") is None:
            hint = "install git"
            raise NotRunnable(Problem("Argo CD reads from Git, and there is no git", code="sandbox/no-git", hint=hint))
        self.path = path
        if not (path / "HEAD").is_file():
            self._git("init", "--quiet", "--bare", f"--initial-branch={_BRANCH}", str(path), inside=False)

    @property
    def url(self) -> str:
        """As Argo CD reads it."""
        return self.path.as_uri()

    def head(self) -> str | None:
        """The last commit, or None where there is none yet."""
        found = self._git("for-each-ref", "--format=%(objectname)", f"refs/heads/{_BRANCH}").strip()
        return found or None

    def commit(self, folder: str, files: Mapping[str, str], message: str) -> str:
        """Makes a folder hold these files and no other, in one commit; none where it does already. The last commit.

        Nothing is there of a commit that is broken off: the branch moves when all of it is written.
        """
        head = self.head()
        blobs = {f"{folder}/{path}": text.encode() for path, text in files.items()}
        if head and self._blobs(folder) == {path: _blob(content) for path, content in blobs.items()}:
            return head
        # A run that was killed may have left it; whoever writes here holds the sandbox's lock, and a push is short.
        (self.path / "refs" / "heads" / f"{_BRANCH}.lock").unlink(missing_ok=True)
        said = message.encode()
        stream = [
            f"commit refs/heads/{_BRANCH}\ncommitter {_AUTHOR} now\ndata {len(said)}\n".encode() + said + b"\n",
            f"from {head}\n".encode() if head else b"",
            f"D {folder}\n".encode(),
        ]
        for path, content in sorted(blobs.items()):
            stream.append(f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n")
        stream.append(b"done\n")
        self._git("fast-import", "--quiet", "--date-format=now", "--done", given=b"".join(stream))
        return str(self.head())

    def _blobs(self, folder: str) -> dict[str, str]:
        listed = self._git("ls-tree", "-r", "-z", "--format=%(objectname) %(path)", _BRANCH, f"{folder}/")
        pairs = (line.partition(" ") for line in listed.split("\0") if line)
        return {path: name for name, _, path in pairs}

    def _git(self, *arguments: str, given: bytes = b"", inside: bool = True) -> str:
        where = [f"--git-dir={self.path}"] if inside else []
        # Nothing of the user's own Git settings: no signing, no hooks, no templates.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TEMPLATE_DIR": ""}
        done = subprocess.run(
            ["git", *where, *arguments], input=given, env=environment, capture_output=True, check=False
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise NotRunnable(Problem(f"git {arguments[0]} failed: {said}", code="sandbox/git", file=str(self.path)))
        return done.stdout.decode()


def _blob(content: bytes) -> str:
    """What Git calls a file of this content."""
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()
