"""``spec`` of Argo CD's AppProject, with the rules that only Argo CD's own API checks.

Kubernetes accepts nearly anything here, and Argo CD checks a project only when it is made through its API or UI. One
that comes from Git or Pulumi is checked by nobody, so these rules are the only guard. Messages are Argo CD's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails

from apiops_components.models.base import Bool, CheckedModel, Integer, KubernetesModel, duration_seconds, fault
from apiops_components.models.cron import check_schedule

__all__ = ["AppProjectSpec", "Checked", "ClusterResource", "Destination", "GroupKind", "ProjectRole", "SyncWindow"]

_ROLE = re.compile(r"[a-zA-Z0-9]([-_a-zA-Z0-9]*[a-zA-Z0-9])?")
_SUBJECT = re.compile(r"proj:([^:]+):(.+)")
_RESOURCES = ("applications", "applicationsets", "repositories", "exec", "logs", "clusters")
_ACTIONS = ("get", "create", "update", "delete", "sync", "override", "*")
_POLICY_PARTS = 6
_MAX_DESCRIPTION = 255
_NOT_IN_ACCOUNT = "!*[]{}\\/"

Description = Annotated[str, Field(max_length=_MAX_DESCRIPTION)]


class Checked(CheckedModel):
    """Shape of Kubernetes, and rules across fields."""

    # Not by inheritance from both: mypy's pydantic plugin contradicts itself there, depending on its cache.
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)


class Destination(KubernetesModel):
    """A cluster and a namespace; ``*`` matches any text, ``!`` in front forbids what matches."""

    server: str = ""
    """Address of the cluster's API; ``https://kubernetes.default.svc`` is Argo CD's own."""
    name: str = ""
    """Name of the cluster in Argo CD, instead of its address."""
    namespace: str = ""
    """Name or pattern."""


class GroupKind(KubernetesModel):
    """A kind of namespaced objects."""

    group: str
    """API group; empty for core, ``*`` for all."""
    kind: str
    """Kind; ``*`` for all."""


class ClusterResource(GroupKind):
    """A kind of cluster-wide objects."""

    name: str = ""
    """Only those of this name or pattern."""


class JwtToken(KubernetesModel):
    """A token issued for a role."""

    iat: Integer
    """When it was issued, in seconds since 1970."""
    exp: Integer = 0
    """When it ends; 0 for never."""
    id: str = ""
    """Its identifier."""


class ProjectRole(Checked):
    """Who may do what with the project's applications."""

    name: str
    """Letters, digits, ``-`` and ``_``."""
    description: str = ""
    """For people."""
    policies: tuple[str, ...] = ()
    """Lines ``p, proj:<project>:<role>, <resource>, <action>, <project>/<object>, allow|deny``."""
    groups: tuple[str, ...] = ()
    """Groups of the identity provider that have the role."""
    jwt_tokens: tuple[JwtToken, ...] = ()
    """Tokens issued for it; Argo CD writes them."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if not _ROLE.fullmatch(self.name):
            message = (
                f"invalid role name '{self.name}'. Must consist of alphanumeric characters, '-' or '_', "
                "and must start and end with an alphanumeric character"
            )
            yield fault("argocd/role-name", message, "", ["name"])
        for index, policy in enumerate(self.policies):
            if policy in self.policies[:index]:
                message = f"policy '{policy}' already exists for role '{self.name}'"
                yield fault("argocd/duplicate", message, "", ["policies", index])
            elif message := _policy_fault(policy, self.name):
                hint = f"such as: p, proj:my-project:{self.name}, applications, get, my-project/*, allow"
                yield fault("argocd/policy", message, hint, ["policies", index])
        for index, group in enumerate(self.groups):
            if group in self.groups[:index]:
                message = f"group '{group}' already exists for role '{self.name}'"
                yield fault("argocd/duplicate", message, "", ["groups", index])
            elif message := _group_fault(group):
                yield fault("argocd/group", message, "", ["groups", index])


class SyncWindow(Checked):
    """When synchronising is allowed or denied; a denial wins."""

    kind: str = ""
    """``allow`` or ``deny``. Where an allowing window matches an application, it may not sync outside of it."""
    schedule: str = ""
    """When it begins: minute, hour, day of month, month, day of week."""
    duration: str = ""
    """How long it lasts, such as ``1h30m``."""
    time_zone: str = ""
    """Such as ``Europe/Berlin``; UTC by default, and wherever Argo CD does not know the name."""
    applications: tuple[str, ...] = ()
    """Names or patterns."""
    namespaces: tuple[str, ...] = ()
    """Names or patterns."""
    clusters: tuple[str, ...] = ()
    """Names, addresses or patterns."""
    manual_sync: Bool = False
    """Allow what a person starts."""
    and_operator: Bool = False
    """All of applications, namespaces and clusters must match, not any."""
    sync_overrun: Bool = False
    """Let a sync that has begun end."""
    description: str = ""
    """For people, at most 255 characters."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.kind not in ("allow", "deny"):
            yield fault("argocd/window", f"kind '{self.kind}' mismatch: can only be allow or deny", "", ["kind"])
        try:
            check_schedule(self.schedule)
        except ValueError as error:
            message = f"cannot parse schedule '{self.schedule}': {error}"
            hint = "minute hour day-of-month month day-of-week, such as 0 22 * * 1-5"
            yield fault("argocd/window", message, hint, ["schedule"])
        if not _is_duration(self.duration):
            message = f"cannot parse duration '{self.duration}': time: invalid duration \"{self.duration}\""
            yield fault("argocd/window", message, "such as 1h30m", ["duration"])
        if len(self.description) > _MAX_DESCRIPTION:
            yield fault("argocd/window", "description must not exceed 255 characters", "", ["description"])
        if not (self.applications or self.namespaces or self.clusters):
            message = f"window '{self.kind}':'{self.schedule}':'{self.duration}' requires one of application, "
            yield fault("argocd/window", f"{message}cluster or namespace", 'all of them: applications: ["*"]')

    @property
    def identity(self) -> tuple[Any, ...]:
        """What makes it another window to Argo CD: all but its description and what it lets pass."""
        where = (self.applications, self.namespaces, self.clusters)
        return (self.kind, self.schedule, self.duration, self.time_zone or "UTC", self.and_operator, *where)


class ServiceAccountFor(Checked):
    """Whom Argo CD impersonates at a destination."""

    server: str
    """Address or pattern."""
    namespace: str = ""
    """Name or pattern."""
    default_service_account: str
    """``name`` or ``namespace:name``."""

    def faults(self) -> Iterator[InitErrorDetails]:
        for field, value in (("server", self.server), ("namespace", self.namespace)):
            if "!" in value:
                yield fault("argocd/service-account", f"{field} has an invalid format, '{value}'", "", [field])
        account = self.default_service_account
        if not account.strip(" ") or any(character in _NOT_IN_ACCOUNT for character in account):
            message = f"defaultServiceAccount has an invalid format, '{account}'"
            yield fault("argocd/service-account", message, "", ["defaultServiceAccount"])


class OrphanedResource(KubernetesModel):
    """Objects that may be there without being in Git."""

    group: str = ""
    """API group or pattern."""
    kind: str = ""
    """Kind or pattern."""
    name: str = ""
    """Name or pattern."""


class OrphanedResources(KubernetesModel):
    """Reports objects in the project's namespaces that no application owns."""

    warn: Bool | None = None
    """Also as a condition of the applications; true by default."""
    ignore: tuple[OrphanedResource, ...] = ()
    """Not reported."""


class SignatureKey(KubernetesModel):
    """A GnuPG key that commits must be signed with."""

    key_id: str = Field(alias="keyID")
    """In hexadecimal."""


class AppProjectSpec(Checked):
    """What applications of the project may take from where, and put where."""

    description: Description = ""
    """At most 255 characters."""
    source_repos: tuple[str, ...] = ()
    """Addresses or patterns; none: nothing may be deployed."""
    source_namespaces: tuple[str, ...] = ()
    """Where Applications of the project may live beside Argo CD's namespace."""
    destinations: tuple[Destination, ...] = ()
    """Where objects may go; none: nowhere."""
    cluster_resource_whitelist: tuple[ClusterResource, ...] | None = None
    """Cluster-wide kinds that are allowed; absent or empty: none."""
    cluster_resource_blacklist: tuple[ClusterResource, ...] | None = None
    """Cluster-wide kinds that are forbidden nevertheless."""
    namespace_resource_whitelist: tuple[GroupKind, ...] | None = None
    """Namespaced kinds that are allowed. **Absent: all. Empty: none.**"""
    namespace_resource_blacklist: tuple[GroupKind, ...] | None = None
    """Namespaced kinds that are forbidden nevertheless."""
    orphaned_resources: OrphanedResources | None = None
    """Reporting of objects that no application owns; off where absent."""
    permit_only_project_scoped_clusters: Bool = False
    """Only clusters that were registered for this project."""
    roles: tuple[ProjectRole, ...] = ()
    """Who may do what."""
    signature_keys: tuple[SignatureKey, ...] = ()
    """Deprecated for sourceIntegrity."""
    source_integrity: Mapping[str, Any] | None = None
    """What commits must prove."""
    destination_service_accounts: tuple[ServiceAccountFor, ...] = ()
    """Whom Argo CD impersonates."""
    sync_windows: tuple[SyncWindow, ...] = ()
    """When synchronising is allowed."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from self._destination_faults()
        yield from _text_faults("source repository", "sourceRepos", self.source_repos, negatable=True)
        yield from _text_faults("source namespace", "sourceNamespaces", self.source_namespaces, negatable=False)
        names = [role.name for role in self.roles]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield fault("argocd/duplicate", f"role '{name}' already exists", "", ["roles", index, "name"])
        windows = [window.identity for window in self.sync_windows]
        for index, window in enumerate(self.sync_windows):
            if window.identity in windows[:index]:
                message = (
                    f"sync window with kind '{window.kind}', schedule '{window.schedule}', and duration "
                    f"'{window.duration}' already exists"
                )
                yield fault("argocd/duplicate", message, "", ["syncWindows", index])
        accounts = [f"{account.server}/{account.namespace}" for account in self.destination_service_accounts]
        for index, key in enumerate(accounts):
            if key in accounts[:index]:
                message = f"destinationServiceAccount '{key}' already added"
                yield fault("argocd/duplicate", message, "", ["destinationServiceAccounts", index])

    def _destination_faults(self) -> Iterator[InitErrorDetails]:
        keys: set[str] = set()
        for index, destination in enumerate(self.destinations):
            for field in ("name", "server", "namespace"):
                if getattr(destination, field) == "!*":
                    message = f"{field} has an invalid format, '!*'"
                    yield fault("argocd/deny-all", message, "leave it out instead", ["destinations", index, field])
            key = f"{destination.server or destination.name}/{destination.namespace}"
            if key in keys:
                message = f"destination '{key}' already added"
                yield fault("argocd/duplicate", message, "", ["destinations", index])
            keys.add(key)

    def faults_named(self, project: str) -> Iterator[InitErrorDetails]:
        """The rules that need the project's own name (``metadata.name``): whom and what its policies speak of."""
        for place, role in enumerate(self.roles):
            for index, policy in enumerate(role.policies):
                if not _policy_fault(policy, role.name) and (message := _policy_fault(policy, role.name, project)):
                    yield fault("argocd/policy", message, "", ["roles", place, "policies", index])


def _policy_fault(policy: str, role: str, project: str = "") -> str:
    """What Argo CD says about a line, or nothing; without a project, the one that the line speaks of."""
    begin = f"invalid policy rule '{policy}': "
    parts = [part.strip(" ") for part in policy.split(",")]
    if len(parts) != _POLICY_PARTS or parts[0] != "p":
        return begin + "must be of the form: 'p, sub, res, act, obj, eft'"
    _, subject, resource, action, target, effect = parts
    if not project and (match := _SUBJECT.fullmatch(subject)):
        project = match[1]
    expected = f"proj:{project or '<project>'}:{role}"
    if subject != expected:
        return f"{begin}policy subject must be: '{expected}', not '{subject}'"
    if resource not in _RESOURCES:
        known = "'applications', 'applicationsets', 'repositories', 'exec', 'logs' or 'clusters'"
        return f"{begin}project resource must be: {known}, not '{resource}'"
    if action not in _ACTIONS and not re.search(r"(action|update|delete)/", action):
        return f"{begin}invalid action '{action}'"
    if not re.fullmatch(rf"{re.escape(project)}(/[*a-zA-Z0-9_.-]+)?/[*a-zA-Z0-9_.-]+", target):
        forms = f"'{project}/*', '{project}[/<NAMESPACE>]/<APPNAME>' or '{project}/<APPNAME>'"
        return f"{begin}object must be of form {forms}, not '{target}'"
    if effect not in ("allow", "deny"):
        return begin + "effect must be: 'allow' or 'deny'"
    return ""


def _group_fault(group: str) -> str:
    name = group.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1]
    elif "," in name:
        return f"group '{name}' must be quoted"
    if not name:
        return f"group '{name}' is empty"
    if re.search(r'["\n\r\t]', name):
        return f"group '{name}' contains invalid characters"
    if group[0].isspace():
        return f"group '{name}' contains a leading space"
    return f"group '{name}' contains a trailing space" if group[-1].isspace() else ""


def _text_faults(what: str, field: str, values: Sequence[str], *, negatable: bool) -> Iterable[InitErrorDetails]:
    for index, value in enumerate(values):
        if negatable and value == "!*":
            message = f"{what} has an invalid format, '!*'"
            yield fault("argocd/deny-all", message, "leave it out instead", [field, index])
        if value in values[:index]:
            yield fault("argocd/duplicate", f"{what} '{value}' already added", "", [field, index])


def _is_duration(text: str) -> bool:
    try:
        duration_seconds(text.removeprefix("-"))
    except ValueError:
        return text == "0"
    return True
