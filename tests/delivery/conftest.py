from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

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


# --- an API server, as far as it is asked here ------------------------------------------------------------------------

KINDS = {
    "v1": [("configmaps", "ConfigMap"), ("services", "Service"), ("serviceaccounts", "ServiceAccount")],
    "apps/v1": [("deployments", "Deployment"), ("replicasets", "ReplicaSet")],
    "autoscaling/v2": [("horizontalpodautoscalers", "HorizontalPodAutoscaler")],
    "gateway.networking.k8s.io/v1": [("gateways", "Gateway"), ("httproutes", "HTTPRoute")],
    "networking.k8s.io/v1": [("networkpolicies", "NetworkPolicy")],
    "ngrok.k8s.ngrok.com/v1alpha1": [("ngroktrafficpolicies", "NgrokTrafficPolicy")],
    "policy/v1": [("poddisruptionbudgets", "PodDisruptionBudget")],
    "argoproj.io/v1alpha1": [("applications", "Application")],
}


def merged(live, wanted):
    """What a forced apply leaves: what is wanted, and what else was there."""
    if isinstance(live, dict) and isinstance(wanted, dict):
        return {**live, **{key: merged(live.get(key), value) for key, value in wanted.items()}}
    return copy.deepcopy(wanted)


class ApiServer:
    def __init__(self):
        self.objects, self.faults, self.seen = {}, [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def answer(self, status, body, kind="application/json"):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                self.do("GET")

            def do_PATCH(self):
                self.do("PATCH")

            def do(self, method):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.seen.append((method, self.path, self.headers.get("Authorization")))
                if outer.faults:
                    fault = outer.faults.pop(0)
                    if fault is not None:
                        return self.answer(*fault)
                return self.answer(*outer.respond(method, self.path, body))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def respond(self, method, path, body):
        url = urlsplit(path)
        parts = url.path.strip("/").split("/")
        version = parts[1] if parts[0] == "api" else "/".join(parts[1:3])
        rest = parts[2 if parts[0] == "api" else 3 :]
        kinds = KINDS.get(version)
        if kinds is None:
            return 404, {"message": "unknown group"}
        if not rest:
            return 200, {"resources": [{"name": n, "kind": k, "namespaced": True} for n, k in kinds]}
        namespace, plural, name = rest[1], rest[2], rest[3] if len(rest) > 3 else None
        kind = dict(kinds)[plural]
        key = (kind, namespace, name)
        if name is None:
            items = [o for (k, n, _), o in self.objects.items() if (k, n) == (kind, namespace)]
            label = parse_qs(url.query).get("labelSelector")
            if label:
                name_, _, value = label[0].partition("=")
                items = [o for o in items if (o["metadata"].get("labels") or {}).get(name_) == value]
            return 200, {"items": items, "metadata": {}}
        if key not in self.objects:
            return 404, {"message": "not found"}
        if method == "GET":
            return 200, self.objects[key]
        query = parse_qs(url.query)
        assert query["dryRun"] == ["All"], "nothing may be changed"
        wanted = json.loads(body)
        selector = wanted.get("spec", {}).get("selector") if kind == "Deployment" else None
        if selector and selector != self.objects[key]["spec"]["selector"]:
            return 422, {"message": "spec.selector: Invalid value: field is immutable", "reason": "Invalid"}
        return 200, merged(self.objects[key], wanted)

    def apply(self, value, manager="argocd-controller", owned=None):
        metadata = {
            **value["metadata"],
            "uid": "1",
            "resourceVersion": "7",
            "creationTimestamp": "now",
            "generation": 3,
        }
        entry = {"manager": manager, "operation": "Apply", "fieldsV1": owned or fields(value)}
        live = {**copy.deepcopy(value), "metadata": {**metadata, "managedFields": [entry]}, "status": {"x": 1}}
        self.objects[value["kind"], metadata["namespace"], metadata["name"]] = live
        return live


def fields(value):
    return {f"f:{key}": fields(item) if isinstance(item, dict) else {} for key, item in value.items()}


@pytest.fixture
def server():
    made = ApiServer()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def kubeconfig(server, config, tmp_path):
    return config(tmp_path / "kubeconfig", server.address)


@pytest.fixture
def config():
    """Writes a kubeconfig for an address."""
    return write_config


def write_config(file, address, user=None):
    value = {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "users": [{"name": "u", "user": user or {"token": "sentinel-token"}}],
    }
    file.write_text(yaml.safe_dump(value), encoding="utf-8")
    return file
