"""The difference of two states of some environments, object by object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from apiops_components.delivery.difference.fields import FieldChange, differences
from apiops_components.delivery.difference.hidden import shown
from apiops_components.delivery.difference.immutable import forces_replacement
from apiops_components.delivery.difference.item import Item
from apiops_components.guardrails.finding import Finding

__all__ = [
    "Comparison",
    "EnvironmentChange",
    "FindingsChange",
    "ObjectChange",
    "Side",
    "What",
    "compare",
    "in_order",
    "summary",
]

What = Literal["created", "changed", "replaced", "deleted"]
"""What becomes of an object; ``replaced`` where it cannot be changed in place."""

_ORDER: tuple[What, ...] = ("deleted", "replaced", "changed", "created")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two states.

    Attributes:
        label: What a person called it.
        items: Its objects, by environment; an environment without any is one that is empty.
        findings: What the guardrails say of it, by environment; None where they were not asked.
        described: Whether its environments are those of a project; a folder has the name that it happens to have.
    """

    label: str
    items: Mapping[str, tuple[Item, ...]]
    findings: Mapping[str, tuple[Finding, ...]] | None = None
    described: bool = False


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One object that is not the same.

    Attributes:
        what: What becomes of it.
        item: The object as it will be; as it was, where it is deleted.
        fields: The fields that are not the same; none for one that is created or deleted.
        forcing: Paths of the fields that cannot be changed in place.
    """

    what: What
    item: Item
    fields: tuple[FieldChange, ...] = ()
    forcing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FindingsChange:
    """What the guardrails say, compared; the same finding on both sides is unchanged.

    Attributes:
        introduced: Only in the new state.
        fixed: Only in the old one.
        unchanged: In both.
    """

    introduced: tuple[Finding, ...] = ()
    fixed: tuple[Finding, ...] = ()
    unchanged: tuple[Finding, ...] = ()

    @property
    def broken(self) -> bool:
        """Whether a guardrail is newly broken."""
        return any(not finding.waived for finding in self.introduced)


@dataclass(frozen=True, slots=True)
class EnvironmentChange:
    """One environment, compared.

    Attributes:
        name: Its name; empty where it is not known.
        objects: Every object that is not the same, by team, component and identity.
        guardrails: What the guardrails say; None where they were not asked.
    """

    name: str
    objects: tuple[ObjectChange, ...]
    guardrails: FindingsChange | None = None

    def groups(self) -> Iterator[tuple[str, str, str, tuple[ObjectChange, ...]]]:
        """Team, owner and component, with what changes in it."""
        grouped: dict[tuple[str, str], list[ObjectChange]] = {}
        for change in self.objects:
            grouped.setdefault((change.item.team, change.item.component), []).append(change)
        for (team, component), changes in grouped.items():
            owner = next((change.item.owner for change in changes if change.item.owner), "")
            yield team, owner, component, tuple(changes)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two states, compared.

    Attributes:
        base: What a person called the old one.
        head: What a person called the new one.
        environments: Each environment that is in one of them.
    """

    base: str
    head: str
    environments: tuple[EnvironmentChange, ...]

    @property
    def objects(self) -> Iterator[ObjectChange]:
        """Every object that is not the same."""
        return (change for environment in self.environments for change in environment.objects)

    @property
    def different(self) -> bool:
        """Whether any object is not the same."""
        return any(True for _ in self.objects)

    @property
    def broken(self) -> bool:
        """Whether a guardrail is newly broken."""
        return any(environment.guardrails.broken for environment in self.environments if environment.guardrails)

    def as_json(self) -> dict[str, Any]:
        """All of it as one JSON document; secrets are not in it."""
        return {
            "base": self.base,
            "head": self.head,
            "summary": summary(self.objects),
            "environments": [_environment_json(environment) for environment in self.environments],
        }


def summary(changes: Iterable[ObjectChange]) -> dict[What, int]:
    """How many objects become what."""
    counted = Counter(change.what for change in changes)
    return {what: counted[what] for what in ("created", "changed", "replaced", "deleted")}


def compare(base: Side, head: Side) -> Comparison:
    """The difference of two states.

    Where each is of one environment, and one is a folder or a file, these two are compared, whatever their names.
    """
    names = list(dict.fromkeys((*head.items, *base.items)))
    if len(base.items) == len(head.items) == 1 and not (base.described and head.described):
        (old,), (new,) = base.items, head.items
        pairs = [(new, old, new)]
    else:
        pairs = [(name, name, name) for name in names]
    environments = tuple(
        EnvironmentChange(
            name,
            tuple(_compared(base.items.get(old, ()), head.items.get(new, ()))),
            _findings((base.findings or {}).get(old, ()), head.findings[new])
            if head.findings is not None and new in head.findings
            else None,
        )
        for name, old, new in pairs
    )
    return Comparison(base.label, head.label, environments)


def _compared(base: Iterable[Item], head: Iterable[Item]) -> list[ObjectChange]:
    old = {item.identity[1:]: item for item in base}
    new = {item.identity[1:]: item for item in head}
    changes = [ObjectChange("deleted", item) for identity, item in old.items() if identity not in new]
    for identity, item in new.items():
        before = old.get(identity)
        if before is None:
            changes.append(ObjectChange("created", item))
        elif fields := differences(item.kind, before.content, item.content):
            forcing = tuple(f.path for f in fields if forces_replacement(item.group, item.kind, f, before.content))
            known = replace(item, component=item.component or before.component, owner=item.owner or before.owner)
            changes.append(ObjectChange("replaced" if forcing else "changed", known, fields, forcing))
    return list(in_order(changes))


def in_order(changes: Iterable[ObjectChange]) -> tuple[ObjectChange, ...]:
    """By team, component and what becomes of them: the order in which they are shown."""
    return tuple(sorted(changes, key=_place))


def _place(change: ObjectChange) -> tuple[Any, ...]:
    item = change.item
    return (item.team, item.component, _ORDER.index(change.what), item.kind, item.namespace, item.name, item.group)


def _findings(base: Iterable[Finding], head: Iterable[Finding]) -> FindingsChange:
    """By what they say and not by where it stands: a rule before it moves a place, and breaks nothing anew."""
    old, new = {_said(finding): finding for finding in base}, {_said(finding): finding for finding in head}
    return FindingsChange(
        introduced=tuple(finding for said, finding in new.items() if said not in old),
        fixed=tuple(finding for said, finding in old.items() if said not in new),
        unchanged=tuple(finding for said, finding in new.items() if said in old),
    )


def _said(finding: Finding) -> tuple[Any, ...]:
    return (finding.guardrail, finding.team, finding.subject, finding.message, bool(finding.waived))


# --- JSON ------------------------------------------------------------------------------------------------------------


def _environment_json(environment: EnvironmentChange) -> dict[str, Any]:
    guardrails = environment.guardrails
    return {
        "name": environment.name,
        "summary": summary(environment.objects),
        "objects": [_object_json(change) for change in environment.objects],
        "guardrails": asdict(guardrails) if guardrails is not None else None,
    }


def _object_json(change: ObjectChange) -> dict[str, Any]:
    item = change.item
    return {
        "change": change.what,
        "apiVersion": item.api_version,
        "kind": item.kind,
        "namespace": item.namespace or None,
        "name": item.name,
        "component": item.component or None,
        "team": item.team or None,
        "owner": item.owner or None,
        "applied_by": item.applied_by or None,
        "fields": [
            {
                "path": field.path,
                "change": field.what,
                "before": shown(field.before),
                "after": shown(field.after),
                "forces_replacement": field.path in change.forcing,
            }
            for field in change.fields
        ],
        "object": shown(item.content) if change.what in ("created", "deleted") else None,
    }
