"""What an endpoint that ngrok's operator made does with a request.

As seen in the operator's own translation (facts: ngrok §5):

- A rule that holds applies its filters, one after the other. With a backend it takes the request; without one, the
  search goes on behind it, with the request as the filters left it. In the end stands a 404.
- An endpoint is an agent's where it has a Service that no other host uses (and the Gateway does not ask for
  ``endpoints-verbose``), otherwise a cloud endpoint. In an agent's policy, in one that captures the request, and with
  weights, rules on answers ask for variables of the request phase, which are not there: they do nothing. Elsewhere
  those of *every* rule that holds act, not only of the one that took the request.
- Hosts that share what was read of the Gateway's own policy leak: the one that is written second has the rules of the
  first, and its 404, before its own. So after a cloud endpoint nothing of its own is reached. Which is second is
  random; here it is the order of `Host.order`.
- If all of several weights are 0, ``rand.int(0,-1)`` is asked for; here that is 500.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from apiops_components.semantics.operator_filters import Step
from apiops_components.semantics.operator_policy import Entry, Policy
from apiops_components.semantics.operator_rules import OperatorRule
from apiops_components.semantics.outcome import Action, Outcome, Received
from apiops_components.semantics.request import Request, Response

__all__ = ["Endpoint", "Stage"]

Service = tuple[str, str, int | None]
"""Namespace, name and port."""


class Stage(NamedTuple):
    """The rules of one host."""

    policy: Policy
    """In order."""
    local: Service | None
    """The Service of the agent whose endpoint this is; None for a cloud endpoint."""


class Endpoint:
    """Answers requests that reach one endpoint.

    Args:
        gateway: ``namespace/name``.
        listener: The listener that it was made for.
        stages: Its rules, behind those that leaked into its policy.
        notes: What is to be said of it, whatever the request.
        mixed: Services that are reached over HTTP and over HTTPS.
    """

    __slots__ = ("_answering", "_direct", "_mixed", "_notes", "_stages", "gateway", "listener")

    def __init__(
        self,
        gateway: str,
        listener: str,
        stages: Sequence[Stage],
        notes: tuple[Action, ...] = (),
        mixed: frozenset[Service] = frozenset(),
    ) -> None:
        self.gateway, self.listener = gateway, listener
        self._stages, self._notes, self._mixed = stages, notes, mixed
        self._answering = [
            stage.policy
            for stage in stages
            if stage.local is None and stage.policy.answering and not stage.policy.captures
        ]
        self._direct = stages[0].policy if len(stages) == 1 and not (self._answering or mixed) else None

    def answer(self, request: Request) -> Outcome:
        """What happens to a request."""
        if self._direct is not None:
            for entry in self._direct.entries(request.path):
                if entry.plain or entry.holds(request):
                    if not entry.direct:
                        break
                    rule = entry.rule
                    sent = Received(request.method, request.host, request.path, request.query, request.headers)
                    notes = self._notes + entry.notes if entry.notes else self._notes
                    place = (self.gateway, self.listener, rule.route, rule.number)
                    return Outcome("forwarded", None, *place, rule.targets, sent, notes, request.response)
        return self._through(request)

    def _through(self, request: Request) -> Outcome:
        """The same where more happens than that a rule without filters takes the request."""
        notes = list(self._notes)
        for stage in self._stages:
            entry, passed = _taken(stage.policy, request, notes)
            if entry is None or isinstance(passed, Response):
                break
            if stage is self._stages[-1] or not _stays(entry.rule, stage.local):
                return self._forwarded(entry.rule, passed, notes)
            # It stays at this agent, whose policy goes on.
            passed = _passed(entry.rule.own[0].steps, passed)
            if isinstance(passed, Response):
                break
            request = passed
        rule = entry.rule if entry is not None else None
        if isinstance(passed, Response):
            return self._responded(rule, self._changed(passed, request), notes)
        answer = self._changed(_NOT_FOUND, passed)
        return Outcome("no-route", 404, self.gateway, self.listener, actions=tuple(notes), response=answer)

    def _forwarded(self, rule: OperatorRule, passed: Request, notes: list[Action]) -> Outcome:
        place = (self.gateway, self.listener, rule.route, rule.number)
        if not any(target.share for target in rule.targets):
            return Outcome("no-backend", 500, *place, actions=tuple(notes), response=self._changed(_FAILED, passed))
        if self._mixed:
            notes += (_BY_CHANCE for target in rule.targets if target[:3] in self._mixed)
        plain = self._changed(passed.response, passed)
        targets, sent = rule.targets, _received(passed)
        if any(own.steps for own in rule.own):
            found = [_passed(own.steps, passed) for own in rule.own]
            answers = [
                self._changed(each, passed) if isinstance(each, Response) else self._changed(passed.response, each)
                for each in found
            ]
            received = [None if isinstance(each, Response) else _received(each) for each in found]
            if len(found) == 1 and received[0] is None:
                return self._responded(rule, answers[0], notes)
            if len(found) == 1 and received[0] is not None:
                plain, sent = answers[0], received[0]
            else:
                targets = tuple(
                    target._replace(
                        request=each if each != sent else None,
                        response=answer if answer != plain else None,
                    )
                    for target, each, answer in zip(targets, received, answers, strict=True)
                )
        return Outcome("forwarded", None, *place, targets, sent, tuple(notes), plain)

    def _responded(self, rule: OperatorRule | None, response: Response, notes: list[Action]) -> Outcome:
        route, number = (rule.route, rule.number) if rule is not None else (None, None)
        return Outcome(
            *("responded", response.status, self.gateway, self.listener, route, number),
            actions=tuple(notes),
            response=response,
        )

    def _changed(self, response: Response, request: Request) -> Response:
        """The answer behind the rules on answers."""
        if not self._answering:
            return response
        headers = response.headers
        for policy in self._answering:
            for entry in policy.entries(request.path):
                if entry.plain or entry.holds(request):
                    own = entry.rule.own[0].answers if len(entry.rule.own) == 1 else ()
                    for change in (*entry.rule.effects.answers, *own):
                        headers = change(headers, request)
        return Response(response.status, headers)


_NOT_FOUND, _FAILED = Response(404), Response(500)
_BY_CHANCE = Action(
    *(None, None, None, "forward-internal"),
    "by chance: the Service is reached over HTTP and HTTPS, but has one internal endpoint, for one of the two",
)


def _taken(policy: Policy, request: Request, notes: list[Action]) -> tuple[Entry | None, Request | Response]:
    """The rule that takes the request, or answers it, and what was made of the request before."""
    passed = request
    for entry in policy.entries(request.path):
        if entry.plain or entry.holds(request if policy.captures else passed):
            rule = entry.rule
            notes += entry.notes
            found = _passed(rule.effects.steps, passed)
            if rule.targets or isinstance(found, Response):
                return entry, found
            passed = found
    return None, passed


def _passed(steps: Sequence[Step], request: Request) -> Request | Response:
    for step in steps:
        found = step(request)
        if isinstance(found, Response):
            return found
        request = found
    return request


def _stays(rule: OperatorRule, local: Service | None) -> bool:
    """Whether a request that the rule takes is at its Service already, so that rules behind still act on it."""
    return local is not None and all(target[:3] == local for target in rule.targets if target.share)


def _received(request: Request) -> Received:
    return Received(request.method, request.host, request.path, request.query, request.headers)
