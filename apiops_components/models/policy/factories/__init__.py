"""Short ways to write actions and rules; each gives the model that the long way gives.

::

    Policy.on_request(
        jwt(issuer="https://id.example.com/", jwks="https://id.example.com/jwks.json"),
        rate_limit(100, per="1m", by=client_ip),
        rule(deny(405), when="req.method == 'TRACE'", name="no trace"),
    ) + Policy.on_response(remove_headers("server"))

Limits and defaults are ngrok's (facts: ngrok §1); what is left out is left out of the document. Text is a template for
ngrok wherever the field's documentation says so: ``${…}`` in it is evaluated.
"""

from __future__ import annotations

from apiops_components.models.policy.factories.answers import close_connection, deny, redirect, respond
from apiops_components.models.policy.factories.changes import (
    add_headers,
    compress,
    remove_headers,
    replace_in_events,
    replace_in_request,
    replace_in_response,
    rewrite,
)
from apiops_components.models.policy.factories.elsewhere import forward_to, http_request, log, set_vars
from apiops_components.models.policy.factories.identity import (
    allow_ips,
    basic_auth,
    deny_ips,
    jwt,
    oauth,
    openid_connect,
    verify_webhook,
)
from apiops_components.models.policy.factories.limits import (
    circuit_breaker,
    client_ip,
    owasp_request,
    owasp_response,
    rate_limit,
)
from apiops_components.models.policy.factories.rules import rule, secret

__all__ = [
    "add_headers",
    "allow_ips",
    "basic_auth",
    "circuit_breaker",
    "client_ip",
    "close_connection",
    "compress",
    "deny",
    "deny_ips",
    "forward_to",
    "http_request",
    "jwt",
    "log",
    "oauth",
    "openid_connect",
    "owasp_request",
    "owasp_response",
    "rate_limit",
    "redirect",
    "remove_headers",
    "replace_in_events",
    "replace_in_request",
    "replace_in_response",
    "respond",
    "rewrite",
    "rule",
    "secret",
    "set_vars",
    "verify_webhook",
]
