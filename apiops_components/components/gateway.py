"""A host and its APIs in a cluster."""

from collections.abc import Mapping
from typing import Any

import pulumi

from apiops_components.components._base import Component, spec_of
from apiops_components.components._manifests import register
from apiops_components.errors import InvalidInput, Problem
from apiops_components.guardrails.check import Guardrails
from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.environment import Delivery
from apiops_components.models.operator import NgrokOperatorSpec
from apiops_components.render.gateway import api_objects, gateway_objects
from apiops_components.render.host import Host
from apiops_components.render.refusal import host_warnings


class ApiGateway(Component):
    """The Gateway of one hostname, and its policy with the protection of every API on it.

    With ``delivery="gitops"`` it registers nothing in the cluster: Argo CD applies the rendered tree. The guardrails
    act all the same.
    """

    url: pulumi.Output[str]
    """``https://`` address of the host."""

    def __init__(
        self,
        name: str,
        spec: ApiGatewaySpec | Mapping[str, Any],
        *,
        guardrails: Guardrails | None = None,
        delivery: Delivery = "direct",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Checks the host against the guardrails, then registers policy and Gateway.

        Args:
            name: Unique in the stack.
            spec: The host and all its APIs.
            guardrails: The platform's, for this environment.
            delivery: Who applies the objects.
            opts: Of the component; the namespace must be there before.

        Raises:
            InvalidInput: The spec breaks its model, or says what ngrok would not do.
            GuardrailError: It breaks a guardrail; every place.
        """
        self.spec = spec_of(ApiGatewaySpec, spec, f"ApiGateway {name}")
        self.delivery = delivery
        if guardrails is not None:
            guardrails.enforce(self.spec)
        self.host = Host(self.spec)
        *policy, gateway = gateway_objects(self.spec, host=self.host)
        super().__init__(name, opts)
        for warning in host_warnings(self.spec):
            pulumi.log.warn(str(warning), self)
        if delivery == "direct":
            # The policy first: a Gateway whose policy is not there serves nothing, and says so in the operator's log.
            before = register(self, policy)
            register(self, [gateway], depends_on=before)
        self.url = pulumi.Output.from_input(f"https://{self.spec.host}")
        self.register_outputs({"url": self.url})


class Api(Component):
    """One API of a host: its workload, its policy, its routes."""

    url: pulumi.Output[str]
    """Address of its first route."""

    def __init__(
        self,
        name: str,
        spec: ApiSpec | Mapping[str, Any],
        *,
        gateway: ApiGateway,
        ingress_namespace: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Registers workload and policy, then the routes, all after the Gateway.

        Args:
            name: Unique in the stack.
            spec: One of the gateway's APIs.
            gateway: The host; its policy holds this API's protection.
            ingress_namespace: Where the ngrok operator runs; its usual namespace by default.
            opts: Of the component.

        Raises:
            InvalidInput: The spec breaks its model, or is none of the gateway's APIs.
        """
        spec = spec_of(ApiSpec, spec, f"Api {name}")
        if spec not in gateway.spec.apis:
            raise InvalidInput(
                Problem(
                    f"API {spec.name!r} is none of those of ApiGateway {gateway.spec.name!r}, "
                    "whose policy would not protect it",
                    code="api/gateway",
                    hint="add it to apis= of the ApiGatewaySpec, and give both the same spec",
                    document=f"Api {name}",
                )
            )
        namespace = ingress_namespace or NgrokOperatorSpec().namespace
        super().__init__(name, opts)
        if gateway.delivery == "direct":
            objects = api_objects(gateway.spec, spec, ingress_namespace=namespace, host=gateway.host)
            # The routes last: requests come only when their policy is there and somebody serves them.
            before = register(self, [o for o in objects if o["kind"] != "HTTPRoute"], depends_on=[gateway])
            register(self, [o for o in objects if o["kind"] == "HTTPRoute"], depends_on=[gateway, *before])
        self.url = pulumi.Output.concat(gateway.url, spec.routes[0].matches[0].path.value)
        self.register_outputs({"url": self.url})
