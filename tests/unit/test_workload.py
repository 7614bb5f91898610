from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from apiops_components.errors import Problem, problems_of
from apiops_components.models.workload import Workload
from apiops_components.render.workload import workload_objects

DIGEST = "@sha256:" + "0123456789abcdef" * 4
IMAGE = "europe-docker.pkg.dev/shop/apis/orders:1.4.2" + DIGEST
SCRATCH = "/tmp"  # noqa: S108  (a path in the container)
REASON = "shown in a test, not in earnest"

ORDERS: dict[str, Any] = {
    "name": "orders",
    "image": IMAGE,
    "port": 8080,
    "labels": {"tier": "backend"},
    "env": {"LOG_LEVEL": "info", "DB_PASSWORD_FILE": {"secret": "orders-db", "key": "password"}},
    "allow_ingress": [{"pods": {"app.kubernetes.io/name": "basket"}}],
    "allow_egress": [
        {"namespace": "data", "pods": {"app": "postgres"}, "ports": [5432]},
        {"cidr": "203.0.113.0/24", "exclude": ["203.0.113.128/25"], "ports": [443]},
    ],
}

GUESTBOOK: dict[str, Any] = {
    "name": "frontend",
    "kind": "ReplicaSet",
    "image": "gcr.io/google_samples/gb-frontend:v3",
    "port": 80,
    "labels": {"app": "guestbook", "tier": "frontend"},
    "user": 0,
    "read_only_root": False,
    "add_capabilities": ["SETUID", "SETGID", "KILL", "DAC_OVERRIDE"],
    "readiness": {"path": "/"},
    "liveness": {},
    "env": {"GET_HOSTS_FROM": "dns"},
    "exemptions": [
        {"rule": "run-as-root", "reason": "Apache starts as root and then becomes www-data"},
        {"rule": "privileged-port", "reason": "Apache of this image listens on port 80"},
        {"rule": "writable-root-filesystem", "reason": "Apache writes its pid and locks below /var"},
        {"rule": "added-capabilities", "reason": "Apache changes its user and signals its children"},
        {"rule": "image-without-digest", "reason": "the image of the tutorial, named as it names it"},
    ],
}


def problems(data: dict[str, Any]) -> list[Problem]:
    try:
        Workload.model_validate(data)
    except ValidationError as error:
        return list(problems_of(error, data))
    return []


def objects(data: dict[str, Any], **wiring: Any) -> list[dict[str, Any]]:
    given = {"namespace": "shop", "labels": {"owner": "team-shop"}, "ingress_namespace": "ngrok-operator"}
    return workload_objects(Workload.model_validate(data), **(given | wiring))


def by_kind(data: dict[str, Any], **wiring: Any) -> dict[str, dict[str, Any]]:
    return {item["kind"]: item for item in objects(data, **wiring)}


def metadata(name: str, **labels: str) -> dict[str, Any]:
    common = {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": "shop",
        "app.kubernetes.io/managed-by": "apiops",
    }
    return {"name": name, "namespace": "shop", "labels": {**common, **labels, "owner": "team-shop"}}


def spread(name: str) -> dict[str, Any]:
    selector = {"matchLabels": {"app.kubernetes.io/name": name}}
    return {
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": selector,
            },
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": selector,
            },
        ],
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 100,
                        "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector},
                    }
                ]
            }
        },
    }


def default_resources() -> dict[str, Any]:
    return {
        "requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "128Mi"},
        "limits": {"cpu": "500m", "memory": "128Mi", "ephemeral-storage": "128Mi"},
    }


DNS = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {
                "matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns", "node-local-dns"]}]
            },
        },
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
        {"ipBlock": {"cidr": "169.254.169.254/32"}},
    ],
    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
}
GATEWAY = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ngrok-operator"}}}


def test_a_deployment_is_rendered_whole():
    labelled = metadata("orders", tier="backend")
    timing = {"periodSeconds": 10, "timeoutSeconds": 2, "failureThreshold": 3}
    alive = {"path": "/livez", "port": "http", "scheme": "HTTP"}
    assert objects(ORDERS) == [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": labelled, "automountServiceAccountToken": False},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": labelled,
            "spec": {
                "replicas": 3,
                "revisionHistoryLimit": 5,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                "selector": {"matchLabels": {"app.kubernetes.io/name": "orders"}},
                "template": {
                    "metadata": {"labels": labelled["labels"]},
                    "spec": {
                        "serviceAccountName": "orders",
                        "automountServiceAccountToken": False,
                        "enableServiceLinks": False,
                        "terminationGracePeriodSeconds": 40,
                        "securityContext": {
                            "runAsNonRoot": True,
                            "runAsUser": 10001,
                            "runAsGroup": 10001,
                            "fsGroup": 10001,
                            "seccompProfile": {"type": "RuntimeDefault"},
                        },
                        **spread("orders"),
                        "containers": [
                            {
                                "name": "orders",
                                "image": IMAGE,
                                "imagePullPolicy": "Always",
                                "ports": [{"name": "http", "protocol": "TCP", "containerPort": 8080}],
                                "env": [
                                    {"name": "DB_PASSWORD_FILE", "value": "/etc/secrets/orders-db/password"},
                                    {"name": "LOG_LEVEL", "value": "info"},
                                ],
                                "resources": default_resources(),
                                "startupProbe": {
                                    "httpGet": alive,
                                    "periodSeconds": 2,
                                    "timeoutSeconds": 2,
                                    "failureThreshold": 60,
                                },
                                "readinessProbe": {
                                    "httpGet": {"path": "/readyz", "port": "http", "scheme": "HTTP"},
                                    **timing,
                                },
                                "livenessProbe": {"httpGet": alive, **timing},
                                "lifecycle": {"preStop": {"sleep": {"seconds": 10}}},
                                "securityContext": {
                                    "allowPrivilegeEscalation": False,
                                    "privileged": False,
                                    "readOnlyRootFilesystem": True,
                                    "capabilities": {"drop": ["ALL"]},
                                },
                                "volumeMounts": [
                                    {"name": "scratch-0", "mountPath": SCRATCH},
                                    {"name": "secret-0", "mountPath": "/etc/secrets/orders-db", "readOnly": True},
                                ],
                            }
                        ],
                        "volumes": [
                            {"name": "scratch-0", "emptyDir": {"sizeLimit": "64Mi"}},
                            {
                                "name": "secret-0",
                                "secret": {
                                    "secretName": "orders-db",
                                    "defaultMode": 0o440,
                                    "items": [{"key": "password", "path": "password"}],
                                },
                            },
                        ],
                    },
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": labelled,
            "spec": {
                "type": "ClusterIP",
                "selector": {"app.kubernetes.io/name": "orders"},
                "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": "http"}],
            },
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": labelled,
            "spec": {
                "maxUnavailable": 1,
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": {"matchLabels": {"app.kubernetes.io/name": "orders"}},
            },
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": labelled,
            "spec": {
                "podSelector": {"matchLabels": {"app.kubernetes.io/name": "orders"}},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [
                    {
                        "from": [GATEWAY, {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "basket"}}}],
                        "ports": [{"protocol": "TCP", "port": 8080}],
                    }
                ],
                "egress": [
                    DNS,
                    {
                        "to": [
                            {
                                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}},
                                "podSelector": {"matchLabels": {"app": "postgres"}},
                            }
                        ],
                        "ports": [{"protocol": "TCP", "port": 5432}],
                    },
                    {
                        "to": [{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.128/25"]}}],
                        "ports": [{"protocol": "TCP", "port": 443}],
                    },
                ],
            },
        },
    ]


def test_the_guestbook_of_the_seed_is_rendered_whole():
    labelled = metadata("frontend", app="guestbook", tier="frontend")
    timing = {"periodSeconds": 10, "timeoutSeconds": 2, "failureThreshold": 3}
    rendered = objects(GUESTBOOK)
    assert [item["kind"] for item in rendered] == [
        "ServiceAccount",
        "ReplicaSet",
        "Service",
        "PodDisruptionBudget",
        "NetworkPolicy",
    ]
    assert rendered[1] == {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            **labelled,
            "annotations": {
                "apiops/exempt-run-as-root": "Apache starts as root and then becomes www-data",
                "apiops/exempt-privileged-port": "Apache of this image listens on port 80",
                "apiops/exempt-writable-root-filesystem": "Apache writes its pid and locks below /var",
                "apiops/exempt-added-capabilities": "Apache changes its user and signals its children",
                "apiops/exempt-image-without-digest": "the image of the tutorial, named as it names it",
            },
        },
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app.kubernetes.io/name": "frontend"}},
            "template": {
                "metadata": {"labels": labelled["labels"]},
                "spec": {
                    "serviceAccountName": "frontend",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 40,
                    "securityContext": {
                        "runAsNonRoot": False,
                        "runAsUser": 0,
                        "runAsGroup": 0,
                        "fsGroup": 0,
                        "seccompProfile": {"type": "RuntimeDefault"},
                        "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}],
                    },
                    **spread("frontend"),
                    "containers": [
                        {
                            "name": "frontend",
                            "image": "gcr.io/google_samples/gb-frontend:v3",
                            "imagePullPolicy": "Always",
                            "ports": [{"name": "http", "protocol": "TCP", "containerPort": 80}],
                            "env": [{"name": "GET_HOSTS_FROM", "value": "dns"}],
                            "resources": default_resources(),
                            "startupProbe": {
                                "tcpSocket": {"port": "http"},
                                "periodSeconds": 2,
                                "timeoutSeconds": 2,
                                "failureThreshold": 60,
                            },
                            "readinessProbe": {
                                "httpGet": {"path": "/", "port": "http", "scheme": "HTTP"},
                                **timing,
                            },
                            "livenessProbe": {"tcpSocket": {"port": "http"}, **timing},
                            "lifecycle": {"preStop": {"sleep": {"seconds": 10}}},
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "privileged": False,
                                "readOnlyRootFilesystem": False,
                                "capabilities": {
                                    "drop": ["ALL"],
                                    "add": ["DAC_OVERRIDE", "KILL", "SETGID", "SETUID"],
                                },
                            },
                            "volumeMounts": [{"name": "scratch-0", "mountPath": SCRATCH}],
                        }
                    ],
                    "volumes": [{"name": "scratch-0", "emptyDir": {"sizeLimit": "64Mi"}}],
                },
            },
        },
    }


# What breaks each restriction, the code it is refused with, and where.
BREACHES = [
    ("added-capabilities", {"add_capabilities": ["CHOWN"]}, "workload/capabilities", "add_capabilities"),
    ("image-without-digest", {"image": "ghcr.io/shop/orders:1.4.2"}, "workload/image-digest", "image"),
    ("low-user-id", {"user": 101}, "workload/low-user-id", "user"),
    ("low-user-id", {"group": 33}, "workload/low-user-id", "group"),
    ("no-probes", {"readiness": None}, "workload/probe-missing", "readiness"),
    ("no-probes", {"liveness": None}, "workload/probe-missing", "liveness"),
    ("privileged-port", {"port": 1023}, "workload/privileged-port", "port"),
    ("run-as-root", {"user": 0}, "workload/run-as-root", "user"),
    ("run-as-root", {"group": 0}, "workload/run-as-root", "group"),
    ("secret-in-environment", {"env": {"DB_PASSWORD": "x"}}, "workload/plain-secret", "env.DB_PASSWORD"),
    ("single-replica", {"replicas": 1}, "workload/single-replica", "replicas"),
    ("single-replica", {"autoscale": {"min": 1, "max": 4}}, "workload/single-replica", "autoscale.min"),
    (
        "wide-egress",
        {"allow_egress": [{"cidr": "0.0.0.0/0", "exclude": ["169.254.0.0/16"], "ports": [443]}]},
        "workload/wide-egress",
        "allow_egress[0].cidr",
    ),
    ("writable-root-filesystem", {"read_only_root": False}, "workload/writable-root", "read_only_root"),
]
PLAIN: dict[str, Any] = {"name": "orders", "image": IMAGE, "port": 8080}


def test_every_restriction_is_shown_here():
    schema = Workload.model_json_schema()["$defs"]["Exemption"]["properties"]["rule"]
    assert {rule for rule, *_ in BREACHES} == set(schema["enum"])


@pytest.mark.parametrize(("rule", "broken", "code", "path"), BREACHES)
def test_a_broken_restriction_is_refused_and_the_hint_names_the_exemption(rule, broken, code, path):
    (problem,) = problems(PLAIN | broken)
    assert (problem.code, problem.path) == (code, path)
    assert f"exemptions: [{{rule: {rule}, reason: …}}]" in problem.hint


@pytest.mark.parametrize(("rule", "broken"), [breach[:2] for breach in BREACHES])
def test_an_exemption_with_a_reason_admits_it_and_is_written_on_the_object(rule, broken):
    data = PLAIN | broken | {"exemptions": [{"rule": rule, "reason": REASON}]}
    assert problems(data) == []
    assert by_kind(data)["Deployment"]["metadata"]["annotations"] == {f"apiops/exempt-{rule}": REASON}


@pytest.mark.parametrize("rule", sorted({rule for rule, *_ in BREACHES}))
def test_an_exemption_that_nothing_needs_is_refused(rule):
    (problem,) = problems(PLAIN | {"exemptions": [{"rule": rule, "reason": REASON}]})
    assert (problem.code, problem.path) == ("workload/exemption-unneeded", "exemptions[0].rule")


def test_an_exemption_given_twice_is_refused():
    twice = [{"rule": "privileged-port", "reason": REASON}] * 2
    (problem,) = problems(PLAIN | {"port": 80, "exemptions": twice})
    assert (problem.code, problem.path) == ("workload/exemption-repeated", "exemptions[1].rule")


@pytest.mark.parametrize("exemption", [{"rule": "run-as-root"}, {"rule": "run-as-root", "reason": "because"}])
def test_an_exemption_needs_a_reason_of_some_length(exemption):
    paths = {problem.path for problem in problems(PLAIN | {"user": 0, "exemptions": [exemption]})}
    assert "exemptions[0].reason" in paths


FAULTS = [
    ({"name": "9orders"}, "workload/name", "name"),
    ({"name": "Orders"}, "name/dns-label", "name"),
    ({"image": "nginx"}, "image/reference", "image"),
    ({"image": "shop/orders:1.0" + DIGEST}, "image/reference", "image"),
    ({"image": "ghcr.io/shop/Orders:1.0" + DIGEST}, "image/reference", "image"),
    ({"image": "ghcr.io/shop/orders:1.0@sha256:abc"}, "image/reference", "image"),
    ({"image": "ghcr.io/shop/orders" + DIGEST}, "image/tag", "image"),
    ({"image": "ghcr.io/shop/orders:latest" + DIGEST}, "image/latest", "image"),
    ({"labels": {"a": "x" * 64}}, "label/value", "labels.a"),
    ({"labels": {"a": "no spaces"}}, "label/value", "labels.a"),
    ({"labels": {"app.kubernetes.io/name": "x"}}, "workload/label-owned", 'labels["app.kubernetes.io/name"]'),
    ({"drain_seconds": 40}, "workload/grace-period", "termination_grace_seconds"),
    ({"replicas": 5, "autoscale": {"max": 9}}, "workload/replicas", "replicas"),
    ({"autoscale": {"max": 2}}, "workload/autoscale", "autoscale.max"),
    ({"autoscale": {"max": 9, "cpu": None}}, "workload/autoscale", "autoscale"),
    ({"liveness": {"path": "/readyz"}}, "workload/probes-identical", "liveness"),
    ({"liveness": {"path": "/readyz", "port": 8080}}, "workload/probes-identical", "liveness"),
    ({"readiness": {}, "liveness": {}}, "workload/probes-identical", "liveness"),
    ({"readiness": {"path": "/readyz", "timeout_seconds": 11}}, "probe/timeout", "readiness.timeout_seconds"),
    ({"resources": {"cpu_request": "2", "cpu_limit": "1"}}, "workload/cpu-limit", "resources.cpu_limit"),
    ({"resources": {"memory": "128m"}}, "quantity/bytes", "resources.memory"),
    ({"resources": {"memory": "128 Mi"}}, "quantity/bytes", "resources.memory"),
    ({"resources": {"cpu_limit": "lots"}}, "quantity/cpu", "resources.cpu_limit"),
    ({"scratch": {SCRATCH: "64Mi", "/var/cache": "65Mi"}}, "workload/scratch-size", "scratch"),
    ({"allow_ingress": [{}]}, "network/peer", "allow_ingress[0]"),
    ({"allow_egress": [{"ports": [1]}]}, "network/peer", "allow_egress[0]"),
    ({"allow_egress": [{"cidr": "10.0.0.0/8", "namespace": "a", "ports": [1]}]}, "network/peer", "allow_egress[0]"),
    (
        {"allow_egress": [{"namespace": "a", "exclude": ["10.0.0.0/8"], "ports": [1]}]},
        "network/exclude",
        "allow_egress[0].exclude",
    ),
    (
        {"allow_egress": [{"cidr": "10.0.0.0/8", "exclude": ["11.0.0.0/16"], "ports": [1]}]},
        "network/exclude",
        "allow_egress[0].exclude[0]",
    ),
    (
        {"allow_egress": [{"cidr": "169.0.0.0/8", "ports": [80]}]},
        "network/metadata-server",
        "allow_egress[0].exclude",
    ),
]


@pytest.mark.parametrize(("broken", "code", "path"), FAULTS)
def test_a_fault_is_named_with_its_field(broken, code, path):
    assert [(problem.code, problem.path) for problem in problems(PLAIN | broken)] == [(code, path)]


@pytest.mark.parametrize("key", ["-a", "Shop.io/a", "/a", "a/b/c", "a" * 64, "p" * 254 + "/a", ""])
def test_a_label_key_that_kubernetes_refuses_is_named(key):
    (problem,) = problems(PLAIN | {"labels": {key: "b"}})
    assert problem.code == "label/key"
    assert problem.path.startswith("labels")


@pytest.mark.parametrize("key", ["a", "A.b_c-9", "shop.example/a", "a" * 63, "p" * 253 + "/a"])
def test_a_label_key_that_kubernetes_takes_is_taken(key):
    assert problems(PLAIN | {"labels": {key: "b" * 63}}) == []


def test_all_faults_of_a_workload_are_reported_at_once_even_beside_invalid_fields():
    found = problems(
        {
            "name": "9orders",
            "image": "ghcr.io/shop/orders:1.4.2",
            "port": 80,
            "user": 0,
            "env": {"TOKEN": "x", "LEVEL": 3},
            "resources": {"memory": "128m"},
            "liveness": {"path": "/readyz"},
            "replica": 2,
        }
    )
    assert {(problem.code, problem.path) for problem in found} == {
        ("schema/string-type", "env.LEVEL"),
        ("quantity/bytes", "resources.memory"),
        ("schema/unknown-field", "replica"),
        ("workload/name", "name"),
        ("workload/probes-identical", "liveness"),
        ("workload/image-digest", "image"),
        ("workload/run-as-root", "user"),
        ("workload/privileged-port", "port"),
    }


def test_an_exemption_is_not_called_unneeded_while_what_it_covers_is_invalid():
    data = PLAIN | {"env": {"API_TOKEN": 3}, "exemptions": [{"rule": "secret-in-environment", "reason": REASON}]}
    assert [problem.code for problem in problems(data)] == ["schema/string-type"]


@pytest.mark.parametrize(
    ("changed", "level"),
    [
        ({}, "restricted"),
        ({"port": 80}, "restricted"),
        ({"group": 0}, "restricted"),
        ({"add_capabilities": ["NET_BIND_SERVICE"]}, "restricted"),
        ({"add_capabilities": ["CHOWN"]}, "baseline"),
        ({"user": 0}, "baseline"),
    ],
)
def test_a_namespace_can_enforce_what_its_workloads_keep_to(changed, level):
    rules = {"port": "privileged-port", "group": "run-as-root", "user": "run-as-root"}
    exempt = [{"rule": rules.get(key, "added-capabilities"), "reason": REASON} for key in changed]
    assert Workload.model_validate(PLAIN | changed | {"exemptions": exempt}).pod_security == level


def test_an_autoscaler_takes_the_place_of_a_fixed_number_of_replicas():
    rendered = by_kind(PLAIN | {"autoscale": {"max": 9, "memory": 80}})
    assert "replicas" not in rendered["Deployment"]["spec"]
    assert rendered["HorizontalPodAutoscaler"] == {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata("orders"),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders"},
            "minReplicas": 3,
            "maxReplicas": 9,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                },
                {
                    "type": "Resource",
                    "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 80}},
                },
            ],
            "behavior": {
                "scaleDown": {
                    "stabilizationWindowSeconds": 300,
                    "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}],
                }
            },
        },
    }


def test_labels_of_the_deliverer_win_but_never_over_the_name():
    given = {"tier": "platform", "app.kubernetes.io/part-of": "checkout", "app.kubernetes.io/name": "other"}
    service = by_kind(PLAIN | {"labels": {"tier": "backend"}}, labels=given)["Service"]
    assert service["metadata"]["labels"] == {
        "app.kubernetes.io/name": "orders",
        "app.kubernetes.io/part-of": "checkout",
        "app.kubernetes.io/managed-by": "apiops",
        "tier": "platform",
    }


def test_the_selector_stays_when_labels_change():
    before = by_kind(PLAIN)["Deployment"]["spec"]["selector"]
    assert (
        by_kind(PLAIN | {"labels": {"tier": "new"}}, labels={"env": "prod"})["Deployment"]["spec"]["selector"] == before
    )


def test_a_startup_probe_of_its_own_and_another_port_are_kept():
    data = PLAIN | {"startup": {"path": "/startz", "port": 9090, "period_seconds": 5, "failure_threshold": 10}}
    (container,) = by_kind(data)["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["startupProbe"] == {
        "httpGet": {"path": "/startz", "port": 9090, "scheme": "HTTP"},
        "periodSeconds": 5,
        "timeoutSeconds": 2,
        "failureThreshold": 10,
    }


def test_no_drain_means_no_hook():
    (container,) = by_kind(PLAIN | {"drain_seconds": 0})["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert "lifecycle" not in container


def test_two_keys_of_one_secret_are_one_volume():
    env = {"USER_FILE": {"secret": "db", "key": "user"}, "PASSWORD_FILE": {"secret": "db", "key": "password"}}
    pod = by_kind(PLAIN | {"env": env})["Deployment"]["spec"]["template"]["spec"]
    assert pod["volumes"][1] == {
        "name": "secret-0",
        "secret": {
            "secretName": "db",
            "defaultMode": 0o440,
            "items": [{"key": "password", "path": "password"}, {"key": "user", "path": "user"}],
        },
    }
    assert pod["containers"][0]["env"] == [
        {"name": "PASSWORD_FILE", "value": "/etc/secrets/db/password"},
        {"name": "USER_FILE", "value": "/etc/secrets/db/user"},
    ]


def test_the_order_in_which_mappings_are_written_does_not_matter():
    env = {"B": "2", "A": "1", "C_FILE": {"secret": "s", "key": "k"}}
    labels = {"z": "1", "a": "2"}
    there = PLAIN | {"env": env, "labels": labels, "scratch": {SCRATCH: "1Mi", "/a": "2Mi"}}
    back = {key: dict(reversed(value.items())) if isinstance(value, dict) else value for key, value in there.items()}
    assert repr(objects(back)) == repr(objects(there))


def kubernetes_expands(text: str) -> str:
    """What the kubelet makes of a value where no variable is defined (k8s.io/kubernetes third_party expansion)."""
    expanded, position = "", 0
    while position < len(text):
        character, rest = text[position], text[position + 1 :]
        if character != "$" or not rest:
            expanded, position = expanded + character, position + 1
        elif rest[0] == "$":
            expanded, position = expanded + "$", position + 2
        elif rest[0] == "(" and ")" in rest:
            expanded, position = expanded + "<variable>", position + 2 + rest.index(")")
        else:
            expanded, position = expanded + "$" + rest[0], position + 2
    return expanded


@given(st.text(alphabet="$()ab ", max_size=12))
def test_text_reaches_the_container_as_it_was_written(text):
    data = PLAIN | {"env": {"VALUE": text}, "command": ["run", text], "args": [text]}
    (container,) = by_kind(data)["Deployment"]["spec"]["template"]["spec"]["containers"]
    written = [container["env"][0]["value"], container["command"][1], container["args"][0]]
    assert [kubernetes_expands(value) for value in written] == [text] * 3


names = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
label_values = st.from_regex(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,8}[A-Za-z0-9])?)?", fullmatch=True)
labels = st.dictionaries(st.one_of(names, names.map(lambda name: f"shop.example/{name}")), label_values, max_size=3)


@st.composite
def workloads(draw) -> dict[str, Any]:
    data = PLAIN | {
        "name": draw(names),
        "kind": draw(st.sampled_from(["Deployment", "ReplicaSet"])),
        "labels": draw(labels),
        "env": draw(st.dictionaries(names.map(lambda name: f"v_{name.replace('-', '_')}"), st.text(max_size=5))),
        "service_port": draw(st.integers(1, 65535)),
    }
    # One breach a restriction, and one a field: two of a field would undo each other.
    breaches = draw(st.lists(st.sampled_from(BREACHES), unique_by=(lambda breach: breach[0], lambda breach: breach[3])))
    for _, broken, _, _ in breaches:
        data |= {field: value for field, value in broken.items() if field != "env"}
    exempted = [rule for rule, broken, _, _ in breaches if "env" not in broken]
    if "single-replica" not in exempted and draw(st.booleans()):
        data["autoscale"] = {"max": draw(st.integers(3, 20))}
    data["exemptions"] = [{"rule": rule, "reason": REASON} for rule in exempted]
    return data


def selects(selector: dict[str, str], pod_labels: dict[str, str]) -> bool:
    return bool(selector) and selector.items() <= pod_labels.items()


@given(workloads(), names, labels)
def test_every_workload_is_selected_by_all_its_objects_in_one_namespace(data, namespace, given_labels):
    assert problems(data) == []
    rendered = by_kind(data, namespace=namespace, labels=given_labels)
    controller = rendered[data["kind"]]
    pod_labels = controller["spec"]["template"]["metadata"]["labels"]
    pod = controller["spec"]["template"]["spec"]
    assert selects(controller["spec"]["selector"]["matchLabels"], pod_labels)
    assert selects(rendered["Service"]["spec"]["selector"], pod_labels)
    assert selects(rendered["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"], pod_labels)
    assert selects(rendered["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"], pod_labels)
    for constraint in pod["topologySpreadConstraints"]:
        assert selects(constraint["labelSelector"]["matchLabels"], pod_labels)
    assert pod["serviceAccountName"] == rendered["ServiceAccount"]["metadata"]["name"]
    (port,) = pod["containers"][0]["ports"]
    assert rendered["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    for item in rendered.values():
        assert item["metadata"]["namespace"] == namespace
        assert item["metadata"]["name"] == data["name"]
        assert pod_labels.items() == item["metadata"]["labels"].items()
    assert ("replicas" in controller["spec"]) != ("HorizontalPodAutoscaler" in rendered)
