"""How commands print: problems, JSON, colour."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import click

from apiops_components.errors import ApiOpsError, Problem

__all__ = ["print_errors", "print_json", "problem_json", "show_error", "show_problems", "show_warnings"]


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def problem_json(problem: Problem) -> dict[str, Any]:
    """A problem as JSON."""
    return asdict(problem)


def show_problems(problems: Iterable[Problem]) -> None:
    """Problems for a person, on stderr."""
    for problem in problems:
        click.secho(str(problem), err=True, fg="red")


def show_warnings(problems: Iterable[Problem]) -> None:
    """What is wrong and does not stop the command, on stderr."""
    for problem in problems:
        click.secho(f"warning: {problem}", err=True, fg="yellow")


def show_error(error: ApiOpsError, *, json_wanted: bool) -> None:
    """An error that ended a command: for a person on stderr, and as the one JSON document where one was asked for."""
    show_problems(error.problems)
    if json_wanted:
        print_errors(error)


def print_errors(error: ApiOpsError) -> None:
    """The error as the one JSON document on stdout."""
    print_json({"errors": [problem_json(problem) for problem in error.problems]})
