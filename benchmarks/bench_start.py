"""How long it takes to start: importing the package and making one model, and ``apiopsctl --help``.

Budgets (design): 0.15 s and 0.12 s. Beside them in the same run: the interpreter alone, pydantic with one field (the
floor of any typed model), click alone (the floor of the command line), and pulumi, which the pure commands must not
pay for.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
MODEL = "from apiops_components import Backend, Route; Route.prefix('/a', Backend.to('a', 80))"
SMALL = "import pydantic; pydantic.create_model('M', a=(int, 1))()"
CASES = {
    "python": [sys.executable, "-c", "pass"],
    "import pydantic": [sys.executable, "-c", "import pydantic; pydantic.BaseModel"],
    "pydantic, one small model": [sys.executable, "-c", SMALL],
    "import click": [sys.executable, "-c", "import click"],
    "import pulumi": [sys.executable, "-c", "import pulumi"],
    "import apiops_components": [sys.executable, "-c", "import apiops_components"],
    "import and one model": [sys.executable, "-c", MODEL],
    "apiopsctl --help": [str(Path(sys.executable).with_name("apiopsctl")), "--help"],
}
BUDGETS = {"import and one model": 0.15, "apiopsctl --help": 0.12}


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    runs: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):  # interleaved, so that what else the machine does hits all alike
        for name, command in CASES.items():
            runs[name].append(seconds(command))
    print(f"{'start':26} {'best':>7} {'median':>7} {'budget':>7}   ({ROUNDS} rounds, seconds)")
    for name, found in runs.items():
        budget = f"{BUDGETS[name]:7.2f}" if name in BUDGETS else ""
        print(f"{name:26} {min(found):7.3f} {statistics.median(found):7.3f} {budget}")


if __name__ == "__main__":
    main()
