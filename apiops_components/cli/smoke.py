"""``apiopsctl smoke``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apiops_components.cli.connection import RUN_PREFIX, Connection, gitlab_options, run_option
from apiops_components.cli.options import no_color_option, today_option
from apiops_components.cli.output import print_json
from apiops_components.errors import InvalidInput, NotRunnable, Problem, problems_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from apiops_components.integrations.smoke import Result
    from apiops_components.models.requests import SmokeTests

_LIFE = 2
"""Days until a token ends that nobody revoked: with one, a run shortly before midnight would lose its token."""


@click.command("smoke")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "names", metavar="NAME,…", help="Identities of the file  [default: all of them]")
@click.option("--url", metavar="URL", help="Service to test  [default: the file's]")
@run_option(default=None, help="Name of the tokens' run  [default: $CI_PIPELINE_ID, else local]")
@gitlab_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@today_option
@no_color_option
def command(
    file: Path, names: str | None, url: str | None, run: str | None, form: str, today: date, connection: Connection
) -> int:
    """Send requests as several users, and compare the answers.

    FILE says who sends which requests, and what must come back (apiopsctl schema SmokeTests). For each identity that
    names a GitLab user a token is made, and revoked in the end, whatever happened. Needs the extra gitlab.

    Exit 1 where an answer is another than expected, 2 where one did not come or a token may be left.
    """
    tests = _read(file)
    identities = _chosen(tests, names)
    target = url or tests.url
    if target is None:
        raise NotRunnable(Problem("which service?", "url", "smoke/url", "url: in the file, or --url", str(file)))
    try:
        results = _results(tests, identities, target, connection, _run_name(run), today)
    except BaseException as error:
        from apiops_components.integrations.stopping import Stopped  # noqa: PLC0415

        if not isinstance(error, Stopped):
            raise
        click.echo(f"{error}; the tokens are revoked", err=True)
        return error.exit_code
    _print(results, form)
    outcomes = {result.outcome for result in results}
    return 2 if "error" in outcomes else int("failed" in outcomes)


def _results(
    tests: SmokeTests, identities: Sequence[str], url: str, connection: Connection, run_name: str, today: date
) -> list[Result]:
    from apiops_components.extras import from_extra  # noqa: PLC0415

    from_extra("requests", "gitlab")
    from apiops_components.integrations.hiding import Hiding  # noqa: PLC0415
    from apiops_components.integrations.smoke import run, with_tokens  # noqa: PLC0415
    from apiops_components.integrations.transport import Limits, Transport  # noqa: PLC0415

    needed = any(tests.identities[name].username is not None for name in identities)
    client = connection.gitlab() if needed else None
    hiding = client.hiding if client is not None else Hiding()

    def transport() -> Transport:
        # An answer is what is tested: one that says "again later" is not asked for again.
        return Transport(Limits(), hiding, ca_file=connection.ca_file, statuses=False)

    def send(tokens: Mapping[str, SecretStr]) -> list[Result]:
        return list(run(tests, identities, tokens, url=url, transport=transport, hiding=hiding))

    if client is None:
        return send({})
    return with_tokens(client, tests, identities, send, run_name=run_name, expires=today + timedelta(days=_LIFE))


def _run_name(run: str | None) -> str:
    return RUN_PREFIX + (run or os.environ.get("CI_PIPELINE_ID") or "local")


def _read(file: Path) -> SmokeTests:
    from pydantic import ValidationError  # noqa: PLC0415  (--help needs none)

    from apiops_components.documents import load_all  # noqa: PLC0415
    from apiops_components.models.requests import SmokeTests  # noqa: PLC0415

    try:
        documents = list(load_all(file.read_bytes(), str(file)))
    except OSError as error:
        raise NotRunnable(Problem(f"not readable: {error.strerror}", code="smoke/file", file=str(file))) from None
    if len(documents) != 1:
        message = f"one document is expected, got {len(documents)}"
        raise NotRunnable(Problem(message, code="smoke/file", file=str(file)))
    try:
        return SmokeTests.model_validate(documents[0].value)
    except ValidationError as error:
        found = problems_of(error, documents[0].value)
        raise InvalidInput(p.at(file=str(file), line=documents[0].line(p.path)) for p in found) from None


def _chosen(tests: SmokeTests, names: str | None) -> list[str]:
    if names is None:
        return list(tests.identities)
    chosen = list(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in chosen:
        if name not in tests.identities:
            raise click.UsageError(f"--as: no identity is called {name!r}; there are {', '.join(tests.identities)}")
    return chosen


def _print(results: Sequence[Result], form: str) -> None:
    counts = {
        outcome: sum(result.outcome == outcome for result in results) for outcome in ("passed", "failed", "error")
    }
    if form == "json":
        summary = {"tests": len(results), **counts}
        print_json({"summary": summary, "results": [asdict(result) for result in results]})
        return
    width = max((len(result.identity) for result in results), default=0)
    for result in results:
        status = f"  {result.status}" if result.status is not None else ""
        colour = "green" if result.outcome == "passed" else "red"
        click.secho(f"{result.outcome}  {result.identity:{width}}  {result.name}{status}", fg=colour)
        for problem in result.problems:
            click.echo(f"        {problem}")
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count or outcome == "passed")
    click.secho(f"{len(results)} sent: {told}", fg="green" if counts["passed"] == len(results) else "red")
