"""The example for Jenkins, executed in JenkinsPipelineUnit: reviewed, approved, refused, timed out, broken."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from apiops_components.versions import GROOVY, JENKINS_PIPELINE_UNIT

ROOT = Path(__file__).parents[2]
FILE = "examples/pipelines/jenkins/Jenkinsfile"
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>pipelines</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.codehaus.groovy</groupId><artifactId>groovy-all</artifactId><version>{groovy}</version>
    </dependency>
    <dependency>
      <groupId>com.lesfurets</groupId><artifactId>jenkins-pipeline-unit</artifactId><version>{unit}</version>
    </dependency>
    <dependency><groupId>junit</groupId><artifactId>junit</artifactId><version>[4.13,5)</version></dependency>
  </dependencies>
</project>
"""


@functools.cache
def classpath():
    """JenkinsPipelineUnit and what it needs, from Maven's registry; the reason where they cannot be had."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            return None, f"{program} is not on PATH: pipelines for Jenkins are not executed"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pom.xml").write_text(POM.format(groovy=GROOVY, unit=JENKINS_PIPELINE_UNIT), encoding="utf-8")
        command = ["mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=classpath"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            return None, "Maven cannot get JenkinsPipelineUnit here: pipelines for Jenkins are not executed"
        return (Path(folder) / "classpath").read_text(encoding="utf-8"), ""


@functools.cache
def run(answer="approved", change="", branch="main", subject="A change"):
    jars, missing = classpath()
    if jars is None:
        pytest.skip(missing)
    opened = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.lang", "java.util")]
    program = [str(ROOT / "tests/pipelines/Run.groovy"), FILE, answer, change, branch, subject]
    command = ["java", *opened, "-cp", jars, "groovy.ui.GroovyMain", *program]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "JAVA_TOOL_OPTIONS": ""}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def said(steps, key):
    return [step[key] for step in steps if key in step]


def deploys_to_production(steps):
    return any("--stack prod" in command or "--apply" in command for command in said(steps, "sh"))


def test_an_approved_state_goes_to_production_by_its_digest():
    steps = run()
    assert said(steps, "stage") == [
        "Deploy - Staging",
        "Smoke tests",
        "Plan",
        "Sanity check",
        "Deploy - Production",
    ]
    assert said(steps, "input") == ["Does the staging environment look ok?"]
    assert said(steps, "submitter") == ["release-managers"]
    assert said(steps, "env") == [["APPROVED_DIGEST=sha256:abc"]]
    assert 'apiopsctl promote staging prod --apply --approved-digest "$APPROVED_DIGEST"' in said(steps, "sh")
    assert said(steps, "failed") == []


def test_everything_for_production_comes_after_the_gate():
    steps = run()
    gate = next(index for index, step in enumerate(steps) if "input" in step)
    assert not deploys_to_production(steps[:gate])
    assert deploys_to_production(steps[gate:])


def test_no_agent_is_held_while_a_person_thinks():
    steps = run()
    gate = next(index for index, step in enumerate(steps) if "input" in step)
    assert len(said(steps[:gate], "node")) == len(said(steps[:gate], "end")) == 1
    assert said(steps, "node") == ["apiops-staging", "apiops-prod"]
    assert steps[gate - 1] == {"timeout": "24 HOURS"}


@pytest.mark.parametrize("answer", ["refused", "timed out"])
def test_without_a_yes_nothing_reaches_production(answer):
    steps = run(answer)
    assert said(steps, "input") == ["Does the staging environment look ok?"]
    assert said(steps, "failed") == ["Rejected by a person" if answer == "refused" else "Timeout has been exceeded"]
    assert not deploys_to_production(steps)
    assert said(steps, "node") == ["apiops-staging"]


def test_a_staging_that_cannot_be_deployed_asks_nobody():
    steps = run("broken")
    assert said(steps, "input") == []
    assert not deploys_to_production(steps)


def test_a_change_is_checked_and_previewed_and_deploys_nothing():
    steps = run(change="7", branch="PR-7")
    assert said(steps, "stage") == ["Checks", "Preview"]
    commands = said(steps, "sh")
    assert 'apiopsctl comment preview.md --merge-request "$CHANGE_ID" --token-env GITLAB_COMMENT_TOKEN' in commands
    assert not any("pulumi" in command or "promote" in command for command in commands)
    assert said(steps, "credentials") == [["apiops-comment"]]


def test_a_change_that_breaks_a_guardrail_fails_and_still_gets_its_comment():
    steps = run("guardrail", change="7", branch="PR-7")
    assert any("apiopsctl comment" in command for command in said(steps, "sh"))
    assert said(steps, "failed") == ["script returned exit code 1"]


def test_the_commit_of_a_promotion_starts_no_second_round():
    steps = run(subject="Promote staging to prod")
    assert said(steps, "stage") == []
    assert said(steps, "input") == []


def test_other_branches_do_nothing():
    assert said(run(branch="feature"), "node") == []


def test_two_builds_do_not_run_at_once():
    assert said(run(), "properties") == [["disableConcurrentBuilds"]]
