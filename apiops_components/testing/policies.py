"""Hypothesis strategies of traffic policies: conditions, every action, rules, whole policies. All drawn is valid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from apiops_components.models.policy.action import PHASES, Action
from apiops_components.models.policy.actions import (
    AddHeaders,
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
from apiops_components.models.policy.cel import literal
from apiops_components.models.policy.document import Rule, TrafficPolicy
from apiops_components.testing.names import dns_labels, header_names, headers, hosts, values

__all__ = ["actions", "conditions", "logins", "rules", "traffic_policies"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
_SECRET = "${secrets.get('vault', 'name')}"  # noqa: S105  (the name of one)
_FLAG = st.none() | st.booleans()
_RANGES = st.sampled_from(["10.0.0.0/8", "203.0.113.7/32", "2001:db8::/32", "::/0", "${conn.client_ip}/32"])
_PATTERNS = st.sampled_from(["/a/[0-9]+", "^https://[^/]+/v1(/.*)?$", r"\d{3}-\d{2}", "(?i)secret", "${req.host}"])


def conditions(phase: str = "on_http_request") -> st.SearchStrategy[str]:
    """Expressions that are true or false, with text of every kind in them."""
    text = st.text(max_size=6).map(literal)
    simple = [
        st.builds("inCidrRange(conn.client_ip, {})".format, st.sampled_from(["'10.0.0.0/8'", "'::/0'"])),
        st.builds("conn.geo.country_code != {}".format, text),
    ]
    if phase in ("on_http_request", "on_http_response"):
        simple += [
            st.builds("req.method == {}".format, st.sampled_from(_METHODS).map(literal)),
            st.builds("req.url.path.startsWith({})".format, text),
            st.builds("{} in req.headers".format, header_names().map(str.lower).map(literal)),
            st.builds("req.host != {}".format, text),
        ]
    if phase == "on_http_response":
        simple.append(st.builds("res.status_code >= {}".format, st.integers(200, 599)))
    whole = st.one_of(simple)
    return whole | st.builds("!({})".format, whole) | st.builds("{} || {}".format, whole, whole)


def _texts() -> st.SearchStrategy[str]:
    """Text of any characters, some of it with a part that is evaluated."""
    plain = st.text(min_size=1, max_size=8).filter(lambda text: "${" not in text)
    return plain.filter(bool) | st.builds("{}${{conn.client_ip}}".format, plain)


def _json() -> st.SearchStrategy[Any]:
    leaf = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | _texts()
    return st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(dns_labels(), inner, max_size=3), max_leaves=5
    )


def _tuples(items: st.SearchStrategy[Any], least: int = 1, most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, min_size=least, max_size=most).map(tuple)


def _seconds(low: int, high: int, step: int = 1) -> st.SearchStrategy[str]:
    return st.integers(low // step, high // step).map(lambda count: f"{count * step}s")


def _replacements(field: st.SearchStrategy[Any] | None = None) -> st.SearchStrategy[tuple[Any, ...]]:
    if field is not None:
        return _tuples(st.builds(EventReplacement, from_=_PATTERNS, to=st.none() | _texts(), field=field))
    return _tuples(st.builds(Replacement, from_=_PATTERNS, to=st.none() | _texts()))


def _anywhere() -> list[st.SearchStrategy[Action]]:
    """Of on_tcp_connect and both phases of HTTP."""
    names = st.from_regex(r"[a-z_][a-z0-9_]{0,7}", fullmatch=True)
    return [
        st.builds(RestrictIps, enforce=_FLAG, allow=_tuples(_RANGES), deny=st.none() | _tuples(_RANGES)),
        st.builds(RestrictIps, ip_policies=_tuples(st.from_regex("ipp_[a-zA-Z0-9]{4}", fullmatch=True))),
        st.builds(SetVars, vars=_tuples(st.dictionaries(names, _json(), min_size=1, max_size=1))),
        st.builds(Log, metadata=st.dictionaries(dns_labels(), _json(), max_size=3)),
    ]


def _http() -> list[st.SearchStrategy[Action]]:
    """Of requests and responses."""
    return [
        st.builds(AddHeaders, headers=headers(least=1)),
        st.builds(RemoveHeaders, headers=headers(least=1).map(tuple)),
        st.builds(
            HttpRequest,
            url=dns_labels().map("https://{}.internal/path".format),
            method=st.none() | st.sampled_from(["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]),
            query_params=st.none() | _tuples(st.builds(QueryParam, key=dns_labels(), value=_texts())),
            headers=st.none() | headers(),
            body=st.none() | _texts(),
            max_redirects=st.none() | st.integers(0, 100),
            timeout=st.none() | _seconds(1, 30),
            retry_condition=st.none() | st.just("attempts < 3 && last_attempt.error != null"),
            on_error=st.sampled_from([None, "halt", "continue"]),
        ),
    ]


def logins() -> st.SearchStrategy[Action]:
    """Actions of which a policy has one at most."""
    application: dict[str, Any] = {"client_id": st.just("id"), "client_secret": st.just(_SECRET)}
    session: dict[str, Any] = {
        "auth_id": st.none() | dns_labels(),
        "authz_url_params": st.none() | st.dictionaries(dns_labels(), values(), max_size=2),
        "max_session_duration": st.none() | _seconds(1, 90_000),
        "userinfo_refresh_interval": st.none() | _seconds(1, 900),
        "allow_cors_preflight": _FLAG,
        "auth_cookie_domain": st.none() | hosts(),
    }
    scopes = st.none() | _tuples(dns_labels())
    idle = st.none() | _seconds(1, 900)
    return st.one_of(
        st.builds(OAuth, provider=st.sampled_from(["github", "google"]), idle_session_timeout=idle, **session),
        st.builds(OAuth, provider=st.sampled_from(["amazon", "gitlab"]), scopes=scopes, **session, **application),
        st.builds(
            OpenIdConnect,
            issuer_url=hosts().map("https://{}/".format),
            idle_session_duration=idle,
            scopes=scopes,
            **session,
            **application,
        ),
        st.builds(Saml, idp_metadata=st.just("<EntityDescriptor/>")),
    )


def _requests() -> list[st.SearchStrategy[Action]]:
    """Of requests alone."""
    return [
        st.builds(
            JwtValidation.bearer,
            issuer=hosts().map("https://{}/".format),
            jwks=hosts().map("https://{}/jwks.json".format),
            audience=st.none() | dns_labels(),
            algorithms=st.sampled_from([("RS256",), ("ES256", "RS512")]),
        ),
        st.builds(
            RateLimit,
            name=dns_labels(),
            capacity=st.integers(1, 2_000_000_000),
            rate=_seconds(60, 86_400, 10),
            bucket_key=st.sampled_from([("conn.client_ip",), ("req.host", "req.method")]),
            enforce=_FLAG,
        ),
        st.builds(
            CircuitBreaker,
            error_threshold=st.none() | st.floats(0, 1),
            volume_threshold=st.none() | st.integers(1, 2_000_000_000),
            window_duration=st.none() | _seconds(1, 120),
            tripped_duration=st.none() | _seconds(1, 120),
            num_buckets=st.sampled_from([None, 10]),
            enforce=_FLAG,
        ),
        st.builds(
            BasicAuth,
            credentials=_tuples(
                st.builds("{}:{}".format, dns_labels(), st.sampled_from(["p:ssw0rd!", "x" * 128, _SECRET]))
            ),
            realm=st.none() | values(),
            enforce=_FLAG,
        ),
        st.builds(VerifyWebhook, provider=st.sampled_from(["github", "stripe"]), secret=_texts(), enforce=_FLAG),
        st.builds(UrlRewrite, from_=st.none() | _PATTERNS, to=st.just("/v2$1")),
        st.builds(
            OwaspCrsRequest,
            on_error=st.sampled_from([None, "halt", "continue"]),
            process_body=_FLAG,
            exclude_rule_ids=st.none() | _tuples(st.integers(900_000, 999_999)),
        ),
        st.builds(RequestBodyFindReplace, replacements=_replacements()),
    ]


def _responses() -> list[st.SearchStrategy[Action]]:
    """Of responses alone."""
    algorithms: st.SearchStrategy[Sequence[str]] = st.permutations(["br", "compress", "deflate", "gzip"])
    return [
        st.builds(CompressResponse, algorithms=st.none() | algorithms.map(tuple)),
        st.builds(OwaspCrsResponse, on_error=st.sampled_from([None, "halt", "continue"]), process_body=_FLAG),
        st.builds(ResponseBodyFindReplace, replacements=_replacements()),
    ]


def _connections() -> list[st.SearchStrategy[Action]]:
    """Of connections alone."""
    versions = st.sampled_from([(None, None), ("1.2", "1.3"), ("1.3", "1.3"), ("1.2", None)])
    keys = st.sampled_from([(None, None), (_SECRET, "-----BEGIN CERTIFICATE-----\n")])
    return [
        st.builds(
            lambda between, key, authorities, strategy: TerminateTls(
                min_version=between[0],
                max_version=between[1],
                server_private_key=key[0],
                server_certificate=key[1],
                mutual_tls_certificate_authorities=authorities,
                mutual_tls_verification_strategy=strategy,
            ),
            versions,
            keys,
            st.none() | _tuples(st.sampled_from(["ca_abc", "-----BEGIN CERTIFICATE-----\n"])),
            st.sampled_from([None, "require-and-verify", "require-any", "request"]),
        )
    ]


def _answers(phase: str) -> list[st.SearchStrategy[Action]]:
    """Those that may end the phase."""
    status = st.none() | st.integers(200, 599)
    response = st.builds(CustomResponse, status_code=status, body=st.none() | _texts(), headers=st.none() | headers())
    if phase == "on_http_response":
        return [response]
    if phase == "on_tcp_connect":
        return [
            st.builds(Deny),
            st.builds(CloseConnection),
            st.builds(ForwardInternal, url=dns_labels().map("tls://{}.internal:443".format)),
        ]
    return [
        response,
        st.builds(Deny, status_code=status),
        st.builds(CloseConnection),
        st.builds(
            ForwardInternal,
            url=dns_labels().map("https://{}.internal".format),
            on_error=st.sampled_from([None, "halt", "continue"]),
        ),
        st.builds(
            Redirect,
            from_=st.none() | _PATTERNS,
            to=st.just("https://example.com/$1"),
            status_code=st.sampled_from([None, 301, 302, 303, 307, 308]),
            headers=st.none() | headers(),
        ),
    ]


def actions(phase: str = "on_http_request", *, terminating: bool = True) -> st.SearchStrategy[Action]:
    """One action that the phase may hold, of any kind but `logins`.

    Args:
        phase: One of the four.
        terminating: Whether actions that may end the phase are among them.
    """
    if phase == "on_event_stream_message":
        return st.builds(SseFindReplace, replacements=_replacements(st.sampled_from([None, "data", "retry"])))
    found = {
        "on_tcp_connect": lambda: [*_anywhere(), *_connections()],
        "on_http_request": lambda: [*_anywhere(), *_http(), *_requests()],
        "on_http_response": lambda: [*_anywhere(), *_http(), *_responses()],
    }[phase]()
    return st.one_of(*found, *(_answers(phase) if terminating else ()))


def rules(phase: str = "on_http_request", *, conditional: bool = False) -> st.SearchStrategy[Rule]:
    """Rules with up to two conditions and three actions, of which only the last may end the phase.

    Args:
        phase: One of the four.
        conditional: Whether each has a condition, so that none makes those behind it unreachable.
    """
    return st.builds(
        lambda name, given, first, last: Rule(name=name, expressions=tuple(given), actions=(*first, last)),
        st.none() | dns_labels(),
        st.lists(conditions(phase), min_size=int(conditional), max_size=2),
        st.lists(actions(phase, terminating=False), max_size=2),
        actions(phase),
    )


def traffic_policies(
    phases: Sequence[str] = ("on_http_request", "on_http_response"), *, with_login: bool = False
) -> st.SearchStrategy[TrafficPolicy]:
    """Policies with up to three rules a phase.

    Args:
        phases: Those that may have rules.
        with_login: Whether some begin their requests with one of `logins`.
    """

    def phase(name: str) -> st.SearchStrategy[tuple[Rule, ...]]:
        first = st.lists(rules(name, conditional=True), max_size=2)
        return st.builds(lambda before, last: (*before, *last), first, st.lists(rules(name), max_size=1))

    def made(login: Action | None, **found: tuple[Rule, ...]) -> TrafficPolicy:
        if login is not None:
            found["on_http_request"] = (Rule(actions=(login,)), *found.get("on_http_request", ()))
        return TrafficPolicy(**{name: found[name] for name in PHASES if found.get(name)})

    login = st.none() | logins() if with_login else st.none()
    return st.builds(made, login, **{name: phase(name) for name in phases})
