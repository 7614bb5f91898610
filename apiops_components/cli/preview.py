"""``apiopsctl preview``: the real Pulumi programs of a project in this process, every resource shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apiops_components.cli.comparing import limit_option, print_lines, show, write_text
from apiops_components.cli.comparing import rendered as rendered_change
from apiops_components.cli.options import no_color_option, project_option, team_option
from apiops_components.cli.output import show_warnings
from apiops_components.errors import NotRunnable, Problem

if TYPE_CHECKING:
    from apiops_components.delivery.preview import Annotations, Preview
    from apiops_components.project import Project

Annotate = Callable[["Project", str], "Annotations"]
"""What is known of an environment beside its resources: findings of the guardrails, routes, policies, owners."""


@click.command("preview")
@project_option
@click.option("--env", "environments", multiple=True, metavar="ENV", help="An environment  [default: all of them]")
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json", "html"]), default="text", show_default=True
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to FILE instead of stdout.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Also write the HTML report to FILE.")
@click.option("--base", metavar="REV", help="Show what is different from this Git revision instead.")
@click.option("--exit-code", is_flag=True, help="With --base: exit 1 for any difference.")
@limit_option
@team_option
@no_color_option
def command(
    project: Project,
    environments: tuple[str, ...],
    form: str,
    out: Path | None,
    report: Path | None,
    base: str | None,
    exit_code: bool,
    limit: int,
    team: str | None,
) -> int:
    """Run the Pulumi programs of a project in this process, and show every resource that they hold.

    It needs no pulumi program, no cloud and no cluster. Values that exist only after deployment show as <unknown>,
    secrets as <secret>. Exit 1 where a guardrail is broken.

    With --base, the difference to a Git revision: each object and resource that is created, changed, replaced or
    deleted, by team, owner and component, with its fields; and what the guardrails say before and after. The revision
    is described and run by its own code, with this version of apiopsctl. Exit 1 where a guardrail is newly broken.
    """
    if team is not None:
        project = project.of_team(team)
    if base is not None:
        return _changes(project, environments, base, form, out, report, limit, exit_code=exit_code)
    if not project.environments:
        raise NotRunnable(Problem(f"there is no Pulumi.<env>.yaml in {project.config_dir}", code="project/environment"))
    made = previewed(project, environments or project.environments, annotate=annotated, progress=True)
    _show_warnings(made)
    if report is not None:
        write_text(rendered(made, "html"), report)
    if out is None and form == "text" and sys.stdout.isatty() and click.get_current_context().color is not False:
        from apiops_components.delivery.preview_text import lines  # noqa: PLC0415

        print_lines(lines(made))
    else:
        write_text(rendered(made, form), out)
    return 1 if made.failed else 0


def _changes(
    project: Project,
    environments: tuple[str, ...],
    base: str,
    form: str,
    out: Path | None,
    report: Path | None,
    limit: int,
    *,
    exit_code: bool,
) -> int:
    from apiops_components.components.changes import changes_since  # noqa: PLC0415  (loads pulumi)

    comparison = changes_since(project, base, environments)
    if report is not None:
        write_text(rendered_change(comparison, "html", limit), report)
    show(comparison, form, out, limit)
    return 1 if comparison.broken or (exit_code and comparison.different) else 0


def annotated(project: Project, env: str) -> Annotations:
    """The guardrails' findings, the routes, the policies and the objects of an environment, from its descriptions."""
    from apiops_components.delivery.annotations import annotations_of  # noqa: PLC0415
    from apiops_components.delivery.preview import Annotations  # noqa: PLC0415

    if not (project.main / "describe.py").is_file():  # a program alone: shown as one that was not checked
        return Annotations()
    return annotations_of(project.descriptions(env), project.guardrails(env))


def previewed(
    project: Project, environments: Iterable[str], *, annotate: Annotate | None = None, progress: bool = False
) -> Preview:
    """Runs the programs of each environment.

    Raises:
        ApiOpsError: One of them failed; with the file and line of its own code.
    """
    from apiops_components.components.program import preview_programs  # noqa: PLC0415  (loads pulumi)
    from apiops_components.delivery.preview import Annotations, EnvironmentPreview, Preview  # noqa: PLC0415

    made = []
    for env in _with_progress(tuple(environments), shown=progress):
        show_warnings(project.warnings(env))
        known = annotate(project, env) if annotate else Annotations()
        made.append(EnvironmentPreview(env, preview_programs(project, env), known))
    return Preview(project.name, tuple(made))


def rendered(made: Preview, form: str) -> str:
    """The preview in one of the forms of ``--format``."""
    if form == "json":
        return json.dumps(made.as_json(), indent=2, ensure_ascii=False) + "\n"
    if form == "html":
        from apiops_components.delivery.report import html  # noqa: PLC0415

        return html(made)
    from apiops_components.delivery import preview_text  # noqa: PLC0415

    return preview_text.markdown(made) if form == "markdown" else preview_text.plain(made)


def _show_warnings(made: Preview) -> None:
    for environment in made.environments:
        for program in environment.programs:
            for diagnostic in program.recording.diagnostics:
                if diagnostic.severity == "warning":
                    about = f" ({diagnostic.urn})" if diagnostic.urn else ""
                    click.echo(f"warning: {environment.name}: {diagnostic.message}{about}", err=True)


def _with_progress(environments: tuple[str, ...], *, shown: bool) -> Iterable[str]:
    if not shown or not sys.stderr.isatty():
        return environments
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import track  # noqa: PLC0415

    return track(environments, "Previewing", console=Console(stderr=True), transient=True)
