from __future__ import annotations

import pytest
from cel_expr_python import cel
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apiops_components.models.policy.cel import expression_fault, literal, template_faults
from apiops_components.models.policy.variables import variables

REQUEST, RESPONSE, CONNECT = "on_http_request", "on_http_response", "on_tcp_connect"
EVALUATOR = cel.NewEnv(variables={"x": cel.Type.STRING})


def wrong(text: str, phase: str = REQUEST, *, condition: bool = True) -> tuple[str, str] | None:
    """Message and hint."""
    found = expression_fault(text, phase, condition=condition)
    return (found["type"].context["text"], found["type"].context["hint"]) if found else None


def templates(text: str, phase: str = REQUEST) -> list[str]:
    return [found["type"].context["text"] for found in template_faults(text, phase)]


@pytest.mark.parametrize(
    "text",
    [
        "true",
        "req.method == 'GET' && !(req.url.path.startsWith('/pub'))",
        "'x-tenant' in req.headers && req.headers['x-tenant'][0] == 'a'",
        "req.headers['x'].join(',').matches('^a+$')",
        "inCidrRange(conn.client_ip, '10.0.0.0/8') || inCidrRanges(conn.client_ip, ['10.0.0.0/8'])",
        "conn.client_ip.is_tor_node || conn.client_ip.geo.location.is_eu",
        "'proxy.anonymous.tor' in conn.client_ip.categories",
        "conn.ts.start.getFullYear() == 2026 && duration('1h') > duration('1m')",
        "req.url.query_params['v'].exists(v, v == '1')",
        "req.cookies['session'][0].value == 'x'",
        "getReqHeader('User-Agent').size() > 0 && hasReqCookie('session')",
        "json.decode('{}').a == 1 && 'a'.sha256() == hash.sha256('a')",
        "vars.anything == 3",
        "vars.flag",
        "actions.ngrok.oauth.identity.email.endsWith('@example.com')",
        "size(req.headers) > 0 && has(vars.x)",
        "conn.tls.client.subject.common_name == 'a' && conn.tls.client.san.dns_names.exists(n, n == 'b')",
        "req.url.port == 443 && req.content_length < 1024",
        "secrets.get('vault', 'key') == ''",
    ],
)
def test_what_ngrok_evaluates_is_taken(text):
    assert wrong(text) is None
    assert wrong(text, RESPONSE) is None


@pytest.mark.parametrize("phase", [CONNECT, REQUEST, RESPONSE])
def test_every_variable_of_a_phase_can_be_read_in_it(phase):
    assert {name: found for name, _ in variables(phase) if (found := wrong(name, phase, condition=False))} == {}


ANSWER = "the response exists in on_http_response only"
NOTHING_YET = "in on_tcp_connect nothing of a request is known yet"


@pytest.mark.parametrize(
    ("text", "phase", "message", "hint"),
    [
        ("req.headrs['x'] == ['a']", REQUEST, "unknown variable 'req.headrs'", "did you mean req.headers?"),
        ("req.ipp == 'x'", REQUEST, "unknown variable 'req.ipp'", "did you mean conn.client_ip?"),
        ("req.nope == 'x'", REQUEST, "unknown variable 'req.nope'", ""),
        ("con.client_ip == 'x'", CONNECT, "unknown variable 'con.client_ip'", "did you mean conn.client_ip?"),
        ("req.host.startWith('a')", REQUEST, "unknown method 'startWith'", "did you mean startsWith?"),
        ("inCidrRang(conn.client_ip, 'x')", REQUEST, "unknown function 'inCidrRang'", "did you mean inCidrRange?"),
        ("hasResHeader('a')", REQUEST, "unknown function 'hasResHeader'", ANSWER),
        ("hasReqHeader('a')", CONNECT, "unknown function 'hasReqHeader'", NOTHING_YET),
        ("getQueryParam('a') == []", CONNECT, "unknown function 'getQueryParam'", NOTHING_YET),
        ("1 + 1", REQUEST, "a condition is true or false, this is of type int", "compare it with something"),
        ("null", REQUEST, "a condition is true or false, this is of type null", "compare it with something"),
        (
            "req.host == 1",
            REQUEST,
            "== does not take string and int",
            "a number stands without quotes; int(…) and string(…) convert",
        ),
        ("req.host && true", REQUEST, "&& does not take string and bool", "true and false stand without quotes"),
        (
            "inCidrRange(conn.client_ip, 8)",
            REQUEST,
            "inCidrRange does not take (string, int)",
            "known: inCidrRange(string,string) -> bool",
        ),
        ("", REQUEST, "the expression is empty", "leave it out; a rule without expressions matches everything"),
        (" \n", REQUEST, "the expression is empty", "leave it out; a rule without expressions matches everything"),
        ("a b", REQUEST, "unexpected 'b'", ""),
        ("'", REQUEST, "a string without its closing quote", ""),
    ],
)
def test_what_is_wrong_is_told_with_what_was_meant(text, phase, message, hint):
    found = wrong(text, phase)
    assert found is not None
    assert (found[0].partition("\n")[0], found[1]) == (message, hint)
    assert "ERROR" not in found[0]
    assert "INVALID_ARGUMENT" not in found[0]


def test_of_several_names_that_do_not_exist_the_first_is_told_and_shown_in_its_place():
    message, hint = wrong("req.headrs == 1 || nope == 2") or ("", "")
    assert message.splitlines() == [
        "unknown variable 'req.headrs'",
        "    req.headrs == 1 || nope == 2",
        "        ^",
    ]
    assert hint == "did you mean req.headers?"


def test_only_a_condition_must_be_true_or_false():
    assert wrong("req.host", condition=False) is None
    assert wrong("[conn.client_ip, 1]", condition=False) is None


# --- templates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no expression, { } and } and $ and $x and {x}",
        "${req.host}",
        "a ${req.host} b ${req.method} c",
        "${req.host}${req.method}",
        "$${req.host}",
        "${'}'}",
        '${"}"}',
        "${'\\'}'}",
        '${"\\"}"}',
        "${'${'} and ${'\"'}",
        "${ {'a': {'b': '}'}}.a.b }",
        "${ [1, 2].map(x, {'k': x})[0].k }",
        "it's ${req.host} isn't it",
    ],
)
def test_the_expressions_of_a_template_are_found_and_taken(text):
    assert templates(text) == []


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("${req.nope}", ["unknown variable 'req.nope'"]),
        ("a ${req.nope} b ${req.host} c ${x}", ["unknown variable 'req.nope'", "unknown variable 'x'"]),
        ("${'}' + nope}", ["unknown variable 'nope'"]),
        ("${ {'a': nope} }", ["unknown variable 'nope'"]),
        ("it's ${nope}", ["unknown variable 'nope'"]),
        ("${}", ["the expression is empty"]),
        ("${", ["'${' without its '}'"]),
        ("${req.host", ["'${' without its '}'"]),
        ("${'}", ["a string without its closing quote"]),
        ("${{}", ["'${' without its '}'"]),
        ("${nope} ${", ["unknown variable 'nope'", "'${' without its '}'"]),
        ("${res.status_code}", ["unknown variable 'res.status_code'"]),
        ("${req.host ${req.method}}", ["unexpected '$'"]),
    ],
)
def test_what_is_wrong_in_a_template_is_told_for_each_expression(text, messages):
    assert [whole.partition("\n")[0] for whole in templates(text)] == messages


@settings(deadline=None)
@given(st.text(alphabet="${}'\"\\ a1.()[]|=&!\n", max_size=14))
@example("${'\\")
@example("${\"'}'\"}")
def test_any_text_is_a_template_or_told_what_is_wrong(text):
    assert all(templates(text))
    found = wrong(text)
    assert found is None or found[0]


# --- literals ------------------------------------------------------------------------------------------------------

HARD = [
    "",
    "'",
    '"',
    "\\",
    "\\'",
    "'''",
    '"""',
    "\\x41",
    "\\u0041",
    "${x}",
    "$",
    "$$",
    "}",
    "{",
    "\n",
    "\r\n",
    "\t",
    "\0",
]
HARD += [
    "a' || true || 'b",
    "') || true || ('",
    "\\' || true //",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\U0001f600",
]
texts = st.text() | st.sampled_from(HARD) | st.text(alphabet="'\"\\${}abx01\n|&()", max_size=12)


@settings(deadline=None)
@given(texts)
@example("".join(map(chr, range(0x100))))
def test_a_literal_means_exactly_its_text(text):
    assert EVALUATOR.compile(literal(text)).eval(data={}).value() == text


@pytest.mark.parametrize("text", HARD, ids=repr)
def test_a_literal_of_hard_text_means_exactly_its_text(text):
    assert EVALUATOR.compile(literal(text)).eval(data={}).value() == text
    assert EVALUATOR.compile(f"{literal(text)} == {literal(text)}").eval(data={}).value() is True


@settings(deadline=None)
@given(texts, texts.filter(lambda text: "\0" not in text))  # the library cuts what it is given at a NUL
def test_a_literal_never_changes_the_expression_around_it(text, other):
    compiled = EVALUATOR.compile(f"x == {literal(text)} && x + '!' == {literal(text)} + '!'")
    assert compiled.eval(data={"x": other}).value() is (other == text)
    equal = EVALUATOR.compile(f"{literal(other)} == {literal(text)}")
    assert equal.eval(data={}).value() is (other == text)


@settings(deadline=None)
@given(texts)
def test_a_literal_keeps_its_meaning_inside_a_template(text):
    written = literal(text)
    assert "$" not in written
    assert templates(f"a ${{req.host == {written}}} b") == []
    assert templates(f"{written}") == []
    assert templates(f"${{{written} + nope}}")[0].startswith("unknown variable 'nope'")


@settings(deadline=None)
@given(texts)
def test_a_literal_is_one_line_of_printable_text(text):
    written = literal(text)
    assert len(written.splitlines()) == 1
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in written)
