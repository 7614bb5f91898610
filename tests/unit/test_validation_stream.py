"""Whole files: bad input within bounds of time and memory, and the same results however many processes read."""

from __future__ import annotations

import json
import os
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from apiops_components.cli.validate import command
from apiops_components.errors import NotRunnable
from apiops_components.validation import stream
from apiops_components.validation.stream import Checked, check_files

GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
BAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A}\n"


def run(*arguments: str) -> Result:
    """The command, and its exit code as the main program gives it."""
    return CliRunner().invoke(command, list(arguments), standalone_mode=False)


def merged(found: Iterator[Checked]) -> tuple[list[Any], list[Any]]:
    every = list(found)
    return [result for item in every for result in item.results], [p for item in every for p in item.unreadable]


DEEP = 100_000
BOMBS = {
    "laughs": "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)),
    "doubling": "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}\n" for i in range(1, 60)),
    "deep list": "[" * DEEP + "]" * DEEP,
    "deep mapping": '{"a":' * DEEP + "1" + "}" * DEEP,
    "tab": "a:\n\tb: 1\n",
    "no UTF-8": b"a: \xe9\n",
    "UTF-16": "a: b\n".encode("utf-16"),
    "NUL": "a: \x00\n",
    "key that is a list": "? [a]\n: b\n",
    "unclosed": "a: [1, 2\n",
    "unknown tag": "a: !!python/object:os.system x\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_cannot_be_read_is_a_clear_error_at_once(tmp_path: Path, name: str) -> None:
    file = tmp_path / "a.yaml"
    content = BOMBS[name]
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    begin = time.process_time()
    tracemalloc.start()
    results, unreadable = merged(check_files([str(file)]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.process_time() - begin < 10
    assert peak < 100 * 2**20
    (problem,) = unreadable
    assert results == []
    assert (problem.file, problem.code.split("/")[0], problem.line > 0) == (str(file), "yaml", True)
    done = run(str(file))
    assert done.return_value == 2
    assert done.exception is None


HEAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"{HEAD}spec: {{replicas: {'9' * 100_000}}}\n", id="huge integer"),
        pytest.param(f"{HEAD}spec: {{replicas: 1e999999999}}\n", id="huge float"),
        pytest.param(f"{BAD}data: {{a: '{'x' * 10_000_000}'}}\n", id="10 MB text"),
        pytest.param(
            f"{HEAD}spec: {{" + ", ".join(f"k{i}: 1" for i in range(60_000)) + "}\n", id="60,000 unknown fields"
        ),
        pytest.param(f"{HEAD}a: [" + "1," * 300_000 + "]\n", id="300,000 values"),
        pytest.param("on_http_request: [" + "{actions: [{type: denyy}]}," * 2_000 + "]\n", id="2,000 wrong rules"),
    ],
)
def test_what_is_large_and_wrong_is_told_in_bounds(tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(content)
    begin = time.process_time()
    done = run(str(file), "--format", "json")
    assert time.process_time() - begin < 15
    assert done.return_value == 1
    assert len(done.output) < 200_000
    (document,) = json.loads(done.output)["documents"]
    assert 1 <= len(document["errors"]) <= 201


def test_more_problems_than_anyone_reads_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"{HEAD}spec: {{" + ", ".join(f"k{i}: 1" for i in range(500)) + "}\n")
    (result,), _ = merged(check_files([str(file)]))
    assert result.problems[-1].message.endswith("more")
    assert len(result.problems) == 201


def test_links_that_lead_in_circles_end(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.yaml").write_text(GOOD)
    (tmp_path / "b" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    results, unreadable = merged(check_files([str(tmp_path)]))
    assert ([result.status for result in results], unreadable) == (["valid"], [])


@pytest.mark.skipif(os.geteuid() == 0 and not hasattr(os, "seteuid"), reason="root may read everything")
def test_files_that_cannot_be_read_are_named_and_the_others_checked(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "c.yaml").write_text(BAD)
    results, unreadable = merged(check_files([str(tmp_path)]))
    assert [result.status for result in results] == ["valid", "invalid"]
    assert [problem.file for problem in unreadable] == [str(tmp_path / "b.yaml")]
    assert run(str(tmp_path)).return_value == 2


@pytest.mark.parametrize("name", ["missing.yaml", "x" * 5000])
def test_a_path_that_is_not_there_cannot_run(tmp_path: Path, name: str) -> None:
    _, (problem,) = merged(check_files([str(tmp_path / name)]))
    assert problem.code in ("file/missing", "file/unreadable")


def test_an_empty_folder_cannot_run(tmp_path: Path) -> None:
    _, (problem,) = merged(check_files([str(tmp_path)]))
    assert problem.code == "file/none"


def test_a_file_beyond_all_bounds_cannot_run(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    with file.open("wb") as out:
        out.truncate(2**40)
    _, (problem,) = merged(check_files([str(file)]))
    assert problem.code == "file/size"


# --- several processes ---------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(
    [
        GOOD,
        BAD,
        "",
        "# nothing\n",
        "a: |\n  ---\n  text\n",
        "a: '\n  ---\n  '\n",
        "a: [1\n",
        "a: '\n---\n'\n",
        "--- \n",
        "...\n",
        "kind: List\napiVersion: v1\nitems: []\n",
        f"x: {'y' * 60}\n",
        "a:\n- b\n---x: 1\n",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=12), st.sampled_from(["---\n", "--- # here\n", "---\r\n"]))
def test_pieces_give_what_the_whole_file_gives(texts: list[str], between: str) -> None:
    content = between.join(texts).encode()

    def checked(size: int) -> Any:
        kept, stream._PIECE = stream._PIECE, size
        try:
            pieces = [*stream._cut("a.yaml", content)]
            found = merged(stream._in_order((piece, stream._check(piece, "auto", None)) for piece in pieces))
        finally:
            stream._PIECE = kept
        results, unreadable = found
        return results, bool(unreadable), [problem.line for problem in unreadable if problem.code == "yaml/content"]

    assert checked(40) == checked(10**9)


def test_more_processes_find_the_same_in_the_same_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = "---\n".join([GOOD, BAD, "a: 1\n"] * 6_000)
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(many)
    (tmp_path / "b.yaml").write_text(many + "---\na: [\n---\n" + GOOD)
    monkeypatch.setattr(stream, "_workers", lambda: 1)
    one = merged(check_files([str(tmp_path)]))
    monkeypatch.setattr(stream, "_workers", lambda: 2)
    two = merged(check_files([str(tmp_path)]))
    assert one == two
    assert len(two[0]) == 36_000
    assert two[0][-1].index == 17_999
    assert [problem.line for problem in two[1]] == [problem.line for problem in one[1]]


@pytest.mark.skipif(sys.platform != "linux", reason="only a fork has what is patched here")
def test_a_process_that_dies_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text("---\n".join([GOOD] * 30_000))
    monkeypatch.setattr(stream, "_workers", lambda: 2)
    monkeypatch.setattr(stream, "_check", lambda *_: os._exit(9))
    with pytest.raises(NotRunnable, match="ended from outside"):
        list(check_files([str(tmp_path)]))


# --- what is printed -----------------------------------------------------------------------------------------------

WARNED = "apiVersion: ingress.k8s.ngrok.com/v1alpha1\nkind: Domain\nmetadata: {name: a}\nspec: {domain: a.example.com, metadata: '{}'}\n"  # noqa: E501


def test_warnings_are_shown_and_do_not_fail(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(WARNED)
    done = run(str(file))
    assert done.return_value == 0
    assert done.stdout == "1 documents: 1 valid, 0 invalid, 0 skipped\n"
    assert "deprecated" in done.stderr
    (document,) = json.loads(run(str(file), "--format", "json").stdout)["documents"]
    assert (document["status"], document["errors"], document["warnings"][0]["path"]) == ("valid", [], "spec.metadata")
    (item,) = json.loads(run(str(file), "--format", "sarif").stdout)["runs"][0]["results"]
    assert (item["level"], item["ruleId"]) == ("warning", "ngrok/deprecated")


def test_a_skipped_kind_is_named_in_every_format(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\n")
    done = run(str(file))
    assert done.return_value == 0
    assert "skipped" in done.stdout
    assert "Widget" in done.stdout
    assert json.loads(run(str(file), "--format", "json").stdout)["summary"]["skipped"] == 1
    (item,) = json.loads(run(str(file), "--format", "sarif").stdout)["runs"][0]["results"]
    assert item["level"] == "note"
