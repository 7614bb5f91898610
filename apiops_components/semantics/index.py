"""Finds, among any number of matches, the one that takes a request, without trying them all.

Hosts, exact paths and prefixes are looked up in dictionaries: the exact host first, then wildcards from the longest to
the shortest, then what is for every host; below a host the exact path, then each prefix that the path has, from the
longest to the shortest, then the regular expressions that share its beginning. What is found there is in order of
precedence, so the first that holds is the answer; where that are many, those whose header or parameter has another
value are left out by one more look-up.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from apiops_components.models.match import HeaderMatch, Match, QueryMatch
from apiops_components.semantics.pattern import matcher, start_of
from apiops_components.semantics.request import Request

__all__ = ["Entry", "Hosts", "Paths", "entry_of", "wildcards"]

Value = TypeVar("Value")

Test = tuple[str, str | Callable[[str], Any]]
"""A name, and the value or the test of it."""


class Entry(NamedTuple):
    """One match, compiled, and where it leads; small ones go first."""

    rank: tuple[Any, ...]
    """Among matches of the same host and path; no two are alike."""
    method: str | None
    """Any where None."""
    headers: Sequence[Test]
    """All must hold."""
    parameters: Sequence[Test]
    """All must hold."""
    value: Any
    """Where it leads."""

    def holds(self, request: Request) -> bool:
        """Whether method, headers and parameters are those of the request."""
        if self.method is not None and self.method != request.method:
            return False
        for name, expected in self.headers:
            found = request.header(name) if name != "host" else request.host
            if found is None or not (found == expected if isinstance(expected, str) else expected(found)):
                return False
        for name, expected in self.parameters:
            values = request.parameters.get(name)
            if values is None:
                return False
            # The first of several: what the specification recommends.
            if not (values[0] == expected if isinstance(expected, str) else expected(values[0])):
                return False
        return True


def entry_of(match: Match, rank: tuple[Any, ...], value: Any) -> Entry:
    """A match compiled; ``rank`` is what decides behind method and the numbers of headers and parameters.

    Raises:
        ValueError: A regular expression is none.
    """
    if match.path.type == "RegularExpression":
        matcher(match.path.value)
    return Entry(
        (match.method is None, -len(match.headers), -len(match.query_params), *rank),
        match.method,
        tuple((item.name.lower(), _value(item)) for item in match.headers),
        tuple((item.name, _value(item)) for item in match.query_params),
        value,
    )


def _value(item: HeaderMatch | QueryMatch) -> str | Callable[[str], Any]:
    return item.value if item.type == "Exact" else matcher(item.value)


_FEW = 8
"""Entries that are tried sooner than looked up."""

_Condition = tuple[bool, str, str]
"""Of a header or a parameter: its name and value."""


class _Bucket:
    """The matches of one path, in order."""

    __slots__ = ("_by_condition", "_others")

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._others = sorted(entries, key=_rank)
        self._by_condition: dict[_Condition, list[Entry]] = {}
        if len(self._others) > _FEW:
            count = Counter(condition for entry in self._others for condition in _conditions(entry))
            entries, self._others = self._others, []
            for entry in entries:
                rarest = min(_conditions(entry), key=count.__getitem__, default=None)
                place = self._others if rarest is None else self._by_condition.setdefault(rarest, [])
                place.append(entry)

    def find(self, request: Request) -> Entry | None:
        """The first that holds."""
        for entry in self._candidates(request) if self._by_condition else self._others:
            if entry.holds(request):
                return entry
        return None

    def _candidates(self, request: Request) -> Iterable[Entry]:
        sent = [(True, name, request.header(name) or "") for name in request.headers]
        sent += [(False, name, values[0]) for name, values in request.parameters.items()]
        sent.append((True, "host", request.host))
        found = [entries for condition in sent if (entries := self._by_condition.get(condition))]
        return heapq.merge(self._others, *found, key=_rank)


def _rank(entry: Entry) -> tuple[Any, ...]:
    return entry.rank


def _conditions(entry: Entry) -> list[_Condition]:
    tests = [(True, *test) for test in entry.headers] + [(False, *test) for test in entry.parameters]
    return [(header, name, value) for header, name, value in tests if isinstance(value, str)]


class Paths:
    """The matches of one host."""

    __slots__ = ("_exact", "_longest", "_patterns", "_prefixes")

    def __init__(self, matches: Iterable[tuple[Match, Entry]]) -> None:
        exact: dict[str, list[Entry]] = defaultdict(list)
        prefixes: dict[str, list[Entry]] = defaultdict(list)
        self._patterns: dict[str, list[tuple[tuple[Any, ...], Callable[[str], Any], Entry]]] = {}
        for match, entry in matches:
            value = match.path.value
            if match.path.type == "Exact":
                exact[value].append(entry)
            elif match.path.type == "PathPrefix":
                prefixes[value.rstrip("/")].append(entry)
            else:
                rank = (-len(value), *entry.rank)
                self._patterns.setdefault(start_of(value), []).append((rank, matcher(value), entry))
        self._exact = {path: _Bucket(entries) for path, entries in exact.items()}
        self._prefixes = {path: _Bucket(entries) for path, entries in prefixes.items()}
        self._longest = max((len(path) for path in (*self._prefixes, *self._patterns)), default=0)

    def find(self, request: Request) -> Entry | None:
        """The match that takes the request."""
        path = request.path
        bucket = self._exact.get(path)
        if bucket is not None and (entry := bucket.find(request)) is not None:
            return entry
        if self._prefixes:
            for start in _starts(path, self._longest):
                bucket = self._prefixes.get(start)
                if bucket is not None and (entry := bucket.find(request)) is not None:
                    return entry
        return self._find_pattern(request) if self._patterns else None

    def _find_pattern(self, request: Request) -> Entry | None:
        path = request.path
        found = [item for start in _starts(path, self._longest) for item in self._patterns.get(start, ())]
        found.sort(key=lambda item: item[0])
        for _, matches, entry in found:
            if entry.holds(request) and matches(path):
                return entry
        return None


def _starts(path: str, longest: int) -> Iterator[str]:
    """What of the path could be a prefix: whole segments, from the longest to none."""
    if len(path) <= longest:
        yield path
        cut = len(path)
    else:
        cut = longest + 1
    while (cut := path.rfind("/", 0, cut)) >= 0:
        yield path[:cut]


def wildcards(host: str) -> Iterator[str]:
    """The wildcards that a host matches, the longest first: any number of labels stands for the star."""
    cut = host.find(".")
    while cut >= 0:
        yield f"*{host[cut:]}"
        cut = host.find(".", cut + 1)


class Hosts(Generic[Value]):
    """Something for each host name, wildcard, or every host ("")."""

    __slots__ = ("_by_name", "_every", "_has_wildcards")

    def __init__(self, by_name: dict[str, Value]) -> None:
        self._by_name = by_name
        self._every = by_name.get("")
        self._has_wildcards = any(name.startswith("*") for name in by_name)

    def of(self, host: str) -> Iterator[Value]:
        """What is there for a host, the most specific first."""
        by_name = self._by_name
        if (found := by_name.get(host)) is not None:
            yield found
        if self._has_wildcards:
            for name in wildcards(host):
                if (found := by_name.get(name)) is not None:
                    yield found
        if self._every is not None:
            yield self._every
