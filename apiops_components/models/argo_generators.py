"""Where an ApplicationSet takes its parameters from.

The definition allows several generators in one entry and any depth of nesting; the controller takes one of them, or
refuses when it runs. Messages are Argo CD's own where it has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic_core import InitErrorDetails

from apiops_components.errors import shown
from apiops_components.models.argo_application import ApplicationSpec
from apiops_components.models.argo_forges import PullRequestGenerator, ScmProviderGenerator
from apiops_components.models.base import (
    Bool,
    Integer,
    KubernetesChecked,
    KubernetesModel,
    details,
    fault,
    raise_faults,
)

__all__ = ["Generator", "Template", "TemplateMetadata", "application_faults", "is_template"]

# Kubernetes itself refuses these, whatever the text will become.
_STRUCTURAL = ("missing", "extra_forbidden", "schema/unknown-field", "schema/required", "schema/integer")


def is_template(text: Any) -> bool:
    """Whether a value is filled in later."""
    return isinstance(text, str) and "{{" in text


def application_faults(spec: Mapping[str, Any], loc: tuple[str, ...], *, part: bool) -> Iterator[InitErrorDetails]:
    """What is wrong with an Application's ``spec`` wherever it holds no ``{{…}}``; a part of one may be incomplete."""
    try:
        ApplicationSpec.model_validate(spec)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            kind = item["type"]
            structural = kind in _STRUCTURAL or kind.endswith("_type")
            absent = part and kind not in ("extra_forbidden", "schema/unknown-field") and not kind.endswith("_type")
            if not absent and (structural or not _templated(spec, item["loc"])):
                found = details(item)
                found["loc"] = (*loc, *item["loc"])
                yield found


def _templated(value: Any, loc: Sequence[str | int]) -> bool:
    """Whether what an error is about, or a text just below it, is filled in later."""
    for step in loc:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list | tuple) and step < len(value) else value
        elif isinstance(value, Mapping):
            value = value.get(step, value)
    parts = value.values() if isinstance(value, Mapping) else [value]
    return any(map(is_template, parts))


class TemplateMetadata(KubernetesModel):
    """``metadata`` of each Application made."""

    name: str = ""
    """Must differ for each."""
    namespace: str = ""
    """The ApplicationSet's by default."""
    labels: Mapping[str, str] = Field(default_factory=dict)
    """Labels."""
    annotations: Mapping[str, str] = Field(default_factory=dict)
    """Annotations."""
    finalizers: tuple[str, ...] = ()
    """``resources-finalizer.argocd.argoproj.io`` deletes what was deployed with the Application."""


class Template(KubernetesModel):
    """What a generator lays over the template of its ApplicationSet."""

    metadata: TemplateMetadata
    """Name, labels, annotations."""
    spec: Mapping[str, Any]
    """``spec`` of an Application, or parts of one; texts may hold ``{{…}}``."""

    @field_validator("spec")
    @classmethod
    def _known_fields(cls, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        raise_faults(application_faults(spec, (), part=cls._part()))
        return spec

    @classmethod
    def _part(cls) -> bool:
        return True


class Expression(KubernetesModel):
    """One condition of a selector."""

    key: str
    """Label, or parameter."""
    operator: str
    """In, NotIn, Exists or DoesNotExist."""
    values: tuple[str, ...] = ()
    """Values, for In and NotIn."""


class Selector(KubernetesModel):
    """What is taken of all that there is."""

    match_labels: Mapping[str, str] = Field(default_factory=dict)
    """All of these."""
    match_expressions: tuple[Expression, ...] = ()
    """All of these."""


class _Source(KubernetesChecked):
    template: Template | None = None
    """Laid over the ApplicationSet's template."""


class ListGenerator(_Source):
    """Parameters written here."""

    elements: tuple[Any, ...] = ()
    """A mapping each."""
    elements_yaml: str = Field(default="", alias="elementsYaml")
    """The same as YAML text, of a template."""

    def faults(self) -> Iterator[InitErrorDetails]:
        for index, element in enumerate(self.elements):
            if not isinstance(element, Mapping):
                message = f"an element is a mapping of parameters, got {shown(element)}"
                yield fault("argocd/element", message, "", ["elements", index])


class ClustersGenerator(_Source):
    """One set for each cluster that Argo CD knows."""

    selector: Selector | None = None
    """Labels of the clusters' Secrets; with one, Argo CD's own cluster is left out."""
    values: Mapping[str, str] = Field(default_factory=dict)
    """More parameters: ``values.<key>``."""
    flat_list: Bool = False
    """One set that holds all clusters."""


class GitPath(KubernetesModel):
    """A pattern of files or folders."""

    path: str
    """Pattern."""
    exclude: Bool = False
    """Leave out what matches."""


class GitGenerator(_Source):
    """One set for each folder, or of each file, of a repository."""

    repo_url: str = Field(alias="repoURL")
    """Repository."""
    revision: str
    """Branch, tag or commit."""
    directories: tuple[GitPath, ...] = ()
    """Folders; instead of files."""
    files: tuple[GitPath, ...] = ()
    """Files of YAML or JSON; instead of directories."""
    path_param_prefix: str = ""
    """Before ``path`` in the names of parameters, where two git generators meet."""
    requeue_after_seconds: Integer | None = None
    """Three minutes by default."""
    values: Mapping[str, str] = Field(default_factory=dict)
    """More parameters."""

    def faults(self) -> Iterator[InitErrorDetails]:
        values = self.__dict__
        if "directories" in values and "files" in values and bool(self.directories) == bool(self.files):
            yield fault("argocd/git-generator", "exactly one of directories and files is expected")


class ConfigMapReference(KubernetesModel):
    """A ConfigMap in Argo CD's namespace."""

    name: str = Field(min_length=1)
    """Its name."""


class PluginInput(KubernetesModel):
    """What a plugin is asked."""

    parameters: Mapping[str, Any] = Field(default_factory=dict)
    """Anything."""


class PluginGenerator(_Source):
    """Sets that a service of one's own answers with."""

    config_map_ref: ConfigMapReference
    """Says where the service is."""
    input: PluginInput | None = None
    """What it is asked."""
    requeue_after_seconds: Integer | None = None
    """30 minutes by default."""
    values: Mapping[str, str] = Field(default_factory=dict)
    """More parameters."""


class ClusterDecisionResourceGenerator(_Source):
    """One set for each cluster that another controller chose."""

    config_map_ref: str = Field(min_length=1)
    """ConfigMap that says which resource."""
    name: str = ""
    """The resource."""
    label_selector: Selector | None = None
    """Or its labels."""
    requeue_after_seconds: Integer | None = None
    """Three minutes by default."""
    values: Mapping[str, str] = Field(default_factory=dict)
    """More parameters."""


def _nested(generators: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Place and content of each generator of generators in a list, as written."""
    for index, item in enumerate(generators if isinstance(generators, list | tuple) else ()):
        for name in ("matrix", "merge"):
            found = item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
            if found is not None:
                yield (index, name), found


def _inner(generator: Any) -> Any:
    return generator.get("generators") if isinstance(generator, Mapping) else getattr(generator, "generators", None)


def _not_too_deep(generators: Any) -> Any:
    """A generator of generators may hold another one, which may hold none.

    Told before anything below is looked at, so that the depth of a document cannot cost time.
    """
    raise_faults(
        fault(
            "argocd/nesting",
            f"{below[-1]} may not stand here: generators of generators are nested once at most",
            "",
            (*place, "generators", *below),
        )
        for place, outer in _nested(generators)
        for below, _ in _nested(_inner(outer))
    )
    return generators


class MatrixGenerator(_Source):
    """Every pair of the sets of two generators; the second may use parameters of the first."""

    generators: Annotated[tuple[Generator, ...], BeforeValidator(_not_too_deep)]
    """Two."""

    def faults(self) -> Iterator[InitErrorDetails]:
        generators = self.__dict__.get("generators")
        if generators is None:
            return
        if len(generators) != 2:  # noqa: PLR2004
            much = "less" if len(generators) < 2 else "more"  # noqa: PLR2004
            message = f"found {much} than two generators, Matrix support only two"
            yield fault("argocd/matrix", message, "nest one: a matrix may hold a matrix", ["generators"])
        prefixes = [item.git.path_param_prefix for item in generators if item.git is not None]
        if len(set(prefixes)) < len(prefixes):
            message = "two git generators write the same parameters, path among them"
            yield fault("argocd/matrix", message, "give one of them a pathParamPrefix", ["generators"])


class MergeGenerator(_Source):
    """Sets of the first generator, completed by those of the others with equal keys."""

    generators: Annotated[tuple[Generator, ...], BeforeValidator(_not_too_deep)]
    """Two or more."""
    merge_keys: tuple[str, ...]
    """The parameters that must be equal."""

    def faults(self) -> Iterator[InitErrorDetails]:
        values = self.__dict__
        generators = values.get("generators")
        if generators is not None and len(generators) < 2:  # noqa: PLR2004
            message = "found less than two generators, Merge requires two or more"
            yield fault("argocd/merge", message, "", ["generators"])
        if values.get("merge_keys") == ():
            message = "no merge keys were specified, Merge requires at least one"
            yield fault("argocd/merge", message, "", ["mergeKeys"])


class Generator(KubernetesChecked):
    """One source of parameters, and which of its sets are taken."""

    list: ListGenerator | None = None
    """Written here."""
    clusters: ClustersGenerator | None = None
    """The clusters that Argo CD knows."""
    git: GitGenerator | None = None
    """Folders or files of a repository."""
    scm_provider: ScmProviderGenerator | None = None
    """Repositories of an organisation."""
    cluster_decision_resource: ClusterDecisionResourceGenerator | None = None
    """Clusters that another controller chose."""
    pull_request: PullRequestGenerator | None = None
    """Open pull requests of a repository."""
    plugin: PluginGenerator | None = None
    """A service of one's own."""
    matrix: MatrixGenerator | None = None
    """Every pair of two generators' sets."""
    merge: MergeGenerator | None = None
    """Sets completed by others."""
    selector: Selector | None = None
    """Only sets whose parameters match."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        fields = type(self).model_fields
        values = self.__dict__
        if any(name not in values for name in fields):
            return
        given = [fields[name].alias or name for name in fields if name != "selector" and values[name] is not None]
        if len(given) != 1:
            known = ", ".join(field.alias or name for name, field in fields.items() if name != "selector")
            got = " and ".join(given) or "none"
            yield fault("argocd/one-generator", f"exactly one of {known} is expected in an entry, got {got}")


MatrixGenerator.model_rebuild(force=True)
MergeGenerator.model_rebuild(force=True)
