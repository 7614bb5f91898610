"""The scripts run for real here, on a `minikube` and a `kubectl` that only write down how they were called."""

import os
import subprocess
import sys

import pytest

from apiops_components.components.minikube import MinikubeCluster
from apiops_components.errors import InvalidInput
from apiops_components.testing.pulumi import SECRET, UNKNOWN, record
from apiops_components.versions import GATEWAY_API, KUBERNETES

COMMAND = "command:local:Command"
PROGRAM = f"""#!{sys.executable}
import os, pathlib, sys
name, args = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    print(name, *args, f"KUBECONFIG={{os.environ.get('KUBECONFIG')}}", sep="|", file=calls)
if name == "minikube" and args[:2] == ["profile", "list"]:
    print(os.environ.get("PROFILES", '{{"valid":[],"invalid":[]}}'))
elif name == "minikube":
    print("chatter of minikube")
    if args[0] == os.environ.get("FAILS"):
        sys.exit(50)
else:
    if os.environ.get("FAILS") == "kubectl":
        sys.exit(1)
    print("the kubeconfig")
"""


def recorded(spec=None, **circumstances):
    return record(lambda: MinikubeCluster("dev", spec or {}), **circumstances)


def main(spec=None):
    return recorded(spec).one(COMMAND, "dev-minikube")


def identifier(spec=None):
    return recorded(spec).one("pulumi:providers:kubernetes").inputs["clusterIdentifier"]


class Machine:
    def __init__(self, folder):
        self.home = folder / "home"
        self.bin = folder / "bin"
        self.calls_file = folder / "calls"
        self.bin.mkdir()
        self.home.mkdir()

    def install(self, *programs):
        for program in programs:
            file = self.bin / program
            file.write_text(PROGRAM)
            file.chmod(0o755)

    @property
    def calls(self):
        if not self.calls_file.exists():
            return []
        return [line.split("|") for line in self.calls_file.read_text().splitlines()]

    def run(self, script, environment, **more):
        # As pulumi-command does: the program's environment, then that of the resource.
        env = {
            "PATH": f"{self.bin}:/usr/bin:/bin" if more.pop("tools", True) else str(self.bin),
            "HOME": str(self.home),
            "CALLS": str(self.calls_file),
            "KUBECONFIG": "/home/me/.kube/config",
        }
        return subprocess.run(
            ["/bin/sh", "-c", script],
            env={**env, **environment, **more},
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    machine.install("minikube", "kubectl")
    return machine


# What is registered


def test_the_cluster_is_deleted_before_it_is_replaced_and_its_kubeconfig_is_secret():
    cluster = main()
    assert cluster.delete_before_replace is True
    assert cluster.additional_secret_outputs == ("stdout",)
    assert cluster.inputs["logging"] == "none"
    assert cluster.inputs["addPreviousOutputInEnv"] is False
    assert cluster.inputs["interpreter"] == ["/bin/sh", "-c"]
    assert cluster.inputs["environment"] == {
        "PROFILE": "dev",
        "NODES": "1",
        "HIGHLY_AVAILABLE": "false",
        "CPUS": "4",
        "MEMORY": "8192",
        "DISK": "40",
        "CONTAINER_RUNTIME": "containerd",
        "CNI": "calico",
        "DRIVER": "",
        "KUBERNETES_VERSION": f"v{KUBERNETES}",
        "START_TIMEOUT": "10m",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"nodes": 2},
        {"nodes": 3, "highly_available": True},
        {"cpus": 2},
        {"memory_mb": 4096},
        {"disk_gb": 20},
        {"driver": "podman"},
        {"container_runtime": "docker"},
        {"cni": "cilium"},
    ],
)
def test_what_minikube_ignores_on_a_running_cluster_replaces_it(change):
    assert main(change).inputs["triggers"] != main().inputs["triggers"]
    # A new cluster is empty: with the identifier, provider and contents are replaced too.
    assert identifier(change) != identifier()


@pytest.mark.parametrize("change", [{"kubernetes_version": "v1.99.9"}, {"start_timeout": "20m"}])
def test_what_minikube_changes_in_place_does_not(change):
    changed, unchanged = main(change).inputs, main().inputs
    assert changed["triggers"] == unchanged["triggers"]
    assert changed["environment"] != unchanged["environment"]
    assert identifier(change) == identifier()


def test_settings_never_change_the_scripts():
    spec = {"name": "other", "nodes": 3, "driver": "kvm2", "addons": ["registry"], "kubernetes_version": "v1.99.9"}
    scripts = ("create", "update", "delete")
    assert [main(spec).inputs[key] for key in scripts] == [main().inputs[key] for key in scripts]


def test_addons_and_definitions_belong_to_one_cluster_and_the_provider_waits_for_them():
    recording = recorded({"addons": ["metrics-server"]})
    cluster = recording.one(name="dev-minikube")
    addon = recording.one(name="dev-addon-metrics-server")
    definitions = recording.one(name="dev-gateway-api")
    for inside in (addon, definitions):
        assert inside.dependencies == (cluster.urn,)
        assert inside.deleted_with == cluster.urn
        assert inside.inputs["triggers"] == [UNKNOWN]  # the cluster's id: in a new cluster they are run again
        assert inside.inputs["logging"] == "none"
    assert "delete" not in definitions.inputs  # it would delete every route in the cluster
    assert definitions.inputs["environment"]["MANIFEST"].endswith(f"/v{GATEWAY_API}/standard-install.yaml")
    provider = recording.one("pulumi:providers:kubernetes")
    assert set(provider.dependencies) == {cluster.urn, addon.urn, definitions.urn}


def test_a_cluster_that_brings_the_gateway_api_gets_none():
    assert [r.name for r in recorded({"gateway_api": False}).of_type(COMMAND)] == ["dev-minikube"]


def test_the_first_preview_runs_nothing():
    assert recorded().invocations == ()


def later(read_now):
    found = []
    recording = record(
        lambda: MinikubeCluster("dev", {}).kubeconfig.apply(found.append),
        preview=False,
        outputs=lambda resource: {"stdout": "from the start"} if resource.name == "dev-minikube" else None,
        invokes={"command:local:run": {"stdout": read_now}},
    )
    return recording, found


def test_later_the_kubeconfig_is_read_anew_and_stays_secret():
    recording, found = later("read now")
    assert found == ["read now"]
    (call,) = recording.invocations
    assert call.arguments["logging"] == "none"
    assert recording.one("apiops:index:MinikubeCluster").outputs == {"cluster_name": "dev", "kubeconfig": SECRET}
    assert "from the start" not in repr(recording)
    assert "read now" not in repr(recording)


def test_where_the_cluster_is_gone_the_kubeconfig_of_its_start_has_to_do():
    assert later("")[1] == ["from the start"]


def test_a_component_whose_name_is_no_profile_is_asked_for_one():
    with pytest.raises(InvalidInput) as caught:
        record(lambda: MinikubeCluster("My Cluster", {}))
    (problem,) = caught.value.problems
    assert (problem.document, problem.path, problem.code) == ("MinikubeCluster My Cluster", "name", "minikube/profile")


# What the scripts do


def kubeconfig_argument(machine):
    return f"KUBECONFIG={machine.home}/.kube/apiops/dev.yaml"


def test_create_starts_the_cluster_and_prints_its_kubeconfig_alone(machine):
    cluster = main({"driver": "docker"})
    done = machine.run(cluster.inputs["create"], cluster.inputs["environment"])
    assert (done.returncode, done.stdout) == (0, "the kubeconfig\n")
    own = kubeconfig_argument(machine)
    assert machine.calls == [
        ["minikube", "profile", "list", "--light", "--output", "json", own],
        [
            *("minikube", "start", "--profile", "dev", "--nodes", "1", "--cpus", "4", "--memory", "8192mb"),
            *("--disk-size", "40gb", "--kubernetes-version", f"v{KUBERNETES}", "--container-runtime", "containerd"),
            *("--cni", "calico", "--ha=false", "--driver", "docker", "--wait", "all", "--wait-timeout", "10m"),
            *("--interactive=false", own),
        ],
        ["kubectl", "config", "view", "--minify", "--flatten", "--raw", "--context", "dev", own],
    ]


def test_without_a_driver_minikube_chooses(machine):
    cluster = main()
    machine.run(cluster.inputs["create"], cluster.inputs["environment"])
    assert "--driver" not in machine.calls[1]


def test_a_failed_start_is_cleaned_up_and_stays_failed(machine):
    cluster = main()
    done = machine.run(cluster.inputs["create"], cluster.inputs["environment"], FAILS="start")
    assert (done.returncode, done.stdout) == (50, "")
    assert machine.calls[-1][:4] == ["minikube", "delete", "--profile", "dev"]


def test_a_failing_update_deletes_nothing(machine):
    cluster = main()
    done = machine.run(cluster.inputs["update"], cluster.inputs["environment"], FAILS="start")
    assert done.returncode == 50
    assert [call[1] for call in machine.calls] == ["start"]


@pytest.mark.parametrize(
    "profiles",
    [
        '{"invalid":[],"valid":[{"Name":"dev","Status":"OK"}]}',
        '{"invalid":[{"Name":"dev","Status":""}],"valid":[]}',  # half-made
    ],
)
def test_a_profile_of_somebody_else_is_refused_and_left_alone(machine, profiles):
    cluster = main()
    done = machine.run(cluster.inputs["create"], cluster.inputs["environment"], PROFILES=profiles)
    assert done.returncode == 17
    assert "minikube has a profile dev already" in done.stderr
    assert [call[1] for call in machine.calls] == ["profile"]


def test_a_profile_whose_name_only_contains_ours_is_none(machine):
    cluster = main()
    profiles = '{"invalid":[],"valid":[{"Name":"dev-2","Status":"OK"}]}'
    assert machine.run(cluster.inputs["create"], cluster.inputs["environment"], PROFILES=profiles).returncode == 0


def test_update_refreshes_the_address_and_prints_the_kubeconfig(machine):
    cluster = main()
    done = machine.run(cluster.inputs["update"], cluster.inputs["environment"])
    assert (done.returncode, done.stdout) == (0, "the kubeconfig\n")
    assert [call[:2] for call in machine.calls] == [
        ["minikube", "start"],
        ["minikube", "update-context"],
        ["kubectl", "config"],
    ]


def test_delete_removes_profile_and_kubeconfig(machine):
    cluster = main()
    file = machine.home / ".kube" / "apiops" / "dev.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("x")
    assert machine.run(cluster.inputs["delete"], cluster.inputs["environment"]).returncode == 0
    assert machine.calls[0][:4] == ["minikube", "delete", "--profile", "dev"]
    assert not file.exists()


@pytest.mark.parametrize("missing", ["minikube", "kubectl"])
@pytest.mark.parametrize("script", ["create", "update", "delete"])
def test_a_missing_program_is_named(tmp_path, missing, script):
    machine = Machine(tmp_path)
    machine.install(*({"minikube", "kubectl"} - {missing}))
    (machine.bin / "mkdir").symlink_to("/bin/mkdir")
    cluster = main()
    done = machine.run(cluster.inputs[script], cluster.inputs["environment"], tools=False)
    assert done.returncode == 127
    assert done.stderr == f"{missing} is not on PATH: install it, then run this again\n"
    assert machine.calls == []


def refresh(machine, **more):
    recording, _ = later("")
    (call,) = recording.invocations
    return machine.run(call.arguments["command"], call.arguments["environment"], **more)


def test_reading_anew_asks_for_the_address_of_today(machine):
    done = refresh(machine)
    assert (done.returncode, done.stdout) == (0, "the kubeconfig\n")
    assert [call[1] for call in machine.calls] == ["update-context", "config"]


def test_reading_anew_fails_for_no_cluster_that_is_stopped_or_gone(machine):
    assert refresh(machine, FAILS="update-context").stdout == "the kubeconfig\n"
    done = refresh(machine, FAILS="kubectl")
    assert (done.returncode, done.stdout) == (0, "")


def test_addons_are_switched_on_and_off(machine):
    addon = recorded({"addons": ["metrics-server"]}).one(name="dev-addon-metrics-server").inputs
    for script in ("create", "delete"):
        done = machine.run(addon[script], addon["environment"])
        assert (done.returncode, done.stdout) == (0, "")
    assert [call[1:6] for call in machine.calls] == [
        ["addons", "enable", "--profile", "dev", "metrics-server"],
        ["addons", "disable", "--profile", "dev", "metrics-server"],
    ]


def test_definitions_are_applied_on_the_server_in_this_cluster_alone(machine):
    definitions = recorded().one(name="dev-gateway-api").inputs
    machine.run(definitions["create"], definitions["environment"])
    (call,) = machine.calls
    assert call[:7] == ["kubectl", "--context", "dev", "apply", "--server-side", "--filename", call[6]]
    assert call[7] == kubeconfig_argument(machine)


def test_scripts_are_the_same_whatever_the_settings():
    # Another text would run the creation again.
    other = main({"name": "a", "nodes": 3, "driver": "docker", "cni": "cilium", "kubernetes_version": "v1.30"})
    for script in ("create", "update", "delete"):
        assert other.inputs[script] == main().inputs[script]


def test_scripts_are_plain_shell():
    recording = recorded({"addons": ["registry"]})
    for command in recording.of_type(COMMAND):
        for key in ("create", "update", "delete"):
            if key in command.inputs:
                checked = subprocess.run(["/bin/sh", "-n", "-c", command.inputs[key]], check=False, env=os.environ)
                assert checked.returncode == 0, (command.name, key)
