"""Where the trees of a project stand in its Git repository, and which commit their sources are at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from apiops_components.delivery.git import GitFailed, Repository
from apiops_components.models.environment import Environment, GitSource
from apiops_components.project import Project

__all__ = ["Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """The tree of one environment in the repository of a project.

    Attributes:
        repository: The repository.
        folder: Folder of the tree in it, such as ``deploy/staging``: what Argo CD watches.
        above: Folder of all environments' trees, such as ``deploy``.
    """

    repository: Repository
    folder: str
    above: str

    @classmethod
    def of(cls, repository: Repository, environment: Environment) -> Place:
        """The place of an environment's tree."""
        above = environment.git.path if environment.git else str(GitSource.model_fields["path"].default)
        return cls(repository, f"{above}/{environment.name}", above)

    @classmethod
    def around(cls, project: Project, environment: Environment) -> Place | None:
        """The same for a project; None where it is in no repository."""
        repository = Repository.around(project.root)
        return cls.of(repository, environment) if repository else None

    @property
    def path(self) -> Path:
        """The folder in the work tree."""
        return self.repository.root / self.folder

    def source(self, *without: Path) -> str | None:
        """The commit that the sources are at; None where something is not committed, trees left out."""
        try:
            if self.repository.uncommitted(self.repository.root / self.above, *without):
                return None
            return self.repository.line("rev-parse", "--verify", "--quiet", "HEAD")
        except GitFailed:  # nothing is committed yet
            return None
