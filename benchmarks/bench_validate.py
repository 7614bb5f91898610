"""How many documents a second are checked, on one core and on two, beside kubeconform.

Budgets (design): at least kubeconform's number on the same two cores, with the rules in CEL that it does not run; at
least 2,000 on one. kubeconform is a peer where it is on PATH or in ``BENCH_TOOLS`` and the Gateway API's definitions
are in the cache of Go modules; it gets them as JSON Schema, closed against unknown fields as our models are.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peers import GATEWAY_API, left_out, measured, tool
from workload import pair

from apiops_components.documents import dump_all, load_all

COUNT = 5_000
ROUNDS = 3
ROUTES, PAIRS = "routes", "routes and policies"


def closed(schema: Any) -> Any:
    """A definition's schema, refusing unknown fields, for a validator of JSON Schema."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items() if not key.startswith("x-")}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def definitions(folder: Path) -> str | None:
    """Writes the Gateway API's kinds as JSON Schema; why not, where they are not there."""
    go = tool("go")
    if go is None:
        return "no go on PATH to find the Gateway API's definitions"
    found = subprocess.run(
        [go, "list", "-m", "-f", "{{.Dir}}", GATEWAY_API], cwd=folder, capture_output=True, text=True, check=False
    )
    source = Path(found.stdout.strip()) / "config" / "crd" / "standard"
    if found.returncode or not source.is_dir():
        return f"{GATEWAY_API} is not in the cache of Go modules"
    for file in source.glob("gateway.networking.k8s.io_*.yaml"):
        for definition in (document.value for document in load_all(file.read_bytes())):
            for version in definition["spec"].get("versions", ()):
                schema = closed(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                kind = definition["spec"]["names"]["kind"].lower()
                (folder / f"{kind}-{version['name']}.json").write_text(json.dumps(schema))
    return None


def cores() -> Iterator[tuple[str, list[str]]]:
    """One core, and two, where commands can be bound to them."""
    taskset = tool("taskset")
    yield "1 core", [taskset, "-c", "0"] if taskset else []
    if taskset:
        yield "2 cores", [taskset, "-c", "0,1"]


def main() -> None:
    own = str(Path(sys.executable).with_name("apiopsctl"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = {ROUTES: folder / "routes.yaml", PAIRS: folder / "pairs.yaml"}
        for name, file in files.items():
            count = COUNT if name == ROUTES else COUNT // 2
            with file.open("w", encoding="utf-8") as stream:
                dump_all((item for n in range(count) for item in pair(n)[: 1 if name == ROUTES else 2]), stream)
        cases = [(f"apiopsctl validate, {name}", [own, "validate", str(file)]) for name, file in files.items()]
        program = tool("kubeconform")
        missing = definitions(folder) if program else "no kubeconform on PATH or in $BENCH_TOOLS"
        if program and not missing:
            schemas = str(folder / "{{.ResourceKind}}-{{.ResourceAPIVersion}}.json")
            arguments = [program, "-strict", "-summary", "-schema-location", schemas]
            cases.append((f"kubeconform, {ROUTES}", [*arguments, "-n", "2", str(files[ROUTES])]))
        title = f"{COUNT:,} documents, whole process, best of {ROUNDS}"
        print(f"{title:54} {'a second':>9} {'a CPU second':>13} {'MiB':>5}")
        for where, bound in cores():
            for name, command in cases:
                best = min((measured([*bound, *command]) for _ in range(ROUNDS)), key=lambda run: run.wall)
                assert f"{COUNT} valid" in best.output or f"Valid: {COUNT}" in best.output, best.output
                label = f"{name}, {where}"
                print(f"{label:54} {COUNT / best.wall:9,.0f} {COUNT / best.cpu:13,.0f} {best.memory:5.0f}", flush=True)
        if missing:
            left_out("kubeconform", missing)


if __name__ == "__main__":
    main()
