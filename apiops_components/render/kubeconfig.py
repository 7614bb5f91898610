"""Kubeconfigs: built for a cluster at Google, read and narrowed to one context for one that exists."""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from apiops_components import documents
from apiops_components.errors import InvalidInput, NotRunnable, Problem, format_path, join_path

__all__ = ["gke", "minify", "read", "server"]

_PLUGIN = "gke-gcloud-auth-plugin"
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
    config: Mapping[str, Any], context: str | None = None, *, folder: str = "", file: str = ""
) -> dict[str, Any]:
    """The same kubeconfig with one context alone, so that no other cluster's credentials travel along.

    Args:
        config: As `read`.
        context: Name of the context; the current one by default.
        folder: Where the kubeconfig lies; relative file names in it are made absolute from there.
        file: Name of the kubeconfig for messages.

    Raises:
        InvalidInput: The context, or its cluster or user, is not there.
    """
    wanted = context or config.get("current-context")
    names = sorted(str(entry["name"]) for entry in _entries(config, "contexts", file))
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
    chosen = _named(config, "contexts", "context", wanted, file=file, known=f"its contexts are {_listed(names)}")
    because = f"context {wanted!r} names it"
    cluster = _named(config, "clusters", "cluster", chosen.get("cluster"), file=file, known=because)
    user = _named(config, "users", "user", chosen.get("user"), file=file, known=because)
    if not isinstance(cluster.get("server"), str):
        raise InvalidInput(
            Problem(f"cluster {chosen['cluster']!r} has no server", "clusters", "kubeconfig/server", file=file)
        )
    return _kubeconfig(
        wanted,
        {"name": chosen["cluster"], "cluster": _absolute(cluster, "cluster", folder)},
        {"name": chosen["user"], "user": _absolute(user, "user", folder)},
        chosen,
    )


def server(config: Mapping[str, Any]) -> str:
    """The address of the cluster in a kubeconfig as `minify` and `gke` give it."""
    address: str = config["clusters"][0]["cluster"]["server"]
    return address


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
    config: Mapping[str, Any], section: str, kind: str, name: Any, *, file: str, known: str
) -> Mapping[str, Any]:
    for position, entry in enumerate(_entries(config, section, file)):
        if entry["name"] == name:
            value = entry.get(kind) or {}
            if not isinstance(value, Mapping):
                path = join_path(section, format_path([position, kind]))
                raise InvalidInput(Problem("a mapping is expected", path, "kubeconfig/shape", file=file))
            return value
    raise InvalidInput(
        Problem(
            f"there is no {kind} {name!r}; {known}",
            section,
            f"kubeconfig/{kind}",
            "kubectl config get-contexts lists them" if kind == "context" else "",
            file,
        )
    )


def _absolute(value: Mapping[str, Any], kind: str, folder: str) -> dict[str, Any]:
    paths: dict[str, Any] = {
        key: os.path.join(folder, value[key])  # noqa: PTH118  (text: the file may be another machine's)
        for key in _FILES[kind]
        if isinstance(value.get(key), str) and folder
    }
    login = value.get("exec")
    if folder and isinstance(login, Mapping) and os.path.dirname(str(login.get("command", ""))):  # noqa: PTH120
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
