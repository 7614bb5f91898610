"""Rules of AppProject that nobody else checks."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from apiops_components.errors import problems_of
from apiops_components.models.argo_project import AppProjectSpec

WINDOW = {"kind": "allow", "schedule": "0 22 * * *", "duration": "1h", "applications": ["*"]}


def problems(data):
    with pytest.raises(ValidationError) as caught:
        AppProjectSpec.model_validate(data)
    return [(problem.path, problem.message) for problem in problems_of(caught.value, data)]


def role(**fields):
    return {"roles": [{"name": "dev", **fields}]}


def test_a_project_with_everything_is_valid():
    spec = AppProjectSpec.model_validate(
        {
            "description": "All of it",
            "sourceRepos": ["https://github.com/acme/*", "!https://github.com/acme/private"],
            "sourceNamespaces": ["team-*"],
            "destinations": [
                {"server": "https://kubernetes.default.svc", "namespace": "shop"},
                {"name": "in-cluster", "namespace": "!kube-system"},
            ],
            "clusterResourceWhitelist": [{"group": "", "kind": "Namespace", "name": "shop-*"}],
            "clusterResourceBlacklist": [],
            "namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}],
            "orphanedResources": {"warn": False, "ignore": [{"kind": "ConfigMap", "name": "kube-root-ca.crt"}]},
            "permitOnlyProjectScopedClusters": True,
            "roles": [
                {
                    "name": "ci_1",
                    "description": "CI",
                    "policies": [
                        "p, proj:shop:ci_1, applications, sync, shop/*, allow",
                        "p,proj:shop:ci_1,applications,action/apps/Deployment/restart,shop/team-a/orders,deny",
                    ],
                    "groups": ["acme:ci", '"cn=ci,dc=acme"'],
                    "jwtTokens": [{"iat": 1535390316, "exp": 0, "id": "x"}],
                }
            ],
            "signatureKeys": [{"keyID": "4AEE18F83AFDEB23"}],
            "sourceIntegrity": {"git": {"policies": []}},
            "destinationServiceAccounts": [
                {"server": "https://kubernetes.default.svc", "namespace": "shop", "defaultServiceAccount": "shop:sync"}
            ],
            "syncWindows": [
                {
                    **WINDOW,
                    "timeZone": "Europe/Berlin",
                    "manualSync": True,
                    "andOperator": True,
                    "syncOverrun": True,
                    "namespaces": ["shop"],
                    "clusters": ["in-cluster"],
                    "description": "nightly",
                }
            ],
        }
    )

    assert list(spec.faults_named("shop")) == []


def test_an_absent_whitelist_differs_from_an_empty_one():
    absent, empty = AppProjectSpec(), AppProjectSpec.model_validate({"namespaceResourceWhitelist": []})

    assert absent.namespace_resource_whitelist is None
    assert empty.namespace_resource_whitelist == ()
    assert absent != empty


def test_a_misspelt_field_would_be_dropped_by_the_cluster():
    assert problems({"sourceRepo": ["*"], "destinations": [{"servers": "x"}]}) == [
        ("destinations[0].servers", "unknown field"),
        ("sourceRepo", "unknown field"),
    ]


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        ({"destinations": [{"name": "!*"}]}, "destinations[0].name", "name has an invalid format, '!*'"),
        ({"destinations": [{"server": "!*"}]}, "destinations[0].server", "server has an invalid format, '!*'"),
        ({"destinations": [{"namespace": "!*"}]}, "destinations[0].namespace", "namespace has an invalid format, '!*'"),
        ({"sourceRepos": ["!*"]}, "sourceRepos[0]", "source repository has an invalid format, '!*'"),
        (
            {"destinations": [{"server": "s", "namespace": "n"}, {"name": "s", "namespace": "n"}]},
            "destinations[1]",
            "destination 's/n' already added",
        ),
        ({"sourceRepos": ["a", "b", "a"]}, "sourceRepos[2]", "source repository 'a' already added"),
        ({"sourceNamespaces": ["a", "a"]}, "sourceNamespaces[1]", "source namespace 'a' already added"),
        ({"roles": [{"name": "a"}, {"name": "a"}]}, "roles[1].name", "role 'a' already exists"),
        (
            role(name="-a"),
            "roles[0].name",
            (
                "invalid role name '-a'. Must consist of alphanumeric characters, '-' or '_', "
                "and must start and end with an alphanumeric character"
            ),
        ),
        (
            role(policies=["p, proj:x:dev, logs, get, x/*, allow"] * 2),
            "roles[0].policies[1]",
            "policy 'p, proj:x:dev, logs, get, x/*, allow' already exists for role 'dev'",
        ),
        (role(groups=["a", "a"]), "roles[0].groups[1]", "group 'a' already exists for role 'dev'"),
        (role(groups=["a,b"]), "roles[0].groups[0]", "group 'a,b' must be quoted"),
        (role(groups=[" "]), "roles[0].groups[0]", "group '' is empty"),
        (role(groups=['a"b']), "roles[0].groups[0]", "group 'a\"b' contains invalid characters"),
        (role(groups=[" a"]), "roles[0].groups[0]", "group 'a' contains a leading space"),
        (role(groups=["a "]), "roles[0].groups[0]", "group 'a' contains a trailing space"),
        (
            {"syncWindows": [{**WINDOW, "kind": "Allow"}]},
            "syncWindows[0].kind",
            "kind 'Allow' mismatch: can only be allow or deny",
        ),
        (
            {"syncWindows": [{**WINDOW, "schedule": "0 22 * *"}]},
            "syncWindows[0].schedule",
            "cannot parse schedule '0 22 * *': expected exactly 5 fields, found 4: [0 22 * *]",
        ),
        (
            {"syncWindows": [{**WINDOW, "duration": "1 hour"}]},
            "syncWindows[0].duration",
            "cannot parse duration '1 hour': time: invalid duration \"1 hour\"",
        ),
        (
            {"syncWindows": [{**WINDOW, "applications": []}]},
            "syncWindows[0]",
            "window 'allow':'0 22 * * *':'1h' requires one of application, cluster or namespace",
        ),
        (
            {"syncWindows": [WINDOW, {**WINDOW, "manualSync": True, "timeZone": "UTC", "description": "again"}]},
            "syncWindows[1]",
            "sync window with kind 'allow', schedule '0 22 * * *', and duration '1h' already exists",
        ),
        (
            {"destinationServiceAccounts": [{"server": "s", "defaultServiceAccount": "a*"}]},
            "destinationServiceAccounts[0].defaultServiceAccount",
            "defaultServiceAccount has an invalid format, 'a*'",
        ),
        (
            {"destinationServiceAccounts": [{"server": "!s", "defaultServiceAccount": "a"}]},
            "destinationServiceAccounts[0].server",
            "server has an invalid format, '!s'",
        ),
        (
            {"destinationServiceAccounts": [{"server": "s", "defaultServiceAccount": "a"}] * 2},
            "destinationServiceAccounts[1]",
            "destinationServiceAccount 's/' already added",
        ),
        ({"roles": [{}]}, "roles[0].name", "required, but missing"),
        ({"clusterResourceWhitelist": [{"kind": "x"}]}, "clusterResourceWhitelist[0].group", "required, but missing"),
    ],
)
def test_what_argo_cd_would_refuse(data, path, message):
    assert problems(data) == [(path, message)]


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("g, a, b", "must be of the form: 'p, sub, res, act, obj, eft'"),
        ("g, proj:x:dev, logs, get, x/*, allow", "must be of the form: 'p, sub, res, act, obj, eft'"),
        ("p, proj:x:ops, logs, get, x/*, allow", "policy subject must be: 'proj:x:dev', not 'proj:x:ops'"),
        ("p, role:dev, logs, get, x/*, allow", "policy subject must be: 'proj:<project>:dev', not 'role:dev'"),
        (
            "p, proj:x:dev, projects, get, x/*, allow",
            (
                "project resource must be: 'applications', 'applicationsets', 'repositories', 'exec', 'logs' or "
                "'clusters', not 'projects'"
            ),
        ),
        ("p, proj:x:dev, logs, read, x/*, allow", "invalid action 'read'"),
        (
            "p, proj:x:dev, logs, get, y/*, allow",
            "object must be of form 'x/*', 'x[/<NAMESPACE>]/<APPNAME>' or 'x/<APPNAME>', not 'y/*'",
        ),
        (
            "p, proj:x:dev, logs, get, x, allow",
            "object must be of form 'x/*', 'x[/<NAMESPACE>]/<APPNAME>' or 'x/<APPNAME>', not 'x'",
        ),
        ("p, proj:x:dev, logs, get, x/*, permit", "effect must be: 'allow' or 'deny'"),
    ],
)
def test_policies_that_argo_cd_would_refuse(policy, message):
    expected = f"invalid policy rule '{policy}': {message}"

    assert problems(role(policies=[policy])) == [("roles[0].policies[0]", expected)]


def test_policies_of_another_project_are_found_with_the_project_s_name():
    policy = "p, proj:billing:dev, applications, get, billing/*, allow"
    spec = AppProjectSpec.model_validate(role(policies=[policy]))

    assert list(spec.faults_named("billing")) == []
    (found,) = spec.faults_named("shop")
    assert found["loc"] == ("roles", 0, "policies", 0)
    assert found["type"].message() == (
        f"invalid policy rule '{policy}': policy subject must be: 'proj:shop:dev', not 'proj:billing:dev'"
    )
