from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiops_components.delivery.difference.fields import differences
from apiops_components.delivery.difference.hidden import Hidden, hide, shown
from apiops_components.delivery.difference.immutable import forces_replacement


def changes(kind, before, after):
    return [(c.path, c.what, c.before, c.after) for c in differences(kind, before, after)]


def pod(*containers):
    return {"spec": {"template": {"spec": {"containers": list(containers)}}}}


CONTAINERS = "spec.template.spec.containers"


# --- mappings and scalars --------------------------------------------------------------------------------------------


def test_the_order_of_keys_says_nothing_and_null_is_a_field_that_is_not_there():
    assert changes("X", {"a": 1, "b": {"c": None}}, {"b": {}, "a": 1}) == []


def test_a_field_is_added_changed_or_removed():
    before = {"same": 1, "gone": "x", "other": {"deep": True}}
    after = {"same": 1, "other": {"deep": False}, "new": [1]}
    assert changes("X", before, after) == [
        ("gone", "removed", "x", None),
        ("other.deep", "changed", True, False),
        ("new", "added", None, [1]),
    ]


@pytest.mark.parametrize(("before", "after"), [(80, "80"), (1, True), (0, False), ("", None), ({}, None), ([], None)])
def test_what_kubernetes_tells_apart_is_different(before, after):
    assert len(changes("X", {"a": before}, {"a": after})) == 1


def test_a_name_that_is_no_word_stands_in_brackets():
    (found,) = changes("X", {"metadata": {"labels": {"app.io/a": "1"}}}, {"metadata": {"labels": {"app.io/a": "2"}}})
    assert found[0] == 'metadata.labels["app.io/a"]'


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [("1000m", "1", True), ("1Gi", "1024Mi", True), (1, "1", True), ("1", "2", False), ("1Gi", "1G", False)],
)
def test_an_amount_may_be_written_in_two_ways(before, after, same):
    found = [{"resources": {"limits": {"memory": value}}} for value in (before, after)]
    assert (changes("Pod", *found) == []) is same


def test_elsewhere_two_texts_are_two_texts():
    assert changes("ConfigMap", {"data": {"a": "1000m"}}, {"data": {"a": "1"}})


# --- lists -----------------------------------------------------------------------------------------------------------


def test_containers_are_told_apart_by_name_in_any_order():
    one, two = {"name": "one", "image": "a:1"}, {"name": "two", "image": "b:1"}
    assert changes("Deployment", pod(one, two), pod(two, one)) == []
    assert changes("Deployment", pod(one, two), pod(two | {"image": "b:2"}, one)) == [
        (f"{CONTAINERS}[name=two].image", "changed", "b:1", "b:2")
    ]
    assert changes("Deployment", pod(one), pod(two, one)) == [(f"{CONTAINERS}[name=two]", "added", None, two)]


def test_ports_of_a_container_are_told_apart_by_number_and_protocol():
    def ports(*items):
        return pod({"name": "one", "ports": list(items)})

    tcp, udp = {"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}
    assert changes("Deployment", ports(tcp, udp), ports(udp, tcp)) == []
    assert changes("Deployment", ports(tcp), ports(tcp, udp)) == [
        (f"{CONTAINERS}[name=one].ports[containerPort=53,protocol=UDP]", "added", None, udp)
    ]


def test_arguments_are_in_order():
    assert changes("Deployment", pod({"name": "a", "args": ["x", "y"]}), pod({"name": "a", "args": ["y", "x"]})) == [
        (f"{CONTAINERS}[name=a].args", "changed", ["x", "y"], ["y", "x"])
    ]


def test_what_a_set_holds_counts_and_not_its_order():
    assert changes("HTTPRoute", {"spec": {"hostnames": ["a", "b"]}}, {"spec": {"hostnames": ["b", "a"]}}) == []
    assert changes("HTTPRoute", {"spec": {"hostnames": ["a", "b"]}}, {"spec": {"hostnames": ["b", "c"]}}) == [
        ("spec.hostnames[0]", "removed", "a", None),
        ("spec.hostnames[1]", "added", None, "c"),
    ]


def test_one_item_of_a_set_that_changed_is_shown_inside():
    def match(value):
        return {"path": {"type": "Exact", "value": value}}

    before = {"spec": {"rules": [{"name": "r", "matches": [match("/a"), match("/b")]}]}}
    after = {"spec": {"rules": [{"name": "r", "matches": [match("/c"), match("/a")]}]}}
    assert changes("HTTPRoute", before, after) == [
        ("spec.rules[name=r].matches[1].path.value", "changed", "/b", "/c"),
    ]


def test_rules_of_a_policy_are_paired_by_name_and_their_order_counts():
    def policy(*names, capacity=1):
        rules = [{"name": name, "actions": [{"type": name, "config": {"capacity": capacity}}]} for name in names]
        return {"spec": {"policy": {"on_http_request": rules}}}

    place = "spec.policy.on_http_request"
    assert changes("NgrokTrafficPolicy", policy("a", "b"), policy("b", "a")) == [
        (place, "reordered", ["a", "b"], ["b", "a"])
    ]
    assert changes("NgrokTrafficPolicy", policy("a", "b"), policy("a", "x", "b")) == [
        (f"{place}[name=x]", "added", None, policy("x")["spec"]["policy"]["on_http_request"][0])
    ]
    assert changes("NgrokTrafficPolicy", policy("a"), policy("a", capacity=2)) == [
        (f"{place}[name=a].actions[0].config.capacity", "changed", 1, 2)
    ]


def test_rules_without_names_are_paired_where_they_are_the_same():
    def policy(*types):
        return {"spec": {"policy": {"on_http_request": [{"actions": [{"type": name}]} for name in types]}}}

    assert changes("NgrokTrafficPolicy", policy("a", "b", "c"), policy("new", "a", "b", "c")) == [
        ("spec.policy.on_http_request[0]", "added", None, {"actions": [{"type": "new"}]})
    ]
    assert changes("NgrokTrafficPolicy", policy("a", "b", "c"), policy("a", "c")) == [
        ("spec.policy.on_http_request[1]", "removed", {"actions": [{"type": "b"}]}, None)
    ]


def test_two_items_with_one_key_are_not_paired_by_it():
    one = {"name": "env", "value": "1"}
    before, after = ({"env": items} for items in ([one, one], [one, {"name": "env", "value": "2"}]))
    assert changes("Pod", before, after) == [("env[1].value", "changed", "1", "2")]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b", "1"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "env", "rules", "limits", "hostnames", "x.y"]), inner, max_size=4)
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(["spec", "data", "containers", "matches"]), values, max_size=3)


def without_null(value):
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items() if item is not None}
    return [without_null(item) for item in value] if isinstance(value, list) else value


@given(objects, objects)
def test_nothing_is_different_from_itself_and_every_difference_is_seen_from_both_sides(before, after):
    assert differences("HTTPRoute", before, before) == ()
    there, back = differences("HTTPRoute", before, after), differences("HTTPRoute", after, before)
    assert bool(there) is bool(back)
    if not there and "limits" not in str(before):
        assert shuffled(without_null(before)) == shuffled(without_null(after))


def shuffled(value):
    """Equal for what differs in the order of some list only, and in null."""
    if isinstance(value, dict):
        return sorted((key, shuffled(item)) for key, item in value.items())
    return sorted(map(repr, map(shuffled, value))) if isinstance(value, list) else repr(value)


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.randoms(use_true_random=False))
def test_any_order_of_what_has_a_name_is_the_same(names, chance: random.Random):
    items = [{"name": name, "image": name * 2} for name in names]
    other = chance.sample(items, len(items))
    assert differences("Deployment", pod(*items), pod(*other)) == ()


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_a_secret_is_compared_and_never_shown():
    def secret(value):
        return hide({"kind": "Secret", "apiVersion": "v1", "stringData": {"token": value, "user": "ada"}})

    (found,) = differences("Secret", secret("one"), secret("two"))
    assert found.path == "stringData.token"
    assert (shown(found.before), shown(found.after)) == ("<secret>", "<secret>")
    assert "one" not in repr(found)
    assert "two" not in repr(found)
    assert differences("Secret", secret("one"), secret("one")) == ()


def test_a_place_of_a_secret_is_shown():
    found = hide({"kind": "Secret", "stringData": {"a": "<secret:api-key>", "b": "x"}})
    assert shown(found)["stringData"] == {"a": "<secret:api-key>", "b": "<secret>"}


def test_the_copy_that_kubectl_keeps_is_a_secret_too():
    key = "kubectl.kubernetes.io/last-applied-configuration"
    found = hide({"kind": "Secret", "metadata": {"name": "a", "annotations": {key: "all", "b": "c"}}})
    assert shown(found)["metadata"] == {"name": "a", "annotations": {key: "<secret>", "b": "c"}}


def test_secrets_in_a_policy_are_hidden_and_those_in_a_vault_are_named():
    config = {"client_secret": "hush", "client_id": "id", "credentials": ["ada:hush"]}
    vault = {"client_secret": "${secrets.get('vault', 'name')}"}
    actions = [{"type": "oauth", "config": config}, {"type": "oauth", "config": vault}]
    policy = {"apiVersion": "ngrok.k8s.ngrok.com/v1alpha1", "kind": "NgrokTrafficPolicy", "spec": {"actions": actions}}
    found = shown(hide(policy))["spec"]["actions"]
    assert found[0]["config"] == {"client_secret": "<secret>", "client_id": "id", "credentials": ["<secret>"]}
    assert found[1]["config"] == vault
    assert isinstance(hide(policy)["spec"]["actions"][0]["config"]["client_secret"], Hidden)


# --- what cannot be changed in place ---------------------------------------------------------------------------------


def replaced(group, kind, before, after):
    return [c.path for c in differences(kind, before, after) if forces_replacement(group, kind, c, before)]


def test_a_selector_cannot_be_changed_and_a_number_of_replicas_can():
    before = {"spec": {"replicas": 1, "selector": {"matchLabels": {"app": "a"}}}}
    after = {"spec": {"replicas": 2, "selector": {"matchLabels": {"app": "b"}}}}
    assert replaced("apps", "Deployment", before, after) == ["spec.selector.matchLabels.app"]
    assert replaced("example.com", "Deployment", before, after) == []


def test_a_stateful_set_can_change_little():
    before = {"spec": {"replicas": 1, "serviceName": "a", "volumeClaimTemplates": [{"metadata": {"name": "x"}}]}}
    after = {"spec": {"replicas": 2, "serviceName": "b", "volumeClaimTemplates": []}}
    assert replaced("apps", "StatefulSet", before, after) == ["spec.serviceName", "spec.volumeClaimTemplates[0]"]


def test_a_config_map_is_immutable_when_it_says_so():
    before, after = {"data": {"a": "1"}}, {"data": {"a": "2"}}
    assert replaced("", "ConfigMap", before, after) == []
    assert replaced("", "ConfigMap", before | {"immutable": True}, after | {"immutable": True}) == ["data.a"]


def test_fields_of_a_cluster_that_only_a_new_one_can_have():
    kind = "gcp:container/cluster:Cluster"
    before = {"name": "a", "resourceLabels": {"x": "1"}, "ipAllocationPolicy": {"stackType": "IPV4"}}
    after = {"name": "a", "resourceLabels": {"x": "2"}, "ipAllocationPolicy": {"stackType": "IPV4_IPV6"}}
    assert replaced("pulumi", kind, before, after) == ["ipAllocationPolicy.stackType"]
    member = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
    assert replaced("pulumi", member, {"role": "a"}, {"role": "b"}) == ["role"]
