from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from apiops_components.sandbox.control_plane import telling
from apiops_components.sandbox.folders import Folder
from apiops_components.sandbox.kube import wait_for
from apiops_components.sandbox.plan import Probe, Service
from apiops_components.sandbox.processes import Processes

PROBE = Probe("tcp", 9)


@pytest.fixture
def folder(tmp_path):
    folder = Folder(tmp_path / "one")
    for part in (folder.logs, folder.records):
        part.mkdir(parents=True)
    yield folder
    left = Processes(folder)
    left.stop(left.names(), patience=0)


def service(*command: str, name: str = "sleeper") -> Service:
    return Service(name, command, PROBE, {"GREETING": "hello"})


def running(processes: Processes, name: str = "sleeper") -> psutil.Process:
    found = wait_for(lambda: processes.find(name), seconds=20, pause=0.02)
    assert found is not None
    return found


def gone(process: psutil.Process) -> bool:
    """Ended, whether or not whoever inherited it has taken notice."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_process_is_found_again_by_another_run(folder):
    Processes(folder).start(service("sleep", "600"))

    process = running(Processes(folder))
    assert wait_for(lambda: process.cmdline() == ["sleep", "600"], seconds=20, pause=0.02)
    assert process.pid == os.getsid(process.pid)


def test_a_process_goes_with_all_that_it_started(folder):
    processes = Processes(folder)
    processes.start(service("sh", "-c", "sleep 600 & wait"))
    process = running(processes)
    (child,) = wait_for(process.children, seconds=20, pause=0.02)

    processes.stop(["sleeper"])

    assert processes.find("sleeper") is None
    assert wait_for(lambda: gone(child), seconds=20)
    assert processes.names() == []


def test_one_that_does_not_listen_is_ended_by_force(folder):
    processes = Processes(folder)
    processes.start(
        service(
            sys.executable,
            "-c",
            "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)",
        )
    )
    process = running(processes)
    assert wait_for(lambda: processes.last_words("sleeper") == "1", seconds=20, pause=0.02)

    processes.stop(["sleeper"], patience=0.2)

    assert gone(process)


def test_a_stranger_with_a_recorded_id_is_never_touched(folder):
    """The id of a process that ended may have been given to another one since."""
    with subprocess.Popen(["sleep", "600"]) as stranger:
        (folder.records / "sleeper").write_text(f"{stranger.pid} {int(psutil.Process(stranger.pid).create_time())}\n")
        processes = Processes(folder)

        assert processes.find("sleeper") is None
        processes.stop(["sleeper"])
        assert stranger.poll() is None
        stranger.kill()


def test_a_process_of_another_sandbox_is_a_stranger_too(folder, tmp_path):
    other = Folder(tmp_path / "two")
    for part in (other.logs, other.records):
        part.mkdir(parents=True)
    Processes(other).start(service("sleep", "600"))
    process = running(Processes(other))
    (folder.records / "sleeper").write_text((other.records / "sleeper").read_text())

    assert Processes(folder).find("sleeper") is None
    Processes(other).stop(["sleeper"])
    assert gone(process)


@pytest.mark.parametrize("record", ["", "x", "1", "99999999 1", "1 2 3"])
def test_a_record_that_says_nothing_is_no_process(folder, record):
    (folder.records / "sleeper").write_text(record)

    assert Processes(folder).find("sleeper") is None


def test_what_ended_by_itself_is_known_with_its_last_words(folder):
    processes = Processes(folder)
    processes.start(service("sh", "-c", 'echo first; echo "$GREETING"; exit 3'))

    assert wait_for(lambda: processes.exited("sleeper"), seconds=20, pause=0.02)
    assert processes.find("sleeper") is None
    assert processes.last_words("sleeper", lines=1) == "hello"


def test_a_process_sees_little_of_the_user_s_environment(folder, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/home/me/.kube/config")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sentinel")
    monkeypatch.setenv("ETCD_NAME", "theirs")
    processes = Processes(folder)
    processes.start(service("env"))

    assert wait_for(lambda: processes.exited("sleeper"), seconds=20, pause=0.02)
    seen = processes.last_words("sleeper", lines=50)
    assert "GREETING=hello" in seen
    assert not {"KUBECONFIG", "AWS_SECRET_ACCESS_KEY", "ETCD_NAME"} & {line.split("=")[0] for line in seen.splitlines()}


_STARTS_AND_IS_KILLED = """
import os, signal, sys
from pathlib import Path
from apiops_components.sandbox.control_plane import telling
from apiops_components.sandbox.folders import Folder
from apiops_components.sandbox.plan import Probe, Service
from apiops_components.sandbox.processes import Processes
Processes(Folder(Path(sys.argv[1]))).start(Service("sleeper", ("sleep", "600"), Probe("tcp", 9)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_started_is_found_and_ended(folder):
    killed = subprocess.run([sys.executable, "-c", _STARTS_AND_IS_KILLED, str(folder.root)], check=False)
    assert killed.returncode == -signal.SIGKILL

    processes = Processes(folder)
    process = running(processes)
    processes.stop(processes.names())

    assert gone(process)


def test_of_a_log_the_lines_are_told_that_say_what_went_wrong():
    log = "starting\nE1122 failed to listen: port\n\tmain.go:1 +0x28\ngoroutine 1\nmore\nlast\n"

    assert telling(log) == ["E1122 failed to listen: port"]
    assert telling("a\nb\n", most=1) == ["b"]
    assert telling("") == []
