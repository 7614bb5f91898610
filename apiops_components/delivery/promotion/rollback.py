"""An environment's tree as it was, byte for byte, as a new commit."""

from __future__ import annotations

from dataclasses import dataclass

from apiops_components.delivery.deletions import MOST_DELETIONS, refuse_deletions
from apiops_components.delivery.difference.comparison import Comparison, Side, compare, summary
from apiops_components.delivery.difference.sides import read_revision_path
from apiops_components.delivery.git import Repository
from apiops_components.delivery.place import Place
from apiops_components.delivery.promotion.committed import CommittedTree, committed
from apiops_components.errors import GuardrailError, NotRunnable, Problem
from apiops_components.project import Project

__all__ = ["RollbackPlan", "plan_rollback"]


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """A rollback that was not made yet.

    Attributes:
        environment: The environment.
        head: The commit that it was planned at.
        to: The commit whose tree comes back.
        place: Where the tree stands.
        before: The tree that is there.
        after: The tree that comes back.
        comparison: What becomes of which object.
        promoted: Whether the tree is written by promotion, and not by rendering what is in the sources.
    """

    environment: str
    head: str
    to: str
    place: Place
    before: CommittedTree
    after: CommittedTree
    comparison: Comparison
    promoted: bool

    @property
    def moves(self) -> bool:
        """Whether anything is different."""
        return self.before.files != self.after.files

    @property
    def message(self) -> str:
        """The message of its commit, with trailers for programs."""
        counts = ", ".join(f"{number} {what}" for what, number in summary(self.comparison.objects).items() if number)
        return (
            f"Roll back {self.environment} to {self.to[:12]}\n\n{counts or 'No object changes.'}\n\n"
            f"Apiops-Rollback: {self.to}\n"
        )

    def refuse(self, *, allow_deletes: bool = False) -> None:
        """Checks that it may be made.

        Raises:
            DeletionRefused: More would be deleted than anybody means by accident.
        """
        if not allow_deletes:
            files = self.before.index.files, self.after.index.files
            refuse_deletions(*files, most=MOST_DELETIONS, place=self.place.folder)


def plan_rollback(project: Project, env: str, revision: str) -> RollbackPlan:
    """Plans a rollback from what is committed; nothing is changed.

    Raises:
        NotRunnable: There is no such environment or commit, or no tree in it.
        GuardrailError: One of the trees was changed by hand, or the commit was never part of this history.
    """
    environment = project.settings(env).environment
    repository = Repository.of(project.root)
    place = Place.of(repository, environment)
    head, to = repository.commit("HEAD"), repository.commit(revision)
    if not repository.is_ancestor(to, head):
        message = f"{revision} is not in the history of the current commit, so nobody ever delivered it from here"
        hint = "git fetch --unshallow" if repository.shallow else "git log names the commits that are"
        raise GuardrailError(Problem(message, code="rollback/history", hint=hint))
    trees = [committed(repository, commit, place.folder) for commit in (head, to)]
    for name, tree in zip(("HEAD", revision), trees, strict=True):
        if tree is None:
            hint = f"git log -- {place.folder} names the commits that have one"
            message = f"there is no tree of {env!r} at {name}: {place.folder}"
            raise NotRunnable(Problem(message, code="rollback/tree", hint=hint))
    before, after = (tree for tree in trees if tree is not None)
    if after.index.environment != env:
        message = f"the tree at {revision} is of {after.index.environment!r}"
        raise NotRunnable(Problem(message, code="rollback/environment", file=place.folder))
    sides = [
        Side(name, read_revision_path(repository, commit, place.folder, place.folder).items)
        for name, commit in (("HEAD", head), (revision, to))
    ]
    promoted = environment.promoted_from is not None
    return RollbackPlan(env, head, to, place, before, after, compare(*sides), promoted)
