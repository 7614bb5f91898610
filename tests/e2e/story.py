"""What tests on a real control plane share: the team of the story, and patience."""

from __future__ import annotations

from pathlib import Path

from apiops_components.sandbox.kube import wait_for

ROOT = Path(__file__).parents[2]


def named(api_version, kind, name, namespace="shop"):
    """An object, by what tells it from others."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def eventually(probe, seconds=60):
    """What the probe gives in the end."""
    found = wait_for(probe, seconds=seconds)
    assert found
    return found


class Team:
    """The shop, which adds a route to its description and takes it out again."""

    apis = 'apis=(guestbook(), orders(issuer=environment.variable(TEAM, "issuer")))'
    more = 'apis=(guestbook(), *(each(issuer=environment.variable(TEAM, "issuer")) for each in (orders, returns)))'
    route = """

def returns(*, issuer: str) -> ApiSpec:
    return ApiSpec(
        name="returns",
        routes=(Route.prefix("/returns", Backend.to("orders", 80)),),
        policy=TrafficPolicy(
            on_http_request=(
                Rule(actions=(JwtValidation.bearer(issuer=issuer, jwks=f"{issuer}/.well-known/jwks.json"),)),
                Rule(actions=(RateLimit(name="returns", capacity=60, rate="60s", bucket_key=("conn.client_ip",)),)),
            ),
        ),
    )
"""

    def __init__(self, project):
        self.file = project / "stacks/teams/shop/describe.py"
        self.before = self.file.read_text()
        assert self.apis in self.before

    def adds_a_route(self):
        self.file.write_text(self.before.replace(self.apis, self.more) + self.route)

    def takes_it_out(self):
        self.file.write_text(self.before)

    def forgets_the_token(self):
        begin = self.before.index('                Rule(\n                    name="token"')
        end = self.before.index("                Rule(\n", begin + 1)
        self.file.write_text(self.before[:begin] + self.before[end:])
