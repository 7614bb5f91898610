"""The scripts of a minikube cluster, and the values of its settings, on the real `minikube`: nothing is downloaded.

Needs `minikube` and kubectl on PATH. No cluster comes to be: `docker` is a stand-in that answers as a daemon would and
makes nothing, and where a start is to succeed, minikube only checks it (`--dry-run`). Started by root the tests run
minikube as nobody, because it refuses root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import get_args

import pytest

from apiops_components.components.minikube import MinikubeCluster
from apiops_components.models.cluster import MinikubeSpec
from apiops_components.testing.pulumi import record

pytestmark = [
    pytest.mark.judges,
    pytest.mark.skipif(not shutil.which("minikube"), reason="minikube is not on PATH"),
    pytest.mark.skipif(sys.platform != "linux", reason="drivers and exit codes are Linux's"),
]

NOBODY = 65534
DOCKER = """#!/bin/sh
case "$1 $2" in
  version*) echo "linux-28.2.2:Docker Engine - Community" ;;
  "system info") echo '{"Driver": "overlay2", "NCPU": 64, "MemTotal": 68719476736, "MemoryLimit": true,
    "OperatingSystem": "Debian", "OSType": "linux", "CgroupDriver": "systemd", "CgroupVersion": "2"}' ;;
  "ps -a") ;;
  *) echo "Error: there is nothing" >&2; exit 1 ;;
esac
"""
STOPPED = """#!/bin/sh
echo "Cannot connect to the Docker daemon" >&2
exit 1
"""
CHECKED_ONLY = """#!/bin/sh
[ "$1" != start ] || set -- "$@" --dry-run
exec {minikube} "$@"
"""
KUBECTL = """#!/bin/sh
echo the kubeconfig
"""


class Machine:
    """A home folder, and a folder of programs that comes first."""

    def __init__(self, folder: Path) -> None:
        self.home, self.bin = folder / "home", folder / "bin"
        self.bin.mkdir()
        self.home.mkdir()
        self.home.chmod(0o777)
        self.install("docker", DOCKER)

    def install(self, name: str, text: str) -> None:
        file = self.bin / name
        file.write_text(text)
        file.chmod(0o755)

    def only_check(self) -> None:
        self.install("minikube", CHECKED_ONLY.format(minikube=shutil.which("minikube")))
        self.install("kubectl", KUBECTL)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.home), "MINIKUBE_IN_STYLE": "false"}
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        return subprocess.run(
            command,
            env=env | environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            **who,
        )

    def script(self, command: str, spec: dict | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        cluster = record(lambda: MinikubeCluster("dev", {"driver": "docker"} | (spec or {})))
        inputs = cluster.one(name="dev-minikube").inputs
        return self.run(*inputs["interpreter"], inputs[command], **(inputs["environment"] | environment))

    @property
    def profiles(self) -> list[str]:
        return sorted(file.parent.name for file in self.home.glob(".minikube/profiles/*/config.json"))


def folder():
    """Not pytest's, where nobody may not look."""
    found = Path(tempfile.mkdtemp(prefix="minikube-"))
    found.chmod(0o755)
    return found


@pytest.fixture
def machine():
    where = folder()
    yield Machine(where)
    shutil.rmtree(where)


@pytest.fixture(scope="module")
def checking():
    where = folder()
    machine = Machine(where)
    machine.only_check()
    yield machine
    shutil.rmtree(where)


@pytest.fixture(scope="module")
def half_made():
    """A start that got as far as the node's volume, and nobody that tidied up."""
    where = folder()
    machine = Machine(where)
    done = machine.run("minikube", "start", "--profile=dev", "--driver=docker", "--nodes=1", "--interactive=false")
    assert done.returncode == 80, done.stderr
    assert machine.profiles == ["dev"]
    yield machine
    shutil.rmtree(where)


def choices(setting):
    return get_args(MinikubeSpec.model_fields[setting].annotation)


ACCEPTED = [
    {},
    {"name": "d1"},
    {"name": f"d{'-' * 38}1"},
    {"cpus": 2, "memory_mb": 1800, "disk_gb": 2},
    {"nodes": 10},
    {"nodes": 3, "highly_available": True},
    {"kubernetes_version": "v1.34"},
    {"kubernetes_version": "v1.34.1"},
    {"start_timeout": "1h30m"},
    *({"cni": name} for name in choices("cni")),
    *({"container_runtime": name} for name in choices("container_runtime")),
    *({"cni": name, "nodes": 3, "highly_available": True} for name in choices("cni")),
]


@pytest.mark.parametrize("spec", ACCEPTED, ids=str)
def test_minikube_accepts_what_the_model_accepts(checking, spec):
    done = checking.script("create", spec)
    assert (done.returncode, done.stdout) == (0, "the kubeconfig\n"), done.stderr
    assert "dry-run validation complete!" in done.stderr
    assert checking.profiles == []


def test_the_kubernetes_of_the_default_is_one_that_minikube_supports(checking):
    said = checking.script("create").stderr
    assert "Specified Kubernetes version" not in said


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({"PROFILE": "d"}, 14),
        ({"CPUS": "1"}, 29),
        ({"MEMORY": "1799"}, 23),
        ({"DISK": "1"}, 14),
        ({"KUBERNETES_VERSION": "v1.35.01"}, 14),
        ({"NODES": "2", "HIGHLY_AVAILABLE": "true"}, 14),
    ],
    ids=str,
)
def test_minikube_refuses_what_the_model_refuses(checking, environment, code):
    assert checking.script("create", **environment).returncode == code


@pytest.mark.parametrize("driver", choices("driver")[0].__args__)
def test_a_driver_is_known_or_that_of_another_system(checking, driver):
    done = checking.script("create", {"driver": driver})
    expected = {"hyperkit": 56, "hyperv": 56, "vfkit": 56, "docker": 0}.get(driver, 65)
    # Not installed, or installed here by chance.
    assert done.returncode in {expected, 0 if expected == 65 else expected}, done.stderr


def test_a_start_that_fails_leaves_nothing_but_its_log(machine):
    done = machine.script("create")
    assert (done.returncode, done.stdout) == (80, ""), done.stderr
    assert "GUEST_PROVISION" in done.stderr
    assert machine.profiles == []
    assert not list(machine.home.glob(".minikube/machines/*"))
    assert machine.run("minikube", "status", "--profile=dev").returncode == 85
    log = machine.home / ".kube" / "apiops" / "dev.log"
    assert f"the start failed or was broken off; what it left is deleted; its log: {log}" in done.stderr
    assert "GUEST_PROVISION" in log.read_text()


def test_where_no_driver_runs_minikube_says_which_it_looked_for(machine):
    machine.install("docker", STOPPED)
    done = machine.script("create")
    assert (done.returncode, done.stdout) == (63, "")
    assert "Cannot connect to the Docker daemon" in done.stderr
    assert machine.profiles == []


def test_a_half_made_profile_is_refused_and_left_alone(half_made):
    done = half_made.script("create")
    assert done.returncode == 17
    assert "minikube has a profile dev already" in done.stderr
    assert half_made.profiles == ["dev"]


@pytest.mark.parametrize("content", ["{}", "{"])
def test_so_is_one_whose_file_is_no_profile_which_minikube_does_not_list(machine, content):
    file = machine.home / ".minikube" / "profiles" / "dev" / "config.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    for made in (file, *list(file.parents)[:3]):
        made.chmod(0o777)
    assert machine.run("minikube", "profile", "list", "--light", "--output=json").stdout == '{"invalid":[],"valid":[]}'
    assert machine.script("create").returncode == 17
    assert machine.profiles == ["dev"]
    assert machine.script("delete").returncode == 0
    assert machine.profiles == []


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"NODES": "2"}, "You cannot change the number of nodes for an existing minikube cluster"),
        ({"CPUS": "8"}, "You cannot change the CPUs for an existing minikube cluster"),
        ({"MEMORY": "4096"}, "You cannot change the memory size for an existing minikube cluster"),
        ({"DISK": "30"}, "You cannot change the disk size for an existing minikube cluster"),
        ({"CONTAINER_RUNTIME": "cri-o"}, ""),
        ({"CNI": "cilium"}, ""),
    ],
    ids=str,
)
def test_on_a_profile_that_exists_these_are_ignored_which_is_why_they_replace_it(half_made, environment, said):
    half_made.only_check()
    try:
        done = half_made.script("update", **environment)
    finally:
        (half_made.bin / "minikube").unlink()
        (half_made.bin / "kubectl").unlink()
    assert "dry-run validation complete!" in done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    ("environment", "code"), [({"DRIVER": "podman"}, 81), ({"KUBERNETES_VERSION": "v1.34.1"}, 106)]
)
def test_on_a_profile_that_exists_these_are_refused(half_made, environment, code):
    done = half_made.script("update", **environment)
    assert done.returncode == code
    assert half_made.profiles == ["dev"]


def test_reading_anew_says_nothing_of_a_cluster_that_does_not_run(half_made):
    recording = record(
        lambda: MinikubeCluster("dev", {}),
        preview=False,
        outputs=lambda resource: {"stdout": "then"} if resource.name == "dev-minikube" else None,
        invokes={"command:local:run": {"stdout": ""}},
    )
    (call,) = recording.invocations
    script = [*call.arguments["interpreter"], call.arguments["command"]]
    for profile in ("dev", "gone"):
        done = half_made.run(*script, PROFILE=profile)
        assert (done.returncode, done.stdout) == (0, "")


def test_while_its_driver_does_not_run_a_cluster_is_not_forgotten(half_made):
    half_made.install("docker", STOPPED)
    done = half_made.script("delete")
    assert done.returncode == 63
    assert "what runs dev does not answer: start it" in done.stderr
    assert half_made.profiles == ["dev"]
    # What minikube itself would have done.
    assert half_made.run("minikube", "delete", "--profile=dev").returncode == 0
    assert half_made.profiles == []
    half_made.install("docker", DOCKER)


def test_a_profile_that_is_gone_is_deleted_without_a_complaint(machine):
    machine.install("docker", STOPPED)
    assert machine.script("delete").returncode == 0


@pytest.mark.parametrize("command", ["create", "delete"])
def test_an_addon_of_no_cluster_fails(machine, command):
    recording = record(lambda: MinikubeCluster("dev", {"addons": ["metrics-server"]}))
    inputs = recording.one(name="dev-addon-metrics-server").inputs
    done = machine.run(*inputs["interpreter"], inputs[command], **inputs["environment"])
    assert done.returncode == 85
    assert 'Profile "dev" not found' in done.stderr
