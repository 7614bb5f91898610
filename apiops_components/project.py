"""A project on disk: its settings, and the pure function by which it describes itself.

``render``, ``check``, ``simulate`` and the Pulumi programs all come through here, so that what is previewed and what
is deployed cannot drift apart (design decisions 10 and 11). Nothing here imports pulumi.
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from apiops_components.documents import Document, load_all
from apiops_components.errors import ApiOpsError, InvalidInput, NotRunnable, Problem, problems_of, shown
from apiops_components.importing import program_path

if TYPE_CHECKING:
    from apiops_components.models.description import Description
    from apiops_components.models.environment import Environment
    from apiops_components.models.guardrail import Guardrail

__all__ = ["ENVIRONMENT_KEY", "Project", "Settings", "encrypted_settings", "parse_environment"]

ENVIRONMENT_KEY = "apiops:environment"
"""The one plain key of the stack configuration that holds an environment's settings."""


@dataclass(frozen=True)
class Settings:
    """One ``Pulumi.<env>.yaml``.

    Attributes:
        environment: The typed settings.
        config: Every plain key of the file; never a secret, even where one stands in clear.
        secrets: The keys whose values are encrypted, and those of the secrets that the settings declare.
        file: Where it was read from.
        warnings: What is wrong, and still lets everything run.
    """

    environment: Environment
    config: Mapping[str, Any]
    secrets: frozenset[str]
    file: Path
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Project:
    """A folder with a ``Pulumi.yaml``.

    Attributes:
        root: The folder.
        name: The project's name.
        main: The folder with ``__main__.py`` and ``describe.py``.
        config_dir: The folder with ``Pulumi.<env>.yaml``.
    """

    root: Path
    name: str
    main: Path
    config_dir: Path

    @classmethod
    def find(cls, start: Path) -> Project:
        """The project of the nearest folder, upwards, with a ``Pulumi.yaml``.

        Raises:
            NotRunnable: There is none, or it is not readable.
        """
        start = start.resolve()
        for folder in (start, *start.parents):
            if (folder / "Pulumi.yaml").is_file():
                return cls.load(folder)
        raise NotRunnable(
            Problem(
                f"no Pulumi.yaml in {start} or any folder above it",
                code="project/missing",
                hint="run it inside a project, or name one with --project",
            )
        )

    @classmethod
    def load(cls, root: Path) -> Project:
        """The project of this very folder."""
        file = root / "Pulumi.yaml"
        document = _read(file)
        content = document.value
        if not isinstance(content, Mapping) or not isinstance(content.get("name"), str):
            raise NotRunnable(Problem("name: required, but missing", file=_shown(file), code="project/name"))
        return cls(
            root=root,
            name=content["name"],
            main=(root / str(content.get("main") or ".")).resolve(),
            config_dir=(root / str(content.get("stackConfigDir") or ".")).resolve(),
        )

    @cached_property
    def platform(self) -> Project:
        """The project that this one stands inside, or itself: the one that states the guardrails."""
        for folder in self.root.parents:
            if (folder / "Pulumi.yaml").is_file():
                return Project.load(folder)
        return self

    @cached_property
    def teams(self) -> Mapping[str, Project]:
        """The teams' projects, by folder name: every ``teams/*/Pulumi.yaml`` of the program's folder."""
        files = sorted((self.main / "teams").glob("*/Pulumi.yaml"))
        return {file.parent.name: Project.load(file.parent) for file in files}

    @cached_property
    def environments(self) -> tuple[str, ...]:
        """The names of its settings files, sorted."""
        files = self.config_dir.glob("Pulumi.*.yaml")
        return tuple(sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files))

    def settings(self, env: str, *, charts: bool = False) -> Settings:
        """The settings of an environment.

        Args:
            env: Its name.
            charts: Also refuse a path that is no chart. Only what is there now can be installed; older revisions are
                read for what they say.

        Raises:
            NotRunnable: No such environment, or the file is not readable.
            InvalidInput: The file breaks the model; every problem, with its line.
        """
        file = self.config_dir / f"Pulumi.{env}.yaml"
        if not file.is_file():
            known = ", ".join(self.environments) or "none"
            raise NotRunnable(
                Problem(
                    f"unknown environment {env!r}: there is no {_shown(file)}; environments here: {known}",
                    code="project/environment",
                )
            )
        document = _read(file)
        config = document.value.get("config") if isinstance(document.value, Mapping) else None
        if not isinstance(config, Mapping) or ENVIRONMENT_KEY not in config:
            raise InvalidInput(
                Problem(
                    "required, but missing",
                    f'config["{ENVIRONMENT_KEY}"]',
                    "settings/missing",
                    "an environment's settings stand below this key",
                    file=_shown(file),
                )
            )
        encrypted = {key for key, value in config.items() if isinstance(value, Mapping) and value.keys() == {"secure"}}
        root = self.root if charts and self.platform == self else None  # a team's project installs none
        environment = parse_environment(config[ENVIRONMENT_KEY], env, file=file, document=document, charts=root)
        declared = {f"apiops:{name}" for name in environment.secrets}
        in_clear = tuple(
            Problem(
                "this secret stands in the file in clear, for everyone who reads the repository",
                f'config["{key}"]',
                "settings/secret-in-clear",
                f"change the value where it came from, then: pulumi config set -s {env} --secret {key}",
                _shown(file),
                document.line(f'config["{key}"]'),
            )
            for key in sorted(declared & config.keys() - encrypted)
        )
        plain = {key: value for key, value in config.items() if key not in encrypted | declared}
        return Settings(environment, plain, frozenset(encrypted | declared), file, in_clear)

    def describe(self, env: str | Environment) -> Description:
        """What this project alone holds in an environment: the answer of its ``describe.py``.

        Args:
            env: Name of an environment, whose settings are then read; or the settings, where Pulumi has read them.

        Raises:
            NotRunnable: ``describe.py`` is missing, or cannot be run.
            InvalidInput: What it makes breaks a model; the problem names the line.
        """
        return _call_describe(self, self.settings(env).environment if isinstance(env, str) else env)

    def descriptions(self, env: str, team: str | None = None) -> list[Description]:
        """What is held in an environment: by the platform and its teams, or by one team alone.

        A team takes part where the environment's settings name it. In a team's own project there is only that team.
        """
        if team is not None:
            return [self.of_team(team).describe(env)]
        own = self.describe(env)
        here = own.environment.teams
        return [own, *(project.describe(env) for name, project in self.teams.items() if name in here)]

    def of_team(self, team: str) -> Project:
        """The project of a team: one of those here, or this one where it is the team's own.

        Raises:
            NotRunnable: There is none of this name.
        """
        if self.platform != self:
            if team == self.root.name:
                return self
            message = f"this folder is the project of team {self.root.name!r}, not of {team!r}"
            raise NotRunnable(Problem(message, code="project/team", hint="run it in the platform's folder"))
        if team not in self.teams:
            known = ", ".join(self.teams) or "none"
            raise NotRunnable(Problem(f"unknown team {team!r}; teams here: {known}", code="project/team"))
        return self.teams[team]

    def warnings(self, env: str) -> tuple[Problem, ...]:
        """What is wrong in an environment's settings, and still lets everything run.

        Raises:
            ApiOpsError: Something else is: as `settings`, of the charts that are there, too.
        """
        settings = self.settings(env, charts=True)
        named = settings.environment.teams.keys()
        without_folder = ", ".join(sorted(named - self.teams.keys()))
        if not without_folder:
            return settings.warnings
        left_out = tuple(
            Problem(
                f"team {team!r} is left out: the settings name {without_folder}, which has no folder, and not it",
                'config["apiops:environment"].teams',
                "settings/team-left-out",
                "is the name misspelt?",
                _shown(settings.file),
            )
            for team in sorted(self.teams.keys() - named)
        )
        return (*settings.warnings, *left_out)

    def guardrails(self, env: str | Environment) -> tuple[Guardrail, ...]:
        """The platform's guardrails: stated by the enclosing project, whichever project asks."""
        return self.platform.describe(env).guardrails

    def unknown_names(self, rules: Iterable[Guardrail]) -> list[Problem]:
        """Names in guardrails that nothing here has: such a guardrail never acts, and such a waiver never waives."""
        known = {"environment": set(self.platform.environments), "team": set(self.platform.teams)}
        for env in self.platform.environments:
            with suppress(ApiOpsError):  # what is wrong there is told where that environment is asked for
                known["team"] |= self.platform.settings(env).environment.teams.keys()
        return [
            Problem(
                f"no {kind} is called {name!r}, so this never applies",
                f"guardrails[{index}].{field}[{position}]",
                "guardrail/unknown-name",
                f"known: {', '.join(sorted(known[kind])) or 'none'}",
                document=type(rule).__name__,
            )
            for index, rule in enumerate(rules)
            for field, kind, names in (
                ("environments", "environment", rule.environments),
                ("teams", "team", rule.teams),
                ("waivers", "team", [waiver.team for waiver in rule.waivers]),
            )
            for position, name in enumerate(names)
            if name not in known[kind]
        ]


def parse_environment(
    value: Any, env: str, *, file: Path | None = None, document: Document | None = None, charts: Path | None = None
) -> Environment:
    """Typed settings from the value of ``apiops:environment``, whoever read it: this module, or Pulumi's own config.

    Args:
        value: What stands there.
        env: The environment's name.
        file: Where it was read from.
        document: What was read, for the lines.
        charts: Folder that paths of charts are relative to; without it nobody looks at them.

    Raises:
        InvalidInput: Every problem; with file and line where the document is given.
    """
    from apiops_components.models.environment import Environment  # noqa: PLC0415  (loads every settings model)

    prefix = f'config["{ENVIRONMENT_KEY}"]'

    def placed(problem: Problem) -> Problem:
        whole = problem.at(prefix=prefix)
        return whole.at(file=_shown(file) if file else "", line=document.line(whole.path) if document else 0)

    if not isinstance(value, Mapping):
        raise InvalidInput(placed(Problem(f"must be a mapping, got {shown(value)}", code="settings/type")))
    problems = [encrypted_settings(path) for path in _secure_paths(value, "")]
    if charts is not None:
        from apiops_components.charts import environment_chart_problems  # noqa: PLC0415  (loads pydantic)

        problems += environment_chart_problems(value, charts)
    data = {"name": env, **value}
    try:
        environment = Environment.model_validate(data)
    except ValidationError as error:
        raise InvalidInput(map(placed, [*problems, *problems_of(error, data)])) from None
    if environment.name != env:
        problems.append(Problem(f"{environment.name!r} stands in the file of {env!r}", "name", "settings/name"))
    if problems:
        raise InvalidInput(map(placed, problems))
    return environment


def encrypted_settings(path: str) -> Problem:
    """The problem with an encrypted value at this place inside the settings."""
    return Problem(
        "an encrypted value inside the settings would be lost or would encrypt all of them",
        path,
        "settings/secure",
        "make it a key of its own (apiops:<name>), and name it in secrets:",
    )


def _secure_paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        if value.keys() == {"secure"}:
            yield path
        for key, item in value.items():
            yield from _secure_paths(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secure_paths(item, f"{path}[{index}]")


def _read(file: Path) -> Document:
    try:
        documents = list(load_all(file.read_bytes(), _shown(file)))
    except OSError as error:
        raise NotRunnable(Problem(f"cannot be read: {error.strerror}", file=_shown(file))) from None
    if len(documents) != 1:
        raise NotRunnable(Problem(f"one document is expected, {len(documents)} are there", file=_shown(file)))
    return documents[0]


def _shown(file: Path) -> str:
    """The path as a person in this folder would write it."""
    try:
        return str(file.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(file)


# --- describe.py -----------------------------------------------------------------------------------------------------

_numbers = itertools.count()
_PACKAGE = Path(__file__).parent


def _call_describe(project: Project, environment: Environment) -> Description:
    from apiops_components.models.description import Description  # noqa: PLC0415  (loads every model)
    from apiops_components.render.refusal import refusals  # noqa: PLC0415

    file = project.main / "describe.py"
    if not file.is_file():
        raise NotRunnable(
            Problem(
                f"there is no {_shown(file)}",
                code="project/describe",
                hint="a project describes itself there: def describe(environment) -> Description",
            )
        )
    # What a description prints must not end up in a command's output.
    with program_path(project.main), redirect_stdout(sys.stderr):
        try:
            description = _load(file)(environment)
        except ValidationError as error:
            place = _place(error, project.root, file)
            title = error.title
            raise InvalidInput(p.at(file=place[0], line=place[1], document=title) for p in problems_of(error)) from None
        except ApiOpsError as error:
            place = _place(error, project.root, file)
            raise type(error)(problem.at(file=place[0], line=place[1]) for problem in error.problems) from None
        except (Exception, SystemExit) as error:  # noqa: BLE001  (it may raise anything; it is shown with its place)
            name, line = _place(error, project.root, file)
            if isinstance(error, TypeError) and line:  # nearly always a constructor called without what it needs
                raise InvalidInput(Problem(str(error), code="project/describe", file=name, line=line)) from None
            message = f"describe failed with {type(error).__name__}: {error}"
            raise NotRunnable(Problem(message, code="project/describe", file=name, line=line)) from None
    if not isinstance(description, Description):
        got = type(description).__name__
        raise InvalidInput(Problem(f"describe must return a Description, it returned {got}", file=_shown(file)))
    problems = [problem.at(document="Description") for problem in _foreign(project, environment, description)]
    for gateway in description.gateways:
        problems += refusals(gateway)
    if problems:
        raise InvalidInput(problem.at(file=_shown(file)) for problem in problems)
    return description


def _foreign(project: Project, environment: Environment, description: Description) -> Iterator[Problem]:
    """Where a description speaks for another environment or team: guardrails would look in the wrong place."""
    if description.environment != environment:
        message = "must be the settings that describe was given, unchanged"
        yield Problem(message, "environment", "description/environment", "Description(environment=environment, …)")
    if project.platform is not project and description.team != project.root.name:
        yield Problem(
            f"this is the project of team {project.root.name!r}, the description says {description.team!r}",
            "team",
            "description/team",
            f"team={project.root.name!r}",
        )


def _load(file: Path) -> Callable[[Environment], Any]:
    """The function ``describe`` of a file."""
    spec = importlib.util.spec_from_file_location(f"_apiops_describe_{next(_numbers)}", file)
    if spec is None or spec.loader is None:
        raise NotRunnable(Problem("cannot be loaded as Python", file=_shown(file)))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    describe: Callable[[Environment], Any] | None = getattr(module, "describe", None)
    if not callable(describe):
        raise NotRunnable(Problem("has no function describe(environment)", file=_shown(file)))
    return describe


def _place(error: BaseException, root: Path, file: Path) -> tuple[str, int]:
    """File and line of the innermost frame that is the project's own."""
    if isinstance(error, SyntaxError) and error.filename:
        return _shown(Path(error.filename)), error.lineno or 0
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(root) and _is_users(frame.filename)]
    return (_shown(Path(own[-1].filename)), own[-1].lineno or 0) if own else (_shown(file), 0)


def _is_users(filename: str) -> bool:
    parts = Path(filename).parts
    return "site-packages" not in parts and not Path(filename).is_relative_to(_PACKAGE)
