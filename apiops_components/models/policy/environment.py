"""What Google's CEL is told of ngrok: variables, records and functions, one environment a phase."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from apiops_components.models.policy.functions import (
    REQUEST_FUNCTIONS,
    RESPONSE_FUNCTIONS,
    SIGNATURES,
    name_of,
)
from apiops_components.models.policy.variables import RECORDS, variables

__all__ = ["ANY", "HAS", "KEY", "SLOTS", "environment", "fields_of", "signatures"]

SLOTS: Mapping[str, str] = {
    kind: f"_v{number:02}"
    for number, kind in enumerate(
        (
            *("string", "int", "double", "bool", "timestamp", "duration", "bytes"),
            *("list<string>", "list<int>", "list<dyn>", "map<string, dyn>", "map<string, string>"),
        )
    )
}
"""Stand-ins for ``vars``, as long as it, by the type of the variable that is read: one environment serves all rules."""

HAS = "_hs"
"""Stands in for ``has``, as long as it, where its argument is a declared variable: the macro cannot take one."""

KEY = "_k"
"""Goes round the key of ``sortBy``, which is checked as a ``filter``."""

ANY = "_any"
"""Stands in for the result of an action that is not known."""

_COMPARABLE = ("bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint")


def signatures(phase: str) -> Iterator[str]:
    """The functions of a phase."""
    yield from SIGNATURES
    if phase != "on_tcp_connect":
        yield from REQUEST_FUNCTIONS
    if phase in ("on_http_response", "on_event_stream_message"):
        yield from RESPONSE_FUNCTIONS


@cache
def environment(phase: str) -> Any:
    """CEL's environment of a phase; 40 ms the first time."""
    # Imported here: most commands never meet an expression, and the library takes 30 ms to load.
    from cel_expr_python import cel  # noqa: PLC0415

    stand_ins = [f"{HAS}(dyn) -> bool", *(f"{KEY}({kind}) -> bool" for kind in _COMPARABLE)]
    declared: dict[str, list[Any]] = {}
    generic = ["functions:"]
    for number, signature in enumerate((*signatures(phase), *stand_ins)):
        call, _, result = signature.partition(" -> ")
        name = name_of(signature)
        if "~" in signature:  # only the configuration's text makes ~T a parameter
            generic += [f"- name: {name}", "  overloads:"]
            generic.append(f'  - {{id: "ngrok_{number}", signature: "{call}", return: "{result}"}}')
            continue
        receiver = call.partition("(")[0].removesuffix(name).rstrip(".")
        parameters = [cel.Type(kind) for kind in (receiver, *_parameters(call)) if kind]
        overload = cel.Overload(f"ngrok_{number}", cel.Type(result), parameters, is_member=bool(receiver))
        declared.setdefault(name, []).append(overload)
    return cel.NewEnv(
        _pool(),
        config=cel.NewEnvConfigFromYaml("\n".join(generic)),
        functions=[cel.FunctionDecl(name, found) for name, found in declared.items()],
        variables={
            **{name: cel.Type(kind) for name, kind in variables(phase)},
            ANY: cel.Type.DYN,
            **{slot: cel.Type(f"map<string,{kind}>") for kind, slot in SLOTS.items()},
        },
    )


def _parameters(call: str) -> Sequence[str]:
    return re.split(r",(?![^<]*>)", call.partition("(")[2].rstrip(")"))


def fields_of(record: str) -> Sequence[str]:
    """The fields of a record, by its full name; none where there is no such record."""
    return [field.name for field in _messages().get(record.removeprefix("ngrok."), ())]


_WELL_KNOWN = {
    "timestamp": ".google.protobuf.Timestamp",
    "duration": ".google.protobuf.Duration",
    "map": ".google.protobuf.Struct",
    "dyn": ".google.protobuf.Value",
}


@cache
def _pool() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, struct_pb2, timestamp_pb2  # noqa: PLC0415

    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="ngrok.proto", package="ngrok", syntax="proto3")
    for module in (timestamp_pb2, duration_pb2, struct_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        file.dependency.append(module.DESCRIPTOR.name)
    for name, fields in _messages().items():
        file.message_type.add(name=name, field=fields)
    pool.AddSerializedFile(file.SerializeToString())
    return pool


@cache
def _messages() -> Mapping[str, Sequence[Any]]:
    """The fields of each record, those inside other records under a name of their own: ``ActionsNgrokOauth``."""
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field  # noqa: PLC0415

    simple = {
        "string": Field.TYPE_STRING,
        "int": Field.TYPE_INT64,
        "bool": Field.TYPE_BOOL,
        "bytes": Field.TYPE_BYTES,
    }
    found: dict[str, Sequence[Any]] = {}

    def field(owner: str, number: int, name: str, kind: Any) -> Any:
        made = Field(name=name, number=number, label=Field.LABEL_OPTIONAL)
        if isinstance(kind, list):
            made.label = Field.LABEL_REPEATED
            kind = kind[0]
        if isinstance(kind, Mapping):
            inner = owner + "".join(part.title() for part in name.split("_"))
            record(inner, kind)
            kind = inner
        if kind in simple:
            made.type = simple[kind]
        else:
            made.type, made.type_name = Field.TYPE_MESSAGE, _WELL_KNOWN.get(kind, f".ngrok.{kind}")
        return made

    def record(owner: str, fields: Mapping[str, Any]) -> None:
        found[owner] = [field(owner, number, *item) for number, item in enumerate(fields.items(), start=1)]

    for name, fields in RECORDS.items():
        record(name, fields)
    return found
