"""``metadata`` of any object, and the names and labels that are written elsewhere by the same rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from apiops_components.errors import Problem
from apiops_components.validation.walk import below, get, items, mapping

__all__ = [
    "check_label_selector",
    "check_labels",
    "check_metadata",
    "is_dns_label",
    "is_dns_subdomain",
    "is_path_segment",
    "name_problem",
]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_MAX_LABEL, _MAX_SUBDOMAIN = 63, 253
_MAX_ANNOTATIONS = 256 * 1024
_NAME_RULE = "letters, digits, '-', '_' and '.', a letter or digit at both ends, at most 63 characters"

# What metadata may hold (ObjectMeta), by the type that it has.
_STRINGS = ("name", "generateName", "namespace", "creationTimestamp", "deletionTimestamp", "resourceVersion", "uid")
_FIELDS: Mapping[str, type] = {
    **dict.fromkeys((*_STRINGS, "selfLink"), str),
    **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), int),
    **dict.fromkeys(("finalizers", "managedFields", "ownerReferences"), list),
    **dict.fromkeys(("labels", "annotations"), dict),
}
_SHOWN = {str: "a string", int: "an integer", list: "a list", dict: "a mapping"}


def is_dns_label(text: str) -> bool:
    """RFC 1123 label."""
    return len(text) <= _MAX_LABEL and _DNS_LABEL.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    """RFC 1123 subdomain."""
    return len(text) <= _MAX_SUBDOMAIN and _DNS_SUBDOMAIN.fullmatch(text) is not None


def is_path_segment(text: str) -> bool:
    """What RBAC takes for a name: anything that can stand between two slashes of an address."""
    return text not in (".", "..") and "/" not in text and "%" not in text


_RULES: Mapping[Callable[[str], bool], tuple[str, str]] = {
    is_dns_label: (
        "name/dns-label",
        "a DNS label (lower-case letters, digits and '-', no '-' at either end), at most 63 characters",
    ),
    is_dns_subdomain: ("name/dns-subdomain", "a DNS subdomain (labels joined by '.'), at most 253 characters"),
    is_path_segment: ("name/path-segment", "a name of RBAC: no '/', no '%', neither '.' nor '..'"),
}


def name_problem(name: str, path: str, rule: Callable[[str], bool] = is_dns_subdomain) -> Iterator[Problem]:
    """What is wrong with a name."""
    if not rule(name):
        code, expected = _RULES[rule]
        near = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")
        hint = f"such as {near}" if near != name and rule(near) else ""
        yield Problem(f"{name!r} is not {expected}", path, code, hint)


def check_metadata(metadata: Any, rule: Callable[[str], bool] = is_dns_subdomain) -> Iterator[Problem]:
    """What is wrong with the ``metadata`` of an object whose name follows ``rule``."""
    if not isinstance(metadata, Mapping):
        message = "required, but missing" if metadata is None else "must be a mapping"
        yield Problem(message, "metadata", "object/metadata")
        return
    yield from _shape(metadata)
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if not name and not metadata.get("generateName"):
        yield Problem("required, but missing", "metadata.name", "object/name")
    elif name and isinstance(name, str):
        yield from name_problem(name, "metadata.name", rule)
    if namespace and isinstance(namespace, str):
        yield from name_problem(namespace, "metadata.namespace", is_dns_label)
    for field in ("labels", "annotations"):
        if metadata.get(field):
            yield from _texts(metadata[field], f"metadata.{field}")
    yield from check_labels(metadata.get("labels"), "metadata.labels")
    annotations = mapping(metadata, "annotations")
    for key in annotations:
        yield from _key_problem(key, below("metadata.annotations", key), lower=True)
    if sum(len(key) + len(str(value)) for key, value in annotations.items()) > _MAX_ANNOTATIONS:
        yield Problem("annotations hold more than 256 KiB together", "metadata.annotations", "metadata/annotations")


def _shape(metadata: Mapping[str, Any]) -> Iterator[Problem]:
    for key, value in metadata.items():
        expected = _FIELDS.get(key)
        if expected is None:
            same = next((field for field in _FIELDS if field.lower() == key.lower()), "")
            hint = f"did you mean {same}?" if same else "it may have to stand in labels or annotations"
            yield Problem("unknown field", below("metadata", key), "schema/unknown-field", hint)
        elif value is not None and not isinstance(value, expected):
            got = repr(value) if isinstance(value, str | int | float) else "something else"
            yield Problem(f"{_SHOWN[expected]} is expected, got {got}", f"metadata.{key}", "schema/type")


def _texts(pairs: Any, path: str) -> Iterator[Problem]:
    for key, value in pairs.items() if isinstance(pairs, Mapping) else ():
        if not isinstance(value, str) and value is not None:
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            hint = f'quote it: "{shown}"' if isinstance(value, int | float) else ""
            yield Problem(f"a string is expected, got {value!r}", below(path, key), "schema/string-type", hint)


def check_labels(labels: Any, path: str) -> Iterator[Problem]:
    """What is wrong with the syntax of labels, or of what a selector asks of them."""
    for key, value in labels.items() if isinstance(labels, Mapping) else ():
        yield from _key_problem(key, below(path, key))
        if isinstance(value, str) and not _is_value(value):
            yield Problem(f"{value!r} is not a label value: empty, or {_NAME_RULE}", below(path, key), "label/value")


def _is_value(value: str) -> bool:
    return not value or (len(value) <= _MAX_LABEL and _NAME.fullmatch(value) is not None)


def _key_problem(key: str, path: str, *, lower: bool = False) -> Iterator[Problem]:
    prefix, slash, name = key.rpartition("/")
    if lower:  # the server compares annotations' keys in lower case
        prefix = prefix.lower()
    if slash and not is_dns_subdomain(prefix):
        yield Problem(f"the prefix of {key!r} is not a DNS subdomain, at most 253 characters", path, "label/key")
    if not name or not _is_value(name):
        yield Problem(f"{key!r} is not a key: [prefix/]name, the name {_NAME_RULE}", path, "label/key")


def check_label_selector(selector: Any, path: str) -> Iterator[Problem]:
    """What is wrong with ``matchLabels`` and ``matchExpressions``."""
    yield from check_labels(get(selector, "matchLabels"), f"{path}.matchLabels")
    for where, item in items(selector, path, "matchExpressions"):
        operator, values = item.get("operator"), item.get("values")
        if isinstance(item.get("key"), str):
            yield from _key_problem(item["key"], f"{where}.key")
        if operator in ("In", "NotIn") and not values:
            yield Problem(f"operator {operator} needs values", f"{where}.values", "selector/values")
        elif operator in ("Exists", "DoesNotExist") and values:
            yield Problem(
                f"operator {operator} takes no values", f"{where}.values", "selector/values", "leave them out"
            )
        elif isinstance(operator, str) and operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            message = f"one of In, NotIn, Exists, DoesNotExist is expected, got {operator!r}"
            yield Problem(message, f"{where}.operator", "selector/operator")
        for index, value in enumerate(values if isinstance(values, list) else ()):
            if isinstance(value, str) and not _is_value(value):
                yield Problem(
                    f"{value!r} is not a label value: {_NAME_RULE}", f"{where}.values[{index}]", "label/value"
                )
