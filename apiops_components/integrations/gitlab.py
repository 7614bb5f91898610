"""Tokens of test users at GitLab: made for one stage, listed, revoked."""

from __future__ import annotations

import secrets
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, SecretStr

from apiops_components.errors import NotRunnable, Problem
from apiops_components.integrations.gitlab_api import Api, Missing, User
from apiops_components.models.gitlab import Scope

__all__ = ["GitLab", "Lease", "Token", "User"]


class Token(BaseModel):
    """A token, as GitLab tells of one; its value is told once, when it is made."""

    model_config = ConfigDict(frozen=True)

    id: int
    """Number."""
    name: str
    """What it is listed by."""
    user_id: int | None = None
    """Whose it is."""
    scopes: tuple[str, ...] = ()
    """What it may do."""
    active: bool = True
    """It works: neither revoked nor over."""
    revoked: bool = False
    """It was revoked."""
    expires_at: date | None = None
    """The day it ends."""
    created_at: datetime | None = None
    """When it was made."""


class _Made(Token):
    token: SecretStr


class GitLab(Api):
    """One GitLab instance, asked with an administrator's token."""

    def own_token(self) -> Token:
        """The token that the client asks with."""
        return self.one(Token, "/personal_access_tokens/self", "the token itself")

    def user(self, username: str, *, blocked_too: bool = False) -> User:
        """A user who may log in.

        Raises:
            NotRunnable: There is none of this name, or it is blocked and ``blocked_too`` does not say that it may be.
        """
        found = [user for user in self.all(User, "/users", "users", username=username) if user.username == username]
        if not found:
            hint = "is the name right? It is the one in the address of the user's page"
            raise NotRunnable(self.problem(f"{self.url} has no user {username!r}", "gitlab/unknown-user", hint))
        if found[0].state != "active" and not blocked_too:
            message = f"user {username!r} is {found[0].state}, and its tokens do not work"
            raise NotRunnable(self.problem(message, "gitlab/user-state", "an administrator can unblock it"))
        return found[0]

    def tokens(self, user: User) -> list[Token]:
        """The impersonation tokens of a user that still work."""
        found = self.all(Token, _tokens(user), f"the tokens of {user.username!r}", state="active")
        return [token for token in found if token.active and not token.revoked]

    def revoke(self, user: User, token: int) -> bool:
        """Revokes a token of a user; whether it was still there. With its user it is gone, too."""
        return self.delete(f"{_tokens(user)}/{token}", f"token {token} of {user.username!r}")

    def make_token(self, user: User, name: str, scopes: tuple[Scope, ...], expires: date) -> tuple[int, SecretStr]:
        """Makes an impersonation token under a name that no other one has; its number and value.

        Where it is not clear whether one was made, whatever has the name is revoked before the next attempt: there
        are never two, and none whose value nobody knows.
        """

        def revoked() -> None:
            self.revoke_named(user, name)

        data = {"name": name, "scopes": list(scopes), "expires_at": expires.isoformat()}
        made = self.post(_Made, _tokens(user), data, f"a token for {user.username!r}", found=revoked)
        return made.id, self.hiding.add(made.token)

    def revoke_named(self, user: User, name: str) -> int:
        """Revokes all tokens of a user with this very name; how many there were. With its user they are gone, too."""
        try:
            found = [token.id for token in self.tokens(user) if token.name == name]
        except Missing:
            return 0
        return sum(self.revoke(user, number) for number in found)


class Lease:
    """A token of a test user for one stage: made by `begin`, revoked by `end`, whatever happened between.

    Register `end` before calling `begin`: a token may be there although its making failed.
    """

    def __init__(self, client: GitLab, user: User, *, run: str, scopes: tuple[Scope, ...], expires: date) -> None:
        self._client = client
        self._user = user
        self._scopes = scopes
        self._expires = expires
        self.name = f"{run}/{secrets.token_hex(4)}"
        """What GitLab lists it by; unlike that of any other."""
        self._number: int | None = None
        self._over = True

    def begin(self) -> SecretStr:
        """Makes the token."""
        self._over = False
        self._number, token = self._client.make_token(self._user, self.name, self._scopes, self._expires)
        return token

    def end(self) -> Problem | None:
        """Revokes the token; what is wrong where that cannot be done. A second call does nothing."""
        if self._over:
            return None
        try:
            if self._number is not None:
                self._client.revoke(self._user, self._number)
            # GitLab may have made one after an answer of it was given up: its name tells.
            self._client.revoke_named(self._user, self.name)
            self._over = True
        except NotRunnable as error:
            run = self.name.partition("/")[0]
            return self._client.problem(
                f"the token {self.name!r} of {self._user.username!r} may be left: {error.problems[0].message}",
                "gitlab/token-left",
                f"revoke it: apiopsctl gitlab tokens revoke --user {self._user.username} --run {run}",
            )
        return None


def _tokens(user: User) -> str:
    return f"/users/{user.id}/impersonation_tokens"
