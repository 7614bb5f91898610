"""What must hold for every API of the company: stated once, by the platform team."""

from apiops_components import (
    AllowedHosts,
    AllowedNamespaces,
    AuthenticationRequired,
    ForbiddenActions,
    HighestRateLimit,
    OwnerRequired,
    Waiver,
)

_GUESTBOOK = Waiver(
    team="shop",
    api="guestbook",
    reason="The public front end: everyone may read it, it serves no data of a customer.",
)

GUARDRAILS = (
    OwnerRequired(),
    AuthenticationRequired(waivers=(_GUESTBOOK,)),
    HighestRateLimit(per_minute=600, waivers=(_GUESTBOOK,)),
    HighestRateLimit(per_minute=6000, required=False),
    AllowedHosts(environments=("staging", "prod"), hosts=("*.example.com",)),
    AllowedNamespaces(teams=("shop",), namespaces=("shop",)),
    # An answer made up at the edge hides a broken backend from its team.
    ForbiddenActions(environments=("prod",), actions=("custom-response",)),
)
