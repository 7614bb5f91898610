from __future__ import annotations

import json

import pytest

import apiops_components
from apiops_components.cli import main


def schema(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["schema", *arguments])
    return ended.value.code, capsys.readouterr()


def test_without_a_model_it_lists_every_public_model(capsys):
    code, (out, err) = schema(capsys)
    names = out.split()

    assert (code, err) == (0, "")
    assert names == sorted(names)
    assert {"ApiGatewaySpec", "Environment", "TrafficPolicy", "GkeSpec"} <= set(names)
    assert set(names) <= set(apiops_components.__all__)
    assert not {"ApiGateway", "render", "Project", "InvalidInput"} & set(names)


def names():
    return sorted(name for name, home in apiops_components._HOME.items() if home.startswith("models."))


@pytest.mark.parametrize("name", names())
def test_each_model_has_a_schema_whose_references_lead_somewhere(capsys, name):
    code, (out, err) = schema(capsys, name)
    found = json.loads(out)

    assert (code, err) == (0, "")
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["type"] == "object"
    for reference in references(found):
        target = found
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        assert isinstance(target, dict)


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_fields_are_documented(capsys):
    _, (out, _) = schema(capsys, "Environment")
    properties = json.loads(out)["properties"]

    assert all(field.get("description") for field in properties.values())
    assert json.loads(out)["additionalProperties"] is False
    assert {"owner", "cluster"} <= set(json.loads(out)["required"])


def test_an_unknown_model_is_2_and_names_the_nearest(capsys):
    code, (out, err) = schema(capsys, "Enviroment")

    assert (code, out) == (2, "")
    assert "did you mean Environment?" in err


def test_what_is_no_model_is_2(capsys):
    code, (_, err) = schema(capsys, "render")

    assert code == 2
    assert "`apiopsctl schema` lists them" in err


def test_two_runs_print_the_same(capsys):
    assert schema(capsys, "ApiGatewaySpec") == schema(capsys, "ApiGatewaySpec")
