"""The verdicts of `tests/unit/test_network_policies.py`, given again by cyclonus, which must be on PATH."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from apiops_components.documents import dump

pytestmark = pytest.mark.judges

UNIT = Path(__file__).parents[1] / "unit/test_network_policies.py"


def connections():
    spec = importlib.util.spec_from_file_location("network_policies", UNIT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peer(value):
    if not value.namespace:
        return {"IP": value.address}
    there = {"kubernetes.io/metadata.name": value.namespace}
    inside = {"Namespace": value.namespace, "NamespaceLabels": there, "PodLabels": value.labels}
    return {"IP": value.address, "Internal": inside}


def test_another_evaluator_comes_to_the_same_verdicts(tmp_path):
    if shutil.which("cyclonus") is None:
        pytest.skip("cyclonus is not on PATH")
    given = connections()
    asked = [*given.ALLOWED, *given.REFUSED]
    policies = tmp_path / "policies"
    policies.mkdir()
    for number, policy in enumerate(given.policies()):
        (policies / f"{number}.yaml").write_text(dump(policy))
    traffic = [
        {"Source": peer(source), "Destination": peer(target), "ResolvedPort": port, "Protocol": protocol}
        for source, target, port, protocol in asked
    ]
    (tmp_path / "traffic.json").write_text(json.dumps(traffic))
    command = ["cyclonus", "analyze", "--mode=query-traffic", f"--policy-path={policies}"]
    command.append(f"--traffic-path={tmp_path / 'traffic.json'}")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    verdicts = re.findall(r"IS ALLOWED\?\s*\|\s*(TRUE|FALSE)", done.stdout)

    assert len(verdicts) == len(asked)
    assert verdicts == ["TRUE"] * len(given.ALLOWED) + ["FALSE"] * len(given.REFUSED)
