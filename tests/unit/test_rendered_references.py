"""Manifests of a project against each other."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from apiops_components import Project, render_all
from apiops_components.render.manifest import Manifest
from apiops_components.validation.rendered import reference_findings

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = sorted(file.suffixes[0][1:] for file in (ROOT / "stacks/config").glob("Pulumi.*.yaml"))


def rendered(environment: str) -> list[Manifest]:
    return render_all(Project.load(ROOT).descriptions(environment))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_nothing_of_the_example_platform_refers_to_what_is_not_there(environment):
    assert reference_findings(rendered(environment)) == ([], [])


def without(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest.kind != kind]


@pytest.mark.parametrize(("kind", "code"), [("Gateway", "Gateway"), ("NgrokTrafficPolicy", "NgrokTrafficPolicy")])
def test_what_the_project_owns_is_missed(kind, code):
    manifests = rendered(ENVIRONMENTS[0])
    findings, warnings = reference_findings(without(manifests, kind))
    assert findings
    assert warnings == []
    assert {finding.guardrail for finding in findings} == {"references"}
    assert all(finding.message.startswith(f"there is no {code} ") for finding in findings)
    assert {finding.subject.split()[0] for finding in findings} <= {"HTTPRoute", "Gateway"}
    assert all(finding.owner and finding.team for finding in findings)


def test_a_service_may_be_deployed_elsewhere():
    assert reference_findings(without(rendered(ENVIRONMENTS[0]), "Service")) == ([], [])


def test_of_one_team_alone_the_gateway_may_be_the_platforms():
    manifests = without(rendered(ENVIRONMENTS[0]), "Gateway")
    assert reference_findings(manifests)[0]
    assert all("Gateway" not in finding.message for finding in reference_findings(manifests, "input")[0])


def changed(manifest: Manifest, **spec: Any) -> Manifest:
    value = {**manifest.object, "spec": {**manifest.object["spec"], **spec}}
    return dataclasses.replace(manifest, object=value)


def renamed(manifest: Manifest, name: str) -> Manifest:
    value = {**manifest.object, "metadata": {**manifest.object["metadata"], "name": name}}
    return dataclasses.replace(manifest, object=value)


def test_routes_that_are_never_reached_are_found():
    manifests = rendered(ENVIRONMENTS[0])
    route = next(manifest for manifest in manifests if manifest.kind == "HTTPRoute")
    (finding, *_), _ = reference_findings([*manifests, renamed(route, f"{route.name}-too")])
    assert "is never reached" in finding.message
    assert finding.subject == f"{route.title}-too"


def test_a_hostname_that_no_listener_takes_is_found():
    manifests = rendered(ENVIRONMENTS[0])
    number = next(number for number, manifest in enumerate(manifests) if manifest.kind == "HTTPRoute")
    manifests[number] = changed(manifests[number], hostnames=["elsewhere.example.org"])
    (finding,), _ = reference_findings(manifests)
    assert (finding.subject, finding.path) == (manifests[number].title, "spec.hostnames")
