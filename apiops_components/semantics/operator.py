"""What happens to a request by ngrok's operator as built (`versions.NGROK_OPERATOR`).

The facts are those of facts/ngrok.md §5 and what the operator's own translation of Gateways and HTTPRoutes was seen to
be; each module says which: `operator_hosts` what becomes an endpoint, `operator_rules` its rules and their order,
`operator_policy` what they ask for, `operator_filters` what they do, `operator_endpoint` how a request passes. What
ngrok's servers do with that was not run; it is as ngrok documents it.

- An endpoint answers for one scheme, port and host; an exact host before a wildcard, the longest first; a wildcard
  stands for any number of labels. Where there is none, the request is ``closed``.
- ngrok refuses a policy with an expression that is no CEL or an action that it does not take: no endpoint either.
- Policies are not run: `Outcome.actions` names those that would, with ``not-run``.
- What the operator leaves to chance is settled here by the order of names, and `Outcome.actions` has an entry whose
  result begins with ``by chance``: rules of several routes that match the same, endpoints of one name or one URL,
  rules that leak from one host into another's policy, one internal endpoint for HTTP and HTTPS.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from apiops_components.models.route import HttpRoute
from apiops_components.semantics.operator_endpoint import Endpoint, Service, Stage
from apiops_components.semantics.operator_hosts import POLICY, Host, Place, annotation, hosts, places
from apiops_components.semantics.operator_policy import Policy
from apiops_components.semantics.operator_rules import OperatorRule, rules_of
from apiops_components.semantics.outcome import Action, Outcome
from apiops_components.semantics.request import Request
from apiops_components.semantics.resources import Object, Resources

__all__ = ["Operator"]

Value = TypeVar("Value")


class Operator:
    """The operator's reading of some manifests.

    Raises:
        InvalidInput: A value of a route becomes code that reads more than can be known of a request.
    """

    def __init__(self, resources: Resources) -> None:
        made = _Endpoints(resources)
        self._endpoints: dict[tuple[str, str, int], _Names[Endpoint]] = defaultdict(_Names)
        for host, endpoint in made.found:
            for gateway in (host.gateway.key, ""):
                self._endpoints[gateway, host.protocol.lower(), host.port].add(host.name, endpoint)
        # What would take a request if there were an endpoint, so that the answer can tell why there is none.
        self._absent: dict[tuple[str, str, int], _Names[Outcome]] = defaultdict(_Names)
        for place, fault in places(resources):
            notes = made.absent.get(_key(place), ()) if fault is None else (fault,)
            closed = Outcome("closed", None, place.gateway.key, place.listener, actions=notes)
            for gateway in (place.gateway.key, ""):
                self._absent[gateway, place.protocol.lower(), place.port].add(place.name, closed)

    def answer(self, request: Request) -> Outcome:
        """What happens to a request."""
        key = (request.gateway or "", request.scheme, request.port)
        if (names := self._endpoints.get(key)) is not None and (endpoint := names.find(request.host)) is not None:
            return endpoint.answer(request)
        closed = names.find(request.host) if (names := self._absent.get(key)) is not None else None  # type: ignore[assignment]
        return closed or Outcome("closed", gateway=request.gateway)


class _Names(Generic[Value]):
    """Something for each host or wildcard; the first that is put there stays."""

    __slots__ = ("_by_name",)

    def __init__(self) -> None:
        self._by_name: dict[str, Value] = {}

    def add(self, name: str, value: Value) -> None:
        self._by_name.setdefault(name, value)

    def find(self, host: str) -> Value | None:
        by_name = self._by_name
        found = by_name.get(host)
        if found is None:
            cut = host.find(".")
            while found is None and cut >= 0:
                found = by_name.get(f"*{host[cut:]}")
                cut = host.find(".", cut + 1)
        return found


_PlaceKey = tuple[str, str, str, int]


def _key(place: Place) -> _PlaceKey:
    return place.gateway.key, place.name, place.protocol, place.port


class _Endpoints:
    """The endpoints of all hosts.

    Attributes:
        found: Hosts and their endpoints, those of the first Gateway first.
        absent: Why others have none.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._rules: dict[str, Sequence[OperatorRule]] = {}
        self._policies: dict[tuple[str, ...], Policy] = {}
        self.absent: dict[_PlaceKey, tuple[Action, ...]] = {}
        every = [(host, self._policy(host.routes)) for host in hosts(resources)]
        self._users: dict[Service, set[Host]] = defaultdict(set)
        for host, policy in every:
            for service in _services(policy):
                self._users[service].add(host)
        self.found = sorted(self._made(every), key=lambda item: item[0].gateway.key)

    def _policy(self, routes: Iterable[Object[HttpRoute]]) -> Policy:
        """Hosts with the same routes share what is made of them."""
        names = tuple(route.key for route in routes)
        if names not in self._policies:
            self._policies[names] = Policy(rule for route in routes for rule in self._rules_of(route))
        return self._policies[names]

    def _rules_of(self, route: Object[HttpRoute]) -> Sequence[OperatorRule]:
        if route.key not in self._rules:
            self._rules[route.key] = rules_of(self._resources, route)
        return self._rules[route.key]

    def _made(self, every: Sequence[tuple[Host, Policy]]) -> Iterable[tuple[Host, Endpoint]]:
        read: dict[tuple[str, int], list[tuple[Host, Stage]]] = defaultdict(list)
        clouds: dict[tuple[str, str], Host] = {}
        found: dict[Host, Endpoint] = {}
        by_url: dict[tuple[str, ...], list[Host]] = defaultdict(list)
        for host, policy in every:
            if host.policy is None and not policy.rules:
                self.absent[_key(host)] = (_note("HTTPRoute", "no rule has a filter or a backend that counts"),)
                continue
            stages = [(host, stage := Stage(policy, self._local(host, policy)))]
            if host.policy is not None:
                read[host.read].append((host, stage))
                stages = read[host.read]
            notes = [Action(host.policy, None, None, POLICY, "not-run")] if host.policy is not None else []
            if len(stages) > 1:
                first = stages[0][0]
                text = f"by chance: shared with listener {first.listener}, whose rules come first"
                notes.append(Action(host.policy, None, None, POLICY, text))
            if stage.local is None:
                name = _name(host)
                if (lost := clouds.get(name)) is not None:
                    found.pop(lost, None)
                    text = f"by chance: endpoint {name[1]} of listener {{}} has the same name, and one is lost"
                    self.absent[_key(lost)] = (_note("CloudEndpoint", text.format(host.listener)),)
                    notes.append(_note("CloudEndpoint", text.format(lost.listener)))
                clouds[name] = host
            if refused := next((each.policy.refused for _, each in stages if each.policy.refused), ""):
                self.absent[_key(host)] = (*notes, _note("endpoint", f"refused by ngrok: {refused}"))
                continue
            same = by_url[host.protocol, host.name, str(host.port)]
            notes += (_note("Gateway", f"by chance: {each.gateway.key} serves the same URL") for each in same)
            same.append(host)
            found[host] = Endpoint(
                host.gateway.key, host.listener, [each for _, each in stages], tuple(notes), self._mixed(host, policy)
            )
        return found.items()

    def _local(self, host: Host, policy: Policy) -> Service | None:
        """The last Service that no other host uses."""
        if annotation(host.gateway, "mapping-strategy") == "endpoints-verbose":
            return None
        return next((one for one in _services(policy) if len(self._users[one]) == 1), None)

    def _mixed(self, host: Host, policy: Policy) -> frozenset[Service]:
        return frozenset(
            one for one in _services(policy) if any(user.protocol != host.protocol for user in self._users[one])
        )


def _services(policy: Policy) -> Sequence[Service]:
    """Each once, the last one first."""
    return list(dict.fromkeys(one for rule in reversed(policy.rules) for one in reversed(rule.services)))


def _note(kind: str, result: str) -> Action:
    return Action(None, None, None, kind, result)


_LONGEST_NAME = 63


def _name(host: Host) -> tuple[str, str]:
    """Namespace and name of a cloud endpoint; neither protocol nor port is in it."""
    text = f"{host.gateway.name}.{host.gateway.namespace}-{host.name}".replace("*", "wildcard").lower()
    text = re.sub(r"^[^a-z0-9]+|[^a-z0-9]+$", "", re.sub(r"[^a-z0-9.-]+", "-", text))
    if len(text) > _LONGEST_NAME:
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        text = f"{text[: _LONGEST_NAME - len(digest) - 1]}-{digest}"
    return host.gateway.namespace, text
