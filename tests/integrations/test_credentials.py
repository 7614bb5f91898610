from __future__ import annotations

import base64
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from certificates import client
from hypothesis import given
from hypothesis import strategies as st

from apiops_components.integrations.credentials import ended, unusable


def data(content):
    return base64.b64encode(content).decode()


def found(kind, value):
    return [(problem.path, problem.code) for problem in unusable(kind, value)]


CERT, KEY = client(days=1)
OLD, _ = client(days=-1)


def test_what_can_be_used_has_no_fault(tmp_path):
    for name, content in (("ca", trustme.CA().cert_pem.bytes()), ("cert", CERT), ("key", KEY), ("token", b"t")):
        (tmp_path / name).write_bytes(content)
    assert found("cluster", {"server": "https://a", "certificate-authority": str(tmp_path / "ca")}) == []
    assert found("user", {"client-certificate": f"{tmp_path}/cert", "client-key": f"{tmp_path}/key"}) == []
    assert found("user", {"client-certificate-data": data(CERT), "client-key-data": data(KEY)}) == []
    assert found("user", {"tokenFile": f"{tmp_path}/token"}) == []
    assert found("user", {"token": "t"}) == []
    assert found("user", {"exec": {"command": "sh"}}) == []


def test_the_content_comes_before_the_file_as_in_kubectl():
    user = {"client-certificate-data": data(CERT), "client-certificate": "/nowhere", "client-key-data": data(KEY)}
    assert found("user", user) == []
    assert found("user", {"token": "t", "tokenFile": "/nowhere"}) == []


def test_base64_may_be_broken_into_lines():
    assert found("cluster", {"certificate-authority-data": base64.encodebytes(CERT).decode()}) == []


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("cluster", {"certificate-authority": "/nowhere"}, ("certificate-authority", "kubeconfig/file")),
        ("cluster", {"certificate-authority": "beside.pem"}, ("certificate-authority", "kubeconfig/file")),
        ("cluster", {"certificate-authority": 5}, ("certificate-authority", "kubeconfig/file")),
        ("cluster", {"certificate-authority": "/dev"}, ("certificate-authority", "kubeconfig/file")),
        ("cluster", {"certificate-authority-data": "%%%"}, ("certificate-authority-data", "kubeconfig/file")),
        ("cluster", {"certificate-authority-data": 5}, ("certificate-authority-data", "kubeconfig/file")),
        ("cluster", {"certificate-authority-data": "QUJD"}, ("certificate-authority-data", "kubeconfig/pem")),
        ("user", {"client-key": "/dev/null"}, ("client-key", "kubeconfig/pem")),
        ("user", {"tokenFile": "/nowhere"}, ("tokenFile", "kubeconfig/file")),
        ("user", {"client-certificate-data": data(OLD)}, ("client-certificate-data", "kubeconfig/ended")),
        ("user", {"exec": {"command": "no-such-plugin"}}, ("exec.command", "kubeconfig/plugin")),
        ("user", {"exec": {"command": "/dev/null"}}, ("exec.command", "kubeconfig/plugin")),
    ],
)
def test_what_would_fail_at_the_first_use_is_found(kind, value, expected):
    assert found(kind, value) == [expected]


def test_all_is_found_at_once():
    user = {"client-certificate-data": data(OLD), "client-key": "/nowhere"}
    assert found("user", user) == [
        ("client-key", "kubeconfig/file"),
        ("client-certificate-data", "kubeconfig/ended"),
    ]
    assert len(found("user", {**user, "tokenFile": "/nowhere", "exec": {"command": "no-such-plugin"}})) == 3


def test_a_certificate_that_ended_does_not_matter_beside_a_token():
    assert found("user", {"client-certificate-data": data(OLD), "token": "t"}) == []


def test_a_plugin_is_named_with_how_to_install_it():
    (problem,) = unusable("user", {"exec": {"command": "aws-plugin", "installHint": "get it\n"}})
    assert problem.message == "the plugin 'aws-plugin', which logs in, is not on PATH"
    assert problem.hint == "get it"


@pytest.mark.parametrize("end", [datetime(2049, 12, 31, tzinfo=UTC), datetime(2050, 1, 1, 12, 30, 5, tzinfo=UTC)])
def test_the_end_is_read_in_both_forms_of_a_certificate(end):
    pem, _ = client(end=end)
    assert ended(pem, end) == end
    assert ended(pem, end - timedelta(seconds=1)) is None


def test_of_a_chain_the_first_is_ours():
    assert ended(OLD + CERT) is not None
    assert ended(CERT + OLD) is None


@given(st.binary(max_size=200))
def test_whatever_stands_there_is_read_without_an_error(content):
    pem = ssl.DER_cert_to_PEM_cert(content).encode()
    assert ended(pem) is None or isinstance(ended(pem), datetime)
