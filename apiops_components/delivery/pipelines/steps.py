"""What each step of a pipeline runs: the same shell on every forge."""

from __future__ import annotations

from shlex import quote

from apiops_components.delivery.pipelines.spec import PipelineSpec

__all__ = ["DIGEST", "checks", "deploy", "planned", "preview", "promote", "smoke", "synced"]

DIGEST = """python -c "import json; print(json.load(open('promotion.json'))['digest'])\""""
"""Prints the digest that a person approves, from the plan."""

_SYNC_SECONDS = 900


def checks(spec: PipelineSpec, base: str) -> list[str]:
    """A change: its trees are what the sources give, guardrails hold, tests pass."""
    first, second = spec.first, spec.second
    return [
        f"apiopsctl render --env {first} --out {spec.trees}/{first} --check",
        f"apiopsctl render --env {second} --out {spec.trees}/{second} --check --base {base}",
        f"apiopsctl check --env {first}",
        f"apiopsctl check --env {second}",
        *spec.tests,
    ]


def preview(spec: PipelineSpec, base: str, limit: str) -> str:
    """What the change does, as the text of a comment."""
    envs = f"--env {spec.first} --env {spec.second}"
    return f"apiopsctl preview --base {base} {envs} --format markdown --limit {limit} --out preview.md"


def deploy(spec: PipelineSpec, env: str) -> list[str]:
    """What Pulumi owns in an environment, its plan in the log first; then how its cluster is reached.

    The first stack is the platform's, whose output ``kubeconfig`` names a plugin for the credentials and holds none.
    """
    commands = []
    for folder in spec.stacks:
        where = "" if folder == "." else f" --cwd {quote(folder)}"
        commands.append(f"pulumi preview{where} --stack {env} --diff --non-interactive")
        commands.append(f"pulumi up{where} --stack {env} --yes --skip-preview --non-interactive")
    platform = "" if spec.stacks[0] == "." else f" --cwd {quote(spec.stacks[0])}"
    shown = f"pulumi stack output kubeconfig{platform} --stack {env} --show-secrets"
    return [*commands, f"(umask 077 && {shown} > kubeconfig-{env})"]


def synced(env: str) -> str:
    """Waits until Argo CD has brought the cluster to what Git says."""
    return f"apiopsctl drift --env {env} --kubeconfig kubeconfig-{env} --wait {_SYNC_SECONDS}"


def smoke(spec: PipelineSpec) -> list[str]:
    """Requests at the first environment, with their answers."""
    return [f"apiopsctl smoke {quote(spec.smoke)} --token-env GITLAB_ADMIN_TOKEN"] if spec.smoke else []


def planned(spec: PipelineSpec) -> list[str]:
    """The plan of the promotion, for a person to approve."""
    command = f"apiopsctl promote {spec.first} {spec.second} --kubeconfig kubeconfig-{spec.first}"
    return [f"{command} --format markdown --out promotion.md", f"{command} --format json --out promotion.json"]


def promote(spec: PipelineSpec, push: str) -> list[str]:
    """The commit of the promotion, on top of what the branch is by now; a push that came second is refused."""
    return [
        f"git fetch --quiet origin {quote(spec.branch)}",
        "git checkout --quiet --detach FETCH_HEAD",
        f'apiopsctl promote {spec.first} {spec.second} --apply --approved-digest "$APPROVED_DIGEST"',
        push,
    ]
