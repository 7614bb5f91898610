"""The sandbox's own authority, the certificates that it gives out, and the kubeconfig that holds one of them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import trustme

from apiops_components.sandbox.plan import HOST

__all__ = ["kubeconfig", "make_certificates", "write_private"]

_SERVICE = "kubernetes.default.svc"


def make_certificates(folder: Path) -> None:
    """Writes authority, certificates and keys into an empty folder; every key is readable by its owner alone."""
    authority = trustme.CA(organization_name="apiops sandbox")
    write_private(folder / "ca.crt", authority.cert_pem.bytes())
    _write(folder, "etcd", authority.issue_cert(HOST, "localhost", common_name="etcd"))
    _write(folder, "kube-apiserver", authority.issue_cert(HOST, "localhost", _SERVICE, common_name="kube-apiserver"))
    # Kubernetes reads who somebody is from the subject: user admin, of the group that may do everything.
    _write(folder, "admin", authority.issue_cert("admin", common_name="admin", organization_name="system:masters"))
    signing = trustme.CA().private_key_pem.bytes()
    write_private(folder / "service-accounts.key", signing)


def _write(folder: Path, name: str, issued: trustme.LeafCert) -> None:
    write_private(folder / f"{name}.crt", b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    write_private(folder / f"{name}.key", issued.private_key_pem.bytes())


def write_private(file: Path, content: bytes) -> None:
    """Writes a file that only its owner may read, whole or not at all."""
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600, exist_ok=False)
    part.write_bytes(content)
    part.replace(file)


def kubeconfig(name: str, port: int, certificates: Path) -> dict[str, Any]:
    """A kubeconfig of the administrator, with everything in it: no path, so that it may be moved."""

    def data(file: str) -> str:
        return base64.b64encode((certificates / file).read_bytes()).decode()

    cluster = f"apiops-{name}"
    server = {"server": f"https://{HOST}:{port}", "certificate-authority-data": data("ca.crt")}
    user = {"client-certificate-data": data("admin.crt"), "client-key-data": data("admin.key")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "clusters": [{"name": cluster, "cluster": server}],
        "users": [{"name": cluster, "user": user}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster, "namespace": "default"}}],
    }
