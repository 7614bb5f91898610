"""Against an HTTP server that keeps objects as an API server does, as far as asked here; tests/e2e has the real one."""

from __future__ import annotations

import pytest
import yaml


def touched(live, manager, path, subresource=""):
    """A field that some program changed: it owns it from now on."""
    owned = {}
    for step in reversed(path):
        owned = {step if ":" in step else f"f:{step}": owned}
    entry = {"manager": manager, "operation": "Update", "fieldsV1": owned}
    live["metadata"]["managedFields"].append(entry | ({"subresource": subresource} if subresource else {}))


@pytest.fixture
def deployed(repo, cli, server):
    """Staging, as Argo CD would have it: delivered, and untouched."""
    cli("render", "--env", "staging", "--out", "deploy/staging", cwd=repo.root)
    repo.commit("Tree")
    for file in (repo.root / "deploy/staging/shop").iterdir():
        server.apply(yaml.safe_load(file.read_text(encoding="utf-8")))
    return repo


@pytest.fixture
def drift(cli, kubeconfig):
    def run(*more):
        return cli("drift", "--env", "staging", "--kubeconfig", kubeconfig, *more)

    return run


def live(server, kind, name):
    return server.objects[kind, "shop", name]


# --- what is different -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("deployed")
def test_an_untouched_cluster_has_no_drift(drift, server):
    done = drift()
    assert (done.code, done.out) == (0, "staging  no difference\n")
    assert {method for method, _, _ in server.seen} == {"GET", "PATCH"}
    assert all("dryRun=All" in path for method, path, _ in server.seen if method == "PATCH")
    assert {token for _, _, token in server.seen} == {"Bearer sentinel-token"}


@pytest.mark.usefixtures("deployed")
def test_one_edit_is_found(drift, server):
    rules = live(server, "NgrokTrafficPolicy", "orders")["spec"]["policy"]["on_http_request"]
    rules[0]["actions"][0]["config"]["capacity"] = 301
    done = drift()
    assert (done.code, done.out) == (
        1,
        """\
staging  1 changed
  team shop · Api orders  (owner: shop@example.com)
    ~ NgrokTrafficPolicy shop/orders  changed
        ~ spec.policy.on_http_request[name=limit per client].actions[0].config.capacity: 300 → 301
""",
    )
    (found,) = drift("--format", "json").json()["environments"][0]["objects"]
    assert (found["fields"][0]["before"], found["fields"][0]["after"]) == (300, 301)


@pytest.mark.usefixtures("deployed")
def test_a_field_that_a_person_added_is_found_and_one_of_a_controller_is_not(drift, server):
    deployment = live(server, "Deployment", "orders")
    deployment["metadata"]["labels"]["extra"] = "1"
    touched(deployment, "kubectl-label", ["metadata", "labels", "extra"])
    deployment["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "4"
    touched(deployment, "kube-controller-manager", ["metadata", "annotations", "deployment.kubernetes.io/revision"])
    deployment["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = "x"
    touched(deployment, "argocd-controller", ["metadata", "annotations", "argocd.argoproj.io/tracking-id"])
    containers = deployment["spec"]["template"]["spec"]["containers"]
    containers.append({"name": "debug", "image": "busybox"})
    path = ["spec", "template", "spec", "containers", 'k:{"name":"debug"}', "image"]
    touched(deployment, "kubectl-edit", path)
    done = drift()
    assert done.code == 1
    assert "+ metadata.labels.extra: 1" in done.out
    assert "spec.template.spec.containers[name=debug]" in done.out
    assert "revision" not in done.out
    assert "tracking-id" not in done.out


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    ("manager", "subresource", "code"),
    [
        ("kube-controller-manager", "scale", 0),
        ("kubectl", "scale", 1),
        ("keda-operator", "", 0),
        ("kubectl-edit", "", 1),
    ],
)
def test_replicas_are_an_autoscaler_s_and_not_a_person_s(drift, server, manager, subresource, code):
    deployment = live(server, "Deployment", "orders")
    deployment["spec"]["replicas"] = 9
    entry = deployment["metadata"]["managedFields"][0]
    del entry["fieldsV1"]["f:spec"]["f:replicas"]
    touched(deployment, manager, ["spec", "replicas"], subresource)
    assert drift().code == code


@pytest.mark.usefixtures("deployed")
def test_a_field_that_was_delivered_once_and_is_gone_from_git_is_found(drift, server):
    service = live(server, "Service", "orders")
    service["spec"]["sessionAffinity"] = "ClientIP"
    service["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:sessionAffinity"] = {}
    done = drift()
    assert (done.code, "+ spec.sessionAffinity: ClientIP" in done.out) == (1, True)


@pytest.mark.usefixtures("deployed")
def test_what_is_missing_and_what_git_does_not_know_is_found(drift, server):
    del server.objects["Service", "shop", "orders"]
    labels = {"app.kubernetes.io/part-of": "apiops"}
    of = {"apiVersion": "v1", "kind": "ConfigMap"}
    server.apply({**of, "metadata": {"name": "by-hand", "namespace": "shop", "labels": labels}})
    server.apply({**of, "metadata": {"name": "not-ours", "namespace": "shop"}})
    owners = [{"kind": "Deployment", "name": "orders"}]
    child = {"name": "orders-1", "namespace": "shop", "labels": labels, "ownerReferences": owners}
    server.apply({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": child})
    done = drift()
    assert done.code == 1
    assert "- Service shop/orders  deleted" in done.out
    assert "+ ConfigMap shop/by-hand  created" in done.out
    assert "not-ours" not in done.out
    assert "orders-1" not in done.out


@pytest.mark.usefixtures("deployed")
def test_a_field_that_cannot_be_changed_is_told_though_the_server_refuses_the_dry_run(drift, server):
    live(server, "Deployment", "orders")["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    done = drift()
    assert done.code == 1
    assert '- spec.selector.matchLabels["app.kubernetes.io/name"]: orders' in done.out


def test_git_is_the_commit_and_not_the_work_tree(deployed, drift):
    deployed.change("deploy/staging/shop/service-orders.yaml", ("port: 80", "port: 81"))
    assert drift().code == 0
    deployed.commit("By hand")
    done = drift()
    assert (done.code, "was changed by hand" in done.err) == (1, True)
    assert drift("--base", "HEAD~1").code == 0


# --- a cluster that does not answer as it should ---------------------------------------------------------------------


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ((401, {"message": "Unauthorized"}), "answered 401: Unauthorized"),
        ((403, {"message": "shop is forbidden"}), "answered 403: shop is forbidden"),
        ((418, b"teapot", "text/plain"), "answered 418"),
        ((200, b"<html>", "text/html"), "text/html that is no object"),
        ((200, b"[]", "application/json"), "is no object"),
        ((200, b"[" * 100_000, "application/json"), "is no object"),
        ((200, b"", "application/json"), "is no object"),
        ((302, b"", "text/plain"), "is no object"),
    ],
)
def test_an_answer_that_is_none_is_2(drift, server, fault, said):
    server.faults = [fault] * 100
    done = drift()
    assert (done.code, said in done.err, done.out) == (2, True, ""), done.err
    assert "sentinel-token" not in done.err


@pytest.mark.usefixtures("deployed")
def test_a_fault_of_the_server_is_asked_again_and_is_2_when_it_stays(drift, server, monkeypatch):
    monkeypatch.setattr("apiops_components.integrations.kubernetes.time.sleep", lambda _: None)
    server.faults = [(503, b"busy", "text/plain"), (500, {"message": "etcd"}), (429, b"", "text/plain")]
    assert drift().code == 0
    server.faults = [(500, {"message": "etcd is gone"})] * 1000
    done = drift()
    assert (done.code, "answered 500: etcd is gone" in done.err) == (2, True)


@pytest.mark.usefixtures("deployed")
def test_a_cluster_that_is_not_there_is_2(cli, config, tmp_path):
    file = config(tmp_path / "gone", "https://127.0.0.1:1")
    done = cli("drift", "--env", "staging", "--kubeconfig", file)
    assert (done.code, "no answer from https://127.0.0.1:1" in done.err) == (2, True)


def test_an_environment_that_git_does_not_deliver_is_2(repo, cli, kubeconfig):
    done = cli("drift", "--env", "dev", "--kubeconfig", kubeconfig, cwd=repo.root)
    assert (done.code, "nothing of 'dev' is delivered through Git" in done.err) == (2, True)


# --- Argo CD, asked by a promotion -----------------------------------------------------------------------------------


def application(server, revision, sync="Synced", health="Healthy", path="deploy/staging/shop"):
    made = server.apply(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd"},
            "spec": {"source": {"path": path}},
        }
    )
    made["status"] = {"sync": {"status": sync, "revision": revision}, "health": {"status": health}}


def promote(cli, kubeconfig):
    return cli("promote", "staging", "prod", "--kubeconfig", kubeconfig)


def test_a_state_that_is_synced_and_healthy_may_move(deployed, cli, server, kubeconfig):
    application(server, deployed.head)
    assert promote(cli, kubeconfig).code == 0


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"sync": "OutOfSync"}, "sync is OutOfSync, and Synced is needed"),
        ({"health": "Degraded"}, "health is Degraded, and Healthy is needed"),
        ({"health": "Progressing"}, "health is Progressing"),
        ({"revision": "HEAD~1"}, "is not the state that would move"),
        ({"revision": "1" * 40}, "is not the state that would move"),
        ({"path": "deploy/other/shop"}, "has no Application in 'argocd' that applies deploy/staging"),
    ],
)
def test_a_state_that_is_not_is_refused(deployed, cli, server, kubeconfig, state, said):
    revision = state.pop("revision", "HEAD")
    revision = deployed.git("rev-parse", revision) if revision.startswith("HEAD") else revision
    application(server, revision, **state)
    done = promote(cli, kubeconfig)
    assert (done.code, said in done.err) == (1, True), done.err


@pytest.mark.usefixtures("deployed")
def test_an_argo_cd_that_cannot_be_asked_is_2(cli, server, kubeconfig):
    server.faults = [(403, {"message": "applications is forbidden"})] * 10
    done = promote(cli, kubeconfig)
    assert (done.code, "applications is forbidden" in done.err) == (2, True)
