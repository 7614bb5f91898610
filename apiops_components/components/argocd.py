"""Argo CD on a cluster."""

from collections.abc import Mapping
from typing import Any

import pulumi

from apiops_components.components._base import Component, spec_of
from apiops_components.components._helm import release
from apiops_components.components._manifests import Secrets, register
from apiops_components.components._single import one_a_cluster
from apiops_components.models.argocd import ArgoCDSpec
from apiops_components.render.argocd import RELEASE, argocd_objects, argocd_values


class ArgoCD(Component):
    """Argo CD by its Helm chart, in a namespace of its own.

    Whatever it deploys must depend on this component: without Argo CD its Applications cannot be deleted.
    """

    namespace: pulumi.Output[str]
    """Where it runs, and where projects, applications and credentials of repositories belong."""

    def __init__(
        self,
        name: str,
        spec: ArgoCDSpec | Mapping[str, Any],
        *,
        secrets: Secrets | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Registers the Namespace, Secrets and the network policy of Redis, then the release.

        Args:
            name: Unique in the stack.
            spec: What to install.
            secrets: Values of the secrets that the spec names.
            opts: Of the component; the cluster by ``provider``.

        Raises:
            InvalidInput: The spec breaks its model, its chart is none, a secret is missing, or the cluster has an Argo
                CD already.
        """
        spec = spec_of(ArgoCDSpec, spec, f"ArgoCD {name}")
        super().__init__(name, opts)
        one_a_cluster(self, "definitions and cluster roles have the same names in every install")
        namespace, *others = argocd_objects(spec)
        (home,) = register(self, [namespace])
        before = register(self, others, secrets=secrets, depends_on=[home])
        release(
            self,
            "release",
            spec.chart,
            name=RELEASE,
            namespace=spec.namespace,
            values=argocd_values(spec),
            timeout=spec.timeout,
            depends_on=[home, *before],
        )
        self.namespace = home.metadata["name"]
        self.register_outputs({"namespace": self.namespace})
