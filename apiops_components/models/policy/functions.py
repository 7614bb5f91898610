"""The functions and methods of ngrok's expressions, beyond CEL's own (``size``, ``matches``, ``startsWith`` …).

Source: ngrok's documentation (facts: ngrok §3). A signature is ``result name(parameter, …)``; with ``receiver.`` in
front of the name it is a method. Types as in `variables`, and ``double`` and ``bytes``.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["METHODS", "functions"]

_HASHES = ("crc32", "crc64", "md5", "sha1", "sha256", "sha512", "xxhash64")

_Function = tuple[str, str, tuple[str, ...]]

_OF_REQUEST: tuple[_Function, ...] = (
    *((name, "list(string)", ("string",)) for name in ("getReqHeader", "getQueryParam")),
    ("getReqCookie", "list(dyn)", ("string",)),
    *((name, "bool", ("string",)) for name in ("hasReqHeader", "hasQueryParam", "hasReqCookie")),
)

_OF_RESPONSE: tuple[_Function, ...] = (
    ("getResHeader", "list(string)", ("string",)),
    ("getResCookie", "list(dyn)", ("string",)),
    *((name, "bool", ("string",)) for name in ("hasResHeader", "hasResCookie")),
)

_EVERYWHERE: tuple[_Function, ...] = (
    ("inCidrRange", "bool", ("string", "string")),
    ("inCidrRanges", "bool", ("string", "list(string)")),
    ("rand.int", "int", ("int", "int")),
    ("rand.double", "double", ()),
    ("json.decode", "dyn", ("string",)),
    ("json.encode", "string", ("dyn",)),
    ("base64.encode", "string", ("dyn",)),
    ("base64.decode", "string", ("string",)),
    ("basic_auth.encode", "string", ("string", "string")),
    ("queryString.encode", "string", ("map(dyn)",)),
    ("queryString.decode", "map(list(string))", ("string",)),
    ("url.escape", "string", ("string",)),
    ("url.unescape", "string", ("string",)),
    ("url.parse", "map(dyn)", ("string",)),
    *((f"hash.{name}", "string", ("string",)) for name in _HASHES),
    ("secrets.get", "string", ("string", "string")),
    ("lists.range", "list(int)", ("int",)),
    ("strings.quote", "string", ("string",)),
)


def functions(phase: str) -> Iterator[_Function]:
    """Name, result and parameters of each function of a phase: those that read a request or response need one."""
    yield from _EVERYWHERE
    if phase in ("on_http_request", "on_http_response"):
        yield from _OF_REQUEST
    if phase == "on_http_response":
        yield from _OF_RESPONSE


_TEXT = "string"

METHODS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("charAt", _TEXT, _TEXT, ("int",)),
    ("indexOf", _TEXT, "int", ("string",)),
    ("indexOf", _TEXT, "int", ("string", "int")),
    ("lastIndexOf", _TEXT, "int", ("string",)),
    ("lastIndexOf", _TEXT, "int", ("string", "int")),
    ("format", _TEXT, _TEXT, ("list(dyn)",)),
    ("split", _TEXT, "list(string)", ("string",)),
    ("split", _TEXT, "list(string)", ("string", "int")),
    ("replace", _TEXT, _TEXT, ("string", "string")),
    ("replace", _TEXT, _TEXT, ("string", "string", "int")),
    ("substring", _TEXT, _TEXT, ("int",)),
    ("substring", _TEXT, _TEXT, ("int", "int")),
    *(
        (name, _TEXT, _TEXT, ())
        for name in (
            *("trim", "reverse", "lower", "upper", "lowerAscii", "upperAscii", "decodeBase64", "encodeBase64"),
            *("escapeUrl", "unescapeUrl", *_HASHES),
        )
    ),
    *((name, _TEXT, "bool", ()) for name in ("isJson", "isQueryString", "isURL", "isPrivateIp")),
    ("decodeJson", _TEXT, "dyn", ()),
    ("decodeQueryString", _TEXT, "map(list(string))", ()),
    ("parseUrl", _TEXT, "map(dyn)", ()),
    ("join", "list(dyn)", _TEXT, ()),
    ("join", "list(dyn)", _TEXT, ("string",)),
    ("slice", "list(dyn)", "list(dyn)", ("int", "int")),
    *((name, "list(dyn)", "list(dyn)", ()) for name in ("flatten", "sort", "distinct", "reverse")),
    ("encodeJson", "list(dyn)", _TEXT, ()),
    ("encodeJson", "map(dyn)", _TEXT, ()),
    ("encodeQueryString", "map(dyn)", _TEXT, ()),
)
"""Name, receiver, result, parameters."""
