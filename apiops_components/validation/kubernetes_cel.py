"""CEL as rules of Kubernetes are written in it: Google's CEL and the functions that the API server adds.

Source: Kubernetes' documentation, "Common Expression Language in Kubernetes". Addresses, quantities and URLs as
values of their own cannot be made here, and ``find`` would need an engine whose time is bounded; a rule with one does
not compile, and is reported as not checked.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from apiops_components.models.quantity import quantity_value

__all__ = ["compile_rule"]


def compile_rule(text: str) -> Any:
    """The program of an expression over ``self``.

    Raises:
        RuntimeError: It does not compile here.
    """
    return _environment().compile(text)


@cache
def _environment() -> Any:
    # Imported here: the library takes 30 ms to load.
    from cel_expr_python import cel  # noqa: PLC0415
    from cel_expr_python.ext import (  # noqa: PLC0415
        ext_bindings,
        ext_encoders,
        ext_math,
        ext_optional,
        ext_strings,
    )

    kinds = {"b": cel.Type.BOOL, "s": cel.Type.STRING, "d": cel.Type.DYN}
    kinds["l"] = cel.Type.List(cel.Type.DYN)
    declarations = []
    for name, overloads in _FUNCTIONS.items():
        made = [
            cel.Overload(
                f"kubernetes_{name}_{parameters}".replace(".", "_"),
                kinds[result],
                [kinds[kind] for kind in parameters],
                is_member=member,
                impl=run,
            )
            for result, parameters, member, run in overloads
        ]
        declarations.append(cel.FunctionDecl(name, made))
    return cel.NewEnv(
        variables={"self": cel.Type.DYN},
        extensions=[
            ext_strings.ExtStrings(),
            ext_optional.ExtOptional(),
            ext_math.ExtMath(),
            ext_bindings.ExtBindings(),
            ext_encoders.ExtEncoders(),
        ],
        functions=declarations,
    )


def _is(read: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return check


def _url(text: str) -> None:
    parts = urlsplit(text)
    # Go's url.ParseRequestURI: an absolute address or an absolute path.
    if not (parts.scheme or text.startswith("/")) or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError(text)


def _address(text: str) -> None:
    if "%" in text or ipaddress.ip_address(text) is None:
        raise ValueError(text)


def _range(text: str) -> None:
    if "/" not in text or "%" in text:
        raise ValueError(text)
    ipaddress.ip_network(text, strict=False)


def _plain(values: Any) -> list[Any]:
    return [value.plain_value() if hasattr(value, "plain_value") else value for value in values]


def _contains(whole: Any, part: Any) -> bool:
    found = _plain(whole)
    return all(item in found for item in _plain(part))


_FUNCTIONS: dict[str, list[tuple[str, str, bool, Callable[..., Any]]]] = {
    "isURL": [("b", "s", False, _is(_url))],
    "isIP": [("b", "s", False, _is(_address))],
    "isCIDR": [("b", "s", False, _is(_range))],
    "isQuantity": [("b", "s", False, _is(lambda text: quantity_value(text.removeprefix("-"))))],
    "isSorted": [("b", "l", True, lambda values: _plain(values) == sorted(_plain(values)))],
    "sum": [("d", "l", True, lambda values: sum(_plain(values)))],
    "min": [("d", "l", True, lambda values: min(_plain(values)))],
    "max": [("d", "l", True, lambda values: max(_plain(values)))],
    "sets.contains": [("b", "ll", False, _contains)],
    "sets.equivalent": [("b", "ll", False, lambda one, two: _contains(one, two) and _contains(two, one))],
    "sets.intersects": [("b", "ll", False, lambda one, two: any(item in _plain(two) for item in _plain(one)))],
}
"""Result, parameters, whether it is a method, and what it does; b, s, l, d are bool, string, a list, any."""
