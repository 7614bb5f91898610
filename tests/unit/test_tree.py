from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from apiops_components.delivery.tree import INDEX, Difference, Tree, compare, write
from apiops_components.documents import load_all
from apiops_components.errors import NotRunnable
from apiops_components.render.manifest import Manifest


def manifest(name, namespace="shop", value="1"):
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": value}}
    return Manifest(item, f"Api {name}", "gitops", "shop")


def tree(*manifests, **more):
    return Tree.of(manifests, environment="dev", **more)


ONE = tree(manifest("a"), manifest("b"), manifest("c", namespace=None))
A, B, C = "shop/configmap-a.yaml", "shop/configmap-b.yaml", "_cluster/configmap-c.yaml"


def files(folder):
    return {str(f.relative_to(folder)): f.read_text(encoding="utf-8") for f in folder.rglob("*") if f.is_file()}


def problem(call):
    with pytest.raises(NotRunnable) as raised:
        call()
    return raised.value.problems[0]


def test_a_tree_is_a_file_an_object_and_an_index_of_their_digests():
    text = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: shop\ndata:\n  key: "1"\n'

    assert list(ONE.files) == [A, B, C]
    assert ONE.files[A] == text
    index = json.loads(ONE.index)
    assert index["environment"] == "dev"
    assert list(index["files"]) == sorted([A, B, C])
    assert index["files"][A] == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_a_tree_may_be_of_json():
    made = tree(manifest("a"), form="json")

    assert list(made.files) == ["shop/configmap-a.json"]
    assert json.loads(made.files["shop/configmap-a.json"]) == manifest("a").object


def test_the_same_manifests_give_the_same_tree():
    assert tree(manifest("a"), manifest("b")) == tree(manifest("a"), manifest("b"))
    assert tree(manifest("a"), manifest("b")).index == tree(manifest("b"), manifest("a")).index


def test_what_is_written_is_equal_afterwards_and_reads_back(tmp_path):
    folder = tmp_path / "new" / "deeper"

    assert [d.what for d in write(ONE, folder)] == ["missing"] * 4
    assert files(folder) == {**ONE.files, INDEX: ONE.index}
    assert compare(ONE, folder) == []
    (document,) = load_all((folder / A).read_bytes(), A)
    assert document.value == manifest("a").object


def test_a_second_run_touches_nothing(tmp_path):
    write(ONE, tmp_path)
    before = {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*")}

    assert write(ONE, tmp_path) == []
    assert {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*")} == before


def test_missing_changed_and_left_over_files_are_told_and_put_right(tmp_path):
    write(ONE, tmp_path)
    (tmp_path / A).write_text("changed", encoding="utf-8")
    (tmp_path / C).unlink()
    wanted = tree(manifest("a"), manifest("c", namespace=None))
    expected = [
        Difference(C, "missing"),
        Difference(INDEX, "changed"),
        Difference(A, "changed"),
        Difference(B, "left over"),
    ]

    assert compare(wanted, tmp_path) == expected
    assert write(wanted, tmp_path) == expected
    assert files(tmp_path) == {**wanted.files, INDEX: wanted.index}


def test_line_ends_count(tmp_path):
    write(ONE, tmp_path)
    (tmp_path / A).write_bytes(ONE.files[A].replace("\n", "\r\n").encode())

    assert compare(ONE, tmp_path) == [Difference(A, "changed")]


def test_folders_that_become_empty_go(tmp_path):
    write(ONE, tmp_path)
    write(tree(manifest("c", namespace=None)), tmp_path)

    assert not (tmp_path / "shop").exists()


def test_files_that_are_not_listed_are_never_touched(tmp_path):
    write(ONE, tmp_path)
    (tmp_path / "shop" / "mine.yaml").write_text("mine", encoding="utf-8")
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")

    assert compare(ONE, tmp_path) == []
    write(tree(), tmp_path)
    assert files(tmp_path) == {"shop/mine.yaml": "mine", "README.md": "mine", INDEX: tree().index}


def test_a_file_of_somebody_else_in_the_place_of_ours_is_refused_before_anything_is_written(tmp_path):
    write(tree(manifest("a")), tmp_path)
    (tmp_path / B).write_text("mine", encoding="utf-8")
    before = files(tmp_path)

    found = problem(lambda: write(ONE, tmp_path))
    assert (found.code, found.file) == ("tree/foreign", str(tmp_path / B))
    assert files(tmp_path) == before


def test_a_folder_with_files_and_no_index_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")

    found = problem(lambda: write(ONE, tmp_path))
    assert (found.code, found.file) == ("tree/foreign", str(tmp_path))
    assert files(tmp_path) == {"notes.txt": "mine"}


def test_an_empty_folder_is_taken(tmp_path):
    write(ONE, tmp_path)
    assert compare(ONE, tmp_path) == []


@pytest.mark.parametrize(
    "index",
    [
        "{",
        "[]",
        "null",
        "{}",
        '{"environment": "dev", "files": ["a.yaml"]}',
        '{"environment": "dev", "files": {"a.yaml": 3}}',
        '{"files": {"a.yaml": "sha256:0"}}',
        '{"environment": "dev", "files": {"a.yaml": "another tool"}}',
        "[" * 100_000,
    ],
)
def test_a_file_with_the_name_of_an_index_is_not_taken_for_one(tmp_path, index):
    (tmp_path / INDEX).write_text(index, encoding="utf-8")
    (tmp_path / "a.yaml").write_text("mine", encoding="utf-8")
    before = files(tmp_path)

    for call in (lambda: write(ONE, tmp_path), lambda: compare(ONE, tmp_path)):
        assert problem(call).code == "tree/index"
    assert files(tmp_path) == before


def test_an_index_that_is_no_text_is_refused(tmp_path):
    (tmp_path / INDEX).write_bytes(b"\xff\xfe\x00")

    assert problem(lambda: write(ONE, tmp_path)).code == "tree/index"


@pytest.mark.parametrize("path", ["../outside.yaml", "/etc/passwd", "shop/../../outside.yaml"])
def test_an_index_that_lists_files_outside_its_folder_is_refused(tmp_path, path):
    folder = tmp_path / "tree"
    write(ONE, folder)
    (tmp_path / "outside.yaml").write_text("mine", encoding="utf-8")
    index = json.loads(ONE.index)
    index["files"][path] = "sha256:0"
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")

    found = problem(lambda: write(ONE, folder))
    assert found.code == "tree/index"
    assert path in found.message
    assert (tmp_path / "outside.yaml").exists()


def test_an_index_that_lists_itself_stays(tmp_path):
    write(ONE, tmp_path)
    index = json.loads(ONE.index)
    index["files"][INDEX] = "sha256:0"
    (tmp_path / INDEX).write_text(json.dumps(index), encoding="utf-8")

    write(ONE, tmp_path)
    assert files(tmp_path) == {**ONE.files, INDEX: ONE.index}


def test_a_run_that_is_broken_off_can_be_run_again(tmp_path, monkeypatch):
    """Whatever was written is in the index by then, so the next run knows it for its own."""
    write(tree(manifest("a"), manifest("old")), tmp_path)
    replace, calls = os.replace, []

    def full(source, target):
        calls.append(target)
        if len(calls) == 3:
            raise OSError(28, "No space left on device", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    found = problem(lambda: write(tree(*(manifest(n, value="2") for n in "abc")), tmp_path))
    assert (found.code, "No space left" in found.message) == ("tree/file", True)
    monkeypatch.undo()

    left = files(tmp_path)
    assert not [name for name in left if name.endswith(".part")]
    assert set(left) - {INDEX} <= set(json.loads(left[INDEX])["files"])
    wanted = tree(*(manifest(n, value="3") for n in "abc"))
    write(wanted, tmp_path)
    assert files(tmp_path) == {**wanted.files, INDEX: wanted.index}


def test_no_folder_to_compare_with_is_not_runnable(tmp_path):
    assert problem(lambda: compare(ONE, tmp_path / "nowhere")).code == "tree/missing"


@pytest.mark.parametrize("call", [write, compare])
def test_a_folder_in_the_place_of_a_file_is_not_runnable(tmp_path, call):
    write(tree(manifest("a")), tmp_path)
    (tmp_path / B).mkdir()

    found = problem(lambda: call(ONE, tmp_path))
    assert (found.code, found.file) == ("tree/file", str(tmp_path / B))


def test_a_file_in_the_place_of_a_folder_is_not_runnable(tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")

    assert problem(lambda: write(ONE, tmp_path / "file" / "below")).code == "tree/file"
    assert problem(lambda: write(ONE, tmp_path / "file")).code == "tree/file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_not_runnable(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)

    assert problem(lambda: write(ONE, tmp_path / "below")).code == "tree/file"


def test_files_are_written_whole(tmp_path):
    write(ONE, tmp_path)
    assert {Path(name).suffix for name in files(tmp_path)} == {".yaml", ".json"}
