"""A GitLab token that the platform keeps: whose, what for, until when, and where it is put.

Made by GitLab's ``POST /users/:user_id/impersonation_tokens``, which only administrators may call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import InitErrorDetails

from apiops_components.errors import Problem
from apiops_components.models.argocd import RepositoryUrl
from apiops_components.models.base import (
    CheckedModel,
    DnsLabel,
    Integer,
    SecretName,
    Text,
    fault,
    matching,
    raise_faults,
)

__all__ = [
    "LONGEST_LIFE",
    "CiVariable",
    "Day",
    "GitLabTokenSpec",
    "GitLabUrl",
    "RepositoryCredential",
    "Scope",
    "expiry_problem",
]

Scope = Literal[
    "admin_mode",
    "ai_features",
    "api",
    "create_runner",
    "k8s_proxy",
    "manage_runner",
    "read_api",
    "read_registry",
    "read_repository",
    "read_service_ping",
    "read_user",
    "read_virtual_registry",
    "self_rotate",
    "sudo",
    "write_registry",
    "write_repository",
    "write_virtual_registry",
]
"""What a token may do; those that GitLab takes for an impersonation token."""

SCOPES: tuple[str, ...] = get_args(Scope)

LONGEST_LIFE = 365
"""Days that GitLab lets a token live, where an administrator has not set fewer."""


def _day(value: Any) -> Any:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise_faults([fault("time/day", f"{value!r} is not a day", 'such as "2027-03-31"')])
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise_faults([fault("time/day", f"{value!r} is not a day of the calendar")])


Day = Annotated[date, BeforeValidator(_day)]
"""A day, ``YYYY-MM-DD``."""

_LOOPBACK = re.compile(r"http://(localhost|127(\.\d+){3}|\[::1\])(:\d+)?(/|$)")


def _url(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#@]*)?", url):
        hint = "scheme and host, such as https://gitlab.example.com; no credentials, no query"
        raise_faults([fault("gitlab/url", f"{url!r} is not the address of a GitLab instance", hint)])
    if url.startswith("http://") and not _LOOPBACK.match(url):
        hint = "use https://; a certificate of your own authority goes in ca_file"
        raise_faults([fault("gitlab/plain-http", f"{url!r} would send tokens in clear", hint)])
    return url.rstrip("/")


GitLabUrl = Annotated[str, AfterValidator(_url)]
"""Address of a GitLab instance: ``https://``, its path prefix where it has one; ``http://`` on this machine only."""


def _scope(value: Any) -> Any:
    if isinstance(value, str) and value not in SCOPES:
        import difflib  # noqa: PLC0415  (only errors need it)

        near = difflib.get_close_matches(value, SCOPES, 1)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(SCOPES)}"
        raise_faults([fault("gitlab/scope", f"GitLab has no scope {value!r}", hint)])
    return value


Scopes = Annotated[tuple[Annotated[Scope, BeforeValidator(_scope)], ...], Field(min_length=1)]
"""At least one scope, none twice."""


class RepositoryCredential(CheckedModel):
    """Argo CD's credential for one repository: a Secret in Argo CD's namespace."""

    url: RepositoryUrl
    """``https://`` address of the repository, as the Applications write it; it ends in ``.git``: GitLab redirects any
    other to that, and Argo CD follows no redirect."""
    namespace: DnsLabel = "argocd"
    """Where Argo CD runs."""
    username: Text = "oauth2"
    """GitLab takes any name beside a token."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        if not self.url.startswith("https://"):
            message = "a token is sent over https only"
            yield fault("gitlab/repository-scheme", message, "https://…/project.git", ["url"], self.url)
        elif not self.url.endswith(".git"):
            message = "GitLab redirects this address, and Argo CD follows no redirect"
            yield fault("gitlab/repository-suffix", message, f"{self.url.rstrip('/')}.git", ["url"], self.url)


class CiVariable(CheckedModel):
    """A CI variable of one project that holds the token: masked in job logs, and given to protected branches alone."""

    project: Text
    """Number of the project, or its path such as ``platform/apis``."""
    key: Annotated[str, matching(r"[A-Za-z0-9_]+", 255, "gitlab/variable-key", "a variable (letters, digits and '_')")]
    """Name of the variable."""
    environment_scope: Text = "*"
    """Environment of GitLab's that its jobs run in; ``*`` for all."""


class GitLabTokenSpec(CheckedModel):
    """An impersonation token that Pulumi makes, replaces and revokes, and where it is put."""

    url: GitLabUrl
    """Address of the instance."""
    administrator: SecretName
    """Names the secret with an administrator's own token (scope ``api``; with admin mode also ``admin_mode``), which
    makes this one."""
    user_id: Annotated[Integer, Field(ge=1)]
    """Number of the user that the token acts as: ``GET /users?username=…``. Give it a user of its own, with no more
    rights than it needs."""
    name: Text
    """What GitLab lists it by."""
    scopes: Scopes
    """What it may do; an administrator's own scopes, ``sudo`` and ``admin_mode``, are refused."""
    expires: Day
    """The last day before which it works (midnight UTC). Written here and never reckoned from the clock, so that a
    preview does not differ by the day. A new date replaces the token: the new one first, the old one revoked when all
    that uses it has moved."""
    lifetime_days: Annotated[Integer, Field(ge=2, le=LONGEST_LIFE)] = 90
    """How far `apiopsctl gitlab renew` puts the next date; a year is GitLab's limit."""
    renew_before_days: Annotated[Integer, Field(ge=1, le=LONGEST_LIFE)] = 14
    """So many days before the end `check` fails and `apiopsctl gitlab renew` writes the next date. Two weeks: a merge
    request needs somebody to be there."""
    ca_file: Text | None = None
    """File with the certificate of an authority of your own, where the instance's is not known to the system."""
    repository: RepositoryCredential | None = None
    """Argo CD reads this repository with it."""
    variable: CiVariable | None = None
    """Pipelines of this project get it."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        yield from self.told(self._scope_faults, self._repository_faults, self._lifetime_faults)

    def _scope_faults(self) -> Iterator[InitErrorDetails]:
        yield from repeated_scopes(self.scopes)
        for index, scope in enumerate(self.scopes):
            if scope in ("sudo", "admin_mode"):
                message = f"{scope!r} gives a kept token an administrator's rights over every user"
                hint = "api, or a narrower scope, acts as the one user"
                yield fault("gitlab/scope-administrator", message, hint, ["scopes", index])

    def _repository_faults(self) -> Iterator[InitErrorDetails]:
        reading = {"read_repository", "write_repository", "api"}
        if self.repository is not None and reading.isdisjoint(self.scopes):
            message = f"Argo CD cannot read the repository with {', '.join(self.scopes)}"
            yield fault("gitlab/scope-missing", message, "add read_repository", ["scopes"])

    def _lifetime_faults(self) -> Iterator[InitErrorDetails]:
        if self.renew_before_days >= self.lifetime_days:
            message = f"renewed {self.renew_before_days} days before its end, a token of {self.lifetime_days} days is "
            yield fault("gitlab/lifetime", f"{message}never old enough to be kept", "", ["renew_before_days"])

    def problem(self, today: date) -> Problem | None:
        """What is wrong with the date on a day; None where nothing is."""
        return expiry_problem(self.expires, today, renew_before_days=self.renew_before_days)

    def renewed(self, today: date) -> date:
        """The date to write on a day: this one while there is time, else one a lifetime away."""
        return self.expires if self.problem(today) is None else today + timedelta(days=self.lifetime_days)


def repeated_scopes(scopes: Sequence[str]) -> Iterator[InitErrorDetails]:
    """A fault for each scope that was named before."""
    for index, scope in enumerate(scopes):
        if scope in scopes[:index]:
            yield fault("gitlab/scope-repeated", f"{scope!r} is there twice", "", ["scopes", index])


def expiry_problem(expires: date, today: date, *, renew_before_days: int = 0) -> Problem | None:
    """What is wrong with a token's date on a day: it is over, nearly over, or further than GitLab lets it be."""
    left = (expires - today).days
    fix = "write the next date: apiopsctl gitlab renew"
    if left <= 0:
        return Problem(f"the token ended on {expires} and works no more", "expires", "gitlab/expired", fix)
    if left > LONGEST_LIFE:
        message = f"{expires} is {left} days away, and GitLab lets a token live at most {LONGEST_LIFE}"
        nearest = f"{today + timedelta(days=LONGEST_LIFE)} or before"
        return Problem(message, "expires", "gitlab/expiry-too-far", nearest)
    if left <= renew_before_days:
        days = "1 day is" if left == 1 else f"{left} days are"
        message = f"the token ends on {expires}: {days} left, and renewal is due {renew_before_days} days before"
        return Problem(message, "expires", "gitlab/expires-soon", fix)
    return None
