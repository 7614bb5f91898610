"""Regular expressions of routes, in RE2's syntax.

The specification leaves the dialect to the implementation. RE2 is what most of them and ngrok speak; a pattern must
match the whole text, as it must in Envoy and all that is built on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from apiops_components.models.policy.cel import is_pattern, literal

__all__ = ["matcher", "start_of"]

_ATOM = r"(?:[A-Za-z0-9/_~%:@,;=&!'\" -]|\\[.+*?()|\[\]{}^$/dw-]|\.|\[\^?[A-Za-z0-9_.~%]+(?:-[A-Za-z0-9]+)*-?\])"
_REPEAT = r"(?:[*+?]|\{[0-9]{1,3}(?:,[0-9]{0,3})?\})?"
_WORD = r"[A-Za-z0-9_~%/-]+"
_PLAIN = re.compile(rf"(?:{_ATOM}{_REPEAT}|\((?:\?:)?{_WORD}(?:\|{_WORD})*\))*")
"""What Python's engine reads exactly as RE2 does: no group that is repeated."""
_MOST_REPEATS = 2
_LONGEST = 4096
"""Beyond two open repetitions, or this many characters, Python's engine could be slow, which RE2 never is."""


@lru_cache(maxsize=16384)
def matcher(pattern: str) -> Callable[[str], Any]:
    """A test of whether the whole text matches.

    Raises:
        ValueError: It is no regular expression in RE2's syntax.
    """
    bare = pattern.removeprefix("^")
    if bare.endswith("$") and not bare.endswith("\\$"):
        bare = bare[:-1]
    if _PLAIN.fullmatch(bare) and is_pattern(pattern):
        fast = re.compile(bare, re.ASCII).fullmatch
        if len(re.findall(r"[*+]|,\}|\{[0-9]{2,}|,[0-9]{2,}\}", bare)) <= _MOST_REPEATS:
            return lambda text: fast(text) if len(text) <= _LONGEST else _re2(pattern)(text)
    elif not is_pattern(pattern):
        raise ValueError(pattern)
    return _re2(pattern)


@lru_cache(maxsize=16384)
def _re2(pattern: str) -> Callable[[str], bool]:
    whole = _environment().compile(f"text.matches({literal(f'^(?:{pattern})$')})")
    return lambda text: bool(whole.eval(data={"text": text}).value())


@lru_cache(maxsize=1)
def _environment() -> Any:
    from cel_expr_python import cel  # noqa: PLC0415  (30 ms, and few routes have a pattern that needs it)

    return cel.NewEnv(variables={"text": cel.Type.STRING})


_LITERAL = re.compile(r"(?:[A-Za-z0-9/_~%-](?![*?+{]))*")


def start_of(pattern: str) -> str:
    """Whole segments with which each text that matches begins, without a slash at the end; perhaps none."""
    if "|" in pattern:
        return ""
    found = _LITERAL.match(pattern.removeprefix("^"))
    start = found.group() if found else ""
    return start[: start.rfind("/")] if "/" in start else ""
