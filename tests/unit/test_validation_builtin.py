"""Kubernetes' own kinds: what its server refuses, by path and code; what it takes."""

# ruff: noqa: E501, S108  (one case a line; /tmp is a path in a container)

from __future__ import annotations

import copy
import re
from importlib import resources
from typing import Any

import pytest

from apiops_components.documents import Document, dump, load_all
from apiops_components.validation import Result, builtin, validate
from apiops_components.versions import KUBERNETES

POD = {
    "containers": [
        {
            "name": "web",
            "image": "example.com/web:1",
            "ports": [{"name": "http", "containerPort": 8080}],
            "env": [{"name": "A", "value": "b"}],
            "resources": {"requests": {"cpu": "250m", "memory": "64Mi"}, "limits": {"cpu": 1, "memory": "1Gi"}},
            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        }
    ],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": POD}
CONTROLLER = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
ENDING = {**TEMPLATE, "spec": {**POD, "restartPolicy": "Never"}}
OBJECTS: dict[str, dict[str, Any]] = {
    "Namespace": {"apiVersion": "v1"},
    "ConfigMap": {"apiVersion": "v1", "data": {"a.txt": "b"}, "binaryData": {"c": "AAAA"}},
    "Secret": {"apiVersion": "v1", "data": {"a": "aGk="}, "stringData": {"b": "x"}},
    "ServiceAccount": {"apiVersion": "v1", "automountServiceAccountToken": False},
    "Pod": {"apiVersion": "v1", "spec": POD},
    "Service": {
        "apiVersion": "v1",
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
    },
    "Deployment": {
        "apiVersion": "apps/v1",
        "spec": {**CONTROLLER, "replicas": 3, "strategy": {"type": "RollingUpdate"}},
    },
    "ReplicaSet": {"apiVersion": "apps/v1", "spec": CONTROLLER},
    "StatefulSet": {"apiVersion": "apps/v1", "spec": {**CONTROLLER, "serviceName": "web"}},
    "DaemonSet": {"apiVersion": "apps/v1", "spec": CONTROLLER},
    "Job": {"apiVersion": "batch/v1", "spec": {"template": ENDING}},
    "CronJob": {
        "apiVersion": "batch/v1",
        "spec": {"schedule": "0 22 * * 1-5", "jobTemplate": {"spec": {"template": ENDING}}},
    },
    "PodDisruptionBudget": {
        "apiVersion": "policy/v1",
        "spec": {"maxUnavailable": "25%", "selector": {"matchLabels": {"app": "web"}}},
    },
    "HorizontalPodAutoscaler": {
        "apiVersion": "autoscaling/v2",
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2,
            "maxReplicas": 5,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                }
            ],
        },
    },
    "NetworkPolicy": {
        "apiVersion": "networking.k8s.io/v1",
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}, {"podSelector": {}}],
                    "ports": [{"port": 80, "endPort": 90}],
                }
            ],
        },
    },
    "Ingress": {
        "apiVersion": "networking.k8s.io/v1",
        "spec": {
            "rules": [
                {
                    "host": "*.example.com",
                    "http": {
                        "paths": [
                            {
                                "path": "/a",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "web", "port": {"number": 80}}},
                            }
                        ]
                    },
                }
            ]
        },
    },
    "Role": {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    },
    "ClusterRole": {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "rules": [{"nonResourceURLs": ["/healthz"], "verbs": ["get"]}],
    },
    "RoleBinding": {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": "b"}],
    },
    "ClusterRoleBinding": {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:x"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "a"}],
    },
}


def one(value: Any) -> Result:
    (document,) = load_all(dump(value), "a.yaml")
    (result,) = validate(document)
    return result


def made(kind: str) -> dict[str, Any]:
    return copy.deepcopy({"kind": kind, "metadata": {"name": "a", "creationTimestamp": None}, **OBJECTS[kind]})


def changed(kind: str, path: str, value: Any) -> dict[str, Any]:
    whole = made(kind)
    *steps, last = path.split("/")
    part: Any = whole
    for step in steps:
        part = part[int(step)] if isinstance(part, list) else part.setdefault(step, {})
    if isinstance(part, list):
        part.insert(int(last), value)
    else:
        part[last] = value
    return whole


@pytest.mark.parametrize("kind", OBJECTS)
def test_a_good_object_is_valid(kind: str) -> None:
    assert [str(problem) for problem in one(made(kind)).problems] == []


C = "spec/template/spec/containers/0"
CP = "spec.template.spec.containers[0]"
REFUSED: list[tuple[str, str, Any, str, str]] = [
    # schema
    ("Deployment", "spec/replica", 3, "spec.replica", "schema/unknown-field"),
    ("Deployment", "spec/replicas", "3", "spec.replicas", "schema/type"),
    ("Deployment", "spec/replicas", 2**31, "spec.replicas", "schema/maximum"),
    ("Deployment", "spec/selector", None, "spec.selector", "schema/required"),
    ("Deployment", "speck", {}, "speck", "schema/unknown-field"),
    ("Deployment", f"{C}/resources/limits/cpu", "1q", f"{CP}.resources.limits.cpu", "schema/format"),
    ("Secret", "data/a", "not base64!", "data.a", "schema/format"),
    ("Secret", "stringData/b", 1, "stringData.b", "schema/type"),
    ("Service", "spec/ports/0/targetPort", 1.5, "spec.ports[0].targetPort", "schema/type"),
    # metadata
    ("Deployment", "metadata/name", "Web", "metadata.name", "name/dns-subdomain"),
    ("Namespace", "metadata/name", "a.b", "metadata.name", "name/dns-label"),
    ("Service", "metadata/name", "a.b", "metadata.name", "name/dns-label"),
    ("Role", "metadata/name", "a/b", "metadata.name", "name/path-segment"),
    ("Deployment", "metadata/name", None, "metadata.name", "object/name"),
    ("Deployment", "metadata", None, "metadata", "object/metadata"),
    ("Deployment", "metadata/namespace", "A", "metadata.namespace", "name/dns-label"),
    ("Deployment", "metadata/labels/a b", "c", 'metadata.labels["a b"]', "label/key"),
    ("Deployment", "metadata/labels/a", "-", "metadata.labels.a", "label/value"),
    ("Deployment", "metadata/labels/a", True, "metadata.labels.a", "schema/string-type"),
    ("Deployment", "metadata/annotations/a", 1, "metadata.annotations.a", "schema/string-type"),
    ("Deployment", "metadata/label", {}, "metadata.label", "schema/unknown-field"),
    ("Deployment", "metadata/annotations/a", "x" * 262_144, "metadata.annotations", "metadata/annotations"),
    # workloads
    ("Deployment", "spec/template/metadata/labels/app", "b", "spec.template.metadata.labels", "workload/selector"),
    ("Deployment", "spec/selector/matchLabels", {}, "spec.selector", "workload/selector"),
    ("Deployment", "spec/replicas", -1, "spec.replicas", "workload/count"),
    ("Deployment", "spec/strategy/type", "Rolling", "spec.strategy.type", "workload/strategy"),
    ("Deployment", "spec/strategy", {"type": "Recreate", "rollingUpdate": {}}, "spec.strategy.rollingUpdate", "workload/strategy"),
    ("Deployment", "spec/strategy/rollingUpdate", {"maxSurge": 0, "maxUnavailable": 0}, "spec.strategy.rollingUpdate.maxUnavailable", "workload/strategy"),
    ("Deployment", "spec/strategy/rollingUpdate/maxSurge", "1", "spec.strategy.rollingUpdate.maxSurge", "workload/count"),
    ("Deployment", "spec/progressDeadlineSeconds", 0, "spec.progressDeadlineSeconds", "workload/deadline"),
    ("StatefulSet", "spec/podManagementPolicy", "parallel", "spec.podManagementPolicy", "workload/strategy"),
    ("DaemonSet", "spec/updateStrategy/type", "Recreate", "spec.updateStrategy.type", "workload/strategy"),
    ("Job", "spec/template/spec/restartPolicy", "Always", "spec.template.spec.restartPolicy", "pod/restart-policy"),
    ("Job", "spec/completionMode", "Indexed", "spec.completions", "workload/job"),
    ("Job", "spec/backoffLimit", -1, "spec.backoffLimit", "workload/count"),
    ("CronJob", "spec/schedule", "0 25 * * *", "spec.schedule", "workload/schedule"),
    ("CronJob", "spec/schedule", "TZ=UTC 0 1 * * *", "spec.schedule", "workload/schedule"),
    ("CronJob", "spec/concurrencyPolicy", "forbid", "spec.concurrencyPolicy", "workload/cron"),
    ("CronJob", "metadata/name", "a" * 53, "metadata.name", "workload/name"),
    # pods
    ("Deployment", "spec/template/spec/containers", [], "spec.template.spec.containers", "pod/containers"),
    ("Deployment", "spec/template/spec/restartPolicy", "Never", "spec.template.spec.restartPolicy", "pod/restart-policy"),
    ("Deployment", f"{C}/name", "Web", f"{CP}.name", "name/dns-label"),
    ("Deployment", f"{C}/image", None, f"{CP}.image", "schema/required"),
    ("Deployment", f"{C}/imagePullPolicy", "always", f"{CP}.imagePullPolicy", "pod/pull-policy"),
    ("Deployment", f"{C}/ports/0/containerPort", 70000, f"{CP}.ports[0].containerPort", "pod/port"),
    ("Deployment", f"{C}/ports/0/name", "a-very-long-name", f"{CP}.ports[0].name", "pod/port-name"),
    ("Deployment", f"{C}/ports/1", {"name": "http", "containerPort": 1}, f"{CP}.ports[1].name", "pod/duplicate"),
    ("Deployment", f"{C}/ports/0/protocol", "tcp", f"{CP}.ports[0].protocol", "pod/protocol"),
    ("Deployment", f"{C}/env/0/valueFrom", {"fieldRef": {"fieldPath": "x"}}, f"{CP}.env[0].valueFrom", "pod/env"),
    ("Deployment", f"{C}/env/0", {"name": "A", "valueFrom": {}}, f"{CP}.env[0].valueFrom", "pod/one-of"),
    ("Deployment", f"{C}/env/0/name", "A=B", f"{CP}.env[0].name", "pod/env"),
    ("Deployment", f"{C}/envFrom", [{"prefix": "a"}], f"{CP}.envFrom[0]", "pod/one-of"),
    ("Deployment", f"{C}/resources/requests/cpu", 2, f"{CP}.resources.requests.cpu", "pod/resources"),
    ("Deployment", f"{C}/resources/requests/mem", "1Gi", f"{CP}.resources.requests.mem", "pod/resources"),
    ("Deployment", f"{C}/resources/requests/cpu", "-1", f"{CP}.resources.requests.cpu", "pod/resources"),
    ("Deployment", f"{C}/readinessProbe/tcpSocket", {"port": 1}, f"{CP}.readinessProbe", "pod/one-of"),
    ("Deployment", f"{C}/readinessProbe/httpGet/port", 0, f"{CP}.readinessProbe.httpGet.port", "pod/port"),
    ("Deployment", f"{C}/livenessProbe", {"exec": {"command": ["a"]}, "successThreshold": 2}, f"{CP}.livenessProbe.successThreshold", "pod/probe"),
    ("Deployment", f"{C}/readinessProbe/periodSeconds", -1, f"{CP}.readinessProbe.periodSeconds", "pod/probe"),
    ("Deployment", f"{C}/lifecycle/preStop", {}, f"{CP}.lifecycle.preStop", "pod/one-of"),
    ("Deployment", f"{C}/volumeMounts/0/name", "tmpp", f"{CP}.volumeMounts[0].name", "pod/mount"),
    ("Deployment", f"{C}/volumeMounts/1", {"name": "tmp", "mountPath": "/tmp"}, f"{CP}.volumeMounts[1].mountPath", "pod/duplicate"),
    ("Deployment", f"{C}/securityContext", {"privileged": True, "allowPrivilegeEscalation": False}, f"{CP}.securityContext.allowPrivilegeEscalation", "pod/privileges"),
    ("Deployment", "spec/template/spec/volumes/0/hostPath", {"path": "/"}, "spec.template.spec.volumes[0]", "pod/volume"),
    ("Deployment", "spec/template/spec/volumes/1", {"name": "b"}, "spec.template.spec.volumes[1]", "pod/volume"),
    ("Deployment", "spec/template/spec/volumes/1", {"name": "tmp", "emptyDir": {}}, "spec.template.spec.volumes[1].name", "pod/duplicate"),
    ("Deployment", "spec/template/spec/initContainers", [{"name": "web", "image": "x"}], f"{CP}.name", "pod/duplicate"),
    ("Deployment", "spec/template/spec/initContainers", [{"name": "i", "image": "x", "livenessProbe": {"exec": {}}}], "spec.template.spec.initContainers[0].livenessProbe", "pod/probe"),
    ("Deployment", "spec/template/spec/dnsPolicy", "default", "spec.template.spec.dnsPolicy", "pod/dns"),
    ("Deployment", "spec/template/spec/tolerations", [{"operator": "Equal"}], "spec.template.spec.tolerations[0].operator", "pod/toleration"),
    ("Deployment", "spec/template/spec/topologySpreadConstraints", [{"maxSkew": 0, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}], "spec.template.spec.topologySpreadConstraints[0].maxSkew", "pod/spread"),
    # services
    ("Service", "spec/type", "Loadbalancer", "spec.type", "service/type"),
    ("Service", "spec/ports", [], "spec.ports", "service/ports"),
    ("Service", "spec/ports/1", {"port": 81, "name": "b"}, "spec.ports[0].name", "service/port-name"),
    ("Service", "spec/ports/0/port", 0, "spec.ports[0].port", "service/port"),
    ("Service", "spec/ports/0/targetPort", "8080", "spec.ports[0].targetPort", "service/port-name"),
    ("Service", "spec/ports/0/nodePort", 30000, "spec.ports[0].nodePort", "service/node-port"),
    ("Service", "spec/type", "ExternalName", "spec.externalName", "service/external-name"),
    ("Service", "spec/sessionAffinity", "clientIP", "spec.sessionAffinity", "service/affinity"),
    ("Service", "spec", None, "spec", "schema/required"),
    ("Ingress", "spec", {}, "spec", "ingress/empty"),
    ("Ingress", "spec/rules/0/host", "a b", "spec.rules[0].host", "ingress/host"),
    ("Ingress", "spec/rules/0/http/paths/0/path", "a", "spec.rules[0].http.paths[0].path", "ingress/path"),
    ("Ingress", "spec/rules/0/http/paths/0/pathType", "prefix", "spec.rules[0].http.paths[0].pathType", "ingress/path-type"),
    ("Ingress", "spec/rules/0/http/paths/0/backend/service/port", {}, "spec.rules[0].http.paths[0].backend.service.port", "ingress/port"),
    ("Ingress", "spec/rules/0/http/paths/0/backend", {}, "spec.rules[0].http.paths[0].backend", "ingress/backend"),
    ("NetworkPolicy", "spec/policyTypes/0", "ingress", "spec.policyTypes[0]", "network-policy/type"),
    ("NetworkPolicy", "spec/ingress/0/from/0", {}, "spec.ingress[0].from[0]", "network-policy/peer"),
    ("NetworkPolicy", "spec/ingress/0/from/0/podSelector", {}, "spec.ingress[0].from[0].ipBlock", "network-policy/peer"),
    ("NetworkPolicy", "spec/ingress/0/from/0/ipBlock/cidr", "10.0.0.0", "spec.ingress[0].from[0].ipBlock.cidr", "net/cidr"),
    ("NetworkPolicy", "spec/ingress/0/from/0/ipBlock/except", ["11.0.0.0/16"], "spec.ingress[0].from[0].ipBlock.except[0]", "net/cidr"),
    ("NetworkPolicy", "spec/ingress/0/ports/0/endPort", 1, "spec.ingress[0].ports[0].endPort", "network-policy/port"),
    ("NetworkPolicy", "spec/podSelector", {"matchExpressions": [{"key": "a", "operator": "In"}]}, "spec.podSelector.matchExpressions[0].values", "selector/values"),
    # the rest
    ("PodDisruptionBudget", "spec/minAvailable", 1, "spec", "disruption-budget/both"),
    ("PodDisruptionBudget", "spec/maxUnavailable", -1, "spec.maxUnavailable", "workload/count"),
    ("HorizontalPodAutoscaler", "spec/maxReplicas", 1, "spec.maxReplicas", "autoscaler/replicas"),
    ("HorizontalPodAutoscaler", "spec/minReplicas", 0, "spec.minReplicas", "autoscaler/replicas"),
    ("HorizontalPodAutoscaler", "spec/metrics/0/type", "Pods", "spec.metrics[0].pods", "autoscaler/metric"),
    ("HorizontalPodAutoscaler", "spec/metrics/0/resource/target", {"type": "Value"}, "spec.metrics[0].resource.target.value", "autoscaler/metric"),
    ("HorizontalPodAutoscaler", "spec/behavior/scaleUp", {"selectPolicy": "max"}, "spec.behavior.scaleUp.selectPolicy", "autoscaler/behavior"),
    ("ConfigMap", "data/a b", "c", 'data["a b"]', "data/key"),
    ("ConfigMap", "data/c", "d", "binaryData.c", "data/duplicate"),
    ("ConfigMap", "data/big", "x" * 1_048_577, "data", "data/size"),
    ("Secret", "type", "kubernetes.io/tls", 'data["tls.crt"]', "secret/key"),
    ("Secret", "type", "kubernetes.io/basic-auth", "data", "secret/key"),
    ("Role", "rules/0/verbs", [], "rules[0].verbs", "rbac/verbs"),
    ("Role", "rules/0/apiGroups", [], "rules[0].apiGroups", "rbac/groups"),
    ("Role", "rules/0/resources", [], "rules[0].resources", "rbac/resources"),
    ("Role", "rules/0/nonResourceURLs", ["/x"], "rules[0].nonResourceURLs", "rbac/urls"),
    ("ClusterRole", "rules/0/resources", ["pods"], "rules[0].nonResourceURLs", "rbac/urls"),
    ("RoleBinding", "subjects/0/namespace", None, "subjects[0].namespace", "rbac/subject"),
    ("RoleBinding", "roleRef/apiGroup", "rbac", "roleRef.apiGroup", "rbac/role"),
    ("ClusterRoleBinding", "roleRef/kind", "Role", "roleRef.kind", "rbac/role"),
    ("ClusterRoleBinding", "subjects/0/kind", "user", "subjects[0].kind", "rbac/subject"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "value", "place", "code"), REFUSED)
def test_one_fault_is_refused_at_its_place(kind: str, path: str, value: Any, place: str, code: str) -> None:
    whole = changed(kind, path, value)
    if path.endswith(("env/0", "from/0")):
        *steps, _ = path.split("/")
        part: Any = whole
        for step in steps:
            part = part[int(step)] if isinstance(part, list) else part[step]
        del part[1]
    result = one(whole)
    assert result.status == "invalid"
    assert (place, code) in {(problem.path, problem.code) for problem in result.problems}, result.problems


def test_every_code_of_the_rules_is_shown() -> None:
    source = "".join(
        resources.files("apiops_components.validation").joinpath(f"{name}.py").read_text()
        for name in ("pods", "workloads", "services", "others", "metadata")
    )
    codes = set(
        re.findall(
            r'"((?:pod|workload|service|ingress|network-policy|autoscaler|rbac|data|secret|disruption-budget|selector|label|net|metadata)/[a-z-]+)"',
            source,
        )
    )
    shown = {code for *_, code in REFUSED}
    assert codes - shown == NOT_SHOWN


# Rules of which only the wording differs from one that is shown.
NOT_SHOWN = {
    *("pod/image", "service/protocol", "service/traffic-policy", "service/duplicate", "service/cluster-ip"),
    *("network-policy/protocol", "disruption-budget/eviction", "selector/operator"),
}


def test_a_message_says_what_was_expected_and_the_fix() -> None:
    (problem,) = one(changed("Deployment", "spec/Replicas", 3)).problems
    assert (problem.message, problem.hint, problem.line) == ("unknown field", "did you mean replicas?", problem.line)
    (problem,) = one(changed("Deployment", "spec/replicas", "3")).problems
    assert problem.message == "an integer is expected, got '3'"


def test_all_problems_of_an_object_come_at_once() -> None:
    whole = changed("Deployment", "spec/replicas", "3")
    whole["metadata"]["name"] = "A"
    whole["spec"]["template"]["spec"]["containers"][0]["image"] = ""
    assert {problem.path for problem in one(whole).problems} == {"spec.replicas", "metadata.name", f"{CP}.image"}


def test_the_value_of_a_secret_is_never_shown() -> None:
    for path, value in (("data/a", "pa$$word!"), ("stringData/b", 123456789), ("stringData/b", ["pa$$word!"])):
        shown = "\n".join(map(str, one(changed("Secret", path, value)).problems))
        assert shown
        assert "pa$$word" not in shown
        assert "123456789" not in shown


@pytest.mark.parametrize("noise", [None, 1, "x", [], [1], {"a": 1}, [[None]], True])
@pytest.mark.parametrize("kind", OBJECTS)
def test_no_shape_makes_a_rule_fail(kind: str, noise: Any) -> None:
    """Each part of each object replaced by something of another type: a result, never an exception."""

    def places(value: Any) -> Any:
        if isinstance(value, dict):
            for key in value:
                yield value, key
                yield from places(value[key])
        elif isinstance(value, list):
            for index in range(len(value)):
                yield value, index
                yield from places(value[index])

    whole = made(kind)
    for holder, key in list(places(whole)):
        kept, holder[key] = holder[key], noise
        assert list(validate(Document(whole, "a", 0, {})))
        holder[key] = kept


def test_the_schema_is_of_the_stated_version() -> None:
    assert builtin.version().startswith(f"{KUBERNETES}.")


@pytest.mark.parametrize(
    ("api_version", "kind", "hint"),
    [
        ("extensions/v1beta1", "Deployment", "write apps/v1"),
        ("apps/v1beta2", "Deployment", "write apps/v1"),
        ("v1", "Deployment", "write apps/v1"),
        ("policy/v1beta1", "PodDisruptionBudget", "write policy/v1"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", "write autoscaling/v2"),
        ("networking.k8s.io/v1beta1", "Ingress", "write networking.k8s.io/v1"),
        ("apps/v1", "Service", "write v1"),
    ],
)
def test_a_version_that_is_not_served_is_refused_with_the_right_one(api_version: str, kind: str, hint: str) -> None:
    result = one({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}})
    (problem,) = (problem for problem in result.problems if problem.path == "apiVersion")
    assert problem.code == "object/api-version"
    assert problem.hint.startswith(hint)


def test_an_unknown_kind_is_skipped_and_a_misspelt_one_warned_of() -> None:
    result = one({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}})
    assert (result.status, result.warnings) == ("skipped", ())
    result = one({"apiVersion": "apps/v1", "kind": "Deploymnet", "metadata": {"name": "a"}})
    assert (result.status, [warning.hint for warning in result.warnings]) == ("skipped", ["did you mean Deployment?"])


def test_items_of_a_typed_list_are_checked() -> None:
    items = [
        {k: v for k, v in made("ConfigMap").items() if k not in ("apiVersion", "kind")},
        {"metadata": {"name": "A"}},
    ]
    (document,) = load_all(dump({"apiVersion": "v1", "kind": "ConfigMapList", "items": items}))
    assert [result.status for result in validate(document)] == ["valid", "invalid"]
