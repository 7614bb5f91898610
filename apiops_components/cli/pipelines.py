"""``apiopsctl pipelines``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from apiops_components.cli.comparing import write_text
from apiops_components.cli.options import no_color_option
from apiops_components.errors import InvalidInput, NotRunnable, Problem, problems_of

if TYPE_CHECKING:
    from apiops_components.delivery.pipelines.spec import PipelineSpec


@click.command("pipelines")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--forge", type=click.Choice(["github", "gitlab", "jenkins"]), required=True, help="Whose pipeline.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to OUT instead of stdout.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where OUT is not what would be written.")
@no_color_option
def command(file: Path, forge: str, out: Path | None, check: bool) -> int:
    """Write the pipeline that FILE describes, for one forge.

    A change is checked, tested and previewed as one comment. What is merged goes to the first environment; a person
    looks at it and says yes; the very state that was approved goes to the second.
    """
    spec = _read(file)
    if forge == "github":
        from apiops_components.delivery.pipelines.github import workflow as written  # noqa: PLC0415
    elif forge == "gitlab":
        from apiops_components.delivery.pipelines.gitlab import pipeline as written  # noqa: PLC0415
    else:
        from apiops_components.delivery.pipelines.jenkins import jenkinsfile as written  # noqa: PLC0415
    text = written(spec)
    if check:
        if out is None:
            raise click.UsageError("--check compares with a file: name it with --out")
        if not out.is_file() or out.read_text(encoding="utf-8") != text:
            click.echo(f"changed: {out}")
            return 1
        return 0
    write_text(text, out)
    return 0


def _read(file: Path) -> PipelineSpec:
    from pydantic import ValidationError  # noqa: PLC0415

    from apiops_components.delivery.pipelines.spec import PipelineSpec  # noqa: PLC0415
    from apiops_components.documents import load_all  # noqa: PLC0415

    try:
        documents = list(load_all(file.read_bytes(), str(file)))
    except OSError as error:
        raise NotRunnable(Problem(f"cannot be read: {error.strerror}", file=str(file), code="file/missing")) from None
    if len(documents) != 1:
        raise NotRunnable(Problem(f"one document is expected, {len(documents)} are there", file=str(file)))
    (document,) = documents
    try:
        return PipelineSpec.model_validate(document.value)
    except ValidationError as error:
        problems = problems_of(error, document.value)
        raise InvalidInput(p.at(file=str(file), line=document.line(p.path)) for p in problems) from None
