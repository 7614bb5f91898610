"""Where the provider finds a chart on this machine."""

import os
from pathlib import Path

import pulumi

from apiops_components.project import Project


def located(path: str) -> str:
    """Where the provider finds a chart that the settings name relative to the project.

    Pulumi starts programs and providers in the folder of ``main``, such as ``stacks/``. The result is relative to that,
    wherever this runs, so that two machines, and the preview in process, register the same inputs.
    """
    if Path(path).is_absolute():
        return path
    root = project_root()
    start = Project.load(root).main if (root / "Pulumi.yaml").is_file() else root
    return Path(os.path.relpath(root / path, start)).as_posix()


def project_root() -> Path:
    """The folder of the project whose program runs."""
    return Path(pulumi.runtime.get_root_directory() or ".").resolve()


def installs_charts() -> bool:
    """Whether the program that runs may be the platform's: a team's project stands inside it and installs none."""
    root = project_root()
    return not (root / "Pulumi.yaml").is_file() or Project.load(root).platform.root == root
