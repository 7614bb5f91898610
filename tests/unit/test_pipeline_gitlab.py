"""The example of a pipeline on GitLab: it passes GitLab's schema, and calls commands that are there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from apiops_components.cli import _group
from apiops_components.documents import load_all
from apiops_components.models.requests import SmokeTests

FOLDER = Path(__file__).parents[2] / "examples/pipelines"
FILE = FOLDER / "gitlab/.gitlab-ci.yml"
(DOCUMENT,) = load_all(FILE.read_text(encoding="utf-8"))
JOBS = {name: job for name, job in DOCUMENT.value.items() if isinstance(job, dict) and "script" in job}
LINES = [(name, line) for name, job in JOBS.items() for line in (*job["script"], *job.get("after_script", ()))]


def checked(file):
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_passes_gitlab_s_schema():
    done = checked(FILE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_does_refuse(tmp_path):
    broken = tmp_path / ".gitlab-ci.yml"
    broken.write_text(FILE.read_text(encoding="utf-8").replace("script:", "scripts:"), encoding="utf-8")
    assert checked(broken).returncode == 1


def test_each_job_has_a_stage_that_is_there():
    assert {job["stage"] for job in JOBS.values()} == set(DOCUMENT.value["stages"])


@pytest.mark.parametrize("line", sorted({line for _, line in LINES if line.startswith("apiopsctl")}))
def test_its_commands_are_there_with_their_options(line):
    words = shlex.split(line.replace("$SMOKE_USERS", DOCUMENT.value["variables"]["SMOKE_USERS"]), comments=True)
    command: click.Command = _group
    words = words[1:]
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), words.pop(0))
        assert command is not None, line
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_no_token_is_an_argument():
    """Each would stand in the list of processes, and in the job's log."""
    for _, line in LINES:
        for name in re.findall(r"GITLAB_\w+_TOKEN", line):
            assert f"--token-env {name}" in line
            assert f"${name}" not in line


def test_only_protected_branches_use_the_administrator_s_token():
    users = {name for name, line in LINES if "GITLAB_ADMIN_TOKEN" in line}
    assert users == {"smoke-staging", "leftover-tokens"}
    for name in users:
        assert not any("merge_request" in rule["if"] for rule in JOBS[name]["rules"])


def test_git_gets_the_password_by_its_environment():
    done = subprocess.run(
        [FOLDER / "gitlab/askpass.sh", "Password for 'https://x': "],
        env={**os.environ, "GITLAB_PUSH_TOKEN": "glpat-x"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "glpat-x\n"


def test_the_smoke_tests_are_read():
    (document,) = load_all((FOLDER / "smoke.yaml").read_text(encoding="utf-8"))
    tests = SmokeTests.model_validate(document.value)
    assert list(tests.identities) == ["user", "admin", "nobody"]
