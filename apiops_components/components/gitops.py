"""What one team gets from Argo CD."""

from collections.abc import Mapping
from typing import Any

import pulumi

from apiops_components.components._base import Component, spec_of
from apiops_components.components._manifests import register
from apiops_components.models.argocd import GitOpsSpec
from apiops_components.models.gitops_set import GitOpsSetSpec
from apiops_components.render.argocd import gitops_objects
from apiops_components.render.gitops_set import gitops_set_objects


class GitOpsSet(Component):
    """The Applications of all teams on every cluster of an environment, made by one ApplicationSet.

    ``opts.depends_on`` must name the `ArgoCD` component and the teams' `GitOps`: their projects have to be there first.
    """

    def __init__(
        self, name: str, spec: GitOpsSetSpec | Mapping[str, Any], *, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Registers what Argo CD is told of its own cluster, then the ApplicationSet.

        Args:
            name: Unique in the stack.
            spec: Which teams, and what is known of the cluster.
            opts: Of the component; the cluster by ``provider``, Argo CD by ``depends_on``.

        Raises:
            InvalidInput: The spec breaks its model.
        """
        spec = spec_of(GitOpsSetSpec, spec, f"GitOpsSet {name}")
        super().__init__(name, opts)
        cluster, followers = gitops_set_objects(spec)
        (known,) = register(self, [cluster])
        register(self, [followers], depends_on=[known], custom_timeouts=pulumi.CustomTimeouts(delete="30m"))
        self.register_outputs({})


class GitOps(Component):
    """A team's AppProject and, unless an ApplicationSet makes it, its Application.

    ``opts.depends_on`` must name the `ArgoCD` component: Argo CD takes an Application's objects away when it is
    deleted, so it has to outlive it, and so has the project.
    """

    project: pulumi.Output[str]
    """Name of the AppProject."""
    application: pulumi.Output[str]
    """Name of the Application."""

    def __init__(
        self, name: str, spec: GitOpsSpec | Mapping[str, Any], *, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Registers the project, then the application.

        Args:
            name: Unique in the stack.
            spec: Whose, from where and to where.
            opts: Of the component; the cluster by ``provider``, Argo CD by ``depends_on``.

        Raises:
            InvalidInput: The spec breaks its model.
        """
        spec = spec_of(GitOpsSpec, spec, f"GitOps {name}")
        super().__init__(name, opts)
        project, *application = gitops_objects(spec)
        (rules,) = register(self, [project])
        followers = register(
            self,
            application,
            depends_on=[rules],
            # Deletion ends when everything it deployed is gone: longer than the slowest pod takes to drain.
            custom_timeouts=pulumi.CustomTimeouts(delete="30m"),
        )
        self.project = rules.metadata["name"]
        # An ApplicationSet gives it the team's name, too.
        self.application = followers[0].metadata["name"] if followers else pulumi.Output.from_input(spec.team)
        self.register_outputs({"project": self.project, "application": self.application})
