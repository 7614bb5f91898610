"""A kept token through its life on the real `pulumi` program: made, unchanged, given a new date, destroyed.

No provider of GitLab's is needed: the engine is attached to one in this process, which keeps tokens, variables and
Secrets in memory, and replaces a token for any change as the real one does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

pytestmark = pytest.mark.engine

TOKEN = "gitlab:index/userImpersonationToken:UserImpersonationToken"  # noqa: S105  (a type)
ADMINISTRATOR = "glpat-administrator-0000"
PROGRAM = """\
import json
from pathlib import Path

import pulumi

from apiops_components import GitLabToken

spec = json.loads(Path(__file__).with_name("spec.json").read_text())
if spec:
    administrator = pulumi.Config("apiops").require_secret("gitlab-administrator")
    token = GitLabToken("git", spec, secrets={"gitlab-administrator": administrator})
    pulumi.export("token", token.token)
"""
SPEC = {
    "url": "https://gitlab.example.com",
    "administrator": "gitlab-administrator",
    "user_id": 42,
    "name": "argocd",
    "scopes": ["read_repository"],
    "expires": "2027-03-31",
    "repository": {"url": "https://gitlab.example.com/platform/apis.git"},
    "variable": {"project": "platform/apis", "key": "TOKEN"},
}


class InMemory(provider_pb2_grpc.ResourceProviderServicer):
    """Two providers in one: what they were asked for, in order."""

    def __init__(self):
        self.done = []
        self.tokens = 0
        self.administrator = None

    def Handshake(self, request, context):  # noqa: ARG002, N802
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "an older protocol will do")

    def Attach(self, request, context):  # noqa: ARG002, N802
        return empty_pb2.Empty()

    def GetPluginInfo(self, request, context):  # noqa: ARG002, N802
        return plugin_pb2.PluginInfo(version="10.4.0")

    def CheckConfig(self, request, context):  # noqa: ARG002, N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request, context):  # noqa: ARG002, N802
        return provider_pb2.DiffResponse()

    def Configure(self, request, context):  # noqa: ARG002, N802
        self.administrator = request.variables.get("gitlab:config:token", self.administrator)
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True)

    def Check(self, request, context):  # noqa: ARG002, N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request, context):  # noqa: ARG002, N802
        old, new = (json_format.MessageToDict(part) for part in (request.old_inputs, request.news))
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        some = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        replaces = changed if TOKEN in request.urn else []
        return provider_pb2.DiffResponse(changes=some, replaces=replaces, diffs=changed)

    def Create(self, request, context):  # noqa: ARG002, N802
        made = request.properties
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=made)
        identifier = request.urn.rpartition("::")[2]
        if TOKEN in request.urn:
            self.tokens += 1
            identifier = f"42:{self.tokens}"
            made["token"] = f"glpat-made-{self.tokens:04}"
        self.done.append(("create", identifier, held(made)))
        return provider_pb2.CreateResponse(id=identifier, properties=made)

    def Update(self, request, context):  # noqa: ARG002, N802
        if not request.preview:
            self.done.append(("update", request.id, held(request.news)))
        return provider_pb2.UpdateResponse(properties=request.news)

    def Delete(self, request, context):  # noqa: ARG002, N802
        self.done.append(("delete", request.id, held(request.properties)))
        return empty_pb2.Empty()

    def Cancel(self, request, context):  # noqa: ARG002, N802
        return empty_pb2.Empty()

    def take(self):
        done, self.done = self.done, []
        return done


def held(properties):
    """The token that something holds."""
    values = json_format.MessageToDict(properties)
    return values.get("token") or values.get("value") or values["stringData"]["password"]


@pytest.fixture
def memory():
    servicer = InMemory()
    server = grpc.server(ThreadPoolExecutor(8))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    servicer.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer
    server.stop(None).wait(5)


class Stack:
    def __init__(self, folder, port):
        self.folder = folder / "project"
        self.folder.mkdir()
        (folder / "state").mkdir()
        (self.folder / ".venv").symlink_to(sys.prefix)
        (self.folder / "__main__.py").write_text(PROGRAM)
        (self.folder / "Pulumi.yaml").write_text(
            "name: tokens\nruntime: {name: python, options: {virtualenv: .venv}}\n"
        )
        self.environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "engine tests",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DEBUG_PROVIDERS": f"gitlab:{port},kubernetes:{port}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.spec(SPEC)
        self.run("stack", "init", "test")
        self.run("config", "set", "--secret", "apiops:gitlab-administrator", given=ADMINISTRATOR)

    def spec(self, spec):
        (self.folder / "spec.json").write_text(json.dumps(spec))

    def run(self, *arguments, given=None):
        done = subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.folder,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"pulumi {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        assert "glpat" not in done.stdout + done.stderr
        return done.stdout

    def states(self):
        return [file.read_text() for file in self.folder.parent.glob("state/**/*.json*") if file.is_file()]


@pytest.fixture
def stack(tmp_path, memory):
    if shutil.which("pulumi") is None:
        pytest.skip("the pulumi program is not on PATH")
    return Stack(tmp_path, memory.port)


SECRET, VARIABLE = "git-secret-repository-d30114dfa9", "git-variable"


def test_its_life(stack, memory):
    stack.run("up", "--yes", "--skip-preview")
    first, *holders = memory.take()
    assert first == ("create", "42:1", "glpat-made-0001")
    assert sorted(holders) == [("create", SECRET, "glpat-made-0001"), ("create", VARIABLE, "glpat-made-0001")]
    assert memory.administrator == ADMINISTRATOR

    stack.run("preview", "--diff", "--expect-no-changes")
    stack.run("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert memory.take() == []

    stack.spec({**SPEC, "expires": "2027-06-30"})
    shown = stack.run("preview", "--diff")
    assert all(text in shown for text in ("2027-03-31", "2027-06-30", "2 to update", "1 to replace"))
    assert memory.take() == []
    stack.run("up", "--yes", "--skip-preview")
    created, *moved, deleted = memory.take()
    assert created == ("create", "42:2", "glpat-made-0002")
    assert sorted(moved) == [("update", SECRET, "glpat-made-0002"), ("update", VARIABLE, "glpat-made-0002")]
    assert deleted == ("delete", "42:1", "glpat-made-0001")

    assert "[secret]" in stack.run("stack", "output")
    assert len(stack.states()) > 1
    assert not [state for state in stack.states() if "glpat" in state]
    exported = json.loads(stack.run("stack", "export"))["deployment"]["resources"]
    (token,) = (resource for resource in exported if resource["type"] == TOKEN)
    assert "ciphertext" in token["outputs"]["token"]

    stack.run("destroy", "--yes", "--skip-preview")
    *before, last = memory.take()
    assert last == ("delete", "42:2", "glpat-made-0002")
    assert sorted(before) == [("delete", SECRET, "glpat-made-0002"), ("delete", VARIABLE, "glpat-made-0002")]


def test_one_that_leaves_the_program_is_revoked(stack, memory):
    stack.run("up", "--yes", "--skip-preview")
    memory.take()
    stack.spec(None)
    stack.run("up", "--yes", "--skip-preview")
    assert memory.take()[-1] == ("delete", "42:1", "glpat-made-0001")
