"""Stands in for ngrok on this machine: what the operator asks of ngrok's API, and what its agents say to ngrok's edge.

The API keeps what it is given under an id. The edge speaks as much of the agents' protocol as keeps them connected:
streams of JSON over TLS, each frame with a header of eight bytes.
"""

from __future__ import annotations

import contextlib
import json
import socketserver
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

AUTH, BIND, UNBIND, LABEL, INFO, HEARTBEAT = 0, 1, 2, 7, 8, 0xFFFFFFFF
FIN, SYN = 1, 2


class Cloud:
    """One account at ngrok: ``objects`` by collection and id, the ``calls`` made, and the ``bound`` URLs of agents."""

    def __init__(self, folder: Path) -> None:
        self.objects: dict[str, dict[str, dict]] = {}
        self.calls: list[tuple[str, str]] = []
        self.bound: dict[str, list[dict]] = {}
        self.bindings = 0
        self.sessions: list[dict] = []
        self.lock = threading.Lock()
        self.trust = folder / "trust"
        certificate = _certificate(folder, self.trust)
        self._api = ThreadingHTTPServer(("127.0.0.1", 0), _Api)
        self._edge = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Edge)
        self._edge.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._edge.tls.load_cert_chain(certificate)
        for server in (self._api, self._edge):
            server.cloud = self
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.api = f"http://127.0.0.1:{self._api.server_address[1]}"
        self.edge = f"127.0.0.1:{self._edge.server_address[1]}"

    def close(self) -> None:
        for server in (self._api, self._edge):
            server.shutdown()
            server.server_close()


class _Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        cloud = self.server.cloud
        length = int(self.headers.get("content-length") or 0)
        given = json.loads(self.rfile.read(length) or b"{}")
        collection, _, identity = self.path.partition("?")[0].strip("/").partition("/")
        with cloud.lock:
            cloud.calls.append((self.command, self.path))
            kept = cloud.objects.setdefault(collection, {})
            status, body = self._kept(kept, collection, identity, given)
        content = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _kept(self, kept, collection, identity, given):
        uri = f"{self.server.cloud.api}/{collection}"
        if not identity and self.command == "POST":
            identity = f"{collection}_{len(self.server.cloud.calls)}"
            kept[identity] = {**given, "id": identity, "uri": f"{uri}/{identity}"}
            return 201, kept[identity]
        if not identity:
            return 200, {collection: list(kept.values()), "uri": uri, "next_page_uri": None}
        if identity not in kept:
            return 404, {"error_code": "ERR_NGROK_404", "status_code": 404, "msg": "not found", "details": {}}
        if self.command == "DELETE":
            del kept[identity]
            return 204, None
        if self.command == "PATCH":
            kept[identity] |= given
        return 200, kept[identity]

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815  (names that the library asks for)

    def log_message(self, *_args) -> None:
        pass


class _Edge(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.kinds: dict[int, int] = {}
        self.rest: dict[int, bytes] = {}
        with (
            contextlib.suppress(OSError),  # an agent that ends takes its connection with it
            self.server.tls.wrap_socket(self.request, server_side=True) as self.agent,
            self.agent.makefile("rb") as self.stream,
        ):
            while self._frame():
                pass
        cloud = self.server.cloud
        with cloud.lock:  # with its connection goes what an agent served
            for url, agents in cloud.bound.items():
                cloud.bound[url] = [agent for agent in agents if agent["session"] is not self]

    def _frame(self) -> bool:
        head = self.stream.read(8)
        if len(head) < 8:
            return False
        length, kind, number = int.from_bytes(head[:3], "big"), head[3], int.from_bytes(head[4:], "big")
        body = self.stream.read(length)
        if kind >> 4 != 1:  # resets and windows
            return kind >> 4 != 3
        data = self.rest.pop(number, b"") + body
        if number not in self.kinds:
            if len(data) < 4:
                self.rest[number] = data
                return True
            self.kinds[number], data = int.from_bytes(data[:4], "big"), data[4:]
        if self.kinds[number] == HEARTBEAT:
            if data:
                self._send(number, data)
            return True
        if not data.endswith(b"\n"):
            self.rest[number] = data
            return True
        self._send(number, json.dumps(self._answer(self.kinds[number], json.loads(data))).encode(), FIN)
        return True

    def _answer(self, kind: int, asked: dict) -> dict:
        cloud = self.server.cloud
        with cloud.lock:
            if kind == AUTH:
                cloud.sessions.append(asked["Extra"])
                return {"Version": "3", "ClientId": f"client{len(cloud.sessions)}", "Extra": {"Region": "test"}}
            if kind == BIND:
                url = (asked["Opts"] or {}).get("URL", "")
                cloud.bindings += 1
                number = f"bind{cloud.bindings}"
                cloud.bound.setdefault(url, []).append({**asked, "number": number, "session": self})
                return {"Id": number, "URL": url, "Proto": asked["Proto"], "Opts": asked["Opts"], "Extra": {}}
            if kind == UNBIND:
                for url in list(cloud.bound):
                    cloud.bound[url] = [item for item in cloud.bound[url] if item["number"] != asked["Id"]]
                return {}
            return {"Error": f"no answer to {kind}"}

    def _send(self, number: int, data: bytes, flags: int = 0) -> None:
        self.agent.sendall(len(data).to_bytes(3, "big") + bytes([1 << 4 | flags]) + number.to_bytes(4, "big") + data)


def _certificate(folder: Path, trust: Path) -> Path:
    """Key and certificate in one file; the certificate also where the operator's image keeps whom it trusts."""
    folder.mkdir(parents=True, exist_ok=True)
    (trust / "ngrok").mkdir(parents=True)
    both = folder / "edge.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]
    command += ["-subj", "/CN=edge", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(both)]
    done = subprocess.run(command, check=True, capture_output=True)
    (trust / "ngrok/edge.crt").write_bytes(done.stdout)
    both.write_bytes(both.read_bytes() + done.stdout)
    return both
