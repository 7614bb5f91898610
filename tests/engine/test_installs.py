"""ngrok and Argo CD by their real charts, deployed by the real engine: up, unchanged, each setting changed, down.

Needs `pulumi` and kubectl on PATH, APIOPS_CHARTS, and by APIOPS_TEST_KUBECONFIG a cluster whose pods become ready, with
the definitions of the Gateway API alone. The tests build on each other, in their order.
"""

from __future__ import annotations

import json

import pytest
from installs_stack import ARGOCD_CHANGES, NAME, RETAINED, installs

pytestmark = pytest.mark.engine

UPDATED_NGROK = {"ngrok-operator": "update"}

# Each setting that can change in a cluster that is in use, and what the engine then does; never a replacement.
NGROK = [
    ({"replicas": 3}, UPDATED_NGROK),
    ({"agent_replicas": 3}, UPDATED_NGROK),
    ({"resources": {"cpu": "150m", "memory": "300Mi"}}, UPDATED_NGROK),
    ({"agent_resources": {"cpu": "300m", "memory": "600Mi"}}, UPDATED_NGROK),
    ({"spread": False}, UPDATED_NGROK),
    ({"watch_namespace": "ngrok-operator"}, UPDATED_NGROK),
    ({"region": "eu"}, UPDATED_NGROK),
    ({"domain_reclaim_policy": "Delete"}, UPDATED_NGROK),
    ({"drain_policy": "Delete"}, UPDATED_NGROK),
    ({"cleanup_hook_image": "docker.io/alpine/kubectl:1.35.0"}, UPDATED_NGROK),
    ({"chart": {"values": {"log": {"level": "debug"}}}}, UPDATED_NGROK),
    ({"timeout": "6m"}, {"ngrok-crds": "update", "ngrok-operator": "update"}),
    ({"keep_crds": False}, {}),
    (
        {"disruption_budget": False},
        {"ngrok-operator": "update", "ngrok-poddisruptionbudget-ngrok-operator-agent": "delete"},
    ),
]
CHANGES = [({"ngrok": change}, steps) for change, steps in NGROK] + [
    ({"argocd": change}, steps) for change, steps in ARGOCD_CHANGES
]


@pytest.fixture(scope="module")
def stack(project, tmp_path_factory):
    stack = installs(project, tmp_path_factory.mktemp("installs"))
    before = stack.objects()
    stack.up()
    yield stack
    stack.write(stack.settings)
    stack.up()
    stack.destroy()
    # Nothing is left but what is retained by name; a second install takes that over, and leaves no more behind.
    for _ in range(2):
        left = {tuple(line.split()) for line in stack.objects() - before}
        assert {name for _, _, name in left} <= RETAINED
        assert {kind for _, kind, _ in left} <= {"CustomResourceDefinition"}
        assert (
            set(
                stack.kubectl("get", "crd", "--output=name")
                .replace("customresourcedefinition.apiextensions.k8s.io/", "")
                .split()
            )
            >= RETAINED
        )
        stack.up()
        stack.destroy()


def test_after_up_nothing_is_left_to_do(stack):
    stack.unchanged()


def test_a_refresh_finds_no_change(stack):
    stack.engine.run("refresh", "--yes", "--skip-preview", "--expect-no-changes", "-s", NAME)
    stack.unchanged()


@pytest.mark.parametrize(("change", "steps"), CHANGES, ids=lambda value: json.dumps(value) if value else "")
def test_a_setting_changes_in_place(stack, change, steps):
    stack.write(stack.with_changes(change))

    assert stack.steps() == steps


def test_all_of_them_together_arrive_in_place(stack):
    uids = {
        kind: stack.kubectl("get", kind, "-A", "--output=jsonpath={.items[*].metadata.uid}")
        for kind in ("deployment", "crd")
    }
    changes = [change for change, _ in CHANGES if change != {"ngrok": {"keep_crds": False}}]
    stack.write(stack.with_changes(*changes))
    stack.up()
    stack.unchanged()

    for kind, before in uids.items():
        assert stack.kubectl("get", kind, "-A", "--output=jsonpath={.items[*].metadata.uid}") == before
    agent = json.loads(stack.kubectl("get", "deployment", "ngrok-operator-agent", "-n", "ngrok-operator", "-o", "json"))
    (container,) = agent["spec"]["template"]["spec"]["containers"]
    assert agent["spec"]["replicas"] == agent["status"]["readyReplicas"] == 3
    assert container["resources"]["requests"] == {"cpu": "300m", "memory": "600Mi"}
    assert "--region=eu" in container["args"]
    settings = json.loads(stack.kubectl("get", "configmap", "argocd-cm", "-n", "argocd", "-o", "json"))["data"]
    assert settings["url"] == "https://argocd.example.com"
    assert "issuer: https://id.example.com" in settings["oidc.config"]
    assert "pdb" not in stack.kubectl("get", "pdb", "-n", "ngrok-operator", "--output=name")


def test_a_new_credential_arrives_in_the_same_secret(stack):
    read = (
        "get",
        "secret",
        "ngrok-credentials",
        "-n",
        "ngrok-operator",
        "--output=jsonpath={.metadata.uid} {.data.API_KEY}",
    )
    uid, old = stack.kubectl(*read).split()
    stack.set_secret("ngrok-api-key", "key-two")
    stack.up()
    same, new = stack.kubectl(*read).split()

    assert (same, new) != (uid, old)
    assert same == uid
    assert "key-two" not in stack.engine.run("stack", "export", "-s", NAME)
