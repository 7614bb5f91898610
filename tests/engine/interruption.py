"""The engine killed while it works, and docs/howto/interrupted-update.md typed after it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from installs_stack import NAME, Installs

HOW_TO = (Path(__file__).parents[2] / "docs/howto/interrupted-update.md").read_text()
AFTER_UP, AFTER_DESTROY, IMPORT = re.findall(r"```sh\n(.*?)```", HOW_TO, re.DOTALL)
STEP = re.compile(r" (creating|created|updating|updated|deleting|deleted) \(")
"""How `pulumi` tells of a step, at its start and at its end."""
_PENDING = "--selector=owner=helm,status in (pending-install,pending-upgrade,uninstalling)"


def cut_off(
    stack: Installs,
    command: str,
    when: Callable[[int, str], bool],
    *,
    delay: float = 0,
    status: tuple[str, str] | None = None,
    orphan: bool = False,
) -> str:
    """Runs `pulumi up` or `pulumi destroy` and kills it.

    Args:
        stack: What it works on.
        command: ``up`` or ``destroy``.
        when: Is given the number of a step's line and the line; kills where it says so.
        delay: Seconds from there.
        status: Of which release, and which: waits from there until Helm says so.
        orphan: Kill the engine alone; its provider goes on, and is ended once Helm rests, as the how-to says.

    Returns:
        What was printed; the whole of it where the command came to its end.
    """
    engine = subprocess.Popen(
        ["pulumi", "--non-interactive", command, "--yes", "--skip-preview", "-s", NAME],
        cwd=stack.engine.project,
        env=stack.engine.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said: list[str] = []
    steps = 0
    for line in engine.stdout or ():
        said.append(line)
        steps += STEP.search(line) is not None
        if STEP.search(line) and when(steps, line):
            deadline = time.monotonic() + 60
            while status is not None and releases(stack).get(status[0]) != status[1]:
                assert time.monotonic() < deadline, f"{status} never came"
                time.sleep(0.05)
            time.sleep(delay)
            break
    others = psutil.Process(engine.pid).children(recursive=True) if engine.poll() is None else []
    engine.kill()
    engine.communicate()
    left = [process for process in others if orphan and _is_provider(process)]
    for process in others:
        if process not in left:
            _kill(process)
    if left:
        at_work_until(stack, time.monotonic() + 120)
    for process in left:
        _kill(process)
    return "".join(said)


def at_work_until(stack: Installs, deadline: float) -> None:
    """Waits while Helm is at work; a second longer, for what it begins next."""
    quiet = 0
    while quiet < 2:
        time.sleep(0.5)
        quiet = 0 if stack.kubectl("get", "secret", "-A", _PENDING, "--output=name") else quiet + 1
        assert time.monotonic() < deadline, "Helm is still at work"


def _is_provider(process: psutil.Process) -> bool:
    try:
        return "pulumi-resource-kubernetes" in process.name()
    except psutil.NoSuchProcess:
        return False


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
        process.wait(30)
    except psutil.NoSuchProcess:
        pass


def type_in(stack: Installs, block: str) -> str:
    """Runs a block of the how-to in a shell that stops at the first error."""
    block = block.replace("--stack prod", f"--stack {NAME} --non-interactive")
    # The block for `prod` names its cluster's component; here the cluster is one that is there already.
    block = block.replace("urn:pulumi:prod::", f"urn:pulumi:{NAME}::").replace(":GkeCluster\\$", ":ExistingCluster\\$")
    done = subprocess.run(
        ["/bin/sh", "-euc", block],
        cwd=stack.engine.project,
        env={**stack.engine.environment, "KUBECONFIG": stack.kubeconfig},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}"
    return done.stdout


def pending_operations(stack: Installs) -> list[str]:
    """What the state holds for unfinished."""
    deployment = json.loads(stack.engine.run("stack", "export", "-s", NAME))["deployment"]
    return [item["resource"]["urn"] for item in deployment.get("pending_operations") or []]


def releases(stack: Installs) -> dict[str, str]:
    """Status of the newest revision of each release."""
    found = json.loads(stack.kubectl("get", "secret", "-A", "--selector=owner=helm", "-o", "json"))["items"]
    labels = sorted((item["metadata"]["labels"] for item in found), key=lambda label: int(label["version"]))
    return {label["name"]: label["status"] for label in labels}
