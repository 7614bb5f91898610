from __future__ import annotations

import pytest
from pydantic import ValidationError

from apiops_components import HelmChart
from apiops_components.errors import problems_of
from apiops_components.models.helm import completed

CHART = {"name": "argo-cd", "version": "1.2.3", "repository": "https://charts.example.com"}


def found(data: dict) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        HelmChart.model_validate(data)
    return [(problem.path, problem.code) for problem in problems_of(caught.value, data)]


@pytest.mark.parametrize(
    "data",
    [
        CHART,
        CHART | {"version": "v10.0.0-rc.1+build.5"},
        CHART | {"repository": "oci://registry.example.com/charts"},
        {"name": "x", "path": "charts/x"},
        {"name": "x", "path": "x-1.2.3.tgz", "version": "1.2.3", "values": {"a": {"b": [1, None, "x"]}}},
    ],
)
def test_a_chart_at_an_exact_place_is_taken(data):
    assert HelmChart.model_validate(data).model_dump(exclude_unset=True) == data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({**CHART, "name": "A"}, [("name", "name/dns-subdomain")]),
        *(
            (CHART | {"version": version}, [("version", "helm/version")])
            for version in (
                "",
                "1",
                "1.2",
                "^1.2.3",
                "~1.2.3",
                ">=1.2.3",
                "1.2.x",
                "latest",
                "*",
                "1.2.3 ",
                "1.2.3\n",
                "1.2.٣",
            )
        ),
        (CHART | {"version": 1.2}, [("version", "schema/string-type")]),
        (
            {"name": "x", "repository": "https://charts.example.com"},
            [("version", "helm/version")],
        ),
        ({"name": "x"}, [("", "helm/source")]),
        (CHART | {"path": "x"}, [("", "helm/source")]),
        (CHART | {"repository": "http://charts.example.com"}, [("repository", "helm/repository")]),
        (CHART | {"repository": "charts"}, [("repository", "helm/repository")]),
        (CHART | {"values": []}, [("values", "schema/dict-type")]),
        ({"chart": "x"}, [("name", "schema/required"), ("chart", "schema/unknown-field"), ("", "helm/source")]),
        (
            {"name": "x", "path": "y", "repository": "http://z"},
            [("", "helm/source"), ("version", "helm/version"), ("repository", "helm/repository")],
        ),
    ],
)
def test_what_two_runs_would_install_differently_is_refused(data, expected):
    assert found(data) == expected


def test_settings_complete_a_chart():
    complete = completed(CHART)
    assert complete({"values": {"a": 1}}) == CHART | {"values": {"a": 1}}
    assert complete({"version": "9.9.9"}) == CHART | {"version": "9.9.9"}
    assert complete({"path": "charts/x"}) == {"name": "argo-cd", "path": "charts/x"}
    assert complete("x") == "x"
    made = HelmChart.model_validate(CHART)
    assert complete(made) is made
