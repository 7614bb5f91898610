"""What a deployment by Argo CD consists of: what is applied first, what is committed, what is waited for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apiops_components.delivery.tree import INDEX, Tree
from apiops_components.errors import InvalidInput
from apiops_components.guardrails.check import check
from apiops_components.models.argocd import ArgoCDSpec
from apiops_components.models.environment import Environment, GitSource
from apiops_components.project import Project
from apiops_components.render.description import render_all

__all__ = ["Delivered", "delivered", "failing", "identity", "nudge", "settled"]

_ELSEWHERE = ("ArgoCD ", "NgrokOperator ", "GitLabToken ")
"""Components of what Helm charts and forges bring elsewhere, and the sandbox has or does without."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One environment, as Argo CD delivers it.

    Attributes:
        folder: In the repository, of this environment.
        applied: What Pulumi owns, in the order in which it is needed.
        files: What Argo CD applies, by path below the folder, the index among them.
        applications: Names of the Applications that follow the folder.
    """

    folder: str
    applied: tuple[Mapping[str, Any], ...]
    files: Mapping[str, str]
    applications: tuple[str, ...]


def delivered(project: Project, env: str, repository: str) -> Delivered:
    """What is delivered of an environment, every team's part through Git whatever its settings say.

    Raises:
        InvalidInput: Settings or a description break their model, or a guardrail is broken.
    """
    project = project.platform
    environment = _through_git(project.settings(env).environment, repository)
    teams = [team for name, team in project.teams.items() if name in environment.teams]
    descriptions = [each.describe(environment) for each in (project, *teams)]
    broken = [finding for finding in check(descriptions, project.guardrails(environment)) if not finding.waived]
    if broken:
        raise InvalidInput(finding.problem() for finding in broken)
    manifests = [item for item in render_all(descriptions) if not item.component.startswith(_ELSEWHERE)]
    tree = Tree.of((item for item in manifests if item.owner == "gitops"), environment=env)
    held = {file.partition("/")[0] for file in tree.files}
    owned = (item.object for item in manifests if item.owner == "pulumi")
    applied = tuple(item for item in owned if not _follows_nothing(item, held))
    return Delivered(
        folder=f"deploy/{env}",
        applied=applied,
        files={**tree.files, INDEX: tree.index},
        applications=tuple(item["metadata"]["name"] for item in applied if item["kind"] == "Application"),
    )


def _through_git(environment: Environment, repository: str) -> Environment:
    return environment.model_copy(
        update={
            "teams": {name: team.model_copy(update={"delivery": "gitops"}) for name, team in environment.teams.items()},
            "git": GitSource(repository=repository),
            "argocd": ArgoCDSpec(profile="small"),
        }
    )


def _follows_nothing(item: Mapping[str, Any], held: set[str]) -> bool:
    """An Application of a team that has a namespace and no API yet: its folder would be missing."""
    return item["kind"] == "Application" and item["spec"]["source"]["path"].rpartition("/")[2] not in held


def identity(item: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an object that says which one it is."""
    kept = {key: item["metadata"][key] for key in ("name", "namespace") if key in item["metadata"]}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": kept}


def settled(application: Mapping[str, Any], commit: str) -> bool:
    """Whether an Application has this very commit live, and all of it is healthy."""
    status = application.get("status") or {}
    sync, health = status.get("sync") or {}, status.get("health") or {}
    return (
        sync.get("revision") == commit
        and sync.get("status") == "Synced"
        and health.get("status") == "Healthy"
        and "operation" not in application
        and (status.get("operationState") or {}).get("phase", "Succeeded") == "Succeeded"
    )


def nudge(application: Mapping[str, Any], commit: str) -> dict[str, Any] | None:
    """The change that makes Argo CD try again where it would wait long or for ever; None where it is at work.

    A sync that failed is tried again after ever longer pauses, and at last not any more for the same commit. Here it
    most likely failed because something that it needs was killed, and runs again.
    """
    operation = (application.get("status") or {}).get("operationState") or {}
    if "operation" in application:
        between_tries = operation.get("phase") == "Running" and operation.get("retryCount")
        return {"status": {"operationState": {"phase": "Terminating"}}} if between_tries else None
    if operation.get("phase") not in ("Failed", "Error"):
        return None
    options = application["spec"]["syncPolicy"]["syncOptions"]
    sync = {"revision": commit, "prune": True, "syncOptions": options, "syncStrategy": {"hook": {}}}
    return {"operation": {"initiatedBy": {"username": "apiopsctl"}, "sync": sync}}


def failing(application: Mapping[str, Any], commit: str) -> str:
    """Why an Application is not there yet, in one line."""
    status = application.get("status") or {}
    sync, health = status.get("sync") or {}, status.get("health") or {}
    said = [condition["message"] for condition in status.get("conditions") or []]
    operation = status.get("operationState") or {}
    if operation.get("phase") not in (None, "Succeeded"):
        said.append(str(operation.get("message", operation["phase"])))
    said += [
        f"{item['kind']} {item.get('namespace', '')}/{item['name']} is {what}"
        for item in status.get("resources") or []
        for what in [(item.get("health") or {}).get("status") or item.get("status")]
        if what not in ("Healthy", "Synced")
    ]
    state = f"{sync.get('status', 'not compared')}, {health.get('status', 'health not known')}"
    if sync.get("revision") not in (None, commit):
        said.append("it has not seen the last commit")
    return "; ".join([state, *said])
