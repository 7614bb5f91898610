from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GATEWAY = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: edge
  namespace: shop
spec:
  gatewayClassName: ngrok
  listeners:
  - name: https
    port: 443
    protocol: HTTPS
    hostname: a.example.com
"""

ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: orders
  namespace: shop
spec:
  rules:
  - matches:
    - path: {type: PathPrefix, value: orders}
    backendRefs:
    - name: orders
    colour: red
"""

POLICY = """\
on_http_request:
- actions:
  - type: deny
    config: {status_code: 403}
"""

OTHER = "apiVersion: example.com/v1\nkind: Colour\nmetadata: {name: web, namespace: shop}\n"


def cli(*arguments, given="", **more):
    done = subprocess.run(
        [Path(sys.executable).with_name("apiopsctl"), "validate", *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        **more,
    )
    assert "Traceback" not in done.stderr
    return done


def put(folder, name, text):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_valid_documents_are_counted_and_exit_is_0(tmp_path):
    done = cli(put(tmp_path, "a.yaml", GATEWAY + "---\n" + POLICY))

    assert (done.returncode, done.stdout, done.stderr) == (0, "2 documents: 2 valid, 0 invalid, 0 skipped\n", "")


def test_an_invalid_document_names_file_line_object_and_path(tmp_path):
    file = put(tmp_path, "a.yaml", GATEWAY + "---\n" + ROUTE)
    done = cli(file)
    lines = [line for line in done.stdout.splitlines() if line.startswith("invalid")]

    assert done.returncode == 1
    assert len(lines) == 3
    assert lines[0].startswith(f"invalid  {file}:22: HTTPRoute shop/orders: spec.rules[0].matches[0].path.value: ")
    assert any(f"{file}:25: HTTPRoute shop/orders: spec.rules[0].colour: unknown field" in line for line in lines)
    assert any("spec.rules[0].backendRefs[0].port: Must have port" in line for line in lines)
    assert done.stdout.endswith("2 documents: 1 valid, 1 invalid, 0 skipped\n")


def test_json_has_the_shape_of_the_contract(tmp_path):
    file = put(tmp_path, "a.yaml", GATEWAY + "---\n" + ROUTE + "---\n" + OTHER)
    done = cli("--format", "json", file)
    found = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (1, "")
    assert list(found) == ["summary", "documents"]
    assert found["summary"] == {"documents": 3, "valid": 1, "invalid": 1, "skipped": 1}
    valid, invalid, skipped = found["documents"]
    assert valid == {
        "file": str(file),
        "index": 0,
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "namespace": "shop",
        "name": "edge",
        "status": "valid",
        "errors": [],
    }
    assert (invalid["index"], invalid["kind"], invalid["name"], invalid["status"]) == (
        1,
        "HTTPRoute",
        "orders",
        "invalid",
    )
    assert (skipped["index"], skipped["kind"], skipped["status"], skipped["errors"]) == (2, "Colour", "skipped", [])
    for error in invalid["errors"]:
        assert {"path", "code", "message", "hint"} <= error.keys()
        assert re.fullmatch(r"[a-z]+/[a-z-]+", error["code"])
    assert {error["path"] for error in invalid["errors"]} == {
        "spec.rules[0].matches[0].path.value",
        "spec.rules[0].backendRefs[0].port",
        "spec.rules[0].colour",
    }


def test_sarif_has_its_structure(tmp_path):
    file = put(tmp_path, "with space/ä.yaml", ROUTE)
    done = cli("--format", "sarif", "with space/ä.yaml", cwd=tmp_path)
    found = json.loads(done.stdout)
    (run,) = found["runs"]

    assert done.returncode == 1
    assert (found["version"], found["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    assert run["tool"]["driver"]["name"] == "apiopsctl"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    assert len(run["results"]) == 3
    for result in run["results"]:
        assert result["ruleId"] in rules
        assert result["level"] == "error"
        assert result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "with%20space/%C3%A4.yaml"
        assert 1 <= place["region"]["startLine"] <= len(file.read_text(encoding="utf-8").splitlines())


def test_sarif_of_nothing_wrong_has_no_results(tmp_path):
    done = cli("--format", "sarif", put(tmp_path, "a.yaml", GATEWAY))

    assert (done.returncode, json.loads(done.stdout)["runs"][0]["results"]) == (0, [])


def test_standard_input_is_read(tmp_path):
    done = cli("-", given=ROUTE, cwd=tmp_path)

    assert done.returncode == 1
    assert "<stdin>:9: HTTPRoute shop/orders" in done.stdout
    assert json.loads(cli("--format", "json", "-", given=GATEWAY).stdout)["documents"][0]["file"] == "<stdin>"


def test_a_pipe_is_read_like_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", f'cat > "{pipe}"'], stdin=subprocess.PIPE, text=True) as writer:
        writer.stdin.write(GATEWAY)
        writer.stdin.close()
        done = cli(pipe)

    assert (done.returncode, done.stdout) == (0, "1 documents: 1 valid, 0 invalid, 0 skipped\n")


def test_folders_are_walked_for_yaml_and_json_in_order(tmp_path):
    put(tmp_path, "b/two.yml", GATEWAY)
    put(tmp_path, "a/one.yaml", OTHER)
    put(tmp_path, "three.json", json.dumps({"on_http_request": []}))
    put(tmp_path, "notes.txt", "{")
    found = json.loads(cli("--format", "json", ".", cwd=tmp_path).stdout)

    assert [d["file"] for d in found["documents"]] == ["a/one.yaml", "b/two.yml", "three.json"]
    assert found["summary"] == {"documents": 3, "valid": 2, "invalid": 0, "skipped": 1}


def test_kinds_that_are_not_known_are_named_and_counted_never_passed(tmp_path):
    done = cli(put(tmp_path, "a.yaml", OTHER))

    assert done.returncode == 0
    assert "skipped" in done.stdout.splitlines()[0]
    assert "example.com/v1 Colour shop/web: not modelled" in done.stdout
    assert done.stdout.endswith("1 documents: 0 valid, 0 invalid, 1 skipped\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "not readable as YAML"),
        ("a: 1\na: 2\n", "'a' is there twice"),
        ("a: *nowhere\n", "nowhere"),
        ("", "there is no document to check"),
        ("# only a comment\n", "there is no document to check"),
    ],
)
def test_what_cannot_be_read_is_2(tmp_path, content, message):
    file = put(tmp_path, "a.yaml", content)
    done = cli(file)

    assert done.returncode == 2
    assert message in done.stderr
    assert str(file) in done.stderr


def test_a_missing_file_or_an_empty_folder_is_2(tmp_path):
    (tmp_path / "empty").mkdir()

    assert "no such file" in cli(tmp_path / "nowhere.yaml").stderr
    assert cli(tmp_path / "nowhere.yaml").returncode == 2
    assert "holds no file ending in" in cli(tmp_path / "empty").stderr
    assert cli(tmp_path / "empty").returncode == 2
    assert cli().returncode == 2
    assert cli("-", given="").returncode == 2


def test_the_other_files_are_checked_beside_one_that_cannot_be_read(tmp_path):
    put(tmp_path, "a.yaml", "a: [")
    put(tmp_path, "b.yaml", ROUTE)
    put(tmp_path, "c.yaml", GATEWAY + "---\nx: [\n")
    done = cli("--format", "json", ".", "missing.yaml", cwd=tmp_path)
    found = json.loads(done.stdout)

    assert done.returncode == 2
    assert found["summary"] == {"documents": 2, "valid": 1, "invalid": 1, "skipped": 0}
    assert [item["file"] for item in found["unreadable"]] == ["a.yaml", "c.yaml", "missing.yaml"]
    assert done.stderr.count("\n") == 3
    assert [(item["line"], item["column"]) for item in found["unreadable"]] == [(2, 1), (15, 1), (0, 0)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_2(tmp_path):
    file = put(tmp_path, "a.yaml", GATEWAY)
    file.chmod(0)

    assert cli(file).returncode == 2


def test_as_traffic_policy_takes_each_document_for_a_bare_policy(tmp_path):
    policy, route = put(tmp_path, "p.yaml", POLICY), put(tmp_path, "r.yaml", ROUTE)

    assert cli("--as", "traffic-policy", policy).returncode == 0
    done = cli("--as", "traffic-policy", "--format", "json", route)
    (found,) = json.loads(done.stdout)["documents"]
    assert done.returncode == 1
    assert found["kind"] == "TrafficPolicy"
    assert {"apiVersion", "kind", "metadata", "spec"} <= {error["path"] for error in found["errors"]}


@pytest.mark.parametrize("arguments", [("--format", "xml", "-"), ("--as", "ingress", "-"), ("--nope",)])
def test_wrong_usage_is_2_and_says_what_there_is(arguments):
    done = cli(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: apiopsctl validate" in done.stderr


@pytest.mark.parametrize("arguments", [("--format", "json"), ("--format=json", "--nope", "-")])
def test_wrong_usage_is_one_json_document_where_json_was_asked_for(arguments):
    done = cli(*arguments)

    assert done.returncode == 2
    assert [error["code"] for error in json.loads(done.stdout)["errors"]] == ["usage"]


def test_two_runs_print_the_same_bytes(tmp_path):
    put(tmp_path, "a.yaml", ROUTE)
    put(tmp_path, "b.yaml", GATEWAY)
    for form in ("text", "json", "sarif"):
        one, other = (cli("--format", form, tmp_path, env={**os.environ, "PYTHONHASHSEED": seed}) for seed in "12")
        assert (one.stdout, one.stderr) == (other.stdout, other.stderr)


def test_no_colour_in_a_pipe(tmp_path):
    assert "\x1b" not in cli(put(tmp_path, "a.yaml", ROUTE)).stdout
