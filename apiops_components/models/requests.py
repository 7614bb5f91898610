"""Requests with their expected answers: what smoke tests send, in a form that tests of policies can share.

::

    url: https://staging.example.com
    identities:
      user: {username: smoke-user, scopes: [read_api]}
      admin: {username: smoke-admin, scopes: [read_api]}
      nobody: {}
    tests:
      - name: orders are listed for whoever is logged in
        as: [user, admin]
        request: {url: /v1/orders, headers: {Authorization: "Bearer ${token}"}}
        expect: {status: 200, body: {json: {items: []}}}
      - name: deleting is an administrator's
        request: {method: DELETE, url: /v1/orders/1, headers: {Authorization: "Bearer ${token}"}}
        expect: {status: 403}
        expect_as: {admin: {status: 204}, nobody: {status: 401}}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import (
    CheckedModel,
    DnsLabel,
    HeaderName,
    Integer,
    Text,
    fault,
    raise_faults,
)
from apiops_components.models.gitlab import Scopes, repeated_scopes

__all__ = [
    "TOKEN",
    "Answer",
    "BodyExpectation",
    "Expectation",
    "Identity",
    "RequestSpec",
    "RequestTest",
    "SmokeTests",
]

TOKEN = "${token}"  # noqa: S105  (a place)
"""Where a header takes the token of whoever sends the request."""


def _one_or_more(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


def _base(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", url):
        hint = "such as https://staging.example.com"
        raise_faults([fault("request/base-url", f"{url!r} is not the address of a service", hint)])
    return url.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base)]
"""Scheme, host, perhaps a path; no credentials, no query."""


def _target(url: str) -> str:
    if not re.fullmatch(r"(https?://[^\s/@?#]+)?(/\S*)?", url, re.ASCII) or not url:
        hint = "such as /v1/orders?limit=1, or a whole address"
        raise_faults([fault("request/url", f"{url!r} is neither a path nor an address", hint)])
    if TOKEN in url:
        raise_faults([fault("request/token-in-url", "addresses are logged everywhere", f"put {TOKEN} into a header")])
    return url


def _header(value: str) -> str:
    if not value.isprintable():
        raise_faults([fault("request/header-value", "a header holds no control characters")])
    return value


class RequestSpec(CheckedModel):
    """A request."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    """HTTP method."""
    url: Annotated[str, AfterValidator(_target)]
    """A path with its query, which is put behind the tests' ``url``; or a whole address."""
    headers: Mapping[HeaderName, Annotated[str, AfterValidator(_header)]] = Field(default_factory=dict)
    """Headers. ``${token}`` in a value is the sender's token; a header with it is left out for who has none."""
    body: str | Mapping[str, Any] | tuple[Any, ...] | None = None
    """Text, sent as it is; or a mapping or list, sent as JSON."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        names = [name.lower() for name in self.headers]
        for position, name in enumerate(self.headers):
            if name.lower() in names[:position]:
                yield fault("request/header-repeated", "this header is there in another case", "", ["headers", name])
        if self.body is not None and TOKEN in json.dumps(self.body, default=str):
            message = "a token belongs in a header, which no service logs"
            yield fault("request/token-in-body", message, f"put {TOKEN} into a header", ["body"])


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: HTTP status.
        headers: By name in lower case; several of one name joined by ``, ``.
        body: As text.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


class BodyExpectation(CheckedModel):
    """What a body holds; all that is given must hold."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    contains: Annotated[tuple[Text, ...], BeforeValidator(_one_or_more)] = ()
    """Texts that are in it; one or a list."""
    lacks: Annotated[tuple[Text, ...], BeforeValidator(_one_or_more)] = ()
    """Texts that are not in it; one or a list."""
    equals: str | None = None
    """The whole text."""
    json_: Any = Field(default=None, alias="json")
    """The body is JSON that has these keys with these values, and may have more; a list is compared in full."""

    def unmet(self, body: str) -> Iterator[str]:
        """What does not hold."""
        yield from (f"body: lacks {_short(text)}" for text in self.contains if text not in body)
        yield from (f"body: holds {_short(text)}" for text in self.lacks if text in body)
        if self.equals is not None and body != self.equals:
            yield f"body: {_short(body)}, expected {_short(self.equals)}"
        if "json_" in self.model_fields_set:
            try:
                found = json.loads(body)
            except ValueError:
                yield f"body: not JSON: {_short(body)}"
            else:
                yield from _different(found, self.json_, "body")


class Expectation(CheckedModel):
    """What an answer must be; all that is given must hold."""

    status: Annotated[
        tuple[Annotated[Integer, Field(ge=100, le=599)], ...], BeforeValidator(_one_or_more), Field(min_length=1)
    ]
    """HTTP status; a list where several will do."""
    headers: Mapping[HeaderName, str | None] = Field(default_factory=dict)
    """Headers with their whole value, names in any case; null for one that must not be there."""
    body: BodyExpectation = BodyExpectation()
    """What the body holds."""

    def unmet(self, answer: Answer) -> list[str]:
        """What does not hold, one sentence each."""
        found = []
        if answer.status not in self.status:
            found.append(f"status: {answer.status}, expected {' or '.join(map(str, self.status))}")
        for name, expected in self.headers.items():
            actual = answer.headers.get(name.lower())
            if actual != expected:
                seen, wanted = ("none" if value is None else _short(value) for value in (actual, expected))
                found.append(f"header {name}: {seen}, expected {wanted}")
        return [*found, *self.body.unmet(answer.body)]


class Identity(CheckedModel):
    """Who sends requests."""

    username: Text | None = None
    """A GitLab user, for whom a token is made and revoked in the end; nobody, with no token, where it is absent."""
    scopes: Scopes = ("read_api",)
    """What the token may do."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from self.told(lambda: repeated_scopes(self.scopes))


class RequestTest(CheckedModel):
    """A request and its expected answer."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    name: Text
    """What it shows."""
    request: RequestSpec
    """What is sent."""
    expect: Expectation
    """What must come back."""
    as_: tuple[DnsLabel, ...] | None = Field(default=None, alias="as")
    """Who sends it; all identities by default."""
    expect_as: Mapping[DnsLabel, Expectation] = Field(default_factory=dict)
    """What must come back to some of them instead."""

    def expected(self, identity: str) -> Expectation:
        """What must come back to one of them."""
        return self.expect_as.get(identity, self.expect)

    def sent_by(self, identity: str) -> bool:
        """Whether this one sends it."""
        return self.as_ is None or identity in self.as_


class SmokeTests(CheckedModel):
    """A file of tests for one service."""

    url: BaseUrl | None = None
    """Address of the service; `apiopsctl smoke --url` says another."""
    identities: Mapping[DnsLabel, Identity] = Field(min_length=1)
    """Who sends the requests, by name."""
    tests: tuple[RequestTest, ...] = Field(min_length=1)
    """The tests, in order."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from self.told(self._identity_faults, self._name_faults, self._token_faults)

    def _identity_faults(self) -> Iterator[InitErrorDetails]:
        known = f"there are {', '.join(self.identities)}"
        for index, test in enumerate(self.tests):
            places: list[tuple[str, tuple[str | int, ...]]] = [
                (name, ("as", position)) for position, name in enumerate(test.as_ or ())
            ]
            places += [(name, ("expect_as", name)) for name in test.expect_as]
            for name, place in places:
                if name not in self.identities:
                    message = f"no identity is called {name!r}; {known}"
                    yield fault("request/identity", message, "", ["tests", index, *place])
                elif place[0] == "expect_as" and not test.sent_by(name):
                    yield fault("request/identity", f"{name!r} does not send it", "", ["tests", index, *place])

    def _name_faults(self) -> Iterator[InitErrorDetails]:
        names = [test.name for test in self.tests]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield fault("request/name", f"two tests are called {name!r}", "", ["tests", index, "name"])

    def _token_faults(self) -> Iterator[InitErrorDetails]:
        for index, test in enumerate(self.tests):
            for name, value in test.request.headers.items():
                if TOKEN in value and not test.request.url.startswith("/"):
                    message = "a token goes to the tested service alone"
                    place = ("tests", index, "request", "headers", name)
                    yield fault("request/token-elsewhere", message, "write a path, beginning with /", place)


def _different(found: Any, expected: Any, path: str) -> Iterator[str]:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key, value in expected.items():
            if key in found:
                yield from _different(found[key], value, f"{path}.{key}")
            else:
                yield f"{path}.{key}: missing, expected {_short(value)}"
    elif isinstance(expected, list | tuple) and isinstance(found, list) and len(found) == len(expected):
        for index, (item, value) in enumerate(zip(found, expected, strict=True)):
            yield from _different(item, value, f"{path}[{index}]")
    elif found != expected or isinstance(found, bool) != isinstance(expected, bool):
        yield f"{path}: {_short(found)}, expected {_short(expected)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004  (what fits on a line)
