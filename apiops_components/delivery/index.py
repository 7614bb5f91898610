"""``index.json`` of a rendered tree: which files are ours, what each must hold, and where they came from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from apiops_components.errors import NotRunnable, Problem

__all__ = ["INDEX", "Index", "Part", "Promotion", "digest_of", "read_index"]

INDEX = "index.json"

_DIGEST = re.compile(r"sha256:[0-9a-f]{0,64}")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_LISTED = re.compile(r'^\s*("(?:[^"\\]|\\.)*"): ("sha256:[0-9a-f]{64}"),?$', re.MULTILINE)
_CONFLICT = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Part:
    """Files that belong together.

    Attributes:
        component: The component that they come from, such as ``Api orders``.
        team: Whose it is; empty for the platform.
        owner: Who answers for it; empty where nobody is named.
        files: Their paths, sorted.
    """

    component: str
    team: str = ""
    owner: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Promotion:
    """Where a promoted tree came from.

    Attributes:
        environment: The environment that it was promoted from.
        digest: The digest of that environment's tree, as it was approved.
    """

    environment: str
    digest: str


@dataclass(frozen=True, slots=True)
class Index:
    """What a tree holds.

    Attributes:
        environment: Name of the environment.
        files: Path to ``sha256:…`` of every file, the index left out.
        source: The commit whose sources gave this output for the first time; None where they were not committed.
        promoted: Where a promoted tree came from; None for one that its author renders.
        parts: Components with their files; empty where that is not known.
    """

    environment: str
    files: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None
    promoted: Promotion | None = None
    parts: tuple[Part, ...] = ()

    @property
    def text(self) -> str:
        """The file; the same index gives the same bytes."""
        content: dict[str, Any] = {"environment": self.environment, "source": self.source}
        if self.promoted is not None:
            content["promoted"] = {"environment": self.promoted.environment, "digest": self.promoted.digest}
        content["files"] = dict(sorted(self.files.items()))
        content["components"] = [
            {"component": part.component, "team": part.team, "owner": part.owner, "files": list(part.files)}
            for part in self.parts
        ]
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @property
    def digest(self) -> str:
        """The digest of everything that the tree would apply: of each file's path and content."""
        return digest_of(f"{path}\0{self.files[path]}" for path in sorted(self.files))

    def same_output(self, other: Index) -> bool:
        """Whether both say the same but for the commit: then neither is newer, and nothing is written."""
        return replace(self, source=None) == replace(other, source=None)


def digest_of(lines: Iterable[str]) -> str:
    """``sha256:…`` of lines of text."""
    text = "".join(f"{line}\n" for line in lines)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def read_index(text: str | None, file: str) -> Index:
    """The index in a file's text; where two branches both changed it, what either of them lists.

    Raises:
        NotRunnable: It is none that this package wrote.
    """
    found = _merged(text) if text is not None and _CONFLICT.search(text) else _parsed(text)
    if found is None:
        raise NotRunnable(Problem("is not an index that this command wrote", file=file, code="tree/index"))
    outside = sorted(path for path in found.files if _outside(path))
    if outside:
        message = f"lists {outside[0]!r}, which is outside the folder"
        raise NotRunnable(Problem(message, file=file, code="tree/index"))
    return found


def _outside(path: str) -> bool:
    return PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts


def _parsed(text: str | None) -> Index | None:
    try:
        content: Any = json.loads(text or "")
        files: dict[str, str] = content["files"]
        source, promoted = content.get("source"), content.get("promoted")
        whole = (
            isinstance(content["environment"], str)
            and all(_DIGEST.fullmatch(value) for value in files.values())
            and (source is None or _COMMIT.fullmatch(source) is not None)
        )
        if not whole:
            return None
        return Index(
            content["environment"],
            {path: digest for path, digest in files.items() if path != INDEX},
            source,
            Promotion(str(promoted["environment"]), str(promoted["digest"])) if promoted is not None else None,
            tuple(
                Part(str(part["component"]), str(part["team"]), str(part["owner"]), tuple(map(str, part["files"])))
                for part in content.get("components", ())
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _merged(text: str) -> Index | None:
    """Git's marks of a conflict are in it: rendering anew puts it right, and must know what either side wrote."""
    environments = set(re.findall(r'^  "environment": "([^"]*)"', text, re.MULTILINE))
    files = {json.loads(path): json.loads(digest) for path, digest in _LISTED.findall(text)}
    return Index(environments.pop(), files) if len(environments) == 1 else None
