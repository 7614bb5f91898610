"""What hardens a cluster at Google: the rules that its settings break, and a report of all that keeps one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from pydantic_core import InitErrorDetails

from apiops_components.models.base import Model, Reason, fault
from apiops_components.models.cluster.hardening_rules import CHOSEN, CONTROLS, FIXED, HardeningRule
from apiops_components.models.exemption import unneeded_faults

__all__ = ["HardeningExemption", "HardeningRow", "hardening", "hardening_faults"]


class HardeningExemption(Model):
    """Leave for a cluster to break one rule."""

    rule: HardeningRule
    """Which one."""
    reason: Reason
    """Why, for whoever reads it next year; it is in the report of `apiopsctl hardening`."""


def hardening_faults(spec: Any, exemptions: Sequence[HardeningExemption]) -> Iterator[InitErrorDetails]:
    """Rules broken without an exemption, and exemptions that nothing needs."""
    given = {exemption.rule for exemption in exemptions}
    broken = set()
    for control in CONTROLS:
        with suppress(AttributeError):  # a part that is invalid is reported already
            for path, value in _values(spec, control.setting):
                if control.kept(spec, value):
                    continue
                broken.add(control.rule)
                if control.required and control.rule not in given:
                    yield fault(
                        f"gke/{control.rule}",
                        f"breaks {', '.join(control.ids)}",
                        f"{control.fix}; or say why not: exemptions: [{{rule: {control.rule}, reason: …}}]",
                        path,
                    )
    rules = (exemption.rule for exemption in exemptions)
    yield from unneeded_faults(rules, broken, ("gke/exemption", "gke/exemption"))


class HardeningRow(NamedTuple):
    """One line of the report."""

    setting: str
    """Path of the setting, or of the provider's argument where there is none."""
    value: Any
    """What it is."""
    ids: tuple[str, ...]
    """The rules."""
    status: Literal["kept", "fixed", "exempted", "open"]
    """Kept by the settings, by the component whatever they say, broken with a reason, or broken."""
    reason: str
    """Of an exemption; else how to keep an open rule."""


def hardening(spec: Any) -> list[HardeningRow]:
    """What hardens a cluster at Google: settings first, then what no setting changes; nothing for other clusters."""
    if not spec.kind.startswith("gke"):
        return []
    reasons = {exemption.rule: exemption.reason for exemption in spec.exemptions}
    rows: list[HardeningRow] = []
    for control in CONTROLS:
        for path, value in _values(spec, control.setting):
            setting, shown = ".".join(path), _plain(value)
            if control.kept(spec, value):
                rows.append(HardeningRow(setting, shown, control.ids, "kept", ""))
            elif control.rule in reasons:
                rows.append(HardeningRow(setting, shown, control.ids, "exempted", reasons[control.rule]))
            else:
                rows.append(HardeningRow(setting, shown, control.ids, "open", control.fix))
    for chosen in CHOSEN:
        if not (chosen.own and getattr(spec, chosen.own)):
            rows += [
                HardeningRow(".".join(path), _plain(value), chosen.ids, "kept", "")
                for path, value in _values(spec, chosen.setting)
            ]
    for fixed in FIXED:
        if fixed.on in _made(spec):
            value = fixed.value.format(project=spec.project) if isinstance(fixed.value, str) else fixed.value
            place = {"standard": "cluster", "autopilot": "cluster", "pool": "nodePool"}.get(fixed.on, fixed.on)
            rows.append(HardeningRow(f"{place}.{fixed.argument}", _plain(value), fixed.ids, "fixed", ""))
    return rows


def _made(spec: Any) -> set[str]:
    """What of `FIXED` such a cluster has; a network or key that is there already is somebody else's to harden."""
    return {
        *("cluster", "account"),
        *(("standard", "pool") if spec.kind == "gke" else ("autopilot",)),
        *(() if spec.existing_network else ("subnet",)),
        *(() if spec.secrets_key else ("key", "keyUse")),
    }


def _values(spec: Any, setting: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The places of a setting and what stands there: one in each node pool; none where the kind does not have it."""
    first, _, rest = setting.partition(".")
    if not hasattr(spec, first):
        return
    if not rest:
        yield (first,), getattr(spec, first)
        return
    yield (first, rest), getattr(getattr(spec, first), rest)
    if first == "node_pool":
        for name, pool in spec.more_node_pools.items():
            yield ("more_node_pools", name, rest), getattr(pool, rest)


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Model):
        return value.model_dump(mode="json")
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
