"""The programs of a sandbox: where each is built from, and how it says its version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from apiops_components import versions

__all__ = ["ARGOCD", "FULL", "PROGRAMS", "REDIS", "SLIM", "Patch", "Program", "go_folder"]


@dataclass(frozen=True, slots=True)
class Patch:
    """One text of one source file that is replaced before the build.

    Attributes:
        module: The module that holds the file.
        file: Path inside the module.
        old: What stands there, once.
        new: What is built instead.
        reason: Why.
    """

    module: str
    file: str
    old: str
    new: str
    reason: str


@dataclass(frozen=True, slots=True)
class Program:
    """One executable.

    Attributes:
        name: Of the executable.
        version: That is pinned.
        go: Folder below ``go/`` with its ``go.mod``.
        package: The main package that is built there.
        version_arguments: Make it print its version.
        version_pattern: What the printed text must hold.
        linker: Flags for Go's linker; without them some call themselves by no version at all.
        environment: Set while it is asked for its version.
        minutes: How long a build takes on two cores with nothing cached, roughly.
        patches: What is changed in its sources.
    """

    name: str
    version: str
    go: str
    package: str
    version_arguments: tuple[str, ...]
    version_pattern: str
    linker: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    minutes: float = 1
    patches: tuple[Patch, ...] = ()

    def is_version(self, printed: str) -> bool:
        """Whether what it printed says that it is the pinned one."""
        return re.search(self.version_pattern, printed) is not None


def go_folder(name: str) -> Path:
    """The folder with the ``go.mod`` of this name; it is part of the installed package."""
    return Path(str(files("apiops_components.sandbox"))) / "go" / name


def _kubernetes(name: str, minutes: float) -> Program:
    version = versions.SANDBOX_KUBERNETES
    major, minor, _ = version.split(".")
    stamp = "k8s.io/component-base/version"
    return Program(
        name=name,
        version=version,
        go="kubernetes",
        package=f"k8s.io/kubernetes/cmd/{name}",
        version_arguments=("--version",),
        version_pattern=rf"^Kubernetes v{re.escape(version)}$",
        linker=(
            f"-X {stamp}.gitVersion=v{version}",
            f"-X {stamp}.gitMajor={major}",
            f"-X {stamp}.gitMinor={minor}",
            f"-X {stamp}.gitTreeState=clean",
        ),
        minutes=minutes,
    )


ETCD = Program(
    name="etcd",
    version=versions.SANDBOX_ETCD,
    go="etcd",
    package="go.etcd.io/etcd/server/v3",
    version_arguments=("--version",),
    version_pattern=rf"etcd Version: {re.escape(versions.SANDBOX_ETCD)}\b",
    minutes=0.6,
)
API_SERVER = _kubernetes("kube-apiserver", 5)
CONTROLLER_MANAGER = _kubernetes("kube-controller-manager", 1.8)
SCHEDULER = _kubernetes("kube-scheduler", 0.4)
KWOK = Program(
    name="kwok",
    version=versions.SANDBOX_KWOK,
    go="kwok",
    package="sigs.k8s.io/kwok/cmd/kwok",
    version_arguments=("--version",),
    version_pattern=rf"kwok version v{re.escape(versions.SANDBOX_KWOK)} ",
    minutes=1.8,
)
ARGOCD = Program(
    name="argocd",
    version=versions.SANDBOX_ARGOCD,
    go="argocd",
    package="github.com/argoproj/argo-cd/v3/cmd",
    version_arguments=("version", "--client", "--short"),
    version_pattern=rf"argocd: v{re.escape(versions.SANDBOX_ARGOCD)}\b",
    linker=(f"-X github.com/argoproj/argo-cd/v3/common.version={versions.SANDBOX_ARGOCD}",),
    environment={"ARGOCD_BINARY_NAME": "argocd"},
    minutes=5,
    patches=(
        Patch(
            module="github.com/argoproj/argo-cd/v3",
            file="controller/appcontroller.go",
            old='"0.0.0.0:%d", metricsPort',
            new='"127.0.0.1:%d", metricsPort',
            reason="The controller's metrics have no flag for their address, and nothing here listens to a network.",
        ),
    ),
)
REDIS = Program(
    name="redis-server",
    version=versions.SANDBOX_MINIREDIS,
    go="redis",
    package=".",
    version_arguments=("--version",),
    # A real one of any version that Argo CD's client speaks to, or ours.
    version_pattern=rf"Redis server v=[6-9]\.|^miniredis v{re.escape(versions.SANDBOX_MINIREDIS)}$",
    minutes=0.3,
)

SLIM = (ETCD, API_SERVER)
FULL = (*SLIM, CONTROLLER_MANAGER, SCHEDULER, KWOK, REDIS, ARGOCD)
PROGRAMS: Mapping[str, Program] = {program.name: program for program in FULL}
