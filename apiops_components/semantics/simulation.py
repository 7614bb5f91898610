"""What happens to requests under each reading of the manifests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apiops_components.errors import InvalidInput, Problem
from apiops_components.semantics.operator import Operator
from apiops_components.semantics.outcome import Outcome, Semantics, diverges
from apiops_components.semantics.request import Request
from apiops_components.semantics.resources import Resources
from apiops_components.semantics.specification import Specification

__all__ = ["SEMANTICS", "Simulation"]

SEMANTICS: Mapping[str, Callable[[Resources], Semantics]] = {
    "spec": Specification,
    "operator": Operator,
}
"""The readings by the names of the command line."""


class Simulation:
    """Answers requests under one reading or several.

    Args:
        resources: The objects.
        semantics: Names of `SEMANTICS`; all by default.

    Raises:
        InvalidInput: The objects hold what cannot be simulated.
    """

    def __init__(self, resources: Resources, semantics: Sequence[str] = tuple(SEMANTICS)) -> None:
        self._gateways = resources.gateways.keys()
        self._readings = [(name, SEMANTICS[name](resources).answer) for name in semantics]

    def answer(self, request: Request) -> dict[str, Outcome]:
        """The outcome by name of the semantics.

        Raises:
            InvalidInput: The request names a Gateway that is not there.
        """
        if request.gateway is not None and request.gateway not in self._gateways:
            known = ", ".join(self._gateways) or "none"
            message = f"there is no Gateway {request.gateway}; Gateways here: {known}"
            raise InvalidInput(Problem(message, "gateway", "request/gateway"))
        return {name: answer(request) for name, answer in self._readings}

    def compare(self, request: Request) -> tuple[dict[str, Outcome], bool]:
        """The outcomes, and whether they differ for client or backend.

        Raises:
            InvalidInput: The request names a Gateway that is not there.
        """
        outcomes = self.answer(request)
        if len(outcomes) == 1:
            return outcomes, False
        first, *others = outcomes.values()
        return outcomes, any(diverges(first, other) for other in others)

    def json(self, request: Request) -> dict[str, Any]:
        """The outcomes as the command line prints them.

        Raises:
            InvalidInput: The request names a Gateway that is not there.
        """
        outcomes, diverging = self.compare(request)
        return {**{name: outcome.json() for name, outcome in outcomes.items()}, "diverges": diverging}
