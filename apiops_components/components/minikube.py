"""A cluster on this machine, by the `minikube` program."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_command import local

from apiops_components.components import kubeconfig as reach
from apiops_components.components._base import Component, spec_of
from apiops_components.models.base import duration_seconds
from apiops_components.models.cluster import MinikubeSpec
from apiops_components.versions import GATEWAY_API

# A script is given to the shell as the interpreter's argument, so that the command itself is one word: where a command
# fails, the engine shows all of it. A script is constant and takes its values from the environment: another text would
# run it again, and no setting is ever read as a command. Each profile has a kubeconfig of its own: the user's current
# context stays.
_PRELUDE = """\
set -eu
home=${MINIKUBE_HOME:-${HOME:?is not set, and minikube keeps its profiles there}}
missing=
for program in minikube kubectl; do
  command -v "$program" >/dev/null || missing="$missing $program"
done
[ -z "$missing" ] || { echo "not on PATH:$missing; install what is missing, then run this again" >&2; exit 127; }
export KUBECONFIG="$home/.kube/apiops/$PROFILE.yaml"
mkdir -p -m 700 "$home/.kube/apiops"
kubeconfig() { kubectl config view --minify --flatten --raw --context "$PROFILE"; }
"""

# Seen with v1.38.1:
# - `status` ends with 85 for a profile that is not there, and with another code for one that is half-made, which
#   `profile list --light` leaves out.
# - `delete` of a profile whose driver does not run forgets it and reports success: its nodes come back with the driver.
#   A dry run of `start` ends with one of 60 to 69 then. A profile that is gone already is no error to it.
_CLUSTER = f"""\
{_PRELUDE}
start() {{
  minikube start --profile "$PROFILE" --nodes "$NODES" \\
    --cpus "$CPUS" --memory "${{MEMORY}}mb" --disk-size "${{DISK}}gb" \\
    --kubernetes-version "$KUBERNETES_VERSION" --container-runtime "$CONTAINER_RUNTIME" --cni "$CNI" \\
    --ha="$HIGHLY_AVAILABLE" ${{DRIVER:+--driver "$DRIVER"}} --wait all --wait-timeout "$START_TIMEOUT" \\
    --interactive=false >&2
}}

look() {{
  there=0
  seen=$(minikube status --profile "$PROFILE" 2>&1) || there=$?
}}

# A failed start leaves no resource in the state, so nothing else would delete the half of a cluster that it left. For
# the same reason a profile that is there before is refused: it is somebody else's, and would be deleted with ours.
create() {{
  look
  if [ "$there" -ne 85 ]; then
    echo "$seen" >&2
    echo "minikube has a profile $PROFILE already: choose another name, or remove it: minikube delete -p $PROFILE" >&2
    exit 17
  fi
  begin &
  trap : HUP INT TERM  # each ends a wait
  while :; do
    code=0
    wait $! || code=$?
    kill -0 $! 2>/dev/null || exit "$code"
  done
}}

# In a shell of its own: an update that is broken off or takes too long kills the first one, and not minikube. PIPE: the
# engine may be gone, with all that reads here.
begin() {{
  trap : HUP TERM
  trap '' PIPE
  {{ start && kill -0 $$ 2>/dev/null && kubeconfig; }} || {{
    code=$?
    log="$home/.kube/apiops/$PROFILE.log"
    minikube logs --last-start-only >"$log" 2>&1 || true  # deleting writes another
    if (delete); then
      echo "the start failed or was broken off; what it left is deleted; its log: $log" >&2 || true
    fi
    exit "$code"
  }}
}}

update() {{
  start
  minikube update-context --profile "$PROFILE" >&2
  kubeconfig
}}

delete() {{
  look
  if [ "$there" -ne 85 ]; then
    code=0
    said=$(minikube start --profile "$PROFILE" --interactive=false --dry-run 2>&1) || code=$?
    case $code in
      6[0-9])
        echo "$said" >&2
        echo "what runs $PROFILE does not answer: start it, or, if it is gone for good: minikube delete -p $PROFILE" >&2
        exit "$code" ;;
    esac
  fi
  minikube delete --profile "$PROFILE" >&2 && rm -f "$KUBECONFIG"
}}

"$1"
"""

# The port of the API server changes when Docker restarts the node. Nothing printed: the cluster is not there.
_READ = f"""\
{_PRELUDE}
minikube update-context --profile "$PROFILE" >&2 || true
kubeconfig 2>/dev/null || true
"""

_ADDON = f"""\
{_PRELUDE}
minikube addons "$1" --profile "$PROFILE" "$ADDON" >&2
"""

_DEFINITIONS = f"""\
{_PRELUDE}
kubectl --context "$PROFILE" apply --server-side --filename "$MANIFEST" >&2
"""

_GATEWAY_API = f"https://github.com/kubernetes-sigs/gateway-api/releases/download/v{GATEWAY_API}/standard-install.yaml"


class MinikubeCluster(Component):
    """A throw-away cluster for local work; needs `minikube` and `kubectl` on PATH, and a driver such as Docker."""

    cluster_name: pulumi.Output[str]
    """Name of the profile, which is that of the context."""
    kubeconfig: pulumi.Output[str]
    """The kubeconfig, this cluster alone, with its keys; secret."""
    provider: kubernetes.Provider
    """For what is put into the cluster."""
    deleted_with: pulumi.Resource
    """The cluster itself: the option of this name for whatever has no effect outside the cluster. Without it each such
    object is deleted by itself, which fails once where a new cluster took the old one's place."""

    def __init__(
        self,
        name: str,
        spec: MinikubeSpec | Mapping[str, Any],
        *,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Registers the cluster, its addons, the Gateway API's definitions and the provider.

        Raises:
            InvalidInput: The spec breaks its model, or has no name and the component's is no profile.
        """
        spec = spec_of(MinikubeSpec, spec, f"MinikubeCluster {name}")
        if spec.name is None:
            spec = spec_of(MinikubeSpec, {**spec.model_dump(), "name": name}, f"MinikubeCluster {name}")
        super().__init__(name, opts)
        profile = {"PROFILE": str(spec.name)}
        fixed = {
            "NODES": str(spec.nodes),
            "HIGHLY_AVAILABLE": str(spec.highly_available).lower(),
            "CPUS": str(spec.cpus),
            "MEMORY": str(spec.memory_mb),
            "DISK": str(spec.disk_gb),
            "CONTAINER_RUNTIME": spec.container_runtime,
            "CNI": spec.cni,
            "DRIVER": spec.driver or "",
        }
        # Past it the engine kills the shell, and nobody deletes what it left: images are fetched, then each node waits.
        timeout = f"{1800 + spec.nodes * math.ceil(duration_seconds(spec.start_timeout))}s"
        # minikube ignores a change of these on a profile that exists, and reports success.
        triggers = [*profile.values(), *fixed.values()]
        cluster = local.Command(
            f"{name}-minikube",
            create="create",
            update="update",
            delete="delete",
            interpreter=_shell(_CLUSTER),
            environment={
                **profile,
                **fixed,
                "KUBERNETES_VERSION": spec.kubernetes_version,
                "START_TIMEOUT": spec.start_timeout,
            },
            triggers=triggers,
            logging=local.Logging.NONE,
            add_previous_output_in_env=False,
            opts=self.child(
                # The other order would start the running profile again and then delete it.
                delete_before_replace=True,
                additional_secret_outputs=["stdout"],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout, delete="10m"),
            ),
        )
        inside = [self._addon(name, cluster, profile, addon) for addon in spec.addons]
        if spec.gateway_api:
            inside.append(
                self._command(
                    f"{name}-gateway-api", cluster, _DEFINITIONS, {**profile, "MANIFEST": _GATEWAY_API}, create="apply"
                )
            )
        self.cluster_name = pulumi.Output.from_input(str(spec.name))
        self.kubeconfig = _current_kubeconfig(cluster, profile)
        self.deleted_with = cluster
        self.provider = reach.provider(
            self,
            name,
            self.kubeconfig,
            identifier=f"minikube/{spec.name}/{_digest(triggers)}",
            delete_unreachable=True,
            depends_on=[cluster, *inside],
        )
        self.register_outputs({"cluster_name": self.cluster_name, "kubeconfig": self.kubeconfig})

    def _addon(self, name: str, cluster: local.Command, profile: Mapping[str, str], addon: str) -> local.Command:
        environment = {**profile, "ADDON": addon}
        return self._command(f"{name}-addon-{addon}", cluster, _ADDON, environment, create="enable", delete="disable")

    def _command(
        self,
        name: str,
        cluster: local.Command,
        script: str,
        environment: Mapping[str, str],
        *,
        create: str,
        delete: str | None = None,
    ) -> local.Command:
        return local.Command(
            name,
            create=create,
            delete=delete,
            interpreter=_shell(script),
            environment=environment,
            triggers=[cluster.id],  # a new cluster has neither addons nor definitions
            logging=local.Logging.NONE,
            opts=self.child(depends_on=[cluster], deleted_with=cluster),
        )


def _shell(script: str) -> list[str]:
    """The command becomes the script's first argument; the name before it is the one in the shell's own messages."""
    return ["/bin/sh", "-c", script, "minikube"]


def _digest(triggers: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(triggers).encode()).hexdigest()[:12]


def _current_kubeconfig(cluster: local.Command, profile: Mapping[str, str]) -> pulumi.Output[str]:
    now = local.run_output(
        command="read",
        interpreter=_shell(_READ),
        # Unknown in the first preview, as the kubeconfig of the start is, so that nothing runs; an id is known there.
        environment=cluster.stdout.apply(lambda _: dict(profile)),
        logging=local.Logging.NONE,
    )
    # Where the cluster is not there, the kubeconfig of its start has to do: the preview goes on, and says what cannot
    # be reached where that matters.
    newest = pulumi.Output.all(now.stdout, cluster.stdout).apply(lambda texts: texts[0] or texts[1])
    return pulumi.Output.secret(newest)
