"""Expressions built from Python values: their text, that no value becomes code, and that they mean what they say."""

import ipaddress
import operator
import re
from functools import cache

import pytest
from cel_expr_python import cel
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apiops_components.models.policy.actions import RateLimit
from apiops_components.models.policy.cel import compile_expression, expression_fault, literal, template_faults
from apiops_components.models.policy.document import Rule, TrafficPolicy
from apiops_components.models.policy.expression import (
    Condition,
    Group,
    Term,
    Text,
    all_of,
    any_of,
    client_ip,
    conn,
    endpoint,
    now,
    req,
    res,
    result,
    var,
)
from apiops_components.models.policy.syntax import reads, shape, tree
from apiops_components.models.policy.variables import variables

PHASE = "on_http_request"


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (
            req.host.starts_with("/a") & ~(req.header("X-A") == "gold"),
            "req.host.startsWith('/a') && !(('x-a' in req.headers ? req.headers['x-a'].join(',') : '') == 'gold')",
        ),
        (client_ip.in_range("10.0.0.0/8"), "inCidrRange(conn.client_ip, '10.0.0.0/8')"),
        (
            client_ip.in_range("10.0.0.0/8", "2001:db8::/32"),
            "inCidrRanges(conn.client_ip, ['10.0.0.0/8', '2001:db8::/32'])",
        ),
        (
            (req.host == "a") | (req.host == "b") & (req.method != "GET"),
            "req.host == 'a' || (req.host == 'b' && req.method != 'GET')",
        ),
        (~~req.user_agent.is_bot, "!!req.user_agent.is_bot"),
        (~(req.host == "a"), "!(req.host == 'a')"),
        (req.cookie("s") == "", "('s' in req.cookies ? req.cookies['s'][0].value : '') == ''"),
        (req.method.one_of("GET", "HEAD"), "req.method in ['GET', 'HEAD']"),
        (("/x" + req.url.path.lower() + "?") == req.url.raw, "'/x' + req.url.path.lower() + '?' == req.url.raw"),
        ((req.host + "a").size() > 3, "size(req.host + 'a') > 3"),
        ((req.host + "a").upper() == "A", "(req.host + 'a').upper() == 'A'"),
        (conn.client_ip.as_.number == 64512, "conn.client_ip.as.number == 64512"),
        (
            conn.client_ip.categories.any(lambda c: c.starts_with("proxy")),
            "conn.client_ip.categories.exists(v, v.startsWith('proxy'))",
        ),
        (
            req.content_encoding.all(lambda a: conn.client_ip.categories.any(lambda b: a == b)),
            "req.content_encoding.all(v, conn.client_ip.categories.exists(v1, v == v1))",
        ),
        (req.ts.header_received > "2026-01-31T00:00:00Z", "req.ts.header_received > timestamp('2026-01-31T00:00:00Z')"),
        (all_of(), "true"),
        (any_of(req.user_agent.is_bot, req.user_agent.is_mobile), "req.user_agent.is_bot || req.user_agent.is_mobile"),
        (var.text("a") == "x", "vars.a == 'x'"),
        (var.number("a-b") >= -5, "vars['a-b'] >= -5"),
        (result("rate_limit", "limited"), "actions.ngrok.rate_limit.limited"),
        (
            req.has_header("X-A") & req.has_query("q") & req.has_cookie("c"),
            "'x-a' in req.headers && 'q' in req.url.query_params && 'c' in req.cookies",
        ),
        (now.starts_with("2026"), "time.now.startsWith('2026')"),
    ],
)
def test_values_write_cel_that_passes_the_check(term, text):
    assert str(term) == text
    assert expression_fault(text, PHASE) is None


def test_a_term_goes_wherever_an_expression_goes():
    limit = RateLimit(name="n", capacity=5, rate="60s", bucket_key=(client_ip, "req.host", req.header("x")))
    rule = Rule(expressions=(req.host == "a", "true"), actions=(limit,))
    assert rule.expressions == ("req.host == 'a'", "true")
    assert limit.bucket_key[:2] == ("conn.client_ip", "req.host")
    assert {type(text) for text in (*rule.expressions, *limit.bucket_key)} == {str}
    assert TrafficPolicy(on_http_request=(rule,))
    assert client_ip.template == "${conn.client_ip}"


@pytest.mark.parametrize(
    ("misuse", "hint"),
    [
        (lambda: bool(req.host == "a"), "write & for and"),
        (lambda: req.host == "a" and req.method == "b", "write & for and"),
        (lambda: not req.user_agent.is_bot, "~ for not"),
        (lambda: 1 < conn.client_port < 3, "write & for and"),
        (lambda: req.host == "a" & req.method, "put each comparison into brackets"),
        (lambda: req.host == "a" | (req.method == "b"), "put each comparison into brackets"),
        (lambda: (req.host == "a") & True, "takes two conditions"),
        (lambda: "a" in req.host, "write .contains('a')"),
        (lambda: list(req.content_encoding), ".any(lambda value: …)"),
        (lambda: req.host == 3, "text is compared with text"),
        (lambda: req.host == conn.client_port, "text is compared with text"),
        (lambda: conn.client_port == "80", "a number is compared with an int"),
        (lambda: conn.client_port == True, "a number is compared with an int"),  # noqa: E712
        (lambda: conn.client_port == 2**63, "does not fit into 64 bits"),
        (lambda: req.content_encoding == "br", ".contains(…)"),
        (lambda: req.content_encoding.any(lambda v: v), "a condition is wanted"),
        (lambda: req.user_agent.is_bot == "true", "True or False"),
        (lambda: client_ip.in_range("10.0.0.1"), "a range with a mask"),
        (lambda: client_ip.in_range("a/8"), "does not appear to be an IPv4 or IPv6 network"),
        (lambda: req.host.matches("(?=a)"), "is not a regular expression"),
        (lambda: req.host == "\ud800", "half a character"),
        (lambda: req.header("a b"), "is not the name of a header"),
        (lambda: req.ts.header_received > "yesterday", "is not a moment"),
        (lambda: result("rate_limt"), "did you mean rate_limit?"),
        (lambda: f"{req}", "is a group of variables"),
    ],
)
def test_misuse_is_named_with_what_to_write(misuse, hint):
    with pytest.raises((TypeError, ValueError), match=re.escape(hint)):
        misuse()


def members(value, path):
    """Every variable below a name."""
    if isinstance(value, Term):
        yield path, str(value)
    for cls in type(value).__mro__:
        for name, member in vars(cls).items():
            if hasattr(member, "kind"):
                yield from members(getattr(value, name), f"{path}.{member.name}")


def test_every_variable_of_ngrok_has_a_value_and_no_value_is_invented():
    built = [
        item
        for value, name in ((conn, "conn"), (endpoint, "endpoint"), (req, "req"), (res, "res"))
        for item in members(value, name)
    ]
    assert all(path == text for path, text in built)
    declared = dict(variables("on_http_response"))
    for name in ("vars", "actions", "attempts", "last_attempt", "time.now"):
        del declared[name]
    assert {path for path, _ in built} == set(declared)
    classes = {"string": "Text", "int": "Number", "bool": "Condition", "timestamp": "Moment", "list<string>": "Texts"}
    for path, kind in declared.items():
        value = {"conn": conn, "endpoint": endpoint, "req": req, "res": res}[path.split(".")[0]]
        for part in path.split(".")[1:]:
            value = getattr(value, "as_" if part == "as" else part)
        assert not isinstance(value, Group)
        assert classes.get(kind, "Term") in {cls.__name__ for cls in type(value).__mro__}


# --- no value ever changes the syntax tree ---------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "'",
        "\\",
        "\\'",
        "' || true || '",
        "${",
        "}",
        "${'",
        '"',
        "\0",
        "\n",
        "\r\n",
        "//",
        "'''",
        "r'",
        "\u2028",
        "\ufeff",
        "a,b",
    ]
)


@given(TEXTS)
@example("\0")
@settings(max_examples=300, deadline=None)
def test_a_literal_is_one_constant_with_exactly_this_text(text):
    found = tree(compile_expression(literal(text), PHASE))
    assert found.expr.const_expr.string_value == text


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_a_literal_inside_a_template_neither_ends_it_nor_starts_another(text):
    template = f"a ${{req.host + {literal(text)}}} b"
    assert list(template_faults(template, PHASE)) == []
    assert "${" not in literal(text)
    assert [found.name for found in reads(tree(compile_expression(template[4:-3], PHASE)))] == ["req.host"]


PATHS = [req.url.path, req.host, req.header("x-a"), req.query("q"), req.cookie("c")]


def atoms(text):
    """Conditions with a text in them, each beside what it means for a request."""
    one = st.sampled_from(PATHS)
    many = st.lists(text, max_size=3)
    return st.one_of(
        st.tuples(st.just("compare"), st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]), one, text),
        st.tuples(st.just("ask"), st.sampled_from(["starts_with", "ends_with", "contains"]), one, text),
        st.tuples(st.just("one_of"), one, many),
        st.tuples(st.just("has"), st.sampled_from(["has_query", "has_cookie"]), text),
        st.tuples(st.just("any"), text),
        st.tuples(st.just("plus"), one, text, text),
        st.tuples(st.just("size"), one, st.integers(-2, 20)),
        st.tuples(st.just("range"), st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"])),
    )


def plans(text):
    """Trees of conditions, as plain data."""
    return st.recursive(
        atoms(text),
        lambda inner: st.one_of(
            st.tuples(st.just("not"), inner),
            st.tuples(st.sampled_from(["and", "or"]), inner, inner),
        ),
        max_leaves=6,
    )


def built(plan):  # noqa: C901
    match plan:
        case "compare", sign, value, text:
            return getattr(operator, sign)(value, text)
        case "ask", name, value, text:
            return getattr(value, name)(text)
        case "one_of", value, texts:
            return value.one_of(*texts)
        case "has", name, text:
            return getattr(req, name)(text)
        case "any", text:
            return Text("req.url.path").one_of("x") | req.content_encoding.any(lambda v: v == text)
        case "plus", value, before, after:
            return before + value + after == before + req.host
        case "size", value, number:
            return value.size() > number
        case "range", network:
            return client_ip.in_range(network)
        case "not", inner:
            return ~built(inner)
        case "and", left, right:
            return built(left) & built(right)
        case "or", left, right:
            return built(left) | built(right)
    raise AssertionError(plan)


def harmless(plan):
    """The same plan with every text of the user replaced by a letter."""
    match plan:
        case ("compare" | "ask") as kind, name, value, _:
            return kind, name, value, "a"
        case "one_of", value, texts:
            return "one_of", value, ["a"] * len(texts)
        case "has", name, _:
            return "has", name, "a"
        case "any", _:
            return "any", "a"
        case "plus", value, _, _:
            return "plus", value, "a", "a"
        case "not", inner:
            return "not", harmless(inner)
        case ("and" | "or") as kind, left, right:
            return kind, harmless(left), harmless(right)
    return plan


@given(plans(TEXTS))
@settings(max_examples=150, deadline=None)
def test_no_value_ever_changes_the_syntax_tree(plan):
    condition = built(plan)
    assert isinstance(condition, Condition)
    assert expression_fault(str(condition), PHASE) is None
    shapes = [shape(tree(compile_expression(str(built(each)), PHASE))) for each in (plan, harmless(plan))]
    assert shapes[0] == shapes[1]


# --- they mean what they say -----------------------------------------------------------------------------------------


@cache
def runnable(text):
    """Compiled beside what CEL itself lacks; ngrok brings it."""
    many, values = cel.Type("map<string,list<string>>"), cel.Type("map<string,list<map<string,string>>>")
    strings, string = cel.Type("list<string>"), cel.Type.STRING
    join = cel.Overload("j", string, [strings, string], is_member=True, impl=lambda items, by: by.join(items))
    within = cel.Overload("c", cel.Type.BOOL, [string, string], impl=in_range)
    return cel.NewEnv(
        variables={
            **dict.fromkeys(("req.url.path", "req.host", "conn.client_ip"), string),
            **dict.fromkeys(("req.headers", "req.url.query_params"), many),
            "req.cookies": values,
            "req.content_encoding": strings,
        },
        functions=[cel.FunctionDecl("join", [join]), cel.FunctionDecl("inCidrRange", [within])],
    ).compile(text)


def in_range(address, network):
    return ipaddress.ip_address(address) in ipaddress.ip_network(network)


# CEL is handed the request through C strings, which end at a NUL; in an expression NUL is shown above.
SHORT = st.text("aAb'\\/${},é日", max_size=4)
VALUES = st.dictionaries(SHORT, st.lists(SHORT, min_size=1, max_size=2), max_size=2)
REQUESTS = st.fixed_dictionaries(
    {
        "req.url.path": SHORT,
        "req.host": SHORT,
        "conn.client_ip": st.sampled_from(["10.1.2.3", "10.200.0.1", "192.0.2.1", "2001:db8::1"]),
        "req.headers": st.fixed_dictionaries({}, optional={"x-a": st.lists(SHORT, min_size=1, max_size=2)}),
        "req.url.query_params": st.fixed_dictionaries({}, optional={"q": st.lists(SHORT, min_size=1, max_size=2)})
        | VALUES,
        "req.cookies": st.fixed_dictionaries({}, optional={"c": st.lists(SHORT, min_size=1, max_size=2)}) | VALUES,
        "req.content_encoding": st.lists(SHORT, max_size=3),
    }
)


def value_of(term, request):
    """The reference: what a text is for a request."""
    return [
        request["req.url.path"],
        request["req.host"],
        ",".join(request["req.headers"].get("x-a", [])),
        ",".join(request["req.url.query_params"].get("q", [])),
        next(iter(request["req.cookies"].get("c", [])), ""),
    ][next(number for number, each in enumerate(PATHS) if each is term)]


ASKED = {"starts_with": str.startswith, "ends_with": str.endswith, "contains": str.__contains__}


def meant(plan, request):  # noqa: C901
    """The reference: whether the plan is true of a request."""
    match plan:
        case "compare", sign, value, text:
            return getattr(operator, sign)(value_of(value, request), text)
        case "ask", name, value, text:
            return ASKED[name](value_of(value, request), text)
        case "one_of", value, texts:
            return value_of(value, request) in texts
        case "has", name, text:
            return text in request["req.url.query_params" if name == "has_query" else "req.cookies"]
        case "any", text:
            return request["req.url.path"] == "x" or text in request["req.content_encoding"]
        case "plus", value, before, after:
            return before + value_of(value, request) + after == before + request["req.host"]
        case "size", value, number:
            return len(value_of(value, request)) > number
        case "range", network:
            return in_range(request["conn.client_ip"], network)
        case "not", inner:
            return not meant(inner, request)
        case "and", left, right:
            return meant(left, request) and meant(right, request)
        case "or", left, right:
            return meant(left, request) or meant(right, request)
    raise AssertionError(plan)


@given(plans(SHORT), st.lists(REQUESTS, min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_an_expression_is_true_of_the_requests_that_it_says(plan, requests):
    compiled = runnable(str(built(plan)))
    for request in requests:
        cookies = {name: [{"value": value} for value in values] for name, values in request["req.cookies"].items()}
        found = compiled.eval(data={**request, "req.cookies": cookies})
        assert found.type().name() == "BOOL", found.value()
        assert found.value() == meant(plan, request)
