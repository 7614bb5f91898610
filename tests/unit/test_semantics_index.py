"""The index against a plain reading of the specification: every match of every route tried, the best one kept."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiops_components.semantics.index import wildcards
from apiops_components.semantics.pattern import matcher, start_of
from apiops_components.semantics.request import request_of
from apiops_components.semantics.resources import Resources
from apiops_components.semantics.specification import Specification

sys.path.insert(0, str(Path(__file__).parent))
from semantics_objects import gateway, match, route, rule

SEGMENTS = st.sampled_from(["a", "b", "ab", "a.b", "%20"])
PATHS = st.builds(
    lambda segments, end: "/" + "/".join(segments) + end,
    st.lists(SEGMENTS, min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
) | st.just("/")
PATTERNS = st.sampled_from(["/.*", "/a/[ab]+", "/a|/b", "/a/b?", "^/a/.*$", "/(a|b)/.*", "/ab*/a", "/a/b/a", "(?i)/A"])
HOSTS = st.sampled_from(["a.test", "b.a.test", "c.b.a.test", "c.a.test", "test", "a.other"])
NAMES = HOSTS | st.sampled_from(["*.test", "*.a.test", "*.b.a.test", "*.other"])
PAIRS = st.dictionaries(st.sampled_from(["x", "y", "X-Z"]), st.sampled_from(["1", "2"]), max_size=2)


def conditions(headers, parameters, method):
    found = {
        "headers": [{"name": n, "value": v} for n, v in headers.items()],
        "queryParams": [{"name": n, "value": v} for n, v in parameters.items()],
        "method": method,
    }
    return {key: value for key, value in found.items() if value}


METHODS = st.sampled_from([None, None, "GET", "PUT"])
CONDITIONS = st.builds(conditions, PAIRS, PAIRS, METHODS) | st.just({})
VALUES = st.one_of(PATHS, PATHS.map("={}".format), PATTERNS.map("~{}".format))
MATCHES = st.builds(lambda path, more: match(path, **more), VALUES, CONDITIONS)
RULES = st.lists(MATCHES, min_size=1, max_size=3, unique_by=repr).map(lambda found: rule(*found))
DATES = st.sampled_from([{}, {}, {"creationTimestamp": "2026-01-01T00:00:00Z"}])
DEFINED = st.lists(
    st.tuples(st.lists(RULES, min_size=1, max_size=3), st.lists(NAMES, max_size=3, unique=True), DATES), max_size=5
)
REQUESTS = st.builds(
    lambda host, path, method, headers, parameters: {
        "url": f"http://{host}{path}"
        + ("?" + "&".join(f"{n}={v}" for n, v in parameters.items()) if parameters else ""),
        "method": method or "POST",
        "headers": headers,
    },
    HOSTS,
    PATHS | st.sampled_from(["/abc", "//a", "/a//b", "/a/b/c/d/e"]),
    METHODS,
    PAIRS,
    PAIRS,
)


def routes(defined):
    """Without matches that an earlier rule of the route has already."""
    made = []
    for number, (rules, hosts, more) in enumerate(defined):
        seen, kept = [], []
        for each in rules:
            fresh = [one for one in each["matches"] if one not in seen]
            seen += fresh
            kept += [{**each, "matches": fresh}] if fresh else []
        made.append(route(f"r{number}", *kept, hosts=hosts, **more))
    return made


def expected(made, request):
    """Route and rule, by trying everything."""
    found = []
    for each in made:
        spec, metadata = each["spec"], each["metadata"]
        for host in spec["hostnames"] or [""]:
            wild = host.startswith("*")
            if host and not (request.host.endswith(host[1:]) if wild else request.host == host):
                continue
            for number, one in enumerate(spec["rules"]):
                for position, item in enumerate(one["matches"]):
                    rank = ranked(item, request)
                    if rank is not None:
                        exact = 0 if wild else len(host)
                        age = metadata.get("creationTimestamp", "none")
                        key = (-exact, -len(host), *rank, age, metadata["name"], number, position)
                        found.append((key, f"shop/{metadata['name']}", number))
    return min(found)[1:] if found else (None, None)


def ranked(item, request):
    path, value, kind = request.path, item["path"]["value"], item["path"]["type"]
    if kind == "Exact":
        taken, place = path == value, (0, 0)
    elif kind == "PathPrefix":
        parts = [part for part in value.split("/")[1:] if part]
        taken, place = path.split("/")[1 : len(parts) + 1] == parts, (1, -len(value.rstrip("/")))
    else:
        taken, place = re.fullmatch(value, path), (2, -len(value))
    headers, parameters, method = item.get("headers", ()), item.get("queryParams", ()), item.get("method")
    taken = taken and method in (None, request.method)
    taken = taken and all(request.header(each["name"].lower()) == each["value"] for each in headers)
    taken = taken and all(request.parameters.get(each["name"], "")[:1] == (each["value"],) for each in parameters)
    return (*place, method is None, -len(headers), -len(parameters)) if taken else None


@settings(max_examples=400)
@given(DEFINED, st.lists(REQUESTS, min_size=1, max_size=10))
def test_the_index_answers_as_a_plain_scan_does(defined, requests):
    made = routes(defined)
    specification = Specification(Resources.of([gateway(), *made]))
    turned = Specification(Resources.of([*reversed(made), gateway()]))
    for data in requests:
        request = request_of(data)
        found = specification.answer(request)
        assert (found.route, found.rule) == expected(made, request)
        assert turned.answer(request) == found


MANY = st.lists(
    st.builds(
        lambda path, headers, parameters, method: rule(match(path, **conditions(headers, parameters, method))),
        st.sampled_from(["/", "=/a"]),
        *(st.dictionaries(st.sampled_from(names), st.sampled_from("1234"), max_size=3) for names in ("xyz", "xy")),
        METHODS,
    ),
    min_size=9,
    max_size=40,
)


@given(MANY, st.lists(REQUESTS, min_size=1, max_size=10))
def test_many_matches_of_one_path_are_told_apart_by_their_conditions(rules, requests):
    made = [route(f"r{number}", each) for number, each in enumerate(rules)]
    specification = Specification(Resources.of([gateway(), *made]))
    for data in requests:
        request = request_of(data)
        found = specification.answer(request)
        assert (found.route, found.rule) == expected(made, request)


@given(DEFINED, REQUESTS)
def test_a_more_specific_host_wins(defined, data):
    """Whatever else is there, a route for the very host with a match for the very path takes the request."""
    request = request_of(data)
    request = request._replace(path=request.path.replace("//", "/"), method="GET")
    made = [*routes(defined), route("own", rule(match(f"={request.path}", method="GET")), hosts=[request.host])]
    made = [each for each in made if each["metadata"]["name"] == "own" or request.host not in each["spec"]["hostnames"]]
    found = Specification(Resources.of([gateway(), *made])).answer(request)

    assert found.route == "shop/own"


@given(PATTERNS | st.from_regex(r"[/a-c.*+?()|\[\]{}2^$-]{1,12}", fullmatch=True), PATHS)
def test_a_pattern_means_what_re2_makes_of_it(pattern, path):
    try:
        taken = matcher(pattern)(path)
    except ValueError:
        return
    whole = bool(_re2(pattern)(path))
    assert bool(taken) == whole
    if whole:
        start = start_of(pattern)
        assert path == start or path.startswith(f"{start}/")


def _re2(pattern):
    from cel_expr_python import cel  # noqa: PLC0415

    environment = cel.NewEnv(variables={"text": cel.Type.STRING, "pattern": cel.Type.STRING})
    whole = environment.compile("text.matches(pattern)")
    return lambda text: whole.eval(data={"text": text, "pattern": f"^(?:{pattern})$"}).value()


@pytest.mark.parametrize(
    ("pattern", "start"),
    [("/a/b/[0-9]+", "/a/b"), ("/a/b", "/a"), ("^/a/b*", "/a"), ("/a|/b", ""), (".*", ""), ("/a/.*", "/a")],
)
def test_what_a_pattern_begins_with(pattern, start):
    assert start_of(pattern) == start


def test_the_wildcards_of_a_host():
    assert list(wildcards("c.b.a.test")) == ["*.b.a.test", "*.a.test", "*.test"]
    assert list(wildcards("test")) == []
