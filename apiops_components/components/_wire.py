"""Property values on the wire between a Pulumi program and its engine, and as plain Python."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2
from pulumi.runtime.rpc import UNKNOWN as UNKNOWN_TEXT

from apiops_components.delivery.recording import SECRET, UNKNOWN, Marker

# Keys and signatures of Pulumi's protocol: the same in every SDK, and part of no public module of this one.
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_IS_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  (a signature, not a password)
_IS_RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
_IS_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


def fields_of(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The properties of a struct, by name: secrets are `SECRET` and unknown values `UNKNOWN`, at any depth."""
    # Sorted, as the order in a protobuf map changes from run to run.
    return {key: value_of(value) for key, value in sorted(struct.fields.items())}


def value_of(value: struct_pb2.Value) -> Any:
    """One property value; a number without fraction is an int, as in the program it came from."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value == UNKNOWN_TEXT else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [value_of(item) for item in value.list_value.values]
    if kind == "struct_value":
        return _struct_value(value.struct_value)
    return None


def _struct_value(struct: struct_pb2.Struct) -> Any:
    fields = struct.fields
    if _SIGNATURE not in fields:
        return fields_of(struct)
    signature = fields[_SIGNATURE].string_value
    if signature == _IS_SECRET:
        return SECRET
    if signature == _IS_RESOURCE:
        return fields["urn"].string_value
    if signature == _IS_OUTPUT:
        if "secret" in fields and fields["secret"].bool_value:
            return SECRET
        return value_of(fields["value"]) if "value" in fields else UNKNOWN
    # An asset or archive: its path, text or address, without the signature.
    return {key: value_of(value) for key, value in sorted(fields.items()) if key != _SIGNATURE}


def struct_of(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """The opposite of `fields_of`; a marker becomes an unknown value, secret or not."""
    return struct_pb2.Struct(fields={key: wire_of(value) for key, value in values.items()})


def wire_of(value: Any) -> struct_pb2.Value:
    """One plain value on the wire."""
    if isinstance(value, Marker):
        unknown = struct_pb2.Value(string_value=UNKNOWN_TEXT)
        return secret(unknown) if value is SECRET else unknown
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=struct_of(value))
    if isinstance(value, list | tuple):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[wire_of(item) for item in value]))
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    return struct_pb2.Value(string_value=str(value))


def secret(value: struct_pb2.Value) -> struct_pb2.Value:
    """The value in the wrapper of a secret; one that is wrapped already stays as it is."""
    fields = value.struct_value.fields
    if _SIGNATURE in fields and fields[_SIGNATURE].string_value == _IS_SECRET:
        return value
    wrapper = {_SIGNATURE: struct_pb2.Value(string_value=_IS_SECRET), "value": value}
    return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=wrapper))


def resource_reference(urn: str) -> struct_pb2.Value:
    """A reference to the resource with this URN."""
    fields = {_SIGNATURE: struct_pb2.Value(string_value=_IS_RESOURCE), "urn": struct_pb2.Value(string_value=urn)}
    return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=fields))


def holds(value: Any, marker: Marker) -> bool:
    """Whether the marker is somewhere in a plain value."""
    if isinstance(value, Mapping):
        return any(holds(item, marker) for item in value.values())
    if isinstance(value, list | tuple):
        return any(holds(item, marker) for item in value)
    return value is marker
