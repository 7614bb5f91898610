"""The variables of ngrok's expressions, their types, and in which phases they exist.

Source: ngrok's documentation, one page a protocol; phases are inferred from the protocol (facts: ngrok §3).
A type is one of CEL's, ``string``, ``int``, ``timestamp``, ``dyn``, ``list<T>``, ``map<K,V>`` and so on, or a record of
`RECORDS`, ``ngrok.Cookie``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["RECORDS", "RESULTS", "RETRY", "variables"]

_PLACE = "city country country_code latitude longitude radius subdivision"
_GEO = "city continent country country_code latitude longitude metro_code postal_code radius subdivision timezone"
_REGISTERED = "city continent country country_code metro_code subdivision timezone"
_NAME_LISTS = "country locality organization organizational_unit postal_code province street_address"

_PER_ADDRESS: dict[str, str] = {
    "": "string",
    ".categories": "list<string>",
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
    **{f".{name}": "list<string>" for name in _NAME_LISTS.split()},
}

_PER_CERTIFICATE: dict[str, str] = {
    **{f".{who}{suffix}": kind for who in ("issuer", "subject") for suffix, kind in _PER_NAME.items()},
    ".san": "string",
    **{f".san.{name}": "list<string>" for name in ("dns_names", "email_addresses", "ip_addresses", "uris")},
    ".serial_number": "string",
    ".signature_algorithm": "string",
    ".validity.not_before": "timestamp",
    ".validity.not_after": "timestamp",
    ".extensions": "list<ngrok.Extension>",
}

_PER_CONTENT: dict[str, str] = {
    ".content_encoding": "list<string>",
    ".content_length": "int",
    ".content_type": "string",
    ".content_type.parameters": "map<string,string>",
    ".content_type.raw": "string",
    ".cookies": "map<string,list<ngrok.Cookie>>",
    ".headers": "map<string,list<string>>",
    ".trailers": "map<string,list<string>>",
    ".location": "string",
}

_EVERYWHERE: dict[str, str] = {
    "conn.client_port": "int",
    "conn.server_port": "int",
    "conn.server_region": "string",
    "conn.ts.start": "timestamp",
    **{f"conn.geo.{name}": "string" for name in _PLACE.split()},
    **{f"conn.{who}{suffix}": kind for who in ("client_ip", "server_ip") for suffix, kind in _PER_ADDRESS.items()},
    **{
        f"conn.tls.{name}": "string"
        for name in ("cipher_suite", "ja4_fingerprint", "negotiated_alpn", "sni", "version")
    },
    "conn.tls.session_resumed": "bool",
    **{f"conn.tls.{who}{suffix}": kind for who in ("client", "server") for suffix, kind in _PER_CERTIFICATE.items()},
    "conn.tls.client.pem": "string",
    **{f"conn.k8s.pod.{name}": "string" for name in ("id", "metadata.name", "metadata.namespace")},
    "conn.k8s.pod.metadata.annotations": "map<string,string>",
    "conn.k8s.pod.metadata.error_code": "string",
    "conn.k8s.pod.metadata.error_message": "string",
    **{f"endpoint.{name}": "string" for name in ("addr", "host", "id", "protocol", "url")},
    "endpoint.port": "int",
    "time.now": "string",
    "vars": "map<string,dyn>",
    "actions": "ngrok.Actions",
}

_URL = "authority host path query raw raw_path scheme uri user_password"
_AGENT_TEXT = "name version os os_version device url"
_AGENT_FLAGS = "is_mobile is_tablet is_desktop is_bot"

_REQUEST: dict[str, str] = {
    "conn.bytes_in": "int",
    "conn.bytes_out": "int",
    **{f"req.{name}": "string" for name in ("host", "method", "version", "url", "user_agent")},
    **{f"req.url.{name}": "string" for name in _URL.split()},
    "req.url.port": "int",
    "req.url.query_params": "map<string,list<string>>",
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

RETRY: Mapping[str, str] = {"attempts": "dyn", "last_attempt": "ngrok.LastAttempt"}
"""What the ``retry_condition`` of http-request sees besides."""


def variables(phase: str) -> Iterator[tuple[str, str]]:
    """Name and type of each variable of a phase."""
    yield from _EVERYWHERE.items()
    if phase != "on_tcp_connect":
        yield from _REQUEST.items()
    if phase in ("on_http_response", "on_event_stream_message"):
        yield from _RESPONSE.items()
    if phase in ("on_http_request", "on_http_response"):
        yield from RETRY.items()


# --- records: a mapping is a record with these fields, a list holds values of its one item ---------------------------

Fields = Mapping[str, Any]

_ERROR: Fields = {"code": "string", "message": "string"}
_MATCHED: Fields = {"matches": ["string"], "url": "string", "error": _ERROR}
_REPLACED: Fields = {"replacements": [{"replacement_index": "int", "matched_content": "string"}]}

_OWASP: Fields = {
    "decision": "string",
    "anomaly_score": "int",
    "anomaly_score_threshold": "int",
    "matched_rules": [{"id": "int", "message": "string", "severity": "string", "data": "string"}],
    "error": _ERROR,
}

_LOGIN: Fields = {
    "access_token": "string",
    "refresh_token": "string",
    "expires_at": "string",
    "session_timed_out": "bool",
    "session_max_duration_reached": "bool",
    "userinfo_refreshed": "bool",
    "error": _ERROR,
}
_IDENTITY: Fields = {"id": "string", "email": "string", "name": "string", "provider_user_id": "string"}

_CERTIFICATE: Fields = {
    **dict.fromkeys(("issuer", "subject", "san"), "dyn"),  # text, and also a group of fields: no one type
    "extensions": ["Extension"],
    "pem": "string",
    "serial_number": "string",
    "signature_algorithm": "string",
    "validity": {"not_before": "timestamp", "not_after": "timestamp"},
}

RESULTS: Mapping[str, Fields] = {
    "add_headers": {"headers_added": "map"},
    "basic_auth": {"credentials": {"presented": "bool", "username": "string", "authorized": "bool"}},
    "compress": {"already_compressed": "bool", "negotiated_algorithm": "string"},
    "forward_internal": {"url": "string", "error": _ERROR},
    "http_request": {
        "attempts": [
            {
                "resolved_ip": "string",
                "response_header": "map",
                "response_status_code": "int",
                "response_time_ms": "string",
            }
        ],
        "req": {"method": "string", "header": "map", "url": "string", "body": "string"},
        "res": {
            "resolved_ip": "string",
            "header": "map",
            "status_code": "int",
            "time_ms": "string",
            "body": "string",
        },
        "error": _ERROR,
    },
    "jwt_validation": {
        "tokens": [
            {
                "header": "map",
                "location": "string",
                "location_property": "string",
                "payload": "map",
                "signature": "string",
                "verified": "bool",
            }
        ],
        "error": _ERROR,
    },
    "log": {"metadata": "map"},
    "oauth": {"identity": {**_IDENTITY, "current_provider_session_id": "string"}, **_LOGIN},
    # ngrok's page names it userinfo_refreshed in the table and user_info_refreshed in the text
    "oidc": {
        "identity": {**_IDENTITY, "current_session_id": "string"},
        "identity_token": "string",
        "user_info_refreshed": "bool",
        **_LOGIN,
    },
    "owasp_crs_request": _OWASP,
    "owasp_crs_response": _OWASP,
    "rate_limit": {"bucket_key": "string", "limited": "bool", "error": _ERROR},
    "redirect": _MATCHED,
    "remove_headers": {"headers_removed": "dyn"},
    "request_body_find_replace": _REPLACED,
    "response_body_find_replace": _REPLACED,
    "restrict_ips": {"action": "string", "matched_cidr": "string", "error": _ERROR},
    "sse_find_replace": _REPLACED,
    "terminate_tls": {
        **dict.fromkeys(("version", "cipher_suite", "sni"), "string"),
        "client": _CERTIFICATE,
        "server": _CERTIFICATE,
        "warnings": "dyn",
        "error": _ERROR,
    },
    "url_rewrite": _MATCHED,
    "verify_webhook": {"verified": "bool", "error": _ERROR},
    "ai_gateway": {
        "status": "string",
        "error": _ERROR,
        **dict.fromkeys(("client", "model_selection", "models_tried", "success"), "dyn"),
        **dict.fromkeys(("input_ngrok_tokens", "output_ngrok_tokens", "gateway_latency_ms"), "int"),
    },
}
"""What each action leaves behind in ``actions.ngrok`` (facts: ngrok §1.0)."""

RECORDS: Mapping[str, Fields] = {
    "Cookie": {
        **dict.fromkeys(("name", "value", "domain", "path", "same_site"), "string"),
        "expires": "timestamp",
        "max_age": "duration",
        "http_only": "bool",
        "secure": "bool",
        "unparsed_attributes": "map",
    },
    "Extension": {"id": "string", "critical": "bool", "value": "bytes"},
    "LastAttempt": {"req": "map", "res": "map", "error": _ERROR},
    "Actions": {"ngrok": RESULTS},
}
"""The named records."""
