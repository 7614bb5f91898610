"""What runs pods: the rules of Kubernetes' server about selectors, replicas and how pods are replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from apiops_components.errors import Problem
from apiops_components.models.cron import check_schedule
from apiops_components.validation.metadata import check_label_selector, is_dns_label, name_problem
from apiops_components.validation.walk import choice, get, integer, mapping, text

__all__ = [
    "check_cron_job",
    "check_daemon_set",
    "check_deployment",
    "check_job",
    "check_replica_set",
    "check_stateful_set",
    "count_problem",
]

_PERCENT = re.compile(r"[0-9]+%")
_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MAX_CRON_NAME = 52


def check_deployment(value: Mapping[str, Any]) -> Iterator[Problem]:
    """Deployment."""
    yield from _controller(value)
    kind = text(value, "spec", "strategy", "type")
    yield from choice(get(value, "spec", "strategy"), "spec.strategy", "type", ("Recreate", "RollingUpdate"), _STRATEGY)
    rolling = get(value, "spec", "strategy", "rollingUpdate")
    if kind == "Recreate" and rolling is not None:
        message = "may not be specified when strategy `type` is 'Recreate'"
        yield Problem(message, "spec.strategy.rollingUpdate", _STRATEGY, "leave it out")
    yield from _rolling(rolling, "spec.strategy.rollingUpdate")
    ready, deadline = integer(value, "spec", "minReadySeconds") or 0, integer(value, "spec", "progressDeadlineSeconds")
    if deadline is not None and deadline <= ready:
        message = f"must be greater than minReadySeconds ({ready}), got {deadline}"
        yield Problem(message, "spec.progressDeadlineSeconds", "workload/deadline")


_STRATEGY = "workload/strategy"


def check_replica_set(value: Mapping[str, Any]) -> Iterator[Problem]:
    """ReplicaSet."""
    yield from _controller(value)


def check_daemon_set(value: Mapping[str, Any]) -> Iterator[Problem]:
    """DaemonSet."""
    yield from _controller(value)
    update = get(value, "spec", "updateStrategy")
    yield from choice(update, "spec.updateStrategy", "type", ("RollingUpdate", "OnDelete"), _STRATEGY)


def check_stateful_set(value: Mapping[str, Any]) -> Iterator[Problem]:
    """StatefulSet."""
    yield from _controller(value)
    yield from choice(value.get("spec"), "spec", "podManagementPolicy", ("OrderedReady", "Parallel"), _STRATEGY)
    update = get(value, "spec", "updateStrategy")
    yield from choice(update, "spec.updateStrategy", "type", ("RollingUpdate", "OnDelete"), _STRATEGY)
    if name := text(value, "spec", "serviceName"):
        yield from name_problem(name, "spec.serviceName", is_dns_label)


def check_job(value: Mapping[str, Any]) -> Iterator[Problem]:
    """Job."""
    yield from _job(get(value, "spec"), "spec")


def check_cron_job(value: Mapping[str, Any]) -> Iterator[Problem]:
    """CronJob."""
    name, schedule = text(value, "metadata", "name"), text(value, "spec", "schedule")
    if len(name) > _MAX_CRON_NAME:
        message = f"must be no more than {_MAX_CRON_NAME} characters: Jobs add 11 to it, got {len(name)}"
        yield Problem(message, "metadata.name", "workload/name")
    if "TZ" in schedule:
        message = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        yield Problem(message, "spec.schedule", "workload/schedule")
    elif schedule and schedule not in _DESCRIPTORS and not schedule.startswith("@every "):
        try:
            check_schedule(schedule)
        except ValueError as error:
            hint = "minute hour day-of-month month day-of-week, such as 0 22 * * 1-5"
            yield Problem(f"cannot parse schedule {schedule!r}: {error}", "spec.schedule", "workload/schedule", hint)
    yield from choice(value.get("spec"), "spec", "concurrencyPolicy", ("Allow", "Forbid", "Replace"), "workload/cron")
    yield from _job(get(value, "spec", "jobTemplate", "spec"), "spec.jobTemplate.spec")


def _job(spec: Any, path: str) -> Iterator[Problem]:
    for field in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        yield from _not_negative(spec, path, field)
    yield from choice(spec, path, "completionMode", ("NonIndexed", "Indexed"), "workload/job")
    if get(spec, "completionMode") == "Indexed" and get(spec, "completions") is None:
        message = "required when completionMode is Indexed"
        yield Problem(message, f"{path}.completions", "workload/job")
    if get(spec, "selector") is not None and get(spec, "manualSelector") is not True:
        message = "`selector` not auto-generated"
        yield Problem(message, f"{path}.selector", "workload/selector", "leave it out: Kubernetes makes it")


def _controller(value: Mapping[str, Any]) -> Iterator[Problem]:
    spec = get(value, "spec")
    for field in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        yield from _not_negative(spec, "spec", field)
    selector = get(spec, "selector")
    if not isinstance(selector, Mapping):
        return
    yield from check_label_selector(selector, "spec.selector")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        message = f"empty selector is invalid for {text(value, 'kind').lower()}"
        yield Problem(message, "spec.selector", "workload/selector", "matchLabels, the template's labels")
        return
    labels = mapping(spec, "template", "metadata", "labels")
    if isinstance(get(spec, "template"), Mapping) and not _selects(selector, labels):
        wanted = ", ".join(f"{key}={item}" for key, item in mapping(selector, "matchLabels").items())
        hint = f"its labels must hold {wanted}" if wanted else ""
        message = "`selector` does not match template `labels`"
        yield Problem(message, "spec.template.metadata.labels", "workload/selector", hint)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    if any(labels.get(key) != wanted for key, wanted in mapping(selector, "matchLabels").items()):
        return False
    expressions = selector.get("matchExpressions")
    for item in expressions if isinstance(expressions, list) else ():
        key, operator, values = get(item, "key"), get(item, "operator"), get(item, "values") or []
        if operator in ("In", "Exists") and key not in labels:
            return False
        if operator == "DoesNotExist" and key in labels:
            return False
        if operator in ("In", "NotIn") and (labels.get(key) in values) is (operator == "NotIn"):
            return False
    return True


def _rolling(rolling: Any, path: str) -> Iterator[Problem]:
    surge, unavailable = get(rolling, "maxSurge"), get(rolling, "maxUnavailable")
    for field, amount in (("maxSurge", surge), ("maxUnavailable", unavailable)):
        yield from count_problem(amount, f"{path}.{field}")
    if surge in (0, "0%") and unavailable in (0, "0%"):
        message = "may not be 0 when `maxSurge` is 0"
        yield Problem(message, f"{path}.maxUnavailable", _STRATEGY, "one of them must let pods be replaced")


def count_problem(amount: Any, path: str) -> Iterator[Problem]:
    """A number of pods, or a percentage of them."""
    if isinstance(amount, bool):
        return
    if (isinstance(amount, int) and amount < 0) or (isinstance(amount, str) and not _PERCENT.fullmatch(amount)):
        hint = f"write {amount} without quotes" if isinstance(amount, str) and amount.isdigit() else "such as 1 or 25%"
        yield Problem(f"0 or more, or a percentage, is expected, got {amount!r}", path, "workload/count", hint)


def _not_negative(spec: Any, path: str, field: str) -> Iterator[Problem]:
    if (number := integer(spec, field)) is not None and number < 0:
        yield Problem(f"must be greater than or equal to 0, got {number}", f"{path}.{field}", "workload/count")
