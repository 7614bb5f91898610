"""A stack of the example platform on the real `pulumi` program: state in a folder, objects rendered to another.

The Kubernetes provider writes YAML instead of reaching a cluster, so that nothing but `pulumi` and its Kubernetes
plugin is needed; where APIOPS_TEST_KUBECONFIG names a kubeconfig, the same tests run against that cluster.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "nowhere",
    "clusters": [{"name": "nowhere", "cluster": {"server": "https://127.0.0.1:9"}}],
    "users": [{"name": "nobody", "user": {"token": "sentinel-kubeconfig-token"}}],
    "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
}

# Put before a program: its provider then writes what it is given into a folder.
_RENDERED = """\
import pulumi.runtime

def _to_folder(args):
    if args.type_ == "pulumi:providers:kubernetes":
        # The provider takes either a cluster or a folder.
        kept = {{key: value for key, value in args.props.items() if key not in ("kubeconfig", "clusterIdentifier")}}
        props = {{**kept, "renderYamlToDirectory": {folder!r}}}
        return pulumi.ResourceTransformResult(props, args.opts)
    return None

pulumi.runtime.register_resource_transform(_to_folder)
"""


class Engine:
    """The `pulumi` program on a copy of this project."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.rendered = folder / "rendered"
        (folder / "state").mkdir()
        shutil.copytree(ROOT / "stacks", self.project / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Pulumi.yaml", self.project)
        (self.project / ".venv").symlink_to(Path(sys.prefix))
        given = os.environ.get("APIOPS_TEST_KUBECONFIG")
        self.kubeconfig = Path(given).read_text() if given else yaml.safe_dump(KUBECONFIG)
        self.cluster = bool(given)
        if not given:
            self.rendered.mkdir()
            for team, main in (("platform", "stacks"), ("shop", "stacks/teams/shop")):
                file = self.project / main / "__main__.py"
                text = file.read_text()
                head, docs, body = text.partition('"""\n\n')
                file.write_text(head + docs + _RENDERED.format(folder=str(self.rendered / team)) + body)
        self.environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "engine tests",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(self, *arguments: str, team: str | None = None, code: int = 0, given: str | None = None) -> str:
        """Runs `pulumi`; its output, where it ended with ``code``; with its errors, where that is not 0."""
        folder = self.project / "stacks/teams" / team if team else self.project
        done = subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=folder,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == code, f"pulumi {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr if code else done.stdout

    def preview(self, env: str, team: str | None = None) -> dict[str, dict]:
        """What `pulumi preview --json` would make: inputs and options by URN."""
        steps = json.loads(self.run("preview", "-s", env, "--json", "--show-secrets=false", team=team))["steps"]
        return {step["urn"]: step["newState"] for step in steps if step["op"] != "read"}


@pytest.fixture(scope="session")
def project():
    """Makes a project with the `pulumi` program in a folder."""
    if shutil.which("pulumi") is None:
        pytest.skip("the pulumi program is not on PATH")
    return Engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    if shutil.which("pulumi") is None:
        pytest.skip("the pulumi program is not on PATH")
    engine = Engine(tmp_path_factory.mktemp("engine"))
    for team in (None, "shop"):
        engine.run("stack", "init", "sandbox", team=team)
    engine.run("config", "set", "--secret", "apiops:kubeconfig", "-s", "sandbox", given=engine.kubeconfig)
    return engine
