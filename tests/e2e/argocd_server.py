"""Argo CD's own programs as judges: its command line, and its API server in front of a sandbox."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import time
from contextlib import contextmanager

import urllib3
from story import eventually, named

from apiops_components.models.argocd import GitOpsSpec, Rbac
from apiops_components.render.argocd import gitops_objects, policy_csv
from apiops_components.sandbox.plan import HOST
from apiops_components.sandbox.probes import free_ports

ACCOUNT = "person"
ARGO = "argoproj.io/v1alpha1"
DEVELOPERS = "cn=developers, dc=acme"
RBAC = Rbac.model_validate(
    {
        "grants": [
            {"role": "release", "resource": "applications", "action": "sync", "object": "shop/*"},
            {"role": "release", "resource": "applications", "action": "action/apps/Deployment/restart"},
            {"role": "release", "resource": "exec", "action": "create", "effect": "deny"},
            {"role": "people", "resource": "accounts", "action": "update"},
            {"role": "people", "resource": "projects"},
            {"role": "people", "resource": "clusters"},
            {"role": "people", "resource": "gpgkeys", "action": "*"},
        ],
        "bindings": [
            {"group": "cn=release, dc=acme", "role": "release"},
            {"group": "platform", "role": "admin"},
            {"group": "auditors", "role": "readonly"},
        ],
    }
)


class RefusedError(Exception):
    """The server said no."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status


class Server:
    """Argo CD's API server, as somebody with some groups sees it."""

    def __init__(self, address, key):
        self.address = address
        self.key = key
        self.http = urllib3.PoolManager(retries=False)

    def ask(self, method, path, body=None, groups=()):
        headers = {"Authorization": f"Bearer {self.token(groups)}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        answer = self.http.request(method, f"{self.address}/api/v1/{path}", headers=headers, body=content, timeout=60)
        if answer.status != 200:
            raise RefusedError(answer.status, answer.data.decode())
        return json.loads(answer.data)

    def token(self, groups):
        """What a person holds after log-in, with what the provider says of their groups."""
        now = int(time.time())
        claims = {"iss": "argocd", "sub": f"{ACCOUNT}:login", "iat": now, "nbf": now, "exp": now + 3600, "jti": "e2e"}
        parts = [{"alg": "HS256", "typ": "JWT"}, {**claims, "groups": list(groups)}]
        text = b".".join(_base64(json.dumps(part).encode()) for part in parts)
        return b".".join((text, _base64(hmac.digest(self.key, text, hashlib.sha256)))).decode()


def _base64(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def argocd(sandbox, *arguments, code=0, given=None):
    """What Argo CD's command line says."""
    state = sandbox.required()
    done = subprocess.run(
        [state.programs["argocd"], *map(str, arguments)],
        env={**os.environ, "KUBECONFIG": str(sandbox.folder.kubeconfig), "ARGOCD_BINARY_NAME": "argocd"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + (done.stderr if code else "")


@contextmanager
def serving(sandbox):
    """The API server with our policy and two teams, for as long as it is asked."""
    state, folder, cluster = sandbox.required(), sandbox.folder, sandbox.cluster()
    cluster.merge(named("v1", "ConfigMap", "argocd-cm", "argocd"), {"data": {f"accounts.{ACCOUNT}": "login"}})
    policy = {"policy.csv": policy_csv(RBAC), "policy.default": ""}
    cluster.merge(named("v1", "ConfigMap", "argocd-rbac-cm", "argocd"), {"data": policy})
    for name in ("shop", "billing"):
        for item in gitops_objects(team(sandbox, name)):
            cluster.apply(item)
    ports = free_ports(("server", "metrics"))
    own = folder.root / "argocd"
    command = [
        state.programs["argocd"],
        f"--kubeconfig={folder.kubeconfig}",
        "--namespace=argocd",
        "--insecure",
        f"--address={HOST}",
        f"--port={ports['server']}",
        f"--metrics-address={HOST}",
        f"--metrics-port={ports['metrics']}",
        f"--repo-server={HOST}:{state.ports['argocd-repo-server']}",
        "--repo-server-plaintext",
        f"--redis={HOST}:{state.ports['redis']}",
    ]
    environment = {
        **os.environ,
        "ARGOCD_BINARY_NAME": "argocd-server",
        "ARGOCD_FAKE_IN_CLUSTER": "true",
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_TLS_DATA_PATH": str(own / "tls"),
        "ARGOCD_SSH_DATA_PATH": str(own / "ssh"),
        "KUBECONFIG": str(folder.kubeconfig),
        "REDIS_CREDS_DIR_PATH": str(folder.redis),
    }
    with (folder.logs / "argocd-server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        server = Server(f"http://{HOST}:{ports['server']}", _key(sandbox))
        eventually(lambda: _answers(server))
        yield server
    finally:
        process.kill()
        process.wait()


def _key(sandbox):
    secret = sandbox.cluster().get(named("v1", "Secret", "argocd-secret", "argocd"))
    return base64.b64decode(secret["data"]["server.secretkey"])


def _answers(server):
    try:
        # It answers before it has read the policy.
        return server.ask("GET", "account/can-i/clusters/create/all", groups=["platform"])["value"] == "yes"
    except (urllib3.exceptions.HTTPError, RefusedError):
        return False


def team(judge, name, **changes):
    return GitOpsSpec.model_validate(
        {
            "team": name,
            "namespaces": [name],
            "repository": judge.folder.repository.as_uri(),
            "path": f"deploy/sandbox/{name}",
            "groups": [DEVELOPERS if name == "shop" else "cn=billing, dc=acme"],
            **changes,
        }
    )
