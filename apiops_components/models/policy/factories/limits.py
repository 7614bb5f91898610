"""What holds back load and harm."""

from __future__ import annotations

from collections.abc import Sequence

from apiops_components.models.policy.actions import CircuitBreaker, OwaspCrsRequest, OwaspCrsResponse, RateLimit
from apiops_components.models.policy.factories.rules import several
from apiops_components.models.policy.terms import Term

__all__ = ["circuit_breaker", "owasp_request", "owasp_response", "rate_limit"]


def rate_limit(
    capacity: int,
    *,
    per: str = "1m",
    by: str | Term | Sequence[str | Term] = "conn.client_ip",
    name: str | None = None,
    enforce: bool | None = None,
) -> RateLimit:
    """Answers 429 with ``retry-after`` once a bucket is full; 1 unit. Each ngrok server counts for itself.

    Args:
        capacity: Requests in a period, 1 to 2,000,000,000.
        per: The period, 60s to 24h, a multiple of 10s.
        by: What names the bucket, in bare CEL or built, 1 to 10; the client's address by default.
        name: Shown in ngrok's events; says the limit by default.
        enforce: False counts without refusing; true by default.
    """
    keys = several(by)
    said = f"{capacity} per {per} by {', '.join(keys)}"[:1023]
    return RateLimit(name=name or said, capacity=capacity, rate=per, bucket_key=keys, enforce=enforce)


def circuit_breaker(
    *, errors: float, volume: int | None = None, window: str | None = None, pause: str | None = None
) -> CircuitBreaker:
    """Refuses requests for a while once too many failed in the backend; 10 units.

    Args:
        errors: Share of failed requests that trips it, 0.0 to 1.0.
        volume: Requests in the window before it can trip; 10 by default.
        window: How far back it looks, 1s to 2m; 10s by default.
        pause: How long it refuses, 1s to 2m; 10s by default.
    """
    return CircuitBreaker(
        error_threshold=errors, volume_threshold=volume, window_duration=window, tripped_duration=pause
    )


def owasp_request(*, body: bool | None = None, exclude: Sequence[int] = ()) -> OwaspCrsRequest:
    """Answers 403 to what looks like an attack; 10 units.

    Args:
        body: Whether the first 4 KB of the body are looked at; false by default.
        exclude: Numbers of rules that are left out, 900000 to 999999.
    """
    return OwaspCrsRequest(on_error="halt", process_body=body, exclude_rule_ids=tuple(exclude) or None)


def owasp_response(*, body: bool | None = None, exclude: Sequence[int] = ()) -> OwaspCrsResponse:
    """Answers 403 in place of a response that leaks something; 10 units. Arguments as in `owasp_request`."""
    return OwaspCrsResponse(on_error="halt", process_body=body, exclude_rule_ids=tuple(exclude) or None)
