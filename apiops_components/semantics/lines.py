"""Requests as lines of JSON, and what happens to each as another line.

The text of an outcome is put together here, in a third of the time that it takes to make dictionaries and write them;
it is byte for byte what `json.dumps` makes of `Outcome.json`.
"""

from __future__ import annotations

import json
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted  # escapes all but ASCII, even half of a pair in an id
from typing import TYPE_CHECKING, Any

from apiops_components.errors import InvalidInput, Problem
from apiops_components.semantics.outcome import Action, Outcome, Received, Target
from apiops_components.semantics.request import Headers, Request, Response, request_of

if TYPE_CHECKING:
    from apiops_components.semantics.simulation import Simulation

__all__ = ["answer_line", "json_value", "outcome_text"]


def answer_line(simulation: Simulation, line: bytes, number: int) -> tuple[str, bool]:
    """The answer to one line, and whether there is one; otherwise the line says what is wrong.

    Args:
        simulation: What answers.
        line: The line, without its end.
        number: Its number, from 1: the id of a request without one.
    """
    data: Any = None
    try:
        text = line.decode()
        data = json_value(text.removeprefix("\ufeff") if number == 1 else text)
        return _answered(simulation, request_of(data, number)), True
    except InvalidInput as error:
        told = "; ".join(map(_told, error.problems))
    except UnicodeDecodeError as error:
        told = f"not UTF-8: {error.reason} at byte {error.start}"
    except ValueError as error:
        told = f"not JSON: {error}"
    except RecursionError:
        told = "not readable as JSON: nested too deep"
    known = data.get("id") if isinstance(data, dict) else None
    usable = isinstance(known, str | int) and not isinstance(known, bool)
    return json.dumps({"id": known if usable else number, "error": told}), False


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidInput(Problem(f"the key {twice!r} is there twice", "", "request/duplicate", "remove one of them"))
    return found


json_value = json.JSONDecoder(object_pairs_hook=_once).decode
"""The value of a JSON text; a key that is there twice is `InvalidInput`, where Python's own takes the last silently."""


def _answered(simulation: Simulation, request: Request) -> str:
    outcomes, diverging = simulation.compare(request)
    name = quoted(request.id) if isinstance(request.id, str) else request.id
    told = ", ".join([f'"{reading}": {outcome_text(outcome)}' for reading, outcome in outcomes.items()])
    return f'{{"id": {name}, {told}, "diverges": {"true" if diverging else "false"}}}'


def _told(problem: Problem) -> str:
    text = f"{problem.path}: {problem.message}" if problem.path else problem.message
    return f"{text} ({problem.hint})" if problem.hint else text


# --- text ------------------------------------------------------------------------------------------------------------


def outcome_text(outcome: Outcome) -> str:
    """An outcome as JSON."""
    kind, status, gateway, listener, route, rule, targets, request, actions, response = outcome
    backend = backends = "null"
    if len(targets) == 1:
        backend = _target(targets[0])
    elif targets:
        backends = f"[{', '.join([_share(target) for target in targets])}]"
    return (
        f'{{"outcome": "{kind}", "status": {"null" if status is None else status}, '
        f'"gateway": {"null" if gateway is None else quoted(gateway)}, '
        f'"listener": {"null" if listener is None else quoted(listener)}, '
        f'"route": {"null" if route is None else quoted(route)}, "rule": {"null" if rule is None else rule}, '
        f'"backend": {backend}, "backends": {backends}, '
        f'"request": {"null" if request is None else _request(request)}, '
        f'"actions": {_actions(actions) if actions else "[]"}, '
        f'"response": {"null" if response is None else _response(response)}}}'
    )


def _target(target: Target) -> str:
    return (
        f'{{"namespace": {quoted(target.namespace)}, "name": {quoted(target.name)}, '
        f'"port": {"null" if target.port is None else target.port}, "weight": {target.weight}}}'
    )


def _share(target: Target) -> str:
    if target.request is None and target.response is None and target.status is None:
        return f'{_target(target)[:-1]}, "share": {target.share}}}'
    return json.dumps(target.json_with_share())


@lru_cache(maxsize=4096)
def _actions(actions: tuple[Action, ...]) -> str:
    return json.dumps([action._asdict() for action in actions])


def _request(sent: Received) -> str:
    return (
        f'{{"method": {quoted(sent.method)}, "host": {quoted(sent.host)}, "path": {quoted(sent.path)}, '
        f'"query": {quoted(sent.query)}, "headers": {_headers(sent.headers)}}}'
    )


def _response(response: Response) -> str:
    return f'{{"status": {response.status}, "headers": {_headers(response.headers)}}}'


def _headers(headers: Headers) -> str:
    if not headers:
        return "{}"
    # Values are joined by ',' (see `joined`).
    pairs = [
        f"{quoted(name)}: {quoted(values[0] if len(values) == 1 else ','.join(values))}"
        for name, values in headers.items()
    ]
    return f"{{{', '.join(pairs)}}}"
