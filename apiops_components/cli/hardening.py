"""``apiopsctl hardening``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from apiops_components.cli.options import env_option, no_color_option, project_option
from apiops_components.cli.output import print_json

if TYPE_CHECKING:
    from apiops_components.models.cluster.hardening import HardeningRow
    from apiops_components.project import Project

_COLOURS = {"kept": "green", "fixed": "green", "exempted": "yellow", "open": "red"}


@click.command("hardening")
@project_option
@env_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@no_color_option
def command(project: Project, env: str, form: str) -> int:
    """Report what hardens an environment's cluster: setting, value, the rule met, exemptions with their reason.

    Rules are those of the CIS GKE benchmark and of checkov. `fixed` is what no setting can relax; `open` is a rule that
    is advised, and not kept. A required rule that is broken without an exemption is refused with the settings.
    """
    from apiops_components.models.cluster.hardening import hardening  # noqa: PLC0415

    cluster = project.settings(env).environment.cluster
    rows = hardening(cluster)
    if form == "json":
        print_json({"environment": env, "cluster": cluster.kind, "settings": [row._asdict() for row in rows]})
        return 0
    if not rows:
        click.echo(f"{env}: a cluster of kind {cluster.kind} is not hardened from here")
        return 0
    for row in rows:
        _print(row)
    count = {status: sum(row.status == status for row in rows) for status in _COLOURS}
    click.echo(f"{env}: " + ", ".join(f"{number} {status}" for status, number in count.items()))
    return 0


def _print(row: HardeningRow) -> None:
    click.secho(f"{row.status:9}", fg=_COLOURS[row.status], nl=False)
    click.echo(f"{row.setting} = {_shown(row.value)}  [{', '.join(row.ids)}]")
    if row.reason:
        click.echo(f"         {'reason' if row.status == 'exempted' else 'fix'}: {row.reason}")


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
