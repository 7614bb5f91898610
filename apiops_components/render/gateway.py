"""A host and its APIs as manifests: Gateway, its policy, and for each API its routes, policy and workload."""

from __future__ import annotations

from typing import Any

from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.filters import ExtensionRef, Filter
from apiops_components.models.policy.document import Rule
from apiops_components.models.route import Backend, Route
from apiops_components.render.changes import filter_changes
from apiops_components.render.host import Host
from apiops_components.render.installs import PART_OF
from apiops_components.render.lowering import lower_route
from apiops_components.render.operator import GATEWAY_CLASS
from apiops_components.render.policy import policy_object
from apiops_components.render.refusal import check_host
from apiops_components.render.route import route_objects
from apiops_components.render.workload import workload_objects

__all__ = ["api_objects", "gateway_objects"]

# The operator reads the first prefix and falls back to the second; an older one knows the second alone, and would
# serve the host without its policy.
_POLICY_ANNOTATIONS = ("ngrok.com/traffic-policy", "k8s.ngrok.com/traffic-policy")


def gateway_objects(spec: ApiGatewaySpec, *, host: Host | None = None) -> list[dict[str, Any]]:
    """The Gateway's policy, where it needs one, and the Gateway.

    Args:
        spec: The host.
        host: The same, where the objects of its APIs are wanted too: what they have in common is then found once.

    Raises:
        InvalidInput: Something of the host cannot be said safely.
    """
    check_host(spec)
    host = host or Host(spec)
    request, response = host.request_rules(), host.response_rules()
    name = f"{spec.name}-gateway"
    metadata = _metadata(spec, spec.owner)
    annotations = dict(metadata.get("annotations", {}))
    objects = []
    if request or response:
        rules = {"on_http_request": request, "on_http_response": response}
        objects.append(policy_object(name, spec.namespace, metadata, rules))
        annotations |= dict.fromkeys(_POLICY_ANNOTATIONS, name)
    objects.append(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {
                "name": spec.name,
                "namespace": spec.namespace,
                **metadata,
                **({"annotations": annotations} if annotations else {}),
            },
            "spec": {
                "gatewayClassName": GATEWAY_CLASS,
                "listeners": [
                    {
                        "name": "https",
                        "hostname": spec.host,
                        "port": 443,
                        "protocol": "HTTPS",
                        "allowedRoutes": {"namespaces": {"from": "Same"}},
                    }
                ],
            },
        }
    )
    return objects


def api_objects(
    spec: ApiGatewaySpec, api: ApiSpec, *, ingress_namespace: str, host: Host | None = None
) -> list[dict[str, Any]]:
    """Workload, policies and routes of one API of the host, in the order in which they are needed.

    Args:
        spec: The host.
        api: One of its APIs.
        ingress_namespace: Where the pods run that call the workload.
        host: As for `gateway_objects`.
    """
    host = host or Host(spec)
    metadata = _metadata(spec, api.owner or spec.owner)
    objects: list[dict[str, Any]] = []
    if api.workload is not None:
        labels = metadata["labels"]
        objects += workload_objects(
            api.workload, namespace=spec.namespace, labels=labels, ingress_namespace=ingress_namespace
        )
    policies: dict[str, list[Rule]] = {}
    if rules := host.route_rules(api):
        policies[api.name] = rules
    exact = host.exact
    lowered = [rule for route in host.apis[api.name].routes for rule in lower_route(route, exact)]
    at_backends = host.changes_at_backends(api)
    lowered = [
        _changed(rule, f"{api.name}.{number}", policies, at_backends=at_backends)
        for number, rule in enumerate(lowered, start=1)
    ]
    if rules:
        # First, so that the policy sees the request as the client sent it.
        first = _policy_filter(api.name)
        lowered = [rule.model_copy(update={"filters": (first, *rule.filters)}) for rule in lowered]
    if at_backends:
        lowered = [_at_backends(rule) for rule in lowered]
    objects += (
        policy_object(name, spec.namespace, metadata, {"on_http_request": found}) for name, found in policies.items()
    )
    objects += route_objects(api.name, spec.namespace, metadata, spec.name, spec.host, lowered)
    return objects


def _changed(rule: Route, name: str, policies: dict[str, list[Rule]], *, at_backends: bool) -> Route:
    """The rule with filters that mean the same to both; adds the policies that it needs for that."""
    if not rule.filters and not any(backend.filters for backend in rule.backend_refs):
        return rule
    paths = [match.path.value for match in rule.matches]
    # At a backend there may be one filter of a kind.
    apart = at_backends and any(
        item.request_header_modifier for backend in rule.backend_refs for item in backend.filters
    )
    backends = tuple(
        backend.model_copy(update={"filters": _filters(backend, paths, f"{name}.{number}", policies)})
        for number, backend in enumerate(rule.backend_refs, start=1)
    )
    filters = _filters(rule, paths, name, policies, headers_apart=apart)
    return rule.model_copy(update={"filters": filters, "backend_refs": backends})


def _at_backends(rule: Route) -> Route:
    """The rule with its filters at each of its backends."""
    if not rule.filters or not rule.backend_refs:
        return rule
    backends = tuple(
        backend.model_copy(update={"filters": (*rule.filters, *backend.filters)}) for backend in rule.backend_refs
    )
    return rule.model_copy(update={"filters": (), "backend_refs": backends})


def _filters(
    owner: Route | Backend,
    paths: list[str],
    name: str,
    policies: dict[str, list[Rule]],
    *,
    headers_apart: bool = False,
) -> tuple[Filter, ...]:
    changes = filter_changes(owner.filters, paths, headers_apart=headers_apart)
    if not changes.rules:
        return (*changes.before, *changes.behind)
    policies[name] = list(changes.rules)
    return (*changes.before, _policy_filter(name), *changes.behind)


def _policy_filter(policy: str) -> Filter:
    reference = ExtensionRef(group="ngrok.k8s.ngrok.com", kind="NgrokTrafficPolicy", name=policy)
    return Filter(type="ExtensionRef", extension_ref=reference)


def _metadata(spec: ApiGatewaySpec, owner: str | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"labels": PART_OF | ({"apiops/team": spec.team} if spec.team else {})}
    if owner:
        metadata["annotations"] = {"apiops/owner": owner}
    return metadata
