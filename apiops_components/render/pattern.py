"""Regular expressions, written so that everybody reads the same in them.

The specification leaves open whether a pattern must fit the whole of a value, and most who implement it say yes;
ngrok's ``matches()`` looks for it anywhere, and its operator pastes it between single quotes, where a backslash begins
an escape. So a pattern is anchored at both ends, and classes stand in place of backslashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["anchored", "is_half_anchored", "literal_start", "without_backslashes"]

_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": "[:space:]"}
_PLAIN = frozenset('-/ ,:;=@!#%&<>"~`_')
"""Characters that mean themselves without a backslash, outside of a class."""
_PATH = re.compile(r"[-A-Za-z0-9/._~!&,;=:@]")


def anchored(pattern: str) -> str:
    """The pattern so that it fits the whole text or nothing of it."""
    return pattern if pattern.startswith("^") and pattern.endswith("$") else f"^(?:{pattern})$"


def is_half_anchored(pattern: str) -> bool:
    """Whether the pattern says of one end alone that the text ends there: then it was not meant to fit the whole."""
    ends = [place for place, character in _outside_classes(pattern) if character in "^$"]
    both = ends == [0, len(pattern) - 1] and pattern[0] == "^" and not _alternatives(pattern)
    return bool(ends) and not both


def without_backslashes(pattern: str) -> str | None:
    """The pattern without a backslash, or None where that cannot be said."""
    if "\\" not in pattern:
        return pattern
    written = ""
    inside = False
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character != "\\":
            if character == "[" and not inside:
                inside = True
                written += character
                for opening in ("^", "]"):  # a bracket that stands first closes nothing
                    if pattern.startswith(opening, position):
                        written += opening
                        position += 1
                continue
            if character == "[" and pattern.startswith("[:", position - 1):
                end = pattern.find(":]", position)
                written += pattern[position - 1 : end + 2]
                position = end + 2
                continue
            inside = inside and character != "]"
            written += character
            continue
        escaped = pattern[position : position + 1]
        position += 1
        plain = _unescaped(escaped, inside=inside)
        if plain is None:
            return None
        written += plain
    return written


def _unescaped(escaped: str, *, inside: bool) -> str | None:
    if escaped in _CLASSES:
        return _CLASSES[escaped] if inside else f"[{_CLASSES[escaped]}]"
    if escaped.lower() in _CLASSES and not inside:
        return f"[^{_CLASSES[escaped.lower()]}]"
    if inside:
        return escaped if escaped in ".$*+?(){}|/" and escaped else None
    if escaped in _PLAIN and escaped:
        return escaped
    return f"[{escaped}]" if escaped and escaped in ".$*+?(){}|[" else None


def literal_start(pattern: str) -> str | None:
    """The folder that all paths lie in that fit the whole pattern: ``/orders/`` of ``/orders/[0-9]+``.

    None where the pattern fits paths that have nothing in common, or none at all.
    """
    text = pattern.removeprefix("^")
    if not text.startswith(("/", "\\/")) or _alternatives(text):
        return None
    found = ""
    position = 0
    while position < len(text):
        character = text[position]
        width = 1
        if character == "\\":
            character = text[position + 1 : position + 2]
            width = 2
            if character.isalnum():
                break
        elif character in ".[](){}*+?|^$":
            break
        if not _PATH.fullmatch(character):
            break
        found += character
        position += width
    if text[position : position + 1] in ("*", "?", "{"):  # the character before it may be left out
        found = found[:-1]
    folder = found[: found.rfind("/") + 1]
    return folder if folder and "//" not in folder and "/./" not in folder and "/../" not in folder else None


def _alternatives(pattern: str) -> bool:
    """Whether there is a ``|`` outside of all groups and classes."""
    depth = 0
    for _, character in _outside_classes(pattern):
        if character == "|" and depth == 0:
            return True
        depth += {"(": 1, ")": -1}.get(character, 0)
    return False


def _outside_classes(pattern: str) -> Iterator[tuple[int, str]]:
    """Each character that is neither in a class nor behind a backslash, with its place."""
    inside, position = False, 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            position += 1
        elif inside:
            inside = character != "]"
        elif character == "[":
            inside = True
            if pattern.startswith("^", position + 1):
                position += 1
            if pattern.startswith("]", position + 1):
                position += 1
        else:
            yield position, character
        position += 1
