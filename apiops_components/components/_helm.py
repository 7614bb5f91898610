"""Registers a Helm release of a chart reference."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs

from apiops_components.components._base import Component
from apiops_components.components._charts import located
from apiops_components.models.base import duration_seconds
from apiops_components.models.helm import HelmChart

_HISTORY = 10


def release(
    component: Component,
    role: str,
    chart: HelmChart,
    *,
    name: str,
    namespace: str,
    values: Mapping[str, Any],
    timeout: str,
    depends_on: Iterable[pulumi.Resource],
    **options: Any,
) -> Release:
    """Installs a chart as the child ``<component>-<role>``, under a name that does not change.

    Never ``atomic``: that uninstalls what fails, and with a chart's definitions every object of their kinds. A failed
    install stays, and the next ``up`` upgrades it.
    """
    return Release(
        f"{component._name}-{role}",  # noqa: SLF001  (Pulumi has no public name)
        chart=_source(chart),
        version=chart.version,
        repository_opts=RepositoryOptsArgs(repo=chart.repository) if chart.repository and not _is_oci(chart) else None,
        name=name,
        namespace=namespace,
        values=values,
        timeout=int(duration_seconds(timeout)),
        atomic=False,
        skip_await=False,
        # Each revision is a Secret with the whole manifest; Helm keeps all of them if nobody says otherwise.
        max_history=_HISTORY,
        # What Pulumi was told, in words that a refresh leaves alone: it takes the values of an upgrade that was cut off
        # for those of the cluster, and without this the next `up` would find nothing to do.
        description=_told(chart, values),
        opts=component.child(depends_on=list(depends_on), **options),
    )


def _told(chart: HelmChart, values: Mapping[str, Any]) -> str:
    told = json.dumps([chart.version, values], sort_keys=True)
    return f"values {hashlib.sha256(told.encode()).hexdigest()[:12]}"


def _is_oci(chart: HelmChart) -> bool:
    return (chart.repository or "").startswith("oci://")


def _source(chart: HelmChart) -> str:
    if chart.path is not None:
        return located(chart.path)
    # A registry has no index to look a name up in: the address is the chart's own.
    return f"{(chart.repository or '').rstrip('/')}/{chart.name}" if _is_oci(chart) else chart.name
