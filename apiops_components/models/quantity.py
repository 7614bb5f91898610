"""Kubernetes quantities: amounts of cpu, memory and storage.

They are kept in the form in which the API server gives them back (``1024Mi`` becomes ``1Gi``), so that what is in the
cluster compares equal to what was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from apiops_components.models.base import fault, raise_faults

__all__ = ["ByteSize", "Cpu", "quantity_value"]

_BINARY = {"Ei": 60, "Pi": 50, "Ti": 40, "Gi": 30, "Mi": 20, "Ki": 10}
_DECIMAL = {"E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "": 0, "m": -3, "u": -6, "n": -9}
_SCALE = {name: Fraction(2) ** power for name, power in _BINARY.items()} | {
    name: Fraction(10) ** power for name, power in _DECIMAL.items()
}
_FORM = re.compile(
    r"(?P<number>[0-9]+(\.[0-9]*)?|\.[0-9]+)([eE](?P<power>[+-]?[0-9]{1,2})|(?P<suffix>[KMGTPE]i|[numkMGTPE])?)"
)
_LARGEST = 2**63 - 1
_KIBI = 1024
_MILLI = Fraction(1, 1000)
_MEBI = 2**20


def quantity_value(text: str) -> Fraction:
    """The exact amount: ``250m`` is a quarter, ``1Ki`` is 1024.

    Raises:
        ValueError: It is not a quantity, or larger than Kubernetes can hold.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(text)
    scale = Fraction(10) ** int(match["power"]) if match["power"] else _SCALE[match["suffix"] or ""]
    value = Fraction(match["number"]) * scale
    if value > _LARGEST:
        raise ValueError(text)
    return value


def _canonical(text: str) -> str:
    value = quantity_value(text)
    # Kubernetes keeps the author's family of suffixes, but writes binary amounts below 1Ki, or in part, as decimals.
    binary = text.endswith("i") and value >= _KIBI and value.denominator == 1
    for suffix in (*_BINARY, "") if binary else _DECIMAL:
        if value % _SCALE[suffix] == 0:
            return f"{value / _SCALE[suffix]}{suffix}"
    raise ValueError(text)


def _text(value: Any) -> Any:
    """YAML writes ``cpu: 2`` as a number, and Kubernetes takes it."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _amount(code: str, expected: str, allowed: Callable[[Fraction], bool], hint: str) -> AfterValidator:
    def check(text: str) -> str:
        try:
            fits = allowed(quantity_value(text))
        except ValueError:
            fits = False
        if not fits:
            raise_faults([fault(code, f"{text!r} is not {expected}", hint)])
        return _canonical(text)

    return AfterValidator(check)


Cpu = Annotated[
    str,
    BeforeValidator(_text),
    _amount(
        "quantity/cpu",
        "an amount of cpu: whole thousandths of a core, more than none",
        lambda value: value >= _MILLI and value % _MILLI == 0,
        "such as 250m (a quarter of a core) or 2",
    ),
]
"""Cores; the smallest amount Kubernetes knows is ``1m``."""

ByteSize = Annotated[
    str,
    BeforeValidator(_text),
    _amount(
        "quantity/bytes",
        "an amount of memory or storage of at least 1Mi",
        lambda value: value >= _MEBI and value.denominator == 1,
        "such as 128Mi or 1Gi; a small m means a thousandth of a byte",
    ),
]
"""Bytes, at least ``1Mi``: what is less is a slip of the unit."""
