"""The ngrok operator as a platform installs it: settings ``ngrok:``."""

from __future__ import annotations

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
    Text,
    fault,
)
from apiops_components.models.helm import HelmChart, completed
from apiops_components.versions import KUBECTL_IMAGE, NGROK_CRDS_CHART, NGROK_OPERATOR_CHART

__all__ = ["HookImage", "NgrokOperatorSpec", "Resources"]

_CHARTS = "https://charts.ngrok.com"
_OPERATOR = {"name": "ngrok-operator", "version": NGROK_OPERATOR_CHART, "repository": _CHARTS}
_CRDS = {"name": "ngrok-crds", "version": NGROK_CRDS_CHART, "repository": _CHARTS}

Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$")]
"""An amount of cpu (``250m``) or memory (``128Mi``)."""


class HookImage(CheckedModel):
    """A container image pinned so that the same commit runs the same program."""

    repository: Text
    """Registry and name, such as ``docker.io/alpine/kubectl``."""
    tag: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")
    """A full version; may be left out beside a digest."""
    digest: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    """``sha256:`` and 64 hexadecimal digits; the only pin that a registry cannot move."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if self.tag is None and self.digest is None:
            yield fault("image/unpinned", "a tag or a digest is expected", "such as tag: 1.2.3")
        if self.tag is not None and self.digest is None and not _full_version(self.tag):
            hint = "name a full version such as 1.2.3, or add the digest"
            yield fault("image/unpinned", f"the tag {self.tag!r} may mean another image tomorrow", hint, ["tag"])


def _full_version(tag: str) -> bool:
    numbers = tag.removeprefix("v").partition("-")[0].split(".")
    return len(numbers) >= 3 and all(map(str.isdigit, numbers))  # noqa: PLR2004  (major, minor, patch)


class Resources(Model):
    """What a container asks for. The memory limit equals the request, so that a node's memory is never oversold."""

    cpu: Quantity
    """Request; no limit, which would only slow the container down while the node idles."""
    memory: Quantity
    """Request and limit."""


class NgrokOperatorSpec(CheckedModel):
    """The ngrok operator, its definitions, its credentials and the GatewayClass ``ngrok``.

    One a cluster: GatewayClass, definitions and cluster roles are cluster-wide.
    """

    namespace: DnsLabel = "ngrok-operator"
    """Made by the component; nothing else should live there."""
    chart: Annotated[HelmChart, BeforeValidator(completed(_OPERATOR))] = Field(
        default_factory=lambda: HelmChart(**_OPERATOR)
    )
    """The operator's chart; what is left out is ngrok's own at the version that this package was tested with."""
    crds: Annotated[HelmChart, BeforeValidator(completed(_CRDS))] = Field(default_factory=lambda: HelmChart(**_CRDS))
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
    region: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")] | None = None
    """Where agents connect to ngrok, such as ``eu``; the nearest by default."""
    domain_reclaim_policy: Literal["Delete", "Retain"] = "Retain"
    """What becomes of a name reserved at ngrok when its Domain object goes. The chart says Delete; Retain here, because
    a name given back can be taken by somebody else, and with it the traffic of everyone who still calls it."""
    drain_policy: Literal["Delete", "Retain"] = "Retain"
    """What uninstalling does to the objects at ngrok. Retain, as the chart: uninstalling is often half of
    reinstalling. Delete cleans the account, for environments that are thrown away."""
    cleanup_hook_image: HookImage = Field(
        default_factory=lambda: HookImage(repository="docker.io/alpine/kubectl", tag=KUBECTL_IMAGE)
    )
    """Runs before the operator is uninstalled and starts the drain; needs ``/bin/sh`` and ``kubectl``. The chart's own
    default, ``bitnami/kubectl:latest``, is no longer to be had: uninstalling would hang."""
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
        if "credentials" in values:
            message = "credentials do not belong into chart values: Helm keeps values in the cluster in clear"
            hint = "name the secrets with api_key and authtoken; the component makes the Secret"
            yield fault("ngrok/credentials-in-values", message, hint, [*at, "credentials"])
        if values.get("installCRDs"):
            message = "installCRDs would install the definitions a second time; they are a release of their own"
            yield fault("ngrok/crds-twice", message, "leave installCRDs out", [*at, "installCRDs"])
        ingress = values.get("ingress")
        if isinstance(ingress, Mapping) and ingress.get("enabled") is False:
            message = "ingress.enabled: false also removes the agents, and with them the way of all traffic"
            yield fault(
                "ngrok/no-agents", message, "leave it true; no IngressClass is made", [*at, "ingress", "enabled"]
            )
