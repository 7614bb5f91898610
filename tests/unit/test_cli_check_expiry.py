"""`check` and the dates of kept tokens."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from apiops_components.cli.check import command

SETTINGS = """\
config:
  apiops:environment:
    owner: platform@example.com
    cluster: {kind: existing, context: here}
    gitlab_tokens:
      ci:
        url: https://gitlab.example.com
        administrator: gitlab-administrator
        user_id: 42
        name: ci
        scopes: [read_api]
        expires: 2027-03-31
    secrets: [gitlab-administrator]
"""
DESCRIBE = """\
from apiops_components import Description

def describe(environment):
    return Description(environment=environment)
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("name: platform\nruntime: python\n")
    (tmp_path / "Pulumi.prod.yaml").write_text(SETTINGS)
    (tmp_path / "describe.py").write_text(DESCRIBE)
    return tmp_path


def check(project, *options):
    return CliRunner().invoke(command, ["--project", str(project), "--env", "prod", *options], standalone_mode=False)


@pytest.mark.parametrize(("today", "code"), [("2027-03-16", 0), ("2027-03-17", 1), ("2027-04-01", 1)])
def test_it_fails_so_many_days_before_the_end(project, today, code):
    assert check(project, "--today", today).return_value == code


def test_the_finding_names_the_field_and_the_fix(project):
    done = check(project, "--today", "2027-03-20")
    assert done.stdout == (
        "broken  gitlab-token-expiry  GitLabToken ci (owner: platform@example.com)\n"
        "        gitlab_tokens.ci.expires: the token ends on 2027-03-31: 11 days are left, and renewal is due 14 "
        "days before\n"
        "        fix: write the next date: apiopsctl gitlab renew\n"
        "prod: 0 guardrails over 0 APIs: 1 broken\n"
    )


def test_the_finding_as_json(project):
    done = check(project, "--today", "2027-04-02", "--format", "json")
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["guardrail"], finding["path"]) == ("gitlab-token-expiry", "gitlab_tokens.ci.expires")


def test_the_day_can_stand_in_the_environment(project, monkeypatch):
    monkeypatch.setenv("APIOPS_TODAY", "2027-03-30")
    assert check(project).return_value == 1
    monkeypatch.setenv("APIOPS_TODAY", "2027-01-30")
    assert check(project).return_value == 0


def test_a_day_that_is_none_is_wrong_usage(project):
    done = check(project, "--today", "soon")
    assert "'soon' is not a day" in str(done.exception)
