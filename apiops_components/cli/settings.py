"""``apiopsctl settings``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from apiops_components.cli.options import no_color_option, project_option
from apiops_components.cli.output import print_json, show_warnings

if TYPE_CHECKING:
    from apiops_components.delivery.difference.fields import FieldChange
    from apiops_components.project import Project

_MOST = 2


@click.command("settings")
@project_option
@click.option(
    "--env", "environments", multiple=True, required=True, metavar="ENV", help="Environment; give two to compare."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@no_color_option
def command(project: Project, environments: tuple[str, ...], form: str) -> int:
    """Print what holds in an environment, defaults included; with two, what differs between them.

    \b
      apiopsctl settings --env prod                  all that holds in prod
      apiopsctl settings --env staging --env prod    what prod has otherwise than staging

    A secret is shown by its name alone. Exit 0 in both cases: environments are meant to differ; 1 where the settings
    break the model, 2 where there are none or they cannot be read.
    """  # noqa: D301
    if len(environments) > _MOST:
        raise click.UsageError(f"--env can be given once or twice, got {len(environments)}")
    for env in environments:
        show_warnings(project.warnings(env))
    held = [_held(project, env) for env in environments]
    if len(held) == 1:
        _print_all(held[0], form)
    else:
        _print_differences(environments, held, form)
    return 0


def _held(project: Project, env: str) -> dict[str, Any]:
    found: dict[str, Any] = project.settings(env).environment.model_dump(mode="json", by_alias=False)
    return found


def _print_all(held: Mapping[str, Any], form: str) -> None:
    if form == "json":
        print_json(held)
        return
    for path, value in _leaves(held):
        click.echo(f"{path}: {_shown(value)}")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def _print_differences(environments: tuple[str, ...], held: list[dict[str, Any]], form: str) -> None:
    from apiops_components.delivery.difference.fields import differences  # noqa: PLC0415

    first, second = environments
    changes = [change for change in differences("Environment", *held) if change.path != "name"]
    if form == "json":
        rows = [{"path": change.path, first: change.before, second: change.after} for change in changes]
        print_json({"environments": list(environments), "differences": rows})
        return
    for change in changes:
        _print_change(change)
    click.echo(f"{first} and {second}: {len(changes)} settings differ" if changes else f"{first} and {second}: alike")


def _print_change(change: FieldChange) -> None:
    click.secho(change.path, bold=True, nl=False)
    click.echo(f": {_shown(change.before)} → {_shown(change.after)}")


def _shown(value: Any) -> str:
    return "(none)" if value is None else value if isinstance(value, str) and value else json.dumps(value)
