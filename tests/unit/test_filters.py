from __future__ import annotations

import pytest
from hypothesis import given
from pydantic import ValidationError

from apiops_components import Filter, Problem
from apiops_components.errors import problems_of
from apiops_components.models.route import Route
from apiops_components.testing import strategies

PARTS = {
    "RequestHeaderModifier": ("requestHeaderModifier", {"set": [{"name": "x-a", "value": "1"}]}),
    "ResponseHeaderModifier": ("responseHeaderModifier", {"remove": ["server"]}),
    "RequestMirror": ("requestMirror", {"backendRef": {"name": "copy", "port": 80}}),
    "RequestRedirect": ("requestRedirect", {"scheme": "https", "statusCode": 301}),
    "URLRewrite": ("urlRewrite", {"hostname": "orders.internal"}),
    "ExtensionRef": ("extensionRef", {"group": "ngrok.k8s.ngrok.com", "kind": "NgrokTrafficPolicy", "name": "orders"}),
    "CORS": ("cors", {"allowOrigins": ["https://*.example.com:8443", "http://localhost"], "maxAge": 60}),
}


def whole(kind: str) -> dict:
    field, value = PARTS[kind]
    return {"type": kind, field: value}


def problems(rule: dict) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        Route.model_validate(rule)
    return list(problems_of(caught.value, rule))


def header(name: str, value: str = "v") -> dict:
    return {"name": name, "value": value}


def request_headers(**value) -> dict:
    return {"filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": value}]}


def redirect(**value) -> dict:
    return {"filters": [{"type": "RequestRedirect", "requestRedirect": value}]}


def rewrite(**value) -> dict:
    return {"filters": [{"type": "URLRewrite", "urlRewrite": value}]}


def mirror(**value) -> dict:
    return {"filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "c", "port": 1}} | value}]}


def cors(**value) -> dict:
    return {"filters": [{"type": "CORS", "cors": value}]}


VALID = [
    *({"filters": [whole(kind)]} for kind in PARTS),
    {"filters": [whole("RequestMirror"), whole("RequestMirror"), whole("ExtensionRef"), whole("ExtensionRef")]},
    request_headers(set=[header(f"x-{n}") for n in range(16)], add=[header("x-0")], remove=["X-0", "x-0"]),
    request_headers(set=[header("x" * 256, "v" * 4096)]),
    redirect(hostname="a.example.com", port=65535, path={"type": "ReplaceFullPath", "replaceFullPath": "/" * 1024}),
    redirect(),
    rewrite(path={"type": "ReplaceFullPath", "replaceFullPath": ""}),
    mirror(percent=0),
    mirror(percent=100),
    mirror(fraction={"numerator": 0}),
    mirror(fraction={"numerator": 7, "denominator": 7}),
    cors(allowOrigins=["*"], allowMethods=["*"], allowHeaders=["*"], exposeHeaders=["x-a"], allowCredentials=True),
    cors(allowOrigins=[f"https://a{n}.example.com" for n in range(64)], allowMethods=["GET", "PUT"]),
]

NAME, ORIGIN = "http/header-name", "gateway/cors-origin"
REFUSED = [
    # rule, path below filters[0], code, part of the message
    *(
        ({"filters": [{"type": kind}]}, "", "gateway/filter-field", f"filter.{field} must be specified for {kind}")
        for kind, (field, _) in PARTS.items()
    ),
    *(
        (
            {"filters": [whole("URLRewrite" if kind != "URLRewrite" else "CORS") | {field: value}]},
            field,
            "gateway/filter-field",
            f"filter.{field} must be nil if the filter.type is not {kind}",
        )
        for kind, (field, value) in PARTS.items()
    ),
    ({"filters": [{"type": "Retry"}]}, "type", "schema/literal-error", "'URLRewrite'"),
    ({"filters": [{}]}, "type", "schema/required", "required"),
    (request_headers(set=[header("a b")]), "requestHeaderModifier.set[0].name", NAME, "'a b'"),
    (request_headers(set=[header("")]), "requestHeaderModifier.set[0].name", NAME, "''"),
    (request_headers(add=[header("x" * 257)]), "requestHeaderModifier.add[0].name", NAME, "at most 256"),
    (request_headers(add=[header("x", "")]), "requestHeaderModifier.add[0].value", "schema/string-too-short", "1"),
    (
        request_headers(add=[header("x", "v" * 4097)]),
        "requestHeaderModifier.add[0].value",
        "schema/string-too-long",
        "4096",
    ),
    (
        request_headers(set=[header(f"x-{n}") for n in range(17)]),
        "requestHeaderModifier.set",
        "schema/too-long",
        "at most 16 items are expected, got 17",
    ),
    (
        request_headers(add=[header(f"x-{n}") for n in range(17)]),
        "requestHeaderModifier.add",
        "schema/too-long",
        "at most 16",
    ),
    (
        request_headers(remove=[f"x-{n}" for n in range(17)]),
        "requestHeaderModifier.remove",
        "schema/too-long",
        "at most 16",
    ),
    (
        request_headers(set=[header("x-a"), header("x-a")]),
        "requestHeaderModifier.set[1].name",
        "gateway/duplicate",
        "header 'x-a' is there twice",
    ),
    (request_headers(remove=["a", "a"]), "requestHeaderModifier.remove[1]", "gateway/duplicate", "'a' is there twice"),
    (redirect(scheme="ftp"), "requestRedirect.scheme", "schema/literal-error", "'http' or 'https'"),
    (redirect(hostname="*.example.com"), "requestRedirect.hostname", "name/hostname", "is a wildcard"),
    (redirect(hostname="Example.com"), "requestRedirect.hostname", "name/hostname", "lower case"),
    (redirect(port=0), "requestRedirect.port", "schema/greater-than-equal", "1"),
    (redirect(port=65536), "requestRedirect.port", "schema/less-than-equal", "65535"),
    (redirect(statusCode=304), "requestRedirect.statusCode", "schema/literal-error", "303"),
    (redirect(path={}), "requestRedirect.path.type", "schema/required", "required"),
    *(
        (
            maker(path={"type": f"Replace{kind}"}),
            f"{field}.path",
            "gateway/path-modifier",
            f"replace{kind} must be specified when type is set to 'Replace{kind}'",
        )
        for maker, field in ((redirect, "requestRedirect"), (rewrite, "urlRewrite"))
        for kind in ("FullPath", "PrefixMatch")
    ),
    *(
        (
            maker(path={"type": f"Replace{other}", f"replace{other}": "/", f"replace{kind}": "/"}),
            f"{field}.path.replace{kind}",
            "gateway/path-modifier",
            f"type must be 'Replace{kind}' when replace{kind} is set",
        )
        for maker, field in ((redirect, "requestRedirect"), (rewrite, "urlRewrite"))
        for kind, other in (("FullPath", "PrefixMatch"), ("PrefixMatch", "FullPath"))
    ),
    (
        rewrite(path={"type": "ReplaceFullPath", "replaceFullPath": "/" * 1025}),
        "urlRewrite.path.replaceFullPath",
        "schema/string-too-long",
        "1024",
    ),
    (rewrite(hostname="*.example.com"), "urlRewrite.hostname", "name/hostname", "is a wildcard"),
    (
        mirror(backendRef={"name": "c"}),
        "requestMirror.backendRef.port",
        "gateway/backend-port",
        "Must have port for Service reference",
    ),
    (mirror(percent=101), "requestMirror.percent", "schema/less-than-equal", "100"),
    (mirror(percent=-1), "requestMirror.percent", "schema/greater-than-equal", "0"),
    (
        mirror(percent=1, fraction={"numerator": 1}),
        "requestMirror",
        "gateway/mirror",
        "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter",
    ),
    (
        mirror(fraction={"numerator": 101}),
        "requestMirror.fraction",
        "gateway/fraction",
        "numerator must be less than or equal to denominator",
    ),
    (mirror(fraction={}), "requestMirror.fraction.numerator", "schema/required", "required"),
    (
        mirror(fraction={"numerator": 0, "denominator": 0}),
        "requestMirror.fraction.denominator",
        "schema/greater-than-equal",
        "1",
    ),
    *(
        (
            cors(**{field: ["*", other]}),
            f"cors.{field}",
            "gateway/cors",
            f"{field[0].upper()}{field[1:]} cannot contain '*' alongside other {word}",
        )
        for field, other, word in (
            ("allowOrigins", "https://a.example", "origins"),
            ("allowMethods", "GET", "methods"),
            ("allowHeaders", "x-a", "methods"),
        )
    ),
    (cors(allowOrigins=["example.com"]), "cors.allowOrigins[0]", ORIGIN, "an origin such as"),
    (cors(allowOrigins=["https://example.com/x"]), "cors.allowOrigins[0]", ORIGIN, "an origin such as"),
    (cors(allowOrigins=["https://a", "https://a"]), "cors.allowOrigins[1]", "gateway/duplicate", "twice"),
    (
        cors(allowOrigins=[f"https://a{n}" for n in range(65)]),
        "cors.allowOrigins",
        "schema/too-long",
        "at most 64 items are expected, got 65",
    ),
    (cors(allowMethods=["get"]), "cors.allowMethods[0]", "schema/literal-error", "'GET'"),
    (cors(allowMethods=["GET", "GET"]), "cors.allowMethods[1]", "gateway/duplicate", "twice"),
    (cors(allowHeaders=["a b"]), "cors.allowHeaders[0]", NAME, "'a b'"),
    (cors(allowHeaders=[f"x{n}" for n in range(65)]), "cors.allowHeaders", "schema/too-long", "at most 64"),
    (cors(exposeHeaders=[""]), "cors.exposeHeaders[0]", NAME, "''"),
    (cors(exposeHeaders=[f"x{n}" for n in range(65)]), "cors.exposeHeaders", "schema/too-long", "at most 64"),
    (cors(maxAge=0), "cors.maxAge", "schema/greater-than-equal", "1"),
    (cors(allowCredentials="true"), "cors.allowCredentials", "schema/bool-type", "'true'"),
    *(
        ({"filters": [{"type": "ExtensionRef", "extensionRef": given}]}, f"extensionRef.{field}", code, "")
        for given, field, code in (
            ({"kind": "K", "name": "n"}, "group", "schema/required"),
            ({"group": "g", "name": "n"}, "kind", "schema/required"),
            ({"group": "g", "kind": "K"}, "name", "schema/required"),
            ({"group": "G", "kind": "K", "name": "n"}, "group", "name/group"),
            ({"group": "", "kind": "1", "name": "n"}, "kind", "name/kind"),
        )
    ),
]


@pytest.mark.parametrize("rule", VALID)
def test_what_the_definitions_allow_is_taken(rule):
    assert Route.model_validate(rule).filters


@pytest.mark.parametrize(("rule", "path", "code", "message"), REFUSED)
def test_each_constraint_of_the_definitions_refuses_with_path_and_code(rule, path, code, message):
    (problem,) = problems(rule)
    assert (problem.path, problem.code) == (f"filters[0].{path}".rstrip("."), code)
    assert message in problem.message


@pytest.mark.parametrize("where", ["filters", "backendRefs[0].filters"])
@pytest.mark.parametrize(
    "kind", ["CORS", "RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite"]
)
def test_a_kind_of_filter_is_there_once_in_a_list(kind, where):
    filters = [whole(kind), whole("ExtensionRef"), whole(kind)]
    rule = (
        {"filters": filters} if where == "filters" else {"backendRefs": [{"name": "a", "port": 1, "filters": filters}]}
    )
    (problem,) = problems(rule)
    assert (problem.path, problem.code) == (f"{where}[2]", "gateway/filter-repeated")
    assert problem.message == f"{kind} filter cannot be repeated"


@pytest.mark.parametrize("where", ["filters", "backendRefs[0].filters"])
def test_a_redirect_and_a_rewrite_exclude_each_other(where):
    filters = [whole("RequestRedirect"), whole("URLRewrite")]
    rule = (
        {"filters": filters} if where == "filters" else {"backendRefs": [{"name": "a", "port": 1, "filters": filters}]}
    )
    (problem,) = problems(rule)
    assert (problem.path, problem.code) == (where, "gateway/filter-conflict")
    assert problem.message == (
        "May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both"
    )


def test_names_of_headers_count_once_in_any_case():
    (problem,) = problems(request_headers(set=[header("X-A"), header("x-a")]))
    assert (problem.path, problem.code) == ("filters[0].requestHeaderModifier.set[1].name", "gateway/duplicate")


def test_everything_wrong_in_a_filter_is_told_at_once():
    rule = redirect(scheme="ftp", hostname="*.a", port=0, path={"type": "ReplaceFullPath", "replacePrefixMatch": "/"})
    assert [problem.path.removeprefix("filters[0].requestRedirect.") for problem in problems(rule)] == [
        "scheme",
        "hostname",
        "path",
        "path.replacePrefixMatch",
        "port",
    ]


def test_factories_write_what_the_definitions_ask_for():
    def written(item: Filter) -> dict:
        return item.model_dump(by_alias=True, exclude_unset=True, mode="json")

    assert written(Filter.request_headers(set={"x-tier": "gold"}, add={"x-b": "1"}, remove=["x-c"])) == {
        "type": "RequestHeaderModifier",
        "requestHeaderModifier": {
            "set": [{"name": "x-tier", "value": "gold"}],
            "add": [{"name": "x-b", "value": "1"}],
            "remove": ["x-c"],
        },
    }
    assert written(Filter.response_headers(remove=("server",)))["responseHeaderModifier"]["remove"] == ["server"]
    assert written(Filter.redirect(scheme="https", path="/new", status_code=308))["requestRedirect"] == {
        "scheme": "https",
        "path": {"type": "ReplaceFullPath", "replaceFullPath": "/new"},
        "statusCode": 308,
    }
    assert written(Filter.rewrite(prefix="/"))["urlRewrite"]["path"] == {
        "type": "ReplacePrefixMatch",
        "replacePrefixMatch": "/",
    }
    assert written(Filter.rewrite(hostname="a", path="/x"))["urlRewrite"] == {
        "hostname": "a",
        "path": {"type": "ReplaceFullPath", "replaceFullPath": "/x"},
    }


@given(strategies.filters())
def test_what_is_written_is_read_as_the_same(made):
    assert Filter.model_validate(made.model_dump(by_alias=True, exclude_none=True, mode="json")) == made
