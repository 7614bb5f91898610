"""A minikube cluster by the real engine: on the real `minikube`, which has no driver here, and on a stand-in that has.

Needs `pulumi` on PATH; the first part `minikube` and kubectl too. The stand-in keeps its profiles in the home folder,
and no more: what it answers is what v1.38.1 answers, see tests/judges/test_minikube.py.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.engine

NO_DOCKER = """#!/bin/sh
echo "Cannot connect to the Docker daemon" >&2
exit 1
"""
TOKEN = "sentinel-of-minikube"  # noqa: S105
MINIKUBE = """#!/bin/sh
echo "$*" | cut -d' ' -f1-3 >>"$HOME/calls"
profile=$HOME/profiles/dev
case "$1 $*" in
  status*) [ -d "$profile" ] || exit 85; [ -f "$profile/ready" ] || exit 7 ;;
  *--dry-run*) [ ! -f "$HOME/stopped" ] || { echo "X Exiting due to PROVIDER_DOCKER_NOT_RUNNING"; exit 63; } ;;
  start*) mkdir -p "$profile"; [ ! -f "$HOME/slow" ] || sleep 6; touch "$profile/ready" ;;
  delete*) rm -rf "$profile" ;;
esac
"""
KUBECTL = f"""#!/bin/sh
[ "$1" = config ] || exit 0
[ -f "$HOME/profiles/dev/ready" ] || {{ echo "error: context dev does not exist" >&2; exit 1; }}
cat <<'END'
apiVersion: v1
kind: Config
current-context: dev
contexts: [{{name: dev, context: {{cluster: dev, user: dev}}}}]
clusters: [{{name: dev, cluster: {{server: "https://127.0.0.1:9"}}}}]
users: [{{name: dev, user: {{token: {TOKEN}}}}}]
END
"""
PROGRAM = """\
import json, pathlib, pulumi
from apiops_components.components.minikube import MinikubeCluster

cluster = MinikubeCluster("dev", json.loads(pathlib.Path("spec.json").read_text()))
pulumi.export("name", cluster.cluster_name)
pulumi.export("kubeconfig", cluster.kubeconfig)
"""


class Stack:
    """One cluster, with programs of its own that come first on PATH."""

    def __init__(self, folder: Path, programs: dict[str, str]) -> None:
        self.project, self.home, self.bin, self.log = (folder / name for name in ("project", "home", "bin", "log"))
        for made in (self.project, self.home, self.bin, folder / "state"):
            made.mkdir()
        for name, text in programs.items():
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
        (self.project / "Pulumi.yaml").write_text(json.dumps({"name": "local", "runtime": runtime}))
        (self.project / "__main__.py").write_text(PROGRAM)
        self.environment = {
            **os.environ,
            "PULUMI_HOME": os.environ.get("PULUMI_HOME", str(Path.home() / ".pulumi")),
            "HOME": str(self.home),
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "engine tests",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.environment.pop("MINIKUBE_HOME", None)
        self.spec()
        self.run("stack", "init", "dev")

    def spec(self, **spec) -> None:
        (self.project / "spec.json").write_text(json.dumps({"driver": "docker", "gateway_api": False} | spec))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.project,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        with self.start(*arguments) as process:
            said, _ = process.communicate(timeout=300)
        assert process.returncode == code, f"pulumi {' '.join(arguments)}:\n{said}"
        assert TOKEN not in said
        return said

    def up(self, *options: str, code: int = 0) -> str:
        return self.run("up", "--yes", "--skip-preview", "--stack=dev", *options, code=code)

    def unchanged(self) -> None:
        self.run("preview", "--expect-no-changes", "--stack=dev")

    def destroy(self) -> str:
        return self.run("destroy", "--yes", "--skip-preview", "--stack=dev")

    def calls(self) -> list[str]:
        """What minikube was asked since the last time."""
        file = self.home / "calls"
        said = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [line.split()[0] for line in said]

    def commands(self) -> list[dict]:
        """The cluster in the state, where it is there."""
        exported = json.loads(self.run("stack", "export", "--stack=dev"))["deployment"].get("resources", [])
        return [resource for resource in exported if resource["type"] == "command:local:Command"]

    @property
    def ready(self) -> bool:
        return (self.home / "profiles/dev/ready").exists()


def stack_with(folder: Path, **programs: str) -> Stack:
    if shutil.which("pulumi") is None:
        pytest.skip("the pulumi program is not on PATH")
    return Stack(folder, programs)


@pytest.fixture
def stack(tmp_path):
    return stack_with(tmp_path, minikube=MINIKUBE, kubectl=KUBECTL)


def until(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def starting(stack):
    """An update whose minikube has begun, and takes a while."""
    (stack.home / "slow").touch()
    process = stack.start("up", "--yes", "--skip-preview", "--stack=dev")
    until((stack.home / "profiles/dev").exists)
    return process


def test_the_real_minikube_without_a_driver_says_so_each_time_and_leaves_nothing(tmp_path):
    if shutil.which("minikube") is None or shutil.which("kubectl") is None:
        pytest.skip("minikube or kubectl is not on PATH")
    stack = stack_with(tmp_path, docker=NO_DOCKER)
    for _ in range(2):
        said = stack.up(code=1)
        assert "exit status 63" in said
        assert "PROVIDER_DOCKER_NOT_RUNNING" in said
        assert "Cannot connect to the Docker daemon" in said
        assert "Suggestion: Start the Docker service" in said
        assert "set -eu" not in said  # the text of the script would bury it
        assert stack.commands() == []
        assert not list(stack.home.glob(".minikube/profiles/*"))
    stack.destroy()


def test_without_minikube_the_error_names_it(tmp_path):
    stack = stack_with(tmp_path, kubectl=KUBECTL)
    # Nothing but what is needed: where these tests run, minikube may be on PATH.
    pulumi = Path(shutil.which("pulumi"))
    for needed in (pulumi, *pulumi.parent.glob("pulumi-*")):
        (stack.bin / needed.name).symlink_to(needed)
    stack.environment["PATH"] = f"{stack.bin}:/usr/bin:/bin"
    if shutil.which("minikube", path="/usr/bin:/bin"):
        pytest.skip("minikube is installed here for everybody")
    assert "not on PATH: minikube; install what is missing, then run this again" in stack.up(code=1)
    assert stack.commands() == []


def test_up_unchanged_updated_replaced_and_down(stack):
    stack.up()
    assert stack.calls()[:2] == ["status", "start"]
    stack.unchanged()
    stack.run("refresh", "--yes", "--stack=dev")
    stack.unchanged()
    assert set(stack.calls()) == {"update-context"}

    stack.spec(kubernetes_version="v1.99.9")
    stack.up()
    assert [call for call in stack.calls() if call != "update-context"] == ["start"]
    stack.unchanged()

    stack.calls()
    stack.spec(kubernetes_version="v1.99.9", memory_mb=4096)
    stack.up()
    # Deleted first: the other order would start the running profile again and then delete it.
    assert [call for call in stack.calls() if call != "update-context"] == [
        *("status", "start", "delete"),
        *("status", "start"),
    ]
    assert stack.ready
    stack.unchanged()

    stack.destroy()
    assert not stack.ready
    assert not list(stack.home.glob(".kube/apiops/*"))


def test_the_kubeconfig_is_secret_in_the_state_and_shown_to_nobody(stack):
    stack.up()
    assert TOKEN not in stack.run("stack", "export", "--stack=dev")
    assert "[secret]" in stack.run("stack", "output", "--stack=dev")
    state = "".join(file.read_text() for file in stack.project.parent.glob("state/**/*.json"))
    assert '"outputs"' in state
    assert TOKEN not in state
    stack.destroy()


def test_a_cluster_whose_driver_stopped_is_neither_replaced_nor_forgotten(stack):
    stack.up()
    (stack.home / "stopped").touch()
    stack.spec(cpus=2)
    said = stack.up(code=1)
    assert "PROVIDER_DOCKER_NOT_RUNNING" in said
    assert "what runs dev does not answer: start it" in said
    assert stack.ready
    assert len(stack.commands()) == 1
    (stack.home / "stopped").unlink()
    stack.up()
    stack.unchanged()
    stack.destroy()
    assert not stack.ready


def test_killed_while_minikube_starts_it_converges(stack):
    process = starting(stack)
    provider = [child for child in psutil.Process(process.pid).children(recursive=True) if "command" in child.name()]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    until(lambda: not (stack.home / "profiles/dev").exists())
    (stack.home / "slow").unlink()
    for left in provider:  # the engine took none of its providers along
        left.kill()

    stack.run("cancel", "--yes", "--stack=dev")
    stack.run("refresh", "--yes", "--stack=dev", "--clear-pending-creates")
    stack.up()
    stack.unchanged()
    stack.destroy()


def test_a_profile_that_no_state_knows_is_left_alone_until_somebody_deletes_it(stack):
    (stack.home / "profiles/dev").mkdir(parents=True)
    said = stack.up(code=1)
    assert "minikube has a profile dev already" in said
    assert (stack.home / "profiles/dev").exists()
    command = ["minikube", "delete", "-p", "dev"]
    assert " ".join(command) in said
    subprocess.run(command, env=stack.environment, check=True)
    stack.up()
    stack.unchanged()
    stack.destroy()


def test_broken_off_while_minikube_starts_it_leaves_nothing(stack):
    process = starting(stack)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the start failed or was broken off; what it left is deleted" in said
    assert not (stack.home / "profiles/dev").exists()
    (stack.home / "slow").unlink()
    stack.up()
    stack.unchanged()
    stack.destroy()


def test_a_cluster_deleted_by_hand_is_made_again_when_it_is_replaced(stack):
    stack.up()
    subprocess.run(["minikube", "delete", "-p", "dev"], env=stack.environment, check=True)
    stack.unchanged()  # the engine cannot see it
    stack.up("--replace=**::dev-minikube")
    assert stack.ready
    stack.destroy()
