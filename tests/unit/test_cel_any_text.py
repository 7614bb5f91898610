"""Whatever stands where an expression belongs: an answer in words, in bounded time, never a traceback."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiops_components.models.policy.cel import Scope, compile_expression, expression_fault, template_faults
from apiops_components.models.policy.syntax import reads, tree

TOKENS = st.sampled_from(
    [
        *"()[]{}.,?:!-+*/%<>=&|\"'`$@#;\\ \n\té日😀\0",
        *(
            "req",
            "req.url.path",
            ".headers",
            "['x']",
            "vars",
            "vars.a",
            "actions.ngrok",
            ".oauth",
            "conn.tls.sni",
            "has(",
        ),
        *(
            ".sortBy(x,",
            ".map(x, x)",
            ".exists(v, v",
            ".matches('(",
            "size(",
            "true",
            "null",
            "1",
            "1.5",
            "1u",
            "'a'",
            "b'a'",
        ),
        *(
            "r'\\",
            "'''",
            '"""',
            "${",
            "}",
            " && ",
            " || ",
            " == ",
            " in ",
            " for ",
            "//",
            "_v00",
            "_any",
            "_hs(",
            "res",
        ),
    ]
)
ANY = st.lists(TOKENS, max_size=12).map("".join) | st.text(max_size=30)
PHASES = st.sampled_from(["on_tcp_connect", "on_http_request", "on_http_response", "on_event_stream_message"])


def scope(phase):
    made = Scope(phase)
    made.set("a", 1)
    made.results.add("oauth")
    made.unknown.add("tomorrow")
    return made


@given(ANY, PHASES)
@settings(max_examples=500, deadline=None)
def test_any_text_is_taken_or_refused_in_words_with_a_place(text, phase):
    for place in (phase, scope(phase)):
        found = expression_fault(text, place)
        if found is not None:
            message = found["type"].context["text"]
            what, shown, caret = message.rsplit("\n", 2)
            assert what.strip()
            assert caret.strip() == "^"
            assert shown.startswith("    ")
            assert "INVALID_ARGUMENT" not in message
            assert "<input>" not in message


@given(ANY, PHASES)
@settings(max_examples=200, deadline=None)
def test_any_template_is_taken_or_refused_in_words(text, phase):
    for found in template_faults("a ${" + text + "} b", scope(phase)):
        assert found["type"].context["text"].endswith("^")


@given(st.lists(st.sampled_from(["'é'", "req.host", "vars.a", "vars.b", "'日本😀'"]), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_a_read_stands_where_the_tree_says_it_does(parts):
    text = " + ".join(f"string({part})" for part in parts)
    found = tree(compile_expression(text, "on_http_request"))
    for read in reads(found):
        if read.name == "vars":
            assert text[read.offset :].startswith(f"vars.{read.fields[0]}")


@pytest.mark.parametrize(
    "text",
    [
        *("'" * 99_999, "\"'" * 49_999, "'''" * 33_000, "${" * 49_999, "r'" * 49_999, "a." * 49_999),
        *("(" * 99_999, "-" * 99_999, "[x for x in " * 8_000, "a || " * 19_000 + "a", "has(" * 24_000),
        *(".sortBy(x," * 9_900, "x.sortBy(x, " * 20 + "1" + ")" * 20, "b" * 99_999, "é" * 99_999, "(" * 10_000_000),
        "".join(f"[1].exists(x{number}, " for number in range(25)) + "vars.none == 1" + ")" * 25,
    ],
    ids=lambda text: f"{text[:8]}x{len(text)}",
)
def test_hostile_text_is_refused_in_bounded_time(text):
    start = time.process_time()
    assert expression_fault(text, scope("on_http_request")) is not None
    list(template_faults("${" + text, "on_http_request"))
    list(template_faults("${" + text + "}", "on_http_request"))
    assert time.process_time() - start < 8
