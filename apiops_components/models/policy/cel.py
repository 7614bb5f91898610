"""Expressions: parsed and type-checked by Google's CEL with ngrok's variables and functions.

The cluster takes any text as an expression, and ngrok refuses a wrong one late; so each is checked here, when the
policy is made. Each distinct text is compiled once a phase; what a place may read (`Scope`) is looked up afterwards in
what the compiled expression reads.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic_core import InitErrorDetails

from apiops_components.models.base import fault
from apiops_components.models.policy.diagnosis import (
    TOO_DEEP,
    Problem,
    closing_brace,
    diagnosed,
    excerpt,
    masked,
    nearest,
)
from apiops_components.models.policy.environment import ANY, HAS, KEY, SLOTS, environment
from apiops_components.models.policy.syntax import Read, calls, reads, tree
from apiops_components.models.policy.variables import RETRY, variables

__all__ = [
    "Scope",
    "compile_expression",
    "expression_fault",
    "is_pattern",
    "kind_of_expression",
    "kind_of_value",
    "literal",
    "never_there",
    "retry_scope",
    "template_faults",
]


def literal(text: str) -> str:
    """A CEL string literal that means exactly this text, whatever it holds."""
    escaped = "".join(_escaped(character) for character in text)
    return f"'{escaped}'"


def _escaped(character: str) -> str:
    code = ord(character)
    if character in "\\'":
        return f"\\{character}"
    # '$' would start an interpolation where the literal stands inside a template.
    if code < 0x20 or 0x7F <= code < 0xA0 or character in "$\u2028\u2029\ufeff":  # noqa: PLR2004
        return f"\\u{code:04x}"
    return character


# --- what a place may read -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Scope:
    """What exists where an expression stands: grows with the actions of a phase, in the order in which they run."""

    phase: str
    """The phase."""
    known: bool = True
    """False where what ran before is not known: then everything that may exist does."""
    variables: dict[str, str] = field(default_factory=dict)
    """The variables set so far and their types; ``dyn`` where it cannot be told."""
    results: set[str] = field(default_factory=set)
    """The actions that ran so far, by their name below ``actions.ngrok``."""
    unknown: set[str] = field(default_factory=set)
    """The same of actions whose results are not known."""
    retrying: bool = False
    """Whether this is a ``retry_condition``, which sees the attempts."""

    def set(self, name: str, value: Any) -> None:
        """After ``set-vars`` gave this value, as a document writes it, to a variable."""
        kind = kind_of_value(value, self)
        self.variables[name] = kind if self.variables.get(name, kind) == kind else "dyn"


def _scope(scope: Scope | str) -> Scope:
    return Scope(scope, known=False) if isinstance(scope, str) else scope


# --- faults ----------------------------------------------------------------------------------------------------------


def expression_fault(
    text: str, scope: Scope | str, loc: tuple[str | int, ...] = (), *, condition: bool = True
) -> InitErrorDetails | None:
    """What is wrong with an expression, or None; a condition must be a boolean."""
    kind, problem = _check(text, _scope(scope))
    if problem is None and condition and kind not in ("bool", "dyn"):
        problem = Problem(f"a condition is true or false, this is of type {kind}", 0, "compare it with something")
    if problem is None:
        return None
    return fault("policy/expression", f"{problem.what}\n{excerpt(text, problem.offset)}", problem.hint, loc)


def template_faults(text: str, scope: Scope | str, loc: tuple[str | int, ...] = ()) -> Iterator[InitErrorDetails]:
    """What is wrong with the ``${…}`` parts of a text."""
    if "${" not in text:
        return
    for start, expression in _interpolations(text):
        if expression is None:
            problem: Problem | None = Problem("'${' without its '}'", start, "a } inside quotes does not close it")
            start = 0  # noqa: PLW2901
        else:
            start += 2  # noqa: PLW2901
            _, problem = _check(expression, _scope(scope))
        if problem is not None:
            message = f"{problem.what}\n{excerpt(text, start + problem.offset)}"
            yield fault("policy/template", message, problem.hint, loc)


def _interpolations(text: str) -> Iterator[tuple[int, str | None]]:
    """Each ``${…}``: where it starts and its expression, None where it does not end; braces nest, strings hide them."""
    start = text.find("${")
    while start >= 0:
        end = closing_brace(text, start + 2)
        if end < 0:
            yield start, None
            return
        yield start, text[start + 2 : end]
        start = text.find("${", end)


# --- what is well-formed, and never true ------------------------------------------------------------------------------


def never_there(text: str, phase: str, kind: str) -> Iterator[tuple[str, str]]:
    """Headers that an expression, or a part of a template, looks up in vain: the map and the key.

    ngrok's maps of headers have their keys in lower case, so one with an upper-case letter finds nothing.
    """
    if _UPPER.search(text):
        for _, part in _interpolations(text) if kind == "template" else ((0, text),):
            yield from _never_there(part or "", phase)


_UPPER = re.compile(r"\b(?:headers|trailers)\b.*[A-Z]|[A-Z].*\b(?:headers|trailers)\b", re.DOTALL)
_MAPS = frozenset({"req.headers", "req.trailers", "res.headers", "res.trailers"})


@lru_cache(maxsize=4096)
def _never_there(text: str, phase: str) -> tuple[tuple[str, str], ...]:
    try:
        found = sorted(reads(tree(compile_expression(text, phase))), key=lambda read: read.offset)
    except (RuntimeError, RecursionError):  # told where it is checked, or not checked at all
        return ()
    keys = ((read.name, read.fields[0]) for read in found if read.name in _MAPS and read.fields)
    return tuple(dict.fromkeys((name, key) for name, key in keys if key != key.lower()))


# --- types -----------------------------------------------------------------------------------------------------------


def kind_of_expression(text: str, scope: Scope | str) -> str:
    """The type of an expression's value, as CEL writes it; ``dyn`` where it is wrong or cannot be told."""
    kind, problem = _check(text, _scope(scope))
    return "dyn" if problem else kind


def kind_of_value(value: Any, scope: Scope | str) -> str:
    """The type of a value of a document: text that is one ``${…}`` from end to end has the type of its expression."""
    if isinstance(value, str):
        parts = list(_interpolations(value))
        whole = len(parts) == 1 and parts[0][1] is not None and value == f"${{{parts[0][1]}}}"
        return kind_of_expression(parts[0][1] or "", scope) if whole else "string"
    for python, kind in ((bool, "bool"), (int, "int"), (float, "double")):
        if isinstance(value, python):
            return kind
    if isinstance(value, Mapping):
        return "map<string, dyn>"
    return "list<dyn>" if isinstance(value, list | tuple) else "dyn"


# --- checking --------------------------------------------------------------------------------------------------------


class _Checked(NamedTuple):
    kind: str
    reads: tuple[Read, ...] = ()
    """Those that depend on what ran before."""
    problem: Problem | None = None


_MOST = 100_000
"""Characters in an expression; the limit of Google's CEL."""


def _check(text: str, scope: Scope) -> tuple[str, Problem | None]:
    """The type of an expression, and what is wrong with it in this place."""
    if scope.unknown and "actions" in text:
        text = _without_unknown(text, scope.unknown)
        checked = _checked(text, scope.phase, replaced=True)
    else:
        checked = _checked(text, scope.phase)
    if checked.problem or not checked.reads or not scope.known:
        return checked.kind, checked.problem
    for read in checked.reads:
        if problem := _missing(read, scope):
            return checked.kind, problem
    typed = tuple(
        (read.offset, slot)
        for read in checked.reads
        if read.name == "vars" and read.fields and (slot := SLOTS.get(scope.variables.get(read.fields[0], "dyn")))
    )
    return _typed(text, scope.phase, typed) if typed else (checked.kind, None)


def _without_unknown(text: str, names: set[str]) -> str:
    """The text with results of unknown actions replaced by something of any type, everything else where it was."""
    for found in _RESULT.finditer(masked(text)):
        if found.group(1) in names:
            text = text[: found.start()] + ANY.ljust(len(found.group())) + text[found.end() :]
    return text


_RESULT = re.compile(r"\bactions\s*\.\s*ngrok\s*\.\s*(\w+)")


@lru_cache(maxsize=65536)
def _checked(text: str, phase: str, *, replaced: bool = False) -> _Checked:
    if not text.strip():
        hint = "leave it out; a rule without expressions matches everything"
        return _Checked("dyn", problem=Problem("the expression is empty", 0, hint))
    if (half := re.search("[\ud800-\udfff]", text)) is not None:
        return _Checked("dyn", problem=Problem("half a character, which no text can hold", half.start()))
    if len(text) > _MOST:
        return _Checked("dyn", problem=Problem(f"longer than {_MOST:,} characters", 0))
    if not replaced and _RESERVED.search(text) and (reserved := _RESERVED.search(masked(text))):
        return _Checked("dyn", problem=Problem(f"unknown name {reserved.group()!r}", reserved.start()))
    prepared, inserted = _prepared(text, phase)
    kind, problem, compiled = _compiled(prepared, phase)
    if problem:
        problem = problem._replace(offset=_original(problem.offset, inserted))
        return _Checked(kind, problem=problem)
    # The tree costs as much as compiling, and most expressions have nothing in it that is asked for.
    depending, constants = _DEPENDING.search(text), _CONSTANTS.search(text)
    if not depending and not constants:
        return _Checked(kind)
    try:
        found = tree(compiled)
    except RecursionError:
        return _Checked(kind, problem=TOO_DEEP)
    if constants and (problem := _wrong_constant(found)):
        return _Checked(kind, problem=problem._replace(offset=_original(problem.offset, inserted)))
    wanted = [read for read in reads(found) if _depends(read, phase)] if depending else []
    placed = (replace(read, offset=_original(read.offset, inserted)) for read in wanted)
    return _Checked(kind, tuple(sorted(placed, key=lambda read: read.offset)))


_DEPENDING = re.compile(r"vars|actions|attempt|tls")
_CONSTANTS = re.compile(r"matches|inCidrRange")


@lru_cache(maxsize=65536)
def _typed(text: str, phase: str, slots: tuple[tuple[int, str], ...]) -> tuple[str, Problem | None]:
    """The check once more, with variables of known types in the place of ``vars``."""
    changed = text
    for offset, slot in slots:
        changed = changed[:offset] + slot + changed[offset + len(slot) :]
    prepared, inserted = _prepared(changed, phase)
    kind, problem, _ = _compiled(prepared, phase)
    return kind, problem and problem._replace(offset=_original(problem.offset, inserted))


def _compiled(prepared: str, phase: str) -> tuple[str, Problem | None, Any]:
    try:
        compiled = environment(phase).compile(prepared)
    except RuntimeError as error:
        return "dyn", diagnosed(str(error), prepared, phase), None
    return str(compiled.return_type()).lower(), None, compiled


def _original(offset: int, inserted: Sequence[tuple[int, int]]) -> int:
    """A place in the prepared text as a place in the text that was written."""
    return offset - sum(length for place, length in inserted if place < offset)


def compile_expression(text: str, phase: str) -> Any:
    """The expression compiled by Google's CEL.

    Raises:
        RuntimeError: It is not well formed, or not well typed.
    """
    return environment(phase).compile(_prepared(text, phase)[0])


_RESERVED = re.compile(rf"\b(?:{HAS}|{KEY}|{ANY}|_v\d\d)\b")
_TESTED = re.compile(r"\bhas(\(\s*([\w.]+)\s*\))")
_SORTED = re.compile(r"\.sortBy(\s*\(\s*\w+\s*,)")


def _prepared(text: str, phase: str) -> tuple[str, list[tuple[int, int]]]:
    """The text as the checker can take it, and what was put in: where in the new text, and how long.

    Its ``has`` cannot take a variable with dots, and ngrok's ``sortBy`` is a macro that it does not know.
    """
    inserted: list[tuple[int, int]] = []
    if _TESTED.search(text):
        declared = dict(variables(phase))
        for test in _TESTED.finditer(masked(text)):
            if test.group(2) in declared:
                text = text[: test.start()] + HAS + text[test.start(1) :]
    if ".sortBy" in text:
        position = 0
        while found := _SORTED.search(masked(text), position):
            end = _closing(masked(text), found.end())
            position = found.end()
            if end is None:
                break
            opened, closed = f" {KEY}(", ")"
            text = (
                f"{text[: found.start()]}.filter{found.group(1)}{opened}{text[found.end() : end]}{closed}{text[end:]}"
            )
            inserted += [(found.end(), len(opened)), (end + len(opened), len(closed))]
    return text, inserted


def _closing(hidden: str, position: int) -> int | None:
    depth = 1
    for place in range(position, len(hidden)):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(hidden[place], 0)
        if not depth:
            return place
    return None


# --- what CEL does not check -----------------------------------------------------------------------------------------


def _depends(read: Read, phase: str) -> bool:
    if read.name in RETRY or read.name == "actions":
        return True
    if read.name == "vars":
        return bool(read.fields)
    return phase == "on_tcp_connect" and read.name.startswith("conn.tls.")


_ACTION_OF = {"oidc": "openid-connect", "compress": "compress-response"}


def _missing(read: Read, scope: Scope) -> Problem | None:
    """A variable or result that is read where nothing has set it."""
    if read.name in RETRY:
        known = scope.retrying
        return None if known else Problem(f"{read.name} exists in a retry_condition only", read.offset)
    if read.name == "vars":
        name = read.fields[0]
        if read.tested or name in scope.variables:
            return None
        hint = (
            nearest(name, scope.variables).replace("mean ", "mean vars.")
            or "set it with set-vars, in a rule or an action before this one"
        )
        return Problem(f"vars.{name} is not set before this in {scope.phase}", read.offset, hint)
    if read.name == "actions":
        name = read.fields[1] if len(read.fields) > 1 else ""
        if not name or name in scope.results or (read.tested and len(read.fields) == 2):  # noqa: PLR2004
            return None
        action = _ACTION_OF.get(name, name.replace("_", "-"))
        what = f"actions.ngrok.{name} does not exist: no {action} ran before this in {scope.phase}"
        if action == "terminate-tls" and scope.phase != "on_tcp_connect":
            return Problem(what, read.offset, "results end with their phase; read conn.tls")
        return Problem(what, read.offset, f"put {action} into a rule or an action before this one")
    if "terminate_tls" in scope.results:
        return None
    start = max(read.offset - len(read.name.rpartition(".")[0]), 0)  # the place of a name with dots is its last dot
    return Problem(
        f"{read.name} is not known before TLS ends", start, "put terminate-tls before it, or use on_http_request"
    )


def _wrong_constant(found: Any) -> Problem | None:
    """A regular expression or an address range that is none."""
    for call in calls(found):
        for text, offset in call.texts:
            if call.function == "matches" and not is_pattern(text):
                return Problem("not a regular expression", offset, "RE2 syntax: no look-around, no back-references")
            if call.function in ("inCidrRange", "inCidrRanges") and not _is_range(text):
                return Problem(
                    "not an address range with a mask", offset, "such as 203.0.113.0/24; one address has /32"
                )
    return None


@lru_cache(maxsize=4096)
def is_pattern(text: str) -> bool:
    """Whether this is a regular expression as CEL's ``matches`` takes it (RE2)."""
    try:
        found = environment("on_http_request").compile(f"''.matches({literal(text)})").eval(data={})
    except RuntimeError:
        return False
    return bool(found.type().name() == "BOOL")


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def retry_scope(scope: Scope | str) -> Scope:
    """The scope of a ``retry_condition`` that stands in this scope."""
    return replace(_scope(scope), retrying=True)
