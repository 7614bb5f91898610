"""``apiopsctl validate``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from apiops_components.cli.options import no_color_option
from apiops_components.cli.output import print_json, show_problems
from apiops_components.errors import NotRunnable, Problem

if TYPE_CHECKING:
    from apiops_components.validation import Result

_ENDINGS = (".yaml", ".yml", ".json")
_STDIN = "-"


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
@click.option(
    "--as",
    "as_",
    type=click.Choice(["auto", "traffic-policy"]),
    default="auto",
    show_default=True,
    help="Take each document for a bare traffic policy, or recognise it.",
)
@no_color_option
def command(paths: tuple[str, ...], form: str, as_: Any) -> int:
    """Check manifests and traffic-policy documents written by anyone.

    PATH is a file of YAML or JSON with any number of documents, a folder (walked for .yaml, .yml and .json), or - for
    stdin. Documents of a kind that is not known are skipped, and counted. Exit 1 where a document is invalid, 2 where
    a file could not be read.
    """
    from apiops_components.documents import load_all  # noqa: PLC0415
    from apiops_components.validation import validate  # noqa: PLC0415

    results: list[Result] = []
    unreadable: list[Problem] = []
    for name in paths:
        for file in _files(name):
            try:
                content = _content(file)
                results += (
                    result for document in load_all(content, _shown(file)) for result in validate(document, as_)
                )
            except NotRunnable as error:
                unreadable += error.problems
    if not (results or unreadable):
        unreadable.append(Problem("there is no document to check", file=", ".join(paths), code="file/empty"))
    count = Counter(result.status for result in results)
    summary = {
        "documents": len(results),
        "valid": count["valid"],
        "invalid": count["invalid"],
        "skipped": count["skipped"],
    }
    if form == "json":
        print_json({"summary": summary, "documents": [_json(r) for r in results]} | _unreadable_json(unreadable))
    elif form == "sarif":
        print_json(_sarif([*(p for r in results for p in r.problems), *unreadable]))
    else:
        _print(results, summary)
    show_problems(unreadable)
    if unreadable:
        return NotRunnable.exit_code
    return 1 if count["invalid"] else 0


def _files(name: str) -> list[str]:
    """Every file that a PATH stands for; what is no folder is read, such as a pipe."""
    path = Path(name)
    if name == _STDIN or not path.is_dir():
        return [name]
    return sorted(str(file) for file in path.rglob("*") if file.suffix in _ENDINGS and file.is_file()) or [name]


def _shown(file: str) -> str:
    return "<stdin>" if file == _STDIN else file


def _content(name: str) -> bytes:
    if name == _STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except FileNotFoundError:
        problem = Problem("there is no such file or folder", file=name, code="file/missing")
    except IsADirectoryError:
        message = f"the folder holds no file ending in {', '.join(_ENDINGS)}"
        problem = Problem(message, file=name, code="file/none")
    except OSError as error:
        problem = Problem(f"cannot be read: {error.strerror}", file=name, code="file/unreadable")
    raise NotRunnable(problem)


def _json(result: Result) -> dict[str, Any]:
    return {
        "file": result.file,
        "index": result.index,
        "apiVersion": result.api_version,
        "kind": result.kind,
        "namespace": result.namespace,
        "name": result.name,
        "status": result.status,
        "errors": [
            {"path": p.path, "code": p.code, "message": p.message, "hint": p.hint, "line": p.line}
            for p in result.problems
        ],
    }


def _unreadable_json(unreadable: Sequence[Problem]) -> dict[str, Any]:
    if not unreadable:
        return {}
    return {"unreadable": [{"file": p.file, "line": p.line, "code": p.code, "message": p.message} for p in unreadable]}


def _print(results: Sequence[Result], summary: dict[str, int]) -> None:
    for result in results:
        if result.status == "skipped":
            name = "/".join(filter(None, (result.namespace, result.name)))
            click.secho(f"skipped  {result.file}: {result.api_version} {result.kind} {name}: not modelled", fg="yellow")
        for problem in result.problems:
            click.secho(f"invalid  {problem}", fg="red")
    text = f"{summary['documents']} documents: {summary['valid']} valid, {summary['invalid']} invalid"
    click.echo(f"{text}, {summary['skipped']} skipped")


def _sarif(problems: Sequence[Problem]) -> dict[str, Any]:
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "apiopsctl",
                        "rules": [{"id": code} for code in sorted({problem.code for problem in problems})],
                    }
                },
                "results": [
                    {
                        "ruleId": problem.code,
                        "level": "error",
                        "message": {"text": str(Problem(problem.message, problem.path, problem.code, problem.hint))},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": quote(Path(problem.file).as_posix())},
                                    "region": {"startLine": max(problem.line, 1)},
                                }
                            }
                        ],
                    }
                    for problem in problems
                ],
            }
        ],
    }
