"""What a team gets from Argo CD, judged by Argo CD: bounds, windows, the set of all teams, and facts."""

from __future__ import annotations

import subprocess

import pytest
from argocd_server import ARGO, team
from story import ROOT, eventually, named

from apiops_components import Project
from apiops_components.documents import dump, load_all
from apiops_components.models.argocd import GitOpsSpec
from apiops_components.models.gitops_set import ClusterFacts, GitOpsSetSpec
from apiops_components.render.argocd import gitops_objects
from apiops_components.render.gitops_set import gitops_set_objects
from apiops_components.sandbox.gitops import delivered

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def cluster(judge):
    return judge.cluster()


@pytest.fixture(scope="module")
def repository(judge, tmp_path_factory):
    """A team's repository, with what it may deploy and what not."""
    folder = tmp_path_factory.mktemp("repository")
    judge_repository = folder / "apis.git"
    files = {
        "good/config.yaml": config("settings", "shop"),
        "secret/secret.yaml": {**config("credential", "shop"), "kind": "Secret"},
        "cluster/role.yaml": {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "everything"},
            "rules": [],
        },
        "elsewhere/config.yaml": config("settings", "billing"),
    }
    for path, item in files.items():
        file = judge_repository / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dump(item))

    def git(*arguments):
        command = ["git", "-c", "user.name=shop", "-c", "user.email=shop@example.com", *arguments]
        subprocess.run(command, cwd=judge_repository, check=True, capture_output=True)

    git("init", "--initial-branch=main")
    git("add", ".")
    git("commit", "--message=All")
    return judge_repository.as_uri()


def config(name, namespace):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}


# --- teams, held to what is theirs ------------------------------------------------------------------------------------


def application(name, repository, **changes):
    (_, made) = gitops_objects(
        GitOpsSpec.model_validate({"team": "held", "namespaces": ["shop"], "repository": repository, "path": name})
    )
    made["metadata"] |= {"name": f"held-{name}", "finalizers": []}
    made["spec"]["syncPolicy"]["retry"]["limit"] = 0
    made["spec"] |= changes
    return made


@pytest.fixture
def held(cluster, repository):
    """Makes an application of a project that holds it to one repository and one namespace."""
    made = []

    def make(name, given=repository, **changes):
        item = application(name, given, **changes)
        cluster.apply(item)
        made.append(item)
        return item

    rules, _ = gitops_objects(
        GitOpsSpec.model_validate({"team": "held", "namespaces": ["shop"], "repository": repository, "path": "x"})
    )
    for item in (rules, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}):
        cluster.apply(item)
    yield make
    for item in made:
        cluster.delete(item)


def status(cluster, item):
    return cluster.get(item).get("status", {})


def test_what_is_within_bounds_is_deployed(cluster, held):
    good = held("good")

    assert eventually(lambda: status(cluster, good).get("sync", {}).get("status") == "Synced")
    assert cluster.get(config("settings", "shop"))


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("repository", {"source": {"repoURL": "https://elsewhere.example.com/x.git", "path": "."}}, "is not permitted"),
        (
            "namespace",
            {"destination": {"server": "https://kubernetes.default.svc", "namespace": "billing"}},
            "do not match",
        ),
        ("server", {"destination": {"server": "https://elsewhere:6443", "namespace": "shop"}}, "elsewhere"),
    ],
)
def test_an_application_out_of_bounds_is_refused(cluster, held, name, changes, told):
    item = held(name, **changes)
    (condition,) = eventually(lambda: status(cluster, item).get("conditions"))

    assert condition["type"] == "InvalidSpecError"
    assert told in condition["message"]
    assert "operationState" not in status(cluster, item)


@pytest.mark.parametrize(
    ("name", "told", "out"),
    [
        ("secret", "Secret is not permitted in project held", named("v1", "Secret", "credential")),
        (
            "cluster",
            "ClusterRole is not permitted in project held",
            named("rbac.authorization.k8s.io/v1", "ClusterRole", "everything"),
        ),
        ("elsewhere", "namespace billing is not permitted in project 'held'", config("settings", "billing")),
    ],
)
def test_an_object_out_of_bounds_is_refused(cluster, held, name, told, out):
    item = held(name)

    def refused():
        return told in str(status(cluster, item).get("operationState", {})) + str(
            status(cluster, item).get("conditions", "")
        )

    assert eventually(refused)
    assert cluster.get(out) is None


ALWAYS = {"schedule": "* * * * *", "duration": "1h", "applications": ["*"]}


@pytest.mark.parametrize(
    ("window", "may"),
    [
        ({"kind": "deny", **ALWAYS}, False),
        ({"kind": "deny", **ALWAYS, "manual_sync": True}, True),
        ({"kind": "deny", **ALWAYS, "applications": ["other-*"]}, True),
        ({"kind": "allow", **ALWAYS}, True),
        ({"kind": "allow", "schedule": "0 0 29 2 *", "duration": "1m", "applications": ["*"]}, False),
        ({"kind": "allow", "schedule": "0 0 29 2 *", "duration": "1m", "namespaces": ["billing"]}, True),
    ],
)
def test_a_window_says_when_a_person_may_sync(judge, server, cluster, window, may):
    rules, _ = gitops_objects(team(judge, "shop", windows=[window]))
    cluster.apply(rules)
    (given,) = rules["spec"]["syncWindows"]

    def asked():
        windows = server.ask("GET", "applications/shop/syncwindows", groups=["platform"])
        return windows if given == told(server) else None

    assert eventually(asked).get("canSync", False) is may


def told(server):
    """The window of the project, as the server has it."""
    windows = server.ask("GET", "projects/shop", groups=["platform"])["spec"].get("syncWindows")
    return windows and {key: value for key, value in windows[0].items() if value}


def test_a_denying_window_keeps_the_controller_from_syncing(cluster, held, repository):
    cluster.delete(config("settings", "shop"))
    settings = {"team": "held", "namespaces": ["shop"], "repository": repository, "path": "x"}
    windows = [{"kind": "deny", **ALWAYS}]
    rules, _ = gitops_objects(GitOpsSpec.model_validate({**settings, "windows": windows}))
    cluster.apply(rules)
    item = held("good")

    assert eventually(lambda: status(cluster, item).get("sync", {}).get("status") == "OutOfSync")
    assert eventually(lambda: "SyncWindow" in str(status(cluster, item)) or status(cluster, item).get("reconciledAt"))
    assert cluster.get(config("settings", "shop")) is None
    rules, _ = gitops_objects(GitOpsSpec.model_validate(settings))
    cluster.apply(rules)
    assert eventually(lambda: cluster.get(config("settings", "shop")))


# --- in which order ---------------------------------------------------------------------------------------------------


def test_gateways_and_routes_wait_until_policies_are_there_and_workloads_ready(cluster, tmp_path):
    wanted = delivered(Project.load(ROOT), "sandbox", tmp_path.as_uri())
    files = {tmp_path / wanted.folder / path: text for path, text in wanted.files.items()}
    (workload,) = [path for path, text in files.items() if "kind: ReplicaSet" in text]
    later = [next(load_all(text)).value for text in files.values() if "argocd.argoproj.io/sync-wave" in text]
    policies = [next(load_all(text)).value for text in files.values() if "\nkind: NgrokTrafficPolicy" in text]

    def commit(text):
        for path, content in {**files, workload: text}.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        for command in (("init", "--initial-branch=main"), ("add", "."), ("commit", "--message=All")):
            identity = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
            subprocess.run(["git", *identity, *command], cwd=tmp_path, check=True, capture_output=True)

    replicas = next(load_all(files[workload])).value
    before, pod, rest = files[workload].partition("\n    spec:\n")
    commit(f"{before}{pod}      nodeSelector: {{absent: node}}\n{rest}")
    for item in wanted.applied:
        cluster.apply(item)

    assert {item["kind"] for item in later} == {"Gateway", "HTTPRoute"}
    eventually(lambda: all(cluster.get(item) for item in policies))
    (application,) = [item for item in wanted.applied if item["kind"] == "Application"]
    eventually(lambda: "waiting for healthy state" in str(status(cluster, application).get("operationState")))
    assert not any(cluster.get(item) for item in later)

    # The correction waits for the synchronisation before it to end: by its time limit, or as `terminate-op` ends it.
    commit(files[workload])
    cluster.merge(application, {"status": {"operationState": {"phase": "Terminating"}}})
    eventually(lambda: "operation" not in cluster.get(application))
    cluster.merge(application, {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}})
    # No ReplicaSet replaces a pod; a Deployment does.
    eventually(lambda: "absent" not in str(cluster.get(replicas)["spec"]["template"]))
    for pod in cluster.list("v1", "Pod", "shop"):
        cluster.delete(pod)
    assert eventually(lambda: all(cluster.get(item) for item in later), 120)


# --- one set for all teams, and the facts of a cluster ----------------------------------------------------------------


FACTS = ClusterFacts(environment="prod", cluster_kind="existing", owner="platform@example.com")


@pytest.fixture
def teams(judge, cluster):
    specs = [team(judge, name, application=False) for name in ("market", "returns")]
    made = GitOpsSetSpec(facts=FACTS, teams=tuple(specs))
    for item in (item for spec in specs for item in gitops_objects(spec)):
        cluster.apply(item)
    yield made
    _, followers = gitops_set_objects(made)
    cluster.delete(followers)
    eventually(lambda: not [name for name in generated(cluster) if name in ("market", "returns")])


def generated(cluster):
    return {item["metadata"]["name"]: item for item in cluster.list(ARGO, "Application", "argocd")}


def test_the_set_makes_the_applications_that_pulumi_would_make(judge, cluster, teams):
    for item in gitops_set_objects(teams):
        cluster.apply(item)
    made = eventually(lambda: (found := generated(cluster)).keys() >= {"market", "returns"} and found)

    for spec in teams.teams:
        _, alone = gitops_objects(team(judge, spec.team))
        assert made[spec.team]["spec"] == alone["spec"]
        assert made[spec.team]["metadata"]["finalizers"] == alone["metadata"]["finalizers"]
        assert made[spec.team]["metadata"]["labels"]["apiops/environment"] == "prod"


def test_argo_cd_reads_the_facts_that_were_written(cluster, server, teams):
    secret, _ = gitops_set_objects(teams)
    cluster.apply(secret)

    assert ClusterFacts.of(cluster.get(secret)) == FACTS
    (known,) = server.ask("GET", "clusters", groups=["platform"])["items"]
    assert (known["name"], known["server"]) == ("in-cluster", "https://kubernetes.default.svc")
    assert FACTS.labels.items() <= known["labels"].items()
    assert FACTS.annotations.items() <= known["annotations"].items()


@pytest.mark.parametrize("fact", ["owner", "gateway_class"])
def test_a_set_that_reads_a_fact_makes_nothing_of_a_cluster_without_it(cluster, teams, fact):
    secret, followers = gitops_set_objects(teams)
    key = f"apiops/{fact.replace('_', '-')}"
    del secret["metadata"]["annotations"][key]
    followers["spec"]["template"]["metadata"]["annotations"] = {"fact": ClusterFacts.template(fact)}
    cluster.apply(secret)
    cluster.apply(followers)

    def told():
        conditions = status(cluster, followers).get("conditions", ())
        return [item["message"] for item in conditions if item["type"] == "ErrorOccurred" and item["status"] == "True"]

    (message,) = eventually(told)
    assert f"the cluster Secret of in-cluster lacks metadata.annotations.{key}" in message
    assert not generated(cluster).keys() & {"market", "returns"}
    secret, _ = gitops_set_objects(teams)
    cluster.apply(secret)
    made = eventually(lambda: (found := generated(cluster)).keys() >= {"market", "returns"} and found)
    assert made["market"]["metadata"]["annotations"]["fact"] == getattr(FACTS, fact)
