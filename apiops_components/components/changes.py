"""What a change does to a project: its descriptions and programs at a Git revision, beside those in the work tree."""

from apiops_components.components.program import preview_programs
from apiops_components.delivery.difference.comparison import Comparison, Side, compare
from apiops_components.delivery.difference.item import Item, of_resource
from apiops_components.delivery.difference.sides import described, project_at
from apiops_components.delivery.git import Repository
from apiops_components.errors import NotRunnable, Problem
from apiops_components.project import Project

__all__ = ["changes_since"]


def changes_since(project: Project, revision: str, environments: tuple[str, ...] = ()) -> Comparison:
    """The difference between a Git revision and the work tree.

    Args:
        project: The project in the work tree.
        revision: Branch, tag or commit.
        environments: Only these; all that are at the revision or in the work tree where there are none.

    Raises:
        NotRunnable: There is no such revision or environment, or one of the two cannot be run.
        InvalidInput: One of the two breaks a model.
    """
    repository = Repository.of(project.root)
    commit = repository.commit(revision)
    with project_at(repository, project.root, commit, revision) as before:
        known = tuple(dict.fromkeys((*project.environments, *(before.environments if before else ()))))
        if unknown := [env for env in environments if env not in known]:
            listed = ", ".join(known) or "none"
            message = f"unknown environment {unknown[0]!r}; environments here and at {revision}: {listed}"
            raise NotRunnable(Problem(message, code="project/environment"))
        base = _side(revision, before, environments or known)
    return compare(base, _side("work tree", project, environments or known))


def _side(label: str, project: Project | None, environments: tuple[str, ...]) -> Side:
    if project is None:
        return Side(label, {}, described=True)
    is_described = (project.main / "describe.py").is_file()
    side = described(label, project, environments, guardrails=True) if is_described else Side(label, {})
    items = {
        env: (*side.items.get(env, ()), *_resources(project, env, side.items.get(env, ()))) for env in environments
    }
    return Side(label, items, side.findings, described=True)


def _resources(project: Project, env: str, described_items: tuple[Item, ...]) -> list[Item]:
    """What the programs register beside the manifests that are described."""
    if env not in project.environments or not (project.main / "__main__.py").is_file():
        return []
    environment = project.settings(env).environment
    owners = {name: team.owner for name, team in environment.teams.items()}
    known = {(item.kind, item.namespace, item.name) for item in described_items}
    found = []
    for program in preview_programs(project, env):
        for resource in program.recording.resources:
            if not resource.custom or resource.read or resource.type.startswith("pulumi:"):
                continue
            metadata = resource.inputs.get("metadata")
            if resource.package == "kubernetes" and isinstance(metadata, dict):
                place = str(metadata.get("namespace") or ""), str(metadata.get("name"))
                if (resource.inputs.get("kind"), *place) in known:
                    continue
            found.append(
                of_resource(resource, env, program.team or "", owners.get(program.team or "", environment.owner))
            )
    return found
