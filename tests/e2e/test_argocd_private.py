"""Argo CD gets into private repositories by the Secrets that we render, and not without them."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import TypeAdapter
from story import eventually, named

from apiops_components.documents import dump
from apiops_components.models.argo_repository import Repository
from apiops_components.models.argocd import GitOpsSpec
from apiops_components.models.secret import SecretSlot
from apiops_components.render.argo_repository import repository_object
from apiops_components.render.argocd import gitops_objects
from apiops_components.sandbox.plan import HOST

pytestmark = pytest.mark.e2e

PASSWORD = "sentinel-password"  # noqa: S105  (of the forge below)
TOKEN = "sentinel-token"  # noqa: S105


class Forge(BaseHTTPRequestHandler):
    """Git over https; the first part of the path says what it asks for."""

    protocol_version = "HTTP/1.1"
    repository = ""

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def log_message(self, *_):
        pass

    def let_in(self):
        given = self.headers.get("Authorization", "")
        basic = base64.b64encode(f"argocd:{PASSWORD}".encode()).decode()
        return {
            "basic": given == f"Basic {basic}",
            "token": given == f"Bearer {TOKEN}",
            "certificate": given == f"Basic {basic}" and bool(self.connection.getpeercert()),
        }[self.path.split("/")[1]]

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.let_in():
            self.send(401, [("WWW-Authenticate", "Basic")], b"")
            return
        path, _, query = self.path.partition("?")
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": self.repository,
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": "/" + path.split("/", 2)[2],
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self.send(status, [header for header in headers if header[0] != "Status"], content)

    def send(self, status, headers, content):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture(scope="module")
def forge(judge, tmp_path_factory):
    """Its address; Argo CD trusts its certificate."""
    folder = tmp_path_factory.mktemp("forge")
    work = folder / "apis.git"
    for name in ("basic", "token", "certificate"):
        (work / name).mkdir(parents=True)
        (work / name / "config.yaml").write_text(dump(delivered(name)))
    for command in (("init", "--initial-branch=main"), ("add", "."), ("commit", "--message=All")):
        identity = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
        subprocess.run(["git", *identity, *command], cwd=work, check=True, capture_output=True)
    own = judge.folder.certificates
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own / "kube-apiserver.crt", own / "kube-apiserver.key")
    context.load_verify_locations(own / "ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    trusted = judge.folder.root / "argocd" / "tls"
    trusted.mkdir(parents=True, exist_ok=True)
    (trusted / HOST).write_bytes((own / "ca.crt").read_bytes())
    handler = type("OneForge", (Forge,), {"repository": str(folder)})
    server = ThreadingHTTPServer((HOST, 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://{HOST}:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def delivered(name):
    return {**named("v1", "ConfigMap", f"from-{name}"), "data": {"said-by": "git"}}


def certificates(judge):
    own = judge.folder.certificates
    return {"crt": (own / "admin.crt").read_text(), "key": (own / "admin.key").read_text()}


BASIC = {"kind": "basic", "username": "argocd", "password": "password"}


@pytest.mark.parametrize(
    ("place", "credential", "template"),
    [
        ("basic", BASIC, False),
        ("basic", BASIC, True),
        ("token", {"kind": "token", "token": "token"}, False),
        ("certificate", {**BASIC, "client_certificate": {"certificate": "crt", "private_key": "key"}}, False),
    ],
    ids=["basic", "a template", "token", "certificate"],
)
def test_a_private_repository_is_read_with_its_secret_alone(judge, forge, place, credential, template):
    cluster = judge.cluster()
    url = f"{forge}/{place}/apis.git"
    settings = {"team": "private", "namespaces": ["shop"], "repository": url, "path": place, "retry": {"limit": 0}}
    made = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        *gitops_objects(GitOpsSpec.model_validate(settings)),
    ]
    application = made[-1]
    for item in made:
        cluster.apply(item)

    def refused():
        return "ComparisonError" in str(cluster.get(application).get("status", {}).get("conditions"))

    eventually(refused)
    assert cluster.get(delivered(place)) is None
    given = {**credential, "url": f"{forge}/{place}" if template else url, "template": template}
    secret = repository_object(TypeAdapter(Repository).validate_python(given), "argocd")
    values = {"password": PASSWORD, "token": TOKEN, **certificates(judge)}
    secret["stringData"] = {
        key: values[value.name] if isinstance(value, SecretSlot) else value
        for key, value in secret["stringData"].items()
    }
    cluster.apply(secret)
    cluster.merge(application, {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}})
    try:
        eventually(lambda: cluster.get(delivered(place)))
    finally:
        cluster.delete(secret)
        cluster.delete(application)
        eventually(lambda: cluster.get(application) is None)
