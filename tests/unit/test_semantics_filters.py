from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from semantics_objects import backend, gateway, route, rule
from test_semantics_specification import answer


def headers(kind, **changes):
    field = kind[0].lower() + kind[1:]
    listed = {
        key: value if key == "remove" else [{"name": n, "value": v} for n, v in value.items()]
        for key, value in changes.items()
    }
    return {"type": kind, field: listed}


def rewrite(**changes):
    return {"type": "URLRewrite", "urlRewrite": changes}


def redirect(**changes):
    return {"type": "RequestRedirect", "requestRedirect": changes}


def prefix(value):
    return {"type": "ReplacePrefixMatch", "replacePrefixMatch": value}


def full(value):
    return {"type": "ReplaceFullPath", "replaceFullPath": value}


def through(*filters, url="http://a.example.com/foo/bar?x=1", path="/foo", listener="http://", to=("a:80",), **more):
    return answer([gateway("edge", listener), route("a", rule(path, filters=filters, to=to))], url, **more)


# --- headers -------------------------------------------------------------------------------------------------------


def test_headers_are_set_added_to_and_removed():
    changes = {"set": {"A": "1", "X-B": "2"}, "add": {"x-c": "4", "D": "5"}, "remove": ["X-E"]}
    sent = {"a": "0", "x-c": ["3", "3b"], "X-e": "6", "f": "7"}
    change, answered = headers("RequestHeaderModifier", **changes), headers("ResponseHeaderModifier", **changes)
    found = through(change, answered, headers=sent, response={"status": 404, "headers": sent})
    expected = {"a": "1", "x-c": "3,3b,4", "f": "7", "x-b": "2", "d": "5"}

    assert found["request"]["headers"] == expected
    assert found["response"] == {"status": 404, "headers": expected}
    assert through(change, headers=sent)["response"] == {"status": 200, "headers": {}}


def test_a_backend_may_have_filters_of_its_own():
    own = [headers("RequestHeaderModifier", set={"x": "own"}), headers("ResponseHeaderModifier", set={"y": "own"})]
    whole = [headers("RequestHeaderModifier", set={"x": "rule"}), headers("ResponseHeaderModifier", set={"y": "rule"})]
    alone = through(*whole, to=[backend("a:80", filters=own)])

    assert alone["request"]["headers"] == {"x": "own"}
    assert alone["response"]["headers"] == {"y": "rule"}  # what is nearer to the backend comes first

    several = through(*whole, to=[backend("a:80", filters=own[:1]), "b:80", backend("c:80", filters=[redirect()])])
    assert several["request"]["headers"] == {"x": "rule"}
    first, second, third = several["backends"]
    assert first["request"] == {**several["request"], "headers": {"x": "own"}}
    assert "response" not in first
    assert second.keys() == {"namespace", "name", "port", "weight", "share"}
    assert third["response"]["status"] == 302
    assert through(to=[backend("a:80", filters=[redirect()])])["outcome"] == "responded"


# --- rewrites ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "matched", "replacement", "expected"),
    [
        # The table of the specification, row by row.
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
        ("/foo", "/foo", "/xyz", "/xyz"),
        ("/foo/", "/foo", "/xyz", "/xyz/"),
        ("/foo/bar", "/foo", "", "/bar"),
        ("/foo/", "/foo", "", "/"),
        ("/foo", "/foo", "", "/"),
        ("/foo/", "/foo", "/", "/"),
        ("/foo", "/foo", "/", "/"),
        # And beside it.
        ("/foo", "/", "/xyz", "/xyz/foo"),
        ("/foo//bar", "/foo", "/xyz", "/xyz//bar"),
    ],
)
def test_the_matched_prefix_is_replaced(sent, matched, replacement, expected):
    found = through(rewrite(path=prefix(replacement)), url=f"http://a{sent}?x=1", path=matched)
    assert (found["request"]["path"], found["request"]["query"]) == (expected, "x=1")

    found = through(redirect(path=prefix(replacement)), url=f"http://a{sent}?x=1", path=matched, to=())
    assert found["response"]["headers"]["location"] == f"http://a{expected}?x=1"


def test_host_and_path_are_replaced():
    found = through(rewrite(hostname="b.example.com", path=full("/new")))
    assert found["request"] == {"method": "GET", "host": "b.example.com", "path": "/new", "query": "x=1", "headers": {}}
    assert through(rewrite(hostname="b.example.com"))["request"]["path"] == "/foo/bar"
    assert through(rewrite(path=full("new")))["request"]["path"] == "/new"


# --- redirects -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listener", "changes", "expected"),
    [
        ("http://", {}, "http://a.example.com/foo/bar?x=1"),
        ("http://", {"scheme": "https"}, "https://a.example.com/foo/bar?x=1"),
        ("http://", {"scheme": "https", "port": 8443}, "https://a.example.com:8443/foo/bar?x=1"),
        ("http://", {"scheme": "https", "port": 80}, "https://a.example.com:80/foo/bar?x=1"),
        ("http://", {"port": 443}, "http://a.example.com:443/foo/bar?x=1"),
        ("http://", {"hostname": "b.example.com", "path": full("/new")}, "http://b.example.com/new?x=1"),
        ("http://:8080", {}, "http://a.example.com:8080/foo/bar?x=1"),
        ("http://:8080", {"scheme": "http"}, "http://a.example.com/foo/bar?x=1"),
        ("http://:8080", {"port": 80}, "http://a.example.com/foo/bar?x=1"),
        ("https://", {}, "https://a.example.com/foo/bar?x=1"),
        ("https://", {"scheme": "http"}, "http://a.example.com/foo/bar?x=1"),
        ("https://:8443", {}, "https://a.example.com:8443/foo/bar?x=1"),
    ],
)
def test_a_redirect_says_where_to(listener, changes, expected):
    scheme, _, port = listener.rpartition(":")[0].partition(":")[0] or "http", "", listener.rpartition(":")[2]
    place = f":{port}" if port.isdigit() else ""
    found = through(
        redirect(statusCode=308, **changes),
        listener=listener,
        to=(),
        url=f"{scheme}://a.example.com{place}/foo/bar?x=1",
    )

    assert (found["outcome"], found["status"], found["backend"], found["request"]) == ("responded", 308, None, None)
    assert found["response"] == {"status": 308, "headers": {"location": expected}}


def test_a_redirect_is_302_by_default_and_changed_by_response_filters():
    found = through(redirect(), headers("ResponseHeaderModifier", set={"x": "1"}), to=())

    assert found["status"] == 302
    assert found["response"]["headers"] == {"location": "http://a.example.com/foo/bar?x=1", "x": "1"}


# --- cross-origin --------------------------------------------------------------------------------------------------

SHARED = {
    "allowOrigins": ["https://a.example.org", "https://*.b.org", "http://c.org:8080"],
    "allowMethods": ["GET", "PUT"],
    "allowHeaders": ["x-one", "x-two"],
    "exposeHeaders": ["x-three"],
    "allowCredentials": True,
    "maxAge": 60,
}
PREFLIGHT = {"access-control-request-method": "PUT", "access-control-request-headers": "x-one,x-four"}


def shared(origin, method="OPTIONS", cors=SHARED, **sent):
    sent = {**({"origin": origin} if origin else {}), **(PREFLIGHT if method == "OPTIONS" else {}), **sent}
    return through({"type": "CORS", "cors": cors}, method=method, headers=sent)


def test_a_preflight_request_is_answered():
    found = shared("https://a.example.org")

    assert (found["outcome"], found["backend"]) == ("responded", None)
    assert found["response"] == {
        "status": 204,
        "headers": {
            "access-control-allow-origin": "https://a.example.org",
            "access-control-allow-credentials": "true",
            "access-control-allow-methods": "GET,PUT",
            "access-control-allow-headers": "x-one,x-two",
            "access-control-expose-headers": "x-three",
            "access-control-max-age": "60",
        },
    }
    assert shared("https://evil.org")["response"] == {"status": 204, "headers": {}}


def test_another_request_gets_its_headers_with_the_answer():
    found = shared("https://x.y.b.org", "GET")

    assert found["outcome"] == "forwarded"
    assert found["response"]["headers"] == {
        "access-control-allow-origin": "https://x.y.b.org",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "x-three",
    }
    assert shared("https://evil.org", "GET")["response"]["headers"] == {}
    assert shared(None, "GET")["response"]["headers"] == {}
    assert shared(None)["outcome"] == "forwarded"  # without an origin, OPTIONS asks for something else


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://a.example.org", True),
        ("https://a.example.org:443", True),
        ("HTTPS://A.example.org", True),
        ("http://a.example.org", False),
        ("https://a.example.org:8443", False),
        ("https://aXexample.org", False),
        ("https://b.org", False),
        ("https://x.b.org", True),
        ("https://x.b.org.evil.org", False),
        ("https://evil.org/x.b.org", False),
        ("http://c.org:8080", True),
        ("http://c.org", False),
        ("null", False),
    ],
)
def test_origins_are_compared_by_scheme_host_and_port(origin, allowed):
    assert ("access-control-allow-origin" in shared(origin, "GET")["response"]["headers"]) == allowed


def test_a_star_stands_for_all_unless_there_are_credentials():
    every = {
        "allowOrigins": ["*"],
        "allowMethods": ["*"],
        "allowHeaders": ["*"],
        "exposeHeaders": ["*"],
    }
    assert shared("https://a.org", cors=every)["response"]["headers"] == {
        "access-control-allow-origin": "https://a.org",
        "access-control-allow-methods": "*",
        "access-control-allow-headers": "*",
        "access-control-expose-headers": "*",
        "access-control-max-age": "5",
    }
    for found in (
        shared("https://a.org", cors=every | {"allowCredentials": True}),
        shared("https://a.org", cors=every, cookie="a=b"),
    ):
        found["response"]["headers"].pop("access-control-allow-credentials", None)
        assert found["response"]["headers"] == {
            "access-control-allow-origin": "https://a.org",
            "access-control-allow-methods": "PUT",
            "access-control-allow-headers": "x-one,x-four",
            "access-control-max-age": "5",
        }
