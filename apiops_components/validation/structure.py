"""A JSON Schema that checks values, its errors as a person would put them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from apiops_components.errors import Problem, format_path

__all__ = ["Structure"]

_MAX_SHOWN = 80
_TYPES = {"object": "a mapping", "array": "a list", "integer": "an integer", "number": "a number", "null": "null"}
_SIZES = {
    "minItems": ("at least", "item"),
    "maxItems": ("at most", "item"),
    "minLength": ("at least", "character"),
    "maxLength": ("at most", "character"),
    "minProperties": ("at least", "key"),
    "maxProperties": ("at most", "key"),
}
_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
}


class Structure:
    """A schema, compiled once.

    Args:
        schema: JSON Schema; what it refers to is below ``$defs``.
        formats: What a format name means, beside those of JSON Schema.
        expected: How a format is described.
        secret: Values are not shown.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        formats: Mapping[str, Callable[[str], bool]] | None = None,
        expected: Mapping[str, str] | None = None,
        *,
        secret: bool = False,
    ) -> None:
        # Imported here: the library is large, and a stream of routes and policies never needs it.
        import jsonschema_rs  # noqa: PLC0415

        self._schema = schema
        self._expected = expected or {}
        self._shown = _kind_of if secret else _shown
        self._validator = jsonschema_rs.Draft202012Validator(
            dict(schema),
            formats=dict(formats or {}),
            validate_formats=True,
            # Linear in the length of the text: a pattern of a definition is anyone's.
            pattern_options=jsonschema_rs.RegexOptions(),
        )

    def is_valid(self, value: Any) -> bool:
        """Whether nothing is wrong; much faster than asking what."""
        return bool(self._validator.is_valid(value))

    def problems(self, value: Any) -> Iterator[Problem]:
        """Everything that is wrong."""
        for error in self._validator.iter_errors(value):
            yield from self._problems(error)

    def _problems(self, error: Any) -> Iterator[Problem]:
        kind, path, got = error.kind, list(error.instance_path), error.instance
        name: str = kind.name
        if name == "additionalProperties":
            known = sorted(self._part(error.schema_path[:-1]).get("properties", {}))
            for key in kind.unexpected:
                yield Problem("unknown field", format_path([*path, key]), "schema/unknown-field", _near(key, known))
        elif name == "required":
            yield Problem("required, but missing", format_path([*path, kind.property]), "schema/required")
        else:
            yield Problem(self._message(name, kind, got, error), format_path(path), f"schema/{_code(name)}")

    def _message(self, name: str, kind: Any, got: Any, error: Any) -> str:
        if name == "type":
            wanted = " or ".join(_TYPES.get(item, f"a {item}") for item in kind.types if item != "null")
            return f"{wanted} is expected, got {self._shown(got)}"
        if name in ("enum", "const"):
            listed = ", ".join(map(str, kind.options if name == "enum" else [kind.expected_value]))
            return f"one of {listed} is expected, got {self._shown(got)}"
        if name == "pattern":
            return f"{self._shown(got)} does not match {kind.pattern}"
        if name == "format":
            return f"{self._shown(got)} is not {self._expected.get(kind.format, kind.format)}"
        if name in _SIZES:
            bound, unit = _SIZES[name]
            plural = f"{unit} is" if kind.limit == 1 else f"{unit}s are"
            return f"{bound} {kind.limit} {plural} expected, got {len(got)}"
        if name in _BOUNDS:
            return f"a number of {_BOUNDS[name]} {kind.limit} is expected, got {self._shown(got)}"
        message: str = error.message
        return message[:1].lower() + message[1:]

    def _part(self, path: Sequence[str | int]) -> Mapping[str, Any]:
        """The schema at a path of the kind that errors carry, which goes through references."""
        part: Any = self._schema
        for step in path:
            definition = part["$ref"].removeprefix("#/$defs/") if step == "$ref" else ""
            part = self._schema["$defs"][definition] if definition else part[step]
        return part if isinstance(part, Mapping) else {}


def _near(key: str, known: Sequence[str]) -> str:
    same = [name for name in known if name.lower() == key.lower().replace("_", "").replace("-", "")]
    near = same or difflib.get_close_matches(key, known, 1)
    if near:
        return f"did you mean {near[0]}?"
    listed = ", ".join(known)
    return f"known: {listed}" if known and len(listed) <= 3 * _MAX_SHOWN else ""


def _code(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)


def _kind_of(value: Any) -> str:
    """What a value is, without telling it."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "a boolean"
    return "a number" if isinstance(value, int | float) else "a text"


def _shown(value: Any) -> str:
    if value is None or isinstance(value, Mapping | list):
        return _kind_of(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) > 10**_MAX_SHOWN:
        return f"an integer of {int(math.log10(abs(value))) + 1} digits"
    shown = repr(value)
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[: _MAX_SHOWN - 3]}..."
