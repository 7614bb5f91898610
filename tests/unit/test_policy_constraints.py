"""Each constraint of each action: one document that breaks it, and where that is said.

The documents are made from the JSON Schema of the actions: `EVERY_FIELD` holds a valid value for each field, and each
keyword of a schema that limits the value gives one wrong value. A keyword or a format that is not known here fails, and
so does a rule across fields (a ``fault(…)`` in the models) that no document of `ACROSS` breaks.
"""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import ValidationError

from apiops_components import TrafficPolicy
from apiops_components.errors import problems_of
from apiops_components.models import policy as package
from apiops_components.models.policy.action import PHASES
from apiops_components.models.policy.actions import ACTIONS

PEM = "-----BEGIN CERTIFICATE-----"
LOGIN = {
    "auth_id": "main",
    "client_id": "id",
    "client_secret": "secret",
    "scopes": ["email"],
    "authz_url_params": {"prompt": "login"},
    "max_session_duration": "24h",
    "userinfo_refresh_interval": "5m",
    "allow_cors_preflight": False,
    "auth_cookie_domain": "example.com",
}
CRS = {"on_error": "halt", "process_body": True, "exclude_rule_ids": [920350]}
REPLACEMENT = {"from": "a+", "to": "b"}

EVERY_FIELD: dict[str, dict[str, Any]] = {
    "add-headers": {"headers": {"x-a": "b"}},
    "ai-gateway": {},
    "basic-auth": {"credentials": ["user:password1"], "realm": "here", "enforce": True},
    "circuit-breaker": {
        "error_threshold": 0.5,
        "volume_threshold": 10,
        "window_duration": "10s",
        "tripped_duration": "10s",
        "num_buckets": 10,
        "enforce": True,
    },
    "close-connection": {},
    "compress-response": {"algorithms": ["gzip"]},
    "custom-response": {"status_code": 200, "body": "hello", "headers": {"x-a": "b"}},
    "deny": {"status_code": 403},
    "forward-internal": {"url": "https://a.internal", "on_error": "halt", "binding": "internal"},
    "http-request": {
        "url": "https://a.internal/x",
        "method": "POST",
        "query_params": [{"key": "k", "value": "v"}],
        "headers": {"x-a": "b"},
        "body": "{}",
        "max_redirects": 1,
        "timeout": "3s",
        "retry_condition": "attempts < 3",
        "on_error": "continue",
    },
    "jwt-validation": {
        "issuer": {"allow_list": [{"value": "https://id.example.com/"}]},
        "audience": {"allow_list": [{"value": "orders"}]},
        "http": {"tokens": [{"type": "jwt", "method": "header", "name": "Authorization", "prefix": "Bearer "}]},
        "jws": {
            "allowed_algorithms": ["RS256"],
            "keys": {
                "sources": {"additional_jkus": ["https://id.example.com/jwks"]},
                "identification": {"token_claims": ["kid"]},
            },
        },
    },
    "log": {"metadata": {"a": "b"}},
    "oauth": {"provider": "google", **LOGIN, "idle_session_timeout": "1h"},
    "openid-connect": {"issuer_url": "https://id.example.com", **LOGIN, "idle_session_duration": "1h"},
    "owasp-crs-request": CRS,
    "owasp-crs-response": CRS,
    "rate-limit": {
        "name": "limit",
        "algorithm": "sliding_window",
        "capacity": 10,
        "rate": "60s",
        "bucket_key": ["conn.client_ip"],
        "enforce": True,
    },
    "redirect": {"from": "/a", "to": "/b", "status_code": 301, "headers": {"x-a": "b"}},
    "remove-headers": {"headers": ["x-a"]},
    "request-body-find-replace": {"replacements": [REPLACEMENT]},
    "response-body-find-replace": {"replacements": [REPLACEMENT]},
    "restrict-ips": {"enforce": True, "allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"], "ip_policies": ["ipp_1"]},
    "saml": {"idp_metadata": "<xml/>"},
    "set-vars": {"vars": [{"a": "b"}]},
    "sse-find-replace": {"replacements": [{**REPLACEMENT, "field": "data"}]},
    "terminate-tls": {
        "min_version": "1.2",
        "max_version": "1.3",
        "server_private_key": "-----BEGIN PRIVATE KEY-----",
        "server_certificate": PEM,
        "mutual_tls_certificate_authorities": [PEM],
        "mutual_tls_verification_strategy": "request",
    },
    "url-rewrite": {"from": "/a", "to": "/b"},
    "verify-webhook": {"provider": "github", "secret": "secret", "enforce": True},
}

# Two names of one setting, of which a document has one.
OTHER_NAMES = {"openid-connect": [("idle_session_timeout", "idle_session_duration")]}

WRONG_FORMAT = {
    "cidr": "10.0.0.1",
    "credential": "user:short",
    "domain": "not a domain",
    "duration": "ten seconds",
    "event-field": "id",
    "header-value": "two\nlines",
    "http-header-name": "not a name",
    "internal-url": "https://example.com",
    "re2": "(?=ahead)",
    "settable-header-name": "User-Agent",
    "addable-header-name": "ngrok-skip-browser-warning",
    "url": "example.com",
    "var-name": "not-a-name",
}
WRONG_TYPE = {"string": 1, "integer": "1", "number": "1", "boolean": "true", "array": {"a": 1}, "object": ["a"]}
WRONG_EXPRESSION = {"template": "${(}", "expression": "(", "retry": "("}
SAYS_NOTHING = {
    *("$defs", "additionalProperties", "anyOf", "default", "description", "items", "properties", "required", "title"),
}


class Broken(NamedTuple):
    """A document that breaks one constraint, and where."""

    name: str
    phase: str
    config: Any
    path: tuple[str | int, ...]

    @property
    def document(self) -> dict[str, Any]:
        kind = self.name.split(" ")[0]
        return {self.phase: [{"actions": [{"type": kind, "config": self.config}]}]}


def constraints(kind: str, given: Mapping[str, Any]) -> Iterator[Broken]:
    schema = ACTIONS[kind].model_json_schema()
    phase = next(phase for phase in PHASES if phase in ACTIONS[kind].phases and (kind, phase) != ("deny", PHASES[0]))
    for place, at, keyword, wrong in walk(schema, schema, given, ()):
        config = replaced(given, place, wrong)
        yield Broken(f"{kind} {'.'.join(map(str, at))} {keyword}", phase, config, at)


MISSING = object()


def replaced(value: Any, place: tuple[str | int, ...], wrong: Any) -> Any:
    if not place:
        return wrong
    changed = copy.copy(value)
    key, *rest = place
    if not rest and wrong is MISSING:
        del changed[key]
    else:
        changed[key] = replaced(value.get(key) if isinstance(value, dict) else value[key], tuple(rest), wrong)
    return changed


def walk(root: Any, schema: Any, value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[Any, Any, str, Any]]:
    """Place to change, place that is blamed, keyword and wrong value."""
    schema = resolved(root, schema)
    for key in schema.get("required", ()):
        yield (*place, key), (*place, key), "required", MISSING
    if schema.get("additionalProperties") is False and schema["type"] == "object":
        yield (*place, "no_such_field"), (*place, "no_such_field"), "additionalProperties", 1
    for keyword, limit in schema.items():
        if keyword not in SAYS_NOTHING:
            blamed, wrong = WRONG[keyword](limit, value)  # a keyword or format without one fails here
            yield place, (*place, *blamed), keyword, wrong
    for name, part in schema.get("properties", {}).items():
        yield from walk(root, part, value[name], (*place, name)) if name in value else ()
    if isinstance(schema.get("additionalProperties"), dict) and value:
        name = next(iter(value))
        yield from walk(root, schema["additionalProperties"], value[name], (*place, name))
    if "items" in schema:
        yield from walk(root, schema["items"], value[0], (*place, 0))


def resolved(root: Any, schema: Any) -> Any:
    """The schema without ``$ref``, and without the null that stands for an absent field."""
    if "$ref" in schema:
        found = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        return {**found, **{key: item for key, item in schema.items() if key != "$ref"}}
    if "anyOf" in schema:
        (one,) = (part for part in schema["anyOf"] if part != {"type": "null"})
        return {**schema, **resolved(root, one)}
    return schema


def first(value: Mapping[str, Any]) -> tuple[str, Any]:
    return next(iter(value.items()))


def of_wrong_type(limit: Any, value: Any) -> tuple[tuple[Any, ...], Any]:  # noqa: ARG001  (one signature for all)
    return (), WRONG_TYPE[limit] if isinstance(limit, str) else []


def with_wrong_name(limit: Any, value: Any) -> tuple[tuple[Any, ...], Any]:
    wrong = WRONG_FORMAT[limit["format"]]
    return (wrong,), {wrong: first(value)[1]}


def with_wrong_expression(limit: Any, value: Any) -> tuple[tuple[Any, ...], Any]:
    wrong = WRONG_EXPRESSION[limit]
    return ((first(value)[0],), {first(value)[0]: wrong}) if isinstance(value, dict) else ((), wrong)


# Of each keyword: what is blamed below the value, and a value that breaks it, from its limit and a valid value.
WRONG = {
    "const": lambda limit, _: ((), f"not {limit}"),
    "enum": lambda limit, _: ((), f"not {limit[0]}"),
    "format": lambda limit, _: ((), WRONG_FORMAT[limit]),
    "maxItems": lambda limit, value: ((), [value[0]] * (limit + 1)),
    "maxLength": lambda limit, _: ((), "x" * (limit + 1)),
    "maxProperties": lambda limit, value: ((), {f"{first(value)[0]}{n}": first(value)[1] for n in range(limit + 1)}),
    "maximum": lambda limit, _: ((), limit + 1),
    "minItems": lambda limit, value: ((), value[: limit - 1]),
    "minLength": lambda limit, value: ((), value[: limit - 1]),
    "minProperties": lambda _limit, _value: ((), {}),
    "minimum": lambda limit, _: ((), limit - 1),
    "pattern": lambda _limit, _value: ((), "\xfc!"),
    "propertyNames": with_wrong_name,
    "type": of_wrong_type,
    "x-cel": with_wrong_expression,
    "x-maximum": lambda _limit, _value: ((), "1000h"),
    "x-minimum": lambda _limit, _value: ((), "1ms"),
    "x-multiple-of": lambda limit, _: ((), f"61.{limit}"),
}


BROKEN = [broken for kind, given in EVERY_FIELD.items() for broken in constraints(kind, given)]
BROKEN += [
    found
    for kind, names in OTHER_NAMES.items()
    for new, old in names
    for found in constraints(kind, {key: item for key, item in EVERY_FIELD[kind].items() if key != old} | {new: "1h"})
    if new in found.path
]


def problems(document: Any) -> list[Any]:
    with pytest.raises(ValidationError) as caught:
        TrafficPolicy.model_validate(document)
    return list(problems_of(caught.value, document))


def dotted(*parts: str | int) -> str:
    path = ""
    for part in parts:
        plain = isinstance(part, str) and part.replace("-", "_").isidentifier()
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if plain else f'["{part}"]'
    return path.lstrip(".")


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_a_document_that_breaks_one_constraint_is_refused_at_its_place(case):
    expected = dotted(case.phase, 0, "actions", 0, "config", *case.path)
    found = problems(case.document)
    assert {problem.path for problem in found} == {expected}
    assert all(problem.message and "/" in problem.code for problem in found)


@pytest.mark.parametrize("kind", sorted(ACTIONS))
def test_every_field_has_a_valid_value_from_which_the_wrong_ones_are_made(kind):
    given, schema = EVERY_FIELD[kind], ACTIONS[kind].model_json_schema()
    phase = next(phase for phase in reversed(PHASES) if phase in ACTIONS[kind].phases)
    TrafficPolicy.model_validate({phase: [{"actions": [{"type": kind, "config": given}]}]})
    names = {new for new, _ in OTHER_NAMES.get(kind, ())}
    assert list(fields_without_value(schema, schema, given, "")) == [f".{name}" for name in sorted(names)]


def fields_without_value(root: Any, schema: Any, value: Any, path: str) -> Iterator[str]:
    schema = resolved(root, schema)
    for name, part in schema.get("properties", {}).items():
        if name in value:
            yield from fields_without_value(root, part, value[name], f"{path}.{name}")
        else:
            yield f"{path}.{name}"
    if "items" in schema:
        yield from fields_without_value(root, schema["items"], value[0], f"{path}[]")


WRONG_PHASE = [(kind, phase) for kind in sorted(ACTIONS) for phase in PHASES if phase not in ACTIONS[kind].phases]


@pytest.mark.parametrize(("kind", "phase"), WRONG_PHASE)
def test_an_action_outside_its_phases_is_refused(kind, phase):
    found = problems({phase: [{"actions": [{"type": kind, "config": EVERY_FIELD[kind]}]}]})
    assert (f"{phase}[0].actions[0].type", "policy/action-phase") in [(one.path, one.code) for one in found]


# --- rules across fields, and those of rules and documents ----------------------------------------------------------


def policy(*configs: tuple[str, Any], phase: str = "on_http_request") -> dict[str, Any]:
    return {phase: [{"actions": [{"type": kind, "config": config} for kind, config in configs]}]}


def jwt(**changes: Any) -> dict[str, Any]:
    return {**EVERY_FIELD["jwt-validation"], "jws": {**EVERY_FIELD["jwt-validation"]["jws"], **changes}}


def without(kind: str, *names: str, **changes: Any) -> tuple[str, dict[str, Any]]:
    return kind, {key: value for key, value in EVERY_FIELD[kind].items() if key not in names} | changes


CONFIG = "on_http_request[0].actions[0].config"
RULE = "on_http_request[0]"
GOOGLE = {"provider": "google"}
DENY = {"type": "deny"}
ACROSS: list[tuple[str, str, Any]] = [
    ("policy/action", f"{RULE}.actions[0]", {"on_http_request": [{"actions": ["deny"]}]}),
    ("policy/action-phase", f"{RULE}.actions[0].type", policy(("compress-response", {}))),
    ("policy/action-type", f"{RULE}.actions[0].type", policy(("oidc", {}))),
    ("policy/algorithm-repeated", "on_http_response[0].actions[0].config.algorithms[1]",
     policy(("compress-response", {"algorithms": ["br", "br"]}), phase="on_http_response")),
    ("policy/certificate", "on_tcp_connect[0].actions[0].config.server_certificate",
     policy(("terminate-tls", {"server_certificate": PEM}), phase="on_tcp_connect")),
    ("policy/certificate", "on_tcp_connect[0].actions[0].config.server_private_key",
     policy(("terminate-tls", {"server_private_key": PEM}), phase="on_tcp_connect")),
    ("policy/cidr", f"{CONFIG}.allow[0]", policy(("restrict-ips", {"allow": ["10.0.0.1"]}))),
    ("policy/client", f"{CONFIG}.client_id", policy(("oauth", {**GOOGLE, "client_id": "a"}))),
    ("policy/client", f"{CONFIG}.client_secret", policy(("oauth", {**GOOGLE, "client_secret": "a"}))),
    ("policy/client", f"{CONFIG}.client_id", policy(without("openid-connect", "client_secret"))),
    ("policy/config", f"{CONFIG}", policy(("deny", "403"))),
    ("policy/cookie-domain", f"{CONFIG}.auth_cookie_domain", policy(without("oauth", auth_cookie_domain="a..b"))),
    ("policy/credential", f"{CONFIG}.credentials[0]", policy(("basic-auth", {"credentials": ["nocolon"]}))),
    ("policy/credential", f"{CONFIG}.credentials[0]", policy(("basic-auth", {"credentials": [":password1"]}))),
    ("policy/credential", f"{CONFIG}.credentials[0]", policy(("basic-auth", {"credentials": ["u:" + "x" * 129]}))),
    ("policy/credential", f"{CONFIG}.credentials[0]",
     policy(("basic-auth", {"credentials": ["user${secrets.get('a', 'b')}"]}))),
    ("policy/deny-status", "on_tcp_connect[0].actions[0].config.status_code",
     policy(("deny", {"status_code": 403}), phase="on_tcp_connect")),
    ("policy/rate", f"{CONFIG}.rate", policy(without("rate-limit", rate="65s"))),
    ("policy/duration", f"{CONFIG}.timeout", policy(without("http-request", timeout="31s"))),
    ("policy/enabled", "enabled", {"enabled": False, "on_http_request": [{"actions": [DENY]}]}),
    ("policy/event-field", "on_event_stream_message[0].actions[0].config.replacements[0].field",
     policy(("sse-find-replace", {"replacements": [{"from": "a", "field": "id"}]}), phase="on_event_stream_message")),
    ("policy/forward-scheme", f"{CONFIG}.url", policy(("forward-internal", {"url": "tls://a.internal:1"}))),
    ("policy/header", f"{CONFIG}.headers[0]", policy(("remove-headers", {"headers": ["USER-AGENT"]}))),
    ("policy/duplicate", f"{CONFIG}.headers.x-A",
     policy(("add-headers", {"headers": {"x-a": "1", "x-A": "2"}}))),
    ("schema/string-type", f"{CONFIG}.headers.x-a", policy(("add-headers", {"headers": {"x-a": True}}))),
    ("policy/header", f"{CONFIG}.headers.x-a", policy(("add-headers", {"headers": {"x-a": "b\r\nx-b: c"}}))),
    ("policy/idle-session", f"{CONFIG}.idle_session_timeout",
     policy(without("openid-connect", idle_session_timeout="1h"))),
    ("policy/internal-url", f"{CONFIG}.url", policy(("forward-internal", {"url": "https://example.com"}))),
    ("policy/internal-url", f"{CONFIG}.url", policy(("forward-internal", {"url": "https://a.b.c.d.e.f.internal"}))),
    ("policy/jwt-algorithm", f"{CONFIG}.jws.allowed_algorithms[0]",
     policy(("jwt-validation", jwt(allowed_algorithms=["None"])))),
    ("policy/jwt-keys", f"{CONFIG}.jws.keys.sources.additional_jkus[0]",
     policy(("jwt-validation", jwt(keys={"sources": {"additional_jkus": ["http://id.example.com"]}})))),
    ("policy/legacy-content", f"{CONFIG}.content", policy(("custom-response", {"content": "a", "body": "b"}))),
    ("policy/legacy-phase", "inbound", {"inbound": [{"actions": [DENY]}], "on_http_request": [{"actions": [DENY]}]}),
    ("policy/managed-app", f"{CONFIG}.provider", policy(("oauth", {"provider": "amazon"}))),
    ("policy/managed-app", f"{CONFIG}.provider", policy(("oauth", {"provider": "facebook"}))),
    ("schema/required", f"{RULE}.actions", {"on_http_request": [{"name": "nothing"}]}),
    ("schema/too-short", f"{RULE}.actions", {"on_http_request": [{"actions": []}]}),
    ("schema/tuple-type", f"{RULE}.actions", {"on_http_request": [{"actions": None}]}),
    ("policy/pattern", f"{CONFIG}.from", policy(("redirect", {"from": r"(a)\1", "to": "/"}))),
    ("policy/pattern-never", f"{CONFIG}.from", policy(("redirect", {"from": "^/api", "to": "/"}))),
    ("policy/pattern-never", f"{CONFIG}.from", policy(("url-rewrite", {"from": "^/api", "to": "/"}))),
    ("schema/tuple-type", "on_http_request", {"on_http_request": {"actions": [DENY]}}),
    ("schema/tuple-type", "on_http_response", {"on_http_response": None}),
    ("schema/greater-than-equal", f"{CONFIG}.status_code", policy(("redirect", {"to": "/", "status_code": 200}))),
    ("policy/restrict-nothing", CONFIG, policy(("restrict-ips", {"enforce": True, "allow": []}))),
    ("schema/string-type", f"{RULE}.name", {"on_http_request": [{"name": True, "actions": [DENY]}]}),
    ("schema/string-too-short", f"{RULE}.name", {"on_http_request": [{"name": "", "actions": [DENY]}]}),
    ("policy/duplicate", f"{CONFIG}.headers[1]", policy(("remove-headers", {"headers": ["x-a", "X-A"]}))),
    ("policy/scopes", f"{CONFIG}.scopes", policy(("oauth", {**GOOGLE, "scopes": ["email"]}))),
    ("policy/shorthand", RULE, {"on_http_request": [{"type": "oauth", "config": GOOGLE}]}),
    ("policy/tls-versions", "on_tcp_connect[0].actions[0].config.max_version",
     policy(("terminate-tls", {"min_version": "1.3", "max_version": "1.2"}), phase="on_tcp_connect")),
    ("policy/two-ai-gateways", f"{RULE}.actions[1].type", policy(("ai-gateway", {}), ("ai-gateway", {}))),
    ("policy/two-logins", f"{RULE}.actions[1].type", policy(("oauth", GOOGLE), ("saml", {"idp_metadata": "x"}))),
    ("policy/unreachable", f"{RULE}.actions[1]", policy(("deny", {}), ("custom-response", {}))),
    ("policy/unreachable", "on_http_request[1]", {"on_http_request": [{"actions": [DENY]}, {"actions": [DENY]}]}),
    ("policy/url", f"{CONFIG}.issuer_url", policy(("openid-connect", {"issuer_url": "id.example.com"}))),
    ("policy/var-name", f'{CONFIG}.vars[0]["a b"]', policy(("set-vars", {"vars": [{"a b": 1}]}))),
    ("policy/vars", f"{CONFIG}.vars", policy(("set-vars", {"vars": {"a": 1}}))),
    ("policy/vars", f"{CONFIG}.vars[0]", policy(("set-vars", {"vars": [{"a": 1, "b": 2}]}))),
    ("policy/webhook-provider", f"{CONFIG}.provider", policy(("verify-webhook", {"provider": "x", "secret": "s"}))),
    ("schema/number", f"{CONFIG}.error_threshold", policy(("circuit-breaker", {"error_threshold": "0.5"}))),
    ("schema/required", f"{RULE}.actions[0].type", {"on_http_request": [{"actions": [{"config": {}}]}]}),
    ("schema/required", f"{CONFIG}.algorithm", policy(without("rate-limit", "algorithm"))),
    ("schema/unknown-field", f"{RULE}.actions[0].name", {"on_http_request": [{"actions": [{**DENY, "name": "x"}]}]}),
    ("schema/unknown-field", f"{RULE}.if", {"on_http_request": [{"if": "true", "actions": [DENY]}]}),
    ("schema/unknown-field", "on_request", {"on_request": []}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "path", "document"), ACROSS, ids=[f"{code} {path}" for code, path, _ in ACROSS])
def test_a_rule_across_fields_is_told_at_its_place(code, path, document):
    found = [(one.path, one.code) for one in problems(document)]
    assert (path, code) in found
    assert {place for place, _ in found} == {path}


# Of what only Python can say: tests/unit/test_policy_actions.py.
ELSEWHERE = {"policy/raw-known"}


def test_every_rule_of_the_models_has_a_document_that_breaks_it():
    folder = Path(inspect.getfile(package)).parent
    files = [
        *folder.glob("actions/*.py"),
        *(folder / f"{n}.py" for n in ("document", "fields", "legacy", "order", "union")),
    ]
    codes = {
        node.args[0].value
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "fault"
        if isinstance(node.args[0], ast.Constant)
    }
    assert len(codes) > 40
    assert codes - ELSEWHERE <= {code for code, _, _ in ACROSS}
