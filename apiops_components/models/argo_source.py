"""Where an Argo CD Application takes its manifests from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.argo_project import Checked
from apiops_components.models.base import Bool, Integer, KubernetesModel, fault

__all__ = ["ApplicationSource", "SourceHydrator"]

Texts = tuple[str, ...]
Pairs = Mapping[str, str]


class HelmParameter(KubernetesModel):
    """One value of a chart."""

    name: str = ""
    """Its path in the chart's values."""
    value: str = ""
    """The value, always a string here."""
    force_string: Bool = False
    """Keep it a string where it looks like a number or a boolean."""


class HelmFileParameter(KubernetesModel):
    """One value of a chart, from a file."""

    name: str = ""
    """Its path in the chart's values."""
    path: str = ""
    """The file."""


class HelmSource(KubernetesModel):
    """How a Helm chart is rendered."""

    release_name: str = ""
    """The application's name by default."""
    namespace: str = ""
    """The destination's by default."""
    version: str = ""
    """Deprecated, without effect."""
    value_files: Texts = ()
    """Files of values, later ones over earlier ones."""
    values: str = ""
    """Values as YAML text."""
    values_object: Mapping[str, Any] | None = None
    """Values; over ``values``."""
    parameters: tuple[HelmParameter, ...] = ()
    """Single values, over all others."""
    file_parameters: tuple[HelmFileParameter, ...] = ()
    """Single values from files."""
    ignore_missing_value_files: Bool = False
    """Go on without them."""
    pass_credentials: Bool = False
    """Also to other hosts."""
    skip_crds: Bool = False
    """Leave the chart's definitions out."""
    skip_tests: Bool = False
    """Leave the chart's tests out."""
    skip_schema_validation: Bool = False
    """Do not check values against the chart's schema."""
    kube_version: str = ""
    """Version of Kubernetes shown to the chart."""
    api_versions: Texts = ()
    """API versions shown to the chart."""


class KustomizeReplicas(KubernetesModel):
    """How many pods a workload has."""

    name: str
    """The workload."""
    count: Integer | str
    """How many."""


class KustomizeSource(KubernetesModel):
    """How a kustomization is built."""

    name_prefix: str = ""
    """Before each name."""
    name_suffix: str = ""
    """After each name."""
    namespace: str = ""
    """Of every object."""
    images: Texts = ()
    """``old=new:tag`` or ``name:tag``."""
    replicas: tuple[KustomizeReplicas, ...] = ()
    """Of named workloads."""
    common_labels: Pairs = Field(default_factory=dict)
    """On every object."""
    common_annotations: Pairs = Field(default_factory=dict)
    """On every object."""
    force_common_labels: Bool = False
    """Over labels that are there."""
    force_common_annotations: Bool = False
    """Over annotations that are there."""
    common_annotations_envsubst: Bool = False
    """Replace variables in annotations."""
    label_without_selector: Bool = False
    """Leave selectors as they are."""
    label_include_templates: Bool = False
    """Pod templates too."""
    components: Texts = ()
    """Folders of components."""
    ignore_missing_components: Bool = False
    """Go on without them."""
    patches: tuple[Mapping[str, Any], ...] = ()
    """As in a kustomization."""
    version: str = ""
    """Of kustomize, by a name known to Argo CD."""
    kube_version: str = ""
    """Version of Kubernetes shown to charts."""
    api_versions: Texts = ()
    """API versions shown to charts."""


class JsonnetVariable(KubernetesModel):
    """A variable of a Jsonnet program."""

    name: str
    """Its name."""
    value: str
    """Its value."""
    code: Bool = False
    """The value is Jsonnet, not text."""


class Jsonnet(KubernetesModel):
    """How Jsonnet files are evaluated."""

    ext_vars: tuple[JsonnetVariable, ...] = ()
    """External variables."""
    tlas: tuple[JsonnetVariable, ...] = ()
    """Top-level arguments."""
    libs: Texts = ()
    """Folders of libraries."""


class DirectorySource(KubernetesModel):
    """How a folder of manifests is read."""

    recurse: Bool = False
    """Folders below too."""
    include: str = ""
    """Only files that match."""
    exclude: str = ""
    """Not files that match."""
    jsonnet: Jsonnet | None = None
    """For ``.jsonnet`` files."""


class PluginSource(KubernetesModel):
    """A config management plugin."""

    name: str = ""
    """The plugin; found by what it discovers where absent."""
    env: tuple[Mapping[str, str], ...] = ()
    """Environment variables: ``name`` and ``value``."""
    parameters: tuple[Mapping[str, Any], ...] = ()
    """``name`` and one of ``string``, ``array``, ``map``."""


class _Rendered(Checked):
    helm: HelmSource | None = None
    """Rendered as a chart."""
    kustomize: KustomizeSource | None = None
    """Built as a kustomization."""
    directory: DirectorySource | None = None
    """Read as plain files."""
    plugin: PluginSource | None = None
    """Made by a plugin."""

    def faults(self) -> Iterator[InitErrorDetails]:
        kinds = {"Kustomize": self.kustomize, "Helm": self.helm, "Directory": self.directory, "Plugin": self.plugin}
        given = [name for name, value in kinds.items() if value is not None]
        if len(given) > 1:
            message = f"multiple application sources defined: {','.join(given)}"
            yield fault("argocd/source-kind", message, "keep one of them")


class ApplicationSource(_Rendered):
    """A repository, and what in it."""

    repo_url: str = Field(alias="repoURL")
    """Git or Helm repository, or ``oci://`` artefact."""
    path: str = ""
    """Folder in a Git repository."""
    chart: str = ""
    """Name of a chart in a Helm repository."""
    target_revision: str = ""
    """Branch, tag or commit; version of a chart."""
    ref: str = ""
    """Name under which other sources take files of values from here; only with several sources."""
    name: str = ""
    """For people and commands."""
    tag_prefix: str = ""
    """Only tags that begin so."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from super().faults()
        if self.chart and not self.target_revision:
            message = "spec.source.targetRevision is required if the manifest source is a helm chart"
            yield fault("argocd/chart-version", message, "name the chart's exact version", ["targetRevision"])


class DrySource(_Rendered):
    """What is hydrated."""

    repo_url: str = Field(alias="repoURL")
    """Git repository."""
    target_revision: str
    """Branch, tag or commit."""
    path: str
    """Folder."""

    def faults(self) -> Iterator[InitErrorDetails]:
        yield from super().faults()
        if not self.repo_url:
            message = "spec.sourceHydrator.drySource.repoURL is required"
            yield fault("argocd/hydrator", message, "", ["repoURL"])


class SyncSource(Checked):
    """Where hydrated manifests are taken from."""

    target_branch: str
    """Branch."""
    path: Annotated[str, Field(min_length=1, pattern=r"^.{2,}|[^./]$")]
    """Folder; not the root."""
    repo_url: str = Field(default="", alias="repoURL")
    """The dry source's by default."""

    def faults(self) -> Iterator[InitErrorDetails]:
        if not self.target_branch:
            message = "spec.sourceHydrator.syncSource.targetBranch is required"
            yield fault("argocd/hydrator", message, "", ["targetBranch"])


class HydrateTo(Checked):
    """Where hydrated manifests are pushed to."""

    target_branch: str
    """Branch; of a pull request, say."""

    def faults(self) -> Iterator[InitErrorDetails]:
        if not self.target_branch:
            field = "spec.sourceHydrator.hydrateTo"
            message = f"when {field} is set, {field}.targetBranch is required"
            yield fault("argocd/hydrator", message, "", ["targetBranch"])


class SourceHydrator(KubernetesModel):
    """Manifests rendered into a branch of their own."""

    dry_source: DrySource
    """What is rendered."""
    sync_source: SyncSource
    """What is applied."""
    hydrate_to: HydrateTo | None = None
    """Where rendered manifests go first; into the sync source where absent."""
