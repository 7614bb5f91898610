"""Who sends a request: tokens, logins, signatures, addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Literal

from apiops_components.models.policy.actions import (
    BasicAuth,
    JwtValidation,
    OAuth,
    OpenIdConnect,
    RestrictIps,
    VerifyWebhook,
)
from apiops_components.models.policy.actions.tokens import (
    AllowedAudience,
    AllowedAudiences,
    AllowedIssuer,
    AllowedIssuers,
    Jws,
    Keys,
    KeySources,
    Token,
    TokenSources,
)
from apiops_components.models.policy.factories.rules import several

__all__ = ["allow_ips", "basic_auth", "deny_ips", "jwt", "oauth", "openid_connect", "verify_webhook"]


def jwt(
    *,
    issuer: str | Sequence[str],
    jwks: str | Sequence[str],
    audience: str | Sequence[str] = (),
    algorithms: str | Sequence[str] = ("RS256",),
    header: str = "Authorization",
    prefix: str = "Bearer ",
) -> JwtValidation:
    """Lets a request through only with a valid JSON Web Token in a header; 10 units a request.

    Args:
        issuer: What ``iss`` must be, exactly, trailing slash included; one of several.
        jwks: ``https://`` addresses of the keys; ngrok keeps them for about 15 minutes.
        audience: What ``aud`` must be; one of several. Not checked by default.
        algorithms: Those that a signature may have; never ``none``.
        header: Where the token is.
        prefix: What stands before it, trailing space included.
    """
    audiences = tuple(AllowedAudience(value=value) for value in several(audience))
    return JwtValidation(
        issuer=AllowedIssuers(allow_list=tuple(AllowedIssuer(value=value) for value in several(issuer))),
        audience=AllowedAudiences(allow_list=audiences) if audiences else None,
        http=TokenSources(tokens=(Token(type="jwt", method="header", name=header, prefix=prefix),)),
        jws=Jws(allowed_algorithms=several(algorithms), keys=Keys(sources=KeySources(additional_jkus=several(jwks)))),
    )


def basic_auth(*credentials: str, realm: str | None = None, enforce: bool | None = None) -> BasicAuth:
    """Answers 401 without one of 1 to 10 pairs ``user:password``; a password has 8 to 128 characters.

    ``basic_auth(f"api:{secret('vault', 'api-password')}")``
    """
    return BasicAuth(credentials=credentials, realm=realm, enforce=enforce)


def oauth(
    provider: Literal["amazon", "facebook", "github", "gitlab", "google", "linkedin", "microsoft", "twitch"],
    *,
    client_id: str | None = None,
    client_secret: str | None = None,
    scopes: Sequence[str] | None = None,
) -> OAuth:
    """Sends a person to log in at a well-known provider; the rest of its settings are `OAuth`'s.

    Args:
        provider: amazon and facebook need ``client_id`` and ``client_secret`` (ERR_NGROK_5535).
        client_id: Of your application; ngrok's managed one by default.
        client_secret: Goes with ``client_id``.
        scopes: Only with an application of your own.
    """
    asked = tuple(scopes) if scopes is not None else None
    return OAuth(provider=provider, client_id=client_id, client_secret=client_secret, scopes=asked)


def openid_connect(
    issuer_url: str, *, client_id: str, client_secret: str, scopes: Sequence[str] = ("openid",)
) -> OpenIdConnect:
    """Sends a person to log in at a provider of OpenID Connect; the rest of its settings are `OpenIdConnect`'s.

    Args:
        issuer_url: Serves ``/.well-known/openid-configuration`` below it (ERR_NGROK_2227).
        client_id: Of your application there.
        client_secret: Of your application there.
        scopes: What is asked for.
    """
    return OpenIdConnect(issuer_url=issuer_url, client_id=client_id, client_secret=client_secret, scopes=tuple(scopes))


def verify_webhook(provider: str, *, secret: str, enforce: bool | None = None) -> VerifyWebhook:
    """Answers 403 where a request does not carry the signature of a webhook's sender; 1 unit a request."""
    return VerifyWebhook.model_validate({"provider": provider, "secret": secret, "enforce": enforce})


Network = str | ipaddress.IPv4Network | ipaddress.IPv6Network | ipaddress.IPv4Address | ipaddress.IPv6Address
"""A range or an address; ngrok wants a mask, so that of one address is added."""


def _networks(found: Sequence[Network]) -> tuple[str, ...] | None:
    return tuple(_network(item) for item in found) or None


def _network(item: Network) -> str:
    text = str(item)
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return text
    return f"{text}/{128 if ':' in text else 32}"


def allow_ips(*ranges: Network, policies: Sequence[str] = (), enforce: bool | None = None) -> RestrictIps:
    """Lets only these addresses through: 403 for the others, a closed connection in on_tcp_connect; 10 units.

    Args:
        ranges: ``203.0.113.0/24``; one address stands for itself.
        policies: Ids of the account's IP policies, ``ipp_…``.
        enforce: False only records; true by default.
    """
    return RestrictIps(allow=_networks(ranges), ip_policies=tuple(policies) or None, enforce=enforce)


def deny_ips(*ranges: Network, enforce: bool | None = None) -> RestrictIps:
    """Refuses these addresses, and no other; 10 units."""
    return RestrictIps(deny=_networks(ranges), enforce=enforce)
