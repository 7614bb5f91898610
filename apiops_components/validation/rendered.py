"""The manifests of a project against each other: what `check` tells beside the guardrails."""

from __future__ import annotations

from collections.abc import Sequence

from apiops_components.errors import Problem
from apiops_components.guardrails.finding import Finding
from apiops_components.render.manifest import Manifest
from apiops_components.validation.linked import Linked, linked
from apiops_components.validation.objects_by_name import Scope
from apiops_components.validation.references import check_references

__all__ = ["GUARDRAIL", "reference_findings"]

GUARDRAIL = "references"
"""What a finding here is called where others have the kind of their guardrail."""


def reference_findings(manifests: Sequence[Manifest], scope: Scope = "project") -> tuple[list[Finding], list[Problem]]:
    """Findings and warnings: what manifests refer to and is not there, and routes that are in each other's way.

    Args:
        manifests: All of an environment, or of one team.
        scope: ``input`` where they are not all of the project: a Gateway may be among the others then.
    """
    findings: list[Finding] = []
    warnings: list[Problem] = []
    for found in check_references([_linked(manifest) for manifest in manifests], scope):
        manifest, problem = manifests[found.document], found.problem
        if found.warning:
            warnings.append(problem.at(document=manifest.title))
            continue
        findings.append(
            Finding(
                guardrail=GUARDRAIL,
                subject=manifest.title,
                owner=manifest.responsible,
                team=manifest.team,
                message=problem.message,
                hint=problem.hint,
                path=problem.path,
            )
        )
    return findings, warnings


def _linked(manifest: Manifest) -> Linked | None:
    group, _, _ = str(manifest.object["apiVersion"]).rpartition("/")
    return linked(manifest.object, group, manifest.kind)
