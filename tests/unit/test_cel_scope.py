"""What an expression may read depends on what ran before it in the same phase."""

import pytest
from pydantic import ValidationError

from apiops_components.models.policy.actions import ACTIONS, RawAction
from apiops_components.models.policy.cel import Scope, expression_fault
from apiops_components.models.policy.document import Rule, TrafficPolicy
from apiops_components.models.policy.environment import environment
from apiops_components.models.policy.variables import RESULTS, variables

DENY = {"type": "deny"}
LIMIT = {
    "type": "rate-limit",
    "config": {
        "name": "n",
        "algorithm": "sliding_window",
        "capacity": 1,
        "rate": "60s",
        "bucket_key": ["conn.client_ip"],
    },
}


def faults(**phases):
    """Path and first line of each fault."""
    try:
        TrafficPolicy(**phases)
    except ValidationError as error:
        return [(".".join(map(str, item["loc"])), item["msg"].split("\n")[0]) for item in error.errors()]
    return []


def sets(*entries):
    return {"actions": [{"type": "set-vars", "config": {"vars": list(entries)}}]}


def asks(*expressions):
    return {"expressions": list(expressions), "actions": [DENY]}


def test_a_variable_exists_after_it_was_set_in_the_same_phase():
    assert faults(on_http_request=[sets({"a": 1}), asks("vars.a == 1")]) == []
    assert faults(on_http_request=[asks("vars.a == 1"), sets({"a": 1})]) == [
        ("on_http_request.0.expressions.0", "vars.a is not set before this in on_http_request")
    ]
    other = {"expressions": ["vars.a == 1"], "actions": [{"type": "custom-response"}]}
    assert faults(on_http_request=[sets({"a": 1})], on_http_response=[other]) == [
        ("on_http_response.0.expressions.0", "vars.a is not set before this in on_http_response")
    ]


def test_asking_whether_a_variable_is_set_needs_no_setting():
    assert faults(on_http_request=[asks("has(vars.a) || 'b' in vars")]) == []


def test_a_variable_by_index_is_the_same_variable():
    assert faults(on_http_request=[asks("vars['a-b'] == 1")]) == [
        ("on_http_request.0.expressions.0", "vars.a-b is not set before this in on_http_request")
    ]


def test_an_entry_reads_those_before_it_and_not_itself():
    assert faults(on_http_request=[sets({"a": 1}, {"b": "${vars.a + 1}"})]) == []
    assert faults(on_http_request=[sets({"b": "${vars.a + 1}"}, {"a": "${vars.a}"})]) == [
        ("on_http_request.0.actions.0.config.vars.0.b", "vars.a is not set before this in on_http_request"),
        ("on_http_request.0.actions.0.config.vars.1.a", "vars.a is not set before this in on_http_request"),
    ]


@pytest.mark.parametrize(
    ("value", "fits", "clashes"),
    [
        (1, "vars.a == 1", "vars.a == '1'"),
        (1.5, "vars.a > 1.0", "vars.a > 1"),
        (True, "vars.a", "vars.a == 'true'"),
        ("x", "vars.a.startsWith('x')", "vars.a"),
        ("x ${1}", "vars.a == 'x 1'", "vars.a == 1"),
        ("${1 + 1}", "vars.a == 2", "vars.a == '2'"),
        ("${req.headers['x']}", "vars.a[0] == 'y'", "vars.a == 'y'"),
        ("${conn.ts.start}", "vars.a.getHours() == 1", "vars.a == 'x'"),
        ([1, "a"], "vars.a[0] == 1", "vars.a == 1"),
        ({"k": 1}, "vars.a.k == 1", "vars.a == 1"),
    ],
)
def test_a_variable_has_the_type_of_what_it_was_set_to(value, fits, clashes):
    assert faults(on_http_request=[sets({"a": value}), asks(fits)]) == []
    assert len(faults(on_http_request=[sets({"a": value}), asks(clashes)])) == 1


def test_a_variable_set_to_two_types_is_of_any():
    policy = [sets({"a": 1}), sets({"a": "x"}), asks("vars.a == 1 || vars.a == 'x'")]
    assert faults(on_http_request=policy) == []


def test_the_caret_stands_in_the_text_as_it_was_written():
    scope = Scope("on_http_request")
    scope.set("count", 1)
    found = expression_fault("'é' == '' || vars.count == 'x'", scope)
    assert found["type"].context["text"].split("\n") == [
        "== does not take int and string",
        "    'é' == '' || vars.count == 'x'",
        "    " + " " * 24 + "^",
    ]


def test_variables_behind_a_sort_by_are_found_where_they_stand():
    scope = Scope("on_http_request")
    scope.set("count", 1)
    scope.set("name", "x")
    assert expression_fault("[3].sortBy(x, x + vars.count)[0] == vars.count && vars.name == 'x'", scope) is None
    text = "[[3].sortBy(x, -x)[0]].sortBy(x, x)[0] == vars.name"
    assert expression_fault(text, scope)["type"].context["text"].split("\n") == [
        "== does not take int and string",
        f"    {text}",
        "    " + " " * text.index("==") + "^",
    ]
    assert expression_fault("[3].sortBy(x, x)[0] == vars.none", scope)["type"].context["text"].endswith(" " * 27 + "^")


def test_the_nearest_variable_is_proposed():
    scope = Scope("on_http_request")
    scope.set("tenant", "x")
    assert expression_fault("vars.tenat == 'x'", scope)["type"].context["hint"] == "did you mean vars.tenant?"


def test_a_name_bound_by_a_macro_is_no_variable_of_the_policy():
    assert expression_fault("[{'a': 1}].exists(vars, vars.a == 1)", Scope("on_http_request")) is None


def test_a_result_exists_after_its_action_ran_in_the_same_phase():
    limited = "actions.ngrok.rate_limit.limited"
    assert faults(on_http_request=[{"actions": [LIMIT]}, asks(limited)]) == []
    wanted = "actions.ngrok.rate_limit does not exist: no rate-limit ran before this in"
    assert faults(on_http_request=[asks(limited), {"actions": [LIMIT]}]) == [
        ("on_http_request.0.expressions.0", f"{wanted} on_http_request")
    ]
    answer = {"expressions": [limited], "actions": [{"type": "custom-response"}]}
    assert faults(on_http_request=[{"actions": [LIMIT]}], on_http_response=[answer]) == [
        ("on_http_response.0.expressions.0", f"{wanted} on_http_response")
    ]


def test_an_action_does_not_see_its_own_result_but_that_of_the_one_before_it():
    seen = {"type": "log", "config": {"metadata": {"limited": ["${actions.ngrok.rate_limit.limited}"]}}}
    assert faults(on_http_request=[{"actions": [LIMIT, seen]}]) == []
    assert [path for path, _ in faults(on_http_request=[{"actions": [seen, LIMIT]}])] == [
        "on_http_request.0.actions.0.config.metadata.limited.0"
    ]


def test_the_attempts_exist_in_a_retry_condition_only():
    call = {"type": "http-request", "config": {"url": "https://a.internal"}}
    retrying = {**call, "config": {**call["config"], "retry_condition": "last_attempt.res.status_code >= 500"}}
    assert faults(on_http_request=[{"actions": [retrying]}]) == []
    assert [path for path, _ in faults(on_http_request=[asks("attempts.size() > 1")])] == [
        "on_http_request.0.expressions.0"
    ]


def test_tls_is_known_on_connect_after_it_was_terminated():
    assert faults(on_tcp_connect=[{"actions": [{"type": "terminate-tls"}]}, asks("conn.tls.sni == 'a'")]) == []
    assert faults(on_tcp_connect=[asks("conn.tls.sni == 'a'")]) == [
        ("on_tcp_connect.0.expressions.0", "conn.tls.sni is not known before TLS ends")
    ]
    assert faults(on_http_request=[asks("conn.tls.sni == 'a'")]) == []


def test_the_result_of_an_action_of_tomorrow_may_be_anything():
    rules = (
        Rule(actions=(RawAction(type="new-thing"),)),
        Rule.model_validate(asks("actions.ngrok.new_thing.count == 3 && req.host == 'a'")),
    )
    assert TrafficPolicy(on_http_request=rules).raw
    assert faults(on_http_request=[asks("actions.ngrok.new_thing.count == 3")]) == [
        ("on_http_request.0.expressions.0", "unknown field 'new_thing' of actions.ngrok")
    ]


def test_every_result_is_that_of_an_action_and_every_actions_result_has_fields():
    assert {action.result for action in ACTIONS.values() if action.result} == set(RESULTS)


def test_a_rule_alone_is_checked_as_if_anything_had_run():
    rule = Rule.model_validate(asks("vars.a == 1 && actions.ngrok.oauth.identity.email == 'a' && conn.tls.sni == 'b'"))
    assert list(rule.faults_in("on_http_request")) == []


# --- the catalogue (facts: ngrok §3) ---------------------------------------------------------------------------------


def words(text):
    return text.split()


ADDRESS = words(
    "categories[] is_on_blocklist? is_tor_node? as.number# as.organization geo.location.city geo.location.continent "
    "geo.location.country geo.location.country_code geo.location.is_eu? geo.location.latitude geo.location.longitude "
    "geo.location.metro_code geo.location.postal_code geo.location.radius geo.location.subdivision "
    "geo.location.timezone geo.registered_location.city geo.registered_location.continent "
    "geo.registered_location.country geo.registered_location.country_code geo.registered_location.is_eu? "
    "geo.registered_location.metro_code geo.registered_location.subdivision geo.registered_location.timezone"
)
NAME = "common_name country[] locality[] organization[] organizational_unit[] postal_code[] province[] street_address[]"
CERTIFICATE = [
    *(f"{who}{suffix}" for who in ("issuer", "subject") for suffix in ("", *(f".{n}" for n in NAME.split()))),
    *words("san"),
    *words("san.dns_names[] san.email_addresses[] san.ip_addresses[] san.uris[] serial_number signature_algorithm"),
    *words("validity.not_before@ validity.not_after@ extensions"),
]
CONNECTION = [
    *words("client_ip server_ip server_region client_port# server_port# ts.start@"),
    *(f"geo.{n}" for n in words("city country country_code latitude longitude radius subdivision")),
    *(f"{who}.{n}" for who in ("client_ip", "server_ip") for n in ADDRESS),
    *(f"tls.{n}" for n in words("cipher_suite ja4_fingerprint negotiated_alpn sni version session_resumed?")),
    *(f"tls.{who}.{n}" for who in ("client", "server") for n in CERTIFICATE),
    "tls.client.pem",
    *(f"k8s.pod.{n}" for n in words("id metadata.name metadata.namespace metadata.annotations metadata.error_code")),
    "k8s.pod.metadata.error_message",
]
CONTENT = (
    "content_encoding[] content_length# content_type content_type.parameters content_type.raw cookies headers trailers"
)
AGENT = "name version os os_version device url is_mobile? is_tablet? is_desktop? is_bot?"
URL = "authority host path query raw raw_path scheme uri user_password port# query_params"
EVERYWHERE = [
    *(f"conn.{n}" for n in CONNECTION),
    *(f"endpoint.{n}" for n in words("addr host id protocol url port#")),
    *words("time.now vars actions"),
]
REQUEST = [
    *words("conn.bytes_in# conn.bytes_out#"),
    *(f"req.{n}" for n in ("host method location version url user_agent " + CONTENT).split()),
    *(f"req.url.{n}" for n in URL.split()),
    *(f"req.user_agent.{n}" for n in AGENT.split()),
    *words("req.ts.body_received@ req.ts.header_received@"),
]
RESPONSE = [f"res.{n}" for n in (CONTENT + " location status_code#").split()]
MARKS = {"[]": "list<string>", "#": "int", "?": "bool", "@": "timestamp"}


def kinds(names):
    """Types by name; None where the mark says nothing."""
    found = {}
    for name in names:
        mark = next((mark for mark in MARKS if name.endswith(mark)), "")
        found[name.removesuffix(mark)] = MARKS.get(mark)
    return found


@pytest.mark.parametrize(
    ("phase", "names"),
    [
        ("on_tcp_connect", EVERYWHERE),
        ("on_http_request", EVERYWHERE + REQUEST),
        ("on_http_response", EVERYWHERE + REQUEST + RESPONSE),
        ("on_event_stream_message", EVERYWHERE + REQUEST + RESPONSE),
    ],
)
def test_each_phase_has_the_variables_of_ngroks_pages(phase, names):
    declared = {name: kind for name, kind in variables(phase) if name not in ("attempts", "last_attempt")}
    wanted = kinds(names)
    assert set(declared) == set(wanted)
    assert {name: declared[name] for name, kind in wanted.items() if kind} == {n: k for n, k in wanted.items() if k}
    for name, kind in declared.items():
        compiled = environment(phase).compile(name)
        assert str(compiled.return_type()).replace(" ", "").lower() == kind.lower()
