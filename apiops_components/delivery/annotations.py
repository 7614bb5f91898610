"""What is known of an environment beside its resources: routes, policies, owners, findings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apiops_components.delivery.preview import Annotations, OwnedObject, PolicyRow, RouteRow, RuleRow, TeamRow
from apiops_components.guardrails.check import check
from apiops_components.models.api import ApiGatewaySpec, ApiSpec
from apiops_components.models.description import Description
from apiops_components.models.guardrail import Guardrail
from apiops_components.models.match import describe
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.actions import JwtValidation, OAuth, OpenIdConnect, RateLimit
from apiops_components.models.route import Route
from apiops_components.render.description import render_all
from apiops_components.render.manifest import Manifest

__all__ = ["annotations_of"]

_SECRET = frozenset({"client_secret", "secret", "server_private_key"})  # ngrok takes them in the clear, too

_SHOWN_CONFIG = 160  # characters of an action's settings: enough to recognise it; the manifest has all of it


def annotations_of(descriptions: Sequence[Description], guardrails: Sequence[Guardrail]) -> Annotations:
    """Routes, policies, objects and findings of everything described; the first description is the platform's, if any.

    Raises:
        InvalidInput: Something described cannot be rendered safely.
    """
    manifests = render_all(descriptions)
    environment = descriptions[0].environment
    return Annotations(
        owner=environment.owner,
        cluster=environment.cluster.kind,
        teams=tuple(
            TeamRow(
                name=name,
                owner=team.owner,
                namespace=environment.namespace(name),
                applied_by="gitops" if team.delivery == "gitops" else "pulumi",
                host=team.host or "",
            )
            for name, team in environment.teams.items()
        ),
        findings=tuple(check(descriptions, guardrails)),
        checked=True,
        routes=tuple(
            row
            for description in descriptions
            for gateway in description.gateways
            for api in gateway.apis
            for row in _routes(gateway, api)
        ),
        policies=tuple(_policy(item) for item in manifests if item.kind == "NgrokTrafficPolicy"),
        objects=tuple(
            OwnedObject(item.kind, item.name, item.namespace or "", item.owner, item.team or "", item.component)
            for item in manifests
        ),
        raw_actions=sum(description.raw_actions for description in descriptions),
    )


def _routes(gateway: ApiGatewaySpec, api: ApiSpec) -> Iterator[RouteRow]:
    for route in api.routes:
        methods: dict[str, list[str]] = {}
        for match in route.matches:
            path = describe(match.model_copy(update={"method": None}))
            methods.setdefault(path, []).extend([match.method] if match.method else [])
        for path, named in methods.items():
            yield RouteRow(
                host=gateway.host,
                path=path,
                methods=tuple(named),
                backend=_backend(gateway, route),
                authentication=", ".join(_authentication(api)),
                rate_limit=", ".join(_rate_limits(api)),
                api=f"{gateway.namespace}/{api.name}",
                team=gateway.team or "",
                owner=api.owner or gateway.owner or "",
            )


def _backend(gateway: ApiGatewaySpec, route: Route) -> str:
    total = sum(backend.weight for backend in route.backend_refs)
    named = []
    for backend in route.backend_refs:
        share = f" ({100 * backend.weight / total:g} %)" if len(route.backend_refs) > 1 and total else ""
        named.append(f"{backend.namespace or gateway.namespace}/{backend.name}:{backend.port}{share}")
    if named:
        return ", ".join(named)
    redirects = [item.request_redirect for item in route.filters if item.request_redirect]
    return f"redirect {redirects[0].status_code}" if redirects else "none (500)"


def _authentication(api: ApiSpec) -> Iterator[str]:
    for rule in api.policy.on_http_request:
        for step in rule.actions:
            if shown := _identity(step):
                unenforced = "" if step.enforced else ", recorded only"
                yield shown + unenforced + (" under a condition" if rule.expressions else "")


def _identity(step: Action) -> str:
    if isinstance(step, JwtValidation):
        return f"JWT of {', '.join(item.value for item in step.issuer.allow_list)}"
    if isinstance(step, OAuth):
        return f"OAuth at {step.provider}"
    if isinstance(step, OpenIdConnect):
        return f"OpenID Connect at {step.issuer_url}"
    return {"basic-auth": "basic", "saml": "SAML"}.get(step.type, "")


def _rate_limits(api: ApiSpec) -> Iterator[str]:
    for rule in api.policy.on_http_request:
        for step in rule.actions:
            if isinstance(step, RateLimit):
                yield _rate_limit(step.model_dump()) + (" under a condition" if rule.expressions else "")


def _rate_limit(config: Mapping[str, Any]) -> str:
    counted = "" if config.get("enforce") is not False else ", counted only"
    return f"{config['capacity']} in {config['rate']} by {', '.join(config['bucket_key'])}{counted}"


def _policy(manifest: Manifest) -> PolicyRow:
    rules = tuple(
        RuleRow(
            phase=phase,
            name=rule.get("name", ""),
            expressions=tuple(rule.get("expressions", ())),
            actions=tuple(_action(action) for action in rule["actions"]),
        )
        for phase, found in manifest.object["spec"]["policy"].items()
        for rule in found
    )
    return PolicyRow(f"{manifest.namespace}/{manifest.name}", manifest.component, rules, manifest.team or "")


def _action(action: Mapping[str, Any]) -> str:
    """An action in one line: what it is, and the part of its settings that people look for."""
    name, config = action["type"], action.get("config") or {}
    if name == "rate-limit":
        text = _rate_limit(config)
    elif name == "jwt-validation":
        text = ", ".join(item["value"] for item in config["issuer"]["allow_list"])
    elif name in ("add-headers", "remove-headers"):
        headers = config["headers"]
        text = (
            ", ".join(f"{k}: {v}" for k, v in headers.items()) if isinstance(headers, Mapping) else ", ".join(headers)
        )
    elif name == "basic-auth":
        text = ", ".join(pair.partition(":")[0] for pair in config["credentials"])  # no password in a report
    elif name in ("deny", "custom-response"):
        text = str(config.get("status_code", 403 if name == "deny" else 200))
    else:
        shown = {key: value for key, value in config.items() if key not in _SECRET}
        text = json.dumps(shown, ensure_ascii=False) if shown else ""
    short = text if len(text) <= _SHOWN_CONFIG else f"{text[: _SHOWN_CONFIG - 1]}…"
    return f"{name}: {short}" if short else name
