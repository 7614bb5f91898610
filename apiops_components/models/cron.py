"""Schedules of five fields, read as Argo CD reads them."""

from __future__ import annotations

import re

__all__ = ["check_schedule"]

_MONTHS = dict(
    zip(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), range(1, 13), strict=True)
)
_DAYS = dict(zip(("sun", "mon", "tue", "wed", "thu", "fri", "sat"), range(7), strict=True))
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_TIME_ZONE = re.compile(r"(CRON_TZ|TZ)=\S*\s+")


def check_schedule(schedule: str) -> None:
    """Accepts ``minute hour day-of-month month day-of-week``; no seconds, no ``@daily``.

    Messages are those of the library that Argo CD parses schedules with.

    Raises:
        ValueError: It is not a schedule; the message says what is wrong.
    """
    if not schedule:
        raise ValueError("empty spec string")
    text = _TIME_ZONE.sub("", schedule, count=1) if _TIME_ZONE.match(schedule) else schedule
    if text.startswith("@"):
        raise ValueError(f"parser does not accept descriptors: {text}")
    fields = text.split()
    if len(fields) != len(_FIELDS):
        listed = " ".join(fields)
        raise ValueError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{listed}]")
    for field, (lowest, highest, names) in zip(fields, _FIELDS, strict=True):
        for part in filter(None, field.split(",")):
            _check_range(part, lowest, highest, names)


def _check_range(text: str, lowest: int, highest: int, names: dict[str, int]) -> None:
    span, *steps = text.split("/")
    low, *high = span.split("-")
    if low in ("*", "?"):
        start, end = lowest, highest
    else:
        start = end = _number(low, text, names)
        if len(high) > 1:
            raise ValueError(f"too many hyphens: {text}")
        if high:
            end = _number(high[0], text, names)
        elif steps:
            end = highest
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {text}")
    step = _number(steps[0], text, {}) if steps else 1
    if start < lowest:
        raise ValueError(f"beginning of range ({start}) below minimum ({lowest}): {text}")
    if end > highest:
        raise ValueError(f"end of range ({end}) above maximum ({highest}): {text}")
    if start > end:
        raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {text}")


def _number(text: str, whole: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"\+?[0-9]{1,18}", text):
        raise ValueError(f"failed to parse int from {text or whole}")
    return int(text)
