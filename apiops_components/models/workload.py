"""What runs behind an API: a container, how many of it, and what it may do.

The defaults are strict: those of the Pod Security Standard *restricted* and of checkov's and kube-score's rules. What
breaks one needs an `Exemption` with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import (
    Bool,
    CheckedModel,
    DnsLabel,
    Integer,
    Port,
    fault,
)
from apiops_components.models.container import Capability, Directory, EnvName, EnvValue, Resources
from apiops_components.models.exemption import Breach, Exemption, unexempted_faults, unneeded_faults
from apiops_components.models.image import Image, parse_image
from apiops_components.models.labels import Labels
from apiops_components.models.network import Caller, Egress
from apiops_components.models.probe import HttpProbe, Probe, TcpProbe
from apiops_components.models.quantity import ByteSize, quantity_value

__all__ = ["FIRST_UNPRIVILEGED_PORT", "Autoscale", "Workload"]

DEFAULT_REPLICAS = 3
"""One for each zone of a region."""

OWNED_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by")
"""Labels that render sets; a workload may not."""

FIRST_UNPRIVILEGED_PORT = 1024
"""Below it, only root may listen, unless told otherwise."""

_FIRST_HIGH_ID = 10_000
_SERVICE_NAME = re.compile(r"[a-z].*")
_SECRET_NAME = re.compile(r".*(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY)", re.IGNORECASE)


Count = Annotated[Integer, Field(ge=1, le=2**31 - 1)]
Seconds = Annotated[Integer, Field(ge=0, le=2**31 - 1)]
Percent = Annotated[Integer, Field(ge=1, le=100)]
UserId = Annotated[Integer, Field(ge=0, le=2**31 - 1)]


class Autoscale(CheckedModel):
    """Number of replicas by load, instead of a fixed one."""

    min: Count = DEFAULT_REPLICAS
    """Never fewer."""
    max: Count
    """Never more."""
    cpu: Annotated[Integer, Field(ge=1)] | None = 70
    """Aim, in percent of ``cpu_request`` on average; may be above 100, as the limit is."""
    memory: Percent | None = None
    """Aim, in percent of ``memory``; off by default, as most runtimes never give memory back."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.max < self.min:
            yield fault("workload/autoscale", f"max {self.max} is less than min {self.min}", loc=["max"])
        if self.cpu is None and self.memory is None:
            yield fault("workload/autoscale", "at least one of cpu and memory is expected")


class Workload(CheckedModel):
    """One container image, run in several replicas behind one Service."""

    name: DnsLabel
    """Of all its objects; starts with a letter, as a Service must."""
    image: Image
    """``registry/name:tag@sha256:…``."""
    port: Port
    """Where the container listens."""
    kind: Literal["Deployment", "ReplicaSet"] = "Deployment"
    """A ReplicaSet does not replace running pods when the workload changes; it is there for those that exist."""
    replicas: Count = DEFAULT_REPLICAS
    """How many, without ``autoscale``."""
    autoscale: Autoscale | None = None
    """How many by load, instead of ``replicas``."""
    labels: Labels = Field(default_factory=dict)
    """On every object and pod. They may change: pods are selected by the workload's name alone."""
    command: tuple[str, ...] = ()
    """Instead of the image's entry point; each is taken as it is."""
    args: tuple[str, ...] = ()
    """Arguments; each is taken as it is."""
    env: Mapping[EnvName, EnvValue] = Field(default_factory=dict)
    """Environment variables: text as it is, or the path of a `SecretFile`."""
    readiness: Probe | None = Field(default_factory=lambda: HttpProbe(path="/readyz"))
    """May it get requests? ``/readyz`` by default."""
    liveness: Probe | None = Field(default_factory=lambda: HttpProbe(path="/livez"))
    """Must it be started again? ``/livez`` by default; never the endpoint of ``readiness``, or what only should get no
    requests is killed (kube-score ``pod-probes-identical``)."""
    startup: Probe | None = None
    """Has it started? By default ``liveness``, asked every 2 seconds for at most 2 minutes."""
    resources: Resources = Field(default_factory=Resources)
    """What one replica gets."""
    scratch: Mapping[Directory, ByteSize] = Field(default_factory=lambda: {"/tmp": "64Mi"})  # noqa: S108
    """Writable directories, empty at start, and how large each may grow."""
    drain_seconds: Seconds = 10
    """A stopping replica still serves for so long, until all proxies know; in seconds."""
    termination_grace_seconds: Seconds = 40
    """Time to stop, ``drain_seconds`` included, before it is killed; in seconds."""
    service_port: Port = 80
    """Port of the Service: what routes name."""
    allow_ingress: tuple[Caller, ...] = ()
    """Who may call it besides the gateway; anyone else is refused."""
    allow_egress: tuple[Egress, ...] = ()
    """Where it may connect to besides DNS; anything else is refused."""
    user: UserId = 10_001
    """User id in the container; 0 is root. From 10000 on it cannot be one of the node's (CKV_K8S_40)."""
    group: UserId | None = None
    """Group id; that of ``user`` by default."""
    read_only_root: Bool = True
    """Whether only ``scratch`` can be written to."""
    add_capabilities: tuple[Capability, ...] = ()
    """Given back after all were dropped."""
    exemptions: tuple[Exemption, ...] = ()
    """Restrictions that it may break, each with its reason."""

    @property
    def group_id(self) -> int:
        """The group id that holds."""
        return self.user if self.group is None else self.group

    @property
    def is_root(self) -> bool:
        """Whether user or group is root."""
        return 0 in (self.user, self.group_id)

    @property
    def pod_security(self) -> Literal["restricted", "baseline"]:
        """The strictest Pod Security Standard that admits its pods, so what its namespace can enforce."""
        return "baseline" if self.user == 0 or set(self.add_capabilities) - {"NET_BIND_SERVICE"} else "restricted"

    def breaches(self) -> Iterator[Breach]:
        """Each place where it breaks a restriction, exempted or not."""
        yield from self.told(
            self._image_breaches,
            self._user_breaches,
            self._container_breaches,
            self._availability_breaches,
            self._network_breaches,
            self._environment_breaches,
        )

    def _image_breaches(self) -> Iterator[Breach]:
        if parse_image(self.image).digest is None:
            message = f"{self.image!r} has no digest: what it names can change"
            fix = "add @sha256:… (docker buildx imagetools inspect prints it)"
            yield Breach("image-without-digest", "workload/image-digest", message, fix, ("image",))

    def _user_breaches(self) -> Iterator[Breach]:
        if self.is_root:
            fix = f"leave user and group out, or use ids from {_FIRST_HIGH_ID}"
            loc = "user" if self.user == 0 else "group"
            yield Breach("run-as-root", "workload/run-as-root", f"{loc} 0 is root", fix, (loc,))
        for field, number in (("user", self.user), ("group", self.group)):
            if number is not None and 0 < number < _FIRST_HIGH_ID:
                message = f"{field} {number} may be one of the node's own"
                yield Breach("low-user-id", "workload/low-user-id", message, f"{_FIRST_HIGH_ID} or more", (field,))

    def _container_breaches(self) -> Iterator[Breach]:
        if not self.read_only_root:
            fix = "name the directories that must be writable in scratch"
            message = "the root filesystem is writable"
            yield Breach("writable-root-filesystem", "workload/writable-root", message, fix, ("read_only_root",))
        if self.add_capabilities:
            message = f"capabilities are added: {', '.join(self.add_capabilities)}"
            fix = "leave add_capabilities out"
            yield Breach("added-capabilities", "workload/capabilities", message, fix, ("add_capabilities",))

    def _availability_breaches(self) -> Iterator[Breach]:
        for field in ("readiness", "liveness"):
            if getattr(self, field) is None:
                fix = "give it a path, or {} for a TCP connection"
                yield Breach("no-probes", "workload/probe-missing", f"no {field} probe", fix, (field,))
        if (self.autoscale.min if self.autoscale else self.replicas) == 1:
            loc = ("autoscale", "min") if self.autoscale else ("replicas",)
            message = "one replica is none while its node is drained"
            yield Breach("single-replica", "workload/single-replica", message, "2 or more", loc)

    def _network_breaches(self) -> Iterator[Breach]:
        if self.port < FIRST_UNPRIVILEGED_PORT:
            message = f"port {self.port} is below {FIRST_UNPRIVILEGED_PORT}"
            yield Breach("privileged-port", "workload/privileged-port", message, "listen on 8080", ("port",))
        for index, egress in enumerate(self.allow_egress):
            if egress.is_wide:
                message = f"{egress.cidr} is wider than any private network"
                fix = "name the addresses that are needed"
                yield Breach("wide-egress", "workload/wide-egress", message, fix, ("allow_egress", index, "cidr"))

    def _environment_breaches(self) -> Iterator[Breach]:
        for name, value in self.env.items():
            if isinstance(value, str) and value and _SECRET_NAME.fullmatch(name):
                message = f"{name} looks like a secret in plain text"
                fix = "keep it in a Secret: {secret: <name>, key: <key>} gives the path of a file"
                yield Breach("secret-in-environment", "workload/plain-secret", message, fix, ("env", name))

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from self.told(
            self._name_faults,
            self._label_faults,
            self._replica_faults,
            self._stop_faults,
            self._probe_faults,
            self._scratch_faults,
            self._exemption_faults,
        )

    def _name_faults(self) -> Iterator[InitErrorDetails]:
        if not _SERVICE_NAME.fullmatch(self.name):
            yield fault("workload/name", f"{self.name!r} does not start with a letter, as a Service must", loc=["name"])

    def _label_faults(self) -> Iterator[InitErrorDetails]:
        for key in self.labels:
            if key in OWNED_LABELS:
                yield fault("workload/label-owned", f"{key} is set by render", "leave it out", ["labels", key])

    def _replica_faults(self) -> Iterator[InitErrorDetails]:
        if self.autoscale and self.replicas != DEFAULT_REPLICAS:
            message = "replicas and autoscale exclude each other"
            yield fault("workload/replicas", message, "leave replicas out: autoscale.min is the least", ["replicas"])

    def _stop_faults(self) -> Iterator[InitErrorDetails]:
        if self.drain_seconds >= self.termination_grace_seconds:
            message = f"it is killed after {self.termination_grace_seconds} s, before it has drained"
            hint = f"more than drain_seconds ({self.drain_seconds})"
            yield fault("workload/grace-period", message, hint, ["termination_grace_seconds"])

    def _probe_faults(self) -> Iterator[InitErrorDetails]:
        if self.readiness and self.liveness and _endpoint(self.readiness, self) == _endpoint(self.liveness, self):
            message = "liveness asks the same as readiness: what only should not get requests would be killed"
            yield fault("workload/probes-identical", message, "another path, or {} for a TCP connection", ["liveness"])

    def _scratch_faults(self) -> Iterator[InitErrorDetails]:
        total = sum(quantity_value(size) for size in self.scratch.values())
        if total > quantity_value(self.resources.ephemeral_storage):
            message = f"scratch directories may grow to {int(total / 2**20)}Mi, resources.ephemeral_storage is less"
            yield fault("workload/scratch-size", message, "raise resources.ephemeral_storage", ["scratch"])

    def _exemption_faults(self) -> Iterator[InitErrorDetails]:
        yield from unexempted_faults(self.breaches(), self.exemptions)
        if self.is_whole:
            broken = {breach.rule for breach in self.breaches()}
            yield from unneeded_faults((exemption.rule for exemption in self.exemptions), broken)


def _endpoint(probe: HttpProbe | TcpProbe, workload: Workload) -> tuple[int, str | None]:
    return probe.port or workload.port, getattr(probe, "path", None)
