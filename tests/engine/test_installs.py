"""ngrok and Argo CD by their real charts, deployed by the real engine: up, unchanged, each setting changed, down.

Needs `pulumi` and kubectl on PATH, APIOPS_CHARTS, and by APIOPS_TEST_KUBECONFIG a cluster whose pods become ready, with
the definitions of the Gateway API alone. The tests build on each other, in their order.
"""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from installs_changes import ARGOCD, NGROK, UNCHANGED, changed, settings
from installs_stack import RETAINED, installs

pytestmark = pytest.mark.engine

CHANGES = [({"ngrok": change}, steps) for change, steps in NGROK]
CHANGES += [({"argocd": change}, steps) for change, steps in ARGOCD]

LASTING = ("deployment", "statefulset", "crd", "namespace", "service", "secret")


@pytest.fixture(scope="module")
def before():
    """The objects of the cluster before anything was deployed; told by the fixture ``stack``."""
    return {}


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """The same charts, as if a patch release had come out."""
    folder = tmp_path_factory.mktemp("newer")
    for chart in ("ngrok-operator", "ngrok-crds", "argo-cd"):
        shutil.copytree(Path(os.environ.get("APIOPS_CHARTS", "")) / chart, folder / chart)
        file = folder / chart / "Chart.yaml"
        about = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump({**about, "version": f"{about['version']}+newer"}))
    return folder


@pytest.fixture(scope="module")
def stack(project, before, tmp_path_factory):
    stack = installs(project, tmp_path_factory.mktemp("installs"))
    before |= stack.objects()
    stack.up()
    yield stack
    stack.write(stack.settings)
    stack.destroy()


def uids(stack):
    """Each object of the kinds that must not be made anew, with its identity."""
    found = json.loads(stack.kubectl("get", ",".join(LASTING), "-A", "--output", "json"))["items"]
    named = {(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]): item for item in found}
    return {key: item["metadata"]["uid"] for key, item in named.items() if "sh.helm.release" not in key[2]}


def test_each_setting_is_changed_or_says_why_not():
    assert changed() | UNCHANGED.keys() == settings()
    assert not changed() & UNCHANGED.keys()


def test_after_up_nothing_is_left_to_do(stack):
    stack.unchanged()


def test_a_refresh_finds_no_change(stack):
    stack.refreshed()
    stack.unchanged()


@pytest.mark.parametrize(("change", "steps"), CHANGES, ids=lambda value: json.dumps(value) if value else "")
def test_a_setting_changes_in_place(stack, newer, change, steps):
    there = uids(stack)
    text = json.dumps(change).replace("{newer}", str(newer)).replace("{charts}", os.environ["APIOPS_CHARTS"])
    settings = stack.with_changes(json.loads(text))
    stack.write(settings)
    done = stack.done()

    stack.settings = settings
    # A "*" stands for a hash in a name.
    assert {name: [done[found] for found in fnmatch.filter(done, name)] for name in steps} == {
        name: [step] for name, step in steps.items()
    }
    assert len(done) == len(steps), done
    assert {key: uid for key, uid in uids(stack).items() if key in there} == there


def test_after_all_of_them_nothing_is_left_to_do(stack):
    stack.unchanged()
    stack.refreshed()
    stack.unchanged()


def test_all_of_them_have_arrived(stack):
    agent = json.loads(stack.kubectl("get", "deployment", "ngrok-operator-agent", "-n", "ngrok-operator", "-o", "json"))
    (container,) = agent["spec"]["template"]["spec"]["containers"]
    assert agent["spec"]["replicas"] == agent["status"]["readyReplicas"] == 3
    assert container["resources"]["requests"] == {"cpu": "300m", "memory": "600Mi"}
    assert "--region=eu" in container["args"]
    settings = json.loads(stack.kubectl("get", "configmap", "argocd-cm", "-n", "argocd", "-o", "json"))["data"]
    assert settings["url"] == "https://argocd.example.com"
    assert settings["timeout.reconciliation"] == "600s"
    assert "issuer: https://login.example.com" in settings["oidc.config"]
    policy = json.loads(stack.kubectl("get", "configmap", "argocd-rbac-cm", "-n", "argocd", "-o", "json"))["data"]
    assert policy["policy.csv"] == "p, role:ops, projects, get, shop, deny\ng, shop-developers, role:ops\n"
    assert "pdb" not in stack.kubectl("get", "pdb", "-n", "ngrok-operator", "--output=name")


def test_a_new_credential_arrives_in_the_same_secret(stack):
    secret = ("get", "secret", "ngrok-credentials", "-n", "ngrok-operator")
    read = (*secret, "--output=jsonpath={.metadata.uid} {.data.API_KEY}")
    uid, old = stack.kubectl(*read).split()
    stack.set_secret("ngrok-other", "key-three")
    stack.up()
    same, new = stack.kubectl(*read).split()

    assert same == uid
    assert new != old
    assert "key-three" not in stack.engine.run("stack", "export", "-s", "installs")


@pytest.mark.parametrize("time", ["first", "second"])
def test_destroy_leaves_nothing_but_what_is_retained_by_name(stack, before, time):
    """The second install takes over what the first one left, and leaves no more behind."""
    if time == "second":
        stack.up()
    stack.destroy()
    left = stack.objects()
    kept = {key: value for key, value in left.items() if key not in before}
    definitions = {f"- CustomResourceDefinition {name}" for name in RETAINED}
    groups = {name.partition(".")[2] for name in RETAINED}

    assert {key for key in kept if "APIService" not in key} == definitions - before.keys()
    # The API server serves each definition's group, and says so by an object of its own.
    assert {key.split()[2].partition(".")[2] for key in kept if "APIService" in key} <= groups
    assert definitions <= left.keys()
    assert {key: left.get(key) for key in before if key not in definitions} == {
        key: value for key, value in before.items() if key not in definitions
    }
    deployment = json.loads(stack.engine.run("stack", "export", "-s", "installs"))["deployment"]
    assert not deployment.get("resources")
