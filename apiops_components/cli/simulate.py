"""``apiopsctl simulate``."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from apiops_components.cli.options import no_color_option
from apiops_components.cli.output import print_json, show_warnings
from apiops_components.errors import InvalidInput, NotRunnable, Problem
from apiops_components.semantics.simulation import SEMANTICS

if TYPE_CHECKING:
    from apiops_components.semantics.outcome import Outcome, Target
    from apiops_components.semantics.request import Request
    from apiops_components.semantics.resources import Resources
    from apiops_components.semantics.simulation import Simulation

_CHOICES = [*SEMANTICS, "both"] if len(SEMANTICS) > 1 else [*SEMANTICS]


@click.command("simulate")
@click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of the project  [default: the nearest one upwards with a Pulumi.yaml]",
)
@click.option("--env", metavar="ENV", help="Over the manifests of this environment: the file Pulumi.ENV.yaml.")
@click.option(
    "--manifests",
    multiple=True,
    metavar="PATH...",
    help="Over these manifests: files, folders, - for stdin.",
)
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header. Repeatable.")
@click.option("--data", metavar="TEXT", help="The body.")
@click.option("--client-ip", metavar="IP", help="Address of the client.")
@click.option("--claims", metavar="JSON", help="Claims of the token that the request carries, taken as verified.")
@click.option("--gateway", metavar="NAMESPACE/NAME", help="The Gateway at which it arrives  [default: any]")
@click.option("--requests", metavar="FILE", help="Many requests: one JSON object a line; - for stdin.")
@click.option("--semantics", type=click.Choice(_CHOICES), default=_CHOICES[-1], show_default=True)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@no_color_option
@click.argument("arguments", nargs=-1, metavar="METHOD URL")
def command(
    project: Path | None,
    env: str | None,
    manifests: tuple[str, ...],
    requests: str | None,
    semantics: str,
    form: str,
    arguments: tuple[str, ...],
    **others: Any,
) -> int:
    """Tell what happens to a request: route, rule, backend, status.

    Nothing is sent: manifests are read as the Gateway API's specification has them, and as ngrok's operator does.

    \b
      apiopsctl simulate --env prod GET https://api.example.com/v1/orders -H 'Accept: text/html'
      apiopsctl simulate --manifests deploy/prod --requests requests.jsonl

    With --requests each line in is {"url": …} and may have id, gateway, method, headers, client_ip, data, claims and
    response; each line out is the object of --format json. Exit 2 where a line could not be answered, 1 where a
    manifest is invalid: then nothing is answered, as it cannot be told what the cluster would make of it.
    """  # noqa: D301
    from apiops_components.semantics.simulation import Simulation  # noqa: PLC0415

    given, paths = _told_apart(arguments, many=requests is not None)
    if paths and not manifests:
        raise click.UsageError(f"Got unexpected extra argument ({paths[0]})")
    if (env is None) == (not manifests):
        raise click.UsageError("one of --env and --manifests is expected")
    if requests is not None and (given or any(others.values())):
        raise click.UsageError("with --requests, everything about a request stands in the file")
    if requests is None and len(given) != 2:  # noqa: PLR2004  (a method and a URL)
        raise click.UsageError("METHOD and URL, or --requests, are expected")
    if requests == "-" and "-" in (*manifests, *paths):
        raise click.UsageError("stdin holds either the manifests or the requests")
    request = _request(*given, **others) if given else None
    names = list(SEMANTICS) if semantics == "both" else [semantics]
    resources = _of_environment(project, env) if env is not None else _of_files((*manifests, *paths))
    simulation = Simulation(resources, names)
    if request is None:
        return _answer_lines(simulation, str(requests))
    try:
        outcomes, diverging = simulation.compare(request)
    except InvalidInput as error:
        raise NotRunnable(error.problems) from None
    if form == "json":
        print_json(simulation.json(request))
    else:
        _print(outcomes, diverging=diverging)
    return 0


def _told_apart(arguments: Sequence[str], *, many: bool) -> tuple[Sequence[str], Sequence[str]]:
    """Method and URL, and what else is there: more paths after ``--manifests``."""
    if many:
        return (), arguments
    place = next((n for n, text in enumerate(arguments) if n and "://" in text), None)
    if place is None:
        place = next((n + 1 for n, text in enumerate(arguments) if re.fullmatch("[A-Z]+", text)), len(arguments) - 1)
    start = max(place - 1, 0)
    return arguments[start : place + 1], [*arguments[:start], *arguments[place + 1 :]]


def _request(method: str, url: str, *, headers: Sequence[str], claims: str | None, **others: Any) -> Request:
    from apiops_components.semantics.lines import json_value  # noqa: PLC0415
    from apiops_components.semantics.request import request_of_arguments  # noqa: PLC0415

    try:
        found = None if claims is None else json_value(claims)
    except InvalidInput as error:
        raise NotRunnable(problem.at(prefix="claims") for problem in error.problems) from None
    except (ValueError, RecursionError) as error:
        raise NotRunnable(Problem(f"not JSON: {error}", "claims", "request/claims")) from None
    try:
        return request_of_arguments(method, url, headers, claims=found, **others)
    except InvalidInput as error:
        raise NotRunnable(error.problems) from None


def _of_environment(project: Path | None, env: str) -> Resources:
    from apiops_components.project import Project  # noqa: PLC0415
    from apiops_components.render.description import render_all  # noqa: PLC0415
    from apiops_components.semantics.resources import Resources  # noqa: PLC0415

    found = Project.find(project or Path.cwd())
    show_warnings(found.warnings(env))
    return Resources.of(manifest.object for manifest in render_all(found.descriptions(env)))


def _of_files(paths: Sequence[str]) -> Resources:
    from apiops_components.documents import load_all  # noqa: PLC0415
    from apiops_components.semantics.resources import Resources  # noqa: PLC0415
    from apiops_components.validation.files import contents  # noqa: PLC0415

    try:
        return Resources.read(
            document for path in paths for file, content in contents(path) for document in load_all(content, file)
        )
    except InvalidInput as error:
        wrong = list(dict.fromkeys(f"{problem.document} ({problem.file})" for problem in error.problems))
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        click.secho(f"nothing was simulated: mend or leave out {', '.join(wrong[:_NAMED])}{more}", err=True, fg="red")
        raise


_NAMED = 5
"""How many invalid objects are named in one line; what is wrong with each is told below it."""


# --- many ----------------------------------------------------------------------------------------------------------


def _answer_lines(simulation: Simulation, name: str) -> int:
    from apiops_components.semantics.lines import answer_line  # noqa: PLC0415

    # Nothing below makes cycles, and walking over all the routes again and again costs more than all else.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    number = wrong = 0
    write = sys.stdout.write
    for lines in _chunks(name):
        for line in lines:
            number += 1
            if not line or line.isspace():
                continue
            text, answered = answer_line(simulation, line, number)
            wrong += not answered
            write(text + "\n")
        sys.stdout.flush()
    if wrong:
        click.secho(f"{wrong} of {number} requests could not be answered", err=True, fg="red")
    return NotRunnable.exit_code if wrong else 0


def _chunks(name: str) -> Iterator[Sequence[bytes]]:
    """The lines as they come in, some at a time, so that each is answered without waiting for the next ones."""
    stream: Any
    try:
        stream = sys.stdin.buffer if name == "-" else Path(name).open("rb")  # noqa: SIM115  (closed below)
        size = 0 if name == "-" else Path(name).stat().st_size
    except OSError as error:
        raise NotRunnable(Problem(f"cannot be read: {error.strerror}", file=name, code="file/unreadable")) from None
    shown = bool(size) and sys.stderr.isatty() and not sys.stdout.isatty()
    with stream, click.progressbar(length=size, label="requests", file=sys.stderr, hidden=not shown) as bar:
        begun: list[bytes] = []
        while chunk := stream.read1(_CHUNK):
            first, *lines = chunk.split(b"\n")
            begun.append(first)
            if lines:
                yield [b"".join(begun), *lines[:-1]]
                begun = [lines[-1]]
            bar.update(len(chunk))
        if any(begun):
            yield [b"".join(begun)]


_CHUNK = 64 * 1024

# --- one, for a person ---------------------------------------------------------------------------------------------


def _print(outcomes: Mapping[str, Outcome], *, diverging: bool) -> None:
    for name, outcome in outcomes.items():
        color = {"forwarded": "green", "responded": "yellow"}.get(outcome.outcome, "red")
        click.echo(f"{name:10}{click.style(outcome.outcome, fg=color, bold=True)}{_where(outcome)}")
        for title, text in _details(outcome):
            click.echo(f"  {title:8}{text}")
    if len(outcomes) > 1:
        said = "they differ for client or backend" if diverging else "no difference for client and backend"
        click.secho(f"{'both':10}{said}", fg="red" if diverging else None)


def _where(outcome: Outcome) -> str:
    if len(outcome.targets) == 1:
        return f" to {_target(outcome.targets[0])}"
    return f" with {outcome.status}" if outcome.status is not None else ""


def _target(target: Target) -> str:
    return f"{target.namespace}/{target.name}:{target.port}"


def _details(outcome: Outcome) -> Iterator[tuple[str, str]]:
    if outcome.gateway is not None:
        yield "gateway", outcome.gateway + (f", listener {outcome.listener}" if outcome.listener else "")
    if outcome.route is not None:
        yield "route", f"{outcome.route}, rule {outcome.rule}"
    if len(outcome.targets) > 1:
        for target in outcome.targets:
            failing = " (answers 500: the reference is invalid)" if target.status else ""
            yield "backend", f"{target.share:6.1%} {_target(target)}{failing}"
    if (sent := outcome.request) is not None:
        query = f"?{sent.query}" if sent.query else ""
        yield "request", f"{sent.method} {sent.host}{sent.path}{query}"
        yield from (("", f"{name}: {value}") for name, value in sent.json()["headers"].items())
    for action in outcome.actions:
        yield "action", " ".join(filter(None, [action.type, action.policy and f"of {action.policy}", action.result]))
    if outcome.response is not None:
        yield "client", str(outcome.response.status)
        yield from (("", f"{name}: {value}") for name, value in outcome.response.json()["headers"].items())
