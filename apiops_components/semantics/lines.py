"""Requests as lines of JSON, and what happens to each as another line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from apiops_components.errors import InvalidInput, Problem
from apiops_components.semantics.request import request_of

if TYPE_CHECKING:
    from apiops_components.semantics.simulation import Simulation

__all__ = ["answer_line"]

# Escaped, so that half of a surrogate pair in an id can be given back.
_encode = json.JSONEncoder().encode


def answer_line(simulation: Simulation, line: bytes, number: int) -> tuple[str, bool]:
    """The answer to one line, and whether there is one; otherwise the line says what is wrong.

    Args:
        simulation: What answers.
        line: The line, without its end.
        number: Its number, from 1: the id of a request without one.
    """
    data: Any = None
    try:
        data = json.loads(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
        request = request_of(data, number)
        return _encode({"id": request.id, **simulation.json(request)}), True
    except InvalidInput as error:
        told = "; ".join(map(_told, error.problems))
    except UnicodeDecodeError as error:
        told = f"not UTF-8: {error.reason} at byte {error.start}"
    except ValueError as error:
        told = f"not JSON: {error}"
    except RecursionError:
        told = "not readable as JSON: nested too deep"
    known = data.get("id") if isinstance(data, dict) else None
    usable = isinstance(known, str | int) and not isinstance(known, bool)
    return _encode({"id": known if usable else number, "error": told}), False


def _told(problem: Problem) -> str:
    text = f"{problem.path}: {problem.message}" if problem.path else problem.message
    return f"{text} ({problem.hint})" if problem.hint else text
