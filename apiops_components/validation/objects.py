"""What a document is, and which check is its."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from apiops_components.documents import Document
from apiops_components.errors import Problem, join_path, shown
from apiops_components.validation import kinds
from apiops_components.validation.linked import linked
from apiops_components.validation.modelled import check_policy
from apiops_components.validation.result import Result
from apiops_components.validation.walk import is_larger

if TYPE_CHECKING:
    from apiops_components.validation.definitions import Definitions

__all__ = ["validate"]

_MAX_VALUES = 250_000
"""Kubernetes takes no request of more than 3 MiB; nothing that is written by anyone comes near this number."""
_MAX_PROBLEMS = 200
"""Of one document: who sees so many needs no more."""

_PHASES = frozenset({"on_tcp_connect", "on_http_request", "on_http_response", "on_event_stream_message"})
_OLD_PHASES = frozenset({"inbound", "outbound"})


def validate(
    document: Document,
    as_: Literal["auto", "traffic-policy"] = "auto",
    definitions: Definitions | None = None,
) -> Iterator[Result]:
    """Checks one document; a ``List`` gives a result an item.

    Args:
        document: What was read.
        as_: ``traffic-policy`` takes it for a bare policy, phases at the top level; ``auto`` recognises both.
        definitions: CustomResourceDefinitions of more kinds.
    """
    value = document.value
    if as_ == "traffic-policy" or _is_policy(value):
        problems, warnings = ((_TOO_LARGE,), ()) if _is_too_large(value, document) else check_policy(value)
        status: Literal["valid", "invalid"] = "invalid" if problems else "valid"
        yield _placed(
            Result(document.file, document.index, None, "TrafficPolicy", None, None, status, problems, warnings),
            document,
            "",
        )
    elif isinstance(value, Mapping) and isinstance(value.get("items"), list) and _is_list(value):
        for index, item in enumerate(value["items"]):
            found = _object(_item(value, item), document, definitions)
            if found.linked is not None:
                found = replace(found, linked=found.linked._replace(prefix=f"items[{index}]"))
            yield _placed(found, document, f"items[{index}]")
    else:
        yield _placed(_object(value, document, definitions), document, "")


_TOO_LARGE = Problem(
    f"holds more than {_MAX_VALUES} values: Kubernetes takes no object of more than 3 MiB",
    code="object/size",
    hint="make several objects of it",
)


def _is_too_large(value: Any, document: Document) -> bool:
    # Who read the document has counted all of it already.
    return (document.most is None or document.most > _MAX_VALUES) and is_larger(value, _MAX_VALUES)


def _is_policy(value: Any) -> bool:
    if not isinstance(value, Mapping) or "kind" in value or "apiVersion" in value:
        return False
    if _PHASES & value.keys():
        return True
    return bool(value.keys() - {"enabled"}) and all(key in _ALL_KEYS or _is_nearly_a_phase(key) for key in value)


def _is_nearly_a_phase(key: str) -> bool:
    """A slip such as ``on_http_requests`` or ``onHttpRequest``: said to be one, with the fix."""
    return bool(difflib.get_close_matches(re.sub("(?=[A-Z])", "_", key).lower(), _PHASES, 1, 0.85))


_ALL_KEYS = _PHASES | _OLD_PHASES | {"enabled"}


def _is_list(value: Mapping[str, Any]) -> bool:
    kind = value.get("kind")
    if kind == "List":
        return True
    group, version = _split(str(value.get("apiVersion") or ""))
    return isinstance(kind, str) and kind.endswith("List") and kinds.is_known(group, version, kind[:-4])


def _item(value: Mapping[str, Any], item: Any) -> Any:
    """An item of a ``DeploymentList`` need not say what it is."""
    if value.get("kind") == "List" or not isinstance(item, Mapping):
        return item
    return {"apiVersion": value["apiVersion"], "kind": str(value["kind"])[:-4], **item}


def _object(value: Any, document: Document, definitions: Definitions | None) -> Result:
    if not isinstance(value, Mapping):
        problem = Problem("an object is a mapping with apiVersion, kind and metadata", code="object/shape")
        return Result(document.file, document.index, None, None, None, None, "invalid", (problem,))
    api_version, kind = value.get("apiVersion"), value.get("kind")
    metadata = value.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    result = Result(
        file=document.file,
        index=document.index,
        api_version=api_version if isinstance(api_version, str) else None,
        kind=kind if isinstance(kind, str) else None,
        namespace=namespace if isinstance(namespace, str) else None,
        name=name if isinstance(name, str) else None,
        status="skipped",
    )
    if not (api_version and kind and isinstance(api_version, str) and isinstance(kind, str)):
        return replace(result, status="invalid", problems=tuple(_unnamed(value)))
    if _is_too_large(value, document):
        return replace(result, status="invalid", problems=(_TOO_LARGE,))
    group, version = _split(api_version)
    own = kinds.check(value, group, version, kind) if kinds.is_known(group, version, kind) else None
    defined = definitions.check(value, group, version, kind) if definitions is not None else None
    if own or defined:
        problems, warnings = _joined(own or ((), ()), defined or ((), ()))
    else:
        wrong = kinds.misnamed(value, group, version, kind)
        if wrong is None:
            return replace(result, warnings=_resembling(group, version, kind))
        problems, warnings = wrong
    return replace(
        result,
        status="invalid" if problems else "valid",
        problems=problems,
        warnings=warnings,
        linked=linked(value, group, kind, file=document.file, valid=not problems),
    )


def _joined(own: kinds.Found, defined: kinds.Found) -> kinds.Found:
    """What the model says, and what its definition says of other fields."""
    told = {problem.path for problem in own[0]}
    return (*own[0], *(problem for problem in defined[0] if problem.path not in told)), (*own[1], *defined[1])


def _split(api_version: str) -> tuple[str, str]:
    group, _, version = api_version.rpartition("/")
    return group, version


def _unnamed(value: Mapping[str, Any]) -> Iterator[Problem]:
    for field, code in (("apiVersion", "object/api-version"), ("kind", "object/kind")):
        if not isinstance(value.get(field), str):
            got = value.get(field)
            yield Problem(
                "required, but missing" if got is None else f"must be a string, got {shown(got)}", field, code
            )
        elif not value[field]:
            yield Problem("must not be empty", field, code)


def _resembling(group: str, version: str, kind: str) -> tuple[Problem, ...]:
    """A warning where an unknown kind is nearly a known one of its group."""
    known = kinds.names(group)
    near = difflib.get_close_matches(kind, known, 1, 0.8)
    if not near or kind in known:  # of a version that is not known
        return ()
    message = f"{join_path(group) + '/' if group else ''}{version} has no kind {kind!r}"
    return (Problem(message, "kind", "object/kind", f"did you mean {near[0]}?"),)


def _first(problems: Sequence[Problem]) -> Sequence[Problem]:
    more = len(problems) - _MAX_PROBLEMS
    return [*problems[:_MAX_PROBLEMS], Problem(f"and {more} more", code="object/more")] if more > 0 else problems


def _placed(result: Result, document: Document, prefix: str) -> Result:
    """The problems with file and line, their paths relative to the object."""
    if not result.problems and not result.warnings:
        return result
    title = " ".join(filter(None, (result.kind, "/".join(filter(None, (result.namespace, result.name))))))

    def placed(problems: Sequence[Problem]) -> tuple[Problem, ...]:
        return tuple(
            problem.at(file=result.file, line=document.line(join_path(prefix, problem.path)), document=title)
            for problem in _first(problems)
        )

    return replace(result, problems=placed(result.problems), warnings=placed(result.warnings))
