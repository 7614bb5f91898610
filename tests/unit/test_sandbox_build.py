"""Programs found and built; `go` here is a script that stands in for the compiler, and notes each call."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from io import StringIO
from pathlib import Path

import pytest

from apiops_components.errors import NotRunnable
from apiops_components.sandbox.build import Workshop, key
from apiops_components.sandbox.folders import Cache
from apiops_components.sandbox.go_tool import explain
from apiops_components.sandbox.programs import ETCD, KWOK
from apiops_components.sandbox.progress import Progress

PROGRAM = dataclasses.replace(ETCD, version_pattern="etcd Version: 1")

_GO = r"""#!/bin/sh
echo "$1" >> "{calls}"
while [ "$1" != -o ]; do shift; done
{before}
printf '#!/bin/sh\necho "etcd Version: {version}"\n' > "$2" && chmod +x "$2"
"""


class Machine:
    def __init__(self, folder: Path) -> None:
        self.cache = Cache(folder / "cache")
        self.bin = folder / "bin"
        self.calls = folder / "calls"
        self.said = StringIO()
        self.environment = {"PATH": f"{self.bin}:/usr/bin:/bin"}
        self.bin.mkdir()

    def go(self, before: str = "", version: str = "1") -> None:
        self.script("go", _GO.format(calls=self.calls, before=before, version=version))

    def script(self, name: str, text: str) -> Path:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def builds(self) -> int:
        return len(self.calls.read_text().split()) if self.calls.exists() else 0

    def programs(self) -> Path:
        return Workshop(self.cache, self.environment, Progress(self.said)).programs([PROGRAM])["etcd"]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_a_program_is_built_once_and_it_is_said_how_long_that_takes(machine):
    machine.go()

    first, second = machine.programs(), machine.programs()

    assert first == second == machine.cache.programs / key(PROGRAM) / "etcd"
    assert machine.builds() == 1
    assert machine.said.getvalue().startswith("Building etcd from source, once: about 1 min on 2 cores")


def test_two_runs_at_once_build_it_once(machine):
    machine.go(before="sleep 1")
    runs = [threading.Thread(target=machine.programs) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()

    assert machine.builds() == 1
    assert "another run builds etcd; waiting for it" in machine.said.getvalue()


def test_one_on_the_path_in_the_pinned_version_is_taken(machine):
    there = machine.script("etcd", "#!/bin/sh\necho etcd Version: 1\n")

    assert machine.programs() == there
    assert machine.builds() == 0


def test_one_of_another_version_is_left_alone(machine):
    there = machine.script("etcd", "#!/bin/sh\necho etcd Version: 2\n")
    machine.go()

    assert machine.programs() == machine.cache.programs / key(PROGRAM) / "etcd"
    assert f"{there} is not etcd {PROGRAM.version} and is left alone" in machine.said.getvalue()


def test_the_folder_that_is_named_comes_before_the_path(machine, tmp_path):
    machine.script("etcd", "#!/bin/sh\necho etcd Version: 1\n")
    own = tmp_path / "own"
    own.mkdir()
    (own / "etcd").write_text("#!/bin/sh\necho etcd Version: 1\n")
    (own / "etcd").chmod(0o755)
    machine.environment["APIOPS_SANDBOX_BIN"] = str(own)

    assert machine.programs() == own / "etcd"


@pytest.mark.parametrize("damage", [b"", b"\x7fELF truncated", b"#!/bin/sh\nexit 1\n"])
def test_a_damaged_program_in_the_cache_is_built_again(machine, damage):
    machine.go()
    machine.programs().write_bytes(damage)

    assert machine.programs().read_text().startswith("#!/bin/sh")
    assert machine.builds() == 2
    assert "the cache is damaged" in machine.said.getvalue()


def test_another_source_or_flag_is_another_program():
    assert key(PROGRAM) != key(dataclasses.replace(PROGRAM, linker=("-X a=b",)))
    assert key(ETCD) != key(dataclasses.replace(ETCD, go="kwok"))
    assert key(ETCD) == key(ETCD)
    assert key(ETCD) != key(KWOK)


def test_without_go_the_next_step_is_said(machine, monkeypatch, tmp_path):
    machine.environment["PATH"] = str(tmp_path)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))

    with pytest.raises(NotRunnable) as raised:
        machine.programs()

    assert str(raised.value) == (
        "programs are to be built, and there is no go [sandbox/no-go]\n"
        "    hint: install Go (go.dev), or pip install 'apiops-components[go]', or put the programs into a folder and "
        "name it in APIOPS_SANDBOX_BIN"
    )


def test_a_failed_build_leaves_nothing_and_the_next_one_works(machine):
    machine.go(before="echo 'write x: no space left on device' >&2; exit 1")
    with pytest.raises(NotRunnable, match="the disk is full"):
        machine.programs()
    assert [path for path in machine.cache.programs.iterdir() if path.suffix != ".lock"] == []

    machine.go()
    assert machine.programs().exists()


_BUILDS = """
import dataclasses, os, sys
from pathlib import Path
from apiops_components.sandbox.build import Workshop
from apiops_components.sandbox.folders import Cache
from apiops_components.sandbox.programs import ETCD
from apiops_components.sandbox.progress import Progress
program = dataclasses.replace(ETCD, version_pattern="etcd Version: 1")
Workshop(Cache(Path(sys.argv[1])), os.environ, Progress()).programs([program])
"""


def test_a_build_that_is_killed_leaves_no_lock_and_no_half_a_program(machine):
    machine.go(before="touch $2; sleep 5")
    environment = {**os.environ, **machine.environment}
    with subprocess.Popen([sys.executable, "-c", _BUILDS, str(machine.cache.root)], env=environment) as run:
        while not list(machine.cache.programs.glob(".etcd*/etcd")):
            assert run.poll() is None
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)

    machine.go()
    assert machine.programs().exists()
    assert [path.name for path in machine.cache.programs.glob(".*")] == []


@pytest.fixture
def heeded():
    """Ctrl-C as at a terminal: a shell lets what it starts with & ignore the signal, and so these tests there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
def test_ctrl_c_ends_the_compiler_too(machine, tmp_path):
    machine.go(before=f"echo $$ > {tmp_path}/pid; sleep 30")
    done = threading.Event()

    def interrupt() -> None:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.02)
        time.sleep(0.5)  # the compiler runs already; on a loaded machine whoever started it may not yet know so
        os.kill(os.getpid(), signal.SIGINT)
        done.set()

    def programs_and_wait() -> None:
        machine.programs()
        done.wait()

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        programs_and_wait()
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_what_calls_itself_by_another_version_after_all_is_not_used(machine):
    machine.go(version="7")

    with pytest.raises(NotRunnable, match="does not call itself etcd"):
        machine.programs()


def test_a_file_where_the_cache_should_be_is_told(machine):
    machine.cache.root.write_text("")
    machine.go()

    with pytest.raises(NotRunnable, match=r"the cache cannot be made: (Not a directory|File exists)"):
        machine.programs()


@pytest.mark.parametrize(
    ("stderr", "code"),
    [
        ("go: write /root/.cache/x: no space left on device", "sandbox/disk"),
        ("verifying k8s.io/api@v0.36.3: checksum mismatch\n\tdownloaded: h1:x", "sandbox/checksum"),
        ("go: go.mod requires go >= 1.26.3 (running go 1.25.0; GOTOOLCHAIN=local)", "sandbox/go-version"),
        ("go: k8s.io/api@v0.36.3: reading https://proxy.example/k8s.io/api.mod: 403 Forbidden", "sandbox/proxy"),
        ('go: a@v1: Get "https://proxy.example/": dial tcp: lookup proxy.example: no such host', "sandbox/proxy"),
        ("open /root/.cache/go-build/00: permission denied", "sandbox/permission"),
        ("k8s.io/kubernetes: compile: signal: killed", "sandbox/memory"),
        ("main.go:1: syntax error", "sandbox/build"),
        ("", "sandbox/build"),
    ],
)
def test_a_failure_of_go_is_told_with_the_next_step(stderr, code):
    problem = explain("building x 1", stderr)

    assert problem.code == code
    assert problem.message.startswith("building x 1: ")
    assert problem.hint
