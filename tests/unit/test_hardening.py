from __future__ import annotations

import json
from pathlib import Path

import pytest

from apiops_components.cli import main
from apiops_components.errors import problems_of
from apiops_components.models.cluster import GkeAutopilotSpec, GkeSpec
from apiops_components.models.cluster.hardening import hardening
from apiops_components.models.cluster.hardening_rules import CHOSEN, CONTROLS, FIXED

SPEC = {
    "name": "acme-prod",
    "project": "acme-prod",
    "region": "europe-west1",
    "authorized_networks": [{"name": "vpn", "cidr": "10.8.0.0/16"}],
}
PODS = {"namespace": "shop", "service_account": "orders", "google_account": "orders@acme-data.iam.gserviceaccount.com"}
RELAXED = {
    "private-endpoint": {"private_endpoint": False},
    "binary-authorization": {"binary_authorization": False},
    "security-posture": {"security_posture": "disabled"},
    "vulnerability-scan": {"vulnerability_scan": "disabled"},
    "intranode-visibility": {"intranode_visibility": False},
    "secure-boot": {"node_pool": {"secure_boot": False}},
    "metrics": {"managed_prometheus": False},
    "groups": {"rbac_groups_domain": None},
    "boot-disk-key": {"node_pool": {"boot_disk_key": None}},
    "external-secrets": {"secret_manager": False},
    "image-policy": {"image_policy": None},
    "release-channel": {"release_channel": "rapid"},
    "deletion-protection": {"deletion_protection": False},
}


def found(settings, model=GkeSpec):
    try:
        model.model_validate(settings)
    except ValueError as error:
        return [(problem.path, problem.code, problem.message) for problem in problems_of(error, settings)]
    return []


def test_every_control_can_be_relaxed_here():
    assert set(RELAXED) == {control.rule for control in CONTROLS}


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.rule)
def test_a_relaxed_setting_needs_a_reason_or_is_reported(control):
    settings = {**SPEC, **RELAXED[control.rule]}
    reason = {"rule": control.rule, "reason": "Agreed with security in May."}
    if control.required:
        assert found(settings) == [(control.setting, f"gke/{control.rule}", f"breaks {', '.join(control.ids)}")]
    else:
        assert status(settings, control.setting) == ("open", control.fix)
    assert status({**settings, "exemptions": [reason]}, control.setting) == ("exempted", reason["reason"])


def status(settings, setting):
    (row,) = [row for row in hardening(GkeSpec.model_validate(settings)) if row.setting == setting]
    return row.status, row.reason


def test_an_exemption_that_nothing_needs_is_refused_as_is_one_given_twice():
    reason = {"rule": "secure-boot", "reason": "The driver is not signed."}
    assert [(path, code) for path, code, _ in found({**SPEC, "exemptions": [reason]})] == [
        ("exemptions[0].rule", "gke/exemption")
    ]
    twice = {**SPEC, "node_pool": {"secure_boot": False}, "exemptions": [reason, reason]}
    assert [(path, code) for path, code, _ in found(twice)] == [("exemptions[1].rule", "gke/exemption")]


@pytest.fixture
def project(tmp_path):
    """Writes the settings of a cluster, and says where."""

    def write(cluster):
        settings = {"owner": "platform@example.com", "cluster": {"kind": "gke", **SPEC, **cluster}}
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "Pulumi.yaml").write_text("name: platform\nruntime: python\nstackConfigDir: config\n")
        file = tmp_path / "config" / "Pulumi.prod.yaml"
        file.write_text(json.dumps({"config": {"apiops:environment": settings}}))
        return "--project", str(tmp_path), "--env", "prod"

    return write


@pytest.mark.parametrize("control", [c for c in CONTROLS if c.required], ids=lambda control: control.rule)
def test_a_flipped_setting_is_refused_by_the_command_and_reported_with_its_reason(control, project, capsys):
    code, _, err = run_all(capsys, *project(RELAXED[control.rule]))
    assert code == 1
    assert f"cluster.{control.setting}: breaks {', '.join(control.ids)}" in err
    assert f"exemptions: [{{rule: {control.rule}, reason: …}}]" in err

    reason = {"rule": control.rule, "reason": "Agreed with security in May."}
    place = project({**RELAXED[control.rule], "exemptions": [reason]})
    code, out = run(capsys, *place)
    (line,) = [number for number, line in enumerate(out.splitlines()) if line.startswith("exempted ")]
    shown = out.splitlines()[line : line + 2]
    assert code == 0
    assert shown[0].startswith(f"exempted {control.setting} = ")
    assert shown[1] == "         reason: Agreed with security in May."
    report = json.loads(run(capsys, *place, "--format", "json")[1])
    (row,) = [row for row in report["settings"] if row["status"] == "exempted"]
    assert (row["setting"], row["ids"], row["reason"]) == (control.setting, list(control.ids), reason["reason"])


def test_each_pool_that_breaks_a_rule_is_named():
    pools = {"more_node_pools": {"drivers": {"secure_boot": False}, "batch": {}}}
    place = "more_node_pools.drivers.secure_boot"
    assert [problem[:2] for problem in found({**SPEC, **pools})] == [(place, "gke/secure-boot")]
    reason = {"rule": "secure-boot", "reason": "The driver is not signed."}
    rows = hardening(GkeSpec.model_validate({**SPEC, **pools, "exemptions": [reason]}))
    assert [(row.setting, row.value, row.status, row.reason) for row in rows if "secure_boot" in row.setting] == [
        ("node_pool.secure_boot", True, "kept", ""),
        (place, False, "exempted", reason["reason"]),
        ("more_node_pools.batch.secure_boot", True, "kept", ""),
    ]


def test_a_policy_of_images_that_only_logs_keeps_no_rule():
    settings = {**SPEC, "image_policy": {"allowed": ["quay.io/argoproj/*"], "dry_run": True}}
    assert [problem[:2] for problem in found(settings)] == [("binary_authorization", "gke/binary-authorization")]


def test_the_report_has_every_rule():
    key = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
    advised = {
        "rbac_groups_domain": "acme.example",
        "secret_manager": True,
        "node_pool": {"boot_disk_key": key},
        "image_policy": {"allowed": ["quay.io/argoproj/*"]},
    }
    rows = hardening(GkeSpec.model_validate({**SPEC, **advised}))
    assert {row.status for row in rows} == {"kept", "fixed"}
    assert len(rows) == len(CONTROLS) + len(CHOSEN) + len([fixed for fixed in FIXED if fixed.on != "autopilot"])


def test_autopilot_reports_what_is_its_own():
    rows = {row.setting: row for row in hardening(GkeAutopilotSpec.model_validate(SPEC))}
    assert rows["private_endpoint"].status == "kept"
    assert rows["cluster.nodePoolAutoConfig.nodeKubeletConfig.insecureKubeletReadonlyPortEnabled"].status == "fixed"
    standard = {"node_pool.secure_boot", "node_pool.boot_disk_key", "intranode_visibility"}
    assert not (standard | {"cluster.enableShieldedNodes", "nodePool.management.autoRepair"}) & set(rows)


def test_what_somebody_else_made_is_not_reported_as_ours():
    existing = {
        "existing_network": {
            "network": "projects/p/global/networks/n",
            "subnetwork": "projects/p/regions/europe-west1/subnetworks/s",
        },
        "secrets_key": "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k",
    }
    rows = [row.setting for row in hardening(GkeSpec.model_validate({**SPEC, **existing}))]
    assert not [setting for setting in rows if setting.startswith(("subnet.", "key", "network."))]


def test_a_setting_of_standard_is_refused_in_autopilot_with_the_reason():
    settings = {**SPEC, "name": "A", "node_pool": {}, "zones": ["europe-west1-b"]}
    assert found(settings, GkeAutopilotSpec) == [
        ("name", "gke/name", found({**SPEC, "name": "A"})[0][2]),
        ("node_pool", "schema/unknown-field", "a setting of kind: gke; Autopilot makes nodes as pods ask for them"),
        ("zones", "schema/unknown-field", "a setting of kind: gke; Google chooses the zones of Autopilot's nodes"),
    ]


@pytest.mark.parametrize(
    ("settings", "path", "code"),
    [
        ({"more_node_pools": {"nodes": {}}}, "more_node_pools.nodes", "gke/pool-name"),
        ({"more_node_pools": {"Big": {}}}, "more_node_pools.Big", "gke/pool-name"),
        ({"node_pool": {"boot_disk_key": "k"}}, "node_pool.boot_disk_key", "gke/key"),
        (
            {"more_node_pools": {"big": {"boot_disk_key": "projects/p/locations/us-east1/keyRings/r/cryptoKeys/k"}}},
            "more_node_pools.big.boot_disk_key",
            "gke/key",
        ),
        ({"node_pool": {"taints": [{"key": "a b"}]}}, "node_pool.taints[0].key", "label/key"),
        ({"upgrade_topic": "t"}, "upgrade_topic", "gke/topic"),
        ({"ip_endpoint": False}, "ip_endpoint", "gke/unreachable"),
        ({"ip_endpoint": False, "dns_endpoint": True}, "authorized_networks", "gke/ip-endpoint"),
        (
            {"ip_endpoint": False, "dns_endpoint": True, "authorized_networks": [], "private_endpoint": False},
            "private_endpoint",
            "gke/ip-endpoint",
        ),
        ({"image_policy": {}}, "image_policy.allowed", "gke/images"),
        ({"image_policy": {"allowed": ["**"]}}, "image_policy.allowed[0]", "gke/images"),
        ({"image_policy": {"allowed": ["https://quay.io/a/*"]}}, "image_policy.allowed[0]", "gke/images"),
        ({"image_policy": {"allowed": ["quay.io/*/argocd"]}}, "image_policy.allowed[0]", "gke/images"),
        ({"image_policy": {"allowed": ["quay.io/a/*", "quay.io/a/*"]}}, "image_policy.allowed[1]", "gke/images"),
        ({"image_policy": {"attestors": ["a"]}}, "image_policy.attestors[0]", "gke/attestor"),
        (
            {"image_policy": {"allowed": ["quay.io/a/*"]}, "binary_authorization": False},
            "image_policy",
            "gke/image-policy",
        ),
        (
            {"workload_identities": [{**PODS, "google_account": "orders@example.com"}]},
            "workload_identities[0].google_account",
            "gke/google-account",
        ),
        ({"workload_identities": [PODS, PODS]}, "workload_identities[1]", "gke/workload-identity"),
        ({"auto_provisioning": {"max_cpus": 64}}, "auto_provisioning.max_memory_gb", "schema/required"),
        (
            {"existing_network": {"network": "n", "subnetwork": "projects/p/regions/europe-west1/subnetworks/s"}},
            "existing_network.network",
            "gke/network",
        ),
        (
            {
                "existing_network": {
                    "network": "projects/p/global/networks/n",
                    "subnetwork": "projects/p/regions/us-east1/subnetworks/s",
                }
            },
            "existing_network.subnetwork",
            "gke/subnetwork",
        ),
        (
            {
                "existing_network": {
                    "network": "projects/p/global/networks/n",
                    "subnetwork": "projects/p/regions/europe-west1/subnetworks/s",
                },
                "network": {"nodes_cidr": "10.0.0.0/16"},
            },
            "network.nodes_cidr",
            "gke/network",
        ),
        (
            {
                "existing_network": {
                    "network": "projects/p/global/networks/n",
                    "subnetwork": "projects/p/regions/europe-west1/subnetworks/s",
                    "control_plane_subnetwork": "projects/p/regions/europe-west1/subnetworks/c",
                },
                "network": {"control_plane_cidr": "172.16.0.0/28"},
            },
            "network.control_plane_cidr",
            "gke/network",
        ),
        (
            {
                "existing_network": {
                    "network": "projects/p/global/networks/n",
                    "subnetwork": "projects/p/regions/europe-west1/subnetworks/s",
                    "control_plane_subnetwork": "projects/p/regions/us-east1/subnetworks/c",
                }
            },
            "existing_network.control_plane_subnetwork",
            "gke/subnetwork",
        ),
        (
            {
                "maintenance": {
                    "exclusions": [{"name": "a", "start": "2026-12-02T00:00:00Z", "end": "2026-12-01T00:00:00Z"}]
                }
            },
            "maintenance.exclusions[0].end",
            "gke/maintenance",
        ),
        (
            {"maintenance": {"exclusions": [{"name": "a", "start": "tomorrow", "end": "2026-12-01T00:00:00Z"}]}},
            "maintenance.exclusions[0].start",
            "gke/moment",
        ),
    ],
)
def test_each_broken_rule_is_named_with_its_path(settings, path, code):
    assert (path, code) in [item[:2] for item in found({**SPEC, **settings})]


STACKS = str(Path(__file__).parents[2] / "stacks")


def run_all(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["hardening", *arguments])
    return ended.value.code, *capsys.readouterr()


def run(capsys, *arguments):
    return run_all(capsys, *arguments)[:2]


def test_the_command_prints_the_report(capsys):
    code, out = run(capsys, "--project", STACKS, "--env", "staging")
    assert code == 0
    assert "kept     private_endpoint = true  [CIS-1.6:5.6.4, CIS-2.0:5.6.4]\n" in out
    assert "open     deletion_protection = false" in out
    assert out.splitlines()[-1] == "staging: 11 kept, 38 fixed, 0 exempted, 5 open"
    assert 'kept     authorized_networks = [{"name": "company", "cidr": "10.200.0.0/16"}]' in out


def test_the_report_is_one_json_document(capsys):
    code, out = run(capsys, "--project", STACKS, "--env", "prod", "--format", "json")
    report = json.loads(out)
    assert (code, report["environment"], report["cluster"]) == (0, "prod", "gke")
    assert report["settings"][0] == {
        "setting": "private_endpoint",
        "value": True,
        "ids": ["CIS-1.6:5.6.4", "CIS-2.0:5.6.4"],
        "status": "kept",
        "reason": "",
    }


def test_other_clusters_have_no_report(capsys):
    assert run(capsys, "--project", STACKS, "--env", "dev") == (
        0,
        "dev: a cluster of kind minikube is not hardened from here\n",
    )
