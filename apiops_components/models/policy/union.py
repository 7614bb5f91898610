"""An action in a document, ``{type, config}``: read into its class, and written."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from apiops_components.models.base import details, fault, raise_faults
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.actions import ACTIONS

__all__ = ["AnyAction", "document", "parse"]

# What people write, from ngrok's own documentation and older products, and what it is called.
_MEANT = {
    "oidc": "openid-connect",
    "webhook-validation": "verify-webhook",
    "ip-restriction": "restrict-ips",
    "ip-restrictions": "restrict-ips",
    "restrict-ip": "restrict-ips",
    "circuit_breaker": "circuit-breaker",
}


def parse(value: Any) -> Action:  # noqa: C901  (one branch a thing that can be wrong)
    """An action as it is, or one read from ``{type, config}``.

    Raises:
        ValidationError: It is no action; all problems, their paths relative to the action.
    """
    if isinstance(value, Action):
        return value
    if not isinstance(value, Mapping):
        raise_faults([fault("policy/action", f"an action is a mapping with type and config, got {value!r}")])
    found = [
        fault("schema/unknown-field", "unknown field", "an action has type and config only", [key])
        for key in value
        if key not in ("type", "config")
    ]
    kind, config = value.get("type"), value.get("config")
    cls = ACTIONS.get(kind) if isinstance(kind, str) else None
    if "type" not in value:
        found.append(fault("schema/required", "required, but missing", "", ["type"]))
    elif cls is None:
        found.append(
            fault("policy/action-type", f"unknown action type {kind!r} (ERR_NGROK_2201)", _hint(kind), ["type"])
        )
    if config is None:
        config = {}
    if not isinstance(config, Mapping):
        found.append(fault("policy/config", f"config is a mapping, got {config!r} (ERR_NGROK_2203)", "", ["config"]))
    elif cls is not None:
        found += [
            fault("schema/required", "required, but missing (ERR_NGROK_2234)", "", ["config", name])
            for name in sorted(cls.vendor_required - config.keys())
        ]
        try:
            made = cls.model_validate(dict(config))
        except ValidationError as error:
            for item in error.errors(include_url=False):
                detail = details(item)
                detail["loc"] = ("config", *item["loc"])
                found.append(detail)
        else:
            if not found:
                return made
    raise_faults(found)
    raise AssertionError  # a cls without a fault was returned above


def _hint(kind: Any) -> str:
    if kind in _MEANT:
        return f"it is called {_MEANT[kind]}"
    near = difflib.get_close_matches(str(kind), ACTIONS, 1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(ACTIONS))}"


class _AnyAction:
    """Makes a field take `Action` objects and ``{type, config}`` mappings."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            parse, serialization=core_schema.plain_serializer_function_ser_schema(document)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        def branch(kind: str, made: type[Action]) -> dict[str, Any]:
            config = made.model_json_schema(ref_template=f"#/$defs/{kind}/$defs/{{model}}")
            return {
                "type": "object",
                "title": made.__name__,
                "properties": {"type": {"const": kind}, "config": config},
                "required": ["type", "config"] if config.get("required") or made.vendor_required else ["type"],
                "additionalProperties": False,
            }

        return {"oneOf": [_flat(branch(kind, made)) for kind, made in sorted(ACTIONS.items())]}


def _flat(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with the definitions that it refers to put in their place."""
    definitions = schema["properties"]["config"].pop("$defs", {})

    def resolve(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return resolve(definitions[value["$ref"].rsplit("/", 1)[1]])
            return {key: resolve(item) for key, item in value.items()}
        return [resolve(item) for item in value] if isinstance(value, list) else value

    resolved: dict[str, Any] = resolve(schema)
    return resolved


def document(step: Action) -> dict[str, Any]:
    """The action as ngrok reads it: ``{type, config}``."""
    config = step.settings()
    return {"type": step.type, "config": config} if config else {"type": step.type}


AnyAction = Annotated[Action, _AnyAction]
"""An `Action`, or the ``{type, config}`` of a document."""
