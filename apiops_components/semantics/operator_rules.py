"""The rules that ngrok's operator makes of HTTPRoutes, and their order.

As seen in the operator's own translation (facts: ngrok §5):

- Each match of a rule becomes a rule of its own. It stays if it has a filter that was not skipped, or a backend.
- A backend counts if it is a Service that may be used and has the port; a port without a name takes any number. The
  others vanish with their weight and filters. Of one backend the weight does not count.
- In order: exact paths, prefixes, regular expressions; the longer path; by the text of the path; with headers before
  without, then by their text, whatever their number; the same for query parameters; with a method before without.
  Rules of several routes that are alike in all of this come in random order; here by namespace and name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from apiops_components.models.match import HeaderMatch, Match, QueryMatch
from apiops_components.models.route import Backend, HttpRoute
from apiops_components.semantics.operator_filters import Effects, effects_of
from apiops_components.semantics.operator_hosts import granted
from apiops_components.semantics.outcome import Action, Target
from apiops_components.semantics.resources import Object, Resources

__all__ = ["OperatorRule", "rules_of"]

_KINDS = {"Exact": 0, "PathPrefix": 1, "RegularExpression": 2}


class OperatorRule(NamedTuple):
    """A match of a rule, and where it leads."""

    match: Match
    """What a request must be like."""
    route: str
    """``namespace/name`` of the route."""
    number: int
    """Of the rule in its route."""
    effects: Effects
    """Of the rule's filters."""
    targets: tuple[Target, ...]
    """The backends that count."""
    own: tuple[Effects, ...]
    """The filters of each of them."""
    order: tuple[object, ...]
    """Smaller ones go first."""

    @property
    def services(self) -> Sequence[tuple[str, str, int | None]]:
        """The ports of Services to which it leads, those of weight 0 too."""
        return [target[:3] for target in self.targets]

    @property
    def captures(self) -> bool:
        """Whether it makes the operator match all routes of its host on the request as it was at first."""
        changes = self.effects.changes.union(*(own.changes for own in self.own))
        return "url" in changes or ("headers" in changes and bool(self.match.headers))

    @property
    def notes(self) -> tuple[Action, ...]:
        """What is skipped, or not run here."""
        return (*self.effects.notes, *(note for own in self.own for note in own.notes))


def rules_of(resources: Resources, route: Object[HttpRoute]) -> list[OperatorRule]:
    """The rules of a route, as they stand in it."""
    found = []
    for number, rule in enumerate(route.spec.rules):
        backends = [
            (backend, port)
            for backend in rule.backend_refs
            if (port := _port(resources, route.namespace, backend)) is not None
        ]
        targets = _targets(route.namespace, backends)
        for match in rule.matches:
            path = match.path.value
            effects = effects_of(resources, route.namespace, number, rule.filters, path)
            own = tuple(
                effects_of(resources, route.namespace, number, backend.filters, path) if backend.filters else _NONE
                for backend, _ in backends
            )
            if effects.counts or targets:
                found.append(OperatorRule(match, route.key, number, effects, targets, own, _order(match)))
    return found


_NONE = Effects()


def _targets(namespace: str, backends: Sequence[tuple[Backend, int]]) -> tuple[Target, ...]:
    weights = [backend.weight for backend, _ in backends]
    total = sum(weights)
    return tuple(
        Target(
            backend.namespace or namespace,
            backend.name,
            port,
            weight,
            1.0 if len(weights) == 1 else weight / total if total else 0.0,
        )
        for (backend, port), weight in zip(backends, weights, strict=True)
    )


def _port(resources: Resources, namespace: str, ref: Backend) -> int | None:
    """The port that a reference leads to; None where it leads nowhere."""
    if ref.kind.lower() != "service" or ref.port is None:
        return None
    if not granted(resources, "HTTPRoute", namespace, "Service", ref.namespace, ref.name):
        return None
    other = ref.namespace or namespace
    service = resources.service(other, ref.name)
    if service is None:
        return None if resources.is_missing(other, ref.name) else ref.port
    return next((port.port for port in service.spec.ports if port.port == ref.port or not port.name), None)


# --- order ---------------------------------------------------------------------------------------------------------


def _order(match: Match) -> tuple[object, ...]:
    headers, parameters = _text(match.headers), _text(match.query_params)
    path = _bytes(match.path.value)
    return (
        _KINDS[match.path.type],
        -len(path),
        path,
        not headers,
        headers,
        not parameters,
        parameters,
        match.method is None,
        match.method or "",
    )


def _text(items: Sequence[HeaderMatch | QueryMatch]) -> bytes:
    if not items:
        return b""
    ordered = sorted(items, key=lambda item: (_bytes(item.name), item.type != "Exact", _bytes(item.value)))
    words = {"Exact": "exact", "RegularExpression": "regex"}
    return _bytes("".join(f"{item.name}:{words[item.type]}:{item.value};" for item in ordered))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
