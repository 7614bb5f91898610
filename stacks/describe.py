"""What the platform holds in an environment. Pure: same settings, same answer."""

from guardrails import GUARDRAILS

from apiops_components import Description, Environment


def describe(environment: Environment) -> Description:
    """The cluster, ngrok, Argo CD and the teams come from the settings; the guardrails hold for all of them."""
    return Description(environment=environment, guardrails=GUARDRAILS)
