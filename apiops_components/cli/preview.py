"""``apiopsctl preview``: the real Pulumi programs of a project in this process, every resource shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apiops_components.cli.options import no_color_option, project_option, team_option
from apiops_components.cli.output import show_warnings
from apiops_components.errors import NotRunnable, Problem

if TYPE_CHECKING:
    from apiops_components.delivery.preview import Annotations, Preview
    from apiops_components.project import Project

Annotate = Callable[["Project", str], "Annotations"]
"""What is known of an environment beside its resources: findings of the guardrails, routes, policies, owners."""

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


@click.command("preview")
@project_option
@click.option("--env", "environments", multiple=True, metavar="ENV", help="An environment  [default: all of them]")
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json", "html"]), default="text", show_default=True
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to FILE instead of stdout.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Also write the HTML report to FILE.")
@team_option
@no_color_option
def command(
    project: Project, environments: tuple[str, ...], form: str, out: Path | None, report: Path | None, team: str | None
) -> int:
    """Run the Pulumi programs of a project in this process, and show every resource that they hold.

    It needs no pulumi program, no cloud and no cluster. Values that exist only after deployment show as <unknown>,
    secrets as <secret>. Exit 1 where a guardrail is broken.
    """
    if team is not None:
        project = project.of_team(team)
    if not project.environments:
        raise NotRunnable(Problem(f"there is no Pulumi.<env>.yaml in {project.config_dir}", code="project/environment"))
    made = previewed(project, environments or project.environments, annotate=annotated, progress=True)
    _show_warnings(made)
    if report is not None:
        _write(rendered(made, "html"), report)
    if out is None and form == "text" and sys.stdout.isatty() and click.get_current_context().color is not False:
        _print_coloured(made)
    else:
        _write(rendered(made, form), out)
    return 1 if made.failed else 0


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


def _write(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")


def _print_coloured(made: Preview) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from apiops_components.delivery.preview_text import lines  # noqa: PLC0415

    console = Console(highlight=False)
    for line in lines(made):
        console.print(Text.assemble(*((text, _STYLES.get(style, "")) for text, style in line)), soft_wrap=True)


def _with_progress(environments: tuple[str, ...], *, shown: bool) -> Iterable[str]:
    if not shown or not sys.stderr.isatty():
        return environments
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import track  # noqa: PLC0415

    return track(environments, "Previewing", console=Console(stderr=True), transient=True)
