"""What may run in a cluster at Google, as whom, and on which nodes that GKE makes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import Bool, CheckedModel, DnsLabel, DnsSubdomain, Integer, Model, fault, matching

__all__ = ["AutoProvisioning", "ImagePolicy", "WorkloadIdentity"]

_Images = Annotated[
    str,
    matching(
        r"[a-z0-9][a-z0-9.-]*\.[a-z]+/[a-z0-9._/-]*(\*\*?|[a-z0-9]([:@][A-Za-z0-9_.:-]+)?)",
        300,
        "gke/images",
        "images such as europe-docker.pkg.dev/acme/apis/** (host, path, '*' or '**' only at the end)",
    ),
]
_Attestor = Annotated[
    str,
    matching(r"projects/[^/]+/attestors/[^/]+", 300, "gke/attestor", "an attestor such as projects/P/attestors/A"),
]
_GoogleAccount = Annotated[
    str,
    matching(
        r"[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z][a-z0-9-]{4,28}[a-z0-9]\.iam\.gserviceaccount\.com",
        85,
        "gke/google-account",
        "a service account such as orders@acme-prod.iam.gserviceaccount.com",
    ),
]


class ImagePolicy(CheckedModel):
    """The project's policy of Binary Authorization: which images may run.

    A project has one, for all its clusters, so one stack alone says this. It outlives the stack: without it every image
    would run in the project's other clusters. What Google itself puts into clusters always runs.
    """

    allowed: tuple[_Images, ...] = ()
    """Images that run as they are, such as ``europe-docker.pkg.dev/acme/apis/**`` (``*`` one part of a path, ``**``
    more). What the platform installs is asked too: the images of ngrok's operator, of Argo CD."""
    attestors: tuple[_Attestor, ...] = ()
    """Who must have signed every other image, all of them; with none, no other image runs."""
    dry_run: Bool = False
    """Only log what would be refused: a first look, which keeps no rule (CIS-1.6:5.10.4)."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if not self.allowed and not self.attestors:
            message = "no image at all could run: allowed and attestors are empty"
            yield fault("gke/images", message, "list the registries that you trust", ["allowed"])
        for name in ("allowed", "attestors"):
            values = getattr(self, name)
            for position, value in enumerate(values):
                if value in values[:position]:
                    yield fault("gke/images", f"{value} is listed twice", "", [name, position])


class WorkloadIdentity(Model):
    """Lets pods act as a service account of Google Cloud, without a key (CIS-1.6:5.2.2).

    The pods' own service account names it too: annotation ``iam.gke.io/gcp-service-account``.
    """

    namespace: DnsLabel
    """Of the pods."""
    service_account: DnsSubdomain
    """Kubernetes service account of the pods."""
    google_account: _GoogleAccount
    """Address of the service account of Google Cloud; it exists, and what it may do is said elsewhere."""


class AutoProvisioning(Model):
    """GKE makes node pools by itself for pods that fit on no other, hardened like the others.

    Their disks have Google's keys: one's own could only be changed with the whole cluster.
    """

    max_cpus: Annotated[Integer, Field(ge=1)]
    """Most processors of the cluster, all pools together."""
    max_memory_gb: Annotated[Integer, Field(ge=1)]
    """Most memory of the cluster in GB, all pools together."""
