from __future__ import annotations

import pytest
from pydantic import ValidationError

from apiops_components import Environment, InvalidInput, Problem
from apiops_components.errors import problems_of

BASE = {"name": "dev", "owner": "platform@example.com", "cluster": {"kind": "existing", "context": "kind-dev"}}
GITOPS = {
    "argocd": {},
    "git": {"repository": "https://github.com/acme/apis.git"},
}


def team(**fields) -> dict:
    return {"owner": "shop@example.com", "delivery": "direct"} | fields


def teams(**given: dict) -> dict:
    return BASE | {"teams": given}


def problems(data: dict) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        Environment.model_validate(data)
    return list(problems_of(caught.value, data))


def found(data: dict) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in problems(data)]


def test_little_is_required():
    made = Environment.model_validate(BASE)
    assert (made.ngrok, made.argocd, made.git, made.teams, made.secrets, made.promoted_from) == (
        None,
        None,
        None,
        {},
        (),
        None,
    )
    assert found({}) == [("name", "schema/required"), ("owner", "schema/required"), ("cluster", "schema/required")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (BASE | {"name": "Dev"}, [("name", "name/dns-label")]),
        (BASE | {"owner": ""}, [("owner", "schema/string-too-short")]),
        (BASE | {"owners": "x"}, [("owners", "schema/unknown-field")]),
        (BASE | {"promoted_from": "dev"}, [("promoted_from", "environment/promoted-from")]),
        (BASE | {"secrets": ["ok", "NO"]}, [("secrets[1]", "name/secret")]),
        (BASE | {"secrets": "ok"}, [("secrets", "schema/tuple-type")]),
        (BASE | {"git": {"repository": "nope"}}, [("git.repository", "git/repository")]),
        (BASE | {"git": {"repository": "https://me:pw@x/y.git"}}, [("git.repository", "git/credentials-in-url")]),
        (BASE | {"git": {"repository": "https://x/y.git", "branch": "x"}}, [("git.branch", "schema/unknown-field")]),
        (BASE | {"teams": ["shop"]}, [("teams", "schema/dict-type")]),
        (teams(shop={"delivery": "direct"}), [("teams.shop.owner", "schema/required")]),
        (teams(shop=team(delivery="both")), [("teams.shop.delivery", "schema/literal-error")]),
        (teams(shop=team(host="10.0.0.1")), [("teams.shop.host", "name/hostname")]),
        (teams(shop=team(namespace="a.b")), [("teams.shop.namespace", "name/dns-label")]),
        (teams(shop=team(pod_security={"level": "baseline"})), [("teams.shop.pod_security.reason", "schema/required")]),
        (
            teams(shop=team(pod_security={"level": "baseline", "reason": "because"})),
            [("teams.shop.pod_security.reason", "schema/string-too-short")],
        ),
        (
            teams(shop=team(pod_security={"level": "restricted", "reason": "x" * 10})),
            [("teams.shop.pod_security.level", "schema/literal-error")],
        ),
        (teams(shop=team(variables={"a": None})), [("teams.shop.variables.a", "environment/variable")]),
        (
            teams(shop=team(variables={"a": [1], "b": {}})),
            [
                ("teams.shop.variables.a", "environment/variable"),
                ("teams.shop.variables.b", "environment/variable"),
            ],
        ),
        (BASE | {"teams": {"A b": team()}}, [('teams["A b"]', "name/dns-label")]),
    ],
)
def test_what_is_no_environment_is_refused_with_the_exact_place(data, expected):
    assert found(data) == expected


def test_every_secret_that_settings_name_is_declared():
    assert found(BASE | {"ngrok": {}}) == [
        ("ngrok.api_key", "secret/undeclared"),
        ("ngrok.authtoken", "secret/undeclared"),
    ]
    data = BASE | {"cluster": {"kind": "existing", "kubeconfig_secret": "kubeconfig"}}
    (problem,) = problems(data)
    assert (problem.path, problem.code) == ("cluster.kubeconfig_secret", "secret/undeclared")
    assert (problem.message, problem.hint) == ("secret 'kubeconfig' is not declared", "add kubeconfig to secrets")
    assert Environment.model_validate(data | {"secrets": ["kubeconfig"]})
    declared = {"ngrok": {"api_key": "one", "authtoken": "two"}, "secrets": ["two", "one"]}
    assert Environment.model_validate(BASE | declared)


@pytest.mark.parametrize("missing", ["argocd", "git"])
def test_a_team_delivered_from_git_needs_argo_cd_and_a_repository(missing):
    data = {key: value for key, value in (teams(shop=team(delivery="gitops")) | GITOPS).items() if key != missing}
    (problem,) = problems(data)
    assert (problem.path, problem.code) == ("teams.shop.delivery", "environment/gitops")
    assert problem.message == f"team 'shop' is delivered by Argo CD, but {missing} is not set"
    assert problem.hint == f"set {missing}, or delivery: direct"
    assert Environment.model_validate(teams(shop=team(delivery="gitops")) | GITOPS)


@pytest.mark.parametrize(
    ("data", "where", "owner"),
    [
        (teams(a=team(), b=team(namespace="a")), "b", "team 'a'"),
        (teams(a=team(namespace="x"), b=team(namespace="x")), "b", "team 'a'"),
        (teams(a=team(namespace="kube-system")), "a", "Kubernetes"),
        (teams(a=team(namespace="default")), "a", "Kubernetes"),
        (teams(a=team(namespace="argocd")) | GITOPS, "a", "argocd"),
        (
            teams(a=team(namespace="ngrok-operator")) | {"ngrok": {}, "secrets": ["ngrok-api-key", "ngrok-authtoken"]},
            "a",
            "ngrok",
        ),
    ],
)
def test_a_namespace_has_one_owner(data, where, owner):
    (problem,) = problems(data)
    assert (problem.path, problem.code) == (f"teams.{where}.namespace", "environment/namespace")
    assert f"belongs to {owner} already" in problem.message


def test_everything_wrong_is_told_at_once():
    data = teams(a=team(delivery="gitops"), b=team(namespace="a"), c=team(host="X")) | {
        "promoted_from": "dev",
        "ngrk": {},
    }
    assert set(found(data)) == {
        ("teams.c.host", "name/hostname"),
        ("ngrk", "schema/unknown-field"),
        ("promoted_from", "environment/promoted-from"),
        ("teams.b.namespace", "environment/namespace"),
        ("teams.a.delivery", "environment/gitops"),
    }


def test_what_a_description_asks_for_is_there_or_named():
    made = Environment.model_validate(
        teams(
            shop=team(host="shop.example.com", variables={"issuer": "https://id", "n": 3, "on": True}),
            other=team(namespace="o"),
        )
    )
    assert (made.host("shop"), made.namespace("shop"), made.namespace("other")) == ("shop.example.com", "shop", "o")
    assert [made.variable("shop", name) for name in ("issuer", "n", "on")] == ["https://id", "3", "True"]


@pytest.mark.parametrize(
    ("ask", "path", "code"),
    [
        (lambda made: made.team("nope"), "teams.nope", "environment/team"),
        (lambda made: made.host("nope"), "teams.nope", "environment/team"),
        (lambda made: made.namespace("nope"), "teams.nope", "environment/team"),
        (lambda made: made.host("shop"), "teams.shop.host", "environment/missing"),
        (lambda made: made.variable("shop", "issuer"), "teams.shop.variables.issuer", "environment/missing"),
    ],
)
def test_what_is_not_set_is_named_with_its_place(ask, path, code):
    made = Environment.model_validate(teams(shop=team()))
    with pytest.raises(InvalidInput) as caught:
        ask(made)
    (problem,) = caught.value.problems
    assert (problem.path, problem.code) == (path, code)
    assert problem.hint
