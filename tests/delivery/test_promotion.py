from __future__ import annotations

import json
import subprocess
import threading

import pytest

from apiops_components.delivery.git import Repository
from apiops_components.delivery.promotion.commit import make_commit, put_on_head
from apiops_components.errors import GuardrailError

SHOP = "stacks/teams/shop/describe.py"
PROD = "stacks/config/Pulumi.prod.yaml"
STAGING = "deploy/staging"
TREE = "deploy/prod"


def deliver(repo, cli, message="Deliver"):
    """As an author does: render the first environment, and commit it with its sources."""
    assert cli("render", "--env", "staging", "--out", STAGING, cwd=repo.root).code == 0
    return repo.commit(message)


def plan(cli, *more):
    done = cli("promote", "staging", "prod", "--format", "json", *more)
    return done.json()


def promote(cli, *more):
    found = plan(cli)
    return cli("promote", "staging", "prod", "--apply", "--approved-digest", found["digest"], *more)


@pytest.fixture
def delivered(repo, cli):
    deliver(repo, cli)
    return repo


@pytest.fixture
def promoted(delivered, cli):
    assert promote(cli).code == 0
    return delivered


def check(cli, *more):
    return cli("render", "--env", "prod", "--out", TREE, "--check", *more)


def change_limit(repo, cli, before, after):
    repo.change(SHOP, (f"capacity={before}", f"capacity={after}"))
    return deliver(repo, cli, f"Limit {after}")


# --- the plan --------------------------------------------------------------------------------------------------------


def test_a_plan_changes_nothing_and_says_what_moves(delivered, cli):
    before, head = delivered.files(), delivered.head
    done = cli("promote", "staging", "prod")

    assert done.code == 0
    assert done.out.startswith(f"promote staging to prod\nsource  {head}\ndigest  sha256:")
    assert "prod  15 created" in done.out
    assert "--approved-digest sha256:" in done.out
    assert (delivered.files(), delivered.head) == (before, head)
    assert "digest: `sha256:" in cli("promote", "staging", "prod", "--format", "markdown").out
    assert plan(cli) == plan(cli)


def test_what_is_promoted_is_what_the_target_s_settings_say(promoted):
    gateway = (promoted.root / TREE / "shop/gateway-shop.yaml").read_text(encoding="utf-8")
    assert "hostname: shop.example.com" in gateway
    index = promoted.index("prod")
    assert index["promoted"]["environment"] == "staging"
    assert index["source"] == promoted.git("rev-parse", "HEAD~1")
    assert promoted.git("status", "--porcelain") == ""
    message = promoted.git("log", "-1", "--format=%B")
    assert message.startswith("Promote staging to prod\n\n15 created\n\nApiops-From: staging\nApiops-Source: ")
    assert promoted.git("show", "--stat", "--format=", "HEAD", "--", ":!deploy/prod") == ""


def test_a_second_promotion_has_nothing_to_move(promoted, cli):
    head = promoted.head
    done = promote(cli)
    assert (done.code, promoted.head) == (0, head)
    assert "prod has this state already" in done.out


def test_only_what_is_delivered_moves(promoted, cli):
    """A change whose tree was not rendered yet waits, and so does what is not committed."""
    promoted.change(SHOP, ("capacity=300", "capacity=200"))
    promoted.commit("Not rendered yet")
    assert plan(cli)["moves"] is False
    promoted.git("reset", "--quiet", "--hard", "HEAD~1")

    change_limit(promoted, cli, 300, 200)
    promoted.change(SHOP, ("capacity=200", "capacity=100"))
    found = plan(cli)
    (change,) = found["difference"]["environments"][0]["objects"]
    assert (change["name"], change["fields"][0]["after"]) == ("orders", 200)


def test_the_state_of_the_first_environment_moves_while_a_newer_one_waits(promoted, cli):
    change_limit(promoted, cli, 300, 200)
    source = promoted.git("rev-parse", "HEAD")
    promoted.change(SHOP, ("capacity=200", "capacity=100"))
    promoted.commit("Not rendered yet")

    found = plan(cli)
    assert found["source"] == source
    assert found["difference"]["environments"][0]["objects"][0]["fields"][0]["after"] == 200


def test_settings_of_the_target_alone_can_be_promoted(promoted, cli):
    """The first environment's tree stays as it is, so nothing there names the new commit."""
    promoted.change(PROD, ("host: shop.example.com", "host: store.example.com"))
    head = promoted.commit("Another host")
    found = plan(cli)
    assert (found["source"], found["moves"]) == (head, True)
    assert promote(cli).code == 0
    assert check(cli).code == 0


def test_a_squashed_merge_leaves_the_recorded_commit_behind(delivered, cli):
    delivered.git("switch", "--quiet", "--create", "feature")
    delivered.change(SHOP, ("capacity=300", "capacity=200"))
    delivered.commit("Limit")
    cli("render", "--env", "staging", "--out", STAGING)
    delivered.commit("Tree")
    recorded = delivered.index("staging")["source"]
    delivered.git("switch", "--quiet", "main")
    delivered.git("merge", "--quiet", "--squash", "feature")
    squashed = delivered.commit("Squashed")
    delivered.git("branch", "-D", "feature")
    delivered.change(SHOP, ("capacity=200", "capacity=100"))
    delivered.commit("Not rendered yet")

    found = plan(cli)
    assert found["source"] == squashed != recorded
    assert promote(cli).code == 0
    assert check(cli).code == 0


# --- the gate --------------------------------------------------------------------------------------------------------


def test_without_an_approved_digest_nothing_is_applied(delivered, cli):
    head = delivered.head
    done = cli("promote", "staging", "prod", "--apply")
    assert (done.code, "--apply needs --approved-digest" in done.err, delivered.head) == (2, True, head)
    for digest in ("sha256:0", "x", "sha256:" + "G" * 64):
        assert cli("promote", "staging", "prod", "--apply", "--approved-digest", digest).code == 2


def test_another_digest_than_the_approved_one_is_refused(delivered, cli):
    head, approved = delivered.head, plan(cli)["digest"]
    done = cli("promote", "staging", "prod", "--apply", "--approved-digest", "sha256:" + "0" * 64)
    assert (done.code, delivered.head) == (1, head)
    assert f"{approved} would be" in done.err

    head = change_limit(delivered, cli, 300, 200)  # the first environment moved on after the approval
    done = cli("promote", "staging", "prod", "--apply", "--approved-digest", approved, "--format", "json")
    assert (done.code, delivered.head) == (1, head)
    assert done.json()["refused"][0]["code"] == "promotion/digest"
    assert done.json()["commit"] is None


def test_an_approval_is_void_when_the_target_was_rolled_back_meanwhile(promoted, cli):
    first = promoted.head
    change_limit(promoted, cli, 300, 200)
    assert promote(cli).code == 0
    change_limit(promoted, cli, 200, 100)
    approved = plan(cli)["digest"]
    assert cli("rollback", "--env", "prod", "--to", first, "--apply").code == 0
    assert cli("promote", "staging", "prod", "--apply", "--approved-digest", approved).code == 1


def test_a_guardrail_of_the_target_is_asked(delivered, cli):
    """Answers made up at the edge are forbidden in prod alone."""
    delivered.change(
        SHOP,
        ("from apiops_components import (", "from apiops_components import (\n    CustomResponse,"),
        ("actions=(Deny(status_code=403),)", "actions=(CustomResponse(status_code=403, body='no'),)"),
    )
    head = deliver(delivered, cli)
    done = cli("promote", "staging", "prod")
    assert (done.code, "breaks forbidden-actions in prod" in done.err) == (1, True)
    found = plan(cli)
    assert [f["guardrail"] for f in found["guardrails"] if not f["waived"]] == ["forbidden-actions"]
    assert promote(cli).code == 1
    assert delivered.head == head


def test_the_guardrails_of_today_hold_for_a_state_of_yesterday(delivered, cli):
    delivered.change(SHOP, ("capacity=300", "capacity=290"))
    delivered.change("stacks/guardrails.py", ("HighestRateLimit(per_minute=600,", "HighestRateLimit(per_minute=100,"))
    delivered.commit("Tighter, and not rendered yet")
    done = cli("promote", "staging", "prod")
    assert (done.code, "breaks highest-rate-limit in prod" in done.err) == (1, True)


def test_many_deletions_are_refused_with_3(promoted, cli):
    promoted.change(SHOP, ("gateways=(gateway,)", "gateways=()"))
    cli("render", "--env", "staging", "--out", STAGING, "--allow-deletes")
    head = promoted.commit("Nothing left")
    assert cli("promote", "staging", "prod").code == 3
    assert promote(cli).code == 3
    assert promoted.head == head
    assert promote(cli, "--allow-deletes").code == 0
    assert list(promoted.files(TREE)) == ["index.json"]


# --- where the commit goes -------------------------------------------------------------------------------------------


def test_a_branch_leaves_the_work_tree_alone(delivered, cli):
    (delivered.root / SHOP).write_text("broken(", encoding="utf-8")
    head, before = delivered.head, delivered.files()
    assert promote(cli, "--branch", "promote/prod").code == 0
    assert (delivered.head, delivered.files()) == (head, before)
    assert delivered.git("rev-parse", "promote/prod~1") == head
    assert "deploy/prod/index.json" in delivered.git("ls-tree", "-r", "--name-only", "promote/prod")

    done = promote(cli, "--branch", "promote/prod")
    assert (done.code, "name another one" in done.err) == (1, True)
    done = promote(cli, "--branch", "no..name")
    assert (done.code, "is no name of a branch" in done.err) == (2, True)
    assert cli("promote", "staging", "prod", "--branch", "x").code == 2


def test_a_detached_head_moves_on(delivered, cli):
    delivered.git("switch", "--quiet", "--detach")
    head = delivered.head
    assert promote(cli).code == 0
    assert delivered.git("rev-parse", "HEAD~1", "main").split() == [head, head]


def test_hooks_of_the_repository_do_not_run(delivered, cli):
    hook = delivered.root / ".git/hooks/post-merge"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch ran\n", encoding="utf-8")
    hook.chmod(0o755)
    assert promote(cli).code == 0
    assert not (delivered.root / "ran").exists()


def test_a_dirty_work_tree_is_refused_before_anything_is_written(delivered, cli):
    delivered.change(SHOP, ("capacity=300", "capacity=200"))
    head, before = delivered.head, delivered.files()
    done = promote(cli)
    assert (done.code, f"changes that are not committed: {SHOP}" in done.err) == (1, True)
    assert (delivered.head, delivered.files()) == (head, before)


def test_a_file_in_the_way_is_refused_and_nothing_is_changed(delivered, cli):
    place = delivered.root / TREE / "shop/gateway-shop.yaml"
    place.parent.mkdir(parents=True)
    place.write_text("mine", encoding="utf-8")
    head, before = delivered.head, delivered.files()
    done = promote(cli)
    assert (done.code, "nothing was changed" in done.err) == (1, True)
    assert (delivered.head, delivered.files()) == (head, before)


def test_without_an_author_the_commit_is_refused_with_what_to_do(delivered, cli, monkeypatch):
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{name}_NAME")
        monkeypatch.delenv(f"GIT_{name}_EMAIL")
    monkeypatch.setenv("HOME", str(delivered.root.parent))
    monkeypatch.setenv("EMAIL", "")
    delivered.git("config", "user.useConfigOnly", "true")
    head = delivered.head
    done = promote(cli)
    assert (done.code, "git config user.name" in done.err) == (2, True)
    assert delivered.head == head


def test_of_two_promotions_at_once_one_is_made_and_one_is_refused(delivered):
    """Both were planned and approved at the same commit."""
    repository, head = Repository.of(delivered.root), delivered.head
    commits = [
        make_commit(repository, head, "deploy/prod", {}, {"index.json": text}, "Promote\n") for text in (b"1", b"2")
    ]
    results = []

    def put(commit):
        try:
            put_on_head(repository, commit)
            results.append("made")
        except GuardrailError as error:
            results.append(error.problems[0].code)

    threads = [threading.Thread(target=put, args=(commit,)) for commit in commits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["git/moved", "made"]
    assert delivered.head in commits
    assert delivered.git("status", "--porcelain") == ""


def test_of_two_clones_the_second_push_is_refused_and_planned_again(promoted, cli, tmp_path):
    """What a pipeline relies on: a push that is not a fast-forward does not happen."""
    change_limit(promoted, cli, 300, 200)
    origin = tmp_path / "origin.git"
    promoted.git("clone", "--quiet", "--bare", str(promoted.root), str(origin))
    clones = [tmp_path / name for name in ("one", "two")]
    for clone in clones:
        subprocess.run(["git", "clone", "--quiet", str(origin), str(clone)], check=True)
    pushed = []
    for clone in clones:
        found = cli("promote", "staging", "prod", "--format", "json", cwd=clone).json()
        assert cli("promote", "staging", "prod", "--apply", "--approved-digest", found["digest"]).code == 0
        (clone / "note").write_text(clone.name, encoding="utf-8")
        subprocess.run(["git", "add", "note"], cwd=clone, check=True)
        subprocess.run(["git", "commit", "--quiet", "-m", "note"], cwd=clone, check=True)
        done = subprocess.run(
            ["git", "push", "--quiet", "origin", "HEAD:main"], cwd=clone, capture_output=True, check=False
        )
        pushed.append(done.returncode == 0)
    assert pushed == [True, False]


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("delivered")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("prod", "staging"), "'staging' is promoted from no other environment"),
        (("dev", "prod"), "'prod' is promoted from 'staging', not from 'dev'"),
        (("nope", "prod"), "unknown environment 'nope'"),
        (("staging", "nope"), "unknown environment 'nope'"),
    ],
)
def test_environments_that_do_not_follow_each_other_are_2(cli, arguments, said):
    done = cli("promote", *arguments)
    assert (done.code, said in done.err, done.out) == (2, True, "")


def test_a_first_environment_without_a_tree_is_2(repo, cli):
    done = cli("promote", "staging", "prod", cwd=repo.root)
    assert (done.code, "apiopsctl render --env staging --out deploy/staging" in done.err) == (2, True)


@pytest.mark.parametrize("tree", [STAGING, TREE])
def test_a_hand_made_change_in_either_tree_is_refused(promoted, cli, tree):
    promoted.change(f"{tree}/shop/service-orders.yaml", ("port: 80", "port: 81"))
    promoted.commit("By hand")
    done = cli("promote", "staging", "prod")
    assert (done.code, f"{tree}/shop/service-orders.yaml: was changed by hand" in done.err) == (1, True)


def test_a_tree_that_its_sources_never_gave_is_refused(delivered, cli):
    delivered.change(SHOP, ("capacity=300", "capacity=200"))
    cli("render", "--env", "staging", "--out", STAGING)
    delivered.git("checkout", "--quiet", "--", SHOP)
    delivered.commit("The tree alone")
    done = cli("promote", "staging", "prod")
    assert (done.code, "is not what the sources of 'staging' give" in done.err) == (1, True)


def test_a_shallow_clone_is_enough_where_the_current_state_moves_and_else_says_what_to_do(promoted, cli, tmp_path):
    change_limit(promoted, cli, 300, 200)
    clone = tmp_path / "clone"
    promoted.git("clone", "--quiet", "--depth", "1", f"file://{promoted.root}", str(clone))
    assert cli("promote", "staging", "prod", cwd=clone).code == 0

    promoted.change(SHOP, ("capacity=200", "capacity=100"))
    promoted.commit("Not rendered yet")
    clone = tmp_path / "other"
    promoted.git("clone", "--quiet", "--depth", "1", f"file://{promoted.root}", str(clone))
    done = cli("promote", "staging", "prod", cwd=clone)
    assert (done.code, "git fetch --unshallow" in done.err) == (2, True)


# --- what a pipeline checks ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("delivered")
def test_nothing_promoted_yet_is_right(cli):
    done = check(cli)
    assert (done.code, done.err) == (0, "prod: nothing was promoted yet\n")
    assert check(cli, "--format", "json").json()["files"] == 0


@pytest.mark.usefixtures("promoted")
def test_a_promoted_tree_is_right(cli):
    done = check(cli)
    assert done.code == 0
    assert done.err.startswith("prod: 15 manifests of ")
    assert check(cli, "--base", "HEAD~1").code == 0


def by_hand(repo):
    repo.change(f"{TREE}/shop/service-orders.yaml", ("port: 80", "port: 81"))


def by_hand_with_its_digest(repo):
    by_hand(repo)
    index = repo.index("prod")
    digest = subprocess.run(
        ["sha256sum", f"{TREE}/shop/service-orders.yaml"], cwd=repo.root, capture_output=True, text=True, check=True
    ).stdout.split()[0]
    index["files"]["shop/service-orders.yaml"] = f"sha256:{digest}"
    (repo.root / TREE / "index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def put_beside(repo):
    (repo.root / TREE / "shop/extra.yaml").write_text("kind: ConfigMap\n", encoding="utf-8")


def removed(repo):
    (repo.root / TREE / "shop/service-orders.yaml").unlink()


def all_removed(repo):
    repo.git("rm", "-r", "--quiet", TREE)


def of_a_commit_that_never_was(repo):
    repo.change(f"{TREE}/index.json", (repo.index("prod")["source"], "1" * 40))


def without_its_origin(repo):
    index = repo.index("prod")
    del index["promoted"]
    (repo.root / TREE / "index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (by_hand, "was changed by hand"),
        (by_hand_with_its_digest, "is not what promotion of"),
        (put_beside, "Argo CD would apply it"),
        (removed, "is missing, though the index lists it"),
        (all_removed, "was deleted"),
        (of_a_commit_that_never_was, "which is not in this history"),
        (without_its_origin, "was not written by promotion"),
    ],
)
def test_a_change_that_no_promotion_made_is_refused(promoted, cli, tamper, said):
    tamper(promoted)
    for committed in (False, True):
        if committed:
            promoted.commit("Tampered")
        done = check(cli, "--base", "HEAD~1" if committed else "HEAD")
        assert (done.code, said in done.err) == (1, True), done.err


def test_a_state_that_the_first_environment_never_had_is_refused(promoted, cli):
    """Rendered in the right way, from sources that nobody saw in staging."""
    base = promoted.head
    promoted.change(SHOP, ("capacity=300", "capacity=200"))
    promoted.commit("Sources")
    cli("render", "--env", "staging", "--out", STAGING)
    promoted.commit("Tree")
    assert promote(cli).code == 0
    kept = promoted.files(TREE)
    promoted.git("reset", "--quiet", "--hard", "HEAD~2")  # staging's tree never came in
    for path, content in kept.items():
        (promoted.root / TREE / path).write_bytes(content)
    promoted.commit("Past staging")
    done = check(cli, "--base", base)
    assert done.code == 1
    assert "is of a state that deploy/staging never had" in done.err or "not in this history" in done.err


@pytest.mark.usefixtures("promoted")
def test_an_untouched_tree_stays_right_whatever_renders_it_now(cli, monkeypatch):
    """A newer version of this package may write other bytes: what was promoted is not to be promoted again for that."""
    monkeypatch.setattr("apiops_components.render.gateway.GATEWAY_CLASS", "other")
    assert check(cli).code == 1
    assert check(cli, "--base", "HEAD").code == 0


# --- rollback --------------------------------------------------------------------------------------------------------


def test_a_rollback_restores_byte_for_byte_as_a_new_commit(promoted, cli):
    good, kept = promoted.head, promoted.files(TREE)
    (promoted.root / "deploy/README.md").write_text("mine", encoding="utf-8")
    change_limit(promoted, cli, 300, 200)
    assert promote(cli).code == 0
    bad = promoted.head
    assert promoted.files(TREE) != kept

    done = cli("rollback", "--env", "prod", "--to", good)
    assert done.code == 0
    assert "capacity: 200 → 300" in done.out
    assert done.out.endswith("nothing was changed; --apply makes the commit\n")
    assert promoted.head == bad
    done = cli("rollback", "--env", "prod", "--to", good, "--apply")
    assert done.code == 0
    assert promoted.files(TREE) == kept
    assert promoted.git("rev-parse", "HEAD~1") == bad
    assert promoted.git("rev-parse", f"HEAD:{TREE}") == promoted.git("rev-parse", f"{good}:{TREE}")
    assert promoted.git("log", "-1", "--format=%s") == f"Roll back prod to {good[:12]}"
    assert check(cli).code == 0
    assert check(cli, "--base", "HEAD~1").code == 0
    assert "is in this state already" in cli("rollback", "--env", "prod", "--to", good, "--apply").out
    found = cli("rollback", "--env", "prod", "--to", bad, "--apply", "--branch", "again", "--format", "json").json()
    assert promoted.git("rev-parse", "again") == found["commit"]


def test_files_that_are_not_ours_stay(promoted, cli):
    good = promoted.head
    change_limit(promoted, cli, 300, 200)
    promote(cli)
    (promoted.root / TREE / "README.md").write_text("mine", encoding="utf-8")
    promoted.commit("A word")
    assert cli("rollback", "--env", "prod", "--to", good, "--apply").code == 0
    assert promoted.files(TREE)["README.md"] == b"mine"


@pytest.mark.parametrize(
    ("to", "code", "said"),
    [
        ("nowhere", 2, "unknown revision 'nowhere'"),
        ("HEAD~2", 2, "there is no tree of 'prod' at HEAD~2"),
        ("elsewhere", 1, "is not in the history of the current commit"),
    ],
)
def test_a_commit_without_the_tree_is_refused(promoted, cli, to, code, said):
    promoted.git("branch", "elsewhere", promoted.git("commit-tree", "-m", "x", "HEAD^{tree}"))
    head = promoted.head
    done = cli("rollback", "--env", "prod", "--to", to, "--apply")
    assert (done.code, said in done.err, promoted.head) == (code, True, head)


def test_a_tree_of_an_author_is_rolled_back_with_a_word_of_warning(delivered, cli):
    good = delivered.head
    change_limit(delivered, cli, 300, 200)
    done = cli("rollback", "--env", "staging", "--to", good, "--apply")
    assert (done.code, "revert them as well" in done.err) == (0, True)
    assert cli("render", "--env", "staging", "--out", STAGING, "--check").code == 1


def test_a_rollback_that_empties_a_folder_is_refused(delivered, cli):
    delivered.change(SHOP, ("gateways=(gateway,)", "gateways=()"))
    cli("render", "--env", "staging", "--out", STAGING, "--allow-deletes")
    empty = delivered.commit("Empty")
    delivered.git("revert", "--no-edit", "HEAD")
    head = delivered.head
    assert cli("rollback", "--env", "staging", "--to", empty, "--apply").code == 3
    assert delivered.head == head
    assert cli("rollback", "--env", "staging", "--to", empty, "--apply", "--allow-deletes").code == 0
