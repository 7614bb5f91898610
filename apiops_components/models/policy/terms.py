"""What expressions are built of: values that write CEL when they are compared, asked and combined.

Every Python value becomes a literal, so that no text of a user is ever read as code. A value here stands for what a
request will bring; Python cannot ask it anything now, so ``if``, ``and``, ``or``, ``not`` and ``in`` are errors that
name what to write instead.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from apiops_components.models.policy.cel import is_pattern, literal

__all__ = ["Address", "Condition", "Moment", "Number", "Term", "Text", "Texts", "all_of", "any_of", "term", "text_of"]

_OR, _AND, _RELATION, _SUM, _UNARY, _PRIMARY = range(6)

_BRACKETS = "put each comparison into brackets: (a == b) & (c == d)"


class Term:
    """A piece of an expression; ``str()`` is its text in CEL."""

    __slots__ = ("_level", "_text")

    def __init__(self, text: str, level: int = _PRIMARY) -> None:
        self._text = text
        self._level = level

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._text}>"

    def __hash__(self) -> int:
        return hash(self._text)

    @property
    def template(self) -> str:
        """``${…}`` with this in it, for fields that are templates."""
        return f"${{{self._text}}}"

    def _at(self, level: int) -> str:
        """The text, in brackets where it binds less closely than this level."""
        return self._text if self._level >= level else f"({self._text})"

    def _method(self, name: str, *arguments: str) -> str:
        return f"{self._at(_PRIMARY)}.{name}({', '.join(arguments)})"

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self!r} is not known before a request comes; write & for and, | for or, ~ for not")

    def __contains__(self, item: object) -> NoReturn:
        raise TypeError(f"write .contains({item!r}); Python's 'in' asks now, not when a request comes")

    def __iter__(self) -> NoReturn:
        raise TypeError(f"{self!r} is not known before a request comes; a list has .any(lambda value: …)")

    def __and__(self, other: object) -> Condition:
        raise TypeError(f"& takes two conditions; {_BRACKETS}")

    def __rand__(self, other: object) -> NoReturn:
        raise TypeError(f"& takes two conditions; {_BRACKETS}")

    def __or__(self, other: object) -> Condition:
        raise TypeError(f"| takes two conditions; {_BRACKETS}")

    def __ror__(self, other: object) -> NoReturn:
        raise TypeError(f"| takes two conditions; {_BRACKETS}")

    def _compared(self, sign: str, other: object) -> Condition:
        return Condition(f"{self._at(_SUM)} {sign} {self._operand(other)}", _RELATION)

    def _operand(self, other: object) -> str:
        """The other side of a comparison: a term of the same class, or a Python value of its type."""
        if isinstance(other, type(self)) or (isinstance(other, Term) and isinstance(self, type(other))):
            return other._at(_SUM)  # noqa: SLF001
        return self._literal(other)

    def _literal(self, value: object) -> str:
        raise TypeError(f"{type(self).__name__} cannot be compared with {value!r}")

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # it writes, it does not compare
        return self._compared("==", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("!=", other)


class _Ordered(Term):
    __slots__ = ()

    def __lt__(self, other: object) -> Condition:
        return self._compared("<", other)

    def __le__(self, other: object) -> Condition:
        return self._compared("<=", other)

    def __gt__(self, other: object) -> Condition:
        return self._compared(">", other)

    def __ge__(self, other: object) -> Condition:
        return self._compared(">=", other)


class Condition(Term):
    """True or false: what a rule's ``expressions`` hold."""

    __slots__ = ()

    def __and__(self, other: object) -> Condition:
        return _joined(_AND, "&&", self, other)

    def __or__(self, other: object) -> Condition:
        return _joined(_OR, "||", self, other)

    def __invert__(self) -> Condition:
        return Condition(f"!{self._at(_UNARY)}", _UNARY)

    def _literal(self, value: object) -> str:
        if not isinstance(value, bool):
            raise TypeError(f"a condition is compared with True or False, got {value!r}")
        return str(value).lower()


def _joined(level: int, sign: str, *parts: object) -> Condition:
    texts = []
    for part in parts:
        if not isinstance(part, Condition):
            raise TypeError(f"{sign[0]} takes two conditions, got {part!r}; {_BRACKETS}")
        # && inside || would do without brackets; people read it better with them
        texts.append(str(part) if part._level == level else part._at(_RELATION))  # noqa: SLF001
    return Condition(f" {sign} ".join(texts), level)


def all_of(*conditions: Condition) -> Condition:
    """True where each of them is."""
    return _joined(_AND, "&&", *conditions) if conditions else Condition("true")


def any_of(*conditions: Condition) -> Condition:
    """True where one of them is."""
    return _joined(_OR, "||", *conditions) if conditions else Condition("false")


class Number(_Ordered):
    """A whole number."""

    __slots__ = ()

    def _literal(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"a number is compared with an int, got {value!r}")
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"{value} does not fit into 64 bits")
        return str(value)


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Moment(_Ordered):
    """A point in time, compared with text of RFC 3339: ``2026-01-31T00:00:00Z``."""

    __slots__ = ()

    def _literal(self, value: object) -> str:
        if not isinstance(value, str):
            raise TypeError(f"a moment is compared with text such as '2026-01-31T00:00:00Z', got {value!r}")
        if not _MOMENT.fullmatch(value):
            raise ValueError(f"{value!r} is not a moment of RFC 3339, such as 2026-01-31T00:00:00Z")
        datetime.fromisoformat(value)
        return f"timestamp({_text_literal(value)})"


class Text(_Ordered):
    """Text, case and all."""

    __slots__ = ()

    def _literal(self, value: object) -> str:
        return _text_literal(value)

    def starts_with(self, prefix: str | Text) -> Condition:
        """Whether it begins with this."""
        return Condition(self._method("startsWith", self._operand(prefix)))

    def ends_with(self, suffix: str | Text) -> Condition:
        """Whether it ends with this."""
        return Condition(self._method("endsWith", self._operand(suffix)))

    def contains(self, part: str | Text) -> Condition:
        """Whether this is somewhere in it."""
        return Condition(self._method("contains", self._operand(part)))

    def matches(self, pattern: str) -> Condition:
        """Whether the regular expression (RE2) is found anywhere in it; ``^`` and ``$`` make it match the whole."""
        if not is_pattern(pattern):
            raise ValueError(f"{pattern!r} is not a regular expression (RE2: no look-around, no back-references)")
        return Condition(self._method("matches", _text_literal(pattern)))

    def one_of(self, *values: str | Text) -> Condition:
        """Whether it is one of these."""
        return Condition(f"{self._at(_SUM)} in [{', '.join(map(self._operand, values))}]", _RELATION)

    def lower(self) -> Text:
        """In lower case."""
        return Text(self._method("lower"))

    def upper(self) -> Text:
        """In upper case."""
        return Text(self._method("upper"))

    def size(self) -> Number:
        """Number of characters."""
        return Number(f"size({self})")

    def __add__(self, other: str | Text) -> Text:
        return Text(f"{self._at(_SUM)} + {_after_plus(other)}", _SUM)

    def __radd__(self, other: str) -> Text:
        return Text(f"{_text_literal(other)} + {_after_plus(self)}", _SUM)


def _after_plus(value: str | Text) -> str:
    return value._at(_UNARY) if isinstance(value, Text) else _text_literal(value)  # noqa: SLF001


def _text_literal(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text is compared with text, got {value!r}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{value!r} holds half a character")
    return literal(value)


class Address(Text):
    """An IPv4 or IPv6 address."""

    __slots__ = ()

    def in_range(self, *ranges: str) -> Condition:
        """Whether it is in one of these ranges: ``10.0.0.0/8``, ``2001:db8::/32``; the mask is needed."""
        for item in ranges:
            if "/" not in item:
                raise ValueError(f"{item!r} is not a range with a mask, such as 10.0.0.0/8; one address has /32")
            ipaddress.ip_network(item, strict=False)
        if len(ranges) == 1:
            return Condition(f"inCidrRange({self}, {literal(ranges[0])})")
        return Condition(f"inCidrRanges({self}, [{', '.join(map(literal, ranges))}])")


_depth: ContextVar[int] = ContextVar("depth", default=0)


class Texts(Term):
    """A list of texts."""

    __slots__ = ()

    def contains(self, value: str | Text) -> Condition:
        """Whether this is one of them."""
        text = value._at(_SUM) if isinstance(value, Text) else _text_literal(value)  # noqa: SLF001
        return Condition(f"{text} in {self._at(_SUM)}", _RELATION)

    def any(self, asked: Callable[[Text], Condition]) -> Condition:
        """Whether it is true of one of them: ``.any(lambda value: value.starts_with("a"))``."""
        return self._each("exists", asked)

    def all(self, asked: Callable[[Text], Condition]) -> Condition:
        """Whether it is true of each of them; so also where there is none."""
        return self._each("all", asked)

    def _each(self, macro: str, asked: Callable[[Text], Condition]) -> Condition:
        depth = _depth.get()
        name = f"v{depth or ''}"  # a name of its own for each that stands inside another
        token = _depth.set(depth + 1)
        try:
            answer = asked(Text(name))
        finally:
            _depth.reset(token)
        if not isinstance(answer, Condition):
            raise TypeError(f"a condition is wanted of each value, got {answer!r}")
        return Condition(self._method(macro, name, str(answer)))

    def joined(self, separator: str = ",") -> Text:
        """All of them with this between."""
        return Text(self._method("join", _text_literal(separator)))

    def size(self) -> Number:
        """How many."""
        return Number(f"size({self})")

    def _literal(self, value: object) -> str:
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(_text_literal, value))}]"
        raise TypeError(f"a list of texts is compared with a list, got {value!r}; .contains(…) asks for one of them")


_T = TypeVar("_T")


def text_of(value: _T) -> _T | str:
    """The text of a term; anything else as it is. Fields that hold expressions read their values through it."""
    return str(value) if isinstance(value, Term) else value


def term(kind: str, text: str) -> Any:
    """The term for a variable of one of CEL's types."""
    made = {"string": Text, "int": Number, "bool": Condition, "timestamp": Moment, "list<string>": Texts}.get(
        kind, Term
    )
    return made(text)
