"""A cluster on this machine, by minikube."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import Bool, CheckedModel, Duration, Integer, fault, matching
from apiops_components.versions import MINIKUBE_KUBERNETES

__all__ = ["MinikubeSpec", "Profile"]

Profile = Annotated[
    str,
    matching(
        r"(?!.*-m\d\d+$)[a-z0-9][-a-z0-9]*[a-z0-9]",
        40,
        "minikube/profile",
        "a profile (lower-case letters, digits and '-', two or more, not ending as a node does, in -m02)",
    ),
]
"""Name of a minikube profile; drivers make host names of it and add to it, hence the 40 characters. ``dev-m02`` is the
second node of a profile ``dev``: deleting a profile of that name would take the node away."""

_NUMBER = r"(0|[1-9]\d*)"
_KubernetesVersion = Annotated[
    str,
    matching(
        rf"v{_NUMBER}\.{_NUMBER}(\.{_NUMBER})?",
        20,
        "minikube/kubernetes-version",
        "a version such as v1.30.1 or v1.30",
    ),
]
_Addon = Annotated[str, matching(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", 63, "minikube/addon", "the name of an addon")]

_HIGHLY_AVAILABLE = 3


class MinikubeSpec(CheckedModel):
    """A throw-away cluster for local work.

    minikube ignores a new number of nodes, size or driver on a profile that exists, so a change of those replaces
    the cluster; a higher Kubernetes version and addons are changed in place.
    """

    kind: Literal["minikube"] = "minikube"
    """Tells it from the other clusters."""
    name: Profile | None = None
    """Profile of minikube, and so the context's name; the component's name by default. Change: replaced."""
    driver: Literal["docker", "hyperkit", "hyperv", "kvm2", "podman", "qemu2", "vfkit", "virtualbox"] | None = None
    """What runs the nodes; by default minikube takes the best it finds. Change: replaced."""
    nodes: Annotated[Integer, Field(ge=1, le=10)] = 1
    """Number of nodes. Change: replaced."""
    highly_available: Bool = False
    """At least three control planes; needs as many nodes. Change: replaced."""
    cpus: Annotated[Integer, Field(ge=2)] = 4
    """Processors of each node; minikube refuses fewer than 2. Change: replaced."""
    memory_mb: Annotated[Integer, Field(ge=1800)] = 8192
    """Memory of each node in MiB; minikube refuses less than 1800. Change: replaced."""
    disk_gb: Annotated[Integer, Field(ge=2)] = 40
    """Disk of each node in GiB. Change: replaced."""
    kubernetes_version: _KubernetesVersion = f"v{MINIKUBE_KUBERNETES}"
    """Without a patch it is the newest that minikube knows, which is an alpha where minikube is older than that minor
    version. Upwards only: minikube refuses a downgrade."""
    container_runtime: Literal["containerd", "cri-o", "docker"] = "containerd"
    """What runs the containers; GKE's by default. Change: replaced."""
    cni: Literal["auto", "bridge", "calico", "cilium", "flannel", "kindnet"] = "calico"
    """Network of the pods. Calico and Cilium enforce network policies, so that what works here works on GKE; the others
    let everything through. Change: replaced."""
    addons: tuple[_Addon, ...] = ()
    """Addons of minikube, such as ``metrics-server``; removed from the list, one is switched off."""
    gateway_api: Bool = True
    """Installs the standard definitions of the Gateway API, which minikube does not bring."""
    start_timeout: Duration = "10m"
    """How long minikube waits for the cluster to become healthy."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        for position, addon in enumerate(self.addons):
            if addon in self.addons[:position]:
                yield fault("minikube/addon-twice", f"addon {addon!r} is listed twice", "", ["addons", position])
        if self.highly_available and self.nodes < _HIGHLY_AVAILABLE:
            yield fault(
                "minikube/highly-available",
                f"highly_available needs at least {_HIGHLY_AVAILABLE} nodes, got {self.nodes}",
                f"nodes: {_HIGHLY_AVAILABLE}",
                ["nodes"],
            )
