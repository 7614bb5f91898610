"""How Pulumi reaches a cluster: the Kubernetes provider that every cluster component makes alike."""

from collections.abc import Iterable
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from apiops_components.components._base import Component


def provider(
    component: Component,
    name: str,
    kubeconfig: pulumi.Input[str],
    *,
    identifier: pulumi.Input[str],
    delete_unreachable: bool,
    depends_on: Iterable[pulumi.Resource] = (),
    replace_with: Iterable[pulumi.Resource] = (),
) -> kubernetes.Provider:
    """The provider of a cluster, a child of its component.

    Args:
        component: The cluster's component.
        name: The component's name.
        kubeconfig: Content of the kubeconfig, secret.
        identifier: Says which cluster it is. The provider, and with it everything in the cluster, is replaced only
            where this changes; without it a new address or certificate would do that.
        delete_unreachable: Whether what was in the cluster counts as deleted where the cluster cannot be reached.
            Right only where the cluster belongs to the stack.
        depends_on: What must be there before anything can run in the cluster, and stay until all of it is gone.
        replace_with: The cluster, where the stack makes it: a new one is empty whatever the identifier says.
    """
    options: dict[str, Any] = {"depends_on": list(depends_on)}
    if replace_with:
        options["replace_with"] = list(replace_with)
    return kubernetes.Provider(
        f"{name}-provider",
        kubeconfig=kubeconfig,
        cluster_identifier=identifier,
        delete_unreachable=delete_unreachable,
        # Argo CD and controllers own fields of the same objects; only the API server can keep owners apart.
        enable_server_side_apply=True,
        opts=component.child(**options),
    )
