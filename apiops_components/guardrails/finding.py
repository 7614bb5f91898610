"""What a guardrail found."""

from __future__ import annotations

from dataclasses import dataclass

from apiops_components.errors import Problem

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a guardrail does not hold.

    Attributes:
        guardrail: Kind of the guardrail.
        subject: What breaks it, such as ``Api shop/orders``.
        owner: Who answers for it; empty where nobody is named.
        team: The team; None for the platform.
        message: What is wrong and what was expected.
        hint: The likely fix.
        path: Field path in the description.
        request: A request that gets through, where there is one: ``GET https://shop.example.com/orders``.
        waived: The reason, where the platform waived it; such a finding is reported and breaks nothing.
    """

    guardrail: str
    subject: str
    owner: str
    team: str | None
    message: str
    hint: str = ""
    path: str = ""
    request: str = ""
    waived: str = ""

    def problem(self) -> Problem:
        """The finding as a problem, for an error."""
        message = f"{self.message}; gets through: {self.request}" if self.request else self.message
        return Problem(message, self.path, f"guardrail/{self.guardrail}", self.hint, document=self.subject)
