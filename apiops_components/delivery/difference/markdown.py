"""A comparison as a comment on a change: a table, details folded, cut off where the forge would refuse it."""

from __future__ import annotations

from collections.abc import Iterator

from apiops_components.delivery.difference.comparison import Comparison, EnvironmentChange, ObjectChange, summary
from apiops_components.delivery.difference.fields import FieldChange
from apiops_components.delivery.difference.hidden import shown
from apiops_components.delivery.difference.text import MARKS, counted, value_text
from apiops_components.delivery.preview_text import cell, code, fenced, findings_table
from apiops_components.documents import dump

__all__ = ["LIMITS", "markdown"]

LIMITS = {"github": 65_536, "gitlab": 1_000_000}
"""How long a comment may be, by the forge that shows it; counted here in bytes, which are never fewer."""

_RESERVE = 300  # for the line that says what was cut off
_LONGEST_VALUE = 200


def markdown(comparison: Comparison, limit: int = LIMITS["github"]) -> str:
    """The comment; never longer than the limit.

    What does not fit is left out in this order: fields and manifests, then objects; the table of counts stays, and the
    last line says how much is not shown.
    """
    head = [_title(comparison), _table(comparison)]
    text = "\n\n".join(head)
    left = limit - len(text.encode()) - _RESERVE
    shown_, hidden = [], 0
    for block, short in _blocks(comparison):
        for candidate in (block, short):
            size = len(candidate.encode()) + 2
            if candidate and size <= left:
                shown_.append(candidate)
                left -= size
                hidden += candidate is not block and block != short
                break
        else:
            hidden += 1
    parts = [text, *shown_]
    if hidden:
        parts.append(
            f"**Cut off at {limit:,} bytes**: {hidden} parts are not shown, or not in full. `apiopsctl diff` shows all."
        )
    whole = "\n\n".join(parts) + "\n"
    return whole if len(whole.encode()) <= limit else _cut(whole, limit)


def _cut(text: str, limit: int) -> str:
    """Even the table is too long: as much of it as there is room for, whole lines only."""
    end = "\n\n**Cut off.** `apiopsctl diff` shows all.\n"
    kept = text.encode()[: limit - len(end.encode())].decode("utf-8", "ignore")
    return kept[: kept.rfind("\n")] + end if limit > len(end) else text.encode()[:limit].decode("utf-8", "ignore")


def _title(comparison: Comparison) -> str:
    return f"## Changes from `{code(comparison.base)}` to `{code(comparison.head)}`"


def _table(comparison: Comparison) -> str:
    guarded = any(environment.guardrails is not None for environment in comparison.environments)
    columns = ["environment", "created", "changed", "replaced", "deleted", *(["guardrails"] if guarded else [])]
    rows = ["| " + " | ".join(columns) + " |", "|---" + "|--:" * 4 + ("|---" if guarded else "") + "|"]
    for environment in comparison.environments:
        numbers = [str(number) if number else "·" for number in summary(environment.objects).values()]
        verdict = [_verdict(environment)] if guarded else []
        rows.append("| " + " | ".join([cell(environment.name or "objects"), *numbers, *verdict]) + " |")
    return "\n".join(rows)


def _verdict(environment: EnvironmentChange) -> str:
    found = environment.guardrails
    if found is None:
        return "not checked"
    broken = sum(not finding.waived for finding in found.introduced)
    parts = [f"**{broken} newly broken**" if broken else "", f"{len(found.fixed)} fixed" if found.fixed else ""]
    parts.append(f"{len(found.unchanged)} as before" if found.unchanged else "")
    return ", ".join(part for part in parts if part) or "all hold"


def _blocks(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """The parts of the comment in order, each with a shorter form."""
    for environment in comparison.environments:
        found = environment.guardrails
        if not environment.objects and not (found and (found.introduced or found.fixed)):
            continue
        title = f"### {cell(environment.name or 'objects')}"
        yield title, title
        if found and found.introduced:
            block = "**Guardrails introduced**\n\n" + findings_table(found.introduced)
            yield block, f"**{len(found.introduced)} guardrail findings introduced**"
        if found and found.fixed:
            yield (
                "**Guardrails fixed**\n\n" + findings_table(found.fixed),
                f"**{len(found.fixed)} guardrail findings fixed**",
            )
        for team, owner, component, changes in environment.groups():
            yield _group(team, owner, component, changes)


def _group(team: str, owner: str, component: str, changes: tuple[ObjectChange, ...]) -> tuple[str, str]:
    names = " · ".join(cell(part) for part in (team, component) if part) or "other objects"
    about = f"<b>{names}</b>{f' ({cell(owner)})' if owner else ''}: {counted(changes)}"
    inner = "\n\n".join(_object(change) for change in changes)
    return f"<details><summary>{about}</summary>\n\n{inner}\n\n</details>", f"- {about}"


def _object(change: ObjectChange) -> str:
    mark, item = MARKS[change.what], change.item
    title = f"`{mark} {code(item.title)}` {change.what}"
    if change.what == "replaced":
        title += f": {', '.join(f'`{code(path)}`' for path in change.forcing)} cannot be changed in place"
    if change.fields:
        rows = [_field(field) for field in change.fields]
        return "\n".join([title, "", "| field | before | after |", "|---|---|---|", *rows])
    return f"{title}\n\n{fenced(dump(shown(item.content)), 'yaml')}"


def _field(field: FieldChange) -> str:
    if field.what == "reordered":
        before, after = ", ".join(field.before), ", ".join(field.after)
        return f"| {cell(field.path)} (order) | {cell(before)} | {cell(after)} |"
    before, after = (
        cell(value_text(value, _LONGEST_VALUE)) if value is not None else "" for value in (field.before, field.after)
    )
    return f"| {cell(field.path)} | {before} | {after} |"
