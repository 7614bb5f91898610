"""``apiopsctl explain``."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from apiops_components.cli.output import print_json
from apiops_components.cli.schema import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from apiops_components.models.explanation import Explanation

_WIDTH = 100


@click.command("explain")
@click.argument("name", metavar="MODEL[.FIELD]...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(name: str, form: str) -> int:
    """Print the documentation of a model or a field: type, default, limits, and what it is for.

    Models are those of `apiopsctl schema`; an action goes by ngrok's name, too, and a kind by its own.

    \b
      apiopsctl explain HTTPRoute.spec.rules.filters
      apiopsctl explain rate-limit
      apiopsctl explain RateLimit.capacity
      apiopsctl explain jwt-validation.issuer.allow_list.value
    """  # noqa: D301
    from apiops_components.models.explanation import explain  # noqa: PLC0415

    first, *path = re.sub(r"\[\d*\]", "", name).split(".")  # a path as an error prints it has numbers in it
    first, model, above = named(first)
    if above:
        path = path[len(above) :] if tuple(path[: len(above)]) == above else path
        if path and path[0] in _NOT_MODELLED:
            raise click.UsageError(f"{path[0]} is the same in every kind and not explained here; what is: {above[0]}")
        first = ".".join((first, *above))
    try:
        found = explain(model, first, path)
    except LookupError as error:
        raise click.UsageError(str(error)) from None
    action = _action(model) if not path else {}
    if form == "json":
        print_json({**asdict(found), **action})
    else:
        click.echo("\n".join(_lines(found, action)))
    return 0


_NOT_MODELLED = ("apiVersion", "kind", "metadata", "status")


def _action(model: type[BaseModel]) -> dict[str, Any]:
    from apiops_components.models.policy.action import PHASES, Action  # noqa: PLC0415

    if not issubclass(model, Action):
        return {}
    return {
        "action": getattr(model, "type", None),
        "phases": [phase for phase in PHASES if phase in model.phases],
        "result": f"actions.ngrok.{model.result}" if model.result else None,
    }


def _lines(found: Explanation, action: dict[str, Any]) -> Iterator[str]:
    yield click.style(found.name, bold=True)
    if action:
        yield f"  {'action':<8}  {action['action'] or 'given by type'}, in {', '.join(action['phases'])}"
        if action["result"]:
            yield f"  {'result':<8}  {action['result']}"
    if "." in found.name:
        yield f"  {'type':<8}  {found.type}"
        yield f"  {'default':<8}  {_default(found)}"
    for text in found.constraints:
        yield f"  {'limit':<8}  {text}"
    for text in (found.description, found.about):
        if text:
            yield ""
            yield from _folded(text)
    if found.fields:
        yield ""
        width = max(len(field.name) for field in found.fields)
        for field in found.fields:
            lead = f"  {field.name:<{width}}  "
            text = f"{field.type}, {_default(field)}. {field.description or field.about}".strip()
            yield textwrap.fill(
                " ".join(text.split()),
                _WIDTH,
                initial_indent=lead,
                subsequent_indent=" " * len(lead),
                break_long_words=False,
                break_on_hyphens=False,
            )


def _default(field: Explanation) -> str:
    if field.required:
        return "required"
    return "optional" if field.default is None else f"default {json.dumps(field.default, ensure_ascii=False)}"


def _folded(text: str) -> Iterator[str]:
    """Paragraphs folded to the width; what is indented, such as an example, as it is."""
    for paragraph in text.split("\n\n"):
        if any(line.startswith(" ") for line in paragraph.splitlines()):
            yield textwrap.indent(paragraph, "  ")
        else:
            yield textwrap.fill(
                " ".join(paragraph.split()), _WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False
            )
