"""A GitLab token that Pulumi keeps, and what is made from it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pulumi

from apiops_components.components._base import Component, spec_of
from apiops_components.components._manifests import Secrets, register
from apiops_components.errors import InvalidInput, Problem
from apiops_components.extras import from_extra
from apiops_components.models.gitlab import CiVariable, GitLabTokenSpec
from apiops_components.render.gitlab import TOKEN, repository_secret

if TYPE_CHECKING:
    import pulumi_gitlab


class GitLabToken(Component):
    """An impersonation token of one user, Argo CD's credential and a CI variable made from it.

    A new date makes a new token first; the old one is revoked when the credential and the variable have moved. Needs
    the extra ``gitlab``.
    """

    token: pulumi.Output[str]
    """The token; secret."""
    expires: pulumi.Output[str]
    """The day it ends, ``YYYY-MM-DD``."""

    def __init__(
        self,
        name: str,
        spec: GitLabTokenSpec | Mapping[str, Any],
        *,
        secrets: Secrets,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Registers GitLab's provider, the token, and what holds it.

        Args:
            name: Unique in the stack.
            spec: Whose token, until when, and where it is put.
            secrets: Has the value of the secret that ``spec.administrator`` names.
            opts: Of the component; Argo CD's cluster by ``provider``, Argo CD by ``depends_on``.

        Raises:
            InvalidInput: The spec breaks its model, or the administrator's token is not among the secrets.
            NotRunnable: The extra ``gitlab`` is not installed.
        """
        spec = spec_of(GitLabTokenSpec, spec, f"GitLabToken {name}")
        gitlab = from_extra("pulumi_gitlab", "gitlab")
        if spec.administrator not in secrets:
            raise InvalidInput(_missing(spec.administrator, f"GitLabToken {name}"))
        super().__init__(name, opts)
        provider = gitlab.Provider(
            f"{name}-gitlab",
            base_url=f"{spec.url}/api/v4/",
            token=pulumi.Output.secret(secrets[spec.administrator]),
            cacert_file=spec.ca_file,
            insecure=False,
            opts=self.child(),
        )
        made: pulumi_gitlab.UserImpersonationToken = gitlab.UserImpersonationToken(
            f"{name}-token",
            user_id=spec.user_id,
            name=spec.name,
            scopes=sorted(spec.scopes),
            expires_at=spec.expires.isoformat(),
            # It would look at the clock, and a preview of the same program would differ by the day; `check` tells.
            validate_past_expiration_date=False,
            opts=self.child(
                provider=provider,
                # The new one first; Pulumi deletes, and GitLab revokes, the old one when all that uses it has moved.
                delete_before_replace=False,
                # A token that stays behind is what this component is there to prevent.
                retain_on_delete=False,
            ),
        )
        self.token = pulumi.Output.secret(made.token)
        self.expires = made.expires_at
        if spec.repository is not None:
            register(self, [repository_secret(spec.repository)], secrets={TOKEN: self.token})
        if spec.variable is not None:
            self._variable(gitlab, name, spec.variable, provider)
        self.register_outputs({"token": self.token, "expires": self.expires})

    def _variable(self, gitlab: Any, name: str, variable: CiVariable, provider: pulumi.ProviderResource) -> None:
        gitlab.ProjectVariable(
            f"{name}-variable",
            project=variable.project,
            key=variable.key,
            value=self.token,
            environment_scope=variable.environment_scope,
            variable_type="env_var",
            masked=True,
            protected=True,
            raw=True,
            opts=self.child(
                provider=provider,
                additional_secret_outputs=["value"],
                # Of two variables with one key GitLab refuses the second.
                delete_before_replace=True,
            ),
        )


def _missing(secret: str, where: str) -> Problem:
    return Problem(
        f"no value was given for the secret {secret!r}",
        "administrator",
        "secret/missing",
        f"name it in secrets: of the settings, then: pulumi config set --secret apiops:{secret}",
        document=where,
    )
