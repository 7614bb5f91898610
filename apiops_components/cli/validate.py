"""``apiopsctl validate``."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from apiops_components.cli.options import no_color_option
from apiops_components.cli.output import print_json, show_problems, show_warnings
from apiops_components.errors import NotRunnable, Problem

if TYPE_CHECKING:
    from apiops_components.validation import Result


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
@click.option(
    "--crd",
    "crds",
    multiple=True,
    metavar="PATH",
    help="File or folder with CustomResourceDefinitions: their kinds are checked too, CEL rules included. Repeatable.",
)
@no_color_option
def command(paths: tuple[str, ...], form: str, as_: Any, crds: tuple[str, ...]) -> int:
    """Check manifests and traffic-policy documents written by anyone.

    Each document is checked by itself, and against the others of the run: routes against the Gateways, Services,
    policies and grants that they refer to, and against each other. Something that is not there is only reported where
    the input holds others of its kind in its namespace.

    PATH is a file of YAML or JSON with any number of documents, a folder (walked for .yaml, .yml and .json), or - for
    stdin. Checked are the kinds of the Gateway API, ngrok and Argo CD, Kubernetes' own, and those of --crd. Documents
    of another kind are skipped, and counted. Exit 1 where a document is invalid, 2 where a file could not be read.
    """
    from apiops_components.validation.stream import check_files  # noqa: PLC0415
    from apiops_components.validation.together import check_together  # noqa: PLC0415

    # Nothing here makes cycles, and walking over all that was found costs more than all else.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    results: list[Result] = []
    unreadable: list[Problem] = []
    kept: dict[str, bytes] = {}
    for checked in check_files(paths, as_, crds, kept):
        results += checked.results
        unreadable += checked.unreadable
        if form == "text":
            _print(checked.results)
    for position, result in check_together(results, kept):
        if form == "text":
            _print([_only_new(result, results[position])])
        results[position] = result
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
        print_json(_sarif(results, unreadable))
    else:
        text = f"{summary['documents']} documents: {summary['valid']} valid, {summary['invalid']} invalid"
        click.echo(f"{text}, {summary['skipped']} skipped")
    show_problems(unreadable)
    if unreadable:
        return NotRunnable.exit_code
    return 1 if count["invalid"] else 0


def _only_new(result: Result, known: Result) -> Result:
    """What was found across documents, where the rest has been printed."""
    problems, warnings = result.problems[len(known.problems) :], result.warnings[len(known.warnings) :]
    return replace(result, problems=problems, warnings=warnings)


def _json(result: Result) -> dict[str, Any]:
    found = {
        "file": result.file,
        "index": result.index,
        "apiVersion": result.api_version,
        "kind": result.kind,
        "namespace": result.namespace,
        "name": result.name,
        "status": result.status,
        "errors": _problems_json(result.problems),
    }
    return found | {"warnings": _problems_json(result.warnings)} if result.warnings else found


def _problems_json(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    return [{"path": p.path, "code": p.code, "message": p.message, "hint": p.hint, "line": p.line} for p in problems]


def _unreadable_json(unreadable: Sequence[Problem]) -> dict[str, Any]:
    if not unreadable:
        return {}
    found = [
        {"file": p.file, "line": p.line, "column": p.column, "code": p.code, "message": p.message, "hint": p.hint}
        for p in unreadable
    ]
    return {"unreadable": found}


def _print(results: Sequence[Result]) -> None:
    for result in results:
        if result.status == "skipped":
            name = "/".join(filter(None, (result.namespace, result.name)))
            what = " ".join(filter(None, (result.api_version, result.kind, name)))
            hint = "not modelled; --crd PATH adds its definition"
            click.secho(f"skipped  {result.file}: {what}: {hint}", fg="yellow")
        for problem in result.problems:
            click.secho(f"invalid  {problem}", fg="red")
        show_warnings(result.warnings)


def _sarif(results: Sequence[Result], unreadable: Sequence[Problem]) -> dict[str, Any]:
    found = [*_levels(results), *(("error", problem) for problem in unreadable)]
    rules = [{"id": code} for code in sorted({problem.code for _, problem in found})]
    places = [
        {
            "ruleId": problem.code,
            "level": level,
            "message": {"text": _text(problem)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(Path(problem.file).as_posix())},
                        "region": {"startLine": max(problem.line, 1)}
                        | ({"startColumn": problem.column} if problem.column else {}),
                    }
                }
            ],
        }
        for level, problem in found
    ]
    driver = {"name": "apiopsctl", "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": places}],
    }


def _levels(results: Sequence[Result]) -> Iterator[tuple[str, Problem]]:
    for result in results:
        yield from (("error", problem) for problem in result.problems)
        yield from (("warning", problem) for problem in result.warnings)
        if result.status == "skipped":
            message = f"skipped: {result.api_version} {result.kind} is not known"
            yield "note", Problem(message, code="object/skipped", file=result.file)


def _text(problem: Problem) -> str:
    place = ": ".join(filter(None, (problem.document, problem.path)))
    text = f"{place}: {problem.message}" if place else problem.message
    return f"{text} ({problem.hint})" if problem.hint else text
