"""What a rule of a route does with the requests that it takes, as the specification says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from apiops_components.models.filters import ExtensionRef, Filter, Mirror, ServiceRef
from apiops_components.models.gateway import Listener
from apiops_components.models.route import HttpRoute
from apiops_components.semantics.effects import Effects, received
from apiops_components.semantics.outcome import Action, Outcome, Received, Target
from apiops_components.semantics.request import Request, Response
from apiops_components.semantics.resources import Object, Resources

__all__ = ["POLICY_GROUPS", "POLICY_KIND", "Forwarding", "is_valid"]

POLICY_KIND = "NgrokTrafficPolicy"
"""The kind of extension that is known here."""
POLICY_GROUPS = ("ngrok.k8s.ngrok.com", "")
"""The groups by which ngrok's operator takes it."""

_FAILED = Response(500)


class Forwarding:
    """A rule, with all that does not depend on the request settled."""

    __slots__ = (
        "_actions",
        "_effects",
        "_number",
        "_own",
        "_reachable",
        "_route",
        "_simple",
        "_targets",
        "_unresolved",
    )

    def __init__(
        self,
        route: str,
        number: int,
        *,
        effects: Effects,
        targets: tuple[Target, ...],
        own: Sequence[Effects],
        unresolved: bool,
        actions: tuple[Action, ...],
    ) -> None:
        self._route, self._number, self._effects, self._targets = route, number, effects, targets
        self._own = own if any(own) else ()
        self._unresolved, self._actions = unresolved, actions
        self._reachable = any(target.share and target.status is None for target in targets)
        self._simple = self._reachable and not (effects or self._own or unresolved)

    @classmethod
    def of(cls, resources: Resources, route: Object[HttpRoute], number: int) -> Forwarding:
        """The rule of this number."""
        rule = route.spec.rules[number]
        prefix = rule.matches[0].path.value if rule.matches else "/"
        total = sum(backend.weight for backend in rule.backend_refs)
        targets = []
        for backend in rule.backend_refs:
            namespace = backend.namespace or route.namespace
            lost = not is_valid(resources, route.namespace, backend) or any(
                _is_unresolved(resources, route.namespace, item.extension_ref) for item in backend.filters
            )
            share = backend.weight / total if total else 0.0
            status = 500 if lost else None
            targets.append(Target(namespace, backend.name, backend.port, backend.weight, share, status))
        every = [*rule.filters, *(item for backend in rule.backend_refs for item in backend.filters)]
        return cls(
            route.key,
            number,
            effects=Effects(rule.filters, prefix),
            targets=tuple(targets),
            own=[Effects(backend.filters, prefix) for backend in rule.backend_refs],
            unresolved=any(_is_unresolved(resources, route.namespace, item.extension_ref) for item in rule.filters),
            actions=tuple(_noted(resources, route.namespace, number, every)),
        )

    def outcome(self, request: Request, gateway: str, listener: Listener) -> Outcome:
        """What becomes of a request."""
        name = listener.name
        if self._simple:
            sent = Received(request.method, request.host, request.path, request.query, request.headers)
            return Outcome(
                "forwarded",
                None,
                gateway,
                name,
                self._route,
                self._number,
                self._targets,
                sent,
                self._actions,
                request.response,
            )
        place = (gateway, name, self._route, self._number)
        if self._unresolved:
            return self._answered(place, _FAILED)
        effects = self._effects
        passed = effects.on_request(received(request), request, listener)
        if isinstance(passed, Response):
            return self._answered(place, effects.on_response(passed, request))
        if not self._reachable:
            return Outcome("no-backend", 500, *place, (), None, self._actions, _FAILED)
        plain = effects.on_response(request.response, request)
        if not self._own:
            return Outcome("forwarded", None, *place, self._targets, passed, self._actions, plain)
        found = [self._through(own, passed, request, listener) for own in self._own]
        if len(found) == 1:
            sent_alone, answer = found[0]
            if sent_alone is None:
                return self._answered(place, answer)
            return Outcome("forwarded", None, *place, self._targets, sent_alone, self._actions, answer)
        targets = tuple(
            target
            if target.status is not None
            else target._replace(
                request=sent if sent != passed else None,
                response=answer if answer != plain else None,
            )
            for target, (sent, answer) in zip(self._targets, found, strict=True)
        )
        return Outcome("forwarded", None, *place, targets, passed, self._actions, plain)

    def _through(
        self, own: Effects, passed: Received, request: Request, listener: Listener
    ) -> tuple[Received | None, Response]:
        """What a backend with filters of its own receives, if anything, and what the client gets."""
        sent = own.on_request(passed, request, listener)
        answer = sent if isinstance(sent, Response) else request.response
        answer = self._effects.on_response(own.on_response(answer, request), request)
        return (None if isinstance(sent, Response) else sent), answer

    def _answered(self, place: tuple[str, str, str, int], response: Response) -> Outcome:
        return Outcome("responded", response.status, *place, (), None, self._actions, response)


def is_valid(resources: Resources, namespace: str, ref: ServiceRef) -> bool:
    """Whether a reference from a route of this namespace leads to a port of a Service that it may use."""
    if (ref.group, ref.kind) != ("", "Service"):
        return False
    other = ref.namespace or namespace
    if not resources.may_refer("HTTPRoute", namespace, "Service", other, ref.name):
        return False
    service = resources.service(other, ref.name)
    if service is None:
        return not resources.is_missing(other, ref.name)
    return any(port.port == ref.port for port in service.spec.ports)


def _is_unresolved(resources: Resources, namespace: str, ref: ExtensionRef | None) -> bool:
    return (
        ref is not None
        and ref.kind == POLICY_KIND
        and ref.group in POLICY_GROUPS
        and f"{namespace}/{ref.name}" not in resources.policies
    )


def _noted(resources: Resources, namespace: str, number: int, filters: Sequence[Filter]) -> Iterator[Action]:
    """What happens besides: copies of the request, and policies, which are not run here."""
    for item in filters:
        if item.request_mirror is not None:
            yield Action(None, None, number, item.type, _copied(resources, namespace, item.request_mirror))
        elif item.extension_ref is not None:
            key = f"{namespace}/{item.extension_ref.name}"
            lost = _is_unresolved(resources, namespace, item.extension_ref)
            yield Action(key, None, None, item.extension_ref.kind, "missing" if lost else "not-run")


def _copied(resources: Resources, namespace: str, mirror: Mirror) -> str:
    ref = mirror.backend_ref
    where = f"{ref.namespace or namespace}/{ref.name}:{ref.port}"
    return f"copied to {where}" if is_valid(resources, namespace, ref) else f"not copied: {where} is not there"
