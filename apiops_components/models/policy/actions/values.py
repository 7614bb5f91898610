"""Actions that keep values: set-vars for later expressions, log for ngrok's events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from apiops_components.models.base import fault, raise_faults
from apiops_components.models.policy.action import Action
from apiops_components.models.policy.fields import Json, Marked

__all__ = ["Log", "SetVars"]

_CONNECTION_OR_HTTP = frozenset({"on_tcp_connect", "on_http_request", "on_http_response"})


def _list_of_single(value: Any) -> Any:
    if isinstance(value, Mapping):
        written = "\n".join(f"- {key}: …" for key in value) or "- name: value"
        message = "vars is a list of mappings with one key each, got one mapping (ERR_NGROK_2252)"
        raise_faults([fault("policy/vars", message, f"write\n{written}")])
    if isinstance(value, list | tuple):
        raise_faults(
            fault(
                "policy/vars", f"one variable is expected, got {len(item)} (ERR_NGROK_2252)", "one - for each", [index]
            )
            for index, item in enumerate(value)
            if isinstance(item, Mapping) and len(item) != 1
        )
    return value


def _var_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        message = f"{name!r} is no name of a variable: vars.{name} would not read it (ERR_NGROK_2252)"
        raise_faults([fault("policy/var-name", message, "letters, digits and '_', no digit first")])
    return name


VarName = Annotated[str, AfterValidator(_var_name), Marked({"format": "var-name"})]
"""What ``vars.<name>`` can say."""


class SetVars(Action):
    """Sets variables that later expressions of the same phase read as ``vars.<name>``, in the order given."""

    type: ClassVar[str] = "set-vars"
    phases: ClassVar[frozenset[str]] = _CONNECTION_OR_HTTP

    vars: Annotated[
        tuple[Annotated[dict[VarName, Json], Field(min_length=1, max_length=1)], ...],
        Field(min_length=1),
        BeforeValidator(_list_of_single),
    ]
    """A list of mappings with one key each; values are anything. A string that is exactly ``${…}`` keeps the type of
    its expression, and may read the entries before it. ngrok limits depth and memory (ERR_NGROK_2250, 2249)."""

    @property
    def assignments(self) -> Iterator[tuple[str, Any]]:
        """Name and value of each variable, in the order in which they are set."""
        for entry in self.vars:
            yield from entry.items()

    def settings(self) -> dict[str, Any]:  # noqa: D102  (a null is a value here)
        return self.model_dump(mode="json")


class Log(Action):
    """Puts what you like into the field ``traffic_policy.logs`` of ngrok's events."""

    type: ClassVar[str] = "log"
    phases: ClassVar[frozenset[str]] = _CONNECTION_OR_HTTP
    result: ClassVar[str] = "log"

    metadata: Mapping[str, Json]
    """Anything; in its strings ``${…}`` is evaluated."""

    def settings(self) -> dict[str, Any]:  # noqa: D102  (a null is a value here)
        return self.model_dump(mode="json")
