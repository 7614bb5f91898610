"""Refuses a second one of what a cluster can only hold once."""

from weakref import WeakKeyDictionary

import pulumi

from apiops_components.components._base import Component
from apiops_components.errors import InvalidInput, Problem

# Per run of a program, told by its connection to the engine: a process may preview several environments.
_FIRST: WeakKeyDictionary[object, dict[tuple[str, object], str]] = WeakKeyDictionary()


def one_a_cluster(component: Component, reason: str) -> None:
    """Remembers the component as the only one of its class on its Kubernetes provider.

    Raises:
        InvalidInput: There is one already; ``reason`` says what would clash.
    """
    monitor = pulumi.runtime.settings.get_monitor()
    if monitor is None:
        return
    kind, name = type(component).__name__, component._name  # noqa: SLF001  (Pulumi has no public name)
    provider = component._providers.get("kubernetes")  # noqa: SLF001  (nor public providers)
    first = _FIRST.setdefault(monitor, {}).setdefault((kind, provider), name)
    if first != name:
        raise InvalidInput(
            Problem(
                f"a cluster holds one {kind}, and {first!r} is there already: {reason}",
                code="component/one-a-cluster",
                hint="for a second cluster, pass its provider: opts=ResourceOptions(provider=...)",
                document=f"{kind} {name}",
            )
        )
