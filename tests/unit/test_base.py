from __future__ import annotations

import copy
import math
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from apiops_components.errors import problems_of
from apiops_components.models import base
from apiops_components.models.base import (
    CheckedModel,
    KubernetesChecked,
    KubernetesModel,
    Model,
    duration_seconds,
    fault,
    raise_faults,
)


def accepts(kind: Any, value: Any) -> bool:
    try:
        taken = TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return taken == value


TAKEN_AND_REFUSED = [
    ("DnsLabel", ["a", "0", "a-b", "a1", "a" * 63], ["", "A", "-a", "a-", "a.b", "a_b", "a" * 64, "a\n", "ä", " a", 1]),
    (
        "DnsSubdomain",
        ["a", "a.b", "0.a-b.c", "a" * 253, ".".join("a" * 63 for _ in range(3))],
        ["", ".", "a.", ".a", "a..b", "A", "a_b", "a." * 127, "a\n", "a.b\n"],
    ),
    (
        "Host",
        ["a", "a.b", "*.a", "*.a.b", "1a.b"],
        ["", "*", "*.", "a.*.b", "*a", "A", "1.2.3.4", "::1", "a:80", "a b", "a.b\n"],
    ),
    ("ExactHost", ["a", "a.b"], ["*.a", "A", "1.2.3.4"]),
    (
        "HeaderName",
        ["x", "X-A", "!#$%&'*+-.^_`|~09", "x" * 256],
        ["", "a b", "a:", "ä", "x" * 257, "a\n", "(a)", "a/b"],
    ),
    ("SecretName", ["a", "ngrok-api-key"], ["", "A", "a.b", "a:b", "a_b", "-a"]),
    ("ApiGroup", ["", "a.b", "gateway.networking.k8s.io"], ["A", "a_b", ".", "a/b"]),
    ("Kind", ["A", "a", "HTTPRoute", "A-b1", "K" * 63], ["", "1a", "a b", "-a", "a-", "K" * 64, "a\n"]),
    ("Port", [1, 80, 65535], [0, -1, 65536, "80", True, 80.5, None]),
    ("Bool", [True, False], ["true", 1, 0, None, "yes"]),
    ("Integer", [0, -1, 2.0, 10**30], ["1", True, False, 1.5, None, [], math.inf, math.nan]),
    ("Text", ["a", " "], ["", None, 1, ["a"]]),
    ("Reason", ["x" * 10, "x" * 500], ["x" * 9, "", "x" * 501]),
    (
        "Cidr",
        ["10.0.0.0/8", "0.0.0.0/0", "1.2.3.4/32", "::/0", "fd00::/8"],
        ["10.0.0.0", "10.0.0.1/8", "a/8", "10.0.0.0/33", "/8", ""],
    ),
    (
        "Duration",
        ["90s", "10m", "1h30m", "1.5h", "100ms", "0s", "1us1ns"],
        ["", "90", "s", "1d", "-1s", "1 s", "1s ", "1h30", "+1s"],
    ),
]
CASES = [
    (name, value, expected)
    for name, taken, refused in TAKEN_AND_REFUSED
    for expected, values in ((True, taken), (False, refused))
    for value in values
]


@pytest.mark.parametrize(("name", "value", "expected"), CASES)
def test_field_types_take_what_kubernetes_and_http_take(name, value, expected):
    assert accepts(getattr(base, name), value) is expected


def test_whole_numbers_written_as_floats_are_integers():
    taken = TypeAdapter(base.Integer).validate_python(2.0)
    assert (taken, type(taken)) == (2, int)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("100ms", 0.1),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        ("1h1m1s1ms", 3661.001),
    ],
)
def test_durations_count_in_seconds(text, seconds):
    assert duration_seconds(text) == pytest.approx(seconds)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_a_duration_is_the_sum_of_its_parts(hours, minutes, seconds):
    assert duration_seconds(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize("text", ["", "1", "s", "1x", "1s1", "1 s", "\uff11s"])
def test_what_is_no_duration_is_no_number(text):
    with pytest.raises(ValueError, match=f"^{text}$"):
        duration_seconds(text)


# --- models --------------------------------------------------------------------------------------------------------


class Point(Model):
    x: int = 0
    y: int = 0


class Pair(CheckedModel):
    low: int
    high: int = 10
    other: Point = Point()

    def faults(self):
        if self.low > self.high:
            yield fault("pair/order", f"{self.low} is more than {self.high}", "swap them", ["low"])
        if self.other.x < 0:
            yield fault("pair/other", "x is negative", "", ["other", "x"])


class Camel(KubernetesModel):
    two_words: int = 1
    from_: str | None = None


class CamelPair(KubernetesChecked):
    low_end: int = 0
    high_end: int = 10

    def faults(self):
        if self.low_end > self.high_end:
            yield fault("pair/order", "low is more than high", "", ["lowEnd"])


def codes(model: type[Model], data: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return [(problem.path, problem.code) for problem in problems_of(caught.value, data)]


def test_a_model_is_a_value():
    assert Point(x=1) == Point(x=1)
    assert hash(Point(x=1)) == hash(Point(x=1))
    with pytest.raises(ValidationError, match="frozen"):
        Point().x = 2
    assert codes(Point, {"z": 1}) == [("z", "schema/unknown-field")]


def test_every_broken_rule_is_told_with_its_place():
    assert codes(Pair, {"low": 11, "other": {"x": -1}}) == [("low", "pair/order"), ("other.x", "pair/other")]
    with pytest.raises(ValidationError) as caught:
        Pair(low=11, other=Point(x=-1))
    assert [problem.hint for problem in problems_of(caught.value)] == ["swap them", ""]


def test_rules_run_on_what_is_valid_and_end_quietly_at_what_is_not():
    assert codes(Pair, {"low": 11, "nope": 1}) == [("nope", "schema/unknown-field"), ("low", "pair/order")]
    assert codes(Pair, {"low": 11, "other": 5}) == [("other", "schema/model-type"), ("low", "pair/order")]
    assert codes(Pair, {"low": "x", "other": {"x": -1}}) == [("low", "schema/int-parsing")]


def test_a_rule_is_told_once_even_where_models_are_nested():
    class Outer(CheckedModel):
        pair: Pair
        number: int

    assert codes(Outer, {"pair": {"low": 11}, "number": "x"}) == [
        ("pair.low", "pair/order"),
        ("number", "schema/int-parsing"),
    ]


def test_an_instance_is_taken_as_it_is():
    class Outer(CheckedModel):
        pair: Pair

    pair = Pair(low=1)
    assert Outer(pair=pair).pair is pair


def test_braces_in_a_message_stay_braces():
    with pytest.raises(ValidationError, match=r"\$\{x\} and \{text\} \{0\}"):
        raise_faults([fault("a/b", "${x} and {text} {0}")])
    raise_faults([])


@pytest.mark.parametrize("data", [{"twoWords": 5}, {"two_words": 5}])
def test_both_spellings_of_a_kubernetes_field_are_read(data):
    assert Camel.model_validate(data).two_words == 5
    assert Camel.model_validate(data).model_dump(by_alias=True, exclude_none=True) == {"twoWords": 5}


def test_a_null_in_a_kubernetes_document_is_no_value():
    assert Camel.model_validate({"twoWords": None, "from_": None}) == Camel()
    assert CamelPair.model_validate({"lowEnd": None, "highEnd": 3}) == CamelPair(high_end=3)
    assert codes(CamelPair, {"lowEnd": 11, "highEnd": None}) == [("lowEnd", "pair/order")]
    assert codes(Pair, {"low": None}) == [("low", "schema/int-type")]


@pytest.mark.parametrize(("data", "path"), [({"lowEnd": 11}, "lowEnd"), ({"low_end": 11}, "low_end")])
def test_a_rule_points_at_the_field_as_it_is_spelt(data, path):
    assert codes(CamelPair, data) == [(path, "pair/order")]
    assert codes(CamelPair, data | {"nope": 1}) == [("nope", "schema/unknown-field"), (path, "pair/order")]


def test_an_unknown_field_is_told_with_the_nearest_one():
    def hint(model: type[Model], name: str) -> str:
        with pytest.raises(ValidationError) as caught:
            model.model_validate({"low": 1, name: 1})
        return next(p.hint for p in problems_of(caught.value, {name: 1}) if p.path == name)

    assert hint(Pair, "hihg") == "did you mean high?"
    assert hint(Pair, "zzz") == "known: low, high, other"
    assert hint(CamelPair, "highend") == "did you mean highEnd?"


# --- rules of a part that is put into a larger model -----------------------------------------------------------------


class Range(CheckedModel):
    low: int
    high: int
    asked: ClassVar[list[int]] = []

    def faults(self):
        self.asked.append(self.low)
        if self.low > self.high:
            yield fault("range/order", "low is above high", loc=["low"])


class Ranges(CheckedModel):
    items: tuple[Range, ...]


def test_the_rules_of_a_part_are_asked_once():
    part = Range(low=1, high=2)
    Range.asked.clear()
    Ranges(items=(part,))

    assert Range.asked == []


@pytest.mark.parametrize(
    "changed",
    [
        Range(low=1, high=2).model_copy(update={"low": 3}),
        Range.model_construct(low=3, high=2),
        copy.deepcopy(Range.model_construct(low=3, high=2)),
    ],
)
def test_a_part_made_without_check_is_checked_where_it_is_put(changed):
    with pytest.raises(ValidationError) as caught:
        Ranges(items=(changed,))

    assert [(p.path, p.code) for p in problems_of(caught.value)] == [("items[0].low", "range/order")]
