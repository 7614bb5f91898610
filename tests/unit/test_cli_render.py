from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXPECTED = Path(__file__).with_name("expected")
SECRET = "sentinel-that-nobody-may-read"  # noqa: S105


def cli(*arguments, cwd=ROOT, command="render", **more):
    done = subprocess.run(
        [Path(sys.executable).with_name("apiopsctl"), command, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        **more,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def project(tmp_path):
    """A copy of the example that a test may change."""
    copy = tmp_path / "project"
    shutil.copytree(ROOT / "stacks", copy / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", copy)
    return copy


def change(file, *pairs):
    text = file.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text, (old, file)
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")


def files(folder):
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


# --- what it prints --------------------------------------------------------------------------------------------------


def test_the_stream_is_the_expected_one_whatever_the_run():
    for seed in "12":
        done = cli("--env", "prod", env={**os.environ, "PYTHONHASHSEED": seed})
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == (EXPECTED / "prod.yaml").read_text(encoding="utf-8")


def test_json_is_one_list_of_the_same_objects():
    found = json.loads(cli("--env", "dev", "--format", "json").stdout)
    expected = list(yaml.safe_load_all((EXPECTED / "dev.yaml").read_text(encoding="utf-8")))

    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    assert found["items"] == expected


def test_owners_share_all_objects_between_them():
    def objects(owner):
        out = cli("--env", "prod", "--owner", owner, "--format", "json").stdout
        return [(o["kind"], o["metadata"]["name"]) for o in json.loads(out)["items"]]

    assert sorted(objects("gitops") + objects("pulumi")) == sorted(objects("all"))
    assert ("Gateway", "shop") in objects("gitops")
    assert ("Namespace", "shop") in objects("pulumi")
    assert "Secret" not in {kind for kind, _ in objects("gitops")}


def test_a_team_alone_is_the_same_in_the_root_and_in_its_own_folder():
    root = cli("--env", "prod", "--team", "shop")
    own = cli("--env", "prod", cwd=ROOT / "stacks" / "teams" / "shop")
    named = cli("--env", "prod", "--project", ROOT / "stacks" / "teams" / "shop", cwd="/")

    assert root.returncode == own.returncode == named.returncode == 0
    assert root.stdout == own.stdout == named.stdout
    assert "kind: Namespace" not in root.stdout


def test_a_secret_is_a_place_and_never_a_value(project):
    settings = project / "stacks" / "config" / "Pulumi.dev.yaml"
    clear = f"  apiops:ngrok-api-key: {SECRET}\n  apiops:ngrok-authtoken:\n    secure: {SECRET}\n"
    settings.write_text(settings.read_text(encoding="utf-8") + clear, encoding="utf-8")
    for command in ("render", "check"):
        for form in ("yaml" if command == "render" else "text", "json"):
            done = cli("--env", "dev", "--format", form, cwd=project, command=command)
            assert done.returncode == 0
            assert SECRET not in done.stdout + done.stderr
    assert "<secret:ngrok-api-key>" in cli("--env", "dev", cwd=project).stdout
    cli("--env", "dev", "--out", project / "out", cwd=project)
    assert SECRET.encode() not in b"".join(files(project / "out").values())


def test_what_a_description_prints_does_not_spoil_the_output(project):
    file = project / "stacks" / "describe.py"
    file.write_text("print('hello')\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    done = cli("--env", "dev", "--format", "json", cwd=project)

    assert json.loads(done.stdout)["kind"] == "List"
    assert "hello" in done.stderr


def test_a_reader_that_went_away_is_no_finding():
    reading, writing = os.pipe()
    os.close(reading)
    command = [Path(sys.executable).with_name("apiopsctl"), "render", "--env", "prod"]
    done = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)

    assert (done.returncode, done.stderr) == (141, "")


# --- what it writes --------------------------------------------------------------------------------------------------


def test_two_renders_write_the_same_bytes(tmp_path):
    for name in "ab":
        done = cli("--env", "prod", "--out", tmp_path / name)
        assert (done.returncode, done.stdout) == (0, "")
    one = files(tmp_path / "a")

    assert one == files(tmp_path / "b")
    assert len(one) == (EXPECTED / "prod.yaml").read_text(encoding="utf-8").count("\n---\n") + 2
    assert json.loads(one["index.json"])["environment"] == "prod"
    assert cli("--env", "prod", "--out", tmp_path / "a").stderr.endswith("0 files changed\n")


def test_checking_tells_what_is_missing_changed_and_left_over(tmp_path):
    out = tmp_path / "out"
    cli("--env", "prod", "--out", out)
    assert cli("--env", "prod", "--out", out, "--check").returncode == 0

    (out / "shop" / "gateway-shop.yaml").unlink()
    (out / "shop" / "httproute-orders.yaml").write_text("changed", encoding="utf-8")
    index = json.loads((out / "index.json").read_text(encoding="utf-8"))
    index["files"]["shop/configmap-old.yaml"] = "sha256:0"
    (out / "index.json").write_text(json.dumps(index), encoding="utf-8")
    (out / "shop" / "configmap-old.yaml").write_text("old", encoding="utf-8")
    (out / "shop" / "mine.txt").write_text("mine", encoding="utf-8")
    before = files(out)

    done = cli("--env", "prod", "--out", out, "--check")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"changed: {out}/index.json",
        f"left over: {out}/shop/configmap-old.yaml",
        f"missing: {out}/shop/gateway-shop.yaml",
        f"changed: {out}/shop/httproute-orders.yaml",
    ]
    assert files(out) == before

    done = cli("--env", "prod", "--out", out, "--check", "--format", "json")
    assert done.returncode == 1  # a tree of JSON would have other files
    assert {d["what"] for d in json.loads(done.stdout)["differences"]} == {"missing", "changed", "left over"}


@pytest.mark.parametrize("more", [(), ("--check",)])
def test_json_with_a_folder_is_one_document_too(tmp_path, more):
    out = tmp_path / "out"
    cli("--env", "dev", "--out", out, "--format", "json")
    found = json.loads(cli("--env", "dev", "--out", out, "--format", "json", *more).stdout)

    assert found == {"environment": "dev", "folder": str(out), "files": len(files(out)) - 1, "differences": []}
    assert all(name.endswith(".json") for name in files(out))


def test_a_folder_with_a_file_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    done = cli("--env", "dev", "--out", tmp_path)

    assert done.returncode == 2
    assert "holds files but no index.json" in done.stderr
    assert files(tmp_path) == {"notes.txt": b"mine"}


@pytest.mark.parametrize("out", ["file", "file/below", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written_is_2(tmp_path, out):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    done = cli("--env", "dev", "--project", ROOT, "--out", out, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert out in done.stderr
    assert files(tmp_path) == {"file": b"mine"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_2(tmp_path):
    tmp_path.chmod(0o555)
    done = cli("--env", "dev", "--project", ROOT, "--out", tmp_path / "out", cwd=ROOT)

    assert (done.returncode, "Permission denied" in done.stderr) == (2, True)


def test_a_render_that_fails_leaves_the_old_tree_as_it_was(project):
    out = project / "out"
    assert cli("--env", "dev", "--out", out, cwd=project).returncode == 0
    before = files(out)
    change(project / "stacks/teams/shop/describe.py", ('"/orders"', '"orders"'))

    done = cli("--env", "dev", "--out", out, cwd=project)
    assert done.returncode == 1
    assert files(out) == before
    assert cli("--env", "dev", "--out", project / "new", cwd=project).returncode == 1
    assert not (project / "new").exists()


# --- bad input -------------------------------------------------------------------------------------------------------

SETTINGS, SHOP = "stacks/config/Pulumi.dev.yaml", "stacks/teams/shop/describe.py"

BAD = {
    "unknown key": (SETTINGS, [("    argocd:\n", "    colour: red\n    argocd:\n")], 1, ["colour: unknown field"]),
    "wrong type": (
        SETTINGS,
        [("replicas: 1\n      agent", "replicas: many\n      agent")],
        1,
        ["ngrok.replicas", "'many'"],
    ),
    "missing setting": (SETTINGS, [("    owner: platform@example.com\n", "")], 1, ["owner: required, but missing"]),
    "missing variable": (SETTINGS, [("issuer:", "other:")], 1, ["teams.shop.variables.issuer", "describe.py:"]),
    "missing host": (SETTINGS, [("        host: shop-dev.ngrok.app\n", "")], 1, ["teams.shop.host", "describe.py:"]),
    "undeclared secret": (
        SETTINGS,
        [("      - ngrok-api-key\n", "")],
        1,
        ["ngrok-api-key", "add ngrok-api-key to secrets"],
    ),
    "chart without version": (
        SETTINGS,
        [("      profile: small\n", "      profile: small\n      chart: {version: null}\n")],
        1,
        ["argocd.chart.version: a chart from a repository needs its exact version"],
    ),
    "chart at a range": (
        SETTINGS,
        [("      profile: small\n", "      profile: small\n      chart: {version: ^10.1}\n")],
        1,
        ["argocd.chart.version: '^10.1' is not an exact version"],
    ),
    "duplicate route": (
        SHOP,
        [
            (
                '(Route.prefix("/orders", Backend.to("orders", 80)),)',
                '(Route.prefix("/orders", Backend.to("orders", 80)),) * 2',
            )
        ],
        1,
        ["routes[1].matches[0]", "matched by", "describe.py:"],
    ),
    "backend without port": (
        SHOP,
        [('Backend.to("orders", 80)', 'Backend(name="orders")')],
        1,
        ["Must have port for Service reference", "describe.py:"],
    ),
    "path without leading slash": (SHOP, [('"/orders"', '"orders"')], 1, ["must be an absolute path", "describe.py:"]),
    "action in a wrong phase": (
        SHOP,
        [("on_http_response=(\n", "on_http_response=(\n                Rule(actions=(Deny(),)),\n")],
        1,
        ["on_http_response[0].actions[0].type", "deny may not be used in on_http_response"],
    ),
    "what ngrok would do otherwise": (
        SHOP,
        [('"/orders"', '"/it\'s"')],
        1,
        ["apis[1].routes[0].matches[0].path.value", "ApiGateway shop"],
    ),
    "unparsable settings": (SETTINGS, [("config:\n", "config: [\n")], 2, ["Pulumi.dev.yaml:"]),
    "a key twice": (SETTINGS, [("    argocd:\n", "    ngrok: {}\n    argocd:\n")], 2, ["'ngrok' is there twice"]),
    "unparsable description": (SHOP, [("def describe(", "def describe((")], 2, ["describe.py:", "SyntaxError"]),
    "failing description": (SHOP, [("TEAM = ", "TEAM = 1 / 0 or ")], 2, ["describe.py:", "ZeroDivisionError"]),
}


@pytest.mark.parametrize(("file", "changes", "code", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_one_clear_error_with_its_place(project, file, changes, code, words):
    change(project / file, *changes)
    done = cli("--env", "dev", "--format", "json", "--out", project / "out", cwd=project)

    assert done.returncode == code, done.stderr
    for word in words:
        assert word in done.stderr
    assert "describe.py:" in done.stderr or file in done.stderr
    found = json.loads(done.stdout)
    assert list(found) == ["errors"]
    assert all(error["message"] for error in found["errors"])
    assert not (project / "out").exists()
    assert len(done.stderr.splitlines()) <= 4


def test_all_problems_of_an_object_are_told_at_once(project):
    change(
        project / SETTINGS,
        ("    owner: platform@example.com\n", "    colour: red\n"),
        ("delivery: direct", "delivery: pigeon"),
    )
    err = cli("--env", "dev", cwd=project).stderr

    for word in ("colour: unknown field", "owner: required", "teams.shop.delivery"):
        assert word in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing option '--env'"),
        (("--env", "nope"), "unknown environment 'nope'"),
        (("--env", "dev", "--team", "nope"), "unknown team 'nope'; teams here: shop"),
        (("--env", "dev", "--check"), "name it with --out"),
        (("--env", "dev", "--check", "--out", "/nowhere"), "no such folder"),
        (("--env", "dev", "--owner", "me"), "--owner"),
        (("--env", "dev", "--format", "xml"), "--format"),
        (("--env", "dev", "--project", "/"), "no Pulumi.yaml"),
        (("--env", "dev", "extra"), "extra"),
    ],
)
def test_wrong_usage_and_what_cannot_run_is_2(arguments, message):
    done = cli(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_team_that_the_settings_do_not_name_is_left_out(project):
    change(project / SETTINGS, ("      shop:\n", "      other:\n"))
    done = cli("--env", "dev", cwd=project)

    assert done.returncode == 0
    assert "kind: HTTPRoute" not in done.stdout
    assert cli("--env", "dev", "--team", "shop", cwd=project).returncode == 1
