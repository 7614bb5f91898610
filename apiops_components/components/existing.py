"""A cluster that is there already."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from apiops_components import documents
from apiops_components.components import kubeconfig as reach
from apiops_components.components._base import Component, spec_of
from apiops_components.errors import InvalidInput, Problem
from apiops_components.integrations.credentials import unusable
from apiops_components.models.cluster import ExistingSpec
from apiops_components.render.kubeconfig import minify, read, server

DEFAULT_PATH = "~/.kube/config"
"""Where kubectl keeps its kubeconfig."""


class ExistingCluster(Component):
    """Reaches a cluster by one context of a kubeconfig; makes nothing but the provider.

    The provider is replaced, and with it what the stack holds in the cluster, where the address of the server changes.
    """

    cluster_name: pulumi.Output[str]
    """Name of the context."""
    kubeconfig: pulumi.Output[str]
    """The kubeconfig, narrowed to the context; secret."""
    provider: kubernetes.Provider
    """For what is put into the cluster."""
    deleted_with: pulumi.Resource | None
    """None: the stack does not delete this cluster."""

    def __init__(
        self,
        name: str,
        spec: ExistingSpec | Mapping[str, Any],
        *,
        kubeconfig: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Registers the provider.

        Args:
            name: Unique in the stack.
            spec: Which cluster.
            kubeconfig: Content of a kubeconfig, instead of a file: the value of ``spec.kubeconfig_secret``, or another
                stack's output.
            opts: Of the component.

        Raises:
            InvalidInput: The spec breaks its model; the kubeconfig is missing, unreadable or lacks the context; what
                the context names is not there or cannot be used: files, a plugin, a certificate that has not ended.
        """
        spec = spec_of(ExistingSpec, spec, f"ExistingCluster {name}")
        config = _config(spec, kubeconfig, f"ExistingCluster {name}")
        super().__init__(name, opts)
        self.cluster_name = pulumi.Output.unsecret(config.apply(lambda config: str(config["current-context"])))
        self.kubeconfig = pulumi.Output.secret(config.apply(documents.dump))
        self.deleted_with = None
        self.provider = reach.provider(
            self,
            name,
            self.kubeconfig,
            identifier=pulumi.Output.unsecret(config.apply(server)),
            # Not ours: a cluster that cannot be reached is most likely still there, with everything in it.
            delete_unreachable=False,
        )
        self.register_outputs({"cluster_name": self.cluster_name, "kubeconfig": self.kubeconfig})


def _config(spec: ExistingSpec, kubeconfig: pulumi.Input[str] | None, where: str) -> pulumi.Output[dict[str, Any]]:
    if kubeconfig is None:
        if spec.kubeconfig_secret is not None:
            raise InvalidInput(
                Problem(
                    f"no value was given for the secret {spec.kubeconfig_secret!r}",
                    "kubeconfig_secret",
                    "secret/missing",
                    "ExistingCluster(..., kubeconfig=<the secret's Output>)",
                    document=where,
                )
            )
        return pulumi.Output.from_input(_from_file(spec, where))
    if spec.kubeconfig_path is not None:
        raise InvalidInput(
            Problem(
                "a file and a value were given; only one kubeconfig can be used",
                "kubeconfig_path",
                "existing/source",
                "leave one of them out",
                document=where,
            )
        )
    return pulumi.Output.secret(kubeconfig).apply(lambda text: _from_secret(text, spec, where))


def _from_file(spec: ExistingSpec, where: str) -> dict[str, Any]:
    path = Path(spec.kubeconfig_path or DEFAULT_PATH).expanduser().absolute()
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            Problem(
                f"the kubeconfig cannot be read: {error.strerror}",
                "kubeconfig_path",
                "kubeconfig/missing",
                "give the file that KUBECONFIG names, or write one: kubectl config view --flatten > FILE",
                str(path),
                document=where,
            )
        ) from None
    try:
        return minify(read(text, str(path)), spec.context, folder=str(path.parent), file=str(path), check=unusable)
    except InvalidInput as error:
        raise InvalidInput(problem.at(document=where) for problem in error.problems) from None


def _from_secret(text: str, spec: ExistingSpec, where: str) -> dict[str, Any]:
    try:
        return minify(read(text), spec.context, check=unusable)
    except InvalidInput as error:
        # Its message may quote the content, which is secret: only where it is wrong is said, not with which words.
        places = ", ".join(f"{problem.path} [{problem.code}]".lstrip() for problem in error.problems)
        raise InvalidInput(
            Problem(
                f"the kubeconfig given as a secret cannot be used: {places}",
                "kubeconfig_secret" if spec.kubeconfig_secret else "kubeconfig",
                "kubeconfig/secret",
                "try its content: kubectl --kubeconfig FILE config get-contexts",
                document=where,
            )
        ) from None
