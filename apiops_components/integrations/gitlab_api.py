"""GitLab's API on python-gitlab, with a `Transport` of ours below it.

The library's own retries honour any ``Retry-After``, and send a POST again without asking what the first one did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, SecretStr, TypeAdapter, ValidationError

from apiops_components.errors import NotRunnable, Problem, problems_of
from apiops_components.extras import from_extra
from apiops_components.models.gitlab import GitLabUrl

if TYPE_CHECKING:
    from apiops_components.integrations.transport import Limits

__all__ = ["Api", "Missing", "Unclear", "User", "project_path"]

_MOST_ITEMS = 10_000
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _SERVER = 401, 403, 404, 500

M = TypeVar("M", bound=BaseModel)


class User(BaseModel):
    """A user, as GitLab tells of one."""

    model_config = ConfigDict(frozen=True)

    id: int
    """Number."""
    username: str
    """What it is called by."""
    state: str = "active"
    """``active``, or why it may not log in: ``blocked``, ``deactivated``, ``banned`` …"""


class Unclear(NotRunnable):
    """A request was sent, and whether it was done is not known."""


class Missing(NotRunnable):
    """GitLab does not find it."""


class Api:
    """One GitLab instance, asked with one token."""

    def __init__(
        self,
        url: str,
        token: SecretStr,
        *,
        ca_file: Path | None = None,
        limits: Limits | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Sends nothing yet.

        Args:
            url: Of the instance, such as ``https://gitlab.example.com``.
            token: What it is asked with.
            ca_file: The authority that vouches for the instance; those of the system where there is none.
            limits: How long an answer may take.
            sleep: Waits between two attempts.

        Raises:
            NotRunnable: The extra ``gitlab`` is not installed, or the file holds no certificate.
        """
        self._library = from_extra("gitlab", "gitlab")
        from apiops_components.integrations.hiding import Hiding  # noqa: PLC0415  (requests, of the same extra)
        from apiops_components.integrations.transport import Limits, NoAnswer, Transport  # noqa: PLC0415

        self._no_answer = NoAnswer
        self.hiding = Hiding()
        """Takes this client's tokens out of any text."""
        self.url = _address(url)
        """Of the instance."""
        transport = Transport(limits or Limits(), self.hiding, ca_file=ca_file, sleep=sleep)
        # A link to the next page that names another host would take the token there.
        self._api = self._library.Gitlab(
            self.url,
            private_token=self.hiding.add(token).get_secret_value(),
            session=transport,
            keep_base_url=True,
            per_page=100,
        )

    def myself(self) -> User:
        """Whose token the client asks with."""
        return self.one(User, "/user", "the token's user")

    def one(self, model: type[M], path: str, what: str) -> M:
        """Reads one thing; ``what`` names it for a person."""
        with self._told("get", what):
            return model.model_validate(_json(self._api.http_get(path)))

    def all(self, model: type[M], path: str, what: str, **query: str) -> list[M]:
        """Reads a whole collection, page by page."""
        with self._told("get", what):
            pages: Iterator[Any] = self._api.http_list(path, query_data=dict(query), iterator=True)
            found = [model.model_validate(item) for item in islice(pages, _MOST_ITEMS + 1)]
        if len(found) > _MOST_ITEMS:
            raise Unclear(self.problem(f"{self.url} lists {what} without end", "gitlab/garbage"))
        return found

    def put(self, path: str, data: Mapping[str, Any], what: str) -> None:
        """Changes one thing."""
        with self._told("put", what):
            self._api.http_put(path, post_data=dict(data))

    def delete(self, path: str, what: str) -> bool:
        """Deletes one thing; whether it was still there."""
        try:
            with self._told("delete", what):
                self._api.http_delete(path)
        except Missing:
            return False
        return True

    def post(
        self, model: type[M], path: str, data: Mapping[str, Any], what: str, *, found: Callable[[], M | None]
    ) -> M:
        """Posts once, and once more where it is certain that the first did nothing, or that it was undone.

        Args:
            model: Of the answer.
            path: Of the collection.
            data: What is made.
            what: The same for a person.
            found: Looks whether it is there after an attempt whose end is not clear; None where it is not.
        """
        for last in (False, True):
            try:
                with self._told("post", what):
                    return model.model_validate(_json(self._api.http_post(path, post_data=dict(data))))
            except Unclear:
                there = found()
                if there is not None:
                    return there
                if last:
                    raise
        raise AssertionError  # the second attempt returns or raises

    @contextmanager
    def _told(self, verb: str, what: str) -> Iterator[None]:
        """Says what went wrong in this package's errors, without any token."""
        errors = self._library.exceptions
        try:
            yield
        except self._no_answer as error:
            if error.sent and verb == "post":
                raise Unclear(error.problems) from None
            raise
        except (errors.GitlabHttpError, errors.GitlabAuthenticationError) as error:
            raise self._refused(error, verb, what) from None
        except (
            errors.GitlabError,
            ValidationError,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ):
            message = f"{self.url} answers with something else than {what}"
            hint = "is this the address of a GitLab instance, and no page before it?"
            raise Unclear(self.problem(message, "gitlab/garbage", hint)) from None

    def _refused(self, error: Any, verb: str, what: str) -> NotRunnable:
        code = error.response_code or 0
        said = f" ({self.hiding.text(error.error_message, 200)})" if error.error_message else ""
        if code == _UNAUTHORIZED:
            message = f"{self.url} does not accept the token{said}"
            return NotRunnable(
                self.problem(
                    message, "gitlab/unauthorized", "it is over, revoked, or of another instance: make a new one"
                )
            )
        if code == _FORBIDDEN:
            hint = (
                "tokens of other users need an administrator's token with the scopes api and, where admin mode is on, "
            )
            hint += "admin_mode; comments and statuses need Reporter or Developer in the project"
            return NotRunnable(self.problem(f"the token may not {_VERBS[verb]} {what}{said}", "gitlab/forbidden", hint))
        if code == _NOT_FOUND:
            hint = "it was deleted, the name is wrong, or the token may not see it"
            return Missing(self.problem(f"{self.url} does not find {what}{said}", "gitlab/not-found", hint))
        if code in range(300, 400):
            hint = "use the address that it redirects to; a token is not sent there by itself"
            return NotRunnable(self.problem(f"{self.url} redirects ({code})", "gitlab/redirected", hint))
        message = f"{self.url} could not {_VERBS[verb]} {what}: {code}{said}"
        if code >= _SERVER:
            kind = Unclear if verb == "post" else NotRunnable
            return kind(self.problem(message, "gitlab/server-error", "run it again when the instance works"))
        return NotRunnable(self.problem(message, "gitlab/refused"))

    def problem(self, message: str, code: str, hint: str = "") -> Problem:
        """A problem without any token in it."""
        return self.hiding.problem(message, code, hint)


_VERBS = {"get": "read", "post": "make", "put": "change", "delete": "delete"}


def project_path(project: str) -> str:
    """The path of a project by its number or its own path."""
    return f"/projects/{quote(project, safe='')}"


def _address(url: str) -> str:
    try:
        return TypeAdapter(GitLabUrl).validate_python(url)
    except ValidationError as error:
        raise NotRunnable(problems_of(error, url)) from None


def _json(answer: Any) -> Any:
    if not isinstance(answer, dict):
        raise TypeError
    return answer
