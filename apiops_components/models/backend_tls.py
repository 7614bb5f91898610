"""BackendTLSPolicies that somebody else wrote, with the shape of ``gateway.networking.k8s.io/v1``.

ngrok's operator does not read them. Limits and messages are those of the definitions named in `versions.GATEWAY_API`,
standard channel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import (
    ApiGroup,
    DnsSubdomain,
    Kind,
    KubernetesChecked,
    KubernetesModel,
    fault,
    matching,
    raise_faults,
)

__all__ = ["BackendTlsPolicy"]

_DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_URI = re.compile(r"(([^:/?#]+):)(//([^/?#]*))([^?#]*)(\?([^#]*))?(#(.*))?")
_LONGEST = 253

CertificateName = Annotated[str, matching(_DOMAIN, _LONGEST, "name/hostname", "a host name (lower case)")]
"""Name in a certificate."""

WildcardName = Annotated[
    str, matching(rf"(\*\.)?{_DOMAIN}", _LONGEST, "name/hostname", "a host name (lower case, '*.' only in front)")
]
"""Name in a certificate; ``*`` only as the whole first label."""


def _uri(value: str) -> str:
    if len(value) > _LONGEST or not _URI.match(value):
        message = f"{value!r} is not a URI with scheme and authority, at most {_LONGEST} characters"
        raise_faults([fault("gateway/uri", message, "such as spiffe://example.com/orders")])
    return value


class PolicyTarget(KubernetesModel):
    """What the policy is about."""

    group: ApiGroup
    """The core group is the empty string."""
    kind: Kind
    """Service."""
    name: DnsSubdomain
    """Name of the object, in the policy's namespace."""
    section_name: DnsSubdomain | None = None
    """One port of a Service, by name; all by default."""


class CertificateAuthority(KubernetesModel):
    """An object with certificates of authorities."""

    group: ApiGroup
    """The core group is the empty string."""
    kind: Kind
    """ConfigMap."""
    name: DnsSubdomain
    """Name of the object, in the policy's namespace."""


class SubjectAltName(KubernetesChecked):
    """A name that the backend's certificate must have."""

    type: Literal["Hostname", "URI"]
    """Which of the two fields counts."""
    hostname: WildcardName | None = None
    """For Hostname."""
    uri: Annotated[str, AfterValidator(_uri)] | None = None
    """For URI."""

    def faults(self) -> Iterator[InitErrorDetails]:
        for kind, field in (("Hostname", "hostname"), ("URI", "uri")):
            value = getattr(self, field)
            if self.type == kind and value is None:
                message = f"SubjectAltName element must contain {kind}, if Type is set to {kind}"
                yield fault("gateway/subject-alt-name", message, f"add {field}: beside type")
            if self.type != kind and value is not None:
                message = f"SubjectAltName element must not contain {kind}, if Type is not set to {kind}"
                yield fault("gateway/subject-alt-name", message, f"set type: {kind}, or remove {field}", [field])


class BackendValidation(KubernetesChecked):
    """How the backend's certificate is checked."""

    ca_certificate_refs: tuple[CertificateAuthority, ...] = Field(default=(), max_length=8, alias="caCertificateRefs")
    """At most 8."""
    well_known_ca_certificates: (
        Annotated[
            str,
            matching(
                rf"System|{_DOMAIN}/([A-Za-z0-9][-A-Za-z0-9_.]{{0,61}})?[A-Za-z0-9]",
                _LONGEST,
                "gateway/well-known-ca",
                "System, or a set of the implementation's own ('domain/name')",
            ),
        ]
        | None
    ) = Field(default=None, alias="wellKnownCACertificates")
    """``System`` for the authorities that the system trusts."""
    hostname: CertificateName
    """For SNI, and what the certificate must be for; no wildcard."""
    subject_alt_names: tuple[SubjectAltName, ...] = Field(default=(), max_length=5)
    """At most 5; the certificate must have one of them, then not ``hostname``."""

    def faults(self) -> Iterator[InitErrorDetails]:
        if self.ca_certificate_refs and self.well_known_ca_certificates:
            message = "must not contain both CACertificateRefs and WellKnownCACertificates"
            yield fault("gateway/backend-tls", message, "keep one of them")
        if not self.ca_certificate_refs and not self.well_known_ca_certificates:
            message = "must specify either CACertificateRefs or WellKnownCACertificates"
            yield fault("gateway/backend-tls", message, "wellKnownCACertificates: System trusts what the system does")


class BackendTlsPolicy(KubernetesChecked):
    """``spec`` of a BackendTLSPolicy: TLS from the Gateway to a Service."""

    target_refs: tuple[PolicyTarget, ...] = Field(min_length=1, max_length=16)
    """1 to 16."""
    validation: BackendValidation
    """How the backend's certificate is checked."""
    options: Mapping[str, Annotated[str, Field(max_length=4096)]] = Field(default_factory=dict, max_length=16)
    """Of the implementation; at most 16, each at most 4,096 characters."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        sections: dict[tuple[str, str, str], list[str | None]] = {}
        for target in self.target_refs:
            sections.setdefault((target.group, target.kind, target.name), []).append(target.section_name)
        message = "when targetRefs includes 2 or more references to the same target"
        hint = "name a port of the Service in each"
        for named in sections.values():
            if None in named and any(named):
                yield fault("gateway/target", f"sectionName must be specified {message}", hint, ["targetRefs"])
            if len(set(named)) < len(named):
                yield fault("gateway/target", f"sectionName must be unique {message}", hint, ["targetRefs"])
