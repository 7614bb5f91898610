"""A commit that changes one tree: made beside the work tree, then put in place by one step that happens or does not."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from apiops_components.delivery.git import GitFailed, Repository
from apiops_components.errors import GuardrailError, NotRunnable, Problem

__all__ = ["apply_commit", "check_clean", "make_commit", "put_on_branch", "put_on_head"]


def apply_commit(
    repository: Repository,
    parent: str,
    folder: str,
    old: Mapping[str, object],
    new: Mapping[str, bytes],
    message: str,
    branch: str | None,
) -> str:
    """Replaces a folder's files by a commit on the current branch, or on a new one.

    Raises:
        GuardrailError: The work tree has changes, or somebody else was first; nothing was changed.
        NotRunnable: No commit could be made.
    """
    if branch is None:
        check_clean(repository)
    commit = make_commit(repository, parent, folder, old, new, message)
    if branch is None:
        put_on_head(repository, commit)
    else:
        put_on_branch(repository, commit, branch)
    return commit


def check_clean(repository: Repository) -> None:
    """Checks that nothing tracked has changes, so that no one's work is mixed up with the commit.

    Raises:
        GuardrailError: Something has; conflicts that are not resolved among them.
    """
    listed = repository.git("status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames").decode()
    changed = [entry[3:] for entry in listed.split("\0") if entry]
    if changed:
        named = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")  # noqa: PLR2004  (what fits on a line)
        message = f"the work tree has changes that are not committed: {named}"
        hint = "commit or stash them; or --branch NAME, which leaves the work tree alone"
        raise GuardrailError(Problem(message, code="git/dirty", hint=hint))


def make_commit(
    repository: Repository, parent: str, folder: str, old: Mapping[str, object], new: Mapping[str, bytes], message: str
) -> str:
    """A commit on top of another one in which a folder's files are replaced; no branch points at it yet.

    Args:
        repository: Where.
        parent: The commit that it follows.
        folder: Folder of the files.
        old: Paths of the files that are replaced; all others stay.
        new: The files that will be there.
        message: The commit's message.

    Raises:
        NotRunnable: Git does not know who commits, or cannot write.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="apiops-") as made:
            env = {"GIT_INDEX_FILE": str(Path(made) / "index")}
            repository.git("read-tree", parent, env=env)
            blobs = _written(repository, Path(made), new)
            gone = [f"0 {'0' * len(parent)}\t{folder}/{path}\0" for path in old if path not in new]
            there = [f"100644 {blob}\t{folder}/{path}\0" for path, blob in blobs.items()]
            repository.git("update-index", "-z", "--index-info", given="".join([*gone, *there]).encode(), env=env)
            tree = repository.git("write-tree", env=env).decode().strip()
            signed = ["-S"] if _signs(repository) else []
            made_commit = repository.git("commit-tree", tree, "-p", parent, *signed, "-F", "-", given=message.encode())
            return made_commit.decode().strip()
    except GitFailed as error:
        hint = ""
        if "ident" in str(error) or "tell me who you are" in str(error):
            hint = "git config user.name and user.email, or GIT_AUTHOR_NAME and so on in the pipeline"
        raise NotRunnable(Problem(f"no commit could be made: {error}", code="git/commit", hint=hint)) from None


def _written(repository: Repository, folder: Path, files: Mapping[str, bytes]) -> dict[str, str]:
    """The hash of each file's content, which is in the repository afterwards."""
    names = []
    for number, content in enumerate(files.values()):
        (folder / str(number)).write_bytes(content)
        names.append(str(folder / str(number)))
    given = "".join(f"{name}\n" for name in names).encode()
    hashes = repository.git("hash-object", "-w", "--no-filters", "--stdin-paths", given=given).decode().split()
    return dict(zip(files, hashes, strict=True))


def _signs(repository: Repository) -> bool:
    try:
        return repository.line("config", "--type=bool", "--get", "commit.gpgSign") == "true"
    except GitFailed:
        return False


def put_on_branch(repository: Repository, commit: str, branch: str) -> None:
    """Makes a branch that points at the commit; the work tree stays as it is.

    Raises:
        NotRunnable: This is no name of a branch.
        GuardrailError: There is such a branch.
    """
    try:
        repository.git("check-ref-format", f"refs/heads/{branch}")
    except GitFailed:
        raise NotRunnable(Problem(f"{branch!r} is no name of a branch", code="git/branch")) from None
    try:
        repository.git("update-ref", f"refs/heads/{branch}", commit, "0" * len(commit))
    except GitFailed as error:
        hint = "name another one, or delete it: git branch -D"
        message = f"branch {branch!r} was not made: {error}"
        raise GuardrailError(Problem(message, code="git/branch", hint=hint)) from None


def put_on_head(repository: Repository, commit: str) -> None:
    """Moves the current branch and the work tree on to the commit, if it still follows what is there.

    Raises:
        GuardrailError: Somebody else was first, or a file that Git does not know is in the way; nothing was changed.
    """
    try:
        repository.git("merge", "--ff-only", "--quiet", "--no-stat", "--no-autostash", commit)
    except GitFailed as error:
        message = f"the commit was made and not put in place: {error}; nothing was changed"
        hint = "look at what came in between, and plan again"
        raise GuardrailError(Problem(message, code="git/moved", hint=hint)) from None
