"""``apiopsctl render``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from apiops_components.cli.options import env_option, no_color_option, project_option, team_option
from apiops_components.cli.output import print_json, show_warnings

if TYPE_CHECKING:
    from apiops_components.delivery.place import Place
    from apiops_components.delivery.tree import Difference, Tree
    from apiops_components.project import Project
    from apiops_components.render.manifest import Manifest


@click.command("render")
@project_option
@env_option
@team_option
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write one file an object below DIR.")
@click.option(
    "--owner",
    type=click.Choice(["gitops", "pulumi", "all"]),
    help="Only what Argo CD applies from Git, or only what Pulumi applies  [default: all; gitops where DIR is the "
    "tree that Argo CD watches]",
)
@click.option(
    "--allow-deletes", is_flag=True, help="Let a folder be emptied, and any number of objects go; else exit 3."
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where DIR differs from what would be written.")
@click.option(
    "--base", metavar="REV", help="With --check of a promoted tree: a tree that REV or its history had is right."
)
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@no_color_option
def command(
    project: Project,
    env: str,
    team: str | None,
    out: Path | None,
    owner: str | None,
    allow_deletes: bool,
    check: bool,
    base: str | None,
    form: Any,
) -> int:
    """Print every Kubernetes manifest of an environment, or write one file an object.

    Two runs over the same input give the same bytes. A secret's value is never part of it: its place shows as
    <secret:name>. Guardrails are not run; that is `apiopsctl check`.

    DIR belongs to one environment, and to this command: index.json there lists its files, no other is touched. Of a
    team alone, only the folder of its namespace is written. An environment that is promoted from another is written
    by `apiopsctl promote` alone.
    """
    from apiops_components.documents import dump_all  # noqa: PLC0415
    from apiops_components.render.description import render_all, render_warnings  # noqa: PLC0415

    if check and out is None:
        raise click.UsageError("--check compares with a folder: name it with --out")
    show_warnings(project.warnings(env))
    place = _place(project, env, out, owner, check=check) if out else None
    if check and place and place.path == _resolved(out) and project.settings(env).environment.promoted_from:
        return _check_promoted(project, env, base, out, form)
    wanted = owner or ("gitops" if place and place.path == _resolved(out) else "all")
    descriptions = project.descriptions(env, team)
    show_warnings(render_warnings(descriptions))
    alone = team or (project.root.name if project.platform != project else None)
    beside = _beside(project, env, alone) if out else []
    manifests = [m for m in (*beside, *render_all(descriptions)) if wanted in ("all", m.owner)]
    if out is None:
        if form == "json":
            listed = {"apiVersion": "v1", "kind": "List", "items": [m.object for m in manifests]}
            click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
        else:
            dump_all((m.object for m in manifests), sys.stdout)
        return 0
    from apiops_components.delivery.deletions import MOST_DELETIONS  # noqa: PLC0415
    from apiops_components.delivery.tree import Tree, compare, write  # noqa: PLC0415

    only = project.settings(env).environment.namespace(alone) if alone else ""
    source = place.source(out) if place and not check else None
    tree = Tree.of(manifests, environment=env, form=form, source=source, only=only)
    if check:
        differences = compare(tree, out)
        if form == "json":
            _print_json(env, out, tree, differences)
        else:
            for difference in differences:
                click.echo(f"{difference.what}: {out / difference.path}")
        if differences:
            count = "1 file differs" if len(differences) == 1 else f"{len(differences)} files differ"
            click.echo(f"{count}; write them with: apiopsctl render --env {env} --out {out}", err=True)
        return 1 if differences else 0
    written = write(tree, out, most_deletions=None if allow_deletes else MOST_DELETIONS)
    if form == "json":
        _print_json(env, out, tree, written)
    click.echo(f"{len(tree.files)} manifests in {out}, {len(written)} files changed", err=True)
    return 0


def _beside(project: Project, env: str, team: str | None) -> list[Manifest]:
    """What the platform puts into the folder that is written for a team alone."""
    from apiops_components.render.description import beside_team  # noqa: PLC0415

    return beside_team(project.settings(env).environment, team) if team else []


def _check_promoted(project: Project, env: str, base: str | None, out: Path | None, form: str) -> int:
    from apiops_components.delivery.promotion.gate import check_promoted  # noqa: PLC0415

    index = check_promoted(project, env, base)
    where = f"{len(index.files)} manifests of {(index.source or '')[:12]}" if index else "nothing was promoted yet"
    if form == "json":
        files = len(index.files) if index else 0
        print_json({"environment": env, "folder": str(out), "files": files, "differences": []})
    click.echo(f"{env}: {where}", err=True)
    return 0


def _place(project: Project, env: str, out: Path, owner: str | None, *, check: bool) -> Place | None:
    """Where the environment's tree stands in Git; None outside of any repository."""
    from apiops_components.delivery.place import Place  # noqa: PLC0415

    environment = project.settings(env).environment
    place = Place.around(project, environment)
    if place is None or place.path != _resolved(out):
        return place
    if owner in ("pulumi", "all"):
        raise click.UsageError(f"{out} is what Argo CD watches: it holds what is delivered through Git, --owner gitops")
    if environment.promoted_from and not check:
        promote = f"apiopsctl promote {environment.promoted_from} {env} --apply"
        message = f"{out} is written by promotion from {environment.promoted_from!r} alone: {promote}"
        raise click.UsageError(message)
    return place


def _resolved(out: Path | None) -> Path | None:
    return out.resolve() if out else None


def _print_json(env: str, out: Path, tree: Tree, differences: Sequence[Difference]) -> None:
    listed = [asdict(difference) for difference in differences]
    print_json({"environment": env, "folder": str(out), "files": len(tree.files), "differences": listed})
