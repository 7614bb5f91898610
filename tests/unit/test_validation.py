from __future__ import annotations

import pytest

from apiops_components.documents import load_all
from apiops_components.validation import validate

HEAD = "metadata: {name: a, namespace: shop}\n"
GATEWAY = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
ROUTE = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
POLICY = "apiVersion: ngrok.k8s.ngrok.com/v1alpha1\nkind: NgrokTrafficPolicy\n"
LISTENER = "{name: https, port: 443, protocol: HTTPS}"
SPEC = f"spec: {{gatewayClassName: ngrok, listeners: [{LISTENER}]}}\n"
DENY = "[{actions: [{type: deny}]}]"


def results(text, as_="auto"):
    return [result for document in load_all(text.encode(), "f.yaml") for result in validate(document, as_)]


def one(text, as_="auto"):
    (found,) = results(text, as_)
    return found


def problems(text, as_="auto"):
    found = one(text, as_)
    assert (found.status == "invalid") == bool(found.problems)
    return [(p.path, p.code) for p in found.problems]


@pytest.mark.parametrize(
    "text",
    [
        GATEWAY + HEAD + SPEC,
        GATEWAY.replace("/v1", "/v1beta1") + HEAD + SPEC,
        GATEWAY + "metadata: {generateName: a-, annotations: {x: z}, uid: u}\n" + SPEC + "status: {anything: goes}\n",
        GATEWAY.replace("Gateway\n", "GatewayClass\n") + "metadata: {name: a}\nspec: {controllerName: ngrok.com/x}\n",
        ROUTE + HEAD + "spec: {rules: [{backendRefs: [{name: web, port: 80}]}]}\n",
        ROUTE + HEAD + "spec: {}\n",
        POLICY + HEAD + f"spec: {{policy: {{on_http_request: {DENY}}}}}\n",
        f"on_http_request: {DENY}\n",
        "on_http_request: []\n",
    ],
)
def test_what_is_right_is_valid(text):
    found = one(text)
    assert (found.status, found.problems) == ("valid", ())


def test_a_result_says_what_it_is_about():
    found = one(GATEWAY + HEAD + SPEC)

    assert (found.file, found.index, found.api_version) == ("f.yaml", 0, "gateway.networking.k8s.io/v1")
    assert (found.kind, found.namespace, found.name) == ("Gateway", "shop", "a")
    bare = one(f"on_http_request: {DENY}\n")
    assert (bare.api_version, bare.kind, bare.name) == (None, "TrafficPolicy", None)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (HEAD + SPEC, [("apiVersion", "object/api-version"), ("kind", "object/kind")]),
        ("apiVersion: 1\nkind: [Gateway]\n", [("apiVersion", "object/api-version"), ("kind", "object/kind")]),
        ("text\n", [("", "object/shape")]),
        ("- a\n", [("", "object/shape")]),
        (GATEWAY + SPEC, [("metadata", "object/metadata")]),
        (GATEWAY + "metadata: []\n" + SPEC, [("metadata", "object/metadata")]),
        (GATEWAY + "metadata: {}\n" + SPEC, [("metadata.name", "object/name")]),
        (GATEWAY + "metadata: {name: A_b}\n" + SPEC, [("metadata.name", "name/dns-subdomain")]),
        (GATEWAY + "metadata: {name: a, labels: {x: 1}}\n" + SPEC, [("metadata.labels.x", "schema/string-type")]),
        (GATEWAY + HEAD, [("spec", "schema/required")]),
        (GATEWAY + HEAD + "spec:\n", [("spec", "schema/model-type")]),
        (GATEWAY + HEAD + SPEC + "extra: 1\n", [("extra", "schema/unknown-field")]),
        (GATEWAY.replace("/v1", "/v1alpha2") + HEAD + SPEC, [("apiVersion", "object/api-version")]),
        (POLICY + HEAD + "spec: {}\n", [("spec.policy", "schema/required")]),
        (
            POLICY + HEAD + f"spec: {{policy: {{on_http_request: {DENY}}}, more: 1}}\n",
            [("spec.more", "schema/unknown-field")],
        ),
        (
            POLICY + HEAD + "spec: {policy: {on_http_request: [{actions: [{type: denny}]}]}}\n",
            [("spec.policy.on_http_request[0].actions[0].type", "policy/action-type")],
        ),
        (
            "on_http_request: [{actions: [{type: denny}]}]\n",
            [("on_http_request[0].actions[0].type", "policy/action-type")],
        ),
        (f"on_http_request: {DENY}\nmore: 1\n", [("more", "schema/unknown-field")]),
    ],
)
def test_what_is_wrong_is_told_with_its_path(text, wanted):
    assert problems(text) == wanted


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (POLICY.replace("ngrok.k8s.ngrok.com", "ingress.k8s.ngrok.com"), "write ngrok.k8s.ngrok.com/v1alpha1"),
        (ROUTE.replace("gateway.networking.k8s.io", "networking.k8s.io"), "write gateway.networking.k8s.io/v1"),
    ],
)
def test_a_known_kind_in_a_wrong_group_of_the_same_owner_is_an_error(text, right):
    found = one(text + HEAD + "spec: {}\n")

    assert (found.status, found.problems[0].hint) == ("invalid", right)


@pytest.mark.parametrize(
    "head",
    [
        "apiVersion: metrics.k8s.io/v1beta1\nkind: PodMetrics\n",
        "apiVersion: networking.istio.io/v1\nkind: Gateway\n",
        "apiVersion: serving.knative.dev/v1\nkind: Service\n",
        "apiVersion: gateway.networking.k8s.io/v1\nkind: MeshRoute\n",
    ],
)
def test_other_kinds_are_skipped_and_never_valid(head):
    assert one(head + HEAD + "spec: {anything: goes}\n").status == "skipped"


def test_a_list_gives_a_result_an_item_with_lines_in_the_file():
    other = f"{{apiVersion: example.com/v1, kind: Colour, {HEAD.strip()}}}"
    items = f"items:\n- {other}\n- apiVersion: gateway.networking.k8s.io/v1\n"
    text = (
        "apiVersion: v1\nkind: List\n"
        + items
        + "  kind: Gateway\n  metadata: {name: a}\n  spec: {listeners: []}\n- 3\n"
    )
    colour, gateway, number = results(text)

    assert (colour.status, gateway.status, number.status) == ("skipped", "invalid", "invalid")
    assert {(p.path, p.line) for p in gateway.problems} == {("spec.gatewayClassName", 8), ("spec.listeners", 8)}
    assert {p.document for p in gateway.problems} == {"Gateway a"}
    assert number.problems[0].line == 9


def test_documents_are_numbered_and_lines_are_those_of_the_file():
    first, second = results(
        GATEWAY + HEAD + SPEC + "---\n" + GATEWAY + HEAD + "spec:\n  gatewayClassName: ngrok\n  colour: red\n"
    )

    assert (first.index, second.index) == (0, 1)
    assert {(p.path, p.line) for p in second.problems} == {("spec.listeners", 9), ("spec.colour", 11)}


@pytest.mark.parametrize("phase", ["on_http_requests", "onHttpRequest", "on-http-request", "on_http_reponse"])
def test_a_slip_in_the_name_of_a_phase_is_taken_for_one(phase):
    (problem,) = one(f"{phase}:\n- actions: [{{type: deny}}]\n").problems

    assert (problem.path, problem.code) == (phase, "schema/unknown-field")
    assert problem.hint.startswith("did you mean on_http_")


@pytest.mark.parametrize("text", ["{}", "enabled: true", "http: []", "on_http_requests: []\nspec: {}"])
def test_what_is_no_policy_is_not_taken_for_one(text):
    assert {problem.code for problem in one(text).problems} == {"object/api-version", "object/kind"}


def test_as_traffic_policy_recognises_nothing_else():
    found = {path for path, _ in problems(GATEWAY + HEAD + SPEC, "traffic-policy")}

    assert found == {"apiVersion", "kind", "metadata", "spec"}
    assert one("{}\n", "traffic-policy").status == "valid"
    assert one("{}\n").status == "invalid"


def test_a_policy_with_a_kind_is_an_object():
    assert problems(f"kind: NgrokTrafficPolicy\non_http_request: {DENY}\n") == [("apiVersion", "object/api-version")]
