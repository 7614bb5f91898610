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

_MAX_SHOWN = 200
_STRINGS = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")
_OLD = re.compile(r"\boldSelf\b")
# CEL's words, which Kubernetes writes as __word__ where a field is called so.
_WORDS = frozenset(
    {"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import"}
    | {"let", "loop", "package", "namespace", "return", "var", "void", "while"}
)
_SIGNS = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_ESCAPED = re.compile(r"__|[.\-/]")
_OBJECT = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
_METADATA = {"properties": {"name": {"type": "string"}, "generateName": {"type": "string"}}}


class _Node(NamedTuple):
    """What is known of a place in the schema: the rules that stand there, and whether there are any below."""

    own: tuple[_Rule, ...]
    below: bool


class _Rule:
    """A rule, compiled when it is first needed."""

    def __init__(self, rule: Mapping[str, Any]) -> None:
        self.text = str(rule.get("rule") or "").strip()
        self.optional = rule.get("optionalOldSelf") is True
        self.field = str(rule.get("fieldPath") or "").removeprefix(".")
        self._message = str(rule.get("message") or "").strip()
        self._expression = str(rule.get("messageExpression") or "")

    @property
    def applies(self) -> bool:
        """Whether it says anything about an object that is created."""
        return bool(self.text) and (self.optional or not _OLD.search(_STRINGS.sub("''", self.text)))

    def message(self, seen: Any) -> str:
        """What it says when it is broken."""
        program, _ = compiled(self._expression, self.optional) if self._expression else (None, "")
        if program is not None:
            answer = program.eval(data={"self": seen})
            if answer.type().name() == "STRING" and str(answer.value()).strip():
                return str(answer.value()).strip()
        return self._message or f"failed rule: {self.text}"


class Rules:
    """All rules of one schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = {**schema, "properties": {**mapping(schema, "properties"), **_OBJECT, "metadata": _METADATA}}
        self._nodes: dict[int, _Node] = {}
        self._some = self._note(self._schema)

    def check(self, value: Mapping[str, Any]) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        """The rules that are broken, and those that could not be checked."""
        if not self._some:
            return (), ()
        found = list(self._walk(value, as_cel(value, self._schema), self._schema, ""))
        unchecked = {problem.message: problem for problem in found if problem.code == "definition/unchecked"}
        return tuple(p for p in found if p.code != "definition/unchecked"), tuple(unchecked.values())

    def _note(self, schema: Any) -> bool:
        """Notes where rules are, so that checking goes nowhere else; whether there are any here or below."""
        if not isinstance(schema, Mapping):
            return False
        rules = schema.get("x-kubernetes-validations")
        made = (_Rule(rule) for rule in (rules if isinstance(rules, list) else ()) if isinstance(rule, Mapping))
        own = tuple(rule for rule in made if rule.applies)
        parts = [*mapping(schema, "properties").values(), schema.get("additionalProperties"), schema.get("items")]
        noted = [self._note(part) for part in parts]  # all of them, not only up to the first
        self._nodes[id(schema)] = _Node(own, any(noted))
        return bool(own) or any(noted)

    def _walk(self, value: Any, seen: Any, schema: Any, path: str) -> Iterator[Problem]:
        """``seen`` is the value as rules see it: made once for the whole object, its parts are those of its fields."""
        node = self._nodes.get(id(schema))
        if node is None or value is None:
            return
        if node.own and not _all_hold(node.own, seen):
            for rule in node.own:
                yield from _broken(rule, seen, path)
        if node.below and isinstance(value, dict):
            properties, extra = mapping(schema, "properties"), schema.get("additionalProperties")
            for key, item in value.items():
                part = properties.get(key, extra)
                if id(part) in self._nodes:
                    name = _name(key) if properties else key
                    yield from self._walk(item, seen.get(name), part, below(path, key))
        elif node.below and isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._walk(item, seen[index], schema.get("items"), join_path(path, f"[{index}]"))


def _all_hold(rules: tuple[_Rule, ...], seen: Any) -> bool:
    """Whether every rule of a place holds, asked at once: nearly always they do."""
    text = " && ".join(f"({rule.text})" for rule in rules)
    program, _ = compiled(text, optional=any(rule.optional for rule in rules))
    if program is None:
        return False
    try:
        return program.eval(data={"self": seen}).value() is True
    except RuntimeError:
        return False


def _broken(rule: _Rule, seen: Any, path: str) -> Iterator[Problem]:
    program, why = compiled(rule.text, rule.optional)
    if program is None:
        yield _unchecked(rule.text, why)
        return
    try:
        answer = program.eval(data={"self": seen})
    except RuntimeError as error:  # more steps than the library takes
        yield _unchecked(rule.text, str(error))
        return
    if answer.type().name() == "ERROR":
        why = str(answer.value())
        if "No matching overloads" in why:
            yield _unchecked(rule.text, why)
        else:
            yield Problem(f"rule evaluation error: {why}; the rule is: {rule.text}", path, "definition/rule")
    elif answer.value() is not True:
        yield Problem(rule.message(seen), join_path(path, rule.field), "definition/rule")


def _unchecked(text: str, why: str) -> Problem:
    shown = " ".join(why.split("\n", maxsplit=1)[0].split())
    rule = " ".join(text.split())
    rule = rule if len(rule) <= _MAX_SHOWN else f"{rule[: _MAX_SHOWN - 3]}..."
    return Problem(f"not checked, the rule cannot be run here: {rule} ({shown})", "", "definition/unchecked")


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
    if isinstance(value, dict):
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
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int) and get(schema, "type") == "number":
        return float(value)
    if isinstance(value, float) and get(schema, "type") == "integer" and value.is_integer():
        return int(value)
    return value


@lru_cache(maxsize=4096)
def _name(key: str) -> str:
    return f"__{key}__" if key in _WORDS else _ESCAPED.sub(lambda match: _SIGNS[match.group()], key)
