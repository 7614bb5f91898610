"""What happens to a request, in the words of the command line's contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

from apiops_components.semantics.request import Request, Response, joined

__all__ = ["Action", "Outcome", "Received", "Semantics", "Target", "diverges"]

Kind = Literal["forwarded", "responded", "no-route", "no-backend", "closed"]


class Received(NamedTuple):
    """A request as a backend receives it."""

    method: str
    """As sent."""
    host: str
    """After rewrites."""
    path: str
    """After rewrites."""
    query: str
    """As sent."""
    headers: Mapping[str, tuple[str, ...]]
    """After changes."""

    def json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {
            "method": self.method,
            "host": self.host,
            "path": self.path,
            "query": self.query,
            "headers": joined(self.headers),
        }


class Target(NamedTuple):
    """A backend, and its part of the requests."""

    namespace: str
    """Of the Service."""
    name: str
    """Of the Service."""
    port: int | None
    """Of the Service."""
    weight: int = 1
    """As the rule says."""
    share: float = 1.0
    """Its part of the requests, a fraction of 1."""
    status: int | None = None
    """What the client gets of this part where the reference is invalid: 500."""
    request: Received | None = None
    """What this one receives, where filters of its own make that another request than the outcome's."""
    response: Response | None = None
    """What the client receives of this one, where filters of its own make that another answer than the outcome's."""

    def json(self) -> dict[str, Any]:
        """As the command line prints it, without share."""
        return {"namespace": self.namespace, "name": self.name, "port": self.port, "weight": self.weight}

    def json_with_share(self) -> dict[str, Any]:
        """As the command line prints it among others; what not every backend has is there only where it has it."""
        found = self.json() | {"share": self.share}
        if self.status is not None:
            found["status"] = self.status
        if self.request is not None:
            found["request"] = self.request.json()
        if self.response is not None:
            found["response"] = self.response.json()
        return found


class Action(NamedTuple):
    """Something that a policy or filter did, or would do, with the request."""

    policy: str | None
    """``namespace/name`` of the policy; None for a filter of the route."""
    phase: str | None
    """Phase of the policy."""
    rule: int | None
    """Number of the rule in the phase, from 0."""
    type: str
    """Type of the action or filter."""
    result: str
    """What came of it; ``not-run`` where it is not simulated."""


class Outcome(NamedTuple):
    """What happens to one request."""

    outcome: Kind
    """In one word."""
    status: int | None = None
    """What the client gets where no backend answers."""
    gateway: str | None = None
    """``namespace/name``."""
    listener: str | None = None
    """Its name."""
    route: str | None = None
    """``namespace/name``."""
    rule: int | None = None
    """Number of the rule in the route, from 0."""
    targets: tuple[Target, ...] = ()
    """The backends; one is shown as ``backend``, more as ``backends``."""
    request: Received | None = None
    """What the backend receives."""
    actions: tuple[Action, ...] = ()
    """What policies and filters did, in order."""
    response: Response | None = None
    """What the client receives."""

    def json(self) -> dict[str, Any]:
        """As the command line prints it."""
        targets = self.targets
        return {
            "outcome": self.outcome,
            "status": self.status,
            "gateway": self.gateway,
            "listener": self.listener,
            "route": self.route,
            "rule": self.rule,
            "backend": targets[0].json() if len(targets) == 1 else None,
            "backends": [target.json_with_share() for target in targets] if len(targets) > 1 else None,
            "request": self.request.json() if self.request is not None else None,
            "actions": [action._asdict() for action in self.actions] if self.actions else [],
            "response": self.response.json() if self.response is not None else None,
        }


class Semantics(Protocol):
    """One reading of the manifests."""

    def answer(self, request: Request) -> Outcome:
        """What happens to a request."""


def diverges(one: Outcome, other: Outcome) -> bool:
    """Whether client or backend see a difference.

    Compared are the outcome, its status, the backends and their shares, the request they receive and the answer of the
    client. Not compared is how it came about: which listener, route, rule and actions.
    """
    return (
        one.outcome != other.outcome
        or one.status != other.status
        or one.request != other.request
        or one.response != other.response
        or (one.targets != other.targets and _shares(one) != _shares(other))
    )


def _shares(outcome: Outcome) -> dict[tuple[Any, ...], tuple[float, Received | None, Response | None]]:
    """Each place where requests end up: its part of them, and what is special there."""
    found: dict[tuple[Any, ...], tuple[float, Received | None, Response | None]] = {}
    for target in outcome.targets:
        if target.share:
            # A reference that is invalid leads nowhere, whatever it names.
            place = target[:3] if target.status is None else ()
            share = target.share + found[place][0] if place in found else target.share
            found[place] = (round(share, 9), target.request, target.response)
    return found
