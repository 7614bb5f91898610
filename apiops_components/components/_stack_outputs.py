"""Outputs of a stack, some unknown, as the value of a `pulumi.StackReference`.

The SDK holds a stack's outputs in one Output of a mapping, and takes the whole for unknown as soon as one value in it
is. On the wire a mapping is always a dict, which the SDK looks through; but a reference to a resource becomes
whatever object its registered module constructs. So the outputs travel as such a reference and arrive as a mapping
that the SDK does not look through, and whose unknown values are Outputs of their own.
"""

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
from google.protobuf import struct_pb2
from pulumi.runtime import ResourceModule, register_resource_module

from apiops_components.components._wire import holds, resource_reference, wire_of
from apiops_components.delivery.recording import SECRET, UNKNOWN

_PACKAGE, _MODULE = "apiops", "stackoutputs"


class StackOutputs(Mapping[str, Any]):
    """Outputs by name; an unknown one is an unknown Output, which ``apply`` and ``get_output`` take as their own."""

    def __init__(self, known: Mapping[str, Any], unknown: Mapping[str, bool]) -> None:
        self._known = known
        self._unknown = unknown

    def __getitem__(self, name: str) -> Any:
        return unknown_output(is_secret=self._unknown[name]) if name in self._unknown else self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._known, *self._unknown}))

    def __len__(self) -> int:
        return len(self._known) + len(self._unknown)


def unknown_output(*, is_secret: bool) -> pulumi.Output[Any]:
    """An Output whose value is not known; call it where an event loop runs."""
    loop = asyncio.get_running_loop()
    value, known, secret = loop.create_future(), loop.create_future(), loop.create_future()
    value.set_result(None)
    known.set_result(False)
    secret.set_result(is_secret)
    return pulumi.Output(set(), value, known, secret)


def secret_names(outputs: Mapping[str, Any]) -> list[str]:
    """The names of the outputs that hold a secret."""
    return sorted(name for name, value in outputs.items() if holds(value, SECRET))


def wire_of_outputs(outputs: Mapping[str, Any]) -> struct_pb2.Value:
    """The outputs as a `pulumi.StackReference` receives them."""
    secrets = secret_names(outputs)
    unknown = {name: name in secrets for name, value in outputs.items() if name in secrets or holds(value, UNKNOWN)}
    if not unknown:
        return wire_of(outputs)
    known = {name: value for name, value in outputs.items() if name not in unknown}
    # The name carries the values themselves, so that no state is shared between runs.
    name = urlsafe_b64encode(json.dumps([known, unknown]).encode()).decode()
    return resource_reference(f"urn:pulumi:preview::preview::{_PACKAGE}:{_MODULE}:Outputs::{name}")


class _Module(ResourceModule):
    def version(self) -> None:
        return None

    def construct(self, name: str, typ: str, urn: str) -> Any:  # noqa: ARG002  (the SDK's signature)
        known, unknown = json.loads(urlsafe_b64decode(name))
        return StackOutputs(known, unknown)


register_resource_module(_PACKAGE, _MODULE, _Module())
