"""Who may talk to a workload, and whom it may talk to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import CheckedModel, Cidr, DnsLabel, Port, fault
from apiops_components.models.labels import Labels

__all__ = ["Caller", "Egress"]

_WIDEST_PREFIX = 8
_METADATA = ipaddress.ip_network("169.254.169.254/32")


class Caller(CheckedModel):
    """Pods in the cluster that may call the workload."""

    namespace: DnsLabel | None = None
    """Their namespace; without it that of the workload."""
    pods: Labels = Field(default_factory=dict)
    """Labels they all carry; without any, every pod of ``namespace``."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.namespace is None and not self.pods:
            yield fault("network/peer", "at least one of namespace and pods is expected")


class Egress(CheckedModel):
    """One place that the workload may talk to: pods in the cluster, or a range of addresses."""

    namespace: DnsLabel | None = None
    """Namespace of the pods; with ``pods`` alone, that of the workload."""
    pods: Labels = Field(default_factory=dict)
    """Labels the pods all carry; without any, every pod of ``namespace``."""
    cidr: Cidr | None = None
    """Addresses outside the cluster, instead of pods."""
    exclude: tuple[Cidr, ...] = ()
    """Parts of ``cidr`` that stay closed."""
    ports: Annotated[tuple[Port, ...], Field(min_length=1)]
    """Ports of the pods themselves, not of the Service before them: policies see packets after translation."""
    protocol: Literal["TCP", "UDP"] = "TCP"
    """TCP, or UDP."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if (self.cidr is None) == (self.namespace is None and not self.pods):
            yield fault("network/peer", "either cidr, or namespace and pods, is expected")
        if self.cidr is None:
            if self.exclude:
                yield fault("network/exclude", "exclude needs a cidr to leave parts out of", loc=["exclude"])
            return
        whole = ipaddress.ip_network(self.cidr)
        parts = [ipaddress.ip_network(part) for part in self.exclude]
        for index, part in enumerate(parts):
            if part == whole or not _within(part, whole):
                message = f"{part} is not a part of {whole}"
                yield fault("network/exclude", message, loc=["exclude", index])
        # A forged request to this address is how credentials of a node are stolen; asked for alone it is meant.
        if whole != _METADATA and _within(_METADATA, whole) and not any(_within(_METADATA, part) for part in parts):
            message = f"{whole} holds the cloud's metadata server {_METADATA.network_address}"
            yield fault("network/metadata-server", message, "exclude: [169.254.0.0/16]", ["exclude"])

    @property
    def is_wide(self) -> bool:
        """Whether the range is wider than any private network (/8)."""
        return self.cidr is not None and ipaddress.ip_network(self.cidr).prefixlen < _WIDEST_PREFIX


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _within(part: Network, whole: Network) -> bool:
    return part.version == whole.version and part.subnet_of(whole)  # type: ignore[arg-type]
