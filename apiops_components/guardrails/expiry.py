"""Whether the tokens that an environment keeps still live long enough."""

from __future__ import annotations

from datetime import date

from apiops_components.guardrails.finding import Finding
from apiops_components.models.environment import Environment

__all__ = ["expiring"]


def expiring(environment: Environment, today: date) -> list[Finding]:
    """A finding for each GitLab token that is over, nearly over, or dated further than GitLab allows."""
    return [
        Finding(
            guardrail="gitlab-token-expiry",
            subject=f"GitLabToken {name}",
            owner=environment.owner,
            team=None,
            message=problem.message,
            hint=problem.hint,
            path=f"gitlab_tokens.{name}.{problem.path}",
        )
        for name, token in environment.gitlab_tokens.items()
        if (problem := token.problem(today)) is not None
    ]
