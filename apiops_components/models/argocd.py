"""Argo CD as a platform installs it (settings ``argocd:``), and what one team gets from it.

The shapes of Argo CD's own objects are in `argo_project` and `argo_application`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.argo_application import ApplicationSpec
from apiops_components.models.argo_project import AppProjectSpec, GroupKind, SyncWindow
from apiops_components.models.argo_rbac import Rbac, RbacBinding, RbacGrant
from apiops_components.models.argo_repository import Repository, repository_faults
from apiops_components.models.base import (
    Bool,
    CheckedModel,
    DnsLabel,
    Duration,
    Host,
    Integer,
    Model,
    SecretName,
    Text,
    fault,
    matching,
    raise_faults,
)
from apiops_components.models.helm import HelmChart, Partial, completed
from apiops_components.versions import ARGOCD_CHART

__all__ = [
    "AppProjectSpec",
    "ApplicationSpec",
    "ArgoCDSpec",
    "Folder",
    "GitOpsSpec",
    "Rbac",
    "RbacBinding",
    "RbacGrant",
    "RepositoryUrl",
    "Sso",
]

_CHART = {"name": "argo-cd", "version": ARGOCD_CHART, "repository": "https://argoproj.github.io/argo-helm"}
_SECRET_KEYS = re.compile(r"(?i)password|token|secret|private_?key|serviceaccountkey|clientcertkey")
_HA_NODES = 3


def _repository(url: str) -> str:
    if not re.fullmatch(r"(https|ssh|file)://\S+|[\w.-]+@[\w.-]+:\S+", url):
        hint = "such as https://github.com/acme/apis.git or git@github.com:acme/apis.git"
        raise_faults([fault("git/repository", f"{url!r} is not the address of a Git repository", hint)])
    if re.match(r"https://[^/@]+@", url):
        hint = "leave them out; Argo CD reads credentials from a Secret labelled argocd.argoproj.io/secret-type"
        raise_faults([fault("git/credentials-in-url", "the address of the repository holds credentials", hint)])
    return url


RepositoryUrl = Annotated[str, AfterValidator(_repository)]
"""``https://``, ``ssh://`` or ``git@`` address of a Git repository, no credentials in it; ``file://`` if local."""


def _folder(path: str) -> str:
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "" in parts:
        message = f"{path!r} is not a folder in the repository"
        raise_faults([fault("git/path", message, "relative, without .., no / at the end: deploy/prod/shop")])
    return path


Folder = Annotated[str, AfterValidator(_folder)]
"""A folder in a repository, relative to its root."""


class Sso(Model):
    """Log-in by an OpenID Connect provider, such as Keycloak, Okta, Entra or Google."""

    name: Text = "SSO"
    """On the button."""
    issuer: Annotated[str, matching(r"https://[^\s?#]+", 500, "argocd/issuer", "the address of an issuer (https://…)")]
    """Address of the provider, as its tokens name it."""
    client_id: Text
    """What the provider calls Argo CD."""
    client_secret: SecretName
    """Secret that Argo CD shows to the provider."""
    scopes: tuple[Text, ...] = ("openid", "profile", "email", "groups")
    """What is asked for; the groups of `Rbac` are in the token only where the provider puts them."""


class ArgoCDSpec(CheckedModel):
    """Argo CD on the cluster. One a cluster: its definitions and cluster roles are cluster-wide."""

    namespace: DnsLabel = "argocd"
    """Made by the component."""
    chart: Annotated[HelmChart, BeforeValidator(completed(_CHART)), Partial()] = Field(
        default_factory=lambda: HelmChart(**_CHART)
    )
    """The chart; what is left out is Argo CD's own at the version that this package was tested with."""
    profile: Literal["small", "ha"] = "ha"
    """``ha`` runs every part but the controller twice or more, and Redis on three nodes: it never becomes ready on
    fewer. ``small`` is for minikube and the like."""
    domain: Host | None = None
    """Host under which the user interface is published. TLS ends at its Gateway, so Argo CD then serves plain HTTP
    inside the cluster. Reached by port-forwarding alone where absent."""
    sso: Sso | None = None
    """How people log in; by the built-in account alone where absent."""
    admin_enabled: Bool | None = None
    """The built-in account ``admin``; by default there only while nobody can log in by ``sso``."""
    repositories: tuple[Repository, ...] = ()
    """How it gets into repositories that not everybody may read."""
    applications: Literal["each", "set"] = "each"
    """``each``: Pulumi makes an Application for each team. ``set``: one ApplicationSet makes them, for each team
    on each cluster that Argo CD knows to be of this environment."""
    rbac: Rbac = Field(default_factory=Rbac)
    """Who may do what."""
    timeout: Duration = "15m"
    """How long Helm waits for the pods; Redis on three nodes starts one after the other."""

    @property
    def admin(self) -> bool:
        """Whether the account ``admin`` is there."""
        return self.sso is None if self.admin_enabled is None else self.admin_enabled

    @property
    def secrets(self) -> Iterator[tuple[str, tuple[str | int, ...]]]:
        """The secrets that it names, each with its place."""
        if self.sso is not None:
            yield self.sso.client_secret, ("sso", "client_secret")
        for index, repository in enumerate(self.repositories):
            place = ("repositories", index)
            for field in ("password", "token", "private_key", "service_account_key"):
                if (secret := getattr(repository, field, None)) is not None:
                    yield secret, (*place, field)
            if (shown := getattr(repository, "client_certificate", None)) is not None:
                yield shown.certificate, (*place, "client_certificate", "certificate")
                yield shown.private_key, (*place, "client_certificate", "private_key")

    @property
    def minimum_nodes(self) -> int:
        """Nodes without which the profile never becomes ready."""
        return _HA_NODES if self.profile == "ha" else 1

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from self.told(self._login_faults, self._repository_faults, self._value_faults)

    def _login_faults(self) -> Iterator[InitErrorDetails]:
        if self.sso is not None and self.domain is None:
            message = "the provider sends people back to Argo CD's own address, and there is none"
            yield fault("argocd/sso-domain", message, "set domain", ["sso"])
        if self.sso is None and self.admin_enabled is False:
            message = "nobody could log in: no sso, and the account admin is switched off"
            yield fault("argocd/no-login", message, "set sso, or leave admin_enabled out", ["admin_enabled"])

    def _repository_faults(self) -> Iterator[InitErrorDetails]:
        yield from repository_faults(self.repositories)

    def _value_faults(self) -> Iterator[InitErrorDetails]:
        values = self.chart.values
        configs = values.get("configs")
        for path in _secret_paths(configs if isinstance(configs, Mapping) else {}):
            message = "credentials do not belong into chart values: Helm keeps values in the cluster in clear"
            hint = "make a Secret in Argo CD's namespace; it finds it by the label argocd.argoproj.io/secret-type"
            yield fault("argocd/credentials-in-values", message, hint, ["chart", "values", "configs", *path])
        if self._value("cm", "users.anonymous.enabled") in (True, "true"):
            message = "anonymous users would see, and by the default role perhaps change, every application"
            place = ["chart", "values", "configs", "cm", "users.anonymous.enabled"]
            yield fault("argocd/anonymous", message, "leave it out", place)
        if self._value("cm", "oidc.config") is not None and self.sso is not None:
            message = "oidc.config in the chart values would replace what sso says"
            place = ["chart", "values", "configs", "cm", "oidc.config"]
            yield fault("argocd/sso-twice", message, "keep one of them", place)
        if self._value("rbac", "policy.csv") is not None and self.rbac != Rbac():
            message = "policy.csv in the chart values would replace what rbac says"
            place = ["chart", "values", "configs", "rbac", "policy.csv"]
            yield fault("argocd/rbac-twice", message, "keep one of them", place)

    def _value(self, section: str, key: str) -> Any:
        current: Any = self.chart.values
        for part in ("configs", section, key):
            current = current.get(part) if isinstance(current, Mapping) else None
        return current


def _secret_paths(configs: Mapping[str, Any]) -> Iterator[list[str]]:
    """Where the chart takes credentials: in its secret, in repositories and in clusters."""
    for section in ("secret", "repositories", "credentialTemplates", "clusterCredentials"):
        for path, value in _leaves(configs.get(section), [section]):
            named = section == "clusterCredentials" or _SECRET_KEYS.search(path[-1]) or path[1:2] == ["extra"]
            if named and path[-1] not in ("createSecret", "argocdServerAdminPasswordMtime") and value not in ("", None):
                yield path


def _leaves(value: Any, path: list[str]) -> Iterator[tuple[list[str], Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, [*path, str(key)])
    elif value is not None:
        yield path, value


class RetrySpec(Model):
    """What follows a failed synchronisation."""

    limit: Annotated[Integer, Field(ge=0, le=100)] = 5
    """Attempts for the same commit."""
    duration: Duration = "5s"
    """The first wait."""
    factor: Annotated[Integer, Field(ge=1, le=10)] = 2
    """Each wait is so many times the one before."""
    max_duration: Duration = "3m"
    """The longest wait."""


class GitOpsSpec(CheckedModel):
    """What one team gets: a project that holds it to its namespaces, an application that follows a folder in Git."""

    team: DnsLabel
    """Name of the team, of its AppProject and of its Application."""
    namespaces: tuple[DnsLabel, ...] = Field(min_length=1)
    """Where its objects may go; nowhere else. Made by Pulumi, not by Argo CD."""
    repository: RepositoryUrl
    """The only repository that it may deploy from."""
    path: Folder
    """Folder with its manifests, such as ``deploy/prod/shop``; folders below are read too."""
    revision: Text = "main"
    """Branch, tag or commit that is followed."""
    description: Annotated[str, Field(max_length=255)] = ""
    """Shown in Argo CD; at most 255 characters."""
    argocd_namespace: DnsLabel = "argocd"
    """Where Argo CD runs."""
    server: Text = "https://kubernetes.default.svc"
    """Cluster, by its address; Argo CD's own by default."""
    extra_kinds: tuple[GroupKind, ...] = ()
    """Namespaced kinds beside routes, policies and workloads that the platform lets the team deploy."""
    groups: tuple[Text, ...] = ()
    """Groups of the identity provider that see the application, its logs, and may ask for a synchronisation."""
    prune: Bool = True
    """Delete what is no longer in Git."""
    self_heal: Bool = True
    """Undo changes made in the cluster."""
    allow_empty: Bool = False
    """Delete everything when the folder is empty. Off: an empty folder is far more often a mistake."""
    retry: RetrySpec = Field(default_factory=RetrySpec)
    """What follows a failed synchronisation."""
    windows: tuple[SyncWindow, ...] = ()
    """When its applications may be synchronised, or must not be; always by default."""
    application: Bool = True
    """Make its Application too; without it an ApplicationSet makes it."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.team == "default":
            message = "'default' is Argo CD's own project, which may do everything"
            yield fault("argocd/default-project", message, "give the team another name", ["team"])
        for index, name in enumerate(self.namespaces):
            if name in self.namespaces[:index]:
                yield fault("argocd/duplicate", f"namespace {name!r} is there twice", "", ["namespaces", index])
            if name in (self.argocd_namespace, "kube-system"):
                message = f"in namespace {name!r} the team could give itself any right"
                yield fault("argocd/system-namespace", message, "a namespace of the team's own", ["namespaces", index])
        for index, kind in enumerate(self.extra_kinds):
            if (kind.group, kind.kind) in (("*", "*"), ("", "*"), ("", "Secret")):
                message = f"kind {kind.group or 'core'}/{kind.kind} would bring Secrets into Git"
                yield fault("argocd/secret-kind", message, "name the kinds that are needed", ["extra_kinds", index])
