"""Actions on bodies: find and replace in requests, responses and event streams; compress-response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import Model, fault, raise_faults
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.fields import Evaluated, Marked, Pattern

__all__ = [
    "CompressResponse",
    "EventReplacement",
    "Replacement",
    "RequestBodyFindReplace",
    "ResponseBodyFindReplace",
    "SseFindReplace",
]


class Replacement(Model):
    """What is found, and what is put in its place."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    from_: Pattern = Field(alias="from")
    """Regular expression (RE2); ``${…}`` is evaluated first."""
    to: Annotated[str, Evaluated("template")] | None = None
    """``$1`` is the first group, ``${…}`` is evaluated; nothing by default, which deletes what was found."""


def _field(name: str) -> str:
    if name not in ("data", "retry") and "${" not in name:
        message = f"'data' or 'retry' is expected, got {name!r} (ERR_NGROK_2222)"
        raise_faults([fault("policy/event-field", message, "the other fields of an event are not changed")])
    return name


class EventReplacement(Replacement):
    """What is found in a field of an event, and what is put in its place."""

    field: Annotated[str, AfterValidator(_field), Evaluated("template"), Marked({"format": "event-field"})] | None = (
        None
    )
    """The event's field, data or retry, or ``${…}`` that gives one; data by default."""


class RequestBodyFindReplace(Action):
    """Changes the body of the request."""

    type: ClassVar[str] = "request-body-find-replace"
    phases: ClassVar[frozenset[str]] = frozenset({"on_http_request"})
    result: ClassVar[str] = "request_body_find_replace"

    replacements: tuple[Replacement, ...] = Field(min_length=1)
    """Made in order, each everywhere it matches; at least one."""


class ResponseBodyFindReplace(Action):
    """Changes the body of the response."""

    type: ClassVar[str] = "response-body-find-replace"
    phases: ClassVar[frozenset[str]] = frozenset({"on_http_response"})
    result: ClassVar[str] = "response_body_find_replace"

    replacements: tuple[Replacement, ...] = Field(min_length=1)
    """Made in order, each everywhere it matches; at least one."""


class SseFindReplace(Action):
    """Changes the messages of an event stream (server-sent events).

    ngrok's operator refuses its phase in a policy that an annotation names, and drops it in one that a route names.
    """

    type: ClassVar[str] = "sse-find-replace"
    phases: ClassVar[frozenset[str]] = frozenset({"on_event_stream_message"})
    result: ClassVar[str] = "sse_find_replace"

    replacements: tuple[EventReplacement, ...] = Field(min_length=1)
    """Made in order, each everywhere it matches; at least one."""


class CompressResponse(Action):
    """Compresses the response as the client accepts it. Its results are ``actions.ngrok.compress.*``."""

    type: ClassVar[str] = "compress-response"
    phases: ClassVar[frozenset[str]] = frozenset({"on_http_response"})
    result: ClassVar[str] = "compress"

    algorithms: tuple[Literal["br", "compress", "deflate", "gzip"], ...] | None = None
    """Each once; gzip, deflate, br and compress by default."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        names = self.algorithms or ()
        for index, name in enumerate(names):
            if name in names[:index]:
                message = f"{name} is there twice (ERR_NGROK_2231)"
                yield fault("policy/algorithm-repeated", message, "keep one", ["algorithms", index])
