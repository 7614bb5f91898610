"""The engine killed at many moments, then what docs/howto/interrupted-update.md says, word by word.

Needs what tests/engine/test_installs.py needs. With `-m "engine and long"` also rounds at random moments:
APIOPS_ROUNDS says how many, and APIOPS_SEED repeats a run.
"""

from __future__ import annotations

import json
import os
import random
import time
from contextlib import contextmanager

import pytest
from installs_stack import NAME, installs
from interruption import (
    AFTER_DESTROY,
    AFTER_UP,
    HOW_TO,
    IMPORT,
    cut_off,
    pending_operations,
    releases,
    type_in,
)

pytestmark = pytest.mark.engine

DEPLOYED = {"argocd": "deployed", "ngrok-crds": "deployed", "ngrok-operator": "deployed"}
REPOSITORY = {"kind": "basic", "url": "https://git.example.com/apis.git", "username": "argocd", "password": "git"}
CHANGE = {
    "argocd": {"domain": "argocd.example.com", "repositories": [REPOSITORY]},
    "ngrok": {"replicas": 1, "agent_replicas": 1, "region": "eu"},
}
"""Makes, changes and deletes objects, beside two upgrades."""
STEPS = {"install": 28, "upgrade": 12, "destroy": 28}
"""Lines that tell of a step, about."""


@pytest.fixture(scope="module")
def cluster(project, tmp_path_factory):
    """The stack, and what an undisturbed run leaves of each kind."""
    stack = installs(project, tmp_path_factory.mktemp("interrupted"))
    undisturbed = {}
    stack.up()
    undisturbed["install"] = stack.wished()
    stack.write(stack.with_changes(CHANGE))
    stack.up()
    undisturbed["upgrade"] = stack.wished()
    stack.destroy()
    undisturbed["destroy"] = stack.wished()
    yield stack, undisturbed
    type_in(stack, AFTER_DESTROY)


def begin(stack, what):
    """Brings the stack to where it may be cut off; the settings and the command of what follows."""
    stack.write(stack.settings)
    if what == "install":
        stack.destroy()
    else:
        stack.up()
    if what == "upgrade":
        stack.write(stack.with_changes(CHANGE))
    return "destroy" if what == "destroy" else "up"


def converged(stack, what, undisturbed):
    """Fails unless all is as after an undisturbed run."""
    assert not pending_operations(stack)
    if what != "destroy":
        stack.unchanged()
        assert releases(stack) == DEPLOYED
    assert stack.wished() == undisturbed[what]


@pytest.mark.parametrize(
    ("what", "moment", "delay", "orphan"),
    [
        ("install", "argocd-namespace-argocd creating", 0, False),
        ("install", "ngrok-secret-ngrok-credentials created", 0, True),
        ("install", "argocd-release creating", 2, False),
        ("install", "ngrok-operator creating", 2, True),
        ("upgrade", "argocd-release updating", 2, False),
        ("upgrade", "ngrok-operator updating", 1, True),
        ("destroy", "argocd-release deleting", 1, False),
        ("destroy", "ngrok-operator deleting", 1, True),
    ],
)
def test_killed_at_a_moment_it_converges_as_the_how_to_says(cluster, what, moment, delay, orphan):
    stack, undisturbed = cluster
    command = begin(stack, what)
    said = cut_off(stack, command, lambda _, line: moment in line, delay=delay, orphan=orphan)
    assert moment in said
    assert "Duration:" not in said, "the engine came to its end before it was killed"
    locked = stack.engine.run(command, "--yes", "--skip-preview", "-s", NAME, code=1)
    assert "currently locked" in locked
    type_in(stack, AFTER_DESTROY if what == "destroy" else AFTER_UP)

    converged(stack, what, undisturbed)


@pytest.mark.long
def test_killed_at_random_moments_it_converges_each_time(cluster):
    stack, undisturbed = cluster
    seed = int(os.environ.get("APIOPS_SEED") or time.time_ns() % 10**6)
    chance = random.Random(seed)  # noqa: S311
    for turn in range(int(os.environ.get("APIOPS_ROUNDS", "8"))):
        for what in ("install", "upgrade", "destroy"):
            at, orphan = chance.randint(1, STEPS[what]), chance.random() < 0.4
            delay = chance.choice((0, 0, 0.3, 1, 2, 4))
            moment = f"seed {seed}, round {turn}: {what}, killed {delay} s after step {at}, orphan: {orphan}"
            print(moment)  # noqa: T201  (pytest shows it where the test fails)
            command = begin(stack, what)
            cut_off(stack, command, lambda step, _, at=at: step >= at, delay=delay, orphan=orphan)
            type_in(stack, AFTER_DESTROY if what == "destroy" else AFTER_UP)
            converged(stack, what, undisturbed)


@contextmanager
def up_again(stack):
    """A stack that is deployed, and afterwards as its settings say."""
    stack.write(stack.settings)
    stack.up()
    try:
        yield
    finally:
        stack.write(stack.settings)
        type_in(stack, AFTER_UP)


def cut_off_in_helm(stack):
    """Kills the engine and its provider while Helm upgrades Argo CD."""
    cut_off(stack, "up", lambda _, line: "argocd-release updating" in line, status=("argocd", "pending-upgrade"))
    assert releases(stack)["argocd"] == "pending-upgrade"


def test_nothing_is_made_anew_by_an_upgrade_that_was_cut_off(cluster):
    stack, _ = cluster
    with up_again(stack):
        read = ("get", "deployment,statefulset", "-A", "--output=jsonpath={.items[*].metadata.uid}")
        uids = stack.kubectl(*read)
        stack.write(stack.with_changes({"argocd": {"domain": "argocd.example.com"}}))
        cut_off_in_helm(stack)
        type_in(stack, AFTER_UP)

        assert stack.kubectl(*read) == uids
        given = stack.kubectl("get", "configmap", "argocd-cmd-params-cm", "-n", "argocd", "-o", "json")
        assert json.loads(given)["data"]["server.insecure"] == "true"


def test_a_refresh_does_not_take_what_was_cut_off_for_done(cluster):
    """Without the three lines about Helm, the next `up` says that something is left, and what."""
    stack, _ = cluster
    with up_again(stack):
        stack.write(stack.with_changes({"argocd": {"domain": "argocd.example.com"}}))
        cut_off_in_helm(stack)
        type_in(stack, "".join(line + "\n" for line in AFTER_UP.splitlines()[:2]))
        said = stack.engine.run("up", "--yes", "--skip-preview", "-s", NAME, code=1)

        assert "another operation (install/upgrade/rollback) is in progress" in said
        assert "another operation (install/upgrade/rollback) is in progress" in HOW_TO


def test_a_destroy_that_was_cut_off_cannot_be_turned_round(cluster):
    stack, undisturbed = cluster
    with up_again(stack):
        cut_off(stack, "destroy", lambda _, line: "argocd-release deleting" in line, status=("argocd", "uninstalling"))
        type_in(stack, "".join(line + "\n" for line in AFTER_DESTROY.splitlines()[:2]))
        stack.write(stack.with_changes({"argocd": {"domain": "argocd.example.com"}}))
        said = stack.engine.run("up", "--yes", "--skip-preview", "-s", NAME, code=1)
        assert "has no deployed releases" in said
        assert "has no deployed releases" in HOW_TO
        type_in(stack, AFTER_DESTROY)
        converged(stack, "destroy", undisturbed)


def test_what_the_state_lacks_is_taken_over_where_it_stands(cluster):
    stack, undisturbed = cluster
    with up_again(stack):
        read = ("get", "deployment,statefulset,gatewayclass", "-A", "--output=jsonpath={.items[*].metadata.uid}")
        uids = stack.kubectl(*read)
        forget(stack, "argocd-release")
        forget(stack, "ngrok-gatewayclass-ngrok")
        said = stack.engine.run("up", "--yes", "--skip-preview", "-s", NAME, code=1)
        for message in ("cannot re-use a name that is still in use", "already exists"):
            assert message in said
            assert message in HOW_TO
        type_in(stack, AFTER_UP)

        assert stack.kubectl(*read) == uids
        converged(stack, "install", undisturbed)


def test_a_state_that_is_lost_is_made_anew_and_nothing_in_the_cluster(cluster):
    stack, undisturbed = cluster
    with up_again(stack):
        read = ("get", "deployment,statefulset,crd,namespace", "-A", "--output=jsonpath={.items[*].metadata.uid}")
        uids = stack.kubectl(*read)
        stack.engine.run("stack", "rm", NAME, "--force", "--yes", "--preserve-config")
        stack.engine.run("stack", "init", NAME)
        type_in(stack, AFTER_UP)

        assert stack.kubectl(*read) == uids
        converged(stack, "install", undisturbed)


def test_what_the_state_lacks_can_be_imported(cluster):
    stack, undisturbed = cluster
    with up_again(stack):
        read = ("get", "gatewayclass", "ngrok", "--output=jsonpath={.metadata.uid}")
        uid = stack.kubectl(*read)
        forget(stack, "ngrok-gatewayclass-ngrok")
        type_in(stack, IMPORT)

        assert stack.kubectl(*read) == uid
        converged(stack, "install", undisturbed)


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
