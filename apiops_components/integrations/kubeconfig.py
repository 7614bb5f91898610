"""How a cluster is reached and who asks: a kubeconfig, read as kubectl reads it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apiops_components.documents import load_all
from apiops_components.errors import ApiOpsError, NotRunnable, Problem
from apiops_components.integrations.credentials import decoded, ended
from apiops_components.render.kubeconfig import is_safe

__all__ = ["Access", "read_kubeconfig"]

_EXEC_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Access:
    """One context of a kubeconfig.

    Attributes:
        context: Its name.
        server: Address of the API server.
        authority: Certificates that the server's is signed by, PEM; None for those of the machine.
        server_name: The name in the server's certificate, where it is not that of the address.
        verify: Whether the server's certificate is checked.
        certificate: Client certificate, PEM.
        key: Its key, PEM.
        token: Bearer token.
    """

    context: str
    server: str
    authority: str | None = None
    server_name: str | None = None
    verify: bool = True
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


def read_kubeconfig(
    file: Path | None = None, context: str | None = None, environ: Mapping[str, str] = os.environ
) -> Access:
    """The access that a kubeconfig gives; a plugin that it names is run for the credentials.

    Args:
        file: The file; ``$KUBECONFIG``, then ``~/.kube/config`` where there is none.
        context: Name of a context; the file's current one where there is none.
        environ: Variables of the process.

    Raises:
        NotRunnable: It is not there or not readable, names what is not there, or its plugin failed.
    """
    files = [file] if file else _usual_files(environ)
    config = _merged(files)
    shown = ", ".join(map(str, files))
    name = context or config["current-context"]
    if not name:
        raise _problem("names no current context", shown, "kubectl config use-context, or --context")
    chosen = _named(config, "contexts", name, "context", shown)
    cluster = _named(config, "clusters", chosen.get("cluster"), "cluster", shown)
    user = _named(config, "users", chosen.get("user"), "user", shown) if chosen.get("user") else {}
    server = str(cluster.get("server") or "")
    if not is_safe(server):
        raise _problem(f"server {server!r} of cluster {chosen.get('cluster')!r} is no https:// address", shown)
    if cluster.get("proxy-url"):
        raise _problem("proxy-url is not supported", shown, "reach the cluster by another context")
    credentials = _credentials(user, shown, server, environ)
    try:
        authority = _bytes(cluster, "certificate-authority")
    except (OSError, ValueError) as error:
        raise _problem(f"certificate-authority cannot be read: {error}", shown) from None
    return Access(
        context=str(name),
        server=server.rstrip("/"),
        authority=authority.decode("ascii", "replace") if authority else None,
        server_name=cluster.get("tls-server-name"),
        verify=cluster.get("insecure-skip-tls-verify") is not True,
        **credentials,
    )


def _usual_files(environ: Mapping[str, str]) -> list[Path]:
    named = [Path(name) for name in environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    return [file for file in named if file.is_file()] or named[:1] or [Path.home() / ".kube" / "config"]


def _merged(files: list[Path]) -> dict[str, Any]:
    """Several files as one; what comes first wins."""
    merged: dict[str, Any] = {"current-context": "", "contexts": {}, "clusters": {}, "users": {}}
    for file in files:
        try:
            documents = list(load_all(file.read_bytes(), str(file)))
        except OSError as error:
            hint = "name one with --kubeconfig, or by KUBECONFIG"
            raise _problem(f"cannot be read: {error.strerror}", str(file), hint) from None
        except ApiOpsError as error:  # it says the line, and never what stands there
            raise NotRunnable(error.problems) from None
        content = documents[0].value if documents else {}
        if not isinstance(content, Mapping):
            raise _problem("is no kubeconfig", str(file))
        merged["current-context"] = merged["current-context"] or content.get("current-context") or ""
        for part, kind in (("contexts", "context"), ("clusters", "cluster"), ("users", "user")):
            for item in content.get(part) or []:
                if isinstance(item, Mapping) and isinstance(item.get(kind), Mapping):
                    merged[part].setdefault(item.get("name"), {**item[kind], "__file__": file})
    return merged


def _named(config: Mapping[str, Any], part: str, name: Any, kind: str, shown: str) -> Mapping[str, Any]:
    found = config[part].get(name)
    if found is None:
        known = ", ".join(sorted(map(str, config[part]))) or "none"
        raise _problem(f"there is no {kind} {name!r} in it; there are: {known}", shown)
    return found  # type: ignore[no-any-return]


def _bytes(values: Mapping[str, Any], key: str) -> bytes | None:
    """A certificate or key: in the file itself, or in one beside it."""
    if values.get(f"{key}-data"):
        try:
            return decoded(values[f"{key}-data"])
        except ValueError as error:
            message = f"{key}-data {error}"
            raise ValueError(message) from None
    if values.get(key):
        return Path(values["__file__"].parent, str(values[key])).read_bytes()
    return None


def _credentials(user: Mapping[str, Any], shown: str, server: str, environ: Mapping[str, str]) -> dict[str, Any]:
    if user.get("auth-provider"):
        raise _problem("auth-provider was taken out of Kubernetes", shown, "use a plugin: users[].user.exec")
    if user.get("username"):
        raise _problem("a user with a password was taken out of Kubernetes", shown, "use a token or a certificate")
    try:
        certificate, key = _bytes(user, "client-certificate"), _bytes(user, "client-key")
        token = user.get("token")
        if not token and user.get("tokenFile"):
            token = Path(user["__file__"].parent, str(user["tokenFile"])).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise _problem(f"credentials cannot be read: {error}", shown) from None
    if user.get("exec"):
        return _run(user["exec"], user["__file__"].parent, shown, server, environ)
    end = ended(certificate) if certificate and not token else None
    if end:
        raise _problem(f"the client's certificate ended on {end:%Y-%m-%d at %H:%M} UTC", shown, "log in again")
    return {"certificate": certificate, "key": key, "token": token}


def _run(
    plugin: Mapping[str, Any], folder: Path, shown: str, server: str, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Credentials of a plugin, such as ``gke-gcloud-auth-plugin``."""
    name = str(plugin.get("command"))
    if os.path.dirname(name):  # noqa: PTH120  (as kubectl: a bare name is looked up on PATH, any other from the file)
        name = str(folder / name)
    version = str(plugin.get("apiVersion") or "client.authentication.k8s.io/v1")
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = {"server": server}
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    env = {item["name"]: str(item["value"]) for item in plugin.get("env") or []}
    command = [name, *map(str, plugin.get("args") or [])]
    try:
        done = subprocess.run(
            command,
            env={**environ, **env, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_EXEC_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise _problem(f"its plugin {name} is not on PATH", shown, str(plugin.get("installHint") or "")) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _problem(f"its plugin {name} did not run: {type(error).__name__}", shown) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _problem(f"its plugin {name} failed: {said[-1] if said else done.returncode}", shown, "log in again")
    try:
        status = json.loads(done.stdout)["status"]
        certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
        found = {
            "token": status.get("token"),
            "certificate": certificate.encode() if certificate else None,
            "key": key.encode() if key else None,
        }
    except (ValueError, LookupError, TypeError, AttributeError):
        raise _problem(f"its plugin {name} printed no ExecCredential", shown) from None
    return found


def _problem(message: str, file: str, hint: str = "") -> NotRunnable:
    return NotRunnable(Problem(message, file=file, code="cluster/kubeconfig", hint=hint))
