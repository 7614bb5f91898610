"""An object of a cluster has one owner."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from apiops_components import ApiGateway, ApiGatewaySpec, ApiSpec, Backend, InvalidInput, Route
from apiops_components.testing.pulumi import record

api = ApiSpec(name="orders", routes=(Route.prefix("/orders", Backend.to("orders", 80)),))


def host(name, namespace="shop"):
    return ApiGatewaySpec(name=name, namespace=namespace, host=f"{name}.example.com", apis=(api,))


def test_two_components_with_the_same_object_are_refused():
    def program():
        ApiGateway("first", host("shop"))
        ApiGateway("second", host("shop"))

    with pytest.raises(InvalidInput, match="ApiGateway second: Gateway shop/shop is registered by ApiGateway first"):
        record(program)


def test_the_same_component_with_other_names_or_namespaces_is_not():
    def program():
        ApiGateway("first", host("shop"))
        ApiGateway("second", host("shop", "other"))
        ApiGateway("third", host("outlet"))

    assert len(record(program).of_type("kubernetes:gateway.networking.k8s.io/v1:Gateway")) == 3


def test_two_clusters_may_hold_the_same_object():
    def program():
        for name in ("east", "west"):
            provider = kubernetes.Provider(name, kubeconfig="{}")
            ApiGateway(name, host("shop"), opts=pulumi.ResourceOptions(provider=provider))

    assert len(record(program).of_type("kubernetes:gateway.networking.k8s.io/v1:Gateway")) == 2
