"""``apiopsctl diff``."""

from __future__ import annotations

from pathlib import Path

import click

from apiops_components.cli.comparing import limit_option, show
from apiops_components.cli.options import no_color_option
from apiops_components.errors import NotRunnable, Problem


@click.command("diff")
@click.argument("base")
@click.argument("head")
@click.option(
    "--project",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of the project, for revisions  [default: the nearest one upwards with a Pulumi.yaml]",
)
@click.option("--env", "environments", multiple=True, metavar="ENV", help="Of revisions, only this environment.")
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json", "html"]), default="text", show_default=True
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to FILE instead of stdout.")
@limit_option
@no_color_option
def command(
    base: str, head: str, folder: Path | None, environments: tuple[str, ...], form: str, out: Path | None, limit: int
) -> int:
    """Show what becomes of which object between BASE and HEAD, field by field.

    Each of them is a rendered folder or file (- for stdin), REVISION:PATH for one as it was committed, or a Git
    revision: that is rendered anew from its own descriptions and settings, with this version of apiopsctl. Objects are
    told apart by kind, namespace and name; lists that Kubernetes reads by a key or as a set are compared so. Secrets
    are compared and not shown. Exit 1 where anything is different.
    """
    from apiops_components.delivery.difference.comparison import compare  # noqa: PLC0415
    from apiops_components.delivery.difference.sides import side_of  # noqa: PLC0415
    from apiops_components.project import Project  # noqa: PLC0415

    here = folder or Path.cwd()
    sides = [side_of(name, here, environments, lambda: Project.find(here)) for name in (base, head)]
    if unknown := [env for env in environments if not any(env in side.items for side in sides)]:
        message = f"unknown environment {unknown[0]!r}: neither {base} nor {head} has it"
        raise NotRunnable(Problem(message, code="project/environment"))
    comparison = compare(*sides)
    show(comparison, form, out, limit)
    return 1 if comparison.different else 0
