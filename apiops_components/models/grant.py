"""ReferenceGrants: which objects of other namespaces may refer to those of this one.

The classes have the shape of ``gateway.networking.k8s.io`` ReferenceGrant, which is the same in ``v1beta1`` (what
ngrok's operator reads) and ``v1``.
"""

from __future__ import annotations

from pydantic import Field

from apiops_components.models.base import ApiGroup, DnsLabel, DnsSubdomain, Kind, KubernetesModel

__all__ = ["GrantFrom", "GrantTo", "ReferenceGrant"]


class GrantFrom(KubernetesModel):
    """Who may refer."""

    group: ApiGroup
    """API group of what refers; ``gateway.networking.k8s.io`` for routes."""
    kind: Kind
    """Its kind."""
    namespace: DnsLabel
    """Its namespace."""


class GrantTo(KubernetesModel):
    """What may be referred to, in the namespace of the grant."""

    group: ApiGroup
    """API group; the core group, of Services and Secrets, is the empty string."""
    kind: Kind
    """Kind."""
    name: DnsSubdomain | None = None
    """One object; all of the kind by default."""


class ReferenceGrant(KubernetesModel):
    """``spec`` of a ReferenceGrant; it is made in the namespace of what is referred to."""

    from_: tuple[GrantFrom, ...] = Field(alias="from", min_length=1, max_length=16)
    """1 to 16; each of them may refer to each of ``to``."""
    to: tuple[GrantTo, ...] = Field(min_length=1, max_length=16)
    """1 to 16."""
