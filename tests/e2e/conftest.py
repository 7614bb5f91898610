"""Sandboxes of the tests, in a cache of programs that is shared and with names of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from argocd_server import serving
from story import ROOT, Team

from apiops_components.sandbox.control_plane import Sandbox
from apiops_components.sandbox.folders import Cache
from apiops_components.sandbox.progress import Progress


@pytest.fixture(scope="session")
def crds(tmp_path_factory):
    """ngrok's definitions: APIOPS_CRDS, those beside this repository, or stand-ins that take any object."""
    for folder in (os.environ.get("APIOPS_CRDS"), ROOT.parent / "shared/crds/ngrok"):
        if folder and Path(folder).is_dir():
            return Path(folder)
    folder = tmp_path_factory.mktemp("crds")
    (folder / "ngrok.yaml").write_text(_STAND_IN)
    return folder


_STAND_IN = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ngroktrafficpolicies.ngrok.k8s.ngrok.com}
spec:
  group: ngrok.k8s.ngrok.com
  names: {kind: NgrokTrafficPolicy, plural: ngroktrafficpolicies, singular: ngroktrafficpolicy}
  scope: Namespaced
  versions:
  - name: v1alpha1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {policy: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
    subresources: {status: {}}
"""


@pytest.fixture(scope="session")
def ctl():
    """`apiopsctl`, as a person runs it."""

    def run(*arguments, code=0, cwd=ROOT, **environment):
        command = [sys.executable, "-c", "from apiops_components.cli import main; main()", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def sandbox():
    """A sandbox by name."""

    def named(name):
        return Sandbox(Cache.of(os.environ), name, os.environ, Progress())

    return named


@pytest.fixture(scope="session")
def full(ctl, crds, sandbox):
    """One with everything, up for as long as these tests run."""
    name = f"e2e-{os.getpid()}"
    ctl("sandbox", "up", "--name", name, "--crds", crds)
    yield sandbox(name)
    ctl("sandbox", "down", "--name", name)


@pytest.fixture(scope="session")
def judge(ctl, crds, sandbox):
    """One whose Argo CD judges what we make for it."""
    name = f"judge-{os.getpid()}"
    ctl("sandbox", "up", "--name", name, "--crds", crds)
    yield sandbox(name)
    ctl("sandbox", "down", "--name", name)


@pytest.fixture(scope="session")
def server(judge):
    """Its API server."""
    with serving(judge) as server:
        yield server


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The example platform, to be changed."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "stacks", folder / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    return folder


@pytest.fixture
def team(project):
    """The shop."""
    team = Team(project)
    yield team
    team.takes_it_out()
