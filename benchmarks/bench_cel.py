"""How long it takes to check an expression: one that is new, the same again, and the bare compiler beside it."""

import statistics
import time
from collections.abc import Callable

from apiops_components.models.policy.cel import Scope, compile_expression, expression_fault

COUNT, ROUNDS = 1_000, 5
PHASE = "on_http_request"


def expressions(round_: int) -> list[str]:
    """Five clauses each, and none that any other round has."""
    return [
        f"req.url.path.startsWith('/api/{round_}/{n}') && req.method in ['GET', 'POST'] && 'x-tenant' in req.headers "
        f"&& req.headers['x-tenant'].join(',') == 't{n}' && conn.geo.country_code != 'X{n}'"
        for n in range(COUNT)
    ]


def microseconds(each: Callable[[str], object], texts: list[str]) -> float:
    """Of the processor, an expression."""
    start = time.process_time()
    for text in texts:
        each(text)
    return (time.process_time() - start) * 1e6 / len(texts)


def main() -> None:
    start = time.perf_counter()
    expression_fault("true", PHASE)
    print(f"{'first expression, once a process':34} {(time.perf_counter() - start) * 1e3:8.1f} ms")
    scope = Scope(PHASE)
    scope.set("tenant", "x")
    found: dict[str, list[float]] = {}
    for number in range(ROUNDS):
        texts = expressions(number)
        typed = [f"vars.tenant == 't{number}-{n}' && req.url.path.startsWith('/a')" for n in range(COUNT)]
        wrong = [f"req.pth == '{number}-{n}'" for n in range(COUNT)]
        for name, each, given in (
            ("bare compiler", lambda text: compile_expression(text, PHASE), texts),
            ("checked", lambda text: expression_fault(text, PHASE), texts),
            ("checked again (kept)", lambda text: expression_fault(text, PHASE), texts),
            ("with a variable of known type", lambda text: expression_fault(text, scope), typed),
            ("wrong, with what is wrong told", lambda text: expression_fault(text, PHASE), wrong),
        ):
            found.setdefault(name, []).append(microseconds(each, given))
    print(f"{'expression':34} {'best':>8} {'median':>8}   µs of the processor each, {ROUNDS} rounds of {COUNT:,}")
    for name, times in found.items():
        print(f"{name:34} {min(times):8.1f} {statistics.median(times):8.1f}")


if __name__ == "__main__":
    main()
