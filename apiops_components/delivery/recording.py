"""What a Pulumi program registered, as plain data: the common ground of tests, previews and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["SECRET", "UNKNOWN", "Diagnostic", "Invocation", "Marker", "RecordedResource", "Recording"]


class Marker(str):
    """A string that stands for a value which cannot or must not be shown; compare it with ``is``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


SECRET = Marker("<secret>")
"""Stands for a secret, known or not. It never holds the value."""

UNKNOWN = Marker("<unknown>")
"""Stands for a value that only exists after deployment, such as the endpoint of a cluster."""


@dataclass(frozen=True, slots=True)
class RecordedResource:
    """One resource as the program registered it, after the options that Pulumi inherits from its parent."""

    type: str
    """Type token, such as ``kubernetes:core/v1:Namespace`` or ``apiops:index:ArgoCD``."""
    name: str
    """Logical name."""
    urn: str
    """Unique name, as the real engine would give it."""
    parent: str = ""
    """URN of the parent; that of the stack for a resource at the top."""
    custom: bool = True
    """True for a resource of a provider, false for a component."""
    remote: bool = False
    """True for a component whose children a plugin would register; they are not in this recording."""
    read: bool = False
    """True where the program only reads a resource that exists already."""
    id: str = ""
    """Identifier given by the program for a resource that is read or imported, or empty."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Inputs as sent to the engine; a secret is `SECRET`, a value known only after deployment `UNKNOWN`."""
    outputs: Mapping[str, Any] | None = None
    """What a component registered as its outputs; None where it did not call ``register_outputs``."""
    dependencies: tuple[str, ...] = ()
    """URNs of all resources that come before this one, sorted."""
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each input, the URNs of the resources it was made from, sorted."""
    provider: str = ""
    """Reference ``<urn>::<id>`` of an explicit provider; empty for the default one."""
    providers: Mapping[str, str] = field(default_factory=dict)
    """Of a component: for each package, the reference of the provider its children get."""
    version: str = ""
    """Version of the provider that the program asks for, or empty."""
    protect: bool = False
    """The engine refuses to delete it."""
    retain_on_delete: bool = False
    """It stays where it is when it leaves the program."""
    delete_before_replace: bool | None = None
    """A replacement is created after the deletion; None where the program does not say."""
    deleted_with: str = ""
    """URN of the resource whose deletion takes this one along, or empty."""
    aliases: tuple[str | Mapping[str, Any], ...] = ()
    """Former URNs, or specifications with ``name``, ``type``, ``parent`` and so on."""
    additional_secret_outputs: tuple[str, ...] = ()
    """Outputs that are secret whatever they are made from."""
    ignore_changes: tuple[str, ...] = ()
    """Property paths whose changes are ignored."""
    replace_on_changes: tuple[str, ...] = ()
    """Property paths whose changes replace the resource."""
    timeouts: Mapping[str, str] = field(default_factory=dict)
    """Custom timeouts: ``create``, ``update``, ``delete``."""
    source: str = ""
    """Where the program made it, ``file:line``, or empty."""

    @property
    def package(self) -> str:
        """The provider package of the type: ``kubernetes``, ``gcp``, ``apiops``, ``pulumi``."""
        return self.type.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call of a provider's function."""

    token: str
    """Such as ``gcp:organizations/getClientConfig:getClientConfig``."""
    arguments: Mapping[str, Any]
    """Its arguments."""
    provider: str = ""
    """Reference of an explicit provider, or empty."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A message of the program: logged through Pulumi, or printed."""

    severity: Literal["debug", "info", "warning", "error"]
    """``info`` for what was printed."""
    message: str
    """Its text."""
    urn: str = ""
    """The resource it is about, or empty."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything a program did."""

    project: str
    """Name of the Pulumi project."""
    stack: str
    """Name of the stack."""
    stack_urn: str
    """URN of the stack: the parent of the resources at the top."""
    resources: tuple[RecordedResource, ...] = ()
    """All resources in the order of their registration, the stack itself left out."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """Outputs of the stack."""
    invocations: tuple[Invocation, ...] = ()
    """Calls of provider functions."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """Messages, debug messages left out."""

    def of_type(self, type: str) -> tuple[RecordedResource, ...]:  # noqa: A002  (Pulumi's word)
        """All resources with this type token, possibly none."""
        return tuple(resource for resource in self.resources if resource.type == type)

    def one(self, type: str | None = None, name: str | None = None) -> RecordedResource:  # noqa: A002
        """The one resource with this type token, this name, or both.

        Raises:
            LookupError: There is none, or there are several; the message lists what there is.
        """
        found = [r for r in self.resources if type in (None, r.type) and name in (None, r.name)]
        if len(found) == 1:
            return found[0]
        wanted = " ".join(part for part in (type, repr(name) if name else "") if part)
        candidates = found or list(self.resources)
        listed = "".join(f"\n  {r.type} {r.name!r}" for r in candidates) or "\n  (nothing)"
        raise LookupError(
            f"{len(found) or 'no'} resources are {wanted or 'recorded'}, expected one; there are:{listed}"
        )

    def children(self, parent: RecordedResource | str) -> tuple[RecordedResource, ...]:
        """The resources whose parent this is.

        Raises:
            LookupError: No such resource was recorded, so that a wrong URN does not look like one without children.
        """
        urn = parent if isinstance(parent, str) else parent.urn
        if urn != self.stack_urn and not any(r.urn == urn for r in self.resources):
            raise LookupError(f"no resource has the URN {urn}")
        return tuple(resource for resource in self.resources if resource.parent == urn)
