"""The ngrok operator as Helm values and manifests."""

from __future__ import annotations

from typing import Any

from apiops_components.models.image import parse_image
from apiops_components.models.operator import NgrokOperatorSpec, Resources
from apiops_components.models.secret import SecretSlot
from apiops_components.render.installs import PART_OF, merged, namespace

__all__ = [
    "CRDS_RELEASE",
    "CREDENTIALS",
    "GATEWAY_CLASS",
    "RELEASE",
    "operator_objects",
    "operator_values",
]

RELEASE = "ngrok-operator"
"""Name of the Helm release; the chart derives its objects' names from it."""
CRDS_RELEASE = "ngrok-crds"
"""Name of the Helm release with the definitions. Fixed, so that a later install takes over what an earlier one kept."""
CREDENTIALS = "ngrok-credentials"
"""Name of the Secret that the operator's pods read."""
GATEWAY_CLASS = "ngrok"
"""Name of the GatewayClass."""

_METRICS = 8080  # written into the chart
_HOOK = Resources(cpu="50m", memory="64Mi")


def operator_values(spec: NgrokOperatorSpec) -> dict[str, Any]:
    """Values of the operator's chart; what the settings' ``chart.values`` say comes last."""
    values: dict[str, Any] = {
        "installCRDs": False,
        "replicaCount": spec.replicas,
        "resources": _resources(spec.resources),
        # The chart's schema wants a string here.
        "podDisruptionBudget": {"create": spec.disruption_budget and spec.replicas > 1, "maxUnavailable": "1"},
        "agent": {"replicaCount": spec.agent_replicas, "resources": _resources(spec.agent_resources)},
        "credentials": {"secret": {"name": CREDENTIALS}},
        # The agents, which carry Gateway traffic too, come only with ingress.enabled. Without the class nobody gets in
        # past the Gateways and what guards them.
        "ingress": {"enabled": True, "ingressClass": {"create": False}},
        "gateway": {"enabled": True, "disableReferenceGrants": False},
        "defaultDomainReclaimPolicy": spec.domain_reclaim_policy,
        "drainPolicy": spec.drain_policy,
        "cleanupHook": {
            "enabled": True,
            "image": _image(spec.cleanup_hook_image),
            # Namespaces with a quota refuse a pod without, and uninstalling would hang.
            "resources": _resources(_HOOK),
        },
    }
    if spec.spread:
        values["topologySpreadConstraints"] = _spread("controller")
        values["agent"]["topologySpreadConstraints"] = _spread("agent")
    if spec.watch_namespace is not None:
        values["ingress"]["watchNamespace"] = spec.watch_namespace
    if spec.region is not None:
        # ngrok's API is told the region; the agents do not read it, and connect to where the address says.
        values |= {"region": spec.region, "serverAddr": f"connect.{spec.region}.ngrok-agent.com:443"}
    return merged(values, spec.chart.values)


def _spread(component: str) -> list[dict[str, Any]]:
    selector = {
        "matchLabels": {
            "app.kubernetes.io/name": "ngrok-operator",
            "app.kubernetes.io/instance": RELEASE,
            "app.kubernetes.io/component": component,
        }
    }
    return [
        {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector}
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def operator_objects(spec: NgrokOperatorSpec) -> list[dict[str, Any]]:
    """Namespace, Secret, network policy, the agents' budget where there is one, GatewayClass: in order of creation."""
    objects = [namespace(spec.namespace, enforce="baseline"), _credentials(spec), _network_policy(spec)]
    if spec.disruption_budget and spec.agent_replicas > 1:
        objects.append(_agent_budget(spec))
    objects.append(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": GATEWAY_CLASS, "labels": dict(PART_OF)},
            "spec": {"controllerName": "ngrok.com/gateway-controller"},
        }
    )
    return objects


def _credentials(spec: NgrokOperatorSpec) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": CREDENTIALS, "namespace": spec.namespace, "labels": dict(PART_OF)},
        "type": "Opaque",
        "stringData": {"API_KEY": SecretSlot(spec.api_key), "AUTHTOKEN": SecretSlot(spec.authtoken)},
    }


def _network_policy(spec: NgrokOperatorSpec) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": RELEASE, "namespace": spec.namespace, "labels": dict(PART_OF)},
        "spec": {
            # Not the forwarder of bound endpoints, which pods do call.
            "podSelector": {
                "matchLabels": {
                    "app.kubernetes.io/name": "ngrok-operator",
                    "app.kubernetes.io/instance": RELEASE,
                },
                "matchExpressions": [
                    {
                        "key": "app.kubernetes.io/component",
                        "operator": "In",
                        "values": ["agent", "cleanup", "controller"],
                    }
                ],
            },
            "policyTypes": ["Ingress", "Egress"],
            # Agents call ngrok and are never called: all that anyone needs of these pods is their metrics.
            "ingress": [{"ports": [{"port": _METRICS, "protocol": "TCP"}]}],
            # To ngrok, to the API server, and to the pods of every team that publishes something.
            "egress": [{}],
        },
    }


def _agent_budget(spec: NgrokOperatorSpec) -> dict[str, Any]:
    # The chart has a budget for the managers alone, but it is the agents that carry traffic.
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": f"{RELEASE}-agent", "namespace": spec.namespace, "labels": dict(PART_OF)},
        "spec": {
            "maxUnavailable": 1,
            "selector": {
                "matchLabels": {
                    "app.kubernetes.io/name": "ngrok-operator",
                    "app.kubernetes.io/instance": RELEASE,
                    "app.kubernetes.io/component": "agent",
                }
            },
        },
    }


def _resources(resources: Resources) -> dict[str, Any]:
    return {
        "requests": {"cpu": resources.cpu, "memory": resources.memory},
        "limits": {"memory": resources.memory},
    }


def _image(reference: str) -> dict[str, str]:
    # The chart joins the two by a colon, and a digest may stand behind a tag.
    image = parse_image(reference)
    tag = f"{image.tag}@{image.digest}" if image.digest else f"{image.tag}"
    return {"repository": f"{image.registry}/{image.repository}", "tag": tag}
