"""Expressions: parsed and type-checked by Google's CEL with ngrok's variables and functions.

The cluster takes any text as an expression, and ngrok refuses a wrong one late; so each is checked here, when the
rule is made. Each distinct text is compiled once a phase.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from pydantic_core import InitErrorDetails

from apiops_components.models.base import fault
from apiops_components.models.policy.functions import METHODS, functions
from apiops_components.models.policy.variables import variables

__all__ = ["compile_expression", "expression_fault", "is_pattern", "literal", "template_faults"]


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


def expression_fault(
    text: str, phase: str, loc: tuple[str | int, ...] = (), *, condition: bool = True
) -> InitErrorDetails | None:
    """What is wrong with an expression, or None; a condition must be a boolean."""
    problem = _check(text, phase, condition=condition)
    return fault("policy/expression", problem[0], problem[1], loc) if problem else None


def template_faults(text: str, phase: str, loc: tuple[str | int, ...] = ()) -> Iterator[InitErrorDetails]:
    """What is wrong with the ``${…}`` parts of a text."""
    for expression in _interpolations(text):
        if expression is None:
            yield fault("policy/template", f"'${{' without its '}}' in {text!r}", "", loc)
        elif problem := _check(expression, phase, condition=False):
            yield fault("policy/template", problem[0], problem[1], loc)


def _interpolations(text: str) -> Iterator[str | None]:
    """The expressions inside ``${…}``; a brace inside a string or a nested brace does not end one. None: no end."""
    start = text.find("${")
    while start >= 0:
        depth, quote, position = 1, "", start + 2
        while position < len(text) and depth:
            character = text[position]
            if quote:
                if character == "\\":
                    position += 1
                elif character == quote:
                    quote = ""
            elif character in "'\"":
                quote = character
            else:
                depth += {"{": 1, "}": -1}.get(character, 0)
            position += 1
        if depth:
            yield None
            return
        yield text[start + 2 : position - 1]
        start = text.find("${", position)


def is_pattern(text: str) -> bool:
    """Whether this is a regular expression as CEL's ``matches`` takes it (RE2)."""
    try:
        found = compile_expression(f"''.matches({literal(text)})", "on_http_request").eval(data={})
    except RuntimeError:
        return False
    return bool(found.type().name() == "BOOL")


@lru_cache(maxsize=65536)
def _check(text: str, phase: str, *, condition: bool) -> tuple[str, str] | None:
    """Message and hint of what is wrong, or None."""
    if not text.strip():
        return "the expression is empty", "leave it out to match everything"
    try:
        compiled = compile_expression(text, phase)
    except RuntimeError as error:
        return _readable(str(error), phase)
    kind: str = compiled.return_type().name()
    if condition and kind not in ("BOOL", "DYN"):
        shown = kind.lower()
        cut = text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004  (what fits on a line)
        return f"a condition must be true or false, this is of type {shown}: {cut}", "compare it with something"
    return None


def compile_expression(text: str, phase: str) -> Any:
    """The expression compiled by Google's CEL.

    Raises:
        RuntimeError: It is not well formed, or not well typed.
    """
    return _environment(phase).compile(text)


_ISSUE = re.compile(r"ERROR: <input>:-?\d+:-?\d+: ")
_CONTAINER = re.compile(r" \(in container '.*?'\)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']+)'")


def _readable(message: str, phase: str) -> tuple[str, str]:
    """All that CEL found, and where the first of it is; after a syntax error the others are only its echo."""
    if "recursion" in message:
        return "nested or chained too deeply: 32 levels are the limit of the type-checker", "split it into several"
    _, *issues = _ISSUE.split(message.removesuffix(" [INVALID_ARGUMENT]").rstrip())
    found = [_CONTAINER.sub("", issue).rstrip().partition("\n") for issue in issues or [message]]
    if found[0][0].startswith("Syntax error"):
        del found[1:]
    names = [name for what, _, _ in found for name in _UNDECLARED.findall(what)]
    hint = next(filter(None, (_name_hint(name, phase) for name in names)), "")
    what, place = "; ".join(dict.fromkeys(what for what, _, _ in found)), found[0][2]
    return f"{what}\n{place}" if place else what, hint


def _name_hint(name: str, phase: str) -> str:
    if name in _names("on_http_response") and name not in _names(phase):
        response = name.startswith("res.") or "Res" in name
        return (
            f"the {'response exists in' if response else 'request exists in on_http_request and'} on_http_response only"
        )
    near = difflib.get_close_matches(name, _names(phase), 1, 0.6)
    return f"did you mean {near[0]}?" if near else ""


@cache
def _names(phase: str) -> tuple[str, ...]:
    return (
        *(name for name, _ in variables(phase)),
        *(name for name, _, _ in functions(phase)),
        *(name for name, *_ in METHODS),
        *("startsWith", "endsWith", "contains", "matches", "size"),
    )


@cache
def _environment(phase: str) -> Any:
    # Imported here: most commands never meet an expression, and the library takes 30 ms to load.
    from cel_expr_python import cel  # noqa: PLC0415

    simple = {
        "string": cel.Type.STRING,
        "int": cel.Type.INT,
        "double": cel.Type.DOUBLE,
        "bool": cel.Type.BOOL,
        "timestamp": cel.Type.TIMESTAMP,
        "dyn": cel.Type.DYN,
    }

    def typed(name: str) -> Any:
        if name.startswith("list("):
            return cel.Type.List(typed(name[5:-1]))
        if name.startswith("map("):
            return cel.Type.Map(cel.Type.STRING, typed(name[4:-1]))
        return simple[name]

    overloads: dict[str, list[Any]] = {}
    for name, result, parameters in functions(phase):
        identifier = f"{name}_{len(overloads.get(name, ()))}".replace(".", "_")
        overloads.setdefault(name, []).append(cel.Overload(identifier, typed(result), [typed(p) for p in parameters]))
    for name, receiver, result, parameters in METHODS:
        identifier = f"member_{name}_{len(overloads.get(name, ()))}"
        types = [typed(kind) for kind in (receiver, *parameters)]
        overloads.setdefault(name, []).append(cel.Overload(identifier, typed(result), types, is_member=True))
    return cel.NewEnv(
        variables={name: typed(kind) for name, kind in variables(phase)},
        functions=[cel.FunctionDecl(name, found) for name, found in overloads.items()],
    )
