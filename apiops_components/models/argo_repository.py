"""How Argo CD gets into repositories: one typed credential a repository, or for all below an address.

Each becomes a Secret that Argo CD finds by its label; keys and values are those of its documentation (facts: Argo CD
§3.1). Secrets are named here, their values come from the stack configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import Bool, CheckedModel, DnsLabel, Integer, Model, SecretName, Text, fault

__all__ = [
    "AzureCredential",
    "BasicCredential",
    "ClientCertificate",
    "GitHubAppCredential",
    "GoogleCredential",
    "NoCredential",
    "Repository",
    "SshCredential",
    "TokenCredential",
    "repository_faults",
]


class _Repository(CheckedModel):
    """What every kind has."""

    url: Text
    """Address of the repository; with ``template`` the beginning of many addresses, the longest of which wins."""
    template: Bool = False
    """Credentials for every repository whose address begins so, instead of for one."""
    type: Literal["git", "helm", "oci"] = "git"
    """What is there. An ``oci`` address begins with ``oci://``; a ``helm`` one in an OCI registry has no scheme."""
    name: Text | None = None
    """For people; a ``helm`` repository is named by it in Applications."""
    project: DnsLabel | None = None
    """The only AppProject that may use it; all by default. Not with ``template``, which Argo CD lets all use."""
    proxy: Text | None = None
    """Address of a proxy on the way to it."""

    def faults(self) -> Iterator[InitErrorDetails]:
        if "@" in self.url.partition("://")[2].partition("/")[0] and "://" in self.url and self.url[:3] != "ssh":
            message = "the address holds credentials, which would be shown wherever the address is"
            yield fault("git/credentials-in-url", message, "name the secrets instead", ["url"])
        if self.type == "oci" and not self.url.startswith("oci://"):
            message = f"{self.url!r} is not the address of an OCI repository"
            yield fault("argocd/repository-url", message, f"oci://{self.url.partition('://')[2] or self.url}", ["url"])
        if self.type == "helm" and self.url.startswith("oci://"):
            message = "a chart in an OCI registry is named without scheme"
            yield fault("argocd/repository-url", message, self.url.removeprefix("oci://"), ["url"])
        if self.type == "helm" and self.name is None and not self.template:
            yield fault("argocd/repository-name", "a helm repository needs a name", "name: …", ["name"])
        if self.template and self.project is not None:
            message = "Argo CD lets every project use a template: it would not be kept to this one"
            yield fault("argocd/template", message, "name each repository instead, or leave project out", ["project"])
        if self.template and self.name is not None:
            yield fault("argocd/template", "a template has no name: Argo CD reads none", "leave it out", ["name"])


class ClientCertificate(Model):
    """A certificate for TLS. Argo CD shows it beside another credential alone."""

    certificate: SecretName
    """Secret with the certificate, in PEM."""
    private_key: SecretName
    """Secret with its key, in PEM."""


class NoCredential(_Repository):
    """A repository that everybody may read; named here so that a project can own it, or for its proxy."""

    kind: Literal["public"] = "public"
    """Tells it from the others."""


class BasicCredential(_Repository):
    """User and password, or user and token, over https."""

    kind: Literal["basic"] = "basic"
    """Tells it from the others."""
    username: Text
    """GitHub, GitLab and others take any name beside a token."""
    password: SecretName
    """Secret with the password or token."""
    client_certificate: ClientCertificate | None = None
    """Shown beside it, where the host asks for one."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from super().faults()
        yield from _in_clear(self)


class TokenCredential(_Repository):
    """A bearer token over https, as Bitbucket Data Center takes it; only for Git."""

    kind: Literal["token"] = "token"
    """Tells it from the others."""
    token: SecretName
    """Secret with the token."""
    client_certificate: ClientCertificate | None = None
    """Shown beside it, where the host asks for one."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from super().faults()
        yield from _in_clear(self)
        yield from _git_only(self)


class SshCredential(_Repository):
    """A private key, over ssh. The host's own key must be known to Argo CD: nothing here switches that check off."""

    kind: Literal["ssh"] = "ssh"
    """Tells it from the others."""
    private_key: SecretName
    """Secret with the key, in PEM."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from super().faults()
        yield from _git_only(self)
        if self.url.startswith(("http://", "https://")):
            message = f"{self.url!r} is not reached by ssh"
            yield fault("argocd/repository-url", message, "git@host:group/project.git, or ssh://…", ["url"])


class GitHubAppCredential(_Repository):
    """An installation of a GitHub App: its tokens live for an hour, and belong to no person."""

    kind: Literal["github-app"] = "github-app"
    """Tells it from the others."""
    app_id: Annotated[Integer, Field(ge=1)]
    """Number of the App."""
    installation_id: Annotated[Integer, Field(ge=1)]
    """Number of its installation."""
    private_key: SecretName
    """Secret with the App's key, in PEM."""
    enterprise_url: Text | None = None
    """Address of the API of a GitHub Enterprise, such as ``https://github.example.com/api/v3``."""
    client_certificate: ClientCertificate | None = None
    """Shown beside it, where the host asks for one."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from super().faults()
        yield from _in_clear(self)
        yield from _git_only(self)


class GoogleCredential(_Repository):
    """A key of a Google service account, for Cloud Source Repositories."""

    kind: Literal["google"] = "google"
    """Tells it from the others."""
    service_account_key: SecretName
    """Secret with the key, in JSON."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from super().faults()
        yield from _in_clear(self)


class AzureCredential(_Repository):
    """Azure's workload identity: no credential at all, the cluster vouches for Argo CD."""

    kind: Literal["azure-workload-identity"] = "azure-workload-identity"
    """Tells it from the others."""


Repository = Annotated[
    NoCredential
    | BasicCredential
    | TokenCredential
    | SshCredential
    | GitHubAppCredential
    | GoogleCredential
    | AzureCredential,
    Field(discriminator="kind"),
]
"""A repository and how Argo CD gets in; ``kind`` says how."""


def _in_clear(repository: _Repository) -> Iterator[InitErrorDetails]:
    if repository.url.startswith("http://"):
        message = "the credential would be sent in clear"
        yield fault("argocd/repository-url", message, f"https{repository.url[4:]}", ["url"])
    elif repository.type == "git" and not repository.url.startswith("https://"):
        yield fault("argocd/repository-url", f"{repository.url!r} is not reached over https", "https://…", ["url"])


def _git_only(repository: _Repository) -> Iterator[InitErrorDetails]:
    if repository.type != "git":
        message = f"this credential is for Git, not for {repository.type}"
        yield fault("argocd/repository-type", message, "kind: basic", ["type"])


def repository_faults(repositories: Sequence[_Repository]) -> Iterator[InitErrorDetails]:
    """Two of one address: Argo CD would take whichever it reads first."""
    seen: set[tuple[str, bool, str | None]] = set()
    for index, repository in enumerate(repositories):
        place = (repository.url, repository.template, repository.project)
        if place in seen:
            message = f"{repository.url} is there twice"
            yield fault("argocd/repository-twice", message, "keep one of them", ["repositories", index, "url"])
        seen.add(place)
