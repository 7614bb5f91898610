"""A preview of a project's environments as plain data, and its forms as JSON, text and Markdown.

Nothing here runs a program: `apiops_components.components.program` does. A caller adds what it knows beside the
resources (routes, policies, findings, owners) as `Annotations`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from apiops_components.delivery.recording import RecordedResource, Recording
from apiops_components.guardrails.finding import Finding

__all__ = [
    "Annotations",
    "EnvironmentPreview",
    "Node",
    "OwnedObject",
    "PolicyRow",
    "Preview",
    "ProgramPreview",
    "RouteRow",
    "RuleRow",
    "TeamRow",
    "count",
    "tree",
]


@dataclass(frozen=True, slots=True)
class RouteRow:
    """One way into the platform: a match on a host and what happens to requests that match."""

    host: str
    """Host name."""
    path: str
    """Path as its author wrote it: ``/v1/orders``, with ``/*`` for a prefix."""
    methods: tuple[str, ...]
    """HTTP methods; empty for all."""
    backend: str
    """Where requests go: ``shop/orders:8080``, several with their shares, or what answers instead."""
    authentication: str = ""
    """How a request is authenticated, such as ``JWT (accounts.example.com)``; empty where it is not."""
    rate_limit: str = ""
    """Such as ``100 a minute per client``; empty where there is none."""
    api: str = ""
    """The API, ``namespace/name``."""
    team: str = ""
    """The team, or empty for the platform."""
    owner: str = ""
    """Who answers for it."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule of a traffic policy."""

    phase: str
    """``on_tcp_connect``, ``on_http_request`` or ``on_http_response``."""
    name: str
    """Its name, or empty."""
    expressions: tuple[str, ...]
    """When it applies; empty for always."""
    actions: tuple[str, ...]
    """What it does, in order, such as ``rate-limit: 100 a minute``."""


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A traffic policy and what it is attached to."""

    name: str
    """``namespace/name``."""
    attached_to: str
    """The Gateway, or the API whose routes refer to it."""
    rules: tuple[RuleRow, ...]
    """Its rules, phase by phase, in order."""
    team: str = ""
    """The team, or empty for the platform."""


@dataclass(frozen=True, slots=True)
class OwnedObject:
    """A Kubernetes object and who applies it."""

    kind: str
    """Such as ``HTTPRoute``."""
    name: str
    """Its name."""
    namespace: str
    """Its namespace; empty for an object of the cluster."""
    applied_by: Literal["pulumi", "gitops"]
    """Who applies it: never both."""
    team: str = ""
    """The team it belongs to, or empty for the platform."""
    component: str = ""
    """The component it comes from, such as ``Api orders``."""


@dataclass(frozen=True, slots=True)
class TeamRow:
    """A team in an environment."""

    name: str
    """Its name."""
    owner: str
    """Who answers for its APIs."""
    namespace: str
    """Where they are."""
    applied_by: Literal["pulumi", "gitops"]
    """Who applies them."""
    host: str = ""
    """The host it owns, or empty."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """What is known of an environment beside its resources."""

    owner: str = ""
    """Who answers for the platform."""
    cluster: str = ""
    """Where it runs: ``minikube``, ``gke`` or ``existing``."""
    teams: tuple[TeamRow, ...] = ()
    """The teams there."""
    findings: tuple[Finding, ...] = ()
    """Results of the guardrails."""
    checked: bool = False
    """Whether the guardrails were checked at all; no findings says nothing otherwise."""
    routes: tuple[RouteRow, ...] = ()
    """All ways in."""
    policies: tuple[PolicyRow, ...] = ()
    """All traffic policies."""
    objects: tuple[OwnedObject, ...] = ()
    """All Kubernetes objects."""
    raw_actions: int = 0
    """How many actions of traffic policies nothing here has checked (`RawAction`)."""


@dataclass(frozen=True, slots=True)
class ProgramPreview:
    """One program, run for one environment."""

    team: str | None
    """The team whose program it is; None for the platform's."""
    recording: Recording
    """What it registered."""
    findings: tuple[Finding, ...] = ()
    """Where its components broke a guardrail that they were given."""


@dataclass(frozen=True, slots=True)
class EnvironmentPreview:
    """Everything that an environment would hold."""

    name: str
    """Name of the environment."""
    programs: tuple[ProgramPreview, ...]
    """The platform's program first, then those of the teams."""
    known: Annotations = field(default_factory=Annotations)
    """What is known beside the resources."""

    @property
    def resources(self) -> Iterator[RecordedResource]:
        """The resources of all its programs."""
        return (resource for program in self.programs for resource in program.recording.resources)

    @property
    def failed(self) -> bool:
        """Whether a guardrail is broken."""
        return any(not finding.waived for finding in self.findings)

    @property
    def checked(self) -> bool:
        """Whether any guardrail was looked at; no findings says nothing otherwise."""
        return self.known.checked or bool(self.findings)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the guardrails say, of what is described and of what the programs made beside it; each thing once."""
        made = (finding for program in self.programs for finding in program.findings)
        return tuple(dict.fromkeys((*self.known.findings, *made)))

    def summary(self) -> dict[str, Any]:
        """Counts: resources, components among them, resources by type, what the guardrails say, unchecked actions."""
        findings = self.findings
        waived = sum(bool(finding.waived) for finding in findings)
        guardrails = {"broken": len(findings) - waived, "waived": waived} if self.checked else None
        return {**count(self.resources), "guardrails": guardrails, "raw_actions": self.known.raw_actions}


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview of a project."""

    project: str
    """Name of the project."""
    environments: tuple[EnvironmentPreview, ...]
    """Its environments, in the order asked for."""

    @property
    def failed(self) -> bool:
        """Whether a guardrail is broken anywhere."""
        return any(environment.failed for environment in self.environments)

    def as_json(self) -> dict[str, Any]:
        """The whole preview as one JSON document; markers are strings in it."""
        return {"project": self.project, "environments": [_environment_json(e) for e in self.environments]}


@dataclass(frozen=True, slots=True)
class Node:
    """A resource and its children."""

    resource: RecordedResource
    """The resource."""
    children: tuple[Node, ...]
    """In the order of their registration."""

    @property
    def size(self) -> int:
        """How many resources it stands for, itself among them."""
        return 1 + sum(child.size for child in self.children)


def tree(recording: Recording) -> tuple[Node, ...]:
    """The resources of a program below their parents; those at the top have the stack as parent."""
    children: dict[str, list[RecordedResource]] = {}
    known = {resource.urn for resource in recording.resources}
    for resource in recording.resources:
        parent = resource.parent if resource.parent in known else ""
        children.setdefault(parent, []).append(resource)

    def below(urn: str) -> tuple[Node, ...]:
        return tuple(Node(resource, below(resource.urn)) for resource in children.get(urn, ()))

    return below("")


def count(resources: Iterable[RecordedResource]) -> dict[str, Any]:
    """How many resources there are: all, the components among them, and by type."""
    listed = list(resources)
    return {
        "resources": len(listed),
        "components": sum(not resource.custom for resource in listed),
        "by_type": dict(sorted(Counter(resource.type for resource in listed).items())),
    }


def _environment_json(environment: EnvironmentPreview) -> dict[str, Any]:
    known = asdict(environment.known)
    return {
        "name": environment.name,
        "summary": environment.summary(),
        "programs": [_program_json(program) for program in environment.programs],
        **{key: value for key, value in known.items() if key not in ("checked", "raw_actions")},
    }


def _program_json(program: ProgramPreview) -> dict[str, Any]:
    recording = asdict(program.recording)
    return {"team": program.team, **recording}
