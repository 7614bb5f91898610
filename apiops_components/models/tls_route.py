"""TLSRoutes that somebody else wrote, with the shape of ``gateway.networking.k8s.io/v1``.

Limits and messages are those of the definitions named in `versions.GATEWAY_API`, standard channel. ngrok's operator
reads only ``v1alpha2`` of the experimental channel.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import DnsSubdomain, Integer, KubernetesChecked, KubernetesModel, fault, raise_faults
from apiops_components.models.filters import ServiceRef
from apiops_components.models.route import ParentRef, parent_faults

__all__ = ["TlsRoute"]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_LONGEST = 253


def _server_name(value: str) -> str:
    message, hint = "", ""
    wildcard = "*" in value
    if not _NAME.fullmatch(value.removeprefix("*.") if wildcard else value):
        message, hint = "Hostnames must be valid based on RFC-1123", "lower-case letters, digits, '-' and '.'"
        if wildcard:
            message = (
                "Wildcards on hostnames must be the first label, and the rest of hostname must be valid based on "
                "RFC-1123"
            )
            hint = "such as *.example.com"
    elif len(value) > _LONGEST:
        message = f"at most {_LONGEST} characters are expected, got {len(value)}"
    elif _is_address(value):
        message, hint = "Hostnames cannot contain an IP", "SNI holds names alone"
    if message:
        raise_faults([fault("name/hostname", message, hint, got=value)])
    return value


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


ServerName = Annotated[str, AfterValidator(_server_name)]
"""What a client asks for in SNI; ``*`` only as the whole first label."""


class TlsBackend(ServiceRef):
    """A Service that takes a share of the connections."""

    weight: Annotated[Integer, Field(ge=0, le=1_000_000)] = 1
    """Its share is its weight by the sum of all weights; 0 takes none."""


class TlsRule(KubernetesModel):
    """Where connections go."""

    name: DnsSubdomain | None = None
    """Shown in reports."""
    backend_refs: tuple[TlsBackend, ...] = Field(min_length=1, max_length=16)
    """1 to 16."""


class TlsRoute(KubernetesChecked):
    """``spec`` of a TLSRoute."""

    parent_refs: tuple[ParentRef, ...] = Field(default=(), max_length=32)
    """At most 32 Gateways or listeners."""
    hostnames: tuple[ServerName, ...] = Field(min_length=1, max_length=16)
    """1 to 16."""
    rules: tuple[TlsRule, ...] = Field(min_length=1, max_length=1)
    """Exactly one."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from parent_faults(self.parent_refs)
