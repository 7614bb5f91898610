"""Traffic policies as manifests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apiops_components.models.policy.document import PHASES, Rule, TrafficPolicy
from apiops_components.models.policy.union import document

__all__ = ["policy_document", "policy_object"]


def policy_document(policy: TrafficPolicy) -> dict[str, Any]:
    """The policy as ngrok reads it, equal to the document that it was read from, names of old excepted."""
    return {
        phase: [_rule(rule, as_written=True) for rule in getattr(policy, phase)]
        for phase in PHASES
        if getattr(policy, phase) or phase in policy.model_fields_set
    }


def _rule(rule: Rule, *, as_written: bool = False) -> dict[str, Any]:
    rendered: dict[str, Any] = {}
    if rule.name is not None:
        rendered["name"] = rule.name
    if rule.expressions or (as_written and "expressions" in rule.model_fields_set):
        rendered["expressions"] = list(rule.expressions)
    rendered["actions"] = [document(step) for step in rule.actions]
    return rendered


def policy_object(
    name: str, namespace: str, metadata: Mapping[str, Any], rules: Mapping[str, Iterable[Rule]]
) -> dict[str, Any]:
    """An NgrokTrafficPolicy with these rules by phase."""
    document = {phase: [_rule(rule) for rule in found] for phase, found in rules.items()}
    return {
        "apiVersion": "ngrok.k8s.ngrok.com/v1alpha1",
        "kind": "NgrokTrafficPolicy",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"policy": {phase: found for phase, found in document.items() if found}},
    }
