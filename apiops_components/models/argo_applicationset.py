"""``spec`` of Argo CD's ApplicationSet, with the rules that only its controller checks.

Field names are strict all the way down. Values inside ``template`` may hold ``{{…}}``, which is filled in later: one
that does is not checked, and rules that need it stay silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.argo_generators import Generator, Template, is_template
from apiops_components.models.base import Bool, KubernetesChecked, KubernetesModel, fault

__all__ = ["ApplicationSetSpec"]

_PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)


class ApplicationTemplate(Template):
    """The Application that is made of each set of parameters."""

    @classmethod
    def _part(cls) -> bool:
        return False


class Requirement(KubernetesModel):
    """A label that an Application must have."""

    key: str
    """Label."""
    operator: Literal["In", "NotIn"]
    """Whether the label's value is one of ``values``."""
    values: tuple[str, ...] = ()
    """Values."""


class Step(KubernetesModel):
    """Applications that are synchronised together."""

    match_expressions: tuple[Requirement, ...] = ()
    """Labels of the Applications."""
    max_update: int | str | None = None
    """How many at a time, or a percentage; all by default."""


class RollingSync(KubernetesModel):
    """One group after the other."""

    steps: tuple[Step, ...] = ()
    """In order."""


class Strategy(KubernetesChecked):
    """In which order Applications are changed."""

    type: Literal["", "AllAtOnce", "RollingSync"] = ""
    """All at once by default."""
    rolling_sync: RollingSync | None = None
    """For RollingSync."""
    deletion_order: Literal["", "AllAtOnce", "Reverse"] = ""
    """Reverse needs RollingSync."""

    def faults(self) -> Iterator[InitErrorDetails]:
        values = self.__dict__
        if "type" not in values:
            return
        if self.type == "RollingSync" and values.get("rolling_sync") is None:
            yield fault("argocd/strategy", "RollingSync needs rollingSync with its steps", "", ["rollingSync"])
        if values.get("deletion_order") == "Reverse" and self.type != "RollingSync":
            message = "Reverse is for the strategy RollingSync only"
            yield fault("argocd/strategy", message, "type: RollingSync", ["deletionOrder"])


class SetSyncPolicy(KubernetesModel):
    """What the controller may do with the Applications."""

    applications_sync: Literal["create-only", "create-update", "create-delete", "sync"] | None = None
    """sync (all) by default."""
    preserve_resources_on_deletion: Bool = False
    """Keep what was deployed where the Application goes."""


class PreservedFields(KubernetesModel):
    """What others may write on the Applications."""

    annotations: tuple[str, ...] = ()
    """Keys."""
    labels: tuple[str, ...] = ()
    """Keys."""


class IgnoredField(KubernetesModel):
    """What the controller leaves alone in Applications."""

    name: str = ""
    """Only in this Application."""
    json_pointers: tuple[str, ...] = ()
    """RFC 6901."""
    jq_path_expressions: tuple[str, ...] = ()
    """Expressions of jq."""


class ApplicationSetSpec(KubernetesChecked):
    """Makes Applications of a template, one for each set of parameters."""

    go_template: Bool = False
    """Go's templates, ``{{.name}}``; the simple ``{{name}}`` by default."""
    go_template_options: tuple[str, ...] = ()
    """``missingkey=error`` stops at a parameter that does not exist."""
    generators: tuple[Generator, ...] = Field(min_length=1)
    """Where the sets of parameters come from; at least one."""
    template: ApplicationTemplate
    """The Application."""
    template_patch: str = ""
    """YAML laid over each Application; needs ``goTemplate``."""
    sync_policy: SetSyncPolicy | None = None
    """What the controller may do with the Applications."""
    strategy: Strategy | None = None
    """In which order they are changed."""
    preserved_fields: PreservedFields | None = None
    """What others may write on them."""
    ignore_application_differences: tuple[IgnoredField, ...] = ()
    """What is left alone in them."""
    apply_nested_selectors: Bool = False
    """Without effect today: selectors of inner generators always apply."""

    _options: ClassVar[tuple[str, ...]] = (
        "missingkey=default",
        "missingkey=invalid",
        "missingkey=zero",
        "missingkey=error",
    )

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        values = self.__dict__
        go = values.get("go_template", False)
        for index, option in enumerate(values.get("go_template_options", ())):
            if option not in self._options:
                message = f"unrecognized option: {option}"
                hint = f"one of {', '.join(self._options)}"
                yield fault("argocd/template-option", message, hint, ["goTemplateOptions", index])
        if values.get("go_template_options") and not go:
            message = "goTemplateOptions has no effect without goTemplate: true"
            yield fault("argocd/template-option", message, "", ["goTemplateOptions"])
        template: ApplicationTemplate | None = values.get("template")
        if template is not None:
            yield from self._name_faults(template.metadata.name, go=go)
        if values.get("template_patch") and not go:
            message = "templatePatch needs goTemplate: true"
            yield fault("argocd/template-patch", message, "", ["templatePatch"])

    def _name_faults(self, name: str, *, go: bool) -> Iterator[InitErrorDetails]:
        loc = ["template", "metadata", "name"]
        if not name:
            yield fault("schema/required", "required, but missing", "such as '{{.name}}'", loc)
        elif not is_template(name) and not self._makes_one():
            message = f"every Application would be called {name!r}"
            yield fault("argocd/template-name", message, "put a parameter into it: {{.name}}", loc)
        for placeholder in _PLACEHOLDER.findall(name):
            dotted = re.match(r"\{\{-?\s*\.", placeholder) is not None
            if dotted and not go:
                message = f"{placeholder} is a Go template, but goTemplate is not true: it stays as it is"
                yield fault("argocd/template-syntax", message, "goTemplate: true", loc)
            elif go and re.fullmatch(r"\{\{-?\s*[a-z_]\w*\s*-?\}\}", placeholder):
                message = f"{placeholder} is not a Go template: parameters begin with a dot"
                yield fault("argocd/template-syntax", message, placeholder.replace("{{", "{{.").replace(". ", "."), loc)

    def _makes_one(self) -> bool:
        generators = self.__dict__.get("generators", ())
        return len(generators) == 1 and generators[0].list is not None and len(generators[0].list.elements) < 2  # noqa: PLR2004
