from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiops_components.block import blocks
from apiops_components.documents import load_all
from apiops_components.errors import NotRunnable

# What lines are made of: nearly all of it plain, so that many texts are read, and some of it not.
KEYS = ["a", "b", "yes", "on", "null", "x-y/z", '"a"', "'b c'", '"a: b"', "1", "0x1F", "<<", "a b", "- a", "é"]
VALUES = [
    *("a", "b c", "1", "-5", "010", "1e3", "0.5", ".inf", ".nan", "~", "null", "yes", "y", "2024-01-01", "1:30", "a:b"),
    *("a: b", "a #b", "a#b", "a # b", "'a'", '"a: b"', '"a" b', "'it''s'", '"\\n"', "[]", "{}", "[a]", "{a: b}"),
    *("*x", "&x a", "!a b", "|", ">-", "@a", "%a", "-", "- a", "--- a", "...", "?", "? a", "a:", ":a", "a :b", "a : b"),
    *("/v1/a", "$(a)", "+1", "_", "a  b", "a\tb", "é", "0x1F", "1_000", "+.inf", "0o17", "a\\b", 'a"b', "a'b", "#a"),
]
OTHERS = [
    "",
    "---",
    "--- ",
    "---a",
    "--- a",
    "...",
    "# a",
    "  # a",
    "#",
    "%YAML 1.1",
    "   ",
    "\t",
    "a",
    " -",
    "-",
    "a: b",
]
LINES = st.one_of(
    st.sampled_from(OTHERS),
    st.builds(
        "{}{}{}{}{}{}".format,
        st.sampled_from(["", "", "  ", "  ", "    ", " ", "      "]),
        st.sampled_from(["", "", "", "- ", "- ", "-  ", "- - "]),
        st.one_of(st.just(""), st.sampled_from(KEYS[:4]).map("{}:".format), st.sampled_from(KEYS).map("{}:".format)),
        st.sampled_from(["", " ", " ", "  "]),
        st.one_of(st.just(""), st.sampled_from(VALUES)),
        st.sampled_from(["", "", " ", " # a", "#a"]),
    ),
)


def wholly(text):
    """What the whole parser says: a character that only it reads stands above."""
    return read(f"# é\n{text}", 1)


def read(text, above=0):
    found = []
    try:
        for document in load_all(text):
            lines = {path: line - above for path, line in document.lines.items()}
            # As text: True is no 1.
            found.append((json.dumps(document.value), document.index, lines))
    except NotRunnable as error:
        (problem,) = error.problems
        return found, (problem.message, problem.path, problem.line - above)
    return found, None


@given(st.lists(LINES, max_size=12).map("\n".join))
def test_what_is_read_by_lines_is_what_the_whole_parser_reads(text):
    assert read(text) == wholly(text)


MANIFEST = """\
# a comment
kind: Service  # and another
metadata:
  name: "orders"
  labels: {}
spec:
  ports:
  - port: 80
    name: 'http'
  - port: 443
  empty:
  selector:
    app: orders
---
kind: List
items: []
"""


def test_plain_manifests_are_read_by_lines():
    assert [(block.value, block.line) for block in blocks(MANIFEST)] == [
        (
            {
                "kind": "Service",
                "metadata": {"name": "orders", "labels": {}},
                "spec": {
                    "ports": [{"port": 80, "name": "http"}, {"port": 443}],
                    "empty": None,
                    "selector": {"app": "orders"},
                },
            },
            0,
        ),
        ({"kind": "List", "items": []}, 13),
    ]


@pytest.mark.parametrize(
    "unusual",
    ["a: |\n  b", "a: &x b", "a: [b]", "a: b\n  c", "a: b\na: c", " a: b\nc: d", "- a\nb: c", "a: 'b\n  c'", "a: .inf"],
)
def test_reading_by_lines_ends_before_anything_unusual(unusual):
    assert [block.value for block in blocks(f"a: b\n---\n{unusual}\n---\nc: d\n")] == [{"a": "b"}]


def test_lines_and_numbers_go_on_behind_what_was_read_by_lines():
    *documents, last = load_all("a: b\n---\nc: d\n---\n# nothing\n---\ne:\n  f: |\n    g\n---\nh: i\n")

    assert [document.index for document in (*documents, last)] == [0, 1, 2, 3]
    assert documents[1].line("c") == 3
    assert documents[2].line("e.f") == 8
    assert (last.value, last.line("h")) == ({"h": "i"}, 11)


def test_an_error_has_its_line_behind_what_was_read_by_lines():
    with pytest.raises(NotRunnable) as caught:
        list(load_all("a: b\n---\nc: d\nc: e\n", "x.yaml"))

    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.path) == ("x.yaml", 4, "c")


def test_depth_is_bounded():
    deep = "".join(f"{'  ' * level}a:\n" for level in range(60))

    assert list(blocks(deep)) == []
