"""Generators of an ApplicationSet that ask a Git hosting service: its repositories, or its pull requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import Bool, Integer, KubernetesChecked, KubernetesModel, fault

__all__ = ["PullRequestGenerator", "ScmProviderGenerator"]


class SecretKey(KubernetesModel):
    """A key of a Secret."""

    secret_name: str
    """The Secret, in Argo CD's namespace."""
    key: str
    """The key."""


class ConfigMapKey(KubernetesModel):
    """A key of a ConfigMap."""

    config_map_name: str
    """The ConfigMap."""
    key: str
    """The key."""


class BasicAuth(KubernetesModel):
    """User and password."""

    username: str
    """User."""
    password_ref: SecretKey
    """Password."""


class BearerToken(KubernetesModel):
    """A token."""

    token_ref: SecretKey
    """Where it is."""


class _Hosted(KubernetesModel):
    api: str = ""
    """Address of the service; the public one by default."""


class _Server(_Hosted):
    api: str
    """Address of the service."""
    insecure: Bool = False
    """Do not check its certificate."""


class _BitbucketServer(_Server):
    project: str
    """Project."""
    basic_auth: BasicAuth | None = None
    """User and password."""
    bearer_token: BearerToken | None = None
    """Or a token."""
    ca_ref: ConfigMapKey | None = None
    """Authorities of its certificate."""


class _Token(KubernetesModel):
    token_ref: SecretKey | None = None
    """Token of an account."""


class _Github(_Hosted, _Token):
    app_secret_name: str = ""
    """Secret of a GitHub App, instead of a token."""


class _Gitlab(_Hosted, _Token):
    insecure: Bool = False
    """Do not check its certificate."""
    ca_ref: ConfigMapKey | None = None
    """Authorities of its certificate."""


class _AllBranches(KubernetesModel):
    all_branches: Bool = False
    """A set for each branch, not only the default one."""


class GithubOrganization(_Github, _AllBranches):
    """Repositories at GitHub."""

    organization: str
    """Organisation."""
    exclude_archived_repos: Bool = False
    """Leave archived repositories out."""


class GitlabGroup(_Gitlab, _AllBranches):
    """Repositories at GitLab."""

    group: str
    """Group."""
    include_subgroups: Bool = False
    """Groups below too."""
    include_shared_projects: Bool | None = None
    """Projects shared with the group too."""
    include_archived_repos: Bool = False
    """Archived projects too."""
    topic: str = ""
    """Only with this topic."""


class GiteaOwner(_Server, _Token, _AllBranches):
    """Repositories at Gitea."""

    owner: str
    """Owner."""
    exclude_archived_repos: Bool = False
    """Leave archived repositories out."""


class BitbucketOwner(_AllBranches):
    """Repositories at Bitbucket."""

    owner: str
    """Workspace."""
    user: str
    """User."""
    app_password_ref: SecretKey
    """Password of the user."""


class BitbucketServerProject(_BitbucketServer, _AllBranches):
    """Repositories at a Bitbucket server."""


class AzureProject(_Hosted, _AllBranches):
    """Repositories at Azure DevOps."""

    organization: str
    """Organisation."""
    team_project: str
    """Project."""
    access_token_ref: SecretKey
    """Token."""


class TagFilter(KubernetesModel):
    """A tag of a repository."""

    key: str
    """Tag."""
    value: str = ""
    """Any by default."""


class CodeCommit(_AllBranches):
    """Repositories at AWS CodeCommit."""

    region: str = ""
    """Region."""
    role: str = ""
    """Role to take on."""
    tag_filters: tuple[TagFilter, ...] = ()
    """Only with these tags."""


class RepositoryFilter(KubernetesModel):
    """Which repositories and branches; all that is said must match."""

    repository_match: str = ""
    """Pattern of the name."""
    paths_exist: tuple[str, ...] = ()
    """Files that must be there."""
    paths_do_not_exist: tuple[str, ...] = ()
    """Files that must not."""
    label_match: str = ""
    """Pattern of a label."""
    branch_match: str = ""
    """Pattern of the branch."""


class _Forge(KubernetesChecked):
    requeue_after_seconds: Integer | None = None
    """30 minutes by default."""
    values: Mapping[str, str] = Field(default_factory=dict)
    """More parameters."""
    template: Mapping[str, object] | None = None
    """Laid over the ApplicationSet's template."""

    def faults(self) -> Iterator[InitErrorDetails]:
        fields = {name: field for name, field in type(self).model_fields.items() if name not in _SHARED}
        if any(name not in self.__dict__ for name in fields):
            return
        given = [field.alias or name for name, field in fields.items() if self.__dict__[name] is not None]
        if len(given) != 1:
            known = ", ".join(field.alias or name for name, field in fields.items())
            got = " and ".join(given) or "none"
            yield fault("argocd/one-forge", f"exactly one of {known} is expected, got {got}")


_SHARED = (
    *("requeue_after_seconds", "values", "template", "filters", "clone_protocol"),
    "continue_on_repo_not_found_error",
)


class ScmProviderGenerator(_Forge):
    """One set for each repository, or branch, of an organisation."""

    github: GithubOrganization | None = None
    """GitHub."""
    gitlab: GitlabGroup | None = None
    """GitLab."""
    gitea: GiteaOwner | None = None
    """Gitea."""
    bitbucket: BitbucketOwner | None = None
    """Bitbucket."""
    bitbucket_server: BitbucketServerProject | None = None
    """A Bitbucket server."""
    azure_dev_ops: AzureProject | None = None
    """Azure DevOps."""
    aws_code_commit: CodeCommit | None = None
    """AWS CodeCommit."""
    clone_protocol: str = ""
    """``ssh`` or ``https``."""
    filters: tuple[RepositoryFilter, ...] = ()
    """What is taken; any of them."""


class GithubRepository(_Github):
    """Pull requests at GitHub."""

    owner: str
    """Owner."""
    repo: str
    """Repository."""
    labels: tuple[str, ...] = ()
    """Only with these labels."""


class GitlabProject(_Gitlab):
    """Merge requests at GitLab."""

    project: str
    """Number or path of the project."""
    labels: tuple[str, ...] = ()
    """Only with these labels."""
    pull_request_state: str = ""
    """``opened``, ``closed``, ``merged`` or ``locked``; all by default."""


class GiteaRepository(_Server, _Token):
    """Pull requests at Gitea."""

    owner: str
    """Owner."""
    repo: str
    """Repository."""
    labels: tuple[str, ...] = ()
    """Only with these labels."""


class BitbucketRepository(_Hosted):
    """Pull requests at Bitbucket."""

    owner: str
    """Workspace."""
    repo: str
    """Repository."""
    basic_auth: BasicAuth | None = None
    """User and password."""
    bearer_token: BearerToken | None = None
    """Or a token."""


class BitbucketServerRepository(_BitbucketServer):
    """Pull requests at a Bitbucket server."""

    repo: str
    """Repository."""


class AzureRepository(_Hosted, _Token):
    """Pull requests at Azure DevOps."""

    organization: str
    """Organisation."""
    project: str
    """Project."""
    repo: str
    """Repository."""
    labels: tuple[str, ...] = ()
    """Only with these labels."""


class PullRequestFilter(KubernetesModel):
    """Which pull requests; all that is said must match."""

    branch_match: str = ""
    """Pattern of the branch."""
    target_branch_match: str = ""
    """Pattern of the branch that it is to be merged into."""
    title_match: str = ""
    """Pattern of the title."""


class PullRequestGenerator(_Forge):
    """One set for each open pull request of a repository."""

    github: GithubRepository | None = None
    """GitHub."""
    gitlab: GitlabProject | None = None
    """GitLab."""
    gitea: GiteaRepository | None = None
    """Gitea."""
    bitbucket: BitbucketRepository | None = None
    """Bitbucket."""
    bitbucket_server: BitbucketServerRepository | None = None
    """A Bitbucket server."""
    azuredevops: AzureRepository | None = None
    """Azure DevOps."""
    filters: tuple[PullRequestFilter, ...] = ()
    """What is taken; any of them."""
    continue_on_repo_not_found_error: Bool = False
    """Go on where the repository does not exist."""
