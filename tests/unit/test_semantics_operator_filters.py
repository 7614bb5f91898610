from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiops_components.semantics.operator import Operator
from apiops_components.semantics.request import request_of
from apiops_components.semantics.resources import Resources

sys.path.insert(0, str(Path(__file__).parent))
from semantics_objects import backend, gateway, match, policy, route, rule

EDGE = gateway("edge", "https://a.example.com")
CLOUD = EDGE | {"metadata": EDGE["metadata"] | {"annotations": {"ngrok.com/mapping-strategy": "endpoints-verbose"}}}
URL = "https://a.example.com"


def answer(objects, url, method="GET", **more):
    return Operator(Resources.of(objects)).answer(request_of({"url": url, "method": method, **more})).json()


def where(objects, url, method="GET", **more):
    """Route and rule, or else the outcome."""
    found = answer(objects, url, method, **more)
    return f"{found['route'].partition('/')[2]}.{found['rule']}" if found["route"] else found["outcome"]


def rewrite(path=None, prefix=None, hostname=None):
    made = {"hostname": hostname} if hostname else {}
    if path is not None:
        made["path"] = {"type": "ReplaceFullPath", "replaceFullPath": path}
    if prefix is not None:
        made["path"] = {"type": "ReplacePrefixMatch", "replacePrefixMatch": prefix}
    return {"type": "URLRewrite", "urlRewrite": made}


def redirect(**more):
    return {"type": "RequestRedirect", "requestRedirect": more}


def headers(kind="Request", **changes):
    made = {
        name: [{"name": key, "value": value} for key, value in given.items()] if isinstance(given, dict) else given
        for name, given in changes.items()
    }
    return {"type": f"{kind}HeaderModifier", f"{kind.lower()}HeaderModifier": made}


def extension(name, group="ngrok.k8s.ngrok.com", kind="NgrokTrafficPolicy"):
    return {"type": "ExtensionRef", "extensionRef": {"group": group, "kind": kind, "name": name}}


def through(filters, sent, matched="/a", **more):
    """What the backend receives of the URL, and the client's answer."""
    found = answer([EDGE, route("a", rule(matched, filters=filters))], f"{URL}{sent}", **more)
    received = found["request"]
    return received["host"], received["path"], received["query"]


# --- URLs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matched", "prefix", "sent", "path"),
    [
        ("/a", "/n", "/a/x", "/n/x"),
        ("/a", "/n", "/a", "/n"),
        ("/a", "/n", "/ab", "/nb"),
        ("/a", "/", "/a/x", "//x"),
        ("/a", "", "/a", "/"),
        ("/a", "", "/a/x", "/x"),
        ("/", "/n", "/x", "/nx"),
        ("/a/", "/n", "/a/x", "/nx"),
        ("/a", "/n/", "/a/x", "/n//x"),
        ("/a.b", "/n", "/a.b/x", "/n/x"),
        ("/a+b", "/n", "/a+b", "/a+b"),
        ("/a(b)", "/n", "/a(b)", "/a(b)"),
        ("/a", "n", "/a/x", "/x"),
        ("/a", "/$2", "/a", "/a.example.com"),
        ("/a", "/$$", "/a", "/$"),
    ],
)
def test_a_prefix_is_replaced_as_text(matched, prefix, sent, path):
    assert through([rewrite(prefix=prefix)], sent, matched) == ("a.example.com", path, "")


def test_a_group_in_the_matched_path_takes_the_place_of_what_remains():
    assert through([rewrite(prefix="/n")], "/()x", "/()")[1] == "/n"


def test_a_whole_path_loses_the_query_or_brings_its_own():
    assert through([rewrite(path="/n")], "/a/x?q=1") == ("a.example.com", "/n", "")
    assert through([rewrite(path="/n?x=2")], "/a/x?q=1") == ("a.example.com", "/n", "x=2")
    assert through([rewrite(path="new")], "/a/x") == ("a.example.com", "/", "")


def test_a_host_is_replaced_and_the_rest_stays():
    assert through([rewrite(hostname="b.example.com")], "/a/x?q=1") == ("b.example.com", "/a/x", "q=1")


def test_a_path_that_breaks_the_expression_closes_the_endpoint():
    # Taken for a quantifier of nothing.
    objects = [EDGE, route("a", rule("/*a", filters=[rewrite(prefix="/n")]), rule("/"))]
    assert where(objects, f"{URL}/") == "a.1"
    objects = [EDGE, route("a", rule("/(a", filters=[rewrite(prefix="/n")]), rule("/"))]
    assert where(objects, f"{URL}/") == "closed"


@pytest.mark.parametrize(
    ("change", "sent", "location"),
    [
        ({"scheme": "https"}, "http://a.example.com/a?q=1", "https://a.example.com/a?q=1"),
        ({"scheme": "https"}, "http://a.example.com:8080/a", "https://a.example.com:8080/a"),
        ({"scheme": "https", "port": 443}, "http://a.example.com:8080/a", "https://a.example.com:443/a"),
        ({"scheme": "https", "port": 8443}, "http://a.example.com:8080/a", "https://a.example.com:8080/a"),
        ({"scheme": "https", "port": 8443}, "http://a.example.com/a", "https://a.example.com/a"),
        ({"scheme": "http", "port": 80}, "http://a.example.com:8080/a", "http://a.example.com:8080/a"),
        ({"port": 80}, "http://a.example.com:8080/a", "http://a.example.com:80/a"),
        (
            {"hostname": "b.example.com", "path": rewrite(prefix="/n")["urlRewrite"]["path"]},
            "http://a.example.com/ab?q=1",
            "http://b.example.com/nb?q=1",
        ),
        ({"path": rewrite(path="/n")["urlRewrite"]["path"]}, "http://a.example.com/a?q=1", "http://a.example.com/n"),
    ],
)
def test_redirects_and_the_ports_they_keep(change, sent, location):
    edge = gateway("edge", "http://a.example.com", "http://a.example.com:8080")
    objects = [edge, route("a", rule("/a", to=(), filters=[redirect(**change)]))]
    if ":8080" not in sent:
        edge["spec"]["listeners"].pop()  # two would have the same name
    assert answer(objects, sent)["response"] == {"status": 302, "headers": {"location": location}}


# --- headers -------------------------------------------------------------------------------------------------------


def received(filters, **sent):
    found = answer([EDGE, route("a", rule("/", filters=filters))], f"{URL}/", headers=sent)
    return found["request"]["host"], found["request"]["headers"]


def test_headers_are_removed_then_added():
    changes = headers(set={"X-A": "1"}, add={"x-b": "2"}, remove=["x-c"])
    sent = {"x-a": "0", "x-b": "0", "x-c": "0", "x-d": "0"}
    assert received([changes], **sent) == ("a.example.com", {"x-b": "0,2", "x-d": "0", "x-a": "1"})


def test_of_a_name_that_is_set_and_added_only_what_is_set_counts():
    assert received([headers(set={"x-a": "1"}, add={"x-a": "2"})]) == ("a.example.com", {"x-a": "1"})
    assert received([headers(set={"X-A": "1"}, add={"x-a": "2"})]) == ("a.example.com", {"x-a": "1,2"})


def test_the_host_is_replaced():
    assert received([headers(set={"Host": "b.example.com"})]) == ("b.example.com", {})


def test_a_value_with_braces_is_evaluated():
    found = headers(set={"x-a": "${req.method} ${req.url.path}", "x-b": "${conn.client_ip}"})
    objects = [EDGE, route("a", rule("/", filters=[found]))]
    outcome = answer(objects, f"{URL}/x", "POST")
    assert outcome["request"]["headers"] == {"x-a": "POST /x", "x-b": "${conn.client_ip}"}
    assert [each["result"] for each in outcome["actions"]] == ["not evaluated: ${conn.client_ip}"]
    assert where([EDGE, route("a", rule("/", filters=[headers(set={"x-a": "${not CEL}"})]))], f"{URL}/") == "closed"


@pytest.mark.parametrize(
    "wrong", [headers(add={f"x-{number}": "1" for number in range(11)}), headers(remove=["User-Agent"])]
)
def test_what_ngrok_takes_no_header_for_closes_the_endpoint(wrong):
    assert where([EDGE, route("a", rule("/a", filters=[wrong]), rule("/"))], f"{URL}/") == "closed"


# --- answers -------------------------------------------------------------------------------------------------------

MARK = headers("Response", set={"x-mark": "1"})


def answered(objects, path="/"):
    return answer(objects, f"{URL}{path}", response={"headers": {"x-mark": "0"}})["response"]["headers"]


def test_a_rule_on_answers_of_an_agent_endpoint_does_nothing():
    assert answered([EDGE, route("a", rule("/", filters=[MARK]))]) == {"x-mark": "0"}


def test_on_a_cloud_endpoint_those_of_every_rule_that_matches_act():
    objects = [CLOUD, route("a", rule("/a"), rule("/", filters=[MARK])), policy("p")]
    assert answered(objects, "/") == {"x-mark": "1"}
    assert where(objects, f"{URL}/a") == "a.0"
    assert answered(objects, "/a") == {"x-mark": "1"}


def test_on_a_cloud_endpoint_that_captures_the_request_they_do_nothing():
    objects = [CLOUD, route("a", rule("/a", filters=[rewrite(path="/n")]), rule("/", filters=[MARK]))]
    assert answered(objects) == {"x-mark": "0"}


def test_those_of_one_backend_act_only_if_there_is_no_other():
    marked = backend("a:80", filters=[MARK])
    assert answered([CLOUD, route("a", rule("/", to=[marked]))]) == {"x-mark": "1"}
    assert answered([CLOUD, route("a", rule("/", to=[marked, "b:80"]))]) == {"x-mark": "0"}


def test_a_service_of_two_hosts_makes_cloud_endpoints():
    edge = gateway("edge", "https://a.example.com", "https://b.example.com")
    assert answered([edge, route("a", rule("/", filters=[MARK]))]) == {"x-mark": "1"}


# --- what is skipped -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "noted"),
    [
        (extension("nowhere"), ("shop/nowhere", "NgrokTrafficPolicy", "missing")),
        (extension("guard", kind="Other"), ("shop/guard", "Other", "skipped")),
        (extension("guard", group="example.com"), ("shop/guard", "NgrokTrafficPolicy", "skipped")),
        (extension("tcp"), ("shop/tcp", "NgrokTrafficPolicy", "skipped")),
        (extension("guard", group=""), ("shop/guard", "NgrokTrafficPolicy", "not-run")),
        (rewrite(), (None, "URLRewrite", "skipped")),
        ({"type": "CORS", "cors": {"allowOrigins": ["*"]}}, (None, "CORS", "skipped")),
        (
            {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "b", "port": 80}}},
            (None, "RequestMirror", "skipped"),
        ),
    ],
)
def test_a_filter_that_is_skipped_leaves_the_route_open(item, noted):
    tcp = policy("tcp")
    tcp["spec"]["policy"] = {"on_tcp_connect": [{"actions": [{"type": "deny"}]}]}
    objects = [EDGE, route("a", rule("/", filters=[item])), policy("guard"), tcp]
    found = answer(objects, f"{URL}/", headers={"origin": "https://b.example.com"})
    assert found["outcome"] == "forwarded"
    assert [(each["policy"], each["type"], each["result"]) for each in found["actions"]] == [noted]


def test_a_rule_with_only_skipped_filters_and_no_backend_is_not_there():
    objects = [EDGE, route("a", rule("/a", to=(), filters=[extension("nowhere")]), rule("/"))]
    assert where(objects, f"{URL}/a") == "a.1"


# --- rules that only have filters ----------------------------------------------------------------------------------


def test_filters_without_a_backend_act_and_the_search_goes_on():
    objects = [EDGE, route("a", rule("/a", to=(), filters=[headers(set={"x-a": "1"})]), rule("/", to=["b:80"]))]
    found = answer(objects, f"{URL}/a")
    assert (found["rule"], found["request"]["headers"]) == (1, {"x-a": "1"})
    assert where([EDGE, route("a", objects[1]["spec"]["rules"][0])], f"{URL}/a") == "no-route"


def test_behind_a_rewrite_rules_match_the_path_as_it_was():
    first = rule("/a/b", to=(), filters=[rewrite(path="/n")])
    objects = [EDGE, route("a", first, rule("/n", to=["n:80"]), rule("/a", to=["b:80"]))]
    found = answer(objects, f"{URL}/a/b?q=1")
    assert (found["rule"], found["request"]["path"], found["request"]["query"]) == (2, "/n", "")


def test_behind_headers_that_changed_rules_match_them_as_they_are_unless_a_rule_captures():
    wanted = match("/", headers=[{"name": "x-a", "value": "1"}])
    first = rule("/a", to=(), filters=[headers(set={"x-a": "1"})])
    assert where([EDGE, route("a", first, rule(wanted), rule("/"))], f"{URL}/a") == "a.1"
    capturing = rule("/z", filters=[rewrite(path="/n")])
    assert where([EDGE, route("a", first, rule(wanted), rule("/"), capturing)], f"{URL}/a") == "a.2"
    # So does a policy that only would rewrite, which is not run.
    rewriting = policy("p")
    rewriting["spec"]["policy"] = {
        "on_http_request": [{"actions": [{"type": "url-rewrite", "config": {"from": "a", "to": "b"}}]}]
    }
    capturing = rule("/z", filters=[extension("p")])
    assert where([EDGE, route("a", first, rule(wanted), rule("/"), capturing), rewriting], f"{URL}/a") == "a.2"


# --- filters of one backend ----------------------------------------------------------------------------------------


def test_filters_of_the_only_backend():
    ref = backend("a:80", filters=[headers(set={"x-a": "1"}), rewrite(prefix="/n")])
    found = answer([EDGE, route("a", rule("/a", to=[ref]))], f"{URL}/a/x")["request"]
    assert (found["path"], found["headers"]) == ("/n/x", {"x-a": "1"})
    ref = backend("a:80", filters=[redirect(hostname="b.example.com")])
    found = answer([EDGE, route("a", rule("/a", to=[ref]))], f"{URL}/a")
    assert (found["outcome"], found["response"]["headers"]) == ("responded", {"location": "https://b.example.com/a"})


def test_filters_of_one_of_several_backends():
    refs = [backend("a:80", filters=[headers(set={"x-a": "1"})]), "b:80", backend("c:80", filters=[redirect()])]
    found = answer([EDGE, route("a", rule("/", to=refs))], f"{URL}/")
    one, two, three = found["backends"]
    assert one["request"]["headers"] == {"x-a": "1"}
    assert "request" not in two
    assert three["response"] == {"status": 302, "headers": {"location": f"{URL}/"}}


# --- the index -----------------------------------------------------------------------------------------------------

TEXT = st.text("ab/", max_size=4).map(lambda text: f"/{text.replace('//', '/').lstrip('/')}".replace("//", "/"))
VALUE = st.sampled_from(["1", "2"])
MATCH = st.fixed_dictionaries(
    {
        "path": st.fixed_dictionaries(
            {"type": st.sampled_from(["Exact", "PathPrefix", "RegularExpression"]), "value": TEXT}
        )
    },
    optional={
        "headers": VALUE.map(lambda value: [{"name": "x-a", "value": value}]),
        "queryParams": VALUE.map(lambda value: [{"name": "q", "value": value}]),
        "method": st.sampled_from(["GET", "POST"]),
    },
)


def plain_order(item):
    path, wanted = item["path"], (item.get("headers", []), item.get("queryParams", []))
    kind = ["Exact", "PathPrefix", "RegularExpression"].index(path["type"])
    parts = [part for each in wanted for part in (not each, each[0]["value"] if each else "")]
    return kind, -len(path["value"]), path["value"], *parts, "method" not in item, item.get("method", "")


def plain_test(item, method, path, value, query):
    wanted = item["path"]["value"]
    return (
        (path == wanted if item["path"]["type"] == "Exact" else path.startswith(wanted))
        and item.get("method", method) == method
        and item.get("headers", [{"value": value}])[0]["value"] == value
        and item.get("queryParams", [{"value": query}])[0]["value"] == query
    )


@given(
    st.lists(MATCH, min_size=1, max_size=12, unique_by=str),
    st.sampled_from(["GET", "POST", "PUT"]),
    TEXT,
    VALUE,
    VALUE,
)
def test_the_index_finds_what_trying_each_rule_in_order_finds(matches, method, path, value, query):
    routes = [route(f"r{number:02}", rule(item)) for number, item in enumerate(matches)]
    ordered = sorted(range(len(matches)), key=lambda number: (plain_order(matches[number]), number))
    holding = [number for number in ordered if plain_test(matches[number], method, path, value, query)]
    found = where([EDGE, *routes], f"{URL}{path}?q={query}", method, headers={"x-a": value})
    assert found == (f"r{holding[0]:02}.0" if holding else "no-route")
