"""Writes anew which constraints the Gateway API's definitions state, for the tests that break each of them.

They are read from the Go module ``sigs.k8s.io/gateway-api``, which the Go tools download and verify:
``python tools/gateway_constraints.py``. Run it after changing ``versions.GATEWAY_API`` and read the difference.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from apiops_components.versions import GATEWAY_API

_MODULE = "sigs.k8s.io/gateway-api"
_TARGET = Path(__file__).parents[1] / "tests/unit/expected/gateway_constraints.json"
_KEPT = (
    *("type", "format", "enum", "required", "pattern", "minimum", "maximum", "minItems", "maxItems", "default"),
    *("minLength", "maxLength", "minProperties", "maxProperties", "oneOf", "x-kubernetes-list-map-keys"),
)


def main() -> None:
    """Downloads, reduces, writes."""
    found = subprocess.run(
        ["go", "mod", "download", "-json", f"{_MODULE}@v{GATEWAY_API}"], check=True, capture_output=True, text=True
    )
    folder = Path(json.loads(found.stdout)["Dir"], "config/crd/standard")
    kinds = dict(sorted(kind for file in sorted(folder.glob("*.yaml")) for kind in _kinds(file)))
    lines = [f"{json.dumps(kind)}: {_text(content)}" for kind, content in kinds.items()]
    _TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    print(f"{_TARGET.name}: {len(kinds)} kinds, {_TARGET.stat().st_size} bytes")


def _text(content: Mapping[str, Any]) -> str:
    places = ",\n".join(f"  {json.dumps(path)}: {json.dumps(stated)}" for path, stated in content["places"].items())
    return f'{{"versions": {json.dumps(content["versions"])}, "places": {{\n{places}}}}}'


def _kinds(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for definition in yaml.safe_load_all(file.read_text("utf-8")):
        if definition["kind"] != "CustomResourceDefinition":
            continue
        served = [version for version in definition["spec"]["versions"] if version["served"]]
        places = [dict(_places(_spec(version), "spec")) for version in served]
        kind = definition["spec"]["names"]["kind"]
        if any(one != places[0] for one in places):
            raise SystemExit(f"the versions of {kind} differ: write them apart")
        yield kind, {"versions": [version["name"] for version in served], "places": places[0]}


def _spec(version: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def _places(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each field, and what it must be: ``spec.rules[].name``, ``spec.options{}``."""
    stated = {key: schema[key] for key in _KEPT if key in schema}
    if schema.get("x-kubernetes-list-type") == "set":
        stated["set"] = True
    rules = schema.get("x-kubernetes-validations", ())
    if told := [rule["message"] for rule in rules if "oldSelf" not in rule["rule"]]:
        stated["rules"] = told
    if told := [rule["message"] for rule in rules if "oldSelf" in rule["rule"]]:
        stated["rules on change"] = told
    yield path, stated
    for name, part in schema.get("properties", {}).items():
        yield from _places(part, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(key), dict):
            yield from _places(schema[key], f"{path}{mark}")


if __name__ == "__main__":
    main()
