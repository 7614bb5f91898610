from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from apiops_components import ApiOpsError, Environment, GuardrailError, InvalidInput, NotRunnable, Problem
from apiops_components.errors import format_path, join_path, problems_of
from apiops_components.models.base import CheckedModel, Model, fault


def problems(model: Any, data: Any) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(model).validate_python(data)
    return list(problems_of(caught.value, data))


def found(model: Any, data: Any) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in problems(model, data)]


# --- problems and errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("is wrong"), "is wrong [invalid]"),
        (Problem("is wrong", "a.b", "x/y"), "a.b: is wrong [x/y]"),
        (Problem("is wrong", "a", "x/y", "do this"), "a: is wrong [x/y]\n    hint: do this"),
        (Problem("is wrong", "a", "x/y", file="f.yaml", line=3), "f.yaml:3: a: is wrong [x/y]"),
        (Problem("is wrong", "a", "x/y", file="f.yaml"), "f.yaml: a: is wrong [x/y]"),
        (Problem("is wrong", "a", "x/y", line=3), "a: is wrong [x/y]"),
        (
            Problem("is wrong", "a", "x/y", file="f.yaml", line=3, document="HTTPRoute shop/orders"),
            "f.yaml:3: HTTPRoute shop/orders: a: is wrong [x/y]",
        ),
    ],
)
def test_a_problem_reads_from_the_place_to_the_fix(problem, text):
    assert str(problem) == text


def test_a_problem_keeps_what_is_known_when_it_is_placed():
    bare = Problem("is wrong", "b[0]")
    placed = bare.at(file="f.yaml", line=3, document="Gateway", prefix="spec.a")
    assert placed == Problem("is wrong", "spec.a.b[0]", file="f.yaml", line=3, document="Gateway")
    assert placed.at(file="g.yaml", line=4, document="HTTPRoute") == placed
    assert bare.path == "b[0]"
    assert Problem("x").at(prefix="a").path == "a"


def test_an_error_shows_all_its_problems_and_says_how_to_exit():
    error = InvalidInput([Problem("one", "a"), Problem("two", "b")])
    assert str(error) == "a: one [invalid]\nb: two [invalid]"
    assert InvalidInput("one").problems == InvalidInput(Problem("one")).problems == (Problem("one"),)
    assert InvalidInput(iter([Problem("one")])).problems == (Problem("one"),)
    # Other modules have errors of their own, which are there or not by what was imported before.
    tree = [cls for cls in (ApiOpsError, *ApiOpsError.__subclasses__()) if cls.__module__ == ApiOpsError.__module__]
    assert {cls.__name__: cls.exit_code for cls in tree} == {
        "ApiOpsError": 2,
        "InvalidInput": 1,
        "GuardrailError": 1,
        "NotRunnable": 2,
        "DeletionRefused": 3,
    }
    assert all(issubclass(cls, ApiOpsError) for cls in (InvalidInput, GuardrailError, NotRunnable))


# --- paths ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elements", "path"),
    [
        ((), ""),
        (("rules", 0, "filters", 1), "rules[0].filters[1]"),
        ((0, 1, "a"), "[0][1].a"),
        (("metadata", "annotations", "a.b/c"), 'metadata.annotations["a.b/c"]'),
        (("a.b/c", "d"), '["a.b/c"].d'),
        (("x-kubernetes-map-type",), "x-kubernetes-map-type"),
        (("a", "", "b"), 'a[""].b'),
        (("a b", "1"), '["a b"]["1"]'),
    ],
)
def test_a_path_is_written_so_that_it_can_be_read_back(elements, path):
    assert format_path(elements) == path


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ((), ""),
        (("", "a", ""), "a"),
        (("spec", "rules[0]", "[1]", "x"), "spec.rules[0][1].x"),
        (("", "[0]", "a"), "[0].a"),
        (("a", '["b.c"]'), 'a["b.c"]'),
    ],
)
def test_paths_are_joined(parts, path):
    assert join_path(*parts) == path


steps = st.lists(st.integers(0, 20) | st.text(alphabet="ab.-/_ 1[]", max_size=5), max_size=4)


@given(steps, steps)
def test_a_path_is_the_same_in_one_piece_and_joined(first, second):
    assert join_path(format_path(first), format_path(second)) == format_path([*first, *second])


@pytest.mark.parametrize("mark", ["x", "'", '"', "\\", "\n"])
def test_what_a_message_quotes_is_no_longer_than_a_few_lines(mark):
    long = f"a{mark}" * 5000
    message = Problem(f"the team's {long!r} is no name of the platform's, {'b' * 200!r} is one").message

    assert len(message) < 460
    assert message.startswith("the team's ")
    assert message.endswith(f" is no name of the platform's, {'b' * 200!r} is one")


@given(st.text(alphabet="ab' ", max_size=300))
def test_what_is_no_quotation_stays(text):
    message = f"the platform's rule of the teams' own that{'s ' * 60}it is {text.replace(chr(39), '')}"
    assert Problem(message).message == message


# --- what pydantic finds -------------------------------------------------------------------------------------------


class Cat(CheckedModel):
    kind: Literal["cat"] = "cat"
    lives: Annotated[int, Field(ge=1)] = 9
    name: str

    def faults(self):
        if self.name == "dog":
            yield fault("cat/name", "a cat is no dog")
        if self.lives == 7:
            yield fault("cat/lives", "seven {is} no number for a cat", "nine", ["lives"])


class Dog(Model):
    kind: Literal["dog"] = "dog"
    bones: tuple[int, ...] = Field(default=(), max_length=2)


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Inner(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="forbid")

    two_words: int = 0
    needed_one: str


def _which(value: Any) -> str:
    return "text" if isinstance(value, str) else "inner"


class Home(Model):
    pet: Pet | None = None
    pets: tuple[Pet, ...] = Field(default=(), min_length=0)
    one_of: Annotated[Annotated[str, Tag("text")] | Annotated[Inner, Tag("inner")], Discriminator(_which)] = "x"
    inner: Inner | None = None
    anything: str | tuple[str, ...] | None = None
    labels: dict[Annotated[str, Field(max_length=3)], str] = Field(default_factory=dict)
    some: tuple[Cat, ...] = Field(default=({"name": "a"},), min_length=1)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"pet": {"kind": "cat"}}, [("pet.name", "schema/required")]),
        ({"pet": {"kind": "cat", "name": 1}}, [("pet.name", "schema/string-type")]),
        ({"pet": {"kind": "cat", "name": "a", "lives": 0}}, [("pet.lives", "schema/greater-than-equal")]),
        ({"pet": {"kind": "cat", "name": "a", "lives": 7}}, [("pet.lives", "cat/lives")]),
        ({"pet": {"kind": "cat", "name": "dog"}}, [("pet", "cat/name")]),
        ({"pet": {"kind": "cat", "name": "a", "cat": 1}}, [("pet.cat", "schema/unknown-field")]),
        ({"pet": {"kind": "dog", "dog": 1}}, [("pet.dog", "schema/unknown-field")]),
        ({"pet": {"kind": "dog", "bones": ["x"]}}, [("pet.bones[0]", "schema/int-parsing")]),
        ({"pet": {"kind": "dog", "bones": [1, 2, 3]}}, [("pet.bones", "schema/too-long")]),
        ({"pet": {"kind": "cow"}}, [("pet.kind", "schema/union-tag-invalid")]),
        ({"pet": {"kind": None}}, [("pet.kind", "schema/union-tag-invalid")]),
        ({"pet": {}}, [("pet.kind", "schema/union-tag-not-found")]),
        ({"pet": 5}, [("pet", "schema/model-attributes-type")]),
        ({"pet": []}, [("pet", "schema/model-attributes-type")]),
        (
            {"pets": [{"kind": "dog"}, {"kind": "cat"}, {"kind": "cow"}, {}]},
            [
                ("pets[1].name", "schema/required"),
                ("pets[2].kind", "schema/union-tag-invalid"),
                ("pets[3].kind", "schema/union-tag-not-found"),
            ],
        ),
        ({"one_of": {"neededOne": 1}}, [("one_of.neededOne", "schema/string-type")]),
        ({"one_of": {}}, [("one_of.neededOne", "schema/required")]),
        (
            {"inner": {"two_words": "x", "needed_one": 1}},
            [("inner.two_words", "schema/int-parsing"), ("inner.needed_one", "schema/string-type")],
        ),
        (
            {"inner": {"twoWords": "x", "neededOne": 1}},
            [("inner.twoWords", "schema/int-parsing"), ("inner.neededOne", "schema/string-type")],
        ),
        (
            {"labels": {"long": "x", "a": 1}},
            [("labels.long", "schema/string-too-long"), ("labels.a", "schema/string-type")],
        ),
        ({"labels": {"a/b": None}}, [('labels["a/b"]', "schema/string-type")]),
        ({"some": []}, [("some", "schema/too-short")]),
        ({"some": [{}]}, [("some[0].name", "schema/required")]),
        ({"some": None}, [("some", "schema/tuple-type")]),
        ([], [("", "schema/model-type")]),
        (None, [("", "schema/model-type")]),
        ("x", [("", "schema/model-type")]),
        ({"nope": 1, "pet": {}}, [("pet.kind", "schema/union-tag-not-found"), ("nope", "schema/unknown-field")]),
    ],
)
def test_paths_are_those_of_the_document(data, expected):
    assert sorted(found(Home, data)) == sorted(expected)


def test_each_member_of_a_union_of_values_speaks_of_the_same_place():
    assert {problem.path for problem in problems(Home, {"anything": 5})} == {"anything"}
    assert {problem.path for problem in problems(Home, {"anything": {"a": 1}})} == {"anything"}
    assert {problem.path for problem in problems(Home, {"anything": ["a", 5]})} <= {"anything", "anything[1]"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"pet": {"kind": "cow"}}, "one of 'cat', 'dog' is expected, got 'cow'"),
        ({"pet": {}}, "required, but missing: it says which kind is meant"),
        ({"pet": 5}, "a mapping is expected, got 5"),
        ({"pets": {}}, "a list is expected, got a mapping"),
        ({"labels": []}, "a mapping is expected, got a list"),
        ({"labels": None}, "a mapping is expected, got null"),
        ({"some": []}, "at least 1 item is expected, got 0"),
        ({"pet": {"kind": "dog", "bones": [1, 2, 3]}}, "at most 2 items are expected, got 3"),
        ({"pet": {"kind": "cat", "name": "x" * 100, "lives": 0}}, "input should be greater than or equal to 1, got 0"),
        ({"pet": {"kind": "cat", "name": ["x"]}}, "input should be a valid string, got a list"),
        ({"one_of": 5}, "a mapping is expected, got 5"),
        ({"nope": 1}, "unknown field"),
        ([], "a mapping is expected, got a list"),
        ({"pet": {"kind": "cat", "name": "a", "lives": 7}}, "seven {is} no number for a cat"),
    ],
)
def test_messages_speak_of_documents_and_not_of_python(data, message):
    (problem,) = problems(Home, data)
    assert problem.message == message
    assert not set(problem.message.split()) & {"tuple", "dictionary", "instance", "object", "None"}


def test_a_long_value_is_cut():
    (problem,) = problems(Dog, {"kind": "x" * 200})
    assert len(problem.message) < 150
    assert problem.message.endswith("...")


def test_hints_are_carried():
    assert [problem.hint for problem in problems(Home, {"pet": {"kind": "cat", "name": "a", "lives": 7}})] == ["nine"]
    assert [problem.hint for problem in problems(Home, {"pet": {"kind": "dgo"}})] == ["did you mean dog?"]
    assert [problem.hint for problem in problems(Cat, {"nam": "a", "name": "b"})] == ["did you mean name?"]


def test_rules_across_fields_are_told_beside_fields_that_are_wrong():
    assert found(Cat, {"name": "dog", "lives": 0, "tail": 1}) == [
        ("lives", "schema/greater-than-equal"),
        ("tail", "schema/unknown-field"),
        ("", "cat/name"),
    ]
    assert found(Cat, {"lives": 7, "name": "a", "tail": 1}) == [
        ("tail", "schema/unknown-field"),
        ("lives", "cat/lives"),
    ]


def test_the_same_problem_is_told_once():
    data = {"some": [{"name": "dog"}], "pet": {"kind": "cat", "name": "dog"}}
    assert sorted(found(Home, data)) == [("pet", "cat/name"), ("some[0]", "cat/name")]


def test_without_the_document_paths_are_pydantic_s():
    with pytest.raises(ValidationError) as caught:
        Cat(name=1)
    assert [problem.path for problem in problems_of(caught.value)] == ["name"]


# --- the settings of an environment: everything that goes through the above ------------------------------------------

SETTINGS = {"name": "dev", "owner": "platform@example.com", "cluster": {"kind": "minikube"}}


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        ({"kind": "eks"}, [("cluster.kind", "schema/union-tag-invalid")]),
        ({}, [("cluster.kind", "schema/union-tag-not-found")]),
        ("minikube", [("cluster", "schema/model-attributes-type")]),
        (None, [("cluster", "schema/model-attributes-type")]),
        ({"kind": "minikube", "minikube": {}}, [("cluster.minikube", "schema/unknown-field")]),
        ({"kind": "minikube", "minikube": 1}, [("cluster.minikube", "schema/unknown-field")]),
        ({"kind": "existing", "context": 5}, [("cluster.context", "schema/string-type")]),
        ({"kind": "existing"}, [("cluster", "existing/source")]),
    ],
)
def test_kinds_of_clusters_leave_no_trace_in_paths(cluster, expected):
    assert found(Environment, SETTINGS | {"cluster": cluster}) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "name", "pet", "pets", "inner", "twoWords", "some", "x.y", "labels"]), inner
        )
    ),
    max_leaves=10,
)


@given(json_values)
def test_every_path_leads_somewhere_in_the_document_or_just_below(data):
    try:
        Home.model_validate(data)
    except ValidationError as error:
        for problem in problems_of(error, data):
            assert problem.message
            assert places(data, problem.path), problem
    else:
        assert isinstance(data, dict)


def places(data: Any, path: str) -> bool:
    """Whether a path is that of a value in the data, or of one field that is missing there."""
    here = {"": data}

    def walk(value: Any, elements: tuple) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            here[format_path((*elements, key))] = item
            walk(item, (*elements, key))

    walk(data, ())
    return path in here or path.rpartition(".")[0] in here
