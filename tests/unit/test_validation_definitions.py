"""CustomResourceDefinitions that the user names: schema, defaults, lists, CEL rules."""

# ruff: noqa: E501  (one case a line)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apiops_components.documents import dump, load_all
from apiops_components.errors import NotRunnable
from apiops_components.validation import Result, validate
from apiops_components.validation.definitions import Definitions

STRING = {"type": "string"}


def definition(spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": spec, "status": {"type": "object"}}, **more}
    versions = [
        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}},
        {"name": "v1alpha1", "served": False, "storage": False, "schema": {"openAPIV3Schema": schema}},
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "names": {"kind": "Widget"}, "scope": "Namespaced", "versions": versions},
    }


def widget(spec: Any, version: str = "v1") -> dict[str, Any]:
    return {"apiVersion": f"example.com/{version}", "kind": "Widget", "metadata": {"name": "a"}, "spec": spec}


@pytest.fixture
def check(tmp_path: Path) -> Any:
    def run(schema: dict[str, Any], value: Any, **more: Any) -> Result:
        file = tmp_path / "crd.yaml"
        file.write_text(dump(definition(schema, **more)), "utf-8")
        definitions = Definitions.read([str(tmp_path)])
        (document,) = load_all(dump(value), "a.yaml")
        (result,) = validate(document, "auto", definitions)
        return result

    return run


def found(result: Result) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in result.problems]


@pytest.mark.parametrize(
    ("schema", "spec", "expected"),
    [
        ({"type": "object", "properties": {"a": STRING}}, {"a": "x"}, []),
        ({"type": "object", "properties": {"a": STRING}}, {"b": "x"}, [("spec.b", "schema/unknown-field")]),
        ({"type": "object", "properties": {"a": STRING}}, {"a": None}, []),
        (
            {"type": "object", "properties": {"a": STRING}, "required": ["a"]},
            {"a": None},
            [("spec.a", "schema/required")],
        ),
        ({"type": "object", "properties": {"a": {**STRING, "nullable": True}}, "required": ["a"]}, {"a": None}, []),
        ({"type": "object", "properties": {"a": STRING}, "x-kubernetes-preserve-unknown-fields": True}, {"b": 1}, []),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"b": "x"}, [("spec.b", "schema/type")]),
        ({"x-kubernetes-int-or-string": True}, 1, []),
        ({"x-kubernetes-int-or-string": True}, "25%", []),
        ({"x-kubernetes-int-or-string": True}, 1.5, [("spec", "schema/type")]),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 1, [("spec", "schema/exclusive-minimum")]),
        ({"type": "integer", "format": "int32"}, 2**31, [("spec", "schema/maximum")]),
        ({"type": "string", "format": "duration"}, "1h", []),
        ({"type": "string", "format": "duration"}, "1x", [("spec", "schema/format")]),
        ({"type": "string", "pattern": "^[a-z]+$"}, "A", [("spec", "schema/pattern")]),
        ({"type": "string", "enum": ["a", "b"]}, "c", [("spec", "schema/enum")]),
        (
            {
                "type": "object",
                "properties": {"a": STRING, "b": STRING},
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            },
            {"a": "x"},
            [],
        ),
        (
            {"type": "array", "items": STRING, "x-kubernetes-list-type": "set"},
            ["a", "a"],
            [("spec[1]", "schema/duplicate")],
        ),
        (
            {
                "type": "array",
                "items": {"type": "object", "properties": {"name": STRING, "v": STRING}},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
            [{"name": "a", "v": "1"}, {"name": "a", "v": "2"}],
            [("spec[1]", "schema/duplicate")],
        ),
        ({"type": "object", "x-kubernetes-embedded-resource": True}, {"kind": "A"}, [("spec.apiVersion", "schema/required")]),
    ],
)  # fmt: skip
def test_the_schema_is_checked(check: Any, schema: dict[str, Any], spec: Any, expected: list[tuple[str, str]]) -> None:
    assert found(check(schema, widget(spec))) == expected


def rule(text: str, **more: Any) -> dict[str, Any]:
    return {"x-kubernetes-validations": [{"rule": text, "message": "no", **more}]}


INT = {"type": "integer"}


@pytest.mark.parametrize(
    ("schema", "spec", "expected"),
    [
        ({"type": "object", "properties": {"a": INT, "b": INT}, **rule("self.a < self.b")}, {"a": 1, "b": 2}, ""),
        ({"type": "object", "properties": {"a": INT, "b": INT}, **rule("self.a < self.b")}, {"a": 2, "b": 2}, "spec"),
        ({"type": "object", "properties": {"a": {**INT, **rule("self > 1")}}}, {"a": 1}, "spec.a"),
        ({"type": "array", "items": {**INT, **rule("self > 1")}}, [2, 1], "spec[1]"),
        ({"type": "object", "additionalProperties": {**INT, **rule("self > 1")}}, {"x-y": 1}, "spec.x-y"),
        # defaults come first
        ({"type": "object", "properties": {"a": {**INT, "default": 5}}, **rule("self.a == 5")}, {}, ""),
        # names that CEL cannot write
        ({"type": "object", "properties": {"a-b": INT}, **rule("self.a__dash__b == 1")}, {"a-b": 1}, ""),
        ({"type": "object", "properties": {"namespace": STRING}, **rule("self.__namespace__ == 'x'")}, {"namespace": "x"}, ""),
        # a number is a fraction though it is written whole
        ({"type": "object", "properties": {"a": {"type": "number"}}, **rule("self.a * 2.0 > 1.0")}, {"a": 1}, ""),
        # a change is no creation
        ({"type": "object", "properties": {"a": INT}, **rule("self == oldSelf")}, {"a": 1}, ""),
        ({"type": "object", "properties": {"a": INT}, **rule("!oldSelf.hasValue()", optionalOldSelf=True)}, {"a": 1}, ""),
        ({"type": "object", "properties": {"a": INT}, **rule("oldSelf.hasValue()", optionalOldSelf=True)}, {"a": 1}, "spec"),
        ({"type": "object", "properties": {"a": INT}, **rule("self.a > 1", fieldPath=".a")}, {"a": 1}, "spec.a"),
        ({"type": "object", "properties": {"a": INT, "b": INT}, **rule("self.b > 1")}, {"a": 1}, "spec"),
        # functions of Kubernetes
        ({"type": "array", "items": INT, **rule("self.isSorted() && self.sum() == 3 && self.max() == 2")}, [1, 2], ""),
        ({"type": "string", **rule("isURL(self)")}, "https://a", ""),
        ({"type": "string", **rule("isIP(self)")}, "1.2.3", "spec"),
        ({"type": "string", **rule("isQuantity(self)")}, "1Gi", ""),
    ],
)  # fmt: skip
def test_rules_are_evaluated(check: Any, schema: dict[str, Any], spec: Any, expected: str) -> None:
    result = check(schema, widget(spec))
    assert result.warnings == ()
    assert found(result) == ([(expected, "definition/rule")] if expected else [])


def test_messages_of_rules(check: Any) -> None:
    (problem,) = check({**INT, **rule("self > 1")}, widget(1)).problems
    assert problem.message == "no"
    (problem,) = check({**INT, **rule("self > 1", messageExpression="'got ' + string(self)")}, widget(1)).problems
    assert problem.message == "got 1"
    (problem,) = check({**INT, "x-kubernetes-validations": [{"rule": "self > 1"}]}, widget(1)).problems
    assert problem.message == "failed rule: self > 1"


@pytest.mark.parametrize("text", ["url(self).getHost() == 'a'", "nonsense(", "self.all(x, self.all(y, x == y))"])
def test_a_rule_that_cannot_be_run_is_a_warning_and_never_silent(check: Any, text: str) -> None:
    spec: Any = ["a"] * 1000 if "all" in text else "https://a"
    schema = {"type": "array", "items": STRING} if "all" in text else STRING
    result = check({**schema, **rule(text)}, widget(spec))
    assert result.status == "valid"
    assert [warning.code for warning in result.warnings] == ["definition/unchecked"]
    assert text[:20] in result.warnings[0].message


def test_a_pattern_of_another_dialect_is_a_warning(check: Any) -> None:
    result = check({"type": "object", "properties": {"a": {**STRING, "pattern": "(?=x)"}}}, widget({"a": "x"}))
    assert (result.status, [warning.code for warning in result.warnings]) == ("valid", ["definition/pattern"])


def test_a_rule_of_the_root_sees_the_name(check: Any) -> None:
    result = check({"type": "object", "properties": {}}, widget({}), **rule("self.metadata.name == 'b'"))
    assert found(result) == [("", "definition/rule")]


def test_a_version_that_is_not_served_is_refused(check: Any) -> None:
    (problem,) = check({"type": "object"}, widget({}, "v1alpha1")).problems
    assert (problem.path, problem.hint) == ("apiVersion", "write example.com/v1")


@pytest.mark.parametrize("content", ["a: 1\n", "", "kind: CustomResourceDefinition\n", "a: ["])
def test_a_path_without_a_definition_cannot_run(tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(content)
    with pytest.raises(NotRunnable):
        Definitions.read([str(file)])
    with pytest.raises(NotRunnable):
        Definitions.read([str(tmp_path / "missing")])


def test_a_kind_with_a_model_is_checked_by_its_definition_too(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"domain": {**STRING, **rule("self.endsWith('.com')")}}}
    crd = definition(schema)
    crd["spec"] |= {"group": "ingress.k8s.ngrok.com", "names": {"kind": "Domain"}}
    crd["spec"]["versions"][0]["name"] = "v1alpha1"
    crd["spec"]["versions"].pop()
    (tmp_path / "crd.json").write_text(dump(crd))
    value = {"apiVersion": "ingress.k8s.ngrok.com/v1alpha1", "kind": "Domain", "metadata": {"name": "a"}}
    (document,) = load_all(dump({**value, "spec": {"domain": "a.org"}}))
    (result,) = validate(document, "auto", Definitions.read([str(tmp_path)]))
    assert found(result) == [("spec.domain", "definition/rule")]
