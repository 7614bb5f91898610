"""Actions that find out who sends a request by what it carries: jwt-validation, verify-webhook."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import Model, fault, raise_faults
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.fields import Bool, Evaluated, NonEmpty, Template

__all__ = ["JwtValidation", "VerifyWebhook", "WebhookProvider"]

_REQUEST = frozenset({"on_http_request"})


class AllowedIssuer(Model):
    """One value of the list of issuers."""

    value: Template
    """Compared with ``iss`` exactly, trailing slash included; ``${…}`` is evaluated."""


class AllowedIssuers(Model):
    """The values of ``iss`` that are accepted."""

    allow_list: tuple[AllowedIssuer, ...] = Field(min_length=1)
    """At least one."""


class AllowedAudience(Model):
    """One value of the list of audiences."""

    value: NonEmpty
    """Compared with ``aud`` exactly; ngrok does not evaluate ``${…}`` here."""


class AllowedAudiences(Model):
    """The values of ``aud`` that are accepted."""

    allow_list: tuple[AllowedAudience, ...] = Field(min_length=1)
    """At least one."""


class Token(Model):
    """Where a token is found in the request."""

    type: Literal["id_token", "access_token", "at+jwt", "it+jwt", "plain", "jwt"]
    """What it is expected to be."""
    method: Literal["header", "body"]
    """A header, or a field of the body (POST, PUT and PATCH only). There is no query."""
    name: Template
    """Name of the header or field, in any case."""
    prefix: Annotated[str, Evaluated("template")] | None = None
    """What stands before the token, trailing space included: ``"Bearer "``."""


class TokenSources(Model):
    """The tokens that must be there."""

    tokens: tuple[Token, ...] = Field(min_length=1)
    """All of them must be present in the request."""


class KeySources(Model):
    """Where keys are fetched."""

    additional_jkus: tuple[Template, ...] = Field(min_length=1)
    """``https://`` addresses of JSON Web Key Sets; ngrok keeps them for about 15 minutes."""


class KeyIdentification(Model):
    """How the key of a token is found."""

    token_claims: tuple[Literal["kid"], ...] = Field(min_length=1)
    """``kid``, the only claim there is."""


class Keys(Model):
    """The keys that signatures are checked with."""

    sources: KeySources
    """A mapping, though ngrok's table says list; its examples are mappings."""
    identification: KeyIdentification | None = None
    """By ``kid`` by default."""


class Jws(Model):
    """Signatures."""

    allowed_algorithms: tuple[NonEmpty, ...] = Field(min_length=1)
    """Such as RS256 or ES256; ``none`` is refused. ngrok publishes no list."""
    keys: Keys
    """The keys that signatures are checked with. A mapping, though ngrok's table says list."""


class JwtValidation(Action):
    """Lets a request through only with a valid JSON Web Token; 10 units a request.

    `JwtValidation.bearer` is the short way to the usual case.
    """

    type: ClassVar[str] = "jwt-validation"
    phases: ClassVar[frozenset[str]] = _REQUEST
    result: ClassVar[str] = "jwt_validation"
    protecting: ClassVar[bool] = True

    issuer: AllowedIssuers
    """Accepted values of ``iss``."""
    audience: AllowedAudiences | None = None
    """Accepted values of ``aud``; not checked by default."""
    http: TokenSources
    """Where the tokens are."""
    jws: Jws
    """How they are signed."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        for index, name in enumerate(self.jws.allowed_algorithms):
            if name.lower() == "none":
                yield fault(
                    "policy/jwt-algorithm",
                    "'none' accepts unsigned tokens",
                    "name a real one: RS256",
                    ("jws", "allowed_algorithms", index),
                )
        for index, address in enumerate(self.jws.keys.sources.additional_jkus):
            if not address.startswith(("https://", "${")):
                yield fault(
                    "policy/jwt-keys",
                    f"{address!r} is not an https:// address",
                    "keys fetched in clear can be replaced on the way",
                    ["jws", "keys", "sources", "additional_jkus", index],
                )

    @classmethod
    def bearer(
        cls,
        *,
        issuer: str,
        jwks: str,
        audience: str | None = None,
        algorithms: tuple[str, ...] = ("RS256",),
        header: str = "Authorization",
        prefix: str = "Bearer ",
    ) -> JwtValidation:
        """A token in ``Authorization: Bearer …``, signed with a key of ``jwks``."""
        return cls(
            issuer=AllowedIssuers(allow_list=(AllowedIssuer(value=issuer),)),
            audience=AllowedAudiences(allow_list=(AllowedAudience(value=audience),)) if audience is not None else None,
            http=TokenSources(tokens=(Token(type="jwt", method="header", name=header, prefix=prefix),)),
            jws=Jws(allowed_algorithms=algorithms, keys=Keys(sources=KeySources(additional_jkus=(jwks,)))),
        )


# fmt: off
WebhookProvider = Literal[
    "aftership", "airship", "alchemy", "autodesk", "bitbucket", "bolt", "box", "brex", "buildkite", "calendly",
    "castle", "chargify", "circleci", "clearbit", "clerk", "coinbase", "contentful", "docusign", "dropbox",
    "facebook_graph_api", "facebook_messenger", "frameio", "github", "gitlab", "go1", "graphcms", "heroku",
    "hostedhooks", "hubspot", "instagram", "intercom", "jira", "launch_darkly", "linear", "mailchimp", "mailgun",
    "microsoft_teams", "modern_treasury", "mongodb", "mux", "orb", "orbit", "pagerduty", "pinwheel", "plivo",
    "pusher", "sendgrid", "sentry", "shopify", "signal_sciences", "slack", "sns", "sonatype", "square", "stripe",
    "svix", "terraform", "tiktok", "trendmicro_conformity", "twilio", "twitter", "typeform", "vmware", "webex",
    "whatsapp", "worldline", "xero", "zendesk", "zoom",
]
# fmt: on
"""Who sends the webhooks, by ngrok's identifier. The list is the server's and grows."""

_MISSPELT = {"signalsciences": "signal_sciences", "sonatype_nexus": "sonatype", "vmware_workspace": "vmware"}


def _provider(name: Any) -> Any:
    if isinstance(name, str) and name not in get_args(WebhookProvider):
        near = _MISSPELT.get(name) or next(iter(difflib.get_close_matches(name, get_args(WebhookProvider), 1)), None)
        hint = f"did you mean {near}?" if near else "for one that ngrok added lately: RawAction, in Python"
        raise_faults([fault("policy/webhook-provider", f"unknown provider {name!r} (ERR_NGROK_2222)", hint)])
    return name


class VerifyWebhook(Action):
    """Answers 403 where a request does not carry the signature of a webhook's sender."""

    type: ClassVar[str] = "verify-webhook"
    phases: ClassVar[frozenset[str]] = _REQUEST
    result: ClassVar[str] = "verify_webhook"
    protecting: ClassVar[bool] = True

    provider: Annotated[WebhookProvider, BeforeValidator(_provider)]
    """Who sends the webhooks. Some of ngrok's guides spell a few names otherwise than its list, which holds here."""
    secret: Template
    """Shared with the sender: ``${secrets.get('vault', 'name')}``."""
    enforce: Bool | None = None
    """False lets every request through and only records the result; true by default."""
