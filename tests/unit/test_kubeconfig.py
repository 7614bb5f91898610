from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from apiops_components import documents
from apiops_components.errors import InvalidInput, Problem
from apiops_components.render.kubeconfig import gke, minify, read, server

CONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "dev",
    "preferences": {"colors": True},
    "contexts": [
        {"name": "dev", "context": {"cluster": "local", "user": "me", "namespace": "shop"}},
        {"name": "prod", "context": {"cluster": "far", "user": "admin"}},
    ],
    "clusters": [
        {"name": "local", "cluster": {"server": "https://127.0.0.1:6443", "certificate-authority": "certs/ca.pem"}},
        {"name": "far", "cluster": {"server": "https://203.0.113.1", "certificate-authority-data": "QUJD"}},
    ],
    "users": [
        {"name": "me", "user": {"client-certificate": "/etc/me.pem", "client-key": "me.key"}},
        {"name": "admin", "user": {"token": "prod-token"}},
    ],
}


def problem(call: Any) -> Problem:
    with pytest.raises(InvalidInput) as caught:
        call()
    (found,) = caught.value.problems
    return found


def changed(**sections: Any) -> dict[str, Any]:
    return {**copy.deepcopy(CONFIG), **sections}


def test_a_google_kubeconfig_asks_the_plugin_and_holds_no_credential():
    assert gke("acme-prod", "10.0.0.2", "QUJD") == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "acme-prod",
                "cluster": {"server": "https://10.0.0.2", "certificate-authority-data": "QUJD"},
            }
        ],
        "contexts": [{"name": "acme-prod", "context": {"cluster": "acme-prod", "user": "acme-prod"}}],
        "current-context": "acme-prod",
        "users": [
            {
                "name": "acme-prod",
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "gke-gcloud-auth-plugin",
                        "installHint": "gcloud components install gke-gcloud-auth-plugin",
                        "interactiveMode": "Never",
                        "provideClusterInfo": True,
                    }
                },
            }
        ],
    }


def test_by_its_dns_name_the_control_plane_has_a_public_certificate():
    assert gke("acme", "gke-1.europe-west1.gke.goog", None)["clusters"] == [
        {"name": "acme", "cluster": {"server": "https://gke-1.europe-west1.gke.goog"}}
    ]


def test_minified_only_the_chosen_context_is_left():
    assert minify(CONFIG, "prod") == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "far", "cluster": {"server": "https://203.0.113.1", "certificate-authority-data": "QUJD"}}
        ],
        "contexts": [{"name": "prod", "context": {"cluster": "far", "user": "admin"}}],
        "current-context": "prod",
        "users": [{"name": "admin", "user": {"token": "prod-token"}}],
    }


def test_the_current_context_is_the_default_and_keeps_its_namespace():
    small = minify(CONFIG)
    assert small["contexts"] == [{"name": "dev", "context": {"cluster": "local", "user": "me", "namespace": "shop"}}]
    assert "prod-token" not in documents.dump(small)


def test_relative_files_are_found_from_the_folder_of_the_kubeconfig():
    small = minify(CONFIG, folder="/home/me/.kube")
    assert small["clusters"][0]["cluster"]["certificate-authority"] == "/home/me/.kube/certs/ca.pem"
    assert small["users"][0]["user"] == {"client-certificate": "/etc/me.pem", "client-key": "/home/me/.kube/me.key"}


@pytest.mark.parametrize(
    ("command", "expected"),
    [("aws", "aws"), ("./login.sh", "/home/me/.kube/./login.sh"), ("/opt/login", "/opt/login")],
)
def test_a_program_with_a_path_is_found_from_there_too_and_a_bare_one_on_path(command, expected):
    config = changed(users=[{"name": "me", "user": {"exec": {"command": command, "args": ["x"]}}}])
    user = minify(config, folder="/home/me/.kube")["users"][0]["user"]
    assert user == {"exec": {"command": expected, "args": ["x"]}}


def test_minifying_twice_changes_nothing_and_leaves_the_original():
    before = copy.deepcopy(CONFIG)
    once = minify(CONFIG, "dev", folder="/f")
    assert minify(once, folder="/elsewhere") == once
    assert before == CONFIG


def test_server_is_the_address_of_the_one_cluster():
    assert server(minify(CONFIG, "dev")) == "https://127.0.0.1:6443"
    assert server(gke("a", "10.0.0.2", None)) == "https://10.0.0.2"


@given(st.text(min_size=1).filter(str.strip), st.text(), st.dictionaries(st.text(), st.text() | st.booleans()))
def test_what_is_written_is_read_back_by_us_and_by_a_yaml_parser(name, token, extra):
    config = changed(
        contexts=[{"name": name, "context": {"cluster": "c", "user": name}}],
        clusters=[{"name": "c", "cluster": {**extra, "server": "https://x"}}],
        users=[{"name": name, "user": {"token": token}}],
    )
    small = minify(config, name)
    text = documents.dump(small)
    assert read(text) == small
    assert yaml.safe_load(text) == small


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "kubeconfig/kind"),
        ("just text", "kubeconfig/kind"),
        ("[1, 2]", "kubeconfig/kind"),
        ("kind: Pod", "kubeconfig/kind"),
        ("kind: Config\n---\nkind: Config\n", "kubeconfig/kind"),
        ("kind: [", "kubeconfig/yaml"),
        ("kind: Config\nkind: Config\n", "kubeconfig/yaml"),
        (b"\xff\xfe\xfd", "kubeconfig/yaml"),
    ],
)
def test_what_is_no_kubeconfig_is_refused_with_file_and_fix(text, code):
    found = problem(lambda: read(text, "/home/me/config"))
    assert (found.code, found.file) == (code, "/home/me/config")
    assert "kubectl config view" in found.hint


def test_an_unknown_context_lists_those_that_are_there():
    found = problem(lambda: minify(CONFIG, "staging", file="/k"))
    assert str(found) == (
        "/k: contexts: there is no context 'staging'; its contexts are 'dev', 'prod' [kubeconfig/context]\n"
        "    hint: kubectl config get-contexts lists them"
    )


@pytest.mark.parametrize(
    ("config", "path", "code"),
    [
        ({"kind": "Config"}, "current-context", "kubeconfig/context"),
        ({**CONFIG, "current-context": ""}, "current-context", "kubeconfig/context"),
        ({**CONFIG, "clusters": []}, "clusters", "kubeconfig/cluster"),
        ({**CONFIG, "users": None}, "users", "kubeconfig/user"),
        ({**CONFIG, "users": "me"}, "users", "kubeconfig/shape"),
        ({**CONFIG, "contexts": ["dev"]}, "contexts[0]", "kubeconfig/shape"),
        ({**CONFIG, "contexts": [{"name": "dev", "context": "x"}]}, "contexts[0].context", "kubeconfig/shape"),
        ({**CONFIG, "clusters": [{"name": "local"}]}, "clusters[0].cluster.server", "kubeconfig/server"),
        ({**CONFIG, "contexts": [{"name": "dev", "context": {"cluster": "local"}}]}, "users", "kubeconfig/user"),
        ({**CONFIG, "users": [{"name": "me", "user": {"exec": [1]}}]}, "users[0].user.exec", "kubeconfig/shape"),
        ({**CONFIG, "users": [{"name": "me", "user": {"exec": {"x": 1}}}]}, "users[0].user.exec", "kubeconfig/shape"),
        (
            {**CONFIG, "users": [{"name": "me", "user": {"client-key": "x"}}]},
            "users[0].user.client-key",
            "kubeconfig/login",
        ),
        (
            {**CONFIG, "users": [{"name": "me", "user": {"auth-provider": {"name": "gcp"}}}]},
            "users[0].user.auth-provider",
            "kubeconfig/login",
        ),
    ],
)
def test_a_kubeconfig_with_a_hole_is_refused_where_the_hole_is(config, path, code):
    found = problem(lambda: minify(config))
    assert (found.path, found.code) == (path, code)


def served(address):
    return changed(clusters=[{"name": "local", "cluster": {"server": address}}])


@pytest.mark.parametrize(
    "address",
    [
        *("", 6443, "10.0.0.1:6443", "10.0.0.1", "https://", "ftp://a", "unix:///x", "https://[::1"),
        *("http://10.0.0.1", "http://127.0.0.1.example.com", "http://localhost@example.com"),
    ],
)
def test_an_address_that_would_carry_credentials_in_the_open_or_is_none_is_refused(address):
    found = problem(lambda: minify(served(address)))
    assert (found.path, found.code) == ("clusters[0].cluster.server", "kubeconfig/server")


@pytest.mark.parametrize("address", ["https://a", "https://[::1]:6443/x", "http://127.0.0.1:8001", "http://localhost"])
def test_an_address_may_be_without_tls_on_this_machine_alone(address):
    assert server(minify(served(address))) == address


def test_a_context_that_is_nearly_there_is_suggested():
    assert problem(lambda: minify(CONFIG, "pord")).hint == "did you mean prod?"


def test_all_that_is_wrong_comes_at_once():
    config = changed(
        clusters=[{"name": "local", "cluster": {"server": "10.0.0.1"}}],
        users=[{"name": "me", "user": {"auth-provider": {"name": "gcp"}, "client-key": "x"}}],
    )
    with pytest.raises(InvalidInput) as caught:
        minify(config, file="/k", check=lambda kind, value: [Problem(f"{len(value)}", "x", kind)])
    assert [(problem.file, problem.path, problem.code) for problem in caught.value.problems] == [
        ("/k", "clusters[0].cluster.server", "kubeconfig/server"),
        ("/k", "clusters[0].cluster.x", "cluster"),
        ("/k", "users[0].user.auth-provider", "kubeconfig/login"),
        ("/k", "users[0].user.client-key", "kubeconfig/login"),
        ("/k", "users[0].user.x", "user"),
    ]


def test_cluster_and_user_are_missed_together():
    with pytest.raises(InvalidInput) as caught:
        minify(changed(clusters=[], users=[]))
    assert [problem.code for problem in caught.value.problems] == ["kubeconfig/cluster", "kubeconfig/user"]
