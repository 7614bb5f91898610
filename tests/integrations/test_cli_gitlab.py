"""`apiopsctl gitlab` and `comment`, against a GitLab in a thread."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from apiops_components.cli import comment
from apiops_components.cli import gitlab as module

ADMINISTRATOR = "glpat-administrator-0000"


def run(command, gitlab, *arguments, env=None, stdin=None):
    done = CliRunner(env={"GITLAB_TOKEN": ADMINISTRATOR, "CI_SERVER_URL": gitlab.url, **(env or {})}).invoke(
        command, list(arguments), input=stdin, standalone_mode=False
    )
    assert "glpat" not in done.output + str(done.exception or "")
    return done


def tokens(gitlab, verb, *arguments):
    return run(module.command, gitlab, "tokens", verb, "--user", "smoke-user", "--today", "2027-01-10", *arguments)


@pytest.fixture
def left(gitlab):
    gitlab.add_token("apiops-smoke-76/aaaaaaaa", created_at="2027-01-08T23:59:00.000Z")
    gitlab.add_token("apiops-smoke-77/bbbbbbbb")
    gitlab.add_token("kept by hand")
    gitlab.add_token("apiops-smoke-75/cccccccc", active=False, revoked=True)
    return gitlab


def active(gitlab):
    return [token["name"] for token in gitlab.active()]


def test_list(left):
    done = tokens(left, "list")
    assert done.return_value == 0
    assert done.stdout == (
        "1  smoke-user  apiops-smoke-76/aaaaaaaa  read_api  ends 2027-01-12\n"
        "2  smoke-user  apiops-smoke-77/bbbbbbbb  read_api  ends 2027-01-12\n"
        "2 tokens of test runs\n"
    )


def test_list_as_json(left):
    done = tokens(left, "list", "--run", "77", "--format", "json")
    (token,) = json.loads(done.stdout)["tokens"]
    assert (token["user"], token["id"], token["name"]) == ("smoke-user", 2, "apiops-smoke-77/bbbbbbbb")


@pytest.mark.parametrize(("days", "count"), [(0, 2), (1, 1), (2, 1), (3, 0)])
def test_by_age(left, days, count):
    assert tokens(left, "list", "--older-than", str(days)).stdout.count("ends") == count


def test_verify_fails_while_something_is_left(left):
    done = tokens(left, "verify")
    assert done.return_value == 1
    assert done.stdout.endswith("left: 2 tokens\n")
    left.tokens.clear()
    done = tokens(left, "verify")
    assert (done.return_value, done.stdout) == (0, "nothing is left, and new tokens can be made\n")


def test_verify_fails_before_the_administrator_s_own_token_ends(gitlab):
    done = run(module.command, gitlab, "tokens", "verify", "--user", "smoke-user", "--today", "2027-11-25")
    assert done.return_value == 1
    assert "the token in GITLAB_TOKEN ends on 2027-12-01: make a new one" in done.stdout


def test_verify_fails_for_a_user_who_may_not_log_in(gitlab):
    done = run(module.command, gitlab, "tokens", "verify", "--user", "gone")
    assert "user 'gone' is blocked" in str(done.exception)


@pytest.mark.parametrize("run_name", ["77", "apiops-smoke-77"])
def test_revoke_of_one_run(left, run_name):
    done = tokens(left, "revoke", "--run", run_name)
    assert done.stdout == "revoked: 2  smoke-user  apiops-smoke-77/bbbbbbbb\n1 token of test runs\n"
    assert active(left) == ["apiops-smoke-76/aaaaaaaa", "kept by hand"]
    assert tokens(left, "revoke", "--run", run_name).stdout == "0 tokens of test runs\n"


def test_revoke_of_old_ones(left):
    tokens(left, "revoke", "--older-than", "1")
    assert active(left) == ["apiops-smoke-77/bbbbbbbb", "kept by hand"]


def test_revoke_of_all_leaves_what_is_no_test_run_s(left):
    tokens(left, "revoke", "--all")
    assert active(left) == ["kept by hand"]


def test_a_run_does_not_name_tokens_of_others(left):
    for name in ("kept by hand", "7", ""):
        tokens(left, "revoke", "--run", name)
    assert len(active(left)) == 3


def test_revoke_says_which(left):
    done = tokens(left, "revoke")
    assert "say which: --run RUN" in str(done.exception)
    assert len(active(left)) == 3


def test_one_that_another_revokes_meanwhile(left, faults):
    left.fail("DELETE", "/users/7/impersonation_tokens/2", faults.answer(404))
    assert "gone already: 2" in tokens(left, "revoke", "--run", "77").stdout


def test_which_instance(gitlab):
    done = run(module.command, gitlab, "tokens", "list", "--user", "u", env={"CI_SERVER_URL": ""})
    assert "--gitlab-url" in str(done.exception)


# --- comment, status -----------------------------------------------------------------------------------------------

REVIEW = {"CI_PROJECT_ID": "platform/apis", "CI_MERGE_REQUEST_IID": "5", "CI_COMMIT_SHA": "abc123"}


def test_comment_from_a_file_and_from_stdin(gitlab, tmp_path):
    file = tmp_path / "preview.md"
    file.write_text("# Preview\n")
    done = run(comment.command, gitlab, str(file), env=REVIEW)
    assert done.stdout == "comment 'preview' of merge request 5: created\n"
    done = run(comment.command, gitlab, "-", env=REVIEW, stdin="# Änderung\n")
    assert done.stdout == "comment 'preview' of merge request 5: updated\n"
    assert [note["body"] for note in gitlab.notes] == ["<!-- apiops:preview -->\n# Änderung\n"]


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_nothing_to_post(gitlab, tmp_path, content):
    file = tmp_path / "preview.md"
    file.write_bytes(content)
    done = run(comment.command, gitlab, str(file), env=REVIEW)
    assert done.exception.problems[0].code in ("comment/empty", "comment/encoding")
    assert gitlab.notes == []


def test_a_key_that_would_end_the_mark(gitlab):
    done = run(comment.command, gitlab, "-", "--key", "a --> b", env=REVIEW, stdin="x")
    assert "has other characters" in str(done.exception)


def test_without_a_merge_request_it_is_wrong_usage(gitlab):
    done = run(comment.command, gitlab, "-", stdin="x", env={**REVIEW, "CI_MERGE_REQUEST_IID": ""})
    assert "--merge-request" in done.exception.format_message()


def test_status(gitlab):
    arguments = ("status", "success", "--name", "apiops/smoke", "--description", "all well")
    assert run(module.command, gitlab, *arguments, env=REVIEW).stdout == "apiops/smoke: success (set)\n"
    assert run(module.command, gitlab, *arguments, env=REVIEW).stdout == "apiops/smoke: success (unchanged)\n"


# --- renew ---------------------------------------------------------------------------------------------------------

SETTINGS = """\
# Kept by the platform team.
config:
  apiops:environment:
    owner: platform@example.com   # expires: never
    cluster: {kind: existing, context: here}
    gitlab_tokens:
      ci:  # for pipelines
        url: https://gitlab.example.com
        administrator: gitlab-administrator
        user_id: 42
        name: ci
        scopes: [read_api]
        expires: 2027-03-31  # renewed by a pipeline
      other:
        url: https://gitlab.example.com
        administrator: gitlab-administrator
        user_id: 43
        name: other
        scopes: [read_api]
        "expires": "2027-03-31"
        lifetime_days: 30
    secrets: [gitlab-administrator]
  apiops:gitlab-administrator:
    secure: v1:abc
encryptionsalt: v1:xyz
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("name: platform\nruntime: python\n")
    (tmp_path / "Pulumi.prod.yaml").write_bytes(SETTINGS.encode())
    return tmp_path


def renewed(project, today):
    done = CliRunner().invoke(
        module.command, ["renew", "--project", str(project), "--env", "prod", "--today", today], standalone_mode=False
    )
    return done, (project / "Pulumi.prod.yaml").read_bytes().decode()


def test_renew_does_nothing_while_there_is_time(project):
    done, text = renewed(project, "2027-03-16")
    assert (done.return_value, done.stdout) == (0, "prod: no token ends soon\n")
    assert text == SETTINGS


def test_renew_changes_the_dates_and_nothing_else(project):
    done, text = renewed(project, "2027-03-17")
    assert done.stdout == "ci: 2027-03-31 -> 2027-06-15\nother: 2027-03-31 -> 2027-04-16\n"
    assert text == SETTINGS.replace("expires: 2027-03-31  #", "expires: 2027-06-15  #").replace(
        '"expires": "2027-03-31"', '"expires": "2027-04-16"'
    )
    assert renewed(project, "2027-03-17")[1] == text


def test_renew_keeps_the_ends_of_lines(project):
    file = project / "Pulumi.prod.yaml"
    file.write_bytes(SETTINGS.replace("\n", "\r\n").encode())
    renewed(project, "2027-03-17")
    content = file.read_bytes()
    assert content.count(b"\r\n") == content.count(b"\n") == SETTINGS.count("\n")
    assert b"expires: 2027-06-15" in content


def test_a_date_that_it_cannot_find_is_left_to_a_person_and_nothing_is_written(project):
    file = project / "Pulumi.prod.yaml"
    changed = SETTINGS.replace('"expires": "2027-03-31"', 'expires: "2027-\\x303-31"')
    file.write_text(changed)
    done, text = renewed(project, "2027-03-17")
    (problem,) = done.exception.problems
    assert (problem.code, problem.line) == ("gitlab/date-line", 20)
    assert problem.hint == "write it yourself: expires: 2027-04-16"
    assert text == changed
