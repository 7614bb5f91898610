"""A client of a Kubernetes API server: plain objects in and out, kinds looked up at the server.

Objects here are rendered manifests. The Python clients turn them into classes first and drop what those do not know,
which is just what a comparison with the server must not do; so this speaks HTTP, through urllib3.
"""

from __future__ import annotations

import base64
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import urllib3
from urllib3.util.ssl_ import create_urllib3_context

from apiops_components.documents import load_all
from apiops_components.errors import ApiOpsError, NotRunnable, Problem

__all__ = ["Cluster", "Refused", "Resource", "wait_for"]

T = TypeVar("T")
MANAGER = "apiopsctl"
"""Owner of the fields that are applied here."""


class Refused(ApiOpsError):  # noqa: N818  (the server's answer, not a failure of ours)
    """The server answered and said no.

    Attributes:
        status: HTTP status.
        reason: Such as ``NotFound``, ``Conflict``, ``Invalid``.
        message: What it said.
        causes: What it said of single fields: ``field``, ``message``, ``reason``.
    """

    def __init__(self, status: int, answer: Any, document: str) -> None:
        answer = answer if isinstance(answer, Mapping) else {"message": str(answer).strip()}
        self.status = status
        self.reason = str(answer.get("reason", ""))
        self.causes: list[Mapping[str, str]] = (answer.get("details") or {}).get("causes") or []
        self.message = str(answer.get("message") or status)
        said = f"the API server refused: {self.message}"
        super().__init__(Problem(said, code="sandbox/refused", document=document))


@dataclass(frozen=True, slots=True)
class Resource:
    """How the server serves a kind."""

    group_path: str
    plural: str
    namespaced: bool

    def path(self, namespace: str | None = None, name: str | None = None, below: str = "") -> str:
        """The path of one object, of what is below it, or of all."""
        parts = [self.group_path]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, below) if part]
        return "/".join(parts)


class Cluster:
    """An API server, reached as a kubeconfig with embedded client certificates says."""

    def __init__(self, kubeconfig: Path) -> None:
        try:
            config = next(load_all(kubeconfig.read_bytes(), str(kubeconfig))).value
            cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
            authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
            certificate = base64.b64decode(user["client-certificate-data"])
            key = base64.b64decode(user["client-key-data"])
            self.server = str(cluster["server"])
        except (OSError, StopIteration, LookupError, TypeError, ValueError) as error:
            problem = Problem(f"cannot be read: {error!r}", code="sandbox/kubeconfig", file=str(kubeconfig))
            raise NotRunnable(problem) from None
        context = create_urllib3_context()
        context.load_verify_locations(cadata=authority)
        with tempfile.NamedTemporaryFile() as both:  # a certificate and its key are taken from a file only
            both.write(certificate + b"\n" + key)
            both.flush()
            context.load_cert_chain(both.name)
        self._http = urllib3.PoolManager(ssl_context=context, retries=False, maxsize=8)
        self._groups: dict[str, dict[str, Resource]] = {}

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout: float = 30,
        document: str = "",
    ) -> Any:
        """One request; the answer, parsed where it is JSON.

        Raises:
            Refused: The server said no.
            NotRunnable: There was no answer.
        """
        try:
            response = self._http.request(
                method,
                f"{self.server}{path}" + (f"?{urlencode(query)}" if query else ""),
                body=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
                headers={"Content-Type": content_type, "Accept": "application/json"},
                timeout=timeout,
            )
        except urllib3.exceptions.HTTPError as error:
            message = f"no answer from {self.server}: {error}"
            hint = "apiopsctl sandbox status says what runs; apiopsctl sandbox up starts what does not"
            raise NotRunnable(Problem(message, code="sandbox/unreachable", hint=hint)) from None
        text = response.data.decode(errors="replace")
        answer = json.loads(text) if response.headers.get("Content-Type", "").startswith("application/json") else text
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise Refused(response.status, answer, document)
        return answer

    def resource(self, api_version: str, kind: str) -> Resource:
        """How a kind is served.

        Raises:
            Refused: The server does not know it.
        """
        known = self._groups.get(api_version, {})
        if kind not in known:  # also when the group was asked for before: definitions are added while it runs
            path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            document = f"{kind} of {api_version}"
            found = self.request("GET", path, document=document)["resources"]
            known = {
                item["kind"]: Resource(path, item["name"], item["namespaced"])
                for item in found
                if "/" not in item["name"]
            }
            self._groups[api_version] = known
        if kind not in known:
            message = {"message": f"it knows no kind {kind} in {api_version}", "reason": "NotFound"}
            raise Refused(404, message, f"{kind} of {api_version}")
        return known[kind]

    def apply(self, item: Mapping[str, Any], *, dry_run: bool = False, manager: str = MANAGER) -> Any:
        """Server-side apply; what others changed is taken back.

        Raises:
            Refused: The server said no.
        """
        query = {"fieldManager": manager, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
        document = _title(item)
        return self.request(
            "PATCH",
            self._path(item),
            item,
            query=query,
            content_type="application/apply-patch+yaml",
            document=document,
        )

    def get(self, item: Mapping[str, Any]) -> Any:
        """The live object, or None.

        Raises:
            Refused: The server said no for another reason than that it is not there.
        """
        try:
            return self.request("GET", self._path(item), document=_title(item))
        except Refused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def list(self, api_version: str, kind: str, namespace: str | None = None, labels: str = "") -> list[Any]:
        """All objects of a kind, of one namespace or of all."""
        path = self.resource(api_version, kind).path(namespace)
        found: list[Any] = self.request("GET", path, query={"labelSelector": labels} if labels else None)["items"]
        return [{"apiVersion": api_version, "kind": kind, **item} for item in found]

    def merge(self, item: Mapping[str, Any], change: Mapping[str, Any], below: str = "") -> Any:
        """Changes the live object: JSON merge patch."""
        return self.request(
            "PATCH",
            self._path(item, below),
            change,
            query={"fieldManager": MANAGER},
            content_type="application/merge-patch+json",
            document=_title(item),
        )

    def create(self, item: Mapping[str, Any], body: Mapping[str, Any], below: str) -> Any:
        """Creates what is below an object, such as a pod's ``eviction``."""
        return self.request("POST", self._path(item, below), body, document=_title(item))

    def delete(self, item: Mapping[str, Any]) -> None:
        """Deletes an object; nothing happens where it is not there."""
        try:
            self.request("DELETE", self._path(item), document=_title(item))
        except Refused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def ready(self) -> bool:
        """Whether the server says that it is ready."""
        try:
            return bool(self.request("GET", "/readyz", timeout=2) == "ok")
        except ApiOpsError:
            return False

    def _path(self, item: Mapping[str, Any], below: str = "") -> str:
        resource = self.resource(item["apiVersion"], item["kind"])
        namespace = item["metadata"].get("namespace", "default")
        return resource.path(namespace, item["metadata"]["name"], below)


def _title(item: Mapping[str, Any]) -> str:
    place = item["metadata"].get("namespace")
    return (
        f"{item['kind']} {place}/{item['metadata']['name']}" if place else f"{item['kind']} {item['metadata']['name']}"
    )


def wait_for(probe: Callable[[], T | None], *, seconds: float, pause: float = 0.2) -> T | None:
    """What the probe first gives that counts as true, or None when the time is over."""
    end = time.monotonic() + seconds
    while not (found := probe()) and time.monotonic() < end:
        time.sleep(pause)
    return found
