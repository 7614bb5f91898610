"""What is generated, and what is made of it by one change anywhere: the API server and `validate` say the same.

Each object is sent as a server-side dry run with strict fields. Where the two may differ, it stands in `STRICTER`, with
the reason; nothing that the server refuses may be valid here.
"""

from __future__ import annotations

import copy
import os
import random
import re
from collections import Counter
from functools import cache

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from apiops_components import ApiGatewaySpec
from apiops_components.documents import Document
from apiops_components.errors import InvalidInput
from apiops_components.render.gateway import api_objects, gateway_objects
from apiops_components.sandbox.kube import Refused
from apiops_components.testing.strategies import api_specs
from apiops_components.validation import validate

pytestmark = pytest.mark.e2e

STRICTER = (
    # ngrok's definition takes any object, or none, for a policy: the model is the only gate (design decision 3).
    ("NgrokTrafficPolicy", r"spec.*", ".*"),
    # Nothing could have the name that is referred to; the definition limits its length alone.
    ("Gateway|HTTPRoute", r"spec\..*[nN]ame", "name/dns-subdomain"),
    # What is never reached is a mistake, though a server takes it.
    ("HTTPRoute", r"spec\.rules.*", "gateway/duplicate-route"),
)
"""Kind, path and code of what is refused here on purpose, and not by the server."""

ODD = [None, "", "x" * 300, -1, 0, 70000, True, [], {}, ["a"], {"a": "b"}, "a b", "/a//b", "A", "1h", "*", "1e3"]


def few_or_many():
    """500 on every run; 5,000 where asked for: half as they are rendered, and each of them changed twice."""
    return pytest.mark.parametrize(
        "count", [500, pytest.param(5000, marks=pytest.mark.long)], ids=lambda count: f"{count} objects"
    )


@cache
def objects(count):
    """Rendered Gateways, routes and policies, always the same ones."""
    found = []

    @settings(
        max_examples=4 * count,  # of those that are refused, there are none
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(api_specs(), min_size=1, max_size=1))
    def collect(apis):
        if len(found) >= count:
            return
        try:
            spec = ApiGatewaySpec(name="edge", namespace="default", host="api.example.com", apis=tuple(apis))
            found.extend(gateway_objects(spec))
            for api in spec.apis:
                found.extend(api_objects(spec, api, ingress_namespace="ngrok-operator"))
        except (ValueError, InvalidInput):  # cannot be said safely, which is another test's subject
            return

    collect()
    return found[:count]


def refusal(cluster, item):
    """What the server says against it; None where it takes it."""
    resource = cluster.resource(item["apiVersion"], item["kind"])
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    try:
        cluster.request("POST", resource.path("default"), item, query=query)
    except Refused as refused:
        if refused.status not in (400, 422):
            raise
        return str(refused)
    return None


def found(item):
    """What `validate` says against it."""
    (result,) = validate(Document(value=item, file="", index=0, lines={}))
    assert result.status != "skipped"
    return result.problems


@few_or_many()
def test_the_server_takes_what_is_rendered(full, count):
    cluster = full.cluster()
    items = objects(count // 2)
    kinds = Counter(item["kind"] for item in items)

    assert len(items) == count // 2
    assert set(kinds) == {"Gateway", "HTTPRoute", "NgrokTrafficPolicy"}
    assert [(item, said) for item in items if (said := refusal(cluster, item))] == []
    assert [(item, said) for item in items if (said := found(item))] == []


def places(value, path=()):
    """Every place inside an object that a change could be made at."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield (*path, index)
            yield from places(item, (*path, index))


def changed(item, dice):
    """The object with one change below its spec: a value gone, odd, twice, of a stranger, or a field too many."""
    item = copy.deepcopy(item)
    path = dice.choice([path for path in places(item) if path[0] == "spec"])
    *above, last = path
    holder = item
    for step in above:
        holder = holder[step]
    what = dice.randrange(5)
    if what == 0:
        del holder[last]
    elif what == 1 and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[last]))
    elif what == 2 and isinstance(holder, dict):
        holder["stranger"] = "x"
    elif what == 3 and isinstance(holder[last], str):
        holder[last] += dice.choice(["x", "/", " ", "." * 3, "A" * 260, "\u00fc"])
    else:
        holder[last] = dice.choice(ODD)
    return path, item


def is_stricter(kind, problem):
    return any(
        re.fullmatch(known, kind) and re.fullmatch(path, problem.path) and re.fullmatch(code, problem.code)
        for known, path, code in STRICTER
    )


@few_or_many()
def test_the_server_and_validate_agree_on_what_one_change_makes(full, count):
    cluster = full.cluster()
    dice = random.Random(int(os.environ.get("APIOPS_SEED", "1")))  # noqa: S311
    bases = [item for item in objects(count // 2) if item["kind"] != "NgrokTrafficPolicy" or dice.random() < 0.2]
    wrong, told = [], Counter()
    for number in range(count):
        path, item = changed(bases[number % len(bases)], dice)
        said, problems = refusal(cluster, item), found(item)
        told[bool(said)] += 1
        if said and not problems:
            wrong.append(("refused by the server alone", path, said, item))
        elif problems and not said and not all(is_stricter(item["kind"], problem) for problem in problems):
            wrong.append(("refused here alone", path, [str(problem) for problem in problems], item))

    for each in wrong[:20]:
        print(*each, sep="\n    ")  # noqa: T201
    assert len(wrong) == 0
    assert min(told[True], told[False]) > count / 20  # both happen, often
