"""Every example runs, and holds what it says."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from apiops_components.delivery.recording import UNKNOWN
from apiops_components.testing.pulumi import record

EXAMPLES = Path(__file__).parents[2] / "examples"


def program(name):
    return lambda: runpy.run_path(str(EXAMPLES / name / "__main__.py"), run_name="__main__")


def kinds(recording):
    return sorted(r.type.rpartition(":")[2] for r in recording.resources if r.package == "kubernetes")


def test_the_smallest_program_registers_a_host_and_a_protected_api():
    recording = record(program("smallest"), project="smallest", secret_config_keys=["smallest:kubeconfig"])
    assert kinds(recording) == ["Gateway", "HTTPRoute", "NgrokTrafficPolicy", "NgrokTrafficPolicy"]
    gateway_policy = recording.one(name="shop-ngroktrafficpolicy-shop-gateway")
    (rule,) = gateway_policy.inputs["spec"]["policy"]["on_http_request"]
    assert rule["actions"][0]["type"] == "jwt-validation"
    assert recording.outputs["url"] == "https://shop.example.com/orders"


def test_the_teams_program_reads_the_platform_and_keeps_its_guardrails():
    recording = record(
        program("team"),
        project="payments",
        stack="dev",
        config={"payments:host": "payments.dev.example.com"},
        stack_references={"organization/apiops-platform/dev": {"kubeconfig": UNKNOWN}},
    )
    assert "Deployment" in kinds(recording)
    route = recording.one(name="payments-httproute-payments").inputs["spec"]
    assert [backend["weight"] for backend in route["rules"][0]["backendRefs"]] == [9, 1]


def test_the_policy_prints_the_document_that_ngrok_reads():
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "policy/orders.py")], capture_output=True, text=True, check=True
    )
    document = yaml.safe_load(done.stdout)
    assert list(document) == ["on_http_request", "on_http_response"]
    assert [rule["actions"][0]["type"] for rule in document["on_http_request"]] == [
        "deny",
        "jwt-validation",
        "rate-limit",
    ]


@pytest.mark.parametrize("folder", sorted(p.name for p in EXAMPLES.iterdir() if p.is_dir()))
def test_each_example_is_run_here(folder):
    # The pipelines are those of tests/unit/test_pipeline_*.py: a forge runs them.
    assert folder in {"smallest", "team", "policy", "pipelines"}
