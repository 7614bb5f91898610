from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

import apiops_components as root
from apiops_components import (
    CustomResponse,
    ForwardInternal,
    HttpRequest,
    JwtValidation,
    OAuth,
    OpenIdConnect,
    Policy,
    RateLimit,
    RawAction,
    Redirect,
    Rule,
    SetVars,
    TrafficPolicy,
    policy_document,
)
from apiops_components.errors import problems_of
from apiops_components.models.policy.action import PHASES
from apiops_components.models.policy.actions import ACTIONS

T, Q, R, S = PHASES
ENDS, MAY_END, GOES_ON = "ends", "may end", "goes on"

# As facts: ngrok §1.0 has it; `protects` is design decision 2.
CATALOGUE = {
    "add-headers": ({Q, R}, "add_headers", GOES_ON, False),
    "ai-gateway": ({Q}, "ai_gateway", MAY_END, False),
    "basic-auth": ({Q}, "basic_auth", GOES_ON, True),
    "circuit-breaker": ({Q}, "", GOES_ON, False),
    "close-connection": ({T, Q}, "", ENDS, True),
    "compress-response": ({R}, "compress", GOES_ON, False),
    "custom-response": ({Q, R}, "", ENDS, False),
    "deny": ({T, Q}, "", ENDS, True),
    "forward-internal": ({T, Q}, "forward_internal", MAY_END, False),
    "http-request": ({Q, R}, "http_request", GOES_ON, False),
    "jwt-validation": ({Q}, "jwt_validation", GOES_ON, True),
    "log": ({T, Q, R}, "log", GOES_ON, False),
    "oauth": ({Q}, "oauth", GOES_ON, True),
    "openid-connect": ({Q}, "oidc", GOES_ON, True),
    "owasp-crs-request": ({Q}, "owasp_crs_request", GOES_ON, True),
    "owasp-crs-response": ({R}, "owasp_crs_response", GOES_ON, False),
    "rate-limit": ({Q}, "rate_limit", GOES_ON, False),
    "redirect": ({Q}, "redirect", MAY_END, False),
    "remove-headers": ({Q, R}, "remove_headers", GOES_ON, False),
    "request-body-find-replace": ({Q}, "request_body_find_replace", GOES_ON, False),
    "response-body-find-replace": ({R}, "response_body_find_replace", GOES_ON, False),
    "restrict-ips": ({T, Q, R}, "restrict_ips", GOES_ON, True),
    "saml": ({Q}, "", GOES_ON, True),
    "set-vars": ({T, Q, R}, "", GOES_ON, False),
    "sse-find-replace": ({S}, "sse_find_replace", GOES_ON, False),
    "terminate-tls": ({T}, "terminate_tls", GOES_ON, False),
    "url-rewrite": ({Q}, "url_rewrite", GOES_ON, False),
    "verify-webhook": ({Q}, "verify_webhook", GOES_ON, True),
}
WITH_ENFORCE = {"basic-auth", "circuit-breaker", "rate-limit", "restrict-ips", "verify-webhook"}


def read(*actions: tuple[str, object], phase: str = Q) -> TrafficPolicy:
    return TrafficPolicy.model_validate(document(*actions, phase=phase))


def document(*actions: tuple[str, object], phase: str = Q) -> dict:
    return {phase: [{"actions": [{"type": kind, "config": config} for kind, config in actions]}]}


def problems(value: object) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        TrafficPolicy.model_validate(value)
    return [(problem.path, problem.code) for problem in problems_of(caught.value, value)]


def message(value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        TrafficPolicy.model_validate(value)
    (problem,) = problems_of(caught.value, value)
    return f"{problem.message} | {problem.hint}"


def test_every_action_of_the_catalogue_is_there():
    assert {
        kind: (
            cls.phases,
            cls.result,
            GOES_ON if not cls.terminating else ENDS if cls.ends is ACTIONS["deny"].ends else MAY_END,
            cls.protecting,
        )
        for kind, cls in ACTIONS.items()
    } == CATALOGUE


def test_a_dry_run_is_known_of_the_five_actions_that_have_one():
    assert {kind for kind, cls in ACTIONS.items() if "enforce" in cls.model_fields} == WITH_ENFORCE
    limit = RateLimit(name="n", capacity=1, rate="60s", bucket_key=("conn.client_ip",))
    assert limit.enforced
    assert not limit.model_copy(update={"enforce": False}).enforced
    assert CustomResponse().enforced


def test_every_action_is_public():
    assert {cls.__name__ for cls in ACTIONS.values()} | {"RawAction", "Policy"} <= set(root.__all__)


def test_a_policy_loads_only_the_actions_that_it_has():
    program = """if True:
        import sys
        from apiops_components import Deny, Policy
        Policy.on_request(Deny())
        loaded = {name.rpartition(".")[2] for name in sys.modules if ".policy.actions." in name}
        assert loaded == {"other", "responses", "values"}, loaded
    """
    subprocess.run([sys.executable, "-c", program], check=True)


# --- where ngrok's table and its other documents contradict each other -----------------------------------------------

KEYS = {"sources": {"additional_jkus": ["https://id.example.com/jwks"]}}
JWT = {
    "issuer": {"allow_list": [{"value": "https://id.example.com/"}]},
    "http": {"tokens": [{"type": "jwt", "method": "header", "name": "Authorization", "prefix": "Bearer "}]},
    "jws": {"allowed_algorithms": ["RS256"], "keys": KEYS},
}


def test_keys_of_a_jwt_are_mappings_though_the_table_says_lists():
    assert read(("jwt-validation", JWT))
    assert problems(document(("jwt-validation", JWT | {"jws": JWT["jws"] | {"keys": [KEYS]}}))) == [
        ("on_http_request[0].actions[0].config.jws.keys", "schema/model-type")
    ]
    listed = {"sources": [KEYS["sources"]]}
    assert problems(document(("jwt-validation", JWT | {"jws": JWT["jws"] | {"keys": listed}}))) == [
        ("on_http_request[0].actions[0].config.jws.keys.sources", "schema/model-type")
    ]


def test_event_streams_have_a_phase_of_their_own_that_the_overview_leaves_out():
    config = {"replacements": [{"from": "a"}]}
    assert read(("sse-find-replace", config), phase=S)
    assert problems(document(("sse-find-replace", config), phase=R)) == [
        ("on_http_response[0].actions[0].type", "policy/action-phase")
    ]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("oidc", "openid-connect"),
        ("webhook-validation", "verify-webhook"),
        ("ip-restriction", "restrict-ips"),
        ("ip-restrictions", "restrict-ips"),
        ("restrict-ip", "restrict-ips"),
        ("circuit_breaker", "circuit-breaker"),
    ],
)
def test_names_that_occur_in_documents_only_are_refused_with_the_right_one(wrong, right):
    assert message(document((wrong, {}))) == f"unknown action type {wrong!r} (ERR_NGROK_2201) | it is called {right}"


def test_both_names_of_the_idle_time_are_taken_for_openid_connect_and_one_for_oauth():
    given = {"issuer_url": "https://id.example.com"}
    assert read(("openid-connect", given | {"idle_session_duration": "1h"}))
    assert read(("openid-connect", given | {"idle_session_timeout": "1h"}))
    assert read(("oauth", {"provider": "google", "idle_session_timeout": "1h"}))
    assert problems(document(("oauth", {"provider": "google", "idle_session_duration": "1h"}))) == [
        ("on_http_request[0].actions[0].config.idle_session_duration", "schema/unknown-field")
    ]


def test_variables_are_a_list_though_five_examples_have_a_mapping():
    assert message(document(("set-vars", {"vars": {"a": 1, "b": 2}}))) == (
        "vars is a list of mappings with one key each, got one mapping (ERR_NGROK_2252) | write\n- a: …\n- b: …"
    )


def test_a_denied_connection_has_no_status_though_the_table_has_one():
    assert read(("deny", {"status_code": 404}))
    assert TrafficPolicy.model_validate({T: [{"actions": [{"type": "deny"}]}]})
    assert problems(document(("deny", {"status_code": 404}), phase=T)) == [
        ("on_tcp_connect[0].actions[0].config.status_code", "policy/deny-status")
    ]


def test_a_denial_has_no_body_though_an_example_has_one():
    assert problems(document(("deny", {"body": "no"}))) == [
        ("on_http_request[0].actions[0].config.body", "schema/unknown-field")
    ]


def test_a_redirect_goes_to_to_though_an_example_says_location():
    assert ("on_http_request[0].actions[0].config.location", "schema/unknown-field") in problems(
        document(("redirect", {"location": "/a"}))
    )


def test_a_credential_is_text_though_an_example_has_mappings():
    assert problems(document(("basic-auth", {"credentials": [{"username": "a", "password": "password1"}]}))) == [
        ("on_http_request[0].actions[0].config.credentials[0]", "schema/string-type")
    ]


@pytest.mark.parametrize("count", [0, 5, 100])
def test_redirects_are_followed_up_to_the_higher_of_two_limits_that_the_page_has(count):
    assert read(("http-request", {"url": "https://a.internal", "max_redirects": count}))


def test_on_error_has_opposite_defaults_and_only_halt_makes_forward_internal_end():
    assert ForwardInternal(url="https://a.internal").ends
    assert ForwardInternal(url="https://a.internal", on_error="halt").ends
    assert not ForwardInternal(url="https://a.internal", on_error="continue").ends
    assert not HttpRequest(url="https://a.internal").ends


def test_what_the_table_calls_required_though_it_has_a_default_may_be_left_out():
    assert read(("circuit-breaker", {}), ("owasp-crs-request", {}), ("restrict-ips", {"allow": ["10.0.0.0/8"]}))
    assert read(("owasp-crs-response", {}), phase=R)


def test_restrict_ips_is_for_responses_too_though_the_overview_omits_it():
    assert read(("restrict-ips", {"deny": ["10.0.0.0/8"]}), phase=R)


def test_compress_response_is_for_responses_only_though_the_overview_says_requests_too():
    assert problems(document(("compress-response", {}))) == [
        ("on_http_request[0].actions[0].type", "policy/action-phase")
    ]


def test_a_header_may_be_a_whole_number_as_examples_have_it():
    assert read(("add-headers", {"headers": {"x-a": 1}}))


def test_a_rate_of_one_second_is_refused_though_a_page_has_it():
    config = {"name": "n", "algorithm": "sliding_window", "capacity": 1, "rate": "1s", "bucket_key": ["conn.client_ip"]}
    assert message(document(("rate-limit", config))) == (
        "'1s' is not a multiple of 10s from 60s to 24h (ERR_NGROK_2225) | such as 60s"
    )


def test_the_binding_of_forward_internal_is_undocumented_and_taken_with_a_warning():
    policy = read(("forward-internal", {"url": "https://a.internal", "binding": "internal"}))
    assert [(one.path, one.code) for one in policy.warnings()] == [
        ("on_http_request[0].actions[0].config.binding", "policy/undocumented")
    ]


# A name with an upper-case letter, in a place of a document, and the key that is said to be never there.
IN_VAIN = [
    ({"expressions": ["req.headers['X-A'].join(',') == 'a'"]}, "expressions[0]", "req.headers", "X-A"),
    ({"expressions": ["'X-A' in req.headers"]}, "expressions[0]", "req.headers", "X-A"),
    ({"expressions": ["true", "has(req.trailers.Digest)"]}, "expressions[1]", "req.trailers", "Digest"),
    ({"actions": [("log", {"metadata": {"a": "b ${req.headers['X-A'][0]}"}})]}, "metadata.a", "req.headers", "X-A"),
    (
        {"actions": [("http-request", {"url": "https://a.internal", "retry_condition": "'X' in req.headers"})]},
        "retry_condition",
        "req.headers",
        "X",
    ),
]
NOT_IN_VAIN = [
    "req.headers['x-a'].join(',') == 'A'",
    "hasReqHeader('X-A') && getReqHeader('X-A').join(',') == 'a'",
    "req.headers.exists(name, name == 'x') || req.url.query_params['A'].join(',') == 'headers'",
    "req.url.path == \"req.headers['X-A']\"",
]


@pytest.mark.parametrize(("parts", "place", "read_", "key"), IN_VAIN)
def test_a_header_that_is_looked_up_by_a_name_not_in_lower_case_is_a_warning(parts, place, read_, key):
    actions = [{"type": kind, "config": config} for kind, config in parts.get("actions", [("deny", {})])]
    policy = TrafficPolicy.model_validate(
        {Q: [{"actions": actions} | {k: v for k, v in parts.items() if k != "actions"}]}
    )
    (warning,) = policy.warnings()
    below = place if "expressions" in parts else f"actions[0].config.{place}"
    assert (warning.path, warning.code) == (f"on_http_request[0].{below}", "policy/header-case")
    assert warning.message == f"{read_} has no key {key!r}: its keys are in lower case, so this finds nothing"
    assert warning.hint == f"write {key.lower()!r}"


@pytest.mark.parametrize("text", NOT_IN_VAIN)
def test_a_header_that_can_be_there_is_no_warning(text):
    rule = {"expressions": [text], "actions": [{"type": "deny"}]}
    assert TrafficPolicy.model_validate({Q: [rule]}).warnings() == ()


def test_a_header_of_an_answer_is_looked_up_in_vain_alike():
    rule = {
        "expressions": ["'Set-Cookie' in res.headers"],
        "actions": [{"type": "log", "config": {"metadata": {"a": 1}}}],
    }
    assert [one.message[:11] for one in TrafficPolicy.model_validate({R: [rule]}).warnings()] == ["res.headers"]


@pytest.mark.parametrize("provider", ["signalsciences", "sonatype_nexus", "vmware_workspace"])
def test_providers_that_only_guides_name_are_refused_with_the_one_of_the_list(provider):
    assert "did you mean " in message(document(("verify-webhook", {"provider": provider, "secret": "s"})))


def test_names_of_older_modules_are_no_fields_of_circuit_breaker():
    found = problems(document(("circuit-breaker", {"rolling_window": "10s", "error_threshold_percentage": 0.5})))
    assert {code for _, code in found} == {"schema/unknown-field"}


# --- what ngrok evaluates --------------------------------------------------------------------------------------------


def test_bucket_keys_and_retry_conditions_are_expressions_and_everything_else_is_a_template():
    assert list(RateLimit(name="${a}", capacity=1, rate="60s", bucket_key=("req.host",)).texts()) == [
        (("bucket_key", 0), "req.host", "expression")
    ]
    made = HttpRequest(
        url="https://a.internal",
        headers={"x-a": "b"},
        query_params=({"key": "k", "value": "v"},),
        retry_condition="true",
    )
    assert list(made.texts()) == [
        (("url",), "https://a.internal", "template"),
        (("query_params", 0, "key"), "k", "template"),
        (("query_params", 0, "value"), "v", "template"),
        (("headers", "x-a"), "b", "template"),
        (("retry_condition",), "true", "retry"),
    ]


def test_text_is_found_at_any_depth_of_variables_and_under_the_names_of_documents():
    made = SetVars(vars=({"a": {"b": ["${req.host}", 1]}}, {"c": None}))
    assert list(made.texts()) == [(("vars", 0, "a", "b", 0), "${req.host}", "template")]
    assert list(made.assignments) == [("a", {"b": ["${req.host}", 1]}), ("c", None)]
    assert [place for place, _, _ in Redirect(from_="a", to="b").texts()] == [("from",), ("to",)]


def test_an_audience_is_not_evaluated():
    token = JwtValidation.bearer(issuer="https://i/", jwks="https://i/jwks", audience="${not evaluated")
    assert "${not evaluated" not in [text for _, text, _ in token.texts()]


# --- rules and documents ---------------------------------------------------------------------------------------------


def test_the_phases_of_old_are_read_with_a_warning_and_written_as_those_of_today():
    deny, headers = [{"actions": [{"type": "deny"}]}], [{"actions": [{"type": "compress-response"}]}]
    policy = TrafficPolicy.model_validate({"inbound": deny, "outbound": headers, "enabled": True})
    assert policy_document(policy) == {Q: deny, R: headers}
    assert [(one.path, one.code) for one in policy.warnings()] == [
        ("inbound", "policy/legacy"),
        ("outbound", "policy/legacy"),
        ("enabled", "policy/legacy"),
    ]
    today = TrafficPolicy.model_validate(policy_document(policy))
    assert today == policy
    assert hash(TrafficPolicy()) == hash(TrafficPolicy())
    assert today.warnings() == ()


def test_inbound_is_of_connections_where_an_action_of_connections_alone_is_in_it():
    rules = [{"actions": [{"type": "terminate-tls"}]}]
    assert policy_document(TrafficPolicy.model_validate({"inbound": rules})) == {T: rules}


def test_content_is_read_with_a_warning_and_written_as_body():
    policy = read(("custom-response", {"status_code": 404, "content": "nothing here"}))
    assert policy_document(policy) == document(("custom-response", {"status_code": 404, "body": "nothing here"}))
    assert [one.path for one in policy.warnings()] == ["on_http_request[0].actions[0].config.content"]


def test_errors_in_a_document_of_old_are_told_where_they_were_written():
    rules = [{"actions": [{"type": "custom-response", "config": {"content": "${req.nothing}", "status_code": 9}}]}]
    assert sorted(problems({"inbound": rules})) == [
        ("inbound[0].actions[0].config.status_code", "schema/greater-than-equal"),
    ]
    del rules[0]["actions"][0]["config"]["status_code"]
    ((path, _),) = problems({"inbound": rules})
    assert path == "inbound[0].actions[0].config.content"


def test_the_short_form_of_a_rule_is_refused_with_the_fix():
    assert message({Q: [{"type": "oauth", "config": {"provider": "google"}}]}) == (
        "a rule without actions: the short form {type, config} loses its action on the way to ngrok "
        "| write actions: [{type: oauth, config: …}]"
    )


def test_a_token_goes_with_a_login_but_two_logins_do_not_go_together():
    token = JwtValidation.bearer(issuer="https://i/", jwks="https://i/jwks")
    login = OAuth(provider="google")
    assert Policy.on_request(token, login)
    with pytest.raises(ValidationError, match="ERR_NGROK_2239"):
        Policy.on_request(
            Rule(expressions=("req.host == 'a'",), actions=(login,)),
            Rule(expressions=("req.host == 'b'",), actions=(OpenIdConnect(issuer_url="https://i"),)),
        )


@pytest.mark.parametrize("kind", ["custom-response", "deny", "close-connection"])
def test_behind_an_action_that_always_ends_nothing_may_stand(kind):
    assert problems(document((kind, {}), ("log", {"metadata": {}}))) == [
        ("on_http_request[0].actions[1]", "policy/unreachable")
    ]
    twice = {Q: [{"actions": [{"type": kind}]}, {"actions": [{"type": "log", "config": {"metadata": {}}}]}]}
    assert problems(twice) == [("on_http_request[1]", "policy/unreachable")]
    twice[Q][0]["expressions"] = ["req.method == 'GET'"]
    assert TrafficPolicy.model_validate(twice)


def test_behind_a_redirect_and_a_tolerant_forward_something_may_stand():
    assert read(("redirect", {"from": "/a", "to": "/b"}), ("deny", {}))
    assert read(("forward-internal", {"url": "https://a.internal", "on_error": "continue"}), ("deny", {}))


def test_what_no_document_can_hold_is_refused_in_the_config_of_an_unknown_action():
    with pytest.raises(ValidationError) as error:
        RawAction(type="teleport", config={"to": [("a", "tuple")]})
    (found,) = problems_of(error.value, {"config": {"to": [("a", "tuple")]}})
    assert (found.path, found.code) == ("config.to[0]", "schema/invalid-json-value")


def test_an_unknown_action_is_refused_in_a_document_and_counted_where_python_wraps_it():
    assert problems(document(("teleport", {}))) == [("on_http_request[0].actions[0].type", "policy/action-type")]
    raw = RawAction(type="teleport", config={"to": [{"place": None}]})
    policy = Policy.on_request(raw) + Policy.on_event(raw)
    assert policy.raw == (raw, raw)
    assert policy_document(policy)[Q] == [{"actions": [{"type": "teleport", "config": {"to": [{"place": None}]}}]}]
    assert problems(policy_document(policy))
    assert Policy.on_request(OAuth(provider="google")).raw == ()


def test_a_known_action_cannot_be_wrapped_to_escape_its_checks():
    with pytest.raises(ValidationError, match="is known, and is checked as RateLimit") as caught:
        RawAction(type="rate-limit", config={})
    assert [one.code for one in problems_of(caught.value, {"type": "rate-limit"})] == ["policy/raw-known"]


# --- policies of endpoints -------------------------------------------------------------------------------------------

FORWARD = {"type": "forward-internal", "config": {"url": "https://a.internal"}}
TOLERANT = {"type": "forward-internal", "config": {"url": "https://a.internal", "on_error": "continue"}}


@pytest.mark.parametrize(
    ("rules", "terminates"),
    [
        ([{"actions": [FORWARD]}], True),
        ([{"actions": [{"type": "log", "config": {"metadata": {}}}, {"type": "deny"}]}], True),
        ([{"actions": [TOLERANT]}], False),
        ([{"actions": [TOLERANT, {"type": "close-connection"}]}], True),
        ([{"expressions": ["req.host == 'a'"], "actions": [FORWARD]}], False),
        ([{"expressions": ["req.host == 'a'"], "actions": [FORWARD]}, {"actions": [{"type": "deny"}]}], True),
        ([{"actions": [{"type": "redirect", "config": {"to": "https://example.com"}}]}], False),
        ([], False),
    ],
)
def test_a_cloud_endpoint_needs_a_policy_that_ends_every_request(rules, terminates):
    assert TrafficPolicy.model_validate({Q: rules}).guaranteed_to_terminate() is terminates


def test_an_answer_to_a_response_ends_no_request():
    assert not read(("custom-response", {}), phase=R).guaranteed_to_terminate()
