"""What `promote` and `rollback` share: their options, and how a command ends that makes a commit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from apiops_components.cli.comparing import limit_option
from apiops_components.cli.options import no_color_option
from apiops_components.cli.output import problem_json, show_problems
from apiops_components.errors import ApiOpsError

if TYPE_CHECKING:
    from apiops_components.delivery.promotion.plan import PromotionPlan
    from apiops_components.delivery.promotion.rollback import RollbackPlan

__all__ = ["check_branch", "commit_options", "ended", "outcome", "outcome_json", "refusal_of"]

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--apply", is_flag=True, help="Make the commit; without it only the plan is shown."),
    click.option("--branch", metavar="NAME", help="Make the commit on this new branch, and leave the work tree alone."),
    click.option(
        "--allow-deletes", is_flag=True, help="Let a folder be emptied, and any number of objects go; else exit 3."
    ),
    click.option(
        "--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True
    ),
    click.option(
        "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the plan to FILE instead of stdout."
    ),
    limit_option,
    no_color_option,
)


def commit_options(command: F) -> F:
    """``--apply``, ``--branch``, ``--allow-deletes``, ``--format``, ``--out``, ``--limit``, ``--no-color``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_branch(branch: str | None, *, apply: bool) -> None:
    """Refuses a branch for a commit that is not made."""
    if branch is not None and not apply:
        raise click.UsageError("--branch is where --apply makes the commit")


def refusal_of(plan: PromotionPlan | RollbackPlan, *, allow_deletes: bool) -> ApiOpsError | None:
    """Why the commit may not be made; None where it may."""
    try:
        plan.refuse(allow_deletes=allow_deletes)
    except ApiOpsError as error:
        return error
    return None


def outcome(commit: str | None, branch: str | None, refusal: ApiOpsError | None, otherwise: str) -> str:
    """The last lines for a person; ``otherwise`` where nothing was refused and nothing asked for."""
    if commit is not None:
        return f"\ncommit {commit}{f' on branch {branch}' if branch else ''}\n"
    return "" if refusal is not None else otherwise


def outcome_json(commit: str | None, branch: str | None, refusal: ApiOpsError | None) -> dict[str, Any]:
    """The last keys of the JSON document."""
    refused = [problem_json(problem) for problem in refusal.problems] if refusal else None
    return {"refused": refused, "commit": commit, "branch": branch}


def ended(refusal: ApiOpsError | None) -> int:
    """The exit code; says on stderr what was refused."""
    if refusal is None:
        return 0
    show_problems(refusal.problems)
    return refusal.exit_code
