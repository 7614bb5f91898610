"""What a team gets from the platform in a cluster: its namespace, closed by default."""

import pulumi

from apiops_components.components._base import Component
from apiops_components.components._manifests import register
from apiops_components.models.environment import Environment
from apiops_components.render.description import team_objects


class Team(Component):
    """A team's Namespace: its pods are restricted, and talk to nobody that no NetworkPolicy lets them talk to."""

    namespace: pulumi.Output[str]
    """Its name."""

    def __init__(self, name: str, environment: Environment, *, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the Namespace and the NetworkPolicy that closes it.

        Args:
            name: The team, as in the settings.
            environment: The settings.
            opts: Of the component.

        Raises:
            InvalidInput: The settings do not know the team.
        """
        home, *policies = team_objects(environment, name)
        super().__init__(name, opts)
        (made,) = register(self, [home])
        register(self, policies, depends_on=[made])
        self.namespace = made.metadata.apply(lambda metadata: str(metadata["name"]))
        self.register_outputs({"namespace": self.namespace})
