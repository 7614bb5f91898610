"""What a container is given: variables, secrets, directories, resources, capabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic_core import InitErrorDetails

from apiops_components.models.base import CheckedModel, DnsSubdomain, Model, fault
from apiops_components.models.quantity import ByteSize, Cpu, quantity_value

__all__ = ["Capability", "Directory", "EnvName", "EnvValue", "Resources", "SecretFile"]

Capability = Literal[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
]
"""Those that the Pod Security Standard *baseline* lets a container add."""


def _plain_path(path: str) -> str:
    if any(part in (".", "..") for part in path.split("/")):
        raise ValueError("a path without '.' and '..' is expected")
    return path


EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=253)]
Directory = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._-]+)+$", max_length=1024), AfterValidator(_plain_path)]
SecretKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=253)]


class SecretFile(Model):
    """A key of a Secret, mounted as a file; the variable that holds it gets the path of the file.

    Secrets are files and never variables (CKV_K8S_35, CIS GKE 4.4.1): variables leak into logs and child processes.
    """

    secret: DnsSubdomain
    """Name of the Secret, in the namespace of the workload."""
    key: SecretKey
    """Key in it."""

    @property
    def directory(self) -> str:
        """Where the container finds the Secret."""
        return f"/etc/secrets/{self.secret}"

    @property
    def path(self) -> str:
        """Where the container finds the key."""
        return f"{self.directory}/{self.key}"


EnvValue = Annotated[
    Annotated[str, Tag("text")] | Annotated[SecretFile, Tag("file")],
    Discriminator(lambda value: "file" if isinstance(value, Mapping | SecretFile) else "text"),
]
"""Text, taken as it is; or a `SecretFile`."""


class Resources(CheckedModel):
    """What one replica gets; memory and storage are reserved in full, as what is promised twice runs out."""

    cpu_request: Cpu = "100m"
    """Reserved; the scheduler counts with it."""
    cpu_limit: Cpu = "500m"
    """Never more than this (CKV_K8S_11)."""
    memory: ByteSize = "128Mi"
    """Reserved, and the limit: a container above it is killed."""
    ephemeral_storage: ByteSize = "128Mi"
    """Logs, writable layer and scratch directories together; a pod above it is evicted."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if quantity_value(self.cpu_request) > quantity_value(self.cpu_limit):
            message = f"cpu_limit {self.cpu_limit} is less than cpu_request {self.cpu_request}"
            yield fault("workload/cpu-limit", message, loc=["cpu_limit"])
