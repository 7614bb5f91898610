"""Refuses a second one of what a cluster can only hold once."""

from collections.abc import Hashable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import pulumi

from apiops_components.components._base import Component
from apiops_components.errors import InvalidInput, Problem

# Per run of a program, told by its connection to the engine: a process may preview several environments.
_FIRST: WeakKeyDictionary[object, dict[tuple[Hashable, object], str]] = WeakKeyDictionary()


def one_a_cluster(component: Component, reason: str) -> None:
    """Remembers the component as the only one of its class on its Kubernetes provider.

    Raises:
        InvalidInput: There is one already; ``reason`` says what would clash.
    """
    kind = type(component).__name__
    first = _first(component, kind)
    if first != _title(component):
        raise InvalidInput(
            Problem(
                f"a cluster holds one {kind}, and {first} is there already: {reason}",
                code="component/one-a-cluster",
                hint="for a second cluster, pass its provider: opts=ResourceOptions(provider=...)",
                document=_title(component),
            )
        )


def one_object(component: Component, manifest: Mapping[str, Any]) -> None:
    """Remembers whose an object is: two owners of one object would undo each other's changes for ever.

    Raises:
        InvalidInput: Another component has it already.
    """
    metadata = manifest["metadata"]
    place = "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
    group = manifest["apiVersion"].rpartition("/")[0]
    first = _first(component, (group, manifest["kind"], place))
    if first != _title(component):
        raise InvalidInput(
            Problem(
                f"{manifest['kind']} {place} is registered by {first} already",
                code="component/one-owner",
                hint="rename one of them, or give it another namespace",
                document=_title(component),
            )
        )


def _first(component: Component, what: Hashable) -> str:
    """Who asked first for this on the component's provider: a title."""
    title = _title(component)
    monitor = pulumi.runtime.settings.get_monitor()
    if monitor is None:
        return title
    provider = component._providers.get("kubernetes")  # noqa: SLF001  (Pulumi has no public providers)
    return _FIRST.setdefault(monitor, {}).setdefault((what, provider), title)


def _title(component: Component) -> str:
    return f"{type(component).__name__} {component._name}"  # noqa: SLF001  (nor a public name)
