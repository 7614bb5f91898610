"""Patterns: what is emitted fits exactly what the author's pattern fits."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiops_components.models.policy.cel import is_pattern
from apiops_components.render.pattern import anchored, is_half_anchored, literal_start, without_backslashes


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (r"\d+", "[0-9]+"),
        (r"\w-\s", "[0-9A-Za-z_]-[[:space:]]"),
        (r"[\d\.]x", "[0-9.]x"),
        (r"\D\S", "[^0-9][^[:space:]]"),
        (r"v1\.2\-rc\/x", "v1[.]2-rc/x"),
        (r"\[a\]", None),
        (r"[[:alpha:]\d]", "[[:alpha:]0-9]"),
        (r"[]\d]", "[]0-9]"),
        (r"[^]\d]", "[^]0-9]"),
        (r"a\\b", None),
        (r"\bword\b", None),
        (r"[\]]", None),
        (r"[\D]", None),
        (r"\pL", None),
        (r"\'", None),
        ("plain", "plain"),
    ],
)
def test_classes_stand_for_backslashes(written, wanted):
    assert without_backslashes(written) == wanted


_PIECES = st.sampled_from(
    [
        "a",
        "b",
        "1",
        ".",
        "-",
        "/",
        "_",
        r"\d",
        r"\w",
        r"\.",
        r"\-",
        r"\/",
        r"\D",
        "[ab]",
        r"[\d.]",
        "[^a]",
        "(a|b)",
        "a*",
    ]
)


@given(st.lists(_PIECES, min_size=1, max_size=6).map("".join), st.text("ab1.-/_", max_size=6))
def test_a_pattern_without_backslashes_fits_the_same_texts(pattern, text):
    plain = without_backslashes(pattern)

    assert plain is not None
    assert "\\" not in plain
    assert is_pattern(plain)
    assert bool(re.search(anchored(plain), text)) == bool(re.fullmatch(pattern, text))


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [("a", "^(?:a)$"), ("a|b", "^(?:a|b)$"), ("^a$", "^a$"), ("^(?:a|b)$", "^(?:a|b)$")],
)
def test_a_pattern_is_anchored_at_both_ends(pattern, wanted):
    assert anchored(pattern) == wanted
    assert anchored(wanted) == wanted


@pytest.mark.parametrize("pattern", ["^a", "a$", "^a|b$", "a^b", "(^a)", r"^a\$", "^a$|b"])
def test_a_pattern_that_speaks_of_one_end_is_told(pattern):
    assert is_half_anchored(pattern)


@pytest.mark.parametrize("pattern", ["a", "^a$", "[^a]", "[$]", r"\$a", "^(a|b)$"])
def test_a_pattern_that_speaks_of_both_ends_or_none_is_not(pattern):
    assert not is_half_anchored(pattern)


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [
        ("/orders/[0-9]+", "/orders/"),
        ("^/orders/[0-9]+$", "/orders/"),
        (r"/orders/\d+/items", "/orders/"),
        ("/orders/v[12]/x", "/orders/"),
        ("/orders", "/"),
        ("/orders/?", "/"),
        ("/orders/*x", "/"),
        ("/a/b{2}", "/a/"),
        ("/a/+b", "/a/"),
        (r"/v1\.2/x", "/v1.2/"),
        ("/(a|b)/c", "/"),
        ("/.*", "/"),
        ("/a/|/b/", None),
        ("(/a/)", None),
        ("a", None),
        (".*", None),
        ("//x", None),
        ("/a/../b", "/a/"),
    ],
)
def test_the_folder_of_a_pattern_is_literal(pattern, folder):
    assert literal_start(pattern) == folder


_PATHS = st.lists(st.sampled_from(["/", "a", "b", "1", "[ab]", "(a|b)", "x?", "/?", "a*", ".", r"\.", "/a/"])).map(
    "".join
)


@given(_PATHS, st.text("/ab1.x", max_size=6))
def test_every_path_that_fits_a_pattern_lies_in_its_folder(pattern, text):
    folder = literal_start(pattern)

    if folder is not None and re.fullmatch(pattern, text):
        assert text.startswith(folder)
