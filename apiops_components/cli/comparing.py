"""How `diff`, `preview --base` and `promote` show a comparison."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from apiops_components.delivery.difference.comparison import Comparison

__all__ = ["limit_option", "print_lines", "rendered", "show", "write_text"]

F = TypeVar("F", bound=Callable[..., Any])

_STYLES = {
    "title": "bold",
    "component": "bold cyan",
    "type": "cyan",
    "name": "",
    "note": "dim",
    "good": "green",
    "broken": "bold red",
    "waived": "yellow",
}


def _limit(ctx: click.Context, parameter: click.Parameter, value: str) -> int:  # noqa: ARG001
    from apiops_components.delivery.difference.markdown import LIMITS  # noqa: PLC0415

    if value in LIMITS:
        return LIMITS[value]
    if value.isdecimal() and int(value) > 0:
        return int(value)
    raise click.BadParameter(f"{' or '.join(LIMITS)} or a number of bytes is expected, got {value!r}")


def limit_option(command: F) -> F:
    """``--limit``: how long a comment may be."""
    return click.option(
        "--limit",
        default="github",
        show_default=True,
        callback=_limit,
        metavar="FORGE",
        help="Cut Markdown off where this forge (github: 65536, gitlab: 1000000) or a number of bytes ends.",
    )(command)


def rendered(comparison: Comparison, form: str, limit: int) -> str:
    """The comparison in one of the forms of ``--format``."""
    if form == "json":
        return json.dumps(comparison.as_json(), indent=2, ensure_ascii=False) + "\n"
    if form == "html":
        from apiops_components.delivery.difference.html import html  # noqa: PLC0415

        return html(comparison)
    if form == "markdown":
        from apiops_components.delivery.difference.markdown import markdown  # noqa: PLC0415

        return markdown(comparison, limit)
    from apiops_components.delivery.difference.text import plain  # noqa: PLC0415

    return plain(comparison)


def show(comparison: Comparison, form: str, out: Path | None, limit: int) -> None:
    """Prints or writes it; in colour for a person at a terminal."""
    if out is None and form == "text" and sys.stdout.isatty() and click.get_current_context().color is not False:
        from apiops_components.delivery.difference.text import lines  # noqa: PLC0415

        print_lines(lines(comparison))
    else:
        write_text(rendered(comparison, form, limit), out)


def print_lines(lines: Any) -> None:
    """Lines with the styles of a terminal."""
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    for line in lines:
        console.print(Text.assemble(*((text, _STYLES.get(style, "")) for text, style in line)), soft_wrap=True)


def write_text(text: str, out: Path | None) -> None:
    """To a file, its folder made where it is not there, or to stdout."""
    if out is None:
        click.echo(text, nl=False)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
