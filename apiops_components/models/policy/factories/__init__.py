"""Short ways to write actions and rules; each gives the model that the long way gives.

::

    Policy.on_request(
        jwt(issuer="https://id.example.com/", jwks="https://id.example.com/jwks.json"),
        rate_limit(100, per="1m", by=client_ip),
        rule(deny(405), when="req.method == 'TRACE'", name="no trace"),
    ) + Policy.on_response(remove_headers("server"))

Limits and defaults are ngrok's (facts: ngrok §1); what is left out is left out of the document. Text is a template for
ngrok wherever the field's documentation says so: ``${…}`` in it is evaluated.
"""
