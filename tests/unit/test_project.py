from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from apiops_components.documents import load_all
from apiops_components.errors import InvalidInput, NotRunnable
from apiops_components.importing import program_path
from apiops_components.project import ENVIRONMENT_KEY, Project, parse_environment

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
        host: shop.example.com
"""

DESCRIBE = """\
from apiops_components import Description

def describe(environment):
    return Description(environment=environment)
"""

TEAM = """\
from apiops_components import ApiGatewaySpec, ApiSpec, Backend, Description, Route

def describe(environment):
    api = ApiSpec(name="web", routes=(Route.prefix("/", Backend.to("web", 80)),))
    host = ApiGatewaySpec(name="shop", namespace="shop", host="shop.example.com", team="shop", apis=(api,))
    return Description(environment=environment, team="shop", gateways=(host,))
"""


def write(folder, files):
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")


@pytest.fixture
def platform(tmp_path):
    """A project with one team, and another that the settings do not name."""
    write(
        tmp_path,
        {
            "Pulumi.yaml": "name: platform\nmain: stacks\nstackConfigDir: stacks/config\n",
            "stacks/describe.py": DESCRIBE,
            "stacks/config/Pulumi.dev.yaml": SETTINGS,
            "stacks/teams/shop/Pulumi.yaml": "name: platform-shop\nstackConfigDir: ../../config\n",
            "stacks/teams/shop/describe.py": TEAM,
            "stacks/teams/idle/Pulumi.yaml": "name: platform-idle\nstackConfigDir: ../../config\n",
            "stacks/teams/idle/describe.py": "raise RuntimeError('not asked for')\n",
        },
    )
    return tmp_path


def problem(error, call):
    with pytest.raises(error) as raised:
        call()
    (found,) = raised.value.problems
    return found


# --- finding ---------------------------------------------------------------------------------------------------------


def test_a_project_is_the_nearest_folder_upwards(platform):
    found = Project.find(platform / "stacks" / "config")

    assert (found.root, found.name) == (platform, "platform")
    assert (found.main, found.config_dir) == (platform / "stacks", platform / "stacks" / "config")
    assert found.environments == ("dev",)
    assert Project.find(platform / "stacks" / "teams" / "shop").name == "platform-shop"


def test_main_and_the_settings_stand_beside_the_file_by_default(tmp_path):
    write(tmp_path, {"Pulumi.yaml": "name: one\nmain:\nstackConfigDir:\n"})
    found = Project.load(tmp_path)

    assert (found.main, found.config_dir, found.teams) == (tmp_path, tmp_path, {})


def test_a_team_knows_its_platform_and_a_platform_is_its_own(platform):
    found = Project.load(platform)

    assert list(found.teams) == ["idle", "shop"]
    assert found.platform is found
    assert found.teams["shop"].platform == found


@pytest.mark.parametrize(
    ("content", "code"),
    [("runtime: python\n", "project/name"), ("- a\n", "project/name"), ("name: 3\n", "project/name")],
)
def test_a_project_without_a_name_is_not_runnable(tmp_path, content, code):
    write(tmp_path, {"Pulumi.yaml": content})
    found = problem(NotRunnable, lambda: Project.load(tmp_path))

    assert found.code == code
    assert found.file.endswith("Pulumi.yaml")


def test_without_a_project_it_is_said_how_to_name_one(tmp_path):
    found = problem(NotRunnable, lambda: Project.find(tmp_path))

    assert found.code == "project/missing"
    assert "--project" in found.hint


@pytest.mark.parametrize("content", ["name: [", "name: a\n---\nname: b\n", ""])
def test_a_project_file_that_cannot_be_read_is_not_runnable(tmp_path, content):
    write(tmp_path, {"Pulumi.yaml": content})
    with pytest.raises(NotRunnable, match=r"Pulumi\.yaml"):
        Project.load(tmp_path)


# --- settings --------------------------------------------------------------------------------------------------------


def settings(platform, text, env="dev"):
    write(platform, {f"stacks/config/Pulumi.{env}.yaml": text})
    return Project.load(platform).settings(env)


def test_an_environment_that_is_not_there_is_not_runnable_and_names_those_that_are(platform):
    found = problem(NotRunnable, lambda: Project.load(platform).settings("prod"))

    assert found.code == "project/environment"
    assert "environments here: dev" in found.message


@pytest.mark.parametrize("env", ["", ".", "../dev", "dev.yaml"])
def test_a_strange_name_of_an_environment_is_unknown(platform, env):
    assert problem(NotRunnable, lambda: Project.load(platform).settings(env)).code == "project/environment"


def test_a_missing_setting_has_file_line_and_path(platform):
    found = problem(InvalidInput, lambda: settings(platform, SETTINGS.replace("        owner: shop@example.com\n", "")))

    assert (found.path, found.code) == (f'config["{ENVIRONMENT_KEY}"].teams.shop.owner', "schema/required")
    assert found.file.endswith("stacks/config/Pulumi.dev.yaml")
    assert found.line == 8


def test_every_problem_of_the_settings_is_told_at_once(platform):
    text = SETTINGS.replace("context: here", "context: 3\n      colour: red").replace("direct", "carrier-pigeon")
    with pytest.raises(InvalidInput) as raised:
        settings(platform, text)

    found = {(p.path.partition("].")[2], p.line) for p in raised.value.problems}
    assert {("cluster.context", 6), ("cluster.colour", 7), ("teams.shop.delivery", 11)} <= found


@pytest.mark.parametrize("text", ["config:\n", "config: {}\n", "a: b\n", "config: {apiops:other: 1}\n"])
def test_settings_without_their_key_are_invalid(platform, text):
    assert problem(InvalidInput, lambda: settings(platform, text)).code == "settings/missing"


@pytest.mark.parametrize("value", ["3", "text", "[]", "null"])
def test_settings_that_are_no_mapping_are_invalid(platform, value):
    assert problem(InvalidInput, lambda: settings(platform, f"config: {{apiops:environment: {value}}}")).code == (
        "settings/type"
    )


def test_the_name_of_another_environment_is_refused(platform):
    found = problem(
        InvalidInput, lambda: settings(platform, SETTINGS.replace("    owner: p", "    name: prod\n    owner: p"))
    )

    assert found.code == "settings/name"
    assert "'prod'" in found.message
    assert "'dev'" in found.message
    assert found.line == 3


def test_an_encrypted_value_inside_the_settings_is_refused_wherever_it_stands(platform):
    secret = "secure: AAABAGsentinel"  # noqa: S105
    text = SETTINGS.replace("      context: here", f"      context:\n        {secret}")
    with pytest.raises(InvalidInput) as raised:
        settings(platform, text)
    found = [p for p in raised.value.problems if p.code == "settings/secure"]

    assert [(p.path.partition("].")[2], p.line) for p in found] == [("cluster.context", 6)]
    assert "apiops:<name>" in found[0].hint
    assert problem_codes(lambda: settings(platform, f"config:\n  apiops:environment:\n    {secret}\n")) >= {
        "settings/secure"
    }


def problem_codes(call):
    with pytest.raises(InvalidInput) as raised:
        call()
    assert "sentinel" not in str(raised.value)
    return {p.code for p in raised.value.problems}


def test_plain_and_encrypted_keys_are_told_apart(platform):
    more = "  apiops:key:\n    secure: AAABAG\n  gcp:project: p\n  other:\n    secure: v\n    more: 1\n"
    text = f"{SETTINGS}    secrets: [key]\n{more}"
    found = settings(platform, text)

    assert found.secrets == {"apiops:key"}
    assert set(found.config) == {ENVIRONMENT_KEY, "gcp:project", "other"}
    assert found.environment.secrets == ("key",)


def test_settings_read_by_pulumi_are_parsed_by_the_same_function():
    with pytest.raises(InvalidInput) as raised:
        parse_environment({"owner": "o"}, "dev")
    assert [(p.path, p.file, p.line) for p in raised.value.problems] == [
        ('config["apiops:environment"].cluster', "", 0)
    ]


# --- describing ------------------------------------------------------------------------------------------------------


def test_a_platform_covers_itself_and_the_teams_that_the_settings_name(platform):
    found = Project.load(platform)

    assert [d.team for d in found.descriptions("dev")] == [None, "shop"]
    assert [d.team for d in found.descriptions("dev", "shop")] == ["shop"]
    assert [d.team for d in found.teams["shop"].descriptions("dev")] == ["shop"]


def test_an_unknown_team_is_not_runnable_and_names_those_that_are(platform):
    found = problem(NotRunnable, lambda: Project.load(platform).descriptions("dev", "shoop"))

    assert (found.code, "idle, shop" in found.message) == ("project/team", True)


def describe(platform, text, where="stacks/describe.py"):
    write(platform, {where: text})
    found = Project.load(platform)
    return (found if where == "stacks/describe.py" else found.teams["shop"]).describe("dev")


def test_without_a_description_it_is_said_what_is_expected(platform):
    (platform / "stacks" / "describe.py").unlink()
    found = problem(NotRunnable, lambda: Project.load(platform).describe("dev"))

    assert found.code == "project/describe"
    assert "def describe(environment) -> Description" in found.hint


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x = 1\n\ndef describe(environment):\n    raise RuntimeError('boom')\n", 4, "RuntimeError: boom"),
        ("x = 1\n1 / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("def describe(environment):\n    return environment.nowhere\n", 2, "AttributeError"),
        ("def describe(environment:\n", 1, "SyntaxError"),
        ("import nowhere_to_be_found\n", 1, "ModuleNotFoundError"),
        ("def describe():\n    pass\n", 0, "TypeError"),
        ("def describe(environment):\n    import json\n    json.loads('{')\n", 3, "JSONDecodeError"),
        ("import sys\nsys.exit(0)\n", 2, "SystemExit"),
        ("def describe(environment):\n    raise SystemExit\n", 2, "SystemExit"),
        ("def describe(environment):\n    return describe(environment)\n", 2, "RecursionError"),
    ],
)
def test_a_description_that_fails_is_shown_at_its_line(platform, text, line, message):
    found = problem(NotRunnable, lambda: describe(platform, text))

    assert found.file.endswith("stacks/describe.py")
    assert (found.line, message in found.message) == (line, True), found


def test_a_constructor_called_without_what_it_needs_breaks_a_model(platform):
    text = "from apiops_components import Backend\ndef describe(environment):\n    Backend.to('frontend')\n"
    found = problem(InvalidInput, lambda: describe(platform, text))

    assert (found.line, "missing 1 required positional argument: 'port'" in found.message) == (3, True)


def test_a_team_misspelt_in_the_settings_is_told(platform):
    file = next((platform / "stacks/config").glob("Pulumi.*.yaml"))
    text = "teams: {shopp: {owner: a@example.com, delivery: direct}}"
    file.write_text(
        "config:\n  apiops:environment:\n    owner: a@example.com\n"
        f"    cluster: {{kind: existing, context: c}}\n    {text}\n"
    )
    env = file.name.split(".")[1]
    warnings = [warning.message for warning in Project.load(platform).warnings(env)]

    assert any("team 'shop' is left out: the settings name shopp" in warning for warning in warnings)


@pytest.mark.parametrize("text", ["describe = 3\n", "def other(environment):\n    pass\n", ""])
def test_a_module_without_the_function_is_not_runnable(platform, text):
    assert "has no function describe" in problem(NotRunnable, lambda: describe(platform, text)).message


@pytest.mark.parametrize("value", ["None", "{}", "[environment]"])
def test_a_description_of_another_kind_is_invalid(platform, value):
    found = problem(InvalidInput, lambda: describe(platform, f"def describe(environment):\n    return {value}\n"))

    assert "must return a Description, it returned" in found.message


def test_what_breaks_a_model_is_shown_at_the_line_that_wrote_it(platform):
    text = """\
    from apiops_components import Route, Backend

    def routes():
        return Route.prefix("orders", Backend.to("web", 80))

    def describe(environment):
        return routes()
    """
    found = problem(InvalidInput, lambda: describe(platform, text))

    assert found.file.endswith("stacks/describe.py")
    assert found.line == 4
    assert found.path == "value"
    assert "must be an absolute path" in found.message


def test_a_problem_in_a_module_beside_the_description_is_shown_there(platform):
    write(platform, {"stacks/hosts.py": "def host():\n    return 1 / 0\n"})
    found = problem(
        NotRunnable, lambda: describe(platform, "import hosts\n\ndef describe(environment):\n    hosts.host()\n")
    )

    assert (Path(found.file).name, found.line) == ("hosts.py", 2)


def test_a_missing_variable_of_a_team_is_shown_at_the_line_that_asks_for_it(platform):
    text = "def describe(environment):\n    return environment.variable('shop', 'issuer')\n"
    found = problem(InvalidInput, lambda: describe(platform, text))

    assert (found.code, found.path, found.line) == ("environment/missing", "teams.shop.variables.issuer", 2)
    assert "Pulumi.dev.yaml" in found.hint


def test_other_settings_than_those_given_are_refused(platform):
    text = DESCRIBE.replace("environment=environment", "environment=environment.model_copy(update={'name': 'other'})")

    assert problem(InvalidInput, lambda: describe(platform, text)).code == "description/environment"


@pytest.mark.parametrize("team", [", team='shop'", ", team='other'", ""])
def test_a_team_cannot_speak_for_another_or_for_the_platform(platform, team):
    text = TEAM.replace(', team="shop"', team)
    call = lambda: describe(platform, text.replace("gateways=(host,)", ""), "stacks/teams/shop/describe.py")  # noqa: E731

    if team == ", team='shop'":
        assert call().team == "shop"
    else:
        assert problem(InvalidInput, call).code in ("description/team", "environment/team")


def test_a_team_cannot_state_guardrails(platform):
    text = TEAM.replace("Description, Route", "Description, OwnerRequired, Route").replace(
        "gateways=(host,)", "gateways=(host,), guardrails=(OwnerRequired(),)"
    )
    assert (
        problem(InvalidInput, lambda: describe(platform, text, "stacks/teams/shop/describe.py")).code
        == "guardrail/team"
    )


def test_guardrails_are_the_platforms_whoever_asks(platform):
    text = DESCRIBE.replace("import Description", "import Description, OwnerRequired").replace(
        "environment=environment", "environment=environment, guardrails=(OwnerRequired(),)"
    )
    write(platform, {"stacks/describe.py": text})
    found = Project.load(platform)

    assert [rail.kind for rail in found.guardrails("dev")] == ["owner-required"]
    assert found.teams["shop"].guardrails("dev") == found.guardrails("dev")


def test_what_a_description_prints_is_not_on_standard_output(platform, capsys):
    describe(platform, "print('loaded')\n" + DESCRIBE.replace("    return", "    print('called')\n    return"))

    assert capsys.readouterr() == ("", "loaded\ncalled\n")


# --- modules beside descriptions -------------------------------------------------------------------------------------


SIBLING = """\
from words import WORD

def describe(environment):
    raise RuntimeError(WORD)
"""


def word(project):
    return problem(NotRunnable, lambda: project.describe("dev")).message.rpartition(": ")[2]


def test_modules_with_the_same_name_in_two_projects_are_kept_apart(platform):
    write(
        platform,
        {
            "stacks/describe.py": SIBLING,
            "stacks/words.py": "WORD = 'platform'\n",
            "stacks/teams/shop/describe.py": SIBLING,
            "stacks/teams/shop/words.py": "WORD = 'shop'\n",
        },
    )
    found = Project.load(platform)
    before = set(sys.modules)

    assert [word(found), word(found.teams["shop"]), word(found)] == ["platform", "shop", "platform"]
    assert "words" not in sys.modules
    assert not {name for name in set(sys.modules) - before if "describe" in name or "words" in name}


def test_packages_without_init_are_kept_apart_too(platform):
    text = SIBLING.replace("from words", "from lib.words")
    write(
        platform,
        {
            "stacks/describe.py": text,
            "stacks/lib/words.py": "WORD = 'platform'\n",
            "stacks/teams/shop/describe.py": text,
            "stacks/teams/shop/lib/words.py": "WORD = 'shop'\n",
        },
    )
    found = Project.load(platform)

    assert [word(found.teams["shop"]), word(found)] == ["shop", "platform"]


def test_a_teams_program_does_not_lend_its_modules_to_the_platform(platform):
    """`__main__.py` of a team imports its own modules first; then it asks for the platform's guardrails."""
    write(
        platform,
        {
            "stacks/describe.py": SIBLING,
            "stacks/words.py": "WORD = 'platform'\n",
            "stacks/teams/shop/words.py": "WORD = 'shop'\n",
        },
    )
    shop = Project.load(platform).teams["shop"]
    with program_path(shop.root):
        import words  # noqa: PLC0415

        assert words.WORD == "shop"
        assert word(shop.platform) == "platform"
        assert sys.modules["words"] is words
    assert "words" not in sys.modules


def test_installed_modules_stay_where_they_are(platform):
    write(platform, {"stacks/json.py": "raise RuntimeError('not this one')\n", "stacks/describe.py": DESCRIBE})
    before = (sys.modules["json"], sys.modules["pydantic"], list(sys.path))

    Project.load(platform).describe("dev")
    assert (sys.modules["json"], sys.modules["pydantic"], list(sys.path)) == before


def test_a_description_may_refer_to_itself_by_its_module(platform):
    """Dataclasses and pickles look a class up in ``sys.modules``."""
    text = "import dataclasses\n\n@dataclasses.dataclass\nclass Host:\n    name: 'str'\n\n" + DESCRIBE
    assert describe(platform, text).team is None


# --- what it loads ---------------------------------------------------------------------------------------------------


def test_rendering_the_example_loads_neither_pulumi_nor_the_components():
    code = (
        "import sys, json; from pathlib import Path; from apiops_components import Project, render_all; "
        "render_all(Project.find(Path.cwd()).descriptions('prod')); "
        "print(json.dumps([n for n in sys.modules if n.split('.')[0].startswith('pulumi') or '.components.' in n]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


# --- both readers of settings ----------------------------------------------------------------------------------------

READ = """
import json, sys
import pulumi
from pulumi.runtime import Settings, configure, set_all_config

config, env = json.load(sys.stdin), sys.argv[1]
configure(Settings(project="apiops", stack=env, dry_run=True))
set_all_config({key: value for key, value in config["plain"].items()}, config["secret"])
from apiops_components import load_environment, readable_errors
with readable_errors():
    print(load_environment().model_dump_json())
"""


def by_pulumi(env, plain, secret=()):
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in plain.items()}
    return subprocess.run(
        [sys.executable, "-c", READ, env],
        input=json.dumps({"plain": texts, "secret": list(secret)}),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


@pytest.mark.parametrize("env", Project.load(ROOT).environments)
def test_both_readers_agree_on_every_file_of_the_example(env):
    found = Project.load(ROOT).settings(env)
    done = by_pulumi(env, found.config)

    assert done.stderr == ""
    assert type(found.environment).model_validate_json(done.stdout) == found.environment


def test_both_readers_refuse_an_encrypted_value_inside_the_settings():
    """Pulumi decrypts it and hands on a plain value: only the key as a whole is known to be a secret."""
    (document,) = load_all(SETTINGS.encode(), "x")
    plain = document.value["config"]
    done = by_pulumi("dev", plain, secret=["apiops:environment"])

    assert done.returncode != 0
    assert "an encrypted value inside the settings" in done.stderr
    assert "[settings/secure]" in done.stderr


def test_the_package_itself_is_never_set_aside(tmp_path):
    write(tmp_path, {"apiops_components/__init__.py": ""})
    before = sys.modules["apiops_components"]
    with program_path(tmp_path):
        assert sys.modules["apiops_components"] is before
    assert importlib.util.find_spec("apiops_components").origin == before.__file__
