"""The kinds that are known: those with a model, and Kubernetes' own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from apiops_components.errors import Problem
from apiops_components.validation.modelled import MODELLED, check_modelled

__all__ = ["Found", "check", "is_known", "misnamed", "names"]

Found = tuple[tuple[Problem, ...], tuple[Problem, ...]]
"""Problems and warnings."""

# What Kubernetes or ngrok once served, and what became of it.
_REMOVED = {
    ("ingress.k8s.ngrok.com", "HTTPSEdge"): "a CloudEndpoint or AgentEndpoint with a traffic policy does its work",
    ("ingress.k8s.ngrok.com", "TCPEdge"): "a CloudEndpoint or AgentEndpoint with a tcp:// url does its work",
    ("ingress.k8s.ngrok.com", "TLSEdge"): "a CloudEndpoint or AgentEndpoint with a tls:// url does its work",
    ("ingress.k8s.ngrok.com", "Tunnel"): "an AgentEndpoint does its work",
    ("ingress.k8s.ngrok.com", "NgrokModuleSet"): "an NgrokTrafficPolicy does its work",
    ("policy", "PodSecurityPolicy"): "labels of the namespace do its work: pod-security.kubernetes.io/enforce",
}


def is_known(group: str, version: str, kind: str) -> bool:
    """Whether a kind can be checked."""
    modelled = MODELLED.get((group, kind))
    if modelled is not None:
        return version in modelled.versions
    return _may_be_builtin(group) and version in _builtin().get((group, kind), ())


def check(value: Mapping[str, Any], group: str, version: str, kind: str) -> Found:
    """Checks an object of a known kind."""
    if (group, kind) in MODELLED:
        return check_modelled(value, MODELLED[group, kind])
    from apiops_components.validation import builtin  # noqa: PLC0415  (its schema is read only where it is needed)

    return tuple(builtin.check(value, group, version, kind)), ()


def misnamed(value: Mapping[str, Any], group: str, version: str, kind: str) -> Found | None:
    """A kind that is known, but not by this group or version: that, and what else is wrong; None for another kind."""
    own = MODELLED.get((group, kind))
    problem = None if own is not None and version in own.unknown else _misnamed(group, version, kind)
    if problem is None:
        return None
    modelled = next((found for (_, name), found in MODELLED.items() if name == kind), None)
    others, warnings = check_modelled(value, modelled) if modelled else ((), ())
    return (problem, *others), warnings


def _misnamed(group: str, version: str, kind: str) -> Problem | None:
    served = _served(group, kind)
    if served:
        message = f"version {version!r} of {kind} is not served{_by(group)}"
        return Problem(message, "apiVersion", "object/api-version", f"write {_joined(group, served[0])}")
    if hint := _REMOVED.get((group, kind)):
        return Problem(f"{kind} does not exist any more", "kind", "object/removed", hint)
    for right, name in [*MODELLED, *(_builtin() if _may_be_builtin(group) or group in _OLD_GROUPS else ())]:
        if name == kind and _related(group, right):
            message = f"{kind} is of group {right or 'core (none)'}, not {group or 'core (none)'}"
            hint = f"write {_joined(right, _served(right, kind)[0])}"
            return Problem(message, "apiVersion", "object/api-version", hint)
    return None


_OLD_GROUPS = ("extensions",)


def names(group: str) -> list[str]:
    """The kinds of a group."""
    builtin = _builtin() if _may_be_builtin(group) else ()
    return sorted({kind for found, kind in [*MODELLED, *builtin] if found == group})


def _by(group: str) -> str:
    if not _may_be_builtin(group) or any(found == group for found, _ in MODELLED):
        return ""
    from apiops_components.validation import builtin  # noqa: PLC0415

    return f" by Kubernetes {builtin.version()}"


def _joined(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version


def _served(group: str, kind: str) -> tuple[str, ...]:
    if modelled := MODELLED.get((group, kind)):
        return tuple(sorted(modelled.versions, key=lambda name: ("alpha" in name, "beta" in name)))
    return _builtin().get((group, kind), ()) if _may_be_builtin(group) else ()


def _related(group: str, right: str) -> bool:
    """Whether one who wrote the one group may have meant the other: of one vendor, or both of Kubernetes."""
    if right in _kubernetes_groups():
        return group in _kubernetes_groups() or group in _OLD_GROUPS
    return right.split(".")[-2:] == group.split(".")[-2:]


def _may_be_builtin(group: str) -> bool:
    return "." not in group or group.endswith(".k8s.io")


@cache
def _kubernetes_groups() -> frozenset[str]:
    return frozenset(group for group, _ in _builtin())


def _builtin() -> Mapping[tuple[str, str], tuple[str, ...]]:
    from apiops_components.validation import builtin  # noqa: PLC0415

    return builtin.kinds()
