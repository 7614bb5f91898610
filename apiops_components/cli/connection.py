"""How commands reach a GitLab instance. A token is never an option: it would stand in the list of processes."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from apiops_components.errors import NotRunnable, Problem

if TYPE_CHECKING:
    from pydantic import SecretStr

    from apiops_components.integrations.gitlab import GitLab
    from apiops_components.integrations.gitlab_review import Review

__all__ = ["RUN_PREFIX", "Connection", "gitlab_options", "repository_option", "run_option"]

F = TypeVar("F", bound=Callable[..., Any])

RUN_PREFIX = "apiops-smoke-"
"""Begins the names of the tokens that are made for a run."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Which instance, and where its token is read from."""

    url: str | None
    token_env: str
    ca_file: Path | None

    def gitlab(self) -> GitLab:
        """A client for users and tokens."""
        from apiops_components.integrations.gitlab import GitLab  # noqa: PLC0415

        return GitLab(self._address(), self._token(), ca_file=self.ca_file)

    def review(self) -> Review:
        """A client for merge requests and commits."""
        from apiops_components.integrations.gitlab_review import Review  # noqa: PLC0415

        return Review(self._address(), self._token(), ca_file=self.ca_file)

    def _address(self) -> str:
        if not self.url:
            raise NotRunnable(
                Problem("which GitLab instance?", code="gitlab/url", hint="--gitlab-url https://gitlab.example.com")
            )
        return self.url

    def _token(self) -> SecretStr:
        from pydantic import SecretStr  # noqa: PLC0415  (--help needs none)

        token = os.environ.get(self.token_env, "").strip()
        if not token or not token.isascii() or not token.isprintable():
            state = "holds no token" if token else "is not set"
            hint = "set it to a GitLab token, or name another variable with --token-env"
            raise NotRunnable(Problem(f"the variable {self.token_env} {state}", code="gitlab/token-missing", hint=hint))
        return SecretStr(token)


def gitlab_options(command: F) -> F:
    """``--gitlab-url``, ``--token-env`` and ``--ca-file``: gives the command a `Connection`."""

    @functools.wraps(command)
    def connected(*arguments: Any, gitlab_url: str | None, token_env: str, ca_file: Path | None, **options: Any) -> Any:
        return command(*arguments, connection=Connection(gitlab_url, token_env, ca_file), **options)

    for option in (
        click.option(
            "--ca-file",
            envvar="CI_SERVER_TLS_CA_FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Certificate of your own authority  [default: $CI_SERVER_TLS_CA_FILE, else the system's]",
        ),
        click.option(
            "--token-env", default="GITLAB_TOKEN", show_default=True, metavar="NAME", help="Variable with the token."
        ),
        click.option(
            "--gitlab-url", envvar="CI_SERVER_URL", metavar="URL", help="GitLab instance  [default: $CI_SERVER_URL]"
        ),
    ):
        connected = option(connected)
    return connected  # type: ignore[return-value]


def repository_option(command: F) -> F:
    """``--repository``: which project of GitLab's."""
    return click.option(
        "--repository",
        envvar="CI_PROJECT_ID",
        required=True,
        metavar="ID|PATH",
        help="GitLab project, by number or path  [default: $CI_PROJECT_ID]",
    )(command)


def run_option(*, default: str | None, help: str) -> Callable[[F], F]:  # noqa: A002  (click's word)
    """``--run``: of which pipeline."""

    def checked(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:  # noqa: ARG001
        if value is not None and not (value.isascii() and value.replace("-", "").isalnum()):
            raise click.BadParameter(f"{value!r} has other characters than letters, digits and '-'")
        return value

    return click.option("--run", metavar="RUN", default=default, callback=checked, help=help)
