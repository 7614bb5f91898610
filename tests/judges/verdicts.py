"""The verdicts of checkov and kube-score on manifests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from apiops_components import versions
from apiops_components.documents import dump

CHECKOV = os.environ.get("APIOPS_CHECKOV") or shutil.which("checkov")


def text(objects):
    return "".join(f"---\n{dump(value)}" for value in objects)


def judged(folder, content, *optional):
    """What checkov and kube-score find: (rule, name of the object); `optional` tests of kube-score run, too."""
    missing = [name for name, there in (("checkov", CHECKOV), ("kube-score", shutil.which("kube-score"))) if not there]
    if missing:
        pytest.skip(f"not on PATH: {', '.join(missing)}")
    place = folder / "judged"
    place.mkdir()
    (place / "objects.yaml").write_text(content)
    return checkov(place) | kube_score(place / "objects.yaml", *optional)


def checkov_report(folder, framework):
    """What checkov says of a folder: `passed_checks` and `failed_checks`."""
    done = subprocess.run(
        [CHECKOV, "--directory", folder, "--framework", framework, "--output", "json", "--compact"],
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)["results"]
    assert report["passed_checks"]
    assert not report["parsing_errors"]
    return report


def checkov(folder):
    report = checkov_report(folder, "kubernetes")
    # A resource is Kind.namespace.name; a pod of the graph has its labels behind.
    return {(item["check_id"], item["resource"].split(".")[2]) for item in report["failed_checks"]}


def kube_score(file, *optional):
    command = [
        "kube-score",
        "score",
        "--output-format",
        "json",
        "--kubernetes-version",
        f"v{versions.KUBERNETES}",
        *(part for test in optional for part in ("--enable-optional-test", test)),
        file,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert sum(len(item["checks"]) for item in report) > 20
    return {
        (check["check"]["id"], item["object_meta"]["name"])
        for item in report
        for check in item["checks"]
        if not check["skipped"] and check["grade"] < 10
    }
