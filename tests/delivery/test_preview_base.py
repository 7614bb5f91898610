from __future__ import annotations

import pytest

SHOP = "stacks/teams/shop/describe.py"
STAGING = "stacks/config/Pulumi.staging.yaml"


def test_a_change_without_a_difference_is_none(repo, cli):
    done = cli("preview", "--base", "HEAD", "--env", "staging", "--exit-code", cwd=repo.root)
    assert done.code == 0
    assert done.out.startswith("staging  no difference\n")


def test_the_preview_names_objects_and_resources_with_their_fields(repo, cli):
    repo.change(SHOP, ("capacity=300", "capacity=200"))
    repo.change(STAGING, ("name: apiops-staging", "name: apiops-stage"), ("max_nodes: 6", "max_nodes: 7"))
    done = cli("preview", "--base", "main", "--env", "staging", "--format", "json", cwd=repo.root)

    assert done.code == 0  # a difference is no finding
    assert cli("preview", "--base", "main", "--env", "staging", "--exit-code").code == 1
    (environment,) = done.json()["environments"]
    found = {(o["change"], o["kind"], o["name"]): o for o in environment["objects"]}
    cluster = found["replaced", "gcp:container/cluster:Cluster", "cluster-cluster"]
    assert (cluster["component"], cluster["owner"], cluster["applied_by"]) == (
        "GkeCluster cluster",
        "platform@example.com",
        "pulumi",
    )
    assert [f["path"] for f in cluster["fields"] if f["forces_replacement"]] == ["name"]
    assert ("changed", "gcp:container/nodePool:NodePool", "cluster-pool") in found
    assert ("changed", "NgrokTrafficPolicy", "orders") in found
    assert sum(o["kind"] == "NgrokTrafficPolicy" for o in environment["objects"]) == 1  # once, though Pulumi runs too


PROD = "stacks/config/Pulumi.prod.yaml"


def test_a_change_that_would_replace_a_protected_cluster_is_named_and_is_1_until_it_is_allowed(repo, cli):
    repo.change(PROD, ("region: europe-west1", "region: europe-west4"))
    done = cli("preview", "--base", "main", "--env", "prod", "--format", "json", cwd=repo.root)
    assert done.code == 1
    (environment,) = done.json()["environments"]
    (finding,) = environment["guardrails"]["introduced"]
    assert (finding["guardrail"], finding["path"], finding["hint"]) == (
        "cluster-replacement",
        "cluster.region",
        "allow_replace: [region], in an update of its own before this one",
    )
    (cluster,) = [o for o in environment["objects"] if o["kind"] == "gcp:container/cluster:Cluster"]
    assert "location" in [f["path"] for f in cluster["fields"] if f["forces_replacement"]]

    # Leave that comes with the change is too late: Google goes by the protection that the cluster has.
    repo.change(PROD, ("region: europe-west4", "region: europe-west4\n      allow_replace: [region]"))
    assert cli("preview", "--base", "main", "--env", "prod", cwd=repo.root).code == 1

    repo.change(PROD, ("region: europe-west4", "region: europe-west1"))
    repo.commit("Allow it")
    repo.change(PROD, ("region: europe-west1", "region: europe-west4"))
    done = cli("preview", "--base", "HEAD", "--env", "prod", "--format", "json", cwd=repo.root)
    (environment,) = done.json()["environments"]
    assert done.code == 0
    assert [f["waived"] for f in environment["guardrails"]["introduced"]] == ["allow_replace names it"]

    repo.change(PROD, ("name: apiops-prod", "name: apiops-live"))
    done = cli("preview", "--base", "HEAD", "--env", "prod", "--format", "json", cwd=repo.root)
    (environment,) = done.json()["environments"]
    assert done.code == 1
    assert {f["path"]: f["waived"] for f in environment["guardrails"]["introduced"]} == {
        "cluster.name": "",
        "cluster.region": "allow_replace names it",
    }


def test_a_range_that_is_in_use_is_refused_with_the_way_to_another(repo, cli):
    other = "name: apiops-prod\n      network: {pods_cidr: 10.64.0.0/14}"
    repo.change(PROD, ("name: apiops-prod", other))
    done = cli("preview", "--base", "main", "--env", "prod", cwd=repo.root)
    assert done.code == 1
    assert "Google refuses another range while a cluster uses it" in done.out
    assert "change name with it (allow_replace: [name])" in done.out


def test_a_guardrail_that_is_newly_broken_is_1(repo, cli):
    repo.change(SHOP, ("capacity=300", "capacity=3000"))
    done = cli("preview", "--base", "HEAD", "--env", "staging", cwd=repo.root)

    assert done.code == 1
    assert "guardrail introduced: broken highest-rate-limit  Api shop/orders (owner: shop@example.com)" in done.out
    assert "guardrail unchanged: waived authentication-required  Api shop/guestbook" in done.out
    (environment,) = cli("preview", "--base", "HEAD", "--env", "staging", "--format", "json").json()["environments"]
    assert [f["guardrail"] for f in environment["guardrails"]["introduced"]] == ["highest-rate-limit"]
    assert environment["guardrails"]["fixed"] == []

    repo.commit("Break it")
    assert cli("preview", "--base", "HEAD", "--env", "staging").code == 0  # broken before: not introduced here
    repo.change(SHOP, ("capacity=3000", "capacity=300"))
    done = cli("preview", "--base", "HEAD", "--env", "staging", "--format", "markdown")
    assert done.code == 0
    assert "1 fixed" in done.out
    assert "**Guardrails fixed**" in done.out


def test_a_report_is_written_beside(repo, cli):
    repo.change(SHOP, ("capacity=300", "capacity=200"))
    done = cli("preview", "--base", "HEAD", "--env", "dev", "--report", "build/x.html", cwd=repo.root)
    assert done.code == 0
    assert "limit per client" in (repo.root / "build/x.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--base", "nowhere"), "unknown revision 'nowhere'"),
        (("--base", "HEAD", "--env", "nope"), "unknown environment 'nope'"),
    ],
)
def test_a_revision_or_environment_that_is_not_there_is_2(repo, cli, arguments, said):
    done = cli("preview", *arguments, cwd=repo.root)
    assert (done.code, said in done.err, done.out) == (2, True, "")


def test_a_team_alone_is_compared_in_its_own_folder(repo, cli):
    repo.change(SHOP, ("capacity=300", "capacity=200"))
    for cwd, more in ((repo.root, ("--team", "shop")), (repo.root / "stacks/teams/shop", ())):
        found = cli("preview", "--base", "HEAD", "--env", "staging", *more, "--format", "json", cwd=cwd).json()
        assert [o["name"] for o in found["environments"][0]["objects"]] == ["orders"]


def test_without_a_repository_there_is_no_base(tmp_path, repo, cli, monkeypatch):
    (repo.root / ".git").rename(tmp_path / "away")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    done = cli("preview", "--base", "HEAD", cwd=repo.root)
    assert (done.code, "is not in the work tree of a Git repository" in done.err) == (2, True)
