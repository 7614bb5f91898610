from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiops_components.errors import InvalidInput
from apiops_components.semantics.request import Request, Response, request_of, request_of_arguments

WHOLE = {
    "id": "r1",
    "gateway": "edge/public",
    "method": "POST",
    "url": "HTTPS://API.example.com:8443/a/../%2e//b;c?x=1&x=2&y=a+b%21&z",
    "headers": {"Accept": " a/b ", "X-Two": ["1", "2"], "x-two": "3"},
    "client_ip": "203.0.113.7",
    "data": "body",
    "claims": {"sub": "me"},
    "response": {"status": 201, "headers": {"X-Served-By": "v1"}},
}


def test_a_whole_request_is_read_as_it_was_sent():
    assert request_of(WHOLE) == Request(
        method="POST",
        scheme="https",
        host="api.example.com",
        port=8443,
        path="/a/../%2e//b;c",
        query="x=1&x=2&y=a+b%21&z",
        headers={"accept": ("a/b",), "x-two": ("1", "2", "3")},
        client_ip="203.0.113.7",
        data="body",
        claims={"sub": "me"},
        gateway="edge/public",
        id="r1",
        response=Response(201, {"x-served-by": ("v1",)}),
    )


def test_only_the_url_is_needed():
    assert request_of({"url": "http://a.example"}, 7) == Request("GET", "http", "a.example", 80, "/", "", id=7)
    assert request_of({"url": "https://a.example?q", "method": None, "gateway": None}).port == 443


def test_parameters_are_decoded_and_headers_are_joined():
    request = request_of(WHOLE)

    assert request.parameters == {"x": ("1", "2"), "y": ("a b!",), "z": ("",)}
    assert (request.header("x-two"), request.header("accept"), request.header("none")) == ("1,2,3", "a/b", None)
    assert request_of({"url": "http://a"}).parameters == {}


@pytest.mark.parametrize(
    ("url", "host", "found"),
    [
        ("https://a.example", "B.example:81", ("b.example", 443)),
        ("https://a.example:8443", "b.example", ("b.example", 8443)),
        ("http://[2001:DB8::1]:8080/", None, ("[2001:db8::1]", 8080)),
        ("http://192.0.2.1:/", None, ("192.0.2.1", 80)),
        ("http://a.example./", None, ("a.example.", 80)),
    ],
)
def test_the_host_header_names_the_host_and_the_url_the_port(url, host, found):
    request = request_of({"url": url, "headers": {"Host": host} if host else {}})

    assert (request.host, request.port) == found
    assert request.headers == {}


WRONG = {
    "no object": ([], "a request is a JSON object, got []"),
    "no url": ({}, "url: required, but missing"),
    "url of another type": ({"url": 5}, "url: a string is expected, got 5"),
    "relative url": ({"url": "/a"}, "url: an absolute URL is expected"),
    "host only": ({"url": "a.example/x"}, "url: an absolute URL is expected"),
    "another scheme": ({"url": "ftp://a.example"}, "url: the scheme must be http or https"),
    "no host": ({"url": "http:///a"}, "url: there is no host"),
    "a host that is none": ({"url": "http://a..b/"}, "url: 'a..b' is not the name of a host"),
    "brackets": ({"url": "http://[::1/"}, "is not"),
    "no ipv6 address": ({"url": "http://[::g]/"}, "url: '[::g]' is not an IPv6 address in brackets"),
    "unclosed ipv6 address": ({"url": "http://[::1/x"}, "url: '[::1' is not an IPv6 address in brackets"),
    "user": ({"url": "http://me:secret@a/"}, "url: user and password may not stand in the URL"),
    "fragment": ({"url": "http://a/#b"}, "url: a fragment (#…) is never sent"),
    "space": ({"url": "http://a/b c"}, "write %20"),
    "letters": ({"url": "http://a/ü"}, "write %C3%BC"),
    "letters of a host": ({"url": "http://ü/"}, "xn--"),
    "line break": ({"url": "http://a/\n"}, "write %0A"),
    "port 0": ({"url": "http://a:0/"}, "url: '0' is not a port"),
    "port too high": ({"url": "http://a:65536/"}, "url: '65536' is not a port"),
    "port of other digits": (
        {"url": "http://a", "headers": {"host": "a:\u0661"}},
        "headers.host: '\u0661' is not a port",
    ),
    "method": ({"url": "http://a", "method": "GET /"}, "method: 'GET /' is not a method"),
    "method of another type": ({"url": "http://a", "method": 1}, "method: 1 is not a method"),
    "headers": ({"url": "http://a", "headers": []}, "headers: an object of names and values is expected"),
    "header name": ({"url": "http://a", "headers": {"a b": "c"}}, "headers: 'a b' is not the name of a header"),
    "header value": ({"url": "http://a", "headers": {"a": 1}}, "headers.a: a string, or a list of strings"),
    "header without value": ({"url": "http://a", "headers": {"a": []}}, "headers.a: a string, or a list"),
    "header with a line break": ({"url": "http://a", "headers": {"a": "b\r\nc: d"}}, "headers.a: the character '\\r'"),
    "two hosts": ({"url": "http://a", "headers": {"host": ["a", "b"]}}, "headers.host: one Host is expected, got 2"),
    "address": ({"url": "http://a", "client_ip": "203.0.113.256"}, "client_ip: '203.0.113.256' is not an IP address"),
    "data": ({"url": "http://a", "data": {}}, "data: a string is expected, got {}"),
    "claims": ({"url": "http://a", "claims": "x"}, "claims: an object is expected, got 'x'"),
    "gateway": ({"url": "http://a", "gateway": "public"}, "gateway: namespace/name of a Gateway is expected"),
    "id": ({"url": "http://a", "id": True}, "id: a string or a number is expected, got True"),
    "response": ({"url": "http://a", "response": 200}, "response: an object is expected, got 200"),
    "status": ({"url": "http://a", "response": {"status": 199}}, "response.status: a status from 200 to 599"),
    "response header": (
        {"url": "http://a", "response": {"headers": {"a": None}}},
        "response.headers.a: a string, or a list of strings, is expected, got null",
    ),
    "unknown key": ({"url": "http://a", "header": {}}, "header: unknown key"),
    "unknown key of the response": ({"url": "http://a", "response": {"body": ""}}, "response.body: unknown key"),
}


@pytest.mark.parametrize(("data", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told(data, message):
    with pytest.raises(InvalidInput) as error:
        request_of(data)
    assert len(error.value.problems) == 1
    assert message in str(error.value)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(InvalidInput) as error:
        request_of({"url": "x", "method": "", "client_ip": "x", "claims": 1, "more": 1, "headers": {"a": 1, "b": 2}})
    assert [problem.path for problem in error.value.problems] == [
        *("more", "url", "headers.a", "headers.b", "method", "client_ip", "claims"),
    ]


def test_a_command_line_reads_as_json_does():
    found = request_of_arguments("GET", "http://a/b", ["Accept: a", "X: 1", "x:2"], client_ip="::1", claims={"a": 1})
    data = {"url": "http://a/b", "headers": {"Accept": "a", "x": ["1", "2"]}, "client_ip": "::1", "claims": {"a": 1}}

    assert found == request_of(data)
    with pytest.raises(InvalidInput, match=r"'Name: value' is expected, got 'Accept'(?s:.*)url: an absolute URL"):
        request_of_arguments("GET", "b", ["Accept"])


def tried(data):
    try:
        return request_of(data)
    except InvalidInput as refusal:
        return refusal


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries({}, optional={key: JSON | st.just(value) for key, value in WHOLE.items()}) | JSON)
def test_any_json_is_a_request_or_a_clear_refusal(data):
    request = tried(json.loads(json.dumps(data)))

    assert isinstance(request, InvalidInput) or (request.path.startswith("/") and 0 < request.port < 65536)


@given(st.text(alphabet="htps:/[]@?#%a.1é \\", max_size=20).map("https://".__add__))
def test_any_url_is_read_or_refused(url):
    request = tried({"url": url})
    if isinstance(request, Request):
        rest = request.path + (f"?{request.query}" if request.query else "")
        assert url.rstrip("?").endswith(rest.rstrip("?").removeprefix("/"))


def test_a_password_in_a_url_is_not_shown():
    with pytest.raises(InvalidInput) as caught:
        request_of({"url": "http://me:secret@a/"})

    assert "secret" not in str(caught.value)
