"""What happens to a request by the specification of the Gateway API (HTTPRoute of `versions.GATEWAY_API`).

Where it leaves a choice:

- A request is served by the most specific listener alone (listener isolation), over HTTPS too: the host is taken for
  the name that the TLS handshake asked for. Without such a listener an HTTPS connection fails (``closed``) and an HTTP
  request gets 404.
- A regular expression must match the whole path or value (see `pattern`). A path of that kind comes behind exact ones
  and prefixes, a longer expression before a shorter one.
- Of a query parameter that is there twice the first counts; values are compared percent-decoded. A header that is
  there twice is compared as one, joined by commas.
- A route whose ExtensionRef names a policy that does not exist answers 500: the filter must not be skipped. Policies
  are named in ``actions``, but not run.
- ListenerSets are not read: what attaches to one is not there.
- A backend that is no Service, or whose Service lacks that port, is invalid.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from apiops_components.errors import InvalidInput, Problem
from apiops_components.models.gateway import Listener
from apiops_components.models.match import Match
from apiops_components.models.route import HttpRoute
from apiops_components.semantics.attachment import attached, serving
from apiops_components.semantics.forwarding import Forwarding
from apiops_components.semantics.index import Entry, Hosts, Paths, entry_of
from apiops_components.semantics.outcome import Outcome
from apiops_components.semantics.request import Request, Response
from apiops_components.semantics.resources import Object, Resources

__all__ = ["Specification"]

_SECURE = {"HTTP": False, "HTTPS": True, "TLS": True}


class _Place(NamedTuple):
    """A listener, and what its routes match."""

    gateway: str
    listener: Listener
    hosts: Hosts[Paths]
    order: tuple[int, str]
    """Where several Gateways could take a request: the one with the longer host name first."""


class _Port:
    """The listeners of one port and kind of connection: of one Gateway, or of all."""

    __slots__ = ("gateways", "hosts")

    def __init__(self, places: Sequence[_Place]) -> None:
        by_host: dict[str, list[_Place]] = defaultdict(list)
        for place in sorted(places, key=lambda place: place.order):
            by_host[place.listener.hostname or ""].append(place)
        self.hosts = Hosts(dict(by_host))
        self.gateways = frozenset(place.gateway for place in places)

    def candidates(self, host: str) -> Iterator[_Place]:
        """The most specific listener of each Gateway."""
        seen: set[str] = set()
        for places in self.hosts.of(host):
            for place in places:
                if place.gateway not in seen:
                    seen.add(place.gateway)
                    yield place


class Specification:
    """The specification's reading of some manifests.

    Raises:
        InvalidInput: A regular expression is none.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        listeners = list(serving(resources))
        routes = attached(resources, listeners)
        self._entries: dict[str, list[tuple[Match, Entry]]] = {}
        self._problems: list[Problem] = []
        ports: dict[tuple[str, int, bool], list[_Place]] = defaultdict(list)
        shared: dict[tuple[str, ...], Hosts[Paths]] = {}
        for number, (gateway, listener) in enumerate(listeners):
            if listener.protocol not in _SECURE:
                continue
            here = routes.get(number, [])
            names = tuple(route.key for route in here)
            if names not in shared:  # listeners with the same routes share what is made of them
                shared[names] = self._hosts(here)
            hostname = listener.hostname or ""
            place = _Place(gateway.key, listener, shared[names], (-len(hostname), gateway.key))
            for key in (gateway.key, ""):
                ports[key, listener.port, _SECURE[listener.protocol]].append(place)
        if self._problems:
            raise InvalidInput(self._problems)
        self._ports = {key: _Port(places) for key, places in ports.items()}

    def answer(self, request: Request) -> Outcome:
        """What happens to a request."""
        port = self._ports.get((request.gateway or "", request.port, request.scheme == "https"))
        if port is None:
            return Outcome("closed", gateway=request.gateway)
        first: _Place | None = None
        for place in port.candidates(request.host):
            for paths in place.hosts.of(request.host):
                if (entry := paths.find(request)) is not None:
                    followed: Forwarding = entry.value
                    return followed.outcome(request, place.gateway, place.listener)
            first = first or place
        # No listener, or no route of one.
        gateway = first.gateway if first else next(iter(port.gateways)) if len(port.gateways) == 1 else None
        if first is None and request.scheme == "https":
            return Outcome("closed", gateway=gateway)
        name = None
        if first is not None:
            name = first.listener.name
            if first.listener.protocol == "TLS":
                return Outcome("closed", gateway=gateway, listener=name)
        return Outcome("no-route", 404, gateway, name, response=_NOT_FOUND)

    def _hosts(self, routes: Sequence[Object[HttpRoute]]) -> Hosts[Paths]:
        found: dict[str, list[tuple[Match, Entry]]] = defaultdict(list)
        for route in routes:
            entries = self._entries_of(route)
            for hostname in dict.fromkeys(route.spec.hostnames or ("",)):
                found[hostname] += entries
        return Hosts({hostname: Paths(matches) for hostname, matches in found.items()})

    def _entries_of(self, route: Object[HttpRoute]) -> list[tuple[Match, Entry]]:
        if route.key not in self._entries:
            entries = self._entries[route.key] = []
            for number, rule in enumerate(route.spec.rules):
                followed = Forwarding.of(self._resources, route, number)
                for position, match in enumerate(rule.matches or (Match(),)):
                    rank = (route.created, route.key, number, position)
                    try:
                        entries.append((match, entry_of(match, rank, followed)))
                    except ValueError as error:
                        self._problems.append(_not_a_pattern(str(error), route, number, position))
        return self._entries[route.key]


def _not_a_pattern(pattern: str, route: Object[HttpRoute], number: int, position: int) -> Problem:
    return Problem(
        f"{pattern!r} is not a regular expression in RE2's syntax",
        f"spec.rules[{number}].matches[{position}]",
        "gateway/regular-expression",
        "no look-around, no back-references",
        document=f"HTTPRoute {route.key}",
    )


_NOT_FOUND = Response(404)
