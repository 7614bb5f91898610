"""The pipeline as GitLab CI."""

from __future__ import annotations

from typing import Any

from apiops_components.delivery.pipelines import steps
from apiops_components.delivery.pipelines.spec import PipelineSpec
from apiops_components.documents import dump

__all__ = ["pipeline"]

_HEAD = """\
# Written by `apiopsctl pipelines --forge gitlab`; change pipelines.yaml and write it again.
#
# Protected environments: {first} and {second}; only those who may deploy to {second} can run the job sanity-check.
# Variables of the project, each masked; those marked * protected, so that only protected branches get them:
#   GITLAB_COMMENT_TOKEN   project access token (Developer, scope api): the comment
#   GITLAB_PUSH_TOKEN *    project access token (Maintainer, scope write_repository): the commit of the promotion
#   GITLAB_ADMIN_TOKEN *   for the smoke tests, where tokens of test users are made
"""

_BASE = '"origin/$CI_MERGE_REQUEST_TARGET_BRANCH_NAME"'
_CHANGE = [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}]
_PROMOTION = {"if": "$CI_COMMIT_MESSAGE =~ /^Promote /", "when": "never"}  # the pipeline's own commit
_ASKPASS = """\
printf '#!/bin/sh\\nprintenv GITLAB_PUSH_TOKEN\\n' > "$CI_PROJECT_DIR.askpass" && chmod 700 "$CI_PROJECT_DIR.askpass"
"""
_ADDRESS = "https://promotion@$CI_SERVER_HOST:$CI_SERVER_PORT/$CI_PROJECT_PATH.git"


def pipeline(spec: PipelineSpec) -> str:
    """The file ``.gitlab-ci.yml``."""
    content = {
        "stages": ["review", "staging", "approval", "production"],
        "default": {"image": spec.image, "timeout": f"{spec.minutes} minutes", "interruptible": False},
        "variables": {"GIT_DEPTH": "0", "NO_COLOR": "1"},
        "workflow": {"rules": [_PROMOTION, *_CHANGE, {"if": _on(spec)}]},
        "checks": {
            "stage": "review",
            "rules": _CHANGE,
            "interruptible": True,
            "script": [_fetch_base(), *steps.checks(spec, _BASE)],
        },
        "preview": {
            "stage": "review",
            "rules": _CHANGE,
            "interruptible": True,
            "script": [_fetch_base(), steps.preview(spec, _BASE, "gitlab")],
            "artifacts": {"when": "always", "paths": ["preview.md"], "expire_in": "1 week"},
        },
        # Writes a comment, and so runs nothing of the change: no sources are there.
        "comment": {
            "stage": "review",
            "rules": [{**_CHANGE[0], "when": "always"}],
            "needs": ["preview"],
            "variables": {"GIT_STRATEGY": "none"},
            "script": ["apiopsctl comment preview.md --token-env GITLAB_COMMENT_TOKEN"],
        },
        "deploy-staging": _first(spec),
        "sanity-check": _gate(spec),
        "deploy-production": _second(spec),
    }
    return _HEAD.format(first=spec.first, second=spec.second) + dump(content)


def _on(spec: PipelineSpec) -> str:
    return f'$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == "{spec.branch}"'


def _fetch_base() -> str:
    name = "$CI_MERGE_REQUEST_TARGET_BRANCH_NAME"
    return f'git fetch --quiet origin "+{name}:refs/remotes/origin/{name}"'


def _identity(spec: PipelineSpec, env: str) -> tuple[dict[str, Any], list[str]]:
    """The job's own token, and the file by which Google's libraries exchange it; no key is kept anywhere."""
    identity = spec.identities.get(env)
    if identity is None:
        return {}, []
    address = f"//iam.googleapis.com/{identity.provider}"
    account = f"projects/-/serviceAccounts/{identity.service_account}:generateAccessToken"
    file = (
        f'{{"type":"external_account","audience":"{address}",'
        '"subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"https://sts.googleapis.com/v1/token",'
        '"credential_source":{"file":"%s"},'
        f'"service_account_impersonation_url":"https://iamcredentials.googleapis.com/v1/{account}"}}'
    )
    commands = [
        'umask 077 && printenv GCP_ID_TOKEN > "$CI_PROJECT_DIR.token"',
        f'printf \'{file}\' "$CI_PROJECT_DIR.token" > "$CI_PROJECT_DIR.json"',
        'export GOOGLE_APPLICATION_CREDENTIALS="$CI_PROJECT_DIR.json"',
    ]
    return {"id_tokens": {"GCP_ID_TOKEN": {"aud": f"https:{address}"}}}, commands


def _first(spec: PipelineSpec) -> dict[str, Any]:
    more, commands = _identity(spec, spec.first)
    return {
        "stage": "staging",
        "rules": [{"if": _on(spec)}],
        "environment": {"name": spec.first},
        "resource_group": spec.first,
        **more,
        "script": [
            *commands,
            *steps.deploy(spec, spec.first),
            steps.synced(spec.first),
            *steps.smoke(spec),
            *steps.planned(spec),
            "cat promotion.md",
            f'echo "APPROVED_DIGEST=$({steps.DIGEST})" > promotion.env',
        ],
        "artifacts": {"paths": ["promotion.md"], "reports": {"dotenv": "promotion.env"}, "expire_in": "1 week"},
    }


def _gate(spec: PipelineSpec) -> dict[str, Any]:
    """A person's word: only those who may deploy to the protected environment can run the job."""
    return {
        "stage": "approval",
        "rules": [{"if": _on(spec), "when": "manual", "allow_failure": False}],
        "needs": ["deploy-staging"],
        "environment": {"name": spec.second, "action": "access"},
        "manual_confirmation": "Does the staging environment look ok?",
        "variables": {"GIT_STRATEGY": "none"},
        "script": ['echo "approved: $APPROVED_DIGEST"'],
    }


def _second(spec: PipelineSpec) -> dict[str, Any]:
    more, commands = _identity(spec, spec.second)
    return {
        "stage": "production",
        "rules": [{"if": _on(spec)}],
        "needs": ["deploy-staging", "sanity-check"],
        "environment": {"name": spec.second},
        "resource_group": spec.second,
        **more,
        "script": [
            *commands,
            *steps.deploy(spec, spec.second),
            'git config user.name Promotion && git config user.email "noreply@$CI_SERVER_HOST"',
            _ASKPASS.strip(),
            'export GIT_ASKPASS="$CI_PROJECT_DIR.askpass"',
            *steps.promote(spec, f'git push "{_ADDRESS}" "HEAD:refs/heads/{spec.branch}"'),
            steps.synced(spec.second),
        ],
    }
