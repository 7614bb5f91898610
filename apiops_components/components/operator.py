"""The ngrok operator on a cluster."""

from collections.abc import Mapping
from typing import Any

import pulumi

from apiops_components.components._base import Component, spec_of
from apiops_components.components._helm import release
from apiops_components.components._manifests import Secrets, existing, register
from apiops_components.components._single import one_a_cluster
from apiops_components.models.operator import NgrokOperatorSpec
from apiops_components.render.operator import CRDS_RELEASE, RELEASE, operator_objects, operator_values

# Of the definitions that the operator watches the last by name, and the smallest: the stack's state keeps it.
_LAST_OF_THE_GATEWAY_API = "referencegrants.gateway.networking.k8s.io"


class NgrokOperator(Component):
    """ngrok's definitions, its operator with its credentials, and the GatewayClass ``ngrok``.

    The Gateway API's own definitions must be there before; where they are not, a deployment fails. The operator looks
    for them once, when it starts, and without them it would run and never accept a Gateway.
    """

    namespace: pulumi.Output[str]
    """Where the operator runs."""
    gateway_class: pulumi.Output[str]
    """Name of the GatewayClass; Gateways made from it come after the operator and go before it."""

    def __init__(
        self,
        name: str,
        spec: NgrokOperatorSpec | Mapping[str, Any],
        *,
        secrets: Secrets,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Looks for the Gateway API, then registers Namespace, definitions, credentials, operator and GatewayClass.

        Args:
            name: Unique in the stack.
            spec: What to install.
            secrets: Values of the secrets that ``spec.api_key`` and ``spec.authtoken`` name.
            opts: Of the component; the cluster by ``provider``.

        Raises:
            InvalidInput: The spec breaks its model, a chart is none, a secret is missing, or the cluster has an
                operator already.
        """
        spec = spec_of(NgrokOperatorSpec, spec, f"NgrokOperator {name}")
        super().__init__(name, opts)
        one_a_cluster(self, "GatewayClass, definitions and cluster roles have the same names in every install")
        namespace, *credentials, gateway_class = operator_objects(spec)
        gateway_api = existing(self, "gateway-api", _LAST_OF_THE_GATEWAY_API)
        (home,) = register(self, [namespace], depends_on=[gateway_api])
        crds = release(
            self,
            "crds",
            spec.crds,
            name=CRDS_RELEASE,
            namespace=spec.namespace,
            values=spec.crds.values,
            timeout=spec.timeout,
            depends_on=[home],
            # Its objects are plain templates: uninstalling deletes the definitions, and with them every endpoint,
            # domain and policy of all teams. What stays is taken over by the next install, which has the same name.
            retain_on_delete=spec.keep_crds,
        )
        before = register(self, credentials, secrets=secrets, depends_on=[home])
        operator = release(
            self,
            "operator",
            spec.chart,
            name=RELEASE,
            namespace=spec.namespace,
            values=operator_values(spec),
            timeout=spec.timeout,
            depends_on=[home, crds, *before],
        )
        (class_,) = register(self, [gateway_class], depends_on=[operator])
        self.namespace = home.metadata["name"]
        self.gateway_class = class_.metadata["name"]
        self.register_outputs({"namespace": self.namespace, "gateway_class": self.gateway_class})
