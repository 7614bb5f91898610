"""Definitions of kinds, and kwok's stages: taken from their Go modules once, ngrok's from its chart or a folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apiops_components import versions
from apiops_components.documents import load_all
from apiops_components.errors import NotRunnable, Problem
from apiops_components.models.operator import NgrokOperatorSpec
from apiops_components.sandbox.build import Workshop
from apiops_components.sandbox.folders import Cache, file_errors
from apiops_components.sandbox.programs import go_folder
from apiops_components.sandbox.progress import Progress

__all__ = ["INSTALLED", "STAGES", "Bundle", "fetch", "ngrok", "read"]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files of a Go module.

    Attributes:
        name: And version: what they are kept under.
        go: Folder below ``go/`` whose ``go.mod`` names the version.
        module: The module.
        patterns: Of the files, inside the module.
    """

    name: str
    go: str
    module: str
    patterns: tuple[str, ...]


GATEWAY_API = Bundle(
    name=f"gateway-api-{versions.GATEWAY_API}",
    go="gateway-api",
    module="sigs.k8s.io/gateway-api",
    patterns=("config/crd/standard/*.yaml",),
)
ARGOCD = Bundle(
    name=f"argo-cd-{versions.SANDBOX_ARGOCD}",
    go="argocd",
    module="github.com/argoproj/argo-cd/v3",
    patterns=("manifests/crds/*-crd.yaml",),
)
INSTALLED = (GATEWAY_API, ARGOCD)
STAGES = Bundle(
    name=f"kwok-{versions.SANDBOX_KWOK}",
    go="kwok",
    module="sigs.k8s.io/kwok",
    patterns=tuple(f"kustomize/stage/{stage}/*-*.yaml" for stage in ("node/fast", "node/heartbeat", "pod/fast")),
)


def fetch(bundle: Bundle, cache: Cache, workshop: Workshop) -> Path:
    """The folder with the files of a bundle.

    Raises:
        NotRunnable: The module cannot be had.
    """
    kept = cache.definitions / bundle.name
    if kept.is_dir():
        return kept
    source = workshop.go().module(bundle.module, go_folder(bundle.go))
    files = [file for pattern in bundle.patterns for file in sorted(source.glob(pattern))]
    if not files:
        raise NotRunnable(Problem(f"{bundle.module} holds none of {', '.join(bundle.patterns)}"))
    return _keep(files, kept)


def _keep(files: list[Path], kept: Path) -> Path:
    """Puts files into the cache, whole or not at all; definitions as JSON, since reading YAML takes seconds."""
    parsed = {} if kept.name == STAGES.name else {file.stem: list(_objects(file)) for file in files}
    with file_errors("definitions cannot be put into the cache"):
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".", dir=kept.parent))
        try:
            for name, objects in parsed.items():
                (part / f"{name}.json").write_text(json.dumps(objects))
            for file in () if parsed else files:
                shutil.copyfile(file, part / file.name)
            part.chmod(0o755)
            part.rename(kept)
        except OSError:
            if not kept.is_dir():  # where it is, another run was faster
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return kept


def ngrok(cache: Cache, environment: Mapping[str, str], progress: Progress) -> Path | None:
    """The folder with ngrok's definitions, from its chart by ``helm``; None where it cannot be had."""
    kept = cache.definitions / f"ngrok-crds-{versions.NGROK_CRDS_CHART}"
    if kept.is_dir():
        return kept
    helm = shutil.which("helm", path=environment.get("PATH", os.defpath))
    reason = "helm is not on PATH"
    if helm:
        with tempfile.TemporaryDirectory() as folder:
            chart = NgrokOperatorSpec().crds
            where = ["--repo", str(chart.repository), "--version", str(chart.version)]
            command = [helm, "template", chart.name, chart.name, *where, "--output-dir", folder]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
                reason = done.stderr.strip()
            except subprocess.TimeoutExpired:
                reason = "its chart's server does not answer"
            if files := sorted(Path(folder).rglob("*.yaml")):
                return _keep(files, kept)
    progress.say(
        f"warning: ngrok's definitions are left out ({reason}), so its kinds are unknown here; "
        "name a folder with them: apiopsctl sandbox up --crds DIR"
    )
    return None


def read(folder: Path) -> Iterator[Any]:
    """Every object of the files of a folder.

    Raises:
        NotRunnable: The folder or a file in it is not readable, or there is none.
    """
    with file_errors("definitions cannot be read"):
        kept = sorted(folder.glob("*.json"))
        files = kept or sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    if not files:
        raise NotRunnable(Problem("no YAML file is in it", code="sandbox/crds", file=str(folder)))
    for file in files:
        yield from _objects(file)


def _objects(file: Path) -> Iterator[Any]:
    with file_errors("definitions cannot be read"):
        text = file.read_bytes()
    if file.suffix == ".json":
        try:
            found = json.loads(text)
        except ValueError as error:
            hint = "remove the file, or the folder where it is in the cache, and run it again"
            raise NotRunnable(Problem(f"is damaged: {error}", code="sandbox/crds", hint=hint, file=str(file))) from None
        yield from found if isinstance(found, list) else [found]
        return
    for document in load_all(text, str(file)):
        if document.value is not None:
            yield document.value
