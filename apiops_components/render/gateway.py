"""A host and its APIs as manifests: Gateway, its policy, and for each API its routes, policy and workload."""

from __future__ import annotations

from typing import Any

from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.filters import ExtensionRef, Filter
from apiops_components.models.policy.document import Rule
from apiops_components.render.guard import guards
from apiops_components.render.installs import PART_OF
from apiops_components.render.lowering import exact_matches, lower_route, split_rules
from apiops_components.render.operator import GATEWAY_CLASS
from apiops_components.render.policy import policy_object
from apiops_components.render.refusal import check_host
from apiops_components.render.route import route_objects
from apiops_components.render.workload import workload_objects

__all__ = ["api_objects", "gateway_objects"]

# The operator reads the first prefix and falls back to the second; an older one knows the second alone, and would
# serve the host without its policy.
_POLICY_ANNOTATIONS = ("ngrok.com/traffic-policy", "k8s.ngrok.com/traffic-policy")


def gateway_objects(spec: ApiGatewaySpec) -> list[dict[str, Any]]:
    """The Gateway's policy, where it needs one, and the Gateway.

    Raises:
        InvalidInput: Something of the host cannot be said safely.
    """
    check_host(spec)
    request: list[Rule] = []
    response: list[Rule] = []
    for api, condition in zip(spec.apis, guards(spec.apis), strict=True):
        protecting, _ = split_rules(api.policy.on_http_request)
        request += (_guarded(rule, api, condition) for rule in protecting)
        response += (_guarded(rule, api, condition) for rule in api.policy.on_http_response)
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


def api_objects(spec: ApiGatewaySpec, api: ApiSpec, *, ingress_namespace: str) -> list[dict[str, Any]]:
    """Workload, policy and routes of one API of the host, in the order in which they are needed."""
    metadata = _metadata(spec, api.owner or spec.owner)
    objects: list[dict[str, Any]] = []
    if api.workload is not None:
        labels = metadata["labels"]
        objects += workload_objects(
            api.workload, namespace=spec.namespace, labels=labels, ingress_namespace=ingress_namespace
        )
    _, rules = split_rules(api.policy.on_http_request)
    if rules:
        objects.append(policy_object(api.name, spec.namespace, metadata, {"on_http_request": rules}))
    exact = exact_matches(spec.apis)
    lowered = [rule for route in api.routes for rule in lower_route(route, exact)]
    if rules:
        # First, so that the policy sees the request as the client sent it.
        first = _policy_filter(api.name)
        lowered = [rule.model_copy(update={"filters": (first, *rule.filters)}) for rule in lowered]
    objects += route_objects(api.name, spec.namespace, metadata, spec.name, spec.host, lowered)
    return objects


def _guarded(rule: Rule, api: ApiSpec, condition: str | None) -> Rule:
    expressions = (condition, *rule.expressions) if condition else rule.expressions
    return rule.model_copy(
        update={"name": f"{api.name}: {rule.name}" if rule.name else api.name, "expressions": expressions}
    )


def _policy_filter(policy: str) -> Filter:
    reference = ExtensionRef(group="ngrok.k8s.ngrok.com", kind="NgrokTrafficPolicy", name=policy)
    return Filter(type="ExtensionRef", extension_ref=reference)


def _metadata(spec: ApiGatewaySpec, owner: str | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"labels": PART_OF | ({"apiops/team": spec.team} if spec.team else {})}
    if owner:
        metadata["annotations"] = {"apiops/owner": owner}
    return metadata
