"""etcd and the API server: up, up again, side by side, killed, down."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import urllib3

pytestmark = pytest.mark.e2e

NAME = f"slim-{os.getpid()}"
OTHER = f"{NAME}-b"


@pytest.fixture(scope="module", autouse=True)
def slim(ctl, crds):
    kubeconfig = ctl("sandbox", "up", "--slim", "--name", NAME, "--crds", crds).strip()
    yield kubeconfig
    for name in (NAME, OTHER):
        ctl("sandbox", "down", "--name", name)


def pids(ctl, name=NAME):
    listed = json.loads(ctl("sandbox", "status", "--name", name, "--format", "json"))["processes"]
    assert {process["state"] for process in listed} == {"ready"}
    return {process["name"]: process["pid"] for process in listed}


def test_the_kubeconfig_is_private_and_the_user_s_own_is_left_alone(slim):
    assert stat.S_IMODE(Path(slim).stat().st_mode) == 0o600
    assert "/sandboxes/" in slim


def test_the_definitions_are_there(sandbox):
    cluster = sandbox(NAME).cluster()
    for api_version, kind in (
        ("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ("argoproj.io/v1alpha1", "Application"),
        ("ngrok.k8s.ngrok.com/v1alpha1", "NgrokTrafficPolicy"),
    ):
        assert cluster.list(api_version, kind) == []


def test_nothing_listens_but_on_this_machine_s_own_address(ctl):
    for pid in pids(ctl).values():
        listening = [found.laddr for found in psutil.Process(pid).net_connections() if found.status == "LISTEN"]
        assert listening
        assert {address.ip for address in listening} == {"127.0.0.1"}


def test_without_its_certificate_nobody_gets_in(sandbox):
    folder = sandbox(NAME).folder
    ports = sandbox(NAME).state().ports
    anybody = urllib3.PoolManager(ca_certs=str(folder.certificates / "ca.crt"), retries=False)

    answer = anybody.request("GET", f"https://127.0.0.1:{ports['kube-apiserver']}/api/v1/secrets")
    assert answer.status == 403
    with pytest.raises(urllib3.exceptions.HTTPError, match="certificate required"):
        anybody.request("GET", f"https://127.0.0.1:{ports['etcd']}/health")


def test_up_again_changes_nothing(ctl, slim, sandbox):
    before = pids(ctl)
    sandbox(NAME).cluster().apply(settings("kept"))

    assert ctl("sandbox", "up", "--slim", "--name", NAME).strip() == slim
    assert pids(ctl) == before
    assert sandbox(NAME).cluster().get(settings("kept")) is not None


def test_two_stand_side_by_side(ctl, crds, sandbox):
    ctl("sandbox", "up", "--slim", "--name", OTHER, "--crds", crds)
    sandbox(OTHER).cluster().apply(settings("other"))

    assert not set(pids(ctl).values()) & set(pids(ctl, OTHER).values())
    assert sandbox(NAME).cluster().get(settings("other")) is None
    processes = [psutil.Process(pid) for pid in pids(ctl, OTHER).values()]
    ctl("sandbox", "down", "--name", OTHER)
    assert not any(process.is_running() and process.status() != "zombie" for process in processes)
    assert not sandbox(OTHER).folder.root.exists()
    pids(ctl)


@pytest.mark.parametrize("killed", ["etcd", "kube-apiserver"])
def test_what_was_killed_is_started_again_with_what_it_held(ctl, sandbox, killed):
    sandbox(NAME).cluster().apply(settings(killed))
    before = pids(ctl)
    os.kill(before[killed], signal.SIGKILL)

    status = json.loads(ctl("sandbox", "status", "--name", NAME, "--format", "json", code=1))
    assert {process["name"]: process["state"] for process in status["processes"]}[killed] == "dead"
    ctl("sandbox", "up", "--slim", "--name", NAME)

    after = pids(ctl)
    assert [name for name in before if before[name] != after[name]] == [killed]
    assert sandbox(NAME).cluster().get(settings(killed)) is not None


def test_a_port_that_somebody_took_is_not_fought_over(ctl, sandbox):
    state = sandbox(NAME).state()
    os.kill(pids(ctl)["etcd"], signal.SIGKILL)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        while True:
            try:
                taken.bind(("127.0.0.1", state.ports["etcd"]))
                break
            except OSError:
                continue
        taken.listen()

        ctl("sandbox", "up", "--slim", "--name", NAME)

    assert state.ports["etcd"] != sandbox(NAME).state().ports["etcd"]
    assert sandbox(NAME).cluster().ready()


def test_two_that_start_it_at_once_start_one(ctl):
    ctl("sandbox", "down", "--name", NAME)
    command = [sys.executable, "-c", "from apiops_components.cli import main; main()"]
    command += ["sandbox", "up", "--slim", "--name", NAME]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert len({run.communicate()[0] for run in runs}) == 1
    assert [run.returncode for run in runs] == [0, 0]

    assert len(pids(ctl)) == 2


def test_a_start_that_is_called_off_leaves_nothing(sandbox):
    command = [sys.executable, "-c", "from apiops_components.cli import main; main()"]
    with subprocess.Popen(
        [*command, "sandbox", "up", "--slim", "--name", OTHER], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        folder = sandbox(OTHER).folder
        while not (folder.records / "kube-apiserver").exists():
            assert run.poll() is None
        run.send_signal(signal.SIGTERM)

    assert run.returncode == 130
    assert not folder.root.exists()
    assert not folder.lock.exists()
    alive = [process for process in psutil.process_iter() if process.status() != psutil.STATUS_ZOMBIE]
    assert [process for process in alive if str(folder.root) in " ".join(process.cmdline())] == []


def settings(name):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": {"a": "b"},
    }
