from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from semantics_objects import backend, gateway, route, rule
from test_cli_render import ROOT
from test_cli_render import cli as run

URL = "https://shop.example.com/orders/7?x=1"


def cli(*arguments, **more):
    return run(*arguments, command="simulate", **more)


def spec(done):
    return json.loads(done.stdout)["spec"]


@pytest.fixture
def manifests(tmp_path):
    def write(*objects, name="all.yaml"):
        (tmp_path / name).write_text(yaml.safe_dump_all(objects), encoding="utf-8")
        return tmp_path / name

    write(gateway("edge", "https://shop.example.com"), name="edge.yaml")
    write(route("orders", rule("/orders", to=["orders:8080"])), name="route.yaml")
    return tmp_path


# --- one request ---------------------------------------------------------------------------------------------------


def test_an_environment_answers():
    done = cli("--env", "prod", "GET", URL, "-H", "Accept: a/b", "--format", "json", "--semantics", "spec")

    assert (done.returncode, done.stderr) == (0, "")
    assert list(json.loads(done.stdout)) == ["spec", "diverges"]
    assert spec(done) == {
        "outcome": "forwarded",
        "status": None,
        "gateway": "shop/shop",
        "listener": "https",
        "route": "shop/orders",
        "rule": 0,
        "backend": {"namespace": "shop", "name": "orders", "port": 80, "weight": 1},
        "backends": None,
        "request": {
            "method": "GET",
            "host": "shop.example.com",
            "path": "/orders/7",
            "query": "x=1",
            "headers": {"accept": "a/b"},
        },
        "actions": spec(done)["actions"],
        "response": {"status": 200, "headers": {}},
    }


def test_manifests_answer_wherever_the_paths_stand(manifests):
    expected = ("shop/orders", "edge")
    edge, orders = manifests / "edge.yaml", manifests / "route.yaml"
    more = ("--format", "json")
    for arguments in (
        ("--manifests", manifests, "GET", URL),
        ("--manifests", edge, "--manifests", orders, "GET", URL),
        ("--manifests", edge, orders, "GET", URL),
        ("GET", URL, "--manifests", edge, orders),
        ("--manifests", edge, "GET", URL, orders),
    ):
        done = cli(*arguments, *more, cwd=manifests)
        assert (done.returncode, done.stderr) == (0, "")
        assert (spec(done)["route"], spec(done)["gateway"].partition("/")[2]) == expected
    text = edge.read_text() + "---\n" + orders.read_text()
    assert spec(cli("--manifests", "-", "GET", URL, *more, input=text))["route"] == "shop/orders"


def test_a_person_is_told_in_short(manifests):
    refs = [backend("a:80", weight=3), backend("other/b:80")]
    change = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "X-A", "value": "1"}]}}
    (manifests / "more.yaml").write_text(yaml.safe_dump(route("split", rule("/s", to=refs, filters=[change]))))
    told = cli("--manifests", manifests, "GET", URL, "--semantics", "spec").stdout
    split = cli("--manifests", manifests, "GET", "https://shop.example.com/s?x", "--semantics", "spec").stdout
    lost = cli("--manifests", manifests, "GET", "https://shop.example.com/t", "--semantics", "spec")

    assert told == (
        "spec      forwarded to shop/orders:8080\n"
        "  gateway shop/edge, listener https-shop.example.com-443\n"
        "  route   shop/orders, rule 0\n"
        "  request GET shop.example.com/orders/7?x=1\n"
        "  client  200\n"
    )
    assert split == (
        "spec      forwarded\n"
        "  gateway shop/edge, listener https-shop.example.com-443\n"
        "  route   shop/split, rule 0\n"
        "  backend  75.0% shop/a:80\n"
        "  backend  25.0% other/b:80 (answers 500: the reference is invalid)\n"
        "  request GET shop.example.com/s?x\n"
        "          x-a: 1\n"
        "  client  200\n"
    )
    assert (lost.returncode, lost.stdout.splitlines()[0]) == (0, "spec      no-route with 404")


def test_what_the_operator_does_otherwise_is_told(manifests):
    url = "https://shop.example.com/orders-of-others"
    done = cli("--manifests", manifests, "GET", url, "--format", "json")
    found = json.loads(done.stdout)
    told = cli("--manifests", manifests, "GET", url).stdout

    assert list(found) == ["spec", "operator", "diverges"]
    assert (found["spec"]["outcome"], found["operator"]["outcome"], found["diverges"]) == (
        "no-route",
        "forwarded",
        True,
    )
    assert list(found["spec"]) == list(found["operator"])
    assert told.splitlines()[0] == "spec      no-route with 404"
    assert told.splitlines()[-1] == "both      they differ for client or backend"
    alone = json.loads(cli("--manifests", manifests, "GET", url, "--format", "json", "--semantics", "operator").stdout)
    assert alone == {"operator": found["operator"], "diverges": False}
    same = json.loads(cli("--manifests", manifests, "GET", URL, "--format", "json").stdout)
    assert (same["diverges"], same["spec"]["request"]) == (False, same["operator"]["request"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("GET", URL), ["one of --env and --manifests is expected"]),
        (("--env", "prod", "--manifests", ".", "GET", URL), ["one of --env and --manifests is expected"]),
        (("--env", "prod"), ["METHOD and URL, or --requests, are expected"]),
        (("--env", "prod", "GET"), ["METHOD and URL, or --requests, are expected"]),
        (("--env", "prod", "GET", URL, "extra"), ["unexpected extra argument (extra)"]),
        (("--env", "prod", "GET", "/orders"), ["url: an absolute URL is expected, got '/orders'"]),
        (("--env", "prod", "G T", "x://y", "-H", "a"), ["url: the scheme must", "method: 'G T'", "'Name: value'"]),
        (("--env", "prod", "GET", URL, "--claims", "{"), ["claims: not JSON"]),
        (("--env", "prod", "GET", URL, "--claims", "[]"), ["claims: an object is expected"]),
        (("--env", "prod", "GET", URL, "--claims", '{"a": 1, "a": 2}'), ["claims: the key 'a' is there twice"]),
        (("--env", "prod", "GET", URL, "--client-ip", "x"), ["client_ip: 'x' is not an IP address"]),
        (("--env", "prod", "GET", URL, "--gateway", "a/b"), ["there is no Gateway a/b; Gateways here: shop/shop"]),
        (("--env", "nope", "GET", URL), ["unknown environment 'nope'"]),
        (("--env", "prod", "GET", URL, "--semantics", "other"), ["--semantics"]),
        (("--env", "prod", "--requests", "x", "GET", URL), ["unexpected extra argument"]),
        (("--env", "prod", "--requests", "x", "--data", "y"), ["everything about a request stands in the file"]),
        (("--env", "prod", "--requests", "/nowhere"), ["/nowhere: cannot be read: No such file"]),
        (("--manifests", "/nowhere", "GET", URL), ["/nowhere: there is no such file or folder"]),
        (("--manifests", "-", "--requests", "-"), ["stdin holds either"]),
    ],
)
def test_wrong_usage_and_what_cannot_run_is_2(arguments, words):
    done = cli(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    for word in words:
        assert word in done.stderr


def test_manifests_that_are_wrong_are_1_and_unreadable_ones_2(manifests):
    (manifests / "wrong.yaml").write_text(yaml.safe_dump(route("wrong", rule("a"))))
    done = cli("--manifests", manifests, "GET", URL, "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["errors"][0]["path"] == "spec.rules[0].matches[0].path.value"
    assert f"{manifests}/wrong.yaml:" in done.stderr

    one = f"HTTPRoute shop/wrong ({manifests}/wrong.yaml)"
    assert done.stderr.startswith(f"nothing was simulated: mend or leave out {one}\n")

    many = [route(f"wrong-{n}", rule("a")) for n in range(7)]
    (manifests / "wrong.yaml").write_text(yaml.safe_dump_all(many))
    done = cli("--manifests", manifests, "--requests", "-", input=json.dumps({"url": URL}))
    assert (done.returncode, done.stdout) == (1, "")
    first, *rest = done.stderr.splitlines()
    assert first.endswith(f"HTTPRoute shop/wrong-4 ({manifests}/wrong.yaml) and 2 more")
    assert [f"HTTPRoute shop/wrong-{n}: " in line for n, line in enumerate(rest[::2])] == [True] * 7

    (manifests / "wrong.yaml").write_text("a: [")
    assert cli("--manifests", manifests, "GET", URL).returncode == 2


# --- many requests -------------------------------------------------------------------------------------------------


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_line_is_answered_in_order_with_its_id(manifests):
    given = [
        {"id": "r1", "method": "POST", "url": URL, "headers": {"A": "1"}, "response": {"status": 201}},
        {"url": "https://shop.example.com/none", "gateway": "shop/edge"},
        {"id": 7, "url": "http://shop.example.com/"},
    ]
    file = manifests.parent / "requests.jsonl"
    file.write_text("".join(json.dumps(item) + "\n\n" for item in given))
    done = cli("--manifests", manifests, "--requests", file)
    single = cli("--manifests", manifests, "GET", "https://shop.example.com/none", "--format", "json")

    assert (done.returncode, done.stderr) == (0, "")
    assert [(line["id"], line["spec"]["outcome"]) for line in lines(done)] == [
        ("r1", "forwarded"),
        (3, "no-route"),
        (7, "closed"),
    ]
    assert lines(done)[0]["spec"]["response"] == {"status": 201, "headers": {}}
    assert lines(done)[1] == {"id": 3, **json.loads(single.stdout)}
    assert all(next(iter(line)) == "id" and list(line)[-1] == "diverges" for line in lines(done))
    text = file.read_text().rstrip("\n")
    assert cli("--manifests", manifests, "--requests", "-", "--format", "json", input=text).stdout == done.stdout


def test_a_line_that_cannot_be_answered_says_why_and_the_others_are(manifests):
    given = [
        "{",
        "[]",
        json.dumps({"id": "a", "url": "x", "method": ""}),
        json.dumps({"url": URL}),
        json.dumps({"url": URL, "gateway": "shop/other"}),
        json.dumps({"id": [], "url": URL}),
        "[" * 100_000,
        json.dumps({"id": "\ud800", "url": URL}),
        f'{{"id": "b", "url": "https://other.example.com/", "url": "{URL}"}}',
        f'{{"url": "{URL}", "headers": {{"a": "1", "a": "2"}}}}',
    ]
    done = cli("--manifests", manifests, "--requests", "-", input="\ufeff" + "\r\n".join(given))
    found = lines(done)

    assert done.returncode == 2
    assert done.stderr == "8 of 10 requests could not be answered\n"
    assert [line["id"] for line in found] == [1, 2, "a", 4, 5, 6, 7, "\ud800", 9, 10]
    assert [list(line)[1] for line in found] == ["error"] * 3 + ["spec"] + ["error"] * 3 + ["spec"] + ["error"] * 2
    told = [line["error"] for line in found if "error" in line]
    assert told[0].startswith("not JSON: ")
    assert told[1] == "a request is a JSON object, got []"
    assert "url: an absolute URL is expected, got 'x'" in told[2]
    assert "method: '' is not a method" in told[2]
    assert told[3] == "gateway: there is no Gateway shop/other; Gateways here: shop/edge"
    assert told[5] == "not readable as JSON: nested too deep"
    assert told[6] == "the key 'url' is there twice (remove one of them)"
    assert told[7] == "the key 'a' is there twice (remove one of them)"


def test_what_is_no_utf_8_is_told(manifests):
    command = [Path(sys.executable).with_name("apiopsctl"), "simulate", "--manifests", manifests, "--requests", "-"]
    done = subprocess.run(command, input=b'{"url": "\xff"}\n', capture_output=True, check=False)

    assert done.returncode == 2
    assert "not UTF-8" in json.loads(done.stdout)["error"]


def test_an_answer_does_not_wait_for_the_next_request(manifests):
    command = [Path(sys.executable).with_name("apiopsctl"), "simulate", "--manifests", manifests, "--requests", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for number in range(3):
            process.stdin.write(json.dumps({"id": number, "url": URL}) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait() == 0


def test_a_reader_that_went_away_is_no_finding(manifests):
    requests = manifests.parent / "requests.jsonl"
    requests.write_text((json.dumps({"url": URL}) + "\n") * 1000)
    reading, writing = os.pipe()
    os.close(reading)
    command = [
        Path(sys.executable).with_name("apiopsctl"),
        "simulate",
        "--manifests",
        manifests,
        "--requests",
        requests,
    ]
    done = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)

    assert (done.returncode, done.stderr) == (141, "")
