"""HTML that is escaped by construction: whatever is not `Markup` becomes text."""

from __future__ import annotations

from html import escape

__all__ = ["Markup", "el", "join"]

_VOID = frozenset({"meta", "input", "br"})


class Markup(str):
    """Text that is HTML already; only this module and constants make it."""

    __slots__ = ()


def join(*children: object) -> Markup:
    """One after the other."""
    return Markup("".join(child if isinstance(child, Markup) else escape(str(child)) for child in children))


def el(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element: ``el("td", text, class_="name")``; an attribute that is None or False is left out."""
    parts = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        parts.append(f" {attribute}" if value is True else f' {attribute}="{escape(str(value))}"')
    opened = f"<{name}{''.join(parts)}>"
    return Markup(opened if name in _VOID else f"{opened}{join(*children)}</{name}>")
