"""The pipeline as a scripted Jenkinsfile of a multibranch project."""

from __future__ import annotations

from apiops_components.delivery.pipelines import steps
from apiops_components.delivery.pipelines.spec import PipelineSpec

__all__ = ["jenkinsfile"]

# Groovy: `$` stands in single quotes only, so that the shell and not Jenkins reads it.
_FILE = """\
// Written by `apiopsctl pipelines --forge jenkins`; change pipelines.yaml and write it again.
//
// Agents apiops (reviews), apiops-{first} and apiops-{second} (each with the workload identity of its environment, and
// no key). Credentials: apiops-comment and apiops-smoke (secret text), apiops-push (user name and password, for Git).
properties([disableConcurrentBuilds()])

def image = '{image}'

if (env.CHANGE_ID) {{
    node('apiops') {{
        timeout(time: {minutes}, unit: 'MINUTES') {{
            checkout scm
            docker.image(image).inside {{
                stage('Checks') {{
{checks}
                }}
                stage('Preview') {{
                    try {{
{preview}
                    }} finally {{
                        archiveArtifacts artifacts: 'preview.md'
                        withCredentials([{comment_token}]) {{
{comment}
                        }}
                    }}
                }}
            }}
        }}
    }}
}} else if (env.BRANCH_NAME == '{branch}') {{
    String digest = null
    node('apiops-{first}') {{
        timeout(time: {minutes}, unit: 'MINUTES') {{
            checkout scm
            // The commit of a promotion is delivered already: by the run that made it.
            if (!sh(script: 'git log -1 --format=%s', returnStdout: true).startsWith('Promote ')) {{
                docker.image(image).inside {{
                    stage('Deploy - Staging') {{
{first_deploy}
                    }}
{smoke}
                    stage('Plan') {{
{plan}
                        archiveArtifacts artifacts: 'promotion.md'
                        digest = sh(script: '''{digest}''', returnStdout: true).trim()
                    }}
                }}
            }}
        }}
    }}
    if (digest) {{
        stage('Sanity check') {{
            // Refused, or not answered in time: the build ends here.
            timeout(time: {hours}, unit: 'HOURS') {{
                input message: 'Does the staging environment look ok?', submitter: '{approvers}'
            }}
        }}
        node('apiops-{second}') {{
            timeout(time: {minutes}, unit: 'MINUTES') {{
                checkout scm
                docker.image(image).inside {{
                    stage('Deploy - Production') {{
{second_deploy}
                        withCredentials([gitUsernamePassword(credentialsId: 'apiops-push')]) {{
                            withEnv(["APPROVED_DIGEST=${{digest}}"]) {{
{promote}
                            }}
                        }}
{wait}
                    }}
                }}
            }}
        }}
    }}
}}
"""


_COMMENTS = "string(credentialsId: 'apiops-comment', variable: 'GITLAB_COMMENT_TOKEN')"
_SMOKES = "string(credentialsId: 'apiops-smoke', variable: 'GITLAB_ADMIN_TOKEN')"


def jenkinsfile(spec: PipelineSpec) -> str:
    """The file ``Jenkinsfile``."""
    base = '"origin/$CHANGE_TARGET"'
    fetched = 'git fetch --quiet origin "+$CHANGE_TARGET:refs/remotes/origin/$CHANGE_TARGET"'
    who = "git config user.name Promotion && git config user.email promotion@localhost"
    push = f"git push origin HEAD:refs/heads/{spec.branch}"
    return _FILE.format(
        image=spec.image,
        first=spec.first,
        second=spec.second,
        branch=_text(spec.branch),
        approvers=_text(spec.approvers),
        minutes=spec.minutes,
        hours=spec.approval_hours,
        digest=steps.DIGEST.replace("\\", "\\\\").replace("'", "\\'"),
        checks=_sh([fetched, *steps.checks(spec, base)], 20),
        preview=_sh([steps.preview(spec, base, "gitlab")], 24),
        comment_token=_COMMENTS,
        comment=_sh(['apiopsctl comment preview.md --merge-request "$CHANGE_ID" --token-env GITLAB_COMMENT_TOKEN'], 28),
        first_deploy=_sh([*steps.deploy(spec, spec.first), steps.synced(spec.first)], 24),
        smoke=_smoke(spec),
        plan=_sh(steps.planned(spec), 24),
        second_deploy=_sh(steps.deploy(spec, spec.second), 24),
        promote=_sh([who, *steps.promote(spec, push)], 32),
        wait=_sh([steps.synced(spec.second)], 24),
    )


def _smoke(spec: PipelineSpec) -> str:
    if not spec.smoke:
        return "                    // No smoke tests are set."
    return "\n".join(
        [
            "                    stage('Smoke tests') {",
            f"                        withCredentials([{_SMOKES}]) {{",
            _sh(steps.smoke(spec), 28),
            "                        }",
            "                    }",
        ]
    )


def _sh(commands: list[str], indent: int) -> str:
    return "\n".join(f"{' ' * indent}sh '{_text(command)}'" for command in commands)


def _text(text: str) -> str:
    """Inside a single-quoted string of Groovy."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
