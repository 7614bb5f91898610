"""Runs the real programs of a project, ``__main__.py`` of the platform and of its teams, in this process."""

import contextlib
import io
import runpy
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
from pydantic import ValidationError

from apiops_components.components.monitor import TIME_LIMIT, Circumstances, run
from apiops_components.delivery.preview import ProgramPreview
from apiops_components.delivery.recording import Diagnostic, Recording
from apiops_components.errors import ApiOpsError, InvalidInput, NotRunnable, Problem, problems_of
from apiops_components.guardrails.check import collected
from apiops_components.guardrails.finding import Finding
from apiops_components.importing import program_path
from apiops_components.project import Project

ORGANIZATION = "organization"
"""What a self-managed backend calls the organization of every stack."""

# A program sees the process's folder, arguments, path and standard output: one at a time.
_process = threading.Lock()


def preview_programs(project: Project, env: str, *, time_limit: float = TIME_LIMIT) -> tuple[ProgramPreview, ...]:
    """Runs a project's program and those of its teams in an environment; a team's project runs alone.

    A reference to another stack gets what that stack's program exports here: the platform's program runs first.

    Raises:
        ApiOpsError: A program failed, was refused or did not end; with the file and line of its own code.
    """
    exports: dict[str, Mapping[str, Any]] = {}

    def referenced(name: str) -> Mapping[str, Any] | None:
        parts = name.split("/")
        owner, stack = parts[-2] if len(parts) > 1 else project.name, parts[-1]
        return exports.get(owner) if stack == env else None

    def made(part: Project, team: str | None) -> ProgramPreview:
        findings: list[Finding] = []
        recording = record_program(part, env, references=referenced, time_limit=time_limit, findings=findings)
        exports[part.name] = recording.outputs
        return ProgramPreview(team, recording, tuple(findings))

    if project.platform != project:
        made(project.platform, None)
        return (made(project, project.root.name),)
    platform = made(project, None)
    here = project.settings(env).environment.teams
    return (platform, *(made(part, team) for team, part in project.teams.items() if team in here))


def record_program(
    project: Project,
    env: str,
    *,
    references: Callable[[str], Mapping[str, Any] | None],
    time_limit: float = TIME_LIMIT,
    findings: list[Finding] | None = None,
) -> Recording:
    """Runs one program for an environment, with its settings and every declared secret unknown.

    Args:
        project: Whose program.
        env: Name of the environment.
        references: Outputs of another stack by the name that the program uses; None where it is not known.
        time_limit: Seconds until a program that does not end is given up.
        findings: Takes what breaks a guardrail; without it a broken guardrail fails the program, as in a deployment.

    Raises:
        ApiOpsError: The program failed, was refused or did not end.
    """
    file = project.main / "__main__.py"
    if not file.is_file():
        raise NotRunnable(Problem(f"there is no program: {_shown(file)}", code="program/missing"))
    settings = project.settings(env)
    given = Circumstances(
        project=project.name,
        stack=env,
        organization=ORGANIZATION,
        root=str(project.root),
        code=project.main,
        config=settings.config,
        secrets=settings.secrets,
        references=references,
        time_limit=time_limit,
    )
    printed = io.StringIO()
    try:
        with _as_a_process(project.main, printed):
            recording = run(lambda: _execute(file, findings), given)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a program may raise anything; it is shown with its place)
        raise _explained(error, given, file) from None
    lines = tuple(Diagnostic("info", line) for line in printed.getvalue().splitlines() if line.strip())
    recording = _with(recording, lines)
    failures = [d for d in recording.diagnostics if d.severity == "error"]
    if failures:  # an engine fails a deployment whose program logs an error
        raise InvalidInput(Problem(d.message, code="program/error", file=_shown(file)) for d in failures)
    return recording


def _execute(file: Path, findings: list[Finding] | None) -> None:
    # As the language host does: programs ask for `__name__ == "__main__"`.
    if findings is None:
        runpy.run_path(str(file), run_name="__main__")
        return
    with collected() as found:
        runpy.run_path(str(file), run_name="__main__")
    findings += found


@contextlib.contextmanager
def _as_a_process(folder: Path, printed: io.StringIO) -> Iterator[None]:
    """What a program finds in a process of its own: its folder, its arguments, its modules."""
    with _process, program_path(folder), contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        arguments, main = sys.argv, sys.modules["__main__"]
        sys.argv = [str(folder)]
        try:
            yield
        finally:
            sys.argv = arguments
            sys.modules["__main__"] = main  # a program that was given up could not put it back


def _with(recording: Recording, lines: tuple[Diagnostic, ...]) -> Recording:
    return replace(recording, diagnostics=(*lines, *recording.diagnostics)) if lines else recording


def _explained(error: BaseException, given: Circumstances, file: Path) -> ApiOpsError:
    """The error without a traceback: what went wrong, at which line of the program's own code."""
    name, line = _place(error, given, file)
    if isinstance(error, pulumi.RunError) and isinstance(error.__cause__, ApiOpsError):
        error = error.__cause__  # `readable_errors` wraps them for the real engine
    if isinstance(error, ApiOpsError):
        return type(error)(problem.at(file=name, line=line) for problem in error.problems)
    if isinstance(error, ValidationError):
        return InvalidInput(p.at(file=name, line=line, document=error.title) for p in problems_of(error))
    if isinstance(error, pulumi.ConfigMissingError):
        where = "a key with an encrypted value" if error.secret else "a key"
        option = "--secret " if error.secret else ""
        return InvalidInput(
            Problem(
                f"the program requires the configuration {error.key!r}, and there is none in Pulumi.{given.stack}.yaml",
                code="program/config",
                hint=f"{where} of the settings: pulumi config set -s {given.stack} {option}{error.key} ...",
                file=name,
                line=line,
            )
        )
    if isinstance(error, pulumi.ConfigTypeError) and error.key in given.secrets:
        message = f"the value of the secret {error.key!r} is not known here, so it is no {error.expect_type}"
        hint = "read it by require_secret, and convert it inside apply"
        return NotRunnable(Problem(message, code="program/config", hint=hint, file=name, line=line))
    if isinstance(error, KeyError) and _raised_in(error, "stack_reference.py"):
        message = f"the stack that the program refers to has no output {error.args[0]!r}"
        return InvalidInput(Problem(message, code="program/stack-output", file=name, line=line))
    shown = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return NotRunnable(Problem(f"the program failed with {shown}", code="program/failed", file=name, line=line))


def _place(error: BaseException, given: Circumstances, file: Path) -> tuple[str, int]:
    """File and line of the innermost frame that is the program's own, also of what the error was raised from."""
    if isinstance(error, SyntaxError) and error.filename:
        return _shown(Path(error.filename)), error.lineno or 0
    cause: BaseException | None = error
    while cause is not None:
        for frame, line in reversed(list(traceback.walk_tb(cause.__traceback__))):
            if given.owns(frame.f_code.co_filename):
                return _shown(Path(frame.f_code.co_filename)), line
        cause = cause.__cause__ or cause.__context__
    return _shown(file), 0


def _raised_in(error: BaseException, name: str) -> bool:
    return any(Path(frame.filename).name == name for frame in traceback.extract_tb(error.__traceback__))


def _shown(file: Path) -> str:
    """The path as a person in this folder would write it."""
    with contextlib.suppress(ValueError):
        return str(file.resolve().relative_to(Path.cwd()))
    return str(file)
