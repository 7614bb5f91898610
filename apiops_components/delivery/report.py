"""A preview as one HTML file: no other file, no request to anywhere, readable without JavaScript."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apiops_components.delivery.markup import Markup, el, join
from apiops_components.delivery.page import finding_block, page, table
from apiops_components.delivery.preview import (
    EnvironmentPreview,
    Node,
    OwnedObject,
    PolicyRow,
    Preview,
    ProgramPreview,
    RouteRow,
    count,
    tree,
)
from apiops_components.delivery.preview_text import notes_of, raw_counted
from apiops_components.documents import dump

__all__ = ["html"]

_APPLIED_BY = {"pulumi": "Pulumi", "gitops": "Argo CD"}


def html(preview: Preview) -> str:
    """The report; the same preview gives the same bytes."""
    links = [
        el("a", environment.name, href=f"#{_id(environment)}", class_="broken" if environment.failed else None)
        for environment in preview.environments
    ]
    return page(
        f"Preview of {preview.project}",
        preview.project,
        links,
        [_overview(preview), *map(_environment, preview.environments)],
        "Made by apiopsctl preview, in process: nothing was deployed, and no cloud or cluster was asked.",
    )


# --- overview --------------------------------------------------------------------------------------------------------


def _overview(preview: Preview) -> Markup:
    columns = ("Environment", "Runs on", "Guardrails", "Resources", "Components", "Routes", "Teams", "Owner")
    rows = []
    for environment in preview.environments:
        known, counts = environment.known, count(environment.resources)
        rows.append(
            (
                el("a", environment.name, href=f"#{_id(environment)}"),
                known.cluster,
                _verdict(environment),
                counts["resources"],
                counts["components"],
                len(known.routes),
                ", ".join(team.name for team in known.teams),
                known.owner,
            )
        )
    return el("section", el("h2", "Overview"), table(columns, rows), id="overview")


def _verdict(environment: EnvironmentPreview) -> Markup:
    if not environment.checked:
        return el("span", "not checked", class_="badge")
    waived = sum(bool(finding.waived) for finding in environment.findings)
    broken = len(environment.findings) - waived
    badges = [el("span", f"{broken} broken", class_="badge broken") if broken else None]
    badges += [el("span", "all hold", class_="badge good") if not broken else None]
    badges += [el("span", f"{waived} waived", class_="badge waived") if waived else None]
    return join(*(badge for badge in badges if badge))


# --- one environment -------------------------------------------------------------------------------------------------


def _environment(environment: EnvironmentPreview) -> Markup:
    known, here = environment.known, _id(environment)
    tiles = [
        _tile(len(list(environment.resources)), "resources", f"#{here}-resources"),
        _tile(len(known.routes), "routes", f"#{here}-routes"),
        _tile(len(known.policies), "policies", f"#{here}-policies"),
        _tile(len(known.objects), "Kubernetes objects", f"#{here}-owners"),
    ]
    return el(
        "section",
        el("h2", environment.name, " ", _verdict(environment)),
        el("div", *tiles, class_="tiles"),
        _part(here, "guardrails", "Guardrails", _findings(environment)),
        _part(here, "routes", "Routes", _routes(known.routes)),
        _part(here, "policies", "Policies", *_raw(known.raw_actions), _policies(known.policies)),
        _part(here, "owners", "Who owns what", _owners(environment)),
        _part(here, "resources", "Resources", *(_program(program) for program in environment.programs)),
        id=here,
        class_="environment",
    )


def _part(here: str, name: str, title: str, *content: Markup) -> Markup:
    return el("section", el("h3", title), *content, id=f"{here}-{name}")


def _tile(number: int, label: str, target: str) -> Markup:
    return el("a", el("strong", number), el("span", label), href=target, class_="tile")


def _findings(environment: EnvironmentPreview) -> Markup:
    if not environment.checked:
        return el("p", "Not checked: the project does not describe itself.", class_="note")
    if not environment.findings:
        return el("p", "All guardrails hold, without a waiver.", class_="note")
    return el("div", *map(finding_block, environment.findings), class_="findings")


def _routes(routes: Sequence[RouteRow]) -> Markup:
    columns = ("Host and path", "Methods", "Backend", "Authentication", "Rate limit", "API", "Team", "Owner")
    rows = [
        (
            join(el("span", route.host, class_="host"), el("code", route.path)),
            ", ".join(route.methods) or el("span", "any", class_="note"),
            el("code", route.backend),
            route.authentication or el("span", "none", class_="badge open"),
            route.rate_limit or el("span", "none", class_="note"),
            route.api,
            route.team or "platform",
            route.owner,
        )
        for route in routes
    ]
    return table(columns, rows) if rows else el("p", "No routes.", class_="note")


def _policies(policies: Sequence[PolicyRow]) -> Markup:
    if not policies:
        return el("p", "No traffic policies.", class_="note")
    return join(*map(_policy, policies))


def _raw(number: int) -> tuple[Markup, ...]:
    return (el("p", el("span", raw_counted(number), class_="badge waived")),) if number else ()


def _policy(policy: PolicyRow) -> Markup:
    phases: dict[str, list[Markup]] = {}
    for rule in policy.rules:
        when = [el("code", text) for text in rule.expressions] or [el("span", "always", class_="note")]
        does = [el("li", _action(action)) for action in rule.actions]
        row = el("tr", el("td", rule.name), el("td", *_separated(when)), el("td", el("ol", *does)), data_row=True)
        phases.setdefault(rule.phase, []).append(row)
    head = el("thead", el("tr", *(el("th", title, scope="col") for title in ("Rule", "When", "Does"))))
    tables = [
        join(el("h5", phase), el("div", el("table", head, el("tbody", *rows)), class_="scroll"))
        for phase, rows in phases.items()
    ]
    number = len(policy.rules)
    title = el(
        "summary",
        el("strong", policy.name),
        el("span", f"{policy.attached_to} · {number} rule{'' if number == 1 else 's'}", class_="note"),
    )
    return el("details", title, *tables, class_="policy", open=True)


def _action(action: str) -> Markup:
    name, colon, config = action.partition(": ")
    return join(el("b", name), colon, el("code", config) if config else "")


def _separated(items: Iterable[Markup]) -> Iterable[Markup]:
    for position, item in enumerate(items):
        if position:
            yield el("span", " and ", class_="note")
        yield item


def _owners(environment: EnvironmentPreview) -> Markup:
    known = environment.known
    counted = Counter((item.team, item.applied_by) for item in known.objects)
    rows: list[tuple[object, ...]] = [("platform", known.owner, "", *_applied(counted, ""))]
    rows += [(team.name, team.owner, team.namespace, *_applied(counted, team.name)) for team in known.teams]
    columns = ("Team", "Owner", "Namespace", "Applied by Pulumi", "Applied by Argo CD")
    if not known.objects:
        return table(columns, rows)
    listed = sorted(known.objects, key=lambda item: (item.team, item.applied_by, item.kind, item.namespace, item.name))
    summary = el("summary", f"All {len(listed)} Kubernetes objects")
    return join(table(columns, rows), el("details", summary, _objects(listed)))


def _applied(counted: Mapping[Any, int], team: str) -> tuple[int, int]:
    return counted.get((team, "pulumi"), 0), counted.get((team, "gitops"), 0)


def _objects(objects: Iterable[OwnedObject]) -> Markup:
    columns = ("Kind", "Name", "Namespace", "Applied by", "Component", "Team")
    rows = [
        (
            item.kind,
            item.name,
            item.namespace,
            el("span", _APPLIED_BY[item.applied_by], class_=f"badge {item.applied_by}"),
            item.component,
            item.team or "platform",
        )
        for item in objects
    ]
    return table(columns, rows)


# --- resources -------------------------------------------------------------------------------------------------------


def _program(program: ProgramPreview) -> Markup:
    recording = program.recording
    counts = count(recording.resources)
    title = f"Team {program.team}" if program.team else "Platform"
    about = f"{recording.project}/{recording.stack} · {counts['resources']} resources"
    parts = [
        el("h4", title, " ", el("span", about, class_="note")),
        el("ul", *map(_node, tree(recording)), class_="tree"),
    ]
    if recording.outputs:
        parts.append(el("details", el("summary", "Outputs"), _yaml(recording.outputs)))
    notes = [d for d in recording.diagnostics if d.severity in ("warning", "error")]
    parts += [el("p", el("span", note.severity, class_="badge broken"), " ", note.message) for note in notes]
    return el("div", *parts, class_="program")


def _node(node: Node) -> Markup:
    resource = node.resource
    package, _, kind = resource.type.rpartition(":")
    label = [
        el("span", kind, class_="kind" if resource.custom else "kind component", title=resource.type),
        " ",
        el("span", resource.name, class_="name"),
        " ",
        el("span", package, class_="package"),
        *(join(" ", el("span", note, class_="badge")) for note in notes_of(resource)),
    ]
    if node.children:
        below = el("span", f" · {node.size - 1} below", class_="count")
        inner = [
            el("details", el("summary", *label, below), _inputs(node), el("ul", *map(_node, node.children)), open=True)
        ]
    elif resource.inputs:
        inner = [el("details", el("summary", *label), _inputs(node))]
    else:
        inner = [el("span", *label, class_="leaf")]
    return el("li", *inner, data_row=True)


def _inputs(node: Node) -> Markup:
    return _yaml(node.resource.inputs) if node.resource.inputs else join()


def _yaml(value: object) -> Markup:
    return el("pre", dump(value))


# --- pieces ----------------------------------------------------------------------------------------------------------


def _id(environment: EnvironmentPreview) -> str:
    return f"env-{environment.name}"
