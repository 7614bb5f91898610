"""Schedules as Argo CD parses them."""

from __future__ import annotations

import re

import pytest

from apiops_components.models.cron import check_schedule


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "0 22 * * 1-5",
        "*/15 0,12 1-31/2 jan-MAR sun",
        "5/10 ? * * ?",
        "CRON_TZ=Europe/Berlin 0 6 * * mon",
        "  0   6 * *  6 ",
    ],
)
def test_schedules(schedule):
    check_schedule(schedule)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("", "empty spec string"),
        ("@daily", "parser does not accept descriptors: @daily"),
        ("0 0 22 * * *", "expected exactly 5 fields, found 6: [0 0 22 * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("* 5-3 * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("* * * mond *", "failed to parse int from mond"),
        ("- * * * *", "failed to parse int from -"),
    ],
)
def test_what_is_no_schedule(schedule, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_schedule(schedule)
