"""Secrets that must not be read in what is printed."""

from __future__ import annotations

from urllib.parse import quote

from pydantic import SecretStr

from apiops_components.errors import Problem

__all__ = ["Hiding"]


class Hiding:
    """Knows secrets, and takes them out of any text that is to be shown."""

    def __init__(self) -> None:
        self._secrets: list[SecretStr] = []

    def add(self, secret: SecretStr) -> SecretStr:
        """Hides this one from now on."""
        self._secrets.append(secret)
        return secret

    def text(self, text: object, limit: int = 300) -> str:
        """The text on one line, without secrets and control characters, and no longer than a limit."""
        shown = str(text)
        for secret in self._secrets:
            for form in {secret.get_secret_value(), quote(secret.get_secret_value(), safe="")} - {""}:
                shown = shown.replace(form, "<secret>")
        shown = " ".join("".join(char if char.isprintable() else " " for char in shown).split())
        return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."

    def problem(self, message: object, code: str, hint: str = "") -> Problem:
        """A problem whose message holds no secret."""
        return Problem(self.text(message), code=code, hint=self.text(hint))
