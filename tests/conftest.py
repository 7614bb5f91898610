"""Says which tests were left out, and why."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

_TIERS = {
    "engine": ("the real pulumi program", "make engine"),
    "e2e": ("a real control plane", "pytest -m e2e"),
    "long": ("minutes", "pytest -m long"),
}

_left_out: Counter[str] = Counter()


def pytest_deselected(items):
    for item in items:
        for tier in _TIERS:
            if item.get_closest_marker(tier):
                _left_out[tier] += 1


def pytest_terminal_summary(terminalreporter):
    counts = terminalreporter.config.stash.get(_COUNTS, _left_out)
    for tier, count in sorted(counts.items()):
        needs, command = _TIERS[tier]
        missing = tier == "engine" and shutil.which("pulumi") is None
        why = "which is not on PATH" if missing else f"run them with: {command}"
        terminalreporter.write_line(f"left out: {count} tests marked {tier}: they need {needs}; {why}")


_COUNTS = pytest.StashKey[Counter]()


def pytest_testnodedown(node):
    """Under xdist the workers deselect, each the same tests: one of them tells."""
    told = getattr(node, "workeroutput", {}).get("left_out")
    if told:
        node.config.stash[_COUNTS] = Counter(told)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(_left_out)
