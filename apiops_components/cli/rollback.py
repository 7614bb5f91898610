"""``apiopsctl rollback``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from apiops_components.cli.comparing import limit_option, rendered, write_text
from apiops_components.cli.options import env_option, no_color_option, project_option
from apiops_components.cli.output import problem_json, show_problems
from apiops_components.cli.promote import allow_deletes_option, apply_option, branch_option, form_option, out_option
from apiops_components.errors import ApiOpsError

if TYPE_CHECKING:
    from apiops_components.delivery.promotion.rollback import RollbackPlan
    from apiops_components.project import Project


@click.command("rollback")
@project_option
@env_option
@click.option("--to", "revision", required=True, metavar="COMMIT", help="The commit whose tree comes back.")
@apply_option
@branch_option
@allow_deletes_option
@form_option
@out_option
@limit_option
@no_color_option
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

    if branch is not None and not apply:
        raise click.UsageError("--branch is where --apply makes the commit")
    plan = plan_rollback(project, env, revision)
    refusal: ApiOpsError | None = None
    try:
        plan.refuse(allow_deletes=allow_deletes)
    except ApiOpsError as error:
        refusal = error
    commit = None
    if apply and refusal is None and plan.moves:
        files = plan.after.files
        repository, folder = plan.place.repository, plan.place.folder
        commit = apply_commit(repository, plan.head, folder, plan.before.files, files, plan.message, branch)
    _show(plan, refusal, commit, branch, form, out, limit)
    if not plan.promoted and plan.moves:
        sources = "the sources still say the newer state, and render --check will say so: revert them as well"
        click.secho(f"warning: {env} is rendered by its author: {sources}", err=True, fg="yellow")
    if refusal is not None:
        show_problems(refusal.problems)
        return refusal.exit_code
    return 0


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
            "refused": [problem_json(problem) for problem in refusal.problems] if refusal else None,
            "commit": commit,
            "branch": branch,
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
    if commit is not None:
        return f"\ncommit {commit}{f' on branch {branch}' if branch else ''}\n"
    return "" if refusal is not None else "\nnothing was changed; --apply makes the commit\n"
