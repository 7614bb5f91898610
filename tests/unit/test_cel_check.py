"""Expressions and templates: what is refused, where the caret stands, and what is proposed."""

import pytest

from apiops_components.documents import load_all
from apiops_components.errors import NotRunnable
from apiops_components.models.policy.cel import expression_fault, is_pattern, kind_of_value, literal, template_faults

REQUEST = "on_http_request"


def refused(text, phase=REQUEST, **options):
    """Message, what the caret points at, and hint of the fault."""
    found = expression_fault(text, phase, **options)
    assert found is not None, f"{text} is taken"
    return told(found)


def told(found):
    message, line, caret = found["type"].context["text"].rsplit("\n", 2)
    return message, line[caret.index("^") :], found["type"].context["hint"]


@pytest.mark.parametrize(
    ("text", "message", "at", "hint"),
    [
        # names of ngrok's documentation that do not exist (facts: ngrok §3)
        ("req.path == '/a'", "unknown variable 'req.path'", "path ==", "did you mean req.url.path?"),
        ("req.path.startsWith('/a')", "unknown variable 'req.path'", "path.s", "did you mean req.url.path?"),
        (
            "request.headers['a'][0] == 'b'",
            "unknown variable 'request.headers'",
            "request",
            "did you mean req.headers?",
        ),
        ("req.url.includes('a')", "unknown method 'includes'", "includes", "a string has .contains('a')"),
        ("req.headers.get('a') == 'b'", "unknown method 'get'", "get", "take the value with ['name']"),
        ("[x for x in req.headers].size() > 0", "unexpected 'for'", "for", "CEL has no such comprehension"),
        ("has(req.headers['x'])", "has() takes a field", "['x']", "'name' in req.headers"),
        ("b64.decode('a') == b''", "unknown function 'b64.decode'", "b64", "did you mean base64.decode?"),
        # near misses
        ("req.url.pth == '/a'", "unknown variable 'req.url.pth'", "pth", "did you mean req.url.path?"),
        ("conn.geo.country_cod == 'DE'", "unknown variable 'conn.geo.country_cod'", "country_cod", "country_code?"),
        ("req.host.startswith('a')", "unknown method 'startswith'", "startswith", "did you mean startsWith?"),
        ("hash.sha265(req.host) == ''", "unknown function 'hash.sha265'", "hash", "did you mean hash.sha256?"),
        ("req.cookies['a'][0].valu == ''", "unknown field 'valu' of cookie", "valu", "did you mean value?"),
        ("getReqCookie('a').nam == ''", "unknown field 'nam'", "nam", "did you mean name?"),
        ("actions.ngrok.oauth.identity.emial == ''", "unknown field 'emial'", "emial", "did you mean email?"),
        ("actions.ngrok.oidcc.error == null", "unknown field 'oidcc' of actions.ngrok", "oidcc", "did you mean oidc?"),
        ("req.headers.x-tenant == 'a'", "unknown variable 'tenant'", "tenant", "['x-tenant']"),
        # habits from other languages
        ("req.method = 'GET'", "unexpected '='", "= 'GET'", "compare with =="),
        ("req.method == 'GET' and true", "unexpected 'and'", "and", "write && for and"),
        ("${req.host == 'a'}", "unexpected '$'", "$", "an expression stands bare"),
        ("req.host == 'a' ? True : false", "unknown variable 'True'", "True", "write true, false or null"),
        ("req.host.length > 3", "unknown variable 'req.host.length'", "length", "write .size()"),
        # types
        ("req.headers['x'] == 'a'", "== does not take list(string) and string", "==", "take one with [0]"),
        ("req.headers['x'].contains('a')", "contains does not take (list(string), string)", "contains", "[0]"),
        ("req.content_encoding == 'br'", "== does not take list(string) and string", "==", "take one with [0]"),
        ("conn.client_port == '80'", "== does not take int and string", "==", "a number stands without quotes"),
        ("conn.client_port > 1.5", "> does not take int and double", ">", "double(…)"),
        ("conn.ts.start > '2026-01-01T00:00:00Z'", "> does not take timestamp and string", ">", "timestamp("),
        ("!conn.client_ip in ['a']", "! does not take string", "!", "write !(a in b)"),
        ("req.host.substring('a') == ''", "substring does not take (string, string)", "substring", "substring(int)"),
        ("size(req.host, 1) > 0", "size does not take these arguments", "size", ""),
        ("rand.int('a') == 1", "rand.int does not take these arguments", "rand", "rand.int(int,int)"),
        ("actions.ngrok.oauth['error'] == null", "record cannot be indexed by string", "['error']", "with a dot"),
        ("'a' in req.host", "in does not take string and string", "in ", "a list or a map"),
        ("json.decode('{}').a == req.nothing", "unknown variable 'req.nothing'", "nothing", ""),
        ("req.host", "a condition is true or false, this is of type string", "req.host", "compare it"),
        # constants
        ("req.host.matches('(a')", "not a regular expression", "'(a'", "RE2"),
        ("matches(req.host, 'a(?=b)')", "not a regular expression", "'a(?=b)'", "no look-around"),
        ("inCidrRange(conn.client_ip, '10.0.0.0')", "not an address range with a mask", "'10.0.0.0'", "/32"),
        ("inCidrRanges(conn.client_ip, ['10.0.0.0/8', 'x/8'])", "not an address range", "'x/8'", ""),
        # form
        ("req.host.startsWith('a'", "')' is missing", "", ""),
        ("req.host == 'a", "a string without its closing quote", "'a", ""),
        ("req.host ==", "unexpected end", "", ""),
        (" ", "the expression is empty", "", "leave it out"),
        ("_v00.a == 'x'", "unknown name '_v00'", "_v00", ""),
        ("(" * 60 + "true" + ")" * 60, "nested too deep", "(((", "split it"),
        ("true" + " " * 100_000, "longer than 100,000 characters", "true", ""),
    ],
)
def test_a_wrong_expression_is_named_with_its_place_and_the_fix(text, message, at, hint):
    found_message, found_at, found_hint = refused(text)
    assert found_message.startswith(message)
    assert found_at.startswith(at)
    assert hint in found_hint


@pytest.mark.parametrize(
    ("text", "phase", "hint"),
    [
        ("res.status_code == 200", "on_http_request", "the response exists in on_http_response only"),
        ("getResHeader('A')[0] == ''", "on_http_request", "the response exists in on_http_response only"),
        ("req.host == 'a'", "on_tcp_connect", "in on_tcp_connect nothing of a request is known yet"),
        ("getReqHeader('A')[0] == ''", "on_tcp_connect", "in on_tcp_connect nothing of a request is known yet"),
        ("conn.bytes_in > 0", "on_tcp_connect", "it exists for requests only"),
    ],
)
def test_what_another_phase_has_is_named_as_such(text, phase, hint):
    assert refused(text, phase)[2] == hint
    assert expression_fault(text, "on_http_response") is None


@pytest.mark.parametrize(
    "text",
    [
        "req.headers['x'].exists(v, v.startsWith('a')) && req.headers.all(k, k == k.lower())",
        "{'a': 1}.exists_one(k, k == 'a') && {'a': 1}.map(k, k).size() == 1 && [1].map(x, x > 0, x + 1)[0] == 2",
        "[{'n': 1}, {'n': 2}].sortBy(e, e.n).map(e, e.n)[0] == 1",
        "[3, 1].sortBy(x, [x].sortBy(y, -y)[0])[0] + 1 == 2",
        "[3, 1].sort()[0] + 1 == 2 && ['b'].distinct()[0].size() == 1 && [1, 2].slice(0, 1)[0] == 1",
        "has(req.content_length) && has(req.headers.a) && has(vars.x) && has(actions.ngrok.oauth.error)",
        "'x' in req.headers && 'has(req.host)' != 'a.sortBy(x, x)'",
        "req.cookies['a'][0].value == getReqCookie('a').value && getReqCookie('a').secure",
        "conn.tls.client.san.dns_names[0] == conn.tls.client.san && conn.tls.client.extensions[0].critical",
        "conn.tls.client.validity.not_after > timestamp(time.now)",
        "actions.ngrok.jwt_validation.tokens[0].payload.sub == 'a' && actions.ngrok.jwt_validation.tokens[0].verified",
        "actions.ngrok.oidc.identity.email.endsWith('@example.com') && actions.ngrok.oidc.error == null",
        "conn.k8s.pod.metadata.annotations['team'] == 'a' && endpoint.port == 443",
        "url.parse(req.url).host == 'a' && queryString.decode(req.url.query)['q'] == 'b' && rand.int() == 1",
        "base64.encode(b'a') == 'YQ==' && base64.decode('YQ==') == b'a' && 'a'.sha256('hex') == hash.sha256('a')",
        "req.ts.header_received.getHours('Europe/Berlin') < 8 && duration('3h').getHours() == 3",
        "'a b'.split() == ['a', 'b'] && ['a', 'b'].join() == 'ab' && 'a'.format([1, 'b']) == 'a'",
        "matches('foobar', 'foo.*') && int('1') == 1 && uint(1) == 1u && double(1) == 1.0 && string(1) == '1'",
        "lists.range(5)[0] == 0 && [1, [2]].flatten()[0] == 1 && {'a': 'b'}.encodeJson() == json.encode({'a': 'b'})",
        r"req.host == r'\d' || req.host == '''it's''' // a comment with has(req.host) in it",
    ],
)
def test_what_ngrok_documents_is_taken(text):
    found = expression_fault(text, REQUEST)
    assert found is None, found and found["type"].context["text"]


def test_the_caret_stands_right_in_many_lines_and_wide_text():
    text = "req.host == '日本語'\n  && req.pth == 'a'"
    message, at, _ = refused(text)
    assert (message, at) == ("unknown variable 'req.pth'", "pth == 'a'")
    shown = expression_fault("'日本' == req.pth", REQUEST)["type"].context["text"].split("\n")
    assert shown[1:] == ["    '日本' == req.pth", "    " + " " * 14 + "^"]


def test_a_long_line_is_cut_to_the_place():
    text = " || ".join(f"req.host == 'host-{number}'" for number in range(40)) + " || req.hst == ''"
    message, at, _ = refused(text)
    shown = expression_fault(text, REQUEST)["type"].context["text"]
    assert (message, at) == ("unknown variable 'req.hst'", "hst == ''")
    assert max(map(len, shown.split("\n"))) < 110


def test_the_key_of_sort_by_must_be_comparable_and_the_caret_is_not_moved_by_it():
    message, at, _ = refused("[[1]].sortBy(x, x)[0] == [1]")
    assert (message, at) == ("sortBy cannot order by list(int)", " x)[0] == [1]")
    assert refused("[1].sortBy(x, -x)[0] == req.pth")[1] == "pth"


@pytest.mark.parametrize(
    "text", ["!hasReqHeader('x')", "!(conn.client_ip in ['192.0.2.1'])", "!req.headers['x'].exists(v, true)"]
)
def test_an_expression_with_a_bare_exclamation_mark_is_refused_by_yaml_with_the_fix(text):
    with pytest.raises(NotRunnable) as caught:
        list(load_all(f"expressions:\n  - {text}\n"))
    assert caught.value.problems[0].line == 2
    assert caught.value.problems[0].hint == "text that begins with ! stands in quotes: '!(a in b)'"


# --- templates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "no expression, $5 and {braces}",
        "${req.host} and ${'}'} and ${{'a': '}'}['a']}",
        "${\"a'}\"}${'''}'''}${r'\\d}'}",
        "https://${req.host.split('.')[0]}.internal${req.url.path}",
    ],
)
def test_templates_with_braces_and_quotes_are_read(text):
    assert [told(found) for found in template_faults(text, REQUEST)] == []


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("a ${req.hst} b", [("unknown variable 'req.hst'", "hst} b")]),
        (
            "${req.host} ${req.a} ${res.b}",
            [("unknown variable 'req.a'", "a} "), ("unknown variable 'res.b'", "res.b}")],
        ),
        ("a ${req.host", [("'${' without its '}'", "${req.host")]),
        ("a ${'}", [("a string without its closing quote", "'}")]),
        ("${'a} b", [("a string without its closing quote", "'a} b")]),
        ("${}", [("the expression is empty", "}")]),
        ("${{}", [("'${' without its '}'", "${{}")]),
        ('${req.headers[\\"a\\"]}', [("unexpected '\\\\'", "\\")]),
    ],
)
def test_a_wrong_template_is_shown_whole_with_the_place(text, faults):
    found = [told(fault)[:2] for fault in template_faults(text, REQUEST)]
    assert len(found) == len(faults)
    for (message, at), (wanted, start) in zip(found, faults, strict=True):
        assert message == wanted
        assert at.startswith(start)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "bool"),
        (1, "int"),
        (1.5, "double"),
        ("a", "string"),
        ({"a": 1}, "map<string, dyn>"),
        ([1], "list<dyn>"),
        (None, "dyn"),
        ("${1 + 1}", "int"),
        ("${1 + 1} ", "string"),
        ("${1}${2}", "string"),
        ("${req.headers}", "map<string, list<string>>"),
        ("${json.decode(req.host)}", "dyn"),
        ("${req.nothing}", "dyn"),
    ],
)
def test_text_that_is_one_expression_keeps_its_type(value, kind):
    assert kind_of_value(value, REQUEST) == kind


def test_patterns_are_those_of_re2():
    assert is_pattern("^/a/[0-9]+$")
    assert not is_pattern("a(?=b)")
    assert not is_pattern("(")


def test_a_literal_is_the_text_itself():
    assert literal("it's ${x}\\\n\x00") == "'it\\'s \\u0024{x}\\\\\\u000a\\u0000'"
