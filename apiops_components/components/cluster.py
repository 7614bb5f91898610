"""The cluster that the settings ask for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pulumi

from apiops_components.components.existing import ExistingCluster
from apiops_components.models.cluster import ExistingSpec, GkeAutopilotSpec, GkeSpec, MinikubeSpec

if TYPE_CHECKING:
    from apiops_components.components.gke import GkeCluster
    from apiops_components.components.minikube import MinikubeCluster

__all__ = ["cluster_of"]


def cluster_of(
    name: str,
    spec: MinikubeSpec | GkeSpec | GkeAutopilotSpec | ExistingSpec,
    *,
    secrets: Mapping[str, pulumi.Input[str]] | None = None,
    opts: pulumi.ResourceOptions | None = None,
) -> "MinikubeCluster | GkeCluster | ExistingCluster":
    """The component for this kind of cluster; all have ``cluster_name``, ``kubeconfig`` and ``provider``.

    Args:
        name: Unique in the stack.
        spec: One of the four kinds.
        secrets: Values of the secrets that the spec names.
        opts: Of the component.
    """
    # The SDK of each cloud takes long to load, pulumi_gcp close to a second: only what is asked for is imported.
    if isinstance(spec, GkeSpec | GkeAutopilotSpec):
        from apiops_components.components.gke import GkeCluster  # noqa: PLC0415

        return GkeCluster(name, spec, opts=opts)
    if isinstance(spec, MinikubeSpec):
        from apiops_components.components.minikube import MinikubeCluster  # noqa: PLC0415

        return MinikubeCluster(name, spec, opts=opts)
    kubeconfig = (secrets or {}).get(spec.kubeconfig_secret) if spec.kubeconfig_secret else None
    return ExistingCluster(name, spec, kubeconfig=kubeconfig, opts=opts)
