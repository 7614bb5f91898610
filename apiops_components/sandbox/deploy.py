"""An environment put onto a sandbox, by Argo CD or by the real Pulumi program."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apiops_components.errors import ApiOpsError, NotRunnable, Problem
from apiops_components.project import Project
from apiops_components.sandbox.argocd import NAMESPACE
from apiops_components.sandbox.control_plane import Sandbox
from apiops_components.sandbox.gitops import Delivered, delivered, failing, identity, nudge, settled
from apiops_components.sandbox.kube import Cluster, Refused, wait_for
from apiops_components.sandbox.pulumi_program import PulumiProgram
from apiops_components.sandbox.repository import Repository

__all__ = ["ApplicationStatus", "Deployed", "applications", "by_argocd", "by_pulumi", "deployed_by"]

_PATIENCE = 180
"""Seconds until an Application must be Synced and Healthy."""
_BETWEEN_NUDGES = 5
"""Seconds that Argo CD gets to act on one."""
_MANAGER = "apiopsctl-deploy"


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deployment did.

    Attributes:
        environment: Which.
        by: ``argocd`` or ``pulumi``.
        commit: In the sandbox's repository; empty for Pulumi.
        applications: That are Synced and Healthy; of Pulumi, the stacks that are up.
        seconds: It took.
    """

    environment: str
    by: str
    commit: str
    applications: tuple[str, ...]
    seconds: float


def by_argocd(sandbox: Sandbox, project: Project, env: str) -> Deployed:
    """Applies what Pulumi owns, commits the rest, and waits until Argo CD has that commit live and healthy.

    Every step may be broken off anywhere: run again, it goes on, and what an earlier run applied and nobody describes
    any more is removed.

    Raises:
        InvalidInput: Settings or a description break their model, or a guardrail is broken.
        NotRunnable: The sandbox has no Argo CD, or an Application does not get there.
    """
    began = time.monotonic()
    _refuse_other(sandbox, env, "argocd")
    repository = Repository(sandbox.folder.repository)
    wanted = delivered(project, env, repository.url)
    cluster = sandbox.cluster()
    inventory = _Inventory(cluster, env)
    inventory.add(wanted.applied)
    # A folder must be there before the Application that follows it, a namespace before either.
    commit = repository.commit(wanted.folder, wanted.files, f"Deploy {env}")
    for item in wanted.applied:
        cluster.apply(item, manager=_MANAGER)
    inventory.keep_only(wanted.applied)
    _wait(sandbox, cluster, wanted, commit)
    return Deployed(env, "argocd", commit, wanted.applications, time.monotonic() - began)


def by_pulumi(sandbox: Sandbox, project: Project, env: str) -> Deployed:
    """Runs the real ``pulumi up`` on the platform's stack and then on each team's; their state is in the sandbox.

    Raises:
        InvalidInput: Settings or a description break their model.
        NotRunnable: There is no ``pulumi``, or it failed.
    """
    began = time.monotonic()
    _refuse_other(sandbox, env, "pulumi")
    project = project.platform
    environment = project.settings(env).environment
    if environment.cluster.kind != "existing":
        message = f"{env} makes a cluster of its own ({environment.cluster.kind}), and pulumi would make it"
        hint = "an environment with cluster.kind: existing, such as sandbox; or --by argocd"
        raise NotRunnable(Problem(message, "cluster.kind", "sandbox/cluster", hint))
    program = PulumiProgram(sandbox.folder.pulumi, sandbox.processes, sandbox.environment)
    program.end_unfinished()
    program.settings(project, env, sandbox.folder.kubeconfig.read_text())
    stacks = [project, *(team for name, team in project.teams.items() if name in environment.teams)]
    for stack in stacks:
        program.up(stack, env)
    return Deployed(env, "pulumi", "", tuple(stack.name for stack in stacks), time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class ApplicationStatus:
    """One Argo CD Application as it is now.

    Attributes:
        name: Of the Application.
        sync: Such as ``Synced``.
        health: Such as ``Healthy``.
        commit: That is live.
        detail: What is not right; empty where all is.
    """

    name: str
    sync: str
    health: str
    commit: str
    detail: str


def applications(sandbox: Sandbox) -> list[ApplicationStatus]:
    """Argo CD's Applications; none where there is no Argo CD, or the API server does not answer."""
    try:
        found = sandbox.cluster().list("argoproj.io/v1alpha1", "Application", NAMESPACE)
    except ApiOpsError:
        return []
    listed = []
    for item in found:
        status = item.get("status") or {}
        sync, health = status.get("sync") or {}, status.get("health") or {}
        commit = sync.get("revision", "")
        listed.append(
            ApplicationStatus(
                name=item["metadata"]["name"],
                sync=sync.get("status", "Unknown"),
                health=health.get("status", "Unknown"),
                commit=commit,
                detail="" if settled(item, commit) else failing(item, commit),
            )
        )
    return listed


def deployed_by(sandbox: Sandbox, env: str) -> str | None:
    """``argocd`` or ``pulumi``: who has deployed an environment here; None where nobody has."""
    if (sandbox.folder.pulumi / "config" / f"Pulumi.{env}.yaml").exists():
        return "pulumi"
    return "argocd" if _Inventory(sandbox.cluster(), env).is_there() else None


def _refuse_other(sandbox: Sandbox, env: str, by: str) -> None:
    if deployed_by(sandbox, env) not in (None, by):
        other = "argocd" if by == "pulumi" else "pulumi"
        message = f"{env} is deployed by {other} here, and an object has one owner"
        hint = f"--by {other}, or another sandbox: --name NAME"
        raise NotRunnable(Problem(message, code="sandbox/owner", hint=hint))


def _wait(sandbox: Sandbox, cluster: Cluster, wanted: Delivered, commit: str) -> None:
    applications = [item for item in wanted.applied if item["kind"] == "Application"]
    live: dict[str, Any] = {}
    nudged: dict[str, float] = {}

    def arrived() -> bool:
        for item in applications:
            name = item["metadata"]["name"]
            if name not in live or not settled(live[name], commit):
                live[name] = cluster.get(item) or {}
                if (change := nudge(live[name], commit)) and time.monotonic() > nudged.get(name, 0) + _BETWEEN_NUDGES:
                    cluster.merge(item, change)
                    nudged[name] = time.monotonic()
        sandbox.start_what_ended()
        return all(settled(each, commit) for each in live.values())

    # Not to wait for its next look at the repository, which is seconds away.
    refresh = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
    for item in applications:
        cluster.merge(item, refresh)
    if not wait_for(arrived, seconds=_PATIENCE, pause=0.3):
        hint = "kubectl describe shows more; logs: apiopsctl sandbox status"
        raise NotRunnable(
            Problem(f"not there after {_PATIENCE} s: {failing(item, commit)}", name, "sandbox/sync", hint)
            for name, item in live.items()
            if not settled(item, commit)
        )


class _Inventory:
    """What deployments of an environment have applied: kept in the cluster, so that it lives and dies with that."""

    def __init__(self, cluster: Cluster, env: str) -> None:
        self._cluster = cluster
        self._map = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"apiops-applied-{env}", "namespace": NAMESPACE},
        }

    def is_there(self) -> bool:
        """Whether anything was ever noted."""
        return self._cluster.get(self._map) is not None

    def add(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Notes objects before they are applied: one that is there and not noted could never be found again."""
        known = self._read()
        self._write([*known, *(found for found in map(identity, items) if found not in known)])

    def keep_only(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Deletes what is noted and not among these, the last applied first."""
        wanted = [identity(item) for item in items]
        left = [item for item in self._read() if item not in wanted]
        for item in reversed(left):
            self._delete(item)
        self._write(wanted)

    def _delete(self, item: Mapping[str, Any]) -> None:
        try:
            self._cluster.delete(item)
            # An Application goes when all that it deployed is gone; its project must stay until then.
            gone = wait_for(lambda: self._cluster.get(item) is None, seconds=_PATIENCE)
        except Refused as error:
            if error.reason != "NotFound":  # its kind is gone, and it with that
                raise
            return
        if not gone:
            title = f"{item['kind']} {item['metadata']['name']}"
            message = f"{title} is being deleted and is still there after {_PATIENCE} s"
            raise NotRunnable(Problem(message, code="sandbox/delete", hint="see its finalizers with kubectl"))

    def _read(self) -> list[dict[str, Any]]:
        found = self._cluster.get(self._map)
        items: list[dict[str, Any]] = json.loads(found["data"]["objects"]) if found else []
        return items

    def _write(self, items: list[dict[str, Any]]) -> None:
        self._cluster.apply({**self._map, "data": {"objects": json.dumps(items)}}, manager=_MANAGER)
