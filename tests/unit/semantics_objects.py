"""Objects for tests of what happens to a request, written as short as they can be."""

from __future__ import annotations

GROUP = "gateway.networking.k8s.io"


def gateway(name="edge", *listeners, namespace="shop"):
    """A Gateway; ``https://*.example.com:8443`` is a listener of that host and port."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"gatewayClassName": "any", "listeners": [listener(each) for each in listeners or ("http://",)]},
    }


def listener(url, **more):
    scheme, _, place = url.partition("://")
    host, _, port = place.partition(":")
    port = int(port or {"http": 80}.get(scheme, 443))
    found = {"name": f"{scheme}-{host.replace('*', 'any') or 'all'}-{port}", "protocol": scheme.upper(), "port": port}
    return found | ({"hostname": host} if host else {}) | more


def route(name, *rules, parents=({"name": "edge"},), hosts=(), namespace="shop", **metadata):
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"parentRefs": list(parents), "hostnames": list(hosts), "rules": list(rules)},
    }


def rule(*matches, to=("a:80",), filters=()):
    """A rule; ``/a`` is a prefix, ``=/a`` an exact path, ``~/a`` a regular expression; ``b:80`` is a backend."""
    found = {"backendRefs": [backend(each) if isinstance(each, str) else each for each in to]}
    if matches:
        found["matches"] = [match(each) if isinstance(each, str) else each for each in matches]
    return found | ({"filters": list(filters)} if filters else {})


def match(path="/", **more):
    kinds = {"=": "Exact", "~": "RegularExpression"}
    kind = kinds.get(path[:1], "PathPrefix")
    return {"path": {"type": kind, "value": path[kind != "PathPrefix" :]}, **more}


def backend(place, **more):
    name, _, port = place.partition(":")
    namespace, _, name = name.rpartition("/")
    return {"name": name, "port": int(port)} | ({"namespace": namespace} if namespace else {}) | more


def service(name, *ports, namespace="shop"):
    listed = [{"name": f"p{port}", "port": port} for port in ports]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": listed},
    }


def namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def grant(namespace, kind, of, to="Service", name=None):
    return {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {"name": f"{kind}-{of}".lower(), "namespace": namespace},
        "spec": {
            "from": [{"group": GROUP, "kind": kind, "namespace": of}],
            "to": [{"group": "", "kind": to} | ({"name": name} if name else {})],
        },
    }


def policy(name, namespace="shop"):
    return {
        "apiVersion": "ngrok.k8s.ngrok.com/v1alpha1",
        "kind": "NgrokTrafficPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"policy": {"on_http_request": [{"actions": [{"type": "deny"}]}]}},
    }
