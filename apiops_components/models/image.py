"""References to container images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from apiops_components.models.base import fault, raise_faults

__all__ = ["Image", "ImageReference", "parse_image"]

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]{1,5})?"
# Grammar of github.com/distribution/reference, of which the registry is optional there.
_REFERENCE = re.compile(
    rf"(?P<registry>{_DOMAIN})/(?P<repository>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class ImageReference:
    """The parts of ``registry/repository:tag@sha256:…``."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None


def parse_image(text: str) -> ImageReference:
    """Takes a reference apart; the registry must be named, tag and digest may be missing.

    Raises:
        ValueError: It is not a reference.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None or len(f"{match['registry']}/{match['repository']}") > _MAX_NAME:
        raise ValueError(text)
    registry = match["registry"]
    # Docker's own rule to tell a registry from a user of Docker Hub.
    if not ("." in registry or ":" in registry or registry == "localhost"):
        raise ValueError(text)
    return ImageReference(registry, match["repository"], match["tag"], match["digest"])


def _image(text: str) -> str:
    form = "registry/name:tag@sha256:<64 hexadecimal digits>"
    try:
        image = parse_image(text)
    except ValueError:
        image = None
    if image is None:
        hint = "name the registry, such as docker.io/library/nginx; the name is lower case"
        raise_faults([fault("image/reference", f"{text!r} is not an image reference: {form}", hint)])
    elif image.tag is None:
        raise_faults([fault("image/tag", f"{text!r} has no tag", f"write {form}: the tag is for people to read")])
    elif image.tag == "latest":
        raise_faults([fault("image/latest", f"{text!r} has the tag latest, which names no version", f"write {form}")])
    return text


Image = Annotated[str, AfterValidator(_image)]
"""``registry/name:tag``, mostly with ``@sha256:…``; never ``latest``, never without registry."""
