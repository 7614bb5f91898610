from __future__ import annotations

import ipaddress

import pytest
from pydantic import ValidationError

from apiops_components import (
    Deny,
    JwtValidation,
    Policy,
    RateLimit,
    Rule,
    TrafficPolicy,
    add_headers,
    allow_ips,
    basic_auth,
    circuit_breaker,
    client_ip,
    close_connection,
    compress,
    deny,
    deny_ips,
    forward_to,
    http_request,
    jwt,
    log,
    oauth,
    openid_connect,
    owasp_request,
    owasp_response,
    policy_document,
    rate_limit,
    redirect,
    remove_headers,
    replace_in_events,
    replace_in_request,
    replace_in_response,
    req,
    respond,
    rewrite,
    rule,
    secret,
    set_vars,
    verify_webhook,
)
from apiops_components.models.policy.action import PHASES
from apiops_components.models.policy.actions import ACTIONS
from apiops_components.models.policy.union import document


def test_the_short_way_gives_the_policy_of_the_long_way():
    token = {"issuer": "https://id.example.com/", "jwks": "https://id.example.com/jwks"}
    short = Policy.on_request(
        jwt(**token),
        rate_limit(100, per="1m", by=client_ip, name="all"),
        rule(deny(405), when="req.method == 'TRACE'", name="no trace"),
        set_vars(tier="gold"),
    ) + Policy.on_response(remove_headers("server"))
    limit = RateLimit(name="all", capacity=100, rate="1m", bucket_key=("conn.client_ip",))
    assert short == TrafficPolicy(
        on_http_request=(
            Rule(actions=(JwtValidation.bearer(**token), limit)),
            Rule(name="no trace", expressions=("req.method == 'TRACE'",), actions=(Deny(status_code=405),)),
            Rule(actions=(set_vars(tier="gold"),)),
        ),
        on_http_response=(Rule(actions=(remove_headers("server"),)),),
    )
    assert "expressions" not in policy_document(short)["on_http_request"][0]


def test_policies_add_up_phase_by_phase_in_order():
    one, two = Policy.on_request(rule(deny(), when="true")), Policy.on_connect(deny_ips("10.0.0.0/8"))
    events = Policy.on_event(replace_in_events({"a": None}))
    both = one + two + one + events
    assert both.on_http_request == (*one.on_http_request, *one.on_http_request)
    assert both.on_tcp_connect == two.on_tcp_connect
    assert both.on_event_stream_message == events.on_event_stream_message
    assert not TrafficPolicy() + TrafficPolicy()


MADE = [
    (add_headers({"x-a": "b"}), "add-headers", {"headers": {"x-a": "b"}}),
    (
        allow_ips("10.0.0.0/8", "203.0.113.7", "::1"),
        "restrict-ips",
        {"allow": ["10.0.0.0/8", "203.0.113.7/32", "::1/128"]},
    ),
    (allow_ips(policies=["ipp_1"], enforce=False), "restrict-ips", {"enforce": False, "ip_policies": ["ipp_1"]}),
    (deny_ips(ipaddress.ip_network("10.0.0.0/8")), "restrict-ips", {"deny": ["10.0.0.0/8"]}),
    (
        basic_auth("api:" + secret("vault", "it's"), realm="here"),
        "basic-auth",
        {"credentials": ["api:${secrets.get('vault', 'it\\'s')}"], "realm": "here"},
    ),
    (circuit_breaker(errors=0.2, pause="30s"), "circuit-breaker", {"error_threshold": 0.2, "tripped_duration": "30s"}),
    (close_connection(), "close-connection", None),
    (compress(), "compress-response", None),
    (compress("br", "gzip"), "compress-response", {"algorithms": ["br", "gzip"]}),
    (deny(), "deny", None),
    (
        forward_to("https://a.internal", or_continue=True),
        "forward-internal",
        {"url": "https://a.internal", "on_error": "continue"},
    ),
    (
        http_request("https://a.internal/x", method="POST", query={"a": "b"}, retry_when="attempts < 3", or_halt=True),
        "http-request",
        {
            "url": "https://a.internal/x",
            "method": "POST",
            "query_params": [{"key": "a", "value": "b"}],
            "retry_condition": "attempts < 3",
            "on_error": "halt",
        },
    ),
    (
        jwt(issuer=["https://a/", "https://b/"], jwks="https://a/jwks", audience="orders", algorithms=("ES256",)),
        "jwt-validation",
        {
            "issuer": {"allow_list": [{"value": "https://a/"}, {"value": "https://b/"}]},
            "audience": {"allow_list": [{"value": "orders"}]},
            "http": {"tokens": [{"type": "jwt", "method": "header", "name": "Authorization", "prefix": "Bearer "}]},
            "jws": {"allowed_algorithms": ["ES256"], "keys": {"sources": {"additional_jkus": ["https://a/jwks"]}}},
        },
    ),
    (log(tier="${conn.client_ip}", n=1), "log", {"metadata": {"tier": "${conn.client_ip}", "n": 1}}),
    (oauth("google"), "oauth", {"provider": "google"}),
    (
        openid_connect("https://id.example.com", client_id="a", client_secret=secret("v", "k")),
        "openid-connect",
        {
            "issuer_url": "https://id.example.com",
            "client_id": "a",
            "client_secret": "${secrets.get('v', 'k')}",
            "scopes": ["openid"],
        },
    ),
    (owasp_request(exclude=[920350]), "owasp-crs-request", {"on_error": "halt", "exclude_rule_ids": [920350]}),
    (owasp_response(body=True), "owasp-crs-response", {"on_error": "halt", "process_body": True}),
    (
        rate_limit(5, by=("req.host", "req.method")),
        "rate-limit",
        {
            "name": "5 per 1m by req.host, req.method",
            "algorithm": "sliding_window",
            "capacity": 5,
            "rate": "1m",
            "bucket_key": ["req.host", "req.method"],
        },
    ),
    (
        redirect("https://b/$1", pattern="https://a/(.*)", status=308),
        "redirect",
        {"from": "https://a/(.*)", "to": "https://b/$1", "status_code": 308},
    ),
    (
        rate_limit(5, per="60s", by=client_ip, name="n"),
        "rate-limit",
        {
            "name": "n",
            "algorithm": "sliding_window",
            "capacity": 5,
            "rate": "60s",
            "bucket_key": ["conn.client_ip"],
        },
    ),
    (remove_headers("server", "via"), "remove-headers", {"headers": ["server", "via"]}),
    (
        replace_in_events({"a": "b"}, field="retry"),
        "sse-find-replace",
        {"replacements": [{"from": "a", "to": "b", "field": "retry"}]},
    ),
    (replace_in_request({"a": None}), "request-body-find-replace", {"replacements": [{"from": "a"}]}),
    (replace_in_response({"a": "b"}), "response-body-find-replace", {"replacements": [{"from": "a", "to": "b"}]}),
    (respond(503, "later"), "custom-response", {"status_code": 503, "body": "later"}),
    (rewrite("/v2$1", pattern="/v1(/.*)"), "url-rewrite", {"from": "/v1(/.*)", "to": "/v2$1"}),
    (set_vars(a=1, b=None), "set-vars", {"vars": [{"a": 1}, {"b": None}]}),
    (
        verify_webhook("github", secret=secret("v", "k")),
        "verify-webhook",
        {"provider": "github", "secret": "${secrets.get('v', 'k')}"},
    ),
]


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize(("made", "kind", "config"), MADE, ids=lambda item: item if isinstance(item, str) else "")
def test_a_factory_writes(made, kind, config):
    assert plain(document(made)) == ({"type": kind, "config": config} if config is not None else {"type": kind})
    phase = next(phase for phase in reversed(PHASES) if phase in made.phases)
    assert TrafficPolicy.model_validate({phase: [{"actions": [document(made)]}]}).actions


def test_each_factory_of_an_action_is_shown():
    shown = {kind for _, kind, _ in MADE}
    assert ACTIONS.keys() - shown == {"ai-gateway", "saml", "terminate-tls"}  # these have none


def test_what_a_factory_is_given_is_checked_like_everything_else():
    with pytest.raises(ValidationError, match="ERR_NGROK_2225"):
        rate_limit(1, per="1s")
    with pytest.raises(ValidationError, match="ERR_NGROK_2206"):
        rule()
    with pytest.raises(ValidationError, match="unknown provider"):
        verify_webhook("nobody", secret=secret("v", "k"))
    with pytest.raises(ValidationError, match="ERR_NGROK_2217"):
        allow_ips("anywhere")


def test_a_condition_may_be_built():
    built = rule(deny(), when=(req.method == "TRACE") & ~(req.host == "it's"))
    assert built.expressions == ("req.method == 'TRACE' && !(req.host == 'it\\'s')",)
    assert Policy.on_request(built)
