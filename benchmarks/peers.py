"""What the benchmarks share: one measured process, and where other tools are."""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
GATEWAY_API = "sigs.k8s.io/gateway-api@v1.5.1"


class Run(NamedTuple):
    """Seconds on the clock and of the processors, MiB of the largest process, and what it printed."""

    wall: float
    cpu: float
    memory: float
    output: str


def measured(command: Sequence[str | Path], cwd: Path | None = None) -> Run:
    """A process from start to end; its children count too."""
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{command} ended with {process.returncode}")
    wall = time.perf_counter() - start
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def peak() -> float:
    """MiB of this process at its largest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tool(name: str) -> str | None:
    """Where a program is: on PATH, or in the folder that the variable ``BENCH_TOOLS`` names."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), os.environ.get("BENCH_TOOLS", ""))))


def left_out(name: str, why: str) -> None:
    """Says that a peer is absent."""
    print(f"{name:34} left out: {why}")


def own(*arguments: object) -> list[str | Path]:
    """A script of this folder as a command."""
    return [sys.executable, *map(str, arguments)]
