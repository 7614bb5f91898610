from __future__ import annotations

import json
import stat
import subprocess
import sys

import pytest

from apiops_components.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("APIOPS_CACHE_DIR", str(tmp_path / "cache"))

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(["sandbox", *arguments])
        printed = capsys.readouterr()
        return exit_.value.code, printed.out, printed.err

    return run


def test_without_one_status_says_how_to_make_one(run):
    assert run("status", "--name", "mine") == (
        2,
        "",
        "there is no sandbox 'mine'; there: none [sandbox/missing]\n    hint: apiopsctl sandbox up --name mine\n",
    )


def test_errors_are_json_where_json_is_asked_for(run):
    code, out, _ = run("status", "--format", "json")

    assert code == 2
    assert json.loads(out)["errors"][0]["code"] == "sandbox/missing"


def test_to_take_down_what_is_not_there_is_no_fault(run):
    assert run("down") == (0, "", "there is no sandbox 'default'\n")


@pytest.mark.parametrize("name", ["", "Two", "a/b", "..", "-a", "a" * 33])
def test_a_name_is_a_plain_one(run, name):
    code, _, err = run("status", "--name", name)

    assert code == 2
    assert "lower-case letters, digits and - in between; 32 at most" in err


def test_a_damaged_state_is_told_and_can_be_taken_down(run, tmp_path):
    folder = tmp_path / "cache/sandboxes/default"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text('{"name": "def')

    code, _, err = run("status")
    assert code == 2
    assert err == (
        f"{folder}/state.json: is damaged [sandbox/state]\n"
        "    hint: take it down and up again: apiopsctl sandbox down --name default\n"
    )
    assert run("down") == (0, "", "sandbox 'default' is gone\n")
    assert not folder.exists()


def test_an_empty_folder_of_definitions_is_told_before_anything_starts(run, tmp_path):
    (tmp_path / "empty").mkdir()

    code, _, err = run("up", "--slim", "--crds", str(tmp_path / "empty"))

    assert code == 2
    assert "no YAML file is in it [sandbox/crds]" in err
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_made_is_told(run, tmp_path):
    (tmp_path / "cache").write_text("")

    code, _, err = run("up", "--slim")

    assert code == 2
    assert err.startswith(f"{tmp_path}/cache")
    assert "the lock cannot be taken" in err


_WITHOUT = """
import sys
sys.modules["psutil"] = None
from apiops_components.cli import main
main(["sandbox", "status"])
"""


def test_without_the_extra_it_is_said_what_to_install():
    done = subprocess.run([sys.executable, "-c", _WITHOUT], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr == (
        "the sandbox needs psutil, which is not installed [sandbox/extra]\n"
        "    hint: pip install 'apiops-components[sandbox]', or [sandbox,go] where there is no Go either\n"
    )


def test_the_certificates_are_the_sandbox_s_own_and_private(tmp_path):
    from apiops_components.sandbox.certificates import kubeconfig, make_certificates  # noqa: PLC0415

    make_certificates(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {
        "admin.crt",
        "admin.key",
        "ca.crt",
        "etcd.crt",
        "etcd.key",
        "kube-apiserver.crt",
        "kube-apiserver.key",
        "service-accounts.key",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    config = kubeconfig("one", 1234, tmp_path)
    assert config["current-context"] == "apiops-one"
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1234"
