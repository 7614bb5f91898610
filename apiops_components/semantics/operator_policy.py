"""The policy of one endpoint, as ngrok's operator writes it: rules in order, found without trying them all.

As seen in the operator's own translation (facts: ngrok §5), a rule asks for

- the path: equal, or beginning with the value; a regular expression is taken for such a beginning,
- each header (several values joined by commas) under the name as it is written; names of a request are in lower case,
  so one with a capital is never there,
- each query parameter, in the same way, and the method.

Where a rule rewrites the URL, or changes headers while it matches on some, all rules of the endpoint match on the
request as it was at first; otherwise on what the rules before have made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from apiops_components.models.match import HeaderMatch, Match, QueryMatch
from apiops_components.semantics.operator_expression import RefusedError, condition, searcher, text_of
from apiops_components.semantics.operator_rules import OperatorRule
from apiops_components.semantics.outcome import Action
from apiops_components.semantics.request import Request

__all__ = ["Entry", "Policy"]

Test = tuple[str, str | Callable[[str], bool]]
"""A name, and the value or the test of it."""


class Entry(NamedTuple):
    """One rule, compiled."""

    place: int
    """In the order of the policy."""
    plain: bool
    """Whether the path alone decides."""
    direct: bool
    """Whether all that it does is to pass the request on to a backend."""
    method: str | None
    """Any where None."""
    headers: Sequence[Test]
    """All must hold."""
    parameters: Sequence[Test]
    """All must hold."""
    code: Sequence[Callable[[Request], bool]]
    """Expressions that a value has made code; all must hold."""
    rule: OperatorRule
    """Where it leads."""
    notes: tuple[Action, ...]
    """What is to be said of it."""

    def holds(self, request: Request) -> bool:
        """Whether all but the path is that of the request."""
        if self.method is not None and self.method != request.method:
            return False
        for name, expected in self.headers:
            found = request.header(name)
            if found is None or not (found == expected if isinstance(expected, str) else expected(found)):
                return False
        if self.parameters:
            parameters = request.parameters
            for name, expected in self.parameters:
                values = parameters.get(name)
                if values is None:
                    return False
                found = ",".join(values)
                if not (found == expected if isinstance(expected, str) else expected(found)):
                    return False
        return all(test(request) for test in self.code)


class Policy:
    """Rules in the operator's order.

    Args:
        rules: In any order; of those that are alike the first goes first.

    Attributes:
        rules: All of them, in order.
        captures: Whether they match on the request as it was at first.
        answering: Whether one of them acts on answers.
        refused: Why ngrok refuses the policy; empty where it does not.

    Raises:
        InvalidInput: A value becomes code that cannot be simulated.
    """

    __slots__ = ("_anywhere", "_exact", "_prefixes", "answering", "captures", "refused", "rules")

    def __init__(self, rules: Iterable[OperatorRule]) -> None:
        self.rules = sorted(rules, key=lambda rule: rule.order)
        self.captures = any(rule.captures for rule in self.rules)
        self.answering = any(effects.answers for rule in self.rules for effects in (rule.effects, *rule.own))
        self._exact: dict[str, list[Entry]] = {}
        self._prefixes = (_Beginnings(), _Beginnings())
        self._anywhere: list[Entry] = []
        self.refused = ""
        notes = _by_chance(self.rules)
        for place, rule in enumerate(self.rules):
            if not (rule.targets or rule.effects.written):
                continue  # nothing of it is written
            try:
                self._add(rule.match, *_compiled(place, rule, notes.get(place, ())))
            except RefusedError as error:
                self.refused = str(error)

    def _add(self, match: Match, path: str | None, entry: Entry) -> None:
        if path is None:
            self._anywhere.append(entry)
        elif match.path.type == "Exact":
            self._exact.setdefault(path, []).append(entry)
        else:
            self._prefixes[match.path.type != "PathPrefix"].add(path, entry)

    def entries(self, path: str) -> Iterator[Entry]:
        """The rules whose path is that of the request, in order."""
        if self._anywhere:
            yield from sorted([*self._anywhere, *self._regular(path)], key=lambda entry: entry.place)
            return
        # The same as below, without another generator in between: this is where the time goes.
        if (found := self._exact.get(path)) is not None:
            yield from found
        for prefixes in self._prefixes:
            by_path, size = prefixes.by_path, len(path)
            for length in prefixes.lengths:
                if length <= size and (found := by_path.get(path[:length])) is not None:
                    yield from found

    def _regular(self, path: str) -> Iterator[Entry]:
        yield from self._exact.get(path, ())
        for prefixes in self._prefixes:
            for length in prefixes.lengths:
                if length <= len(path):
                    yield from prefixes.by_path.get(path[:length], ())


class _Beginnings:
    """Entries by what a path begins with."""

    __slots__ = ("by_path", "lengths")

    def __init__(self) -> None:
        self.by_path: dict[str, list[Entry]] = {}
        self.lengths: list[int] = []

    def add(self, path: str, entry: Entry) -> None:
        self.by_path.setdefault(path, []).append(entry)
        if len(path) not in self.lengths:
            self.lengths.append(len(path))
            self.lengths.sort(reverse=True)


def _by_chance(rules: Sequence[OperatorRule]) -> dict[int, tuple[Action, ...]]:
    """Notes at the place of rules that are alike, and of several routes: which goes first is random."""
    found: dict[int, tuple[Action, ...]] = {}
    for place, (rule, after) in enumerate(pairwise(rules)):
        if rule.order == after.order and rule.route != after.route:
            text = f"by chance: {after.route}, rule {after.number} matches the same and may go first"
            found[place] = (Action(None, None, rule.number, "HTTPRoute", text),)
    return found


def _compiled(place: int, rule: OperatorRule, notes: tuple[Action, ...]) -> tuple[str | None, Entry]:
    """What the path is or begins with, None for any, and the entry.

    Raises:
        RefusedError: ngrok refuses an expression or an action.
    """
    for effects in (rule.effects, *rule.own):
        if effects.refused:
            raise RefusedError(effects.refused)
    match = rule.match
    code: list[str] = []
    headers = _tests(match.headers, "req.headers", code)
    parameters = _tests(match.query_params, "req.url.query_params", code)
    path: str | None = match.path.value
    if text_of(match.path.value) != path:
        path = None
        code.insert(0, _of_path(match))
    plain = not (match.method or headers or parameters or code)
    tests = [condition(text) for text in code]
    direct = any(target.share for target in rule.targets) and not any(
        effects.steps for effects in (rule.effects, *rule.own)
    )
    return path, Entry(place, plain, direct, match.method, headers, parameters, tests, rule, (*notes, *rule.notes))


def _tests(items: Sequence[HeaderMatch | QueryMatch], of: str, code: list[str]) -> list[Test]:
    """The tests of headers or parameters; those that become code go there."""
    found: list[Test] = []
    for item in items:
        name, value = text_of(item.name), text_of(item.value)
        if name is None or value is None:
            tail = f" == '{item.value}'" if item.type == "Exact" else f".matches('{item.value}')"
            here = f"{of}['{item.name}'].join(',')"
            code.append(f"{of}.exists_one(x, x == '{item.name}') && {here}{tail}")
        else:
            found.append((name, value if item.type == "Exact" else searcher(value)))
    return found


def _of_path(match: Match) -> str:
    value = match.path.value
    return f"req.url.path == '{value}'" if match.path.type == "Exact" else f"req.url.path.startsWith('{value}')"
