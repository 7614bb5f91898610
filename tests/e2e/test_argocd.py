"""What we make for Argo CD, judged by Argo CD: its command line, its API server and its controllers."""

from __future__ import annotations

import base64

import pytest
from argocd_server import DEVELOPERS, RBAC, RefusedError, argocd
from pydantic import TypeAdapter
from story import named

from apiops_components.documents import dump
from apiops_components.models.argo_rbac import ACTIONS
from apiops_components.models.argo_repository import Repository
from apiops_components.models.argocd import ArgoCDSpec
from apiops_components.models.secret import SecretSlot
from apiops_components.render.argo_repository import repository_object
from apiops_components.render.argocd import argocd_values, policy_csv

pytestmark = pytest.mark.e2e


# --- who may do what --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    file = tmp_path_factory.mktemp("policy") / "policy.csv"
    file.write_text(policy_csv(RBAC))
    return file


def test_the_policy_is_one_to_argo_cd(judge, policy):
    assert "Policy is valid" in argocd(judge, "admin", "settings", "rbac", "validate", "--policy-file", policy)


@pytest.mark.parametrize(
    ("who", "action", "resource", "name", "may"),
    [
        ("role:release", "sync", "applications", "shop/web", True),
        ("role:release", "sync", "applications", "billing/web", False),
        ("role:release", "delete", "applications", "shop/web", False),
        ("role:release", "action/apps/Deployment/restart", "applications", "billing/web", True),
        ("role:release", "action/apps/Deployment/pause", "applications", "billing/web", False),
        ("role:release", "create", "exec", "shop/web", False),
        ("role:people", "update", "accounts", "alice", True),
        ("role:people", "get", "projects", "shop", True),
        ("role:people", "delete", "projects", "shop", False),
        ("role:people", "get", "clusters", "https://kubernetes.default.svc", True),
        ("role:people", "delete", "gpgkeys", "4AEE18F83AFDEB23", True),
        ("cn=release, dc=acme", "sync", "applications", "shop/web", True),
        ("cn=release", "sync", "applications", "shop/web", False),
        ("platform", "create", "clusters", "https://elsewhere", True),
        ("auditors", "get", "applications", "billing/web", True),
        ("auditors", "sync", "applications", "billing/web", False),
        ("nobody", "get", "applications", "shop/web", False),
    ],
)
def test_a_role_may_what_it_is_granted_and_nothing_else(judge, policy, who, action, resource, name, may):
    question = ("admin", "settings", "rbac", "can", who, action, resource, name, "--policy-file", policy)

    assert argocd(judge, *question, code=0 if may else 1).splitlines()[0] == ("Yes" if may else "No")


@pytest.mark.parametrize("resource", sorted(set(ACTIONS) - {"write-repositories"}))
def test_argo_cd_knows_each_action_that_we_let_pass(judge, policy, resource):
    for action in ACTIONS[resource]:
        if (resource, action) == ("accounts", "get"):
            continue  # its server asks for it; its command line does not know that
        asked = f"{action}apps/Deployment/x" if action.endswith("/") else action
        question = ("admin", "settings", "rbac", "can", "nobody", asked, resource, "a/b", "--policy-file", policy)
        assert argocd(judge, *question, code=1).splitlines()[0] == "No"


def applications(server, *groups):
    return [item["metadata"]["name"] for item in server.ask("GET", "applications", groups=groups)["items"] or []]


def test_a_person_sees_what_their_groups_may_see(server):
    assert applications(server) == []
    assert applications(server, DEVELOPERS) == ["shop"]
    assert applications(server, "cn=developers") == []
    assert sorted(applications(server, "auditors")) == ["billing", "shop"]


def test_a_member_of_a_team_may_sync_its_application_and_change_nothing(server):
    def asks(method, path, body=None):
        return server.ask(method, path, body, groups=[DEVELOPERS])

    with pytest.raises(RefusedError, match="repository not found") as begun:
        asks("POST", "applications/shop/sync", {"dryRun": True})
    assert begun.value.status == 400
    for method, path, body in (
        ("POST", "applications/billing/sync", {"dryRun": True}),
        ("DELETE", "applications/shop", None),
        ("PATCH", "applications/shop", {"patch": "{}", "patchType": "merge"}),
        ("DELETE", "projects/shop", None),
        ("GET", "applications/billing", None),
    ):
        with pytest.raises(RefusedError) as refused:
            asks(method, path, body)
        assert refused.value.status == 403


# --- settings and credentials -----------------------------------------------------------------------------------------


def test_the_settings_of_log_in_are_ones_to_argo_cd(judge, tmp_path):
    sso = {"issuer": "https://id.example.com", "client_id": "argocd", "client_secret": "argocd-sso"}
    values = argocd_values(ArgoCDSpec.model_validate({"domain": "argocd.example.com", "sso": sso}))
    # The chart makes the address from the domain, and text of what is none.
    data = {
        key: value if isinstance(value, str) else str(value).lower() for key, value in values["configs"]["cm"].items()
    }
    file = tmp_path / "argocd-cm.yaml"
    file.write_text(dump({**named("v1", "ConfigMap", "argocd-cm", "argocd"), "data": {**data, "url": "https://a.b"}}))
    found = argocd(judge, "admin", "settings", "validate", "--argocd-cm-path", file, "--namespace", "argocd")

    assert "OIDC is configured" in found
    assert "❌" not in found


GIT = "https://git.example.com/apis.git"
CERTIFICATE = {"certificate": "s", "private_key": "s"}
SHOWN = {"tlsClientCertData": "S", "tlsClientCertKey": "S"}
REPOSITORIES = [
    ({"kind": "public", "url": GIT}, {}),
    ({"kind": "public", "url": GIT, "proxy": "http://proxy:3128"}, {"proxy": "http://proxy:3128"}),
    ({"kind": "basic", "url": GIT, "username": "u", "password": "s"}, {"username": "u", "password": "S"}),
    ({"kind": "token", "url": GIT, "token": "s"}, {"bearerToken": "S"}),
    *(
        ({**ours, "url": GIT, "client_certificate": CERTIFICATE}, {**theirs, **SHOWN})
        for ours, theirs in (
            ({"kind": "basic", "username": "u", "password": "s"}, {"username": "u", "password": "S"}),
            ({"kind": "token", "token": "s"}, {"bearerToken": "S"}),
            (
                {"kind": "github-app", "app_id": 1, "installation_id": 2, "private_key": "s"},
                {"githubAppID": 1, "githubAppInstallationID": 2, "githubAppPrivateKey": "S"},
            ),
        )
    ),
    ({"kind": "ssh", "url": "git@git.example.com:a/b.git", "private_key": "s"}, {"sshPrivateKey": "S"}),
    (
        {"kind": "github-app", "url": GIT, "app_id": 1, "installation_id": 2, "private_key": "s"},
        {"githubAppID": 1, "githubAppInstallationID": 2, "githubAppPrivateKey": "S"},
    ),
    (
        {
            "kind": "github-app",
            "url": GIT,
            "app_id": 1,
            "installation_id": 2,
            "private_key": "s",
            "enterprise_url": "https://github.example.com/api/v3",
        },
        {
            "githubAppID": 1,
            "githubAppInstallationID": 2,
            "githubAppPrivateKey": "S",
            "githubAppEnterpriseBaseUrl": "https://github.example.com/api/v3",
        },
    ),
    ({"kind": "google", "url": GIT, "service_account_key": "s"}, {"gcpServiceAccountKey": "S"}),
    ({"kind": "azure-workload-identity", "url": GIT}, {"useAzureWorkloadIdentity": True}),
    (
        {"kind": "basic", "type": "helm", "name": "charts", "url": GIT, "username": "u", "password": "s"},
        {"type": "helm", "name": "charts", "username": "u", "password": "S"},
    ),
    (
        {"kind": "basic", "type": "helm", "name": "oci", "url": "r.example.com/c", "username": "u", "password": "s"},
        {"type": "helm", "name": "oci", "enableOCI": True, "username": "u", "password": "S"},
    ),
    (
        {"kind": "basic", "type": "oci", "url": "oci://r.example.com/apis", "username": "u", "password": "s"},
        {"type": "oci", "username": "u", "password": "S"},
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), REPOSITORIES, ids=[str(ours) for ours, _ in REPOSITORIES])
@pytest.mark.parametrize("template", [False, True])
def test_a_credential_is_the_secret_that_argo_cd_itself_would_write(judge, server, ours, theirs, template):
    cluster = judge.cluster()
    if template:  # of which it knows no names
        ours, theirs = ({key: value for key, value in each.items() if key != "name"} for each in (ours, theirs))
    # Of a project's repositories Argo CD does not ask whether they can be reached, which none of these can.
    scope = {"template": True} if template else {"project": "shop"}
    made = repository_object(TypeAdapter(Repository).validate_python({**ours, **scope}), "argocd")
    body = {"repo" if not template else "url": ours["url"], "type": "git", **theirs}
    kind = "repocreds" if template else "repositories"
    server.ask("POST", kind, body if template else {**body, "project": "shop"}, groups=["platform"])
    label = made["metadata"]["labels"]["argocd.argoproj.io/secret-type"]
    (written,) = [
        item
        for item in cluster.list("v1", "Secret", "argocd", f"argocd.argoproj.io/secret-type={label}")
        if item["metadata"].get("annotations", {}).get("managed-by") == "argocd.argoproj.io"
    ]
    cluster.delete(written)

    given = {key: "S" if isinstance(value, SecretSlot) else value for key, value in made["stringData"].items()}
    assert given == {key: base64.b64decode(value).decode() for key, value in written["data"].items()}
