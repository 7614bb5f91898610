"""Actions that look for harm: restrict-ips, terminate-tls, owasp-crs-request, owasp-crs-response."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.errors import Problem
from apiops_components.models.base import fault
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.fields import Bool, Bounds, Integer, Range, Template

__all__ = ["OwaspCrsRequest", "OwaspCrsResponse", "RestrictIps", "TerminateTls"]


class RestrictIps(Action):
    """Lets only some addresses through: 403 for the others, or a closed connection in on_tcp_connect.

    It looks at the address of the connection alone, not at ``X-Forwarded-For``. deny wins over allow.
    """

    type: ClassVar[str] = "restrict-ips"
    phases: ClassVar[frozenset[str]] = frozenset({"on_tcp_connect", "on_http_request", "on_http_response"})
    result: ClassVar[str] = "restrict_ips"
    protecting: ClassVar[bool] = True

    enforce: Bool | None = None
    """False only records what it would do; true by default. ngrok's table calls it required, its examples omit it."""
    allow: tuple[Range, ...] | None = None
    """Ranges, with a mask also for one address: ``203.0.113.7/32``. IPv6 too."""
    deny: tuple[Range, ...] | None = None
    """Ranges that are refused, whatever ``allow`` says."""
    ip_policies: tuple[Annotated[str, Field(pattern="^ipp_[A-Za-z0-9]+$")], ...] | None = None
    """Ids of the account's IP policies, ``ipp_…`` (ERR_NGROK_2216). Names of the operator's IPPolicy objects are not
    resolved here."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if not (self.allow or self.deny or self.ip_policies):
            message = "no range and no policy: there is nothing to restrict (ERR_NGROK_2234)"
            yield fault("policy/restrict-nothing", message, "give allow, deny or ip_policies")

    def warnings(self) -> Iterator[Problem]:  # noqa: D102
        for name, found in (("allow", self.allow), ("deny", self.deny)):
            for index, text in enumerate(found or ()):
                if "${" not in text and str(network := ipaddress.ip_network(text, strict=False)) != text.lower():
                    message = f"{text!r} means {network}"
                    yield Problem(message, f"{name}[{index}]", "policy/cidr-host-bits", "write what it means")


class TerminateTls(Action):
    """Settings of TLS at ngrok's edge; 100 units a connection. For ``https://`` and ``tls://`` endpoints."""

    type: ClassVar[str] = "terminate-tls"
    phases: ClassVar[frozenset[str]] = frozenset({"on_tcp_connect"})
    result: ClassVar[str] = "terminate_tls"

    min_version: Literal["1.2", "1.3"] | None = None
    """A string: quote it in YAML. 1.2 by default."""
    max_version: Literal["1.2", "1.3"] | None = None
    """A string: quote it in YAML. 1.3 by default."""
    server_private_key: Template | None = None
    """In PEM; goes with ``server_certificate``: ``${secrets.get('vault', 'name')}``."""
    server_certificate: Template | None = None
    """In PEM; ngrok's own by default."""
    mutual_tls_certificate_authorities: tuple[Template, ...] | None = None
    """Whose certificates clients must show: each in PEM, or the id ``ca_…`` of one of the account. A list."""
    mutual_tls_verification_strategy: Literal["require-and-verify", "require-any", "request"] | None = None
    """require-and-verify by default."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if (self.server_private_key is None) != (self.server_certificate is None):
            pair = ("server_private_key", "server_certificate")
            there, missing = pair if self.server_certificate is None else pair[::-1]
            message = f"{there} is there without {missing} (ERR_NGROK_2240)"
            yield fault("policy/certificate", message, f"add {missing}, or leave both out", [there])
        if self.min_version == "1.3" and self.max_version == "1.2":
            message = "the lowest version is above the highest"
            yield fault("policy/tls-versions", message, "leave max_version out", ["max_version"])


class _OwaspCrs(Action):
    """What both halves of the core rule set share."""

    on_error: Literal["halt", "continue"] | None = None
    """What follows where a rule cannot be run; halt by default. ngrok's table calls it required, and defaults it."""
    process_body: Bool | None = None
    """Whether the first 4 KB of the body are looked at; false by default."""
    exclude_rule_ids: tuple[Annotated[Integer, Bounds(900_000, 999_999)], ...] | None = None
    """Rules that are left out, by number: 900000 to 999999."""


class OwaspCrsRequest(_OwaspCrs):
    """Answers 403 to a request that looks like an attack: OWASP's core rule set, from a score of 5."""

    type: ClassVar[str] = "owasp-crs-request"
    phases: ClassVar[frozenset[str]] = frozenset({"on_http_request"})
    result: ClassVar[str] = "owasp_crs_request"
    protecting: ClassVar[bool] = True


class OwaspCrsResponse(_OwaspCrs):
    """Answers 403 in place of a response that leaks something: OWASP's core rule set, from a score of 4."""

    type: ClassVar[str] = "owasp-crs-response"
    phases: ClassVar[frozenset[str]] = frozenset({"on_http_response"})
    result: ClassVar[str] = "owasp_crs_response"
