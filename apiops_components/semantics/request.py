"""A request as it reaches a Gateway.

Path and query are those of the URL as they were sent: nothing is percent-decoded, no ``.`` or ``..`` segment is
resolved and no double slash is merged, as the specification has a path matched as it is. Some implementations tidy
paths before they match; where that matters, write the path as it is after that.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from apiops_components.errors import InvalidInput, Problem, format_path, join_path

__all__ = ["Headers", "Request", "Response", "joined", "request_of", "request_of_arguments"]

Headers = Mapping[str, tuple[str, ...]]
"""Lower-case name to the values, in the order in which they were sent."""

_NONE: Mapping[str, Any] = MappingProxyType({})


class Response(NamedTuple):
    """What a backend answers, or what a client receives."""

    status: int = 200
    """HTTP status."""
    headers: Headers = _NONE
    """Its headers."""

    def json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {"status": self.status, "headers": joined(self.headers)}


class Request(NamedTuple):
    """One request. A tuple, so that making one costs next to nothing; never changed, replaced with ``_replace``."""

    method: str
    """As sent; methods are case-sensitive."""
    scheme: str
    """``http`` or ``https``; with the port it chooses the listener."""
    host: str
    """Of the Host header, or else of the URL: lower case, no port, an IPv6 address in brackets."""
    port: int
    """Of the URL, or else the usual one of the scheme."""
    path: str = "/"
    """As sent, at least ``/``."""
    query: str = ""
    """As sent, without the question mark."""
    headers: Headers = _NONE
    """Without Host."""
    client_ip: str | None = None
    """Address of the client."""
    data: str = ""
    """The body."""
    claims: Mapping[str, Any] = _NONE
    """Claims of the token that the request carries, taken as verified."""
    gateway: str | None = None
    """``namespace/name`` of the Gateway at which it arrives; any by default."""
    id: str | int = 1
    """Given back with the outcome."""
    response: Response = Response()
    """What the backend answers."""

    def header(self, name: str) -> str | None:
        """The value of a header, several joined by commas; None where it was not sent. ``name`` in lower case."""
        values = self.headers.get(name)
        if values is None:
            return None
        return values[0] if len(values) == 1 else ",".join(values)

    @property
    def parameters(self) -> Mapping[str, tuple[str, ...]]:
        """Query parameters, percent-decoded and ``+`` taken for a space: name to values in order."""
        return _parameters(self.query) if self.query else _NONE


def joined(headers: Headers) -> dict[str, str]:
    """Headers with several values joined by commas, as they are printed."""
    return {name: values[0] if len(values) == 1 else ",".join(values) for name, values in headers.items()}


@lru_cache(maxsize=4096)
def _parameters(query: str) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            name = unquote_plus(name)
            found[name] = (*found.get(name, ()), unquote_plus(value))
    return found


# --- from JSON -----------------------------------------------------------------------------------------------------


def request_of(data: Any, number: int = 1) -> Request:
    """The request that a JSON object stands for; ``number`` is its id where it has none.

    Raises:
        InvalidInput: Everything that is wrong with it.
    """
    if not isinstance(data, dict):
        raise InvalidInput(Problem(f"a request is a JSON object, got {_shown(data)}", code="request/object"))
    problems: list[Problem] = []
    if not _KEYS.issuperset(data):
        problems += (_unknown(key, _KEYS, "") for key in sorted(data.keys() - _KEYS, key=str))
    get = data.get
    scheme, authority, path, query = _url(get("url"), problems)
    given = get("headers")
    headers = _headers(given, "headers", problems) if given is not None else _NONE
    host, port = authority
    if "host" in headers:
        headers = dict(headers)
        host = _host_of_header(headers.pop("host"), problems)  # its port says nothing: the URL says where one connected
    made = Request(
        "GET" if (found := get("method")) is None else _method(found, problems),
        scheme,
        host,
        port or (443 if scheme == "https" else 80),
        path,
        query,
        headers,
        None if (found := get("client_ip")) is None else _address(found, problems),
        "" if (found := get("data")) is None else _text(found, problems),
        _NONE if (found := get("claims")) is None else _claims(found, problems),
        None if (found := get("gateway")) is None else _gateway(found, problems),
        number if (found := get("id")) is None else _id(found, problems),
        _OK if (found := get("response")) is None else _response(found, problems),
    )
    if problems:
        raise InvalidInput(problems)
    return made


def request_of_arguments(
    method: str,
    url: str,
    headers: Iterable[str] = (),
    **others: Any,
) -> Request:
    """The request that a command line stands for: headers as ``Name: value``, other fields as in JSON.

    Raises:
        InvalidInput: Everything that is wrong with it.
    """
    problems: list[Problem] = []
    pairs: dict[str, list[str]] = {}
    for header in headers:
        name, colon, value = header.partition(":")
        if colon:
            pairs.setdefault(name.strip(), []).append(value)
        else:
            problems.append(Problem(f"'Name: value' is expected, got {_shown(header)}", "headers", "request/header"))
    try:
        made = request_of({"method": method, "url": url, "headers": pairs, **others})
    except InvalidInput as error:
        problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return made


_OK = Response()
_KEYS = frozenset({"id", "gateway", "method", "url", "headers", "client_ip", "data", "claims", "response"})
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_HOST = re.compile(r"(?=.{1,254}$)[a-z0-9_]([-a-z0-9_]{0,62})?(\.[a-z0-9_]([-a-z0-9_]{0,62})?)*\.?")
_URL = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)
_NO_VALUE = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_LOWEST_STATUS, _HIGHEST_STATUS = 200, 599
_HIGHEST_PORT = 65535
_Authority = tuple[str, int]
_NOWHERE: tuple[str, _Authority, str, str] = ("http", ("", 0), "/", "")


def _url(url: Any, problems: list[Problem]) -> tuple[str, _Authority, str, str]:
    if not isinstance(url, str):
        what = "required, but missing" if url is None else f"a string is expected, got {_shown(url)}"
        problems.append(Problem(what, "url", "request/url", "such as https://api.example.com/v1/orders"))
        return _NOWHERE
    found = _URL.fullmatch(url)
    if found is None or not (url.isascii() and url.isprintable()) or " " in url:
        problems.append(_wrong_url(url))
        return _NOWHERE
    scheme, authority, path, query = found.groups()
    scheme = scheme.lower()
    try:
        return scheme, _authority(authority), path or "/", query or ""
    except ValueError as error:
        where = "" if "@" in authority else f" in {_shown(url)}"  # not shown: a password stands in it
        problems.append(Problem(f"{error}{where}", "url", "request/url"))
        return _NOWHERE


def _wrong_url(url: str) -> Problem:
    scheme, separator, _ = url.partition("://")
    hint = ""
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        what, hint = "an absolute URL is expected", "such as https://api.example.com/v1/orders"
    elif scheme.lower() not in ("http", "https"):
        what = "the scheme must be http or https"
    elif (wrong := re.search(r"[^\x21-\x7e]", url)) is not None:
        what = f"{wrong.group()!r} may not stand in a URL"
        encoded = "".join(f"%{byte:02X}" for byte in wrong.group().encode("utf-8", "surrogatepass"))
        in_host = wrong.start() < len(scheme) + 3 + len(re.split("[/?#]", url[len(scheme) + 3 :], maxsplit=1)[0])
        hint = "a host name in other letters is sent as xn--…" if in_host else f"write {encoded}"
    else:
        what, hint = "a fragment (#…) is never sent", "leave it out, or write %23 for the character"
    return Problem(f"{what}, got {_shown(url)}", "url", "request/url", hint)


@lru_cache(maxsize=65536)
def _authority(text: str) -> _Authority:
    """Host in lower case, and port or 0."""
    if "@" in text:
        raise ValueError("user and password may not stand in the URL (send an Authorization header)")
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, port = text, ""
    host = host.lower()
    if not host:
        raise ValueError("there is no host")
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host[1:-1] if host.endswith("]") else "")
        except ValueError:
            raise ValueError(f"{text!r} is not an IPv6 address in brackets") from None
    elif not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is not the name of a host")
    if port and not (port.isascii() and port.isdigit() and 1 <= int(port[:9]) <= _HIGHEST_PORT):
        raise ValueError(f"{port!r} is not a port (1 to {_HIGHEST_PORT})")
    return host, int(port or 0)


def _host_of_header(values: Sequence[str], problems: list[Problem]) -> str:
    if len(values) != 1:
        problems.append(Problem(f"one Host is expected, got {len(values)}", "headers.host", "request/host"))
        return ""
    try:
        return _authority(values[0])[0]
    except ValueError as error:
        problems.append(Problem(str(error), "headers.host", "request/host"))
        return ""


def _headers(given: Any, path: str, problems: list[Problem]) -> Headers:
    if not isinstance(given, dict):
        message = f"an object of names and values is expected, got {_shown(given)}"
        problems.append(Problem(message, path, "request/headers"))
        return _NONE
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in given.items():
        key = _header_name(name)
        if key is None:
            problems.append(Problem(f"{_shown(name)} is not the name of a header", path, "request/header"))
            continue
        if isinstance(value, str) and value.isprintable():
            values: tuple[str, ...] = (value.strip(),)
        else:
            values = _values(value, join_path(path, format_path([name])), problems)
        headers[key] = (*headers[key], *values) if key in headers else values
    return headers


@lru_cache(maxsize=4096)
def _header_name(name: str) -> str | None:
    return name.lower() if _TOKEN.fullmatch(name) else None


def _values(value: Any, path: str, problems: list[Problem]) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str) for one in values):
        message = f"a string, or a list of strings, is expected, got {_shown(value)}"
        problems.append(Problem(message, path, "request/header"))
        return ()
    for one in values:
        if wrong := _NO_VALUE.search(one):
            message = f"the character {wrong.group()!r} may not stand in a header"
            problems.append(Problem(message, path, "request/header"))
    return tuple(one.strip(" \t") for one in values)


def _method(method: Any, problems: list[Problem]) -> str:
    if not isinstance(method, str) or not _TOKEN.fullmatch(method):
        problems.append(Problem(f"{_shown(method)} is not a method such as GET", "method", "request/method"))
        return ""
    return method


@lru_cache(maxsize=65536)
def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _address(address: Any, problems: list[Problem]) -> str:
    if not isinstance(address, str) or not _is_address(address):
        message = f"{_shown(address)} is not an IP address"
        problems.append(Problem(message, "client_ip", "request/client-ip", "such as 203.0.113.7"))
        return ""
    return address


def _text(data: Any, problems: list[Problem]) -> str:
    if isinstance(data, str):
        return data
    problems.append(Problem(f"a string is expected, got {_shown(data)}", "data", "request/data"))
    return ""


def _claims(claims: Any, problems: list[Problem]) -> Mapping[str, Any]:
    if isinstance(claims, dict):
        return claims
    problems.append(Problem(f"an object is expected, got {_shown(claims)}", "claims", "request/claims"))
    return _NONE


def _gateway(gateway: Any, problems: list[Problem]) -> str:
    if isinstance(gateway, str):
        namespace, slash, name = gateway.partition("/")
        if slash and _NAME.fullmatch(namespace) and _NAME.fullmatch(name):
            return gateway
    message = f"namespace/name of a Gateway is expected, got {_shown(gateway)}"
    problems.append(Problem(message, "gateway", "request/gateway"))
    return ""


def _id(value: Any, problems: list[Problem]) -> str | int:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return value
    problems.append(Problem(f"a string or a number is expected, got {_shown(value)}", "id", "request/id"))
    return ""


def _response(response: Any, problems: list[Problem]) -> Response:
    if not isinstance(response, dict):
        problems.append(Problem(f"an object is expected, got {_shown(response)}", "response", "request/response"))
        return _OK
    known = {"status", "headers"}
    problems += (_unknown(key, known, "response") for key in sorted(response.keys() - known, key=str))
    status, given = response.get("status"), response.get("headers")
    if status is None:
        status = 200
    elif not isinstance(status, int) or isinstance(status, bool) or not _LOWEST_STATUS <= status <= _HIGHEST_STATUS:
        message = f"a status from {_LOWEST_STATUS} to {_HIGHEST_STATUS} is expected, got {_shown(status)}"
        problems.append(Problem(message, "response.status", "request/response"))
    return Response(status, _headers(given, "response.headers", problems) if given is not None else _NONE)


def _unknown(key: Any, known: Iterable[str], path: str) -> Problem:
    hint = f"known: {', '.join(sorted(known))}"
    return Problem("unknown key", format_path([*filter(None, [path]), str(key)]), "request/unknown-key", hint)


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004  (what fits on a line)
