from __future__ import annotations

import json

import pytest

from apiops_components.delivery.deletions import refuse_deletions
from apiops_components.errors import DeletionRefused

SHOP = "stacks/teams/shop/describe.py"
TREE = "deploy/staging"


def test_the_tree_holds_only_what_is_delivered_through_git_and_names_its_source(repo, cli):
    done = cli("render", "--env", "staging", "--out", TREE, cwd=repo.root)

    assert done.code == 0
    index = repo.index("staging")
    assert list(index) == ["environment", "source", "files", "components"]
    assert (index["environment"], index["source"]) == ("staging", repo.head)
    assert {path.partition("/")[0] for path in index["files"]} == {"shop"}
    assert set(index["files"]) == set(repo.files(TREE)) - {"index.json"}
    assert [(c["component"], c["team"], c["owner"]) for c in index["components"]] == [
        ("Api guestbook", "shop", "shop@example.com"),
        ("Api orders", "shop", "shop@example.com"),
        ("ApiGateway shop", "shop", "shop@example.com"),
    ]
    assert sorted(path for c in index["components"] for path in c["files"]) == list(index["files"])


def test_a_new_commit_with_the_same_output_does_not_change_the_tree(repo, cli):
    cli("render", "--env", "staging", "--out", TREE, cwd=repo.root)
    first, before = repo.head, repo.files(TREE)
    repo.commit("The tree")
    repo.change(SHOP, ('"""One host, two APIs."""', '"""One host and two APIs."""'))
    repo.commit("A word")

    assert cli("render", "--env", "staging", "--out", TREE).err.endswith("0 files changed\n")
    assert repo.files(TREE) == before
    assert repo.index("staging")["source"] == first
    assert cli("render", "--env", "staging", "--out", TREE, "--check").code == 0


def test_sources_that_are_not_committed_are_not_called_a_commit(repo, cli):
    repo.change(SHOP, ("capacity=300", "capacity=200"))
    cli("render", "--env", "staging", "--out", TREE, cwd=repo.root)
    assert repo.index("staging")["source"] is None
    assert cli("render", "--env", "staging", "--out", TREE, "--check").code == 0


def test_other_trees_that_are_not_committed_are_no_change_of_the_sources(repo, cli):
    cli("render", "--env", "sandbox", "--out", "deploy/sandbox", cwd=repo.root)
    cli("render", "--env", "staging", "--out", TREE)
    assert repo.index("staging")["source"] == repo.head


def test_a_repository_without_a_commit_has_no_source(repo, cli):
    repo.git("update-ref", "-d", "HEAD")
    assert cli("render", "--env", "staging", "--out", TREE, cwd=repo.root).code == 0
    assert repo.index("staging")["source"] is None


@pytest.mark.parametrize("owner", ["all", "pulumi"])
def test_what_pulumi_owns_never_comes_into_the_tree(repo, cli, owner):
    done = cli("render", "--env", "staging", "--out", TREE, "--owner", owner, cwd=repo.root)

    assert (done.code, "holds what is delivered through Git" in done.err) == (2, True)
    assert not (repo.root / TREE).exists()


def test_a_promoted_tree_is_not_written_by_rendering(repo, cli):
    done = cli("render", "--env", "prod", "--out", "deploy/prod", cwd=repo.root)

    assert (done.code, "apiopsctl promote staging prod --apply" in done.err) == (2, True)
    assert not (repo.root / "deploy").exists()
    assert cli("render", "--env", "prod", "--out", "build/prod").code == 0  # elsewhere it is only looked at


def test_another_environment_is_not_written_over_a_tree(repo, cli):
    cli("render", "--env", "dev", "--out", "build", cwd=repo.root)
    before = repo.files("build")
    for more in ((), ("--check",), ("--allow-deletes",)):
        done = cli("render", "--env", "sandbox", "--out", "build", *more)
        assert (done.code, "holds environment 'dev', not 'sandbox'" in done.err) == (2, True)
    assert repo.files("build") == before


@pytest.mark.parametrize("where", [".", "stacks/teams/shop"])
def test_a_team_alone_leaves_the_rest_of_a_folder_as_it_is(repo, cli, where):
    out, here = repo.root / "build", repo.root / where
    more = ("--team", "shop") if where == "." else ()
    cli("render", "--env", "dev", "--out", out, cwd=repo.root)
    before = repo.files("build")
    assert cli("render", "--env", "dev", "--out", out, *more, "--check", cwd=here).code == 0

    repo.change(SHOP, ("capacity=300", "capacity=200"))
    assert cli("render", "--env", "dev", "--out", out, *more, "--check", cwd=here).out.splitlines() == [
        f"changed: {out}/index.json",
        f"changed: {out}/shop/ngroktrafficpolicy-orders.yaml",
    ]
    assert cli("render", "--env", "dev", "--out", out, *more, cwd=here).code == 0
    changed = {path for path, content in repo.files("build").items() if before[path] != content}
    assert changed == {"index.json", "shop/ngroktrafficpolicy-orders.yaml"}
    assert cli("render", "--env", "dev", "--out", out, "--check", cwd=repo.root).code == 0


# --- the delete guard ------------------------------------------------------------------------------------------------


def test_a_folder_is_not_emptied_by_accident(repo, cli):
    cli("render", "--env", "staging", "--out", TREE, cwd=repo.root)
    before = repo.files(TREE)
    repo.change(SHOP, ("gateways=(gateway,)", "gateways=()"))

    done = cli("render", "--env", "staging", "--out", TREE)
    assert done.code == 3
    assert f"shop/ would be emptied: all of its {len(before) - 1} objects would be deleted" in done.err
    assert "--allow-deletes" in done.err
    assert repo.files(TREE) == before
    assert cli("render", "--env", "staging", "--out", TREE, "--check").code == 1

    assert cli("render", "--env", "staging", "--out", TREE, "--allow-deletes").code == 0
    assert list(repo.files(TREE)) == ["index.json"]


def test_many_objects_do_not_go_by_accident(repo, cli):
    before = "    return Description(environment=environment, team=TEAM, gateways=(gateway,))"
    more = (
        "    extra = tuple(\n"
        "        ApiSpec(name=f'extra-{n}', routes=(Route.prefix(f'/extra-{n}', Backend.to('orders', 80)),))\n"
        "        for n in range(COUNT)\n"
        "    )\n"
        "    gateway = gateway.model_copy(update={'apis': (*gateway.apis, *extra)})\n"
    )
    repo.change(SHOP, (before, more + before), ('TEAM = "shop"', 'TEAM = "shop"\nCOUNT = 11'))
    assert cli("render", "--env", "staging", "--out", TREE, cwd=repo.root).code == 0
    repo.change(SHOP, ("COUNT = 11", "COUNT = 0"))

    done = cli("render", "--env", "staging", "--out", TREE, "--format", "json")
    assert done.code == 3
    assert [error["code"] for error in json.loads(done.out)["errors"]] == ["deletions/too-many"]


def test_ten_objects_may_go_and_eleven_may_not():
    paths = [f"shop/configmap-{n:02}.yaml" for n in range(12)]
    refuse_deletions(paths, paths[10:], most=10, place="here")
    refuse_deletions(paths, [path.replace(".yaml", ".json") for path in paths], most=0, place="here")
    with pytest.raises(DeletionRefused, match="11 objects would be deleted, at most 10 may be: shop/configmap-00, "):
        refuse_deletions(paths, paths[11:], most=10, place="here")
    with pytest.raises(DeletionRefused, match="its only object would be deleted"):
        refuse_deletions(["a/x.yaml", "b/y.yaml"], ["b/y.yaml"], most=10, place="here")


# --- a conflict ------------------------------------------------------------------------------------------------------


def test_a_conflict_between_two_branches_is_put_right_by_rendering(repo, cli):
    cli("render", "--env", "staging", "--out", TREE, cwd=repo.root)
    repo.commit("The tree")
    repo.git("switch", "--quiet", "--create", "other")
    repo.change(SHOP, ("gateways=(gateway,)", "gateways=(gateway.model_copy(update={'apis': gateway.apis[1:]}),)"))
    cli("render", "--env", "staging", "--out", TREE)
    repo.commit("Without the guestbook")
    repo.git("switch", "--quiet", "main")
    repo.change(SHOP, ("capacity=300", "capacity=200"), ('name="orders",', 'name="buying",'))
    cli("render", "--env", "staging", "--out", TREE)
    repo.commit("Another limit")
    repo.git("merge", "other", check=False)
    assert "<<<<<<<" in (repo.root / TREE / "index.json").read_text(encoding="utf-8")

    assert cli("render", "--env", "staging", "--out", TREE, "--check").code == 1
    assert cli("render", "--env", "staging", "--out", TREE, "--allow-deletes").code == 0
    assert "<<<<<<<" not in "".join(content.decode() for content in repo.files(TREE).values())
    assert set(repo.index("staging")["files"]) == set(repo.files(TREE)) - {"index.json"}
    assert "shop/httproute-orders.yaml" not in repo.files(TREE)
    assert cli("render", "--env", "staging", "--out", TREE, "--check").code == 0
