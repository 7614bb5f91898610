"""An action in a document, ``{type, config}``: read into its class, and written."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, core_schema

from apiops_components.errors import problems_of, shown
from apiops_components.models.base import details, fault, raise_faults
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.actions import ACTIONS

__all__ = ["AnyAction", "action_hint", "document", "parse"]

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
        raise_faults([fault("policy/action", f"an action is a mapping with type and config, got {shown(value)}")])
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
            fault("policy/action-type", f"unknown action type {kind!r} (ERR_NGROK_2201)", action_hint(kind), ["type"])
        )
    if config is None:
        config = {}
    if not isinstance(config, Mapping):
        found.append(
            fault("policy/config", f"config is a mapping, got {shown(config)} (ERR_NGROK_2203)", "", ["config"])
        )
    elif cls is not None:
        found += [
            fault("schema/required", "required, but missing (ERR_NGROK_2234)", "", ["config", name])
            for name in sorted(cls.vendor_required - config.keys())
        ]
        try:
            made = cls.model_validate(dict(config), by_alias=True, by_name=False)
        except ValidationError as error:
            found += (told for item in error.errors(include_url=False) if (told := _told(item, config)))
        else:
            if not found:
                if value.get("config") == {}:
                    made.model_fields_set.add("config")  # written though empty: to be written again
                return made
    raise_faults(found)
    raise AssertionError  # a cls without a fault was returned above


# ngrok's code for what is wrong with a field, by pydantic's.
_VENDOR = {
    **dict.fromkeys(("missing",), 2234),
    **dict.fromkeys(("extra_forbidden", "schema/unknown-field", "schema/integer", "schema/number"), 2203),
    **dict.fromkeys(("greater_than_equal", "less_than_equal"), 2215),
    "literal_error": 2222,
    "string_too_short": 2223,
    "string_too_long": 2221,
    "too_short": 2237,
    "too_long": 2218,
}
_VENDOR_HEADERS = 2212
_VENDOR_QUERY = 2244
_VENDOR_COMPRESSION = 2214


def _told(item: Any, config: Mapping[str, Any]) -> InitErrorDetails | None:
    """An error of a field, complete, with ngrok's code; None where another error says the same."""
    loc = ("config", *item["loc"])
    single = ValidationError.from_exception_data("action", [details(item)])
    for problem in problems_of(single, dict(config)):
        code = _VENDOR.get(item["type"], 2203 if item["type"].endswith("_type") else None)
        if item["type"] == "too_long":
            code = {"headers": _VENDOR_HEADERS, "query_params": _VENDOR_QUERY}.get(str(loc[-1]), code)
        if item["type"] == "literal_error" and loc[1] == "algorithms":
            code = _VENDOR_COMPRESSION
        vendor = f" (ERR_NGROK_{code})" if code and "ERR_NGROK" not in problem.message else ""
        return fault(problem.code, f"{problem.message}{vendor}", problem.hint, loc)
    return None


def action_hint(kind: Any) -> str:
    """The action that is meant by a name that is none."""
    if isinstance(kind, str) and kind in _MEANT:
        return f"it is called {_MEANT[kind]}"
    near = difflib.get_close_matches(str(kind).lower(), ACTIONS, 1)
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
        # Imported here: it reads source code, which only a schema needs.
        from apiops_components.models.docs import documented_schema  # noqa: PLC0415

        def branch(kind: str, made: type[Action]) -> dict[str, Any]:
            config = documented_schema(made, f"#/$defs/{kind}/$defs/{{model}}")
            return {
                "type": "object",
                "title": made.__name__,
                "properties": {"type": {"const": kind, "description": "Which action."}, "config": config},
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
                beside = {key: item for key, item in value.items() if key != "$ref"}
                return {**resolve(definitions[value["$ref"].rsplit("/", 1)[1]]), **beside}
            return {key: resolve(item) for key, item in value.items()}
        return [resolve(item) for item in value] if isinstance(value, list) else value

    resolved: dict[str, Any] = resolve(schema)
    return resolved


def document(step: Action) -> dict[str, Any]:
    """The action as ngrok reads it: ``{type, config}``."""
    config = step.settings()
    written = config or "config" in step.model_fields_set
    return {"type": step.type, "config": config} if written else {"type": step.type}


AnyAction = Annotated[Action, _AnyAction]
"""An `Action`, or the ``{type, config}`` of a document."""
