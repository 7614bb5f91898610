"""Tests of Pulumi programs and components without an engine, a cloud or a cluster.

::

    from apiops_components.testing.pulumi import SECRET, record

    def test_the_token_is_secret():
        def program():
            NgrokOperator("ngrok", spec, api_key=pulumi.Config("apiops").require_secret("ngrok"))

        recording = record(program, secret_config_keys=["apiops:ngrok"])

        assert recording.one("kubernetes:core/v1:Secret").inputs["stringData"]["API_KEY"] is SECRET

`record` returns when the program *and* every Output it made have ended, and raises whatever was raised on the way.
So assertions stand after it, on the recording. An assertion inside ``apply`` would not run where the value is
unknown, which in a preview most values of providers are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from apiops_components.components.monitor import TIME_LIMIT, Circumstances, run
from apiops_components.delivery.recording import (
    SECRET,
    UNKNOWN,
    Diagnostic,
    Invocation,
    RecordedResource,
    Recording,
)
from apiops_components.errors import InvalidInput, Problem

__all__ = ["SECRET", "UNKNOWN", "Diagnostic", "Invocation", "RecordedResource", "Recording", "record"]

Outputs = Callable[[RecordedResource], Mapping[str, Any] | None]


def record(
    program: Callable[[], object],
    *,
    project: str = "test",
    stack: str = "test",
    config: Mapping[str, Any] | None = None,
    secret_config_keys: Iterable[str] = (),
    stack_references: Mapping[str, Mapping[str, Any]] | None = None,
    invokes: Mapping[str, Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]]] | None = None,
    outputs: Outputs | None = None,
    preview: bool = True,
    time_limit: float = TIME_LIMIT,
) -> Recording:
    """Runs a program, plain or ``async``, and returns what it registered.

    Args:
        program: The program: a callable without arguments.
        project: Name of the Pulumi project.
        stack: Name of the stack.
        config: Values of the stack configuration; a key without namespace belongs to the project.
        secret_config_keys: Keys that hold secrets. One without a value in ``config`` is an unknown secret.
        stack_references: For each stack by the name that the program uses, its outputs; a value may be `UNKNOWN` or
            `SECRET`.
        invokes: For each function of a provider by its token, its answer or a callable from arguments to it.
        outputs: What a provider adds to a resource, such as ``{"endpoint": "203.0.113.1"}``; ``id`` sets the
            identifier; None adds nothing.
        preview: In a preview, identifiers and whatever ``outputs`` does not add are unknown, and ``apply`` does not
            run on them. Else they are ``<name>-id`` and None, as after an update.
        time_limit: Seconds until a program that does not end is given up.

    Raises:
        InvalidInput: The engine would refuse what was registered; the program refers to a stack or calls a function
            for which no answer was given.
        NotRunnable: The time limit passed.
        Exception: Whatever else the program raised.
    """
    references = stack_references or {}

    def referenced(name: str) -> Mapping[str, Any]:
        if name not in references:
            raise InvalidInput(
                Problem(
                    f"no outputs were given for the stack {name!r}",
                    code="program/stack-reference",
                    hint=f"record(..., stack_references={{{name!r}: {{...}}}})",
                )
            )
        return references[name]

    given = Circumstances(
        project=project,
        stack=stack,
        code=Path(inspect.unwrap(program).__code__.co_filename).parent if inspect.isfunction(program) else None,
        config=config or {},
        secrets=frozenset(secret_config_keys),
        references=referenced,
        invokes=invokes or {},
        outputs=outputs or (lambda _resource: None),
        preview=preview,
        time_limit=time_limit,
    )
    return run(program, given)
