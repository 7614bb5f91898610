"""Who may do what in Argo CD, as typed grants and bindings.

Argo CD takes any policy without a word, and one that names what it never asks about grants nothing. So actions and
objects are checked against what its server asks about.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from apiops_components.models.base import CheckedModel, Model, Text, fault

__all__ = ["ACTIONS", "Rbac", "RbacBinding", "RbacGrant"]

_CHANGES = ("get", "create", "update", "delete")
ACTIONS = {
    "accounts": ("get", "create", "update"),
    # What ends in a slash is followed by group, kind and name of an object of the application.
    "applications": (*_CHANGES, "sync", "override", "action/", "update/", "delete/"),
    "applicationsets": _CHANGES,
    "certificates": ("get", "create", "delete"),
    "clusters": _CHANGES,
    "exec": ("create",),
    "extensions": ("invoke",),
    "gpgkeys": ("get", "create", "delete"),
    "logs": ("get",),
    "projects": _CHANGES,
    "repositories": _CHANGES,
    "write-repositories": _CHANGES,
}
"""What Argo CD asks about, by resource."""
_IN_PROJECTS = ("applications", "applicationsets", "exec", "logs")
_BY_NAME = ("accounts", "certificates", "extensions", "gpgkeys", "projects")

PolicyText = Annotated[str, Field(pattern=r'^[^,\s"]+$')]
"""A part of a policy line: no comma, quote or white space."""


class RbacGrant(Model):
    """One thing that a role may do in Argo CD."""

    role: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """Name of the role, without ``role:``."""
    resource: Literal[
        "accounts",
        "applications",
        "applicationsets",
        "certificates",
        "clusters",
        "exec",
        "extensions",
        "gpgkeys",
        "logs",
        "projects",
        "repositories",
        "write-repositories",
    ]
    """What kind of thing."""
    action: PolicyText = "get"
    """``get``, ``create``, ``update``, ``delete``, ``sync``, ``override``, ``invoke``, ``*``, or
    ``action/<group>/<kind>/<name>``: those that Argo CD asks about for the resource."""
    object: PolicyText = "*"
    """Which ones: ``<project>/<application>`` for applications, their logs and ``exec``, a name or an address
    otherwise; ``*`` matches any text, ``/`` too."""
    effect: Literal["allow", "deny"] = "allow"
    """A denial wins over every permission."""


class RbacBinding(Model):
    """Who has a role."""

    group: Annotated[str, Field(min_length=1, pattern=r'^[^"\r\n\t]+$')]
    """Group of the identity provider, or a local account."""
    role: Text
    """A role of `RbacGrant`, or Argo CD's own ``readonly`` and ``admin``."""


class Rbac(CheckedModel):
    """Who may do what in Argo CD, beside what each team's project grants."""

    default_role: Literal["", "readonly"] = ""
    """What everybody who is logged in may do. Nothing, because a permission given here cannot be denied to anyone."""
    grants: tuple[RbacGrant, ...] = ()
    """What roles may do."""
    bindings: tuple[RbacBinding, ...] = ()
    """Who has them."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        for index, grant in enumerate(self.grants):
            known = ACTIONS[grant.resource]
            begin, _, rest = grant.action.partition("/")
            asked = f"{begin}/" in known if rest else grant.action in {*known, "*"} - {f"{begin}/"}
            if not asked:
                message = f"Argo CD knows no action {grant.action!r} on {grant.resource}: it would never be asked about"
                hint = f"one of {', '.join(sorted(_shown(known)))}"
                yield fault("argocd/rbac-action", message, hint, ["grants", index, "action"])
            if grant.resource in _IN_PROJECTS and not re.search(r"[/*]", grant.object):
                message = f"{grant.object!r} is none of the {grant.resource}: they are named <project>/<application>"
                yield fault("argocd/rbac-object", message, f"{grant.object}/*", ["grants", index, "object"])
            if grant.resource in _BY_NAME and "/" in grant.object:
                message = f"{grant.object!r} is none of the {grant.resource}: their names hold no /"
                yield fault("argocd/rbac-object", message, "a name, or *", ["grants", index, "object"])
        roles = {grant.role for grant in self.grants} | {"readonly", "admin"}
        for index, binding in enumerate(self.bindings):
            if binding.role not in roles:
                message = f"no grant makes a role {binding.role!r}; there are {', '.join(sorted(roles))}"
                yield fault("argocd/rbac-role", message, "", ["bindings", index, "role"])


def _shown(actions: Collection[str]) -> list[str]:
    return [f"{action}<group>/<kind>/<name>" if action.endswith("/") else action for action in actions] + ["*"]
