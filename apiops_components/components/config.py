"""The stack configuration, read through Pulumi: the other reader of the settings beside `project`."""

from collections.abc import Iterator
from contextlib import contextmanager

import pulumi
from pulumi.runtime import is_config_secret

from apiops_components.errors import ApiOpsError, InvalidInput
from apiops_components.models.environment import Environment
from apiops_components.project import ENVIRONMENT_KEY, encrypted_settings, parse_environment

_NAMESPACE = "apiops"


def load_environment() -> Environment:
    """The settings of the stack's environment: the object ``apiops:environment``.

    Raises:
        InvalidInput: The settings break the model; every problem.
    """
    if is_config_secret(ENVIRONMENT_KEY):  # Pulumi has decrypted it: which value it was cannot be told any more
        raise InvalidInput(encrypted_settings(f'config["{ENVIRONMENT_KEY}"]'))
    return parse_environment(pulumi.Config(_NAMESPACE).get_object("environment"), pulumi.get_stack())


def load_secrets(environment: Environment) -> dict[str, pulumi.Output[str]]:
    """The secrets that the settings declare, by name: each a key ``apiops:<name>`` of its own.

    Raises:
        pulumi.ConfigMissingError: One has no value: ``pulumi config set --secret apiops:<name>``.
    """
    config = pulumi.Config(_NAMESPACE)
    return {name: config.require_secret(name) for name in environment.secrets}


@contextmanager
def readable_errors() -> Iterator[None]:
    """Lets Pulumi show this package's errors as they are, without a traceback through its modules."""
    try:
        yield
    except ApiOpsError as error:
        raise pulumi.RunError(str(error)) from error
