"""Registers rendered manifests: one Pulumi resource an object, secrets joined last."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import pulumi

from apiops_components.components._base import Component
from apiops_components.components._single import one_object
from apiops_components.errors import InvalidInput, Problem
from apiops_components.models.secret import SecretSlot

Secrets = Mapping[str, pulumi.Input[str]]


class KubernetesObject(pulumi.CustomResource):
    """One object of a cluster, its manifest as rendered.

    The SDK's typed classes would translate keys back and forth; the provider takes the manifest as it is.
    """

    metadata: pulumi.Output[Mapping[str, Any]]

    def __init__(self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        group_version = manifest["apiVersion"]
        token = f"kubernetes:{group_version if '/' in group_version else f'core/{group_version}'}:{manifest['kind']}"
        opts = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(version=_provider_version()), opts)
        super().__init__(token, name, dict(manifest), opts)


def register(
    component: Component,
    manifests: Iterable[Mapping[str, Any]],
    *,
    secrets: Secrets | None = None,
    depends_on: Iterable[pulumi.Resource] = (),
    **options: Any,
) -> list[KubernetesObject]:
    """Registers each manifest as a child named ``<component>-<kind>-<object>``, in the order given.

    Raises:
        InvalidInput: A manifest holds the slot of a secret that ``secrets`` does not have; another component of the
            stack registers the same object.
    """
    manifests = list(manifests)
    for manifest in manifests:
        one_object(component, manifest)
    return [
        KubernetesObject(
            f"{component._name}-{manifest['kind'].lower()}-{manifest['metadata']['name']}",  # noqa: SLF001
            _joined(manifest, secrets or {}),
            component.child(depends_on=list(depends_on), **options),
        )
        for manifest in manifests
    ]


def existing(component: Component, role: str, definition: str) -> pulumi.Resource:
    """Reads a CustomResourceDefinition that others install, as the child ``<component>-<role>``.

    Where it is not there, a deployment fails, and so does what depends on it, before anything is changed.
    """
    return KubernetesObject(
        f"{component._name}-{role}",  # noqa: SLF001
        {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"},
        component.child(id=definition),
    )


def _joined(value: Any, secrets: Secrets) -> Any:
    if isinstance(value, SecretSlot):
        if value.name not in secrets:
            raise InvalidInput(
                Problem(
                    f"no value was given for the secret {value.name!r}",
                    code="secret/missing",
                    hint=f"name it in secrets: of the settings, then: pulumi config set --secret apiops:{value.name}",
                )
            )
        return pulumi.Output.secret(secrets[value.name])
    if isinstance(value, Mapping):
        return {key: _joined(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_joined(item, secrets) for item in value]
    return value


@cache
def _provider_version() -> str:
    return version("pulumi-kubernetes")
