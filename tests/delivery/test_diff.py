from __future__ import annotations

import json

import pytest

SHOP = "stacks/teams/shop/describe.py"
STAGING = "stacks/config/Pulumi.staging.yaml"


def changed(done, env=0):
    return {(o["change"], o["kind"], o["name"]) for o in done.json()["environments"][env]["objects"]}


def limit(repo, before, after):
    repo.change(SHOP, (f"capacity={before}", f"capacity={after}"))
    return repo.commit(f"Limit {after}")


# --- revisions -------------------------------------------------------------------------------------------------------


def test_a_changed_limit_is_one_field_of_one_object_in_each_environment(repo, cli):
    limit(repo, 300, 200)
    done = cli("diff", "HEAD~1", "HEAD", cwd=repo.root)

    assert done.code == 1
    assert done.out.startswith(
        """\
dev  1 changed
  team shop · Api orders  (owner: shop@example.com)
    ~ NgrokTrafficPolicy shop/orders  changed
        ~ spec.policy.on_http_request[name=limit per client].actions[0].config.capacity: 300 → 200

prod  1 changed
"""
    )
    found = cli("diff", "HEAD~1", "HEAD", "--format", "json").json()
    assert found["summary"] == {"created": 0, "changed": 4, "replaced": 0, "deleted": 0}
    assert [e["name"] for e in found["environments"]] == ["dev", "prod", "sandbox", "staging"]
    assert found["environments"][1]["objects"] == [
        {
            "change": "changed",
            "apiVersion": "ngrok.k8s.ngrok.com/v1alpha1",
            "kind": "NgrokTrafficPolicy",
            "namespace": "shop",
            "name": "orders",
            "component": "Api orders",
            "team": "shop",
            "owner": "shop@example.com",
            "applied_by": "gitops",
            "fields": [
                {
                    "path": "spec.policy.on_http_request[name=limit per client].actions[0].config.capacity",
                    "change": "changed",
                    "before": 300,
                    "after": 200,
                    "forces_replacement": False,
                }
            ],
            "object": None,
        }
    ]


def test_equal_revisions_are_not_different(repo, cli):
    done = cli("diff", "HEAD", "main", "--env", "prod", cwd=repo.root)
    assert (done.code, done.out) == (0, "prod  no difference\n")


def test_what_the_work_tree_holds_does_not_count_between_revisions(repo, cli):
    limit(repo, 300, 200)
    repo.change(SHOP, ("def describe", "def nothing"))
    assert cli("diff", "HEAD~1", "HEAD", "--env", "prod", cwd=repo.root).code == 1


def test_an_environment_that_is_new_is_created_and_one_that_is_gone_is_deleted(repo, cli):
    text = (repo.root / STAGING).read_text(encoding="utf-8")
    (repo.root / STAGING.replace("staging", "test")).write_text(text, encoding="utf-8")
    (repo.root / STAGING).unlink()
    repo.commit("Rename staging")
    found = cli("diff", "HEAD~1", "HEAD", "--format", "json", cwd=repo.root).json()

    by_name = {e["name"]: e["summary"] for e in found["environments"]}
    assert by_name["test"]["created"] == by_name["staging"]["deleted"] > 10
    assert sum(by_name["dev"].values()) == 0


def test_a_project_that_is_new_is_created(repo, cli):
    first = repo.git("commit-tree", "-m", "empty", repo.git("mktree"))
    found = cli("diff", first, "HEAD", "--env", "prod", "--format", "json", cwd=repo.root).json()
    assert found["summary"]["created"] > 10
    assert found["summary"]["deleted"] == 0


def test_an_object_with_another_name_is_a_new_one_and_a_selector_cannot_be_changed(repo, cli):
    repo.change(SHOP, ('name="frontend",', 'name="front",'), ('Backend.to("frontend"', 'Backend.to("front"'))
    repo.commit("Rename")
    done = cli("diff", "HEAD~1", "HEAD", "--env", "prod", "--format", "json", cwd=repo.root)
    kinds = {"NetworkPolicy", "PodDisruptionBudget", "ReplicaSet", "Service", "ServiceAccount"}
    assert changed(done) == {
        *(("created", kind, "front") for kind in kinds),
        *(("deleted", kind, "frontend") for kind in kinds),
        ("changed", "HTTPRoute", "guestbook"),
    }


# --- folders, files, and what was committed --------------------------------------------------------------------------


def test_rendered_folders_know_components_and_owners(repo, cli):
    cli("render", "--env", "staging", "--out", "a", "--owner", "gitops", cwd=repo.root)
    repo.change(SHOP, ("capacity=300", "capacity=200"))
    cli("render", "--env", "staging", "--out", "b", "--owner", "gitops")

    done = cli("diff", "a", "b")
    assert (done.code, done.out) == (
        1,
        """\
staging  1 changed
  team shop · Api orders  (owner: shop@example.com)
    ~ NgrokTrafficPolicy shop/orders  changed
        ~ spec.policy.on_http_request[name=limit per client].actions[0].config.capacity: 300 → 200
""",
    )
    assert cli("diff", "a", "a").code == 0


def test_two_environments_can_be_compared(repo, cli):
    for env in ("staging", "prod"):
        cli("render", "--env", env, "--out", env, "--owner", "gitops", cwd=repo.root)
    done = cli("diff", "staging", "prod", "--format", "json")
    assert done.code == 1
    assert changed(done) == {
        ("changed", "Gateway", "shop"),
        ("changed", "HTTPRoute", "guestbook"),
        ("changed", "HTTPRoute", "orders"),
        ("changed", "NgrokTrafficPolicy", "shop-gateway"),
    }


def test_streams_and_lists_are_compared(repo, cli):
    for form, name in (("yaml", "a.yaml"), ("json", "b.json")):
        text = cli("render", "--env", "staging", "--format", form, cwd=repo.root).out
        (repo.root / name).write_text(text, encoding="utf-8")
    assert cli("diff", "a.yaml", "b.json").out == "objects  no difference\n"
    (repo.root / "c.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", encoding="utf-8")
    assert "+ ConfigMap a  created" in cli("diff", "a.yaml", "c.yaml").out


def test_a_folder_as_it_was_committed(repo, cli):
    cli("render", "--env", "staging", "--out", "deploy/staging", cwd=repo.root)
    repo.commit("Tree")
    repo.change(SHOP, ("capacity=300", "capacity=200"))
    cli("render", "--env", "staging", "--out", "deploy/staging")
    done = cli("diff", "HEAD:deploy/staging", "deploy/staging")
    assert done.out.startswith("staging  1 changed\n  team shop · Api orders  (owner: shop@example.com)\n")
    one = "deploy/staging/shop/ngroktrafficpolicy-orders.yaml"
    assert "capacity: 300 → 200" in cli("diff", f"HEAD:{one}", one).out


def test_a_secret_is_told_as_changed_and_not_shown(tmp_path, cli):
    for name, value in (("a", "first-value"), ("b", "second-value")):
        text = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{token: {value}}}\n"
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    for form in ("text", "json", "markdown", "html"):
        for base, head in (("a", "b"), ("a", "empty")):
            (tmp_path / "empty.yaml").write_text("---\n", encoding="utf-8")
            done = cli("diff", f"{base}.yaml", f"{head}.yaml", "--format", form, cwd=tmp_path)
            assert done.code == 1
            assert "-value" not in done.out
            assert "secret" in done.out.lower()


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nowhere", "HEAD"), 2, "unknown revision 'nowhere'"),
        (("--", "-x", "HEAD"), 2, "unknown revision '-x'"),
        (("HEAD", "HEAD", "--env", "nope"), 2, "unknown environment 'nope'"),
        (("HEAD:nowhere", "HEAD"), 2, "nowhere is not in HEAD"),
        (("HEAD:../../outside", "HEAD"), 2, "outside of the repository"),
        (("HEAD",), 2, "Missing argument 'HEAD'"),
    ],
)
def test_what_is_neither_file_nor_revision_is_2(repo, cli, arguments, code, said):
    done = cli("diff", *arguments, cwd=repo.root)
    assert (done.code, said in done.err, done.out) == (code, True, ""), done.err


def test_outside_of_a_repository_only_files_can_be_compared(tmp_path, cli, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    done = cli("diff", "a", "b", cwd=tmp_path)
    assert (done.code, "no such file or folder, and no Git repository" in done.err) == (2, True)


def test_a_shallow_clone_says_how_to_get_the_revision(repo, cli, tmp_path):
    first = repo.head
    limit(repo, 300, 200)
    clone = tmp_path / "clone"
    repo.git("clone", "--quiet", "--depth", "1", f"file://{repo.root}", str(clone))
    done = cli("diff", first, "HEAD", cwd=clone)
    assert (done.code, "git fetch --unshallow" in done.err) == (2, True)


def test_a_revision_that_breaks_the_model_is_named_with_its_file(repo, cli):
    repo.change(STAGING, ("    argocd:", "    colour: red\n    argocd:"))
    repo.commit("Broken")
    repo.change(STAGING, ("    colour: red\n", ""))
    repo.commit("Repaired")
    done = cli("diff", "HEAD~1", "HEAD", "--env", "staging", cwd=repo.root)
    assert done.code == 1
    assert done.err.startswith(f"HEAD~1:{STAGING}:")
    assert "colour: unknown field" in done.err
    assert "apiops-" not in done.err.replace("apiops-staging", "")  # the folder that it was read into


def test_the_same_object_in_two_files_is_refused(tmp_path, cli):
    for name in "ab":
        text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    done = cli("diff", ".", "a.yaml", cwd=tmp_path)
    assert (done.code, "ConfigMap x: is there twice" in done.err) == (1, True)


# --- forms -----------------------------------------------------------------------------------------------------------


def test_markdown_is_a_table_and_folded_details(repo, cli):
    limit(repo, 300, 200)
    done = cli("diff", "HEAD~1", "HEAD", "--env", "prod", "--format", "markdown", cwd=repo.root)
    assert done.out == (
        "## Changes from `HEAD~1` to `HEAD`\n\n"
        "| environment | created | changed | replaced | deleted |\n"
        "|---|--:|--:|--:|--:|\n"
        "| prod | · | 1 | · | · |\n\n"
        "### prod\n\n"
        "<details><summary><b>shop · Api orders</b> (shop@example.com): 1 changed</summary>\n\n"
        "`~ NgrokTrafficPolicy shop/orders` changed\n\n"
        "| field | before | after |\n|---|---|---|\n"
        "| spec.policy.on\\_http\\_request\\[name=limit per client\\].actions\\[0\\].config.capacity | 300 | 200 |\n\n"
        "</details>\n"
    )


@pytest.mark.parametrize("most", [200, 400, 700, 1000, 2000, 5000, 20_000, "github", "gitlab"])
def test_a_comment_is_never_longer_than_its_forge_takes(repo, cli, most):
    first = repo.git("commit-tree", "-m", "empty", repo.git("mktree"))
    done = cli("diff", first, "HEAD", "--format", "markdown", "--limit", most, cwd=repo.root)
    number = {"github": 65_536, "gitlab": 1_000_000}.get(most, most)
    size = len(done.out.encode())
    assert size <= number
    assert done.out.startswith("## Changes from")
    assert ("Cut off" in done.out) is (most != "gitlab")
    assert done.out.count("<details>") == done.out.count("</details>")
    assert done.out.count("```") % 2 == 0
    if number > 2000:
        assert "| staging |" in done.out
        assert "Api orders" in done.out


@pytest.mark.parametrize("most", ["0", "-1", "forgejo", "1.5"])
def test_a_limit_is_a_forge_or_a_number(repo, cli, most):
    done = cli("diff", "HEAD", "HEAD", "--limit", most, cwd=repo.root)
    assert (done.code, "github or gitlab or a number of bytes is expected" in done.err) == (2, True)


def test_a_page_holds_everything_and_asks_for_nothing(repo, cli):
    limit(repo, 300, 200)
    done = cli("diff", "HEAD~1", "HEAD", "--format", "html", "--out", "build/report.html", cwd=repo.root)
    assert (done.code, done.out) == (1, "")
    text = (repo.root / "build" / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "limit per client" in text
    assert "http://" not in text.replace("https://", "")
    assert "default-src &#x27;none&#x27;" in text


def test_what_a_name_holds_does_not_leave_its_place(tmp_path, cli):
    name = "</details><script>alert(1)</script> | `x` "
    value = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "```\n<b>"}}
    for file, objects in (("a.json", []), ("b.json", [value])):
        text = json.dumps({"kind": "List", "apiVersion": "v1", "items": objects})
        (tmp_path / file).write_text(text, encoding="utf-8")
    found = cli("diff", "a.json", "b.json", "--format", "markdown", cwd=tmp_path).out
    assert "````yaml" in found
    assert (
        found.count("<script>") == found.count("`+ ConfigMap </details><script>") + 1
    )  # in code, and in a block of it
    assert "<script>alert" not in cli("diff", "a.json", "b.json", "--format", "html").out


def test_two_runs_print_the_same_bytes(repo, cli):
    limit(repo, 300, 200)
    for form in ("text", "markdown", "json", "html"):
        runs = {cli("diff", "HEAD~1", "HEAD", "--format", form, cwd=repo.root).out for _ in range(2)}
        assert len(runs) == 1
