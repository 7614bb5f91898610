"""The nodes of a sandbox: three, so that what must stand apart can. Pure."""

from __future__ import annotations

from typing import Any

__all__ = ["node_status", "nodes"]

_ROOM = {"cpu": "32", "memory": "256Gi", "pods": "500", "ephemeral-storage": "500Gi"}


def nodes(count: int = 3) -> list[dict[str, Any]]:
    """The Node objects; kwok makes them ready."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": f"node-{number}",
                "labels": {
                    "kubernetes.io/arch": "amd64",
                    "kubernetes.io/hostname": f"node-{number}",
                    "kubernetes.io/os": "linux",
                    "topology.kubernetes.io/region": "region-1",
                    "topology.kubernetes.io/zone": f"zone-{number}",
                },
            },
        }
        for number in range(1, count + 1)
    ]


def node_status() -> dict[str, Any]:
    """What a kubelet would say of its machine."""
    return {"status": {"allocatable": _ROOM, "capacity": _ROOM}}
