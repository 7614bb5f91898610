"""Checks across documents: what is certainly wrong is told on the document that refers, all else passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiops_components.cli.validate import command
from apiops_components.documents import dump
from apiops_components.validation import Result, stream
from apiops_components.validation.attachment import common_host
from apiops_components.validation.linked import linked
from apiops_components.validation.references import check_references
from apiops_components.validation.stream import check_files
from apiops_components.validation.together import check_together

GROUP = "gateway.networking.k8s.io"
NGROK = "ngrok.k8s.ngrok.com"
API = {
    **dict.fromkeys(("Gateway", "GatewayClass", "HTTPRoute", "GRPCRoute", "TLSRoute"), f"{GROUP}/v1"),
    "ReferenceGrant": f"{GROUP}/v1beta1",
    "NgrokTrafficPolicy": f"{NGROK}/v1alpha1",
    "AgentEndpoint": f"{NGROK}/v1alpha1",
    "Service": "v1",
    "Namespace": "v1",
}


def made(kind: str, where: str, spec: Any = None, **metadata: Any) -> dict[str, Any]:
    """An object; ``where`` is ``namespace/name`` or a name alone."""
    namespace, _, name = where.rpartition("/")
    place = {"namespace": namespace} if namespace else {}
    value = {"apiVersion": API[kind], "kind": kind, "metadata": {"name": name, **place, **metadata}}
    return value | ({"spec": spec} if spec is not None else {})


def listener(name: str = "https", hostname: str | None = "api.example.com", **more: Any) -> dict[str, Any]:
    host = {"hostname": hostname} if hostname else {}
    return {"name": name, "port": 443, "protocol": "HTTPS", **host, **more}


def gateway(where: str = "edge/public", *listeners: Any, **metadata: Any) -> dict[str, Any]:
    return made("Gateway", where, {"gatewayClassName": "other", "listeners": list(listeners) or [ANY]}, **metadata)


def from_(name: str, **more: Any) -> dict[str, Any]:
    return {"namespaces": {"from": name, **more}}


ANY = listener(allowedRoutes=from_("All"))
PARENT = {"name": "public", "namespace": "edge"}


MESH = {"group": "", "kind": "Service", "name": "orders", "port": 80}


def route(where: str = "shop/orders", *parents: Any, kind: str = "HTTPRoute", **spec: Any) -> dict[str, Any]:
    return made(kind, where, {"parentRefs": list(parents) or [PARENT], **spec})


def to(*backends: Any, **rule: Any) -> dict[str, Any]:
    return {"rules": [{"backendRefs": [{"port": 80, **item} for item in backends], **rule}]}


def service(where: str, *ports: int, **spec: Any) -> dict[str, Any]:
    numbered = [{"name": f"p{port}", "port": port} for port in ports or (80,)]
    return made("Service", where, {"ports": numbered, **spec})


def grant(where: str, namespace: str = "shop", name: str | None = None, kind: str = "Service") -> dict[str, Any]:
    target = {"group": "", "kind": kind} | ({"name": name} if name else {})
    who = [
        {"group": GROUP, "kind": "HTTPRoute", "namespace": namespace},
        {"group": GROUP, "kind": "Gateway", "namespace": namespace},
    ]
    return made("ReferenceGrant", where, {"from": who, "to": [target]})


def policy(where: str) -> dict[str, Any]:
    return made("NgrokTrafficPolicy", where, {"policy": {}})


def extension(name: str, group: str = NGROK) -> dict[str, Any]:
    reference = {"group": group, "kind": "NgrokTrafficPolicy", "name": name}
    return to({"name": "orders"}, filters=[{"type": "ExtensionRef", "extensionRef": reference}])


def mirror(name: str) -> dict[str, Any]:
    item = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": name, "port": 80}}}
    return {"rules": [{"filters": [item]}]}


def matching(*paths: Any) -> dict[str, Any]:
    return {"rules": [{"matches": [{"path": {"value": path}} if isinstance(path, str) else path for path in paths]}]}


def stream_of(objects: Any) -> str:
    return "---\n".join(map(dump, objects))


def told(tmp_path: Path, *files: Any) -> list[Result]:
    """Results of files, each a list of objects."""
    for number, objects in enumerate(files):
        (tmp_path / f"{number}.yaml").write_text(stream_of(objects))
    results = [result for checked in check_files([str(tmp_path)]) for result in checked.results]
    for position, result in check_together(results):
        results[position] = result
    return results


def found(tmp_path: Path, *files: Any) -> list[tuple[str, str, str]]:
    """Object, path and code of each problem; warnings with a question mark behind."""
    return [
        (f"{result.namespace or ''}/{result.name}", problem.path, f"{problem.code}{mark}")
        for result in told(tmp_path, *files)
        for problems, mark in ((result.problems, ""), (result.warnings, "?"))
        for problem in problems
    ]


LISTENERS = (
    listener("a", "a.example.com", allowedRoutes=from_("All")),
    listener("w", "*.example.com", allowedRoutes=from_("All"), port=8443),
)
SELECTED = {"matchLabels": {"team": "shop"}}
BY_NAME = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop"]}]}
PARENT_0 = "spec.parentRefs[0]"
BACKEND = "spec.rules[0].backendRefs[0]"
TLS = {"certificateRefs": [{"name": "tls", "namespace": "vault"}]}
ANNOTATION = 'metadata.annotations["{}"]'
NEW, OLD = "ngrok.com/traffic-policy", "k8s.ngrok.com/traffic-policy"
ELSEWHERE = {"type": "ExternalName", "externalName": "a.example.com"}
OLDER = {"creationTimestamp": "2026-01-02T00:00:00Z"}
EMPTY: list[tuple[str, str, str]] = []

CASES: dict[str, tuple[list[Any], list[tuple[str, str, str]]]] = {
    # The Gateway
    "nothing refers to anything": ([route()], EMPTY),
    "a Gateway that is there": ([gateway(), route()], EMPTY),
    "a Gateway of which nothing is known": ([gateway("other/public"), route()], EMPTY),
    "a Gateway that is missing": (
        [gateway("edge/publik"), route()],
        [("shop/orders", f"{PARENT_0}.name", "reference/gateway")],
    ),
    "a Gateway without namespace may be any": ([gateway("public"), gateway("edge/x"), route()], EMPTY),
    "a parent of another kind": ([gateway("edge/x"), route("shop/orders", {**PARENT, "kind": "ListenerSet"})], EMPTY),
    "nothing is asked of an invalid Gateway": ([gateway("edge/public", {"name": "x"}), route()], None),
    # Listeners
    "a listener that is there": (
        [gateway("edge/public", *LISTENERS), route("shop/o", PARENT | {"sectionName": "w"})],
        EMPTY,
    ),
    "a listener that is missing": (
        [gateway("edge/public", *LISTENERS), route("shop/o", PARENT | {"sectionName": "x"})],
        [("shop/o", f"{PARENT_0}.sectionName", "reference/listener")],
    ),
    "a port that is there": ([gateway("edge/public", *LISTENERS), route("shop/o", PARENT | {"port": 8443})], EMPTY),
    "a port that is missing": (
        [gateway("edge/public", *LISTENERS), route("shop/o", PARENT | {"port": 80})],
        [("shop/o", f"{PARENT_0}.port", "reference/listener")],
    ),
    "a listener on another port": (
        [gateway("edge/public", *LISTENERS), route("shop/o", PARENT | {"port": 8443, "sectionName": "a"})],
        [("shop/o", f"{PARENT_0}.port", "reference/listener")],
    ),
    "one version of a Gateway has the listener": (
        [gateway("edge/public", *LISTENERS), gateway(), route("shop/o", PARENT | {"sectionName": "https"})],
        EMPTY,
    ),
    # Kinds
    "a protocol that takes no HTTPRoute": (
        [gateway("edge/public", {**ANY, "protocol": "TLS", "tls": {"mode": "Passthrough"}}), route()],
        [("shop/orders", PARENT_0, "reference/route-kind")],
    ),
    "kinds that leave HTTPRoute out": (
        [gateway("edge/public", listener(allowedRoutes=from_("All") | {"kinds": [{"kind": "GRPCRoute"}]})), route()],
        [("shop/orders", PARENT_0, "reference/route-kind")],
    ),
    "a protocol of the implementation": (
        [gateway("edge/public", listener(protocol="example.com/x", allowedRoutes=from_("All"))), route()],
        EMPTY,
    ),
    "a GRPCRoute at HTTPS": ([gateway(), route(kind="GRPCRoute")], EMPTY),
    "a TLSRoute at HTTPS": (
        [gateway(), route(kind="TLSRoute", hostnames=["api.example.com"], **to({"name": "orders"}))],
        [("shop/orders", PARENT_0, "reference/route-kind")],
    ),
    # Namespaces
    "Same, of the Gateway's namespace": ([gateway("edge/public", listener()), route("edge/orders")], EMPTY),
    "Same, of another": (
        [gateway("edge/public", listener()), route()],
        [("shop/orders", PARENT_0, "reference/namespace")],
    ),
    "Same, of an unknown one": ([gateway("edge/public", listener()), route("orders")], EMPTY),
    "a selector, labels not known": (
        [gateway("edge/public", listener(allowedRoutes=from_("Selector", selector=SELECTED))), route()],
        EMPTY,
    ),
    "a selector, labels that it takes": (
        [
            gateway("edge/public", listener(allowedRoutes=from_("Selector", selector=SELECTED))),
            made("Namespace", "shop", labels={"team": "shop"}),
            route(),
        ],
        EMPTY,
    ),
    "a selector, labels that it does not take": (
        [
            gateway("edge/public", listener(allowedRoutes=from_("Selector", selector=SELECTED))),
            made("Namespace", "shop", labels={"team": "x"}),
            route(),
        ],
        [("shop/orders", PARENT_0, "reference/namespace")],
    ),
    "a selector of names": (
        [gateway("edge/public", listener(allowedRoutes=from_("Selector", selector=BY_NAME))), route(), route("x/b")],
        [("x/b", PARENT_0, "reference/namespace")],
    ),
    # Hostnames
    "a hostname below a wildcard": ([gateway("edge/public", *LISTENERS), route(hostnames=["b.c.example.com"])], EMPTY),
    "a wildcard above a hostname": ([gateway(), route(hostnames=["*.example.com"])], EMPTY),
    "a listener for any host": (
        [gateway("edge/public", listener(hostname=None, allowedRoutes=from_("All"))), route(hostnames=["a.org"])],
        EMPTY,
    ),
    "hostnames of no listener": (
        [gateway("edge/public", *LISTENERS), route(hostnames=["example.com", "api.example.org"])],
        [("shop/orders", "spec.hostnames", "reference/hostname")],
    ),
    "a hostname that is ignored": (
        [gateway("edge/public", *LISTENERS), route(hostnames=["a.example.com", "api.example.org"])],
        [("shop/orders", "spec.hostnames[1]", "reference/hostname?")],
    ),
    "a hostname that may be another Gateway's": (
        [
            gateway("edge/public", *LISTENERS),
            route("shop/orders", PARENT, {"name": "x"}, hostnames=["a.example.com", "api.example.org"]),
        ],
        EMPTY,
    ),
    # Services
    "a Service that is there": ([service("shop/orders"), route(**to({"name": "orders"}))], EMPTY),
    "a Service of which nothing is known": ([service("x/a"), route(**to({"name": "orders"}))], EMPTY),
    "a Service that is missing": (
        [service("shop/order"), route(**to({"name": "orders"}))],
        [("shop/orders", f"{BACKEND}.name", "reference/service")],
    ),
    "a mirror that is missing": (
        [service("shop/order"), route(**mirror("orders"))],
        [("shop/orders", "spec.rules[0].filters[0].requestMirror.backendRef.name", "reference/service")],
    ),
    "a port that a Service lacks": (
        [service("shop/orders", 8080), route(**to({"name": "orders"}))],
        [("shop/orders", f"{BACKEND}.port", "reference/service-port")],
    ),
    "ports of a Service elsewhere": (
        [service("shop/orders", **ELSEWHERE), route(**to({"name": "orders", "port": 9}))],
        EMPTY,
    ),
    "a backend of another kind": (
        [service("shop/a"), route(**to({"name": "orders", "group": "example.com", "kind": "Bucket"}))],
        EMPTY,
    ),
    # Grants
    "another namespace, of which nothing is known": ([route(**to({"name": "orders", "namespace": "x"}))], EMPTY),
    "another namespace without a grant": (
        [service("x/orders"), route(**to({"name": "orders", "namespace": "x"}))],
        [("shop/orders", f"{BACKEND}.namespace", "reference/grant")],
    ),
    "a route of the mesh to another namespace": (
        [
            service("x/orders"),
            route("shop/orders", MESH, **to({"name": "orders", "namespace": "x"})),
        ],
        EMPTY,
    ),
    "another namespace with a grant": (
        [service("x/orders"), grant("x/g"), route(**to({"name": "orders", "namespace": "x"}))],
        EMPTY,
    ),
    "a grant of no namespace": (
        [service("x/orders"), grant("g"), route(**to({"name": "orders", "namespace": "x"}))],
        EMPTY,
    ),
    "a grant for one name": (
        [grant("x/g", name="orders"), route(**to({"name": "orders", "namespace": "x"}))],
        EMPTY,
    ),
    "a grant for another name": (
        [grant("x/g", name="a"), route(**to({"name": "orders", "namespace": "x"}))],
        [("shop/orders", f"{BACKEND}.namespace", "reference/grant")],
    ),
    "a grant for another namespace": (
        [grant("x/g", "y"), route(**to({"name": "orders", "namespace": "x"}))],
        [("shop/orders", f"{BACKEND}.namespace", "reference/grant")],
    ),
    "a grant in the wrong namespace": (
        [grant("shop/g"), service("x/orders"), route(**to({"name": "orders", "namespace": "x"}))],
        [("shop/orders", f"{BACKEND}.namespace", "reference/grant")],
    ),
    "a certificate of another namespace": (
        [grant("vault/g", "edge"), gateway("edge/public", listener(tls=TLS))],
        [("edge/public", "spec.listeners[0].tls.certificateRefs[0].namespace", "reference/grant")],
    ),
    "a certificate that is granted": (
        [grant("vault/g", "edge", kind="Secret"), gateway("edge/public", listener(tls=TLS))],
        EMPTY,
    ),
    # Policies
    "a policy that is there": ([policy("shop/p"), route(**extension("p"))], EMPTY),
    "a policy of which nothing is known": ([policy("edge/p"), route(**extension("p"))], EMPTY),
    "a policy that is missing": (
        [policy("shop/q"), route(**extension("p"))],
        [("shop/orders", "spec.rules[0].filters[0].extensionRef.name", "reference/policy")],
    ),
    "the short group of a policy": (
        [policy("shop/q"), route(**extension("p", ""))],
        [("shop/orders", "spec.rules[0].filters[0].extensionRef.name", "reference/policy")],
    ),
    "an annotation": ([policy("edge/p"), gateway(annotations={NEW: "p"})], EMPTY),
    "an annotation that names no policy": (
        [policy("edge/q"), gateway(annotations={NEW: "p"})],
        [("edge/public", ANNOTATION.format(NEW), "reference/policy")],
    ),
    "the old annotation": (
        [policy("edge/q"), gateway(annotations={OLD: "p"})],
        [("edge/public", ANNOTATION.format(OLD), "reference/policy")],
    ),
    "the old annotation is not read beside the new": (
        [policy("edge/q"), gateway(annotations={OLD: "p", NEW: "q"})],
        EMPTY,
    ),
    "an empty annotation": (
        [gateway(annotations={OLD: "p", NEW: ""})],
        [("edge/public", ANNOTATION.format(NEW), "ngrok/annotation")],
    ),
    "the policy of an endpoint": (
        [
            policy("shop/q"),
            made(
                "AgentEndpoint",
                "shop/e",
                {
                    "url": "https://a.internal",
                    "upstream": {"url": "http://orders.shop:80"},
                    "trafficPolicy": {"targetRef": {"name": "p"}},
                },
            ),
        ],
        [("shop/e", "spec.trafficPolicy.targetRef.name", "reference/policy")],
    ),
    # Conflicts
    "two routes for the same": (
        [gateway(), route("shop/b", **matching("/a", "/c")), route("shop/a", **matching("/b", "/c"))],
        [("shop/b", "spec.rules[0].matches[1]", "reference/conflict")],
    ),
    "the older route wins": (
        [
            gateway(),
            route("shop/b", **matching("/c")) | {"metadata": made("HTTPRoute", "shop/b", **OLDER)["metadata"]},
            route("shop/a", **matching("/c")),
        ],
        [("shop/a", "spec.rules[0].matches[0]", "reference/conflict")],
    ),
    "one prefix in two forms": (
        [gateway(), route("shop/a", **matching("/c")), route("shop/b", **matching("/c/"))],
        [("shop/b", "spec.rules[0].matches[0]", "reference/conflict")],
    ),
    "everything, twice": (
        [gateway(), route("shop/a"), route("shop/b", rules=[{}])],
        [("shop/b", "spec.rules[0]", "reference/conflict")],
    ),
    "headers in another order and case": (
        [
            gateway(),
            route("shop/a", **matching({"headers": [{"name": "A", "value": "1"}, {"name": "b", "value": "2"}]})),
            route("shop/b", **matching({"headers": [{"name": "B", "value": "2"}, {"name": "a", "value": "1"}]})),
        ],
        [("shop/b", "spec.rules[0].matches[0]", "reference/conflict")],
    ),
    "other paths, methods, headers": (
        [
            gateway(),
            route("shop/a", **matching("/c")),
            route("shop/b", **matching({"path": {"value": "/c", "type": "Exact"}})),
            route("shop/c", **matching({"path": {"value": "/c"}, "method": "GET"})),
            route("shop/d", **matching({"path": {"value": "/c"}, "headers": [{"name": "a", "value": "1"}]})),
            route("shop/e", **matching({"path": {"value": "/c"}, "queryParams": [{"name": "a", "value": "1"}]})),
        ],
        EMPTY,
    ),
    "other hosts": (
        [
            gateway("edge/public", *LISTENERS),
            route("shop/a", hostnames=["b.example.com"]),
            route("shop/b", hostnames=["c.example.com"]),
            route("shop/c", hostnames=["*.example.com"]),
        ],
        EMPTY,
    ),
    "other listeners": (
        [
            gateway("edge/public", *LISTENERS),
            route("shop/a", PARENT | {"sectionName": "a"}),
            route("shop/b", PARENT | {"sectionName": "w"}),
        ],
        EMPTY,
    ),
    "other Gateways": ([gateway(), gateway("edge/b"), route("shop/a"), route("shop/b", PARENT | {"name": "b"})], EMPTY),
    "the same route in two versions": ([gateway(), route("shop/a"), route("shop/a")], EMPTY),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_certainly_wrong_between_documents_is_told_and_nothing_else(tmp_path, name):
    objects, expected = CASES[name]
    got = found(tmp_path, objects)
    if expected is None:
        assert not [one for one in got if one[2].startswith("reference/")]
    else:
        assert got == expected


@pytest.mark.parametrize("name", CASES)
def test_a_document_alone_refers_to_what_may_be_elsewhere(tmp_path, name):
    objects, _ = CASES[name]
    for item in objects:
        assert not [one for one in found(tmp_path, [item]) if one[2].startswith("reference/")]


def test_one_object_a_file_is_the_same_as_all_in_one_file(tmp_path):
    for number, (objects, _) in enumerate(CASES.values()):
        if all("namespace" in item["metadata"] or item["kind"] == "Namespace" for item in objects):
            folders = tmp_path / f"{number}/one", tmp_path / f"{number}/many"
            for folder in folders:
                folder.mkdir(parents=True)
            assert found(folders[0], objects) == found(folders[1], *([item] for item in objects))


def test_without_namespaces_only_one_file_belongs_together(tmp_path):
    parts = [gateway("public", *LISTENERS)], [route("a", {"name": "publik"}), route("b", {"name": "public"})]
    together, apart = tmp_path / "a", tmp_path / "b"
    for folder in (together, apart):
        folder.mkdir()
    assert found(together, [*parts[0], *parts[1]]) == [("/a", f"{PARENT_0}.name", "reference/gateway")]
    assert found(apart, *parts) == []


def test_problems_have_file_line_document_and_hint(tmp_path):
    results = told(tmp_path, [gateway("edge/publik")], [service("shop/a"), route()])
    (problem,) = results[2].problems
    assert (Path(problem.file).name, problem.document) == ("1.yaml", "HTTPRoute shop/orders")
    assert Path(problem.file).read_text().splitlines()[problem.line - 1].strip() == "- name: public"
    assert (problem.message, problem.hint) == ("there is no Gateway edge/public", "did you mean publik?")


def test_items_of_a_list_are_objects_of_their_own(tmp_path):
    items = {"apiVersion": "v1", "kind": "List", "items": [gateway("edge/publik"), route()]}
    results = told(tmp_path, [items])
    (problem,) = results[1].problems
    assert results[0].problems == ()
    assert problem.path == f"{PARENT_0}.name"
    assert Path(problem.file).read_text().splitlines()[problem.line - 1].strip() == "- name: public"


def test_many_processes_find_the_same_as_one(tmp_path, monkeypatch):
    objects = [item for given, _ in CASES.values() for item in given]
    alone = found(tmp_path, objects)
    monkeypatch.setattr(stream, "_ENOUGH", 1)
    monkeypatch.setattr(stream, "_PIECE", 1024)
    monkeypatch.setattr(stream, "_workers", lambda: 2)
    assert found(tmp_path, objects) == alone


def test_stdin_has_lines_too(run_cli):
    done = run_cli(stream_of([gateway("edge/publik"), route()]))
    assert done.exit_code == 1
    assert "<stdin>:" in done.stdout
    assert "HTTPRoute shop/orders: spec.parentRefs[0].name: there is no Gateway edge/public" in done.stdout
    assert "2 documents: 1 valid, 1 invalid, 0 skipped" in done.stdout


@pytest.fixture
def run_cli():
    from click.testing import CliRunner  # noqa: PLC0415

    def run(text: str) -> Any:
        done = CliRunner().invoke(command, ["-"], input=text, standalone_mode=False)
        done.exit_code = done.return_value
        return done

    return run


LABELS = st.sampled_from(["a", "b", "example", "com"])
HOSTS = st.builds(
    lambda labels, star: ("*." if star else "") + ".".join(labels),
    st.lists(LABELS, min_size=1, max_size=4),
    st.booleans(),
)
NAMES = st.lists(LABELS, min_size=1, max_size=5).map(".".join)


def is_host_of(name: str, pattern: str) -> bool:
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern


@given(HOSTS, HOSTS, NAMES)
def test_a_common_host_is_one_of_both(listener_host, route_host, name):
    common = common_host(listener_host, route_host)
    both = is_host_of(name, listener_host) and is_host_of(name, route_host)
    assert both == (bool(common) and is_host_of(name, common))
    assert common == common_host(route_host, listener_host)
    assert common_host("", route_host) == common_host(route_host, "") == route_host


def test_time_grows_with_the_number_of_documents_alone():
    def work(count: int) -> int:
        values = [gateway("edge/public", *LISTENERS), service("shop/orders")]
        for number in range(count):
            values.append(route(f"shop/r{number}", **matching(f"/{number}"), hostnames=["a.example.com"]))
            values.append(route("orders", **to({"name": "missing"})))
            values.append(service("orders"))
        objects = [linked(value, value["apiVersion"].rpartition("/")[0], value["kind"], file="f") for value in values]
        calls = 0

        def count_call(*_: Any) -> None:
            nonlocal calls
            calls += 1

        import sys  # noqa: PLC0415

        sys.setprofile(count_call)
        try:
            check_references(objects)
        finally:
            sys.setprofile(None)
        return calls

    small, large = work(50), work(200)
    assert large < 5 * small
