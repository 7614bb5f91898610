"""The scripts run for real here, on a `minikube` and a `kubectl` that write down how they were called.

What this `minikube` answers is what v1.38.1 answers: tests/judges/test_minikube.py asks the real one the same.
"""

import os
import signal
import subprocess
import sys
import time

import pytest

from apiops_components.components.minikube import MinikubeCluster
from apiops_components.errors import InvalidInput
from apiops_components.testing.pulumi import SECRET, UNKNOWN, record
from apiops_components.versions import GATEWAY_API, MINIKUBE_KUBERNETES

COMMAND = "command:local:Command"
PROGRAM = f"""#!{sys.executable}
import os, pathlib, sys, time
name, args = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
fails, home = os.environ.get("FAILS", ""), os.environ.get("MINIKUBE_HOME") or os.environ["HOME"]
with open(os.environ["CALLS"], "a") as calls:
    print(name, *args, f"KUBECONFIG={{os.environ.get('KUBECONFIG')}}", sep="|", file=calls)
if name == "kubectl":
    if fails == "kubectl":
        sys.exit("error: context does not exist")
    print("the kubeconfig")
    sys.exit()
print("chatter of minikube")
if args[0] == "logs":
    sys.exit()
profile = pathlib.Path(home, "profiles", args[args.index("--profile") + 1])
if args[0] == "status":
    sys.exit(7 if profile.exists() else 85)
if args[0] == "start" and "--dry-run" in args:
    print("X Exiting due to PROVIDER_DOCKER_NOT_RUNNING")
    sys.exit(63 if fails == "driver" else 0)
if args[0] == "start":
    profile.mkdir(parents=True, exist_ok=True)
    time.sleep(float(os.environ.get("TAKES", "0")))
    print("X Exiting due to GUEST_PROVISION", file=sys.stderr)
if args[0] == "delete" and profile.exists():
    profile.rmdir()
if args[0] == fails:
    sys.exit(80)
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

    @property
    def minikube_calls(self):
        return [call[1] for call in self.calls if call[0] == "minikube"]

    @property
    def profiles(self):
        folder = self.home / "profiles"
        return sorted(file.name for file in folder.iterdir()) if folder.exists() else []

    def start(self, inputs, command, **more):
        # As pulumi-command does: the program's environment, then that of the resource.
        env = {
            "PATH": f"{self.bin}:/usr/bin:/bin" if more.pop("tools", True) else str(self.bin),
            "HOME": str(self.home),
            "CALLS": str(self.calls_file),
            "KUBECONFIG": "/home/me/.kube/config",
        }
        env = {**env, **inputs["environment"], **more}
        return subprocess.Popen(
            [*inputs["interpreter"], inputs[command]],
            env={name: value for name, value in env.items() if value is not None},
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, inputs, command, **more):
        with self.start(inputs, command, **more) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


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
        "KUBERNETES_VERSION": f"v{MINIKUBE_KUBERNETES}",
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
    # Another text would run the creation again.
    spec = {"name": "other", "nodes": 3, "driver": "kvm2", "cni": "cilium", "kubernetes_version": "v1.99.9"}
    scripts = ("interpreter", "create", "update", "delete")
    assert [main(spec).inputs[key] for key in scripts] == [main().inputs[key] for key in scripts]
    assert [main().inputs[key] for key in scripts[1:]] == ["create", "update", "delete"]  # what an error shows


@pytest.mark.parametrize(
    ("spec", "expected"), [({}, "2400s"), ({"start_timeout": "90m"}, "7200s"), ({"nodes": 3}, "3600s")]
)
def test_the_engine_waits_longer_than_minikube(spec, expected):
    assert main(spec).timeouts == {"create": expected, "update": expected, "delete": "10m"}


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


START, VIEW = ["minikube", "start"], ["kubectl", "config"]


def test_create_starts_the_cluster_and_prints_its_kubeconfig_alone(machine):
    done = machine.run(main({"driver": "docker"}).inputs, "create")
    assert (done.returncode, done.stdout) == (0, "the kubeconfig\n")
    own = kubeconfig_argument(machine)
    assert machine.calls == [
        ["minikube", "status", "--profile", "dev", own],
        [
            *("minikube", "start", "--profile", "dev", "--nodes", "1", "--cpus", "4", "--memory", "8192mb"),
            *("--disk-size", "40gb", "--kubernetes-version", f"v{MINIKUBE_KUBERNETES}"),
            *("--container-runtime", "containerd", "--cni", "calico", "--ha=false", "--driver", "docker"),
            *("--wait", "all", "--wait-timeout", "10m", "--interactive=false", own),
        ],
        ["kubectl", "config", "view", "--minify", "--flatten", "--raw", "--context", "dev", own],
    ]


def test_without_a_driver_minikube_chooses(machine):
    machine.run(main().inputs, "create")
    assert "--driver" not in machine.calls[1]


@pytest.mark.parametrize("fails", ["start", "kubectl"])
def test_a_failed_start_is_cleaned_up_and_stays_failed(machine, fails):
    done = machine.run(main().inputs, "create", FAILS=fails)
    assert (done.returncode, done.stdout) == ({"start": 80, "kubectl": 1}[fails], "")
    assert machine.calls[-1][:4] == ["minikube", "delete", "--profile", "dev"]
    assert machine.profiles == []
    said = {"start": "X Exiting due to GUEST_PROVISION", "kubectl": "error: context does not exist"}[fails]
    assert said in done.stderr
    assert f"what it left is deleted; its log: {machine.home}/.kube/apiops/dev.log" in done.stderr
    assert machine.minikube_calls == ["status", "start", "logs", "status", "start", "delete"]


def started(machine, **more):
    process = machine.start(main().inputs, "create", **more)
    while machine.profiles != ["dev"]:
        assert process.poll() is None
        time.sleep(0.01)
    return process


def test_a_start_that_is_ended_is_cleaned_up(machine):
    process = started(machine, TAKES="60")
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert machine.profiles == []


def test_a_start_whose_shell_is_killed_as_the_engine_does_is_cleaned_up_when_it_ends(machine):
    process = started(machine, TAKES="0.5")
    process.kill()
    assert process.wait() == -signal.SIGKILL
    out, err = process.communicate(timeout=30)  # as the engine, it waits for all that writes there
    assert out == ""
    assert "failed or was broken off; what it left is deleted" in err
    assert machine.profiles == []


def test_a_start_that_nobody_hears_is_cleaned_up_when_it_ends(machine):
    # Ends where nobody reads what it says, as minikube does, and Python does not.
    (machine.bin / "minikube").write_text("""#!/bin/sh
profile=$HOME/profiles/dev
case "$1 $*" in
  status*) [ -d "$profile" ] || exit 85 ;;
  start*--dry-run) ;;
  start*) mkdir -p "$profile"; sleep 0.5; echo chatter >&2 ;;
  delete*) echo chatter >&2; rmdir "$profile" ;;
esac
""")
    process = started(machine)
    process.stdout.close()
    process.stderr.close()
    assert process.wait(timeout=30) != 0
    assert machine.profiles == []


def test_a_failing_update_deletes_nothing(machine):
    done = machine.run(main().inputs, "update", FAILS="start")
    assert done.returncode == 80
    assert machine.minikube_calls == ["start"]
    assert machine.profiles == ["dev"]


def test_a_profile_of_somebody_else_half_made_or_not_is_refused_and_left_alone(machine):
    (machine.home / "profiles" / "dev").mkdir(parents=True)
    done = machine.run(main().inputs, "create")
    assert done.returncode == 17
    assert "minikube has a profile dev already" in done.stderr
    assert "minikube delete -p dev" in done.stderr
    assert machine.minikube_calls == ["status"]
    assert machine.profiles == ["dev"]


def test_a_profile_whose_name_only_begins_like_ours_is_none(machine):
    (machine.home / "profiles" / "dev-2").mkdir(parents=True)
    assert machine.run(main().inputs, "create").returncode == 0
    assert machine.run(main().inputs, "delete").returncode == 0
    assert machine.profiles == ["dev-2"]


def test_two_clusters_at_the_same_time_do_not_meet(machine):
    two = main({"name": "dev-2"}).inputs
    processes = [machine.start(inputs, "create", TAKES="0.2") for inputs in (main().inputs, two)]
    assert [process.communicate()[0] for process in processes] == ["the kubeconfig\n"] * 2
    assert machine.profiles == ["dev", "dev-2"]
    folder = f"KUBECONFIG={machine.home}/.kube/apiops"
    assert {call[-1] for call in machine.calls} == {f"{folder}/dev.yaml", f"{folder}/dev-2.yaml"}


def test_update_refreshes_the_address_and_prints_the_kubeconfig(machine):
    done = machine.run(main().inputs, "update")
    assert (done.returncode, done.stdout) == (0, "the kubeconfig\n")
    assert [call[:2] for call in machine.calls] == [START, ["minikube", "update-context"], VIEW]


def test_delete_removes_profile_and_kubeconfig(machine):
    (machine.home / "profiles" / "dev").mkdir(parents=True)
    file = machine.home / ".kube" / "apiops" / "dev.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("x")
    assert machine.run(main().inputs, "delete").returncode == 0
    assert machine.profiles == []
    assert not file.exists()


def test_a_cluster_that_is_gone_is_deleted(machine):
    done = machine.run(main().inputs, "delete", FAILS="driver")
    assert done.returncode == 0
    assert machine.minikube_calls == ["status", "delete"]


def test_what_does_not_run_is_not_deleted_as_minikube_would_only_forget_it(machine):
    (machine.home / "profiles" / "dev").mkdir(parents=True)
    done = machine.run(main().inputs, "delete", FAILS="driver")
    assert done.returncode == 63
    assert "PROVIDER_DOCKER_NOT_RUNNING" in done.stderr
    assert "start it" in done.stderr
    assert machine.minikube_calls == ["status", "start"]
    assert "--dry-run" in machine.calls[1]
    assert machine.profiles == ["dev"]


@pytest.mark.parametrize("missing", [["minikube"], ["kubectl"], ["minikube", "kubectl"]])
@pytest.mark.parametrize("script", ["create", "update", "delete"])
def test_missing_programs_are_named_all_at_once(tmp_path, missing, script):
    machine = Machine(tmp_path)
    machine.install(*({"minikube", "kubectl"} - {*missing}))
    done = machine.run(main().inputs, script, tools=False)
    assert done.returncode == 127
    assert done.stderr == f"not on PATH: {' '.join(missing)}; install what is missing, then run this again\n"
    assert machine.calls == []


def test_a_home_folder_may_have_spaces(tmp_path):
    (tmp_path / "of me").mkdir()
    machine = Machine(tmp_path / "of me")
    machine.install("minikube", "kubectl")
    assert machine.run(main().inputs, "create").stdout == "the kubeconfig\n"
    assert {call[-1] for call in machine.calls} == {kubeconfig_argument(machine)}
    assert (machine.home / ".kube" / "apiops").stat().st_mode & 0o777 == 0o700


def test_without_a_home_folder_it_says_so(machine):
    done = machine.run(main().inputs, "create", HOME=None)
    assert done.returncode == 2
    assert "HOME: is not set, and minikube keeps its profiles there" in done.stderr
    assert machine.calls == []


def test_a_home_of_minikube_is_enough_and_keeps_the_kubeconfig_too(machine, tmp_path):
    done = machine.run(main().inputs, "create", HOME=None, MINIKUBE_HOME=str(tmp_path / "mine"))
    assert (done.returncode, done.stdout) == (0, "the kubeconfig\n")
    assert {call[-1] for call in machine.calls} == {f"KUBECONFIG={tmp_path}/mine/.kube/apiops/dev.yaml"}


def refresh(machine, **more):
    recording, _ = later("")
    (call,) = recording.invocations
    return machine.run(call.arguments, "command", **more)


def test_reading_anew_asks_for_the_address_of_today(machine):
    done = refresh(machine)
    assert (done.returncode, done.stdout) == (0, "the kubeconfig\n")
    assert [call[:2] for call in machine.calls] == [["minikube", "update-context"], VIEW]


def test_reading_anew_fails_for_no_cluster_that_is_stopped_or_gone(machine):
    assert refresh(machine, FAILS="update-context").stdout == "the kubeconfig\n"
    done = refresh(machine, FAILS="kubectl")
    assert (done.returncode, done.stdout) == (0, "")


def test_addons_are_switched_on_and_off(machine):
    addon = recorded({"addons": ["metrics-server"]}).one(name="dev-addon-metrics-server").inputs
    for script in ("create", "delete"):
        done = machine.run(addon, script)
        assert (done.returncode, done.stdout) == (0, "")
    assert [call[1:6] for call in machine.calls] == [
        ["addons", "enable", "--profile", "dev", "metrics-server"],
        ["addons", "disable", "--profile", "dev", "metrics-server"],
    ]


def test_definitions_are_applied_on_the_server_in_this_cluster_alone(machine):
    machine.run(recorded().one(name="dev-gateway-api").inputs, "create")
    (call,) = machine.calls
    assert call[:7] == ["kubectl", "--context", "dev", "apply", "--server-side", "--filename", call[6]]
    assert call[7] == kubeconfig_argument(machine)
