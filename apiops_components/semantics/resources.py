"""The objects that decide what happens to a request, picked from manifests and typed.

What is absent may be deployed from elsewhere. So a Service counts as missing only where its namespace has at least
one other Service among the objects given. ReferenceGrants and NgrokTrafficPolicies are certain: what is not given does
not exist, as the ones decide about access and the others are delivered with their routes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from apiops_components.documents import Document
from apiops_components.errors import InvalidInput, Problem, problems_of
from apiops_components.models.base import KubernetesModel
from apiops_components.models.gateway import Gateway, GatewayClass, LabelSelector
from apiops_components.models.grant import ReferenceGrant
from apiops_components.models.policy.document import TrafficPolicy
from apiops_components.models.route import HttpRoute, Route

__all__ = ["GROUP", "Object", "Resources", "Service", "ServicePort", "selects"]

GROUP = "gateway.networking.k8s.io"
"""API group of the Gateway API."""

NEVER = "9999-12-31T23:59:59Z"
"""Stands for the creation of what does not exist in a cluster yet: all that does is older."""

Spec_co = TypeVar("Spec_co", bound=BaseModel, covariant=True)


@dataclass(frozen=True, slots=True, eq=False)
class Object(Generic[Spec_co]):
    """An object of the cluster.

    Attributes:
        kind: Its kind.
        namespace: Its namespace; empty for what belongs to the whole cluster.
        name: Its name.
        spec: Typed, with defaults.
        created: ``metadata.creationTimestamp``; `NEVER` where it has none.
        labels: Of its metadata.
        annotations: Of its metadata.
    """

    kind: str
    namespace: str
    name: str
    spec: Spec_co
    created: str = NEVER
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """``namespace/name``, or only the name for what belongs to the whole cluster."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class _Part(KubernetesModel):
    """Of an object that is not checked here: only what is asked for is read."""

    model_config = ConfigDict(extra="ignore")


class ServicePort(_Part):
    """A port of a Service."""

    name: str = ""
    """Empty where it has none."""
    port: int
    """Its number."""
    protocol: str = "TCP"
    """TCP by default."""
    app_protocol: str | None = None
    """What is spoken on it."""


class Service(_Part):
    """``spec`` of a Service, as far as it matters here."""

    type: str = "ClusterIP"
    """ClusterIP by default."""
    ports: tuple[ServicePort, ...] = ()
    """Its ports."""


class _Nothing(_Part):
    """``spec`` of what counts by its metadata alone."""


_STABLE = frozenset({"v1", "v1beta1"})
_KINDS: Mapping[tuple[str, str], tuple[frozenset[str], type[BaseModel], tuple[str, ...]]] = {
    (GROUP, "Gateway"): (_STABLE, Gateway, ("spec",)),
    (GROUP, "GatewayClass"): (_STABLE, GatewayClass, ("spec",)),
    (GROUP, "HTTPRoute"): (_STABLE, HttpRoute, ("spec",)),
    (GROUP, "ReferenceGrant"): (_STABLE, ReferenceGrant, ("spec",)),
    ("", "Service"): (frozenset({"v1"}), Service, ("spec",)),
    ("", "Namespace"): (frozenset({"v1"}), _Nothing, ("spec",)),
    ("ngrok.k8s.ngrok.com", "NgrokTrafficPolicy"): (frozenset({"v1alpha1"}), TrafficPolicy, ("spec", "policy")),
}
_OF_CLUSTER = ("GatewayClass", "Namespace")


@dataclass(frozen=True, slots=True, eq=False)
class Resources:
    """Objects by kind and ``namespace/name``, in that order.

    Attributes:
        gateways: Gateways.
        classes: GatewayClasses, by name.
        routes: HTTPRoutes.
        grants: ReferenceGrants.
        services: Services.
        namespaces: Namespaces, by name.
        policies: NgrokTrafficPolicies.
    """

    gateways: Mapping[str, Object[Gateway]]
    classes: Mapping[str, Object[GatewayClass]]
    routes: Mapping[str, Object[HttpRoute]]
    grants: Mapping[str, Object[ReferenceGrant]]
    services: Mapping[str, Object[Service]]
    namespaces: Mapping[str, Object[BaseModel]]
    policies: Mapping[str, Object[TrafficPolicy]]
    _granted: Mapping[str, frozenset[tuple[str, ...]]]
    _with_services: frozenset[str]

    @classmethod
    def of(cls, manifests: Iterable[Mapping[str, Any]]) -> Resources:
        """Those among Kubernetes objects; lists are taken apart, other kinds passed over.

        Raises:
            InvalidInput: Every object that breaks its model, with the path of the field.
        """
        return cls.read(Document(manifest, "", index, {}) for index, manifest in enumerate(manifests))

    @classmethod
    def read(cls, documents: Iterable[Document]) -> Resources:
        """The same from documents; problems then have file and line."""
        found: dict[str, dict[str, Object[Any]]] = {kind: {} for _, kind in _KINDS}
        problems: list[Problem] = []
        for document, value, prefix in _objects(documents):
            try:
                item = _object(value)
                if item is not None:
                    _add(item, found[item.kind])
            except InvalidInput as error:
                problems += (
                    problem.at(
                        file=document.file,
                        line=document.line(f"{prefix}{problem.path}"),
                        document=_title(value, document),
                    )
                    for problem in error.problems
                )
        if problems:
            raise InvalidInput(problems)
        ordered = {kind: dict(sorted(items.items())) for kind, items in found.items()}
        granted: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        for grant in ordered["ReferenceGrant"].values():
            granted[grant.namespace] |= {
                (who.group, who.kind, who.namespace, to.group, to.kind, to.name or "")
                for who in grant.spec.from_
                for to in grant.spec.to
            }
        return cls(
            gateways=ordered["Gateway"],
            classes=ordered["GatewayClass"],
            routes=ordered["HTTPRoute"],
            grants=ordered["ReferenceGrant"],
            services=ordered["Service"],
            namespaces=ordered["Namespace"],
            policies=ordered["NgrokTrafficPolicy"],
            _granted={namespace: frozenset(all_) for namespace, all_ in granted.items()},
            _with_services=frozenset(service.namespace for service in ordered["Service"].values()),
        )

    def service(self, namespace: str, name: str) -> Object[Service] | None:
        """A Service; None where it is not among the objects (see `is_missing`)."""
        return self.services.get(f"{namespace}/{name}")

    def is_missing(self, namespace: str, name: str) -> bool:
        """Whether there is no such Service, as far as can be told."""
        return namespace in self._with_services and f"{namespace}/{name}" not in self.services

    def may_refer(
        self, kind: str, namespace: str, to: str, other: str, name: str, *, group: str = GROUP, to_group: str = ""
    ) -> bool:
        """Whether an object may refer to one of another namespace.

        Args:
            kind: Who refers, such as HTTPRoute.
            namespace: Where it is.
            to: Kind of what it refers to, such as Service.
            other: Where that is.
            name: Its name.
            group: API group of who refers.
            to_group: API group of what it refers to.
        """
        if namespace == other:
            return True
        granted = self._granted.get(other, frozenset())
        who = (group, kind, namespace, to_group, to)
        return (*who, "") in granted or (*who, name) in granted

    def labels_of_namespace(self, namespace: str) -> Mapping[str, str]:
        """Labels of a Namespace; its name is always one, as the API server puts it there."""
        item = self.namespaces.get(namespace)
        own = {"kubernetes.io/metadata.name": namespace}
        return {**item.labels, **own} if item is not None else own


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether a selector takes what has these labels; an empty one takes everything."""
    if any(labels.get(key) != value for key, value in selector.match_labels.items()):
        return False
    for term in selector.match_expressions:
        has, value = term.key in labels, labels.get(term.key)
        holds = {
            "In": value in term.values,
            "NotIn": value not in term.values,
            "Exists": has,
            "DoesNotExist": not has,
        }
        if not holds.get(term.operator, False):
            return False
    return True


def _objects(documents: Iterable[Document]) -> Iterator[tuple[Document, Any, str]]:
    """Each object, the document that it stands in, and the path to it there."""
    for document in documents:
        value = document.value
        if isinstance(value, Mapping) and str(value.get("kind")).endswith("List") and "items" in value:
            items = value["items"]
            for index, item in enumerate(items if isinstance(items, list) else ()):
                yield document, item, f"items[{index}]."
        else:
            yield document, value, ""


def _add(item: Object[Any], others: dict[str, Object[Any]]) -> None:
    if others.setdefault(item.key, item) is not item:
        hint = "remove one of them: which one counts cannot be told"
        raise InvalidInput(Problem("is there twice", "", "object/duplicate", hint))


def _title(value: Any, document: Document) -> str:
    if not isinstance(value, Mapping):
        return f"document {document.index}"
    metadata = value.get("metadata")
    parts = (metadata.get("namespace"), metadata.get("name")) if isinstance(metadata, Mapping) else ()
    name = "/".join(str(part) for part in parts if part) or f"of document {document.index}"
    return f"{value.get('kind')} {name}"


def _object(value: Any) -> Object[Any] | None:
    """The object, typed; None where its kind does not matter here."""
    if not isinstance(value, Mapping):
        raise InvalidInput(Problem("an object is a mapping with apiVersion, kind and metadata", code="object/shape"))
    group, _, version = str(value.get("apiVersion")).rpartition("/")
    kind = str(value.get("kind"))
    known = _KINDS.get((group, kind))
    if known is None:
        return None
    versions, model, path = known
    if version not in versions:
        message = f"version {version!r} of {kind} is not served"
        hint = f"write {'/'.join(filter(None, [group, min(versions)]))}"
        raise InvalidInput(Problem(message, "apiVersion", "object/api-version", hint))
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(metadata, Mapping) or not isinstance(name, str) or not name:
        raise InvalidInput(Problem("required, but missing", "metadata.name", "schema/required"))
    spec: Any = value
    for key in path:
        spec = spec.get(key) if isinstance(spec, Mapping) else None
    if spec is None:
        spec = {}
    try:
        typed = model.model_validate(spec)
    except ValidationError as error:
        problems = problems_of(error, spec)
        if {problem.code for problem in problems} != {"gateway/duplicate-route"}:
            raise InvalidInput(problem.at(prefix=".".join(path)) for problem in problems) from None
        typed = _with_repeated_matches(spec)
    return Object(
        kind=kind,
        namespace="" if kind in _OF_CLUSTER else str(metadata.get("namespace") or "default"),
        name=name,
        spec=typed,
        created=str(metadata.get("creationTimestamp") or NEVER),
        labels=_texts(metadata.get("labels")),
        annotations=_texts(metadata.get("annotations")),
    )


def _with_repeated_matches(spec: Mapping[str, Any]) -> HttpRoute:
    """A route with a match that an earlier rule has, too: bad style, but a cluster takes it and the first rule wins."""
    whole = HttpRoute.model_validate({key: value for key, value in spec.items() if key != "rules"})
    return whole.model_copy(update={"rules": tuple(Route.model_validate(rule) for rule in spec["rules"])})


def _texts(value: Any) -> Mapping[str, str]:
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, Mapping) else {}
