"""Actions that hold back load: rate-limit, circuit-breaker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from apiops_components.models.base import duration_seconds
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.fields import AnyDuration, Between, Bool, Bounds, Expression, Integer, Number

__all__ = ["CircuitBreaker", "RateLimit"]

_REQUEST = frozenset({"on_http_request"})

_Count = Annotated[Integer, Bounds(1, 2_000_000_000)]


class RateLimit(Action):
    """Answers 429 with ``retry-after`` once a bucket is full; counted by each ngrok server for itself."""

    type: ClassVar[str] = "rate-limit"
    phases: ClassVar[frozenset[str]] = _REQUEST
    result: ClassVar[str] = "rate_limit"
    vendor_required: ClassVar[frozenset[str]] = frozenset({"algorithm"})

    name: Annotated[str, Field(min_length=1, max_length=1023)]
    """Shown in ngrok's events."""
    algorithm: Literal["sliding_window"] = "sliding_window"
    """The only one there is."""
    capacity: _Count
    """Requests that a bucket takes in each period: 1 to 2,000,000,000."""
    rate: Annotated[AnyDuration, Between("60s", "24h", "10s", "policy/rate")]
    """Length of the period: 60s to 24h, a multiple of 10s."""
    bucket_key: tuple[Expression, ...] = Field(min_length=1, max_length=10)
    """Expressions (bare, without ``${}``) whose values name the bucket; 1 to 10: ``conn.client_ip``."""
    enforce: Bool | None = None
    """False counts without refusing; true by default."""

    def per_minute(self) -> float:
        """The limit as requests a minute."""
        return self.capacity * 60 / duration_seconds(self.rate)


class CircuitBreaker(Action):
    """Refuses requests for a while once too many failed in the backend."""

    type: ClassVar[str] = "circuit-breaker"
    phases: ClassVar[frozenset[str]] = _REQUEST
    renamed: ClassVar[Mapping[str, str]] = {
        "error_threshold_percentage": "error_threshold",
        "rolling_window": "window_duration",
    }

    error_threshold: Annotated[Number, Bounds(0, 1)] | None = None
    """Share of failed requests that trips it, 0.0 to 1.0; 0.5 by default. ngrok calls it required, and defaults it."""
    volume_threshold: _Count | None = None
    """Requests in the window before it can trip, 1 to 2,000,000,000; 10 by default."""
    window_duration: Annotated[AnyDuration, Between("1s", "2m")] | None = None
    """How far back it looks, 1s to 2m; 10s by default."""
    tripped_duration: Annotated[AnyDuration, Between("1s", "2m")] | None = None
    """How long it refuses before it looks again, 1s to 2m; 10s by default."""
    num_buckets: Annotated[Integer, Bounds(10, 10)] | None = None
    """Parts of the window; always 10."""
    enforce: Bool | None = None
    """False never refuses; true by default."""
