"""What can go wrong, as one tree of exceptions.

::

    ApiOpsError
    ├── InvalidInput          a document, setting or description breaks a model (exit code 1)
    ├── GuardrailError        it is well formed, but a guardrail forbids it (exit code 1)
    └── NotRunnable           a check could not run: file missing, YAML unreadable, environment unknown (exit code 2)

Every error holds one or more `Problem`: where, what is wrong, what was expected, and the likely fix.
Constructors of models raise :class:`pydantic.ValidationError`, as users of pydantic expect; wherever a file or a
component stands behind the model, that error is turned into `InvalidInput` by :func:`problems_of`.

Each class carries the exit code that the command line contract gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["ApiOpsError", "GuardrailError", "InvalidInput", "NotRunnable", "Problem", "problems_of"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        message: What is wrong and what was expected, one sentence.
        path: Field path inside the document, such as ``spec.rules[0].filters[1]``; empty for the document itself.
        code: Stable identifier, ``subject/what``.
        hint: The likely fix, or empty.
        file: The file it was read from, or empty.
        line: Line in that file, from 1, or 0 where it is not known.
        document: Which object, such as ``HTTPRoute shop/orders``, or empty.
    """

    message: str
    path: str = ""
    code: str = "invalid"
    hint: str = ""
    file: str = ""
    line: int = 0
    document: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.file and self.line else self.file
        place = ": ".join(part for part in (where, self.document, self.path) if part)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text} [{self.code}]" + (f"\n    hint: {self.hint}" if self.hint else "")

    def at(self, *, file: str = "", line: int = 0, document: str = "", prefix: str = "") -> Problem:
        """The same problem, placed: what is already known is kept, ``prefix`` goes before the path."""
        return replace(
            self,
            file=self.file or file,
            line=self.line or line,
            document=self.document or document,
            path=join_path(prefix, self.path),
        )


class ApiOpsError(Exception):
    """Base of all errors of this package; ``str()`` is fit to be shown to a person."""

    exit_code: ClassVar[int] = 2

    def __init__(self, problems: str | Problem | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class InvalidInput(ApiOpsError):  # noqa: N818  (reads as what it is: input that is invalid)
    """A document, a setting or a description breaks its model; holds every problem found."""

    exit_code = 1


class GuardrailError(ApiOpsError):
    """Well formed, but a guardrail of the platform forbids it."""

    exit_code = 1


class NotRunnable(ApiOpsError):  # noqa: N818  (not an error of the input: the check did not happen)
    """A check could not run at all; never reported as success."""

    exit_code = 2


def join_path(*parts: str) -> str:
    """Joins field paths: ``("spec", "rules[0]", "[1]")`` gives ``spec.rules[0][1]``."""
    joined = ""
    for part in parts:
        if part:
            joined += part if not joined or part.startswith("[") else f".{part}"
    return joined


def format_path(elements: Iterable[str | int]) -> str:
    """A field path from its elements: ``("rules", 0, "filters")`` gives ``rules[0].filters``.

    A key that is not a plain word is written as ``["a.b/c"]``, so that a path can be read back without doubt.
    """
    path = ""
    for element in elements:
        if isinstance(element, int):
            path += f"[{element}]"
        elif element.replace("-", "_").isidentifier():
            path += f".{element}" if path else element
        else:
            path += f'["{element}"]'
    return path


def problems_of(error: ValidationError, data: Any = None) -> tuple[Problem, ...]:
    """The problems in a pydantic error, with paths as the author of ``data`` would write them.

    Pydantic puts the tag of a union member into its paths; such an element names no key of ``data`` and is left out.
    """
    seen: dict[tuple[str, str], Problem] = {}
    for item in error.errors(include_url=False):
        if item["type"] == "too_short" and len(item.get("input", ())) >= item["ctx"]["min_length"]:
            continue  # pydantic counts only the valid items of a tuple; the invalid ones have their own errors
        problem = _problem(item, data)
        seen.setdefault((problem.path, problem.message), problem)
    return tuple(seen.values())


def _problem(item: Mapping[str, Any], data: Any) -> Problem:
    kind: str = item["type"]
    context: Mapping[str, Any] = item.get("ctx") or {}
    path = format_path(_real_path(item["loc"], data, missing=kind == "missing" or "/" in kind))
    if "/" in kind:  # one of ours: its message is complete
        return Problem(item["msg"], path, kind, str(context.get("hint", "")))
    if kind == "missing":
        return Problem("required, but missing", path, "schema/required")
    if kind == "extra_forbidden":
        return Problem("unknown field", path, "schema/unknown-field", str(context.get("hint", "")))
    message = item["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    got = item.get("input")
    if isinstance(got, str | int | float | bool) or got is None:
        message += f", got {_shown(got)}"
    elif kind.endswith("_type"):
        message += f", got {'a mapping' if isinstance(got, Mapping) else 'a list'}"
    return Problem(message, path, f"schema/{kind.replace('_', '-')}")


def _shown(value: object) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004  (what fits on a line)


def _real_path(elements: Sequence[str | int], data: Any, *, missing: bool) -> list[str | int]:
    path: list[str | int] = []
    current = data
    known = isinstance(data, Mapping | list | tuple)
    for position, element in enumerate(elements):
        last = position == len(elements) - 1
        # Below a scalar lies no data: what follows is the tag of a union; the mark of a wrong key stays.
        if element != "[key]" and position and isinstance(current, str | int | float):
            continue
        if known and isinstance(current, Mapping):
            if element in current:
                current = current[element]
                known = isinstance(current, Mapping | list | tuple) or last
            elif not (last and missing) or element in (current.get("kind"), current.get("type")):
                continue
        elif known and isinstance(current, list | tuple):
            if not isinstance(element, int):
                continue
            current = current[element] if element < len(current) else None
        path.append(element)
    return path
