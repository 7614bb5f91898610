"""Charts on this machine: where they are, and whether they are charts, before anything is registered."""

import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pulumi

from apiops_components import documents
from apiops_components.errors import ApiOpsError, InvalidInput, Problem
from apiops_components.models.environment import Environment
from apiops_components.models.helm import HelmChart
from apiops_components.project import Project

Placed = tuple[str, HelmChart]


def located(path: str) -> str:
    """Where the provider finds a chart that the settings name relative to the project.

    Pulumi starts programs and providers in the folder of ``main``, such as ``stacks/``. The result is relative to that,
    wherever this runs, so that two machines, and the preview in process, register the same inputs.
    """
    if Path(path).is_absolute():
        return path
    root = _root()
    start = Project.load(root).main if (root / "Pulumi.yaml").is_file() else root
    return Path(os.path.relpath(root / path, start)).as_posix()


def require_charts(charts: Iterable[Placed], where: str = "") -> None:
    """Looks at charts given by their path; others are the provider's to find.

    Args:
        charts: Each with its place in the spec.
        where: The component.

    Raises:
        InvalidInput: What is there is no chart, or another; all problems.
    """
    problems = list(_problems(charts))
    if problems:
        raise InvalidInput(problem.at(document=where) if where else problem for problem in problems)


def charts_of(environment: Environment) -> Iterator[Placed]:
    """The charts that the settings name, each with its place in them; none in a team's project, which installs none."""
    root = _root()
    if (root / "Pulumi.yaml").is_file() and Project.load(root).platform.root != root:
        return
    if environment.ngrok is not None:
        yield "ngrok.chart", environment.ngrok.chart
        yield "ngrok.crds", environment.ngrok.crds
    if environment.argocd is not None:
        yield "argocd.chart", environment.argocd.chart


def _root() -> Path:
    return Path(pulumi.runtime.get_root_directory() or ".").resolve()


def _problems(charts: Iterable[Placed]) -> Iterator[Problem]:
    for place, chart in charts:
        if chart.path is None:
            continue
        path = _root() / chart.path
        there = _chart_file(path)
        if there is None:
            found = "there is nothing" if not path.exists() else "a folder without Chart.yaml" if path.is_dir() else ""
            message = f"{chart.path!r} is no chart: {found or 'not a chart packed by `helm package`'}"
            hint = f"a folder or .tgz, relative to {_root()}"
            yield Problem(message, f"{place}.path", "helm/no-chart", hint)
        elif there.get("name") != chart.name:
            message = f"{chart.path!r} is the chart {there.get('name')!r}, not {chart.name!r}"
            yield Problem(
                message, f"{place}.path", "helm/other-chart", f"say name: {there.get('name')} if that is meant"
            )
        elif path.is_dir():
            yield from _missing(path, there, place)


def _missing(path: Path, chart: Mapping[str, object], place: str) -> Iterator[Problem]:
    names = [entry.get("name") for entry in _entries(chart.get("dependencies"))]
    packed = {file.name for file in (path / "charts").glob("*")}
    missing = [str(name) for name in names if not any(file == name or file.startswith(f"{name}-") for file in packed)]
    if missing:
        message = f"the chart lacks what it depends on: {', '.join(missing)}"
        yield Problem(message, f"{place}.path", "helm/dependency", f"helm dependency build {path}")


def _entries(value: object) -> Iterator[Mapping[str, object]]:
    yield from (entry for entry in value if isinstance(entry, Mapping)) if isinstance(value, list) else ()


def _chart_file(path: Path) -> Mapping[str, object] | None:
    """What stands in Chart.yaml; None where there is none."""
    try:
        if path.is_dir():
            content = (path / "Chart.yaml").read_bytes()
        else:
            with tarfile.open(path, "r:gz") as packed:
                (name,) = [name for name in packed.getnames() if name.count("/") == 1 and name.endswith("/Chart.yaml")]
                member = packed.extractfile(name)
                content = member.read() if member else b""
        (document,) = documents.load_all(content.decode())
    except (OSError, tarfile.TarError, ValueError, ApiOpsError):
        return None
    return document.value if isinstance(document.value, Mapping) else None
