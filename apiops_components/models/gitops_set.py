"""All teams' Applications by one ApplicationSet, and what Argo CD is told of a cluster for it.

`ClusterFacts` is a contract with two sides: it is written as labels and annotations of Argo CD's cluster Secret, and
what an ApplicationSet's template may read of a cluster are its fields and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

from pydantic import Field, ValidationError
from pydantic_core import InitErrorDetails

from apiops_components.errors import InvalidInput, Problem, problems_of
from apiops_components.models.argocd import GitOpsSpec
from apiops_components.models.base import CheckedModel, DnsLabel, Model, Text, fault

__all__ = ["ClusterFacts", "GitOpsSetSpec"]

_PREFIX = "apiops/"
# What an ApplicationSet may select clusters by; the others are annotations, which may hold any text.
_SELECTED = ("environment", "cluster_kind")


class ClusterFacts(Model):
    """What Argo CD is told of a cluster."""

    environment: DnsLabel
    """Name of the environment that runs there."""
    cluster_kind: DnsLabel
    """``gke``, ``gke-autopilot``, ``minikube`` or ``existing``."""
    gateway_class: Text = "ngrok"
    """GatewayClass of its Gateways."""
    ingress_namespace: DnsLabel = "ngrok-operator"
    """Where the pods run that call the workloads."""
    owner: Text
    """Who answers for it."""

    @property
    def labels(self) -> dict[str, str]:
        """What is selected by."""
        return {_key(name): getattr(self, name) for name in _SELECTED}

    @property
    def annotations(self) -> dict[str, str]:
        """The rest."""
        return {_key(name): getattr(self, name) for name in type(self).model_fields if name not in _SELECTED}

    @classmethod
    def of(cls, secret: Mapping[str, Any]) -> Self:
        """The facts in a cluster Secret.

        Raises:
            InvalidInput: They are not, or not all, there, or not of their type; each where it should stand.
        """
        metadata = secret.get("metadata") or {}
        given = {name: (metadata.get(_place(name)) or {}).get(_key(name)) for name in cls.model_fields}
        data = {name: text for name, text in given.items() if text is not None}
        # All of them are written, so that one with a default is missed, too.
        missing = [name for name in cls.model_fields if name not in data]
        problems = [Problem("required, but missing", name, "schema/required") for name in missing]
        try:
            facts = cls.model_validate(data)
        except ValidationError as error:
            problems = sorted({*problems, *problems_of(error, data)}, key=lambda problem: problem.path)
        if not problems:
            return facts
        where = f"Secret {metadata.get('namespace')}/{metadata.get('name')}"
        raise InvalidInput(
            replace(problem, path=f"metadata.{_place(problem.path)}.{_key(problem.path)}", document=where)
            for problem in problems
        )

    @classmethod
    def template(cls, name: str) -> str:
        """How a template of an ApplicationSet reads a fact: of a cluster without it no Application is made.

        Argo CD would take an absent one for an empty text, whatever ``missingkey`` says.

        Raises:
            KeyError: There is no such fact: a template that asks for it would fail on every cluster.
        """
        if name not in cls.model_fields:
            raise KeyError(name)
        fail = f'fail (printf "the cluster Secret of %s lacks metadata.{_place(name)}.{_key(name)}" .name)'
        return (
            f'{{{{with index .metadata.{_place(name)} "{_key(name)}"}}}}{{{{.}}}}{{{{else}}}}{{{{{fail}}}}}{{{{end}}}}'
        )


def _place(name: str) -> str:
    return "labels" if name in _SELECTED else "annotations"


def _key(name: str) -> str:
    return _PREFIX + name.replace("_", "-")


class GitOpsSetSpec(CheckedModel):
    """One ApplicationSet for every team, on every cluster of the environment that Argo CD knows."""

    facts: ClusterFacts
    """What Argo CD is told of its own cluster."""
    teams: tuple[GitOpsSpec, ...] = Field(min_length=1)
    """What each team gets; alike but for team, namespace and folder."""
    argocd_namespace: DnsLabel = "argocd"
    """Where Argo CD runs."""

    def faults(self) -> Iterator[InitErrorDetails]:  # noqa: D102
        first = self.teams[0]
        names: set[str] = set()
        for index, team in enumerate(self.teams):
            if team.team in names:
                yield fault("argocd/duplicate", f"team {team.team!r} is there twice", "", ["teams", index, "team"])
            names.add(team.team)
            for field in ("repository", "revision", "prune", "self_heal", "allow_empty", "retry"):
                if getattr(team, field) != getattr(first, field):
                    message = f"{field} differs from that of team {first.team!r}, and one template serves all"
                    yield fault("argocd/set", message, "applications: each", ["teams", index, field])
