import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiops_components.delivery.annotations import annotations_of
from apiops_components.delivery.markup import Markup, el, join
from apiops_components.delivery.preview import (
    Annotations,
    EnvironmentPreview,
    OwnedObject,
    PolicyRow,
    Preview,
    ProgramPreview,
    RouteRow,
    RuleRow,
    TeamRow,
    tree,
)
from apiops_components.delivery.recording import SECRET, UNKNOWN, Diagnostic, RecordedResource, Recording
from apiops_components.delivery.report import html
from apiops_components.guardrails.finding import Finding
from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.cluster import MinikubeSpec
from apiops_components.models.description import Description
from apiops_components.models.environment import Environment, TeamSettings
from apiops_components.models.filters import Filter, Redirect
from apiops_components.models.guardrail import AuthenticationRequired
from apiops_components.models.policy.actions import (
    BasicAuth,
    Deny,
    JwtValidation,
    OAuth,
    OpenIdConnect,
    RateLimit,
    RawAction,
    Saml,
)
from apiops_components.models.policy.document import Rule, TrafficPolicy
from apiops_components.models.route import Backend, Route

STACK = "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev"


class Page(HTMLParser):
    """A page as a browser sees it: well formed, or it fails."""

    void = frozenset({"meta", "input", "br"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], Counter(), [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += attrs
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)


def resource(name, parent=STACK, **fields):
    fields = {"type": "kubernetes:core/v1:Secret", **fields}
    return RecordedResource(name=name, urn=f"urn:{name}", parent=parent, **fields)


def filled(text):
    """A preview with this text wherever text can stand."""
    top = resource(text, type=f"apiops:index:{text}", custom=False)
    below = resource(f"{text}-below", parent=top.urn, inputs={text: [text, SECRET, UNKNOWN]}, retain_on_delete=True)
    recording = Recording(
        project=text,
        stack=text,
        stack_urn=STACK,
        resources=(top, below),
        outputs={text: text},
        diagnostics=(Diagnostic("warning", text),),
    )
    known = Annotations(
        owner=text,
        cluster=text,
        teams=(TeamRow(text, text, text, "gitops", text),),
        findings=(
            Finding(text, text, text, text, text, text, text, text),
            Finding(text, text, "", None, text, waived=text),
        ),
        checked=True,
        routes=(RouteRow(text, text, (text,), text, text, text, text, text, text), RouteRow(text, text, (), text)),
        policies=(
            PolicyRow(text, text, (RuleRow("on_http_request", text, (text, text), (text, f"deny: {text}")),), text),
        ),
        objects=(OwnedObject(text, text, text, "pulumi", text, text),),
    )
    return Preview(text, (EnvironmentPreview(text, (ProgramPreview(text, recording),), known),))


# Markup


def test_what_is_not_markup_becomes_text():
    assert el("p", "<b>", Markup("<i></i>"), 1, class_='"', data_row=True, hidden=False, title=None) == (
        '<p class="&quot;" data-row>&lt;b&gt;<i></i>1</p>'
    )
    assert join("a&b", el("br")) == "a&amp;b<br>"


# The page


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style></script><script>", "</pre><b>", "a&b'c"],
)
def test_no_text_can_become_markup(text):
    plain, hostile = Page(html(filled("plain"))), Page(html(filled(text)))
    assert hostile.tags == plain.tags
    assert not [name for name, _ in hostile.attributes if name.startswith("on")]
    shown = "".join(hostile.texts)
    assert shown.count(text) >= 20


@given(st.text(min_size=1))
def test_every_text_gives_a_well_formed_page(text):
    assert Page(html(filled(text))).tags["script"] == 1


def test_the_page_asks_for_nothing():
    page = html(filled("plain"))
    assert not re.search(r"""\b(src|srcset|action|formaction)\s*=|@import|url\(|<link|<iframe|fetch\(|import\(""", page)
    targets = [value for name, value in Page(page).attributes if name == "href"]
    assert targets
    assert all(value.startswith("#") for value in targets)
    assert any(str(value).startswith("default-src 'none'") for _, value in Page(page).attributes)


def test_links_lead_to_places_in_the_page():
    attributes = Page(html(filled("plain"))).attributes
    places = {value for name, value in attributes if name == "id"}
    assert {value[1:] for name, value in attributes if name == "href"} <= places


def test_the_same_preview_gives_the_same_bytes():
    assert html(filled("x")) == html(filled("x"))


def test_without_javascript_nothing_is_hidden_but_the_filter():
    hidden = [(name, value) for name, value in Page(html(filled("x"))).attributes if name == "hidden"]
    assert hidden == [("hidden", None)]


def test_markers_are_shown_for_secret_and_unknown_values():
    shown = "".join(Page(html(filled("x"))).texts)
    assert "<secret>" in shown
    assert "<unknown>" in shown


def test_an_environment_that_was_not_checked_does_not_look_good():
    preview = filled("x")
    (environment,) = preview.environments
    unchecked = replace(preview, environments=(replace(environment, known=Annotations()),))
    page = html(unchecked)
    assert "not checked" in page
    assert "all hold" not in page


# The tree


def test_the_tree_puts_children_below_their_parents_in_order():
    a, b = resource("a"), resource("b")
    a1, a2, a11 = resource("a1", a.urn), resource("a2", a.urn), resource("a11", "urn:a1")
    nodes = tree(Recording("shop", "dev", STACK, (a, b, a1, a11, a2)))
    assert [(node.resource.name, node.size) for node in nodes] == [("a", 4), ("b", 1)]
    assert [child.resource.name for child in nodes[0].children] == ["a1", "a2"]


def test_the_tree_loses_no_resource_whose_parent_is_not_recorded():
    nodes = tree(Recording("shop", "dev", STACK, (resource("orphan", "urn:elsewhere"),)))
    assert [node.resource.name for node in nodes] == ["orphan"]


# What is known beside the resources


def described():
    environment = Environment(
        name="dev",
        owner="platform@example.com",
        cluster=MinikubeSpec(),
        teams={"shop": TeamSettings(owner="shop@example.com", delivery="direct", host="shop.example.com")},
    )
    token = JwtValidation.bearer(issuer="https://login.example.com", jwks="https://login.example.com/keys")
    limit = RateLimit(name="orders", capacity=300, rate="60s", bucket_key=("conn.client_ip",))
    orders = ApiSpec(
        name="orders",
        owner="orders@example.com",
        routes=(
            Route.prefix("/orders", Backend.to("v1", 80, weight=9), Backend.to("v2", 80), method="GET"),
            Route.exact(
                "/old",
                filters=(
                    Filter(
                        type="RequestRedirect", request_redirect=Redirect(hostname="new.example.com", status_code=301)
                    ),
                ),
            ),
        ),
        policy=TrafficPolicy(
            on_http_request=(
                Rule(name="bots", expressions=("conn.client_ip == '203.0.113.7'",), actions=(Deny(),)),
                Rule(name="token", actions=(token,)),
                Rule(name="limit", actions=(limit,)),
            )
        ),
    )
    front = ApiSpec(name="front", routes=(Route.prefix("/", Backend.to("front", 80)),))
    gateway = ApiGatewaySpec(
        name="shop",
        namespace="shop",
        host="shop.example.com",
        team="shop",
        owner="shop@example.com",
        apis=(orders, front),
    )
    return [
        Description(environment=environment),
        Description(environment=environment, team="shop", gateways=(gateway,)),
    ]


def test_routes_are_shown_with_backend_authentication_limit_and_owner():
    orders, old, front = annotations_of(described(), ()).routes
    assert orders == RouteRow(
        host="shop.example.com",
        path="/orders/*",
        methods=("GET",),
        backend="shop/v1:80 (90 %), shop/v2:80 (10 %)",
        authentication="JWT of https://login.example.com",
        rate_limit="300 in 60s by conn.client_ip",
        api="shop/orders",
        team="shop",
        owner="orders@example.com",
    )
    assert (old.path, old.backend) == ("/old", "redirect 301")
    assert (front.path, front.methods, front.authentication, front.rate_limit) == ("/*", (), "", "")
    assert front.owner == "shop@example.com"


def test_policies_are_those_that_are_applied_with_their_actions():
    gateway, orders = annotations_of(described(), ()).policies
    assert (gateway.name, gateway.attached_to) == ("shop/shop-gateway", "ApiGateway shop")
    assert [rule.actions for rule in gateway.rules] == [
        ("deny: 403",),
        ("jwt-validation: https://login.example.com",),
    ]
    assert (orders.name, orders.attached_to, orders.team) == ("shop/orders", "Api orders", "shop")
    assert orders.rules == (RuleRow("on_http_request", "limit", (), ("rate-limit: 300 in 60s by conn.client_ip",)),)


def test_objects_teams_and_findings_are_named_with_their_owners():
    known = annotations_of(described(), (AuthenticationRequired(),))
    assert (known.owner, known.cluster, known.checked) == ("platform@example.com", "minikube", True)
    assert known.teams == (TeamRow("shop", "shop@example.com", "shop", "pulumi", "shop.example.com"),)
    assert {item.applied_by for item in known.objects} == {"pulumi"}
    assert OwnedObject("HTTPRoute", "orders", "shop", "pulumi", "shop", "Api orders") in known.objects
    assert [finding.subject for finding in known.findings] == ["Api shop/front"]


def test_a_preview_is_read_and_written_without_pulumi():
    modules = ("annotations", "markup", "preview", "preview_text", "recording", "report")
    imports = "; ".join(f"import apiops_components.delivery.{module}" for module in modules)
    code = f"{imports}; import sys; print([m for m in sys.modules if m.partition('.')[0].startswith('pulumi')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("action", "shown"),
    [
        (BasicAuth(credentials=("me:0123456789",)), "basic"),
        (BasicAuth(credentials=("me:0123456789",), enforce=False), "basic, recorded only"),
        (OAuth(provider="github", client_id="me", client_secret="0123456789"), "OAuth at github"),  # noqa: S106
        (OpenIdConnect(issuer_url="https://id.example.com"), "OpenID Connect at https://id.example.com"),
        (Saml(idp_metadata="<x/>"), "SAML"),
    ],
)
def test_each_login_is_named_and_no_password_shown(action, shown):
    platform, team = described()
    (gateway,) = team.gateways
    front = gateway.apis[1].model_copy(update={"policy": TrafficPolicy(on_http_request=(Rule(actions=(action,)),))})
    apis = (gateway.apis[0], front)
    known = annotations_of(
        [platform, team.model_copy(update={"gateways": (gateway.model_copy(update={"apis": apis}),)})], ()
    )

    assert known.routes[-1].authentication == shown
    assert "0123456789" not in str(known)


def test_actions_that_nothing_checks_are_counted():
    platform, team = described()
    (gateway,) = team.gateways
    raw = TrafficPolicy(on_http_request=(Rule(actions=(RawAction(type="new", config={}),)),))
    apis = tuple(api.model_copy(update={"policy": raw}) for api in gateway.apis)
    counted = team.model_copy(update={"gateways": (gateway.model_copy(update={"apis": apis}),)})

    assert annotations_of([platform, counted], ()).raw_actions == 2
    assert annotations_of([platform, team], ()).raw_actions == 0
