"""A preview for people: a tree of resources for terminals and logs, Markdown for comments on a change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apiops_components.delivery.preview import (
    EnvironmentPreview,
    Node,
    Preview,
    ProgramPreview,
    count,
    tree,
)
from apiops_components.delivery.recording import RecordedResource
from apiops_components.guardrails.finding import Finding

__all__ = [
    "Line",
    "cell",
    "code",
    "fenced",
    "findings_table",
    "lines",
    "markdown",
    "notes_of",
    "plain",
    "raw_counted",
]

Line = tuple[tuple[str, str], ...]
"""Pieces of text, each with the name of its style: ``title``, ``type``, ``name``, ``note``, ``broken`` … or none."""

_SHOWN_VALUE = 72  # characters of an output's value that fit on a line beside its name


def plain(preview: Preview) -> str:
    """The tree without any styling."""
    return "".join("".join(text for text, _ in line) + "\n" for line in lines(preview))


def lines(preview: Preview) -> Iterator[Line]:
    """The tree of every environment, with counts, outputs and findings."""
    for index, environment in enumerate(preview.environments):
        if index:
            yield ()
        yield from _environment(environment)


def _environment(environment: EnvironmentPreview) -> Iterator[Line]:
    yield ((environment.name, "title"), (f"  {_counted(count(environment.resources))}", "note"))
    for program in environment.programs:
        yield from _program(program)
    yield from _findings(environment)
    if raw := environment.known.raw_actions:
        yield ((f"  {raw_counted(raw)}", "waived"),)


def _program(program: ProgramPreview) -> Iterator[Line]:
    recording = program.recording
    title = f"team {program.team}" if program.team else "platform"
    counted = _counted(count(recording.resources))
    yield (
        ("  ", ""),
        (title, "title"),
        (f"  {recording.project}/{recording.stack}, {counted}", "note"),
    )
    nodes = tree(recording)
    for position, node in enumerate(nodes):
        yield from _node(node, "  ", last=position == len(nodes) - 1)
    if recording.outputs:
        yield (("  outputs", "note"),)
        width = max(map(len, recording.outputs))
        for name, value in recording.outputs.items():
            yield (("    ", ""), (f"{name:<{width}}", "name"), (f"  {_short(value)}", ""))


def _node(node: Node, indent: str, *, last: bool) -> Iterator[Line]:
    resource = node.resource
    notes = notes_of(resource)
    if node.children:
        notes.insert(0, f"{node.size - 1} below")
    yield (
        (f"{indent}{'└─' if last else '├─'} ", "note"),
        (resource.type, "component" if not resource.custom else "type"),
        (f"  {resource.name}", "name"),
        (f"  ({', '.join(notes)})" if notes else "", "note"),
    )
    below = indent + ("   " if last else "│  ")
    for position, child in enumerate(node.children):
        yield from _node(child, below, last=position == len(node.children) - 1)


def notes_of(resource: RecordedResource) -> list[str]:
    """What is special about a resource, in a word each."""
    notes = {
        "read": resource.read,
        "imported": bool(resource.id) and not resource.read,
        "protected": resource.protect,
        "retained": resource.retain_on_delete,
        "children not shown": resource.remote,
    }
    return [note for note, holds in notes.items() if holds]


def _findings(environment: EnvironmentPreview) -> Iterator[Line]:
    if not environment.checked:
        yield (("  guardrails: not checked, the project does not describe itself", "note"),)
        return
    yield (("  guardrails: ", "note"), (_verdict(environment.findings), "broken" if environment.failed else "good"))
    for finding in environment.findings:
        mark = "waived" if finding.waived else "broken"
        owner = f" (owner: {finding.owner})" if finding.owner else ""
        yield (("    ", ""), (mark, mark), (f" {finding.guardrail}", "name"), (f"  {finding.subject}{owner}", ""))
        yield ((f"      {finding.path}: {finding.message}" if finding.path else f"      {finding.message}", ""),)
        for label, text in _more(finding):
            yield ((f"      {label}: {text}", "note"),)


def _more(finding: Finding) -> Iterator[tuple[str, str]]:
    """What else there is to say, with a label each."""
    if finding.request:
        yield "gets through", finding.request
    if finding.waived:
        yield "reason", finding.waived
    elif finding.hint:
        yield "fix", finding.hint


def _counted(counts: Mapping[str, Any]) -> str:
    return f"{_plural(counts['resources'], 'resource')}, {_plural(counts['components'], 'component')} among them"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def raw_counted(number: int) -> str:
    """What every report says of actions that nothing checks."""
    return f"{_plural(number, 'raw action')} of traffic policies, not checked"


def _verdict(findings: tuple[Finding, ...]) -> str:
    waived = sum(bool(finding.waived) for finding in findings)
    broken = len(findings) - waived
    return (f"{broken} broken" if broken else "all hold") + (f", {waived} waived" if waived else "")


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN_VALUE else f"{text[: _SHOWN_VALUE - 1]}…"


def markdown(preview: Preview) -> str:
    """Tables and folded trees, for a comment on a change."""
    parts = [f"## Preview of `{code(preview.project)}`", _summary_table(preview)]
    for environment in preview.environments:
        parts.append(f"### {cell(environment.name)}")
        if environment.findings:
            parts.append(findings_table(environment.findings))
        if raw := environment.known.raw_actions:
            parts.append(f"**{raw_counted(raw)}**")
        text = "".join("".join(piece for piece, _ in line) + "\n" for line in _programs(environment))
        summary = _counted(count(environment.resources))
        parts.append(f"<details><summary>{summary}</summary>\n\n{fenced(text, 'text')}\n\n</details>")
    return "\n\n".join(parts) + "\n"


def _programs(environment: EnvironmentPreview) -> Iterator[Line]:
    for program in environment.programs:
        yield from _program(program)


def _summary_table(preview: Preview) -> str:
    rows = ["| environment | resources | components | guardrails |", "|---|--:|--:|---|"]
    for environment in preview.environments:
        counts = count(environment.resources)
        result = _verdict(environment.findings) if environment.checked else "not checked"
        rows.append(f"| {cell(environment.name)} | {counts['resources']} | {counts['components']} | {result} |")
    return "\n".join(rows)


def findings_table(findings: tuple[Finding, ...]) -> str:
    """What guardrails found, a row each."""
    rows = ["| | guardrail | what | owner | |", "|---|---|---|---|---|"]
    for finding in findings:
        where = f"{finding.subject}: {finding.path}" if finding.path else finding.subject
        said = [cell(finding.message), *(f"{label}: {cell(text)}" for label, text in _more(finding))]
        cells = ("waived" if finding.waived else "broken", finding.guardrail, where, finding.owner)
        rows.append("| " + " | ".join([*map(cell, cells), "<br>".join(said)]) + " |")
    return "\n".join(rows)


def cell(text: str) -> str:
    """Text that no Markdown or HTML in it can leave its cell with."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*_{}[]()#+!|~" else letter for letter in " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """Text that no backtick in it can leave its span with."""
    return " ".join(text.replace("`", "'").split())


def fenced(text: str, language: str) -> str:
    """A block of code that nothing in it can end; the text ends its last line."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}{fence}"


def _longest_run(text: str) -> int:
    longest = current = 0
    for letter in text:
        current = current + 1 if letter == "`" else 0
        longest = max(longest, current)
    return longest
