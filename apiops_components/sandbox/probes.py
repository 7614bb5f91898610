"""Whether a process answers."""

from __future__ import annotations

import contextlib
import socket
import ssl
from http import HTTPStatus
from pathlib import Path

import urllib3
from urllib3.util.ssl_ import create_urllib3_context

from apiops_components.sandbox.plan import HOST, Probe

__all__ = ["Prober", "free_ports"]


class Prober:
    """Asks processes of one sandbox, with its certificates: a stranger on a port of ours does not count."""

    def __init__(self, certificates: Path) -> None:
        context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
        context.load_verify_locations(certificates / "ca.crt")
        context.load_cert_chain(certificates / "admin.crt", certificates / "admin.key")
        self._http = urllib3.PoolManager(ssl_context=context, retries=False, timeout=2)

    def is_ready(self, probe: Probe) -> bool:
        """Whether it is ready now."""
        if probe.kind == "tcp":
            with contextlib.suppress(OSError), socket.create_connection((HOST, probe.port), timeout=2):
                return True
            return False
        try:
            response = self._http.request("GET", f"{probe.kind}://{HOST}:{probe.port}{probe.path}")
        except urllib3.exceptions.HTTPError:
            return False
        return response.status == HTTPStatus.OK


def free_ports(names: tuple[str, ...]) -> dict[str, int]:
    """A port for each name that nobody uses now; all are held at once, so that none comes twice."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in names]
        for each in sockets:
            each.bind((HOST, 0))
        return {name: each.getsockname()[1] for name, each in zip(names, sockets, strict=True)}
