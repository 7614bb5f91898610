"""`apiopsctl smoke`: requests as several users, from a file, against a service in a thread."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from apiops_components.cli import smoke

ADMINISTRATOR = "glpat-administrator-0000"
FILE = """\
identities:
  user: {username: smoke-user}
  admin: {username: smoke-admin, scopes: [read_api, read_user]}
  nobody: {}
tests:
  - name: orders are listed
    request: {url: "/orders?limit=1", headers: {Authorization: "Bearer ${token}"}}
    expect: {status: 200, headers: {Content-Type: application/json}, body: {json: {items: []}}}
    expect_as: {nobody: {status: 401}}
  - name: deleting is an administrator's
    as: [user, admin]
    request: {method: DELETE, url: /orders/1, headers: {authorization: "Bearer ${token}"}}
    expect: {status: 403}
    expect_as: {admin: {status: 204}}
"""


class Service(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self):
        server = self.server
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        server.seen.append((self.command, self.path, token, body, dict(self.headers)))
        owner = next((t["user_id"] for t in server.gitlab.active() if token == f"glpat-made-{t['id']:04}"), None)
        if self.path == "/slow":
            server.reached.set()
            server.gitlab.stop.wait(20)
            return
        if self.path == "/echo":
            self.reply(200, f"token {token}, body {body}", "text/plain; charset=nonsense")
        elif self.path == "/moved":
            self.reply(302, "", "text/plain", Location="/orders")
        elif owner is None:
            self.reply(401, "who are you?", "text/plain")
        elif self.command == "DELETE":
            self.reply(204 if owner == 8 else 403, "", "text/plain")
        else:
            self.reply(200, '{"items": [], "more": 1}', "application/json")

    do_GET = do_POST = do_DELETE = answer  # noqa: N815

    def reply(self, status, body, content_type, **headers):
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body.encode())


@pytest.fixture
def service(gitlab):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.daemon_threads = True
    server.gitlab, server.seen, server.reached = gitlab, [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    gitlab.stop.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def file(tmp_path):
    made = tmp_path / "smoke.yaml"
    made.write_text(FILE)
    return made


def options(gitlab, service, file):
    return [str(file), "--url", service.url, "--gitlab-url", gitlab.url, "--today", "2027-01-10", "--run", "77"]


def smoked(gitlab, service, file, *more, token=ADMINISTRATOR):
    done = CliRunner(env={"GITLAB_TOKEN": token}).invoke(
        smoke.command, [*options(gitlab, service, file), *more], standalone_mode=False
    )
    assert "glpat" not in done.output + str(done.exception or "")
    return done


def test_a_user_an_administrator_and_nobody(gitlab, service, file):
    done = smoked(gitlab, service, file)
    assert done.return_value == 0
    assert done.stdout == (
        "passed  user    orders are listed  200\n"
        "passed  admin   orders are listed  200\n"
        "passed  nobody  orders are listed  401\n"
        "passed  user    deleting is an administrator's  403\n"
        "passed  admin   deleting is an administrator's  204\n"
        "5 sent: 5 passed\n"
    )
    assert [seen[:2] for seen in service.seen[:1]] == [("GET", "/orders?limit=1")]
    assert "Authorization" not in service.seen[2][4]
    assert [(t["user_id"], t["scopes"], t["expires_at"]) for t in gitlab.tokens] == [
        (7, ["read_api"], "2027-01-12"),
        (8, ["read_api", "read_user"], "2027-01-12"),
    ]
    assert all(t["name"].startswith("apiops-smoke-77/") for t in gitlab.tokens)
    assert gitlab.active() == []


def test_two_runs_print_the_same(gitlab, service, file):
    assert smoked(gitlab, service, file).stdout == smoked(gitlab, service, file).stdout


def test_only_those_that_are_asked_for(gitlab, service, file):
    done = smoked(gitlab, service, file, "--as", "user, nobody")
    assert done.stdout.endswith("3 sent: 3 passed\n")
    assert [t["user_id"] for t in gitlab.tokens] == [7]


def test_an_identity_that_is_not_there(gitlab, service, file):
    done = smoked(gitlab, service, file, "--as", "root")
    assert str(done.exception) == "--as: no identity is called 'root'; there are user, admin, nobody"
    assert gitlab.seen == []


def test_another_answer_than_expected(gitlab, service, file):
    file.write_text(FILE.replace("status: 403", "status: 204").replace("items: []", "items: [1], next: null"))
    done = smoked(gitlab, service, file, "--as", "user")
    assert done.return_value == 1
    assert done.stdout == (
        "failed  user  orders are listed  200\n"
        "        body.items: [], expected [1]\n"
        "        body.next: missing, expected null\n"
        "failed  user  deleting is an administrator's  403\n"
        "        status: 403, expected 204\n"
        "2 sent: 0 passed, 2 failed\n"
    )
    assert gitlab.active() == []


def test_json(gitlab, service, file):
    file.write_text(FILE.replace("status: 403", "status: 204"))
    done = smoked(gitlab, service, file, "--as", "user", "--format", "json")
    assert json.loads(done.stdout) == {
        "summary": {"tests": 2, "passed": 1, "failed": 1, "error": 0},
        "results": [
            {"name": "orders are listed", "identity": "user", "outcome": "passed", "status": 200, "problems": []},
            {
                "name": "deleting is an administrator's",
                "identity": "user",
                "outcome": "failed",
                "status": 403,
                "problems": ["status: 403, expected 204"],
            },
        ],
    }


def one_test(file, request, expect, identities="{user: {username: smoke-user}}"):
    test = {"name": "it", "request": request, "expect": expect}
    file.write_text(f"identities: {identities}\ntests: [{json.dumps(test)}]\n")


def test_a_token_that_the_service_repeats_is_not_shown(gitlab, service, file):
    one_test(
        file,
        {"url": "/echo", "headers": {"Authorization": "Bearer ${token}"}},
        {"status": 200, "body": {"equals": "x"}},
    )
    done = smoked(gitlab, service, file)
    assert 'body: "token <secret>, body ", expected "x"' in done.stdout


def test_a_body_is_sent_as_text_or_as_json(gitlab, service, file):
    for body, sent, kind in (("a=1", "a=1", None), ({"ä": [1]}, '{"ä": [1]}', "application/json")):
        one_test(file, {"method": "POST", "url": "/echo", "body": body}, {"status": 200})
        assert smoked(gitlab, service, file).return_value == 0
        assert service.seen[-1][3] == sent
        assert service.seen[-1][4].get("Content-Type") == kind


def test_credentials_of_netrc_are_not_sent(gitlab, service, file, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    assert smoked(gitlab, service, file).return_value == 0
    assert all(not seen[2].startswith("Basic") for seen in service.seen)


def test_a_redirect_is_an_answer(gitlab, service, file):
    one_test(file, {"url": "/moved"}, {"status": 302, "headers": {"Location": "/orders"}})
    assert smoked(gitlab, service, file).return_value == 0
    assert len(service.seen) == 1


def test_a_service_that_is_not_there_is_an_error_and_no_failure(gitlab, service, file):
    one_test(file, {"url": "/orders"}, {"status": 200})
    done = smoked(gitlab, service, file, "--url", "http://127.0.0.1:1")
    assert done.return_value == 2
    assert "error  user  it\n" in done.stdout
    assert "nothing listens there" in done.stdout
    assert gitlab.active() == []


def test_without_a_user_no_gitlab_is_needed(gitlab, service, file):
    one_test(file, {"url": "/orders"}, {"status": 401}, "{nobody: {}}")
    assert smoked(gitlab, service, file, token="").return_value == 0
    assert gitlab.seen == []


def test_tokens_do_not_go_over_a_plain_connection(gitlab, service, file):
    done = smoked(gitlab, service, file, "--url", "http://staging.example.com")
    assert "http://staging.example.com would get tokens in clear" in str(done.exception)
    assert gitlab.active() == []


@pytest.mark.parametrize("token", ["", "  ", "glpat-\x07"])
def test_without_a_token_it_is_said_where_it_is_read(gitlab, service, file, token):
    done = smoked(gitlab, service, file, token=token)
    assert "the variable GITLAB_TOKEN" in str(done.exception)
    assert "--token-env" in str(done.exception)


def test_an_unknown_user_makes_no_token_for_the_others(gitlab, service, file):
    file.write_text(FILE.replace("username: smoke-admin", "username: smoke-admn"))
    done = smoked(gitlab, service, file)
    assert "has no user 'smoke-admn'" in str(done.exception)
    assert gitlab.tokens == []
    assert service.seen == []


def test_where_the_second_token_cannot_be_made_the_first_is_revoked(gitlab, service, file, faults):
    gitlab.fail("POST", "/users/8/impersonation_tokens", faults.answer(403))
    done = smoked(gitlab, service, file)
    assert "the token may not make a token for 'smoke-admin'" in str(done.exception)
    assert len(gitlab.tokens) == 1
    assert gitlab.active() == []


def test_a_token_that_is_left_is_no_success(gitlab, service, file, faults):
    gitlab.fail("DELETE", "/users/7/impersonation_tokens/1", faults.answer(403), times=2)
    done = smoked(gitlab, service, file)
    assert done.exception.exit_code == 2
    (problem,) = done.exception.problems
    assert problem.code == "gitlab/token-left"
    assert [token["user_id"] for token in gitlab.active()] == [7]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "smoke/file"),
        ("a: 1\n---\nb: 2\n", "smoke/file"),
        ("a: [", "yaml/syntax"),
        ("tests: []\n", "schema/required"),
    ],
)
def test_a_file_that_is_none(gitlab, service, file, text, code):
    file.write_text(text)
    done = smoked(gitlab, service, file)
    assert code in {problem.code for problem in done.exception.problems}


def test_a_problem_in_the_file_has_its_line(gitlab, service, file):
    file.write_text(FILE.replace("scopes: [read_api, read_user]", "scopes: [read_apy]"))
    done = smoked(gitlab, service, file)
    (problem,) = done.exception.problems
    assert (problem.path, problem.line, problem.code) == ("identities.admin.scopes[0]", 3, "gitlab/scope")
    assert "did you mean read_api?" in problem.hint


def test_a_file_that_is_not_there(gitlab, service, tmp_path):
    assert "not readable" in str(smoked(gitlab, service, tmp_path / "none.yaml").exception)


# --- stopped -------------------------------------------------------------------------------------------------------


def started(gitlab, service, file):
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from apiops_components.cli import main; main()",
            "smoke",
            *options(gitlab, service, file),
        ],
        env={**os.environ, "GITLAB_TOKEN": ADMINISTRATOR},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_in_the_middle_leaves_nothing(gitlab, service, file, number):
    one_test(file, {"url": "/slow", "headers": {"Authorization": "Bearer ${token}"}}, {"status": 200})
    run = started(gitlab, service, file)
    assert service.reached.wait(30)
    assert len(gitlab.active()) == 1
    if (processes := Path(f"/proc/{run.pid}/cmdline")).exists():
        assert "glpat" not in processes.read_text()
    run.send_signal(number)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 128 + number
    assert err == f"stopped by {number.name}; the tokens are revoked\n"
    assert out == ""
    assert gitlab.active() == []


def test_signals_while_tokens_are_revoked_do_not_break_that_off(gitlab, service, file, faults):
    one_test(file, {"url": "/slow", "headers": {"Authorization": "Bearer ${token}"}}, {"status": 200})
    run = started(gitlab, service, file)
    assert service.reached.wait(30)
    revoking = threading.Event()

    def act(handler):
        revoking.set()
        time.sleep(0.3)
        faults.answer(204)(handler)

    gitlab.fail("DELETE", "/users/7/impersonation_tokens/1", act, done=True)
    run.send_signal(signal.SIGTERM)
    assert revoking.wait(30)
    for _ in range(3):
        run.send_signal(signal.SIGTERM)
        run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert "Traceback" not in err
    assert gitlab.active() == []
    assert ("GET", "/users/7/impersonation_tokens") in gitlab.seen


def test_a_signal_while_a_token_is_made_leaves_nothing(gitlab, service, file, faults):
    making = threading.Event()

    def act(handler):
        making.set()
        faults.hang(handler)

    gitlab.fail("POST", "/users/7/impersonation_tokens", act, done=True)
    run = started(gitlab, service, file)
    assert making.wait(30)
    assert len(gitlab.active()) == 1
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=30)
    assert run.returncode == 128 + signal.SIGTERM
    assert gitlab.active() == []
