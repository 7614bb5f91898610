"""The example platform as a whole: what its users do with it, and what must never come out of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from apiops_components import Deny, Rule, TrafficPolicy

ROOT = Path(__file__).parents[2]
SENTINEL = "sentinel-4711-that-nobody-may-read"


@pytest.fixture
def platform(tmp_path):
    """A copy of the project that a test may change."""
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    return tmp_path


def apiopsctl(*arguments, project, code=0):
    command = [sys.executable, "-c", "from apiops_components.cli import main; main()", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


def test_a_resource_added_to_the_program_alone_is_in_the_preview(platform):
    program = platform / "stacks/__main__.py"
    program.write_text(
        program.read_text()
        + '\npulumi.ComponentResource("acme:index:Billing", "billing")\n'
        + 'pulumi.CustomResource("random:index/randomId:RandomId", "added", {"byteLength": 4})\n'
    )
    shown = json.loads(apiopsctl("preview", "--env", "dev", "--format", "json", project=platform).stdout)
    assert "random:index/randomId:RandomId::added" in json.dumps(shown)
    assert "acme:index:Billing::billing" in json.dumps(shown)


def test_a_guardrail_that_only_the_program_breaks_is_a_finding(platform):
    program = platform / "stacks/__main__.py"
    program.write_text(
        program.read_text()
        + """
from apiops_components import ApiGatewaySpec, ApiSpec, Backend, Route
loose = ApiSpec(name="loose", routes=(Route.prefix("/", Backend.to("loose", 80)),))
ApiGateway("loose", ApiGatewaySpec(name="loose", namespace="loose", host="loose.example.com", apis=(loose,)),
           guardrails=guardrails, opts=on_cluster)
"""
    )
    done = apiopsctl("preview", "--env", "staging", project=platform, code=1)
    assert "broken authentication-required  Api loose/loose" in done.stdout
    assert "broken owner-required  Api loose/loose" in done.stdout


@pytest.mark.parametrize("form", ["secure", "plain"])
def test_no_secret_comes_out_of_anything(platform, form):
    for file in (platform / "stacks/config").glob("Pulumi.*.yaml"):
        content = yaml.safe_load(file.read_text())
        for name in content["config"]["apiops:environment"]["secrets"]:
            content["config"][f"apiops:{name}"] = {"secure": SENTINEL} if form == "secure" else SENTINEL
        file.write_text(yaml.safe_dump(content))
    said = [
        *(apiopsctl("render", "--env", env, "--out", f"build/{env}", project=platform) for env in ("dev", "prod")),
        apiopsctl("render", "--env", "dev", project=platform),
        apiopsctl("render", "--env", "dev", "--format", "json", project=platform),
        apiopsctl("check", "--env", "dev", "--format", "json", project=platform),
        apiopsctl("preview", "--env", "dev", "--env", "sandbox", project=platform),
        apiopsctl("preview", "--env", "dev", "--env", "sandbox", "--format", "json", project=platform),
        apiopsctl("preview", "--env", "prod", "--format", "markdown", project=platform),
    ]
    apiopsctl("preview", "--report", "build/report.html", "--out", "build/preview.txt", project=platform)
    written = [file.read_text() for file in (platform / "build").rglob("*") if file.is_file()]
    assert len(written) > 40
    assert "<secret:ngrok-api-key>" in "".join(written)
    warned = ["stands in the file in clear" in done.stderr for done in said]
    assert all(warned) if form == "plain" else not any(warned)
    for text in [*written, *(done.stdout + done.stderr for done in said)]:
        assert SENTINEL not in text


def test_the_examples_of_the_readme_run():
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102


def test_the_error_that_the_readme_quotes_is_the_one_that_is_raised():
    (quoted,) = re.findall(r"you read `([^`]+)`", (ROOT / "README.md").read_text())

    with pytest.raises(ValueError, match=r"req\.path") as raised:
        TrafficPolicy(on_http_request=(Rule(expressions=("req.path == '/'",), actions=(Deny(),)),))

    what, hint = quoted.split(" … ")
    assert what in str(raised.value)
    assert hint in str(raised.value)


def test_a_rendered_tree_is_valid_by_our_own_validator(platform):
    apiopsctl("render", "--env", "prod", "--out", "build/prod", project=platform)

    done = apiopsctl("validate", "build/prod", project=platform)

    assert "26 documents: 26 valid, 0 invalid, 0 skipped" in done.stdout
