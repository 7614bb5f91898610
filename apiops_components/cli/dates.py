"""Writes dates into a settings file, and leaves all else in it as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from apiops_components.errors import NotRunnable, Problem

__all__ = ["write_dates"]


def write_dates(file: Path, dates: Mapping[str, tuple[date, date]]) -> None:
    """Replaces the old date of each token by the new one, in the line where it stands; writes all or nothing.

    Raises:
        NotRunnable: A date does not stand in a line of its own.
    """
    from apiops_components.documents import load_all  # noqa: PLC0415

    if not dates:
        return
    text = file.read_bytes().decode("utf-8")
    (document,) = load_all(text, str(file))
    lines = text.splitlines(keepends=True)
    for name, (old, new) in dates.items():
        path = f'config["apiops:environment"].gitlab_tokens.{name}.expires'
        number = document.line(path)
        line = lines[number - 1]
        changed, count = re.subn(rf"(\bexpires[\"']?\s*:\s*[\"']?){old}\b", rf"\g<1>{new}", line)
        if count != 1:
            message = f"the date {old} cannot be found in this line"
            hint = f"write it yourself: expires: {new}"
            raise NotRunnable(Problem(message, path, "gitlab/date-line", hint, str(file), number))
        lines[number - 1] = changed
    file.write_bytes("".join(lines).encode())
