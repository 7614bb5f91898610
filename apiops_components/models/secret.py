"""The place of a secret in a manifest: its name, never its value."""

from __future__ import annotations

from typing import Self

__all__ = ["SecretSlot"]


class SecretSlot(str):
    """A string that stands for the secret ``apiops:<name>`` of the stack configuration.

    As text it is ``<secret:name>``, and so it is printed and written; only a component replaces it, by the secret
    Output of that name, at registration.
    """

    __slots__ = ("name",)

    name: str

    def __new__(cls, name: str) -> Self:  # noqa: D102
        slot = super().__new__(cls, f"<secret:{name}>")
        slot.name = name
        return slot
