"""What the real charts make of our values. Needs `helm` on PATH and APIOPS_CHARTS, a folder with the charts.

Helm takes a misspelt value without a word, so only the charts themselves can show that a value does anything.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from apiops_components import versions
from apiops_components.models.argocd import ArgoCDSpec
from apiops_components.models.operator import NgrokOperatorSpec
from apiops_components.render.argocd import RELEASE as ARGOCD
from apiops_components.render.argocd import argocd_objects, argocd_values
from apiops_components.render.operator import CREDENTIALS, operator_objects, operator_values
from apiops_components.render.operator import RELEASE as NGROK

pytestmark = pytest.mark.engine

FREE = {
    ("configs", "params"),
    ("securityContext",),
    ("redis", "securityContext"),
    ("containerSecurityContext",),
    ("haproxy", "securityContext"),
    ("haproxy", "containerSecurityContext"),
    ("haproxy", "deploymentStrategy"),
}
"""Mappings whose keys the chart's own values do not list; those beside ``params`` go into the pod as they are, where
the API server knows each key."""
WORKLOADS = ("Deployment", "StatefulSet", "Job")
EVERYTHING_ALLOWED_IN_A_RESTRICTED_POD = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


@pytest.fixture(scope="module")
def charts():
    if shutil.which("helm") is None:
        pytest.skip("helm is not on PATH")
    folder = os.environ.get("APIOPS_CHARTS")
    if not folder:
        pytest.skip("APIOPS_CHARTS does not name a folder with the charts argo-cd, ngrok-operator and ngrok-crds")
    return Path(folder)


@pytest.fixture(scope="module")
def template(charts, tmp_path_factory):
    def render(chart, release, values):
        file = tmp_path_factory.mktemp("values") / "values.json"
        file.write_text(json.dumps(values))
        command = ["helm", "template", release, str(charts / chart), "--namespace", release, "--values", str(file)]
        command += ["--kube-version", f"{versions.KUBERNETES}.0", "--include-crds", "--skip-tests"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.load_all(done.stdout, yaml.CSafeLoader) if document]

    return render


def needs_redis_ha(charts):
    if not (charts / "argo-cd" / "charts" / "redis-ha").is_dir():
        pytest.skip("the chart argo-cd in APIOPS_CHARTS does not hold redis-ha")


def argocd(profile):
    rbac = {"grants": [{"role": "dev", "resource": "logs"}], "bindings": [{"group": "a,b", "role": "dev"}]}
    return argocd_values(ArgoCDSpec.model_validate({"profile": profile, "domain": "argocd.example.com", "rbac": rbac}))


def of(documents, kind, name=None):
    return [item for item in documents if item["kind"] == kind and name in (None, item["metadata"]["name"])]


def pod(workload):
    return workload["spec"]["template"]


def unknown(values, known, path=()):
    """Keys that the chart's own values lack; where those are an empty mapping, any key goes."""
    for key, value in values.items():
        here = (*path, key)
        if key not in known and path not in FREE:
            yield ".".join(here)
        elif isinstance(value, dict) and isinstance(known.get(key), dict) and known[key]:
            yield from unknown(value, known[key], here)


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("ngrok-operator", operator_values(NgrokOperatorSpec(region="eu"))),
        ("argo-cd", argocd("small")),
        ("argo-cd", {key: value for key, value in argocd("ha").items() if key != "redis-ha"}),
    ],
)
def test_every_value_is_one_that_the_chart_knows(charts, chart, values):
    known = yaml.load((charts / chart / "values.yaml").read_text(), yaml.CSafeLoader)

    assert list(unknown(values, known)) == []


def test_every_value_of_redis_is_one_that_its_chart_knows(charts):
    needs_redis_ha(charts)
    file = charts / "argo-cd" / "charts" / "redis-ha" / "values.yaml"
    known = yaml.load(file.read_text(), yaml.CSafeLoader)

    assert list(unknown({**argocd("ha")["redis-ha"]}, {**known, "enabled": True})) == []


def test_the_charts_are_the_ones_we_install(charts):
    found = {
        name: yaml.load((charts / name / "Chart.yaml").read_text(), yaml.CSafeLoader)["version"]
        for name in ("argo-cd", "ngrok-crds", "ngrok-operator")
    }

    assert found == {
        "argo-cd": versions.ARGOCD_CHART,
        "ngrok-crds": versions.NGROK_CRDS_CHART,
        "ngrok-operator": versions.NGROK_OPERATOR_CHART,
    }


def test_ngrok_s_pods_read_our_secret_and_nothing_clashes_with_what_we_make(template):
    documents = template("ngrok-operator", NGROK, operator_values(NgrokOperatorSpec(region="eu")))
    workloads = {item["metadata"]["name"]: item for item in of(documents, "Deployment")}

    assert {name: item["spec"]["replicas"] for name, item in workloads.items()} == {
        "ngrok-operator-agent": 2,
        "ngrok-operator-manager": 2,
    }
    for workload in workloads.values():
        (container,) = pod(workload)["spec"]["containers"]
        references = [entry["valueFrom"]["secretKeyRef"] for entry in container["env"] if "secretKeyRef" in str(entry)]
        assert {reference["name"] for reference in references} == {CREDENTIALS}
        region = {"--region=eu", "--server-addr=connect.eu.ngrok-agent.com:443"}
        assert region | {"--default-domain-reclaim-policy=Retain"} <= set(container["args"])
        assert container["resources"]["limits"].keys() == {"memory"}
    manager = pod(workloads["ngrok-operator-manager"])["spec"]["containers"][0]
    assert {"--drain-policy=Retain", "--enable-feature-gateway=true"} <= set(manager["args"])
    for kind in ("Secret", "IngressClass", "CustomResourceDefinition", "GatewayClass", "Namespace"):
        assert of(documents, kind) == []


def test_our_budget_selects_the_agents_and_the_chart_s_the_managers(template):
    documents = template("ngrok-operator", NGROK, operator_values(NgrokOperatorSpec()))
    (theirs,) = of(documents, "PodDisruptionBudget")
    (ours,) = of(operator_objects(NgrokOperatorSpec()), "PodDisruptionBudget")

    def selected(budget):
        wanted = budget["spec"]["selector"]["matchLabels"].items()
        pods = of(documents, "Deployment") + of(documents, "Job")
        return [item["metadata"]["name"] for item in pods if wanted <= pod(item)["metadata"]["labels"].items()]

    assert selected(ours) == ["ngrok-operator-agent"]
    assert selected(theirs) == ["ngrok-operator-manager"]
    assert theirs["spec"]["maxUnavailable"] == 1


def test_our_network_policy_selects_all_pods_but_those_of_bound_endpoints(template):
    spec = NgrokOperatorSpec.model_validate({"chart": {"values": {"bindings": {"enabled": True}}}})
    documents = template("ngrok-operator", NGROK, operator_values(spec))
    (policy,) = of(operator_objects(spec), "NetworkPolicy")
    wanted = policy["spec"]["podSelector"]
    (component,) = wanted["matchExpressions"]
    labels = {
        item["metadata"]["name"]: pod(item)["metadata"]["labels"]
        for item in of(documents, "Deployment") + of(documents, "Job")
    }

    assert len(labels) == 4
    assert all(wanted["matchLabels"].items() <= found.items() for found in labels.values())
    assert {name for name, found in labels.items() if found[component["key"]] in component["values"]} == {
        "ngrok-operator-agent",
        "ngrok-operator-cleanup",
        "ngrok-operator-manager",
    }


def test_the_clean_up_runs_a_pinned_image(template):
    documents = template("ngrok-operator", NGROK, operator_values(NgrokOperatorSpec()))
    (job,) = of(documents, "Job", "ngrok-operator-cleanup")

    assert pod(job)["spec"]["containers"][0]["image"] == NgrokOperatorSpec().cleanup_hook_image
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"


def test_ngrok_s_definitions_are_in_a_chart_of_their_own(template):
    documents = template("ngrok-crds", "ngrok-crds", {})

    assert {item["kind"] for item in documents} == {"CustomResourceDefinition"}
    assert len(documents) == 7


@pytest.mark.parametrize("profile", ["small", "ha"])
def test_argo_cd_s_pods_are_as_restricted_as_their_namespace_asks(charts, template, profile):
    if profile == "ha":
        needs_redis_ha(charts)
    documents = template("argo-cd", ARGOCD, argocd(profile))
    workloads = [item for item in documents if item["kind"] in WORKLOADS]

    assert len(workloads) >= 6
    for workload in workloads:
        spec = pod(workload)["spec"]
        for container in spec["containers"] + spec.get("initContainers", []):
            context = (spec.get("securityContext") or {}) | (container.get("securityContext") or {})
            assert context["allowPrivilegeEscalation"] is False
            assert context["runAsNonRoot"] is True
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}
            assert "ALL" in context["capabilities"]["drop"]
        used = {kind for volume in spec.get("volumes", []) for kind in volume if kind != "name"}
        assert used <= EVERYTHING_ALLOWED_IN_A_RESTRICTED_POD
        assert not any(spec.get(field) for field in ("hostNetwork", "hostPID", "hostIPC"))


def test_argo_cd_s_settings_arrive(template):
    documents = template("argo-cd", ARGOCD, argocd("small"))
    (settings,) = of(documents, "ConfigMap", "argocd-cm")
    (parameters,) = of(documents, "ConfigMap", "argocd-cmd-params-cm")
    (rbac,) = of(documents, "ConfigMap", "argocd-rbac-cm")

    assert settings["data"]["url"] == "https://argocd.example.com"
    assert (settings["data"]["admin.enabled"], settings["data"]["exec.enabled"]) == ("true", "false")
    assert parameters["data"]["server.insecure"] == "true"
    assert parameters["data"]["controller.sync.timeout.seconds"] == "900"
    assert rbac["data"]["policy.default"] == ""
    assert rbac["data"]["policy.csv"] == 'p, role:dev, logs, get, *, allow\ng, "a,b", role:dev\n'
    definitions = of(documents, "CustomResourceDefinition")
    assert {item["metadata"]["annotations"]["helm.sh/resource-policy"] for item in definitions} == {"keep"}
    names = {item["metadata"]["name"] for item in documents}
    assert not any("dex" in name or "notifications-controller" in name for name in names)
    assert len(of(documents, "Service", "argocd-server")) == 1


def test_every_client_of_redis_is_let_in(charts, template):
    needs_redis_ha(charts)
    documents = template("argo-cd", ARGOCD, argocd("ha"))
    (policy,) = of(documents, "NetworkPolicy", "argocd-redis-ha-haproxy-network-policy")
    let_in = [peer["podSelector"]["matchLabels"] for rule in policy["spec"]["ingress"] for peer in rule["from"]]
    clients = [
        item
        for item in documents
        if item["kind"] in WORKLOADS and "redis.server" in str(pod(item)) and "redis" not in item["metadata"]["name"]
    ]

    assert of(documents, "NetworkPolicy", "argocd-default-deny")
    assert {item["metadata"]["name"] for item in clients} == {
        "argocd-application-controller",
        "argocd-repo-server",
        "argocd-server",
    }
    for client in clients:
        labels = pod(client)["metadata"]["labels"].items()
        assert any(wanted.items() <= labels for wanted in let_in)


def test_the_ha_profile_survives_the_loss_of_a_node(charts, template):
    needs_redis_ha(charts)
    documents = template("argo-cd", ARGOCD, argocd("ha"))
    budgets = {
        item["metadata"]["name"]: item["spec"]["maxUnavailable"] for item in of(documents, "PodDisruptionBudget")
    }
    scaled = {
        item["metadata"]["name"]: item["spec"]["minReplicas"] for item in of(documents, "HorizontalPodAutoscaler")
    }

    assert scaled == {"argocd-repo-server": 2, "argocd-server": 2}
    assert set(budgets.values()) == {1}
    assert len(budgets) == 5


@pytest.fixture
def redis(charts, template):
    """The workloads of Redis: those who hold the data, and those who find the primary."""
    needs_redis_ha(charts)
    documents = template("argo-cd", ARGOCD, argocd("ha"))
    return [
        *of(documents, "StatefulSet", "argocd-redis-ha-server"),
        *of(documents, "Deployment", "argocd-redis-ha-haproxy"),
    ]


def test_three_redis_run_on_three_nodes_in_as_many_zones_as_there_are(redis):
    assert [workload["spec"]["replicas"] for workload in redis] == [3, 3]
    for workload in redis:
        labels = pod(workload)["metadata"]["labels"].items()
        affinity = pod(workload)["spec"]["affinity"]["podAntiAffinity"]
        (apart,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
        (spread,) = pod(workload)["spec"]["topologySpreadConstraints"]
        assert apart["topologyKey"] == "kubernetes.io/hostname"
        assert spread["topologyKey"] == "topology.kubernetes.io/zone"
        assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
        for constraint in (apart, spread):
            assert constraint["labelSelector"]["matchLabels"].items() <= labels


def test_a_change_of_redis_rolls_out_where_there_are_no_more_than_three_nodes(redis):
    servers, proxies = redis

    # The next pod has a place only after one of the three has gone.
    assert proxies["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert servers["spec"]["updateStrategy"] == {"type": "RollingUpdate"}


def test_redis_holds_nothing_that_is_missed_and_says_who_may_read(redis):
    servers, proxies = redis

    assert "volumeClaimTemplates" not in servers["spec"]
    for workload in (servers, proxies):
        spec = pod(workload)["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert all("sizeLimit" in volume["emptyDir"] for volume in spec["volumes"] if "emptyDir" in volume)
        given = {
            (entry["name"], entry["valueFrom"]["secretKeyRef"]["name"])
            for container in spec["containers"]
            for entry in container["env"]
            if "valueFrom" in entry
        }
        assert given == {("AUTH", "argocd-redis")}


def test_every_container_says_what_it_needs_and_where_it_ends(charts, template):
    needs_redis_ha(charts)
    documents = template("argo-cd", ARGOCD, argocd("ha"))
    missing = [
        (item["metadata"]["name"], container["name"])
        for item in documents
        if item["kind"] in WORKLOADS
        for container in pod(item)["spec"]["containers"] + pod(item)["spec"].get("initContainers", [])
        if {"cpu", "memory"} - (container.get("resources") or {}).get("requests", {}).keys()
        or container["resources"]["limits"].get("memory") != container["resources"]["requests"]["memory"]
    ]

    assert missing == []


def test_redis_drops_what_is_old_before_its_memory_ends(template, redis):
    (settings,) = of(template("argo-cd", ARGOCD, argocd("ha")), "ConfigMap", "argocd-redis-ha-configmap")
    (server,) = [item for item in pod(redis[0])["spec"]["containers"] if item["name"] == "redis"]

    assert server["resources"]["limits"]["memory"] == "512Mi"
    assert {"maxmemory 384mb", "maxmemory-policy volatile-lru"} <= {
        line.strip() for line in settings["data"]["redis.conf"].splitlines()
    }


def test_readers_of_metrics_are_let_in_to_the_port_that_has_them(redis):
    _, proxies = redis
    policy = argocd_objects(ArgoCDSpec())[-1]["spec"]
    ports = {port["name"] for container in pod(proxies)["spec"]["containers"] for port in container["ports"]}

    assert policy["podSelector"]["matchLabels"].items() <= pod(proxies)["metadata"]["labels"].items()
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} <= ports
