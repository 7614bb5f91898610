"""What is wrong with an expression, in words: CEL's messages made short, with a place and the likely fix."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from apiops_components.models.policy.environment import KEY, fields_of, signatures
from apiops_components.models.policy.functions import MACROS, STANDARD, name_of
from apiops_components.models.policy.variables import variables

__all__ = ["TOO_DEEP", "Problem", "closing_brace", "diagnosed", "excerpt", "masked", "nearest"]


class Problem(NamedTuple):
    """One thing that is wrong with an expression."""

    what: str
    """What is wrong, without the expression."""
    offset: int
    """Where, in characters from the start of the expression."""
    hint: str = ""
    """The likely fix."""


TOO_DEEP = Problem("nested too deep to be checked", 0, "split it: the expressions of a rule must all hold")
"""Deeper than Google's CEL reads (32 levels), or than its tree is read (protobuf: 100 messages)."""


# --- showing the place -----------------------------------------------------------------------------------------------

_WIDTH = 100


def excerpt(source: str, offset: int) -> str:
    """The line of the source with a caret below the place; a long line is cut to what is around it."""
    start = source.rfind("\n", 0, offset) + 1
    end = source.find("\n", offset)
    line, column = source[start : end if end >= 0 else len(source)], offset - start
    left = max(0, min(column - _WIDTH // 2, len(line) - _WIDTH))
    shown = line[left : left + _WIDTH]
    before, after = "…" * (left > 0), "…" * (left + _WIDTH < len(line))
    lead = before + shown[: column - left]
    space = "".join(" " * _columns(character) for character in lead)
    return f"    {before}{''.join(map(_visible, shown))}{after}\n    {space}^"


def _visible(character: str) -> str:
    return character if character.isprintable() else " "


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


_STRING = re.compile(
    r"""(?:[bB]?[rR]|[rR][bB])(?:'{3}.*?'{3}|"{3}.*?"{3}|'[^'\n]*'|"[^"\n]*")
    |[bB]?(?:'{3}(?:\\.|[^\\])*?'{3}|"{3}(?:\\.|[^\\])*?"{3}|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")""",
    re.VERBOSE | re.DOTALL,
)
_HIDDEN = re.compile(rf"{_STRING.pattern}|//[^\n]*", re.VERBOSE | re.DOTALL)


_BRACE = re.compile(rf"{_STRING.pattern}|[{{}}]", re.VERBOSE | re.DOTALL)


def closing_brace(text: str, position: int) -> int:
    """Where the ``}`` stands that closes a ``{`` just before this place, or -1; strings and inner braces count not."""
    depth = 1
    for found in _BRACE.finditer(text, position):
        depth += {"{": 1, "}": -1}.get(found.group(), 0)
        if not depth:
            return found.start()
    return -1


def masked(text: str) -> str:
    """The expression with what is inside strings and comments blanked, everything else where it was."""
    return _HIDDEN.sub(lambda found: f'"{"_" * (len(found.group()) - 2)}"', text)


# --- names -----------------------------------------------------------------------------------------------------------


@cache
def _variables(phase: str) -> tuple[str, ...]:
    return tuple(name for name, _ in variables(phase))


@cache
def _functions(phase: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*map(name_of, signatures(phase)), *MACROS, *STANDARD)))


# Names from ngrok's own documentation, from older products and from other languages, and what they are called.
_MEANT = {
    **dict.fromkeys(("req.path", "request.path", "path", "req.url.pathname"), "req.url.path"),
    **{
        f"req.{name}": f"req.url.{name}"
        for name in ("query", "query_params", "uri", "scheme", "port", "raw", "raw_path")
    },
    **dict.fromkeys(("req.params", "req.query_string"), "req.url.query_params"),
    **dict.fromkeys(("client_ip", "req.ip", "req.client_ip", "req.remote_addr", "conn.ip"), "conn.client_ip"),
    **dict.fromkeys(("res.status", "res.code", "res.statusCode"), "res.status_code"),
    **dict.fromkeys(("now", "now()", "time"), "time.now"),
    **dict.fromkeys(("toLowerCase", "toLower", "to_lower", "downcase"), "lower"),
    **dict.fromkeys(("toUpperCase", "toUpper", "to_upper", "upcase"), "upper"),
    **dict.fromkeys(("len", "length", "count"), "size"),
    **dict.fromkeys(("match", "test", "regex", "regexMatch"), "matches"),
    **dict.fromkeys(("includes", "has_substring"), "contains"),
    **dict.fromkeys(("any", "some"), "exists"),
    **dict.fromkeys(("starts_with", "hasPrefix", "begins_with"), "startsWith"),
    **dict.fromkeys(("ends_with", "hasSuffix"), "endsWith"),
    "substr": "substring",
    "strip": "trim",
    "every": "all",
    "b64.encode": "base64.encode",
    "b64.decode": "base64.decode",
    "security.secret": "secrets.get",
    "utility.inCidrRange": "inCidrRange",
}


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean …?``, or nothing where no known name is near."""
    names = list(known)
    if _MEANT.get(word) in names:
        return f"did you mean {_MEANT[word]}?"
    meant = {other.lower(): name for other, name in _MEANT.items() if name in names}
    own = {name.lower(): name for name in reversed(names)}
    # What only resembles another name for it is further away: req.nope is no req.ip, and so no conn.client_ip.
    for folded, least in ((meant | own, 0.8), (own, 0.7)):
        if near := difflib.get_close_matches(word.lower(), folded, 1, least):
            return f"did you mean {folded[near[0]]}?"
    return ""


# --- habits from other languages -------------------------------------------------------------------------------------

_HABITS = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        (r"\$\{", "an expression stands bare, without ${ }"),
        (
            r"\bfor\s+\w+(\s*,\s*\w+)?\s+in\b",
            "CEL has no such comprehension: write list.map(x, …) or list.filter(x, …)",
        ),
        (r"\.includes\s*\(", "a string has .contains('a'); in a list, write 'a' in list"),
        (r"\.get\s*\(", "take the value with ['name'], and ask whether it is there with 'name' in …"),
        (r"\.length\b", "write .size()"),
        (r"\\\\", "quotes stand without a backslash"),
        (r"\bfunction\s*\(|=>", "write list.exists(x, …): the name and what is asked of it"),
        (r"[=!]==", "write == or !="),
        (r"(?<![=!<>])=(?![=~])", "compare with =="),
        (r"=~", "write text.matches('pattern')"),
        (r"\band\b|\bor\b|\bnot\b", "write && for and, || for or, ! for not"),
        (r"\b(True|False|None|nil|undefined)\b", "write true, false or null"),
        (r"\bif\b.*\b(else|then)\b", "write condition ? a : b"),
        (r";", "an expression ends without ;"),
        (r"(?<!&)&(?!&)", "write && for and"),
        (r"(?<!\|)\|(?!\|)", "write || for or"),
    )
)


def _habit(text: str, offset: int) -> str:
    hidden = masked(text)
    found = ((pattern.finditer(hidden), hint) for pattern, hint in _HABITS)
    return next((hint for places, hint in found for at in places if at.start() - 2 <= offset <= at.end() + 1), "")


# --- CEL's messages --------------------------------------------------------------------------------------------------

_PART = re.compile(r"ERROR: <input>:(\d+):(-?\d+): ([^\n]*)")
_CHAIN = re.compile(r"[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*")


def diagnosed(message: str, text: str, phase: str) -> Problem:
    """The most telling of CEL's messages, reworded."""
    parts = [(_offset(text, int(line), int(column)), what) for line, column, what in _PART.findall(message)]
    if not parts:
        if "recursion" in message:
            return TOO_DEEP
        what = re.sub(r"^[A-Z_]+: | \[[A-Z_]+\]$", "", message.partition("\n")[0])
        return Problem(f"not an expression: {what}", 0)
    own = [part for part in parts if "*error*" not in part[1]] or parts  # the others follow from these
    offset, what = min(own, key=lambda part: part[0])
    what = re.sub(r" \(in container '.*?'\)| \[[A-Z_]+\]$", "", what)
    for pattern, reword in _REWORDED:
        if found := pattern.match(what):
            problem = reword(found, offset, text, phase)
            return problem._replace(hint=problem.hint or _habit(text, problem.offset))
    return Problem(what, offset, _habit(text, offset))


def _offset(text: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    return min(start + max(column - 1, 0), len(text))


def _undeclared(found: re.Match[str], offset: int, text: str, phase: str) -> Problem:
    name = found.group(1)
    called = text[offset : offset + 1] == "("
    if called:  # the place of a call is its bracket
        offset = max(text.rfind(name.rpartition(".")[2], 0, offset), 0)
    chain, start = _chain_at(text, offset)
    calling = re.match(r"\s*\(", text[start + len(chain) :])
    spaces = {known.partition(".")[0] for known in _functions(phase) if "." in known} - {"url"}
    if called or name.partition(".")[0] in spaces or (calling and chain in _MEANT):
        method = called and text[:offset].rstrip().endswith(".")
        full = name if method else re.sub(r"\s", "", chain) or name
        if full in _functions(phase):
            overloads = [signature for signature in signatures(phase) if name_of(signature) == full]
            return Problem(f"{full} does not take these arguments", offset, _known(overloads))
        return Problem(f"unknown {'method' if method else 'function'} {full!r}", offset, _function_hint(full, phase))
    known = _variables(phase)
    dotted = re.sub(r"\s", "", chain) or name
    if before := re.search(r"[\w]+(?:-\w+)*-$", text[:start]):
        hint = f"a name with - stands in brackets: ['{before.group()}{dotted}']"
        return Problem(f"unknown variable {dotted!r}", start, hint)
    if len(dotted) > len(name) and dotted.startswith(name):
        dotted = name
    return Problem(
        f"unknown variable {dotted!r}", _first_unknown(chain, start, known), _variable_hint(dotted, known, phase)
    )


def _function_hint(name: str, phase: str) -> str:
    if name in ("includes", "get"):
        return ""  # the habit says more
    if re.match(r"(get|has)Res(Header|Cookie)$", name) and phase == "on_http_request":
        return "the response exists in on_http_response only"
    if re.match(r"(get|has)(Re[qs](Header|Cookie)|QueryParam)$", name) and phase == "on_tcp_connect":
        return "in on_tcp_connect nothing of a request is known yet"
    return nearest(name, _functions(phase))


def _variable_hint(name: str, known: Iterable[str], phase: str) -> str:
    first, _, rest = name.partition(".")
    if first in ("res", "response") and phase == "on_http_request":
        return "the response exists in on_http_response only"
    if first in ("req", "res", "request", "response") and phase == "on_tcp_connect":
        return "in on_tcp_connect nothing of a request is known yet"
    if name in ("conn.bytes_in", "conn.bytes_out"):
        return "it exists for requests only"
    if name == "req.body":
        return "expressions cannot read the body"
    if first in ("request", "response"):
        short = {"request": "req", "response": "res"}[first]
        return nearest(f"{short}.{rest}", known) if rest else f"it is called {short}"
    return nearest(name, known)


def _chain_at(text: str, offset: int) -> tuple[str, int]:
    for found in _CHAIN.finditer(masked(text)):
        if found.start() <= offset < found.end():
            return found.group(), found.start()
    return "", offset


def _first_unknown(chain: str, start: int, known: Iterable[str]) -> int:
    """Where the first part of ``req.foo.bar`` stands with which no known name begins."""
    prefix = ""
    for part in re.finditer(r"\w+", chain):
        prefix = f"{prefix}.{part.group()}" if prefix else part.group()
        if not any(name == prefix or name.startswith(f"{prefix}.") for name in known):
            return start + part.start()
    return start


def _operand(found: re.Match[str], offset: int, text: str, phase: str) -> Problem:
    chain, start = _chain_at(text, offset + 1)
    known = _variables(phase)
    place = _first_unknown(chain, start, known) if chain else offset
    field = re.match(r"\w+", text[place:])
    owner = re.sub(r"\s", "", text[start:place]).rstrip(".")
    if owner in known and field:
        below = [name.removeprefix(f"{owner}.") for name in known if name.startswith(f"{owner}.")]
        hint = nearest(field.group(), below).replace("mean ", f"mean {owner}.")
        return Problem(f"unknown variable '{owner}.{field.group()}'", place, hint)
    name = re.match(r"\.?\s*(\w+)", text[offset:])
    what = f"a value of type {_type(found.group(1))} has no field"
    return Problem(f"{what} {name.group(1)!r}" if name else what, offset, _several(found.group(1)))


def _field(found: re.Match[str], offset: int, text: str, phase: str) -> Problem:  # noqa: ARG001
    name, record = found.groups()
    place = text.find(name, offset)
    known = fields_of(record)
    hint = nearest(name, known) or f"known: {', '.join(sorted(known))}"
    owner = "actions.ngrok" if record == "ngrok.ActionsNgrok" else _chain_at(text, offset)[0].partition(f".{name}")[0]
    return Problem(f"unknown field {name!r} of {owner or _type(record)}", place if place >= 0 else offset, hint)


_OPERATORS = {f"_{sign}_": sign for sign in ("==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "&&", "||")}


def _overload(found: re.Match[str], offset: int, text: str, phase: str) -> Problem:
    name, receiver, arguments = found.groups()
    types = [_type(kind) for kind in (receiver, *_split(arguments)) if kind]
    several = _several(*types)
    if sign := _OPERATORS.get(name):
        return Problem(f"{sign} does not take {types[0]} and {types[-1]}", offset, several or _conversion({*types}))
    if name == KEY:
        return Problem(f"sortBy cannot order by {types[0]}", offset + len(KEY) - 1, "take something that has an order")
    if name in _OTHERS:
        what, hint = _OTHERS[name]
        return Problem(what.format(*types), offset, hint)
    place = max(text.rfind(name, 0, offset), 0)
    overloads = [signature for signature in signatures(phase) if name_of(signature) == name]
    return Problem(f"{name} does not take ({', '.join(types)})", place, several or _known(overloads))


_OTHERS = {
    "@in": ("in does not take {0} and {1}", "to the right of it stands a list or a map"),
    "_[_]": (
        "{0} cannot be indexed by {1}",
        "a list is indexed by numbers, a map by names; a field of a record is taken with a dot",
    ),
    "!_": ("! does not take {0}", "it binds closely: write !(a in b), !(a == b)"),
    "-_": ("- does not take {0}", ""),
    "_?_:_": ("? does not take {0}, {1} and {2}", "the condition is a bool, both branches have one type"),
}


def _conversion(types: set[str]) -> str:
    if "string" in types and types & {"int", "double"}:
        return "a number stands without quotes; int(…) and string(…) convert"
    if types == {"int", "double"}:
        return "write both as 1.0, or convert with double(…)"
    if types == {"string", "timestamp"}:
        return "timestamp('2026-01-31T00:00:00Z') makes one of text"
    if types == {"string", "bool"}:
        return "true and false stand without quotes"
    return "text that is not there is '' and no null" if types == {"string", "null_type"} else ""


def _known(overloads: Iterable[str]) -> str:
    shown = "; ".join(overloads)
    return f"known: {shown}" if shown else ""


def _several(*types: str) -> str:
    if types[0] == "list(string)" and "string" in types:
        return "there may be several values: take one with [0], write 'a' in list, list.exists(v, …) or list.join(',')"
    return ""


def _split(arguments: str) -> list[str]:
    return re.findall(r"(?:[^,()]|\((?:[^()]|\([^()]*\))*\))+", arguments.replace(", ", ","))


def _type(kind: str) -> str:
    shown = re.sub(r"\bngrok\.Actions\w*", "record", kind)
    return re.sub(r"\b(?:ngrok|google\.protobuf)\.", "", shown).lower()


def _has(_found: re.Match[str], offset: int, text: str, phase: str) -> Problem:  # noqa: ARG001
    return Problem(
        "has() takes a field, such as has(req.headers.name)",
        offset,
        "write 'name' in req.headers, or hasReqHeader('Name')",
    )


def _syntax(found: re.Match[str], offset: int, text: str, phase: str) -> Problem:  # noqa: ARG001
    what = found.group(1)
    if missing := re.match(r"missing '(.*?)' at", what):
        return Problem(f"{missing.group(1)!r} is missing", offset)
    if unexpected := re.match(r"(?:mismatched|extraneous) input '(.*?)' expecting", what):
        shown = "end" if unexpected.group(1) == "<EOF>" else repr(unexpected.group(1).strip())
        return Problem(f"unexpected {shown}", offset)
    if re.match(r"token recognition error at: '['\"]", what):
        return Problem("a string without its closing quote", offset)
    if token := re.match(r"token recognition error at: '(.*)'", what):
        return Problem(f"unexpected {token.group(1).strip()!r}", offset)
    return Problem(what, offset)


_REWORDED = (
    (re.compile(r"undeclared reference to '([^']+)'"), _undeclared),
    (re.compile(r"expression of type '(.*)' cannot be the operand of a select"), _operand),
    (re.compile(r"undefined field '(\w+)' not found in struct '([\w.]+)'"), _field),
    (re.compile(r"found no matching overload for '(.*?)' applied to '(?:(.*)\.)?\((.*)\)'"), _overload),
    (re.compile(r"has\(\) argument"), _has),
    (re.compile(r"Syntax error: (.*)"), _syntax),
)
