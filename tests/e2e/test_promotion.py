"""A second environment follows by promotion, with real Argo CD; a bad commit is rolled back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from apiops_components.sandbox.gitops import settled
from apiops_components.sandbox.kube import wait_for

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
NAME = f"promote-{os.getpid()}"
SHOP = "stacks/teams/shop/describe.py"
PERSON = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture(scope="module")
def kubeconfig(ctl, crds):
    yield ctl("sandbox", "up", "--name", NAME, "--crds", crds).strip().splitlines()[-1]
    ctl("sandbox", "down", "--name", NAME)


class Repo:
    def __init__(self, root, origin):
        self.root, self.origin = root, origin

    def git(self, *arguments, cwd=None):
        done = subprocess.run(
            ["git", *map(str, arguments)],
            cwd=cwd or self.root,
            env={**os.environ, **PERSON},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def change(self, file, *pairs):
        text = (self.root / file).read_text(encoding="utf-8")
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        (self.root / file).write_text(text, encoding="utf-8")

    def commit(self, message):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def push(self):
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    """The example platform, both environments in one cluster: a namespace each."""
    folder = tmp_path_factory.mktemp("promotion")
    made = Repo(folder / "repo", folder / "origin.git")
    made.git("init", "--quiet", "--bare", "--initial-branch", "main", made.origin, cwd=folder)
    made.git("clone", "--quiet", made.origin, made.root, cwd=folder)
    shutil.copytree(ROOT / "stacks", made.root / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", made.root)
    for env in ("staging", "prod"):
        settings = f"stacks/config/Pulumi.{env}.yaml"
        made.change(settings, ("        owner: shop@example.com\n", OWNER.format(env=env)))
    made.change("stacks/guardrails.py", ('namespaces=("shop",)', 'namespaces=("shop", "shop-staging", "shop-prod")'))
    made.commit("The platform")
    return made


OWNER = "        owner: shop@example.com\n        namespace: shop-{env}\n"


def application(cluster, repo, env):
    """What follows one environment's tree, as the platform's own Application does."""
    namespace = f"shop-{env}"
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    spec = {
        "project": "default",
        "source": {"repoURL": repo.origin.as_uri(), "targetRevision": "main", "path": f"deploy/{env}/{namespace}"},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["ServerSideApply=true"]},
    }
    item = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": namespace, "namespace": "argocd"},
        "spec": spec,
    }
    cluster.apply(item)
    return item


def follows(cluster, item, commit):
    """Waits until Argo CD has a commit live and healthy."""
    refresh = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}

    def there():
        live = cluster.get(item)
        if settled(live, commit):
            return True
        cluster.merge(item, refresh)
        return False

    assert wait_for(there, seconds=180, pause=2), json.dumps(cluster.get(item).get("status"), indent=1)[:3000]


def test_a_second_environment_follows_by_promotion_and_a_bad_commit_is_rolled_back(ctl, sandbox, kubeconfig, repo):
    cluster = sandbox(NAME).cluster()
    promote = ("promote", "staging", "prod", "--kubeconfig", kubeconfig, "--format", "json")

    def deliver(message):
        ctl("render", "--env", "staging", "--out", "deploy/staging", cwd=repo.root)
        repo.commit(message)

    def promoted():
        plan = json.loads(ctl(*promote, cwd=repo.root, **PERSON))
        ctl(*promote, "--apply", "--approved-digest", plan["digest"], cwd=repo.root, **PERSON)
        return repo.push()

    def capacity():
        policy = {
            "apiVersion": "ngrok.k8s.ngrok.com/v1alpha1",
            "kind": "NgrokTrafficPolicy",
            "metadata": {"name": "orders", "namespace": "shop-prod"},
        }
        rules = cluster.get(policy)["spec"]["policy"]["on_http_request"]
        return [
            action["config"]["capacity"]
            for rule in rules
            for action in rule["actions"]
            if "capacity" in action["config"]
        ]

    # Staging is delivered; until Argo CD has it, nothing moves on.
    deliver("Deliver staging")
    staging = application(cluster, repo, "staging")
    assert "promotion/argocd" in ctl(*promote, cwd=repo.root, code=1)
    follows(cluster, staging, repo.push())
    good = promoted()
    prod = application(cluster, repo, "prod")
    follows(cluster, prod, good)
    drift = ("drift", "--env", "prod", "--kubeconfig", kubeconfig)
    assert ctl(*drift, cwd=repo.root) == "prod  no difference\n"
    assert capacity() == [300]

    # A change that turns out to be a bad one.
    repo.change(SHOP, ("capacity=300", "capacity=3"))
    deliver("Too little")
    found = json.loads(ctl(*promote, cwd=repo.root, code=1))
    assert "is not the state that would move" in found["refused"][0]["message"]  # Argo CD does not have it yet
    follows(cluster, staging, repo.push())
    follows(cluster, prod, promoted())
    assert capacity() == [3]

    ctl("rollback", "--env", "prod", "--to", good, "--apply", cwd=repo.root, **PERSON)
    follows(cluster, prod, repo.push())
    assert capacity() == [300]
    assert ctl(*drift, cwd=repo.root) == "prod  no difference\n"
    ctl("render", "--env", "prod", "--out", "deploy/prod", "--check", cwd=repo.root)
