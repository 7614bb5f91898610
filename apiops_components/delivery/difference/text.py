"""A comparison for a terminal or a log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from apiops_components.delivery.difference.comparison import Comparison, EnvironmentChange, ObjectChange, summary
from apiops_components.delivery.difference.fields import FieldChange
from apiops_components.delivery.difference.hidden import shown
from apiops_components.delivery.preview_text import Line
from apiops_components.guardrails.finding import Finding

__all__ = ["MARKS", "counted", "lines", "plain", "value_text"]

MARKS = {"created": "+", "changed": "~", "replaced": "±", "deleted": "-"}
_FIELD_MARKS = {"added": "+", "changed": "~", "removed": "-", "reordered": "↕"}
_STYLES = {"created": "good", "changed": "waived", "replaced": "broken", "deleted": "broken"}
_SHOWN_VALUE = 100  # characters of a value that fit beside another one


def plain(comparison: Comparison) -> str:
    """The lines without any styling."""
    return "".join("".join(text for text, _ in line) + "\n" for line in lines(comparison))


def lines(comparison: Comparison) -> Iterator[Line]:
    """Every environment, by team and component, with each object and field."""
    for index, environment in enumerate(comparison.environments):
        if index:
            yield ()
        yield from _environment(environment)


def counted(changes: Any) -> str:
    """``1 created, 2 changed``; ``no difference`` where there is none."""
    parts = [f"{number} {what}" for what, number in summary(changes).items() if number]
    return ", ".join(parts) or "no difference"


def _environment(environment: EnvironmentChange) -> Iterator[Line]:
    name = environment.name or "objects"
    yield ((name, "title"), (f"  {counted(environment.objects)}", "note"))
    for team, owner, component, changes in environment.groups():
        title = " · ".join(part for part in (f"team {team}" if team else "", component) if part) or "other objects"
        yield (("  ", ""), (title, "title"), (f"  (owner: {owner})" if owner else "", "note"))
        for change in changes:
            yield from _object(change)
    if environment.guardrails is not None:
        yield from _findings("introduced", environment.guardrails.introduced)
        yield from _findings("fixed", environment.guardrails.fixed)
        yield from _findings("unchanged", environment.guardrails.unchanged)


def _object(change: ObjectChange) -> Iterator[Line]:
    style = _STYLES[change.what]
    yield (("    ", ""), (f"{MARKS[change.what]} {change.item.title}", style), (f"  {change.what}", "note"))
    for field in change.fields:
        forced = "  (forces replacement)" if field.path in change.forcing else ""
        mark = _FIELD_MARKS[field.what]
        yield ((f"        {mark} {field.path}: ", ""), (values(field), ""), (forced, "broken"))


def values(field: FieldChange) -> str:
    """``300 → 100``; one value alone where there is only one."""
    if field.what == "added":
        return value_text(field.after)
    if field.what == "removed":
        return value_text(field.before)
    if field.what == "reordered":
        return f"order: {', '.join(field.before)} → {', '.join(field.after)}"
    return f"{value_text(field.before)} → {value_text(field.after)}"


def value_text(value: Any, most: int = _SHOWN_VALUE) -> str:
    """A value on one line, secrets hidden, cut off where it is long."""
    safe = shown(value)
    text = safe if isinstance(safe, str) and safe and safe.isprintable() else json.dumps(safe, ensure_ascii=False)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _findings(title: str, findings: tuple[Finding, ...]) -> Iterator[Line]:
    for finding in findings:
        mark = "waived" if finding.waived else "broken"
        style = "good" if title == "fixed" else mark if title == "introduced" else "note"
        owner = f" (owner: {finding.owner})" if finding.owner else ""
        yield (
            (f"  guardrail {title}: ", style),
            (f"{mark} {finding.guardrail}", "name"),
            (f"  {finding.subject}{owner}", ""),
        )
        if title == "introduced":
            yield ((f"      {finding.path}: {finding.message}" if finding.path else f"      {finding.message}", ""),)
            if finding.request:
                yield ((f"      gets through: {finding.request}", "note"),)
            if not finding.waived and finding.hint:
                yield ((f"      fix: {finding.hint}", "note"),)
