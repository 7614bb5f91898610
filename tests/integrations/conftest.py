"""A GitLab in a thread: the part of its documented API that is used, and every way in which it can fail."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import trustme

ADMINISTRATOR = "glpat-administrator-0000"


@dataclass
class Fault:
    """What goes wrong with the next request that it is for.

    Attributes:
        act: Gets the handler, and answers in place of the API; True lets the API answer after it.
        done: The API does what it is asked for before.
    """

    method: str
    path: str
    act: Callable[[Any], object]
    done: bool = False


@dataclass
class FakeGitLab:
    """Its state, and a record of what it was asked."""

    url: str = ""
    users: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fail(self, method, path, act, *, times=1, done=False):
        self.faults += [Fault(method, path, act, done) for _ in range(times)]

    def active(self):
        with self.lock:
            return [token for token in self.tokens if token["active"]]

    def made(self):
        return sum(seen == ("POST", "/users/7/impersonation_tokens") for seen in self.seen)

    def add_token(self, name, user=7, **more):
        number = len(self.tokens) + 1
        token = {
            "id": number,
            "name": name,
            "user_id": user,
            "revoked": False,
            "active": True,
            "impersonation": True,
            "scopes": ["read_api"],
            "created_at": "2027-01-10T10:00:00.000Z",
            "expires_at": "2027-01-12",
            **more,
        }
        self.tokens.append(token)
        return token


def answer(status, body=None, **headers):
    """An answer of this status."""

    def act(handler):
        handler.reply(status, body if body is not None else {"message": f"{status} said"}, headers)

    return act


def text(status, body, content_type="text/html"):
    def act(handler):
        handler.reply(status, body, {"Content-Type": content_type})

    return act


def close(handler):
    """Ends the connection without an answer."""
    handler.close_connection = True


def hang(handler):
    """Says nothing for as long as anybody waits."""
    handler.server.gitlab.stop.wait(20)
    handler.close_connection = True


def trickle(handler):
    """Sends a body that never ends, a byte at a time."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    with suppress(OSError):
        while not handler.server.gitlab.stop.wait(0.02):
            handler.wfile.write(b" ")
            handler.wfile.flush()
    handler.close_connection = True


def cut(handler):
    """Sends half of a body."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'[{"id": 1')
    handler.close_connection = True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body, headers=None):
        headers = dict(headers or {})
        data = body.encode() if isinstance(body, str) else b"" if status == 204 else json.dumps(body).encode()
        self.send_response(status)
        headers.setdefault("Content-Type", "application/json")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(data)

    def handle_any(self):
        gitlab = self.server.gitlab
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/api/v4")
        self.query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        self.data = json.loads(self.rfile.read(length) or b"{}")
        with gitlab.lock:
            gitlab.seen.append((self.command, path))
            gitlab.headers.append(dict(self.headers))
            match = next((f for f in gitlab.faults if f.method == self.command and re.fullmatch(f.path, path)), None)
            if match:
                gitlab.faults.remove(match)
            result = None if match and not match.done else self.api(path)
        if match:
            match.act(self)
        else:
            self.reply(*result)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

    def api(self, path):
        gitlab = self.server.gitlab
        token = self.headers.get("PRIVATE-TOKEN")
        if token != ADMINISTRATOR:
            return 401, {"message": "401 Unauthorized"}
        if path == "/user":
            return 200, {"id": 1, "username": "root", "state": "active"}
        if path == "/personal_access_tokens/self":
            return 200, {"id": 99, "name": "root's", "user_id": 1, "active": True, "expires_at": "2027-12-01"}
        if path == "/users":
            return self.page([u for u in gitlab.users if u["username"].lower() == self.query["username"].lower()])
        if match := re.fullmatch(r"/users/(\d+)/impersonation_tokens(?:/(\d+))?", path):
            return self.tokens(int(match[1]), match[2] and int(match[2]))
        if match := re.fullmatch(r"/projects/([^/]+)/merge_requests/(\d+)/notes(?:/(\d+))?", path):
            return self.notes(unquote(match[1]), int(match[2]), match[3] and int(match[3]))
        if match := re.fullmatch(r"/projects/([^/]+)/(?:repository/commits/(\w+)/statuses|statuses/(\w+))", path):
            return self.statuses(match[2] or match[3])
        return 404, {"error": "404 Not Found"}

    def tokens(self, user, number):
        gitlab = self.server.gitlab
        if all(found["id"] != user for found in gitlab.users):
            return 404, {"message": "404 User Not Found"}
        own = [token for token in gitlab.tokens if token["user_id"] == user]
        if self.command == "POST":
            made = gitlab.add_token(self.data["name"], user, scopes=self.data["scopes"])
            made["expires_at"] = self.data["expires_at"]
            return 201, {**made, "token": f"glpat-made-{made['id']:04}"}
        if self.command == "GET" and number is None:
            wanted = {"active": [True], "inactive": [False]}.get(self.query.get("state"), [True, False])
            return self.page([token for token in own if token["active"] in wanted])
        found = next((token for token in own if token["id"] == number), None)
        if found is None:
            return 404, {"message": "404 Impersonation Token Not Found"}
        if self.command == "DELETE":
            found.update(active=False, revoked=True)
            return 204, None
        return 200, found

    def notes(self, project, merge_request, number):
        gitlab = self.server.gitlab
        if (project, merge_request) != ("platform/apis", 5):
            return 404, {"message": "404 Not found"}
        if self.command == "POST":
            made = {"id": len(gitlab.notes) + 1, "system": False, "author": {"id": 1, "username": "root"}, **self.data}
            gitlab.notes.append(made)
            return 201, made
        if number is None:
            return self.page(gitlab.notes)
        note = next(note for note in gitlab.notes if note["id"] == number)
        if self.command == "DELETE":
            gitlab.notes.remove(note)
            return 204, None
        note.update(self.data)
        return 200, note

    def statuses(self, commit):
        gitlab = self.server.gitlab
        if self.command == "GET":
            return self.page([s for s in gitlab.statuses if s["name"] == self.query["name"]])
        made = {"sha": commit, "status": self.data["state"], **self.data}
        if any((s["name"], s["status"]) == (made["name"], made["status"]) for s in gitlab.statuses):
            return 400, {"message": "Cannot transition status via :run from :running"}
        gitlab.statuses[:] = [s for s in gitlab.statuses if s["name"] != made["name"]] + [made]
        return 201, made

    def page(self, items, size=3):
        number = int(self.query.get("page", 1))
        shown = items[(number - 1) * size : number * size]
        headers = {"X-Page": number, "X-Per-Page": size}
        if number * size < len(items):
            query = "&".join(f"{key}={value}" for key, value in {**self.query, "page": number + 1}.items())
            headers["Link"] = f'<https://elsewhere.example.com{urlsplit(self.path).path}?{query}>; rel="next"'
        return 200, shown, headers


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


def serve(certificate=None):
    server = Server(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    server.gitlab = FakeGitLab(url=f"{scheme}://127.0.0.1:{server.server_port}")
    server.gitlab.users += [
        {"id": 7, "username": "smoke-user", "state": "active"},
        {"id": 8, "username": "smoke-admin", "state": "active"},
        {"id": 9, "username": "gone", "state": "blocked"},
    ]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    return server, thread


def ended(server, thread):
    server.gitlab.stop.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def gitlab():
    server, thread = serve()
    yield server.gitlab
    ended(server, thread)


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture
def tls_gitlab(authority):
    server, thread = serve(authority.issue_cert("127.0.0.1"))
    yield server.gitlab
    ended(server, thread)


@pytest.fixture
def faults():
    """The ways to fail, for tests, which cannot import this file."""

    class Faults:
        answer = staticmethod(answer)
        text = staticmethod(text)
        close = staticmethod(close)
        hang = staticmethod(hang)
        trickle = staticmethod(trickle)
        cut = staticmethod(cut)

        @staticmethod
        def late(gitlab):
            """Gives no answer, and makes the token when nobody waits any more."""

            def act(handler):
                time.sleep(0.8)
                with gitlab.lock:
                    gitlab.add_token(handler.data["name"])
                close(handler)

            return act

    return Faults
