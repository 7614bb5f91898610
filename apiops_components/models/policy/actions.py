"""The actions: one class each, its fields those of ngrok's ``config``.

Ranges and enums are ngrok's (facts: ngrok §1). A field that is None is left out of the document, and ngrok's default
holds; each docstring names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import (
    Bool,
    Duration,
    HeaderName,
    Integer,
    Model,
    duration_seconds,
    fault,
    raise_faults,
)
from apiops_components.models.policy.action import Action, Text

__all__ = ["ACTIONS", "AddHeaders", "CustomResponse", "Deny", "JwtValidation", "RateLimit", "RemoveHeaders"]

_REQUEST = frozenset({"on_http_request"})
_HTTP = frozenset({"on_http_request", "on_http_response"})

StatusCode = Annotated[Integer, Field(ge=100, le=599)]
"""HTTP status."""


def _settable(name: str) -> str:
    if name.lower() == "user-agent":
        raise_faults([fault("policy/header", "user-agent cannot be changed (ERR_NGROK_2219)", "leave it out")])
    return name


_SettableHeader = Annotated[HeaderName, AfterValidator(_settable)]


_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _header_value(value: str) -> str:
    if _CONTROL.search(value):
        message = f"{value!r} holds a control character (ERR_NGROK_2211)"
        raise_faults([fault("policy/header", message, "a line break would start another header")])
    return value


_HeaderValue = Annotated[str, AfterValidator(_header_value)]


def _once(names: Iterable[str], place: Callable[[int, str], str | int]) -> Iterator[InitErrorDetails]:
    """Headers are told apart in lower case."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name.lower() in seen:
            message = f"header {name!r} is there twice (ERR_NGROK_2231)"
            yield fault("policy/duplicate", message, "keep one of them", ["headers", place(index, name)])
        seen.add(name.lower())


# --- jwt-validation ------------------------------------------------------------------------------------------------


class Allowed(Model):
    """One value of an allow list."""

    value: Annotated[str, Field(min_length=1)]
    """Compared exactly, trailing slash included; ``${…}`` is evaluated in an issuer."""


class AllowList(Model):
    """The values that are accepted."""

    allow_list: tuple[Allowed, ...] = Field(min_length=1)
    """At least one."""


class Token(Model):
    """Where a token is found in the request."""

    type: Literal["id_token", "access_token", "at+jwt", "it+jwt", "plain", "jwt"]
    """What it is expected to be."""
    method: Literal["header", "body"]
    """A header, or a field of the body (POST, PUT and PATCH only). There is no query."""
    name: Annotated[str, Field(min_length=1)]
    """Name of the header or field, in any case."""
    prefix: str | None = None
    """What stands before the token, trailing space included: ``"Bearer "``."""


class TokenSources(Model):
    """The tokens that must be there."""

    tokens: tuple[Token, ...] = Field(min_length=1)
    """All of them must be present in the request."""


class KeySources(Model):
    """Where keys are fetched."""

    additional_jkus: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    """``https://`` addresses of JSON Web Key Sets; ngrok keeps them for about 15 minutes."""


class KeyIdentification(Model):
    """How the key of a token is found."""

    token_claims: tuple[Literal["kid"], ...] = Field(min_length=1)
    """``kid``, the only claim there is."""


class Keys(Model):
    """The keys that signatures are checked with."""

    sources: KeySources
    """A mapping, though ngrok's table says list; its examples are mappings."""
    identification: KeyIdentification | None = None
    """By ``kid`` by default."""


class Jws(Model):
    """Signatures."""

    allowed_algorithms: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    """Such as RS256 or ES256; ``none`` is refused."""
    keys: Keys
    """The keys that signatures are checked with."""


class JwtValidation(Action):
    """Lets a request through only with a valid JSON Web Token; 10 units a request.

    `JwtValidation.bearer` is the short way to the usual case.
    """

    type: ClassVar[str] = "jwt-validation"
    phases: ClassVar[frozenset[str]] = _REQUEST
    protecting: ClassVar[bool] = True

    issuer: AllowList
    """Accepted values of ``iss``."""
    audience: AllowList | None = None
    """Accepted values of ``aud``; not checked by default."""
    http: TokenSources
    """Where the tokens are."""
    jws: Jws
    """How they are signed."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        for index, name in enumerate(self.jws.allowed_algorithms):
            if name.lower() == "none":
                yield fault(
                    "policy/jwt-algorithm",
                    "'none' accepts unsigned tokens",
                    "name a real one: RS256",
                    ("jws", "allowed_algorithms", index),
                )
        for index, address in enumerate(self.jws.keys.sources.additional_jkus):
            if not address.startswith(("https://", "${")):
                yield fault(
                    "policy/jwt-keys",
                    f"{address!r} is not an https:// address",
                    "keys fetched in clear can be replaced on the way",
                    ["jws", "keys", "sources", "additional_jkus", index],
                )

    def texts(self) -> Iterator[Text]:  # noqa: D102
        for index, item in enumerate(self.issuer.allow_list):
            yield ("issuer", "allow_list", index, "value"), item.value, "template"
        for index, token in enumerate(self.http.tokens):
            yield ("http", "tokens", index, "name"), token.name, "template"
            if token.prefix is not None:
                yield ("http", "tokens", index, "prefix"), token.prefix, "template"
        for index, address in enumerate(self.jws.keys.sources.additional_jkus):
            yield ("jws", "keys", "sources", "additional_jkus", index), address, "template"

    @classmethod
    def bearer(
        cls,
        *,
        issuer: str,
        jwks: str,
        audience: str | None = None,
        algorithms: tuple[str, ...] = ("RS256",),
        header: str = "Authorization",
        prefix: str = "Bearer ",
    ) -> JwtValidation:
        """A token in ``Authorization: Bearer …``, signed with a key of ``jwks``."""
        return cls(
            issuer=AllowList(allow_list=(Allowed(value=issuer),)),
            audience=AllowList(allow_list=(Allowed(value=audience),)) if audience is not None else None,
            http=TokenSources(tokens=(Token(type="jwt", method="header", name=header, prefix=prefix),)),
            jws=Jws(allowed_algorithms=algorithms, keys=Keys(sources=KeySources(additional_jkus=(jwks,)))),
        )


# --- rate-limit ----------------------------------------------------------------------------------------------------


def _rate(text: str) -> str:
    seconds = duration_seconds(text)
    if not 60 <= seconds <= 86_400 or seconds % 10:  # noqa: PLR2004  (ngrok's limits)
        raise_faults(
            [fault("policy/rate", f"{text!r} is not a multiple of 10s from 60s to 24h (ERR_NGROK_2225)", "such as 60s")]
        )
    return text


class RateLimit(Action):
    """Answers 429 with ``retry-after`` once a bucket is full; counted by each ngrok server for itself."""

    type: ClassVar[str] = "rate-limit"
    phases: ClassVar[frozenset[str]] = _REQUEST
    vendor_required: ClassVar[frozenset[str]] = frozenset({"algorithm"})

    name: Annotated[str, Field(min_length=1, max_length=1023)]
    """Shown in ngrok's events."""
    algorithm: Literal["sliding_window"] = "sliding_window"
    """The only one there is."""
    capacity: Annotated[Integer, Field(ge=1, le=2_000_000_000)]
    """Requests that a bucket takes in each period."""
    rate: Annotated[Duration, AfterValidator(_rate)]
    """Length of the period: 60s to 24h, a multiple of 10s."""
    bucket_key: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1, max_length=10)
    """Expressions (bare, without ``${}``) whose values name the bucket; 1 to 10: ``conn.client_ip``."""
    enforce: Bool | None = None
    """False counts without refusing; true by default."""

    def texts(self) -> Iterator[Text]:  # noqa: D102
        for index, expression in enumerate(self.bucket_key):
            yield ("bucket_key", index), expression, "expression"

    def per_minute(self) -> float:
        """The limit as requests a minute."""
        return self.capacity * 60 / duration_seconds(self.rate)


# --- responses -----------------------------------------------------------------------------------------------------


class CustomResponse(Action):
    """Answers in place of the backend, or changes the backend's answer."""

    type: ClassVar[str] = "custom-response"
    phases: ClassVar[frozenset[str]] = _HTTP
    terminating: ClassVar[bool] = True

    status_code: StatusCode | None = None
    """200 by default."""
    body: str | None = None
    """``${…}`` is evaluated."""
    headers: Mapping[HeaderName, _HeaderValue] | None = Field(default=None, max_length=10)
    """At most 10; values may hold ``${…}``. Without content-type ngrok infers one."""

    renamed: ClassVar[Mapping[str, str]] = {"content": "body"}

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from _once(self.headers or (), lambda _, name: name)

    def texts(self) -> Iterator[Text]:  # noqa: D102
        if self.body is not None:
            yield ("body",), self.body, "template"
        for name, value in (self.headers or {}).items():
            yield ("headers", name), value, "template"


class Deny(Action):
    """Refuses the request."""

    type: ClassVar[str] = "deny"
    phases: ClassVar[frozenset[str]] = frozenset({"on_tcp_connect", "on_http_request"})
    terminating: ClassVar[bool] = True
    protecting: ClassVar[bool] = True

    status_code: StatusCode | None = None
    """403 by default; in on_http_request only."""

    def faults_in(self, phase: str) -> Iterator[InitErrorDetails]:  # noqa: D102
        if phase == "on_tcp_connect" and self.status_code is not None:
            message = "a connection is closed without a status: status_code belongs in on_http_request"
            yield fault("policy/deny-status", message, "leave it out", ["status_code"])


# --- headers -------------------------------------------------------------------------------------------------------


class AddHeaders(Action):
    """Adds headers to the request or the response; ``host`` is replaced."""

    type: ClassVar[str] = "add-headers"
    phases: ClassVar[frozenset[str]] = _HTTP

    headers: Mapping[_SettableHeader, _HeaderValue] = Field(min_length=1, max_length=10)
    """1 to 10; values may hold ``${…}``. ngrok lower-cases the names."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from _once(self.headers, lambda _, name: name)

    def texts(self) -> Iterator[Text]:  # noqa: D102
        for name, value in self.headers.items():
            yield ("headers", name), value, "template"


class RemoveHeaders(Action):
    """Removes headers from the request or the response."""

    type: ClassVar[str] = "remove-headers"
    phases: ClassVar[frozenset[str]] = _HTTP

    headers: tuple[_SettableHeader, ...] = Field(min_length=1, max_length=10)
    """1 to 10 names."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from _once(self.headers, lambda index, _: index)


ACTIONS: Mapping[str, type[Action]] = {
    cls.type: cls for cls in (AddHeaders, CustomResponse, Deny, JwtValidation, RateLimit, RemoveHeaders)
}
"""Every action by ngrok's name."""
