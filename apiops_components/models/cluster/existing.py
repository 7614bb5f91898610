"""A cluster that somebody else runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic_core import InitErrorDetails

from apiops_components.models.base import CheckedModel, SecretName, Text, fault

__all__ = ["ExistingSpec"]


class ExistingSpec(CheckedModel):
    """A cluster reached by a kubeconfig.

    At least one field says which cluster: whatever the current context happens to be is never taken unasked. Before
    anything is registered, what the context names is looked at: its cluster and user, an address with TLS, files, a
    plugin on PATH, a client's certificate that has not ended.
    """

    kind: Literal["existing"] = "existing"
    """Tells it from the other clusters."""
    kubeconfig_path: Text | None = None
    """File on this machine; ``~`` is the home folder. ``~/.kube/config`` where only a context is given: the variable
    KUBECONFIG is not read, so that the same settings mean the same cluster in every shell."""
    context: Text | None = None
    """Which context of the kubeconfig; its current one by default."""
    kubeconfig_secret: SecretName | None = None
    """Secret that holds the content of a kubeconfig, instead of a file; this is how a pipeline reaches a cluster."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.kubeconfig_path is None and self.context is None and self.kubeconfig_secret is None:
            yield fault(
                "existing/source",
                "nothing says which cluster: one of kubeconfig_path, context and kubeconfig_secret is expected",
                "the context in use now: kubectl config current-context",
            )
        if self.kubeconfig_path is not None and self.kubeconfig_secret is not None:
            yield fault(
                "existing/source",
                "kubeconfig_path and kubeconfig_secret name two sources; only one can be used",
                "remove one of them",
                ["kubeconfig_secret"],
            )
