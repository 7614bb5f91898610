"""Expressions without CEL: ngrok's variables as Python values.

::

    req.url.path.starts_with("/a") & ~(req.header("x-tenant") == "gold")
    client_ip.in_range("10.0.0.0/8") | conn.client_ip.categories.contains("proxy.anonymous")

The result goes wherever an expression goes: ``Rule(expressions=(…,))``, ``RateLimit(bucket_key=(client_ip,))``; in a
field that is a template, ``client_ip.template`` is ``${conn.client_ip}``. The names are those of ngrok's variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, overload

from apiops_components.models.policy.cel import literal
from apiops_components.models.policy.diagnosis import nearest
from apiops_components.models.policy.terms import (
    Address,
    Condition,
    Moment,
    Number,
    Term,
    Text,
    Texts,
    all_of,
    any_of,
    term,
    text_of,
)
from apiops_components.models.policy.variables import RESULTS

__all__ = [
    "Address",
    "Condition",
    "Moment",
    "Number",
    "Term",
    "Text",
    "Texts",
    "all_of",
    "any_of",
    "client_ip",
    "conn",
    "endpoint",
    "now",
    "req",
    "res",
    "result",
    "text_of",
    "var",
]

T = TypeVar("T")


class Group:
    """Variables with the same beginning; not a value itself."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return f"<variables {self._text}.…>"

    def __str__(self) -> str:
        raise TypeError(f"{self._text} is a group of variables and no value; take one of them")


class _Member(Generic[T]):
    """A variable below another name."""

    def __init__(self, kind: Callable[[str], T]) -> None:
        self.kind = kind

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name.rstrip("_")

    @overload
    def __get__(self, owner: None, kind: type) -> _Member[T]: ...
    @overload
    def __get__(self, owner: Any, kind: type) -> T: ...
    def __get__(self, owner: Any, kind: type) -> Any:
        return self if owner is None else self.kind(f"{owner._text}.{self.name}")  # noqa: SLF001


class Place(Group):
    """Where an address is."""

    city = _Member(Text)
    continent = _Member(Text)
    country = _Member(Text)
    country_code = _Member(Text)
    is_eu = _Member(Condition)
    latitude = _Member(Text)
    longitude = _Member(Text)
    metro_code = _Member(Text)
    postal_code = _Member(Text)
    radius = _Member(Text)
    subdivision = _Member(Text)
    timezone = _Member(Text)


class RegisteredPlace(Group):
    """Where an address is registered."""

    city = _Member(Text)
    continent = _Member(Text)
    country = _Member(Text)
    country_code = _Member(Text)
    is_eu = _Member(Condition)
    metro_code = _Member(Text)
    subdivision = _Member(Text)
    timezone = _Member(Text)


class Places(Group):
    """Places of an address."""

    location = _Member(Place)
    registered_location = _Member(RegisteredPlace)


class AutonomousSystem(Group):
    """The network of an address."""

    number = _Member(Number)
    organization = _Member(Text)


class KnownAddress(Address):
    """An address, and what ngrok knows of it."""

    categories = _Member(Texts)
    is_on_blocklist = _Member(Condition)
    is_tor_node = _Member(Condition)
    as_ = _Member(AutonomousSystem)
    geo = _Member(Places)


class Geo(Group):
    """Where the client is."""

    city = _Member(Text)
    country = _Member(Text)
    country_code = _Member(Text)
    latitude = _Member(Text)
    longitude = _Member(Text)
    radius = _Member(Text)
    subdivision = _Member(Text)


class Name(Text):
    """A distinguished name of a certificate."""

    common_name = _Member(Text)
    country = _Member(Texts)
    locality = _Member(Texts)
    organization = _Member(Texts)
    organizational_unit = _Member(Texts)
    postal_code = _Member(Texts)
    province = _Member(Texts)
    street_address = _Member(Texts)


class AlternativeNames(Text):
    """Subject alternative names of a certificate."""

    dns_names = _Member(Texts)
    email_addresses = _Member(Texts)
    ip_addresses = _Member(Texts)
    uris = _Member(Texts)


class Validity(Group):
    """When a certificate is valid."""

    not_before = _Member(Moment)
    not_after = _Member(Moment)


class Certificate(Group):
    """A certificate."""

    extensions = _Member(Term)
    issuer = _Member(Name)
    san = _Member(AlternativeNames)
    serial_number = _Member(Text)
    signature_algorithm = _Member(Text)
    subject = _Member(Name)
    validity = _Member(Validity)


class ClientCertificate(Certificate):
    """The client's certificate."""

    pem = _Member(Text)


class Tls(Group):
    """The TLS session; in on_tcp_connect only after terminate-tls."""

    cipher_suite = _Member(Text)
    ja4_fingerprint = _Member(Text)
    negotiated_alpn = _Member(Text)
    session_resumed = _Member(Condition)
    sni = _Member(Text)
    version = _Member(Text)
    client = _Member(ClientCertificate)
    server = _Member(Certificate)


class PodMetadata(Group):
    """The pod that opened the connection."""

    annotations = _Member(Term)
    error_code = _Member(Text)
    error_message = _Member(Text)
    name = _Member(Text)
    namespace = _Member(Text)


class Pod(Group):
    """The pod that opened the connection."""

    id = _Member(Text)
    metadata = _Member(PodMetadata)


class Kubernetes(Group):
    """Kubernetes-bound endpoints only."""

    pod = _Member(Pod)


class ConnectionTimes(Group):
    """When it happened."""

    start = _Member(Moment)


class Connection(Group):
    """The connection; bytes exist for requests only."""

    bytes_in = _Member(Number)
    bytes_out = _Member(Number)
    client_ip = _Member(KnownAddress)
    client_port = _Member(Number)
    geo = _Member(Geo)
    k8s = _Member(Kubernetes)
    server_ip = _Member(KnownAddress)
    server_port = _Member(Number)
    server_region = _Member(Text)
    tls = _Member(Tls)
    ts = _Member(ConnectionTimes)


class Endpoint(Group):
    """The endpoint that took the connection."""

    addr = _Member(Text)
    host = _Member(Text)
    id = _Member(Text)
    port = _Member(Number)
    protocol = _Member(Text)
    url = _Member(Text)


class Url(Text):
    """The URL of the request, and its parts."""

    authority = _Member(Text)
    host = _Member(Text)
    path = _Member(Text)
    port = _Member(Number)
    query = _Member(Text)
    query_params = _Member(Term)
    raw = _Member(Text)
    raw_path = _Member(Text)
    scheme = _Member(Text)
    uri = _Member(Text)
    user_password = _Member(Text)


class UserAgent(Text):
    """The header ``user-agent``, and what it says."""

    device = _Member(Text)
    is_bot = _Member(Condition)
    is_desktop = _Member(Condition)
    is_mobile = _Member(Condition)
    is_tablet = _Member(Condition)
    name = _Member(Text)
    os = _Member(Text)
    os_version = _Member(Text)
    url = _Member(Text)
    version = _Member(Text)


class ContentType(Text):
    """The header ``content-type``, and its parts."""

    parameters = _Member(Term)
    raw = _Member(Text)


class RequestTimes(Group):
    """When it happened."""

    body_received = _Member(Moment)
    header_received = _Member(Moment)


_FIELD_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")


def _either(name: str, of: Term, value: str) -> Text:
    """The value, or empty text where there is none: an expression that asks for what is not there fails."""
    return Text(f"({literal(name)} in {of} ? {of}[{literal(name)}]{value} : '')")


class Message(Group):
    """What requests and responses share."""

    content_encoding = _Member(Texts)
    content_length = _Member(Number)
    content_type = _Member(ContentType)
    cookies = _Member(Term)
    headers = _Member(Term)
    location = _Member(Text)
    trailers = _Member(Term)

    def header(self, name: str) -> Text:
        """The value of a header in any case; several with ``,`` between, empty text where it is missing."""
        return _either(_field_name(name), self.headers, ".join(',')")

    def has_header(self, name: str) -> Condition:
        """Whether the header is there."""
        return Texts(str(self.headers)).contains(_field_name(name))

    def cookie(self, name: str) -> Text:
        """The value of a cookie, of the first where there are several; empty text where it is missing."""
        return _either(name, self.cookies, "[0].value")

    def has_cookie(self, name: str) -> Condition:
        """Whether the cookie is there."""
        return Texts(str(self.cookies)).contains(name)


def _field_name(name: str) -> str:
    if not _FIELD_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header")
    return name.lower()


class Request(Message):
    """The request; not in on_tcp_connect."""

    host = _Member(Text)
    method = _Member(Text)
    ts = _Member(RequestTimes)
    url = _Member(Url)
    user_agent = _Member(UserAgent)
    version = _Member(Text)

    def query(self, name: str) -> Text:
        """The value of a query parameter; several with ``,`` between, empty text where it is missing."""
        return _either(name, self.url.query_params, ".join(',')")

    def has_query(self, name: str) -> Condition:
        """Whether the query parameter is there."""
        return Texts(str(self.url.query_params)).contains(name)


class Response(Message):
    """The response; in on_http_response only."""

    status_code = _Member(Number)


class Variables:
    """What ``set-vars`` set before in the same phase, as the type that it has."""

    def text(self, name: str) -> Text:
        """A variable that holds text."""
        return Text(_var(name))

    def number(self, name: str) -> Number:
        """A variable that holds a whole number."""
        return Number(_var(name))

    def flag(self, name: str) -> Condition:
        """A variable that holds true or false."""
        return Condition(_var(name))

    def texts(self, name: str) -> Texts:
        """A variable that holds a list of texts."""
        return Texts(_var(name))


def _var(name: str) -> str:
    return f"vars.{name}" if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f"vars[{literal(name)}]"


def result(*path: str) -> Any:
    """What an action left that ran before in the same phase: ``result("rate_limit", "limited")``.

    Raises:
        ValueError: No action leaves this.
    """
    found: Any = RESULTS
    for number, name in enumerate(path):
        if not isinstance(found, Mapping) or name not in found:
            known = found if isinstance(found, Mapping) else ()
            where = ".".join(("actions.ngrok", *path[:number]))
            raise ValueError(f"there is no {name!r} in {where}; {nearest(name, known) or ', '.join(known)}")
        found = found[name]
    return term("list<string>" if found == ["string"] else str(found), ".".join(("actions.ngrok", *path)))


req = Request("req")
"""The request."""
res = Response("res")
"""The response."""
conn = Connection("conn")
"""The connection."""
endpoint = Endpoint("endpoint")
"""The endpoint."""
client_ip = conn.client_ip
"""The client's address."""
now = Text("time.now")
"""The time in UTC, as text of RFC 3339."""
var = Variables()
"""Variables of ``set-vars``."""
