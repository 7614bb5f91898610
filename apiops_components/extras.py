"""Libraries that only some users need: named by the extra that installs them."""

from __future__ import annotations

import importlib
from typing import Any

from apiops_components.errors import NotRunnable, Problem

__all__ = ["from_extra"]


def from_extra(module: str, extra: str) -> Any:
    """A module of an optional library.

    Raises:
        NotRunnable: It is not installed; with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # the library is there, and something that it needs is not
        message = f"{module} is not installed: it comes with the extra {extra!r}"
        hint = f"pip install 'apiops-components[{extra}]'"
        raise NotRunnable(Problem(message, code="extra/missing", hint=hint)) from None
