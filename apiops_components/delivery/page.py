"""What every HTML report has in common: one file, no request to anywhere, readable without JavaScript."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files

from apiops_components.delivery.markup import Markup, el, join
from apiops_components.guardrails.finding import Finding

__all__ = ["finding_block", "page", "table"]


def page(title: str, heading: str, links: Iterable[Markup], sections: Iterable[Markup], foot: str) -> str:
    """A whole page, with a filter over everything marked as a row."""
    style, script = Markup(_asset("report.css")), Markup(_asset("report.js"))
    # Nothing may be loaded from anywhere, and no script run but the one here, whatever a name or a value holds.
    policy = f"default-src 'none'; style-src 'sha256-{_digest(style)}'; script-src 'sha256-{_digest(script)}'"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title),
        el("style", style),
    )
    search = el("input", type="search", id="filter", placeholder="Filter", aria_label="Filter", hidden=True)
    header = el("header", el("h1", heading), el("nav", el("a", "Overview", href="#overview"), *links), search)
    body = el("body", header, el("main", *sections), el("footer", foot), el("script", script))
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()


def finding_block(finding: Finding) -> Markup:
    """What a guardrail found, with everything that is known of it."""
    facts = [
        ("owner", finding.owner),
        ("place", finding.path),
        ("gets through", el("code", finding.request) if finding.request else ""),
        ("waived", finding.waived),
        ("fix", "" if finding.waived else finding.hint),
    ]
    return el(
        "article",
        el("h4", el("span", finding.guardrail, class_=f"badge {_mark(finding)}"), " ", finding.subject),
        el("p", finding.message),
        el("dl", *(join(el("dt", name), el("dd", value)) for name, value in facts if value)),
        class_=f"finding {_mark(finding)}",
        data_row=True,
    )


def _mark(finding: Finding) -> str:
    return "waived" if finding.waived else "broken"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """A table; numbers are set as such."""
    head = el("thead", el("tr", *(el("th", title, scope="col") for title in columns)))
    body = el("tbody", *(el("tr", *(_cell(cell) for cell in row), data_row=True) for row in rows))
    return el("div", el("table", head, body), class_="scroll")


def _cell(value: object) -> Markup:
    return el("td", value, class_="number" if isinstance(value, int) else None)
