"""How many requests a second ``simulate --requests`` answers, beside a linear scan and the JSON alone.

Each route has two rules: an exact path with a method and a header, and a prefix; eight in ten requests meet one. All
are read from a line of JSON and answered with one, in one process. Budgets (design): 20,000 requests a second under
both semantics with 1,000 routes, and with 10,000 routes at most 1.5 times as long each.

The linear scan asks every match of every route in plain Python, in their order; ``json.loads`` and ``json.dumps`` of
the same lines are the floor.
"""

# ruff: noqa: PLC0415  (each run imports only what it measures)
import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from peers import measured, own, peak

SIZES = (1_000, 10_000)
REQUESTS = 50_000
HOSTS = 50


def manifests(count: int) -> Iterator[dict[str, Any]]:
    """Gateways of one host each, and routes spread over them."""
    group = "gateway.networking.k8s.io"
    for host in range(HOSTS):
        listener = {"name": "https", "hostname": f"h{host}.example.com", "port": 443, "protocol": "HTTPS"}
        yield {
            "apiVersion": f"{group}/v1",
            "kind": "Gateway",
            "metadata": {"name": f"h{host}", "namespace": "shop"},
            "spec": {"gatewayClassName": "ngrok", "listeners": [listener]},
        }
    for number in range(count):
        host, name = number % HOSTS, f"orders-{number}"
        exact = {
            "path": {"type": "Exact", "value": f"/v1/{name}"},
            "method": "POST",
            "headers": [{"name": "x-tenant", "value": "a"}],
        }
        backend = {"name": name, "port": 8080}
        rules = [
            {"matches": [exact], "backendRefs": [backend]},
            {"matches": [{"path": {"type": "PathPrefix", "value": f"/v1/{name}/"}}], "backendRefs": [backend]},
        ]
        yield {
            "apiVersion": f"{group}/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {
                "parentRefs": [{"name": f"h{host}"}],
                "hostnames": [f"h{host}.example.com"],
                "rules": rules,
            },
        }


def lines(count: int) -> Iterator[bytes]:
    """Requests to routes in turn; one in five to a path that none has."""
    for number in range(REQUESTS):
        route = (number * 7919) % count
        path = f"/v2/none-{number}" if not number % 5 else f"/v1/orders-{route}" + ("/items?x=1" if number % 2 else "")
        yield json.dumps(
            {
                "id": f"r{number}",
                "method": "GET" if number % 2 else "POST",
                "url": f"https://h{route % HOSTS}.example.com{path}",
                "headers": {"Accept": "application/json", "X-Tenant": "a"},
            }
        ).encode()


def under(*semantics: str) -> Callable[[int], Callable[[bytes], str]]:
    """The package, under these semantics or all."""

    def made(count: int) -> Callable[[bytes], str]:
        from apiops_components.semantics.lines import answer_line
        from apiops_components.semantics.resources import Resources
        from apiops_components.semantics.simulation import SEMANTICS, Simulation

        simulation = Simulation(Resources.of(manifests(count)), semantics or tuple(SEMANTICS))
        return lambda line: answer_line(simulation, line, 1)[0]

    return made


def linear(count: int) -> Callable[[bytes], str]:
    """Every match of every route asked in turn, in plain Python."""
    found = []
    for item in manifests(count):
        if item["kind"] == "HTTPRoute":
            for rule in item["spec"]["rules"]:
                found += [(item["spec"]["hostnames"], match, item["metadata"]["name"]) for match in rule["matches"]]

    def answer(line: bytes) -> str:
        request = json.loads(line)
        host, _, path = request["url"].removeprefix("https://").partition("/")
        path = "/" + path.partition("?")[0]
        headers = {name.lower(): value for name, value in request["headers"].items()}
        for hosts, match, name in found:
            expected = match["path"]["value"]
            whole = match["path"]["type"] == "Exact"
            if (
                host in hosts
                and (path == expected if whole else f"{path}/".startswith(expected))
                and match.get("method") in (None, request["method"])
                and all(headers.get(item["name"]) == item["value"] for item in match.get("headers", ()))
            ):
                return json.dumps({"id": request["id"], "route": name})
        return json.dumps({"id": request["id"], "route": None})

    return answer


def only_json(count: int) -> Callable[[bytes], str]:
    """Each line read, and lines as long as the answers written."""
    answers = under()(count)
    sample = [json.loads(answers(line)) for line in list(lines(count))[:10]]
    numbers = iter(range(10**9))
    return lambda line: json.dumps(sample[next(numbers) % 10]) if json.loads(line) else ""


CASES: dict[str, tuple[Callable[[int], Callable[[bytes], str]], int]] = {
    "all semantics": (under(), REQUESTS),
    "specification alone": (under("spec"), REQUESTS),
    "linear scan in Python": (linear, 500),
    "json.loads and json.dumps": (only_json, REQUESTS),
}
BUDGETS = {"all semantics": "20,000 a second; 1.5 times as long at most"}


def run(case: str, count: int) -> None:
    """Prints microseconds a request, seconds to get ready, and MiB."""
    make, most = CASES[case]
    start = time.perf_counter()
    answer = make(count)
    ready = time.perf_counter() - start
    work = list(lines(count))[:most]
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # as the command line sets it
    best = min(_once(answer, work) for _ in range(3))
    print(best / len(work) * 1e6, ready, peak())


def _once(answer: Callable[[bytes], str], work: list[bytes]) -> float:
    start = time.process_time()  # of the processor: other programs on the machine shall not count
    for line in work:
        answer(line)
    return time.process_time() - start


def main() -> None:
    print(f"{'µs a request (a second)':30}{''.join(f'{size:>12,} routes' for size in SIZES)}   times  ready s   budget")
    for name in CASES:
        found = [[float(part) for part in measured(own(__file__, name, size)).output.split()] for size in SIZES]
        cells = "".join(f"{micro:9.1f} ({1e6 / micro:7,.0f})" for micro, _, _ in found)
        times = found[-1][0] / found[0][0]
        print(f"{name:30}{cells} {times:7.2f} {found[-1][1]:8.1f}   {BUDGETS.get(name, '')}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(sys.argv[1], int(sys.argv[2]))
    else:
        main()
