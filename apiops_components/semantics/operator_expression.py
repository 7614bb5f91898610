"""Texts of a route as code: ngrok's operator puts them between single quotes as they are (facts: ngrok §5).

So a backslash begins an escape, and a quote ends the string; what stands behind it is code. An expression that is no
CEL, or of wrong types, makes ngrok refuse the whole policy of the endpoint (ERR_NGROK_2200), which then is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any

from apiops_components.errors import InvalidInput, Problem
from apiops_components.models.policy.cel import compile_expression, is_pattern, literal
from apiops_components.semantics.request import Request

__all__ = ["RefusedError", "condition", "filled", "searcher", "text_of"]

_PHASE = "on_http_request"
_PLAIN = re.compile(r"[^'\\\r\n]*")
_ONE_LITERAL = re.compile(r"(?:[^'\\\r\n]|\\.)*")


class RefusedError(Exception):
    """ngrok refuses the policy, so there is no endpoint."""


@lru_cache(maxsize=16384)
def text_of(value: str) -> str | None:
    """What CEL reads where the value stands between single quotes; None where it does not stay one string.

    Raises:
        RefusedError: It is no string and no code either.
    """
    if _PLAIN.fullmatch(value):
        return value
    if not _ONE_LITERAL.fullmatch(value):
        return None
    try:
        return str(_environment().compile(f"'{value}'").eval(data={}).value())
    except RuntimeError as error:
        raise RefusedError(f"'{value}' is no string of CEL") from error


@lru_cache(maxsize=4096)
def searcher(pattern: str) -> Callable[[str], bool]:
    """A test of whether a regular expression matches some part of a text, as CEL's ``matches`` does.

    Raises:
        RefusedError: It is no regular expression.
    """
    if not is_pattern(pattern):
        raise RefusedError(f"{pattern!r} is no regular expression in RE2's syntax")
    made = _environment().compile(f"text.matches({literal(pattern)})")
    return lru_cache(maxsize=256)(lambda text: bool(made.eval(data={"text": text}).value()))


@lru_cache(maxsize=4096)
def condition(text: str) -> Callable[[Request], bool]:
    """A test of a whole expression. What fails when it runs does not hold.

    Raises:
        RefusedError: It is no CEL.
        InvalidInput: It reads what is not known here.
    """
    made = _compiled(text)
    if made is None:
        problem = Problem(f"a value of a route becomes code that cannot be simulated: {text}", code="route/injection")
        raise InvalidInput(problem)

    def holds(request: Request) -> bool:
        found = made.eval(data=_known(request))
        return found.type().name() == "BOOL" and bool(found.value())

    return holds


@lru_cache(maxsize=4096)
def filled(text: str) -> Callable[[Request], str] | None:
    """A text with ``${…}`` (CEL, in every text that an action has), as a function of the request.

    None where it reads what is not known here.

    Raises:
        RefusedError: It is no CEL.
    """
    parts = re.split(r"\$\{([^{}]*)\}", text)
    made = [_compiled(code) for code in parts[1::2]]
    if None in made:
        return None

    def fill(request: Request) -> str:
        data = _known(request)
        values = [_shown(code.eval(data=data).value()) for code in made]
        return "".join(a + b for a, b in zip(parts[::2], [*values, ""], strict=True))

    return fill


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _compiled(text: str) -> Any:
    """The code, compiled; None where it is right, but reads what is not known here."""
    try:
        return _environment().compile(text)
    except RuntimeError:
        pass
    try:
        compile_expression(text, _PHASE)
    except RuntimeError as error:
        raise RefusedError(f"{text} is no expression of CEL") from error
    return None


@cache
def _environment() -> Any:
    from cel_expr_python import cel  # noqa: PLC0415  (30 ms, and few routes need it)
    from cel_expr_python.ext import ext_strings  # noqa: PLC0415

    text, lists = cel.Type.STRING, cel.Type("map<string,list<string>>")
    strings = ("text", "req.method", "req.host", "req.url.path", "req.url.query", "req.url.scheme", "req.url.host")
    return cel.NewEnv(
        variables=dict.fromkeys(strings, text) | {"req.headers": lists, "req.url.query_params": lists},
        extensions=[ext_strings.ExtStrings()],
    )


def _known(request: Request) -> Mapping[str, Any]:
    return {
        "req.method": request.method,
        "req.host": request.host,
        "req.url.path": request.path,
        "req.url.query": request.query,
        "req.url.scheme": request.scheme,
        "req.url.host": request.host,
        "req.headers": {name: list(values) for name, values in request.headers.items()},
        "req.url.query_params": {name: list(values) for name, values in request.parameters.items()},
    }
