"""Whether a promoted environment's tree came there by promotion: what a pipeline checks in every change."""

from __future__ import annotations

from apiops_components.delivery.difference.sides import project_at
from apiops_components.delivery.git import Repository
from apiops_components.delivery.index import INDEX, Index, read_index
from apiops_components.delivery.place import Place
from apiops_components.delivery.promotion.committed import in_work_tree
from apiops_components.delivery.promotion.plan import delivered, form_of, rendered_tree
from apiops_components.errors import ApiOpsError, GuardrailError, NotRunnable, Problem
from apiops_components.project import Project

__all__ = ["check_promoted"]


def check_promoted(project: Project, env: str, base: str | None = None) -> Index | None:
    """Checks the tree in the work tree; what it says of itself, or None where there is none yet.

    It is right where its files are what its index says, and either the history of ``base`` had this very tree (it was
    not touched, or rolled back), or promotion gives it anew: rendered at the commit that it names, at which the other
    environment's tree had the digest that it names, a state that was once committed there.

    Raises:
        GuardrailError: It was written by something else.
        NotRunnable: A commit that it depends on is not here.
    """
    environment = project.settings(env).environment
    repository = Repository.of(project.root)
    place = Place.of(repository, environment)
    index, problems = in_work_tree(place.path, place.folder)
    if problems:
        raise GuardrailError(problems)
    if index is None:
        if _was_there(repository, base, place):
            raise _refusal(place, env, environment.promoted_from, "was deleted")
        return None
    if base is not None and _had(repository, repository.commit(base), place, index):
        return index
    _check_origin(project, repository, place, index, env)
    return index


def _was_there(repository: Repository, base: str | None, place: Place) -> bool:
    return base is not None and INDEX in repository.files(repository.commit(base), place.folder)


def _had(repository: Repository, commit: str, place: Place, index: Index) -> bool:
    """Whether the tree stood like this in a commit or its history."""
    path = f"{place.folder}/{INDEX}"
    text = index.text.encode()
    return any(repository.read(earlier, path) == text for earlier in repository.history(commit, path))


def _check_origin(project: Project, repository: Repository, place: Place, index: Index, env: str) -> None:
    first = project.settings(env).environment.promoted_from
    if index.promoted is None or index.source is None or index.promoted.environment != first:
        raise _refusal(place, env, first, "was not written by promotion")
    head = repository.commit("HEAD")
    if not repository.is_ancestor(index.source, head):
        if repository.shallow:
            message = f"{place.folder} comes from {index.source[:12]}, which is not in this shallow clone"
            hint = "git fetch --unshallow, or a greater fetch depth in the pipeline"
            raise NotRunnable(Problem(message, code="git/shallow", hint=hint))
        raise _refusal(place, env, first, f"comes from {index.source[:12]}, which is not in this history")
    origin = Place.of(repository, project.settings(first).environment)
    form = form_of(index)
    if not _once_delivered(repository, head, origin, index.promoted.digest):
        raise _refusal(place, env, first, f"is of a state that {origin.folder} never had")
    with project_at(repository, project.root, index.source, index.source[:12]) as at:
        if at is None or delivered(at, first, form) != index.promoted.digest:
            raise _refusal(place, env, first, f"is not of the state of {first!r} that it names")
        tree = rendered_tree(at.descriptions(env), env, form, index.source, index.promoted)
    if tree.index != index.text:
        raise _refusal(place, env, first, f"is not what promotion of {index.source[:12]} gives")


def _once_delivered(repository: Repository, head: str, origin: Place, digest: str) -> bool:
    path = f"{origin.folder}/{INDEX}"
    for commit in repository.history(head, path):
        content = repository.read(commit, path)
        try:
            if content is not None and read_index(content.decode("utf-8", "replace"), path).digest == digest:
                return True
        except ApiOpsError:  # a commit with a broken index delivered nothing
            continue
    return False


def _refusal(place: Place, env: str, first: str | None, what: str) -> GuardrailError:
    hint = (
        f"apiopsctl promote {first} {env}, or apiopsctl rollback --env {env}; git restore takes a change by hand back"
    )
    return GuardrailError(Problem(what, file=place.folder, code="tree/not-promoted", hint=hint))
