"""The actions: one class each, its fields those of ngrok's ``config``.

Ranges and enums are ngrok's (facts: ngrok §1). A field that is None is left out of the document, and ngrok's default
holds; each docstring names it. A class is loaded on first use: a policy rarely has more than a handful.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from apiops_components.models.policy.action import Action

if TYPE_CHECKING:
    from apiops_components.models.policy.actions.authentication import BasicAuth, OAuth, OpenIdConnect, Saml
    from apiops_components.models.policy.actions.bodies import (
        CompressResponse,
        EventReplacement,
        Replacement,
        RequestBodyFindReplace,
        ResponseBodyFindReplace,
        SseFindReplace,
    )
    from apiops_components.models.policy.actions.forwarding import ForwardInternal, HttpRequest, QueryParam, UrlRewrite
    from apiops_components.models.policy.actions.headers import AddHeaders, RemoveHeaders
    from apiops_components.models.policy.actions.limits import CircuitBreaker, RateLimit
    from apiops_components.models.policy.actions.other import AiGateway, RawAction
    from apiops_components.models.policy.actions.responses import CloseConnection, CustomResponse, Deny, Redirect
    from apiops_components.models.policy.actions.security import (
        OwaspCrsRequest,
        OwaspCrsResponse,
        RestrictIps,
        TerminateTls,
    )
    from apiops_components.models.policy.actions.tokens import JwtValidation, VerifyWebhook
    from apiops_components.models.policy.actions.values import Log, SetVars

__all__ = [
    "ACTIONS",
    "AddHeaders",
    "AiGateway",
    "BasicAuth",
    "CircuitBreaker",
    "CloseConnection",
    "CompressResponse",
    "CustomResponse",
    "Deny",
    "EventReplacement",
    "ForwardInternal",
    "HttpRequest",
    "JwtValidation",
    "Log",
    "OAuth",
    "OpenIdConnect",
    "OwaspCrsRequest",
    "OwaspCrsResponse",
    "QueryParam",
    "RateLimit",
    "RawAction",
    "Redirect",
    "RemoveHeaders",
    "Replacement",
    "RequestBodyFindReplace",
    "ResponseBodyFindReplace",
    "RestrictIps",
    "Saml",
    "SetVars",
    "SseFindReplace",
    "TerminateTls",
    "UrlRewrite",
    "VerifyWebhook",
]

_MODULES = {
    "authentication": "BasicAuth OAuth OpenIdConnect Saml",
    "bodies": "CompressResponse EventReplacement Replacement RequestBodyFindReplace ResponseBodyFindReplace "
    "SseFindReplace",
    "forwarding": "ForwardInternal HttpRequest QueryParam UrlRewrite",
    "headers": "AddHeaders RemoveHeaders",
    "limits": "CircuitBreaker RateLimit",
    "other": "AiGateway RawAction",
    "responses": "CloseConnection CustomResponse Deny Redirect",
    "security": "OwaspCrsRequest OwaspCrsResponse RestrictIps TerminateTls",
    "tokens": "JwtValidation VerifyWebhook",
    "values": "Log SetVars",
}
_HOME = {name: module for module, found in _MODULES.items() for name in found.split()}

_CLASSES = {
    "add-headers": "AddHeaders",
    "ai-gateway": "AiGateway",
    "basic-auth": "BasicAuth",
    "circuit-breaker": "CircuitBreaker",
    "close-connection": "CloseConnection",
    "compress-response": "CompressResponse",
    "custom-response": "CustomResponse",
    "deny": "Deny",
    "forward-internal": "ForwardInternal",
    "http-request": "HttpRequest",
    "jwt-validation": "JwtValidation",
    "log": "Log",
    "oauth": "OAuth",
    "openid-connect": "OpenIdConnect",
    "owasp-crs-request": "OwaspCrsRequest",
    "owasp-crs-response": "OwaspCrsResponse",
    "rate-limit": "RateLimit",
    "redirect": "Redirect",
    "remove-headers": "RemoveHeaders",
    "request-body-find-replace": "RequestBodyFindReplace",
    "response-body-find-replace": "ResponseBodyFindReplace",
    "restrict-ips": "RestrictIps",
    "saml": "Saml",
    "set-vars": "SetVars",
    "sse-find-replace": "SseFindReplace",
    "terminate-tls": "TerminateTls",
    "url-rewrite": "UrlRewrite",
    "verify-webhook": "VerifyWebhook",
}


class _Actions(Mapping[str, type[Action]]):
    def __getitem__(self, kind: str) -> type[Action]:
        found: type[Action] = __getattr__(_CLASSES[kind])
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_CLASSES)

    def __len__(self) -> int:
        return len(_CLASSES)


ACTIONS: Mapping[str, type[Action]] = _Actions()
"""Every action by ngrok's name."""


def __getattr__(name: str) -> Any:
    """Loads a class from its module, once."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in globals():
        globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    return globals()[name]
