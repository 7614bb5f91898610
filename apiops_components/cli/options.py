"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["env_option", "no_color_option", "project_option", "team_option", "today_option"]

F = TypeVar("F", bound=Callable[..., Any])


def _project(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> Any:  # noqa: ARG001
    from apiops_components.project import Project  # noqa: PLC0415

    return Project.find(value or Path.cwd())


def project_option(command: F) -> F:
    """``--project``: gives the command a `Project`."""
    return click.option(
        "--project",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        callback=_project,
        help="Folder of the project  [default: the nearest one upwards with a Pulumi.yaml]",
    )(command)


def env_option(command: F) -> F:
    """``--env``: which environment."""
    return click.option("--env", required=True, metavar="ENV", help="Environment: the file Pulumi.ENV.yaml.")(command)


def team_option(command: F) -> F:
    """``--team``: one team alone."""
    return click.option("--team", metavar="TEAM", help="Only this team  [default: the platform and all teams]")(command)


def _no_color(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value or os.environ.get("NO_COLOR"):
        ctx.color = False


def no_color_option(command: F) -> F:
    """``--no-color``, and the variable NO_COLOR."""
    return click.option(
        "--no-color", is_flag=True, expose_value=False, is_eager=True, callback=_no_color, help="Print without colour."
    )(command)


def _today(ctx: click.Context, parameter: click.Parameter, value: str | None) -> date:  # noqa: ARG001
    if value is None:
        return datetime.now(UTC).date()  # GitLab's tokens end at midnight UTC
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a day such as 2027-03-31") from None


def today_option(command: F) -> F:
    """``--today``: the day that dates are compared with; only this reads the clock."""
    return click.option(
        "--today",
        envvar="APIOPS_TODAY",
        metavar="YYYY-MM-DD",
        callback=_today,
        help="Day to compare dates with  [default: today, UTC]",
    )(command)
