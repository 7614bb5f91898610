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


@pytest.mark.parametrize(
    ("text", "phase", "message", "hint"),
    [
        ("req.headrs['x'] == ['a']", REQUEST, "undeclared reference to 'req.headrs'", "did you mean req.headers?"),
        ("req.path == 'x'", REQUEST, "undeclared reference to 'req.path'", "did you mean req.url.path?"),
        ("request.headers == {}", REQUEST, "undeclared reference to 'request.headers'", "did you mean req.headers?"),
        ("con.client_ip == 'x'", CONNECT, "undeclared reference to 'con.client_ip'", "did you mean conn.client_ip?"),
        ("req.host.startWith('a')", REQUEST, "undeclared reference to 'startWith'", "did you mean startsWith?"),
        (
            "inCidrRang(conn.client_ip, 'x')",
            REQUEST,
            "undeclared reference to 'inCidrRang'",
            "did you mean inCidrRange?",
        ),
        ("req.url.path.includes('a')", REQUEST, "undeclared reference to 'includes'", ""),
        (
            "res.status_code == 200",
            REQUEST,
            "undeclared reference to 'res.status_code'",
            "the response exists in on_http_response only",
        ),
        (
            "hasResHeader('a')",
            REQUEST,
            "undeclared reference to 'hasResHeader'",
            "the response exists in on_http_response only",
        ),
        *(
            (
                text,
                CONNECT,
                "undeclared reference to",
                "the request exists in on_http_request and on_http_response only",
            )
            for text in ("req.host == 'a'", "hasReqHeader('a')", "getQueryParam('a') == []")
        ),
        (
            "req.host",
            REQUEST,
            "a condition must be true or false, this is of type string: req.host",
            "compare it with something",
        ),
        ("1 + 1", REQUEST, "this is of type int", "compare it with something"),
        ("null", REQUEST, "this is of type null", "compare it with something"),
        ("req.host == 1", REQUEST, "found no matching overload for '_==_' applied to '(string, int)'", ""),
        ("req.headers['x'] == 'a'", REQUEST, "applied to '(list(string), string)'", ""),
        ("req.host && true", REQUEST, "found no matching overload", ""),
        ("req.method in 'GET'", REQUEST, "found no matching overload", ""),
        ("inCidrRange(conn.client_ip, 8)", REQUEST, "found no matching overload for 'inCidrRange'", ""),
        ("has(req.headers['x'])", REQUEST, "has() argument must be a field selection", ""),
        ("", REQUEST, "the expression is empty", "leave it out to match everything"),
        (" \n", REQUEST, "the expression is empty", "leave it out to match everything"),
        ("a b", REQUEST, "Syntax error: extraneous input 'b'", ""),
        ("[x for x in y]", REQUEST, "Syntax error: mismatched input 'for'", ""),
        ("'", REQUEST, "Syntax error", ""),
        ("req.host == 'a", REQUEST, "Syntax error", ""),
        ("(" * 50 + "true" + ")" * 50, REQUEST, "nested or chained too deeply", "split it into several"),
    ],
)
def test_what_is_wrong_is_told_with_what_was_meant(text, phase, message, hint):
    found = wrong(text, phase)
    assert found is not None
    assert message in found[0]
    assert found[1] == hint
    assert "ERROR" not in found[0]
    assert "INVALID_ARGUMENT" not in found[0]


def test_all_names_that_do_not_exist_are_told_and_the_first_is_shown_in_its_place():
    message, hint = wrong("req.headrs == 1 || nope == 2") or ("", "")
    assert message.splitlines() == [
        "undeclared reference to 'req.headrs'; undeclared reference to 'nope'",
        " | req.headrs == 1 || nope == 2",
        " | ...^",
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
        ("${req.nope}", ["undeclared reference to 'req.nope'"]),
        ("a ${req.nope} b ${req.host} c ${x}", ["undeclared reference to 'req.nope'", "undeclared reference to 'x'"]),
        ("${'}' + nope}", ["undeclared reference to 'nope'"]),
        ("${ {'a': nope} }", ["undeclared reference to 'nope'"]),
        ("it's ${nope}", ["undeclared reference to 'nope'"]),
        ("${}", ["the expression is empty"]),
        ("${", ["'${' without its '}'"]),
        ("${req.host", ["'${' without its '}'"]),
        ("${'}", ["'${' without its '}'"]),
        ("${{}", ["'${' without its '}'"]),
        ("${nope} ${", ["undeclared reference to 'nope'", "'${' without its '}'"]),
        ("${res.status_code}", ["undeclared reference to 'res.status_code'"]),
        ("${req.host ${req.method}}", ["Syntax error"]),
    ],
)
def test_what_is_wrong_in_a_template_is_told_for_each_expression(text, messages):
    found = templates(text)
    assert len(found) == len(messages)
    assert all(message in whole for message, whole in zip(messages, found, strict=True))


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
    assert templates(f"${{{written} + nope}}")[0].startswith("undeclared reference to 'nope'")


@settings(deadline=None)
@given(texts)
def test_a_literal_is_one_line_of_printable_text(text):
    written = literal(text)
    assert len(written.splitlines()) == 1
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in written)
