from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiops_components.semantics.lines import answer_line, outcome_text
from apiops_components.semantics.outcome import Action, Outcome, Received, Target, diverges
from apiops_components.semantics.request import Response
from apiops_components.semantics.resources import Resources
from apiops_components.semantics.simulation import Simulation

sys.path.insert(0, str(Path(__file__).parent))
from semantics_objects import gateway, route, rule

# --- text ----------------------------------------------------------------------------------------------------------

TEXT = st.text(max_size=5)
HEADERS = st.dictionaries(TEXT, st.lists(TEXT, min_size=1, max_size=2).map(tuple), max_size=2)
RECEIVED = st.builds(Received, TEXT, TEXT, TEXT, TEXT, HEADERS)
RESPONSES = st.builds(Response, st.integers(200, 599), HEADERS)
TARGETS = st.builds(
    Target,
    TEXT,
    TEXT,
    st.none() | st.integers(1, 65535),
    st.integers(0, 10**6),
    st.floats(0, 1),
    st.none() | st.just(500),
    st.none() | RECEIVED,
    st.none() | RESPONSES,
)
ACTIONS = st.builds(Action, st.none() | TEXT, st.none() | TEXT, st.none() | st.integers(0, 15), TEXT, TEXT)
OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(["forwarded", "responded", "no-route", "no-backend", "closed"]),
    st.none() | st.integers(200, 599),
    st.none() | TEXT,
    st.none() | TEXT,
    st.none() | TEXT,
    st.none() | st.integers(0, 15),
    st.lists(TARGETS, max_size=3).map(tuple),
    st.none() | RECEIVED,
    st.lists(ACTIONS, max_size=2).map(tuple),
    st.none() | RESPONSES,
)


@given(OUTCOMES)
def test_the_text_of_an_outcome_is_its_json(outcome):
    assert outcome_text(outcome) == json.dumps(outcome.json())


@given(st.text(max_size=5) | st.integers())
def test_a_line_has_the_id_it_was_given(name):
    simulation = Simulation(Resources.of([gateway(), route("a", rule("/"))]), ["spec"])
    text, answered = answer_line(simulation, json.dumps({"id": name, "url": "http://a/"}).encode(), 1)

    assert answered
    assert text == json.dumps(json.loads(text))
    assert json.loads(text)["id"] == name


# --- difference ----------------------------------------------------------------------------------------------------

SENT = Received("GET", "a", "/", "", {"x": ("1",)})
ONE = Target("shop", "a", 80)
FORWARDED = Outcome("forwarded", None, "shop/edge", "http", "shop/a", 0, (ONE,), SENT, (), Response())
HALVES = (Target("shop", "a", 80, 1, 0.5), Target("shop", "b", 80, 1, 0.5))
LOST = Target("shop", "c", 80, 1, 0.5, 500)


@pytest.mark.parametrize(
    "other",
    [
        FORWARDED,
        FORWARDED._replace(gateway="shop/other", listener="other", route="shop/b", rule=1),
        FORWARDED._replace(actions=(Action(None, None, 0, "RequestMirror", "copied"),)),
        FORWARDED._replace(targets=(ONE._replace(weight=7),)),
        FORWARDED._replace(targets=(HALVES[0], HALVES[0])),
        FORWARDED._replace(targets=(ONE, Target("shop", "b", 80, 0, 0.0))),
        FORWARDED._replace(request=SENT._replace(headers={"x": ("1",)})),
    ],
)
def test_how_it_came_about_is_no_difference(other):
    assert not diverges(FORWARDED, other)
    assert not diverges(other, FORWARDED)


@pytest.mark.parametrize(
    "other",
    [
        Outcome("no-route", 404),
        FORWARDED._replace(targets=HALVES),
        FORWARDED._replace(targets=(ONE._replace(port=81),)),
        FORWARDED._replace(targets=(ONE._replace(request=SENT),)),
        FORWARDED._replace(request=SENT._replace(path="/b")),
        FORWARDED._replace(request=SENT._replace(headers={"x": ("2",)})),
        FORWARDED._replace(response=Response(201)),
        FORWARDED._replace(response=Response(200, {"x": ("1",)})),
    ],
)
def test_what_client_or_backend_see_is_one(other):
    assert diverges(FORWARDED, other)
    assert diverges(other, FORWARDED)


def test_references_that_lead_nowhere_are_alike():
    one, other = FORWARDED._replace(targets=(HALVES[0], LOST)), FORWARDED._replace(targets=(LOST, HALVES[0]))

    assert not diverges(one, other)
    assert not diverges(one, FORWARDED._replace(targets=(HALVES[0], LOST._replace(name="d"))))
    assert diverges(one, FORWARDED._replace(targets=(HALVES[0], LOST._replace(status=None))))
