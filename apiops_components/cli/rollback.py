"""``apiopsctl rollback``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from apiops_components.cli.committing import check_branch, commit_options, ended, outcome, outcome_json, refusal_of
from apiops_components.cli.comparing import rendered, write_text
from apiops_components.cli.options import env_option, project_option
from apiops_components.errors import ApiOpsError

if TYPE_CHECKING:
    from apiops_components.delivery.promotion.rollback import RollbackPlan
    from apiops_components.project import Project


@click.command("rollback")
@project_option
@env_option
@click.option("--to", "revision", required=True, metavar="COMMIT", help="The commit whose tree comes back.")
@commit_options
def command(
    project: Project,
    env: str,
    revision: str,
    apply: bool,
    branch: str | None,
    allow_deletes: bool,
    form: str,
    out: Path | None,
    limit: int,
) -> int:
    """Bring an environment's tree back as it was at a commit, byte for byte, as a new commit.

    The plan says what becomes of which object. Nothing is changed without --apply. Refused (exit 1) are a commit
    outside of this history, a tree that was changed by hand, and a work tree with changes; exit 3 where a folder would
    be emptied or many objects would go.
    """
    from apiops_components.delivery.promotion.commit import apply_commit  # noqa: PLC0415
    from apiops_components.delivery.promotion.rollback import plan_rollback  # noqa: PLC0415

    check_branch(branch, apply=apply)
    plan = plan_rollback(project, env, revision)
    refusal = refusal_of(plan, allow_deletes=allow_deletes)
    commit = None
    if apply and refusal is None and plan.moves:
        files = plan.after.files
        repository, folder = plan.place.repository, plan.place.folder
        commit = apply_commit(repository, plan.head, folder, plan.before.files, files, plan.message, branch)
    _show(plan, refusal, commit, branch, form, out, limit)
    if not plan.promoted and plan.moves:
        sources = "the sources still say the newer state, and render --check will say so: revert them as well"
        click.secho(f"warning: {env} is rendered by its author: {sources}", err=True, fg="yellow")
    return ended(refusal)


def _show(
    plan: RollbackPlan,
    refusal: ApiOpsError | None,
    commit: str | None,
    branch: str | None,
    form: str,
    out: Path | None,
    limit: int,
) -> None:
    if form == "json":
        found: dict[str, Any] = {
            "environment": plan.environment,
            "to": plan.to,
            "moves": plan.moves,
            "difference": plan.comparison.as_json(),
            **outcome_json(commit, branch, refusal),
        }
        write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", out)
    elif form == "markdown":
        write_text(rendered(plan.comparison, form, limit), out)
    else:
        text = f"roll back {plan.environment} to {plan.to}\n\n{rendered(plan.comparison, form, limit)}"
        write_text(text + _outcome(plan, refusal, commit, branch), out)


def _outcome(plan: RollbackPlan, refusal: ApiOpsError | None, commit: str | None, branch: str | None) -> str:
    if not plan.moves:
        return f"\n{plan.environment} is in this state already\n"
    return outcome(commit, branch, refusal, "\nnothing was changed; --apply makes the commit\n")
