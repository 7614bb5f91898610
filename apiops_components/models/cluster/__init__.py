"""Where a platform runs: a cluster on this machine, one at Google, or one that is there already."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from apiops_components.models.cluster.existing import ExistingSpec
from apiops_components.models.cluster.gke import (
    AuthorizedNetwork,
    GkeSpec,
    MaintenanceWindow,
    NetworkSpec,
    NodePoolSpec,
)
from apiops_components.models.cluster.minikube import MinikubeSpec

__all__ = [
    "AuthorizedNetwork",
    "Cluster",
    "ExistingSpec",
    "GkeSpec",
    "MaintenanceWindow",
    "MinikubeSpec",
    "NetworkSpec",
    "NodePoolSpec",
]

Cluster = Annotated[MinikubeSpec | GkeSpec | ExistingSpec, Field(discriminator="kind")]
"""One of the three; ``kind`` says which."""
