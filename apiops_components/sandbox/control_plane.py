"""A sandbox put together: up, status, down."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import ValidationError

from apiops_components.documents import dump
from apiops_components.errors import ApiOpsError, NotRunnable, Problem
from apiops_components.sandbox import definitions
from apiops_components.sandbox.build import Workshop
from apiops_components.sandbox.certificates import kubeconfig, make_certificates, write_private
from apiops_components.sandbox.contents import install, nodes_ready
from apiops_components.sandbox.folders import CACHE_VARIABLE, Cache, Folder, file_errors
from apiops_components.sandbox.kube import Cluster, wait_for
from apiops_components.sandbox.locks import locked
from apiops_components.sandbox.plan import Service, State, port_names, services
from apiops_components.sandbox.probes import Prober, free_ports
from apiops_components.sandbox.processes import Processes
from apiops_components.sandbox.programs import FULL, SLIM
from apiops_components.sandbox.progress import Progress

__all__ = ["ProcessStatus", "Sandbox", "telling"]

_PATIENCE = 120
"""Seconds that a process may take until it is ready, on a machine that is busy."""
_ATTEMPTS = 3
_TAKEN = ("address already in use", "bind: ")
_NO_SPACE = "no space left on device"
_TELLING = re.compile(r"error|fatal|panic|fail|denied|refused|invalid", re.IGNORECASE)


class _PortTakenError(Exception):
    """Somebody else took a port between its choice and its use."""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process as it is now.

    Attributes:
        name: In the sandbox.
        state: ``ready``, ``not ready`` or ``dead``.
        pid: Its id, or None.
        port: It answers on.
        megabytes: Resident.
        log: Where it writes.
    """

    name: str
    state: str
    pid: int | None
    port: int
    megabytes: int
    log: str


class Sandbox:
    """One sandbox of this user, by name."""

    def __init__(self, cache: Cache, name: str, environment: Mapping[str, str], progress: Progress) -> None:
        self.name = name
        self.cache = cache
        self.folder: Folder = cache.sandbox(name)
        self.environment = environment
        self.progress = progress
        self.processes = Processes(self.folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes this sandbox meanwhile."""

        def waiting() -> None:
            self.progress.say(f"another run works on sandbox {self.name!r}; waiting for it")

        with locked(self.folder.lock, waiting):
            try:
                yield
            finally:
                if not self.folder.root.exists():
                    self.folder.lock.unlink(missing_ok=True)

    def state(self) -> State | None:
        """What was chosen for it; None where there is no such sandbox.

        Raises:
            NotRunnable: It is not readable.
        """
        with file_errors("the sandbox cannot be read"):
            if not self.folder.state.is_file():
                return None
            text = self.folder.state.read_bytes()
        try:
            return State.model_validate_json(text)
        except ValidationError:
            hint = f"take it down and up again: apiopsctl sandbox down --name {self.name}"
            problem = Problem("is damaged", code="sandbox/state", hint=hint, file=str(self.folder.state))
            raise NotRunnable(problem) from None

    def required(self) -> State:
        """What was chosen for it.

        Raises:
            NotRunnable: There is no such sandbox, or it is not readable.
        """
        state = self.state()
        if state is None:
            there = ", ".join(self.cache.names()) or "none"
            message = f"there is no sandbox {self.name!r}; there: {there}"
            hint = f"apiopsctl sandbox up --name {self.name}"
            raise NotRunnable(Problem(message, code="sandbox/missing", hint=hint))
        return state

    def up(self, *, full: bool, fsync: bool | None = None, crds: Sequence[Path] = ()) -> Path:
        """Makes it run, whatever of it runs already; its kubeconfig.

        Raises:
            NotRunnable: It cannot; then nothing that this run started is left.
        """
        for folder in crds:
            next(definitions.read(folder))
        with self.locked():
            before = self.state()
            state = self._choose(before, full=full, fsync=fsync, crds=crds)
            try:
                with file_errors("the sandbox cannot be written"):
                    self._run(state)
            except BaseException:
                self._stop_all()
                if before is None:
                    self._remove()
                raise
        return self.folder.kubeconfig

    @contextmanager
    def ready(self) -> Iterator[None]:
        """All of it runs, started again where it does not, and nobody else changes it meanwhile.

        Raises:
            NotRunnable: There is no such sandbox, it has no controllers, or it does not start.
        """
        with self.locked():
            state = self.required()
            if not state.full:
                message = f"sandbox {self.name!r} is slim: nothing there makes pods or follows Git"
                hint = f"apiopsctl sandbox up --name {self.name}"
                raise NotRunnable(Problem(message, code="sandbox/slim", hint=hint))
            if any(process.state != "ready" for process in self.status()):
                try:
                    with file_errors("the sandbox cannot be written"):
                        self._run(state)
                except BaseException:
                    self._stop_all()
                    raise
            yield

    def start_what_ended(self) -> None:
        """Starts processes again that have ended meanwhile; some end by themselves when the API server was away."""
        for service in services(self.required(), self.folder):
            if self.processes.find(service.name) is None:
                self.progress.say(f"{service.name} has ended and is started again")
                self.processes.start(service)

    def down(self) -> bool:
        """Ends everything of it and removes it; whether there was anything.

        Raises:
            NotRunnable: Its folder cannot be removed.
        """
        if not self.folder.root.exists():
            return False
        with self.locked(), file_errors("the sandbox cannot be removed"):
            self._stop_all()
            self._remove()
        return True

    def _remove(self) -> None:
        if self.folder.root.exists():
            shutil.rmtree(self.folder.root)

    def status(self) -> list[ProcessStatus]:
        """Its processes as they are now, in the order of their start.

        Raises:
            NotRunnable: There is no such sandbox.
        """
        state = self.required()
        prober = Prober(self.folder.certificates)
        return [self._status(service, prober) for service in services(state, self.folder)]

    def cluster(self) -> Cluster:
        """A client of its API server."""
        return Cluster(self.folder.kubeconfig)

    # --- choices -----------------------------------------------------------------------------------------------------

    def _choose(self, before: State | None, *, full: bool, fsync: bool | None, crds: Sequence[Path]) -> State:
        full = full or (before is not None and before.full)
        workshop = Workshop(self.cache, self.environment, self.progress)
        programs = workshop.programs(FULL if full else SLIM)
        stages: tuple[str, ...] = ()
        folders = [definitions.fetch(bundle, self.cache, workshop) for bundle in definitions.INSTALLED]
        if crds:
            folders += [folder.resolve() for folder in crds]
        elif before is not None and len(before.definitions) > len(folders):
            folders = [Path(folder) for folder in before.definitions]
        elif found := definitions.ngrok(self.cache, self.environment, self.progress):
            folders.append(found)
        if full:
            folder = definitions.fetch(definitions.STAGES, self.cache, workshop)
            stages = tuple(str(file) for file in sorted(folder.iterdir()))
        ports = dict(before.ports) if before else {}
        ports |= free_ports(tuple(name for name in port_names(full=full) if name not in ports))
        return State(
            name=self.name,
            full=full,
            fsync=fsync if fsync is not None else bool(before and before.fsync),
            ports=ports,
            programs={name: str(path) for name, path in programs.items()},
            stages=stages,
            definitions=tuple(map(str, folders)),
        )

    # --- running -----------------------------------------------------------------------------------------------------

    def _run(self, state: State) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._prepare(state)
                self._start(state)
            except _PortTakenError as error:
                self._stop_all()
                if attempt == _ATTEMPTS:
                    hint = "run it again; if it stays so, see which program takes every free port at once"
                    raise NotRunnable(Problem(str(error), code="sandbox/port", hint=hint)) from None
                self.progress.say(f"{error}; taking others")
                state = state.model_copy(update={"ports": free_ports(tuple(state.ports))})
            else:
                return

    def _prepare(self, state: State) -> None:
        folder = self.folder
        for part in (folder.root, folder.logs, folder.records, folder.root / "etcd", folder.bin):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Argo CD looks for it even where no commit is verified.
        wrapper = folder.bin / "git-verify-wrapper.sh"
        wrapper.write_text("#!/bin/sh\nexit 0\n")
        wrapper.chmod(0o700)
        if state.full:
            # Git asks a program of this name for the password of a repository.
            program = folder.bin / "argocd"
            program.unlink(missing_ok=True)
            program.symlink_to(state.programs["argocd"])
        write_private(folder.state, state.model_dump_json(indent=2).encode())
        if not (folder.certificates / "service-accounts.key").is_file():  # the last that is written
            shutil.rmtree(folder.certificates, ignore_errors=True)
            folder.certificates.mkdir(mode=0o700)
            make_certificates(folder.certificates)
        config = kubeconfig(state.name, state.ports["kube-apiserver"], folder.certificates)
        write_private(folder.kubeconfig, dump(config).encode())

    def _start(self, state: State) -> None:
        wanted = services(state, self.folder)
        prober = Prober(self.folder.certificates)
        for service in wanted[: len(SLIM)]:
            self._ensure([service], prober)
        cluster = self.cluster()
        install(state, self.folder, cluster)
        self._ensure(wanted[len(SLIM) :], prober)
        if state.full and not wait_for(lambda: nodes_ready(cluster), seconds=_PATIENCE):
            raise NotRunnable(Problem(f"the nodes were not ready within {_PATIENCE} s", code="sandbox/start"))

    def _ensure(self, wanted: Iterable[Service], prober: Prober) -> None:
        wanted = list(wanted)
        for service in wanted:
            process = self.processes.find(service.name)
            if process and _command(process) != list(service.command):  # of another version or with other ports
                self.processes.stop([service.name])
                process = None
            if process is None:
                self.processes.start(service)
        for service in wanted:
            wait_for(lambda service=service: self._settled(service, prober), seconds=_PATIENCE, pause=0.1)  # type: ignore[misc]
            if not prober.is_ready(service.probe) or self.processes.exited(service.name):
                self._tell(service)

    def _settled(self, service: Service, prober: Prober) -> bool:
        return self.processes.exited(service.name) or prober.is_ready(service.probe)

    def _tell(self, service: Service) -> None:
        whole = self.processes.last_words(service.name, lines=500)
        if _NO_SPACE in whole:
            hint = f"free some space, or set {CACHE_VARIABLE} to a folder on another disk; then run it again"
            message = f"{service.name}: the disk is full"
            raise NotRunnable(Problem(message, code="sandbox/disk", hint=hint, file=str(self.folder.root)))
        if self.processes.exited(service.name):
            if any(text in whole for text in _TAKEN):
                raise _PortTakenError(f"somebody took a port of {service.name} between its choice and its use")
            what = f"{service.name} ended at once"
        else:
            what = f"{service.name} was not ready within {_PATIENCE} s"
        said = "\n".join(telling(whole))
        hint = f"run it again; if it stays so: apiopsctl sandbox down --name {self.name}, and up again"
        raise NotRunnable(Problem(f"{what}. It said:\n{said}\n", code="sandbox/start", hint=hint))

    def _stop_all(self) -> None:
        # Clients first: an API server waits for those that watch.
        known = [service.name for service in reversed(self._known())]
        rest = [name for name in self.processes.names() if name not in known]
        self.processes.stop([*known, *rest])

    def _known(self) -> list[Service]:
        try:
            state = self.state()
        except ApiOpsError:
            state = None
        return services(state, self.folder) if state else []

    def _status(self, service: Service, prober: Prober) -> ProcessStatus:
        process = self.processes.find(service.name)
        megabytes, pid = 0, None
        if process is not None:
            try:
                megabytes, pid = process.memory_info().rss >> 20, process.pid
            except psutil.Error:
                process = None
        state = "dead" if process is None else "ready" if prober.is_ready(service.probe) else "not ready"
        log = str(self.processes.log(service.name))
        return ProcessStatus(service.name, state, pid, service.probe.port, megabytes, log)


def telling(log: str, most: int = 5) -> list[str]:
    """The lines of a log that most likely say what went wrong: the last ones with such a word, or the last ones."""
    lines = [line[:500] for line in log.splitlines() if line.strip() and not line.startswith("\t")]
    return [line for line in lines if _TELLING.search(line)][-most:] or lines[-most:]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
