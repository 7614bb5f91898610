"""Settings of the ngrok operator, its Helm values and its objects."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from apiops_components import versions
from apiops_components.errors import problems_of
from apiops_components.models.operator import NgrokOperatorSpec, Resources
from apiops_components.models.secret import SecretSlot
from apiops_components.render.installs import merged
from apiops_components.render.operator import operator_objects, operator_values

LABELS = {"app.kubernetes.io/part-of": "apiops"}


def problems(data):
    with pytest.raises(ValidationError) as caught:
        NgrokOperatorSpec.model_validate(data)
    return {problem.path: problem for problem in problems_of(caught.value, data)}


def test_defaults_install_the_tested_charts_at_exact_versions():
    spec = NgrokOperatorSpec()

    assert (spec.chart.name, spec.chart.version) == ("ngrok-operator", versions.NGROK_OPERATOR_CHART)
    assert (spec.crds.name, spec.crds.version) == ("ngrok-crds", versions.NGROK_CRDS_CHART)
    assert spec.chart.repository == spec.crds.repository == "https://charts.ngrok.com"


def test_values_of_the_chart():
    def spread(component):
        labels = {"name": "ngrok-operator", "instance": "ngrok-operator", "component": component}
        selector = {"matchLabels": {f"app.kubernetes.io/{key}": value for key, value in labels.items()}}
        keys = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        constraint = {"maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector}
        return [{"topologyKey": key, **constraint} for key in keys]

    assert operator_values(NgrokOperatorSpec(region="eu")) == {
        "installCRDs": False,
        "replicaCount": 2,
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "256Mi"}},
        "podDisruptionBudget": {"create": True, "maxUnavailable": "1"},
        "agent": {
            "replicaCount": 2,
            "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
            "topologySpreadConstraints": spread("agent"),
        },
        "topologySpreadConstraints": spread("controller"),
        "credentials": {"secret": {"name": "ngrok-credentials"}},
        "ingress": {"enabled": True, "ingressClass": {"create": False}},
        "gateway": {"enabled": True, "disableReferenceGrants": False},
        "defaultDomainReclaimPolicy": "Retain",
        "drainPolicy": "Retain",
        "cleanupHook": {
            "enabled": True,
            "image": {"repository": "docker.io/alpine/kubectl", "tag": versions.KUBECTL_IMAGE},
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
        },
        "region": "eu",
        "serverAddr": "connect.eu.ngrok-agent.com:443",
    }


def test_it_need_not_spread_and_may_watch_its_own_namespace_alone():
    values = operator_values(NgrokOperatorSpec(spread=False, namespace="edge", watch_namespace="edge"))
    assert "topologySpreadConstraints" not in {*values, *values["agent"]}
    assert values["ingress"]["watchNamespace"] == "edge"
    assert problems({"watch_namespace": "shop"})["watch_namespace"].code == "ngrok/watch-namespace"


def test_objects_in_the_order_of_creation():
    level = {"audit": "restricted", "enforce": "baseline", "warn": "restricted"}
    security = {f"pod-security.kubernetes.io/{mode}": value for mode, value in level.items()}
    security |= {f"pod-security.kubernetes.io/{mode}-version": f"v{versions.KUBERNETES}" for mode in level}

    assert operator_objects(NgrokOperatorSpec(namespace="edge")) == [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "edge", "labels": LABELS | security}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "ngrok-credentials", "namespace": "edge", "labels": LABELS},
            "type": "Opaque",
            "stringData": {"API_KEY": "<secret:ngrok-api-key>", "AUTHTOKEN": "<secret:ngrok-authtoken>"},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "ngrok-operator", "namespace": "edge", "labels": LABELS},
            "spec": {
                "podSelector": {
                    "matchLabels": {
                        "app.kubernetes.io/name": "ngrok-operator",
                        "app.kubernetes.io/instance": "ngrok-operator",
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
                "ingress": [{"ports": [{"port": 8080, "protocol": "TCP"}]}],
                "egress": [{}],
            },
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "ngrok-operator-agent", "namespace": "edge", "labels": LABELS},
            "spec": {
                "maxUnavailable": 1,
                "selector": {
                    "matchLabels": {
                        "app.kubernetes.io/name": "ngrok-operator",
                        "app.kubernetes.io/instance": "ngrok-operator",
                        "app.kubernetes.io/component": "agent",
                    }
                },
            },
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": "ngrok", "labels": LABELS},
            "spec": {"controllerName": "ngrok.com/gateway-controller"},
        },
    ]


def test_the_secret_holds_slots_not_text():
    secret = operator_objects(NgrokOperatorSpec(api_key="key", authtoken="token"))[1]

    assert all(isinstance(value, SecretSlot) for value in secret["stringData"].values())
    assert [value.name for value in secret["stringData"].values()] == ["key", "token"]


def test_a_single_agent_has_no_budget_which_could_not_hold_anything():
    spec = NgrokOperatorSpec(replicas=1, agent_replicas=1)

    assert [item["kind"] for item in operator_objects(spec)] == ["Namespace", "Secret", "NetworkPolicy", "GatewayClass"]
    assert operator_values(spec)["podDisruptionBudget"]["create"] is False


def test_values_of_the_settings_come_last_and_merge_as_helm_merges():
    chart = {"values": {"log": {"level": "debug"}, "agent": {"priorityClassName": "high"}, "replicaCount": 3}}
    values = operator_values(NgrokOperatorSpec.model_validate({"chart": chart}))

    assert values["log"] == {"level": "debug"}
    assert values["agent"]["priorityClassName"] == "high"
    assert values["agent"]["replicaCount"] == 2
    assert values["replicaCount"] == 3


def test_a_chart_given_by_values_alone_keeps_name_version_and_repository():
    spec = NgrokOperatorSpec.model_validate({"chart": {"values": {"a": 1}}, "crds": {"version": "9.9.9"}})

    assert (spec.chart.name, spec.chart.version) == ("ngrok-operator", versions.NGROK_OPERATOR_CHART)
    assert (spec.crds.version, spec.crds.repository) == ("9.9.9", "https://charts.ngrok.com")


def test_a_chart_on_this_machine_has_no_repository():
    spec = NgrokOperatorSpec.model_validate({"chart": {"path": "charts/ngrok-operator"}})

    assert (spec.chart.path, spec.chart.repository, spec.chart.version) == ("charts/ngrok-operator", None, None)


def test_all_problems_are_told_at_once():
    found = problems(
        {
            "api_key": "same",
            "authtoken": "same",
            "agent_replicas": 0,
            "chart": {
                "values": {
                    "credentials": {"apiKey": "x"},
                    "installCRDs": True,
                    "ingress": {"enabled": False},
                    "gateway": {"enabled": False},
                    "nameOverride": "edge",
                    "rootCAs": "host",
                }
            },
            "domain_reclaim": "Delete",
        }
    )

    assert {path: problem.code for path, problem in found.items()} == {
        "agent_replicas": "schema/greater-than-equal",
        "authtoken": "ngrok/same-secret",
        "chart.values.credentials": "ngrok/credentials-in-values",
        "chart.values.gateway.enabled": "ngrok/no-gateways",
        "chart.values.installCRDs": "ngrok/crds-twice",
        "chart.values.ingress.enabled": "ngrok/no-agents",
        "chart.values.nameOverride": "ngrok/name-override",
        "chart.values.rootCAs": "ngrok/root-cas",
        "domain_reclaim": "schema/unknown-field",
    }


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ("docker.io/alpine/kubectl:latest", "image/latest"),
        ("docker.io/alpine/kubectl", "image/tag"),
        ("docker.io/alpine/kubectl:stable", "image/unpinned"),
        ("docker.io/alpine/kubectl:1.36", "image/unpinned"),
    ],
)
def test_an_image_that_may_change_is_refused(image, code):
    assert problems({"cleanup_hook_image": image})["cleanup_hook_image"].code == code


def test_a_digest_follows_the_tag_where_the_chart_joins_them():
    digest = f"sha256:{'0' * 64}"
    spec = NgrokOperatorSpec(cleanup_hook_image=f"registry.example.com:5000/tools/kubectl:stable@{digest}")

    assert operator_values(spec)["cleanupHook"]["image"] == {
        "repository": "registry.example.com:5000/tools/kubectl",
        "tag": f"stable@{digest}",
    }


def test_amounts_are_kept_as_kubernetes_gives_them_back():
    assert Resources(cpu="0.5", memory="1024Mi") == Resources(cpu="500m", memory="1Gi")


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
trees = st.dictionaries(
    st.sampled_from("abc"), st.recursive(scalars, lambda inner: st.dictionaries(st.sampled_from("abc"), inner))
)


@given(trees, trees)
def test_merging_keeps_what_is_on_top_and_leaves_both_sides_alone(below, over):
    before = json.dumps([below, over])
    result = merged(below, over)

    assert merged(result, over) == result
    assert set(result) == {*below, *over}
    assert all(result[key] == value for key, value in over.items() if not isinstance(value, dict))
    assert json.dumps([below, over]) == before
