"""The engine killed in the middle of Helm's work, and the commands of docs/howto/interrupted-update.md."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import psutil
from installs_stack import NAME

HOW_TO = (Path(__file__).parents[2] / "docs/howto/interrupted-update.md").read_text()
PENDING = (
    "get",
    "secret",
    "-n",
    "argocd",
    "--selector=owner=helm,status in (pending-install,pending-upgrade)",
    "-o",
    "name",
)


def killed(stack):
    """Kills the engine and all that it started once Helm is in the middle of Argo CD."""
    engine = stack.engine
    with (engine.project / "up.log").open("w") as log:
        up = subprocess.Popen(
            ["pulumi", "--non-interactive", "up", "--yes", "--skip-preview", "-s", NAME],
            cwd=engine.project,
            env=engine.environment,
            stdout=log,
            stderr=log,
        )
        deadline = time.monotonic() + 120
        while not stack.kubectl(*PENDING):
            assert up.poll() is None, (engine.project / "up.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        processes = [psutil.Process(up.pid), *psutil.Process(up.pid).children(recursive=True)]
        for process in processes:
            process.kill()
        up.wait()
    assert stack.kubectl(*PENDING)


def commands():
    (block,) = re.findall(r"```sh\n(.*?)```", HOW_TO, re.DOTALL)
    return [line.replace("--stack prod", f"--stack {NAME}") for line in block.splitlines()]


def follow(stack):
    """Types what the how-to says."""
    environment = {**stack.engine.environment, "KUBECONFIG": stack.kubeconfig}
    for line in commands():
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=stack.engine.project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def releases(stack):
    """Status of the newest revision of each release."""
    found = json.loads(stack.kubectl("get", "secret", "-A", "--selector=owner=helm", "-o", "json"))["items"]
    labels = sorted((item["metadata"]["labels"] for item in found), key=lambda label: int(label["version"]))
    return {label["name"]: label["status"] for label in labels}
