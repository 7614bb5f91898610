import json
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner

from apiops_components.cli.preview import command, previewed, rendered
from apiops_components.components.program import preview_programs, record_program
from apiops_components.delivery.preview import Annotations
from apiops_components.delivery.preview_text import plain
from apiops_components.delivery.recording import SECRET, UNKNOWN
from apiops_components.errors import InvalidInput, NotRunnable
from apiops_components.guardrails.finding import Finding
from apiops_components.project import Project

SETTINGS = """
config:
  apiops:environment:
    owner: platform@example.com
    cluster: {kind: minikube}
    secrets: [ngrok-api-key]
    teams:
      shop: {owner: shop@example.com, delivery: direct}
  apiops:ngrok-api-key: {secure: AAABAF}
  gcp:project: shop-%s
"""

PLATFORM = """
import pulumi
from naming import NAME
from pulumi_kubernetes.core.v1 import Namespace, Secret

class Platform(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("apiops:index:Platform", name, {})
        self.namespace = Namespace(f"{name}-namespace", metadata={"name": NAME},
            opts=pulumi.ResourceOptions(parent=self, protect=True))
        self.secret = Secret(f"{name}-secret", metadata={"name": "ngrok"},
            string_data={"key": pulumi.Config("apiops").require_secret("ngrok-api-key")},
            opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({})

platform = Platform("platform")
pulumi.log.warn("mind the gap")
print("printed")
pulumi.export("namespace", platform.namespace.metadata.name)
pulumi.export("uid", platform.namespace.id)
pulumi.export("project", pulumi.Config("gcp").require("project"))
"""

SHOP = """
import pulumi
from naming import NAME
from pulumi_kubernetes.core.v1 import ConfigMap

platform = pulumi.StackReference(f"organization/platform/{pulumi.get_stack()}")
ConfigMap("settings", metadata={"name": NAME, "namespace": platform.require_output("namespace")},
    data={"uid": platform.require_output("uid")})
"""

DESCRIBE = """
from apiops_components import Description

def describe(environment):
    return Description(environment=environment)
"""


def write(root, files):
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))


@pytest.fixture
def root(tmp_path):
    write(
        tmp_path,
        {
            "Pulumi.yaml": "name: platform\nruntime: python\nmain: stacks\nstackConfigDir: stacks/config\n",
            "stacks/config/Pulumi.dev.yaml": SETTINGS % "dev",
            "stacks/config/Pulumi.prod.yaml": SETTINGS % "prod",
            "stacks/__main__.py": PLATFORM,
            "stacks/describe.py": DESCRIBE,
            "stacks/teams/shop/describe.py": DESCRIBE.replace(
                "environment=environment", "environment=environment, team='shop'"
            ),
            "stacks/naming.py": "NAME = 'platform'\n",
            "stacks/teams/shop/Pulumi.yaml": "name: shop\nruntime: python\nstackConfigDir: ../../config\n",
            "stacks/teams/shop/__main__.py": SHOP,
            "stacks/teams/shop/naming.py": "NAME = 'shop'\n",
        },
    )
    return tmp_path


def failing(root, program, time_limit=30):
    write(root, {"stacks/__main__.py": program})
    with pytest.raises((InvalidInput, NotRunnable)) as caught:
        preview_programs(Project.load(root), "dev", time_limit=time_limit)
    (problem,) = caught.value.problems
    assert "Traceback" not in str(caught.value)
    return caught.value, problem


# The programs


def test_the_programs_of_platform_and_team_run_with_the_settings_of_the_environment(root):
    platform, shop = preview_programs(Project.load(root), "dev")
    assert (platform.team, shop.team) == (None, "shop")
    assert [r.urn for r in platform.recording.resources] == [
        "urn:pulumi:dev::platform::apiops:index:Platform::platform",
        "urn:pulumi:dev::platform::apiops:index:Platform$kubernetes:core/v1:Namespace::platform-namespace",
        "urn:pulumi:dev::platform::apiops:index:Platform$kubernetes:core/v1:Secret::platform-secret",
    ]
    assert platform.recording.one(name="platform-secret").inputs["stringData"] is SECRET
    assert platform.recording.outputs == {"namespace": "platform", "project": "shop-dev", "uid": UNKNOWN}


def test_a_team_reads_what_the_platform_exports_and_what_is_unknown_stays_so(root):
    _, shop = preview_programs(Project.load(root), "dev")
    settings = shop.recording.one(name="settings")
    assert settings.inputs["metadata"] == {"name": "shop", "namespace": "platform"}
    assert settings.inputs["data"] == {"uid": UNKNOWN}


def test_in_a_teams_folder_only_that_team_is_shown_and_still_reads_the_platform(root):
    (shop,) = preview_programs(Project.find(root / "stacks/teams/shop"), "dev")
    assert shop.team == "shop"
    assert shop.recording.one(name="settings").inputs["metadata"]["namespace"] == "platform"


def test_a_team_that_the_environment_does_not_name_is_left_out(root):
    write(root, {"stacks/config/Pulumi.dev.yaml": SETTINGS.replace("shop: {", "other: {") % "dev"})
    assert [program.team for program in preview_programs(Project.load(root), "dev")] == [None]


def test_messages_and_prints_are_kept_from_standard_output(root, capsys):
    platform, _ = preview_programs(Project.load(root), "dev")
    assert [(d.severity, d.message) for d in platform.recording.diagnostics] == [
        ("info", "printed"),
        ("warning", "mind the gap"),
    ]
    assert capsys.readouterr().out == ""


def test_a_program_runs_as_in_a_process_of_its_own_and_leaves_nothing_behind(root):
    program = """
        import os, sys
        import pulumi
        import naming
        if __name__ == "__main__":
            pulumi.export("folder", os.path.basename(os.getcwd()))
            pulumi.export("file", os.path.basename(__file__))
            pulumi.export("root", pulumi.runtime.get_root_directory())
    """
    write(root, {"stacks/__main__.py": program, "stacks/teams/shop/__main__.py": ""})
    before = (list(sys.path), dict(sys.modules), list(sys.argv), Path.cwd(), sys.stdout)
    platform, _ = preview_programs(Project.load(root), "dev")
    assert platform.recording.outputs == {"folder": "stacks", "file": "__main__.py", "root": str(root)}
    assert (list(sys.path), list(sys.argv), Path.cwd(), sys.stdout) == (before[0], *before[2:])
    assert sys.modules["__main__"] is before[1]["__main__"]
    assert "naming" not in sys.modules


def test_an_async_program_ends_before_it_is_recorded(root):
    program = """
        import asyncio
        import pulumi

        async def main():
            await asyncio.sleep(0.01)
            from naming import NAME
            return {"name": NAME}

        pulumi.run(main)
    """
    write(root, {"stacks/__main__.py": program, "stacks/teams/shop/__main__.py": ""})
    platform, _ = preview_programs(Project.load(root), "dev")
    assert platform.recording.outputs == {"name": "platform"}


def test_a_reference_to_a_stack_outside_is_unknown_and_said_so(root):
    program = """
        import pulumi
        pulumi.export("x", pulumi.StackReference("organization/elsewhere/dev").require_output("x"))
    """
    write(root, {"stacks/__main__.py": program, "stacks/teams/shop/__main__.py": ""})
    platform, _ = preview_programs(Project.load(root), "dev")
    assert platform.recording.outputs == {"x": UNKNOWN}
    assert "organization/elsewhere/dev" in platform.recording.diagnostics[0].message


# Programs that fail


def test_what_a_program_raises_is_an_error_with_its_line(root):
    error, problem = failing(root, "import pulumi\n\n\ndef f():\n    return {}['x']\n\nf()\n")
    assert error.exit_code == 2
    assert (Path(problem.file).name, problem.line, problem.code) == ("__main__.py", 5, "program/failed")
    assert "KeyError: 'x'" in problem.message


def test_what_a_module_of_the_program_raises_names_that_module(root):
    write(root, {"stacks/naming.py": "\nNAME = 1 / 0\n"})
    _, problem = failing(root, "import naming\n")
    assert (Path(problem.file).name, problem.line) == ("naming.py", 2)


def test_what_an_apply_raises_names_its_line(root):
    program = "import pulumi\npulumi.Output.from_input(1).apply(\n    lambda value: value / 0\n)\n"
    _, problem = failing(root, program)
    assert (Path(problem.file).name, problem.line) == ("__main__.py", 3)


def test_a_syntax_error_names_its_line(root):
    _, problem = failing(root, "import pulumi\ndef (:\n")
    assert (Path(problem.file).name, problem.line) == ("__main__.py", 2)
    assert "SyntaxError" in problem.message


def test_a_spec_that_breaks_its_model_keeps_its_problems_and_gets_the_line(root):
    program = """\
        from apiops_components.errors import InvalidInput, Problem
        raise InvalidInput(Problem("required, but missing", "spec.name", "schema/required"))
    """
    error, problem = failing(root, program)
    assert error.exit_code == 1
    assert (problem.path, problem.code, problem.line) == ("spec.name", "schema/required", 2)


def test_a_model_that_refuses_its_values_names_the_field(root):
    program = """\
        from apiops_components.models.helm import HelmChart
        HelmChart.model_validate({"chart": "x"})
    """
    write(root, {"stacks/__main__.py": program})
    with pytest.raises(InvalidInput) as caught:
        preview_programs(Project.load(root), "dev")
    assert {problem.line for problem in caught.value.problems} == {2}
    assert any(problem.path for problem in caught.value.problems)


@pytest.mark.parametrize("method", ["require", "require_secret", "require_int"])
def test_a_key_that_the_settings_do_not_have_is_an_error_with_its_fix(root, method):
    error, problem = failing(root, f"import pulumi\npulumi.Config('apiops').{method}('absent')\n")
    assert error.exit_code == 1
    assert (problem.code, problem.line) == ("program/config", 2)
    assert "'apiops:absent'" in problem.message
    assert "pulumi config set -s dev" in problem.hint
    assert ("--secret" in problem.hint) == (method == "require_secret")


def test_a_secret_cannot_be_read_as_anything_but_a_string(root):
    _, problem = failing(root, "import pulumi\npulumi.Config('apiops').require_secret_object('ngrok-api-key')\n")
    assert problem.code == "program/config"
    assert "require_secret" in problem.hint


def test_an_output_that_a_stack_does_not_have_is_named(root):
    write(root, {"stacks/teams/shop/__main__.py": SHOP.replace('"uid")', '"uuid")')})
    with pytest.raises(InvalidInput, match="has no output 'uuid'"):
        preview_programs(Project.load(root), "dev")


def test_an_error_that_the_program_logs_fails_it(root):
    error, problem = failing(root, "import pulumi\npulumi.log.error('no quota')\n")
    assert (error.exit_code, problem.message) == (1, "no quota")


def test_a_program_that_ends_itself_is_an_error(root):
    _, problem = failing(root, "import sys\nsys.exit(0)\n")
    assert "SystemExit" in problem.message
    assert problem.line == 2


def test_a_program_that_waits_for_ever_is_given_up(root):
    _, problem = failing(root, "import time\nimport pulumi\ntime.sleep(3)\n", time_limit=1)
    assert "did not end within 1 s: it stands at" in problem.message
    assert "__main__.py:3" in problem.message
    assert Path.cwd() != root / "stacks"


def test_a_missing_program_is_an_error(root):
    (root / "stacks/__main__.py").unlink()
    with pytest.raises(NotRunnable, match="there is no program"):
        record_program(Project.load(root), "dev", references=lambda _name: None)


# The forms


def test_the_text_form_is_a_tree_with_counts(root):
    text = rendered(previewed(Project.load(root), ["dev"]), "text")
    assert text == dedent("""\
        dev  5 resources, 1 component among them
          platform  platform/dev, 3 resources, 1 component among them
          └─ apiops:index:Platform  platform  (2 below)
             ├─ kubernetes:core/v1:Namespace  platform-namespace  (protected)
             └─ kubernetes:core/v1:Secret  platform-secret
          outputs
            namespace  platform
            project    shop-dev
            uid        <unknown>
          team shop  shop/dev, 2 resources, 0 components among them
          ├─ pulumi:pulumi:StackReference  organization/platform/dev  (read)
          └─ kubernetes:core/v1:ConfigMap  settings
          guardrails: not checked, the project does not describe itself
        """)


def test_findings_are_shown_with_owner_request_and_fix(root):
    finding = Finding(
        guardrail="authentication-required",
        subject="Api shop/orders",
        owner="shop@example.com",
        team="shop",
        message="requests reach the backend without authentication",
        path="apis[0].policy",
        request="GET https://api.example.com/",
        hint="add jwt-validation",
    )
    known = Annotations(findings=(finding, replace(finding, waived="public by contract")), checked=True)
    made = previewed(Project.load(root), ["dev"], annotate=lambda _project, _env: known)
    assert made.failed
    assert plain(made).endswith(
        dedent("""\
          guardrails: 1 broken, 1 waived
            broken authentication-required  Api shop/orders (owner: shop@example.com)
              apis[0].policy: requests reach the backend without authentication
              gets through: GET https://api.example.com/
              fix: add jwt-validation
            waived authentication-required  Api shop/orders (owner: shop@example.com)
              apis[0].policy: requests reach the backend without authentication
              gets through: GET https://api.example.com/
              reason: public by contract
        """)
        .replace("\n", "\n  ")
        .join(["  ", ""])[:-2]
    )


def test_a_waived_finding_fails_nothing(root):
    finding = Finding("owner-required", "Api shop/orders", "", None, "nobody is named", waived="soon gone")
    known = Annotations(findings=(finding,), checked=True)
    assert not previewed(Project.load(root), ["dev"], annotate=lambda _project, _env: known).failed


def test_markdown_cannot_be_broken_out_of(root):
    finding = Finding("code", "x|y\nz", "", None, "a | b <img src=x> `c` [d](e)")
    known = Annotations(findings=(finding,), checked=True)
    made = previewed(Project.load(root), ["dev"], annotate=lambda _project, _env: known)
    row = next(line for line in rendered(made, "markdown").splitlines() if "img" in line)
    assert row == "| broken | code | x\\|y z |  | a \\| b &lt;img src=x&gt; \\`c\\` \\[d\\]\\(e\\) |"


def test_actions_that_nothing_checks_are_counted_in_every_form(root):
    known = Annotations(checked=True, raw_actions=2)
    made = previewed(Project.load(root), ["dev"], annotate=lambda _project, _env: known)
    said = "2 raw actions of traffic policies, not checked"

    assert rendered(made, "text").splitlines()[-1] == f"  {said}"
    assert f"\n\n**{said}**\n\n" in rendered(made, "markdown")
    assert f">{said}<" in rendered(made, "html")
    (environment,) = json.loads(rendered(made, "json"))["environments"]
    assert environment["summary"]["raw_actions"] == 2
    assert "raw action" not in rendered(previewed(Project.load(root), ["dev"]), "text")


# The command


def run(*arguments):
    return CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)


def test_json_is_one_document_of_all_environments_and_the_same_each_time(root):
    first = run("--project", str(root), "--format", "json")
    assert (first.exit_code, first.stdout) == (0, run("--project", str(root), "--format", "json").stdout)
    document = json.loads(first.stdout)
    assert [environment["name"] for environment in document["environments"]] == ["dev", "prod"]
    dev = document["environments"][0]
    assert dev["summary"] == {
        "resources": 5,
        "components": 1,
        "by_type": {
            "apiops:index:Platform": 1,
            "kubernetes:core/v1:ConfigMap": 1,
            "kubernetes:core/v1:Namespace": 1,
            "kubernetes:core/v1:Secret": 1,
            "pulumi:pulumi:StackReference": 1,
        },
        "guardrails": {"broken": 0, "waived": 0},
        "raw_actions": 0,
    }
    secret = dev["programs"][0]["resources"][2]
    assert secret["inputs"]["stringData"] == "<secret>"
    assert secret["parent"] == dev["programs"][0]["resources"][0]["urn"]


def test_warnings_go_to_standard_error(root):
    result = run("--project", str(root), "--env", "dev")
    assert result.stderr == "warning: dev: mind the gap\n"
    assert "mind the gap" not in result.stdout


@pytest.mark.parametrize("form", ["text", "markdown", "json", "html"])
def test_out_writes_what_standard_output_would_show(root, tmp_path, form):
    out = tmp_path / "build" / "preview"
    shown = run("--project", str(root), "--env", "dev", "--format", form)
    written = run("--project", str(root), "--env", "dev", "--format", form, "--out", str(out))
    assert (written.exit_code, written.stdout) == (0, "")
    assert out.read_text() == shown.stdout


def test_an_unknown_environment_is_an_error(root):
    with pytest.raises(NotRunnable, match="unknown environment 'test'"):
        run("--project", str(root), "--env", "test")
