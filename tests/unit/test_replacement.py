from __future__ import annotations

import typing

import pytest

from apiops_components.models.cluster import ExistingSpec, GkeAutopilotSpec, GkeSpec, MinikubeSpec
from apiops_components.models.cluster.replacement import replacements

SPEC = {
    "name": "acme-prod",
    "project": "acme-prod",
    "region": "europe-west1",
    "authorized_networks": [{"name": "vpn", "cidr": "10.8.0.0/16"}],
}
NETWORK = {
    "network": "projects/host/global/networks/shared",
    "subnetwork": "projects/host/regions/europe-west1/subnetworks/gke",
}
SUBNET = "projects/host/regions/europe-west1/subnetworks/other"


def gke(model=GkeSpec, **settings):
    return model.model_validate({**SPEC, **settings})


# Facts of the provider (ForceNew): the argument, settings that change it, before and after, and the setting named.
FORCING = [
    ("name", {}, {"name": "acme-eu"}, "name"),
    ("project", {}, {"project": "acme-live"}, "project"),
    ("location", {}, {"region": "europe-west4"}, "region"),
    ("enable_autopilot", {}, {"model": GkeAutopilotSpec}, "kind"),
    ("network", {}, {"existing_network": NETWORK}, "existing_network"),
    ("network", {"existing_network": NETWORK}, {}, "existing_network"),
    (
        "network",
        {"existing_network": NETWORK},
        {"existing_network": {**NETWORK, "network": "projects/host/global/networks/n"}},
        "existing_network.network",
    ),
    (
        "subnetwork",
        {"existing_network": NETWORK},
        {"existing_network": {**NETWORK, "subnetwork": SUBNET}},
        "existing_network.subnetwork",
    ),
    (
        "ip_allocation_policy",
        {"existing_network": NETWORK},
        {"existing_network": {**NETWORK, "pods_range": "p"}},
        "existing_network.pods_range",
    ),
    (
        "ip_allocation_policy",
        {"existing_network": NETWORK},
        {"existing_network": {**NETWORK, "services_range": "s"}},
        "existing_network.services_range",
    ),
    (
        "private_endpoint_subnetwork",
        {"existing_network": NETWORK},
        {"existing_network": {**NETWORK, "control_plane_subnetwork": SUBNET}},
        "existing_network.control_plane_subnetwork",
    ),
    (
        "master_ipv4_cidr_block",
        {},
        {"network": {"control_plane_cidr": "172.20.0.0/28"}},
        "network.control_plane_cidr",
    ),
    ("enable_fqdn_network_policy", {"fqdn_network_policies": True}, {}, "fqdn_network_policies"),
]


@pytest.mark.parametrize(("argument", "before", "after", "setting"), FORCING, ids=lambda value: str(value)[:40])
def test_a_change_that_forces_a_new_cluster_is_named_and_allowed_by_name(argument, before, after, setting):
    (change,) = replacements(gke(**before), gke(**after))
    assert (change.setting, change.allowed) == (setting, False)
    assert argument in change.why or setting == "kind"

    allow = {"allow_replace": [setting.partition(".")[0]]}
    (change,) = replacements(gke(**before, **allow), gke(**after, **allow))
    assert (change.setting, change.allowed) == (setting, True)
    assert not gke(**after, **allow).protected


def test_whatever_can_be_allowed_is_named_by_some_change():
    (choices,) = (
        typing.get_args(part) for part in typing.get_args(GkeSpec.model_fields["allow_replace"].annotation)[:1]
    )
    assert {setting.partition(".")[0] for *_, setting in FORCING} == set(choices)


@pytest.mark.parametrize("model", [GkeSpec, GkeAutopilotSpec])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"release_channel": "stable", "labels": {"a": "b"}}),
        ({}, {"network": {"nodes_cidr": "10.0.0.0/19"}}),
        ({}, {"fqdn_network_policies": True}),
        ({}, {"deletion_protection": False}),
    ],
)
def test_other_changes_replace_nothing(model, before, after):
    assert list(replacements(gke(model, **before), gke(model, **after))) == []


def test_leave_that_is_given_in_the_same_change_comes_too_late():
    # Google goes by the protection that the cluster has: it must be gone in an update before.
    change = {"region": "europe-west4", "allow_replace": ["region"]}
    assert [c.allowed for c in replacements(gke(), gke(**change))] == [False]
    assert [c.allowed for c in replacements(gke(allow_replace=["region"]), gke(**change))] == [True]
    assert [c.allowed for c in replacements(gke(allow_replace=["name"]), gke(**change))] == [False]


def test_leave_for_one_setting_is_none_for_another():
    allow = {"allow_replace": ["region"]}
    changes = replacements(gke(**allow), gke(**allow, region="europe-west4", name="acme-eu"))
    assert {change.setting: change.allowed for change in changes} == {"name": False, "region": True}


@pytest.mark.parametrize(
    ("name", "range_"),
    [
        ("nodes_cidr", "10.0.0.0/21"),
        ("nodes_cidr", "10.1.0.0/20"),
        ("pods_cidr", "10.64.0.0/14"),
        ("pods_cidr", "10.16.0.0/13"),
        ("services_cidr", "10.40.0.0/20"),
    ],
)
def test_a_range_in_use_cannot_be_another_unless_the_network_is_too(name, range_):
    network = {"network": {name: range_}}
    allow = {"allow_replace": ["network", "name"]}
    (change,) = replacements(gke(**allow), gke(**allow, **network))
    assert (change.setting, change.allowed) == (f"network.{name}", False)
    assert change.instead.startswith("change name with it")

    changes = replacements(gke(**allow), gke(**allow, **network, name="acme-eu"))
    assert [(change.setting, change.allowed) for change in changes] == [("name", True)]


def test_old_and_new_are_told():
    (change,) = replacements(gke(), gke(region="europe-west4"))
    assert (change.old, change.new, change.why) == ("europe-west1", "europe-west4", "location")


def test_another_kind_of_cluster_replaces_it():
    for other in (MinikubeSpec(), ExistingSpec(context="kind-dev")):
        assert [change.setting for change in replacements(gke(), other)] == ["kind"]
        assert [change.setting for change in replacements(other, gke())] == ["kind"]
