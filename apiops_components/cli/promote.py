"""``apiopsctl promote``."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from apiops_components.cli.committing import check_branch, commit_options, ended, outcome, outcome_json, refusal_of
from apiops_components.cli.comparing import rendered, write_text
from apiops_components.cli.options import project_option
from apiops_components.errors import ApiOpsError, GuardrailError, NotRunnable, Problem

if TYPE_CHECKING:
    from apiops_components.delivery.promotion.plan import PromotionPlan
    from apiops_components.project import Project


def _digest(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:  # noqa: ARG001
    if value is not None and not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        raise click.BadParameter(f"sha256: and 64 digits are expected, got {value!r}")
    return value


@click.command("promote")
@click.argument("first", metavar="FROM")
@click.argument("second", metavar="TO")
@project_option
@click.option(
    "--approved-digest", callback=_digest, metavar="DIGEST", help="What was approved: the digest that the plan shows."
)
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Ask Argo CD in FROM's cluster: refused where it has not synced this very state, or is not healthy.",
)
@click.option("--context", metavar="NAME", help="A context of the kubeconfig  [default: its current one]")
@commit_options
def command(
    project: Project,
    first: str,
    second: str,
    apply: bool,
    approved_digest: str | None,
    kubeconfig: Path | None,
    context: str | None,
    branch: str | None,
    allow_deletes: bool,
    form: str,
    out: Path | None,
    limit: int,
) -> int:
    """Move what is deployed in FROM to TO, as a commit.

    The plan says which commit moves, what becomes of which object, and the digest that a person approves: of the state
    of FROM, and of TO's tree before and after. Only what is committed counts. With --apply and that very digest the
    commit is made on the current branch, or on a new one. Refused (exit 1) are a broken guardrail of TO, another
    digest, a tree that was changed by hand or is not what its sources give, a work tree with changes and, with
    --kubeconfig (needs the extra cluster), a FROM that Argo CD has not synced or that is not healthy; exit 3 where a
    folder would be emptied or many objects would go.
    """
    from apiops_components.delivery.promotion.plan import plan_promotion  # noqa: PLC0415

    if apply and approved_digest is None:
        raise click.UsageError("--apply needs --approved-digest: the digest that the plan shows, and a person approved")
    check_branch(branch, apply=apply)
    plan = plan_promotion(project, first, second)
    refusal = _refusal(plan, approved_digest, allow_deletes=allow_deletes)
    if refusal is None and (kubeconfig or context):
        refusal = _not_synced(plan, kubeconfig, context)
    commit = None
    if apply and refusal is None and plan.moves:
        commit = _apply(plan, branch)
    _show(plan, refusal, commit, branch, form, out, limit)
    return ended(refusal)


def _refusal(plan: PromotionPlan, approved: str | None, *, allow_deletes: bool) -> ApiOpsError | None:
    """Why it may not be made; None where it may."""
    refusal = refusal_of(plan, allow_deletes=allow_deletes)
    if refusal is None and approved is not None and approved != plan.digest:
        message = f"what was approved is not what would be promoted now: {approved} was, {plan.digest} would be"
        hint = f"{plan.first} or {plan.second} has changed since: plan and approve it again"
        return GuardrailError(Problem(message, code="promotion/digest", hint=hint))
    return refusal


def _not_synced(plan: PromotionPlan, kubeconfig: Path | None, context: str | None) -> ApiOpsError | None:
    from apiops_components.delivery.promotion.synced import check_synced  # noqa: PLC0415
    from apiops_components.integrations.kubeconfig import read_kubeconfig  # noqa: PLC0415
    from apiops_components.integrations.kubernetes import Cluster  # noqa: PLC0415

    if plan.argocd is None:
        message = f"the settings of {plan.first} have no Argo CD that could be asked"
        raise NotRunnable(Problem(message, code="promotion/argocd", hint="leave --kubeconfig out"))
    promoted = plan.tree.listing.promoted
    cluster = Cluster(read_kubeconfig(kubeconfig, context))
    try:
        check_synced(cluster, plan.argocd, plan.origin, promoted.digest if promoted else "")
    except GuardrailError as error:
        return error
    return None


def _apply(plan: PromotionPlan, branch: str | None) -> str:
    from apiops_components.delivery.index import INDEX  # noqa: PLC0415
    from apiops_components.delivery.promotion.commit import apply_commit  # noqa: PLC0415

    tree = plan.tree
    files = {path: text.encode() for path, text in {**tree.files, INDEX: tree.index}.items()}
    old = plan.before.files if plan.before else {}
    return apply_commit(plan.place.repository, plan.head, plan.place.folder, old, files, plan.message, branch)


def _show(
    plan: PromotionPlan,
    refusal: ApiOpsError | None,
    commit: str | None,
    branch: str | None,
    form: str,
    out: Path | None,
    limit: int,
) -> None:
    if form == "json":
        found: dict[str, Any] = {
            "from": plan.first,
            "to": plan.second,
            "source": plan.source,
            "digest": plan.digest,
            "moves": plan.moves,
            "difference": plan.comparison.as_json(),
            "guardrails": [asdict(finding) for finding in plan.findings],
            **outcome_json(commit, branch, refusal),
        }
        write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", out)
        return
    facts = [("source", plan.source), ("digest", plan.digest)]
    if form == "markdown":
        lines = "".join(f"- {name}: `{value}`\n" for name, value in facts)
        write_text(rendered(plan.comparison, form, limit - len(lines) - 1) + "\n" + lines, out)
        return
    lines = "".join(f"{name}  {value}\n" for name, value in facts)
    text = f"promote {plan.first} to {plan.second}\n{lines}\n{rendered(plan.comparison, form, limit)}"
    write_text(text + _outcome(plan, refusal, commit, branch), out)


def _outcome(plan: PromotionPlan, refusal: ApiOpsError | None, commit: str | None, branch: str | None) -> str:
    if not plan.moves:
        return f"\n{plan.second} has this state already\n"
    command_ = f"apiopsctl promote {plan.first} {plan.second} --apply --approved-digest {plan.digest}"
    otherwise = f"\nnothing was changed; with a person's approval:\n  {command_}\n"
    return outcome(commit, branch, refusal, otherwise)
