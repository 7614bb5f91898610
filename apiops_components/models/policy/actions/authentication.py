"""Actions that find out who sends a request by a login: basic-auth, oauth, openid-connect, saml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import fault, raise_faults
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.fields import AnyDuration, Bool, CookieDomain, Marked, NonEmpty, Template, Url

__all__ = ["BasicAuth", "OAuth", "OpenIdConnect", "Saml"]

_REQUEST = frozenset({"on_http_request"})


def _credential(pair: str) -> str:
    if "${" in pair:
        whole = pair.startswith("${") and pair.endswith("}") and pair.count("${") == 1
        outside = "".join(part for part in _literal_parts(pair))
        if not whole and ":" not in outside:
            message = f"{pair!r} has no ':' between user and password outside its ${{…}} (ERR_NGROK_2257)"
            raise_faults([fault("policy/credential", message, "${user}:${password}, or one ${…} that gives both")])
        return pair
    user, colon, password = pair.partition(":")
    if not colon or not user:
        raise_faults([fault("policy/credential", "not user:password (ERR_NGROK_2257)", "the first colon separates")])
    if not 8 <= len(password) <= 128:  # noqa: PLR2004  (ngrok's limits)
        message = f"the password of {user!r} has {len(password)} characters, 8 to 128 are expected (ERR_NGROK_2258)"
        raise_faults([fault("policy/credential", message)])
    return pair


def _literal_parts(text: str) -> Iterator[str]:
    """What stands outside ``${…}``; good enough to find a colon."""
    depth = 0
    for position, character in enumerate(text):
        if character == "{" and (depth or text[position - 1 : position] == "$"):
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        elif not depth:
            yield character


Credential = Annotated[Template, AfterValidator(_credential), Marked({"format": "credential"})]
"""``user:password``; the first colon separates. Either side, part of one, or the whole may be ``${…}``."""


class BasicAuth(Action):
    """Answers 401 without one of the user names and passwords (HTTP basic authentication).

    A password belongs into ngrok's vault: ``api:${secrets.get('vault', 'key')}``.
    """

    type: ClassVar[str] = "basic-auth"
    phases: ClassVar[frozenset[str]] = _REQUEST
    result: ClassVar[str] = "basic_auth"
    protecting: ClassVar[bool] = True

    credentials: tuple[Credential, ...] = Field(min_length=1, max_length=10)
    """1 to 10 pairs ``user:password``, each password of 8 to 128 characters."""
    realm: Annotated[str, Field(max_length=128, pattern=r"^[\x00-\x7f]*$")] | None = None
    """Shown by browsers; ASCII, at most 128 characters. ``ngrok`` by default."""
    enforce: Bool | None = None
    """False lets everyone through and only records who would not pass; true by default."""


class _Login(Action):
    """What the actions that send a person to an identity provider share."""

    phases: ClassVar[frozenset[str]] = _REQUEST
    protecting: ClassVar[bool] = True

    auth_id: NonEmpty | None = None
    """Scopes the session's cookie and the paths ``/ngrok/login`` and ``/ngrok/logout``."""
    client_id: Template | None = None
    """Of the application at the provider; goes with ``client_secret``."""
    client_secret: Template | None = None
    """Of the application at the provider: ``${secrets.get('vault', 'name')}``."""
    scopes: tuple[NonEmpty, ...] | None = None
    """Asked for besides what ngrok needs; not with ngrok's managed application."""
    authz_url_params: Mapping[str, str] | None = None
    """Added to the query of the provider's authorization address."""
    max_session_duration: AnyDuration | None = None
    """A person logs in again after this, whatever they did."""
    userinfo_refresh_interval: AnyDuration | None = None
    """How often what is known of a person is fetched again."""
    allow_cors_preflight: Bool | None = None
    """True lets preflight requests (OPTIONS) through without a login; false by default."""
    auth_cookie_domain: CookieDomain | None = None
    """Domain of the session's cookie, to which the endpoint must belong (ERR_NGROK_2241)."""

    def faults(self) -> Iterator[InitErrorDetails]:
        if (self.client_id is None) != (self.client_secret is None):
            there, missing = ("client_id", "client_secret")[:: 1 if self.client_secret is None else -1]
            message = f"{there} is there without {missing} (ERR_NGROK_2240)"
            yield fault("policy/client", message, f"add {missing}, or leave both out", [there])


class OAuth(_Login):
    """Sends a person to log in at a well-known provider.

    Who may pass is a later rule's matter: ``!(actions.ngrok.oauth.identity.email in ['a@example.com'])`` with `Deny`.
    """

    type: ClassVar[str] = "oauth"
    result: ClassVar[str] = "oauth"
    renamed: ClassVar[Mapping[str, str]] = {"idle_session_duration": "idle_session_timeout"}

    provider: Literal["amazon", "facebook", "github", "gitlab", "google", "linkedin", "microsoft", "twitch"]
    """Where people log in. amazon and facebook need ``client_id`` and ``client_secret``; the others have a managed
    application of ngrok's, for trying out."""
    idle_session_timeout: AnyDuration | None = None
    """A session ends after this time without a request."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from super().faults()
        if self.client_id is not None:
            return
        if self.provider in ("amazon", "facebook"):
            message = f"ngrok has no managed application for {self.provider} (ERR_NGROK_5535)"
            yield fault("policy/managed-app", message, "give client_id and client_secret", ["provider"])
        if self.scopes and self.client_secret is None:
            message = "ngrok's managed application takes no scopes of your own"
            yield fault("policy/scopes", message, "give client_id and client_secret, or leave them out", ["scopes"])


class OpenIdConnect(_Login):
    """Sends a person to log in at a provider of OpenID Connect. Its results are ``actions.ngrok.oidc.*``."""

    type: ClassVar[str] = "openid-connect"
    result: ClassVar[str] = "oidc"

    issuer_url: Url
    """Serves ``/.well-known/openid-configuration`` below it (ERR_NGROK_2227)."""
    idle_session_duration: AnyDuration | None = None
    """A session ends after this time without a request. So ngrok documents it; its operator writes the next one."""
    idle_session_timeout: AnyDuration | None = None
    """The other name of ``idle_session_duration``."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from super().faults()
        if self.idle_session_duration is not None and self.idle_session_timeout is not None:
            message = "two names of the same setting"
            yield fault("policy/idle-session", message, "keep idle_session_duration", ["idle_session_timeout"])


class Saml(Action):
    """Sends a person to log in at a SAML provider. Early access: ngrok publishes no reference of it."""

    type: ClassVar[str] = "saml"
    phases: ClassVar[frozenset[str]] = _REQUEST
    protecting: ClassVar[bool] = True

    idp_metadata: Template
    """The provider's metadata, as XML."""
