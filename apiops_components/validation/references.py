"""Checks across documents: what a route, a Gateway or an endpoint refers to, and routes that are in each other's way.

Pure: documents in, problems out, each on the document that refers. One pass over the documents makes `ByName`, a
second one asks it; when something that is not there is called missing, `objects_by_name` says.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from apiops_components.errors import Problem
from apiops_components.validation.attachment import attached, common_host, hostnames
from apiops_components.validation.conflicts import Conflicts
from apiops_components.validation.linked import GATEWAY, GRANT, POLICY, ROUTES, SERVICE, Kind, Linked
from apiops_components.validation.ngrok_gateways import NgrokGateways
from apiops_components.validation.objects_by_name import ByName, Place, Scope, place
from apiops_components.validation.walk import below, get, items, text

__all__ = ["Found", "check_references"]

_GATEWAY_GROUP = "gateway.networking.k8s.io"
_ANNOTATIONS = ("ngrok.com/traffic-policy", "k8s.ngrok.com/traffic-policy")


Told = tuple[Problem, bool]
"""A problem; true where it is only a warning."""


class Found(NamedTuple):
    """A problem, and the document that it is of."""

    document: int
    problem: Problem
    warning: bool = False


def check_references(objects: Iterable[Linked | None], scope: Scope = "input") -> list[Found]:
    """What is wrong between documents; ``None`` stands for a document that nothing depends on.

    Args:
        objects: The documents, in their order.
        scope: Whether they are whatever a user names, or all of a project.
    """
    numbered = [(number, item) for number, item in enumerate(objects) if item is not None]
    by_name = ByName((item for _, item in numbered), scope)
    checks = _Checks(by_name)
    found: list[Found] = []
    for number, item in numbered:
        if item.valid:
            found += (Found(number, problem, warning) for problem, warning in checks.of(number, item))
    found += (Found(number, problem) for number, problem in checks.conflicts.problems())
    return sorted(found, key=lambda one: one.document)


class _Checks:
    """What is asked of each document."""

    def __init__(self, objects: ByName) -> None:
        self._objects = objects
        self._ngrok = NgrokGateways(objects)
        self.conflicts = Conflicts()
        self._granted: dict[str | None, set[tuple[Any, ...]]] = {}
        for grant in objects.of(GRANT):
            self._granted.setdefault(grant.namespace, set()).update(_granted(grant))

    def of(self, number: int, item: Linked) -> Iterator[Told]:
        """Problems of a document."""
        if item.kind in ROUTES:
            yield from self._parents(number, item)
            yield from self._rules(item)
        elif item.kind == GATEWAY:
            yield from ((problem, False) for problem in self._ngrok.problems(item))
            yield from ((problem, True) for problem in self._ngrok.ignored(item))
            yield from self._gateway(item)
        elif name := text(item.spec, "trafficPolicy", "targetRef", "name"):  # of an endpoint
            yield from self._policy(item, name, "spec.trafficPolicy.targetRef.name", "the endpoint waits for it")

    # --- routes and their Gateways ---

    def _parents(self, number: int, route: Linked) -> Iterator[Told]:
        served: set[str] = set()
        known = True
        for index, parent in enumerate(route.spec.get("parentRefs") or ()):
            hosts: set[str] | None = None
            if (parent.get("kind") or "Gateway") == "Gateway" and parent.get("group") in (None, _GATEWAY_GROUP):
                hosts = yield from self._parent(number, route, parent, f"spec.parentRefs[{index}]")
            known = known and hosts is not None
            served |= hosts or set()
        if known and served:
            yield from self._ignored_hosts(route, served)

    def _parent(
        self, number: int, route: Linked, parent: Mapping[str, Any], path: str
    ) -> Generator[Told, None, set[str] | None]:
        """The hosts that a route is served for by a Gateway; None where that cannot be told."""
        where, name = place(route, parent.get("namespace") or route.namespace), parent["name"]
        if self._objects.is_missing(GATEWAY, where, name):
            yield self._missing(GATEWAY, where, name, f"{path}.name"), False
        gateways = self._objects.meant(GATEWAY, where, name)
        if not gateways:
            return None
        if route.kind[1] == "GRPCRoute" and all(self._ngrok.serves(gateway) for gateway in gateways):
            message = f"ngrok's operator, which serves {gateways[0].title}, does not read GRPCRoutes"
            yield Problem(message, path, "ngrok/route-kind", "an HTTPRoute for the path /package.Service/"), True
        outcomes = [attached(route, parent, gateway, self._objects, path) for gateway in gateways]
        problems = [outcome.problem for outcome in outcomes if outcome.problem]
        if len(problems) == len(gateways):
            yield problems[0], False
        served: set[str] = set()
        for gateway, outcome in zip(gateways, outcomes, strict=True):
            for listener in outcome.listeners:
                own = listener.get("hostname") or ""
                hosts = {common_host(own, host) for host in hostnames(route) or ("",)} - {""}
                served |= hosts
                if route.kind[1] == "HTTPRoute":
                    self.conflicts.add(number, route, gateway, listener, hosts)
        return served

    def _ignored_hosts(self, route: Linked, served: set[str]) -> Iterator[Told]:
        for index, host in enumerate(hostnames(route)):
            if not any(common_host(host, other) for other in served):
                message = f"{host!r} is a host of none of the route's listeners, and is ignored"
                hint = "remove it, or add a listener for it"
                yield Problem(message, f"spec.hostnames[{index}]", "reference/hostname", hint), True

    # --- what rules refer to ---

    def _rules(self, route: Linked) -> Iterator[Told]:
        for index, rule in enumerate(route.spec.get("rules") or ()):
            yield from self._filters(route, rule, index, "")
            for number, backend in enumerate(rule.get("backendRefs") or ()):
                yield from self._backend(route, backend, f"spec.rules[{index}].backendRefs[{number}]")
                yield from self._filters(route, backend, index, f".backendRefs[{number}]")

    def _filters(self, route: Linked, holder: Mapping[str, Any], rule: int, above: str) -> Iterator[Told]:
        for number, item in enumerate(holder.get("filters") or ()):
            path = f"spec.rules[{rule}]{above}.filters[{number}]"
            if mirrored := item.get("requestMirror"):
                yield from self._backend(route, mirrored["backendRef"], f"{path}.requestMirror.backendRef")
            referred = item.get("extensionRef")
            if referred and referred["kind"] == POLICY[1] and referred["group"] in (POLICY[0], ""):
                why = "ngrok's operator serves the route without it"
                yield from self._policy(route, referred["name"], f"{path}.extensionRef.name", why)

    def _backend(self, route: Linked, backend: Mapping[str, Any], path: str) -> Iterator[Told]:
        if (backend.get("group") or "", backend.get("kind") or "Service") != SERVICE:
            return
        namespace, name = backend.get("namespace") or route.namespace, backend["name"]
        where = place(route, namespace)
        if self._objects.is_missing(SERVICE, where, name):
            yield self._missing(SERVICE, where, name, f"{path}.name"), False
        services = self._objects.meant(SERVICE, where, name)
        port = backend["port"]
        known = [_ports(service) for service in services]
        if known and all(ports is not None and port not in ports for ports in known):
            there = ", ".join(map(str, known[0] or ()))
            message = f"{services[0].title} has no port {port}"
            yield Problem(message, f"{path}.port", "reference/service-port", f"its ports: {there}"), False
        if namespace != route.namespace and not _is_mesh(route):
            yield from self._grant(route, SERVICE, namespace, name, f"{path}.namespace", there=bool(services))

    def _grant(
        self, item: Linked, kind: Kind, namespace: str | None, name: str, path: str, *, there: bool = False
    ) -> Iterator[Told]:
        """A reference into another namespace, which needs leave of that one.

        A grant belongs to what it is about: where that is in the input, the grant would be.
        """
        if namespace is None or item.namespace is None or not (there or self._objects.knows(GRANT, namespace)):
            return
        who = (*item.kind, item.namespace, *kind)
        if any(self._granted.get(one, set()) & {(*who, ""), (*who, name)} for one in (namespace, None)):
            return
        message = (
            f"{kind[1]} {namespace}/{name} is of another namespace, and no ReferenceGrant there lets "
            f"{item.kind[1]}s of namespace {item.namespace!r} refer to it"
        )
        hint = (
            f"a ReferenceGrant in namespace {namespace}: from: [{{group: {item.kind[0]}, kind: {item.kind[1]}, "
            f"namespace: {item.namespace}}}], to: [{{group: {kind[0]!r}, kind: {kind[1]}}}]"
        )
        yield Problem(message, path, "reference/grant", hint), False

    def _gateway(self, gateway: Linked) -> Iterator[Told]:
        for path, listener in items(gateway.spec, "spec", "listeners"):
            for below_tls, reference in items(listener, path, "tls", "certificateRefs"):
                if namespace := text(reference, "namespace"):
                    kind = (str(reference.get("group", "")), str(reference.get("kind", "Secret")))
                    if namespace != gateway.namespace:
                        yield from self._grant(
                            gateway, kind, namespace, text(reference, "name"), f"{below_tls}.namespace"
                        )
        for key in _ANNOTATIONS:
            if key in gateway.annotations:
                name = gateway.annotations[key]
                path = below("metadata.annotations", key)
                if not name:
                    message = "is empty: ngrok's operator then skips every route of the Gateway"
                    yield Problem(message, path, "ngrok/annotation", "name a policy, or remove it"), False
                else:
                    why = "ngrok's operator serves nothing of the Gateway without it"
                    yield from self._policy(gateway, str(name), path, why)
                return  # the second is read only where the first is absent

    def _policy(self, item: Linked, name: str, path: str, why: str) -> Iterator[Told]:
        where = place(item, item.namespace)
        if self._objects.is_missing(POLICY, where, name):
            problem = self._missing(POLICY, where, name, path)
            yield Problem(f"{problem.message}; {why}", path, problem.code, problem.hint), False

    def _missing(self, kind: Kind, where: Place, name: str, path: str) -> Problem:
        shown = f"{where}/{name}" if isinstance(where, str) else name
        code = {GATEWAY: "gateway", SERVICE: "service", POLICY: "policy"}[kind]
        hint = self._objects.near(kind, where, name)
        return Problem(f"there is no {kind[1]} {shown}", path, f"reference/{code}", hint)


def _is_mesh(route: Linked) -> bool:
    """Whether it routes what its own pods send to a Service (GAMMA), which needs no leave of the Service."""
    parents = route.spec.get("parentRefs") or ()
    return bool(parents) and all(parent.get("kind") == SERVICE[1] for parent in parents)


def _ports(service: Linked) -> list[int] | None:
    """The ports of a Service; None where they cannot be told."""
    if get(service.spec, "type") == "ExternalName":
        return None
    return [port for _, item in items(service.spec, "", "ports") if isinstance(port := item.get("port"), int)]


def _granted(grant: Linked) -> Iterator[tuple[Any, ...]]:
    """Who may refer to what: group, kind and namespace, group, kind and name (empty for all)."""
    for _, who in items(grant.spec, "", "from"):
        for _, to in items(grant.spec, "", "to"):
            places = (who.get("group"), who.get("kind"), who.get("namespace"), to.get("group"), to.get("kind"))
            yield (*places, to.get("name") or "")
