"""The states that can be compared: rendered folders, files, and Git revisions.

A revision is rendered by its own description and settings, read from Git into a folder of its own, with the installed
version of this package; ``REVISION:PATH`` is the folder or file as it was committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from apiops_components.delivery.difference.comparison import Side
from apiops_components.delivery.difference.item import Item, items_of, of_manifest, of_object
from apiops_components.delivery.git import Repository
from apiops_components.delivery.index import INDEX, Index, read_index
from apiops_components.documents import load_all
from apiops_components.errors import ApiOpsError, InvalidInput, NotRunnable, Problem
from apiops_components.guardrails.check import check
from apiops_components.models.description import Description
from apiops_components.project import Project
from apiops_components.render.description import render_all
from apiops_components.validation.files import contents

__all__ = ["described", "described_items", "project_at", "read_files", "read_revision_path", "side_of"]


def side_of(name: str, here: Path, environments: tuple[str, ...], project: Callable[[], Project]) -> Side:
    """The state that an argument of the command line names.

    Args:
        name: A folder, a file, ``REVISION:PATH`` or a revision, the first that it is.
        here: The current folder.
        environments: Of a revision, only these; all where there are none.
        project: Finds the project, which only a revision needs.

    Raises:
        NotRunnable: It is none of these, or cannot be read.
        InvalidInput: What is there breaks a model, or an object is there twice.
    """
    if name == "-" or (here / name).exists():
        return read_files(name)
    revision, colon, path = name.partition(":")
    repository = Repository.around(here)
    if repository is None:
        message = "there is no such file or folder, and no Git repository here that could know it as a revision"
        raise NotRunnable(Problem(message, file=name, code="diff/side"))
    if colon:
        return read_revision_path(repository, revision, repository.path(here / path), name)
    with project_at(repository, project().root, repository.commit(revision), revision) as found:
        return described(name, found, environments) if found else Side(name, {}, described=True)


# --- files -----------------------------------------------------------------------------------------------------------


def read_files(name: str) -> Side:
    """A file, a folder, or ``-``."""
    root = Path(name)
    indexes: dict[str, Index] = {}
    if root.is_dir():
        for file in sorted(root.rglob(INDEX)):
            indexes[str(file.parent)] = read_index(file.read_text(encoding="utf-8", errors="replace"), str(file))
    return _read(name, contents(name), indexes)


def read_revision_path(repository: Repository, revision: str, path: str, label: str) -> Side:
    """A folder or file as it was committed."""
    commit = repository.commit(revision)
    blobs = repository.files(commit, path)
    if not blobs:
        content = repository.read(commit, path)
        if content is None:
            raise NotRunnable(Problem(f"{path} is not in {revision}", file=label, code="git/path"))
        return _read(label, [(label, content)], {})
    texts = {
        file: content
        for file, content in repository.contents(blobs).items()
        if PurePosixPath(file).suffix in (".yaml", ".yml", ".json")
    }
    indexes = {
        str(PurePosixPath(label, file).parent): read_index(content.decode("utf-8", "replace"), f"{label}/{file}")
        for file, content in texts.items()
        if PurePosixPath(file).name == INDEX
    }
    listed = (
        (str(PurePosixPath(label, file)), content)
        for file, content in sorted(texts.items())
        if PurePosixPath(file).name != INDEX
    )
    return _read(label, listed, indexes)


def _read(label: str, files: Iterable[tuple[str, bytes]], indexes: Mapping[str, Index]) -> Side:
    known = {
        f"{folder}/{file}": (part.component, part.team, part.owner)
        for folder, index in indexes.items()
        for part in index.parts
        for file in part.files
    }
    items: dict[str, dict[object, Item]] = {index.environment: {} for index in indexes.values()}
    for file, content in files:
        environment = next((i.environment for folder, i in indexes.items() if file.startswith(f"{folder}/")), "")
        for document in load_all(content, file):
            for value in items_of(document.value):
                item = of_object(value, environment, *known.get(file, ()))
                here = items.setdefault(environment, {})
                if item.identity in here:
                    message = "is there twice"
                    problem = Problem(message, file=file, document=item.title, code="diff/duplicate")
                    raise InvalidInput(problem)
                here[item.identity] = item
    return Side(label, {name: tuple(found.values()) for name, found in items.items()} or {"": ()})


# --- projects --------------------------------------------------------------------------------------------------------


def described(label: str, project: Project, environments: tuple[str, ...], *, guardrails: bool = False) -> Side:
    """What a project's descriptions hold; an environment that is not there is left out."""
    items: dict[str, tuple[Item, ...]] = {}
    findings = {}
    for env in environments or project.environments:
        if env not in project.environments:
            continue
        descriptions = project.descriptions(env)
        items[env] = described_items(descriptions, env)
        if guardrails:
            findings[env] = tuple(check(descriptions, project.guardrails(env)))
    return Side(label, items, findings if guardrails else None, described=True)


def described_items(descriptions: list[Description], env: str) -> tuple[Item, ...]:
    """The objects of some descriptions of an environment, with who answers for each."""
    environment = descriptions[0].environment
    owners = {"": environment.owner} | {name: team.owner for name, team in environment.teams.items()}
    manifests = render_all(descriptions)
    by_component = {(m.team, m.component): m.responsible for m in manifests if m.responsible}
    return tuple(
        of_manifest(m, env, by_component.get((m.team, m.component)) or owners.get(m.team or "", "")) for m in manifests
    )


@contextmanager
def project_at(repository: Repository, root: Path, commit: str, label: str) -> Iterator[Project | None]:
    """A project as it was at a commit; None where it was not there yet. Errors name the file in that commit."""
    relative = repository.path(root)
    with repository.checked_out(commit) as folder:
        try:
            there = (folder / relative / "Pulumi.yaml").is_file()
            yield Project.load(folder / relative) if there else None
        except ApiOpsError as error:
            raise type(error)(_placed(problem, folder, label) for problem in error.problems) from None


def _placed(problem: Problem, folder: Path, label: str) -> Problem:
    """The problem with its place in the commit, and not in the folder that is gone when it is read."""

    def put(text: str) -> str:
        return text.replace(f"{folder}/", f"{label}:").replace(str(folder), label)

    return replace(problem, file=put(problem.file), message=put(problem.message), hint=put(problem.hint))
