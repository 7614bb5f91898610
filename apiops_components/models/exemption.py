"""Restrictions of workloads, and leave to break one for a reason.

What breaks a restriction is refused unless an `Exemption` says why; an exemption that nothing needs is refused too, so
that the list of exemptions is the list of what is really open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from pydantic_core import InitErrorDetails

from apiops_components.models.base import Model, Reason, fault

__all__ = ["Breach", "Exemption", "Restriction", "unexempted_faults", "unneeded_faults"]

Restriction = Literal[
    "added-capabilities",
    "image-without-digest",
    "low-user-id",
    "no-probes",
    "privileged-port",
    "run-as-root",
    "secret-in-environment",
    "single-replica",
    "wide-egress",
    "writable-root-filesystem",
]
"""What a workload may not do without an exemption."""


class Exemption(Model):
    """Leave to break one restriction."""

    rule: Restriction
    """Which one."""
    reason: Reason
    """Why, for whoever reads it next year; it is written on the object as an annotation."""


class Breach(NamedTuple):
    """One place where a restriction is broken."""

    rule: Restriction
    """Which restriction."""
    code: str
    """Of the fault, where no exemption covers it."""
    message: str
    """What breaks it."""
    fix: str
    """How to keep it."""
    loc: Sequence[str | int]
    """The field."""


def unexempted_faults(breaches: Iterable[Breach], exemptions: Sequence[Exemption]) -> Iterator[InitErrorDetails]:
    """Breaches that no exemption covers."""
    given = {exemption.rule for exemption in exemptions}
    for breach in breaches:
        if breach.rule not in given:
            hint = f"{breach.fix}; or say why not: exemptions: [{{rule: {breach.rule}, reason: …}}]"
            yield fault(breach.code, breach.message, hint, breach.loc)


def unneeded_faults(breaches: Iterable[Breach], exemptions: Sequence[Exemption]) -> Iterator[InitErrorDetails]:
    """Exemptions that nothing needs, or that are given twice; asks for all the breaches there are."""
    needed = {breach.rule for breach in breaches}
    seen: set[Restriction] = set()
    for index, exemption in enumerate(exemptions):
        loc = ("exemptions", index, "rule")
        if exemption.rule in seen:
            yield fault("workload/exemption-repeated", f"{exemption.rule} is exempted twice", "leave one", loc)
        elif exemption.rule not in needed:
            message = f"nothing breaks {exemption.rule}: the exemption would only hide what breaks it next"
            yield fault("workload/exemption-unneeded", message, "leave it out", loc)
        seen.add(exemption.rule)
