"""HTTP with bounds: every answer ends in time, no redirect is followed, nothing is sent twice that must not be."""

from __future__ import annotations

import io
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from apiops_components.errors import NotRunnable, Problem
from apiops_components.integrations.hiding import Hiding

__all__ = ["Limits", "NoAnswer", "Transport"]

_TRANSIENT = frozenset({500, 502, 503, 504})
_TOO_MANY = 429
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a service may take, and how often it is asked."""

    connect: float = 5
    """Seconds until there is a connection."""
    read: float = 15
    """Seconds between two pieces of an answer."""
    total: float = 30
    """Seconds for the body of one answer."""
    size: int = 10_000_000
    """Bytes of a body."""
    attempts: int = 4
    """How often one request is sent at most."""
    waiting: float = 60
    """Seconds that one request waits between its attempts, all together. A service that asks for more is not waited
    for: a pipeline that stands still is no better than one that fails."""


class NoAnswer(NotRunnable):
    """No answer came, or no whole one."""

    def __init__(self, problem: Problem, *, sent: bool) -> None:
        super().__init__(problem)
        self.sent = sent
        """Whether the service may have got the request, and done what it asks for."""


class Transport(requests.Session):
    """A session of `requests` within `Limits`. Cookies are not kept: no request depends on one before.

    Sent again, while attempts and time are left: whatever the service cannot have got; what may be repeated, after a
    time-out or, where ``statuses`` says so, a fault of the server; and anything that it refused for coming too fast.
    """

    def __init__(
        self,
        limits: Limits,
        hiding: Hiding,
        *,
        ca_file: Path | None = None,
        statuses: bool = True,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__()
        self._limits = limits
        self._hiding = hiding
        self._statuses = statuses
        self._sleep = sleep
        self._authority: str | bool = True if ca_file is None else _readable(ca_file)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Sends a request, again where that is safe.

        Raises:
            NoAnswer: There was none after all attempts.
            NotRunnable: The certificate is not trusted; the service asks to wait too long.
        """
        options |= {"allow_redirects": False, "stream": True, "timeout": (self._limits.connect, self._limits.read)}
        # The variable REQUESTS_CA_BUNDLE would win over the session's own setting; nothing turns checking off.
        options["verify"] = options.get("verify") or True if self._authority is True else self._authority
        left = self._limits.waiting
        for attempt in range(1, self._limits.attempts + 1):
            last = attempt == self._limits.attempts
            wait = 0.5 * 2 ** (attempt - 1)
            try:
                response = self._once(request, options)
            except NoAnswer as error:
                if last or (error.sent and request.method not in _REPEATABLE) or wait > left:
                    raise
            else:
                if not self._asks_again(response, request):
                    return response
                wait = _retry_after(response, wait)
                if last or wait > left:
                    if response.status_code == _TOO_MANY:
                        raise NotRunnable(self._too_many(request, wait))
                    return response
            left -= wait
            self._sleep(wait)
        raise AssertionError  # the last attempt returns or raises

    def _asks_again(self, response: requests.Response, request: requests.PreparedRequest) -> bool:
        if not self._statuses:
            return False
        if response.status_code == _TOO_MANY:
            return True
        return response.status_code in _TRANSIENT and request.method in _REPEATABLE

    def _too_many(self, request: requests.PreparedRequest, wait: float) -> Problem:
        return self._hiding.problem(
            f"{_where(request)} refuses more requests for now (429), and asks to wait {wait:.0f} s",
            "http/too-many-requests",
            "run it again later; a job of its own, or fewer at once, needs less of the limit",
        )

    def _once(self, request: requests.PreparedRequest, options: dict[str, Any]) -> requests.Response:
        where = _where(request)
        try:
            response = super().send(request, **options)
        except requests.exceptions.SSLError as error:
            raise NotRunnable(self._certificate(where, error)) from None
        except requests.exceptions.ConnectTimeout:
            message = f"{where}: no connection within {self._limits.connect:g} s"
            hint = "is the address right, and reachable from here?"
            raise self._no_answer(message, hint, sent=False) from None
        except requests.exceptions.Timeout:
            raise self._no_answer(f"{where}: no answer within {self._limits.read:g} s", sent=True) from None
        except requests.exceptions.ConnectionError as error:
            reason, never_sent = _reason(error)
            hint = "is the address right, and reachable from here?" if never_sent else ""
            raise self._no_answer(f"{where}: {reason}", hint, sent=not never_sent) from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            message = f"{where}: no answer that can be read: {type(error).__name__}"
            raise self._no_answer(message, sent=True) from None
        response.raw = io.BytesIO(self._body(response, where))
        return response

    def _body(self, response: requests.Response, where: str) -> bytes:
        end = time.monotonic() + self._limits.total
        body = bytearray()
        raw = response.raw
        try:
            while data := raw.read1(65536, decode_content=True):
                body += data
                if len(body) > self._limits.size:
                    raise self._no_answer(f"{where}: more than {self._limits.size} bytes", sent=True)
                if time.monotonic() > end:
                    message = f"{where}: the answer was not whole within {self._limits.total:g} s"
                    raise self._no_answer(message, sent=True)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            message = f"{where}: the answer broke off ({type(error).__name__})"
            raise self._no_answer(message, sent=True) from None
        finally:
            raw.close()
        return bytes(body)

    def _no_answer(self, message: str, hint: str = "", *, sent: bool) -> NoAnswer:
        return NoAnswer(self._hiding.problem(message, "http/no-answer", hint), sent=sent)

    def _certificate(self, where: str, error: BaseException) -> Problem:
        found = next((link for link in _chain(error) if isinstance(link, ssl.SSLCertVerificationError)), None)
        reason = found.verify_message if found is not None else "the TLS handshake failed"
        hint = "use the host name that stands in the certificate, or have it renewed"
        if found is not None and ("self-signed" in reason or "self signed" in reason or "issuer" in reason):
            hint = "name the certificate of your own authority: --ca-file FILE; checking is never turned off"
        elif found is None:
            hint = "does an https service listen there?"
        return self._hiding.problem(f"{where}: the certificate is not trusted: {reason}", "tls/certificate", hint)


def _readable(ca_file: Path) -> str:
    try:
        ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else "it holds no certificate in PEM"
        raise NotRunnable(Problem(f"{reason}", code="tls/ca-file", file=str(ca_file))) from None
    return str(ca_file)


def _where(request: requests.PreparedRequest) -> str:
    """``GET https://host/path``: no query and no credentials, which may be secret."""
    parts = urlsplit(request.url or "")
    host = parts.netloc.rpartition("@")[2]
    return f"{request.method} {parts.scheme}://{host}{parts.path}"


def _chain(error: BaseException) -> list[BaseException]:
    """The error and whatever it was made from."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop(0)
        if isinstance(link, BaseException) and link not in found:
            found.append(link)
            waiting += [getattr(link, "reason", None), link.__cause__, link.__context__, *link.args]
    return found


def _reason(error: requests.exceptions.ConnectionError) -> tuple[str, bool]:
    """Why there was no connection or answer, and whether nothing can have been sent."""
    chain = _chain(error)
    if any(isinstance(link, urllib3.exceptions.NameResolutionError) for link in chain):
        return "its name is not known (DNS)", True
    if any(isinstance(link, urllib3.exceptions.ProxyError) for link in chain):
        return "the proxy does not let it through", True
    if any(isinstance(link, urllib3.exceptions.NewConnectionError) for link in chain):
        refused = any(isinstance(link, ConnectionRefusedError) for link in chain) or "refused" in str(error)
        return ("nothing listens there" if refused else "no connection"), True
    return "the connection was closed before the answer", False


def _retry_after(response: requests.Response, usual: float) -> float:
    """Seconds that the service asks to wait: a number, or a time of its own clock."""
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        until = parsedate_to_datetime(asked)
        now = parsedate_to_datetime(response.headers.get("Date", ""))
    except (TypeError, ValueError):
        return usual
    if until.tzinfo is None or now.tzinfo is None:
        until, now = until.replace(tzinfo=UTC), now.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())
