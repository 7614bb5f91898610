"""Everything that a project holds, as manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from apiops_components.errors import InvalidInput, Problem
from apiops_components.models.argocd import GitOpsSpec
from apiops_components.models.description import Description
from apiops_components.models.environment import Environment
from apiops_components.models.gitops_set import ClusterFacts, GitOpsSetSpec
from apiops_components.models.operator import NgrokOperatorSpec
from apiops_components.render.argocd import argocd_objects, gitops_objects
from apiops_components.render.gateway import api_objects, gateway_objects
from apiops_components.render.gitlab import repository_secret
from apiops_components.render.gitops_set import gitops_set_objects
from apiops_components.render.host import Host
from apiops_components.render.installs import PART_OF, namespace
from apiops_components.render.manifest import Manifest, Owner
from apiops_components.render.operator import GATEWAY_CLASS, operator_objects
from apiops_components.render.refusal import host_warnings

__all__ = [
    "beside_team",
    "gitops_set",
    "gitops_specs",
    "ingress_namespace",
    "render_all",
    "render_warnings",
    "team_namespace",
    "team_objects",
]


def render_all(descriptions: Iterable[Description]) -> list[Manifest]:
    """The manifests of all descriptions of one environment, in the order in which they are needed.

    Raises:
        InvalidInput: Something cannot be said safely, or two descriptions hold the same object.
    """
    manifests: list[Manifest] = []
    seen: dict[str, str] = {}
    hosts: dict[str, str] = {}
    for description in descriptions:
        for gateway in description.gateways:
            here = f"ApiGateway {gateway.namespace}/{gateway.name}"
            if gateway.host in hosts:
                raise InvalidInput(_shared_host(gateway.host, hosts[gateway.host], here))
            hosts[gateway.host] = here
        for manifest in _manifests(description):
            # By the file it is written to: two objects of different groups must not share one either.
            if manifest.path in seen:
                raise InvalidInput(_duplicate(manifest, seen[manifest.path]))
            seen[manifest.path] = manifest.component
            manifests.append(manifest)
    return manifests


def beside_team(environment: Environment, team: str) -> list[Manifest]:
    """What the platform puts into the namespace of a team, beside what the team describes."""
    namespace = environment.namespace(team)
    return [item for item in _platform(environment) if item.object["metadata"].get("namespace") == namespace]


def render_warnings(descriptions: Iterable[Description]) -> list[Problem]:
    """What is rendered, and what ngrok's operator does otherwise without harm."""
    return [
        problem
        for description in descriptions
        for gateway in description.gateways
        for problem in host_warnings(gateway)
    ]


def _shared_host(host: str, first: str, second: str) -> Problem:
    return Problem(
        f"host {host!r} has two Gateways: of {first} and of {second}",
        code="render/shared-host",
        hint="a host has one Gateway: move the APIs to one of them, or to one of the platform's",
    )


def _duplicate(manifest: Manifest, first: str) -> Problem:
    return Problem(
        f"{manifest.title} is there twice: from {first} and from {manifest.component}",
        code="render/duplicate-object",
        hint="an object has one owner: rename one, or let one of them refer to the other",
    )


def _manifests(description: Description) -> Iterator[Manifest]:
    environment = description.environment
    if description.team is None:
        yield from _platform(environment)
    owner: Owner = "gitops" if description.delivery == "gitops" else "pulumi"
    ingress = ingress_namespace(environment)
    for gateway in description.gateways:
        host = Host(gateway)
        for item in gateway_objects(gateway, host=host):
            yield _in_wave(_public(Manifest(item, f"ApiGateway {gateway.name}", owner, gateway.team)))
        for api in gateway.apis:
            for item in api_objects(gateway, api, ingress_namespace=ingress, host=host):
                yield _in_wave(_public(Manifest(item, f"Api {api.name}", owner, gateway.team)))


_LATER = frozenset({"Gateway", "HTTPRoute"})


def _in_wave(manifest: Manifest) -> Manifest:
    """Argo CD applies a wave when the one before is healthy, and prunes in the opposite order.

    So a Gateway or route comes when its policies are there and its workload is ready, and goes before them.
    """
    if manifest.owner != "gitops" or manifest.kind not in _LATER:
        return manifest
    metadata = manifest.object["metadata"]
    annotations = {**metadata.get("annotations", {}), "argocd.argoproj.io/sync-wave": "1"}
    whole = {**manifest.object, "metadata": {**metadata, "annotations": annotations}}
    return replace(manifest, object=whole)


def _public(manifest: Manifest) -> Manifest:
    """The manifest, which may be read in Git by many: the place of a secret in it would stay a place for ever."""
    if found := _slot(manifest.object):
        raise InvalidInput(
            Problem(
                f"{found!r} is the place of a secret, and nothing puts the value there",
                code="render/secret",
                hint="let ngrok read it: ${secrets.get('vault','name')}",
                document=manifest.title,
            )
        )
    return manifest


def _slot(value: Any) -> str | None:
    """A text in the manifest that holds the place of a secret."""
    if isinstance(value, str):
        return value if "<secret:" in value else None
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if found := _slot(item):
            return found
    return None


def _platform(environment: Environment) -> Iterator[Manifest]:
    parts: list[tuple[str, str | None, list[dict[str, Any]]]] = []
    if environment.ngrok is not None:
        parts.append(("NgrokOperator ngrok", None, operator_objects(environment.ngrok)))
    if environment.argocd is not None:
        parts.append(("ArgoCD argocd", None, argocd_objects(environment.argocd)))
    for name, token in environment.gitlab_tokens.items():
        if token.repository is not None:
            parts.append((f"GitLabToken {name}", None, [repository_secret(token.repository)]))
    parts += [(f"Team {team}", team, team_objects(environment, team)) for team in environment.teams]
    parts += [(f"GitOps {team}", team, gitops_objects(spec)) for team, spec in gitops_specs(environment).items()]
    if (followers := gitops_set(environment)) is not None:
        parts.append(("GitOpsSet teams", None, gitops_set_objects(followers)))
    for component, team, objects in parts:
        for item in objects:
            yield Manifest(item, component, "pulumi", team)


def team_objects(environment: Environment, team: str) -> list[dict[str, Any]]:
    """The Namespace of a team and, unless its settings say why not, the policy that closes it by default."""
    home = team_namespace(environment, team)
    if environment.team(team).open_network:
        return [home]
    closed = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "default-deny", "namespace": home["metadata"]["name"], "labels": dict(PART_OF)},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }
    return [home, closed]


def team_namespace(environment: Environment, team: str) -> dict[str, Any]:
    """The Namespace of a team; restricted unless the settings say otherwise, with the reason beside it."""
    settings = environment.team(team)
    level = settings.pod_security.level if settings.pod_security else "restricted"
    rendered = namespace(environment.namespace(team), enforce=level)
    rendered["metadata"]["labels"]["apiops/team"] = team
    annotations = {"apiops/owner": settings.owner}
    if settings.pod_security:
        annotations["apiops/pod-security-reason"] = settings.pod_security.reason
    if settings.open_network:
        annotations["apiops/open-network-reason"] = settings.open_network
    rendered["metadata"]["annotations"] = annotations
    return rendered


def gitops_specs(environment: Environment) -> dict[str, GitOpsSpec]:
    """What Argo CD gets for each team that it delivers."""
    if environment.argocd is None or environment.git is None:
        return {}
    return {
        name: GitOpsSpec(
            team=name,
            namespaces=(environment.namespace(name),),
            repository=environment.git.repository,
            revision=environment.git.revision,
            path=f"{environment.git.path}/{environment.name}/{environment.namespace(name)}",
            argocd_namespace=environment.argocd.namespace,
            application=environment.argocd.applications == "each",
        )
        for name, team in environment.teams.items()
        if team.delivery == "gitops"
    }


def gitops_set(environment: Environment) -> GitOpsSetSpec | None:
    """The one ApplicationSet for all teams, where the settings ask for it."""
    teams = gitops_specs(environment)
    if environment.argocd is None or environment.argocd.applications == "each" or not teams:
        return None
    facts = ClusterFacts(
        environment=environment.name,
        cluster_kind=environment.cluster.kind,
        gateway_class=GATEWAY_CLASS,
        ingress_namespace=ingress_namespace(environment),
        owner=environment.owner,
    )
    return GitOpsSetSpec(facts=facts, teams=tuple(teams.values()), argocd_namespace=environment.argocd.namespace)


def ingress_namespace(environment: Environment) -> str:
    """Where the pods run that call the workloads: the operator's namespace, its usual one where it is not ours."""
    return (environment.ngrok or NgrokOperatorSpec()).namespace
