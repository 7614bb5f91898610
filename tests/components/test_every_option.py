"""Each option of what is installed, and what it changes in what is registered; no option is left out."""

import pulumi
import pytest

from apiops_components import versions
from apiops_components.components.argocd import ArgoCD
from apiops_components.components.existing import ExistingCluster
from apiops_components.components.minikube import MinikubeCluster
from apiops_components.components.operator import NgrokOperator
from apiops_components.models.argocd import ArgoCDSpec
from apiops_components.models.cluster import ExistingSpec, MinikubeSpec
from apiops_components.models.operator import NgrokOperatorSpec
from apiops_components.testing.pulumi import record

KUBECONFIG = """\
{kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}},
{name: b, context: {cluster: b, user: b}}], users: [{name: a, user: {}}, {name: b, user: {}}],
clusters: [{name: a, cluster: {server: "https://a"}}, {name: b, cluster: {server: "https://b"}}]}
"""
OTHER = KUBECONFIG.replace("current-context: a", "current-context: b")
OPERATOR, AGENT, CRDS = "it-operator", "it-poddisruptionbudget-ngrok-operator-agent", "it-crds"
RELEASE, MINIKUBE, PROVIDER = "it-release", "it-minikube", "it-provider"
GONE = object()
SSO = {"issuer": "https://id.example.com", "client_id": "argocd", "client_secret": "sso"}
DOMAIN = {"domain": "argocd.example.com"}
REPOSITORY = {"kind": "token", "url": "https://gitlab.com/acme/apis.git", "token": "git"}
FORK = {"repository": "oci://registry.example.com", "version": "9.9.9"}
RESOURCES = {"cpu": "1", "memory": "1Gi"}
AMOUNTS = {"requests": RESOURCES, "limits": {"memory": "1Gi"}}


def secrets(*names):
    return {name: pulumi.Output.secret("x") for name in names}


def minikube(spec):
    return MinikubeCluster("it", spec)


def existing(spec):
    return ExistingCluster("it", spec, kubeconfig=OTHER if "kubeconfig_secret" in spec else None)


def ngrok(spec):
    return NgrokOperator("it", spec, secrets=secrets("ngrok-api-key", "ngrok-authtoken", "other"))


def argocd(spec):
    return ArgoCD("it", spec, secrets=secrets("sso", "git"))


# Option: the spec, the resource, the place in its inputs, and what stands there; GONE where the resource goes.
MINIKUBE_OPTIONS = {
    "name": ({"name": "other"}, MINIKUBE, "environment/PROFILE", "other"),
    "driver": ({"driver": "podman"}, MINIKUBE, "environment/DRIVER", "podman"),
    "nodes": ({"nodes": 2}, MINIKUBE, "environment/NODES", "2"),
    "highly_available": ({"nodes": 3, "highly_available": True}, MINIKUBE, "environment/HIGHLY_AVAILABLE", "true"),
    "cpus": ({"cpus": 2}, MINIKUBE, "environment/CPUS", "2"),
    "memory_mb": ({"memory_mb": 4096}, MINIKUBE, "environment/MEMORY", "4096"),
    "disk_gb": ({"disk_gb": 20}, MINIKUBE, "environment/DISK", "20"),
    "kubernetes_version": ({"kubernetes_version": "v1.30"}, MINIKUBE, "environment/KUBERNETES_VERSION", "v1.30"),
    "container_runtime": ({"container_runtime": "docker"}, MINIKUBE, "environment/CONTAINER_RUNTIME", "docker"),
    "cni": ({"cni": "cilium"}, MINIKUBE, "environment/CNI", "cilium"),
    "addons": ({"addons": ["registry"]}, "it-addon-registry", "environment/ADDON", "registry"),
    "gateway_api": ({"gateway_api": False}, "it-gateway-api", "", GONE),
    "start_timeout": ({"start_timeout": "20m"}, MINIKUBE, "environment/START_TIMEOUT", "20m"),
}
EXISTING_OPTIONS = {
    "kubeconfig_path": ({"kubeconfig_path": "~/elsewhere"}, PROVIDER, "clusterIdentifier", "https://b"),
    "context": ({"context": "b"}, PROVIDER, "clusterIdentifier", "https://b"),
    "kubeconfig_secret": ({"kubeconfig_secret": "kubeconfig"}, PROVIDER, "clusterIdentifier", "https://b"),
}
NGROK_OPTIONS = {
    "namespace": ({"namespace": "edge"}, OPERATOR, "namespace", "edge"),
    "chart": ({"chart": FORK}, OPERATOR, "version", "9.9.9"),
    "crds": ({"crds": FORK}, CRDS, "version", "9.9.9"),
    "keep_crds": ({"keep_crds": False}, CRDS, "retain_on_delete", False),
    "api_key": ({"api_key": "other"}, "it-secret-ngrok-credentials", "stringData/API_KEY", "<secret>"),
    "authtoken": ({"authtoken": "other"}, "it-secret-ngrok-credentials", "stringData/AUTHTOKEN", "<secret>"),
    "replicas": ({"replicas": 3}, OPERATOR, "values/replicaCount", 3),
    "agent_replicas": ({"agent_replicas": 4}, OPERATOR, "values/agent/replicaCount", 4),
    "disruption_budget": ({"disruption_budget": False}, AGENT, "", GONE),
    "spread": ({"spread": False}, OPERATOR, "values/topologySpreadConstraints", None),
    "watch_namespace": (
        {"watch_namespace": "ngrok-operator"},
        OPERATOR,
        "values/ingress/watchNamespace",
        "ngrok-operator",
    ),
    "region": ({"region": "eu"}, OPERATOR, "values/region", "eu"),
    "domain_reclaim_policy": (
        {"domain_reclaim_policy": "Delete"},
        OPERATOR,
        "values/defaultDomainReclaimPolicy",
        "Delete",
    ),
    "drain_policy": ({"drain_policy": "Delete"}, OPERATOR, "values/drainPolicy", "Delete"),
    "cleanup_hook_image": (
        {"cleanup_hook_image": "docker.io/a/b:1.2.3"},
        OPERATOR,
        "values/cleanupHook/image/tag",
        "1.2.3",
    ),
    "resources": ({"resources": RESOURCES}, OPERATOR, "values/resources", AMOUNTS),
    "agent_resources": ({"agent_resources": RESOURCES}, OPERATOR, "values/agent/resources", AMOUNTS),
    "timeout": ({"timeout": "20m"}, OPERATOR, "timeout", 1200),
}
ARGOCD_OPTIONS = {
    "namespace": ({"namespace": "delivery"}, RELEASE, "namespace", "delivery"),
    "chart": ({"chart": {"values": {"server": {"replicas": 3}}}}, RELEASE, "values/server/replicas", 3),
    "profile": ({"profile": "small"}, RELEASE, "values/redis-ha", None),
    "domain": (DOMAIN, RELEASE, "values/global/domain", "argocd.example.com"),
    "sso": ({**DOMAIN, "sso": SSO}, "it-secret-argocd-sso", "stringData/clientSecret", "<secret>"),
    "admin_enabled": ({**DOMAIN, "sso": SSO, "admin_enabled": True}, RELEASE, "values/configs/cm/admin.enabled", True),
    "repositories": ({"repositories": [REPOSITORY]}, "it-secret-repository-", "stringData/url", REPOSITORY["url"]),
    "rbac": ({"rbac": {"default_role": "readonly"}}, RELEASE, "values/configs/rbac/policy.default", "role:readonly"),
    "timeout": ({"timeout": "20m"}, RELEASE, "timeout", 1200),
}
ALL = [
    pytest.param(make, option, *case, id=f"{make.__name__}-{option}")
    for make, options in (
        (minikube, MINIKUBE_OPTIONS),
        (existing, EXISTING_OPTIONS),
        (ngrok, NGROK_OPTIONS),
        (argocd, ARGOCD_OPTIONS),
    )
    for option, case in options.items()
]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(KUBECONFIG)
    (tmp_path / "elsewhere").write_text(OTHER)


def value(make, spec, name, path):
    """What stands at a place, GONE where there is no such resource."""
    found = [resource for resource in record(lambda: make(spec)).resources if resource.name.startswith(name)]
    if not found:
        return GONE
    if path == "retain_on_delete":
        return found[0].retain_on_delete
    current = dict(found[0].inputs)
    for part in filter(None, path.split("/")):
        current = current.get(part) if isinstance(current, dict) else None
    return current if path else found[0].name


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("make", "option", "spec", "name", "path", "expected"), ALL)
def test_an_option_arrives_and_its_absence_registers_something_else(make, option, spec, name, path, expected):
    without = {key: value for key, value in spec.items() if key != option}
    default = value(make, without or ({"context": "a"} if make is existing else {}), name, path)
    got = value(make, spec, name, path)

    assert str(got) == expected if expected == "<secret>" else got == expected
    # Which secret it is cannot be seen here: the last test but one.
    assert got != default or option in ("api_key", "authtoken")


@pytest.mark.parametrize(
    ("model", "options", "elsewhere"),
    [
        (MinikubeSpec, MINIKUBE_OPTIONS, {"kind"}),
        (ExistingSpec, EXISTING_OPTIONS, {"kind"}),
        (NgrokOperatorSpec, NGROK_OPTIONS, set()),
        # Who makes Applications is not the install's business: tests/components/test_gitops.py.
        (ArgoCDSpec, ARGOCD_OPTIONS, {"applications"}),
    ],
)
def test_no_option_is_left_out(model, options, elsewhere):
    assert options.keys() == model.model_fields.keys() - elsewhere


def test_another_secret_is_read_from_where_the_option_says():
    for option in ("api_key", "authtoken"):
        with pytest.raises(Exception, match="no value was given for the secret 'missing'"):
            record(lambda option=option: ngrok({option: "missing"}))


def test_the_kubernetes_version_is_the_tested_one_by_default():
    assert value(minikube, {}, MINIKUBE, "environment/KUBERNETES_VERSION") == f"v{versions.MINIKUBE_KUBERNETES}"
