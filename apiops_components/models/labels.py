"""Labels of Kubernetes objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from apiops_components.models.base import fault, raise_faults

__all__ = ["LabelKey", "LabelValue", "Labels"]

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MAX_NAME = 63
_MAX_PREFIX = 253


def _is_name(text: str) -> bool:
    return len(text) <= _MAX_NAME and _NAME.fullmatch(text) is not None


def _key(key: str) -> str:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > _MAX_PREFIX or not _PREFIX.fullmatch(prefix)):
        raise_faults([fault("label/key", f"the prefix of {key!r} is not a DNS subdomain, at most 253 characters")])
    if not _is_name(name):
        expected = "letters, digits, '-', '_' and '.', a letter or digit at both ends, at most 63 characters"
        raise_faults([fault("label/key", f"{key!r} is not a label key: [prefix/]name, the name {expected}")])
    return key


def _value(value: str) -> str:
    if value and not _is_name(value):
        expected = "empty, or letters, digits, '-', '_' and '.', a letter or digit at both ends, at most 63 characters"
        raise_faults([fault("label/value", f"{value!r} is not a label value: {expected}")])
    return value


LabelKey = Annotated[str, AfterValidator(_key)]
"""``[prefix/]name``: the prefix a DNS subdomain, the name at most 63 characters."""

LabelValue = Annotated[str, AfterValidator(_value)]
"""At most 63 characters; may be empty."""

Labels = Mapping[LabelKey, LabelValue]
"""Labels of one object, or what a selector asks of it."""
