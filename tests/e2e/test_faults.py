"""Processes and the command itself killed at random moments of a deploy; the next one converges, with nothing lost.

etcd waits for the disk here, as it does where data counts.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest
from story import Team

from apiops_components import Project
from apiops_components.documents import load_all
from apiops_components.sandbox.gitops import delivered, identity

pytestmark = pytest.mark.e2e

NAME = f"faults-{os.getpid()}"
COMMAND = [sys.executable, "-c", "from apiops_components.cli import main; main()"]
VICTIMS = ["etcd", "kube-apiserver", "argocd-application-controller", "argocd-repo-server", "apiopsctl"]
KINDS = [
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("ngrok.k8s.ngrok.com/v1alpha1", "NgrokTrafficPolicy"),
]


@pytest.fixture(scope="module")
def shaken(ctl, crds, sandbox):
    ctl("sandbox", "up", "--name", NAME, "--crds", crds, "--fsync")
    yield sandbox(NAME)
    ctl("sandbox", "down", "--name", NAME)


def arguments(project):
    return ["sandbox", "deploy", "--name", NAME, "--env", "sandbox", "--project", str(project), "--by", "argocd"]


def holds_what_is_described(sandbox, project):
    """All of it is live as it is described, nothing else of its kinds is, and each process runs once."""
    cluster = sandbox.cluster()
    wanted = delivered(Project.load(project), "sandbox", sandbox.folder.repository.as_uri())
    committed = [next(load_all(text)).value for path, text in wanted.files.items() if path != "index.json"]
    everything = (*wanted.applied, *committed)
    for item in everything:
        assert covers(cluster.get(item), {key: item[key] for key in item if key != "status"}), identity(item)
    described = {(item["kind"], item["metadata"]["name"]) for item in everything}
    live = {(kind, item["metadata"]["name"]) for api, kind in KINDS for item in cluster.list(api, kind, "shop")}
    assert live == {each for each in described if each[0] in {kind for _, kind in KINDS}}
    marked = [
        found for process in psutil.process_iter() if (found := mark(process)) and str(sandbox.folder.root) in found
    ]
    assert sorted(set(marked)) == sorted(marked)
    assert len(marked) == 9


def mark(process):
    try:
        # What a program starts inherits its mark; Argo CD runs git now and then.
        return process.environ().get("APIOPS_SANDBOX") if process.pid == os.getsid(process.pid) else None
    except (psutil.Error, ProcessLookupError):
        return None


def covers(live, stated):
    """Whether the live object says all that is stated, whatever the server adds."""
    if isinstance(stated, dict):
        return isinstance(live, dict) and all(covers(live.get(key), value) for key, value in stated.items())
    if isinstance(stated, list):
        return isinstance(live, list) and len(live) == len(stated) and all(map(covers, live, stated))
    return live == stated or str(live) == str(stated)


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.long)])
def test_a_kill_at_any_moment_of_a_deploy_is_made_good_by_the_next(ctl, shaken, project, rounds):
    seed = int(os.environ.get("APIOPS_SEED", time.time_ns() % 1000))
    dice = random.Random(seed)  # noqa: S311
    team = Team(project)
    ctl(*arguments(project))
    for number in range(rounds):
        victim = VICTIMS[(number + seed) % len(VICTIMS)]
        pause = dice.uniform(0.3, 5)
        print(f"APIOPS_SEED={seed}: round {number}: {victim} after {pause:.2f} s")  # noqa: T201
        (team.takes_it_out if number % 2 else team.adds_a_route)()
        with subprocess.Popen([*COMMAND, *arguments(project)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
            time.sleep(pause)
            if victim == "apiopsctl":
                run.kill()
            else:
                os.kill(int((shaken.folder.records / victim).read_text().split()[0]), signal.SIGKILL)
                # It may wait for what no longer runs; a person would not, either.
                try:
                    run.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    run.send_signal(signal.SIGINT)
            said = run.communicate()[0].decode()
        assert "Traceback" not in said

        ctl(*arguments(project))
        holds_what_is_described(shaken, project)


def test_two_deploys_at_once_end_as_one(ctl, shaken, project):
    Team(project).adds_a_route()
    runs = [
        subprocess.Popen([*COMMAND, *arguments(project), "--format", "json"], stdout=subprocess.PIPE) for _ in range(2)
    ]
    printed = [run.communicate()[0] for run in runs]

    assert [run.returncode for run in runs] == [0, 0]
    assert len({json.loads(each)["commit"] for each in printed}) == 1
    holds_what_is_described(shaken, project)


def test_a_start_that_is_killed_is_taken_up_by_the_next(ctl, crds, sandbox):
    name = f"{NAME}-b"
    folder = sandbox(name).folder
    up = ["sandbox", "up", "--name", name, "--crds", str(crds)]
    with subprocess.Popen([*COMMAND, *up], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        while not (folder.records / "kube-apiserver").exists():
            assert run.poll() is None
            time.sleep(0.02)
        run.kill()
    before = (folder.records / "etcd").read_text()

    ctl(*up)

    assert (folder.records / "etcd").read_text() == before
    assert {process.state for process in sandbox(name).status()} == {"ready"}
    ctl("sandbox", "down", "--name", name)
    assert [process for process in psutil.process_iter() if str(folder.root) in (mark(process) or "")] == []
