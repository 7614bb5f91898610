"""How long it takes to render pairs of a route and a policy to a stream, beside what others need for the same.

Each run is a process of its own that builds a pair, writes it and drops it. Budgets (design): 10,000 typed pairs in
3 s and 64 MB, with schema, rules and expressions checked in 5 s and 100 MB, growing linearly (exponent 1).

PyYAML and ``json.dumps`` are the floor: they write plain dicts and check nothing. cdk8s is a peer where the variable
``BENCH_CDK8S`` names a folder with ``npm install cdk8s constructs``, and ``BENCH_CDK8S_PYTHON`` a Python that has it
(up to 1,000 pairs, which take it long enough); helm where it is on PATH or in ``BENCH_TOOLS``.
"""

# ruff: noqa: PLC0415  (each run imports only what it measures)
import gc
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from peers import Run, left_out, measured, own, peak, tool
from workload import RENDERED_FOR, pair, rendered, typed

SIZES = (100, 1_000, 10_000)
BUDGETS = {"typed": "3 s, 64 MB", "typed, all checked": "5 s, 100 MB"}

# --- one run, in a process of its own --------------------------------------------------------------------------------


def plain(count: int, stream: TextIO) -> None:
    """Typed models; all with one expression, so that next to nothing is compiled."""
    from apiops_components.documents import dump_all

    dump_all((item for n in range(count) for item in rendered(typed(n, own_expression=False))), stream)


def checked(count: int, stream: TextIO) -> None:
    """Also an expression of its own for each, and what the operator would serve otherwise.

    The schema is that of the models, checked once, as they are made: what is rendered of them is valid by `validate`,
    as a test over every API that can be written shows.
    """
    from apiops_components.documents import dump_all

    dump_all(_objects(count), stream)


def validated(count: int, stream: TextIO) -> None:
    """Each document once more by `validate`, as if anyone had written it."""
    from apiops_components.documents import Document, dump_all
    from apiops_components.validation import validate

    def objects() -> Iterator[dict[str, Any]]:
        for item in _objects(count):
            (result,) = validate(Document(item, "", 0, {}))
            assert result.status == "valid", result
            yield item

    dump_all(objects(), stream)


def _objects(count: int) -> Iterator[dict[str, Any]]:
    from apiops_components import ApiGatewaySpec
    from apiops_components.render.refusal import check_host

    namespace, _, gateway, host = RENDERED_FOR
    for number in range(count):
        api = typed(number, own_expression=True)
        check_host(ApiGatewaySpec(name=gateway, namespace=namespace, host=host, apis=(api,)))
        yield from rendered(api)


def pyyaml(count: int, stream: TextIO) -> None:
    """PyYAML's C dumper on plain dicts, document by document."""
    import yaml

    items = (item for n in range(count) for item in pair(n))
    yaml.dump_all(items, stream, Dumper=yaml.CSafeDumper, sort_keys=False)


def lines_of_json(count: int, stream: TextIO) -> None:
    """``json.dumps`` on plain dicts, a line a document."""
    for number in range(count):
        for item in pair(number):
            stream.write(json.dumps(item))
            stream.write("\n")


CASES: dict[str, Callable[[int, TextIO], None]] = {
    "typed": plain,
    "typed, all checked": checked,
    "typed, all checked, validated": validated,
    "PyYAML CSafeDumper, plain dicts": pyyaml,
    "json.dumps, plain dicts": lines_of_json,
}


def run(case: str, count: int) -> None:
    """Prints seconds without the start of the process, and MiB."""
    gc.set_threshold(100_000, 50, 100)  # as the command line sets it
    with Path(os.devnull).open("w", encoding="utf-8") as stream:
        start = time.perf_counter(), time.process_time()
        CASES[case](count, stream)
        print(time.perf_counter() - start[0], time.process_time() - start[1], peak())


# --- peers -----------------------------------------------------------------------------------------------------------


def chart(folder: Path) -> None:
    """A chart that renders the pairs in one loop: the text of one pair with its number put in by Helm."""
    import yaml

    (folder / "templates").mkdir()
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: pairs\nversion: 0.0.1\n")
    (folder / "values.yaml").write_text("count: 1\n")
    text = "".join("---\n" + yaml.safe_dump(item, sort_keys=False) for item in pair(7777777))
    text = text.replace("7777877", "{{ add 100 $n }}").replace("7777777", "{{ $n }}")
    loop = f"{{{{- range $n := until (int .Values.count) }}}}\n{text}{{{{- end }}}}\n"
    (folder / "templates" / "pairs.yaml").write_text(loop)


CDK8S = """
const { App, Chart, ApiObject, JsonPatch } = require('cdk8s');
const fs = require('fs');
const documents = JSON.parse(fs.readFileSync(process.argv[2]));
const start = process.hrtime.bigint();
const app = new App({ outdir: process.argv[3] });
const chart = new Chart(app, 'pairs');
documents.forEach((item, number) => {
  const { apiVersion, kind, metadata, spec } = item;
  new ApiObject(chart, 'o' + number, { apiVersion, kind, metadata, spec });
});
app.synth();
console.log(Number(process.hrtime.bigint() - start) / 1e9);
"""


CDK8S_PYTHON = """
import json, sys, time
from cdk8s import ApiObject, ApiObjectMetadata, App, Chart, JsonPatch
documents = json.load(open(sys.argv[1]))
start = time.perf_counter()
app = App(outdir=sys.argv[2])
chart = Chart(app, "pairs")
for number, item in enumerate(documents):
    metadata = ApiObjectMetadata(**item["metadata"])
    made = ApiObject(chart, f"o{number}", api_version=item["apiVersion"], kind=item["kind"], metadata=metadata)
    made.add_json_patch(JsonPatch.add("/spec", item["spec"]))
app.synth()
print(time.perf_counter() - start)
"""


def helm(count: int, folder: Path) -> Run | None:
    """The whole process of ``helm template``."""
    program = tool("helm")
    return measured([program, "template", folder, "--set", f"count={count}"]) if program else None


def cdk8s(count: int, folder: Path) -> Run | None:
    """The whole process of a cdk8s program in JavaScript, reading the dicts included."""
    modules, node = os.environ.get("BENCH_CDK8S"), tool("node")
    if not modules or not node:
        return None
    script, work = Path(modules, "pairs.js"), folder / "work.json"
    script.write_text(CDK8S)
    work.write_text(_work(count))
    return measured([node, script, work, folder / "out"])


def cdk8s_python(count: int, folder: Path) -> Run | None:
    """The whole process of a cdk8s program in Python, reading the dicts included, and node below it."""
    python = os.environ.get("BENCH_CDK8S_PYTHON")
    if not python or count > _MOST_PYTHON:
        return None
    script, work = folder / "pairs.py", folder / "work.json"
    script.write_text(CDK8S_PYTHON)
    work.write_text(_work(count))
    return measured([python, script, work, folder / "out"])


_MOST_PYTHON = 1_000


def _work(count: int) -> str:
    return json.dumps([item for number in range(count) for item in pair(number)])


# --- the table -------------------------------------------------------------------------------------------------------


def show(name: str, found: dict[int, tuple[float, float, float]], note: str = "") -> None:
    """A line a tool: seconds (of the processors), MiB at the largest size, exponent of growth."""
    cells = "".join(f"{found[size][0]:8.2f} ({found[size][1]:5.2f})" if size in found else 16 * " " for size in SIZES)
    *_, small, large = found
    exponent = math.log(found[large][1] / found[small][1]) / math.log(large / small)
    print(f"{name:34}{cells} {found[large][2]:7.0f} {exponent:8.2f}   {note}", flush=True)


def main() -> None:
    assert list(rendered(typed(5, own_expression=True))) == pair(5), "the typed pair and the plain one differ"
    print(
        f"{'render pairs: s (CPU s)':34}{''.join(f'{size:>16,}' for size in SIZES)} {'MiB':>7} {'exponent':>8}   budget"
    )
    for name in CASES:
        runs = {size: measured(own(__file__, name, size)) for size in SIZES}
        inside = {size: [float(part) for part in done.output.split()] for size, done in runs.items()}
        show(name, {size: (wall, cpu, memory) for size, (wall, cpu, memory) in inside.items()}, BUDGETS.get(name, ""))
        if name in BUDGETS:
            show("  whole process", {size: (done.wall, done.cpu, done.memory) for size, done in runs.items()})
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        chart(folder)
        for name, peer, why in (
            ("helm template, whole process", helm, "no helm on PATH or in $BENCH_TOOLS"),
            ("cdk8s (JavaScript), whole process", cdk8s, "no node, or $BENCH_CDK8S names no folder that has it"),
            ("cdk8s (Python), whole process", cdk8s_python, "$BENCH_CDK8S_PYTHON names no Python that has it"),
        ):
            found = {size: done for size in SIZES if (done := peer(size, folder))}
            if found:
                show(name, {size: (done.wall, done.cpu, done.memory) for size, done in found.items()})
            else:
                left_out(name, why)


if __name__ == "__main__":
    if sys.argv[1:]:
        run(sys.argv[1], int(sys.argv[2]))
    else:
        main()
