"""Where a Helm chart comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from apiops_components.models.base import DnsSubdomain, Model, fault, raise_faults

__all__ = ["HelmChart"]

_EXACT = re.compile(r"v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


class HelmChart(Model):
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

    @model_validator(mode="after")
    def _check(self) -> Self:
        faults = []
        if (self.repository is None) == (self.path is None):
            faults.append(fault("helm/source", "exactly one of repository and path is expected"))
        if self.repository is not None and not self.repository.startswith(("https://", "oci://")):
            faults.append(
                fault("helm/repository", f"{self.repository!r} does not start with https:// or oci://", loc=["repository"])
            )
        if self.repository is not None and self.version is None:
            faults.append(
                fault("helm/version", "a chart from a repository needs its exact version", "such as 1.2.3", ["version"])
            )
        if self.version is not None and not _EXACT.fullmatch(self.version):
            faults.append(
                fault("helm/version", f"{self.version!r} is not an exact version", "such as 1.2.3", ["version"])
            )
        raise_faults(faults)
        return self
