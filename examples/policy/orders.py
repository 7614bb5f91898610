"""A traffic policy alone: typed, checked as it is written, printed as the document that ngrok reads.

python examples/policy/orders.py | apiopsctl validate -
"""

import sys

from apiops_components import AddHeaders, Deny, JwtValidation, RateLimit, Rule, TrafficPolicy, policy_document
from apiops_components.documents import dump_all

policy = TrafficPolicy(
    on_http_request=(
        Rule(
            name="no scrapers",
            expressions=("req.user_agent.name.matches('(?i)(curl|scrapy|wget)')",),
            actions=(Deny(),),
        ),
        Rule(
            name="token",
            actions=(JwtValidation.bearer(issuer="https://id.example.com", jwks="https://id.example.com/jwks"),),
        ),
        Rule(
            name="limit per client",
            actions=(RateLimit(name="orders", capacity=300, rate="60s", bucket_key=("conn.client_ip",)),),
        ),
    ),
    on_http_response=(Rule(actions=(AddHeaders(headers={"strict-transport-security": "max-age=31536000"}),)),),
)

if __name__ == "__main__":
    dump_all([policy_document(policy)], sys.stdout)
