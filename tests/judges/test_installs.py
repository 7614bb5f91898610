"""The charts with our values, and what we render ourselves, judged by `validate`, checkov and kube-score.

Needed, and each test says which of them is missing: checkov on PATH or named by APIOPS_CHECKOV, kube-score and helm on
PATH, and for the charts APIOPS_CHARTS, a folder with argo-cd (redis-ha inside), ngrok-operator and ngrok-crds.
"""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from verdicts import judged, text

from apiops_components import Project, render_all, versions
from apiops_components.cli.validate import command as validate
from apiops_components.models.argocd import ArgoCDSpec
from apiops_components.models.operator import NgrokOperatorSpec
from apiops_components.render.argocd import RELEASE as ARGOCD
from apiops_components.render.argocd import argocd_objects, argocd_values
from apiops_components.render.operator import RELEASE as NGROK
from apiops_components.render.operator import operator_objects, operator_values
from apiops_components.testing.pulumi import UNKNOWN, record

pytestmark = pytest.mark.judges

ROOT = Path(__file__).parents[2]
CHARTS = os.environ.get("APIOPS_CHARTS")

ARGO = {f"argocd-{part}" for part in ("application-controller", "applicationset-controller", "repo-server", "server")}
NGROK_PODS = {"ngrok-operator-agent", "ngrok-operator-cleanup", "ngrok-operator-manager"}


class Reason(NamedTuple):
    """Why something that a judge finds stays as it is."""

    text: str
    where: set[str]


NO_CPU_LIMIT = "a limit slows the container down while its node idles; the request is what is guaranteed"
BY_TAG = "the tag is that of an exact chart; its digest is not known here, and `chart.values` can give it"
PULLED_ONCE = "the tag does not move; Always would keep pods from starting while the registry is away"
STORAGE = "what clones and templates take on disk is not known here, and a limit that is too low evicts the pod"
ARGO_USER = "the images bring their own user 999, who owns the files in them"
ARGO_RIGHTS = "Argo CD deploys whatever projects allow; they hold teams to their kinds and namespaces"
CHART = "written into the chart, without a value to change it"


def accepted_argo(redis):
    """What is accepted of every profile, with the pods of its Redis."""
    pods = ARGO | {"argocd-redis-secret-init"}
    deployers = {"argocd-application-controller", "argocd-server"}
    return {
        "CKV_K8S_8": Reason(f"the controller's lack of a liveness probe is {CHART}", {"argocd-application-controller"}),
        "CKV_K8S_11": Reason(NO_CPU_LIMIT, pods | redis),
        "CKV_K8S_15": Reason(PULLED_ONCE, pods | redis),
        "CKV_K8S_35": Reason(
            f"the password of Redis in the environment is {CHART}", deployers | {"argocd-repo-server"} | redis
        ),
        "CKV_K8S_38": Reason("they ask the API server", pods - {"argocd-repo-server"}),
        "CKV_K8S_40": Reason(ARGO_USER, pods),
        "CKV_K8S_43": Reason(BY_TAG, pods | redis),
        "CKV_K8S_49": Reason(ARGO_RIGHTS, deployers),
        "CKV_K8S_155": Reason(ARGO_RIGHTS, deployers),
        "CKV_K8S_156": Reason(ARGO_RIGHTS, {"argocd-application-controller"}),
        "CKV_K8S_157": Reason(ARGO_RIGHTS, {"argocd-application-controller"}),
        "CKV_K8S_158": Reason(ARGO_RIGHTS, {"argocd-application-controller"}),
        "container-ephemeral-storage-request-and-limit": Reason(STORAGE, ARGO),
        "container-image-pull-policy": Reason(PULLED_ONCE, pods | redis),
        "container-resources": Reason(NO_CPU_LIMIT, pods | redis),
        "container-security-context-user-group-id": Reason(ARGO_USER, pods),
        "pod-networkpolicy": Reason("they talk to Git and to API servers anywhere, so nothing limits egress", pods),
        "pod-probes-identical": Reason("it has one address for both", {"argocd-applicationset-controller"}),
        "statefulset-has-servicename": Reason(
            f"its Service, which is not needed, is {CHART}", {f"{ARGOCD}-application-controller"}
        ),
    }


ACCEPTED_SMALL = accepted_argo({"argocd-redis"}) | {
    "deployment-replicas": Reason(
        "small is for machines with one node", ARGO - {"argocd-application-controller"} | {"argocd-redis"}
    ),
}
REDIS = {"argocd-redis-ha-haproxy", "argocd-redis-ha-server"}
ACCEPTED_HA = accepted_argo(REDIS) | {
    "pod-probes-identical": Reason(f"one question for both is {CHART}", REDIS | {"argocd-applicationset-controller"}),
    "service-targets-pod": Reason(
        "each selects one pod, by the label that the controller of StatefulSets sets",
        {f"argocd-redis-ha-announce-{number}" for number in range(3)},
    ),
}

NGROK_CONTEXT = f"the security context of its containers is {CHART}; the namespace warns of it, and enforces baseline"
ACCEPTED_NGROK = {
    "CKV_K8S_11": Reason(NO_CPU_LIMIT, NGROK_PODS),
    "CKV_K8S_15": Reason(PULLED_ONCE, NGROK_PODS),
    "CKV_K8S_20": Reason(NGROK_CONTEXT, {"ngrok-operator-cleanup"}),
    "CKV_K8S_22": Reason(NGROK_CONTEXT, NGROK_PODS),
    "CKV_K8S_23": Reason(NGROK_CONTEXT, NGROK_PODS),
    "CKV_K8S_28": Reason(NGROK_CONTEXT, NGROK_PODS),
    "CKV_K8S_29": Reason(NGROK_CONTEXT, NGROK_PODS),
    "CKV_K8S_30": Reason(NGROK_CONTEXT, {"ngrok-operator-cleanup"}),
    "CKV_K8S_31": Reason(NGROK_CONTEXT, NGROK_PODS),
    "CKV_K8S_35": Reason(f"credentials in the environment are {CHART}", NGROK_PODS - {"ngrok-operator-cleanup"}),
    "CKV_K8S_37": Reason(NGROK_CONTEXT, NGROK_PODS),
    "CKV_K8S_38": Reason("they ask the API server", NGROK_PODS),
    "CKV_K8S_40": Reason(NGROK_CONTEXT, NGROK_PODS),
    "CKV_K8S_43": Reason(BY_TAG, NGROK_PODS),
    "container-ephemeral-storage-request-and-limit": Reason(STORAGE, NGROK_PODS),
    "container-image-pull-policy": Reason(PULLED_ONCE, NGROK_PODS),
    "container-resources": Reason(NO_CPU_LIMIT, NGROK_PODS),
    "container-security-context-readonlyrootfilesystem": Reason(NGROK_CONTEXT, NGROK_PODS),
    "container-security-context-user-group-id": Reason(NGROK_CONTEXT, NGROK_PODS),
}


def accepted_stacks(redis_policy):
    """What is accepted of the example platform; stacks/teams/shop/describe.py says the same of the guestbook."""
    return {
        "CKV_K8S_22": Reason("exempted: writable-root-filesystem", {"frontend"}),
        "CKV_K8S_23": Reason("exempted: run-as-root", {"frontend"}),
        "CKV_K8S_40": Reason("exempted: run-as-root", {"frontend"}),
        "CKV_K8S_43": Reason("exempted: image-without-digest", {"frontend"}),
        "networkpolicy-targets-pod": Reason(
            "kube-score does not look into ReplicaSets; the pods of the operator and of Redis are their charts'",
            {"frontend", NGROK, redis_policy},
        ),
        "service-targets-pod": Reason("kube-score does not look into ReplicaSets", {"frontend"}),
    }


ELSEWHERE = {
    "there is no Service payments/payments-next [reference/service]": "the next version is deployed elsewhere",
}
"""What `validate` tells, with the reason why it stays."""


def chart(folder, name, release, values):
    if not CHARTS:
        pytest.skip("APIOPS_CHARTS does not name a folder with the charts argo-cd, ngrok-operator and ngrok-crds")
    if shutil.which("helm") is None:
        pytest.skip("helm is not on PATH")
    file = folder / "values.json"
    file.write_text(json.dumps(values))
    command = ["helm", "template", release, Path(CHARTS) / name, "--namespace", release, "--values", file]
    # Pods of `helm test`, which nobody runs here, stay out.
    command += ["--kube-version", f"{versions.KUBERNETES}.0", "--skip-tests"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def ngrok(folder, **settings):
    spec = NgrokOperatorSpec(**settings)
    return chart(folder, "ngrok-operator", NGROK, operator_values(spec)) + text(operator_objects(spec))


def argocd(profile):
    def made(folder):
        bindings = [{"group": "developers", "role": "readonly"}]
        spec = ArgoCDSpec.model_validate(
            {"profile": profile, "domain": "argocd.example.com", "rbac": {"bindings": bindings}}
        )
        if profile == "ha" and CHARTS and not (Path(CHARTS) / "argo-cd/charts/redis-ha").is_dir():
            pytest.skip("the chart argo-cd in APIOPS_CHARTS does not hold redis-ha")
        return chart(folder, "argo-cd", ARGOCD, argocd_values(spec)) + text(argocd_objects(spec))

    return made


def definitions(folder):
    return chart(folder, "ngrok-crds", "ngrok-crds", {})


def stacks(environment):
    def made(_folder):
        manifests = render_all(Project.load(ROOT).descriptions(environment))
        return text([manifest.object for manifest in manifests])

    return made


def team(_folder):
    recording = record(
        lambda: runpy.run_path(str(ROOT / "examples/team/__main__.py"), run_name="__main__"),
        project="payments",
        stack="dev",
        config={"payments:host": "payments.dev.example.com"},
        stack_references={"organization/apiops-platform/dev": {"kubeconfig": UNKNOWN}},
    )
    return text([dict(resource.inputs) for resource in recording.resources if resource.package == "kubernetes"])


def pairs(accepted):
    return {(rule, name) for rule, reason in accepted.items() for name in reason.where}


SETS = {
    "ngrok-operator": (ngrok, ACCEPTED_NGROK),
    "argo-cd small": (argocd("small"), ACCEPTED_SMALL),
    "argo-cd ha": (argocd("ha"), ACCEPTED_HA),
    "examples/team": (team, {}),
    "stacks dev": (stacks("dev"), accepted_stacks("argocd-redis-egress")),
    "stacks prod": (stacks("prod"), accepted_stacks("argocd-redis-ha-haproxy-metrics")),
}


@pytest.mark.parametrize("name", SETS)
def test_judges_find_nothing_but_what_is_listed_with_a_reason(tmp_path, name):
    make, accepted = SETS[name]

    assert judged(tmp_path, make(tmp_path)) == pairs(accepted)


@pytest.mark.parametrize("name", [*SETS, "ngrok-crds"])
def test_our_own_validate_knows_every_object_and_finds_nothing(tmp_path, name):
    make = definitions if name == "ngrok-crds" else SETS[name][0]
    (tmp_path / "objects.yaml").write_text(make(tmp_path))
    done = CliRunner().invoke(validate, [str(tmp_path / "objects.yaml")], standalone_mode=False)
    found = [line.partition("objects.yaml:")[2].partition(": ")[2] for line in done.output.splitlines()[:-1]]

    assert [line for line in found if line and not line.endswith(tuple(ELSEWHERE))] == [], done.output
    assert ", 0 skipped" in done.output


def test_what_is_taken_away_is_found(tmp_path):
    content = ngrok(tmp_path, disruption_budget=False).replace("kind: NetworkPolicy", "kind: Ignored")
    content += argo_with(tmp_path, "small", {"redis": {"livenessProbe": {"enabled": False}}})
    known = pairs(ACCEPTED_NGROK) | pairs(ACCEPTED_SMALL)

    assert judged(tmp_path, content) - known == {
        ("CKV_K8S_8", "argocd-redis"),
        ("deployment-has-poddisruptionbudget", "ngrok-operator-agent"),
        ("deployment-has-poddisruptionbudget", "ngrok-operator-manager"),
        ("pod-networkpolicy", "ngrok-operator-agent"),
        ("pod-networkpolicy", "ngrok-operator-cleanup"),
        ("pod-networkpolicy", "ngrok-operator-manager"),
        ("pod-probes", "argocd-redis"),
    }


def test_what_is_taken_away_of_three_redis_is_found(tmp_path):
    users = {"runAsUser": 99, "runAsGroup": 99}
    values = {
        "haproxy": {
            "podDisruptionBudget": None,
            "networkPolicy": {"enabled": False},
            "resources": None,
            "securityContext": users,
            "serviceAccount": {"automountToken": True},
            "containerSecurityContext": {"readOnlyRootFilesystem": False},
        },
        "networkPolicy": {"enabled": False},
        "init": {"resources": {"limits": {"memory": None}}},
        "containerSecurityContext": users,
    }

    assert judged(tmp_path, argo_with(tmp_path, "ha", {"redis-ha": values})) - pairs(ACCEPTED_HA) == {
        ("CKV_K8S_10", "argocd-redis-ha-haproxy"),
        ("CKV_K8S_12", "argocd-redis-ha-haproxy"),
        ("CKV_K8S_13", "argocd-redis-ha-haproxy"),
        ("CKV_K8S_13", "argocd-redis-ha-server"),
        ("CKV_K8S_22", "argocd-redis-ha-haproxy"),
        ("CKV_K8S_38", "argocd-redis-ha-haproxy"),
        ("CKV_K8S_40", "argocd-redis-ha-haproxy"),
        ("CKV_K8S_40", "argocd-redis-ha-server"),
        ("container-ephemeral-storage-request-and-limit", "argocd-redis-ha-haproxy"),
        ("container-security-context-readonlyrootfilesystem", "argocd-redis-ha-haproxy"),
        ("container-security-context-user-group-id", "argocd-redis-ha-haproxy"),
        ("container-security-context-user-group-id", "argocd-redis-ha-server"),
        ("deployment-has-poddisruptionbudget", "argocd-redis-ha-haproxy"),
        ("pod-networkpolicy", "argocd-redis-ha-haproxy"),
        ("pod-networkpolicy", "argocd-redis-ha-server"),
    }


def argo_with(folder, profile, values):
    spec = ArgoCDSpec.model_validate({"profile": profile, "chart": {"values": values}})
    return chart(folder, "argo-cd", ARGOCD, argocd_values(spec)) + text(argocd_objects(spec))
