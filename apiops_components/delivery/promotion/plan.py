"""What a promotion would do: which state moves, what becomes of which object, and whether it may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from apiops_components.delivery.deletions import MOST_DELETIONS, refuse_deletions
from apiops_components.delivery.difference.comparison import Comparison, Side, compare, summary
from apiops_components.delivery.difference.sides import described_items, project_at, read_revision_path
from apiops_components.delivery.git import Repository
from apiops_components.delivery.index import INDEX, Index, Promotion, digest_of
from apiops_components.delivery.place import Place
from apiops_components.delivery.promotion.committed import CommittedTree, committed
from apiops_components.delivery.tree import Tree
from apiops_components.errors import GuardrailError, InvalidInput, NotRunnable, Problem
from apiops_components.guardrails.check import check
from apiops_components.guardrails.finding import Finding
from apiops_components.models.description import Description
from apiops_components.project import Project
from apiops_components.render.description import render_all

__all__ = ["PromotionPlan", "delivered", "form_of", "plan_promotion", "rendered_tree"]


@dataclass(frozen=True, slots=True)
class PromotionPlan:
    """A promotion that was not made yet.

    Attributes:
        first: The environment that the state comes from.
        second: The environment that it moves to.
        head: The commit that it was planned at.
        source: The commit whose descriptions and settings are rendered.
        place: Where the second environment's tree stands.
        origin: Where the first environment's tree stands.
        argocd: The namespace of the first environment's Argo CD; None where it has none.
        before: The tree that is there; None for the first promotion.
        tree: The tree that will be there.
        comparison: What becomes of which object.
        findings: What the guardrails of the second environment say.
    """

    first: str
    second: str
    head: str
    source: str
    place: Place
    origin: Place
    argocd: str | None
    before: CommittedTree | None
    tree: Tree
    comparison: Comparison
    findings: tuple[Finding, ...]

    @property
    def digest(self) -> str:
        """What a person approves: what is there now, what will be, and the state of the first environment."""
        promoted = self.tree.listing.promoted
        before = self.before.index.digest if self.before else "nothing"
        approved = promoted.digest if promoted else ""
        return digest_of([f"{self.first} {approved}", f"{self.second} {before}", self.tree.listing.digest])

    @property
    def moves(self) -> bool:
        """Whether anything is different."""
        return self.before is None or self.before.index.digest != self.tree.listing.digest

    @property
    def message(self) -> str:
        """The message of its commit, with trailers for programs."""
        counts = ", ".join(f"{number} {what}" for what, number in summary(self.comparison.objects).items() if number)
        return (
            f"Promote {self.first} to {self.second}\n\n{counts or 'No object changes.'}\n\n"
            f"Apiops-From: {self.first}\nApiops-Source: {self.source}\nApiops-Digest: {self.digest}\n"
        )

    def refuse(self, *, allow_deletes: bool = False) -> None:
        """Checks that it may be made.

        Raises:
            GuardrailError: A guardrail of the second environment is broken.
            DeletionRefused: More would be deleted than anybody means by accident.
        """
        broken = [finding for finding in self.findings if not finding.waived]
        if broken:
            raise GuardrailError(
                Problem(
                    f"breaks {finding.guardrail} in {self.second}: {finding.message}",
                    finding.path,
                    "promotion/guardrail",
                    finding.hint,
                    document=finding.subject,
                )
                for finding in broken
            )
        if self.before is not None and not allow_deletes:
            files = self.before.index.files, self.tree.listing.files
            refuse_deletions(*files, most=MOST_DELETIONS, place=self.place.folder)


def plan_promotion(project: Project, first: str, second: str) -> PromotionPlan:
    """Plans a promotion from what is committed; nothing is changed.

    The state that moves is the newest commit whose sources give the first environment's tree: the current one, where
    nothing is waiting to be rendered, else the one that its index names.

    Raises:
        NotRunnable: There is no such environment, tree or commit, or the second is not promoted from the first.
        GuardrailError: One of the trees was changed by hand, or the first is not what its sources give.
        InvalidInput: Descriptions or settings break a model.
    """
    repository = Repository.of(project.root)
    head = repository.commit("HEAD")
    with project_at(repository, project.root, head, "HEAD") as now:
        if now is None:
            message = "the project is not committed, so nothing of it can be promoted"
            raise NotRunnable(Problem(message, file=str(project.root), code="promotion/project"))
        _check_order(now, first, second)
        environment = now.settings(first).environment
        origin = Place.of(repository, environment)
        argocd = environment.argocd.namespace if environment.argocd else None
        place = Place.of(repository, now.settings(second).environment)
        state = committed(repository, head, origin.folder)
        if state is None:
            message = f"there is no tree of {first!r} in the last commit: {origin.folder}/{INDEX}"
            hint = f"apiopsctl render --env {first} --out {origin.folder}, and commit it"
            raise NotRunnable(Problem(message, code="promotion/tree", hint=hint))
        before = committed(repository, head, place.folder)
        guardrails = now.guardrails(second)
        with _at_source(now, repository, project, head, first, origin, state.index) as (source, at):
            promoted = Promotion(first, state.index.digest)
            descriptions = at.descriptions(second)
            tree = rendered_tree(descriptions, second, form_of(state.index), source, promoted)
            items = {item.identity: item for item in described_items(descriptions, second)}
            new = Side(first, {second: tuple(item for item in items.values() if item.applied_by == "gitops")})
    if before is None:
        old = Side(second, {second: ()})
    else:
        old = Side(second, read_revision_path(repository, head, place.folder, place.folder).items)
    findings = tuple(check(descriptions, guardrails))
    return PromotionPlan(first, second, head, source, place, origin, argocd, before, tree, compare(old, new), findings)


def rendered_tree(
    descriptions: list[Description],
    env: str,
    form: Literal["yaml", "json"],
    source: str,
    promoted: Promotion | None,
) -> Tree:
    """The tree of what is delivered through Git."""
    manifests = [manifest for manifest in render_all(descriptions) if manifest.owner == "gitops"]
    return Tree.of(manifests, environment=env, form=form, source=source, promoted=promoted)


def delivered(project: Project, env: str, form: Literal["yaml", "json"]) -> str:
    """The digest of the tree that a project gives for an environment."""
    return rendered_tree(project.descriptions(env), env, form, "", None).listing.digest


def form_of(index: Index) -> Any:
    """Whether a tree is of YAML or of JSON."""
    return "json" if index.files and all(path.endswith(".json") for path in index.files) else "yaml"


def _check_order(project: Project, first: str, second: str) -> None:
    project.settings(first)
    expected = project.settings(second).environment.promoted_from
    if expected != first:
        said = f"from {expected!r}" if expected else "from no other environment"
        message = f"{second!r} is promoted {said}, not from {first!r}"
        hint = f"its settings say it: promoted_from: {first}"
        raise NotRunnable(Problem(message, code="promotion/order", hint=hint))


@contextmanager
def _at_source(
    now: Project, repository: Repository, project: Project, head: str, first: str, origin: Place, index: Index
) -> Iterator[tuple[str, Project]]:
    """The project at the newest commit that gives the first environment's tree."""
    if delivered(now, first, form_of(index)) == index.digest:
        yield head, now
        return
    source = _recorded(repository, head, origin, index)
    with project_at(repository, project.root, source, source[:12]) as at:
        if at is None or delivered(at, first, form_of(index)) != index.digest:
            message = f"{origin.folder} is not what the sources of {first!r} give, neither now nor at {source[:12]}"
            hint = f"apiopsctl render --env {first} --out {origin.folder}, and commit it"
            raise GuardrailError(Problem(message, code="promotion/stale", hint=hint))
        yield source, at


def _recorded(repository: Repository, head: str, origin: Place, index: Index) -> str:
    """The commit that the index names; its last change where it names none, or one that a squashed merge dropped."""
    if index.source is not None and repository.is_ancestor(index.source, head):
        return index.source
    changed = repository.history(head, f"{origin.folder}/{INDEX}")
    if repository.shallow:
        message = f"the commit that {origin.folder} was rendered from is not in this shallow clone"
        hint = "git fetch --unshallow, or a greater fetch depth in the pipeline"
        raise NotRunnable(Problem(message, code="git/shallow", hint=hint))
    if not changed:
        raise InvalidInput(Problem(f"{origin.folder}/{INDEX} has no history", code="promotion/history"))
    return changed[0]
