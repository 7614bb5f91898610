"""A GitLab token as Pulumi resources."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from apiops_components.components.gitlab import GitLabToken
from apiops_components.components.program import preview_programs
from apiops_components.errors import InvalidInput, NotRunnable
from apiops_components.project import Project
from apiops_components.render.description import render_all
from apiops_components.testing.pulumi import SECRET, UNKNOWN, record

SPEC = {
    "url": "https://gitlab.example.com/",
    "administrator": "gitlab-administrator",
    "user_id": 42,
    "name": "argocd-prod",
    "scopes": ["read_repository", "read_api"],
    "expires": "2027-03-31",
    "repository": {"url": "https://gitlab.example.com/platform/apis.git"},
    "variable": {"project": "platform/apis", "key": "ARGOCD_GITLAB_TOKEN"},
}
PROVIDER = "pulumi:providers:gitlab"
TOKEN = "gitlab:index/userImpersonationToken:UserImpersonationToken"  # noqa: S105  (a type)
VARIABLE = "gitlab:index/projectVariable:ProjectVariable"
ADMINISTRATOR = "glpat-administrator-0000"
MADE = "glpat-made-1111"


def recorded(*, spec=SPEC, preview=True, cluster=True):
    def program():
        provider = kubernetes.Provider("cluster", kubeconfig="{}") if cluster else None
        secrets = {"gitlab-administrator": pulumi.Config("apiops").require_secret("gitlab-administrator")}
        token = GitLabToken("git", spec, secrets=secrets, opts=pulumi.ResourceOptions(provider=provider))
        pulumi.export("token", token.token)
        pulumi.export("expires", token.expires)

    return record(
        program,
        config={"apiops:gitlab-administrator": ADMINISTRATOR},
        secret_config_keys=["apiops:gitlab-administrator"],
        outputs=lambda resource: {"token": MADE} if resource.type == TOKEN else None,
        preview=preview,
    )


@pytest.mark.parametrize("preview", [True, False])
def test_created_with_its_credential_and_variable(preview):
    recording = recorded(preview=preview)
    component = recording.one("apiops:index:GitLabToken", "git")
    children = {child.name: child for child in recording.children(component)}

    assert children.keys() == {"git-gitlab", "git-token", "git-secret-repository-d30114dfa9", "git-variable"}
    provider, token, variable = (children[f"git-{role}"] for role in ("gitlab", "token", "variable"))
    secret = children["git-secret-repository-d30114dfa9"]
    assert (provider.type, token.type, variable.type) == (PROVIDER, TOKEN, VARIABLE)
    assert secret.type == "kubernetes:core/v1:Secret"
    assert provider.inputs == {
        "baseUrl": "https://gitlab.example.com/api/v4/",
        "insecure": "false",
        "token": SECRET,
    }
    assert provider.inputs["token"] is SECRET
    assert token.inputs == {
        "userId": 42,
        "name": "argocd-prod",
        "scopes": ["read_api", "read_repository"],
        "expiresAt": "2027-03-31",
        "validatePastExpirationDate": False,
    }
    assert secret.inputs["metadata"]["namespace"] == "argocd"
    assert secret.inputs["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "repository"
    assert secret.inputs["stringData"] == {
        "type": "git",
        "url": "https://gitlab.example.com/platform/apis.git",
        "username": "oauth2",
        "password": SECRET,
    }
    assert secret.inputs["stringData"]["password"] is SECRET
    assert variable.inputs == {
        "project": "platform/apis",
        "key": "ARGOCD_GITLAB_TOKEN",
        "value": SECRET,
        "environmentScope": "*",
        "variableType": "env_var",
        "masked": True,
        "protected": True,
        "raw": True,
    }
    assert variable.inputs["value"] is SECRET
    assert recording.outputs == {"token": SECRET, "expires": "2027-03-31"}
    assert component.outputs["token"] is SECRET


def test_the_token_is_made_by_the_provider_of_the_spec_and_the_secret_goes_to_the_cluster():
    recording = recorded()
    provider = recording.one(PROVIDER)
    for made in (recording.one(TOKEN), recording.one(VARIABLE)):
        assert made.provider.startswith(f"{provider.urn}::")
    cluster = recording.one("pulumi:providers:kubernetes")
    assert recording.one("kubernetes:core/v1:Secret").provider.startswith(f"{cluster.urn}::")


def test_consumers_come_after_the_token_so_that_they_move_before_the_old_one_goes():
    recording = recorded()
    token = recording.one(TOKEN)

    assert token.delete_before_replace in (None, False)
    assert recording.one("kubernetes:core/v1:Secret").property_dependencies["stringData"] == (token.urn,)
    assert recording.one(VARIABLE).property_dependencies["value"] == (token.urn,)


def test_it_is_revoked_when_it_leaves_the_program():
    token = recorded().one(TOKEN)
    assert (token.retain_on_delete, token.protect, token.deleted_with) == (False, False, "")


def test_no_change_registers_the_same_again():
    assert recorded() == recorded()


def test_a_new_date_changes_the_date_and_nothing_else():
    before, after = recorded(), recorded(spec={**SPEC, "expires": "2027-06-30"})
    changed = {
        (old.urn, key)
        for old, new in zip(before.resources, after.resources, strict=True)
        for key in old.inputs.keys() | new.inputs.keys()
        if old.inputs.get(key) != new.inputs.get(key)
    }
    assert changed == {(before.one(TOKEN).urn, "expiresAt")}
    assert [r.urn for r in before.resources] == [r.urn for r in after.resources]


def test_the_order_of_scopes_changes_nothing():
    assert recorded() == recorded(spec={**SPEC, "scopes": ["read_api", "read_repository"]})


def test_the_token_alone():
    recording = recorded(spec={key: value for key, value in SPEC.items() if key not in ("repository", "variable")})
    assert [child.type for child in recording.children(recording.one("apiops:index:GitLabToken"))] == [PROVIDER, TOKEN]


@pytest.mark.parametrize("preview", [True, False])
def test_no_token_stands_in_clear_in_what_is_recorded(preview):
    recording = recorded(preview=preview)
    text = json.dumps(asdict(recording), default=str)
    assert ADMINISTRATOR not in text
    assert MADE not in text
    assert recording.one(TOKEN).additional_secret_outputs == ("token",)


def test_a_token_that_is_not_made_yet_is_unknown_and_secret():
    assert UNKNOWN not in recorded().outputs.values()
    assert recorded().outputs["token"] is SECRET


def test_an_administrator_s_token_in_clear_becomes_a_secret():
    recording = record(lambda: GitLabToken("git", SPEC, secrets={"gitlab-administrator": ADMINISTRATOR}))
    assert recording.one(PROVIDER).inputs["token"] is SECRET
    assert ADMINISTRATOR not in json.dumps(asdict(recording), default=str)


def test_without_the_administrator_s_token_it_is_told_what_to_set():
    with pytest.raises(InvalidInput) as caught:
        record(lambda: GitLabToken("git", SPEC, secrets={}))
    (problem,) = caught.value.problems
    assert (problem.code, problem.document, problem.path) == ("secret/missing", "GitLabToken git", "administrator")
    assert problem.hint.endswith("pulumi config set --secret apiops:gitlab-administrator")


def test_a_broken_spec_is_told_with_the_component():
    with pytest.raises(InvalidInput, match="GitLabToken git: scopes") as caught:
        record(lambda: GitLabToken("git", {**SPEC, "scopes": ["read_repo"]}, secrets={}))
    assert [problem.hint for problem in caught.value.problems] == ["did you mean read_repository?"]


def test_without_the_extra_its_name_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pulumi_gitlab", None)
    with pytest.raises(NotRunnable, match=r"pip install 'apiops-components\[gitlab\]'") as caught:
        record(lambda: GitLabToken("git", SPEC, secrets={"gitlab-administrator": "x"}))
    assert caught.value.problems[0].code == "extra/missing"


# --- the example platform with a token ------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]
SETTINGS = """
    gitlab_tokens:
      argocd-git:
        url: https://gitlab.example.com
        administrator: gitlab-administrator
        user_id: 42
        name: argocd-staging
        scopes: [read_repository]
        expires: 2027-03-31
        repository:
          url: https://gitlab.example.com/platform/apis.git
    secrets:
      - gitlab-administrator
"""


def test_the_platform_s_program_keeps_the_tokens_of_its_settings(tmp_path):
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    settings = tmp_path / "stacks/config/Pulumi.staging.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("\n    secrets:\n", SETTINGS), encoding="utf-8")
    project = Project.load(tmp_path)

    platform, _ = preview_programs(project, "staging")

    token = platform.recording.one("apiops:index:GitLabToken", "argocd-git")
    secret = next(r for r in platform.recording.children(token) if r.type == "kubernetes:core/v1:Secret")
    argocd = platform.recording.one("apiops:index:ArgoCD")
    assert {child.urn for child in platform.recording.children(argocd)} <= set(token.dependencies)
    (rendered,) = (m for m in render_all(project.descriptions("staging")) if m.component == "GitLabToken argocd-git")
    assert rendered.owner == "pulumi"
    assert {**secret.inputs["stringData"], "password": "<secret:gitlab-token>"} == rendered.object["stringData"]
    assert secret.inputs["metadata"] == rendered.object["metadata"]
