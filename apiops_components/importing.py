"""Imports of a user's program in this process: each program finds its own modules, and leaves none behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["program_path"]


@contextmanager
def program_path(folder: Path) -> Iterator[None]:
    """Lets modules of this folder be imported, as in a program that runs there, and forgets them afterwards.

    Two projects may both have a module ``guardrails``: each must get its own.
    """
    own = {file.stem for file in folder.glob("*.py")} | {file.parent.name for file in folder.glob("*/*.py")}
    own -= {"__main__", "__init__", __name__.partition(".")[0]}
    # Those of another project that have the same names come back when this one has ended.
    aside = {name: module for name, module in _modules() if name.partition(".")[0] in own and _beside_a_program(module)}
    for name in aside:
        sys.modules.pop(name, None)
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name, module in _modules():
            if name not in before and any(origin.is_relative_to(folder) for origin in _origins(module)):
                sys.modules.pop(name, None)
        sys.modules.update(aside)


def _modules() -> list[tuple[str, Any]]:
    return list(sys.modules.items())  # a copy: another thread may be importing


def _beside_a_program(module: Any) -> bool:
    """Whether it is neither Python's own nor installed."""
    origins = _origins(module)
    return bool(origins) and not any(origin.is_relative_to(sys.base_prefix) for origin in origins)


def _origins(module: Any) -> list[Path]:
    """Where a module was loaded from; a package without ``__init__.py`` has folders only."""
    file = getattr(module, "__file__", None)
    found = [Path(file)] if file else [Path(folder) for folder in getattr(module, "__path__", ())]
    return [origin for origin in found if "site-packages" not in origin.parts]
