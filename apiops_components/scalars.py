"""How Kubernetes' YAML parser (``sigs.k8s.io/yaml``) types a plain scalar, and what it makes of a key that is none.

Its rules are a mixture of YAML 1.1 and 1.2 of its own: ``y`` is true, ``0o17`` and ``017`` are 15, ``1e3`` is 1000,
``1:30`` and ``2024-01-01`` are strings. Compared with that parser over tens of thousands of texts when written.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Any

__all__ = ["key_text", "scalar"]

_TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_INTEGER = re.compile(r"([-+]?)(?:0[bB]([01]+)|0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_BASES = (2, 16, 8, 10)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])_(?=[0-9])")


def scalar(text: str) -> Any:
    """The value of a plain (unquoted) scalar."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first in "+-0123456789":
        digits = text.replace("_", "")
        if whole := _INTEGER.fullmatch(digits):
            number = _integer(whole)
            if number is not None:
                return number
        if _FLOAT.fullmatch(digits):
            return _float(digits, text)
    elif first == "." and _FLOAT.fullmatch(digits := _BETWEEN_DIGITS.sub("", text)):
        return _float(digits, text)
    return text


def _integer(match: re.Match[str]) -> int | None:
    sign, *groups = match.groups()
    base, digits = next((base, group) for base, group in zip(_BASES, groups, strict=True) if group is not None)
    if len(digits) > 64:  # noqa: PLR2004  (no 64-bit number is longer, in any base)
        digits = digits.lstrip("0")[:65] or "0"
    number = int(digits, base)
    if sign == "-":
        number = -number
    # Unsigned beyond 63 bits, but only without a sign; what is larger still is a float, or a string.
    return number if -(2**63) <= number < (2**63 if sign else 2**64) else None


def _float(digits: str, text: str) -> Any:
    value = float(digits)
    if math.isinf(value):
        return text
    # The JSON step between the parser and Kubernetes' types turns 1e3 into 1000.
    return int(value) if value.is_integer() and abs(value) < 1e15 and "." not in digits else value  # noqa: PLR2004


def key_text(text: str) -> str | None:
    """The key that a plain scalar becomes: ``yes`` is "true", ``0x1F`` is "31"; None where it can be none."""
    value = scalar(text)
    if isinstance(value, str):
        return value
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and _INTEGER.fullmatch(text.replace("_", "")):
        return str(value) if value < 2**63 else None
    return _float_key(float(value))


def _float_key(value: float) -> str:
    """A fraction as a key: Kubernetes' parser prints it with the digits that a 32-bit number needs."""
    try:
        (single,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        single = math.copysign(math.inf, value)
    if not math.isfinite(single):
        return {math.inf: ".inf", -math.inf: "-.inf"}.get(single, ".nan")
    digits, shown = next(
        (digits, shown)
        for digits in range(17)
        if struct.pack("f", float(shown := f"{single:.{digits}e}")) == struct.pack("f", single)
    )
    exponent = int(shown[shown.index("e") + 1 :])
    if not -4 <= exponent < 6:  # noqa: PLR2004  (Go's format 'g')
        return shown
    return f"{float(shown):.{max(digits - exponent, 0)}f}"
