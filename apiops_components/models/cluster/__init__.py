"""Where a platform runs: on this machine, at Google (Standard or Autopilot), or in a cluster that is there already."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from apiops_components.models.cluster.existing import ExistingSpec
from apiops_components.models.cluster.gke import GkeAutopilotSpec, GkeSpec
from apiops_components.models.cluster.gke_parts import (
    AuthorizedNetwork,
    ExistingNetwork,
    MaintenanceWindow,
    NetworkSpec,
    NodePoolSpec,
)
from apiops_components.models.cluster.minikube import MinikubeSpec

__all__ = [
    "AuthorizedNetwork",
    "Cluster",
    "ExistingNetwork",
    "ExistingSpec",
    "GkeAutopilotSpec",
    "GkeSpec",
    "MaintenanceWindow",
    "MinikubeSpec",
    "NetworkSpec",
    "NodePoolSpec",
]

Cluster = Annotated[MinikubeSpec | GkeSpec | GkeAutopilotSpec | ExistingSpec, Field(discriminator="kind")]
"""One of the four; ``kind`` says which."""
