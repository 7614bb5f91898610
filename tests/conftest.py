"""Says which tests were left out, and why."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a loaded machine is no failure
settings.load_profile("untimed")

_TIERS = {
    "engine": ("the real pulumi program", "make engine"),
    "judges": ("checkov, kube-score, helm and minikube", "make judges"),
    "e2e": ("a real control plane", "make e2e"),
    "long": ("minutes", "pytest -m long"),
}

_left_out: Counter[str] = Counter()
_files: dict[str, set[str]] = {}


def pytest_deselected(items):
    for item in items:
        for tier in _TIERS:
            if item.get_closest_marker(tier):
                _left_out[tier] += 1
                _files.setdefault(tier, set()).add(item.location[0])


def pytest_terminal_summary(terminalreporter):
    counts, files = terminalreporter.config.stash.get(_TOLD, (_left_out, _files))
    for tier, count in sorted(counts.items()):
        needs, command = _TIERS[tier]
        missing = tier == "engine" and shutil.which("pulumi") is None
        why = f", which is not on PATH; with it: {command}" if missing else f"; run them with: {command}"
        where = ", ".join(sorted(files.get(tier, ())))
        terminalreporter.write_line(f"left out: {count} tests marked {tier} ({where}): they need {needs}{why}")


_TOLD = pytest.StashKey[tuple[dict, dict]]()


def pytest_testnodedown(node):
    """Under xdist the workers deselect, each the same tests: one of them tells."""
    told = getattr(node, "workeroutput", {}).get("left_out")
    if told:
        node.config.stash[_TOLD] = told


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        files = {tier: sorted(found) for tier, found in _files.items()}
        session.config.workeroutput["left_out"] = (dict(_left_out), files)
