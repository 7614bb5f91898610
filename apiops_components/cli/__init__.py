"""The command line: ``apiopsctl``. One module a command, loaded when it is called.

Exit codes: 0 nothing wrong, 1 findings, 2 wrong usage or a check that could not run, 3 refused by a delete guard.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, ClassVar

import click

from apiops_components import __version__

__all__ = ["main"]


class _LazyGroup(click.Group):
    """Knows its commands by one line each; the module of a command is imported when it is called."""

    summaries: ClassVar[dict[str, str]] = {
        "check": "Check the guardrails over an environment.",
        "comment": "Post or update the one preview comment of a merge request.",
        "diff": "Show which objects differ between two folders, files or Git revisions.",
        "drift": "Compare a live cluster with what Git says.",
        "explain": "Print the documentation of a model, an action or a field.",
        "gitlab": "List, verify and revoke tokens of test runs; renew dates; set a commit's status.",
        "hardening": "Report what hardens an environment's cluster, rule by rule.",
        "pipelines": "Write the pipeline that delivers, for GitHub, GitLab or Jenkins.",
        "preview": "Run the whole Pulumi program in process and show what it holds.",
        "promote": "Move what is deployed from one environment to the next, as a commit.",
        "render": "Print or write every Kubernetes manifest of an environment.",
        "rollback": "Bring an environment's tree back as it was at a commit.",
        "sandbox": "Run a local control plane and deploy to it.",
        "schema": "Print the JSON Schema of a model, for editors.",
        "settings": "Print an environment's settings, or what differs between two.",
        "simulate": "Tell what happens to a request: route, rule, backend, status.",
        "smoke": "Send requests as several users, and compare the answers.",
        "validate": "Check manifests and traffic policies written by anyone.",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(self.summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self.summaries:
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.summaries[name]) for name in self.list_commands(ctx)])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="apiopsctl")
def _group() -> None:
    """APIs run as code: typed Python in Git becomes a previewed, guarded, deployed platform.

    Run it inside a project, a folder with a Pulumi.yaml. Only comment, drift, gitlab, sandbox, smoke and, with
    --kubeconfig, promote touch a network.

    \b
      apiopsctl check --env prod                  do the guardrails hold?
      apiopsctl render --env prod --out build     which manifests is it?
      apiopsctl preview --env prod                which resources would Pulumi make?
    """  # noqa: D301


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits."""
    from apiops_components.errors import ApiOpsError, NotRunnable, Problem  # noqa: PLC0415  (--help needs none)

    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code: Any = _group.main(args=arguments, prog_name="apiopsctl", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
        if _wants_json(arguments):
            from apiops_components.cli.output import print_errors  # noqa: PLC0415

            print_errors(NotRunnable(Problem(error.format_message(), code="usage")))
    except ApiOpsError as error:
        from apiops_components.cli.output import show_error  # noqa: PLC0415

        show_error(error, json_wanted=_wants_json(arguments))
        code = error.exit_code
    except BrokenPipeError:
        sys.stdout = None
        code = _READER_GONE
    except SystemExit:  # so click ends on a broken pipe, and only then
        code = _READER_GONE
    sys.exit(code if isinstance(code, int) else 0)


_READER_GONE = 141
"""The reader, such as ``head``, has seen enough: what a shell says of a program that ends so."""


def _wants_json(arguments: list[str]) -> bool:
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(first == "--format=json" or (first == "--format" and second == "json") for first, second in pairs)
