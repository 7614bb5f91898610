"""Types of actions' fields: each states its limit once, with ngrok's error code, and marks it in the JSON Schema."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    JsonValue,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from apiops_components.models.base import (
    FIELD_NAME,
    Bool,
    Duration,
    Integer,
    duration_seconds,
    fault,
    matching,
    raise_faults,
)
from apiops_components.models.policy.cel import is_pattern
from apiops_components.models.policy.terms import text_of

__all__ = [
    "AnyDuration",
    "AnyHeader",
    "Between",
    "Bool",
    "Bounds",
    "CookieDomain",
    "Evaluated",
    "Expression",
    "HeaderValue",
    "Headers",
    "Integer",
    "Json",
    "Marked",
    "NonEmpty",
    "Number",
    "Pattern",
    "Range",
    "SettableHeader",
    "SettableHeaders",
    "SettableNames",
    "StatusCode",
    "Template",
    "Url",
]


@dataclass(frozen=True, slots=True)
class Marked:
    """Adds keywords to the JSON Schema of a type, for what JSON Schema itself cannot say."""

    keywords: Mapping[str, Any] = field(hash=False)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), **self.keywords}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Marks text that ngrok evaluates; in a mapping or a list, every string among the values."""

    how: Literal["template", "expression", "retry"]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "x-cel": self.how}


@dataclass(frozen=True, slots=True)
class Between:
    """Bounds of a duration, both included, and what it is a multiple of."""

    low: str
    high: str
    step: str = ""
    code: str = "policy/duration"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        bounds = {"x-minimum": self.low, "x-maximum": self.high}
        return {**handler(schema), **bounds, **({"x-multiple-of": self.step} if self.step else {})}

    def _check(self, text: str) -> str:
        seconds = duration_seconds(text)
        multiple = f"a multiple of {self.step} " if self.step else ""
        inside = duration_seconds(self.low) <= seconds <= duration_seconds(self.high)
        if not inside or (self.step and seconds % duration_seconds(self.step)):
            message = f"{text!r} is not {multiple}from {self.low} to {self.high} (ERR_NGROK_2225)"
            raise_faults([fault(self.code, message, f"such as {self.low}")])
        return text


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a number, both included."""

    low: float
    high: float

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "minimum": self.low, "maximum": self.high}

    def _check(self, number: float) -> float:
        if number < self.low:
            raise PydanticKnownError("greater_than_equal", {"ge": self.low})
        if number > self.high:
            raise PydanticKnownError("less_than_equal", {"le": self.high})
        return number


AnyDuration = Annotated[Duration, Marked({"format": "duration"})]
"""A Go duration: ``90s``, ``10m``, ``1h30m``."""

NonEmpty = Annotated[str, Field(min_length=1)]
"""A string with at least one character; ngrok does not evaluate it."""

Template = Annotated[str, Field(min_length=1), Evaluated("template")]
"""Text in which ngrok evaluates each ``${…}``."""

Expression = Annotated[str, Field(min_length=1), BeforeValidator(text_of), Evaluated("expression")]
"""Bare CEL, without ``${}``; a term of `expression` is taken too."""

Json = Annotated[JsonValue, Evaluated("template")]
"""Any value of a document; in every string of it ``${…}`` is evaluated."""

StatusCode = Annotated[Integer, Bounds(100, 599)]
"""HTTP status."""


def _number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise_faults([fault("schema/number", f"must be a number, got {value!r}")])
    return value


Number = Annotated[float, BeforeValidator(_number)]
"""A number; ``"0.5"`` and ``true`` are none."""


def _url(text: str) -> str:
    if "${" not in text and not re.fullmatch(r"https?://[^\s/?#]+([/?#]\S*)?", text):
        message = f"{text!r} is not a URL (ERR_NGROK_2226)"
        raise_faults([fault("policy/url", message, "write it whole: https://id.example.com/path")])
    return text


Url = Annotated[str, AfterValidator(_url), Evaluated("template"), Marked({"format": "url"})]
"""A whole ``http://`` or ``https://`` address; ``${…}`` is evaluated."""


def _pattern(text: str) -> str:
    if "${" not in text and not is_pattern(text):
        message = f"{text!r} is not a regular expression (ERR_NGROK_2261)"
        raise_faults([fault("policy/pattern", message, "RE2 syntax: no look-around, no back-references")])
    return text


Pattern = Annotated[
    str, Field(min_length=1), AfterValidator(_pattern), Evaluated("template"), Marked({"format": "re2"})
]
"""A regular expression in RE2 syntax; ``${…}`` is evaluated first."""


def _range(text: str) -> str:
    if "${" in text:
        return text
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        network = None
    if network is None or "/" not in text:
        hint = f"write {network}" if network is not None else "such as 203.0.113.0/24"
        raise_faults([fault("policy/cidr", f"{text!r} is not an address range with a mask (ERR_NGROK_2217)", hint)])
    return text


Range = Annotated[str, AfterValidator(_range), Evaluated("template"), Marked({"format": "cidr"})]
"""An IPv4 or IPv6 range; the mask is needed, also for one address. ``${…}`` is evaluated."""


def _domain(text: str) -> str:
    labels = text.removeprefix(".").split(".")
    if len(text) > 253 or not all(  # noqa: PLR2004  (a DNS name)
        re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?", part) for part in labels
    ):
        raise_faults(
            [fault("policy/cookie-domain", f"{text!r} is not a domain (ERR_NGROK_2243)", "such as example.com")]
        )
    return text


CookieDomain = Annotated[str, AfterValidator(_domain), Marked({"format": "domain"})]
"""Domain of a cookie."""


# --- headers ---------------------------------------------------------------------------------------------------------

_NAME = matching(FIELD_NAME, 256, "http/header-name", "an HTTP header name (RFC 9110 token; ERR_NGROK_2210)")

AnyHeader = Annotated[str, _NAME, Marked({"format": "http-header-name"})]
"""An HTTP field name."""


def _settable(name: str) -> str:
    if name.lower() == "user-agent":
        raise_faults([fault("policy/header", "user-agent cannot be changed (ERR_NGROK_2219)", "leave it out")])
    return name


SettableHeader = Annotated[str, _NAME, AfterValidator(_settable), Marked({"format": "settable-header-name"})]
"""An HTTP field name other than user-agent."""


def _addable(name: str) -> str:
    if name.lower() == "ngrok-skip-browser-warning":
        message = f"{name} may not be added: only a client may send it (ERR_NGROK_2219)"
        raise_faults([fault("policy/header", message, "leave it out")])
    return name


AddableHeader = Annotated[SettableHeader, AfterValidator(_addable), Marked({"format": "addable-header-name"})]
"""An HTTP field name other than user-agent and ngrok-skip-browser-warning."""

_TEMPLATES = re.compile(r"\$\{.*?\}", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _header_value(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        hint = f'write "{str(value).lower()}"' if isinstance(value, bool | float) else ""
        raise_faults([fault("schema/string-type", f"a header's value is a string, got {value!r}", hint)])
    if isinstance(value, str) and _CONTROL.search(_TEMPLATES.sub("", value)):
        message = f"{value!r} holds a line break or another control character (ERR_NGROK_2211)"
        raise_faults([fault("policy/header", message, "in YAML, | and > end in a line break; write |- or >-")])
    return value


HeaderValue = Annotated[
    str | int, PlainValidator(_header_value), WithJsonSchema({"type": ["string", "integer"], "format": "header-value"})
]
"""A string without control characters; ngrok's examples also give whole numbers."""


Names = TypeVar("Names", bound=Mapping[str, Any] | tuple[str, ...])


def _once(headers: Names) -> Names:
    seen: set[str] = set()
    for index, name in enumerate(headers):
        if name.lower() in seen:
            message = f"header {name!r} is there twice: names are the same in any case (ERR_NGROK_2231)"
            place = name if isinstance(headers, Mapping) else index
            raise_faults([fault("policy/duplicate", message, "keep one of them", [place])])
        seen.add(name.lower())
    return headers


Headers = Annotated[Mapping[AnyHeader, HeaderValue], Field(max_length=10), AfterValidator(_once), Evaluated("template")]
"""At most 10 headers; ``${…}`` is evaluated in the values."""

SettableHeaders = Annotated[
    Mapping[AddableHeader, HeaderValue],
    Field(min_length=1, max_length=10),
    AfterValidator(_once),
    Evaluated("template"),
]
"""1 to 10 headers, not user-agent nor ngrok-skip-browser-warning; ``${…}`` is evaluated in the values."""

SettableNames = Annotated[tuple[SettableHeader, ...], Field(min_length=1, max_length=10), AfterValidator(_once)]
"""1 to 10 names of headers, user-agent not among them."""
