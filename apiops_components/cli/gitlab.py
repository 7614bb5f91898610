"""``apiopsctl gitlab``: tokens of test runs, dates of kept tokens, the status of a commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import click

from apiops_components.cli.connection import RUN_PREFIX, Connection, gitlab_options, repository_option, run_option
from apiops_components.cli.options import env_option, no_color_option, project_option, today_option
from apiops_components.cli.output import print_json

if TYPE_CHECKING:
    from apiops_components.integrations.gitlab import GitLab, Token, User
    from apiops_components.project import Project

_users = click.option("--user", "names", multiple=True, required=True, metavar="NAME", help="Test user; repeatable.")
_format = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
_run = run_option(default=None, help="Tokens of this run alone: what smoke was given, or the pipeline's number.")
_age = click.option(
    "--older-than", "days", type=click.IntRange(min=0), default=0, metavar="DAYS", help="Tokens made so long ago."
)

Left = list[tuple["User", "Token"]]


@click.group("gitlab")
def command() -> None:
    """Tokens of smoke tests, dates of kept tokens and commit statuses at GitLab (extra gitlab)."""


@command.group("tokens")
def tokens() -> None:
    """What runs of smoke tests left behind. Asked with an administrator's token."""


@tokens.command("list")
@_users
@_run
@_age
@_format
@gitlab_options
@today_option
@no_color_option
def list_(names: Sequence[str], run: str | None, days: int, form: str, today: date, connection: Connection) -> int:
    """List the tokens of test runs that still work."""
    found = _left(connection.gitlab(), names, run, today - timedelta(days=days))
    if form == "json":
        print_json({"tokens": _as_json(found)})
    else:
        _print(found)
        click.echo(f"{_counted(found)} of test runs")
    return 0


@tokens.command("verify")
@_users
@_run
@_age
@_format
@gitlab_options
@today_option
@no_color_option
def verify(names: Sequence[str], run: str | None, days: int, form: str, today: date, connection: Connection) -> int:
    """Check that test runs can make tokens, and that none was left behind.

    The administrator's token works and does not end within two weeks, each user may log in, and no token of a test
    run still works. Exit 1 where one is left or the administrator's ends soon.
    """
    from apiops_components.models.gitlab import expiry_problem  # noqa: PLC0415

    client = connection.gitlab()
    for name in names:
        client.user(name)
    found = _left(client, names, run, today - timedelta(days=days))
    own = client.own_token()
    soon = own.expires_at and expiry_problem(own.expires_at, today, renew_before_days=14)
    wrong = [f"the token in {connection.token_env} ends on {own.expires_at}: make a new one"] if soon else []
    if form == "json":
        print_json({"tokens": _as_json(found), "problems": wrong})
    else:
        _print(found)
        for text in wrong:
            click.secho(text, fg="red")
        clean = not found and not wrong
        click.secho("nothing is left, and new tokens can be made" if clean else f"left: {_counted(found)}")
    return int(bool(found or wrong))


@tokens.command("revoke")
@_users
@_run
@_age
@click.option("--all", "everything", is_flag=True, help="Those of all runs, running ones among them.")
@gitlab_options
@today_option
@no_color_option
def revoke(
    names: Sequence[str], run: str | None, days: int, everything: bool, today: date, connection: Connection
) -> int:
    """Revoke the tokens that test runs left behind. One that is gone already is no error."""
    if run is None and days == 0 and not everything:
        raise click.UsageError("say which: --run RUN, --older-than DAYS, or --all, which stops running tests, too")
    client = connection.gitlab()
    found = _left(client, names, run, today - timedelta(days=days))
    for user, token in found:
        done = "revoked" if client.revoke(user, token.id) else "gone already"
        click.echo(f"{done}: {token.id}  {user.username}  {token.name}")
    click.echo(f"{_counted(found)} of test runs")
    return 0


@command.command("renew")
@project_option
@env_option
@today_option
@no_color_option
def renew(project: Project, env: str, today: date) -> int:
    """Write the next date of tokens that end soon into the settings of an environment.

    Only the dates change; commit the file. The next pulumi up makes the new tokens, moves Argo CD and pipelines to
    them, and revokes the old ones.
    """
    from apiops_components.cli.dates import write_dates  # noqa: PLC0415

    settings = project.settings(env)
    kept = settings.environment.gitlab_tokens
    new = {name: token.renewed(today) for name, token in kept.items() if token.renewed(today) != token.expires}
    write_dates(settings.file, {name: (kept[name].expires, day) for name, day in new.items()})
    for name, day in new.items():
        click.echo(f"{name}: {kept[name].expires} -> {day}")
    if not new:
        click.echo(f"{env}: no token ends soon")
    return 0


@command.command("status")
@click.argument("state", type=click.Choice(["pending", "running", "success", "failed", "canceled", "skipped"]))
@click.option("--name", required=True, help="What the status is called.")
@click.option("--description", default="", help="One sentence beside it.")
@click.option("--target-url", default="", metavar="URL", help="Where more is to be read.")
@click.option("--commit", envvar="CI_COMMIT_SHA", required=True, metavar="SHA", help="[default: $CI_COMMIT_SHA]")
@repository_option
@gitlab_options
@no_color_option
def status(
    state: str, name: str, description: str, target_url: str, commit: str, repository: str, connection: Connection
) -> int:
    """Set the status that merge requests show beside a commit."""
    done = connection.review().status(repository, commit, state, name=name, description=description, target=target_url)
    click.echo(f"{name}: {state} ({done})")
    return 0


def _left(client: GitLab, names: Sequence[str], run: str | None, until: date) -> Left:
    found: Left = []
    for name in dict.fromkeys(names):
        user = client.user(name, blocked_too=True)
        for token in client.tokens(user):
            ours, _, _ = token.name.partition("/")
            named = ours in (run, f"{RUN_PREFIX}{run}") if run is not None else ours.startswith(RUN_PREFIX)
            old = token.created_at is None or token.created_at.date() <= until
            if named and old and token.name != ours:
                found.append((user, token))
    return found


def _as_json(found: Left) -> list[dict[str, Any]]:
    return [{"user": user.username, **token.model_dump(mode="json")} for user, token in found]


def _print(found: Left) -> None:
    for user, token in found:
        ends = f"ends {token.expires_at}" if token.expires_at else "never ends"
        click.echo(f"{token.id}  {user.username}  {token.name}  {','.join(token.scopes)}  {ends}")


def _counted(found: Left) -> str:
    return f"{len(found)} token{'' if len(found) == 1 else 's'}"
