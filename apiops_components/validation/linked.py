"""What checks across documents know of a document: what it is called, what it holds, whether it is valid by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from apiops_components.validation.walk import mapping, text

__all__ = [
    "GATEWAY",
    "GATEWAY_CLASS",
    "GRANT",
    "NAMESPACE",
    "POLICY",
    "ROUTES",
    "SERVICE",
    "Kind",
    "Linked",
    "linked",
]

Kind = tuple[str, str]
"""API group and kind."""

GATEWAY_GROUP = "gateway.networking.k8s.io"
NGROK_GROUP = "ngrok.k8s.ngrok.com"

GATEWAY: Kind = (GATEWAY_GROUP, "Gateway")
GATEWAY_CLASS: Kind = (GATEWAY_GROUP, "GatewayClass")
GRANT: Kind = (GATEWAY_GROUP, "ReferenceGrant")
NAMESPACE: Kind = ("", "Namespace")
POLICY: Kind = (NGROK_GROUP, "NgrokTrafficPolicy")
SERVICE: Kind = ("", "Service")
ROUTES: tuple[Kind, ...] = tuple((GATEWAY_GROUP, kind) for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute"))
"""Routes that are checked by themselves, too."""

_WITH_SPEC = frozenset(
    {GATEWAY, GATEWAY_CLASS, GRANT, SERVICE, *ROUTES, (NGROK_GROUP, "CloudEndpoint"), (NGROK_GROUP, "AgentEndpoint")}
)
_KINDS = frozenset({*_WITH_SPEC, NAMESPACE, POLICY})
_OF_CLUSTER = frozenset({GATEWAY_CLASS, NAMESPACE})


class Linked(NamedTuple):
    """One document, as far as others depend on it or it on others.

    Attributes:
        kind: API group and kind.
        namespace: As the document says: None where it leaves that to whoever applies it; empty for what belongs to the
            whole cluster.
        name: Its name.
        spec: What it holds; empty for kinds that count by their name alone.
        labels: Of its metadata.
        annotations: Of its metadata.
        created: ``metadata.creationTimestamp``, or empty.
        file: Where it was read from.
        prefix: Path of the object in its document; empty but for an item of a list.
        valid: Whether nothing is wrong with it by itself.
    """

    kind: Kind
    namespace: str | None
    name: str
    spec: Mapping[str, Any]
    labels: Mapping[str, Any]
    annotations: Mapping[str, Any]
    created: str = ""
    file: str = ""
    prefix: str = ""
    valid: bool = True

    @property
    def title(self) -> str:
        """``HTTPRoute shop/orders``."""
        return f"{self.kind[1]} {self.namespace}/{self.name}" if self.namespace else f"{self.kind[1]} {self.name}"


def linked(value: Mapping[str, Any], group: str, kind: str, *, file: str = "", valid: bool = True) -> Linked | None:
    """What is known of an object; None where no check across documents asks for its kind."""
    key = (group, kind)
    if key not in _KINDS or not (name := text(value, "metadata", "name")):
        return None
    metadata = mapping(value, "metadata")
    return Linked(
        key,
        "" if key in _OF_CLUSTER else text(metadata, "namespace") or None,
        name,
        mapping(value, "spec") if key in _WITH_SPEC else {},
        mapping(metadata, "labels"),
        mapping(metadata, "annotations"),
        text(metadata, "creationTimestamp"),
        file,
        valid=valid,
    )
