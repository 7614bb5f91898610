"""What can go wrong, as one tree of exceptions.

::

    ApiOpsError
    ├── InvalidInput          a document, setting or description breaks a model (exit code 1)
    ├── GuardrailError        it is well formed, but a guardrail forbids it (exit code 1)
    ├── NotRunnable           a check could not run: file missing, YAML unreadable, environment unknown (exit code 2)
    └── DeletionRefused       more would be deleted than anybody means by accident (exit code 3)

Every error holds one or more `Problem`: where, what is wrong, what was expected, and the likely fix.
Constructors of models raise :class:`pydantic.ValidationError`, as users of pydantic expect; wherever a file or a
component stands behind the model, that error is turned into `InvalidInput` by :func:`problems_of`.

Each class carries the exit code that the command line contract gives it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["ApiOpsError", "DeletionRefused", "GuardrailError", "InvalidInput", "NotRunnable", "Problem", "problems_of"]


_LINE = 80
"""Characters of a value that a message shows beside what was expected."""
_QUOTE = 200
"""Characters of anything that a message quotes: the path of a file is told whole, a document is not."""

# Text in quotes that are no apostrophes; those of repr() escape what they hold.
_QUOTED = re.compile(r"""(?<!\w)(['"])((?:\\.|(?!\1)[^\\])*)\1(?!\w)""", re.DOTALL)


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
        column: Column in that line, from 1, or 0 where it is not known or says nothing.
    """

    message: str
    path: str = ""
    code: str = "invalid"
    hint: str = ""
    file: str = ""
    line: int = 0
    document: str = ""
    column: int = 0

    def __post_init__(self) -> None:
        """Shortens what the message quotes: a whole document may stand where a name should."""
        if len(self.message) > _QUOTE:
            message = _QUOTED.sub(lambda found: f"{found[1]}{_short(found[2], _QUOTE)}{found[1]}", self.message)
            object.__setattr__(self, "message", message)

    def __str__(self) -> str:
        where = self.file
        if where and self.line:
            where += f":{self.line}:{self.column}" if self.column else f":{self.line}"
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


class DeletionRefused(ApiOpsError):  # noqa: N818  (reads as what it is: a guard refused)
    """More would be deleted than anybody means by accident."""

    exit_code = 3


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
        if item["type"] == "too_short" and _length(item.get("input")) >= item["ctx"]["min_length"]:
            continue  # pydantic counts only the valid items of a tuple; the invalid ones have their own errors
        problem = _problem(item, data)
        seen.setdefault((problem.path, problem.message), problem)
    return tuple(seen.values())


def _problem(item: Mapping[str, Any], data: Any) -> Problem:
    kind: str = item["type"]
    context: Mapping[str, Any] = item.get("ctx") or {}
    location = item["loc"]
    if location and location[-1] == "[key]":  # pydantic's mark of a wrong key: the key stands before it
        location = location[:-1]
    elements = _real_path(location, data, missing=kind == "missing" or "/" in kind)
    if "/" in kind:  # one of ours: its message is complete
        text = str(context.get("text", item["msg"]))  # the message ends with the hint
        return Problem(text, format_path(elements), kind, str(context.get("hint", "")))
    if kind == "missing":
        return Problem("required, but missing", format_path(elements), "schema/required")
    if kind == "extra_forbidden":
        return Problem("unknown field", format_path(elements), "schema/unknown-field")
    code = f"schema/{kind.replace('_', '-')}"
    got = item.get("input")
    if kind.startswith("union_tag_"):
        return _tag_problem(elements, context, got, code)
    if kind in ("too_short", "too_long"):
        bound = "at least" if kind == "too_short" else "at most"
        number = context["min_length" if kind == "too_short" else "max_length"]
        message = f"{bound} {number} {'item is' if number == 1 else 'items are'} expected, got {_length(got)}"
        return Problem(message, format_path(elements), code)
    message = _EXPECTED.get(kind) or item["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if isinstance(got, str | int | float | bool) or got is None:
        message += f", got {shown(got)}"
    elif kind.endswith("_type"):
        message += f", got {'a mapping' if isinstance(got, Mapping) else 'a list'}"
    return Problem(message, format_path(elements), code)


# What a document holds is no tuple, dictionary or instance of a class.
_EXPECTED = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "mapping_type"), "a mapping is expected"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list is expected"),
}


def _tag_problem(elements: list[str | int], context: Mapping[str, Any], got: Any, code: str) -> Problem:
    """The field that says which of several models is meant is missing, or names none of them."""
    field = str(context["discriminator"]).strip("'")
    if not isinstance(got, Mapping):
        return Problem(f"a mapping is expected, got {shown(got)}", format_path(elements), code)
    path = format_path([*elements, field])
    if "expected_tags" not in context:
        return Problem("required, but missing: it says which kind is meant", path, code)
    tag, expected = str(context["tag"]), str(context["expected_tags"])
    near = difflib.get_close_matches(tag, [name.strip("'") for name in expected.split(", ")], 1)
    hint = f"did you mean {near[0]}?" if near else ""
    return Problem(f"one of {expected} is expected, got {tag!r}", path, code, hint)


def _length(value: object) -> int:
    return len(value) if isinstance(value, Sized) else 0


def shown(value: object) -> str:
    """A value as messages quote it: no longer than fits on a line."""
    return _short("null" if value is None else repr(value))


def _short(text: str, most: int = _LINE) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _real_path(elements: Sequence[str | int], data: Any, *, missing: bool) -> list[str | int]:
    """The path without the tags of unions, each key as it is spelt in ``data``."""
    path: list[str | int] = []
    current = data
    known = isinstance(data, Mapping | list | tuple)
    for position, element in enumerate(elements):
        if known and isinstance(current, Mapping):
            key = _spelt(element, current)
            if key is not None and not _is_tag(elements[position:], current):
                current = current[key]
                path.append(key)
                continue
            last = position == len(elements) - 1
            if not (last and missing) or element in (current.get("kind"), current.get("type")):
                continue  # the tag of a union
        elif known and isinstance(current, list | tuple):
            if not isinstance(element, int):
                continue
            known = element < len(current)
            current = current[element] if known else None
        elif known and (current is None or isinstance(current, str | int | float)):
            continue  # below a scalar lies no data, only the tag of a union
        path.append(element)
    return path


def _is_tag(elements: Sequence[str | int], mapping: Mapping[Any, Any]) -> bool:
    """Whether the first element is the tag of a union, although the mapping has a key of that name, too."""
    tag, *below = elements
    if not below or tag not in (mapping.get("kind"), mapping.get("type")):
        return False
    return _spelt(below[0], mapping) is not None


def _spelt(element: str | int, mapping: Mapping[Any, Any]) -> Any:
    """The key of a field in a mapping, which may have it in snake_case or camelCase; None where it is not there."""
    if element in mapping:
        return element
    if isinstance(element, str):
        camel = re.sub(r"_([a-z])", lambda match: match[1].upper(), element)
        snake = re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", element)
        return next((key for key in (camel, snake) if key in mapping), None)
    return None
