from __future__ import annotations

import base64
import stat
import subprocess
import sys

import pytest
import yaml
from certificates import client

from apiops_components.errors import NotRunnable
from apiops_components.integrations.kubeconfig import read_kubeconfig

SECRET = "sentinel-that-nobody-may-read"  # noqa: S105


def config(file, *, user=None, cluster=None, name="one", **more):
    value = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example.com:6443/", **(cluster or {})}}],
        "users": [{"name": name, "user": user or {"token": SECRET}}],
        **more,
    }
    file.write_text(yaml.safe_dump(value), encoding="utf-8")
    return file


def refused(file, **more):
    with pytest.raises(NotRunnable) as raised:
        read_kubeconfig(file, **more)
    (problem,) = raised.value.problems
    assert SECRET not in str(problem)
    return str(problem)


def plugin(tmp_path, program):
    file = tmp_path / "plugin"
    file.write_text(f"#!{sys.executable}\n{program}", encoding="utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(file), "args": ["get"]}}


def test_a_token_and_a_server(tmp_path):
    found = read_kubeconfig(config(tmp_path / "k"))
    assert (found.context, found.server, found.token, found.verify) == (
        "one",
        "https://one.example.com:6443",
        SECRET,
        True,
    )
    assert SECRET not in repr(found)


def test_certificates_stand_in_the_file_or_beside_it(tmp_path):
    (tmp_path / "ca.pem").write_text("authority", encoding="utf-8")
    (tmp_path / "token").write_text(f"{SECRET}\n", encoding="utf-8")
    data = {name: base64.b64encode(name.encode()).decode() for name in ("cert", "key")}
    user = {
        "client-certificate-data": data["cert"],
        "client-key-data": data["key"],
        "tokenFile": str(tmp_path / "token"),
    }
    cluster = {"certificate-authority": "ca.pem", "tls-server-name": "other", "insecure-skip-tls-verify": True}
    found = read_kubeconfig(config(tmp_path / "k", user=user, cluster=cluster))
    assert (found.authority, found.certificate, found.key, found.token) == ("authority", b"cert", b"key", SECRET)
    assert (found.server_name, found.verify) == ("other", False)


def test_a_token_and_a_plugin_beside_the_file_are_found_from_there(tmp_path):
    (tmp_path / "token").write_text(SECRET, encoding="utf-8")
    assert read_kubeconfig(config(tmp_path / "k", user={"tokenFile": "token"})).token == SECRET
    user = plugin(tmp_path, f'print(\'{{"status": {{"token": "{SECRET}"}}}}\')\n')
    user["exec"]["command"] = "./plugin"
    assert read_kubeconfig(config(tmp_path / "k", user=user)).token == SECRET


def test_a_certificate_that_has_ended_is_named(tmp_path):
    cert, key = client(days=-1)
    data = {"client-certificate-data": cert, "client-key-data": key}
    user = {name: base64.b64encode(pem).decode() for name, pem in data.items()}
    assert "the client's certificate ended on" in refused(config(tmp_path / "k", user=user))
    assert read_kubeconfig(config(tmp_path / "k", user={**user, "token": SECRET})).token == SECRET


def test_several_files_are_one_and_the_first_wins(tmp_path):
    files = [config(tmp_path / name, name=name) for name in ("one", "two")]
    environ = {"KUBECONFIG": ":".join([str(tmp_path / "gone"), *map(str, files)])}
    assert read_kubeconfig(environ=environ).context == "one"
    assert read_kubeconfig(context="two", environ=environ).server == "https://two.example.com:6443"


def test_a_plugin_is_asked_without_a_terminal(tmp_path):
    program = (
        "import json, os, sys\n"
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "assert info['kind'] == 'ExecCredential' and sys.argv[1:] == ['get'] and sys.stdin.read() == ''\n"
        f"print(json.dumps({{'status': {{'token': {SECRET!r}}}}}))\n"
    )
    assert read_kubeconfig(config(tmp_path / "k", user=plugin(tmp_path, program))).token == SECRET


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; print('log in first', file=sys.stderr); sys.exit(1)", "failed: log in first"),
        (f"print({SECRET!r})", "printed no ExecCredential"),
        ("print('{}')", "printed no ExecCredential"),
        ("print('[]')", "printed no ExecCredential"),
    ],
)
def test_a_plugin_that_fails_says_so_and_shows_no_credential(tmp_path, program, said):
    assert said in refused(config(tmp_path / "k", user=plugin(tmp_path, program)))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"user": {"exec": {"command": "no-such-plugin", "installHint": "install it"}}}, "hint: install it"),
        ({"user": {"auth-provider": {"name": "gcp"}}}, "taken out of Kubernetes"),
        ({"user": {"username": "ada", "password": SECRET}}, "taken out of Kubernetes"),
        ({"user": {"client-certificate-data": "%%%"}}, "is not base64"),
        ({"user": {"tokenFile": "/nowhere"}}, "credentials cannot be read"),
        ({"cluster": {"server": "http://example.com"}}, "is no https:// address"),
        ({"cluster": {"server": "http://localhost.example.com"}}, "is no https:// address"),
        ({"cluster": {"proxy-url": "http://proxy"}}, "proxy-url is not supported"),
        ({"cluster": {"certificate-authority": "gone.pem"}}, "certificate-authority cannot be read"),
        ({"current-context": ""}, "names no current context"),
        ({"current-context": "two"}, "there is no context 'two' in it; there are: one"),
        ({"clusters": []}, "there is no cluster 'one' in it; there are: none"),
        ({"contexts": [1, {"name": "one"}]}, "there is no context 'one'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, more, said):
    assert said in refused(config(tmp_path / "k", **more))


@pytest.mark.parametrize(
    ("text", "said"), [("[1]", "is no kubeconfig"), ("a: [", "not readable as YAML"), ("", "names no current context")]
)
def test_a_file_that_is_none_is_refused(tmp_path, text, said):
    file = tmp_path / "k"
    file.write_text(text, encoding="utf-8")
    assert said in refused(file)
    assert "No such file" in refused(tmp_path / "gone")


def test_the_real_kubectl_reads_the_same(tmp_path):
    """What is merged from several files, by the program itself."""
    files = [config(tmp_path / name, name=name) for name in ("one", "two")]
    environ = {"KUBECONFIG": ":".join(map(str, files)), "PATH": "/usr/bin:/bin:/usr/local/bin"}
    command = ["kubectl", "config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"]
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("kubectl is not on PATH")
    assert done.stdout.rstrip("/") == read_kubeconfig(environ=environ).server
