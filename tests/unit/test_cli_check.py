from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SETTINGS = """\
config:
  apiops:environment:
    owner: platform@example.com
    cluster:
      kind: existing
      context: here
    teams:
      shop:
        owner: shop@example.com
        delivery: direct
      other:
        owner: other@example.com
        delivery: direct
"""

DESCRIBE = """\
from apiops_components import (
    AllowedHosts, AuthenticationRequired, Description, HighestRateLimit, OwnerRequired, Waiver
)

REASON = "Everyone may read the front page."
GUARDRAILS = (
    OwnerRequired(),
    AuthenticationRequired(waivers=(Waiver(team="shop", api="front", reason=REASON),)),
    HighestRateLimit(per_minute=60, environments=("prod",)),
    AllowedHosts(hosts=("*.example.com",), teams=("other",)),
)

def describe(environment):
    return Description(environment=environment, guardrails=GUARDRAILS)
"""

TEAM = """\
from apiops_components import (
    ApiGatewaySpec, ApiSpec, Backend, Description, JwtValidation, Route, Rule, TrafficPolicy
)

JWT = JwtValidation.bearer(issuer="https://i.example.com", jwks="https://i.example.com/keys")

def describe(environment):
    front = ApiSpec(name="front", routes=(Route.prefix("/", Backend.to("front", 80)),))
    orders = ApiSpec(
        name="orders",
        routes=(Route.prefix("/orders", Backend.to("orders", 80)),),
        policy=TrafficPolicy(on_http_request=(Rule(actions=(JWT,)),)),
    )
    host = ApiGatewaySpec(
        name="shop", namespace="shop", host="shop.test", team="shop", owner="shop@example.com", apis=(front, orders)
    )
    return Description(environment=environment, team="shop", gateways=(host,))
"""


@pytest.fixture
def project(tmp_path):
    for name, text in {
        "Pulumi.yaml": "name: p\n",
        "describe.py": DESCRIBE,
        "Pulumi.dev.yaml": SETTINGS,
        "Pulumi.prod.yaml": SETTINGS,
        "teams/shop/Pulumi.yaml": "name: p-shop\nstackConfigDir: ../..\n",
        "teams/shop/describe.py": TEAM,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def check(project, *arguments):
    done = subprocess.run(
        [Path(sys.executable).with_name("apiopsctl"), "check", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert "Traceback" not in done.stderr
    return done


def change(file, old, new):
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("env", ["dev", "sandbox", "staging", "prod"])
def test_the_guardrails_of_the_example_hold(env):
    done = check(ROOT, "--env", env)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"{env}: 7 guardrails over 2 APIs: all hold, 2 waived"


def test_what_is_waived_is_shown_with_its_reason_and_breaks_nothing(project):
    done = check(project, "--env", "dev")

    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "waived  authentication-required  Api shop/front (owner: shop@example.com)",
        "        apis[0].policy: requests reach the backend without authentication",
        "        gets through: GET https://shop.test/",
        "        reason: Everyone may read the front page.",
        "dev: 4 guardrails over 2 APIs: all hold, 1 waived",
    ]


def test_a_broken_guardrail_is_1_and_tells_owner_place_request_and_fix(project):
    change(project / "teams/shop/describe.py", "on_http_request=(Rule(actions=(JWT,)),)", "")
    done = check(project, "--env", "dev", "--team", "shop")

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[4:] == [
        "broken  authentication-required  Api shop/orders (owner: shop@example.com)",
        "        apis[1].policy: requests reach the backend without authentication",
        "        gets through: GET https://shop.test/orders",
        "        fix: add JwtValidation.bearer(issuer=…, jwks=…) to on_http_request",
        "dev: 4 guardrails over 2 APIs: 1 broken, 1 waived",
    ]


def test_json_is_one_document_of_findings(project):
    done = check(project, "--env", "prod", "--format", "json")
    found = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (1, "")
    assert found["environment"] == "prod"
    assert found["summary"] == {"guardrails": 4, "apis": 2, "broken": 2, "waived": 1, "raw_actions": 0}
    assert [(f["guardrail"], f["subject"], bool(f["waived"])) for f in found["findings"]] == [
        ("authentication-required", "Api shop/front", True),
        ("highest-rate-limit", "Api shop/front", False),
        ("highest-rate-limit", "Api shop/orders", False),
    ]
    assert set(found["findings"][0]) == {
        *("guardrail", "subject", "owner", "team", "message", "hint", "path", "request", "waived")
    }


def test_a_team_is_checked_by_the_platforms_guardrails_in_its_own_folder(project):
    assert check(project / "teams" / "shop", "--env", "prod").returncode == 1
    assert check(project / "teams" / "shop", "--env", "dev").returncode == 0


def test_a_team_cannot_step_out_of_its_guardrails(project):
    """Neither by another environment, nor by another team, nor by none."""
    team = project / "teams/shop/describe.py"
    for old, new in (
        (
            "Description(environment=environment,",
            "Description(environment=environment.model_copy(update={'name': 'x'}),",
        ),
        ('Description(environment=environment, team="shop",', "Description(environment=environment,"),
        ('host="shop.test", team="shop"', 'host="shop.test"'),
    ):
        team.write_text(TEAM, encoding="utf-8")
        change(team, old, new)
        done = check(project, "--env", "prod", "--format", "json")
        assert done.returncode == 1
        assert "errors" in json.loads(done.stdout)


def test_what_cannot_be_rendered_safely_is_1(project):
    change(project / "teams/shop/describe.py", '"/orders"', '"/it\'s"')
    done = check(project, "--env", "dev")

    assert (done.returncode, done.stdout) == (1, "")
    assert "teams/shop/describe.py: ApiGateway shop: apis[1].routes[0].matches[0].path.value" in done.stderr


@pytest.mark.parametrize(
    ("file", "content", "code"),
    [
        ("describe.py", "import sys\nsys.exit(0)\n", 2),
        ("describe.py", "raise RuntimeError\n", 2),
        ("describe.py", "def describe(environment):\n    pass\n", 1),
        ("describe.py", "def describe(environment):\n    import os\n    raise OSError(2, 'No such file', 'x')\n", 2),
        ("Pulumi.dev.yaml", "config: [", 2),
        ("Pulumi.dev.yaml", "config: {}\n", 1),
        ("Pulumi.yaml", "main: .\n", 2),
        ("teams/shop/Pulumi.yaml", "[", 2),
    ],
)
def test_a_check_that_could_not_run_is_never_0(project, file, content, code):
    (project / file).write_text(content, encoding="utf-8")
    for form in ("text", "json"):
        done = check(project, "--env", "dev", "--format", form)
        assert done.returncode == code
        assert done.stderr.strip()
        assert form == "text" or "errors" in json.loads(done.stdout)


def test_wrong_usage_is_2(project):
    for arguments in ((), ("--env", "nope"), ("--env", "dev", "--team", "nope"), ("--env", "dev", "--format", "sarif")):
        assert check(project, *arguments).returncode == 2


def test_two_runs_print_the_same(project):
    assert check(project, "--env", "prod").stdout == check(project, "--env", "prod").stdout


def test_a_guardrail_for_a_team_that_is_not_there_is_warned_of(project):
    file = project / "describe.py"
    file.write_text(file.read_text().replace('"other"', '"nobody"'))

    done = check(project, "--env", "prod")

    assert "AllowedHosts: guardrails[3].teams[0]: no team is called 'nobody', so this never applies" in done.stderr
    assert "'shop'" not in done.stderr


def test_actions_that_nothing_checks_are_counted(project):
    file = project / "teams/shop/describe.py"
    change(file, "actions=(JWT,)", "actions=(JWT, RawAction(type='new', config={'a': 1}))")
    change(file, "import (", "import (RawAction,")
    done = check(project, "--env", "dev")

    assert done.returncode == 0
    assert done.stdout.splitlines()[-2] == "1 raw action of traffic policies, not checked"
    summary = json.loads(check(project, "--env", "dev", "--format", "json").stdout)["summary"]
    assert summary["raw_actions"] == 1
