"""How Kubernetes reads the lists in its objects: by a key, as a set, or in their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["ListRule", "list_rule"]


class ListRule(NamedTuple):
    """How the items of a list are told apart, and whether their order counts."""

    keys: tuple[str, ...] = ()
    """Fields by which two items are the same one; none where a list has no such fields."""
    ordered: bool = True
    """Whether what comes first counts."""


_NAMED = ListRule(("name",), ordered=False)
_SET = ListRule(ordered=False)
_PHASE = ListRule(("name",), ordered=True)  # paired by name where there is one, but run one after the other
_UNKNOWN = ListRule()

# By the last names of the path, the kind before them where it matters.
_RULES: Mapping[tuple[str, ...], ListRule] = {
    ("containers", "ports"): ListRule(("containerPort", "protocol"), ordered=False),
    ("initContainers", "ports"): ListRule(("containerPort", "protocol"), ordered=False),
    ("Service", "spec", "ports"): ListRule(("port", "protocol"), ordered=False),
    ("volumeMounts",): ListRule(("mountPath",), ordered=False),
    ("volumeDevices",): ListRule(("devicePath",), ordered=False),
    ("hostAliases",): ListRule(("ip",), ordered=False),
    ("topologySpreadConstraints",): ListRule(("topologyKey", "whenUnsatisfiable"), ordered=False),
    ("conditions",): ListRule(("type",), ordered=False),
    ("ownerReferences",): ListRule(("uid",), ordered=False),
    ("parentRefs",): ListRule(("group", "kind", "namespace", "name", "sectionName", "port"), ordered=False),
    ("backendRefs",): ListRule(("group", "kind", "namespace", "name", "port"), ordered=False),
    ("subjects",): ListRule(("apiGroup", "kind", "namespace", "name"), ordered=False),
    ("AppProject", "destinations"): ListRule(("server", "name", "namespace"), ordered=False),
    ("AppProject", "roles"): _NAMED,
    ("requestHeaderModifier", "set"): _NAMED,
    ("requestHeaderModifier", "add"): _NAMED,
    ("responseHeaderModifier", "set"): _NAMED,
    ("responseHeaderModifier", "add"): _NAMED,
    **dict.fromkeys(
        (
            ("containers",),
            ("initContainers",),
            ("ephemeralContainers",),
            ("volumes",),
            ("env",),
            ("imagePullSecrets",),
            ("listeners",),
            ("matches", "headers"),
            ("matches", "queryParams"),
        ),
        _NAMED,
    ),
    **dict.fromkeys(
        (
            ("HTTPRoute", "rules"),
            ("GRPCRoute", "rules"),
            ("on_tcp_connect",),
            ("on_http_request",),
            ("on_http_response",),
            ("on_event_stream_message",),
        ),
        _PHASE,
    ),
    **dict.fromkeys(
        (
            ("metadata", "finalizers"),
            ("hostnames",),
            ("HTTPRoute", "matches"),
            ("GRPCRoute", "matches"),
            ("capabilities", "add"),
            ("capabilities", "drop"),
            ("matchExpressions",),
            ("matchExpressions", "values"),
            ("tolerations",),
            ("accessModes",),
            ("policyTypes",),
            ("Role", "rules"),
            ("ClusterRole", "rules"),
            ("rules", "verbs"),
            ("rules", "resources"),
            ("rules", "apiGroups"),
            ("rules", "resourceNames"),
            ("AppProject", "sourceRepos"),
            ("AppProject", "sourceNamespaces"),
            ("AppProject", "clusterResourceWhitelist"),
            ("AppProject", "clusterResourceBlacklist"),
            ("AppProject", "namespaceResourceWhitelist"),
            ("AppProject", "namespaceResourceBlacklist"),
            ("roles", "policies"),
            ("roles", "groups"),
            ("syncOptions",),
            *(("NetworkPolicy", name) for name in ("ingress", "egress", "from", "to", "ports", "except")),
        ),
        _SET,
    ),
}


def list_rule(kind: str, names: tuple[str, ...]) -> ListRule:
    """How a list is read.

    Args:
        kind: Kind of the object.
        names: Path of the list, without the places in lists on the way.
    """
    for length in (2, 1):
        last = names[-length:]
        found = _RULES.get((kind, *last)) or _RULES.get(last)
        if found is not None:
            return found
    return _UNKNOWN
