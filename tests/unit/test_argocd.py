"""Settings of Argo CD, its Helm values, and what a team gets."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from pydantic import ValidationError

from apiops_components import versions
from apiops_components.errors import problems_of
from apiops_components.models.argocd import ApplicationSpec, AppProjectSpec, ArgoCDSpec, GitOpsSpec, Rbac
from apiops_components.project import Project
from apiops_components.render.argocd import TEAM_KINDS, argocd_objects, argocd_values, gitops_objects, policy_csv
from apiops_components.render.description import render_all

REPOSITORY = "https://github.com/acme/apis.git"
SHOP = {"team": "shop", "namespaces": ["shop"], "repository": REPOSITORY, "path": "deploy/prod/shop"}


def problems(model, data):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return {problem.path: problem.code for problem in problems_of(caught.value, data)}


def resources(cpu, memory, **disk):
    return {"requests": {"cpu": cpu, "memory": memory, **disk}, "limits": {"memory": memory, **disk}}


DISK = {"ephemeral-storage": "128Mi"}


RESTRICTED = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
PROBED = {"livenessProbe": {"enabled": True}, "readinessProbe": {"enabled": True}}


def test_values_of_the_small_profile():
    assert argocd_values(ArgoCDSpec(profile="small")) == {
        "crds": {"install": True, "keep": True},
        "global": {
            "networkPolicy": {"create": True, "defaultDenyIngress": True},
            "logging": {"format": "json"},
            "securityContext": RESTRICTED,
        },
        "configs": {
            "cm": {"admin.enabled": True, "exec.enabled": False},
            "params": {"controller.sync.timeout.seconds": "900"},
            "rbac": {"policy.default": "", "policy.csv": ""},
        },
        "dex": {"enabled": False},
        "notifications": {"enabled": False},
        "controller": {"resources": resources("100m", "512Mi")},
        "server": {"resources": resources("50m", "128Mi")},
        "repoServer": {"resources": resources("50m", "256Mi"), "automountServiceAccountToken": False},
        "applicationSet": {"resources": resources("20m", "128Mi"), **PROBED},
        "redis": {
            "resources": resources("20m", "64Mi", **DISK),
            "securityContext": {"runAsUser": 10001, "runAsGroup": 10001},
            "automountServiceAccountToken": False,
            **PROBED,
        },
        "redisSecretInit": {"resources": resources("20m", "128Mi", **DISK), "securityContext": RESTRICTED},
    }


def test_the_ha_profile_runs_everything_twice_and_needs_three_nodes():
    spec = ArgoCDSpec()
    values = argocd_values(spec)

    assert (spec.profile, spec.minimum_nodes, ArgoCDSpec(profile="small").minimum_nodes) == ("ha", 3, 1)
    assert values["redis-ha"]["enabled"] is True
    assert values["controller"]["replicas"] == 1
    assert values["applicationSet"]["replicas"] == 2
    for part in ("server", "repoServer"):
        assert values[part]["autoscaling"] == {"enabled": True, "minReplicas": 2, "maxReplicas": 5}
        assert values[part]["pdb"] == {"enabled": True, "maxUnavailable": 1}


def test_redis_is_reached_although_all_ingress_is_denied_by_default():
    values = argocd_values(ArgoCDSpec())

    assert values["global"]["networkPolicy"]["defaultDenyIngress"] is True
    assert values["redis-ha"]["networkPolicy"] == {"enabled": True}
    (rule,) = values["redis-ha"]["haproxy"]["networkPolicy"]["ingressRules"]
    assert [selector["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for selector in rule["selectors"]] == [
        "argocd-server",
        "argocd-repo-server",
        "argocd-application-controller",
    ]


def test_a_single_redis_asks_nobody():
    _, policy = argocd_objects(ArgoCDSpec(profile="small"))

    assert policy["metadata"]["name"] == "argocd-redis-egress"
    assert policy["spec"] == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "argocd-redis"}},
        "policyTypes": ["Egress"],
        "egress": [],
    }


def test_a_reader_of_metrics_reaches_the_metrics_of_haproxy_and_not_redis():
    _, policy = argocd_objects(ArgoCDSpec(namespace="delivery"))

    assert policy == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": "argocd-redis-ha-haproxy-metrics",
            "namespace": "delivery",
            "labels": {"app.kubernetes.io/part-of": "apiops"},
        },
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "argocd-redis-ha-haproxy"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [{"port": "metrics-port", "protocol": "TCP"}]}],
        },
    }


def test_tls_ends_at_the_gateway_where_there_is_a_domain():
    values = argocd_values(ArgoCDSpec(profile="small", domain="argocd.example.com"))

    assert values["global"]["domain"] == "argocd.example.com"
    assert values["configs"]["params"]["server.insecure"] is True


def test_values_of_the_settings_come_last():
    chart = {"values": {"configs": {"cm": {"timeout.reconciliation": "600s"}}, "dex": {"enabled": True}}}
    values = argocd_values(ArgoCDSpec.model_validate({"chart": chart}))

    assert values["configs"]["cm"] == {
        "admin.enabled": True,
        "exec.enabled": False,
        "timeout.reconciliation": "600s",
    }
    assert values["dex"] == {"enabled": True}


def test_two_renderings_are_equal_and_apart():
    first = argocd_values(ArgoCDSpec())
    before = copy.deepcopy(first)
    first["server"]["pdb"]["maxUnavailable"] = 9
    first["global"]["topologySpreadConstraints"].append("x")

    assert argocd_values(ArgoCDSpec()) == before
    assert first["repoServer"]["pdb"]["maxUnavailable"] == 1


def test_the_namespace_takes_only_restricted_pods():
    namespace, _ = argocd_objects(ArgoCDSpec(namespace="delivery"))

    assert namespace["metadata"]["name"] == "delivery"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce-version"] == f"v{versions.KUBERNETES}"


def test_grants_and_bindings_become_lines_of_policy():
    rbac = Rbac.model_validate(
        {
            "grants": [
                {"role": "release", "resource": "applications", "action": "sync", "object": "shop/*"},
                {"role": "release", "resource": "exec", "action": "create", "effect": "deny"},
            ],
            "bindings": [{"group": "cn=ops,dc=acme", "role": "release"}, {"group": "platform", "role": "admin"}],
        }
    )

    assert policy_csv(rbac) == (
        "p, role:release, applications, sync, shop/*, allow\n"
        "p, role:release, exec, create, *, deny\n"
        'g, "cn=ops,dc=acme", role:release\n'
        "g, platform, role:admin\n"
    )


def test_a_grant_that_argo_cd_never_asks_about_is_refused():
    grants = [
        ("logs", "sync", "shop/*"),
        ("applications", "action", "shop/*"),
        ("applications", "action/", "shop/*"),
        ("applicationsets", "update/x", "shop/*"),
        ("applications", "get", "shop"),
        ("projects", "get", "*/*"),
        ("accounts", "update", "*/*"),
        # These it asks about.
        ("applications", "action/apps/Deployment/restart", "shop/*"),
        ("applications", "delete/*/Pod/*", "sho*"),
        ("clusters", "get", "https://kubernetes.default.svc"),
        ("extensions", "*", "metrics"),
        ("logs", "get", "*"),
    ]
    found = problems(
        Rbac,
        {
            "grants": [
                {"role": "a", "resource": resource, "action": action, "object": name}
                for resource, action, name in grants
            ]
        },
    )

    assert found == {
        "grants[0].action": "argocd/rbac-action",
        "grants[1].action": "argocd/rbac-action",
        "grants[2].action": "argocd/rbac-action",
        "grants[3].action": "argocd/rbac-action",
        "grants[4].object": "argocd/rbac-object",
        "grants[5].object": "argocd/rbac-object",
        "grants[6].object": "argocd/rbac-object",
    }


def test_a_policy_line_cannot_be_smuggled_in():
    found = problems(
        Rbac,
        {
            "grants": [
                {"role": "a, b", "resource": "pods"},
                {"role": "a", "resource": "logs", "object": "*/*, allow\ng"},
                {"role": "a", "resource": "logs", "action": "read"},
            ],
            "bindings": [{"group": 'x"\ng, y', "role": "a"}, {"group": "x", "role": "nobody"}],
        },
    )

    assert found == {
        "grants[0].role": "schema/string-pattern-mismatch",
        "grants[0].resource": "schema/literal-error",
        "grants[1].object": "schema/string-pattern-mismatch",
        "bindings[0].group": "schema/string-pattern-mismatch",
    }
    assert problems(Rbac, {"grants": [{"role": "a", "resource": "logs", "action": "read"}]}) == {
        "grants[0].action": "argocd/rbac-action"
    }
    assert problems(Rbac, {"bindings": [{"group": "x", "role": "nobody"}]}) == {"bindings[0].role": "argocd/rbac-role"}


def test_credentials_in_values_are_refused_wherever_the_chart_takes_them():
    configs = {
        "secret": {
            "createSecret": True,
            "argocdServerAdminPassword": "x",
            "githubSecret": "x",
            "gitlabSecret": "",
            "extra": {"dex": "x"},
        },
        "repositories": {"apis": {"url": REPOSITORY, "username": "bot", "password": "x"}},
        "credentialTemplates": {"all": {"url": "https://github.com/acme", "sshPrivateKey": "x"}},
        "clusterCredentials": {"prod": {"server": "https://10.0.0.1", "config": {"bearerToken": "x"}}},
    }
    found = problems(ArgoCDSpec, {"chart": {"values": {"configs": configs}}})

    assert set(found.values()) == {"argocd/credentials-in-values"}
    assert set(found) == {
        "chart.values.configs.secret.argocdServerAdminPassword",
        "chart.values.configs.secret.githubSecret",
        "chart.values.configs.secret.extra.dex",
        "chart.values.configs.repositories.apis.password",
        "chart.values.configs.credentialTemplates.all.sshPrivateKey",
        "chart.values.configs.clusterCredentials.prod.server",
        "chart.values.configs.clusterCredentials.prod.config.bearerToken",
    }


def test_anonymous_users_and_a_second_policy_are_refused():
    values = {"configs": {"cm": {"users.anonymous.enabled": "true"}, "rbac": {"policy.csv": "p, …"}}}
    found = problems(ArgoCDSpec, {"chart": {"values": values}, "rbac": {"default_role": "readonly"}})

    assert found == {
        'chart.values.configs.cm["users.anonymous.enabled"]': "argocd/anonymous",
        'chart.values.configs.rbac["policy.csv"]': "argocd/rbac-twice",
    }


def test_a_team_gets_a_project_and_an_application():
    labels = {"app.kubernetes.io/part-of": "apiops"}

    assert gitops_objects(GitOpsSpec.model_validate(SHOP)) == [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "shop", "namespace": "argocd", "labels": labels},
            "spec": {
                "description": "APIs of team shop",
                "sourceRepos": [REPOSITORY],
                "destinations": [{"server": "https://kubernetes.default.svc", "namespace": "shop"}],
                "clusterResourceWhitelist": [],
                "namespaceResourceWhitelist": [
                    {"group": "", "kind": "ConfigMap"},
                    {"group": "", "kind": "Service"},
                    {"group": "", "kind": "ServiceAccount"},
                    {"group": "apps", "kind": "Deployment"},
                    {"group": "apps", "kind": "ReplicaSet"},
                    {"group": "autoscaling", "kind": "HorizontalPodAutoscaler"},
                    {"group": "gateway.networking.k8s.io", "kind": "*"},
                    {"group": "networking.k8s.io", "kind": "NetworkPolicy"},
                    {"group": "ngrok.k8s.ngrok.com", "kind": "NgrokTrafficPolicy"},
                    {"group": "policy", "kind": "PodDisruptionBudget"},
                ],
            },
        },
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {
                "name": "shop",
                "namespace": "argocd",
                "labels": labels,
                "finalizers": ["resources-finalizer.argocd.argoproj.io/foreground"],
            },
            "spec": {
                "project": "shop",
                "source": {
                    "repoURL": REPOSITORY,
                    "targetRevision": "main",
                    "path": "deploy/prod/shop",
                    "directory": {"recurse": True},
                },
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
                "syncPolicy": {
                    "automated": {"prune": True, "selfHeal": True, "allowEmpty": False},
                    "syncOptions": ["ServerSideApply=true", "PruneLast=true", "FailOnSharedResource=true"],
                    "retry": {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}},
                },
            },
        },
    ]


@pytest.mark.parametrize("more", [{}, {"groups": ["shop-developers", "cn=shop,dc=acme"]}, {"namespaces": ["a", "b"]}])
def test_what_a_team_gets_is_valid_by_the_rules_for_everyone(more):
    project, application = gitops_objects(GitOpsSpec.model_validate({**SHOP, **more}))
    spec = AppProjectSpec.model_validate(project["spec"])

    assert list(spec.faults_named("shop")) == []
    assert spec.cluster_resource_whitelist == ()
    assert ApplicationSpec.model_validate(application["spec"]).project == project["metadata"]["name"]


def test_groups_see_and_synchronise_and_no_more():
    project, _ = gitops_objects(GitOpsSpec.model_validate({**SHOP, "groups": ["developers", "cn=shop,dc=acme"]}))

    (role,) = project["spec"]["roles"]
    assert role["policies"] == [
        "p, proj:shop:team, applications, get, shop/*, allow",
        "p, proj:shop:team, applications, sync, shop/*, allow",
        "p, proj:shop:team, logs, get, shop/*, allow",
    ]
    assert role["groups"] == ["developers", '"cn=shop,dc=acme"']


def test_no_team_can_deploy_a_secret_or_open_a_host_of_its_own():
    kinds = {kind for _, kind in TEAM_KINDS}

    assert not kinds & {"Secret", "CloudEndpoint", "AgentEndpoint", "Ingress", "Pod", "Role", "RoleBinding"}
    assert [group for group, kind in TEAM_KINDS if kind == "*"] == ["gateway.networking.k8s.io"]


@pytest.mark.parametrize("env", ["staging", "prod"])
def test_the_project_of_a_team_allows_everything_that_is_rendered_for_it(env):
    root = Project.find(Path(__file__).parent)
    manifests = render_all(root.descriptions(env))
    projects = {item.team: item.object["spec"] for item in manifests if item.object["kind"] == "AppProject"}
    delivered = [item for item in manifests if item.owner == "gitops"]

    assert delivered
    for item in delivered:
        project = projects[item.team]
        group, _, _ = item.object["apiVersion"].rpartition("/")
        allowed = [(rule["group"], rule["kind"]) for rule in project["namespaceResourceWhitelist"]]
        assert (group, item.object["kind"]) in allowed or (group, "*") in allowed, item.title
        assert item.object["metadata"]["namespace"] in {place["namespace"] for place in project["destinations"]}


def test_more_kinds_are_added_once_in_order():
    extra = [{"group": "batch", "kind": "CronJob"}, {"group": "", "kind": "Service"}]
    project, _ = gitops_objects(GitOpsSpec.model_validate({**SHOP, "extra_kinds": extra}))
    kinds = [(item["group"], item["kind"]) for item in project["spec"]["namespaceResourceWhitelist"]]

    assert kinds == sorted({*TEAM_KINDS, ("batch", "CronJob")})


def test_what_would_give_a_team_every_right_is_refused():
    found = problems(
        GitOpsSpec,
        {
            "team": "default",
            "namespaces": ["argocd", "kube-system", "shop", "shop"],
            "repository": "https://bot:token@github.com/acme/apis.git",
            "path": "../secrets",
            "extra_kinds": [{"group": "", "kind": "Secret"}, {"group": "*", "kind": "*"}],
        },
    )

    assert found == {
        "team": "argocd/default-project",
        "namespaces[0]": "argocd/system-namespace",
        "namespaces[1]": "argocd/system-namespace",
        "namespaces[3]": "argocd/duplicate",
        "repository": "git/credentials-in-url",
        "path": "git/path",
        "extra_kinds[0]": "argocd/secret-kind",
        "extra_kinds[1]": "argocd/secret-kind",
    }


@pytest.mark.parametrize("url", ["git@github.com:acme/apis.git", "ssh://git@host/apis", "file:///srv/apis.git"])
def test_addresses_of_repositories(url):
    assert GitOpsSpec.model_validate({**SHOP, "repository": url}).repository == url


@pytest.mark.parametrize("url", ["github.com/acme/apis", "http://github.com/acme/apis", "apis", "https://"])
def test_what_is_no_address_of_a_repository(url):
    assert problems(GitOpsSpec, {**SHOP, "repository": url}) == {"repository": "git/repository"}
