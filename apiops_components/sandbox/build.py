"""Programs: found where the user has them, or built once into the cache."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from apiops_components.errors import NotRunnable, Problem
from apiops_components.sandbox.folders import CACHE_VARIABLE, Cache, file_errors
from apiops_components.sandbox.go_tool import GoTool
from apiops_components.sandbox.locks import locked
from apiops_components.sandbox.programs import Program, go_folder
from apiops_components.sandbox.progress import Progress

__all__ = ["FOLDER_VARIABLE", "Workshop", "key"]

FOLDER_VARIABLE = "APIOPS_SANDBOX_BIN"
"""Names a folder with programs; looked into before PATH."""
_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")
_LEAST_SPACE = 1 << 30
"""Bytes; the programs alone take half of it, Go's own caches several times as much where they are elsewhere."""


def key(program: Program) -> str:
    """What a built program is filed under: another version, source or machine is another key."""
    content = hashlib.sha256(repr((program, platform.system(), platform.machine())).encode())
    for file in sorted(go_folder(program.go).iterdir()):
        content.update(file.name.encode() + file.read_bytes())
    return f"{program.name}-{program.version}-{content.hexdigest()[:12]}"


class Workshop:
    """Where programs come from."""

    def __init__(self, cache: Cache, environment: Mapping[str, str], progress: Progress) -> None:
        self._cache = cache
        self._environment = environment
        self._progress = progress

    def programs(self, wanted: Iterable[Program]) -> dict[str, Path]:
        """The executable of each; built where there is none yet.

        Raises:
            NotRunnable: One cannot be built.
        """
        wanted = list(wanted)
        found = {program.name: path for program in wanted if (path := self._find(program))}
        missing = [program for program in wanted if program.name not in found]
        if missing:
            self._announce(missing)
        return found | {program.name: self._build(program) for program in missing}

    def go(self) -> GoTool:
        """The go program.

        Raises:
            NotRunnable: There is none.
        """
        return GoTool(self._environment)

    def _announce(self, missing: list[Program]) -> None:
        self.go()
        names = ", ".join(program.name for program in missing)
        minutes = max(1, round(sum(program.minutes for program in missing)))
        self._progress.say(
            f"Building {names} from source, once: about {minutes} min on 2 cores, less where Go has built some of it "
            f"before. Later runs take them from {self._cache.programs}"
        )
        with file_errors("the cache cannot be made"):
            self._cache.programs.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self._cache.programs).free
        if free < _LEAST_SPACE:
            message = f"only {free >> 20} MB are free where the programs go, and {_LEAST_SPACE >> 20} MB are needed"
            hint = f"free some space, or set {CACHE_VARIABLE} to a folder on another disk"
            raise NotRunnable(Problem(message, code="sandbox/disk", hint=hint, file=str(self._cache.programs)))

    def _find(self, program: Program) -> Path | None:
        named, path_variable = (self._environment.get(name, "") for name in (FOLDER_VARIABLE, "PATH"))
        for folder in filter(None, (named, *path_variable.split(os.pathsep))):
            path = Path(folder) / program.name
            if path.is_file() and os.access(path, os.X_OK):
                if self._is_pinned(program, path):
                    return path.absolute()
                self._progress.say(f"{path} is not {program.name} {program.version} and is left alone")
        built = self._built(program)
        if built.exists():
            if self._is_pinned(program, built):
                return built
            self._progress.say(f"{built} does not run: the cache is damaged, and it is built again")
            with file_errors("the damaged program cannot be removed"):
                built.unlink()
        return None

    def _built(self, program: Program) -> Path:
        return self._cache.programs / key(program) / program.name

    def _is_pinned(self, program: Program, path: Path) -> bool:
        try:
            done = subprocess.run(
                [path, *program.version_arguments],
                env={**self._environment, **program.environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0 and program.is_version(done.stdout + done.stderr)

    def _build(self, program: Program) -> Path:
        built = self._built(program)

        def waiting() -> None:
            self._progress.say(f"another run builds {program.name}; waiting for it")

        with locked(built.parent.with_name(f"{built.parent.name}.lock"), waiting):
            if built.exists() and self._is_pinned(program, built):
                return built
            with file_errors(f"{program.name} cannot be put into the cache"):
                for left in self._cache.programs.glob(f".{key(program)}.*"):  # of a run that was broken off
                    shutil.rmtree(left)
                work = Path(tempfile.mkdtemp(prefix=f".{key(program)}.", dir=self._cache.programs))
                try:
                    self._compile(program, work)
                    if not self._is_pinned(program, work / program.name):
                        message = f"what was built does not call itself {program.name} {program.version}"
                        raise NotRunnable(Problem(message, code="sandbox/build", hint="please report it"))
                    built.parent.mkdir(exist_ok=True)
                    (work / program.name).replace(built)
                finally:
                    shutil.rmtree(work, ignore_errors=True)
        return built

    def _compile(self, program: Program, work: Path) -> None:
        go, folder = self.go(), go_folder(program.go)
        flags = [*_FLAGS, "-ldflags", " ".join(("-s -w", *program.linker)), *self._patched(program, go, work)]
        doing = f"building {program.name} {program.version}"
        parts = 0
        if self._progress.on_terminal:
            listed = ["list", "-deps", *flags, "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", program.package]
            parts = len(go.run(doing, listed, folder).split())
        with self._progress.step(doing, parts) as advance:
            command = ["build", "-v", *flags, "-o", str(work / program.name), program.package]
            go.run(doing, command, folder, on_line=lambda _: advance())

    def _patched(self, program: Program, go: GoTool, work: Path) -> list[str]:
        """Flags that make Go build a copy of a module with its patches instead of the module."""
        replaced: dict[str, Path] = {}
        folder = go_folder(program.go)
        for patch in program.patches:
            copy = replaced.setdefault(patch.module, work / "source" / str(len(replaced)))
            if not copy.exists():
                skipped = shutil.ignore_patterns("docs", "test", "testdata", "*_test.go")
                shutil.copytree(go.module(patch.module, folder), copy, ignore=skipped, copy_function=shutil.copyfile)
                for path in (copy, *copy.rglob("*/")):  # the module cache is read-only
                    path.chmod(0o755)
            file = copy / patch.file
            text = file.read_text()
            if text.count(patch.old) != 1:
                raise NotRunnable(Problem(f"{patch.module}/{patch.file} does not hold {patch.old!r} once"))
            file.write_text(text.replace(patch.old, patch.new))
        if not replaced:
            return []
        lines = "".join(f"\nreplace {module} => {path}\n" for module, path in replaced.items())
        (work / "go.mod").write_text((folder / "go.mod").read_text() + lines)
        shutil.copyfile(folder / "go.sum", work / "go.sum")
        return [f"-modfile={work / 'go.mod'}"]
