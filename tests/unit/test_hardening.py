from __future__ import annotations

import json
from pathlib import Path

import pytest

from apiops_components.cli import main
from apiops_components.errors import problems_of
from apiops_components.models.cluster import GkeAutopilotSpec, GkeSpec
from apiops_components.models.cluster.hardening import CONTROLS, FIXED, hardening
from apiops_components.models.cluster.replacement import replacements

SPEC = {
    "name": "acme-prod",
    "project": "acme-prod",
    "region": "europe-west1",
    "authorized_networks": [{"name": "vpn", "cidr": "10.8.0.0/16"}],
}
RELAXED = {
    "private-endpoint": {"private_endpoint": False},
    "binary-authorization": {"binary_authorization": False},
    "security-posture": {"security_posture": "disabled"},
    "vulnerability-scan": {"vulnerability_scan": "disabled"},
    "intranode-visibility": {"intranode_visibility": False},
    "secure-boot": {"node_pool": {"secure_boot": False}},
    "metrics": {"managed_prometheus": False},
    "groups": {"rbac_groups_domain": None},
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


def test_the_report_has_every_control_and_everything_fixed():
    spec = GkeSpec.model_validate({**SPEC, "rbac_groups_domain": "acme.example"})
    rows = hardening(spec)
    assert {row.status for row in rows} == {"kept", "fixed"}
    assert len(rows) == len(CONTROLS) + len(FIXED)


def test_autopilot_reports_what_is_its_own():
    rows = {row.setting: row for row in hardening(GkeAutopilotSpec.model_validate(SPEC))}
    assert rows["private_endpoint"].status == "kept"
    assert not {"node_pool.secure_boot", "intranode_visibility", "cluster.enableShieldedNodes"} & set(rows)


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


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({"release_channel": "stable", "labels": {"a": "b"}}, []),
        ({"region": "europe-west4"}, ["region"]),
        (
            {"name": "acme-eu", "network": {"control_plane_cidr": "172.20.0.0/28"}},
            ["name", "network.control_plane_cidr"],
        ),
        ({"network": {"nodes_cidr": "10.0.0.0/19"}}, []),
    ],
)
def test_a_change_that_replaces_the_cluster_is_named(changes, settings):
    old, new = GkeSpec.model_validate(SPEC), GkeSpec.model_validate({**SPEC, **changes})
    assert [(change.setting, change.allowed) for change in replacements(old, new)] == [
        (name, False) for name in settings
    ]


def test_a_replacement_can_be_allowed_by_name():
    old = GkeSpec.model_validate(SPEC)
    new = GkeSpec.model_validate({**SPEC, "region": "europe-west4", "allow_replace": ["region"]})
    (change,) = replacements(old, new)
    assert (change.old, change.new, change.why, change.allowed) == ("europe-west1", "europe-west4", "location", True)
    assert not new.protected


def test_another_kind_of_cluster_replaces_it():
    old, new = GkeSpec.model_validate(SPEC), GkeAutopilotSpec.model_validate(SPEC)
    assert [change.setting for change in replacements(old, new)] == ["kind"]


STACKS = str(Path(__file__).parents[2] / "stacks")


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["hardening", *arguments])
    return ended.value.code, capsys.readouterr().out


def test_the_command_prints_the_report(capsys):
    code, out = run(capsys, "--project", STACKS, "--env", "staging")
    assert code == 0
    assert "kept     private_endpoint = true  [CIS-1.6:5.6.4, CIS-2.0:5.6.4]\n" in out
    assert "open     deletion_protection = false" in out
    assert out.splitlines()[-1] == "staging: 7 kept, 28 fixed, 0 exempted, 2 open"


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
