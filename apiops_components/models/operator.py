"""The ngrok operator as a platform installs it: settings ``ngrok:``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import (
    Bool,
    CheckedModel,
    DnsLabel,
    Duration,
    Integer,
    Model,
    SecretName,
    fault,
)
from apiops_components.models.helm import HelmChart, Partial, completed
from apiops_components.models.image import Image, parse_image
from apiops_components.models.quantity import ByteSize, Cpu
from apiops_components.versions import KUBECTL_IMAGE, NGROK_CRDS_CHART, NGROK_OPERATOR_CHART

__all__ = ["NgrokOperatorSpec", "Resources"]

_CHARTS = "https://charts.ngrok.com"
_OPERATOR = {"name": "ngrok-operator", "version": NGROK_OPERATOR_CHART, "repository": _CHARTS}
_FULL_VERSION = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?")
_CRDS = {"name": "ngrok-crds", "version": NGROK_CRDS_CHART, "repository": _CHARTS}

_REFUSED = {
    "credentials": (
        "credentials-in-values",
        "credentials do not belong into chart values: Helm keeps values in the cluster in clear",
        "name the secrets with api_key and authtoken; the component makes the Secret",
    ),
    "installCRDs": (
        "crds-twice",
        "installCRDs would install the definitions a second time; they are a release of their own",
        "leave installCRDs out",
    ),
    "nameOverride": (
        "name-override",
        "nameOverride changes the labels by which network policy, budgets and spread find the pods",
        "leave nameOverride out",
    ),
    "rootCAs": (
        "root-cas",
        "rootCAs also gives the manager a flag that it does not have: it would not start",
        "mount the certificates into /etc/ssl/certs/ngrok: extraVolumes, extraVolumeMounts",
    ),
}
"""Values of the chart that must not be given: code, message, hint."""
_SWITCHED_ON = {
    "ingress": (
        "no-agents",
        "ingress.enabled: false also removes the agents, and with them the way of all traffic",
        "leave it true; no IngressClass is made",
    ),
    "gateway": (
        "no-gateways",
        "gateway.enabled: false makes the operator overlook all Gateways, and with them all APIs",
        "leave it true",
    ),
}
"""Sections of the chart's values whose ``enabled`` must not be false."""


class Resources(Model):
    """What a container asks for. The memory limit equals the request, so that a node's memory is never oversold."""

    cpu: Cpu
    """Request; no limit, which would only slow the container down while the node idles."""
    memory: ByteSize
    """Request and limit."""


class NgrokOperatorSpec(CheckedModel):
    """The ngrok operator, its definitions, its credentials and the GatewayClass ``ngrok``.

    One a cluster: GatewayClass, definitions and cluster roles are cluster-wide.
    """

    namespace: DnsLabel = "ngrok-operator"
    """Made by the component; nothing else should live there."""
    chart: Annotated[HelmChart, BeforeValidator(completed(_OPERATOR)), Partial()] = Field(
        default_factory=lambda: HelmChart(**_OPERATOR)
    )
    """The operator's chart; what is left out is ngrok's own at the version that this package was tested with."""
    crds: Annotated[HelmChart, BeforeValidator(completed(_CRDS)), Partial()] = Field(
        default_factory=lambda: HelmChart(**_CRDS)
    )
    """The chart with ngrok's definitions, a release of its own: inside the operator's it would be uninstalled with it,
    and every endpoint, domain and policy of the cluster with the definitions."""
    keep_crds: Bool = True
    """Leave the definitions, and so all ngrok objects, in the cluster when the stack is destroyed. Switch off only
    where the cluster itself is thrown away."""
    api_key: SecretName = "ngrok-api-key"
    """Secret with ngrok's API key: how the operator manages endpoints."""
    authtoken: SecretName = "ngrok-authtoken"
    """Secret with ngrok's authtoken: how the agents connect."""
    replicas: Annotated[Integer, Field(ge=1, le=5)] = 2
    """Managers; one leads, the others wait to take over."""
    agent_replicas: Annotated[Integer, Field(ge=1, le=20)] = 2
    """Agents, all of which carry traffic. Each endpoint counts once per agent at ngrok, whose free plan allows three:
    take 1 there."""
    disruption_budget: Bool = True
    """While nodes are drained, at most one manager and one agent are away at a time; idle for a single one."""
    spread: Bool = True
    """Managers and agents each stand on different zones and nodes where there are any; never waits for one."""
    watch_namespace: DnsLabel | None = None
    """Look at objects of this namespace alone, for a cluster with several operators. The chart allows only the
    operator's own; every namespace by default."""
    region: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")] | None = None
    """Where agents connect to ngrok, such as ``eu`` (``connect.eu.ngrok-agent.com``); the nearest by default."""
    domain_reclaim_policy: Literal["Delete", "Retain"] = "Retain"
    """What becomes of a name reserved at ngrok when its Domain object goes. The chart says Delete; Retain here, because
    a name given back can be taken by somebody else, and with it the traffic of everyone who still calls it."""
    drain_policy: Literal["Delete", "Retain"] = "Retain"
    """What uninstalling does to the objects at ngrok. Retain, as the chart: uninstalling is often half of
    reinstalling. Delete cleans the account, for environments that are thrown away."""
    cleanup_hook_image: Image = f"docker.io/alpine/kubectl:{KUBECTL_IMAGE}"
    """Runs before the operator is uninstalled and starts the drain; needs ``/bin/sh`` and ``kubectl``. The chart's own
    default, ``bitnami/kubectl:latest``, is no longer to be had: uninstalling would hang. A full version or a digest."""
    resources: Resources = Field(default_factory=lambda: Resources(cpu="100m", memory="256Mi"))
    """Of each manager."""
    agent_resources: Resources = Field(default_factory=lambda: Resources(cpu="250m", memory="512Mi"))
    """Of each agent; they carry the traffic and need much more than the manager."""
    timeout: Duration = "10m"
    """How long Helm waits for the pods; a fresh node pool takes minutes to pull images."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        values, at = self.chart.values, ("chart", "values")
        if self.api_key == self.authtoken:
            message = f"api_key and authtoken both name the secret {self.api_key!r}; they are two different credentials"
            yield fault("ngrok/same-secret", message, "", ["authtoken"])
        if self.watch_namespace not in (None, self.namespace):
            message = f"the chart allows only the operator's own namespace {self.namespace!r} here"
            yield fault("ngrok/watch-namespace", message, f"{self.namespace}, or leave it out", ["watch_namespace"])
        for key, (code, message, hint) in _REFUSED.items():
            if values.get(key):
                yield fault(f"ngrok/{code}", message, hint, [*at, key])
        for key, (code, message, hint) in _SWITCHED_ON.items():
            section = values.get(key)
            if isinstance(section, Mapping) and section.get("enabled") is False:
                yield fault(f"ngrok/{code}", message, hint, [*at, key, "enabled"])
        image = parse_image(self.cleanup_hook_image)
        if image.digest is None and not _FULL_VERSION.fullmatch(image.tag or ""):
            message = f"the tag {image.tag!r} of {self.cleanup_hook_image!r} may mean another image tomorrow"
            yield fault(
                "image/unpinned",
                message,
                "name a full version such as 1.2.3, or add the digest",
                ["cleanup_hook_image"],
            )
