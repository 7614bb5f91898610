from __future__ import annotations

import pytest
from pydantic import ValidationError

from apiops_components import AuthenticationRequired, Description, InvalidInput, Problem
from apiops_components.errors import problems_of

ENVIRONMENT = {
    "name": "dev",
    "owner": "platform@example.com",
    "cluster": {"kind": "existing", "context": "kind-dev"},
    "teams": {
        "shop": {"owner": "shop@example.com", "delivery": "direct"},
        "pay": {"owner": "pay@example.com", "delivery": "direct", "namespace": "payments"},
    },
}


def gateway(name: str = "public", host: str = "api.example.com", *apis: str, **fields) -> dict:
    routes = [{"matches": [{"path": {"value": f"/{api}"}}]} for api in apis or ("orders",)]
    made = [{"name": api, "routes": [given]} for api, given in zip(apis or ("orders",), routes, strict=True)]
    return {"name": name, "namespace": "shop", "host": host, "apis": made} | fields


def description(*gateways: dict, **fields) -> dict:
    return {"environment": ENVIRONMENT, "gateways": list(gateways), **fields}


def problems(data: dict) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        Description.model_validate(data)
    return list(problems_of(caught.value, data))


def test_the_platform_s_and_a_team_s_description_are_taken():
    shared = description(
        gateway(), gateway("other", "b.example.com", "carts", team="shop"), guardrails=[{"kind": "owner-required"}]
    )
    made = Description.model_validate(shared)
    assert (made.team, made.delivery, len(made.guardrails)) == (None, "direct", 1)
    own = Description.model_validate(description(gateway(team="shop"), team="shop"))
    assert (own.team, own.delivery) == ("shop", "direct")
    moved = gateway(team="pay", namespace="payments")
    assert Description.model_validate(description(moved, team="pay")).gateways[0].namespace == "payments"


@pytest.mark.parametrize(
    ("data", "path", "code"),
    [
        (description(gateway(), gateway("public", "b.example.com", "b")), "gateways[1].name", "gateway/duplicate"),
        (description(gateway(), gateway("b", "api.example.com", "b")), "gateways[1].host", "gateway/host"),
        (
            description(gateway(), gateway("b", "b.example.com", "x", "orders")),
            "gateways[1].apis[1].name",
            "api/duplicate",
        ),
        (description(gateway(host="*.example.com")), "gateways[0].host", "gateway/wildcard-host"),
        (
            description(gateway(team="shop", namespace="payments"), team="shop"),
            "gateways[0].namespace",
            "gateway/namespace",
        ),
        (description(gateway(team="pay", namespace="pay"), team="pay"), "gateways[0].namespace", "gateway/namespace"),
        (description(gateway(team="pay"), team="shop"), "gateways[0].team", "gateway/team"),
        (description(gateway(), team="shop"), "gateways[0].team", "gateway/team"),
        (description(team="shop", guardrails=[{"kind": "owner-required"}]), "guardrails", "guardrail/team"),
        (description(team="nobody"), "team", "description/team"),
        (description(guardrails=[{"kind": "nope"}]), "guardrails[0].kind", "schema/union-tag-invalid"),
        (description(guardrails=[{"kind": "allowed-hosts", "hosts": []}]), "guardrails[0].hosts", "schema/too-short"),
        (
            description(guardrails=[{"kind": "highest-rate-limit", "per_minute": 0}]),
            "guardrails[0].per_minute",
            "schema/greater-than-equal",
        ),
        (
            description(guardrails=[{"kind": "forbidden-actions", "actions": [""]}]),
            "guardrails[0].actions[0]",
            "guardrail/action",
        ),
        (
            description(
                guardrails=[{"kind": "owner-required", "waivers": [{"api": "a", "team": "shop", "reason": "short"}]}]
            ),
            "guardrails[0].waivers[0].reason",
            "schema/string-too-short",
        ),
    ],
)
def test_what_contradicts_itself_or_is_foreign_is_refused_with_the_exact_place(data, path, code):
    (problem,) = problems(data)
    assert (problem.path, problem.code) == (path, code)


def test_the_same_names_in_two_namespaces_do_not_meet():
    assert Description.model_validate(description(gateway(), gateway(host="b.example.com", namespace="payments")))


def test_everything_wrong_is_told_at_once():
    data = description(
        gateway(team="pay", namespace="payments"),
        gateway(team="shop", namespace="payments"),
        team="shop",
        guardrails=[{"kind": "owner-required"}],
    )
    assert {(problem.path, problem.code) for problem in problems(data)} == {
        ("guardrails", "guardrail/team"),
        ("gateways[0].namespace", "gateway/namespace"),
        ("gateways[0].team", "gateway/team"),
        ("gateways[1].namespace", "gateway/namespace"),
        ("gateways[1].name", "gateway/duplicate"),
        ("gateways[1].host", "gateway/host"),
        ("gateways[1].apis[0].name", "api/duplicate"),
    }


@pytest.mark.parametrize(
    ("scope", "environment", "team", "applies"),
    [
        ({}, "dev", None, True),
        ({}, "prod", "shop", True),
        ({"environments": ("prod",)}, "prod", None, True),
        ({"environments": ("prod",)}, "dev", "shop", False),
        ({"teams": ("shop",)}, "dev", "shop", True),
        ({"teams": ("shop",)}, "dev", "pay", False),
        ({"teams": ("shop",)}, "dev", None, False),
        ({"environments": ("prod",), "teams": ("shop",)}, "dev", "shop", False),
    ],
)
def test_a_guardrail_holds_where_it_says(scope, environment, team, applies):
    assert AuthenticationRequired(**scope).applies(environment, team) is applies


def test_a_team_that_lost_its_settings_has_no_delivery():
    made = Description.model_validate(description(team="shop"))
    orphan = made.model_copy(update={"team": "nobody"})
    with pytest.raises(InvalidInput, match="has no settings"):
        _ = orphan.delivery
