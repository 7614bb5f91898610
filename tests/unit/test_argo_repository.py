from __future__ import annotations

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from apiops_components.errors import problems_of
from apiops_components.models.argo_repository import Repository
from apiops_components.models.argocd import ArgoCDSpec, GitOpsSpec
from apiops_components.models.environment import Environment
from apiops_components.models.secret import SecretSlot
from apiops_components.render.argo_repository import repository_object
from apiops_components.render.argocd import argocd_objects, argocd_values, gitops_objects

GIT = "https://git.example.com/apis.git"
SSO = {"issuer": "https://login.example.com", "client_id": "argocd", "client_secret": "argocd-oidc"}


def repository(**settings):
    return TypeAdapter(Repository).validate_python({"url": GIT, **settings})


def data(**settings):
    return repository_object(repository(**settings), "argocd")["stringData"]


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ({"kind": "public", "proxy": "http://proxy:3128"}, {"proxy": "http://proxy:3128"}),
        (
            {"kind": "basic", "username": "bot", "password": "git-token", "project": "shop"},
            {"username": "bot", "password": "<secret:git-token>", "project": "shop"},
        ),
        ({"kind": "token", "token": "git-token"}, {"bearerToken": "<secret:git-token>"}),
        (
            {"kind": "token", "token": "t", "client_certificate": {"certificate": "crt", "private_key": "key"}},
            {"bearerToken": "<secret:t>", "tlsClientCertData": "<secret:crt>", "tlsClientCertKey": "<secret:key>"},
        ),
        (
            {"kind": "ssh", "url": "git@git.example.com:apis.git", "private_key": "git-key"},
            {"url": "git@git.example.com:apis.git", "sshPrivateKey": "<secret:git-key>"},
        ),
        (
            {"kind": "github-app", "app_id": 7, "installation_id": 9, "private_key": "app-key"},
            {"githubAppID": "7", "githubAppInstallationID": "9", "githubAppPrivateKey": "<secret:app-key>"},
        ),
        ({"kind": "google", "service_account_key": "sa"}, {"gcpServiceAccountKey": "<secret:sa>"}),
        ({"kind": "azure-workload-identity"}, {"useAzureWorkloadIdentity": "true"}),
        (
            {"kind": "public", "type": "helm", "url": "registry.example.com/charts", "name": "charts"},
            {"type": "helm", "url": "registry.example.com/charts", "name": "charts", "enableOCI": "true"},
        ),
    ],
)
def test_each_kind_becomes_the_keys_that_argo_cd_reads(settings, keys):
    assert data(**settings) == {"url": GIT, "type": "git"} | keys


def test_the_secret_is_found_by_its_label_and_named_by_its_address():
    one = repository_object(repository(kind="google", service_account_key="git-key"), "delivery")
    assert one["metadata"]["namespace"] == "delivery"
    assert one["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "repository"
    assert isinstance(one["stringData"]["gcpServiceAccountKey"], SecretSlot)
    template = repository_object(repository(kind="public", template=True), "delivery")
    assert template["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "repo-creds"
    assert len({item["metadata"]["name"] for item in (one, template)}) == 2


@pytest.mark.parametrize(
    ("settings", "path", "code"),
    [
        ({"kind": "basic", "username": "b", "password": "p", "url": "http://git/x"}, "url", "argocd/repository-url"),
        ({"kind": "basic", "username": "b", "password": "p", "url": "git@h:x"}, "url", "argocd/repository-url"),
        (
            {"kind": "basic", "username": "b", "password": "p", "url": "https://u:p@h/x"},
            "url",
            "git/credentials-in-url",
        ),
        ({"kind": "ssh", "private_key": "k"}, "url", "argocd/repository-url"),
        ({"kind": "token", "token": "t", "type": "helm", "name": "h"}, "type", "argocd/repository-type"),
        ({"kind": "public", "type": "oci"}, "url", "argocd/repository-url"),
        ({"kind": "public", "type": "helm", "name": "h", "url": "oci://r/c"}, "url", "argocd/repository-url"),
        ({"kind": "public", "type": "helm"}, "name", "argocd/repository-name"),
        ({"kind": "token", "token": "t", "template": True, "project": "shop"}, "project", "argocd/template"),
        ({"kind": "token", "token": "t", "template": True, "name": "all"}, "name", "argocd/template"),
        (
            {"kind": "github-app", "app_id": 0, "installation_id": 1, "private_key": "k"},
            "app_id",
            "schema/greater-than-equal",
        ),
    ],
)
def test_what_argo_cd_could_not_use_is_refused(settings, path, code):
    found = problems({"profile": "small", "repositories": [{"url": GIT, **settings}]})
    assert [(where.rpartition(".")[2], what) for where, what in found] == [(path, code)]


def problems(settings, model=ArgoCDSpec):
    try:
        model.model_validate(settings)
    except ValidationError as error:
        return [(problem.path, problem.code) for problem in problems_of(error, settings)]
    return []


def test_two_of_one_address_are_refused():
    twice = [{"url": GIT, "kind": "public"}] * 2
    assert problems({"repositories": twice}) == [("repositories[1].url", "argocd/repository-twice")]


def test_log_in_is_configured_by_name_of_a_secret_and_switches_the_admin_off():
    spec = ArgoCDSpec.model_validate({"domain": "argocd.example.com", "sso": SSO})
    cm = argocd_values(spec)["configs"]["cm"]
    assert cm["admin.enabled"] is False
    assert yaml.safe_load(cm["oidc.config"]) == {
        "name": "SSO",
        "issuer": "https://login.example.com",
        "clientID": "argocd",
        "clientSecret": "$argocd-sso:clientSecret",
        "requestedScopes": ["openid", "profile", "email", "groups"],
    }
    _, secret, _ = argocd_objects(spec)
    assert secret["metadata"]["name"] == "argocd-sso"
    assert secret["metadata"]["labels"] == {"app.kubernetes.io/part-of": "argocd"}
    assert secret["stringData"] == {"clientSecret": "<secret:argocd-oidc>"}


def test_without_log_in_the_admin_stays_and_both_can_be_said():
    assert argocd_values(ArgoCDSpec())["configs"]["cm"]["admin.enabled"] is True
    both = ArgoCDSpec.model_validate({"domain": "argocd.example.com", "sso": SSO, "admin_enabled": True})
    assert argocd_values(both)["configs"]["cm"]["admin.enabled"] is True


def test_a_log_in_that_cannot_work_is_refused():
    assert problems({"sso": SSO}) == [("sso", "argocd/sso-domain")]
    assert problems({"admin_enabled": False}) == [("admin_enabled", "argocd/no-login")]
    assert problems({"domain": "a.example.com", "sso": {**SSO, "issuer": "login"}}) == [("sso.issuer", "argocd/issuer")]
    values = {"chart": {"values": {"configs": {"cm": {"oidc.config": "x"}}}}}
    assert ("chart.values.configs.cm.oidc.config", "argocd/sso-twice") in [
        (path.replace('["oidc.config"]', ".oidc.config"), code)
        for path, code in problems({"domain": "a.example.com", "sso": SSO, **values})
    ]


def test_its_secrets_are_declared_with_the_others():
    settings = {
        "name": "prod",
        "owner": "platform",
        "cluster": {"kind": "existing", "context": "here"},
        "argocd": {
            "domain": "a.example.com",
            "sso": SSO,
            "repositories": [{"kind": "basic", "url": GIT, "username": "b", "password": "git-token"}],
        },
    }
    assert problems(settings, Environment) == [
        ("argocd.sso.client_secret", "secret/undeclared"),
        ("argocd.repositories[0].password", "secret/undeclared"),
    ]
    assert problems({**settings, "secrets": ["argocd-oidc", "git-token"]}, Environment) == []


def test_windows_go_into_the_project():
    window = {"kind": "deny", "schedule": "0 22 * * 5", "duration": "60h", "applications": ["*"], "timeZone": "UTC"}
    spec = GitOpsSpec.model_validate(
        {"team": "shop", "namespaces": ["shop"], "repository": GIT, "path": "deploy", "windows": [window]}
    )
    project, _ = gitops_objects(spec)
    assert project["spec"]["syncWindows"] == [window]
