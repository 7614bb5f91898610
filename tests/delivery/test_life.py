"""The life of an API, in a repository of its own: what each person sees at each step stands in ``expected/life``.

``make expected`` writes the files anew; the difference is then read as a reviewer would.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

EXPECTED = Path(__file__).with_name("expected") / "life"
SHOP = "stacks/teams/shop/describe.py"
STAGING, PROD = "deploy/staging", "deploy/prod"

RETURNS = '''

def returns(*, issuer: str) -> ApiSpec:
    """Goods that come back."""
    token = JwtValidation.bearer(issuer=issuer, jwks=f"{issuer}/.well-known/jwks.json")
    limit = RateLimit(name="returns", capacity=120, rate="60s", bucket_key=("conn.client_ip",))
    return ApiSpec(
        name="returns",
        routes=(Route.prefix("/returns", Backend.to("orders", 80)),),
        policy=TrafficPolicy(
            on_http_request=(
                Rule(name="token", actions=(token,)),
                Rule(name="limit per client", actions=(limit,)),
            ),
        ),
    )
'''


class Story:
    """What is said, step by step; hashes by the order in which they come up."""

    def __init__(self, repo, cli):
        self.repo, self.cli, self.seen = repo, cli, {}

    def stable(self, text):
        def name(found):
            whole = next((known for known in self.seen if known.startswith(found[0])), found[0])
            return self.seen.setdefault(whole, f"<commit {len(self.seen) + 1}>")

        text = re.sub(r"sha256:[0-9a-f]{64}", "<digest>", text)
        return re.sub(r"\b([0-9a-f]{40}|[0-9a-f]{12})\b", name, text)

    def says(self, step, *arguments, code):
        done = self.cli(*arguments, cwd=self.repo.root)
        assert done.code == code, done.err
        words = " ".join(str(word) for word in arguments).replace(str(self.repo.root.parent), "…")
        text = f"$ apiopsctl {words}\n{done.out}"
        if done.err:
            text += f"--- stderr\n{done.err}"
        same(f"{step}.txt", self.stable(f"{text}--- exit {done.code}\n"))
        return done

    def change(self, message, *pairs):
        self.repo.change(SHOP, *pairs)
        assert self.cli("render", "--env", "staging", "--out", STAGING, cwd=self.repo.root).code == 0
        return self.repo.commit(message)


def same(name, text):
    file = EXPECTED / name
    if os.environ.get("UPDATE_EXPECTED"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), f"make expected, then read the difference of {file.name}"


@pytest.fixture
def story(repo, cli):
    made = Story(repo, cli)
    assert cli("render", "--env", "staging", "--out", STAGING, cwd=repo.root).code == 0
    repo.commit("Deliver staging")
    digest = cli("promote", "staging", "prod", "--format", "json").json()["digest"]
    assert cli("promote", "staging", "prod", "--apply", "--approved-digest", digest).code == 0
    return made


def test_the_life_of_an_api(story, server, kubeconfig):
    repo, before = story.repo, story.repo.head
    preview = ("preview", "--env", "staging", "--format", "markdown", "--base")

    # Added: the author's change, as its reviewer sees it.
    apis = 'apis=(guestbook(), orders(issuer=environment.variable(TEAM, "issuer")))'
    more = apis[:-1] + ', returns(issuer=environment.variable(TEAM, "issuer")))'
    repo.change(SHOP, (apis, more))
    (repo.root / SHOP).write_text((repo.root / SHOP).read_text(encoding="utf-8") + RETURNS, encoding="utf-8")
    story.says("1-added", *preview, "main", code=0)
    story.change("Take goods back", ("Goods that come back.", "Goods that came back."))

    # Limited, and changed.
    story.change("Fewer returns", ("capacity=120", "capacity=60"))
    story.says("2-limited", "diff", "HEAD~1", "HEAD", "--env", "staging", code=1)
    story.change("Another path", ('Route.prefix("/returns"', 'Route.prefix("/v2/returns"'))
    story.says("3-changed", "diff", "HEAD~1:deploy/staging", "deploy/staging", code=1)

    # Refused: nobody may come in without a token.
    rule = '                Rule(name="token", actions=(token,)),\n                Rule(name="limit'
    repo.change(SHOP, (rule, '                Rule(name="limit'))
    story.says("4-refused", *preview, "main", code=1)
    assert story.cli("check", "--env", "staging", cwd=repo.root).code == 1
    repo.git("checkout", "--quiet", "--", SHOP)

    # Approved and promoted: what was looked at, and nothing else.
    plan = story.says("5-approved", "promote", "staging", "prod", code=0)
    digest = re.search(r"sha256:[0-9a-f]{64}", plan.out)[0]
    story.says("6-promoted", "promote", "staging", "prod", "--apply", "--approved-digest", digest, code=0)
    check = ("render", "--env", "prod", "--out", PROD, "--check", "--base", "HEAD~1")
    story.says("7-checked", *check, code=0)
    promoted, tree = repo.head, repo.files(PROD)
    for path in sorted(path for path in tree if "returns" in path):
        same(f"prod/{path}", tree[path].decode())
    assert repo.git("status", "--porcelain") == ""

    # Drifted: somebody raised the limit in the cluster.
    for path in tree:
        if path.endswith(".yaml"):
            server.apply(yaml.safe_load(tree[path]))
    drift = ("drift", "--env", "prod", "--kubeconfig", kubeconfig)
    assert story.cli(*drift, cwd=repo.root).code == 0
    policy = server.objects["NgrokTrafficPolicy", "shop", "returns"]["spec"]["policy"]
    policy["on_http_request"][0]["actions"][0]["config"]["capacity"] = 60_000
    story.says("8-drifted", *drift, code=1)

    # Rolled back: as if it had never been, and in the history for ever.
    story.says("9-rolled-back", "rollback", "--env", "prod", "--to", before, "--apply", code=0)
    assert repo.git("rev-parse", f"HEAD:{PROD}") == repo.git("rev-parse", f"{before}:{PROD}")
    assert repo.git("rev-parse", "HEAD~1") == promoted
    assert story.cli(*check, cwd=repo.root).code == 0
