"""APIs run as code: clusters, ngrok, Argo CD, routes and traffic policies as typed Pulumi components.

Every public name is here. Importing this package loads none of them: each comes from its module on first use, so that
what is pure stays free of pulumi, and a command that needs one model pays for one model.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from apiops_components.components.argocd import ArgoCD
    from apiops_components.components.cluster import cluster_of
    from apiops_components.components.config import load_environment, load_secrets, readable_errors, stack_output
    from apiops_components.components.existing import ExistingCluster
    from apiops_components.components.gateway import Api, ApiGateway
    from apiops_components.components.gitlab import GitLabToken
    from apiops_components.components.gitops import GitOps, GitOpsSet
    from apiops_components.components.gke import GkeCluster
    from apiops_components.components.minikube import MinikubeCluster
    from apiops_components.components.operator import NgrokOperator
    from apiops_components.components.team import Team
    from apiops_components.errors import ApiOpsError, GuardrailError, InvalidInput, NotRunnable, Problem
    from apiops_components.guardrails.check import Guardrails
    from apiops_components.models.api import ApiGatewaySpec, ApiSpec
    from apiops_components.models.argocd import ArgoCDSpec, GitOpsSpec
    from apiops_components.models.cluster import ExistingSpec, GkeAutopilotSpec, GkeSpec, MinikubeSpec
    from apiops_components.models.description import Description
    from apiops_components.models.environment import Environment, GitSource, TeamSettings
    from apiops_components.models.exemption import Exemption
    from apiops_components.models.filters import Filter
    from apiops_components.models.gitlab import GitLabTokenSpec
    from apiops_components.models.gitops_set import ClusterFacts, GitOpsSetSpec
    from apiops_components.models.guardrail import (
        AllowedHosts,
        AllowedNamespaces,
        AuthenticationRequired,
        ForbiddenActions,
        HighestRateLimit,
        OwnerRequired,
        Waiver,
    )
    from apiops_components.models.helm import HelmChart
    from apiops_components.models.match import HeaderMatch, Match, PathMatch, QueryMatch
    from apiops_components.models.operator import NgrokOperatorSpec
    from apiops_components.models.policy.actions import (
        AddHeaders,
        AiGateway,
        BasicAuth,
        CircuitBreaker,
        CloseConnection,
        CompressResponse,
        CustomResponse,
        Deny,
        EventReplacement,
        ForwardInternal,
        HttpRequest,
        JwtValidation,
        Log,
        OAuth,
        OpenIdConnect,
        OwaspCrsRequest,
        OwaspCrsResponse,
        QueryParam,
        RateLimit,
        RawAction,
        Redirect,
        RemoveHeaders,
        Replacement,
        RequestBodyFindReplace,
        ResponseBodyFindReplace,
        RestrictIps,
        Saml,
        SetVars,
        SseFindReplace,
        TerminateTls,
        UrlRewrite,
        VerifyWebhook,
    )
    from apiops_components.models.policy.document import Rule, TrafficPolicy
    from apiops_components.models.policy.expression import (
        all_of,
        any_of,
        client_ip,
        conn,
        endpoint,
        now,
        req,
        res,
        result,
        var,
    )
    from apiops_components.models.policy.factories.answers import (
        close_connection,
        deny,
        redirect,
        respond,
    )
    from apiops_components.models.policy.factories.changes import (
        add_headers,
        compress,
        remove_headers,
        replace_in_events,
        replace_in_request,
        replace_in_response,
        rewrite,
    )
    from apiops_components.models.policy.factories.elsewhere import (
        forward_to,
        http_request,
        log,
        set_vars,
    )
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
        owasp_request,
        owasp_response,
        rate_limit,
    )
    from apiops_components.models.policy.factories.rules import Policy, rule, secret
    from apiops_components.models.probe import HttpProbe, TcpProbe
    from apiops_components.models.requests import SmokeTests
    from apiops_components.models.route import Backend, Route
    from apiops_components.models.workload import Autoscale, Workload
    from apiops_components.project import Project
    from apiops_components.render.description import gitops_set, gitops_specs, ingress_namespace, render_all
    from apiops_components.render.policy import policy_document

_MODULES = {
    "components.argocd": "ArgoCD",
    "components.cluster": "cluster_of",
    "components.config": "load_environment load_secrets readable_errors stack_output",
    "components.existing": "ExistingCluster",
    "components.gateway": "Api ApiGateway",
    "components.gitlab": "GitLabToken",
    "components.gitops": "GitOps GitOpsSet",
    "components.gke": "GkeCluster",
    "components.minikube": "MinikubeCluster",
    "components.operator": "NgrokOperator",
    "components.team": "Team",
    "errors": "ApiOpsError GuardrailError InvalidInput NotRunnable Problem",
    "guardrails.check": "Guardrails",
    "models.api": "ApiGatewaySpec ApiSpec",
    "models.argocd": "ArgoCDSpec GitOpsSpec",
    "models.cluster": "ExistingSpec GkeAutopilotSpec GkeSpec MinikubeSpec",
    "models.description": "Description",
    "models.environment": "Environment GitSource TeamSettings",
    "models.exemption": "Exemption",
    "models.filters": "Filter",
    "models.gitlab": "GitLabTokenSpec",
    "models.gitops_set": "ClusterFacts GitOpsSetSpec",
    "models.guardrail": "AllowedHosts AllowedNamespaces AuthenticationRequired ForbiddenActions HighestRateLimit "
    "OwnerRequired Waiver",
    "models.helm": "HelmChart",
    "models.match": "HeaderMatch Match PathMatch QueryMatch",
    "models.operator": "NgrokOperatorSpec",
    "models.policy.actions": "AddHeaders AiGateway BasicAuth CircuitBreaker CloseConnection CompressResponse "
    "CustomResponse Deny EventReplacement ForwardInternal HttpRequest JwtValidation Log "
    "OAuth OpenIdConnect OwaspCrsRequest OwaspCrsResponse QueryParam RateLimit "
    "RawAction Redirect RemoveHeaders Replacement RequestBodyFindReplace "
    "ResponseBodyFindReplace RestrictIps Saml SetVars SseFindReplace TerminateTls "
    "UrlRewrite VerifyWebhook",
    "models.policy.document": "Rule TrafficPolicy",
    "models.policy.expression": "all_of any_of client_ip conn endpoint now req res result var",
    "models.policy.factories.answers": "close_connection deny redirect respond",
    "models.policy.factories.changes": "add_headers compress remove_headers replace_in_events replace_in_request "
    "replace_in_response rewrite",
    "models.policy.factories.elsewhere": "forward_to http_request log set_vars",
    "models.policy.factories.identity": "allow_ips basic_auth deny_ips jwt oauth openid_connect verify_webhook",
    "models.policy.factories.limits": "circuit_breaker owasp_request owasp_response rate_limit",
    "models.policy.factories.rules": "Policy rule secret",
    "models.probe": "HttpProbe TcpProbe",
    "models.requests": "SmokeTests",
    "models.route": "Backend Route",
    "models.workload": "Autoscale Workload",
    "project": "Project",
    "render.description": "gitops_set gitops_specs ingress_namespace render_all",
    "render.policy": "policy_document",
}
_HOME = {name: module for module, found in _MODULES.items() for name in found.split()}

__all__ = [
    "AddHeaders",
    "AiGateway",
    "AllowedHosts",
    "AllowedNamespaces",
    "Api",
    "ApiGateway",
    "ApiGatewaySpec",
    "ApiOpsError",
    "ApiSpec",
    "ArgoCD",
    "ArgoCDSpec",
    "AuthenticationRequired",
    "Autoscale",
    "Backend",
    "BasicAuth",
    "CircuitBreaker",
    "CloseConnection",
    "ClusterFacts",
    "CompressResponse",
    "CustomResponse",
    "Deny",
    "Description",
    "Environment",
    "EventReplacement",
    "Exemption",
    "ExistingCluster",
    "ExistingSpec",
    "Filter",
    "ForbiddenActions",
    "ForwardInternal",
    "GitLabToken",
    "GitLabTokenSpec",
    "GitOps",
    "GitOpsSet",
    "GitOpsSetSpec",
    "GitOpsSpec",
    "GitSource",
    "GkeAutopilotSpec",
    "GkeCluster",
    "GkeSpec",
    "GuardrailError",
    "Guardrails",
    "HeaderMatch",
    "HelmChart",
    "HighestRateLimit",
    "HttpProbe",
    "HttpRequest",
    "InvalidInput",
    "JwtValidation",
    "Log",
    "Match",
    "MinikubeCluster",
    "MinikubeSpec",
    "NgrokOperator",
    "NgrokOperatorSpec",
    "NotRunnable",
    "OAuth",
    "OpenIdConnect",
    "OwaspCrsRequest",
    "OwaspCrsResponse",
    "OwnerRequired",
    "PathMatch",
    "Policy",
    "Problem",
    "Project",
    "QueryMatch",
    "QueryParam",
    "RateLimit",
    "RawAction",
    "Redirect",
    "RemoveHeaders",
    "Replacement",
    "RequestBodyFindReplace",
    "ResponseBodyFindReplace",
    "RestrictIps",
    "Route",
    "Rule",
    "Saml",
    "SetVars",
    "SmokeTests",
    "SseFindReplace",
    "TcpProbe",
    "Team",
    "TeamSettings",
    "TerminateTls",
    "TrafficPolicy",
    "UrlRewrite",
    "VerifyWebhook",
    "Waiver",
    "Workload",
    "add_headers",
    "all_of",
    "allow_ips",
    "any_of",
    "basic_auth",
    "circuit_breaker",
    "client_ip",
    "close_connection",
    "cluster_of",
    "compress",
    "conn",
    "deny",
    "deny_ips",
    "endpoint",
    "forward_to",
    "gitops_set",
    "gitops_specs",
    "http_request",
    "ingress_namespace",
    "jwt",
    "load_environment",
    "load_secrets",
    "log",
    "now",
    "oauth",
    "openid_connect",
    "owasp_request",
    "owasp_response",
    "policy_document",
    "rate_limit",
    "readable_errors",
    "redirect",
    "remove_headers",
    "render_all",
    "replace_in_events",
    "replace_in_request",
    "replace_in_response",
    "req",
    "res",
    "respond",
    "result",
    "rewrite",
    "rule",
    "secret",
    "set_vars",
    "stack_output",
    "var",
    "verify_webhook",
]


def __getattr__(name: str) -> Any:
    """Loads a public name from its module, once."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
