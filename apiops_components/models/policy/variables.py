"""The variables of ngrok's expressions, their types, and in which phases they exist.

Source: ngrok's documentation, one page a protocol; phases are inferred from the protocol (facts: ngrok §3).
A type is ``string``, ``int``, ``bool``, ``timestamp``, ``dyn``, ``list(T)`` or ``map(T)`` with string keys.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["variables"]

_GEO = "city continent country country_code latitude longitude metro_code postal_code radius subdivision timezone"
_REGISTERED = "city continent country country_code metro_code subdivision timezone"
_NAME_LISTS = "country locality organization organizational_unit postal_code province street_address"

_PER_ADDRESS: dict[str, str] = {
    "": "string",
    ".categories": "list(string)",
    ".is_on_blocklist": "bool",
    ".is_tor_node": "bool",
    ".as.number": "int",
    ".as.organization": "string",
    ".geo.location.is_eu": "bool",
    ".geo.registered_location.is_eu": "bool",
    **{f".geo.location.{name}": "string" for name in _GEO.split()},
    **{f".geo.registered_location.{name}": "string" for name in _REGISTERED.split()},
}

_PER_NAME: dict[str, str] = {
    "": "string",
    ".common_name": "string",
    **{f".{name}": "list(string)" for name in _NAME_LISTS.split()},
}

_PER_CERTIFICATE: dict[str, str] = {
    **{f".{who}{suffix}": kind for who in ("issuer", "subject") for suffix, kind in _PER_NAME.items()},
    ".san": "dyn",
    **{f".san.{name}": "list(string)" for name in ("dns_names", "email_addresses", "ip_addresses", "uris")},
    ".serial_number": "string",
    ".signature_algorithm": "string",
    ".validity.not_before": "timestamp",
    ".validity.not_after": "timestamp",
    ".extensions": "list(dyn)",
}

_PER_CONTENT: dict[str, str] = {
    ".content_encoding": "string",
    ".content_length": "int",
    ".content_type": "string",
    ".content_type.parameters": "map(string)",
    ".content_type.raw": "string",
    ".cookies": "map(list(dyn))",
    ".headers": "map(list(string))",
    ".trailers": "map(list(string))",
    ".location": "string",
}

_EVERYWHERE: dict[str, str] = {
    "conn.client_port": "int",
    "conn.server_port": "int",
    "conn.server_region": "string",
    "conn.ts.start": "timestamp",
    "conn.bytes_in": "int",
    "conn.bytes_out": "int",
    **{f"conn.geo.{name}": "string" for name in _GEO.split()},
    **{f"conn.{who}{suffix}": kind for who in ("client_ip", "server_ip") for suffix, kind in _PER_ADDRESS.items()},
    **{
        f"conn.tls.{name}": "string"
        for name in ("cipher_suite", "ja4_fingerprint", "negotiated_alpn", "sni", "version")
    },
    "conn.tls.session_resumed": "bool",
    **{f"conn.tls.{who}{suffix}": kind for who in ("client", "server") for suffix, kind in _PER_CERTIFICATE.items()},
    "conn.tls.client.pem": "string",
    **{f"conn.k8s.pod.{name}": "string" for name in ("id", "metadata.name", "metadata.namespace")},
    "conn.k8s.pod.metadata.annotations": "map(string)",
    "conn.k8s.pod.metadata.error_code": "string",
    "conn.k8s.pod.metadata.error_message": "string",
    **{f"endpoint.{name}": "string" for name in ("addr", "host", "id", "protocol", "url")},
    "endpoint.port": "int",
    "time.now": "string",
    "vars": "map(dyn)",
    "actions.ngrok": "map(dyn)",
}

_URL = "authority host path query raw raw_path scheme uri user_password"
_AGENT_TEXT = "name version os os_version device url"
_AGENT_FLAGS = "is_mobile is_tablet is_desktop is_bot"

_REQUEST: dict[str, str] = {
    **{f"req.{name}": "string" for name in ("host", "method", "version", "url", "user_agent")},
    **{f"req.url.{name}": "string" for name in _URL.split()},
    "req.url.port": "int",
    "req.url.query_params": "map(list(string))",
    **{f"req{suffix}": kind for suffix, kind in _PER_CONTENT.items()},
    "req.ts.body_received": "timestamp",
    "req.ts.header_received": "timestamp",
    **{f"req.user_agent.{name}": "string" for name in _AGENT_TEXT.split()},
    **{f"req.user_agent.{name}": "bool" for name in _AGENT_FLAGS.split()},
}

_RESPONSE: dict[str, str] = {
    **{f"res{suffix}": kind for suffix, kind in _PER_CONTENT.items()},
    "res.status_code": "int",
}


def variables(phase: str) -> Iterator[tuple[str, str]]:
    """Name and type of each variable of a phase."""
    yield from _EVERYWHERE.items()
    if phase in ("on_http_request", "on_http_response"):
        yield from _REQUEST.items()
    if phase == "on_http_response":
        yield from _RESPONSE.items()
