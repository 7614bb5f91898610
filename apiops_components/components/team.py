"""What a team gets from the platform in a cluster: its namespace."""

import pulumi

from apiops_components.components._base import Component
from apiops_components.components._manifests import register
from apiops_components.models.environment import Environment
from apiops_components.render.description import team_namespace


class Team(Component):
    """A team's Namespace, held to the restricted Pod Security Standard unless its settings say why not."""

    namespace: pulumi.Output[str]
    """Its name."""

    def __init__(self, name: str, environment: Environment, *, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the Namespace.

        Args:
            name: The team, as in the settings.
            environment: The settings.
            opts: Of the component.

        Raises:
            InvalidInput: The settings do not know the team.
        """
        manifest = team_namespace(environment, name)
        super().__init__(name, opts)
        (made,) = register(self, [manifest])
        self.namespace = made.metadata.apply(lambda metadata: str(metadata["name"]))
        self.register_outputs({"namespace": self.namespace})
