"""Charts on this machine: whether what settings take for one is one, before anything is rendered or registered."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from apiops_components import documents
from apiops_components.errors import ApiOpsError, Problem, join_path
from apiops_components.models.helm import HelmChart

__all__ = ["chart_problems", "environment_chart_problems"]


def environment_chart_problems(settings: object, root: Path) -> Iterator[Problem]:
    """What is wrong with the charts of an environment: typed settings, or what was written and may be invalid.

    Args:
        settings: An `Environment`, or a mapping in its stead.
        root: Folder that their paths are relative to: the project's.
    """
    from apiops_components.models.argocd import ArgoCDSpec  # noqa: PLC0415  (components of other specs need neither)
    from apiops_components.models.operator import NgrokOperatorSpec  # noqa: PLC0415

    yield from chart_problems(NgrokOperatorSpec, _field(settings, "ngrok"), root, "ngrok")
    yield from chart_problems(ArgoCDSpec, _field(settings, "argocd"), root, "argocd")


def chart_problems(model: type[BaseModel], spec: object, root: Path, place: str = "") -> Iterator[Problem]:
    """What is wrong with the charts of one spec that are given by their path; others are Helm's to find.

    Args:
        model: Of the spec.
        spec: One of them, or a mapping in its stead, valid or not.
        root: Folder that paths are relative to.
        place: Of the spec in the settings.
    """
    for name, field in model.model_fields.items():
        if field.annotation is not HelmChart:
            continue
        chart, default = _field(spec, name), field.get_default(call_default_factory=True)
        path, called = _field(chart, "path"), _field(chart, "name") or default.name
        if isinstance(path, str) and isinstance(called, str):
            yield from _problems(_Named(path, called, root), join_path(place, name, "path"))


def _field(given: object, name: str) -> object:
    return given.get(name) if isinstance(given, Mapping) else getattr(given, name, None)


class _Named(NamedTuple):
    path: str
    name: str
    root: Path


def _problems(chart: _Named, place: str) -> Iterator[Problem]:
    path = chart.root / chart.path
    there = _chart_file(path)
    if there is None:
        found = "there is nothing" if not path.exists() else "a folder without Chart.yaml" if path.is_dir() else ""
        message = f"{chart.path!r} is no chart: {found or 'not a chart packed by `helm package`'}"
        yield Problem(message, place, "helm/no-chart", f"a folder or .tgz, relative to {chart.root}")
    elif there.get("name") != chart.name:
        message = f"{chart.path!r} is the chart {there.get('name')!r}, not {chart.name!r}"
        yield Problem(message, place, "helm/other-chart", f"say name: {there.get('name')} if that is meant")
    elif path.is_dir() and (missing := list(_missing(path, there))):
        message = f"the chart lacks what it depends on: {', '.join(missing)}"
        yield Problem(message, place, "helm/dependency", f"helm dependency build {path}")


def _missing(path: Path, chart: Mapping[str, object]) -> Iterator[str]:
    packed = {file.name for file in (path / "charts").glob("*")}
    listed = chart.get("dependencies")
    for entry in listed if isinstance(listed, list) else ():
        name = str(entry.get("name")) if isinstance(entry, Mapping) else ""
        if name and not any(file == name or file.startswith(f"{name}-") for file in packed):
            yield name


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
    except (OSError, EOFError, tarfile.TarError, ValueError, ApiOpsError):
        return None
    return document.value if isinstance(document.value, Mapping) else None
