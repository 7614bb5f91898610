"""Requests with expected answers, as files say them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from apiops_components.documents import load_all
from apiops_components.errors import problems_of
from apiops_components.models import requests as module
from apiops_components.models.requests import Answer, BodyExpectation, Expectation, RequestSpec, SmokeTests

TESTS = {
    "url": "https://staging.example.com/",
    "identities": {"user": {"username": "smoke-user"}, "admin": {"username": "smoke-admin"}, "nobody": {}},
    "tests": [{"name": "it is there", "request": {"url": "/"}, "expect": {"status": 200}}],
}
TEST = {"name": "t", "request": {"url": "/"}, "expect": {"status": 200}}


def problems(model, data):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return [(problem.path, problem.code) for problem in problems_of(caught.value, data)]


def test_the_documented_file_is_one():
    example = module.__doc__.partition("::\n")[2].replace("\n    ", "\n")
    (document,) = load_all(example)
    tests = SmokeTests.model_validate(document.value)
    assert tests.tests[1].expected("admin").status == (204,)
    assert tests.tests[1].expected("user").status == (403,)
    assert [tests.tests[0].sent_by(name) for name in tests.identities] == [True, True, False]


def test_defaults():
    tests = SmokeTests.model_validate(TESTS)
    assert tests.url == "https://staging.example.com"
    assert tests.tests[0].request.method == "GET"
    assert tests.identities["user"].scopes == ("read_api",)
    assert tests.identities["nobody"].username is None


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ({"as": ["user", "root"]}, "tests[0].as[1]", "request/identity"),
        ({"expect_as": {"root": {"status": 200}}}, "tests[0].expect_as.root", "request/identity"),
        ({"as": ["user"], "expect_as": {"admin": {"status": 200}}}, "tests[0].expect_as.admin", "request/identity"),
        ({"expect": {}}, "tests[0].expect.status", "schema/required"),
        ({"expect": {"status": []}}, "tests[0].expect.status", "schema/too-short"),
        ({"expect": {"status": 99}}, "tests[0].expect.status", "schema/greater-than-equal"),
        ({"expect": {"status": 200, "bodey": {}}}, "tests[0].expect.bodey", "schema/unknown-field"),
    ],
)
def test_what_a_test_may_not_say(change, path, code):
    assert problems(SmokeTests, {**TESTS, "tests": [{**TEST, **change}]}) == [(path, code)]


def test_two_tests_of_one_name():
    assert problems(SmokeTests, {**TESTS, "tests": [TEST, TEST]}) == [("tests[1].name", "request/name")]


def test_a_token_goes_to_the_tested_service_alone():
    request = {"url": "https://elsewhere.example.com/", "headers": {"Authorization": "Bearer ${token}"}}
    assert problems(SmokeTests, {**TESTS, "tests": [{**TEST, "request": request}]}) == [
        ("tests[0].request.headers.Authorization", "request/token-elsewhere")
    ]


@pytest.mark.parametrize(
    ("data", "path", "code"),
    [
        ({"url": "/?token=${token}"}, "url", "request/token-in-url"),
        ({"url": "/", "body": {"token": "${token}"}}, "body", "request/token-in-body"),
        ({"url": "/", "body": "x=${token}"}, "body", "request/token-in-body"),
        ({"url": "orders"}, "url", "request/url"),
        ({"url": ""}, "url", "request/url"),
        ({"url": "https://me:pw@example.com/"}, "url", "request/url"),
        ({"url": "/a b"}, "url", "request/url"),
        ({"url": "/", "headers": {"A": "x\r\nB: y"}}, "headers.A", "request/header-value"),
        ({"url": "/", "headers": {"A b": "x"}}, 'headers["A b"]', "http/header-name"),
        ({"url": "/", "headers": {"A": "x", "a": "y"}}, "headers.a", "request/header-repeated"),
        ({"url": "/", "method": "get"}, "method", "schema/literal-error"),
    ],
)
def test_what_a_request_may_not_say(data, path, code):
    assert (path, code) in problems(RequestSpec, data)


def unmet(expected, **answer):
    return Expectation.model_validate({"status": 200, **expected}).unmet(Answer(**{"status": 200, **answer}))


def test_nothing_but_the_status_is_asked_for():
    assert unmet({}, status=200, body="anything", headers={"x": "y"}) == []
    assert unmet({"status": [200, 204]}, status=204) == []
    assert unmet({"status": [200, 204]}, status=500) == ["status: 500, expected 200 or 204"]


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"Content-Type": "text/plain"}, []),
        ({"CONTENT-TYPE": "text/html"}, ['header CONTENT-TYPE: "text/plain", expected "text/html"']),
        ({"X-Other": "1"}, ['header X-Other: none, expected "1"']),
        ({"Content-Type": None}, ['header Content-Type: "text/plain", expected none']),
        ({"X-Other": None}, []),
    ],
)
def test_headers(headers, found):
    assert unmet({"headers": headers}, headers={"content-type": "text/plain"}) == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"contains": "rder"}, []),
        ({"contains": ["order", "item"]}, ['body: lacks "item"']),
        ({"lacks": "order"}, ['body: holds "order"']),
        ({"equals": "orders"}, []),
        ({"equals": "order"}, ['body: "orders", expected "order"']),
        ({"json": {}}, ['body: not JSON: "orders"']),
        ({"json": None}, ['body: not JSON: "orders"']),
    ],
)
def test_texts(body, found):
    assert unmet({"body": body}, body="orders") == found


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({}, []),
        ({"a": 1}, []),
        ({"a": 2}, ["body.a: 1, expected 2"]),
        ({"a": True}, ["body.a: 1, expected true"]),
        ({"a": 1.0}, []),
        ({"b": {"c": [1, {"d": None}]}}, []),
        ({"b": {"c": [1]}}, ['body.b.c: [1, {"d": null, "e": 2}], expected [1]']),
        ({"b": {"c": [2, {"d": 1}]}}, ["body.b.c[0]: 1, expected 2", "body.b.c[1].d: null, expected 1"]),
        ({"x": 1}, ["body.x: missing, expected 1"]),
        ([], ['body: {"a": 1, "b": {"c": [1, {"d": null, "e": 2}]}}, expected []']),
    ],
)
def test_json_holds_what_is_expected_and_may_hold_more(expected, found):
    assert unmet({"body": {"json": expected}}, body='{"a": 1, "b": {"c": [1, {"d": null, "e": 2}]}}') == found


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_any_json_holds_itself(value):
    import json  # noqa: PLC0415

    assert list(BodyExpectation(json=value).unmet(json.dumps(value))) == []


@given(VALUES, VALUES)
def test_two_values_that_are_no_mappings_are_the_same_only_where_they_are_equal(found, expected):
    import json  # noqa: PLC0415

    if isinstance(expected, (dict, list)):
        return
    differs = list(BodyExpectation(json=expected).unmet(json.dumps(found))) != []
    assert differs == (json.dumps(found) != json.dumps(expected))
