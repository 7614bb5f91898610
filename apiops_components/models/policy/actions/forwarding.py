"""Actions that pass a request on, or make one: forward-internal, http-request, url-rewrite."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import InitErrorDetails

from apiops_components.errors import Problem
from apiops_components.models.base import Model, fault, raise_faults
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.actions.responses import never_matches
from apiops_components.models.policy.fields import (
    AnyDuration,
    Between,
    Bounds,
    Evaluated,
    Headers,
    Integer,
    Marked,
    Pattern,
    Template,
    Url,
)

__all__ = ["ForwardInternal", "HttpRequest", "QueryParam", "UrlRewrite"]

_INTERNAL = re.compile(r"(https?|tcp|tls)://([^/?#\s:]+)(:\d+)?/?")


_MOST_LABELS = 5
"""Before ``.internal``."""


def _internal(text: str) -> str:
    match = _INTERNAL.fullmatch(text)
    if "${" not in text and (match is None or not match[2].lower().endswith(".internal")):
        message = f"{text!r} is not the address of an internal endpoint (ERR_NGROK_2226)"
        raise_faults([fault("policy/internal-url", message, "scheme and a host below .internal: https://api.internal")])
    if match is not None and "${" not in text and match[2].count(".") > _MOST_LABELS:
        message = f"no endpoint has more than {_MOST_LABELS} labels before .internal (ERR_NGROK_9031), got {text!r}"
        raise_faults([fault("policy/internal-url", message, "such as https://api.internal")])
    return text


class ForwardInternal(Action):
    """Hands the request, or the connection, to an internal endpoint of the same account."""

    type: ClassVar[str] = "forward-internal"
    phases: ClassVar[frozenset[str]] = frozenset({"on_tcp_connect", "on_http_request"})
    result: ClassVar[str] = "forward_internal"
    terminating: ClassVar[bool] = True

    url: Annotated[str, AfterValidator(_internal), Evaluated("template"), Marked({"format": "internal-url"})]
    """``scheme://name.internal``, with a port if need be; the scheme is the endpoint's own. ``${…}`` is evaluated."""
    on_error: Literal["halt", "continue"] | None = None
    """continue runs the next action where the endpoint cannot be reached; halt by default."""
    binding: Literal["internal"] | None = None
    """Undocumented; some of ngrok's examples carry it. Leave it out."""

    @property
    def ends(self) -> bool:  # noqa: D102
        return self.on_error != "continue"

    def warnings(self) -> Iterator[Problem]:  # noqa: D102
        if self.binding is not None:
            yield Problem("binding is not documented by ngrok", "binding", "policy/undocumented", "leave it out")

    def faults_in(self, phase: str) -> Iterator[InitErrorDetails]:  # noqa: D102
        scheme = self.url.partition("://")[0]
        if phase == "on_http_request" and scheme in ("tcp", "tls"):
            message = f"{phase} cannot forward to a {scheme} endpoint"
            yield fault("policy/forward-scheme", message, "an http:// or https:// endpoint", ["url"])


class QueryParam(Model):
    """One parameter of a query."""

    key: Annotated[str, Field(min_length=1, max_length=128), Evaluated("template")]
    """At most 128 characters; ``${…}`` is evaluated."""
    value: Annotated[str, Field(max_length=8192), Evaluated("template")]
    """At most 8192 characters; ``${…}`` is evaluated."""


class HttpRequest(Action):
    """Makes a request, whose answer (at most 256 KB) later expressions see in ``actions.ngrok.http_request``."""

    type: ClassVar[str] = "http-request"
    phases: ClassVar[frozenset[str]] = frozenset({"on_http_request", "on_http_response"})
    result: ClassVar[str] = "http_request"

    url: Url
    """An internal endpoint: ``https://name.internal/path``. Others only where ngrok's support allowed it."""
    method: Literal["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"] | None = None
    """GET by default; there is no HEAD."""
    query_params: tuple[QueryParam, ...] | None = Field(default=None, max_length=32)
    """Added to the URL, at most 32."""
    headers: Headers | None = None
    """At most 10; values may hold ``${…}``."""
    body: Annotated[str, Evaluated("template")] | None = None
    """``${…}`` is evaluated."""
    max_redirects: Annotated[Integer, Bounds(0, 100)] | None = None
    """0 to 100. ngrok's page says 0 (0 to 5) in one place and 10 (0 to 100) in another: state it, and stay below 6."""
    timeout: Annotated[AnyDuration, Between("1s", "30s")] | None = None
    """For all attempts together, 1s to 30s; 3s by default."""
    retry_condition: Annotated[str, Field(min_length=1), Evaluated("retry")] | None = None
    """Bare CEL, true where to try again, at most 3 times; false by default. It sees ``attempts`` (a number) and
    ``last_attempt.req``, ``.res`` and ``.error``: ``attempts < 3 && last_attempt.res.status_code >= 500``."""
    on_error: Literal["continue", "halt"] | None = None
    """continue by default, unlike in forward-internal."""


class UrlRewrite(Action):
    """Changes the URL before the request goes on; the client does not see it."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    type: ClassVar[str] = "url-rewrite"
    phases: ClassVar[frozenset[str]] = frozenset({"on_http_request"})
    result: ClassVar[str] = "url_rewrite"

    from_: Pattern | None = Field(default=None, alias="from")
    """Regular expression (RE2) that is looked for in the whole URL, scheme included; all of the URL by default."""
    to: Template
    """What is put in place of the match: ``$1`` is the first group, ``${…}`` is evaluated before."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from never_matches(self.from_)
