"""How the cluster asks a workload how it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag
from pydantic_core import InitErrorDetails

from apiops_components.models.base import CheckedModel, Integer, Port, fault

__all__ = ["HttpProbe", "Probe", "TcpProbe"]

Count = Annotated[Integer, Field(ge=1)]
Seconds = Annotated[Integer, Field(ge=1)]


class _Probe(CheckedModel):
    """When to ask, and how often to believe the answer."""

    port: Port | None = None
    """That of the workload by default."""
    period_seconds: Seconds = 10
    """Time between two questions, in seconds; Kubernetes' own default."""
    timeout_seconds: Seconds = 2
    """How long to wait for the answer, in seconds; Kubernetes' own default of 1 fails on a busy node."""
    failure_threshold: Count = 3
    """Failures in a row that count; Kubernetes' own default."""

    def faults(self) -> Iterator[InitErrorDetails]:
        if self.timeout_seconds > self.period_seconds:
            message = f"a timeout of {self.timeout_seconds} s is longer than the period of {self.period_seconds} s"
            yield fault("probe/timeout", message, loc=["timeout_seconds"])


class HttpProbe(_Probe):
    """Well when ``GET path`` is answered with a status of 200 to 399."""

    path: Annotated[str, Field(pattern=r"^/[!-~]*$", max_length=1024)]
    """Absolute path; may have a query."""
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    """With HTTPS the certificate is not verified."""


class TcpProbe(_Probe):
    """Well when the port takes a connection."""


def _kind(value: Any) -> str:
    has_path = "path" in value if isinstance(value, Mapping) else isinstance(value, HttpProbe)
    return "http" if has_path else "tcp"


Probe = Annotated[
    Annotated[HttpProbe, Tag("http")] | Annotated[TcpProbe, Tag("tcp")],
    Discriminator(_kind),
]
"""With a ``path`` over HTTP, without one a TCP connection."""
