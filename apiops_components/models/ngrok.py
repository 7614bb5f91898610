"""ngrok's other kinds: CloudEndpoint, AgentEndpoint, Domain and IPPolicy (operator chart 0.24, ``v1alpha1``).

Kubernetes checks their shape and three rules; ngrok refuses the rest later, in a condition that nobody reads. Sources:
the operator's definitions, facts on ngrok §4, §5 and §7; where ngrok has an error code, the message names it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from pydantic import Field, field_validator
from pydantic_core import InitErrorDetails

from apiops_components.errors import Problem
from apiops_components.models.base import (
    Bool,
    DnsSubdomain,
    KubernetesChecked,
    KubernetesModel,
    fault,
    raise_faults,
)
from apiops_components.models.policy.document import PHASES, TrafficPolicy

__all__ = ["AgentEndpoint", "CloudEndpoint", "Domain", "IPPolicy"]

_SCHEMES = ("http", "https", "tcp", "tls")
_PORTS = {"http": 80, "https": 443, "tls": 443}
_MAX_PORT = 65535
_MAX_INTERNAL_LABELS = 5
_AUTHORITY = re.compile(r"(?P<host>[^:/?#\[\]@]*|\[[0-9a-fA-F:.]+\])(:(?P<port>[0-9]+))?")
_HOST = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_TCP_ONLY = ("tcp", "tls")

Metadata = Mapping[str, str] | str
"""Text by key, shown by ngrok; one string of JSON is deprecated."""


class Reference(KubernetesModel):
    """An object in the same namespace."""

    name: DnsSubdomain
    """Its name."""


class Address(NamedTuple):
    """The parts of an endpoint's ``url``; each may be missing."""

    scheme: str
    host: str
    port: int | None
    rest: str


def address(url: str) -> Address | None:
    """The parts of ``[scheme://][host][:port]``; None where it is no such thing."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "", url
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return None
    port = int(match["port"]) if match["port"] and len(match["port"]) < 6 else None  # noqa: PLR2004
    if match["port"] and port is None:
        return None
    return Address(scheme, match["host"], port, rest[len(authority) :])


_NOWHERE = Address("", "", None, "")


class _Noted(KubernetesChecked):
    """Description and metadata, which all of ngrok's objects have."""

    description: str = ""
    """Shown by ngrok; says that the operator made it where absent."""
    metadata: Metadata | None = None
    """Text by key; a string of JSON is read too, but deprecated."""

    @field_validator("metadata")
    @classmethod
    def _json(cls, value: Metadata | None) -> Metadata | None:
        if isinstance(value, str):
            try:
                found = json.loads(value)
            except ValueError:
                found = None
            if not isinstance(found, dict):
                raise_faults([fault("ngrok/metadata", "a mapping, or a string with a JSON object, is expected")])
        return value

    def warnings(self) -> Iterator[Problem]:
        """What works today and is deprecated; paths relative to the object."""
        if isinstance(self.metadata, str):
            message = "metadata as a string of JSON is deprecated"
            yield Problem(message, "metadata", "ngrok/deprecated", "write a mapping of texts")


class _Endpoint(_Noted):
    """What cloud and agent endpoints share."""

    bindings: tuple[Literal["public", "internal", "kubernetes"], ...] = Field(default=(), max_length=1)
    """Who can reach it; told from ``url`` where absent. At most one."""

    def _url_faults(self, url: str) -> Iterator[InitErrorDetails]:
        found = address(url)
        if found is None:
            yield fault(
                "ngrok/url", f"{url!r} is not [scheme://][host][:port]", "such as https://a.example.com", ["url"]
            )
            return
        if found.scheme and found.scheme not in _SCHEMES:
            message = f"one of {', '.join(_SCHEMES)} is expected before ://, got {found.scheme!r} (ERR_NGROK_9034)"
            yield fault("ngrok/url-scheme", message, "", ["url"])
        if found.rest:
            message = f"an endpoint's url has no path, not even a slash: got {found.rest!r} (ERR_NGROK_9037)"
            yield fault("ngrok/url-path", message, "write it without; rules of the policy can test the path", ["url"])
        if found.host and not _is_host(found.host):
            yield fault("ngrok/url-host", f"{found.host!r} is not a host name (lower case)", "", ["url"])
        yield from self._binding_faults(found)

    def _binding_faults(self, found: Address) -> Iterator[InitErrorDetails]:
        internal = found.host.endswith(".internal")
        bound = (self.__dict__.get("bindings") or ("",))[0]
        if internal and len(found.host.split(".")) - 1 > _MAX_INTERNAL_LABELS:
            message = f"at most {_MAX_INTERNAL_LABELS} labels may stand before .internal (ERR_NGROK_9031)"
            yield fault("ngrok/url-internal", message, "", ["url"])
        if bound and found.host and internal != (bound == "internal"):
            expected = (
                "a host that ends in .internal" if bound == "internal" else "a host that does not end in .internal"
            )
            yield fault("ngrok/binding", f"the binding {bound} needs {expected}, got {found.host}", "", ["bindings"])
        if bound == "kubernetes" and found.host and found.host.count(".") != 1:
            message = f"the binding kubernetes needs a url of the form scheme://service.namespace, got {found.host!r}"
            yield fault("ngrok/binding", message, "", ["url"])
        if found.port is None:
            return
        usual = _PORTS.get(found.scheme or "https")
        if not 1 <= found.port <= _MAX_PORT:
            yield fault("ngrok/url-port", f"a port is 1 to {_MAX_PORT}, got {found.port}", "", ["url"])
        elif not internal and bound != "kubernetes" and usual is not None and found.port != usual:
            message = f"a public {found.scheme or 'https'} endpoint has port {usual}, got {found.port} (ERR_NGROK_9035)"
            yield fault("ngrok/url-port", message, "leave the port out", ["url"])

    def _policy_faults(self, policy: TrafficPolicy, url: str, field: str) -> Iterator[InitErrorDetails]:
        """Phases and actions that the endpoint's protocol does not have."""
        found = address(url) or _NOWHERE
        tcp = found.scheme in _TCP_ONLY
        for phase in PHASES:
            loc = ["trafficPolicy", field, phase]
            if not getattr(policy, phase):
                continue
            if tcp and phase != "on_tcp_connect":
                message = f"a {found.scheme}:// endpoint runs on_tcp_connect only (ERR_NGROK_2230)"
                yield fault("ngrok/phase", message, "", loc)
            if not tcp and found.host.endswith(".internal") and phase == "on_tcp_connect":
                message = "an internal http(s) endpoint has no phase on_tcp_connect (ERR_NGROK_2262)"
                yield fault("ngrok/phase", message, "", loc)
        for phase, index, rule in policy.rules if found.scheme in ("http", "tcp") else ():
            for number, step in enumerate(rule.actions):
                if step.type == "terminate-tls":
                    message = f"a {found.scheme}:// endpoint has no TLS to terminate (ERR_NGROK_2205)"
                    yield fault("ngrok/tls", message, "", ["trafficPolicy", field, phase, index, "actions", number])


def _is_host(text: str) -> bool:
    if text.startswith("["):
        text = text[1:-1]
    elif not text.replace(".", "").isdigit():
        return _HOST.fullmatch(text) is not None
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class CloudPolicy(KubernetesChecked):
    """The traffic policy of a cloud endpoint: written here, or another object."""

    inline: TrafficPolicy | None = None
    """The policy itself."""
    target_ref: Reference | None = None
    """An NgrokTrafficPolicy of the same namespace."""
    policy: TrafficPolicy | None = None
    """Deprecated for ``inline``."""

    def faults(self) -> Iterator[InitErrorDetails]:
        if self.inline is not None and self.target_ref is not None:
            message = "spec.trafficPolicy.inline and spec.trafficPolicy.targetRef cannot both be set"
            yield fault("ngrok/policy-source", message, "keep one of them")
        if self.policy is not None and (self.inline is not None or self.target_ref is not None):
            message = "policy is the old name of inline; only one of policy, inline and targetRef can hold"
            yield fault("ngrok/policy-source", message, "leave policy out", ["policy"])


class CloudEndpoint(_Endpoint):
    """An endpoint that lives at ngrok, without an agent: its policy answers every request, or passes it on."""

    url: str
    """``[scheme://][host][:port]``, ``scheme://`` or empty: ngrok fills in what is missing."""
    pooling_enabled: Bool | None = None
    """Whether several endpoints may share the url; false by default, and the same for all of them."""
    traffic_policy: CloudPolicy | None = None
    """What happens to a request; must be guaranteed to end it."""
    traffic_policy_name: str = ""
    """Deprecated for ``trafficPolicy.targetRef.name``."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        values = self.__dict__  # an invalid field is not there, and the rest is still checked
        url = values.get("url")
        if url is not None:
            yield from self._url_faults(url)
        holder: CloudPolicy | None = values.get("traffic_policy")
        if holder is None:
            return
        field = "inline" if holder.inline is not None else "policy"
        policy = holder.inline if holder.inline is not None else holder.policy
        if policy is None:
            return
        yield from self._policy_faults(policy, url or "", field)
        # What these do is not known well enough to say that a request may pass them.
        unknown = bool(policy.raw) or any(step.type == "ai-gateway" for step in policy.actions)
        if not unknown and not policy.guaranteed_to_terminate():
            message = "a cloud endpoint's policy must be guaranteed to end each request (ERR_NGROK_2235)"
            action = "forward-internal, custom-response, deny or close-connection"
            hint = f"end it with a rule without expressions whose action is {action}"
            yield fault("ngrok/terminates", message, hint, ["trafficPolicy", field])

    def warnings(self) -> Iterator[Problem]:  # noqa: D102
        yield from super().warnings()
        holder = self.traffic_policy
        if self.traffic_policy_name:
            hint = f"trafficPolicy: {{targetRef: {{name: {self.traffic_policy_name}}}}}"
            yield Problem("trafficPolicyName is deprecated", "trafficPolicyName", "ngrok/deprecated", hint)
        if holder is not None and holder.policy is not None:
            yield Problem("policy is deprecated", "trafficPolicy.policy", "ngrok/deprecated", "call it inline")
        given = holder is not None and (holder.inline or holder.target_ref or holder.policy)
        if not given and not self.traffic_policy_name:
            message = "ngrok refuses a cloud endpoint without a policy (ERR_NGROK_18011)"
            yield Problem(message, "trafficPolicy", "ngrok/no-policy", "such as one that ends in forward-internal")
        if holder is not None:
            yield from _policy_warnings(holder.inline, "trafficPolicy.inline")
            yield from _policy_warnings(holder.policy, "trafficPolicy.policy")


class AgentPolicy(KubernetesChecked):
    """The traffic policy of an agent endpoint: written here, or another object."""

    inline: TrafficPolicy | None = None
    """The policy itself; requests that it lets through go upstream."""
    target_ref: Reference | None = None
    """An NgrokTrafficPolicy of the same namespace."""

    def faults(self) -> Iterator[InitErrorDetails]:
        values = self.__dict__
        if "inline" in values and "target_ref" in values and (self.inline is None) == (self.target_ref is None):
            message = "exactly one of inline or targetRef must be set on trafficPolicy"
            yield fault("ngrok/policy-source", message, "leave trafficPolicy out where there is no policy")


class Upstream(KubernetesModel):
    """Where requests go."""

    url: str = Field(min_length=1)
    """``http://service.namespace:8080``, ``example.org``, ``https://``, or a port of the agent itself."""
    protocol: Literal["http1", "http2"] | None = None
    """http1 by default."""
    proxy_protocol_version: Literal["1", "2"] | None = None
    """Version of the PROXY protocol, a string; none by default."""

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        found = address(url)
        if url.isdigit():
            good = 1 <= int(url) <= _MAX_PORT if len(url) < 6 else False  # noqa: PLR2004
        else:
            good = found is not None and found.scheme in ("", *_SCHEMES) and found.rest in ("", "/")
        if not good:
            message = f"{url!r} is not an address to send requests to: [scheme://][host][:port], or a port"
            raise_faults([fault("ngrok/upstream", message, "such as http://orders.shop:8080")])
        if found is not None and found.scheme in _TCP_ONLY and (not found.host or found.port is None):
            message = f"{url!r} needs host and port"
            raise_faults([fault("ngrok/upstream", message, f"such as {found.scheme}://orders.shop:5432")])
        return url


class MutualTls(KubernetesModel):
    """Certificates that clients show."""

    client_cas_ref: Reference = Field(alias="clientCAsRef")
    """Secret whose key ``ca.crt`` holds the authorities."""
    mode: Literal["require", "request"] = "require"
    """Whether a client without one is refused."""


class TlsTermination(KubernetesModel):
    """The agent ends TLS itself, in the cluster."""

    server_certificate_ref: Reference
    """Secret of type ``kubernetes.io/tls``."""
    mutual_tls: MutualTls | None = Field(default=None, alias="mutualTLS")
    """Certificates of clients; not asked for by default."""


class AgentEndpoint(_Endpoint):
    """An endpoint whose requests an agent in the cluster takes to a service; always pooled."""

    url: str = ""
    """``[scheme://][host][:port]``, ``scheme://`` or empty; a host ending in ``.internal`` is reached by
    forward-internal only."""
    upstream: Upstream
    """Where requests go."""
    traffic_policy: AgentPolicy | None = None
    """What happens to a request before it goes upstream."""
    client_certificate_refs: tuple[Reference, ...] = ()
    """Secrets with certificates that the agent shows upstream; of the same namespace since chart 0.24."""
    tls_termination: TlsTermination | None = None
    """TLS ended by the agent; needs a ``tls://`` url."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        values = self.__dict__
        url = values.get("url")
        if url is not None:
            yield from self._url_faults(url)
            if values.get("tls_termination") is not None and not url.startswith("tls://"):
                message = "spec.url must be a tls:// URL when tlsTermination is set"
                yield fault("ngrok/tls-url", message, "", ["url"])
        holder: AgentPolicy | None = values.get("traffic_policy")
        if holder is not None and holder.inline is not None:
            yield from self._policy_faults(holder.inline, url or "", "inline")

    def warnings(self) -> Iterator[Problem]:  # noqa: D102
        yield from super().warnings()
        if self.traffic_policy is not None:
            yield from _policy_warnings(self.traffic_policy.inline, "trafficPolicy.inline")


def _policy_warnings(policy: TrafficPolicy | None, prefix: str) -> Iterator[Problem]:
    if policy is not None:
        yield from (problem.at(prefix=prefix) for problem in policy.warnings())


class ResolvesTo(KubernetesModel):
    """Where a domain leads."""

    value: str = Field(min_length=1)
    """A point of presence such as ``us``."""


class Domain(_Noted):
    """A domain name reserved at ngrok."""

    domain: str = Field(min_length=1)
    """The name; ``*.`` in front reserves all names below."""
    reclaim_policy: Literal["Delete", "Retain"] = "Delete"
    """Whether deleting the object gives the name back to ngrok."""
    resolves: tuple[ResolvesTo, ...] | None = Field(default=None, alias="resolvesTo")
    """Points of presence; all by default."""
    resolves_old: tuple[ResolvesTo, ...] | None = Field(default=None, alias="resolves_to")
    """Deprecated for ``resolvesTo``."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        name = self.domain
        if not _HOST.fullmatch(name) or "." not in name.removeprefix("*."):
            hint = "without scheme, port and path: api.example.com"
            yield fault("ngrok/domain", f"{name!r} is not a domain name", hint, ["domain"])
        elif name.endswith(".internal"):
            yield fault("ngrok/domain", "a .internal name needs no Domain", "leave the object out", ["domain"])

    def warnings(self) -> Iterator[Problem]:  # noqa: D102
        yield from super().warnings()
        if self.resolves_old is not None:
            yield Problem("resolves_to is deprecated", "resolves_to", "ngrok/deprecated", "call it resolvesTo")


class IPRule(_Noted):
    """A range of addresses and what happens to them."""

    cidr: str
    """IPv4 or IPv6 range with its mask, on its lowest address."""
    action: Literal["allow", "deny"]
    """Let in or refuse."""
    description: str = Field(default="", max_length=255)
    """At most 255 characters."""

    def faults(self) -> Iterator[InitErrorDetails]:
        text = self.cidr
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            hint = "such as 10.0.0.0/8 or 2001:db8::/32"
            yield fault("ngrok/cidr", f"{text!r} is not an address range", hint, ["cidr"])
            return
        if "/" not in text:
            message = f"a mask is needed, got {text!r} (ERR_NGROK_1413)"
            yield fault("ngrok/cidr", message, f"one address is {network}", ["cidr"])
        elif ipaddress.ip_address(text.split("/")[0]) != network.network_address:
            message = f"{text} does not begin at the range's lowest address (ERR_NGROK_1409)"
            yield fault("ngrok/cidr", message, f"write {network}", ["cidr"])
        elif not text.partition("/")[2].isdigit():
            yield fault("ngrok/cidr", f"the mask is a number of bits, got {text!r}", f"write {network}", ["cidr"])


class IPPolicy(_Noted):
    """Addresses that are let in or refused; named in ngrok by its id, which traffic policies use."""

    rules: tuple[IPRule, ...] = ()
    """Ranges; each once."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        seen: dict[str, int] = {}
        for index, rule in enumerate(self.rules):
            if rule.cidr in seen:
                message = f"{rule.cidr} is there twice, first in rule {seen[rule.cidr]} (ERR_NGROK_1408)"
                yield fault("ngrok/duplicate", message, "", ["rules", index, "cidr"])
            seen.setdefault(rule.cidr, index)

    def warnings(self) -> Iterator[Problem]:  # noqa: D102
        yield from super().warnings()
        for index, rule in enumerate(self.rules):
            yield from (problem.at(prefix=f"rules[{index}]") for problem in rule.warnings())
