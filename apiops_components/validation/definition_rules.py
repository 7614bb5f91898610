"""The CEL rules of CustomResourceDefinitions (``x-kubernetes-validations``).

They are evaluated as for an object that is created: a rule about `oldSelf` says nothing then, unless it asks for it
as optional. What cannot be compiled or run here is reported as not checked, never passed in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from apiops_components.errors import Problem, join_path
from apiops_components.validation.kubernetes_cel import compile_rule
from apiops_components.validation.walk import below, get, mapping

__all__ = ["Rules"]

_STRINGS = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")
_OLD = re.compile(r"\boldSelf\b")
# CEL's words, which Kubernetes writes as __word__ where a field is called so.
_WORDS = frozenset(
    ("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import")
    + ("let", "loop", "package", "namespace", "return", "var", "void", "while")
)
_SIGNS = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_ESCAPED = re.compile(r"__|[.\-/]")
_OBJECT = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
_METADATA = {"properties": {"name": {"type": "string"}, "generateName": {"type": "string"}}}


class _Node(NamedTuple):
    """What is known of a place in the schema: whether rules stand there or below."""

    own: tuple[Mapping[str, Any], ...]
    below: bool


class Rules:
    """All rules of one schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = {**schema, "properties": {**mapping(schema, "properties"), **_OBJECT, "metadata": _METADATA}}
        self._nodes: dict[int, _Node] = {}
        self._note(self._schema)

    def check(self, value: Mapping[str, Any]) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        """The rules that are broken, and those that could not be checked."""
        found = list(self._walk(value, self._schema, ""))
        unchecked = {problem.message: problem for problem in found if problem.code == "definition/unchecked"}
        return tuple(p for p in found if p.code != "definition/unchecked"), tuple(unchecked.values())

    def _note(self, schema: Any) -> bool:
        """Notes where rules are, so that checking goes nowhere else; whether there are any here or below."""
        if not isinstance(schema, Mapping):
            return False
        rules = schema.get("x-kubernetes-validations")
        own = tuple(rule for rule in rules if isinstance(rule, Mapping)) if isinstance(rules, list) else ()
        parts = [*mapping(schema, "properties").values(), schema.get("additionalProperties"), schema.get("items")]
        noted = [self._note(part) for part in parts]  # all of them, not only up to the first
        self._nodes[id(schema)] = _Node(own, any(noted))
        return bool(own) or any(noted)

    def _walk(self, value: Any, schema: Any, path: str) -> Iterator[Problem]:
        node = self._nodes.get(id(schema))
        if node is None or value is None:
            return
        if node.own:
            seen = as_cel(value, schema)
            for rule in node.own:
                yield from _broken(rule, seen, path)
        if not node.below:
            return
        if isinstance(value, Mapping):
            properties, extra = mapping(schema, "properties"), get(schema, "additionalProperties")
            for key, item in value.items():
                yield from self._walk(item, properties.get(key, extra), below(path, key))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._walk(item, schema.get("items"), join_path(path, f"[{index}]"))


def _broken(rule: Mapping[str, Any], seen: Any, path: str) -> Iterator[Problem]:
    text = str(rule.get("rule") or "")
    optional = rule.get("optionalOldSelf") is True
    if not text.strip() or (_OLD.search(_STRINGS.sub("''", text)) and not optional):
        return
    program, why = compiled(text, optional)
    if program is None:
        yield _unchecked(text, why)
        return
    try:
        answer = program.eval(data={"self": seen})
    except RuntimeError as error:  # more steps than the library takes
        yield _unchecked(text, str(error))
        return
    if answer.type().name() == "ERROR":
        why = str(answer.value())
        if "No matching overloads" in why:
            yield _unchecked(text, why)
        else:
            yield Problem(f"rule evaluation error: {why}; the rule is: {text}", path, "definition/rule")
    elif answer.value() is not True:
        where = join_path(path, str(rule.get("fieldPath") or "").removeprefix("."))
        yield Problem(_message(rule, text, seen, optional=optional), where, "definition/rule")


def _message(rule: Mapping[str, Any], text: str, seen: Any, *, optional: bool) -> str:
    if expression := rule.get("messageExpression"):
        program, _ = compiled(str(expression), optional)
        if program is not None:
            answer = program.eval(data={"self": seen})
            if answer.type().name() == "STRING" and str(answer.value()).strip():
                return str(answer.value()).strip()
    message = rule.get("message")
    return str(message).strip() if message else f"failed rule: {text.strip()}"


def _unchecked(text: str, why: str) -> Problem:
    shown = " ".join(why.split("\n", maxsplit=1)[0].split())
    return Problem(f"not checked, the rule cannot be run here: {text.strip()} ({shown})", "", "definition/unchecked")


@lru_cache(maxsize=4096)
def compiled(text: str, optional: bool) -> tuple[Any, str]:
    """The program of a rule, or None and why there is none."""
    source = f"cel.bind(oldSelf, optional.none(), {text})" if optional else text
    try:
        return compile_rule(source), ""
    except RuntimeError as error:
        return None, re.sub(r"^.*?ERROR: <input>:\d+:\d+: ", "", str(error), flags=re.DOTALL)


def as_cel(value: Any, schema: Any) -> Any:
    """The value as a rule sees it: fields of its schema alone, under names that CEL can write."""
    if isinstance(value, Mapping):
        properties = mapping(schema, "properties")
        if get(schema, "x-kubernetes-embedded-resource"):
            properties = {**properties, **_OBJECT, "metadata": _METADATA}
        if properties:
            return {_name(key): as_cel(item, properties[key]) for key, item in value.items() if key in properties}
        extra = get(schema, "additionalProperties")
        return {key: as_cel(item, extra) for key, item in value.items()}
    if isinstance(value, list):
        part = get(schema, "items")
        return [as_cel(item, part) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and get(schema, "type") == "number":
        return float(value)
    if isinstance(value, float) and get(schema, "type") == "integer" and value.is_integer():
        return int(value)
    return value


@lru_cache(maxsize=4096)
def _name(key: str) -> str:
    return f"__{key}__" if key in _WORDS else _ESCAPED.sub(lambda match: _SIGNS[match.group()], key)
