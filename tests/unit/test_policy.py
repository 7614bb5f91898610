from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from apiops_components import (
    AddHeaders,
    CustomResponse,
    Deny,
    JwtValidation,
    Problem,
    RateLimit,
    RemoveHeaders,
    Rule,
    TrafficPolicy,
)
from apiops_components.errors import problems_of
from apiops_components.models.policy.actions import ACTIONS
from apiops_components.models.policy.document import PHASES
from apiops_components.testing import strategies

JWT = {
    "issuer": {"allow_list": [{"value": "https://id.example.com/"}]},
    "http": {"tokens": [{"type": "jwt", "method": "header", "name": "Authorization", "prefix": "Bearer "}]},
    "jws": {"allowed_algorithms": ["RS256"], "keys": {"sources": {"additional_jkus": ["https://id.example.com/jwks"]}}},
}
RATE = {"name": "a", "algorithm": "sliding_window", "capacity": 10, "rate": "60s", "bucket_key": ["conn.client_ip"]}
WHOLE = {
    "add-headers": {"headers": {"x-a": "1"}},
    "custom-response": {"status_code": 404, "body": "no", "headers": {"content-type": "text/plain"}},
    "deny": {"status_code": 403},
    "jwt-validation": JWT,
    "rate-limit": RATE,
    "remove-headers": {"headers": ["server"]},
}
REQUEST = "on_http_request"


def policy(kind: str, config: dict | None = None, phase: str = REQUEST) -> dict:
    return {phase: [{"actions": [{"type": kind, "config": config} if config is not None else {"type": kind}]}]}


def problems(document: dict) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        TrafficPolicy.model_validate(document)
    return list(problems_of(caught.value, document))


def changed(config: dict, *path: str | int, to: object = ...) -> dict:
    """A copy with one value replaced, or left out."""
    key, *rest = path
    copy = config.copy()
    if rest:
        copy[key] = changed(config[key], *rest, to=to)
    elif to is ...:
        del copy[key]
    else:
        copy[key] = to
    return copy


# --- fields and limits ---------------------------------------------------------------------------------------------

TOKEN = ("http", "tokens", 0)
SOURCES = ("jws", "keys", "sources")
VALID = [
    *WHOLE.items(),
    ("deny", None),
    ("deny", {"status_code": 100}),
    ("deny", {"status_code": 599.0}),
    ("custom-response", None),
    ("custom-response", {"headers": {f"x-{n}": "${req.host}" for n in range(10)}}),
    ("add-headers", {"headers": {f"x-{n}": "v\t" for n in range(10)}}),
    ("add-headers", {"headers": {"host": "internal.example.com", "x-a": 1}}),
    ("remove-headers", {"headers": [f"x-{n}" for n in range(10)]}),
    ("rate-limit", RATE | {"name": "n" * 1023, "capacity": 1, "rate": "24h", "enforce": False}),
    ("rate-limit", RATE | {"capacity": 2_000_000_000, "rate": "1m10s", "bucket_key": ["req.host"] * 10}),
    ("rate-limit", RATE | {"bucket_key": ["req.headers['x-user'][0]", "getReqHeader('X-A')"]}),
    ("jwt-validation", JWT | {"audience": {"allow_list": [{"value": "orders"}]}}),
    ("jwt-validation", changed(JWT, *SOURCES, "additional_jkus", to=["${secrets.get('vault', 'jwks')}"])),
    (
        "jwt-validation",
        changed(JWT, "jws", "keys", to=JWT["jws"]["keys"] | {"identification": {"token_claims": ["kid"]}}),
    ),
    *(
        ("jwt-validation", {**JWT, "http": {"tokens": [{"type": kind, "method": "body", "name": "token"}]}})
        for kind in ("id_token", "access_token", "at+jwt", "it+jwt", "plain", "jwt")
    ),
]
EMPTY, REQUIRED = "schema/too-short", "schema/required"
REFUSED = [
    # action, config, path below config, code, part of the message
    ("add-headers", {}, "headers", REQUIRED, "required"),
    ("add-headers", {"headers": {}}, "headers", EMPTY, "at least 1 item is expected, got 0"),
    ("add-headers", {"headers": {f"x-{n}": "v" for n in range(11)}}, "headers", "schema/too-long", "at most 10"),
    ("add-headers", {"headers": {"a b": "v"}}, 'headers["a b"]', "http/header-name", "ERR_NGROK_2210"),
    (
        "add-headers",
        {"headers": {"Ngrok-Skip-Browser-Warning": "1"}},
        "headers.Ngrok-Skip-Browser-Warning",
        "policy/header",
        "2219",
    ),
    ("add-headers", {"headers": {"User-Agent": "v"}}, "headers.User-Agent", "policy/header", "2219"),
    ("add-headers", {"headers": {"x": "a\r\nset-cookie: b"}}, "headers.x", "policy/header", "2211"),
    ("add-headers", {"headers": {"x": "\x00"}}, "headers.x", "policy/header", "control character"),
    ("add-headers", {"headers": {"x": 1.5}}, "headers.x", "schema/string-type", "1.5"),
    ("add-headers", {"headers": {"x": True}}, "headers.x", "schema/string-type", "True"),
    ("add-headers", {"headers": {"X-A": "1", "x-a": "2"}}, "headers.x-a", "policy/duplicate", "2231"),
    ("add-headers", {"headers": ["x"]}, "headers", "schema/dict-type", "a mapping is expected, got a list"),
    ("remove-headers", {}, "headers", REQUIRED, "required"),
    ("remove-headers", {"headers": []}, "headers", EMPTY, "at least 1 item is expected"),
    ("remove-headers", {"headers": [f"x-{n}" for n in range(11)]}, "headers", "schema/too-long", "at most 10"),
    ("remove-headers", {"headers": ["user-agent"]}, "headers[0]", "policy/header", "2219"),
    ("remove-headers", {"headers": ["x", ""]}, "headers[1]", "http/header-name", "ERR_NGROK_2210"),
    ("remove-headers", {"headers": ["X", "x"]}, "headers[1]", "policy/duplicate", "'x' is there twice"),
    ("remove-headers", {"headers": {"x": "y"}}, "headers", "schema/tuple-type", "a list is expected, got a mapping"),
    ("custom-response", {"status_code": 99}, "status_code", "schema/greater-than-equal", "100"),
    ("custom-response", {"status_code": 600}, "status_code", "schema/less-than-equal", "599"),
    ("custom-response", {"status_code": "404"}, "status_code", "schema/integer", "must be an integer, got '404'"),
    ("custom-response", {"headers": {f"x-{n}": "v" for n in range(11)}}, "headers", "schema/too-long", "at most 10"),
    ("custom-response", {"headers": {"x": "a\nb"}}, "headers.x", "policy/header", "2211"),
    ("custom-response", {"headers": {"A": "1", "a": "1"}}, "headers.a", "policy/duplicate", "2231"),
    ("custom-response", {"contents": "x"}, "contents", "schema/unknown-field", "unknown field"),
    ("deny", {"status_code": 99}, "status_code", "schema/greater-than-equal", "100"),
    ("deny", {"status_code": True}, "status_code", "schema/integer", "must be an integer, got True"),
    ("deny", {"body": "no"}, "body", "schema/unknown-field", "unknown field"),
    *(("rate-limit", changed(RATE, field), field, REQUIRED, "required") for field in RATE),
    ("rate-limit", RATE | {"name": ""}, "name", "schema/string-too-short", "1"),
    ("rate-limit", RATE | {"name": "n" * 1024}, "name", "schema/string-too-long", "1023"),
    ("rate-limit", RATE | {"algorithm": "fixed"}, "algorithm", "schema/literal-error", "'sliding_window'"),
    ("rate-limit", RATE | {"capacity": 0}, "capacity", "schema/greater-than-equal", "1"),
    ("rate-limit", RATE | {"capacity": 2_000_000_001}, "capacity", "schema/less-than-equal", "2000000000"),
    ("rate-limit", RATE | {"enforce": "no"}, "enforce", "schema/bool-type", "'no'"),
    *(
        ("rate-limit", RATE | {"rate": rate}, "rate", "policy/rate", "60s to 24h (ERR_NGROK_2225)")
        for rate in ("1s", "50s", "65s", "24h10s", "61.5s")
    ),
    *(("rate-limit", RATE | {"rate": rate}, "rate", "time/duration", repr(rate)) for rate in ("", "60", "1d", "-60s")),
    ("rate-limit", RATE | {"bucket_key": []}, "bucket_key", EMPTY, "at least 1"),
    ("rate-limit", RATE | {"bucket_key": ["req.host"] * 11}, "bucket_key", "schema/too-long", "at most 10"),
    (
        "rate-limit",
        RATE | {"bucket_key": ["${conn.client_ip}"]},
        "bucket_key[0]",
        "policy/expression",
        "unexpected '$'",
    ),
    ("rate-limit", RATE | {"bucket_key": [""]}, "bucket_key[0]", "schema/string-too-short", "1"),
    *(("jwt-validation", changed(JWT, field), field, REQUIRED, "required") for field in JWT),
    ("jwt-validation", changed(JWT, "issuer", "allow_list", to=[]), "issuer.allow_list", EMPTY, "at least 1"),
    (
        "jwt-validation",
        changed(JWT, "issuer", "allow_list", to=[{}]),
        "issuer.allow_list[0].value",
        REQUIRED,
        "required",
    ),
    ("jwt-validation", JWT | {"audience": {"allow_list": []}}, "audience.allow_list", EMPTY, "at least 1"),
    ("jwt-validation", changed(JWT, "http", "tokens", to=[]), "http.tokens", EMPTY, "at least 1"),
    *(
        (
            "jwt-validation",
            {**JWT, "http": {"tokens": [changed(JWT["http"]["tokens"][0], field)]}},
            f"http.tokens[0].{field}",
            REQUIRED,
            "required",
        )
        for field in ("type", "method", "name")
    ),
    *(
        (
            "jwt-validation",
            {**JWT, "http": {"tokens": [JWT["http"]["tokens"][0] | {field: value}]}},
            f"http.tokens[0].{field}",
            "schema/literal-error",
            repr(value),
        )
        for field, value in (("type", "bearer"), ("method", "query"))
    ),
    ("jwt-validation", changed(JWT, "jws", "allowed_algorithms", to=[]), "jws.allowed_algorithms", EMPTY, "at least 1"),
    *(
        (
            "jwt-validation",
            changed(JWT, "jws", "allowed_algorithms", to=["RS256", name]),
            "jws.allowed_algorithms[1]",
            "policy/jwt-algorithm",
            "unsigned",
        )
        for name in ("none", "None", "NONE")
    ),
    ("jwt-validation", changed(JWT, "jws", "keys"), "jws.keys", REQUIRED, "required"),
    (
        "jwt-validation",
        changed(JWT, *SOURCES, "additional_jkus", to=[]),
        "jws.keys.sources.additional_jkus",
        EMPTY,
        "1",
    ),
    (
        "jwt-validation",
        changed(JWT, *SOURCES, "additional_jkus", to=["http://id.example.com/jwks"]),
        "jws.keys.sources.additional_jkus[0]",
        "policy/jwt-keys",
        "is not an https:// address",
    ),
    (
        "jwt-validation",
        changed(JWT, *SOURCES, to=[{}]),
        "jws.keys.sources",
        "schema/model-type",
        "a mapping is expected",
    ),
    (
        "jwt-validation",
        changed(JWT, "jws", "keys", to=JWT["jws"]["keys"] | {"identification": {"token_claims": ["x5t"]}}),
        "jws.keys.identification.token_claims[0]",
        "schema/literal-error",
        "'kid'",
    ),
]


@pytest.mark.parametrize(("kind", "config"), VALID)
def test_what_ngrok_takes_is_taken(kind, config):
    (step,) = TrafficPolicy.model_validate(policy(kind, config)).actions
    assert type(step) is ACTIONS[kind]


@pytest.mark.parametrize(("kind", "config", "path", "code", "message"), REFUSED)
def test_each_limit_refuses_with_path_and_code(kind, config, path, code, message):
    (problem,) = problems(policy(kind, config))
    assert (problem.path, problem.code) == (f"{REQUEST}[0].actions[0].config.{path}", code)
    assert message in problem.message


@pytest.mark.parametrize(
    ("document", "path", "hint"),
    [
        (policy("deny", {"status": 403}), "[0].actions[0].config.status", "did you mean status_code?"),
        (policy("custom-response", {"bodi": "x"}), "[0].actions[0].config.bodi", "did you mean body?"),
        (
            policy("rate-limit", RATE | {"bucket_keys": []}),
            "[0].actions[0].config.bucket_keys",
            "did you mean bucket_key?",
        ),
        (
            {REQUEST: [{"expression": ["true"], "actions": [{"type": "deny"}]}]},
            "[0].expression",
            "did you mean expressions?",
        ),
        (
            {REQUEST: [{"actions": [{"type": "deny", "conf": {}}]}]},
            "[0].actions[0].conf",
            "an action has type and config only",
        ),
    ],
)
def test_an_unknown_field_is_named_with_the_one_that_was_meant(document, path, hint):
    (problem,) = problems(document)
    assert (problem.path, problem.code, problem.hint) == (f"{REQUEST}{path}", "schema/unknown-field", hint)


@pytest.mark.parametrize(
    ("phase", "hint"),
    [
        ("on_http_respond", "did you mean on_http_response?"),
        ("on_http_requests", "did you mean on_http_request?"),
        ("on_tcp_conect", "did you mean on_tcp_connect?"),
    ],
)
def test_an_unknown_phase_is_named_with_the_one_that_was_meant(phase, hint):
    (problem,) = problems({phase: []})
    assert (problem.path, problem.code, problem.hint) == (phase, "schema/unknown-field", hint)


# --- names of actions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("oidc", "it is called openid-connect"),
        ("webhook-validation", "it is called verify-webhook"),
        ("ip-restriction", "it is called restrict-ips"),
        ("ip-restrictions", "it is called restrict-ips"),
        ("restrict-ip", "it is called restrict-ips"),
        ("circuit_breaker", "it is called circuit-breaker"),
        ("Deny", "did you mean deny?"),
        ("rate_limit", "did you mean rate-limit?"),
        ("add-header", "did you mean add-headers?"),
        ("basic_auth", "did you mean basic-auth?"),
        ("quux", f"known: {', '.join(sorted(ACTIONS))}"),
        (None, "known: "),
        (["deny"], ""),
    ],
)
def test_a_wrong_name_of_an_action_is_told_with_the_right_one(kind, hint):
    (problem,) = problems({REQUEST: [{"actions": [{"type": kind, "config": {}}]}]})
    assert (problem.path, problem.code) == (f"{REQUEST}[0].actions[0].type", "policy/action-type")
    assert f"unknown action type {kind!r}" in problem.message
    assert problem.hint.startswith(hint)


@pytest.mark.parametrize(
    ("action", "path", "code"),
    [
        ({}, ".type", REQUIRED),
        ({"config": {}}, ".type", REQUIRED),
        ("deny", "", "policy/action"),
        (None, "", "policy/action"),
        ([], "", "policy/action"),
        ({"type": "deny", "config": []}, ".config", "policy/config"),
        ({"type": "deny", "config": "403"}, ".config", "policy/config"),
    ],
)
def test_what_is_no_action_is_refused(action, path, code):
    (problem,) = problems({REQUEST: [{"actions": [action]}]})
    assert (problem.path, problem.code) == (f"{REQUEST}[0].actions[0]{path}", code)


@pytest.mark.parametrize(
    ("rule", "path", "code"),
    [
        ({}, ".actions", REQUIRED),
        ({"actions": []}, ".actions", EMPTY),
        ({"actions": None}, ".actions", "schema/tuple-type"),
        ({"actions": {"type": "deny"}}, ".actions", "schema/tuple-type"),
        ({"name": "", "actions": [{"type": "deny"}]}, ".name", "schema/string-too-short"),
        ({"expressions": "true", "actions": [{"type": "deny"}]}, ".expressions", "schema/tuple-type"),
        ({"expressions": [True], "actions": [{"type": "deny"}]}, ".expressions[0]", "schema/string-type"),
        ("deny", "", "schema/model-type"),
        (None, "", "schema/model-type"),
    ],
)
def test_what_is_no_rule_is_refused(rule, path, code):
    (problem,) = problems({REQUEST: [rule]})
    assert (problem.path, problem.code) == (f"{REQUEST}[0]{path}", code)


@pytest.mark.parametrize("rules", [None, {}, "x", 1])
def test_a_phase_is_a_list_of_rules(rules):
    (problem,) = problems({REQUEST: rules})
    assert (problem.path, problem.code) == (REQUEST, "schema/tuple-type")


def test_the_short_form_of_a_rule_is_refused_with_the_long_one():
    (problem,) = problems({REQUEST: [{"type": "oauth", "config": {"provider": "google"}}]})
    assert (problem.path, problem.code) == (f"{REQUEST}[0]", "policy/shorthand")
    assert problem.hint == "write actions: [{type: oauth, config: …}]"


# --- phases and order ----------------------------------------------------------------------------------------------

ALLOWED = {
    "add-headers": {"on_http_request", "on_http_response"},
    "custom-response": {"on_http_request", "on_http_response"},
    "deny": {"on_tcp_connect", "on_http_request"},
    "jwt-validation": {"on_http_request"},
    "rate-limit": {"on_http_request"},
    "remove-headers": {"on_http_request", "on_http_response"},
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("kind", ALLOWED)
def test_an_action_stands_in_its_phases_only(kind, phase):
    config = WHOLE[kind] if kind != "deny" else None
    if phase in ALLOWED[kind]:
        assert TrafficPolicy.model_validate(policy(kind, config, phase))
        return
    found = [problem for problem in problems(policy(kind, config, phase)) if problem.code == "policy/action-phase"]
    assert [(problem.path, problem.message) for problem in found] == [
        (f"{phase}[0].actions[0].type", f"{kind} may not be used in {phase} (ERR_NGROK_2202)")
    ]
    assert found[0].hint == f"it belongs in {' or '.join(sorted(ALLOWED[kind]))}"


def test_a_connection_is_denied_without_a_status():
    (problem,) = problems(policy("deny", {"status_code": 403}, "on_tcp_connect"))
    assert (problem.path, problem.code) == ("on_tcp_connect[0].actions[0].config.status_code", "policy/deny-status")


@pytest.mark.parametrize("last", [Deny(), CustomResponse(status_code=503)])
def test_nothing_stands_behind_what_ends_the_phase(last):
    step = AddHeaders(headers={"x": "1"})
    (problem,) = problems({REQUEST: [{"actions": [last, step]}]})
    assert (problem.path, problem.code) == (f"{REQUEST}[0].actions[1]", "policy/unreachable")
    (problem,) = problems({REQUEST: [{"actions": [step, last]}, {"actions": [step]}]})
    assert (problem.path, problem.code) == (f"{REQUEST}[1]", "policy/unreachable")
    assert "rule 0 always ends the phase" in problem.message
    two = [{"expressions": ["req.method == 'GET'"], "actions": [last]}, {"actions": [step]}]
    assert TrafficPolicy.model_validate({REQUEST: two, "on_http_response": [{"actions": [step]}]})


# --- expressions and templates -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "kind", "path"),
    [
        (JWT | {"issuer": {"allow_list": [{"value": "${req.nope}"}]}}, "jwt-validation", "issuer.allow_list[0].value"),
        (
            changed(JWT, *SOURCES, "additional_jkus", to=["${req.nope}"]),
            "jwt-validation",
            "jws.keys.sources.additional_jkus[0]",
        ),
        *(
            (
                {**JWT, "http": {"tokens": [JWT["http"]["tokens"][0] | {field: "${req.nope}"}]}},
                "jwt-validation",
                f"http.tokens[0].{field}",
            )
            for field in ("name", "prefix")
        ),
        ({"body": "a ${req.nope} b"}, "custom-response", "body"),
        ({"headers": {"x-a": "${req.nope}"}}, "custom-response", "headers.x-a"),
        ({"headers": {"x-a": "${req.nope}"}}, "add-headers", "headers.x-a"),
    ],
)
def test_each_text_that_ngrok_evaluates_is_checked(config, kind, path):
    (problem,) = problems(policy(kind, config))
    assert (problem.path, problem.code) == (f"{REQUEST}[0].actions[0].config.{path}", "policy/template")
    assert problem.message.startswith("unknown variable 'req.nope'\n")


def test_an_audience_is_no_template():
    audience = {"allow_list": [{"value": "${req.nope}"}]}
    assert TrafficPolicy.model_validate(policy("jwt-validation", JWT | {"audience": audience}))


def test_everything_wrong_in_a_policy_is_told_at_once():
    document = {
        "on_tcp_connect": [{"expressions": ["req.host == 'a'"], "actions": [{"type": "deny"}]}],
        REQUEST: [
            {
                "expressions": ["1", "res.status_code == 200", "req.host == 'a'"],
                "actions": [
                    {"type": "deny", "config": {"status_code": 1}},
                    {"type": "deny"},
                    {"type": "add-headers", "config": {"headers": {"x": "${y}"}}},
                    {"type": "rate-limit", "config": RATE | {"rate": "1s", "bucket_key": []}},
                ],
            },
            {"type": "deny"},
            {"actions": [{"type": "Deny"}]},
        ],
        "on_http_response": [{"actions": [{"type": "jwt-validation", "config": JWT}]}],
        "inbound": [],
    }
    assert {(problem.path, problem.code) for problem in problems(document)} == {
        ("on_tcp_connect[0].expressions[0]", "policy/expression"),
        ("on_http_request[0].expressions[0]", "policy/expression"),
        ("on_http_request[0].expressions[1]", "policy/expression"),
        ("on_http_request[0].actions[0].config.status_code", "schema/greater-than-equal"),
        ("on_http_request[0].actions[2]", "policy/unreachable"),
        ("on_http_request[0].actions[2].config.headers.x", "policy/template"),
        ("on_http_request[0].actions[3].config.rate", "policy/rate"),
        ("on_http_request[0].actions[3].config.bucket_key", "schema/too-short"),
        ("on_http_request[1]", "policy/shorthand"),
        ("on_http_request[2].actions[0].type", "policy/action-type"),
        ("on_http_response[0].actions[0].type", "policy/action-phase"),
        ("inbound", "policy/legacy-phase"),
    }


# --- Python --------------------------------------------------------------------------------------------------------


def written(step: JwtValidation) -> dict:
    return json.loads(json.dumps(step.settings()))


def test_the_short_way_to_a_bearer_token():
    made = JwtValidation.bearer(issuer="https://id.example.com/", jwks="https://id.example.com/jwks", audience="orders")
    assert written(made) == JWT | {"audience": {"allow_list": [{"value": "orders"}]}}
    other = JwtValidation.bearer(issuer="i", jwks="https://a", algorithms=("ES256",), header="X-T", prefix="")
    assert written(other) == {
        "issuer": {"allow_list": [{"value": "i"}]},
        "http": {"tokens": [{"type": "jwt", "method": "header", "name": "X-T", "prefix": ""}]},
        "jws": {"allowed_algorithms": ["ES256"], "keys": {"sources": {"additional_jkus": ["https://a"]}}},
    }


def test_actions_are_taken_as_objects_and_as_documents():
    objects = Rule(actions=(Deny(status_code=401), RemoveHeaders(headers=("a",))))
    documents = Rule.model_validate(
        {
            "actions": [
                {"type": "deny", "config": {"status_code": 401}},
                {"type": "remove-headers", "config": {"headers": ["a"]}},
            ]
        }
    )
    assert objects == documents
    assert objects.model_dump(exclude_none=True, mode="json") == {
        "expressions": [],
        "actions": [
            {"type": "deny", "config": {"status_code": 401}},
            {"type": "remove-headers", "config": {"headers": ["a"]}},
        ],
    }


def test_a_limit_counts_by_the_minute():
    assert RateLimit(name="a", capacity=100, rate="120s", bucket_key=("req.host",)).per_minute() == 50
    assert RateLimit(name="a", capacity=24, rate="24h", bucket_key=("req.host",)).per_minute() == pytest.approx(1 / 60)


def test_an_empty_policy_is_false_and_any_rule_makes_it_true():
    assert not TrafficPolicy()
    rule = Rule(actions=(Deny(),))
    assert all(TrafficPolicy(**{phase: (rule,)}) for phase in ("on_tcp_connect", REQUEST))
    made = TrafficPolicy(on_tcp_connect=(rule,), on_http_request=(rule,))
    assert [(phase, index) for phase, index, _ in made.rules] == [("on_tcp_connect", 0), (REQUEST, 0)]
    assert list(made.actions) == [Deny(), Deny()]


@settings(deadline=None, max_examples=60)
@given(strategies.traffic_policies())
def test_what_is_written_is_read_as_the_same(made):
    assert TrafficPolicy.model_validate(made.model_dump(exclude_none=True, mode="json")) == made


def test_a_wrong_phase_is_told_beside_an_invalid_config():
    document = {"on_http_response": [{"actions": [{"type": "rate-limit", "config": {"name": "a"}}]}]}
    with pytest.raises(ValidationError) as raised:
        TrafficPolicy.model_validate(document)
    found = {(problem.path, problem.code) for problem in problems_of(raised.value, document)}
    assert ("on_http_response[0].actions[0].type", "policy/action-phase") in found
    assert ("on_http_response[0].actions[0].config.capacity", "schema/required") in found
