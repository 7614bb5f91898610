"""Drift on a real API server: none where nothing was touched, found after one edit.

`APIOPS_TEST_KUBECONFIG` names a cluster with the definitions of the Gateway API and ngrok; else a sandbox is started.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from apiops_components.sandbox.kube import Cluster

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
NAME = f"drift-{os.getpid()}"
RENDER = ["render", "--env", "staging", "--out", "deploy/staging"]
PERSON = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture(scope="module")
def kubeconfig(request):
    if given := os.environ.get("APIOPS_TEST_KUBECONFIG"):
        yield Path(given)
        return
    ctl, crds = request.getfixturevalue("ctl"), request.getfixturevalue("crds")
    yield Path(ctl("sandbox", "up", "--slim", "--name", NAME, "--crds", crds).strip())
    ctl("sandbox", "down", "--name", NAME)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = tmp_path_factory.mktemp("drift") / "repo"
    shutil.copytree(ROOT / "stacks", root / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", root)
    for command in (
        ["git", "init", "--quiet", "--initial-branch", "main"],
        [sys.executable, "-c", f"from apiops_components.cli import main; main({RENDER})"],
        ["git", "add", "--all"],
        ["git", "commit", "--quiet", "--message", "Tree"],
    ):
        subprocess.run(command, cwd=root, env={**os.environ, **PERSON}, check=True)
    return root


def kubectl(kubeconfig, *arguments, **more):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on PATH")
    command = ["kubectl", "--kubeconfig", str(kubeconfig), "--namespace", "shop", *arguments]
    subprocess.run(command, check=True, capture_output=True, **more)


def deliver(kubeconfig, repository):
    """As Argo CD does: server-side, under its name."""
    kubectl(kubeconfig, "apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller",
            "--recursive", "--filename", str(repository / "deploy/staging/shop"))  # fmt: skip


def test_no_phantom_on_an_untouched_cluster_and_one_edit_is_found(kubeconfig, repository, ctl):
    kubectl(kubeconfig, "create", "namespace", "shop")
    try:
        deliver(kubeconfig, repository)
        options = ("drift", "--env", "staging", "--kubeconfig", kubeconfig)
        assert ctl(*options, cwd=repository) == "staging  no difference\n"

        edit = {**os.environ, "EDITOR": "sed -i s/300/301/"}
        kubectl(kubeconfig, "edit", "ngroktrafficpolicy", "orders", env=edit)
        assert "config.capacity: 300 → 301" in ctl(*options, cwd=repository, code=1)
        deliver(kubeconfig, repository)
        assert ctl(*options, cwd=repository) == "staging  no difference\n"

        kubectl(kubeconfig, "label", "deployment", "orders", "extra=1")
        kubectl(kubeconfig, "scale", "deployment", "orders", "--replicas=7")
        kubectl(kubeconfig, "delete", "service", "orders")
        found = ctl(*options, cwd=repository, code=1)
        assert "+ metadata.labels.extra: 1" in found
        assert "spec.replicas: 3 → 7" in found
        assert "- Service shop/orders  deleted" in found
    finally:
        kubectl(kubeconfig, "delete", "namespace", "shop", "--wait=false")


def test_the_two_clients_read_the_same_objects(kubeconfig):
    """The one that changes nothing, and the sandbox's."""
    from apiops_components.integrations.kubeconfig import read_kubeconfig  # noqa: PLC0415
    from apiops_components.integrations.kubernetes import Cluster as Reading  # noqa: PLC0415

    reading = Reading(read_kubeconfig(kubeconfig))
    found = reading.get("v1", "Namespace", "", "default")
    assert found["metadata"]["name"] == "default"
    assert reading.get("v1", "Namespace", "", "nowhere") is None
    assert reading.get("nowhere.example.com/v1", "Nothing", "", "nowhere") is None
    if "client-certificate-data" in kubeconfig.read_text(encoding="utf-8"):
        assert (
            Cluster(kubeconfig).get({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}) == found
        )
