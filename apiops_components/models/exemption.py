"""Restrictions of workloads, and leave to break one for a reason.

What breaks a restriction is refused unless an `Exemption` says why; an exemption that nothing needs is refused too, so
that the list of exemptions is the list of what is really open.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
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


def unneeded_faults(
    given: Iterable[str],
    broken: Container[str],
    codes: tuple[str, str] = ("workload/exemption-repeated", "workload/exemption-unneeded"),
) -> Iterator[InitErrorDetails]:
    """Exemptions, by their rules, that are given twice, or that nothing needs; of a workload or a cluster."""
    repeated, unneeded = codes
    seen: set[str] = set()
    for index, rule in enumerate(given):
        loc = ("exemptions", index, "rule")
        if rule in seen:
            yield fault(repeated, f"{rule} is exempted twice", "leave one", loc)
        elif rule not in broken:
            message = f"nothing breaks {rule}: the exemption would only hide what breaks it next"
            yield fault(unneeded, message, "leave it out", loc)
        seen.add(rule)
