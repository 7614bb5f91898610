"""The pipeline as a workflow of GitHub Actions."""

from __future__ import annotations

from typing import Any

from apiops_components.delivery.pipelines import steps
from apiops_components.delivery.pipelines.spec import PipelineSpec
from apiops_components.documents import dump
from apiops_components.versions import GITHUB_ACTIONS

__all__ = ["workflow"]

_HEAD = """\
# Written by `apiopsctl pipelines --forge github`; change pipelines.yaml and write it again.
#
# Environments of the repository: {first}; approval, with required reviewers, who look at {first} and say yes; and
# {second}, for the branch {branch} alone. A push with the job's own token starts no further run.
"""

_COMMENT = """\
marker='<!-- apiops preview -->'
{ echo "$marker"; cat preview.md; } > body.md
first='.[] | select(.user.login == "github-actions[bot]" and (.body | startswith("<!-- apiops preview -->"))) | .id'
id=$(gh api --paginate "repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments" --jq "$first" | head -n 1)
if [ -n "$id" ]; then
  gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" --field body=@body.md
else
  gh api --silent --method POST "repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments" --field body=@body.md
fi
"""

_BASE = '"origin/$GITHUB_BASE_REF"'
_ROOM = "65400"  # of 65,536: the marker stands before it
_CHANGE = "github.event_name == 'pull_request'"
_MERGE = "github.event_name == 'push'"


def workflow(spec: PipelineSpec) -> str:
    """The file ``.github/workflows/delivery.yml``."""
    content = {
        "name": "delivery",
        "on": {"pull_request": None, "push": {"branches": [spec.branch]}},
        "permissions": {},
        "concurrency": {
            "group": "delivery-${{ github.event.pull_request.number || github.ref }}",
            "cancel-in-progress": f"${{{{ {_CHANGE} }}}}",
        },
        "defaults": {"run": {"shell": "bash"}},
        "jobs": {
            "checks": _job(spec, _CHANGE, [_checkout(), *_run("Checks", steps.checks(spec, _BASE))]),
            "preview": _preview(spec),
            "comment": _comment(spec),
            "deploy-staging": _first(spec),
            "sanity-check": _gate(spec),
            "deploy-production": _second(spec),
        },
    }
    head = _HEAD.format(first=spec.first, second=spec.second, branch=spec.branch)
    return head + dump(content).replace("pull_request: null", "pull_request: {}")


def _action(name: str) -> str:
    commit, _ = GITHUB_ACTIONS[name]
    return f"{name}@{commit}"


def _checkout(*, push: bool = False) -> dict[str, Any]:
    options: dict[str, Any] = {"fetch-depth": 0, "persist-credentials": push}
    return {"uses": _action("actions/checkout"), "with": options}


def _run(name: str, commands: list[str], **more: Any) -> list[dict[str, Any]]:
    # The checkout belongs to another user than the container's.
    trusted = 'git config --global --add safe.directory "$GITHUB_WORKSPACE"'
    return [{"name": name, **more, "run": "".join(f"{command}\n" for command in [trusted, *commands])}]


def _job(spec: PipelineSpec, condition: str, found: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "if": condition,
        "runs-on": "ubuntu-latest",
        "container": spec.image,
        "timeout-minutes": spec.minutes,
        "permissions": {"contents": "read"},
        **more,
        "steps": found,
    }


def _preview(spec: PipelineSpec) -> dict[str, Any]:
    """Runs the change's own code, and so may write nothing."""
    keep = {"if": "always()", "uses": _action("actions/upload-artifact")}
    keep["with"] = {"name": "preview", "path": "preview.md", "if-no-files-found": "error"}  # type: ignore[assignment]
    return _job(spec, _CHANGE, [_checkout(), *_run("Preview", [steps.preview(spec, _BASE, _ROOM)]), keep])


def _comment(spec: PipelineSpec) -> dict[str, Any]:
    """Writes a comment, and so runs nothing of the change."""
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    return {
        "needs": "preview",
        "if": f"always() && {_CHANGE} && needs.preview.result != 'cancelled' && {own}",
        "runs-on": "ubuntu-latest",
        "timeout-minutes": min(spec.minutes, 10),
        "permissions": {"pull-requests": "write"},
        "steps": [
            {"uses": _action("actions/download-artifact"), "with": {"name": "preview"}},
            {
                "name": "One comment, updated in place",
                "env": {"GH_TOKEN": "${{ github.token }}", "NUMBER": "${{ github.event.pull_request.number }}"},
                "run": _COMMENT,
            },
        ],
    }


def _identity(spec: PipelineSpec, env: str) -> list[dict[str, Any]]:
    identity = spec.identities.get(env)
    if identity is None:
        return []
    options = {"workload_identity_provider": identity.provider, "service_account": identity.service_account}
    return [{"uses": _action("google-github-actions/auth"), "with": options}]


def _deploying(spec: PipelineSpec, env: str, contents: str) -> dict[str, Any]:
    rights = {"contents": contents} | ({"id-token": "write"} if env in spec.identities else {})
    return {"environment": env, "permissions": rights, "concurrency": {"group": env, "cancel-in-progress": False}}


def _first(spec: PipelineSpec) -> dict[str, Any]:
    env = {"env": {"GITLAB_ADMIN_TOKEN": "${{ secrets.GITLAB_ADMIN_TOKEN }}"}} if spec.smoke else {}
    output = f'echo "digest=$({steps.DIGEST})" >> "$GITHUB_OUTPUT"'
    found = [
        _checkout(),
        *_identity(spec, spec.first),
        *_run("Deploy - Staging", [*steps.deploy(spec, spec.first), steps.synced(spec.first)]),
        *(_run("Smoke tests", steps.smoke(spec), **env) if spec.smoke else []),
        *_run(
            "Plan of the promotion",
            [*steps.planned(spec), 'cat promotion.md >> "$GITHUB_STEP_SUMMARY"', output],
            id="plan",
        ),
    ]
    more = _deploying(spec, spec.first, "read")
    return _job(spec, _MERGE, found, **more, outputs={"digest": "${{ steps.plan.outputs.digest }}"})


def _gate(spec: PipelineSpec) -> dict[str, Any]:
    """A person's word: the environment ``approval`` has required reviewers."""
    return {
        "name": "Sanity check",
        "needs": "deploy-staging",
        "runs-on": "ubuntu-latest",
        "timeout-minutes": min(spec.minutes, 5),
        "permissions": {},
        "environment": "approval",
        "steps": [
            {
                "name": "Does the staging environment look ok?",
                "env": {"APPROVED_DIGEST": "${{ needs.deploy-staging.outputs.digest }}"},
                "run": 'echo "approved: $APPROVED_DIGEST"\n',
            }
        ],
    }


def _second(spec: PipelineSpec) -> dict[str, Any]:
    push = f"git push origin HEAD:refs/heads/{spec.branch}"
    who = [
        "git config user.name 'github-actions[bot]'",
        "git config user.email '41898282+github-actions[bot]@users.noreply.github.com'",
    ]
    found = [
        _checkout(push=True),
        *_identity(spec, spec.second),
        *_run("Deploy - Production", steps.deploy(spec, spec.second)),
        *_run(
            "Promote what was approved",
            [*who, *steps.promote(spec, push)],
            env={"APPROVED_DIGEST": "${{ needs.deploy-staging.outputs.digest }}"},
        ),
        *_run("Wait for Argo CD", [steps.synced(spec.second)]),
    ]
    more = _deploying(spec, spec.second, "write")
    return _job(spec, _MERGE, found, needs=["deploy-staging", "sanity-check"], **more)
