"""Kubeconfigs: built for a cluster at Google, read and narrowed to one context for one that exists."""

from __future__ import annotations

import difflib
import os.path
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import urlsplit

from apiops_components import documents
from apiops_components.errors import InvalidInput, NotRunnable, Problem, format_path, join_path

__all__ = ["gke", "is_safe", "minify", "read", "server"]

_PLUGIN = "gke-gcloud-auth-plugin"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Fields with the name of a file; kubectl reads a relative one from the folder of the kubeconfig.
_FILES = {"cluster": ("certificate-authority",), "user": ("client-certificate", "client-key", "tokenFile")}


def gke(
    name: str,
    endpoint: str,
    authority: str | None,
    *,
    login: Literal["gcloud", "application-default"] = "gcloud",
) -> dict[str, Any]:
    """The kubeconfig of a cluster at Google; it holds no credential, the plugin fetches one at each use.

    Args:
        name: Name of the context.
        endpoint: Address or DNS name of the control plane, without scheme.
        authority: Certificate of the cluster's authority in base64; None for the DNS name, whose certificate is
            publicly trusted.
        login: Whose credentials the plugin takes.
    """
    cluster: dict[str, Any] = {"server": f"https://{endpoint}"}
    if authority is not None:
        cluster["certificate-authority-data"] = authority
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": _PLUGIN,
        **({"args": ["--use_application_default_credentials"]} if login == "application-default" else {}),
        "installHint": f"gcloud components install {_PLUGIN}",
        "interactiveMode": "Never",
        "provideClusterInfo": True,
    }
    return _kubeconfig(name, {"name": name, "cluster": cluster}, {"name": name, "user": {"exec": plugin}}, {})


def read(text: str | bytes, file: str = "") -> Mapping[str, Any]:
    """The content of a kubeconfig.

    Raises:
        InvalidInput: It is not readable as YAML, or not a kubeconfig.
    """
    try:
        found = [document.value for document in documents.load_all(text, file)]
    except NotRunnable as error:
        hint = "see what kubectl makes of it: kubectl config view"
        raise InvalidInput(replace(problem, code="kubeconfig/yaml", hint=hint) for problem in error.problems) from None
    if len(found) != 1 or not isinstance(found[0], Mapping) or found[0].get("kind", "Config") != "Config":
        raise InvalidInput(
            Problem(
                f"a kubeconfig (one document of kind Config) is expected, got {_described(found)}",
                code="kubeconfig/kind",
                hint="kubectl config view --flatten writes one",
                file=file,
            )
        )
    return found[0]


def minify(
    config: Mapping[str, Any],
    context: str | None = None,
    *,
    folder: str = "",
    file: str = "",
    check: Callable[[str, Mapping[str, Any]], Iterable[Problem]] = lambda _kind, _value: (),
) -> dict[str, Any]:
    """The same kubeconfig with one context alone, so that no other cluster's credentials travel along.

    Args:
        config: As `read`.
        context: Name of the context; the current one by default.
        folder: Where the kubeconfig lies; relative file names in it are made absolute from there.
        file: Name of the kubeconfig for messages.
        check: What else is wrong with the context's ``cluster`` and ``user``, by these names and their fields.

    Raises:
        InvalidInput: The context, or its cluster or user, is not there or cannot be used: all that is wrong at once.
    """
    wanted = context or config.get("current-context")
    names = [str(entry["name"]) for entry in _entries(config, "contexts", file)]
    if not wanted:
        raise InvalidInput(
            Problem(
                f"it has no current context; its contexts are {_listed(names)}",
                "current-context",
                "kubeconfig/context",
                "name the context in the settings",
                file,
            )
        )
    near = difflib.get_close_matches(str(wanted), names, 1)
    hint = f"did you mean {near[0]}?" if near else "kubectl config get-contexts lists them"
    known = f"its contexts are {_listed(names)}"
    _, chosen = _named(config, "context", wanted, file=file, known=known, hint=hint)
    parts: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for kind, faults in (("cluster", _cluster_faults), ("user", _user_faults)):
        try:
            known = f"context {wanted!r} names it"
            position, value = _named(config, kind, chosen.get(kind), file=file, known=known)
        except InvalidInput as error:
            problems.extend(error.problems)
            continue
        value = _absolute(value, kind, folder)
        parts[kind] = {"name": chosen[kind], kind: value}
        prefix = join_path(f"{kind}s", format_path([position, kind]))
        problems.extend(problem.at(file=file, prefix=prefix) for problem in (*faults(value), *check(kind, value)))
    if problems:
        raise InvalidInput(problems)
    return _kubeconfig(wanted, parts["cluster"], parts["user"], chosen)


def server(config: Mapping[str, Any]) -> str:
    """The address of the cluster in a kubeconfig as `minify` and `gke` give it."""
    address: str = config["clusters"][0]["cluster"]["server"]
    return address


def is_safe(address: str) -> bool:
    """Whether credentials may be sent there: over TLS, or without it to this machine alone."""
    try:
        url = urlsplit(address)
        host = url.hostname
    except ValueError:
        return False
    return bool(host) and (url.scheme == "https" or (url.scheme == "http" and host in _LOOPBACK))


def _kubeconfig(
    name: str, cluster: Mapping[str, Any], user: Mapping[str, Any], context: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [dict(cluster)],
        "contexts": [{"name": name, "context": {**context, "cluster": cluster["name"], "user": user["name"]}}],
        "current-context": name,
        "users": [dict(user)],
    }


def _entries(config: Mapping[str, Any], section: str, file: str) -> Sequence[Mapping[str, Any]]:
    entries = config.get(section) or ()
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise InvalidInput(Problem("a list is expected", section, "kubeconfig/shape", file=file))
    for position, entry in enumerate(entries):
        if not isinstance(entry, Mapping) or "name" not in entry:
            path = join_path(section, format_path([position]))
            raise InvalidInput(Problem("a mapping with a name is expected", path, "kubeconfig/shape", file=file))
    return entries


def _named(
    config: Mapping[str, Any], kind: str, name: Any, *, file: str, known: str, hint: str = ""
) -> tuple[int, Mapping[str, Any]]:
    section = f"{kind}s"
    for position, entry in enumerate(_entries(config, section, file)):
        if entry["name"] == name:
            value = entry.get(kind) or {}
            if not isinstance(value, Mapping):
                path = join_path(section, format_path([position, kind]))
                raise InvalidInput(Problem("a mapping is expected", path, "kubeconfig/shape", file=file))
            return position, value
    message = f"the context names no {kind}" if name is None else f"there is no {kind} {name!r}; {known}"
    raise InvalidInput(Problem(message, section, f"kubeconfig/{kind}", hint, file))


def _cluster_faults(cluster: Mapping[str, Any]) -> Iterator[Problem]:
    address = cluster.get("server")
    if not isinstance(address, str) or not is_safe(address):
        got = f"got {address!r}" if address else "there is none"
        message = f"the server's address is expected to begin with https://, {got}"
        yield Problem(message, "server", "kubeconfig/server", "http:// is for this machine alone")


def _user_faults(user: Mapping[str, Any]) -> Iterator[Problem]:
    if user.get("auth-provider"):
        hint = "have a new kubeconfig written, with a plugin: users[].user.exec"
        yield Problem("this way to log in was taken out of Kubernetes 1.26", "auth-provider", "kubeconfig/login", hint)
    halves = [key for key in ("client-certificate", "client-key") if user.get(key) or user.get(f"{key}-data")]
    if len(halves) == 1:
        yield Problem("a client's certificate and its key are expected together", halves[0], "kubeconfig/login")
    login = user.get("exec")
    if login and not (isinstance(login, Mapping) and isinstance(login.get("command"), str) and login["command"]):
        yield Problem("a plugin needs a command", "exec", "kubeconfig/shape")


def _absolute(value: Mapping[str, Any], kind: str, folder: str) -> dict[str, Any]:
    paths: dict[str, Any] = {
        key: os.path.join(folder, value[key])  # noqa: PTH118  (text: the file may be another machine's)
        for key in _FILES[kind]
        if isinstance(value.get(key), str) and folder
    }
    login = value.get("exec")
    if folder and isinstance(login, Mapping) and os.path.dirname(str(login.get("command") or "")):  # noqa: PTH120
        # kubectl looks up a bare command on PATH, and any other from the folder of the kubeconfig.
        paths["exec"] = {**login, "command": os.path.join(folder, login["command"])}  # noqa: PTH118
    return {**value, **paths}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


def _described(found: Sequence[Any]) -> str:
    if len(found) != 1:
        return f"{len(found)} documents"
    if isinstance(found[0], Mapping):
        return f"kind {found[0].get('kind')!r}"
    return "a list" if isinstance(found[0], list) else "plain text"
