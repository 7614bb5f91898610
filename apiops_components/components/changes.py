"""What a change does to a project: its descriptions and programs at a Git revision, beside those in the work tree."""

from dataclasses import replace

from apiops_components.components.program import preview_programs
from apiops_components.delivery.difference.comparison import Comparison, Side, compare
from apiops_components.delivery.difference.item import Item, of_resource
from apiops_components.delivery.difference.sides import described, project_at
from apiops_components.delivery.git import Repository
from apiops_components.errors import NotRunnable, Problem
from apiops_components.guardrails.finding import Finding
from apiops_components.models.cluster.replacement import Replacement, replacements
from apiops_components.models.environment import Environment
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
        replaced = _replaced(before, project, environments or known)
    head = _side("work tree", project, environments or known)
    findings = {env: (*found, *replaced.get(env, ())) for env, found in (head.findings or {}).items()}
    return compare(base, replace(head, findings=findings) if findings else head)


def _replaced(before: Project | None, now: Project, environments: tuple[str, ...]) -> dict[str, tuple[Finding, ...]]:
    """The changes that would replace a protected cluster: they fail in the middle of an update, or were not meant."""
    found = {}
    for env in environments:
        if before is None or env not in before.environments or env not in now.environments:
            continue
        old, new = (project.settings(env).environment for project in (before, now))
        if getattr(old.cluster, "deletion_protection", False):
            found[env] = tuple(_finding(change, new) for change in replacements(old.cluster, new.cluster))
    return found


def _finding(change: Replacement, environment: Environment) -> Finding:
    setting = change.setting.partition(".")[0]
    can_allow = hasattr(environment.cluster, "allow_replace")
    first = f"allow_replace: [{setting}]" if can_allow else "deletion_protection: false"
    hint = change.instead or f"{first}, in an update of its own before this one"
    return Finding(
        guardrail="cluster-replacement",
        subject=f"cluster of {environment.name}",
        owner=environment.owner,
        team=None,
        message=f"{change.old!s} → {change.new!s} replaces the cluster and everything in it ({change.why}), "
        "which is protected",
        hint=hint,
        path=f"cluster.{change.setting}",
        waived="allow_replace names it" if change.allowed else "",
    )


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
