"""The stack configuration, read through Pulumi: the other reader of the settings beside `project`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import is_config_secret

from apiops_components.components._charts import installs_charts, project_root
from apiops_components.errors import ApiOpsError, InvalidInput
from apiops_components.models.environment import Environment
from apiops_components.project import ENVIRONMENT_KEY, encrypted_settings, parse_environment

_NAMESPACE = "apiops"


def load_environment() -> Environment:
    """The settings of the stack's environment: the object ``apiops:environment``.

    Raises:
        InvalidInput: The settings break the model, or what they take for a chart is none; every problem.
    """
    if is_config_secret(ENVIRONMENT_KEY):  # Pulumi has decrypted it: which value it was cannot be told any more
        raise InvalidInput(encrypted_settings(f'config["{ENVIRONMENT_KEY}"]'))
    stack = pulumi.get_stack()
    file = Path(f"Pulumi.{stack}.yaml")
    value = pulumi.Config(_NAMESPACE).get_object("environment")
    # The first component would be there already when the second finds that its chart is none.
    return parse_environment(value, stack, file=file, charts=project_root() if installs_charts() else None)


def load_secrets(environment: Environment) -> dict[str, pulumi.Output[str]]:
    """The secrets that the settings declare, by name: each a key ``apiops:<name>`` of its own.

    Raises:
        pulumi.ConfigMissingError: One has no value: ``pulumi config set --secret apiops:<name>``.
    """
    config = pulumi.Config(_NAMESPACE)
    return {name: config.require_secret(name) for name in environment.secrets}


def stack_output(stack: str, name: str) -> pulumi.Output[Any]:
    """An output of another stack, such as ``stack_output("organization/apiops-platform/dev", "kubeconfig")``.

    A stack that is not deployed yet has none: that ends the program with one sentence.
    """

    def present(value: Any) -> Any:
        if value is None:
            raise pulumi.RunError(
                f"stack {stack} has no output {name!r}: it is not deployed yet, or does not export it\n"
                f"    hint: deploy it first, with `pulumi up` in its project"
            )
        return value

    return pulumi.StackReference(stack).get_output(name).apply(present)


@contextmanager
def readable_errors() -> Iterator[None]:
    """Lets Pulumi show this package's errors as they are, without a traceback through its modules."""
    try:
        yield
    except ApiOpsError as error:
        raise pulumi.RunError(str(error)) from error
