from __future__ import annotations

import io
import itertools
import json
import math
import re
import time

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apiops_components import NotRunnable, Problem
from apiops_components.documents import Document, dump, dump_all, load_all
from apiops_components.scalars import scalar

# Strings that YAML 1.1, YAML 1.2 or Kubernetes' parser take for something else, or that have no plain or block form.
WORDS = """
    1e3 1E5 1e+3 0o17 0O17 017 018 09 0b11 0B1 0x1F 0X1f 1:30 1:30:45 2024-01-01 2024-01-01T00:00:00Z 1_000 1_0.5
    yes Yes YES no No NO on On ON off Off OFF y Y n N true True TRUE false False FALSE ~ null Null NULL
    .inf -.inf +.INF .nan .NaN inf nan 0 00 -0 +1 -1 .5 1. 1.0 1,000 1.2.3 10m 1Gi 1e400 << = - -- --- ... ? : | >
    & * ! % @ ` [] {} [ ] { } , # <<x !x &x *x |x >x ?x :x -x ,x #x %x @x a: a:b http://a:80/?b=c#d *.example.com
"""
HARD = [
    *WORDS.split(),
    *["", " ", "  ", " a", "a ", "a  b", "a\n", "\n", "\n\n", "a\nb", "a\nb\n", "a\n\nb\n\n", "\na", " a\nb", "a \nb"],
    *["a\n b", "a\n \nb", "\t", "\ta", "a\tb", "a\n\tb", "- a", "a: b", "a : b", "a #b", "# a", "a\n# b", "a\n- b"],
    *[
        "---\na",
        "a\n---\nb",
        "...\na",
        "%YAML 1.1\na",
        "a\rb",
        "a\r\nb",
        "\r",
        "'",
        '"',
        "it's",
        '"a"',
        "\\",
        "\\n",
        "a\\",
    ],
    *[
        "\u2028",
        "a\u2028b",
        "\u2029",
        "\u0085",
        "a\u0085b",
        "a\nb\u0085",
        "\ufeff",
        "\ufeffa",
        "a\n\ufeffb",
        "\xa0",
        "\xad",
    ],
    *[
        "\x00",
        "\x07",
        "\x1b",
        "\x7f",
        "\x80",
        "\x9f",
        "\ufffe",
        "\uffff",
        "\ufffd",
        "\ue000",
        "\U0010ffff",
        "\U0001f600",
    ],
    *["\U0001f600\nb", "é", "\u0130a", "\u3000", "\u200b", "${x}", "{{ x }}", "#!/bin/sh\nset -e\n"],
    *["k" * 999, "k" * 1000, "k" * 1001, "k" * 1025, "k " * 2000, '"' * 900, "x\n" * 3000, "é" * 1100],
]


def read(text: str | bytes) -> list:
    return [document.value for document in load_all(text)]


def problem(text: str | bytes) -> Problem:
    with pytest.raises(NotRunnable) as caught:
        list(load_all(text, "a.yaml"))
    (found,) = caught.value.problems
    return found


def everywhere(text: str) -> dict:
    """The text as key, value and item at several depths."""
    return {
        "value": text,
        text: text,
        "list": [text, [text, [text]], {text: text}, {"a": text, text: [text]}, {text: {text: None}}],
        "map": {text: {text: [{text: text}]}, "b": text},
    }


# --- writing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HARD, ids=lambda text: repr(text)[:30])
def test_hard_strings_are_read_back_as_the_same_everywhere(text):
    value = everywhere(text)
    written = dump(value)
    assert read(written) == [value]
    assert yaml.load(written, Loader=yaml.CSafeLoader) == value
    assert yaml.safe_load(dump(text)) == text
    assert read(dump(text)) == [text]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(WORDS.split()), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values)
def test_every_value_is_read_back_as_the_same(value):
    written = dump(value)
    expected = [] if value is None else [value]
    assert read(written) == expected
    assert yaml.load(written, Loader=yaml.CSafeLoader) == value


@given(
    st.text(
        alphabet=" \t\n:-#'\"\\&*!|>%@`{}[],?=~<.0159eExobyYnNT_/\r\u0085\u2028\ufeff\xa0é\U0001f600\0", max_size=12
    )
)
def test_every_text_of_what_means_something_in_yaml_is_read_back_as_the_same(text):
    value = everywhere(text)
    written = dump(value)
    assert read(written) == [value]
    assert yaml.load(written, Loader=yaml.CSafeLoader) == value


@pytest.mark.parametrize(
    "number", [0, -1, 2**63 - 1, 1e22, 1e-7, 1.5e-9, 0.1, 1.0, -1.25, 5e-324, 1.7976931348623157e308]
)
def test_numbers_are_numbers_for_every_reader(number):
    (found,) = read(dump([number]))[0]
    assert found == number
    (found,) = yaml.safe_load(dump([number]))
    assert (found, isinstance(found, str)) == (number, False)


def test_documents_look_as_a_person_writes_them():
    value = {
        "apiVersion": "v1",
        "data": {"run.sh": "#!/bin/sh\nset -e\n", "no-end": "a\nb", "empty": "", "on": "yes", "n": 1},
        "list": [{"a": 1, "b": [2]}, [3, [4]], {}, [], "x y"],
        "none": None,
    }
    assert dump(value) == (
        "apiVersion: v1\n"
        "data:\n"
        "  run.sh: |\n"
        "    #!/bin/sh\n"
        "    set -e\n"
        "  no-end: |-\n"
        "    a\n"
        "    b\n"
        '  empty: ""\n'
        '  "on": "yes"\n'
        '  "n": 1\n'
        "list:\n"
        "- a: 1\n"
        "  b:\n"
        "  - 2\n"
        "- - 3\n"
        "  - - 4\n"
        "- {}\n"
        "- []\n"
        "- x y\n"
        "none: null\n"
    )


def test_a_stream_is_read_back_document_by_document():
    values = [{"a": "---"}, {"b": "x\n---\ny"}, ["..."]]
    stream = io.StringIO()
    dump_all(values, stream)
    assert stream.getvalue().count("\n---\n") >= 2
    assert read(stream.getvalue()) == values
    assert list(yaml.safe_load_all(stream.getvalue())) == values


@pytest.mark.parametrize(
    "value",
    [
        math.inf,
        -math.inf,
        math.nan,
        {1: "a"},
        {None: "a"},
        {"a": 1j},
        {"a": {1, 2}},
        {"a": b"x"},
        "\ud800",
        {"\udfff": 1},
    ],
    ids=repr,
)
def test_what_json_has_no_form_for_is_refused(value):
    with pytest.raises(TypeError):
        dump(value)


# --- reading: types ------------------------------------------------------------------------------------------------

# Made with sigs.k8s.io/yaml 1.6.0: what its parser gives for `a: <text>`.
TYPED = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("~", "null", "Null", "NULL", ""), None),
    "1e3": 1000,
    "1E5": 100000,
    "1e+3": 1000,
    "1e-3": 0.001,
    "1.5e3": 1500,
    "1.e3": 1000,
    ".5": 0.5,
    "+.5": 0.5,
    "0o17": 15,
    "0O17": 15,
    "017": 15,
    "-017": -15,
    "018": 18,
    "09": 9,
    "0_7": 7,
    "0_8": 8,
    "00": 0,
    "-0": 0,
    "0b11": 3,
    "0B11": 3,
    "-0b11": -3,
    "0x1F": 31,
    "0X1f": 31,
    "+0x1F": 31,
    "1_000": 1000,
    "1__0": 10,
    "1_": 1,
    "1_0.5": 10.5,
    "1_e3": 1000,
    "1e1_0": 10**10,
    ".69_93": 0.6993,
    "1.": 1,
    "1.10": 1.1,
    "12e03": 12000,
    "-0.0": 0,
    "9223372036854775808": 2**63,
    "18446744073709551615": 2**64 - 1,
    "18446744073709551616": 2.0**64,
    "-9223372036854775809": -(2.0**63),
    "0x10000000000000000": "0x10000000000000000",
    "1e400": "1e400",
    "0777777777777777777777": 2**63 - 1,
    "99999999999999999999999": 1e23,
    "+1": 1,
    "-1.0": -1,
    **{
        text: text
        for text in (
            *(
                "1:30",
                "1:30:45",
                "2024-01-01",
                "2024-01-01T00:00:00Z",
                "1.2.3",
                "1e",
                "1e+",
                "e3",
                "0b12",
                "0xg",
                "0x",
                "0o",
            ),
            *("0b", "_1", "._1", "1,000", "10m", "1Gi", "yEs", "tRue", "nULL", "oN", ".", "..", "+", "+-", "infinity"),
            *("inf", "nan", "Inf", "NaN", "=", "0x1p3", "1e3e3", "٣", "1٣", "²", "--1", "5.e", ".e3", "a1", "1a"),
        )
    },
}


@pytest.mark.parametrize(("text", "value"), TYPED.items(), ids=repr)
def test_plain_scalars_are_typed_as_kubernetes_types_them(text, value):
    for document in (f"a: {text}", f"- {text}\n", f"{{a: {text} }}" if "," not in text else f"? a\n: {text}"):
        (found,) = read(document)
        found = found["a"] if isinstance(found, dict) else found[0]
        assert (found, isinstance(found, bool), isinstance(found, str)) == (
            value,
            isinstance(value, bool),
            isinstance(value, str),
        )


@pytest.mark.parametrize("text", [text for text in TYPED if text], ids=repr)
def test_a_quoted_scalar_is_a_string(text):
    assert read(f"a: '{text}'\nb: \"{text}\"\nc: !!str {text}\nd: |-\n  {text}\ne: ! {text}") == [
        dict.fromkeys("abcde", text)
    ]


@pytest.mark.parametrize("text", [".inf", "-.inf", "+.Inf", ".nan", ".NAN", "!!float .inf"])
def test_numbers_that_json_has_not_are_refused(text):
    assert problem(f"a: 1\nb: {text}").line == 2


# Made with the same program from `<text>: x`.
KEYS = {
    "a": "a",
    "yes": "true",
    "y": "true",
    "off": "false",
    "1": "1",
    "0x1F": "31",
    "017": "15",
    "1_000": "1000",
    "-0": "0",
    "1e3": "1000",
    "1E5": "100000",
    "1e6": "1e+06",
    "1.10": "1.1",
    "1e-5": "1e-05",
    "0.0001": "0.0001",
    ".inf": ".inf",
    "1e300": ".inf",
    ".NaN": ".nan",
    "1.0": "1",
    "16777217.0": "1.6777216e+07",
    "1:30": "1:30",
    "2024-01-01": "2024-01-01",
    "'yes'": "yes",
    '"1"': "1",
    "!!str 1": "1",
    "null-ish": "null-ish",
}


@pytest.mark.parametrize(("text", "key"), KEYS.items(), ids=repr)
def test_keys_become_the_strings_that_kubernetes_makes_of_them(text, key):
    assert read(f"{text}: x") == [{key: "x"}]


@pytest.mark.parametrize(
    "text", ["~", "null", "", "9223372036854775808", "[a]", "{a: b}", "? [a]\n", "!!int 1", "!!int a"]
)
def test_what_can_be_no_key_is_refused(text):
    assert problem(f"a: b\n{text}: x").line == 2


@given(st.text(alphabet="0123456789+-._eExXobyYnN~", min_size=1, max_size=10))
def test_a_scalar_is_always_json(text):
    value = scalar(text)
    assert value is None or isinstance(value, bool | int | float | str)
    if isinstance(value, str):
        assert value == text


# --- reading: structure --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: &x 1\nb: &x 2\nc: *x", {"a": 1, "b": 2, "c": 2}),
        ("a: &x\nb: *x", {"a": None, "b": None}),
        ("&x a: *x", {"a": "a"}),
        ("&x 1: *x", {"1": 1}),
        ("<<: {a: 1, b: 2}\na: 3", {"a": 3, "b": 2}),
        ("a: 3\n<<: {a: 1, b: 2}", {"a": 1, "b": 2}),  # as Kubernetes has it: '<<' counts where it stands
        ("<<: [{a: 1}, {a: 2, b: 3}]", {"a": 1, "b": 3}),
        ("<<: {a: 1}\n<<: {a: 2}", {"a": 2}),
        ("d: &d {a: 1}\ne:\n  <<: *d\n  b: 2", {"d": {"a": 1}, "e": {"a": 1, "b": 2}}),
        ("'<<': 1", {"<<": 1}),
        ("a: |\n  x\n   y\n\n", {"a": "x\n y\n"}),
        ("a: |+\n  x\n\n", {"a": "x\n\n"}),
        ("a: >-\n  x\n  y\n\n  z\n", {"a": "x y\nz"}),
        ("a: |2\n   x", {"a": " x"}),
        ("a: 'it''s'\nb: \"\\x41\\u00e9\\U0001F600\\n\"", {"a": "it's", "b": "Aé\U0001f600\n"}),
        ("a: b\n  c", {"a": "b c"}),
        ("a: !!map {b: !!seq [!!int 1, !!float 1, !!bool yes, !!null ~]}", {"a": {"b": [1, 1, True, None]}}),
        ('{\n\t"a": [1, 2.5, true, null, "x\\/y"],\n\t"b": {}\n}', {"a": [1, 2.5, True, None, "x/y"], "b": {}}),
        ('\ufeff{"a": "\\ud83d\\ude00 \\uD83D\\uDE00 \\\\ud83d"}', {"a": "\U0001f600 \U0001f600 \\ud83d"}),
        ("\ufeffa: 1", {"a": 1}),
        ("a:\tb", {"a": "b"}),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("? a\n: b", {"a": "b"}),
        ("%YAML 1.1\n---\na: 1", {"a": 1}),
    ],
)
def test_documents_mean_what_they_mean_to_kubernetes(text, value):
    assert read(text) == [value]
    assert read(text.encode()) == [value]


@given(json_values)
@example(["\x7f", "\x85", "a\u2028b", "\ufeff", "\uffff", "\U0001f600", "\\ud83d", "\x80"])
@example({"\u2028\\\\\U0001f600": "\x85 \x85"})
def test_json_is_read_as_json(value):
    expected = [] if value is None else [value]
    assert read(json.dumps(value)) == expected
    assert read(json.dumps(value, ensure_ascii=False, indent=1)) == expected


def test_a_stream_has_many_documents_and_the_empty_ones_do_not_count():
    documents = list(load_all("---\n---\na: 1\n---\n# nothing\n---\nnull\n---\n- b\n...\n", "x.yaml"))
    assert [(document.value, document.index, document.file) for document in documents] == [
        ({"a": 1}, 0, "x.yaml"),
        (["b"], 1, "x.yaml"),
    ]
    assert read("") == read("# a comment\n") == read("---\n") == []


def test_each_field_has_its_line():
    text = (
        "# first\n"
        "metadata:\n"
        "  labels: {a.b/c: x,\n"
        "    d: y}\n"
        "rules:\n"
        "- matches:\n"
        "  - path: 1\n"
        "  -\n"
        "    path: |\n"
        "      2\n"
        "    end: 3\n"
        "---\n"
        "a: &x\n"
        "  b: 1\n"
        "<<: *x\n"
        "c: *x\n"
    )
    first, second = load_all(text)
    expected = {"metadata": 2, "metadata.labels": 3, 'metadata.labels["a.b/c"]': 3, "metadata.labels.d": 4, "rules": 5}
    expected |= {
        "rules[0]": 6,
        "rules[0].matches[0].path": 7,
        "rules[0].matches[1].path": 9,
        "rules[0].matches[1].end": 11,
    }
    assert {path: first.line(path) for path in expected} == expected
    assert (second.line("a"), second.line("a.b"), second.line("c")) == (13, 14, 16)
    assert second.line("c.b") == 16


@pytest.mark.parametrize(
    ("path", "line"), [("a.x.y", 1), ("a.b[7].c", 2), ('a["q.r/s"].t', 1), ("z", 1), ("", 1), ("a.b.c", 3)]
)
def test_a_field_that_is_not_there_has_the_line_of_what_is_around_it(path, line):
    (document,) = load_all("a:\n  b:\n    c: 1\n")
    assert document.line(path) == line


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_document_of_a_file_has_its_own_lines(mark, end):
    """Lines are read again from the text of one document: its indentation, and what stands before it, count."""
    first = ("# a comment", "  a: é\U0001f600", "  b:", "    - 1")
    documents = list(load_all(mark + end.join((*first, "---", "x: {c: [2,", "  3]}", "...", "---", "d: 4"))))

    assert [dict(document.lines) for document in documents] == [
        {"": 2, "a": 2, "b": 3, "b[0]": 4},
        {"": 6, "x": 6, "x.c": 6, "x.c[0]": 6, "x.c[1]": 7},
        {"": 10, "d": 10},
    ]


def test_a_document_without_lines_says_so():
    assert Document({}, "", 0, {}).line("a.b") == 0


# --- reading: what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3", 3, "key 'a' is there twice"),
        ("a:\n  b: 1\n  b: 2", 3, "key 'b' is there twice"),
        ("yes: 1\ntrue: 2", 2, "key 'true' is there twice"),
        ("'1': a\n1: b", 2, "key '1' is there twice"),
        ('{"a": 1,\n"a": 2}', 2, "key 'a' is there twice"),
        ("a: 1\nb: !Ref x", 2, "unknown tag !Ref"),
        ("a: 1\nb: !foo {c: 1}", 2, "unknown tag !foo"),
        ("a: !!set {b}", 1, "unknown tag tag:yaml.org,2002:set"),
        ("a: !!python/object:os.system x", 1, "unknown tag"),
        ("a: !!binary aGk=", 1, "unknown tag"),
        ("a: !!int x", 1, "'x' is not of the type that its tag"),
        ("a: !!bool 1", 1, "'1' is not of the type that its tag"),
        ("a: *nope", 1, "alias *nope names no anchor before it"),
        ("a: &x [*x]", 1, "alias *x names no anchor before it"),
        ("a: 1\n<<: 1", 2, "'<<' merges mappings only"),
        ("<<: [{}, 1]", 1, "'<<' merges mappings only"),
        ("%YAML 1.2\n---\na: 1", 1, "%YAML"),
        ("\ta: b", 1, "found character that cannot start any token"),
        ("a:\n\tb: 1", 2, "not readable as YAML"),
        ("a: [1, 2", 2, "not readable as YAML"),
        ("a: b: c", 1, "mapping values are not allowed"),
        ("a: 1\nb: 'x", 2, "not readable as YAML"),
        ("a: 1\n b: 2", 2, "not readable as YAML"),
        ("a: @b", 1, "not readable as YAML"),
        ("a: 1\nb: x\0y", 2, "the character #x0000 may not stand in it"),
        ("a: 1\n\nb: \x07", 3, "the character #x0007 may not stand in it"),
        ('a: 1\nb: "\\ud83d"', 2, "invalid Unicode character"),
    ],
)
def test_what_is_not_readable_is_told_with_file_and_line(text, line, message):
    found = problem(text)
    assert message in found.message
    assert (found.file, found.line) == ("a.yaml", line)
    assert "\n" not in found.message


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a: 1\nb: \xff", 2),
        (b"\xff", 1),
        ("a: ä\n".encode("latin-1"), 1),
        ("a: 1".encode("utf-16"), 1),
        (b"\n\n\xed\xa0\x80", 3),
    ],
)
def test_what_is_not_utf_8_is_told_with_its_line(content, line):
    found = problem(content)
    assert (found.code, found.line) == ("yaml/encoding", line)


def test_half_of_a_surrogate_pair_is_refused():
    assert problem("a: \ud800").code == "yaml/encoding"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 100_000 + '"\x85"' + "]" * 100_000,
        "{a: " * 5_000,
        "{<<: " * 5_000 + "{}" + "}" * 5_000,
        "- " * 5_000,
        "a: &a0 [1]\n" + "".join(f"x{n}: &a{n + 1} {'[' * 90}*a{n}{']' * 90}\n" for n in range(30)),
        "a: &a0 {}\n" + "".join(f"x{n}: &a{n + 1} {{<<: {{b: *a{n}}}}}\n" for n in range(200)),
    ],
    ids=["list", "json", "mapping", "merge", "block", "aliases", "merged aliases"],
)
def test_depth_is_bounded(text):
    assert "nested deeper than 100 levels" in problem(text).message


def test_what_is_read_can_be_written():
    deepest = "a: " + "[" * 99 + "1" + "]" * 99
    (value,) = read(deepest)
    assert read(dump(value)) == [value]


@pytest.mark.parametrize("merge", [False, True])
def test_aliases_that_multiply_are_bounded(merge):
    names = "abcdefghij"
    lines = ["a: &a [" + "1," * 9 + "1]"] if not merge else ["a: &a {x: [1,1,1,1,1,1,1,1,1,1]}"]
    for before, name in itertools.pairwise(names):
        many = ",".join([f"*{before}"] * 10)
        lines.append(
            f"{name}: &{name} [{many}]" if not merge else f"{name}: &{name} {{<<: [{many}], {name}: [{many}]}}"
        )
    start = time.process_time()
    found = problem("\n".join(lines))
    assert time.process_time() - start < 2
    assert "more than 2000000 values, aliases counted" in found.message


def readable(content: str | bytes) -> None:
    """It is read, or refused with its file; nothing else."""
    try:
        for document in load_all(content, "a.yaml"):
            json.dumps(document.value, allow_nan=False)
            assert all(line >= 1 for line in document.lines.values())
    except NotRunnable as error:
        (found,) = error.problems
        assert found.file == "a.yaml"
        assert found.message


@settings(max_examples=300)
@given(st.binary(max_size=40))
@example(b"\xef\xbb\xbf\xef\xbb\xbfa")
@example(b"\xff\xfea\x00")
@example(b"%TAG")
def test_bytes_of_every_kind_are_read_or_refused(content):
    readable(content)


@settings(max_examples=500)
@given(
    st.text(alphabet=st.sampled_from(list("ab1:-?#'\"\\&*!|>%@{}[],=~<. \n\t\r0\ud800\u2028\ufeff\x00é")), max_size=25)
)
@example("<<")
@example("? <<\n: a")
@example("<<: &a {b: *a}")
@example("? &a\n: *a")
@example("!<> a")
@example("%TAG ! a\n--- !a")
@example('{"\\ud8')
@example('["\\ud83d\\ude00\\')
def test_text_of_every_kind_is_read_or_refused(content):
    readable(content)


def test_python_s_own_parser_reads_the_same(monkeypatch):
    text = "a: &x [1e3, '1', y, !!str 1]\n<<: {b: *x}\n1: |\n  c\n"
    expected = [(document.value, document.lines) for document in load_all(text)]
    monkeypatch.setattr("apiops_components.documents._LOADER", yaml.Loader)
    assert [(document.value, document.lines) for document in load_all(text)] == expected
    assert problem("a: \x00").line == 1
    assert problem("a: \ud800").file == "a.yaml"
    assert re.match("not readable as YAML", problem("a: [").message)


# --- JSON after JSON --------------------------------------------------------------------------------------------------


@given(
    st.lists(st.dictionaries(st.text("ab\u00e9 {}", max_size=3), st.integers(-9, 9) | st.text(max_size=5)), min_size=2)
)
def test_json_documents_may_follow_each_other_without_a_marker(values):
    assert read("\n".join(json.dumps(value, ensure_ascii=True) for value in values)) == values


def test_json_documents_that_follow_each_other_keep_their_places():
    first, second, third = load_all('{"a": 1}\n\n{"b": [\n1, {"c": 2}]} {"d":\n 3}\n')

    assert [found.index for found in (first, second, third)] == [0, 1, 2]
    assert (first.line("a"), second.line("b"), second.line("b[1].c"), third.line("d")) == (1, 3, 4, 4)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ('{"a": 1}\n{"b": 1,\n "b": 2}', 3, 2, "key 'b' is there twice"),
        ('{"a": 1}\n{"b": 1,\n ?}', 3, 2, "not readable as JSON: expecting property name"),
        ('{"a": 1}\n' + '{"b":' * 100_000, 2, 0, "nested deeper than 100 levels"),
        ('{"a": 1}\nb: 2', 2, 1, "not readable as YAML: did not find expected <document start>"),
    ],
)
def test_what_is_wrong_in_a_later_json_document_is_told_with_its_place(text, line, column, message):
    found = problem(text)

    assert (found.line, found.column) == (line, column)
    assert message in found.message


# --- places -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", 5, 3),
        ("a: {b: 1, b: 2}", 1, 11),
        ("a: !b c", 1, 4),
        ("a: 1\n\tb: 2\n", 2, 1),
        ("\ufeffa: 1\na: 2", 2, 1),
    ],
)
def test_an_unreadable_document_is_told_with_line_and_column(text, line, column):
    found = problem(text)

    assert (found.line, found.column) == (line, column)
    assert str(Problem("m", file="f", line=line, column=column)).startswith(f"f:{line}:{column}: m")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:\n\tb: 2\n", "indent with spaces, not with tabs"),
        ("a: @b", "text that begins with @ stands in quotes"),
        ("a: `b`", "text that begins with ` stands in quotes"),
    ],
)
def test_what_cannot_stand_there_is_named_in_the_hint(text, hint):
    assert problem(text).hint == hint
