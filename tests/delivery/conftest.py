from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from apiops_components.cli import main

ROOT = Path(__file__).parents[2]
PERSON = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


@pytest.fixture
def cli(capsys, monkeypatch):
    """Runs a command in this process: code, stdout, stderr."""

    def run(*arguments, cwd=None):
        if cwd is not None:
            monkeypatch.chdir(cwd)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return SimpleNamespace(code=ended.value.code, out=out, err=err, json=lambda: json.loads(out))

    return run


@dataclass
class Repo:
    """A repository on branch main with the example platform."""

    root: Path

    def git(self, *arguments, check=True):
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, message="change"):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.head

    @property
    def head(self):
        return self.git("rev-parse", "HEAD")

    def change(self, file, *pairs):
        path = self.root / file
        text = path.read_text(encoding="utf-8")
        for old, new in pairs:
            assert old in text, (old, file)
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")

    def files(self, folder="."):
        base = self.root / folder
        found = sorted(f for f in base.rglob("*") if f.is_file() and ".git" not in f.relative_to(base).parts)
        return {str(f.relative_to(base)): f.read_bytes() for f in found}

    def index(self, env):
        return json.loads((self.root / "deploy" / env / "index.json").read_text(encoding="utf-8"))


@pytest.fixture
def person(monkeypatch):
    for name, value in PERSON.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def repo(tmp_path, person):  # noqa: ARG001
    """The example platform in a repository of its own, one commit."""
    root = tmp_path / "repo"
    shutil.copytree(ROOT / "stacks", root / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", root)
    (root / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    made = Repo(root)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.commit("The platform")
    return made
