"""Where a Helm chart comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema, InitErrorDetails

from apiops_components.models.base import CheckedModel, DnsSubdomain, fault

__all__ = ["HelmChart", "Partial", "completed"]

_EXACT = re.compile(r"v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)


class HelmChart(CheckedModel):
    """A chart: in a repository at an exact version, or a folder or ``.tgz`` on this machine.

    A range such as ``^1.2`` or ``latest`` is refused: two runs of the same commit would install different software.
    """

    name: DnsSubdomain
    """Name of the chart in its repository, such as ``argo-cd``."""
    version: str | None = None
    """Exact semantic version; required with a repository."""
    repository: str | None = None
    """``https://`` address of a chart repository, or ``oci://`` address of its parent."""
    path: str | None = None
    """Folder or packed chart on this machine, instead of a repository; relative to the project."""
    values: Mapping[str, Any] = Field(default_factory=dict)
    """Merged over the values that the component sets: for what it has no opinion on. Never a secret: Helm keeps
    values in the cluster in clear."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.version is not None and not _EXACT.fullmatch(self.version):
            yield fault("helm/version", f"{self.version!r} is not an exact version", "such as 1.2.3", ["version"])
        if (self.repository is None) == (self.path is None):
            yield fault("helm/source", "exactly one of repository and path is expected")
        if self.repository is not None and self.version is None:
            yield fault(
                "helm/version", "a chart from a repository needs its exact version", "such as 1.2.3", ["version"]
            )
        if self.repository is not None and not self.repository.startswith(("https://", "oci://")):
            yield fault(
                "helm/repository", f"{self.repository!r} starts with neither https:// nor oci://", "", ["repository"]
            )


class Partial:
    """Marks a chart that `completed` fills in: editors then ask for none of its fields."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The chart's own schema, without what it requires."""
        whole = handler.resolve_ref_schema(handler(schema))
        return {key: value for key, value in whole.items() if key != "required"}


def completed(default: Mapping[str, str]) -> Callable[[Any], Any]:
    """Fills in what settings leave out of a chart, so that ``chart: {values: …}`` alone is enough.

    A chart given by its path takes only the name: a folder has neither repository nor version of its own choice. One
    from another repository says its own version: what was tried here is not what lies there.
    """

    def complete(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        if "path" in value or "repository" in value:
            return {"name": default["name"], **value}
        return {**default, **value}

    return complete
