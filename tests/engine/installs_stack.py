"""The example platform with the real charts, in a cluster that is there: what the tests of installs have in common."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

NAME = "installs"
RETAINED = {
    "agentendpoints.ngrok.k8s.ngrok.com",
    "applications.argoproj.io",
    "applicationsets.argoproj.io",
    "appprojects.argoproj.io",
    "boundendpoints.bindings.k8s.ngrok.com",
    "cloudendpoints.ngrok.k8s.ngrok.com",
    "domains.ingress.k8s.ngrok.com",
    "ippolicies.ingress.k8s.ngrok.com",
    "kubernetesoperators.ngrok.k8s.ngrok.com",
    "ngroktrafficpolicies.ngrok.k8s.ngrok.com",
}
"""The definitions that stay when the stack goes, by name."""
SECRETS = {
    "ngrok-api-key": "key-one",
    "ngrok-authtoken": "token-one",
    "ngrok-other": "key-two",
    "ngrok-another": "token-two",
    "argocd-sso": "sso-one",
    "argocd-sso-other": "sso-two",
    "git": "git-one",
}
_TOLD = {"events", "events.events.k8s.io"}
"""Kinds that tell what was, and fade."""
_NO_CHANGE = ("same", "read")
"""Steps that change nothing."""
_MADE_BY_THE_CLUSTER = (
    "ControllerRevision",
    "EndpointSlice",
    "Endpoints",
    "IPAddress",
    "Job",
    "Lease",
    "Pod",
    "ReplicaSet",
)
"""Kinds that controllers make, under names or with contents that differ from run to run."""
_GIVEN_BY_THE_CLUSTER = ("clusterIP", "clusterIPs")


class Installs:
    """One stack of the platform: ngrok and Argo CD by their charts."""

    def __init__(self, project, folder: Path, charts: Path) -> None:
        self.engine = project(folder)
        self.kubeconfig = os.environ["APIOPS_TEST_KUBECONFIG"]
        self.file = self.engine.project / f"stacks/config/Pulumi.{NAME}.yaml"
        self.settings = {
            "owner": "platform@example.com",
            "cluster": {"kind": "existing", "kubeconfig_secret": "kubeconfig"},
            "ngrok": {
                "chart": {"path": str(charts / "ngrok-operator")},
                "crds": {"path": str(charts / "ngrok-crds")},
                "timeout": "5m",
            },
            "argocd": {"profile": "small", "chart": {"path": str(charts / "argo-cd")}, "timeout": "5m"},
            "secrets": ["kubeconfig", *SECRETS],
        }
        self.engine.run("stack", "init", NAME)
        self.write(self.settings)
        for name, value in {"kubeconfig": self.engine.kubeconfig, **SECRETS}.items():
            self.set_secret(name, value)

    def write(self, settings: dict) -> None:
        """Puts settings in place of those that are there; secrets stay."""
        content = yaml.safe_load(self.file.read_text()) if self.file.exists() else {}
        content.setdefault("config", {})["apiops:environment"] = settings
        self.file.write_text(yaml.safe_dump(content))

    def with_changes(self, *changes: dict) -> dict:
        """The settings with changes on top."""
        settings = copy.deepcopy(self.settings)
        for change in changes:
            _merge(settings, change)
        return settings

    def set_secret(self, name: str, value: str) -> None:
        """Sets a secret of the stack."""
        self.engine.run("config", "set", "--secret", f"apiops:{name}", "-s", NAME, given=value)

    def up(self) -> str:
        """Deploys."""
        return self.engine.run("up", "--yes", "--skip-preview", "-s", NAME)

    def refreshed(self) -> None:
        """Reads the cluster into the state; fails where that changes anything."""
        self.engine.run("refresh", "--yes", "--skip-preview", "--expect-no-changes", "-s", NAME)

    def unchanged(self) -> None:
        """Fails where anything is left to do."""
        self.engine.run("preview", "--expect-no-changes", "-s", NAME)

    def destroy(self) -> None:
        """Takes all of it down."""
        self.engine.run("destroy", "--yes", "--skip-preview", "-s", NAME)

    def steps(self) -> dict[str, str]:
        """What a preview would do, by the resource's name; what stays is left out."""
        found = json.loads(self.engine.run("preview", "-s", NAME, "--json"))["steps"]
        return {step["urn"].rpartition("::")[2]: step["op"] for step in found if step["op"] not in _NO_CHANGE}

    def done(self) -> dict[str, str]:
        """Deploys; what was done, by the resource's name; what stayed as it was is left out."""
        events = map(json.loads, self.engine.run("up", "--yes", "--skip-preview", "--json", "-s", NAME).splitlines())
        done = [event["resourcePreEvent"]["metadata"] for event in events if "resourcePreEvent" in event]
        return {step["urn"].rpartition("::")[2]: step["op"] for step in done if step["op"] not in _NO_CHANGE}

    def kubectl(self, *arguments: str) -> str:
        """Asks the cluster."""
        command = ["kubectl", "--kubeconfig", self.kubeconfig, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def objects(self) -> dict[str, str]:
        """Everything in the cluster, by namespace, kind and name, with what its owners wish it to be."""
        kinds = set(self.kubectl("api-resources", "--verbs=list", "--output=name").split()) - _TOLD
        found = json.loads(self.kubectl("get", ",".join(sorted(kinds)), "-A", "--output=json"))["items"]
        return {_key(item): json.dumps(_wished(item), sort_keys=True) for item in found if not _of_the_api_server(item)}

    def wished(self) -> dict[str, str]:
        """The part of it that is the same after each install: neither made by controllers nor by Helm for itself."""
        found = {key: value for key, value in self.objects().items() if key.split()[1] not in _MADE_BY_THE_CLUSTER}
        return {key: value for key, value in found.items() if "sh.helm.release" not in key}


def _of_the_api_server(item: dict[str, Any]) -> bool:
    """Its own sign of life, which changes every few seconds."""
    return item["kind"] == "Lease" and item["metadata"]["namespace"] in ("kube-system", "kube-node-lease")


def _key(item: dict[str, Any]) -> str:
    return " ".join((item["metadata"].get("namespace", "-"), item["kind"], item["metadata"]["name"]))


def _wished(item: dict[str, Any]) -> dict[str, Any]:
    noted = item["metadata"].get("annotations", {})
    wished = {key: value for key, value in item.items() if key not in ("metadata", "status")}
    if item["kind"] == "Service":
        wished["spec"] = {key: value for key, value in item["spec"].items() if key not in _GIVEN_BY_THE_CLUSTER}
    return {
        **wished,
        "labels": item["metadata"].get("labels", {}),
        "annotations": {key: value for key, value in noted.items() if key != "deployment.kubernetes.io/revision"},
    }


def installs(project, folder: Path) -> Installs:
    """A stack that is not up yet; skips where what it needs is not there."""
    if not os.environ.get("APIOPS_TEST_KUBECONFIG"):
        pytest.skip("APIOPS_TEST_KUBECONFIG names no cluster whose pods become ready")
    if not os.environ.get("APIOPS_CHARTS"):
        pytest.skip("APIOPS_CHARTS does not name a folder with the charts argo-cd, ngrok-operator and ngrok-crds")
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on PATH")
    made = Installs(project, folder, Path(os.environ["APIOPS_CHARTS"]))
    taken = {"argocd", "ngrok-operator"} & set(
        made.kubectl("get", "ns", "--output=jsonpath={.items[*].metadata.name}").split()
    )
    assert not taken, f"the cluster of APIOPS_TEST_KUBECONFIG holds namespaces {taken} already: delete them"
    definitions = json.loads(made.kubectl("get", "crd", "--output", "json"))["items"]
    there = {item["metadata"]["name"]: item["metadata"].get("annotations", {}) for item in definitions}
    if "gatewayclasses.gateway.networking.k8s.io" not in there:
        pytest.skip("the cluster of APIOPS_TEST_KUBECONFIG lacks the definitions of the Gateway API")
    if [name for name in RETAINED & set(there) if "meta.helm.sh/release-name" not in there[name]]:
        pytest.skip(
            "the cluster of APIOPS_TEST_KUBECONFIG holds definitions of ngrok or Argo CD that Helm did not make"
        )
    return made


def _merge(below: dict, over: dict) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _merge(below[key], value)
        else:
            below[key] = value
