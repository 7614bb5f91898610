"""How Pulumi reaches a cluster: the Kubernetes provider that every cluster component makes alike."""

from collections.abc import Iterable

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
) -> kubernetes.Provider:
    """The provider of a cluster, a child of its component.

    Args:
        component: The cluster's component.
        name: The component's name.
        kubeconfig: Content of the kubeconfig, secret.
        identifier: Says which cluster it is. The provider, and with it everything in the cluster, is replaced only
            where this changes; without it a new address or certificate would do that. It changes where settings
            replace the cluster, and is plain text where the stack makes the cluster: made from an output of a cluster
            that is deleted before its replacement, it stops the engine (seen with 3.260: it closes the old provider,
            then needs it to delete what is in the cluster), and so does the option ``replace_with``. A cluster that
            is replaced by hand keeps its identifier: run ``pulumi refresh`` after that.
        delete_unreachable: Whether what was in the cluster counts as deleted where the cluster cannot be reached.
            Right only where the cluster belongs to the stack.
        depends_on: What must be there before anything can run in the cluster, and stay until all of it is gone.
    """
    return kubernetes.Provider(
        f"{name}-provider",
        kubeconfig=kubeconfig,
        cluster_identifier=identifier,
        delete_unreachable=delete_unreachable,
        # Argo CD and controllers own fields of the same objects; only the API server can keep owners apart.
        enable_server_side_apply=True,
        # Else a new token would delete the Secret and make another of the same name: what reads it would find none in
        # between, or for good where the update breaks off there (seen with 4.34.2).
        enable_secret_mutable=True,
        opts=component.child(depends_on=list(depends_on)),
    )
