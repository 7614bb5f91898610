"""Each setting of an environment changed, on the platform's stack and a team's; ngrok and Argo CD: test_installs.py."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from settings_walk import fields, paths

from apiops_components.models.cluster import ExistingSpec
from apiops_components.models.environment import Environment, TeamSettings

pytestmark = pytest.mark.engine

ROUTES = {"guestbook-httproute-guestbook": "update", "orders-httproute-orders": "update"}
GATEWAY = {"shop-gateway-shop": "update"}
POLICY = {"shop-ngroktrafficpolicy-shop-gateway": "update"}
NAMESPACE = {"shop-namespace-shop": "update"}

# The change, what `up` of the platform does, and what `up` of the team does after it; each on top of those before it.
CHANGES = [
    ({"owner": "sre@example.com"}, {}, {}),
    ({"secrets": ["kubeconfig", "kubeconfig-elsewhere"]}, {}, {}),
    # Another way to the same cluster: nothing in it changes.
    ({"cluster": {"kubeconfig_secret": "kubeconfig-elsewhere"}}, {}, {}),
    ({"cluster": {"context": "{context}"}}, {}, {}),
    ({"cluster": {"kubeconfig_secret": None, "kubeconfig_path": "{file}"}}, {}, {}),
    ({"promoted_from": "dev"}, {}, {}),
    ({"git": {"repository": "https://git.example.com/apis.git"}}, {}, {}),
    ({"git": {"revision": "release"}}, {}, {}),
    ({"git": {"path": "trees"}}, {}, {}),
    (
        {"teams": {"shop": {"owner": "team@example.com"}}},
        NAMESPACE,
        {**POLICY, **GATEWAY, **ROUTES, "orders-ngroktrafficpolicy-orders": "update"},
    ),
    ({"teams": {"shop": {"host": "shop-2.sandbox.test"}}}, {}, {**GATEWAY, **ROUTES}),
    ({"teams": {"shop": {"variables": {"issuer": "https://id.sandbox.test"}}}}, {}, POLICY),
    ({"teams": {"shop": {"pod_security": {"reason": "Another reason, and just as good."}}}}, NAMESPACE, {}),
    ({"teams": {"shop": {"pod_security": {"level": "privileged"}}}}, NAMESPACE, {}),
    (
        {"teams": {"cart": {"owner": "cart@example.com", "delivery": "direct"}}},
        {"cart": "create", "cart-namespace-cart": "create"},
        {},
    ),
    (
        {"teams": {"cart": {"namespace": "carts"}}},
        {"cart-namespace-carts": "create", "cart-namespace-cart": "delete"},
        {},
    ),
]
ELSEWHERE = {
    "name": "is the name of the stack",
    "cluster.kind": "another kind is another cluster",
    "ngrok": "test_installs.py",
    "argocd": "test_installs.py",
    "gitlab_tokens": "test_gitlab.py",
}
"""Settings that do not change here, each with the reason."""


def merged(below, over):
    """Mappings are merged, null removes."""
    if not isinstance(below, dict) or not isinstance(over, dict):
        return over
    kept = {key: merged(below.get(key), value) for key, value in over.items()}
    return {key: value for key, value in {**below, **kept}.items() if value is not None}


def up(engine, team):
    """Deploys; what was done, by the resource's name."""
    said = engine.run("up", "--yes", "--skip-preview", "--json", "-s", "sandbox", team=team)
    events = [json.loads(line) for line in said.splitlines()]
    done = [event["resourcePreEvent"]["metadata"] for event in events if "resourcePreEvent" in event]
    return {step["urn"].rpartition("::")[2]: step["op"] for step in done if step["op"] not in ("same", "read")}


@pytest.fixture(scope="module")
def deployed(engine):
    engine.run("config", "set", "--secret", "apiops:kubeconfig-elsewhere", "-s", "sandbox", given=engine.kubeconfig)
    (engine.project / "kubeconfig").write_text(engine.kubeconfig)
    for team in (None, "shop"):
        up(engine, team)
    yield engine
    for team in ("shop", None):
        engine.run("destroy", "--yes", "--skip-preview", "-s", "sandbox", team=team)


def test_each_setting_is_changed_or_says_why_not():
    apart = {"cluster", "ngrok", "argocd", "gitlab_tokens", "teams"}
    known = {path for path in fields(Environment) if path.partition(".")[0] not in apart}
    known |= {*fields(ExistingSpec, "cluster"), *fields(TeamSettings, "teams"), "ngrok", "argocd", "gitlab_tokens"}
    changed = {re.sub(r"^teams\.[a-z]+\.", "teams.", path) for change, *_ in CHANGES for path in paths(change)}

    assert changed | ELSEWHERE.keys() == known
    assert not changed & ELSEWHERE.keys()


@pytest.mark.parametrize(("change", "platform", "team"), CHANGES, ids=lambda value: json.dumps(value) if value else "")
def test_a_setting_changes_what_it_says_and_nothing_else(deployed, change, platform, team):
    file = deployed.project / "stacks/config/Pulumi.sandbox.yaml"
    content = yaml.safe_load(file.read_text())
    context = yaml.safe_load(deployed.kubeconfig)["current-context"]
    text = json.dumps(change).replace("{context}", context).replace("{file}", str(deployed.project / "kubeconfig"))
    content["config"]["apiops:environment"] = merged(content["config"]["apiops:environment"], json.loads(text))
    file.write_text(yaml.safe_dump(content))

    assert up(deployed, None) == platform
    assert up(deployed, "shop") == team


def test_after_all_of_them_nothing_is_left_to_do(deployed):
    for team in (None, "shop"):
        deployed.run("preview", "--expect-no-changes", "-s", "sandbox", team=team)
        if deployed.cluster:  # a folder cannot be refreshed
            deployed.run("refresh", "--yes", "--skip-preview", "--expect-no-changes", "-s", "sandbox", team=team)
        deployed.run("preview", "--expect-no-changes", "-s", "sandbox", team=team)
