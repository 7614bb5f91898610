"""What a sandbox holds from the start: definitions, nodes, what Argo CD needs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from apiops_components.errors import NotRunnable, Problem
from apiops_components.sandbox import definitions
from apiops_components.sandbox.argocd import argocd_settings, redis_configuration
from apiops_components.sandbox.certificates import write_private
from apiops_components.sandbox.folders import Folder
from apiops_components.sandbox.kube import Cluster, Refused, wait_for
from apiops_components.sandbox.nodes import node_status, nodes
from apiops_components.sandbox.plan import State

__all__ = ["install", "nodes_ready", "served"]

_CRD = "CustomResourceDefinition"


def install(state: State, folder: Folder, cluster: Cluster) -> None:
    """Applies it, again where it is there already.

    Raises:
        Refused: The server refused an object.
        NotRunnable: A definition does not become usable.
    """
    objects = [item for path in state.definitions for item in definitions.read(Path(path))]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(cluster.apply, objects))
        waiting = [item for item in objects if item["kind"] == _CRD]

        def all_served() -> bool:
            nonlocal waiting
            answers = pool.map(lambda item: served(cluster, item), waiting)
            waiting = [item for item, is_served in zip(waiting, list(answers), strict=True) if not is_served]
            return not waiting

        if not wait_for(all_served, seconds=60, pause=0.1):
            names = ", ".join(item["metadata"]["name"] for item in waiting)
            raise NotRunnable(Problem(f"not usable after 60 s: {names}", code="sandbox/crds"))
    if state.full:
        _install_argocd(state, folder, cluster)
        for node in nodes():
            cluster.apply(node)
            cluster.merge(node, node_status(), below="status")


def _install_argocd(state: State, folder: Folder, cluster: Cluster) -> None:
    folder.redis.mkdir(exist_ok=True, mode=0o700)
    redis_password = _kept(folder.redis / "auth")
    write_private(folder.redis / "redis.conf", redis_configuration(state.ports["redis"], redis_password).encode())
    for item in argocd_settings(_kept(folder.root / "argocd-server-key")):
        cluster.apply(item)


def _kept(file: Path) -> str:
    """A password that is made once."""
    if not file.is_file():
        write_private(file, secrets.token_hex(16).encode())
    return file.read_text()


def served(cluster: Cluster, definition: Mapping[str, Any]) -> bool:
    """Whether the server serves the kind of a definition."""
    spec = definition["spec"]
    version = next(version["name"] for version in spec["versions"] if version["storage"])
    try:
        resource = cluster.resource(f"{spec['group']}/{version}", spec["names"]["kind"])
        # A kind is listed a moment before its store is there.
        cluster.request("GET", resource.path(), query={"limit": "1"})
    except Refused:
        return False
    return True


def nodes_ready(cluster: Cluster) -> bool:
    """Whether every node is ready."""
    found = cluster.list("v1", "Node")
    return bool(found) and all(_condition(node, "Ready") for node in found)


def _condition(item: Mapping[str, Any], kind: str) -> bool:
    conditions = (item.get("status") or {}).get("conditions") or []
    return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)
