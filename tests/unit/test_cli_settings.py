from __future__ import annotations

import json
from pathlib import Path

import pytest

from apiops_components.cli import main

STACKS = str(Path(__file__).parents[2] / "stacks")


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["settings", "--project", STACKS, *arguments])
    return ended.value.code, capsys.readouterr()


def test_one_environment_is_printed_whole_with_its_defaults(capsys):
    code, (out, _) = run(capsys, "--env", "prod")
    assert code == 0
    assert "cluster.node_pool.machine_type: e2-standard-8\n" in out
    assert "cluster.private_endpoint: true\n" in out
    assert "cluster.authorized_networks[0].cidr: 10.200.0.0/16\n" in out


def test_two_environments_are_compared_setting_by_setting(capsys):
    code, (out, _) = run(capsys, "--env", "staging", "--env", "prod")
    assert code == 0
    assert "cluster.deletion_protection: false → true\n" in out
    assert "promoted_from: (none) → staging\n" in out
    assert "cluster.region" not in out
    changed = out.splitlines()
    assert changed[-1] == f"staging and prod: {len(changed) - 1} settings differ"


def test_an_environment_is_like_itself(capsys):
    assert run(capsys, "--env", "prod", "--env", "prod")[1].out == "prod and prod: alike\n"


def test_both_forms_are_one_json_document(capsys):
    _, (out, _) = run(capsys, "--env", "staging", "--env", "prod", "--format", "json")
    found = json.loads(out)
    assert found["environments"] == ["staging", "prod"]
    assert {"path": "cluster.name", "staging": "apiops-staging", "prod": "apiops-prod"} in found["differences"]
    assert json.loads(run(capsys, "--env", "prod", "--format", "json")[1].out)["cluster"]["kind"] == "gke"


def test_a_third_environment_is_wrong_usage(capsys):
    code, (_, err) = run(capsys, "--env", "dev", "--env", "staging", "--env", "prod")
    assert (code, "once or twice, got 3" in err) == (2, True)


def test_an_unknown_environment_is_told(capsys):
    assert run(capsys, "--env", "moon")[0] == 2
