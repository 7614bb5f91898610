"""Settings of one environment: the key ``apiops:environment`` of ``Pulumi.<env>.yaml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import InitErrorDetails

from apiops_components.errors import InvalidInput, Problem
from apiops_components.models.argocd import ArgoCDSpec, Folder, RepositoryUrl
from apiops_components.models.base import CheckedModel, DnsLabel, Host, Reason, SecretName, Text, fault, raise_faults
from apiops_components.models.cluster import Cluster
from apiops_components.models.gitlab import GitLabTokenSpec
from apiops_components.models.operator import NgrokOperatorSpec

__all__ = ["Delivery", "Environment", "GitSource", "TeamSettings"]

Delivery = Literal["direct", "gitops"]
"""Who applies a team's objects: ``direct``, Pulumi; ``gitops``, Argo CD from Git. Never both (design decision 6)."""


def _variable(value: Any) -> Any:
    # Once, and not once for each type that it could have been.
    if not isinstance(value, str | int | float):
        got = "null" if value is None else "a mapping" if isinstance(value, Mapping) else "a list"
        raise_faults([fault("environment/variable", f"a string, number or boolean is expected, got {got}")])
    return value


Variable = Annotated[str | int | float | bool, BeforeValidator(_variable)]
"""One of a team's own values."""


class GitSource(CheckedModel):
    """The repository that Argo CD watches."""

    repository: RepositoryUrl
    """``https://``, ``ssh://`` or ``git@`` address without credentials; ``file://`` for a local one."""
    revision: Text = "main"
    """Branch, tag or commit."""
    path: Folder = "deploy"
    """Folder of the trees in it, one folder an environment below."""


class PodSecurity(CheckedModel):
    """A namespace that may run less restricted pods."""

    level: Literal["baseline", "privileged"]
    """Pod Security Standard that is enforced instead of ``restricted``."""
    reason: Reason
    """Why."""


class TeamSettings(CheckedModel):
    """One team in one environment."""

    owner: Text
    """Who answers for the team's APIs: an address or a group."""
    delivery: Delivery = "gitops"
    """Who applies its objects."""
    namespace: DnsLabel | None = None
    """The team's name by default."""
    host: Host | None = None
    """The host that the team owns here."""
    pod_security: PodSecurity | None = None
    """``restricted`` by default."""
    open_network: Reason | None = None
    """Why pods that no NetworkPolicy is for may be called by anybody and call anybody. Without it nobody may, so that
    what is deployed beside the described workloads brings a NetworkPolicy of its own (CIS GKE 4.3.2)."""
    variables: Mapping[str, Variable] = Field(default_factory=dict)
    """The team's own values, such as an issuer; read in its ``describe.py``."""


class Environment(CheckedModel):
    """Everything that makes one environment differ from another."""

    name: DnsLabel
    """As in the file's name."""
    owner: Text
    """Who answers for the platform."""
    cluster: Cluster
    """Where it runs."""
    ngrok: NgrokOperatorSpec | None = None
    """The ngrok operator; not installed where it is absent."""
    argocd: ArgoCDSpec | None = None
    """Argo CD; not installed where it is absent."""
    git: GitSource | None = None
    """What Argo CD watches; needed where a team is delivered by it."""
    teams: Mapping[DnsLabel, TeamSettings] = Field(default_factory=dict)
    """The teams here, by name."""
    gitlab_tokens: Mapping[DnsLabel, GitLabTokenSpec] = Field(default_factory=dict)
    """The GitLab tokens that Pulumi keeps for this environment, by name; `check` tells when one is to be renewed."""
    promoted_from: DnsLabel | None = None
    """The environment whose approved state this one takes over; its tree is then written by promotion alone."""
    secrets: tuple[SecretName, ...] = ()
    """Every secret that may be read, each a key ``apiops:<name>`` of its own, set with
    ``pulumi config set --secret``."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from self.told(
            self._promotion_faults,
            self._namespace_faults,
            self._delivery_faults,
            self._ngrok_secret_faults,
            self._cluster_secret_faults,
            self._argocd_secret_faults,
            self._watch_faults,
            self._gitlab_faults,
            self._node_faults,
        )

    def _promotion_faults(self) -> Iterator[InitErrorDetails]:
        if self.promoted_from is not None and self.promoted_from == self.name:
            yield fault("environment/promoted-from", "an environment cannot follow itself", "", ["promoted_from"])

    def _delivery_faults(self) -> Iterator[InitErrorDetails]:
        for name, team in self.teams.items():
            if team.delivery == "gitops":
                for field in ("argocd", "git"):
                    if getattr(self, field) is None:
                        yield fault(
                            "environment/gitops",
                            f"team {name!r} is delivered by Argo CD, but {field} is not set",
                            f"set {field}, or delivery: direct",
                            ["teams", name, "delivery"],
                        )

    def _ngrok_secret_faults(self) -> Iterator[InitErrorDetails]:
        if self.ngrok is not None:
            yield from self._undeclared(self.ngrok.api_key, "ngrok", "api_key")
            yield from self._undeclared(self.ngrok.authtoken, "ngrok", "authtoken")

    def _watch_faults(self) -> Iterator[InitErrorDetails]:
        if self.ngrok is None or self.ngrok.watch_namespace is None:
            return
        for name, team in self.teams.items():
            if (team.namespace or name) != self.ngrok.watch_namespace:
                message = f"the operator looks at namespace {self.ngrok.watch_namespace!r} alone, so nothing serves it"
                yield fault("environment/unwatched", message, "leave ngrok.watch_namespace out", ["teams", name])

    def _argocd_secret_faults(self) -> Iterator[InitErrorDetails]:
        if self.argocd is not None:
            for secret, place in self.argocd.secrets:
                yield from self._undeclared(secret, "argocd", *place)

    def _cluster_secret_faults(self) -> Iterator[InitErrorDetails]:
        if self.cluster.kind == "existing" and self.cluster.kubeconfig_secret is not None:
            yield from self._undeclared(self.cluster.kubeconfig_secret, "cluster", "kubeconfig_secret")

    def _gitlab_faults(self) -> Iterator[InitErrorDetails]:
        for name, token in self.gitlab_tokens.items():
            yield from self._undeclared(token.administrator, "gitlab_tokens", name, "administrator")
            if token.repository is None:
                continue
            place = ["gitlab_tokens", name, "repository"]
            if self.argocd is None:
                yield fault("environment/gitlab", "there is no Argo CD here to read a repository", "set argocd", place)
            elif token.repository.namespace != self.argocd.namespace:
                message = f"Argo CD runs in {self.argocd.namespace!r} and reads no Secret elsewhere"
                hint = f"namespace: {self.argocd.namespace}"
                yield fault("environment/gitlab", message, hint, [*place, "namespace"])

    def _undeclared(self, secret: str, *place: str | int) -> Iterator[InitErrorDetails]:
        if secret not in self.secrets:
            yield fault("secret/undeclared", f"secret {secret!r} is not declared", f"add {secret} to secrets", place)

    def _node_faults(self) -> Iterator[InitErrorDetails]:
        if self.cluster.kind == "minikube":
            most, setting = self.cluster.nodes, "nodes"
        elif self.cluster.kind == "gke":
            most, setting = sum(pool.max_nodes for pool in self.cluster.node_pools.values()), "node_pool.max_nodes"
        else:
            return  # of Autopilot Google's affair, of an existing cluster not known here
        if self.argocd and most < self.argocd.minimum_nodes:
            yield fault(
                "environment/nodes",
                f"Argo CD's profile {self.argocd.profile!r} needs {self.argocd.minimum_nodes} nodes and would never "
                f"become ready on {most}",
                f"set argocd.profile: small, or cluster.{setting}: {self.argocd.minimum_nodes}",
                ["argocd", "profile"],
            )

    def _namespace_faults(self) -> Iterator[InitErrorDetails]:
        taken = dict.fromkeys(("default", "kube-node-lease", "kube-public", "kube-system"), "Kubernetes")
        taken |= {part.namespace: name for name, part in (("ngrok", self.ngrok), ("argocd", self.argocd)) if part}
        for name, team in self.teams.items():
            namespace = team.namespace or name
            if owner := taken.get(namespace):
                message = f"namespace {namespace!r} belongs to {owner} already"
                hint = "give the team a namespace of its own"
                yield fault("environment/namespace", message, hint, ["teams", name, "namespace"])
            taken.setdefault(namespace, f"team {name!r}")
        if "default" in self.teams:
            message = "'default' is Argo CD's own project, which may do everything"
            yield fault("environment/team", message, "give the team another name", ["teams", "default"])

    def team(self, name: str) -> TeamSettings:
        """Settings of a team.

        Raises:
            InvalidInput: It has none here.
        """
        try:
            return self.teams[name]
        except KeyError:
            known = ", ".join(sorted(self.teams)) or "none"
            raise InvalidInput(
                Problem(
                    f"team {name!r} has no settings in environment {self.name!r}; teams there: {known}",
                    f"teams.{name}",
                    "environment/team",
                    hint="add it under teams: in the environment's settings",
                )
            ) from None

    def host(self, team: str) -> str:
        """The host that a team owns.

        Raises:
            InvalidInput: Its settings name none.
        """
        host = self.team(team).host
        if host is None:
            raise InvalidInput(self._missing(team, "host"))
        return host

    def variable(self, team: str, name: str) -> str:
        """One of a team's own values, as text.

        Raises:
            InvalidInput: Its settings have none of this name.
        """
        variables = self.team(team).variables
        if name not in variables:
            raise InvalidInput(self._missing(team, f"variables.{name}"))
        return str(variables[name])

    def _missing(self, team: str, field: str) -> Problem:
        return Problem(
            f"required by the description of team {team!r} in environment {self.name!r}, but missing",
            f"teams.{team}.{field}",
            "environment/missing",
            f"set it in Pulumi.{self.name}.yaml",
        )

    def namespace(self, team: str) -> str:
        """The namespace of a team."""
        return self.team(team).namespace or team
