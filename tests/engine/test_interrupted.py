"""The engine killed in the middle, then what docs/howto/interrupted-update.md says, word by word.

Needs what tests/engine/test_installs.py needs.
"""

from __future__ import annotations

import json
import os

import pytest
from installs_stack import NAME, installs
from interrupted import commands, follow, killed, releases

pytestmark = pytest.mark.engine


@pytest.fixture
def stack(project, tmp_path):
    stack = installs(project, tmp_path)
    yield stack
    stack.destroy()


DEPLOYED = {"argocd": "deployed", "ngrok-crds": "deployed", "ngrok-operator": "deployed"}


def test_the_how_to_has_these_commands():
    assert [line.split()[:2] for line in commands()] == [
        ["pulumi", "cancel"],
        ["kubectl", "delete"],
        ["pulumi", "refresh"],
        ["pulumi", "up"],
    ]


def test_killed_in_the_middle_of_an_install_it_converges(stack):
    killed(stack)
    assert "currently locked" in stack.engine.run("up", "--yes", "--skip-preview", "-s", NAME, code=1)
    follow(stack)

    stack.unchanged()
    assert releases(stack) == DEPLOYED


def test_killed_in_the_middle_of_an_upgrade_it_converges_and_nothing_is_lost(stack):
    stack.up()
    server = ("get", "deployment", "argocd-server", "-n", "argocd", "--output=jsonpath={.metadata.uid}")
    uid = stack.kubectl(*server)
    stack.write(stack.with_changes({"argocd": {"domain": "argocd.example.com"}}))
    killed(stack)
    follow(stack)

    stack.unchanged()
    assert releases(stack) == DEPLOYED
    assert stack.kubectl(*server) == uid
    given = stack.kubectl("get", "configmap", "argocd-cmd-params-cm", "-n", "argocd", "-o", "json")
    assert json.loads(given)["data"]["server.insecure"] == "true"


def test_what_helm_finished_without_the_engine_is_taken_over(stack):
    stack.up()
    uid = ("get", "deployment", "argocd-server", "-n", "argocd", "--output=jsonpath={.metadata.uid}")
    before = stack.kubectl(*uid)
    release, gateway_class = forget(stack, "argocd-release"), forget(stack, "ngrok-gatewayclass-ngrok")
    assert release
    assert gateway_class
    assert "cannot re-use a name that is still in use" in stack.engine.run(
        "up", "--yes", "--skip-preview", "-s", NAME, code=1
    )
    stack.kubectl("delete", "secret", "--namespace", "argocd", "--selector", "owner=helm,name=argocd")
    stack.engine.environment["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"] = "true"
    stack.up()
    del stack.engine.environment["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"]
    stack.up()

    stack.unchanged()
    assert stack.kubectl(*uid) == before
    assert os.environ.get("PULUMI_K8S_UPSERT_EXISTING_OBJECTS") is None


def forget(stack, name):
    """Takes a resource out of the state, as an engine leaves it that was killed while the provider went on."""
    state = json.loads(stack.engine.run("stack", "export", "-s", NAME))
    resources = state["deployment"]["resources"]
    (lost,) = [resource for resource in resources if resource["urn"].endswith(f"::{name}")]
    resources.remove(lost)
    for resource in resources:
        resource.get("dependencies", [])[:] = [urn for urn in resource.get("dependencies", []) if urn != lost["urn"]]
        for urns in resource.get("propertyDependencies", {}).values():
            (urns or [])[:] = [urn for urn in urns or [] if urn != lost["urn"]]
    stack.engine.run("stack", "import", "-s", NAME, given=json.dumps(state))
    return lost
