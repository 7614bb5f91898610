"""The functions and methods of ngrok's expressions, beyond CEL's own (``size``, ``matches``, ``startsWith`` …).

Source: ngrok's documentation (facts: ngrok §3). ``string.trim() -> string`` is a method, ``hash.md5(string) -> string``
a function; ``~T`` stands for any type, the same in one signature. Types are written as in `variables`.
"""

from __future__ import annotations

__all__ = ["MACROS", "REQUEST_FUNCTIONS", "RESPONSE_FUNCTIONS", "SIGNATURES", "STANDARD", "name_of"]

_HASHES = ("crc32", "crc64", "md5", "sha1", "sha256", "sha512", "xxhash64")

SIGNATURES: tuple[str, ...] = (
    "inCidrRange(string,string) -> bool",
    "inCidrRanges(string,list<string>) -> bool",
    "rand.int() -> int",
    "rand.int(int,int) -> int",
    "rand.double() -> double",
    "json.decode(string) -> dyn",
    "json.encode(dyn) -> string",
    "base64.encode(bytes) -> string",
    "base64.encode(string) -> string",
    "base64.decode(string) -> bytes",
    "basic_auth.encode(string,string) -> string",
    "queryString.encode(map<string,dyn>) -> string",
    "queryString.decode(string) -> map<string,dyn>",
    "url.escape(string) -> string",
    "url.unescape(string) -> string",
    "url.parse(string) -> map<string,dyn>",
    "secrets.get(string,string) -> string",
    "lists.range(int) -> list<int>",
    "strings.quote(string) -> string",
    *(f"hash.{name}({parameters}) -> string" for name in _HASHES for parameters in ("string", "string,string")),
    # methods of strings
    "string.charAt(int) -> string",
    *(
        f"string.{name}({parameters}) -> int"
        for name in ("indexOf", "lastIndexOf")
        for parameters in ("string", "string,int")
    ),
    "string.format(list<dyn>) -> string",
    *(f"string.split({parameters}) -> list<string>" for parameters in ("", "string", "string,int")),
    *(f"string.replace({parameters}) -> string" for parameters in ("string,string", "string,string,int")),
    *(f"string.substring({parameters}) -> string" for parameters in ("int", "int,int")),
    *(f"string.{name}() -> string" for name in ("trim", "reverse", "lower", "upper", "lowerAscii", "upperAscii")),
    *(f"string.{name}() -> string" for name in ("decodeBase64", "encodeBase64", "escapeUrl", "unescapeUrl")),
    *(f"string.{name}() -> bool" for name in ("isJson", "isQueryString", "isURL", "isPrivateIp")),
    *(f"string.{name}({parameters}) -> string" for name in _HASHES for parameters in ("", "string")),
    "string.decodeJson() -> dyn",
    "string.decodeQueryString() -> map<string,dyn>",
    "string.parseUrl() -> map<string,dyn>",
    # methods of lists and maps
    "list<string>.join() -> string",
    "list<string>.join(string) -> string",
    "list<~T>.slice(int,int) -> list<~T>",
    "list<~T>.sort() -> list<~T>",
    "list<~T>.distinct() -> list<~T>",
    "list<dyn>.flatten() -> list<dyn>",
    "list<dyn>.flatten(int) -> list<dyn>",
    "list<dyn>.encodeJson() -> string",
    "map<dyn,dyn>.encodeJson() -> string",
    "map<string,dyn>.encodeQueryString() -> string",
)
"""Those of every phase."""

REQUEST_FUNCTIONS: tuple[str, ...] = (
    *(f"{name}(string) -> list<string>" for name in ("getReqHeader", "getQueryParam")),
    *(f"{name}(string) -> bool" for name in ("hasReqHeader", "hasQueryParam", "hasReqCookie")),
    "getReqCookie(string) -> ngrok.Cookie",
)
"""Those that need a request."""

RESPONSE_FUNCTIONS: tuple[str, ...] = (
    "getResHeader(string) -> list<string>",
    "getResCookie(string) -> ngrok.Cookie",
    *(f"{name}(string) -> bool" for name in ("hasResHeader", "hasResCookie")),
)
"""Those that need a response."""

MACROS: tuple[str, ...] = ("has", "all", "exists", "exists_one", "filter", "map", "sortBy")
"""What CEL, and for ``sortBy`` ngrok, expands before types are checked."""

STANDARD: tuple[str, ...] = (
    *("size", "startsWith", "endsWith", "contains", "matches"),
    *("bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"),
    *("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours"),
    *("getMilliseconds", "getMinutes", "getMonth", "getSeconds"),
)
"""CEL's own, by name."""


def name_of(signature: str) -> str:
    """The name in a signature: ``trim`` of ``string.trim() -> string``, ``hash.md5`` of ``hash.md5(string) -> …``."""
    head = signature.partition("(")[0]
    receiver, dot, name = head.rpartition(".")
    return name if dot and receiver.partition("<")[0] in ("string", "list", "map") else head
