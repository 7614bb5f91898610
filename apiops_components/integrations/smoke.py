"""Smoke tests: requests sent as several users, each with a token of its own that is revoked in the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr

from apiops_components.errors import ApiOpsError, NotRunnable, Problem
from apiops_components.integrations.gitlab import GitLab, Lease
from apiops_components.integrations.hiding import Hiding
from apiops_components.integrations.stopping import Stopping
from apiops_components.integrations.transport import Transport
from apiops_components.models.requests import TOKEN, Answer, RequestTest, SmokeTests

__all__ = ["Result", "run", "with_tokens"]


@dataclass(frozen=True, slots=True)
class Result:
    """One test, sent by one identity.

    Attributes:
        name: Of the test.
        identity: Who sent it.
        outcome: ``error`` where no answer came.
        status: Of the answer; None where none came.
        problems: What does not hold.
    """

    name: str
    identity: str
    outcome: Literal["passed", "failed", "error"]
    status: int | None = None
    problems: tuple[str, ...] = field(default=())


def with_tokens(
    client: GitLab,
    tests: SmokeTests,
    identities: Sequence[str],
    send: Callable[[Mapping[str, SecretStr]], list[Result]],
    *,
    run_name: str,
    expires: date,
) -> list[Result]:
    """Makes a token for each identity that is a user, sends the tests, and revokes the tokens whatever happened.

    Args:
        client: GitLab, asked with an administrator's token.
        tests: The file.
        identities: Who is to send.
        send: Sends the tests with the tokens of identities.
        run_name: The tokens are listed under it, so that a later run can tell what an earlier one left behind.
        expires: When they end where nobody revokes them.

    Raises:
        NotRunnable: A token could not be made, or may be left.
        Stopped: A signal came; the tokens are revoked.
    """
    leases: dict[str, Lease] = {}
    with Stopping() as stopping:
        try:
            with stopping.heard():
                for name in identities:
                    identity = tests.identities[name]
                    if identity.username is not None:
                        user = client.user(identity.username)
                        leases[name] = Lease(client, user, run=run_name, scopes=identity.scopes, expires=expires)
                return send({name: lease.begin() for name, lease in leases.items()})
        finally:
            left = [problem for lease in leases.values() if (problem := lease.end()) is not None]
            if left:
                before = sys.exception()
                raise NotRunnable([*(before.problems if isinstance(before, ApiOpsError) else ()), *left]) from None


def run(
    tests: SmokeTests,
    identities: Sequence[str],
    tokens: Mapping[str, SecretStr],
    *,
    url: str,
    transport: Callable[[], Transport],
    hiding: Hiding,
) -> Iterator[Result]:
    """Sends each test as each identity that sends it, in the order of the file.

    Raises:
        NotRunnable: A token would go over a plain connection.
    """
    if tokens and urlsplit(url).scheme != "https" and not _is_here(urlsplit(url).hostname or ""):
        message = f"{url} would get tokens in clear"
        raise NotRunnable(Problem(message, "url", "request/plain-http", "use https://"))
    for test in tests.tests:
        for identity in identities:
            if test.sent_by(identity):
                yield _result(test, identity, tokens.get(identity), url, transport, hiding)


def _result(
    test: RequestTest,
    identity: str,
    token: SecretStr | None,
    url: str,
    transport: Callable[[], Transport],
    hiding: Hiding,
) -> Result:
    with transport() as session:
        try:
            answer = _answer(session, test, token, url)
        except NotRunnable as error:
            problems = tuple(hiding.text(f"{p.message}; {p.hint}" if p.hint else p.message) for p in error.problems)
            return Result(test.name, identity, "error", None, problems)
    unmet = tuple(hiding.text(text) for text in test.expected(identity).unmet(answer))
    return Result(test.name, identity, "failed" if unmet else "passed", answer.status, unmet)


def _answer(session: Transport, test: RequestTest, token: SecretStr | None, url: str) -> Answer:
    request = test.request
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        if TOKEN not in value:
            headers[name] = value
        elif token is not None:
            headers[name] = value.replace(TOKEN, token.get_secret_value())
    body = request.body
    if body is not None and not isinstance(body, str):
        body = json.dumps(body, ensure_ascii=False)
        if not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json"
    target = f"{url.rstrip('/')}{request.url}" if request.url.startswith("/") else request.url
    data = None if body is None else body.encode()
    response = session.request(request.method, target, headers=headers, data=data, auth=_as_it_is)
    try:
        text = response.content.decode(response.encoding or "utf-8", errors="replace")
    except LookupError:  # a character set that nobody knows
        text = response.content.decode(errors="replace")
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, text)


def _as_it_is(request: requests.PreparedRequest) -> Any:
    # Without it `requests` would take credentials from ~/.netrc, and put them in the place of the token.
    return request


def _is_here(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
