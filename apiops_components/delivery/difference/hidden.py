"""Secrets in what is compared: equal or not, and never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Hidden", "hide", "revealed", "shown"]

_SECRET_FIELDS = frozenset({"data", "stringData"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# What ngrok's actions take in the clear, too.
_SECRET_SETTINGS = frozenset({"client_secret", "secret", "server_private_key", "credentials", "password"})
_PLACES = ("<secret", "${secrets.get(")  # what stands for a secret, and is none


@dataclass(frozen=True, slots=True)
class Hidden:
    """A value that is compared and not shown."""

    value: Any = field(repr=False)


def hide(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object with its secrets hidden: those of a Secret, and those in traffic policies."""
    kind = content.get("kind")
    if kind == "Secret":
        return {
            key: _leaves(value) if key in _SECRET_FIELDS else _without_copy(key, value)
            for key, value in content.items()
        }
    if kind is not None and str(content.get("apiVersion", "")).partition("/")[0].endswith("ngrok.com"):
        return {key: _settings(value) for key, value in content.items()}
    return content


def _without_copy(key: str, value: Any) -> Any:
    annotations = value.get("annotations") if key == "metadata" and isinstance(value, Mapping) else None
    if not isinstance(annotations, Mapping) or _LAST_APPLIED not in annotations:
        return value
    return {**value, "annotations": {**annotations, _LAST_APPLIED: Hidden(annotations[_LAST_APPLIED])}}


def _leaves(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _leaves(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_leaves(item) for item in value]
    return value if isinstance(value, str) and value.startswith(_PLACES) else Hidden(value)


def _settings(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _leaves(item) if key in _SECRET_SETTINGS else _settings(item) for key, item in value.items()}
    return [_settings(item) for item in value] if isinstance(value, list | tuple) else value


def revealed(value: Any) -> Any:
    """The value as it is, for a program that applies it."""
    if isinstance(value, Hidden):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): revealed(item) for key, item in value.items()}
    return [revealed(item) for item in value] if isinstance(value, list | tuple) else value


def shown(value: Any) -> Any:
    """The value as it may be printed."""
    if isinstance(value, Hidden):
        return "<secret>"
    if isinstance(value, Mapping):
        return {str(key): shown(item) for key, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, list | tuple) else value
