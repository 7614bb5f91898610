"""A rendered object: what it is, whose it is, where it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Manifest", "Owner"]

Owner = Literal["pulumi", "gitops"]
"""Who applies an object: the Pulumi program, or Argo CD from Git. Never both."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One Kubernetes object and where it comes from.

    Attributes:
        object: The manifest, keys in the order in which they are written.
        component: The component that it belongs to, such as ``Api orders``.
        owner: Who applies it.
        team: The team whose it is; None for the platform's.
    """

    object: Mapping[str, Any]
    component: str
    owner: Owner
    team: str | None = None

    @property
    def kind(self) -> str:
        """Kind of the object."""
        return str(self.object["kind"])

    @property
    def namespace(self) -> str | None:
        """Its namespace; None where the kind has none."""
        namespace: str | None = self.object["metadata"].get("namespace")
        return namespace

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.object["metadata"]["name"])

    @property
    def title(self) -> str:
        """``HTTPRoute shop/orders``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def responsible(self) -> str:
        """Who answers for it; empty where it does not say."""
        return str(self.object["metadata"].get("annotations", {}).get("apiops/owner", ""))

    @property
    def path(self) -> str:
        """Where it is written: a folder a namespace, a file an object; stable for as long as the object is the same."""
        return f"{self.namespace or '_cluster'}/{self.kind.lower()}-{self.name}.yaml"
