"""Writes the schemas of Kubernetes' own kinds anew, as `apiops_components.validation` reads them.

They are reduced from the OpenAPI documents in the Go module ``k8s.io/kubernetes``, which the Go tools download and
verify: ``python tools/kubernetes_schema.py``. Run it after changing ``versions.KUBERNETES`` and read the difference.
"""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apiops_components.versions import KUBERNETES

_MODULE = "k8s.io/kubernetes"
_TARGET = Path(__file__).parents[1] / "apiops_components/validation/kubernetes/schema.json.gz"
_REFERENCE = "#/components/schemas/"
_KEPT = ("type", "enum", "required", "pattern", "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength")
_BOUNDS = {"int32": 2**31, "int64": 2**63}


def main() -> None:
    """Downloads, reduces, writes."""
    found = subprocess.run(
        ["go", "mod", "download", "-json", f"{_MODULE}@v{KUBERNETES}"], check=True, capture_output=True, text=True
    )
    module = json.loads(found.stdout)
    definitions: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    for file in sorted(Path(module["Dir"], "api/openapi-spec/v3").glob("*_openapi.json")):
        schemas = json.loads(file.read_text("utf-8")).get("components", {}).get("schemas", {})
        for name, schema in schemas.items():
            definitions[name] = _reduced(name, schema)
            for kind in _kinds(schema):
                kinds[kind] = name
    reached = _reachable(kinds.values(), definitions)
    content = {
        "version": module["Version"].removeprefix("v"),
        "kinds": dict(sorted(kinds.items())),
        "definitions": {name: definitions[name] for name in sorted(reached)},
    }
    text = json.dumps(content, separators=(",", ":"), sort_keys=True)
    _TARGET.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{_TARGET.name}: Kubernetes {content['version']}, {len(kinds)} kinds, {_TARGET.stat().st_size} bytes")


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    """What a schema is of: ``group/version/kind``; nothing for parts, lists and what is only asked for."""
    named = schema.get("x-kubernetes-group-version-kind", [])
    if len(named) != 1 or "ObjectMeta" not in json.dumps(schema.get("properties", {}).get("metadata", {})):
        return []
    return [f"{item['group']}/{item['version']}/{item['kind']}" for item in named]


def _reduced(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema in JSON Schema's words, without documentation and defaults, strict about unknown fields."""
    if name.endswith(".resource.Quantity"):
        return {"type": ["string", "number"], "format": "quantity"}
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    if len(schema.get("allOf", ())) == 1:  # a reference with documentation beside it
        return _reduced("", schema["allOf"][0])
    if "$ref" in schema:
        return {"$ref": "#/$defs/" + schema["$ref"].removeprefix(_REFERENCE)}
    kept: dict[str, Any] = {key: schema[key] for key in _KEPT if key in schema}
    if "format" in schema and schema["format"] in ("byte", "date-time"):
        kept["format"] = schema["format"]
    if limit := _BOUNDS.get(schema.get("format", "")):
        kept |= {"minimum": -limit, "maximum": limit - 1} | kept
    if "properties" in schema:
        kept["properties"] = {key: _reduced("", value) for key, value in schema["properties"].items()}
        kept["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            kept[key] = _reduced("", schema[key])
    return kept


def _reachable(names: Any, definitions: Mapping[str, Any]) -> set[str]:
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += references(definitions[name])
    return reached


def references(schema: Any) -> list[str]:
    """The definitions that a schema refers to."""
    if isinstance(schema, dict):
        own = [schema["$ref"].removeprefix("#/$defs/")] if isinstance(schema.get("$ref"), str) else []
        return own + [name for value in schema.values() for name in references(value)]
    return [name for value in schema for name in references(value)] if isinstance(schema, list) else []


if __name__ == "__main__":
    main()
