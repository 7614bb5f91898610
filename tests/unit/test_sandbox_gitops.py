from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from apiops_components import Project, documents, versions
from apiops_components.sandbox.argocd import argocd_settings, redis_configuration
from apiops_components.sandbox.gitops import delivered, failing, identity, nudge, settled
from apiops_components.sandbox.nodes import nodes
from apiops_components.sandbox.repository import Repository

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def example():
    return delivered(Project.load(ROOT), "sandbox", "file:///srv/repository")


def test_what_pulumi_owns_is_applied_and_the_rest_is_committed(example):
    assert [f"{item['kind']} {item['metadata']['name']}" for item in example.applied] == [
        "Namespace shop",
        "NetworkPolicy default-deny",
        "AppProject shop",
        "Application shop",
    ]
    assert example.applications == ("shop",)
    assert {path.partition("/")[0] for path in example.files} == {"shop", "index.json"}


def test_both_together_are_what_the_environment_renders_to(example):
    rendered = documents.load_all((ROOT / "tests/unit/expected/sandbox.yaml").read_text())
    expected = {_key(item.value): item.value for item in rendered}
    committed = [next(documents.load_all(text)).value for path, text in example.files.items() if path != "index.json"]
    found = {_key(item): item for item in (*example.applied, *committed)}

    for kind in ("AppProject", "Application"):
        found.pop((kind, "shop"))
    for item in found.values():  # of Argo CD alone: what it applies last
        item["metadata"].get("annotations", {}).pop("argocd.argoproj.io/sync-wave", None)
    assert found == expected


def _key(item):
    return item["kind"], item["metadata"]["name"]


def test_the_application_follows_the_team_s_folder_of_the_sandbox_s_repository(example):
    (application,) = (item for item in example.applied if item["kind"] == "Application")

    assert application["spec"]["source"]["repoURL"] == "file:///srv/repository"
    assert application["spec"]["source"]["path"] == f"{example.folder}/shop"


def test_the_index_says_which_files_are_ours(example):
    listed = json.loads(example.files["index.json"])

    assert listed["environment"] == "sandbox"
    assert set(listed["files"]) == set(example.files) - {"index.json"}


def test_a_team_s_own_project_deploys_the_whole_platform_too(example):
    assert delivered(Project.load(ROOT / "stacks/teams/shop"), "sandbox", "file:///srv/repository") == example


# --- when it is there ------------------------------------------------------------------------------------------------


def application(**changes):
    status = {
        "sync": {"status": "Synced", "revision": "c1"},
        "health": {"status": "Healthy"},
        "operationState": {"phase": "Succeeded"},
    }
    return {"metadata": {"name": "shop"}, "status": {**status, **changes}}


def test_it_is_there_when_this_commit_is_live_and_healthy():
    assert settled(application(), "c1")


@pytest.mark.parametrize(
    ("live", "why"),
    [
        ({}, "not compared, health not known"),
        ({"status": {}}, "not compared, health not known"),
        (application(sync={"status": "Synced", "revision": "c0"}), "Synced, Healthy; it has not seen the last commit"),
        (application(sync={"status": "OutOfSync", "revision": "c1"}), "OutOfSync, Healthy"),
        (application(health={"status": "Progressing"}), "Synced, Progressing"),
        (application(operationState={"phase": "Running", "message": "waiting"}), "Synced, Healthy; waiting"),
        (application() | {"operation": {"sync": {}}}, "Synced, Healthy"),
        (
            application(
                health={"status": "Degraded"},
                conditions=[{"message": "no such folder"}],
                resources=[
                    {"kind": "Service", "name": "a", "namespace": "shop", "status": "Synced"},
                    {"kind": "Pod", "name": "b", "namespace": "shop", "health": {"status": "Degraded"}},
                ],
            ),
            "Synced, Degraded; no such folder; Pod shop/b is Degraded",
        ),
    ],
)
def test_it_is_said_why_it_is_not_there_yet(live, why):
    assert not settled(live, "c1")
    assert failing(live, "c1") == why


def test_argo_cd_is_left_alone_while_it_works():
    running = application(operationState={"phase": "Running"}) | {"operation": {"sync": {}}}

    assert nudge(application(), "c1") is None
    assert nudge(running, "c1") is None
    assert nudge({}, "c1") is None


def test_between_two_tries_it_is_told_to_begin_anew():
    waiting = application(operationState={"phase": "Running", "retryCount": 3}) | {"operation": {"sync": {}}}

    assert nudge(waiting, "c1") == {"status": {"operationState": {"phase": "Terminating"}}}


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_after_the_last_try_it_is_told_to_try_again(phase):
    given_up = application(operationState={"phase": phase}) | {"spec": {"syncPolicy": {"syncOptions": ["A=b"]}}}

    assert nudge(given_up, "c1") == {
        "operation": {
            "initiatedBy": {"username": "apiopsctl"},
            "sync": {
                "revision": "c1",
                "prune": True,
                "syncOptions": ["A=b"],
                "syncStrategy": {"hook": {}},
            },
        }
    }


def test_an_object_is_told_by_kind_namespace_and_name():
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "labels": {}}, "spec": {}}

    assert identity(namespace) == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}


# --- the repository --------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


def git(repository, *arguments):
    command = ["git", f"--git-dir={repository.path}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_commit_holds_the_files_and_no_other_and_leaves_other_folders(repository):
    repository.commit("deploy/a", {"x/one.yaml": "1\n", "x/two.yaml": "2\n"}, "First")
    repository.commit("deploy/b", {"three.yaml": "3\n"}, "Second")
    repository.commit("deploy/a", {"x/two.yaml": "zwei: ü\n"}, "Third")

    listed = git(repository, "ls-tree", "-r", "--name-only", "main").split()
    assert listed == ["deploy/a/x/two.yaml", "deploy/b/three.yaml"]
    assert git(repository, "show", "main:deploy/a/x/two.yaml") == "zwei: ü\n"
    assert git(repository, "log", "--format=%s", "main").split() == ["Third", "Second", "First"]
    git(repository, "fsck", "--strict")


def test_the_same_files_are_no_new_commit(repository):
    first = repository.commit("deploy/a", {"one.yaml": "1\n"}, "First")

    assert repository.commit("deploy/a", {"one.yaml": "1\n"}, "Again") == first == repository.head()
    assert Repository(repository.path).commit("deploy/a", {"one.yaml": "1\n"}, "Again") == first
    assert repository.commit("deploy/a", {"one.yaml": "2\n"}, "Other") != first


def test_a_lock_that_a_killed_run_left_does_not_stop_the_next(repository):
    repository.commit("deploy/a", {"one.yaml": "1\n"}, "First")
    (repository.path / "refs/heads/main.lock").write_text("")

    assert repository.commit("deploy/a", {"one.yaml": "2\n"}, "Second") == repository.head()


def test_the_user_s_git_settings_have_no_say(monkeypatch, tmp_path):
    (tmp_path / "gitconfig").write_text("[commit]\ngpgsign = true\n[init]\ndefaultBranch = other\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_DIR", "/nowhere")

    other = Repository(tmp_path / "other")
    assert other.commit("deploy", {"a": "b"}, "First") == other.head()


def test_without_git_the_next_step_is_said(monkeypatch, tmp_path):
    from apiops_components.errors import NotRunnable  # noqa: PLC0415

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotRunnable, match="there is no git"):
        Repository(tmp_path / "repository")


# --- what is there from the start ------------------------------------------------------------------------------------


def test_argo_cd_finds_what_it_expects():
    objects = argocd_settings("a-key")

    assert [f"{item['kind']} {item['metadata']['name']}" for item in objects] == [
        "Namespace argocd",
        "ConfigMap argocd-cm",
        "ConfigMap argocd-rbac-cm",
        "ConfigMap argocd-cmd-params-cm",
        "ConfigMap argocd-ssh-known-hosts-cm",
        "ConfigMap argocd-tls-certs-cm",
        "ConfigMap argocd-gpg-keys-cm",
        "Secret argocd-secret",
        "AppProject default",
    ]
    settings = [item for item in objects if item["kind"] in ("ConfigMap", "Secret")]
    assert {item["metadata"]["labels"]["app.kubernetes.io/part-of"] for item in settings} == {"argocd"}
    assert {item["metadata"]["namespace"] for item in settings} == {"argocd"}


def test_the_cache_listens_here_alone_and_wants_a_password():
    assert redis_configuration(1234, "pass").splitlines() == [
        "bind 127.0.0.1",
        "port 1234",
        "requirepass pass",
        "appendonly no",
        'save ""',
    ]


def test_nodes_stand_in_different_zones():
    zones = [node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes()]

    assert zones == ["zone-1", "zone-2", "zone-3"]
    assert versions.SANDBOX_KUBERNETES.startswith(f"{versions.KUBERNETES}.")
