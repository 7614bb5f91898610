"""The resource monitor of the in-process run: answers the SDK's calls as an engine in preview, and records them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlparse

from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto import resource_pb2

from apiops_components.components._stack_outputs import secret_names, wire_of_outputs
from apiops_components.components._wire import fields_of, secret, struct_of, wire_of
from apiops_components.delivery.recording import UNKNOWN, Diagnostic, Invocation, RecordedResource, Recording
from apiops_components.errors import InvalidInput, Problem

STACK = "pulumi:pulumi:Stack"
STACK_REFERENCE = "pulumi:pulumi:StackReference"


class Registrations(MockMonitor):
    """Records every registration.

    It stands on the SDK's mock monitor for the calls that need no answer of ours (hooks, packages, features), so that
    it fits whatever release of the SDK is installed.
    """

    def __init__(self, given: Any) -> None:
        super().__init__(mocks=None)  # type: ignore[arg-type]  # every call that would ask them is answered here
        self._given = given
        self._stack_urn = f"urn:pulumi:{given.stack}::{given.project}::{STACK}::{given.project}-{given.stack}"
        self._recorded: dict[str, RecordedResource] = {}
        self._outputs: dict[str, dict[str, Any]] = {}
        self._states: dict[str, tuple[str, struct_pb2.Struct]] = {}
        self._invocations: list[Invocation] = []
        self._warnings: list[Diagnostic] = []
        self._problems: list[Problem] = []
        disabled = given.config.get("pulumi:disable-default-providers", ())
        self._no_default_provider = frozenset(disabled if isinstance(disabled, list | tuple) else ())

    def recording(self, messages: tuple[Diagnostic, ...]) -> Recording:
        """What was registered so far."""
        return Recording(
            project=self._given.project,
            stack=self._given.stack,
            stack_urn=self._stack_urn,
            resources=tuple(self._with_outputs(resource) for resource in self._recorded.values()),
            outputs=self._outputs.get(self._stack_urn, {}),
            invocations=tuple(self._invocations),
            diagnostics=(*messages, *self._warnings),
        )

    def refused(self) -> InvalidInput | None:
        """What the engine would have refused, all of it."""
        return InvalidInput(self._problems) if self._problems else None

    # What the SDK calls, by gRPC's names.

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        """Records a resource and answers with its inputs; all else that a provider would add is unknown."""
        urn = self._claim(request)
        if request.type == STACK:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        resource = self._inherited(_resource(request, urn))
        self._recorded[urn] = resource
        self._check_provider(resource)
        if resource.remote:
            self._warn(f"the children of {resource.type} are registered by a plugin and are not shown", urn)
        if request.transforms:
            self._warn("its transforms are not run here: what they change is not shown", urn)
        identifier, state = self._state(resource, request.object, request.additionalSecretOutputs)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identifier, object=state)

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        """Records a resource that exists already; only a stack of this project can be answered."""
        urn = self._claim(request)
        resource = _resource(request, urn)
        self._recorded[urn] = resource
        if request.type == STACK_REFERENCE:
            state = self._referenced(request.id, urn)
        else:
            self._check_provider(resource)
            _, state = self._state(resource, request.properties, request.additionalSecretOutputs)
        self._states[urn] = (request.id, state)
        answer = resource_pb2.ReadResourceResponse(urn=urn, properties=state)
        if "id" in answer.DESCRIPTOR.fields_by_name:  # older releases take it from the request
            answer.id = request.id
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        """Records the outputs of a component or of the stack."""
        self._outputs[request.urn] = fields_of(request.outputs)
        return empty_pb2.Empty()

    def RegisterStackTransform(self, request: Any) -> Any:  # noqa: N802, ARG002
        """Says that what a transform of the whole stack changes is not shown."""
        self._warn("the stack's transforms are not run here: what they change is not shown", self._stack_urn)
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        """Answers a provider's function where an answer was given; there is no provider to ask."""
        arguments = fields_of(request.args)
        if request.tok == "pulumi:pulumi:getResource" and arguments.get("urn") in self._states:
            identifier, state = self._states[arguments["urn"]]
            found = struct_of({"urn": arguments["urn"], "id": identifier})
            found.fields["state"].struct_value.CopyFrom(state)
            return _invoked(found)
        self._invocations.append(Invocation(request.tok, arguments, request.provider))
        answer = self._given.invokes.get(request.tok)
        if answer is None:
            raise self._refuse(
                Problem(
                    f"the program calls the function {request.tok}, and there is no provider here to answer it",
                    code="program/invoke",
                    hint="take the value from the settings, or, in a test, give the answer: "
                    f"record(..., invokes={{{request.tok!r}: {{...}}}})",
                )
            )
        result = answer(arguments) if callable(answer) else answer
        return _invoked(struct_of(result))

    def Call(self, request: Any) -> Any:  # noqa: N802
        """Refuses a call of a component's method: it runs in a plugin."""
        raise self._refuse(
            Problem(
                f"the program calls the method {request.tok} of a component in a plugin, and there is none here",
                code="program/call",
            )
        )

    # What an engine does with a registration.

    def _claim(self, request: Any) -> str:
        urn = self.make_urn(request.parent, request.type, request.name)
        if urn in self._recorded:
            first, source = self._recorded[urn].source, _source(request)
            raise self._refuse(
                Problem(
                    f"two resources have the URN {urn}" + (f"; the first is made at {first}" if first else ""),
                    code="resource/duplicate",
                    hint="give one of them another name",
                    document=f"{request.type} {request.name}",
                ).at(file=source.rpartition(":")[0], line=int(source.rpartition(":")[2] or 0))
            )
        return urn

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The URN as the engine makes it: the types of all parents but the stack, then the own one."""
        types = parent.split("::")[2] if parent else ""
        qualified = f"{types}${type_}" if types and types != STACK else type_
        return f"urn:pulumi:{self._given.stack}::{self._given.project}::{qualified}::{name}"

    def _inherited(self, resource: RecordedResource) -> RecordedResource:
        """With the options that the engine, not the SDK, hands from parent to child."""
        parent = self._recorded.get(resource.parent)
        if parent is None:
            return resource
        return replace(
            resource,
            retain_on_delete=resource.retain_on_delete or parent.retain_on_delete,
            deleted_with=resource.deleted_with or parent.deleted_with,
        )

    def _check_provider(self, resource: RecordedResource) -> None:
        disabled = self._no_default_provider
        if not resource.custom or resource.provider or resource.package == "pulumi":
            return
        if "*" in disabled or resource.package in disabled:
            raise self._refuse(
                Problem(
                    f"the default provider for {resource.package!r} is disabled, and this resource has no other",
                    code="resource/default-provider",
                    hint="give the component `opts=ResourceOptions(providers=[...])`, or the resource `provider=`",
                    document=f"{resource.type} {resource.name}",
                )
            )

    def _state(
        self, resource: RecordedResource, properties: struct_pb2.Struct, secrets: Iterable[str]
    ) -> tuple[str, struct_pb2.Struct]:
        state = struct_pb2.Struct()
        state.CopyFrom(properties)
        identifier = resource.id
        if resource.custom:
            added = dict(self._given.outputs(resource) or {})
            if not self._given.preview:
                identifier = str(added.pop("id", identifier or f"{resource.name}-id"))
            elif "id" in added:
                identifier = str(added.pop("id"))
            for key, value in added.items():
                state.fields[key].CopyFrom(wire_of(value))
            for key in secrets:
                known = state.fields[key] if key in state.fields else wire_of(UNKNOWN if self._given.preview else None)
                state.fields[key].CopyFrom(secret(known))
        self._states[resource.urn] = (identifier, state)
        return identifier, state

    def _referenced(self, name: str, urn: str) -> struct_pb2.Struct:
        outputs = self._given.references(name)
        if outputs is None:
            self._warn(f"nothing is known of the stack {name!r}: all its outputs are unknown", urn)
            return struct_of({"name": name, "outputs": UNKNOWN, "secretOutputNames": UNKNOWN})
        state = struct_of({"name": name, "secretOutputNames": secret_names(outputs)})
        state.fields["outputs"].CopyFrom(wire_of_outputs(outputs))
        return state

    def _with_outputs(self, resource: RecordedResource) -> RecordedResource:
        outputs = self._outputs.get(resource.urn)
        return resource if outputs is None else replace(resource, outputs=outputs)

    def _warn(self, message: str, urn: str) -> None:
        self._warnings.append(Diagnostic("warning", message, urn))

    def _refuse(self, problem: Problem) -> InvalidInput:
        self._problems.append(problem)
        return InvalidInput(problem)


def _resource(request: Any, urn: str) -> RecordedResource:
    common: dict[str, Any] = {
        "type": request.type,
        "name": request.name,
        "urn": urn,
        "parent": request.parent,
        "dependencies": tuple(sorted(request.dependencies)),
        "provider": request.provider,
        "version": request.version,
        "additional_secret_outputs": tuple(request.additionalSecretOutputs),
        "source": _source(request),
    }
    if isinstance(request, resource_pb2.ReadResourceRequest):
        return RecordedResource(**common, read=True, id=request.id, inputs=fields_of(request.properties))
    timeouts = request.customTimeouts
    return RecordedResource(
        **common,
        custom=request.custom,
        remote=request.remote,
        id=request.importId,
        inputs=fields_of(request.object),
        property_dependencies={
            key: tuple(sorted(value.urns)) for key, value in sorted(request.propertyDependencies.items())
        },
        providers=dict(sorted(request.providers.items())),
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        deleted_with=request.deletedWith,
        aliases=(*request.aliasURNs, *map(_alias, request.aliases)),
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        timeouts={key: getattr(timeouts, key) for key in ("create", "update", "delete") if getattr(timeouts, key)},
    )


def _alias(alias: Any) -> str | Mapping[str, Any]:
    if alias.WhichOneof("alias") == "urn":
        return str(alias.urn)
    spec = alias.spec
    named = {"name": spec.name, "type": spec.type, "stack": spec.stack, "project": spec.project}
    parent = {"parent": spec.parentUrn, "no_parent": spec.noParent}
    return {key: value for key, value in {**named, **parent}.items() if value}


def _invoked(result: struct_pb2.Struct) -> Any:
    fields: dict[str, Any] = {"return": result}  # a word of Python, so it cannot be a keyword argument
    return resource_pb2.ResourceInvokeResponse(**fields)


def _source(request: Any) -> str:
    position = request.sourcePosition
    return f"{unquote(urlparse(position.uri).path)}:{position.line}" if position.uri else ""
