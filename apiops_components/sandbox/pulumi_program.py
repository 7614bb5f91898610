"""The real ``pulumi`` on a project, with its state, its settings and its secrets in the sandbox.

The project itself stays as it is: Pulumi would write into its settings files. It runs in a folder of the sandbox that
holds a ``Pulumi.yaml`` of the same name, whose program is the project's own.
"""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apiops_components.documents import dump, load_all
from apiops_components.errors import NotRunnable, Problem
from apiops_components.project import Project
from apiops_components.sandbox.certificates import write_private
from apiops_components.sandbox.plan import Probe, Service
from apiops_components.sandbox.processes import Processes

__all__ = ["PulumiProgram"]

_RECORD = "pulumi"
_UNFINISHED = "unfinished"
_HINT = "the whole log is beside those of the sandbox's processes: apiopsctl sandbox status"


class PulumiProgram:
    """``pulumi`` on one environment of a project and its teams."""

    def __init__(self, folder: Path, processes: Processes, environment: Mapping[str, str]) -> None:
        program = shutil.which("pulumi", path=environment.get("PATH"))
        if program is None:
            hint = "install it (pulumi.com), or deploy by Argo CD: --by argocd"
            raise NotRunnable(Problem("pulumi is not on PATH", code="sandbox/no-pulumi", hint=hint))
        self._program = program
        self._folder = folder
        self._processes = processes
        (folder / "state").mkdir(parents=True, exist_ok=True)
        passphrase = folder / "passphrase"
        if not passphrase.is_file():
            write_private(passphrase, secrets.token_hex(16).encode())
        self._environment = {
            **environment,
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._environment.pop("PULUMI_CONFIG_PASSPHRASE", None)

    def end_unfinished(self) -> None:
        """Ends what a run that was killed has left running."""
        self._processes.stop([_RECORD])

    def settings(self, project: Project, env: str, kubeconfig: str) -> None:
        """Writes the settings of an environment for all stacks: its plain ones, and secrets of the sandbox's own.

        The cluster is the sandbox, whatever cluster the settings name a kubeconfig of; no other real secret comes here.
        """
        settings = project.settings(env)
        config = self._folder / "config"
        config.mkdir(exist_ok=True)
        file = config / f"Pulumi.{env}.yaml"
        salt = _read(file).get("encryptionsalt") if file.is_file() else None
        kept: dict[str, Any] = {"encryptionsalt": salt} if salt else {}
        file.write_text(dump({**kept, "config": dict(settings.config)}))
        self._mirror(project)
        self._stack(project, env)
        cluster = settings.environment.cluster
        own = cluster.kubeconfig_secret if cluster.kind == "existing" else None
        for name in settings.environment.secrets:
            value = kubeconfig if name == own else "not-a-secret-of-the-sandbox"
            self._run(project, "config", "set", "--secret", f"apiops:{name}", "-s", env, given=value)

    def up(self, project: Project, env: str) -> None:
        """Deploys a stack; what a run that was broken off had begun is taken up.

        Raises:
            NotRunnable: It failed; the end of what it said.
        """
        self._mirror(project)
        self._stack(project, env)
        unfinished = self._shadow(project) / _UNFINISHED
        if unfinished.exists():
            self._run(project, "cancel", "--yes", "-s", env)
            self._run(project, "refresh", "--yes", "--skip-preview", "--clear-pending-creates", "-s", env)
        unfinished.touch()
        self._run(project, "up", "--yes", "--skip-preview", "-s", env)
        unfinished.unlink()

    def _shadow(self, project: Project) -> Path:
        return self._folder / "projects" / project.name

    def _mirror(self, project: Project) -> None:
        shadow = self._shadow(project)
        shadow.mkdir(parents=True, exist_ok=True)
        content = dict(_read(project.root / "Pulumi.yaml"))
        runtime = content.get("runtime")
        options = dict(runtime.get("options") or {}) if isinstance(runtime, Mapping) else {}
        named = (project.root / str(options.get("virtualenv") or ".venv")).resolve()
        options["virtualenv"] = str(named if named.is_dir() else Path(sys.prefix))
        program, config = shadow / "program", shadow / "config"
        for link, target in ((program, project.main), (config, self._folder / "config")):
            link.unlink(missing_ok=True)
            link.symlink_to(target)
        content |= {
            "main": program.name,
            "stackConfigDir": config.name,
            "runtime": {"name": "python", "options": options},
        }
        (shadow / "Pulumi.yaml").write_text(dump(content))

    def _stack(self, project: Project, env: str) -> None:
        listed = self._run(project, "stack", "ls")
        if not any(line.split()[:1] in ([env], [f"{env}*"]) for line in listed.splitlines()):
            self._run(project, "stack", "init", env, "--no-select")

    def _run(self, project: Project, *arguments: str, given: str = "") -> str:
        name = _RECORD
        text = self._folder / "given"
        write_private(text, given.encode())
        command = ("/bin/sh", "-c", 'exec "$@" <"$0"', str(text), self._program, "--non-interactive", "--color=never")
        # Recorded like any other process: a run that is killed leaves none that nobody can find.
        service = Service(
            name, (*command, "-C", str(self._shadow(project)), *arguments), Probe("tcp", 0), self._environment
        )
        self._processes.start(service)
        code = self._processes.wait(name)
        text.unlink()
        if code:
            said = self._processes.last_words(name, lines=40)
            doing = f"pulumi {' '.join(arguments[:2])} of {project.name}"
            raise NotRunnable(Problem(f"{doing} failed:\n{said}", code="sandbox/pulumi", hint=_HINT))
        return self._processes.last_words(name, lines=10_000)


def _read(file: Path) -> Mapping[str, Any]:
    found = next(load_all(file.read_bytes(), str(file))).value
    return found if isinstance(found, Mapping) else {}
