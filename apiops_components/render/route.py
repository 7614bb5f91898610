"""HTTP routes as manifests; every default of the definitions is written out, so that a cluster adds nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apiops_components.models.filters import Filter
from apiops_components.models.match import Match
from apiops_components.models.route import Route

__all__ = ["MAX_MATCHES_IN_ALL", "MAX_RULES", "route_objects"]

MAX_RULES = 16
"""In one HTTPRoute."""
_MAX_MATCHES = 64
MAX_MATCHES_IN_ALL = 128
"""Of all rules of one HTTPRoute."""


def route_objects(
    name: str, namespace: str, metadata: Mapping[str, Any], gateway: str, host: str, rules: Sequence[Route]
) -> Iterator[dict[str, Any]]:
    """One HTTPRoute, or as many as the definition's limits ask for; the order of the rules is kept.

    Their names have a dot, which the name of an API has not: no two APIs can come to the same.
    """
    for number, part in enumerate(_parts(rules), start=1):
        yield {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": name if number == 1 else f"{name}.{number}", "namespace": namespace, **metadata},
            "spec": {
                "parentRefs": [
                    {
                        "group": "gateway.networking.k8s.io",
                        "kind": "Gateway",
                        "name": gateway,
                        "sectionName": "https",
                    }
                ],
                "hostnames": [host],
                "rules": [_rule(rule) for rule in part],
            },
        }


def _parts(rules: Sequence[Route]) -> Iterator[list[Route]]:
    part: list[Route] = []
    total = 0
    for rule in rules:
        for start in range(0, len(rule.matches), _MAX_MATCHES):
            matches = rule.matches[start : start + _MAX_MATCHES]
            if len(part) == MAX_RULES or total + len(matches) > MAX_MATCHES_IN_ALL:
                yield part
                part, total = [], 0
            name = f"{rule.name}-{start // _MAX_MATCHES + 1}" if rule.name and start else rule.name
            whole = len(matches) == len(rule.matches)
            part.append(rule if whole else rule.model_copy(update={"name": name, "matches": matches}))
            total += len(matches)
    yield part


def _rule(rule: Route) -> dict[str, Any]:
    rendered: dict[str, Any] = {"name": rule.name} if rule.name is not None else {}
    rendered["matches"] = [_match(match) for match in rule.matches]
    if rule.filters:
        rendered["filters"] = [_filter(item) for item in rule.filters]
    if rule.backend_refs:
        rendered["backendRefs"] = [
            {"group": "", "kind": "Service", "name": backend.name}
            | ({"namespace": backend.namespace} if backend.namespace is not None else {})
            | {"port": backend.port, "weight": backend.weight}
            | ({"filters": [_filter(item) for item in backend.filters]} if backend.filters else {})
            for backend in rule.backend_refs
        ]
    if rule.timeouts is not None:
        rendered["timeouts"] = rule.timeouts.model_dump(by_alias=True, exclude_none=True)
    return rendered


def _match(match: Match) -> dict[str, Any]:
    rendered: dict[str, Any] = {"path": {"type": match.path.type, "value": match.path.value}}
    for field, items in (("headers", match.headers), ("queryParams", match.query_params)):
        if items:
            rendered[field] = [{"type": item.type, "name": item.name, "value": item.value} for item in items]
    if match.method is not None:
        rendered["method"] = match.method
    return rendered


def _filter(item: Filter) -> dict[str, Any]:
    given = item.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        key: {name: item for name, item in value.items() if item != []} if type(value) is dict else value
        for key, value in given.items()
    }
