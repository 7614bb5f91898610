"""What a pipeline delivers, and who says yes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.argocd import Folder
from apiops_components.models.base import CheckedModel, DnsLabel, Text, fault, raise_faults
from apiops_components.models.image import parse_image

__all__ = ["PipelineSpec", "WorkloadIdentity"]


def _pinned(text: str) -> str:
    try:
        image = parse_image(text)
    except ValueError:
        image = None
    if image is None or image.digest is None:
        message = f"{text!r} is not pinned by its digest: whoever moves its tag would run in the pipeline"
        raise_faults([fault("pipeline/image", message, "registry/name@sha256:<64 hexadecimal digits>")])
    return text


PinnedImage = Annotated[str, AfterValidator(_pinned)]
"""An image that nobody can exchange."""


class WorkloadIdentity(CheckedModel):
    """How a job is known to Google Cloud, without a key: by the token that the forge gives each job."""

    provider: Annotated[
        str, Field(pattern=r"^projects/[0-9]+/locations/global/workloadIdentityPools/[^/]+/providers/[^/]+$")
    ]
    """Full name of the workload identity provider; its condition says which repository and branch may come."""
    service_account: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.iam\.gserviceaccount\.com$")]
    """The service account that the job acts as: one for each environment."""


class PipelineSpec(CheckedModel):
    """One pipeline: a change is reviewed; merged, it goes to one environment, and by a person's word to the next."""

    image: PinnedImage
    """Image with apiopsctl (extra ``cluster``), git, pulumi and the plugins that the kubeconfigs name."""
    first: DnsLabel = "staging"
    """The environment where every merged commit goes."""
    second: DnsLabel = "prod"
    """The environment that is promoted from it."""
    trees: Folder = "deploy"
    """Folder of the trees, as ``git.path`` in the settings."""
    branch: Text = "main"
    """The branch that is delivered."""
    tests: tuple[Text, ...] = ("pytest",)
    """Commands that test a change."""
    smoke: Text | None = None
    """File of the smoke tests of the first environment; none are run where it is absent."""
    stacks: tuple[Text, ...] = Field(default=(".",), min_length=1)
    """Folders of the Pulumi projects of an environment, in the order of their deployment, the platform's first."""
    approvers: Text = "release-managers"
    """Group that may say yes, where the forge keeps that in the pipeline (Jenkins)."""
    approval_hours: int = Field(default=24, ge=1, le=720)
    """Hours until an answer that did not come is a no, where the forge counts them (Jenkins)."""
    minutes: int = Field(default=30, ge=1, le=360)
    """Minutes that a job may take."""
    identities: dict[DnsLabel, WorkloadIdentity] = Field(default_factory=dict)
    """Identity of the jobs of each environment; on Jenkins that of the agents' own nodes is used."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.first == self.second:
            yield fault("pipeline/environments", "an environment is not promoted from itself", "", ["second"])
        for name in self.identities:
            if name not in (self.first, self.second):
                message = f"{name!r} is neither {self.first!r} nor {self.second!r}"
                yield fault("pipeline/identity", message, "", ["identities", name])
        for field in ("tests", "stacks"):
            for index, text in enumerate(getattr(self, field)):
                if "\n" in text or "'" in text:
                    yield fault("pipeline/text", "one line without quotes is expected", "", [field, index])
