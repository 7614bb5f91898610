"""ngrok's own operator as Helm installs it, its containers run as processes of this machine.

A namespace without a node: its pods are made here, from the Deployments and Jobs that are in the cluster, with what a
kubelet would give them. Nothing of what the chart renders is changed but the two addresses that each process listens
on, since several share this machine.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml

from apiops_components.models.operator import NgrokOperatorSpec
from apiops_components.models.secret import SecretSlot
from apiops_components.render.operator import CRDS_RELEASE, RELEASE, operator_objects, operator_values

# In a mount namespace: the service account, and whom to trust, at the paths where a container has them.
_START = """\
mount -t tmpfs none /run
mkdir -p /run/secrets/kubernetes.io
cp -r "$HOME/account" /run/secrets/kubernetes.io/serviceaccount
mount --bind "$HOME/trust" /etc/ssl/certs
exec "$@"
"""
_APART = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", _START, "sh"]
_NO_PODS = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "no-pods", "namespace": RELEASE},
    "spec": {"hard": {"pods": "0"}},
}
_WATCHED = "gatewayclasses,gateways,httproutes,agentendpoints,cloudendpoints,domains,kubernetesoperators,namespaces"


def until(seconds: float, ask, what: str):
    """Waits for an answer that is true, and returns it."""
    end = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.25)
    return answer


class Process:
    """A container that runs: the program, its log, and the two addresses it was told to listen on."""

    def __init__(self, name: str, program: subprocess.Popen, log: Path, ports: dict[str, int]) -> None:
        self.name, self.program, self.ports, self._log = name, program, ports, log

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def runs(self) -> bool:
        return self.program.poll() is None

    def answers(self, port: str, path: str) -> bool:
        done = subprocess.run(
            ["curl", "--silent", "--fail", "--max-time", "2", f"http://127.0.0.1:{self.ports[port]}/{path}"],
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    def connections(self, status: str) -> set[tuple[str, int]]:
        """Addresses that it listens on (LISTEN), or those it is connected to (ESTABLISHED)."""
        found = [item for item in psutil.Process(self.program.pid).net_connections() if item.status == status]
        return {(item.laddr if status == "LISTEN" else item.raddr)[:2] for item in found} - {
            item.raddr[:2] for item in found if item.laddr.port in self.ports.values() and status != "LISTEN"
        }

    def end(self, *, kill: bool = False) -> None:
        if self.runs():
            self.program.kill() if kill else self.program.terminate()
            self.program.wait(60)

    def refused(self) -> list[str]:
        """Lines that say that a right is missing, or that the program was called wrongly."""
        wrong = re.compile(r"is forbidden: User|cannot (get|list|watch)|unknown (flag|shorthand)|panic:")
        return [line for line in self.log.splitlines() if wrong.search(line)]


class Operator:
    """One install in the cluster of a kubeconfig, at the ngrok of ``cloud``."""

    def __init__(self, folder: Path, cloud, kubeconfig: str, charts: Path, program: str) -> None:
        self.folder, self.cloud, self.charts, self.program = folder, cloud, charts, program
        self.kubeconfig = kubeconfig
        config = json.loads(self.kubectl("config", "view", "--raw", "--minify", "--output=json"))
        server = config["clusters"][0]["cluster"]["server"]
        self.host, self.port = server.removeprefix("https://").split(":")
        self.processes: list[Process] = []

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        command = ["kubectl", "--kubeconfig", self.kubeconfig, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, input=given).stdout

    def helm(self, *arguments: str) -> None:
        subprocess.run(["helm", "--kubeconfig", self.kubeconfig, *arguments], check=True, capture_output=True)

    def objects(self, kind: str, *arguments: str) -> list[dict]:
        return json.loads(self.kubectl("get", kind, *arguments, "--output=json"))["items"]

    def apply(self, objects) -> None:
        self.kubectl("apply", "--server-side", "--filename=-", given=yaml.safe_dump_all(map(_plain, objects)))

    def gone(self, kind: str, name: str, *where: str) -> bool:
        return not self.kubectl("get", kind, name, "--ignore-not-found", "--output=name", *where)

    def held(self) -> set[str]:
        """What is there only because a finalizer holds it, by kind and name."""
        items = self.objects(_WATCHED, "--all-namespaces")
        return {
            f"{item['kind']}/{item['metadata']['name']}" for item in items if "deletionTimestamp" in item["metadata"]
        }

    def install(self, values: dict | None = None, **settings) -> NgrokOperatorSpec:
        """Ours and the charts' objects in the order of the component, then the pods."""
        addresses = {"apiURL": self.cloud.api, "serverAddr": self.cloud.edge, "log": {"level": "debug"}}
        spec = NgrokOperatorSpec.model_validate({**settings, "chart": {"values": {**addresses, **(values or {})}}})
        home, *before, gateway_class = operator_objects(spec)
        self.apply([home, _NO_PODS])
        if self.gone("crd", "agentendpoints.ngrok.k8s.ngrok.com"):
            self._chart(CRDS_RELEASE, {})
        self.apply(before)
        self._chart(RELEASE, operator_values(spec))
        self.apply([gateway_class])
        self.start()
        return spec

    def _chart(self, name: str, values: dict) -> None:
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(values))
        self.helm("upgrade", "--install", name, str(self.charts / name), f"--namespace={RELEASE}", f"--values={file}")

    def start(self) -> None:
        """Starts the pods of every Deployment, and waits until each says that it is ready."""
        deployments = self.objects("deployment", f"--namespace={RELEASE}")
        specs = {item["metadata"]["name"]: item["spec"] for item in deployments}
        starting = [
            self._run(name, spec["template"]["spec"]) for name, spec in specs.items() for _ in range(spec["replicas"])
        ]
        while starting:
            process = starting.pop()
            until(60, lambda one=process: not one.runs() or one.answers("health", "readyz"), f"{process.name} is ready")
            if not process.runs():
                # Managers that start together all write the KubernetesOperator. Who comes second ends, and is started
                # again, as a kubelet does.
                assert re.search("object has been modified|already exists", process.log), process.log
                name = process.name.rpartition("-")[0]
                starting.append(self._run(name, specs[name]["template"]["spec"]))

    def running(self, role: str = "") -> list[Process]:
        return [process for process in self.processes if process.runs() and role in process.name]

    def leader(self) -> Process:
        """The manager that holds the lease, where one of those that run does."""
        return until(60, lambda: [one for one in self.running("manager") if "acquired lease" in one.log], "a leader")[0]

    def end(self, *, kill: bool = False) -> None:
        for process in self.processes:
            process.end(kill=kill)

    def uninstall(self) -> None:
        """Helm's own order: the clean-up of the chart to its end, then the Deployments; then whatever they ran."""
        command = ["helm", "--kubeconfig", self.kubeconfig, "uninstall", RELEASE, f"--namespace={RELEASE}"]
        said = self.folder / "uninstall"
        with said.open("wb") as output:
            helm = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        job = until(30, lambda: self.objects("job", f"--namespace={RELEASE}"), "Helm's clean-up")[0]
        cleanup = self._run("cleanup", job["spec"]["template"]["spec"])
        assert cleanup.program.wait(120) == 0, cleanup.log
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("SuccessCriteriaMet", "Complete")
        ]
        status = {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": conditions}
        name = job["metadata"]["name"]
        self.kubectl(
            "patch", "job", name, f"--namespace={RELEASE}", "--subresource=status", "--type=merge",
            f"--patch={json.dumps({'status': status})}",
        )  # fmt: skip
        assert helm.wait(60) == 0, said.read_text()
        self.end()

    def _run(self, name: str, spec: dict) -> Process:
        (container,) = spec["containers"]
        pod = self.folder / f"{name}-{len(self.processes)}"
        (pod / "account").mkdir(parents=True)
        for file, content in self._account(spec["serviceAccountName"]).items():
            (pod / "account" / file).write_text(content)
        (pod / "trust").symlink_to(self.cloud.trust)
        environment = {"PATH": os.environ["PATH"], "HOME": str(pod), "HOSTNAME": pod.name}
        environment |= {"KUBERNETES_SERVICE_HOST": self.host, "KUBERNETES_SERVICE_PORT": self.port}
        environment |= {item["name"]: self._value(item) for item in container.get("env", [])}
        given = [self.program if part == "/ngrok-operator" else part for part in container["command"]]
        given += container.get("args", [])
        ports = {}
        if container["command"] == ["/ngrok-operator"]:
            for port, flag, usual in (("health", "health-probe", 8081), ("metrics", "metrics", 8080)):
                ports[port] = _free_port()
                at = given.index(f"--{flag}-bind-address=:{usual}")
                given[at] = f"--{flag}-bind-address=127.0.0.1:{ports[port]}"
        log = pod / "log"
        with log.open("wb") as output:
            program = subprocess.Popen(
                [*_APART, *given], env=environment, cwd="/", stdout=output, stderr=subprocess.STDOUT
            )
        self.processes.append(Process(pod.name, program, log, ports))
        return self.processes[-1]

    def _account(self, name: str) -> dict[str, str]:
        config = json.loads(self.kubectl("config", "view", "--raw", "--minify", "--output=json"))
        trusted = config["clusters"][0]["cluster"]
        authority = trusted.get("certificate-authority-data")
        return {
            "token": self.kubectl("create", "token", name, f"--namespace={RELEASE}", "--duration=1h").strip(),
            "namespace": RELEASE,
            "ca.crt": base64.b64decode(authority).decode()
            if authority
            else Path(trusted["certificate-authority"]).read_text(),
        }

    def _value(self, item: dict) -> str:
        if "value" in item:
            return item["value"]
        source = item["valueFrom"]
        if "fieldRef" in source:
            return {"metadata.namespace": RELEASE}[source["fieldRef"]["fieldPath"]]
        reference = source["secretKeyRef"]
        secret = json.loads(self.kubectl("get", "secret", reference["name"], f"--namespace={RELEASE}", "--output=json"))
        return base64.b64decode(secret["data"][reference["key"]]).decode()


def needed() -> dict:
    """What an `Operator` is made of; skips where anything is missing, by its name."""
    program = os.environ.get("APIOPS_NGROK_OPERATOR") or shutil.which("ngrok-operator")
    if not program:
        pytest.skip("APIOPS_NGROK_OPERATOR does not name ngrok's operator, nor is it on PATH")
    for name in ("APIOPS_CHARTS", "APIOPS_TEST_KUBECONFIG"):
        if not os.environ.get(name):
            pytest.skip(f"{name} is not set")
    for name in ("helm", "kubectl", "openssl", "curl", "unshare"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not on PATH")
    if subprocess.run([*_APART[:4], "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make a mount namespace")
    return {
        "kubeconfig": os.environ["APIOPS_TEST_KUBECONFIG"],
        "charts": Path(os.environ["APIOPS_CHARTS"]),
        "program": str(Path(program).resolve()),
    }


def _plain(value):
    if isinstance(value, SecretSlot):
        return f"value-of-{value.name}"
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
