"""The semantic difference of 1,000 routes, and the plan of a promotion, beside `git diff` of the same trees.

`git diff` compares lines and renders nothing; it is there to say what the machine does in the same run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROUTES = 1_000
BUDGET = 10.0
PERSON = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
MORE = f"""
    from apiops_components import RateLimit, Rule, TrafficPolicy
    extra = tuple(
        ApiSpec(
            name=f"extra-{{n}}",
            routes=(Route.prefix(f"/extra-{{n}}", Backend.to("orders", 80)),),
            policy=TrafficPolicy(on_http_request=(Rule(actions=(
                RateLimit(name="x", capacity=CAPACITY, rate="60s", bucket_key=("conn.client_ip",)),)),)),
        )
        for n in range({ROUTES})
    )
    gateway = gateway.model_copy(update={{"apis": (*gateway.apis, *extra)}})
"""


def run(*command: str, cwd: Path) -> tuple[float, str]:
    """Seconds, and what it printed; a difference is no failure."""
    env = {**os.environ, **PERSON, "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    assert done.returncode in (0, 1), done.stderr
    return seconds, done.stdout


def ctl(*arguments: str, cwd: Path) -> tuple[float, str]:
    return run(sys.executable, "-c", "from apiops_components.cli import main; main()", *arguments, cwd=cwd)


def main() -> int:
    with tempfile.TemporaryDirectory() as made:
        repo = Path(made)
        shutil.copytree(ROOT / "stacks", repo / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Pulumi.yaml", repo)
        shop = repo / "stacks/teams/shop/describe.py"
        end = "    return Description(environment=environment, team=TEAM"
        text = shop.read_text(encoding="utf-8").replace(end, MORE + end)
        run("git", "init", "--quiet", cwd=repo)
        for capacity in (100, 200):
            shop.write_text(text.replace("CAPACITY", str(capacity)), encoding="utf-8")
            ctl("render", "--env", "staging", "--out", "deploy/staging", cwd=repo)
            run("git", "add", "--all", cwd=repo)
            run("git", "commit", "--quiet", "--message", str(capacity), cwd=repo)
        described, text = ctl("diff", "HEAD~1", "HEAD", "--env", "staging", cwd=repo)
        assert f"{ROUTES:,}".replace(",", "") in text.splitlines()[0], text[:200]
        folders, _ = ctl("diff", "HEAD~1:deploy/staging", "deploy/staging", cwd=repo)
        planned, _ = ctl("promote", "staging", "prod", cwd=repo)
        lines, _ = run("git", "diff", "HEAD~1", "HEAD", cwd=repo)
    print(f"diff of two revisions, rendered anew   {described:6.2f} s   budget {BUDGET:.0f} s")
    print(f"diff of two rendered trees             {folders:6.2f} s")
    print(f"plan of a promotion                    {planned:6.2f} s")
    print(f"git diff of the same trees             {lines:6.2f} s")
    return 0 if described <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
