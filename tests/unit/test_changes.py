"""What stands for a filter: the filter itself, a rule of a policy in front of it, or in its place."""

from __future__ import annotations

import re

import pytest

from apiops_components.models.filters import Filter, PathModifier, Redirect, UrlRewrite
from apiops_components.models.policy.actions import AddHeaders, RemoveHeaders
from apiops_components.models.route import Backend, Route
from apiops_components.render.changes import filter_changes, response_changes


def made(*filters, paths=("/orders",)):
    changes = filter_changes(filters, paths)
    return changes.before, [step for rule in changes.rules for step in rule.actions], changes.behind


def redirect(**fields):
    return Filter(type="RequestRedirect", request_redirect=Redirect(**fields))


def full(path):
    return PathModifier(type="ReplaceFullPath", replace_full_path=path)


def prefix(path):
    return PathModifier(type="ReplacePrefixMatch", replace_prefix_match=path)


def applied(action, url):
    """The URL after the action, as ngrok's own documentation tells of it: RE2, ``$1`` for a group."""
    return re.sub(action.from_, re.sub(r"\$(\d)", r"\\g<\1>", action.to), url, count=1)


@pytest.mark.parametrize(
    "item",
    [
        Filter.request_headers(set={"a": "1"}),
        Filter.request_headers(add={"a": "1"}, remove=["b"]),
        Filter.request_headers(set={f"x-{n}": "1" for n in range(10)}),
        Filter.rewrite(prefix="/v2/"),
        Filter.rewrite(hostname="b.example.com"),
        redirect(hostname="b.example.com"),
        redirect(path=prefix("/v2/")),
    ],
)
def test_what_the_operator_says_rightly_stays(item):
    assert made(item) == ((), [], (item,))


@pytest.mark.parametrize(
    ("item", "actions"),
    [
        (Filter.request_headers(add={"a": "1"}), [AddHeaders(headers={"a": "1"})]),
        (Filter.request_headers(remove=["a", "b"]), [RemoveHeaders(headers=("a", "b"))]),
        (
            Filter.request_headers(set={"a": "${req.host}"}),
            [RemoveHeaders(headers=("a",)), AddHeaders(headers={"a": "${'\\u0024'}{req.host}"})],
        ),
        (
            Filter.request_headers(set={f"x-{n}": "1" for n in range(12)}),
            [
                RemoveHeaders(headers=tuple(f"x-{n}" for n in range(10))),
                RemoveHeaders(headers=("x-10", "x-11")),
                AddHeaders(headers={f"x-{n}": "1" for n in range(10)}),
                AddHeaders(headers={"x-10": "1", "x-11": "1"}),
            ],
        ),
        (Filter.request_headers(), []),
    ],
)
def test_headers_that_the_operator_would_say_in_a_way_that_ngrok_refuses_become_actions(item, actions):
    assert made(item) == ((), actions, ())


def test_a_new_path_is_set_in_front_of_the_filter_and_keeps_the_query():
    item = Filter.rewrite(path="/v2/orders")
    before, (action,), behind = made(item)

    assert (before, behind) == ((), (item,))
    assert (
        applied(action, "https://a.example.com/orders?limit=1&q=/x") == "https://a.example.com/v2/orders?limit=1&q=/x"
    )
    assert applied(action, "https://a.example.com:443/orders") == "https://a.example.com:443/v2/orders"


def test_a_new_path_that_begins_like_the_old_one_is_set_by_the_policy_alone():
    """The filter would find the path that was matched in the new one, and drop the query after all."""
    before, (action,), behind = made(Filter.rewrite(path="/orders/v2"))

    assert (before, behind) == ((), ())
    assert applied(action, "https://a.example.com/orders?limit=1") == "https://a.example.com/orders/v2?limit=1"


def test_a_new_host_goes_in_front_since_it_looks_for_the_old_path():
    before, (action,), behind = made(Filter.rewrite(hostname="b.example.com", path="/v2"))

    assert [item.url_rewrite for item in before] == [UrlRewrite(hostname="b.example.com")]
    assert behind == ()
    assert applied(action, "https://b.example.com/orders?x") == "https://b.example.com/v2?x"


@pytest.mark.parametrize(
    ("item", "url"),
    [
        (redirect(path=full("/new")), "https://a.example.com/new?q=1"),
        (redirect(path=full("/new"), scheme="http"), "http://a.example.com/new?q=1"),
        (redirect(path=full("/new"), hostname="b.example.com"), "https://b.example.com/new?q=1"),
        (redirect(path=full("/new"), port=8443), "https://a.example.com:8443/new?q=1"),
        (redirect(path=full("/new"), scheme="https", port=8443), "https://a.example.com:8443/new?q=1"),
        (redirect(path=full("/new"), scheme="http", port=80), "http://a.example.com/new?q=1"),
    ],
)
def test_a_redirect_to_another_path_keeps_the_query(item, url):
    _, (action,), _ = made(item)

    assert applied(action, "https://a.example.com/orders?q=1") == url
    assert action.status_code == 302


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"scheme": "https", "port": 443}, {"scheme": "https"}),
        ({"scheme": "http", "port": 80}, {"scheme": "http"}),
        ({"port": 443}, {}),
        ({"scheme": "https", "port": 8443}, {"port": 8443}),
        ({"scheme": "http", "port": 8080}, {"scheme": "http", "port": 8080}),
        ({"port": 8443}, {"port": 8443}),
    ],
)
def test_a_redirect_says_its_port_as_the_operator_takes_it(fields, wanted):
    (item,) = made(redirect(hostname="b.example.com", **fields))[2]

    assert item.request_redirect == Redirect(hostname="b.example.com", **wanted)


def test_changes_to_responses_are_no_filters():
    item = Filter.response_headers(set={"a": "1"}, add={"b": "2"}, remove=["c"])
    backend = Backend(name="w", port=80, filters=(Filter.response_headers(remove=["d"]),))
    route = Route(filters=(item,), backend_refs=(backend, Backend.to("old", 80, weight=0)))

    assert made(item) == ((), [], ())
    assert [rule.actions for rule in response_changes(route)] == [
        (RemoveHeaders(headers=("d",)),),
        (RemoveHeaders(headers=("c", "a")), AddHeaders(headers={"a": "1", "b": "2"})),
    ]
