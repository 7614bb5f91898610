"""Checks documents that anyone wrote: Kubernetes manifests of the kinds modelled, and bare traffic policies.

A kind that is not modelled is *skipped*, counted and named: never silently passed.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from apiops_components.documents import Document
from apiops_components.errors import Problem, join_path, problems_of
from apiops_components.models.argo_project import AppProjectSpec
from apiops_components.models.base import DnsLabel, DnsSubdomain, Model, raise_faults

__all__ = ["Result", "Status", "validate"]

Status = Literal["valid", "invalid", "skipped"]


@dataclass(frozen=True, slots=True)
class Result:
    """What was found in one document.

    Attributes:
        file: Where it was read from.
        index: Its number in that file, from 0; of the list, for an item of one.
        api_version: As the document says, or None.
        kind: As the document says, or None; ``TrafficPolicy`` for a bare traffic policy.
        namespace: As the document says, or None.
        name: As the document says, or None.
        status: ``valid``, ``invalid``, or ``skipped``: a kind that is not modelled.
        problems: Everything that is wrong.
    """

    file: str
    index: int
    api_version: str | None
    kind: str | None
    namespace: str | None
    name: str | None
    status: Status
    problems: tuple[Problem, ...] = ()


class _Kind(NamedTuple):
    """How a kind is checked: the versions that are served, the model, and the path of what it models."""

    versions: frozenset[str]
    model: str
    path: tuple[str, ...] = ("spec",)


_GATEWAY, _NGROK, _ARGO = "gateway.networking.k8s.io", "ngrok.k8s.ngrok.com", "argoproj.io"

_KINDS: dict[tuple[str, str], _Kind] = {
    (_GATEWAY, "Gateway"): _Kind(frozenset({"v1", "v1beta1"}), "gateway:Gateway"),
    (_GATEWAY, "GatewayClass"): _Kind(frozenset({"v1", "v1beta1"}), "gateway:GatewayClass"),
    (_GATEWAY, "HTTPRoute"): _Kind(frozenset({"v1", "v1beta1"}), "route:HttpRoute"),
    (_NGROK, "NgrokTrafficPolicy"): _Kind(frozenset({"v1alpha1"}), "policy.document:TrafficPolicy", ("spec", "policy")),
    (_ARGO, "Application"): _Kind(frozenset({"v1alpha1"}), "argo_application:ApplicationSpec"),
    (_ARGO, "AppProject"): _Kind(frozenset({"v1alpha1"}), "argo_project:AppProjectSpec"),
}

_TOP_LEVEL = frozenset({"apiVersion", "kind", "metadata", "spec", "status", "operation"})
_PHASES = frozenset({"on_tcp_connect", "on_http_request", "on_http_response", "on_event_stream_message"})


class _Metadata(Model, extra="allow"):
    """What every object needs; the rest of ``metadata`` is the server's."""

    name: DnsSubdomain | None = None
    generate_name: str | None = Field(default=None, alias="generateName")
    namespace: DnsLabel | None = None
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None


def validate(document: Document, as_: Literal["auto", "traffic-policy"] = "auto") -> Iterator[Result]:
    """Checks one document; a ``List`` gives a result an item.

    Args:
        document: What was read.
        as_: ``traffic-policy`` takes it for a bare policy, phases at the top level; ``auto`` recognises both.
    """
    value = document.value
    bare = isinstance(value, Mapping) and "kind" not in value and bool(_PHASES & value.keys())
    if as_ == "traffic-policy" or bare:
        yield _placed(_policy(value, document), document, "")
    elif isinstance(value, Mapping) and value.get("kind") == "List" and isinstance(value.get("items"), list):
        for index, item in enumerate(value["items"]):
            yield _placed(_object(item, document), document, f"items[{index}]")
    else:
        yield _placed(_object(value, document), document, "")


def _policy(value: Any, document: Document) -> Result:
    problems = _against("policy.document:TrafficPolicy", value, "")
    status: Status = "invalid" if problems else "valid"
    return Result(document.file, document.index, None, "TrafficPolicy", None, None, status, problems)


def _object(value: Any, document: Document) -> Result:
    if not isinstance(value, Mapping):
        problem = Problem("an object is a mapping with apiVersion, kind and metadata", code="object/shape")
        return Result(document.file, document.index, None, None, None, None, "invalid", (problem,))
    api_version, kind = _text(value.get("apiVersion")), _text(value.get("kind"))
    metadata = value.get("metadata") if isinstance(value.get("metadata"), Mapping) else {}
    result = Result(
        file=document.file,
        index=document.index,
        api_version=api_version,
        kind=kind,
        namespace=_text(metadata.get("namespace")) if metadata else None,
        name=_text(metadata.get("name")) if metadata else None,
        status="skipped",
    )
    missing = tuple(
        Problem(f"must be a string, got {value[field]!r}" if field in value else "required, but missing", field, code)
        for field, found, code in (("apiVersion", api_version, "object/api-version"), ("kind", kind, "object/kind"))
        if found is None
    )
    if missing or api_version is None or kind is None:
        return replace(result, status="invalid", problems=missing)
    group, _, version = api_version.rpartition("/")
    known = _KINDS.get((group, kind))
    if known is None:
        return _skipped(result, group, kind)
    problems = tuple(_object_problems(value, known, group, version))
    return replace(result, status="invalid" if problems else "valid", problems=problems)


def _skipped(result: Result, group: str, kind: str) -> Result:
    """A kind that is not modelled; where only its group is wrong, that is an error and not another kind."""
    right = next((g for g, k in _KINDS if k == kind), None)
    if right is None or right.split(".")[-2:] != group.split(".")[-2:]:
        return result
    versions = _KINDS[right, kind].versions
    problem = Problem(
        f"{kind} is of group {right}, not {group}",
        "apiVersion",
        "object/api-version",
        f"write {right}/{max(versions, key=len) if len(versions) == 1 else 'v1'}",
    )
    return replace(result, status="invalid", problems=(problem,))


def _object_problems(value: Mapping[str, Any], known: _Kind, group: str, version: str) -> Iterator[Problem]:
    if version not in known.versions:
        served = " or ".join(f"{group}/{name}" for name in sorted(known.versions))
        yield Problem(f"version {version!r} is not served", "apiVersion", "object/api-version", f"write {served}")
    for key in sorted(value.keys() - _TOP_LEVEL):
        yield Problem("unknown field", key, "schema/unknown-field", "an object has apiVersion, kind, metadata and spec")
    yield from _metadata_problems(value.get("metadata"))
    content: Any = value
    for step, key in enumerate(known.path):
        path = join_path(*known.path[: step + 1])
        if not isinstance(content, Mapping) or key not in content:
            yield Problem("required, but missing", path, "schema/required")
            return
        content = content[key]
    for outer in range(1, len(known.path)):  # beside spec.policy nothing else is known
        holder = value[known.path[0]] if outer == 1 else {}
        for key in sorted(holder.keys() - {known.path[outer]}):
            yield Problem("unknown field", join_path(known.path[0], key), "schema/unknown-field")
    name = value["metadata"].get("name") if isinstance(value.get("metadata"), Mapping) else None
    yield from _against(known.model, content, join_path(*known.path), name)


def _metadata_problems(metadata: Any) -> Iterator[Problem]:
    if not isinstance(metadata, Mapping):
        yield Problem(
            "required, but missing" if metadata is None else "must be a mapping", "metadata", "object/metadata"
        )
        return
    if not metadata.get("name") and not metadata.get("generateName"):
        yield Problem("required, but missing", "metadata.name", "object/name")
    try:
        _Metadata.model_validate(dict(metadata))
    except ValidationError as error:
        yield from (problem.at(prefix="metadata") for problem in problems_of(error, metadata))


def _against(model: str, value: Any, prefix: str, name_of_object: Any = None) -> tuple[Problem, ...]:
    module, _, name = model.partition(":")
    cls: type[BaseModel] = getattr(importlib.import_module(f"apiops_components.models.{module}"), name)
    try:
        made = cls.model_validate(value)
        if isinstance(made, AppProjectSpec) and isinstance(name_of_object, str):  # its policies speak of the project
            raise_faults(made.faults_named(name_of_object))
    except ValidationError as error:
        return tuple(problem.at(prefix=prefix) for problem in problems_of(error, value))
    return ()


def _placed(result: Result, document: Document, prefix: str) -> Result:
    """The problems with file and line, their paths relative to the object."""
    title = " ".join(filter(None, (result.kind, "/".join(filter(None, (result.namespace, result.name))))))
    problems: Iterable[Problem] = (
        problem.at(file=result.file, line=document.line(join_path(prefix, problem.path)), document=title)
        for problem in result.problems
    )
    return replace(result, problems=tuple(problems))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
