"""Tokens of test users: made once, revoked whatever happens, never seen."""

from __future__ import annotations

import logging
import socket
import sys
import traceback
import warnings
from contextlib import suppress
from datetime import date

import pytest
from pydantic import SecretStr

from apiops_components.errors import NotRunnable
from apiops_components.integrations.gitlab import GitLab, Lease
from apiops_components.integrations.transport import Limits

ADMINISTRATOR = "glpat-administrator-0000"
REVOKED = "glpat-revoked-0000"
FAST = Limits(connect=1, read=0.4, total=0.5, attempts=3, waiting=5)
TOKENS = "/users/7/impersonation_tokens"
ENDS = date(2027, 1, 12)


@pytest.fixture
def waits():
    return []


@pytest.fixture
def client(gitlab, waits):
    return connect(gitlab, waits)


def connect(gitlab, waits=None, token=ADMINISTRATOR, **options):
    sleep = [].append if waits is None else waits.append
    return GitLab(gitlab.url, SecretStr(token), limits=FAST, sleep=sleep, **options)


def lease(client, user="smoke-user"):
    return Lease(client, client.user(user), run="apiops-smoke-77", scopes=("read_api",), expires=ENDS)


def refusal(call, *arguments):
    with pytest.raises(NotRunnable) as caught:
        call(*arguments)
    (problem,) = caught.value.problems
    shown = f"{caught.value}{caught.value!r}{''.join(traceback.format_exception(caught.value))}"
    assert ADMINISTRATOR not in shown
    assert "glpat-made" not in shown
    return problem


def test_made_used_and_revoked(gitlab, client):
    token = lease(client)
    value = token.begin()

    (made,) = gitlab.active()
    assert value.get_secret_value() == f"glpat-made-{made['id']:04}"
    assert made["name"] == token.name
    assert token.name.startswith("apiops-smoke-77/")
    assert (made["scopes"], made["expires_at"]) == (["read_api"], "2027-01-12")
    assert token.end() is None
    assert gitlab.active() == []
    asked = len(gitlab.seen)
    assert token.end() is None
    assert len(gitlab.seen) == asked


def test_two_leases_have_two_names(client):
    assert lease(client).name != lease(client).name


# --- who is asked for, and who asks -------------------------------------------------------------------------------


def test_an_unknown_user(client):
    problem = refusal(client.user, "smoke-usr")
    assert (problem.code, problem.message) == (
        "gitlab/unknown-user",
        f"{client.url} has no user 'smoke-usr'",
    )
    assert problem.hint


def test_a_blocked_user(client):
    assert refusal(client.user, "gone").message == "user 'gone' is blocked, and its tokens do not work"
    assert client.user("gone", blocked_too=True).id == 9


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "gitlab/refused", "could not make a token for 'smoke-user': 400 (400 said)"),
        (401, "gitlab/unauthorized", "does not accept the token (400 said)"),
        (403, "gitlab/forbidden", "the token may not make a token for 'smoke-user' (400 said)"),
        (404, "gitlab/not-found", "does not find a token for 'smoke-user' (400 said)"),
        (409, "gitlab/refused", "could not make a token for 'smoke-user': 409 (400 said)"),
        (422, "gitlab/refused", "could not make a token for 'smoke-user': 422 (400 said)"),
    ],
)
def test_a_refusal_is_told_and_not_tried_again(gitlab, client, faults, status, code, message):
    gitlab.fail("POST", TOKENS, faults.answer(status, {"message": "400 said"}))
    problem = refusal(lease(client).begin)
    assert problem.code == code
    assert problem.message.endswith(message)
    assert gitlab.made() == 1
    assert gitlab.active() == []


def test_a_token_that_was_revoked(gitlab):
    gitlab.add_token("revoked", revoked=True, active=False)
    problem = refusal(connect(gitlab, token=REVOKED).user, "smoke-user")
    assert problem.code == "gitlab/unauthorized"
    assert "make a new one" in problem.hint


def test_a_redirect_is_not_followed(gitlab, client, faults):
    gitlab.fail("GET", "/users", faults.answer(302, {}, Location="https://elsewhere.example.com/login"))
    problem = refusal(client.user, "smoke-user")
    assert problem.code == "gitlab/redirected"
    assert len(gitlab.seen) == 1


# --- again, where that is safe ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_reading_is_tried_again_after_a_fault_of_the_server(gitlab, client, faults, waits, status):
    gitlab.fail("GET", "/users", faults.answer(status), times=2)
    assert client.user("smoke-user").id == 7
    assert waits == [0.5, 1.0]


def test_reading_ends_after_all_attempts(gitlab, client, faults):
    gitlab.fail("GET", "/users", faults.answer(503), times=9)
    assert refusal(client.user, "smoke-user").code == "gitlab/server-error"
    assert len(gitlab.seen) == FAST.attempts


@pytest.mark.parametrize("name", ["close", "hang", "trickle", "cut"])
def test_reading_is_tried_again_after_half_an_answer(gitlab, client, faults, name):
    gitlab.fail("GET", "/users", getattr(faults, name))
    assert client.user("smoke-user").id == 7
    assert len(gitlab.seen) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hang", "no answer within 0.4 s"),
        ("trickle", "the answer was not whole within 0.5 s"),
        ("cut", "the answer broke off"),
        ("close", "the connection was closed before the answer"),
    ],
)
def test_what_is_said_where_no_answer_comes(gitlab, client, faults, name, message):
    gitlab.fail("GET", "/users", getattr(faults, name), times=9)
    problem = refusal(client.user, "smoke-user")
    assert problem.code == "http/no-answer"
    assert f"GET {gitlab.url}/api/v4/users: {message}" in problem.message


@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
def test_too_many_requests_are_waited_for_as_long_as_asked(gitlab, client, faults, waits, verb):
    gitlab.fail(verb, rf"{TOKENS}(/\d+)?", faults.answer(429, Retry_After=2))
    token = lease(client)
    token.begin()
    assert token.end() is None
    assert waits == [2.0]
    assert len(gitlab.tokens) == 1
    assert gitlab.active() == []


def test_a_time_to_wait_may_be_a_date(gitlab, client, faults, waits):
    later = {"Retry_After": "Fri, 01 Jan 2027 10:00:03 GMT", "Date": "Fri, 01 Jan 2027 10:00:00 GMT"}

    def act(handler):
        handler.date_time_string = lambda: later["Date"]
        faults.answer(429, Retry_After=later["Retry_After"])(handler)

    gitlab.fail("GET", "/users", act)
    client.user("smoke-user")
    assert waits == [3.0]


@pytest.mark.parametrize("asked", ["3600", "99999999999999999999"])
def test_one_that_asks_to_wait_too_long_is_not_waited_for(gitlab, client, faults, waits, asked):
    gitlab.fail("GET", "/users", faults.answer(429, Retry_After=asked))
    problem = refusal(client.user, "smoke-user")
    assert problem.code == "http/too-many-requests"
    assert waits == []


@pytest.mark.parametrize("asked", ["-5", "soon", "1e9", ""])
def test_garbage_in_retry_after_is_passed_over(gitlab, client, faults, waits, asked):
    gitlab.fail("GET", "/users", faults.answer(429, Retry_After=asked))
    client.user("smoke-user")
    assert waits == [0.5]


# --- never a second one --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("name", ["close", "hang", "server", "garbage", "page", "cut"])
def test_where_it_is_not_clear_whether_one_was_made_it_is_revoked_before_the_next(gitlab, client, faults, name, done):
    acts = {
        "server": faults.answer(502),
        "garbage": faults.answer(201, ["?"]),
        "page": faults.text(201, "<html>welcome</html>"),
    }
    gitlab.fail("POST", TOKENS, acts.get(name) or getattr(faults, name), done=done)

    token = lease(client)
    value = token.begin()

    (left,) = gitlab.active()
    assert value.get_secret_value() == f"glpat-made-{left['id']:04}"
    assert gitlab.made() == 2
    assert len(gitlab.tokens) == 1 + done
    assert token.end() is None
    assert gitlab.active() == []


def test_it_is_given_up_after_the_second_and_nothing_is_left(gitlab, client, faults):
    gitlab.fail("POST", TOKENS, faults.close, times=9, done=True)
    token = lease(client)
    assert refusal(token.begin).code == "http/no-answer"
    assert token.end() is None
    assert gitlab.made() == 2
    assert len(gitlab.tokens) == 2
    assert gitlab.active() == []


def test_one_that_is_made_when_nobody_waits_any_more_is_revoked_at_the_end(gitlab, client, faults):
    gitlab.fail("POST", TOKENS, faults.late(gitlab))
    token = lease(client)
    token.begin()
    for _ in range(200):
        if len(gitlab.tokens) == 2:
            break
        gitlab.stop.wait(0.02)
    assert len(gitlab.active()) == 2
    assert token.end() is None
    assert gitlab.active() == []


def test_other_tokens_of_the_user_stay(gitlab, client, faults):
    gitlab.add_token("apiops-smoke-76/other")
    gitlab.add_token("kept by hand")
    gitlab.fail("POST", TOKENS, faults.close, done=True)
    token = lease(client)
    token.begin()
    token.end()
    assert [found["name"] for found in gitlab.active()] == ["apiops-smoke-76/other", "kept by hand"]


def test_one_on_a_later_page_is_found(gitlab, client, faults):
    for number in range(10):
        gitlab.add_token(f"kept {number}")
    gitlab.fail("POST", TOKENS, faults.close, done=True)
    token = lease(client)
    token.begin()
    assert len(gitlab.active()) == 11
    token.end()
    assert len(gitlab.active()) == 10


# --- revoked, or said ----------------------------------------------------------------------------------------------


def test_one_that_is_gone_already_is_no_problem(gitlab, client):
    token = lease(client)
    token.begin()
    gitlab.tokens.clear()
    assert token.end() is None


def test_with_its_user_it_is_gone(gitlab, client):
    token = lease(client)
    token.begin()
    gitlab.users.clear()
    assert token.end() is None


@pytest.mark.parametrize("name", ["close", "hang", "server"])
def test_revoking_is_tried_again(gitlab, client, faults, name):
    gitlab.fail("DELETE", rf"{TOKENS}/\d+", faults.answer(503) if name == "server" else getattr(faults, name))
    token = lease(client)
    token.begin()
    assert token.end() is None
    assert gitlab.active() == []


def test_one_that_cannot_be_revoked_is_named_with_the_command(gitlab, client, faults):
    token = lease(client)
    token.begin()
    gitlab.fail("DELETE", rf"{TOKENS}/\d+", faults.answer(403), times=1)
    problem = token.end()
    assert problem.code == "gitlab/token-left"
    assert problem.message.startswith(f"the token '{token.name}' of 'smoke-user' may be left: the token may not delete")
    assert problem.hint == "revoke it: apiopsctl gitlab tokens revoke --user smoke-user --run apiops-smoke-77"
    assert token.end() is None
    assert gitlab.active() == []


# --- pages ---------------------------------------------------------------------------------------------------------


def test_all_pages_are_read_and_a_link_elsewhere_is_not_followed(gitlab, client):
    """Each link to the next page names another host; the token stays here."""
    for number in range(8):
        gitlab.add_token(f"token {number}")
    assert len(client.tokens(client.user("smoke-user"))) == 8
    assert gitlab.seen.count(("GET", TOKENS)) == 3


def test_pages_without_end_are_not_read_for_ever(gitlab, client, monkeypatch):
    monkeypatch.setattr("apiops_components.integrations.gitlab_api._MOST_ITEMS", 20)

    def act(handler):
        link = f'<{gitlab.url}/api/v4{TOKENS}?page=2>; rel="next"'
        handler.reply(200, [{"id": 1, "name": "x"}], {"Link": link})

    user = client.user("smoke-user")
    gitlab.fail("GET", TOKENS, act, times=100)
    assert refusal(client.tokens, user).code == "gitlab/garbage"
    assert gitlab.seen.count(("GET", TOKENS)) == 21


@pytest.mark.parametrize("body", ['{"id": 1}', "[1, 2]", '[{"id": "x"}]', "<html>", "[", "null", '"text"', ""])
def test_garbage_is_told_as_such(gitlab, client, faults, body):
    user = client.user("smoke-user")
    gitlab.fail("GET", TOKENS, faults.text(200, body, "application/json"), times=9)
    problem = refusal(client.tokens, user)
    assert problem.code == "gitlab/garbage"
    assert "is this the address of a GitLab instance" in problem.hint


# --- never seen ----------------------------------------------------------------------------------------------------


def test_a_token_that_the_server_repeats_is_not_shown(gitlab, client, faults):
    said = f"bad token {ADMINISTRATOR}\x1b[31m"
    gitlab.fail("GET", "/users", faults.answer(400, {"message": said}))
    problem = refusal(client.user, "smoke-user")
    assert "bad token <secret> [31m" in problem.message


def test_no_token_is_logged(gitlab, client, caplog, faults):
    caplog.set_level(logging.DEBUG)
    gitlab.fail("POST", TOKENS, faults.close, done=True)
    token = lease(client)
    token.begin()
    token.end()
    assert caplog.records, "urllib3 logs requests"
    assert "glpat" not in caplog.text


def test_no_token_stands_in_an_address(gitlab, client):
    token = lease(client)
    token.begin()
    token.end()
    assert not any("glpat" in path for _, path in gitlab.seen)


def test_no_token_stands_in_what_is_printed_of_a_client(client):
    token = lease(client)
    token.begin()
    for value in (client, token, token.__dict__, client.hiding.__dict__):
        assert "glpat" not in repr(value)


# --- how it is reached ---------------------------------------------------------------------------------------------


def test_where_nothing_listens(waits):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        client = GitLab(url, SecretStr(ADMINISTRATOR), limits=FAST, sleep=waits.append)
        problem = refusal(client.user, "smoke-user")
    assert problem.message == f"GET {url}/api/v4/users: nothing listens there"
    assert waits == [0.5, 1.0]


def test_a_token_is_asked_for_again_where_nothing_can_have_been_sent(waits):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = GitLab(
            f"http://127.0.0.1:{taken.getsockname()[1]}", SecretStr(ADMINISTRATOR), limits=FAST, sleep=waits.append
        )
        from apiops_components.integrations.gitlab import User  # noqa: PLC0415

        with pytest.raises(NotRunnable, match="nothing listens there"):
            client.make_token(User(id=7, username="u"), "n", ("read_api",), ENDS)
    assert waits == [0.5, 1.0]


def test_a_certificate_that_nobody_vouches_for(tls_gitlab):
    problem = refusal(connect(tls_gitlab).user, "smoke-user")
    assert problem.code == "tls/certificate"
    assert "the certificate is not trusted" in problem.message
    assert "--ca-file" in problem.hint
    assert tls_gitlab.seen == []


def test_a_certificate_of_one_s_own_authority(tls_gitlab, authority, tmp_path, monkeypatch):
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    assert connect(tls_gitlab, ca_file=file).user("smoke-user").id == 7


def test_a_certificate_for_another_host(tls_gitlab, authority, tmp_path):
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    tls_gitlab.url = tls_gitlab.url.replace("127.0.0.1", "localhost")
    problem = refusal(connect(tls_gitlab, ca_file=file).user, "smoke-user")
    assert problem.code == "tls/certificate"
    assert "host" in problem.message.lower()
    assert "stands in the certificate" in problem.hint


@pytest.mark.parametrize(("content", "reason"), [(None, "there is no such file"), ("x", "no certificate in PEM")])
def test_a_file_of_an_authority_that_is_none(gitlab, tmp_path, content, reason):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(NotRunnable, match=reason):
        connect(gitlab, ca_file=file)


def test_an_address_that_is_none():
    with pytest.raises(NotRunnable, match="would send tokens in clear"):
        GitLab("http://gitlab.example.com", SecretStr("x"))


def test_credentials_of_netrc_and_cookies_are_not_sent(gitlab, client, tmp_path, monkeypatch, faults):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    gitlab.fail("GET", "/users", faults.answer(200, [], Set_Cookie="session=1"))
    with suppress(NotRunnable):
        client.user("smoke-user")
    client.user("smoke-user")
    assert all("Authorization" not in headers and "Cookie" not in headers for headers in gitlab.headers)


def test_without_the_extra_its_name_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "gitlab", None)
    with pytest.raises(NotRunnable, match=r"pip install 'apiops-components\[gitlab\]'"):
        GitLab("https://gitlab.example.com", SecretStr("x"))


def test_nothing_is_warned_of(client):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client.tokens(client.user("smoke-user"))
