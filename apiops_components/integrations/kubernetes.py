"""A client of a Kubernetes API server that asks and changes nothing: reads, and applies without keeping the result.

Objects are plain: the Python clients turn them into classes first and drop what those do not know, which is just what
a comparison with the server must not do.
"""

from __future__ import annotations

import json
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from apiops_components.errors import ApiOpsError, NotRunnable, Problem
from apiops_components.extras import from_extra
from apiops_components.integrations.kubeconfig import Access

__all__ = ["Cluster", "Refused"]

_MANAGER = "apiopsctl-drift"
_AGAIN = frozenset({429, 500, 502, 503, 504})
_ATTEMPTS = 4
_SECONDS = 30
_LONGEST_BODY = 64 * 1024 * 1024
_PAGE = 500


class Refused(ApiOpsError):  # noqa: N818  (the server's answer, not a failure of ours)
    """The server answered and said no.

    Attributes:
        status: HTTP status.
    """

    exit_code = 2

    def __init__(self, status: int, message: str, document: str, hint: str = "") -> None:
        self.status = status
        super().__init__(Problem(message, code="cluster/refused", document=document, hint=hint))


@dataclass(frozen=True, slots=True)
class _Kind:
    group: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        parts = [self.group, *(["namespaces", namespace] if self.namespaced and namespace else []), self.plural]
        return "/".join([*parts, name] if name else parts)


class Cluster:
    """An API server."""

    def __init__(self, access: Access) -> None:
        self._http = from_extra("urllib3", "cluster")
        self.access = access
        self._pool = self._http.PoolManager(
            ssl_context=_context(access),
            retries=False,
            maxsize=8,
            **({"server_hostname": access.server_name} if access.server_name else {}),
        )
        self._kinds: dict[str, dict[str, _Kind]] = {}
        self._lock = threading.Lock()

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Any:
        """A live object; None where it is not there, or nothing of its kind can be.

        Raises:
            Refused: The server said no.
            NotRunnable: It gave no answer, or none that can be read.
        """
        known = self._kind(api_version, kind)
        return self._asked("GET", known.path(namespace, name), _title(kind, namespace, name)) if known else None

    def list(self, api_version: str, kind: str, namespace: str, labels: str) -> Iterator[Any]:
        """The objects of a kind in a namespace that have these labels.

        Raises:
            Refused: The server said no.
            NotRunnable: It gave no answer, or none that can be read.
        """
        known = self._kind(api_version, kind)
        query = {**({"labelSelector": labels} if labels else {}), "limit": str(_PAGE)}
        while known:
            answer = self._asked("GET", known.path(namespace), _title(kind, namespace, ""), query=query) or {}
            for item in answer.get("items") or []:
                yield {"apiVersion": api_version, "kind": kind, **item}
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return
            query["continue"] = token

    def dry_run(self, item: Mapping[str, Any], namespace: str) -> Any:
        """What an object would be if this were applied over it; nothing is kept.

        Raises:
            Refused: The server said no: what is applied could not be.
            NotRunnable: It gave no answer, or none that can be read.
        """
        kind, name = str(item["kind"]), str(item["metadata"]["name"])
        known = self._kind(str(item["apiVersion"]), kind)
        if known is None:
            return None
        query = {"dryRun": "All", "fieldManager": _MANAGER, "force": "true"}
        path = known.path(namespace, name)
        return self._asked("PATCH", path, _title(kind, namespace, name), item, query, "application/apply-patch+yaml")

    def _kind(self, api_version: str, kind: str) -> _Kind | None:
        with self._lock:
            known = self._kinds.get(api_version)
            if known is None:
                path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
                found = self._asked("GET", path, f"kinds of {api_version}") or {}
                known = {
                    item["kind"]: _Kind(path, item["name"], bool(item["namespaced"]))
                    for item in found.get("resources") or []
                    if "/" not in item["name"]
                }
                self._kinds[api_version] = known
        return known.get(kind)

    def _asked(
        self,
        method: str,
        path: str,
        document: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """The answer as data; None for a 404. A fault of the server is asked again: nothing here keeps a change."""
        for attempt in range(1, _ATTEMPTS + 1):
            status, text, kind = self._once(method, path, document, body, query, content_type)
            if status not in _AGAIN or attempt == _ATTEMPTS:
                break
            time.sleep(0.25 * 2**attempt)
        if status == HTTPStatus.NOT_FOUND:
            return None
        answer = self._parsed(text, kind, status, document)
        if status >= HTTPStatus.BAD_REQUEST:
            raise self._refused(status, answer, document)
        return answer

    def _once(
        self, method: str, path: str, document: str, body: Any, query: Mapping[str, str] | None, content_type: str
    ) -> tuple[int, bytes, str]:
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": "apiopsctl"}
        if self.access.token:
            headers["Authorization"] = f"Bearer {self.access.token}"
        address = f"{self.access.server}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            response = self._pool.request(
                method,
                address,
                body=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
                headers=headers,
                timeout=_SECONDS,
                redirect=False,
                preload_content=False,
            )
            try:
                return response.status, self._read(response, document), response.headers.get("Content-Type", "")
            finally:
                response.release_conn()
        except self._http.exceptions.HTTPError as error:
            raise NotRunnable(self._unreachable(error)) from None

    def _read(self, response: Any, document: str) -> bytes:
        text: bytes = response.read(_LONGEST_BODY + 1)
        if len(text) > _LONGEST_BODY:
            message = f"the answer of {self.access.server} is longer than {_LONGEST_BODY // 2**20} MiB"
            raise NotRunnable(Problem(message, code="cluster/answer", document=document))
        return text

    def _unreachable(self, error: Exception) -> Problem:
        reason = getattr(error, "reason", None) or error
        text = " ".join(str(reason).split())
        text = text.rpartition(">: ")[2] or text
        hint = "is the cluster running, and is this the right context?"
        if "CERTIFICATE_VERIFY_FAILED" in text or "certificate" in text:
            hint = "the kubeconfig's certificate-authority does not fit the server: get the kubeconfig anew"
        return Problem(f"no answer from {self.access.server}: {text}", code="cluster/unreachable", hint=hint)

    def _parsed(self, text: bytes, kind: str, status: int, document: str) -> Any:
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            if status >= HTTPStatus.BAD_REQUEST:
                return {"message": ""}
            message = f"{self.access.server} answered {status} with {kind or 'no type'} that is no object"
            hint = "is this the address of a Kubernetes API server?"
            raise NotRunnable(Problem(message, code="cluster/answer", document=document, hint=hint))
        return answer

    def _refused(self, status: int, answer: Mapping[str, Any], document: str) -> Refused:
        hints: dict[int, str] = {
            HTTPStatus.UNAUTHORIZED: "the credentials of this context are not valid, or no longer: log in again",
            HTTPStatus.FORBIDDEN: "this needs get, list and patch (a dry run asks for it) of what is delivered",
        }
        said = " ".join(str(answer.get("message") or "").split())[:500]
        message = f"the API server answered {status}{f': {said}' if said else ''}"
        return Refused(status, message, document, hints.get(status, ""))


def _context(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        if access.authority is not None:
            context = ssl.create_default_context(cadata=access.authority)
        if not access.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if access.certificate and access.key:
            with tempfile.NamedTemporaryFile() as both:  # a certificate and its key are taken from a file only
                both.write(access.certificate + b"\n" + access.key)
                both.flush()
                context.load_cert_chain(both.name)
    except (ssl.SSLError, ValueError) as error:
        message = f"a certificate in context {access.context!r} cannot be used: {getattr(error, 'reason', error)}"
        raise NotRunnable(Problem(message, code="cluster/kubeconfig", hint="get the kubeconfig anew")) from None
    return context


def _title(kind: str, namespace: str, name: str) -> str:
    return f"{kind} {'/'.join(part for part in (namespace, name) if part)}"
