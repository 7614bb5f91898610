"""The pipelines for each forge: as written, by the forge's schema, and calling commands that are there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from apiops_components.cli import _group
from apiops_components.delivery.pipelines.github import workflow
from apiops_components.delivery.pipelines.gitlab import pipeline
from apiops_components.delivery.pipelines.jenkins import jenkinsfile
from apiops_components.delivery.pipelines.spec import PipelineSpec
from apiops_components.versions import GITHUB_ACTIONS

FOLDER = Path(__file__).parents[2] / "examples/pipelines"
SPEC = PipelineSpec.model_validate(yaml.safe_load((FOLDER / "pipelines.yaml").read_text(encoding="utf-8")))
FILES = {
    "github": FOLDER / "github/delivery.yml",
    "gitlab": FOLDER / "gitlab/delivery.gitlab-ci.yml",
    "jenkins": FOLDER / "jenkins/Jenkinsfile",
}
SCHEMAS = {"github": "vendor.github-workflows", "gitlab": "vendor.gitlab-ci"}
WRITERS = {"github": workflow, "gitlab": pipeline, "jenkins": jenkinsfile}
GITHUB = yaml.safe_load(FILES["github"].read_text(encoding="utf-8"))
GITLAB = yaml.safe_load(FILES["gitlab"].read_text(encoding="utf-8"))
JOBS = {name: job for name, job in GITLAB.items() if isinstance(job, dict) and "script" in job}


@pytest.mark.parametrize("forge", FILES)
def test_the_example_is_what_is_written(forge, tmp_path):
    def ctl(*arguments):
        program = "from apiops_components.cli import main; main()"
        command = [sys.executable, "-c", program, "pipelines", str(FOLDER / "pipelines.yaml"), "--forge", forge]
        return subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, check=False)

    assert ctl("--check", "--out", FILES[forge]).returncode == 0, "apiopsctl pipelines writes it anew"
    assert ctl().stdout == FILES[forge].read_text(encoding="utf-8")
    assert ctl("--check", "--out", tmp_path / "none").returncode == 1
    assert ctl("--check").returncode == 2


def checked(forge, file):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[forge], str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("forge", SCHEMAS)
def test_it_passes_the_forge_s_schema_which_does_refuse(forge, tmp_path):
    done = checked(forge, FILES[forge])
    assert done.returncode == 0, done.stdout
    broken = tmp_path / "broken.yml"
    text = FILES[forge].read_text(encoding="utf-8")
    broken.write_text(text.replace("runs-on:", "runs_on:").replace("script:", "scripts:"), encoding="utf-8")
    assert checked(forge, broken).returncode == 1


@pytest.mark.parametrize("forge", SCHEMAS)
@pytest.mark.parametrize("more", [{}, {"smoke": None, "identities": {}, "stacks": ("infra", "stacks/teams/shop")}])
def test_every_spec_passes_the_forge_s_schema(forge, more, tmp_path):
    spec = PipelineSpec.model_validate({"image": SPEC.image, "first": "qa", "second": "live", **more})
    file = tmp_path / "pipeline.yml"
    file.write_text(WRITERS[forge](spec), encoding="utf-8")
    assert checked(forge, file).returncode == 0


def lines(forge):
    text = WRITERS[forge](SPEC)
    if forge == "jenkins":
        found = [line.replace("\\'", "'") for line in re.findall(r"sh '((?:[^'\\]|\\.)*)'", text)]
    elif forge == "gitlab":
        found = [line for job in JOBS.values() for line in job["script"]]
    else:
        found = [
            line
            for job in GITHUB["jobs"].values()
            for step in job["steps"]
            for line in step.get("run", "").splitlines()
        ]
    return [line for line in found if line.startswith("apiopsctl")]


@pytest.mark.parametrize("forge", FILES)
def test_its_commands_are_there_with_their_options(forge):
    assert len(lines(forge)) >= 10
    for line in lines(forge):
        words = shlex.split(line)[1:]
        command = _group.get_command(click.Context(_group), words[0])
        assert command is not None, line
        known = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize("forge", FILES)
def test_the_same_steps_stand_in_each(forge):
    text = FILES[forge].read_text(encoding="utf-8")
    for part in (
        "apiopsctl render --env staging --out deploy/staging --check",
        "apiopsctl render --env prod --out deploy/prod --check --base",
        "apiopsctl check --env prod",
        "pytest",
        "apiopsctl preview --base",
        "pulumi preview --stack staging",
        "pulumi up --stack staging",
        "apiopsctl smoke examples/pipelines/smoke.yaml",
        "Does the staging environment look ok?",
        "pulumi up --stack prod",
        'apiopsctl promote staging prod --apply --approved-digest "$APPROVED_DIGEST"',
        "apiopsctl drift --env prod",
        SPEC.image,
    ):
        assert part in text.replace('\\"', '"'), part


# --- least privilege -------------------------------------------------------------------------------------------------


def test_github_gives_each_job_what_it_needs_and_no_more():
    assert GITHUB["permissions"] == {}
    assert {name: job["permissions"] for name, job in GITHUB["jobs"].items()} == {
        "checks": {"contents": "read"},
        "preview": {"contents": "read"},
        "comment": {"pull-requests": "write"},
        "deploy-staging": {"contents": "read", "id-token": "write"},
        "sanity-check": {},
        "deploy-production": {"contents": "write", "id-token": "write"},
    }
    assert all(job["timeout-minutes"] <= 30 for job in GITHUB["jobs"].values())
    assert "pull_request_target" not in GITHUB[True if True in GITHUB else "on"]
    assert [name for name, job in GITHUB["jobs"].items() if job.get("environment") == "approval"] == ["sanity-check"]
    assert "sanity-check" in GITHUB["jobs"]["deploy-production"]["needs"]


def test_what_writes_a_comment_runs_nothing_of_the_change():
    steps = GITHUB["jobs"]["comment"]["steps"]
    assert [step.get("uses", "").partition("@")[0] for step in steps] == ["actions/download-artifact", ""]
    assert "apiopsctl" not in steps[1]["run"]
    assert GITLAB["comment"]["variables"] == {"GIT_STRATEGY": "none"}


def test_actions_are_pinned_by_their_commit():
    used = [step["uses"] for job in GITHUB["jobs"].values() for step in job["steps"] if "uses" in step]
    assert used
    for action in used:
        name, _, commit = action.partition("@")
        assert re.fullmatch(r"[0-9a-f]{40}", commit)
        assert GITHUB_ACTIONS[name][0] == commit


def test_nothing_of_a_change_comes_into_a_script_as_text():
    """``${{ … }}`` in a script is pasted in before the shell reads it."""
    for job in GITHUB["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("forge", FILES)
def test_no_key_and_no_token_is_kept_or_an_argument(forge):
    text = FILES[forge].read_text(encoding="utf-8")
    assert "credentials_json" not in text
    assert not re.search(r"(--\S*(token|password)(?!-env)\S* )", text)
    if forge == "github":
        assert "workload_identity_provider" in text
        assert set(re.findall(r"secrets\.(\w+)", text)) == {"GITLAB_ADMIN_TOKEN"}
    if forge == "gitlab":
        assert GITLAB["deploy-production"]["id_tokens"]["GCP_ID_TOKEN"]["aud"].startswith("https://iam.googleapis.com/")


def test_gitlab_waits_for_a_person_and_delivers_one_at_a_time():
    gate = GITLAB["sanity-check"]
    assert gate["rules"][0]["when"] == "manual"
    assert gate["rules"][0]["allow_failure"] is False
    assert gate["environment"]["name"] == "prod"
    assert "sanity-check" in GITLAB["deploy-production"]["needs"]
    assert [GITLAB[job]["resource_group"] for job in ("deploy-staging", "deploy-production")] == ["staging", "prod"]
    assert GITLAB["workflow"]["rules"][0] == {"if": "$CI_COMMIT_MESSAGE =~ /^Promote /", "when": "never"}


def test_gitlab_s_identity_is_a_file_that_google_s_libraries_read(tmp_path):
    """The commands, run by a shell."""
    commands = [line for line in GITLAB["deploy-staging"]["script"] if "CI_PROJECT_DIR" in line]
    env = {"CI_PROJECT_DIR": str(tmp_path / "work"), "GCP_ID_TOKEN": "sentinel", "PATH": "/usr/bin:/bin"}
    subprocess.run(["sh", "-ec", "\n".join(commands)], env=env, check=True)
    found = yaml.safe_load((tmp_path / "work.json").read_text(encoding="utf-8"))
    assert found["type"] == "external_account"
    assert found["audience"].endswith(SPEC.identities["staging"].provider)
    assert Path(found["credential_source"]["file"]).read_text(encoding="utf-8") == "sentinel\n"
    assert (tmp_path / "work.token").stat().st_mode & 0o077 == 0


# --- bad input -------------------------------------------------------------------------------------------------------

IMAGE = SPEC.image


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "image: required, but missing"),
        ({"image": "ghcr.io/example/apiops:latest"}, "is not pinned by its digest"),
        ({"image": IMAGE, "first": "prod"}, "an environment is not promoted from itself"),
        ({"image": IMAGE, "minutes": 0}, "minutes"),
        ({"image": IMAGE, "tests": ["it's\n"]}, "one line without quotes is expected"),
        ({"image": IMAGE, "identities": {"dev": SPEC.identities["prod"].model_dump()}}, "is neither 'staging' nor"),
        ({"image": IMAGE, "colour": 1}, "colour: unknown field"),
    ],
)
def test_what_is_wrong_in_the_description_is_named(tmp_path, spec, said):
    file = tmp_path / "pipelines.yaml"
    file.write_text(yaml.safe_dump(spec), encoding="utf-8")
    program = "from apiops_components.cli import main; main()"
    command = [sys.executable, "-c", program, "pipelines", str(file), "--forge", "github"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr, done.stdout) == (1, True, ""), done.stderr
