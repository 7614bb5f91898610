"""What a sandbox runs: each process's command line, in the order in which they need one another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from apiops_components.models.base import Model
from apiops_components.sandbox.folders import Folder

__all__ = ["HOST", "Probe", "Service", "State", "port_names", "services"]

HOST = "127.0.0.1"
"""Nothing of a sandbox listens anywhere else."""

_SLIM_PORTS = ("etcd", "etcd-peer", "kube-apiserver")
_FULL_PORTS = (
    *_SLIM_PORTS,
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    "redis",
    "argocd-repo-server",
    "argocd-repo-server-metrics",
    "argocd-application-controller",
    "argocd-applicationset-controller",
    "argocd-applicationset-controller-probes",
    "argocd-applicationset-controller-webhook",
)
_CONTROLLERS = "*,-node-ipam-controller,-node-route-controller,-service-lb-controller"
"""Without a cloud; the node lifecycle stays, or no node would ever lose its taint."""


def port_names(*, full: bool) -> tuple[str, ...]:
    """What needs a port."""
    return _FULL_PORTS if full else _SLIM_PORTS


class State(Model):
    """What was chosen for a sandbox when it was made; kept in its folder."""

    name: str
    """Of the sandbox."""
    full: bool
    """Whether it is more than etcd and the API server."""
    fsync: bool = False
    """Whether etcd waits for the disk: a kill of the machine then loses nothing, and each write takes longer."""
    ports: Mapping[str, int]
    """By name; each was free when it was chosen."""
    programs: Mapping[str, str]
    """Path of each executable."""
    stages: tuple[str, ...] = ()
    """kwok's stage files."""
    definitions: tuple[str, ...] = ()
    """Folders of the definitions that are installed."""


@dataclass(frozen=True, slots=True)
class Probe:
    """How it is seen that a process is ready.

    Attributes:
        kind: ``https`` with the sandbox's certificates, ``http``, or ``tcp``: a connection is enough.
        port: On this machine.
        path: That answers 200.
    """

    kind: Literal["https", "http", "tcp"]
    port: int
    path: str = "/healthz"


@dataclass(frozen=True, slots=True)
class Service:
    """One process.

    Attributes:
        name: Unique in the sandbox; its log is called so.
        command: Program and arguments.
        probe: How it is seen that it is ready.
        environment: Added to a small one of the sandbox's own.
    """

    name: str
    command: tuple[str, ...]
    probe: Probe
    environment: Mapping[str, str] = field(default_factory=dict)


def services(state: State, folder: Folder) -> list[Service]:
    """The processes of a sandbox, in the order in which they start."""
    found = [_etcd(state, folder), _api_server(state, folder)]
    if state.full:
        found += [
            _controller_manager(state, folder),
            _scheduler(state, folder),
            _kwok(state, folder),
            _redis(state, folder),
            *_argocd(state, folder),
        ]
    return found


def _etcd(state: State, folder: Folder) -> Service:
    client = f"https://{HOST}:{state.ports['etcd']}"
    peer = f"https://{HOST}:{state.ports['etcd-peer']}"
    trust, certificate = folder.certificates / "ca.crt", folder.certificates / "etcd"
    options = [
        f"--name={state.name}",
        f"--data-dir={folder.root / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster={state.name}={peer}",
        "--log-level=warn",
        *(
            f"--{whose}{what}"
            for whose in ("", "peer-")
            for what in (
                f"cert-file={certificate}.crt",
                f"key-file={certificate}.key",
                f"trusted-ca-file={trust}",
                "client-cert-auth",
            )
        ),
    ]
    if not state.fsync:
        options.append("--unsafe-no-fsync")
    return Service("etcd", (state.programs["etcd"], *options), Probe("https", state.ports["etcd"], "/health"))


def _api_server(state: State, folder: Folder) -> Service:
    own = folder.certificates
    port = state.ports["kube-apiserver"]
    options = (
        f"--etcd-servers=https://{HOST}:{state.ports['etcd']}",
        f"--etcd-cafile={own / 'ca.crt'}",
        f"--etcd-certfile={own / 'admin.crt'}",
        f"--etcd-keyfile={own / 'admin.key'}",
        f"--bind-address={HOST}",
        f"--advertise-address={HOST}",
        # It would write its address into Endpoints, where a loopback address is refused.
        "--endpoint-reconciler-type=none",
        f"--secure-port={port}",
        f"--tls-cert-file={own / 'kube-apiserver.crt'}",
        f"--tls-private-key-file={own / 'kube-apiserver.key'}",
        f"--client-ca-file={own / 'ca.crt'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={own / 'service-accounts.key'}",
        f"--service-account-signing-key-file={own / 'service-accounts.key'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--allow-privileged=true",
    )
    return Service("kube-apiserver", (state.programs["kube-apiserver"], *options), Probe("https", port, "/readyz"))


def _secured(state: State, folder: Folder, name: str) -> tuple[str, ...]:
    own = folder.certificates
    return (
        state.programs[name],
        f"--kubeconfig={folder.kubeconfig}",
        f"--bind-address={HOST}",
        f"--secure-port={state.ports[name]}",
        f"--tls-cert-file={own / 'kube-apiserver.crt'}",
        f"--tls-private-key-file={own / 'kube-apiserver.key'}",
        "--authentication-skip-lookup",
        "--leader-elect=false",
    )


def _controller_manager(state: State, folder: Folder) -> Service:
    name = "kube-controller-manager"
    own = folder.certificates
    options = (
        f"--controllers={_CONTROLLERS}",
        "--use-service-account-credentials",
        # A node that is silent for a while (etcd was away, the laptop slept) has its pods marked as not ready, which a
        # kubelet takes back and kwok does not: they would stay so.
        "--node-monitor-grace-period=87600h",
        f"--service-account-private-key-file={own / 'service-accounts.key'}",
        f"--root-ca-file={own / 'ca.crt'}",
    )
    return Service(name, (*_secured(state, folder, name), *options), Probe("https", state.ports[name]))


def _scheduler(state: State, folder: Folder) -> Service:
    name = "kube-scheduler"
    return Service(name, _secured(state, folder, name), Probe("https", state.ports[name]))


def _kwok(state: State, folder: Folder) -> Service:
    port = state.ports["kwok"]
    options = (
        f"--kubeconfig={folder.kubeconfig}",
        "--manage-all-nodes=true",
        f"--server-address={HOST}:{port}",
        *(f"--config={stage}" for stage in state.stages),
    )
    return Service("kwok", (state.programs["kwok"], *options), Probe("http", port))


def _redis(state: State, folder: Folder) -> Service:
    command = (state.programs["redis-server"], str(folder.redis / "redis.conf"))
    return Service("redis", command, Probe("tcp", state.ports["redis"]))


def _argocd(state: State, folder: Folder) -> list[Service]:
    ports = state.ports
    redis = ("--redis", f"{HOST}:{ports['redis']}")
    repo_server = f"{HOST}:{ports['argocd-repo-server']}"

    def service(name: str, options: tuple[str, ...], probe: Probe) -> Service:
        environment = {
            "ARGOCD_BINARY_NAME": name,
            "REDIS_CREDS_DIR_PATH": str(folder.redis),
            "KUBECONFIG": str(folder.kubeconfig),  # one of them reads no flag
            # There is no service account's token: the kubeconfig is the cluster that Argo CD is "in".
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_GPG_ENABLED": "false",
            # A commit is seen within seconds, as it is where a forge calls a webhook.
            "ARGOCD_RECONCILIATION_TIMEOUT": "10s",
            "ARGOCD_RECONCILIATION_JITTER": "0s",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            **{
                f"ARGOCD_{what}_DATA_PATH": str(folder.root / "argocd" / what.lower()) for what in ("TLS", "SSH", "GPG")
            },
            "ARGOCD_GNUPGHOME": str(folder.root / "argocd" / "gnupg"),
            "ARGOCD_PLUGINSOCKFILEPATH": str(folder.root / "argocd" / "plugins"),
        }
        return Service(name, (state.programs["argocd"], *options), probe, environment)

    return [
        service(
            "argocd-repo-server",
            (
                f"--address={HOST}",
                f"--port={ports['argocd-repo-server']}",
                f"--metrics-address={HOST}",
                f"--metrics-port={ports['argocd-repo-server-metrics']}",
                "--disable-tls",
                "--client-ca-path=",
                *redis,
            ),
            Probe("http", ports["argocd-repo-server-metrics"]),
        ),
        service(
            "argocd-application-controller",
            (
                f"--kubeconfig={folder.kubeconfig}",
                "--namespace=argocd",
                f"--metrics-port={ports['argocd-application-controller']}",
                f"--repo-server={repo_server}",
                "--repo-server-plaintext",
                *redis,
            ),
            Probe("http", ports["argocd-application-controller"]),
        ),
        service(
            "argocd-applicationset-controller",
            (
                f"--kubeconfig={folder.kubeconfig}",
                "--namespace=argocd",
                f"--metrics-addr={HOST}:{ports['argocd-applicationset-controller']}",
                f"--probe-addr={HOST}:{ports['argocd-applicationset-controller-probes']}",
                f"--webhook-addr={HOST}:{ports['argocd-applicationset-controller-webhook']}",
                f"--argocd-repo-server={repo_server}",
                "--repo-server-plaintext",
            ),
            Probe("http", ports["argocd-applicationset-controller"], "/metrics"),  # its probes' address checks nothing
        ),
    ]
