"""What a kubeconfig needs of this machine: files, certificates that have not ended, a plugin."""

from __future__ import annotations

import base64
import binascii
import os.path
import re
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apiops_components.errors import Problem

__all__ = ["decoded", "ended", "unusable"]

_CERTIFICATES = {"cluster": ("certificate-authority",), "user": ("client-certificate", "client-key")}
_PEM = re.compile(rb"-----BEGIN [A-Z0-9 ]+-----\s(.*?)-----END ", re.DOTALL)
_VERSION, _UTC_TIME = 0xA0, 0x17


def unusable(kind: str, value: Mapping[str, Any]) -> Iterator[Problem]:
    """All that would fail at the first use of a kubeconfig's cluster or user.

    Args:
        kind: ``cluster`` or ``user``.
        value: Its fields; names of files are absolute, where the kubeconfig is a file itself.
    """
    found: dict[str, bytes] = {}
    for key in _CERTIFICATES[kind]:
        field = f"{key}-data" if value.get(f"{key}-data") else key
        try:
            content = _content(value, key)
        except ValueError as error:
            yield Problem(str(error), field, "kubeconfig/file")
            continue
        if content is not None and not _PEM.search(content):
            yield Problem("is no PEM", field, "kubeconfig/pem", "-----BEGIN … is expected")
        elif content is not None:
            found[field] = content
    if kind != "user":
        return
    if value.get("tokenFile") and not value.get("token"):
        try:
            _read(value["tokenFile"])
        except ValueError as error:
            yield Problem(str(error), "tokenFile", "kubeconfig/file")
    if not any(value.get(other) for other in ("token", "tokenFile", "exec")):
        yield from _ended(found)
    login = value.get("exec")
    if isinstance(login, Mapping) and isinstance(login.get("command"), str) and not shutil.which(login["command"]):
        hint = str(login.get("installHint") or "install it, or give its folder to PATH").strip()
        message = f"the plugin {login['command']!r}, which logs in, is not on PATH"
        yield Problem(message, "exec.command", "kubeconfig/plugin", hint)


def decoded(data: Any) -> bytes:
    """The content of a field ``…-data``; as kubectl does, line ends in it are passed over.

    Raises:
        ValueError: It is no base64.
    """
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, AttributeError, ValueError):
        message = "is not base64"
        raise ValueError(message) from None


def ended(certificate: bytes, now: datetime | None = None) -> datetime | None:
    """When the first of the certificates (PEM) ended; None where it holds, or cannot be read."""
    block = _PEM.search(certificate)
    try:
        end = _not_after(base64.b64decode(block[1])) if block else None
    except (ValueError, IndexError):
        return None
    return end if end and end <= (now or datetime.now(UTC)) else None


def _ended(found: Mapping[str, bytes]) -> Iterator[Problem]:
    for field, content in found.items():
        end = ended(content) if field.startswith("client-certificate") else None
        if end:
            message = f"the certificate ended on {end:%Y-%m-%d at %H:%M} UTC"
            yield Problem(message, field, "kubeconfig/ended", "log in again, or have a new kubeconfig written")


def _content(value: Mapping[str, Any], key: str) -> bytes | None:
    if value.get(f"{key}-data"):
        return decoded(value[f"{key}-data"])
    return _read(value[key]) if value.get(key) else None


def _read(name: Any) -> bytes:
    if not isinstance(name, str):
        message = "the name of a file is expected"
        raise ValueError(message)  # noqa: TRY004  (what is read is wrong, not the program)
    if not os.path.isabs(name):  # noqa: PTH117  (text, not yet a path)
        message = f"{name!r} lies beside the kubeconfig, which is no file here: kubectl config view --flatten"
        raise ValueError(message)
    try:
        return Path(name).read_bytes()
    except OSError as error:
        message = f"{name} cannot be read: {error.strerror}"
        raise ValueError(message) from None


def _not_after(certificate: bytes) -> datetime:
    """The end of a certificate's validity (RFC 5280, 4.1): the standard library reads no certificate."""

    def element(at: int) -> tuple[int, int, int]:
        tag, length, start = certificate[at], certificate[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, start = int.from_bytes(certificate[start : start + size]), start + size
        return tag, start, start + length

    within = element(element(0)[1])[1]
    tag, _, end = element(within)
    at = end if tag == _VERSION else within  # the version may be left out
    for _ in ("serial number", "signature", "issuer"):
        at = element(at)[2]
    validity = element(at)[1]
    tag, start, end = element(element(validity)[2])
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(certificate[start:end].decode("ascii"), form).replace(tzinfo=UTC)
