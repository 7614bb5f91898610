"""``apiopsctl comment``."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import click

from apiops_components.cli.connection import Connection, gitlab_options, repository_option
from apiops_components.cli.options import no_color_option
from apiops_components.errors import NotRunnable, Problem


@click.command("comment")
@click.argument("file", type=click.File("rb"))
@repository_option
@click.option(
    "--merge-request",
    envvar="CI_MERGE_REQUEST_IID",
    type=click.IntRange(min=1),
    required=True,
    metavar="IID",
    help="Number of the merge request in its project  [default: $CI_MERGE_REQUEST_IID]",
)
@click.option("--key", default="preview", show_default=True, help="One comment a key is kept.")
@gitlab_options
@no_color_option
def command(file: BinaryIO, repository: str, merge_request: int, key: str, connection: Connection) -> int:
    """Post FILE as the one preview comment of a merge request, or update the one that is there.

    FILE is Markdown, as apiopsctl preview --format markdown prints it; - reads it from stdin. Needs the extra gitlab.
    """
    if not key.replace("-", "").isalnum():
        raise click.UsageError(f"--key: {key!r} has other characters than letters, digits and '-'")
    try:
        text = file.read().decode("utf-8")
    except UnicodeDecodeError:
        name = str(Path(file.name)) if isinstance(file.name, str) else "-"
        raise NotRunnable(Problem("not UTF-8", code="comment/encoding", file=name)) from None
    if not text.strip():
        raise NotRunnable(Problem("there is nothing to post", code="comment/empty"))
    done = connection.review().comment(repository, merge_request, text, key=key)
    click.echo(f"comment {key!r} of merge request {merge_request}: {done}")
    return 0
