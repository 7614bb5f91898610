"""The actions: one class each, its fields those of ngrok's ``config``.

Ranges and enums are ngrok's (facts: ngrok §1). A field that is None is left out of the document, and ngrok's default
holds; each docstring names it.
"""

from __future__ import annotations

from collections.abc import Mapping

from apiops_components.models.policy.action import Action
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

ACTIONS: Mapping[str, type[Action]] = {
    cls.type: cls
    for cls in (
        *(AddHeaders, AiGateway, BasicAuth, CircuitBreaker, CloseConnection, CompressResponse, CustomResponse, Deny),
        *(ForwardInternal, HttpRequest, JwtValidation, Log, OAuth, OpenIdConnect, OwaspCrsRequest, OwaspCrsResponse),
        *(RateLimit, Redirect, RemoveHeaders, RequestBodyFindReplace, ResponseBodyFindReplace, RestrictIps, Saml),
        *(SetVars, SseFindReplace, TerminateTls, UrlRewrite, VerifyWebhook),
    )
}
"""Every action by ngrok's name."""
