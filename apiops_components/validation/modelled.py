"""Kinds with a model: the Gateway API's, ngrok's and Argo CD's."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from apiops_components.errors import Problem, join_path, problems_of
from apiops_components.validation.metadata import check_metadata, is_dns_subdomain
from apiops_components.validation.walk import below

__all__ = ["MODELLED", "Modelled", "check_modelled", "check_policy"]


class Modelled(NamedTuple):
    """How a kind is checked.

    Attributes:
        versions: Those that are served.
        model: ``module:Class`` below `apiops_components.models`.
        path: Of what the model describes.
        beside: Top-level fields that are a common slip, with the fix.
        unknown: Versions that other definitions of the same kind serve; they are not known here.
    """

    versions: frozenset[str]
    model: str
    path: tuple[str, ...] = ("spec",)
    beside: Mapping[str, str] = {}
    unknown: frozenset[str] = frozenset()


_ALPHA = frozenset({"v1alpha1"})
_FIRST = frozenset({"v1"})
_EXPERIMENTAL = frozenset({"v1alpha2", "v1alpha3"})
_STABLE = frozenset({"v1", "v1beta1"})
_GATEWAY, _NGROK, _INGRESS, _ARGO = (
    "gateway.networking.k8s.io",
    "ngrok.k8s.ngrok.com",
    "ingress.k8s.ngrok.com",
    "argoproj.io",
)

MODELLED: Mapping[tuple[str, str], Modelled] = {
    (_GATEWAY, "Gateway"): Modelled(_STABLE, "gateway:Gateway"),
    (_GATEWAY, "GatewayClass"): Modelled(_STABLE, "gateway:GatewayClass"),
    (_GATEWAY, "HTTPRoute"): Modelled(_STABLE, "route:HttpRoute"),
    (_GATEWAY, "ReferenceGrant"): Modelled(_STABLE, "grant:ReferenceGrant"),
    (_GATEWAY, "GRPCRoute"): Modelled(_FIRST, "grpc_route:GrpcRoute", unknown=_EXPERIMENTAL),
    (_GATEWAY, "TLSRoute"): Modelled(_FIRST, "tls_route:TlsRoute", unknown=_EXPERIMENTAL),
    (_GATEWAY, "BackendTLSPolicy"): Modelled(_FIRST, "backend_tls:BackendTlsPolicy", unknown=_EXPERIMENTAL),
    (_GATEWAY, "ListenerSet"): Modelled(_FIRST, "gateway:ListenerSet"),
    (_NGROK, "NgrokTrafficPolicy"): Modelled(
        _ALPHA,
        "policy.document:TrafficPolicy",
        ("spec", "policy"),
        {"policy": "it belongs below spec: spec.policy"},
    ),
    (_NGROK, "CloudEndpoint"): Modelled(_ALPHA, "ngrok:CloudEndpoint"),
    (_NGROK, "AgentEndpoint"): Modelled(_ALPHA, "ngrok:AgentEndpoint"),
    (_INGRESS, "Domain"): Modelled(_ALPHA, "ngrok:Domain"),
    (_INGRESS, "IPPolicy"): Modelled(_ALPHA, "ngrok:IPPolicy"),
    (_ARGO, "Application"): Modelled(_ALPHA, "argo_application:ApplicationSpec"),
    (_ARGO, "AppProject"): Modelled(_ALPHA, "argo_project:AppProjectSpec"),
    (_ARGO, "ApplicationSet"): Modelled(_ALPHA, "argo_applicationset:ApplicationSetSpec"),
}
"""Group and kind to how it is checked."""

_TOP_LEVEL = frozenset({"apiVersion", "kind", "metadata", "spec", "status", "operation"})
_POLICY = "policy.document:TrafficPolicy"
_PHASES = ("on_tcp_connect", "on_http_request", "on_http_response", "on_event_stream_message")


def check_modelled(value: Mapping[str, Any], known: Modelled) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Problems and warnings of an object."""
    problems = [
        Problem(
            "unknown field",
            below("", key),
            "schema/unknown-field",
            known.beside.get(key, "an object has apiVersion, kind, metadata and spec"),
        )
        for key in sorted(value.keys() - _TOP_LEVEL)
    ]
    problems += check_metadata(value.get("metadata"), is_dns_subdomain)
    content: Any = value
    for step, key in enumerate(known.path):
        path = join_path(*known.path[: step + 1])
        if step and isinstance(content, Mapping):  # beside spec.policy nothing else is known
            parent = join_path(*known.path[:step])
            problems += (
                Problem("unknown field", below(parent, other), "schema/unknown-field", _misplaced(other, path))
                for other in sorted(content.keys() - {key})
            )
        if not isinstance(content, Mapping) or key not in content:
            if not (known.beside and key == "spec" and known.beside.keys() & value.keys()):
                problems.append(Problem("required, but missing", path, "schema/required"))
            return tuple(problems), ()
        content = content[key]
    prefix = join_path(*known.path)
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    found, warnings = _against(known.model, content, prefix, name)
    return (*problems, *found), warnings


def _misplaced(key: str, path: str) -> str:
    return f"phases belong below {path}" if key in _PHASES else ""


def check_policy(value: Any) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Problems and warnings of a bare traffic policy."""
    return _against(_POLICY, value, "", None)


def _against(model: str, value: Any, prefix: str, name: Any) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    cls: type[BaseModel] = _loaded(model)
    try:
        # Documents have the names of the definitions alone; those of Python are for people who write Python.
        made = cls.model_validate(value, by_alias=True, by_name=False)
        if isinstance(name, str) and hasattr(made, "faults_named"):  # a project's policies speak of it
            from apiops_components.models.base import raise_faults  # noqa: PLC0415

            raise_faults(made.faults_named(name))
    except ValidationError as error:
        return tuple(problem.at(prefix=prefix) for problem in problems_of(error, value)), ()
    warnings = getattr(made, "warnings", None)  # models that have something deprecated
    return (), tuple(problem.at(prefix=prefix) for problem in warnings()) if warnings else ()


@cache
def _loaded(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f"apiops_components.models.{module}"), name)
