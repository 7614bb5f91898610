"""``apiopsctl drift``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apiops_components.cli.comparing import limit_option, show
from apiops_components.cli.options import env_option, no_color_option, project_option
from apiops_components.errors import NotRunnable, Problem

if TYPE_CHECKING:
    from apiops_components.delivery.difference.item import Item
    from apiops_components.project import Project


_PAUSE = 5
"""Seconds until a cluster is asked again."""


@click.command("drift")
@project_option
@env_option
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, dir_okay=False),
    help="How the cluster is reached  [default: $KUBECONFIG, ~/.kube/config]",
)
@click.option("--context", metavar="NAME", help="A context of the kubeconfig  [default: its current one]")
@click.option(
    "--owner",
    type=click.Choice(["gitops", "all"]),
    default="gitops",
    show_default=True,
    help="Only what Argo CD applies from Git, or what Pulumi applies too, Secrets left out.",
)
@click.option("--base", "revision", default="HEAD", show_default=True, metavar="REV", help="The state of Git.")
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json", "html"]), default="text", show_default=True
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to FILE instead of stdout.")
@click.option(
    "--wait",
    "seconds",
    type=click.IntRange(min=0),
    default=0,
    metavar="SECONDS",
    help="Ask again for as long as anything is different: Argo CD takes a while to sync.",
)
@limit_option
@no_color_option
def command(
    project: Project,
    env: str,
    kubeconfig: Path | None,
    context: str | None,
    owner: str,
    revision: str,
    form: str,
    out: Path | None,
    seconds: int,
    limit: int,
) -> int:
    """Compare a live cluster with what Git says.

    Asks the API server, changes nothing: what Git says is applied as a dry run, so that defaults are on both sides.
    What controllers own is theirs. Shown are fields that are not as in Git, fields that people added, and objects that
    are missing or that Git does not know. Exit 1 where anything is, 2 where the cluster could not be asked. Needs the
    extra cluster.
    """
    from apiops_components.delivery.drift.drift import drift_of  # noqa: PLC0415
    from apiops_components.integrations.kubeconfig import read_kubeconfig  # noqa: PLC0415
    from apiops_components.integrations.kubernetes import Cluster  # noqa: PLC0415

    items, known = _wanted(project, env, owner, revision)
    access = read_kubeconfig(kubeconfig, context)
    cluster = Cluster(access)
    rights = [item.identity[1:] for item in known]
    end = time.monotonic() + seconds
    while True:
        comparison = drift_of(cluster, items, environment=env, git=revision, context=access.context, known=rights)
        if not comparison.different or time.monotonic() >= end:
            break
        time.sleep(_PAUSE)
    show(comparison, form, out, limit)
    return 1 if comparison.different else 0


def _wanted(project: Project, env: str, owner: str, revision: str) -> tuple[list[Item], list[Item]]:
    """What Git says, and everything that may be there."""
    from apiops_components.delivery.difference.sides import described, project_at, read_revision_path  # noqa: PLC0415
    from apiops_components.delivery.git import Repository  # noqa: PLC0415
    from apiops_components.delivery.place import Place  # noqa: PLC0415
    from apiops_components.delivery.promotion.committed import committed  # noqa: PLC0415

    repository = Repository.of(project.root)
    commit = repository.commit(revision)
    with project_at(repository, project.root, commit, revision) as at:
        if at is None:
            raise NotRunnable(Problem(f"the project is not in {revision}", code="drift/project"))
        place = Place.of(repository, at.settings(env).environment)
        every = described(revision, at, (env,)).items[env]
        pulumi = [item for item in every if item.applied_by == "pulumi" and item.kind != "Secret"]
    tree: list[Item] = []
    if committed(repository, commit, place.folder):
        tree = list(read_revision_path(repository, commit, place.folder, place.folder).items[env])
    wanted = tree + (pulumi if owner == "all" else [])
    if not wanted:
        message = f"nothing of {env!r} is delivered through Git: there is no {place.folder}/index.json in {revision}"
        hint = "--owner all compares what Pulumi applies, too"
        raise NotRunnable(Problem(message, code="drift/nothing", hint=hint))
    return wanted, list(every)
