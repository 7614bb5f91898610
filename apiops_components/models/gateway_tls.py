"""TLS of a Gateway: where it ends, whose certificates are shown and asked for.

Limits and messages are those of the Gateway API definitions named in `versions.GATEWAY_API`, standard channel. With
ngrok leave all of it out: ngrok ends TLS with certificates of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import (
    ApiGroup,
    DnsLabel,
    DnsSubdomain,
    Kind,
    KubernetesChecked,
    KubernetesModel,
    Port,
    fault,
)

__all__ = ["GatewayTls", "ListenerTls"]


class CertificateRef(KubernetesModel):
    """A Secret with a certificate and its key."""

    group: ApiGroup = ""
    """The core group."""
    kind: Kind = "Secret"
    """Secret."""
    name: DnsSubdomain
    """Name of the Secret."""
    namespace: DnsLabel | None = None
    """The Gateway's own by default; another one needs a ReferenceGrant there."""


class ListenerTls(KubernetesChecked):
    """How TLS ends."""

    mode: Literal["Terminate", "Passthrough"] = "Terminate"
    """Here, or at the backend."""
    certificate_refs: tuple[CertificateRef, ...] = Field(default=(), max_length=64)
    """At most 64; ngrok's operator takes the first."""
    options: Mapping[str, Annotated[str, Field(max_length=4096)]] = Field(default_factory=dict, max_length=16)
    """Of the implementation; at most 16, each at most 4,096 characters."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.mode == "Terminate" and not self.certificate_refs and not self.options:
            yield fault(
                "gateway/tls",
                "certificateRefs or options must be specified when mode is Terminate",
                "with ngrok leave tls out: ngrok terminates",
            )


class AuthorityRef(KubernetesModel):
    """An object with certificates of authorities."""

    group: ApiGroup
    """The core group is the empty string."""
    kind: Kind
    """ConfigMap, for ngrok's operator."""
    name: DnsSubdomain
    """Name of the object."""
    namespace: DnsLabel | None = None
    """The Gateway's own by default; another one needs a ReferenceGrant there."""


class ClientValidation(KubernetesModel):
    """How certificates of clients are checked."""

    ca_certificate_refs: tuple[AuthorityRef, ...] = Field(min_length=1, max_length=8)
    """1 to 8."""
    mode: Literal["AllowValidOnly", "AllowInsecureFallback"] = "AllowValidOnly"
    """Whether a client without a valid one is let in all the same; not by default."""


class FrontendTls(KubernetesModel):
    """TLS towards clients."""

    validation: ClientValidation | None = None
    """Certificates of clients are not asked for by default."""


class PortTls(KubernetesModel):
    """TLS towards clients on one port."""

    port: Port
    """Of the listeners it holds for."""
    tls: FrontendTls
    """Instead of the default."""


class Frontend(KubernetesChecked):
    """TLS towards clients, by port."""

    default: FrontendTls
    """For every port that is not named."""
    per_port: tuple[PortTls, ...] = Field(default=(), max_length=64)
    """At most 64, each port once."""

    def faults(self) -> Iterator[InitErrorDetails]:
        ports = [item.port for item in self.per_port]
        for index, port in enumerate(ports):
            if port in ports[:index]:
                message = "Port for TLS configuration must be unique within the Gateway"
                yield fault("gateway/tls-port", message, "keep one of them", ["perPort", index, "port"])


class BackendTls(KubernetesModel):
    """TLS towards backends."""

    client_certificate_ref: CertificateRef | None = None
    """What the Gateway shows to them; nothing by default."""


class GatewayTls(KubernetesModel):
    """TLS of a whole Gateway."""

    backend: BackendTls | None = None
    """Towards backends."""
    frontend: Frontend | None = None
    """Towards clients."""
