"""``spec`` of Argo CD's Application, with the rules that only Argo CD itself checks, when it is too late.

Kubernetes checks the presence of four fields. The rest shows as a condition of the Application, or not at all: of two
kinds of source one is ignored without a word. Messages are Argo CD's own where it has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.argo_project import Checked, Destination
from apiops_components.models.argo_source import ApplicationSource, SourceHydrator
from apiops_components.models.base import Bool, Integer, KubernetesModel, duration_seconds, fault

__all__ = ["ApplicationSpec"]

_REF = re.compile(r"[a-zA-Z0-9_-]+")
_SWITCH = ("true", "false")
_SYNC_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "ApplyOutOfSyncOnly": _SWITCH,
    "ClientSideApplyMigration": _SWITCH,
    "CreateNamespace": _SWITCH,
    "Delete": (*_SWITCH, "confirm"),
    "FailOnSharedResource": _SWITCH,
    "Force": _SWITCH,
    "Prune": (*_SWITCH, "confirm"),
    "PruneLast": _SWITCH,
    "PrunePropagationPolicy": ("background", "foreground", "orphan"),
    "Replace": _SWITCH,
    "RespectIgnoreDifferences": _SWITCH,
    "ServerSideApply": _SWITCH,
    "SkipDryRunOnMissingResource": _SWITCH,
    "Validate": _SWITCH,
}


class Automated(KubernetesModel):
    """Synchronise without being asked."""

    prune: Bool | None = None
    """Delete what is no longer in Git; false by default."""
    self_heal: Bool | None = None
    """Undo changes made in the cluster; false by default."""
    allow_empty: Bool | None = None
    """Delete everything where Git holds nothing any more; false by default."""
    enabled: Bool | None = None
    """True by default; false wins over the presence of this object."""


class Backoff(Checked):
    """How long to wait between attempts."""

    duration: str = ""
    """The first wait; 5s by default. A bare number means seconds."""
    factor: Integer | None = None
    """Each wait is so many times the one before; 2 by default."""
    max_duration: str = ""
    """The longest wait; 3m by default."""

    def faults(self) -> Iterator[InitErrorDetails]:
        for field, value in (("duration", self.duration), ("maxDuration", self.max_duration)):
            if value and not _is_wait(value):
                yield fault("argocd/backoff", f"unable to parse {value} as a duration", "such as 5s or 3m", [field])


class Retry(KubernetesModel):
    """What follows a failed synchronisation."""

    limit: Integer = 0
    """Attempts; 0 for none, less for without end."""
    backoff: Backoff | None = None
    """Waits between them."""
    refresh: Bool = False
    """Take a newer commit at the next attempt."""


class ManagedNamespaceMetadata(KubernetesModel):
    """What Argo CD writes on the namespace that it makes."""

    labels: Mapping[str, str] = Field(default_factory=dict)
    """Labels."""
    annotations: Mapping[str, str] = Field(default_factory=dict)
    """Annotations."""


class SyncPolicy(Checked):
    """When and how objects are applied."""

    automated: Automated | None = None
    """By itself; only when asked where absent."""
    sync_options: tuple[str, ...] = ()
    """``Name=value`` each."""
    retry: Retry | None = None
    """Automated synchronisation without it makes five attempts."""
    managed_namespace_metadata: ManagedNamespaceMetadata | None = None
    """Needs ``CreateNamespace=true``."""

    def faults(self) -> Iterator[InitErrorDetails]:
        for index, option in enumerate(self.sync_options):
            name, _, value = option.partition("=")
            place: tuple[str, int] = ("syncOptions", index)
            if name not in _SYNC_OPTIONS:
                message = f"Argo CD ignores {option!r}: it has no such option"
                yield fault("argocd/sync-option", message, f"one of {', '.join(_SYNC_OPTIONS)}", place)
            elif value not in _SYNC_OPTIONS[name]:
                message = f"Argo CD ignores {option!r}: {name} takes {', '.join(_SYNC_OPTIONS[name])}"
                yield fault("argocd/sync-option", message, f"{name}={_SYNC_OPTIONS[name][0]}", place)
        if self.managed_namespace_metadata is not None and "CreateNamespace=true" not in self.sync_options:
            message = "managedNamespaceMetadata has no effect without the option CreateNamespace=true"
            yield fault("argocd/namespace-metadata", message, "", ["managedNamespaceMetadata"])


class IgnoredDifference(Checked):
    """A part of objects that may differ from Git."""

    group: str = ""
    """API group."""
    kind: str
    """Kind."""
    name: str = ""
    """Only this object."""
    namespace: str = ""
    """Only in this namespace."""
    json_pointers: tuple[str, ...] = ()
    """RFC 6901, such as ``/spec/replicas``."""
    jq_path_expressions: tuple[str, ...] = ()
    """Expressions of jq."""
    managed_fields_managers: tuple[str, ...] = ()
    """Whatever these managers own."""

    def faults(self) -> Iterator[InitErrorDetails]:
        if not (self.json_pointers or self.jq_path_expressions or self.managed_fields_managers):
            message = "one of jsonPointers, jqPathExpressions and managedFieldsManagers is expected: nothing is ignored"
            yield fault("argocd/ignore-nothing", message)
        for index, pointer in enumerate(self.json_pointers):
            if not pointer.startswith("/"):
                hint = f"/{pointer.lstrip('.').replace('.', '/')}"
                message = f"{pointer!r} is not a JSON pointer (RFC 6901): it starts with /"
                yield fault("argocd/json-pointer", message, hint, ["jsonPointers", index])


class Info(KubernetesModel):
    """Shown with the application."""

    name: str
    """What it is."""
    value: str
    """Its text or address."""


class ApplicationSpec(Checked):
    """What is applied, from where, to where."""

    project: str
    """AppProject that says what it may do."""
    destination: Destination
    """Cluster, and the namespace of objects that name none."""
    source: ApplicationSource | None = None
    """One source."""
    sources: tuple[ApplicationSource, ...] = ()
    """Several sources."""
    source_hydrator: SourceHydrator | None = None
    """A branch of rendered manifests."""
    sync_policy: SyncPolicy | None = None
    """When and how."""
    ignore_differences: tuple[IgnoredDifference, ...] = ()
    """What may differ; it is still applied without ``RespectIgnoreDifferences=true``."""
    info: tuple[Info, ...] = ()
    """For people."""
    revision_history_limit: Integer | None = None
    """How many syncs can be rolled back to; 10 by default."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if not self.project:
            yield fault("argocd/project", "project must not be empty", "the team's project", ["project"])
        destination = self.destination
        if destination.name and destination.server:
            both = f"{destination.name} {destination.server}"
            message = f"application destination can't have both name and server defined: {both}"
            yield fault("argocd/destination", message, "keep one of them", ["destination"])
        if not destination.name and not destination.server:
            hint = "server: https://kubernetes.default.svc is Argo CD's own cluster"
            yield fault("argocd/destination", "Destination server missing from app spec", hint, ["destination"])
        yield from self._sources_faults()
        yield from self._kind_faults()
        if self.source is not None and not (self.source.repo_url and (self.source.path or self.source.chart)):
            message = "spec.source.repoURL and either spec.source.path or spec.source.chart are required"
            yield fault("argocd/source", message, 'the root of a repository is path: "."', ["source"])

    def _kind_faults(self) -> Iterator[InitErrorDetails]:
        # In Argo CD's order of precedence; an empty list counts as absent there.
        kinds = {"sourceHydrator": self.source_hydrator, "sources": self.sources, "source": self.source}
        given = [name for name, value in kinds.items() if value]
        if not given:
            yield fault("argocd/one-source", "exactly one of source, sources and sourceHydrator is expected")
        if len(given) > 1:
            message = (
                f"exactly one of source, sources and sourceHydrator is expected; Argo CD would take {given[0]} and "
            )
            yield fault("argocd/one-source", f"{message}ignore {' and '.join(given[1:])}", "", [given[-1]])

    def _sources_faults(self) -> Iterator[InitErrorDetails]:
        refs, names = [source.ref for source in self.sources], [source.name for source in self.sources]
        for index, source in enumerate(self.sources):
            if not (source.repo_url and (source.path or source.chart or source.ref)):
                required = (
                    "spec.source.repoURL and either source.path, source.chart, or source.ref are required for source"
                )
                yield fault("argocd/source", f"{required} {source.repo_url or index}", "", ["sources", index])
            if source.ref and not _REF.fullmatch(source.ref):
                message = f"sources.ref {source.ref} cannot contain any special characters except '_' and '-'"
                yield fault("argocd/source-ref", message, "", ["sources", index, "ref"])
            if source.ref and source.ref in refs[:index]:
                message = "invalid sources: multiple sources had the same `ref` key"
                yield fault("argocd/source-ref", message, "", ["sources", index, "ref"])
            if source.name and source.name in names[:index]:
                message = f"application has duplicate source name: {source.name}"
                yield fault("argocd/duplicate", message, "", ["sources", index, "name"])


def _is_wait(text: str) -> bool:
    if re.fullmatch(r"[+-]?[0-9]+", text):
        return True
    try:
        duration_seconds(text.removeprefix("-"))
    except ValueError:
        return False
    return True
