"""A comparison as one HTML file: no other file, no request to anywhere, readable without JavaScript."""

from __future__ import annotations

from apiops_components.delivery.difference.comparison import Comparison, EnvironmentChange, ObjectChange, summary
from apiops_components.delivery.difference.hidden import shown
from apiops_components.delivery.difference.text import counted, value_text
from apiops_components.delivery.markup import Markup, el, join
from apiops_components.delivery.page import finding_block, page, table
from apiops_components.documents import dump

__all__ = ["html"]

_BADGES = {"created": "good", "changed": "waived", "replaced": "broken", "deleted": "broken"}
_LONGEST_VALUE = 2000


def html(comparison: Comparison) -> str:
    """The page; the same comparison gives the same bytes."""
    title = f"{comparison.base} → {comparison.head}"
    links = [el("a", _name(environment), href=f"#{_id(environment)}") for environment in comparison.environments]
    return page(
        title,
        title,
        links,
        [_overview(comparison), *map(_environment, comparison.environments)],
        "Made by apiopsctl from descriptions and files: nothing was deployed, and no cloud or cluster was asked.",
    )


def _name(environment: EnvironmentChange) -> str:
    return environment.name or "objects"


def _id(environment: EnvironmentChange) -> str:
    return f"env-{_name(environment)}"


def _overview(comparison: Comparison) -> Markup:
    rows = [
        (el("a", _name(environment), href=f"#{_id(environment)}"), *summary(environment.objects).values())
        for environment in comparison.environments
    ]
    columns = ("Environment", "Created", "Changed", "Replaced", "Deleted")
    return el("section", el("h2", "Overview"), table(columns, rows), id="overview")


def _environment(environment: EnvironmentChange) -> Markup:
    parts = [_guardrails(environment)] if environment.guardrails is not None else []
    for team, owner, component, changes in environment.groups():
        title = " · ".join(part for part in (team or "platform", component) if part)
        about = el("span", f"{owner + ', ' if owner else ''}{counted(changes)}", class_="note")
        parts.append(el("section", el("h3", title, " ", about), *map(_object, changes)))
    if not environment.objects:
        parts.append(el("section", el("p", "No object is different.", class_="note")))
    return el("section", el("h2", _name(environment)), *parts, id=_id(environment), class_="environment")


def _guardrails(environment: EnvironmentChange) -> Markup:
    found = environment.guardrails
    assert found is not None  # noqa: S101  (the caller looked)
    blocks = []
    for title, findings in (("Introduced", found.introduced), ("Fixed", found.fixed), ("As before", found.unchanged)):
        if findings:
            blocks.append(el("h4", title))
            blocks.append(el("div", *map(finding_block, findings), class_="findings"))
    said = blocks or [el("p", "Nothing broken, before or after.", class_="note")]
    return el("section", el("h3", "Guardrails"), *said)


def _object(change: ObjectChange) -> Markup:
    item = change.item
    badge = el("span", change.what, class_=f"badge {_BADGES[change.what]}")
    title = el("summary", badge, " ", el("strong", item.title), " ", el("span", item.api_version, class_="note"))
    if not change.fields:
        return el("details", title, el("pre", dump(shown(item.content))), data_row=True)
    rows = []
    for field in change.fields:
        forced = el("span", "forces replacement", class_="badge broken") if field.path in change.forcing else ""
        before, after = (
            el("code", value_text(value, _LONGEST_VALUE)) if value is not None else ""
            for value in (field.before, field.after)
        )
        rows.append((join(el("code", field.path), " ", forced), field.what, before, after))
    return el("details", title, table(("Field", "", "Before", "After"), rows), open=True, data_row=True)
