"""``apiopsctl sandbox``: a local control plane."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from apiops_components.cli.options import env_option, no_color_option, project_option
from apiops_components.cli.output import print_json, show_warnings

if TYPE_CHECKING:
    from apiops_components.project import Project
    from apiops_components.sandbox.control_plane import Sandbox

F = TypeVar("F", bound=Callable[..., Any])


def _sandbox(ctx: click.Context, parameter: click.Parameter, value: str) -> Sandbox:
    from apiops_components.errors import NotRunnable, Problem  # noqa: PLC0415

    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", value):
        raise click.BadParameter("lower-case letters, digits and - in between; 32 at most", ctx, parameter)
    try:
        from apiops_components.sandbox.control_plane import Sandbox  # noqa: PLC0415
    except ModuleNotFoundError as error:
        hint = "pip install 'apiops-components[sandbox]', or [sandbox,go] where there is no Go either"
        problem = Problem(f"the sandbox needs {error.name}, which is not installed", code="sandbox/extra", hint=hint)
        raise NotRunnable(problem) from None
    from apiops_components.sandbox.folders import Cache  # noqa: PLC0415
    from apiops_components.sandbox.progress import Progress  # noqa: PLC0415

    # A pipeline that is called off, or a terminal that is closed, tidies up as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    return Sandbox(Cache.of(os.environ), value, os.environ, Progress())


def _name_option(command: F) -> F:
    return click.option(
        "--name",
        "sandbox",
        default="default",
        show_default=True,
        metavar="NAME",
        callback=_sandbox,
        help="Which sandbox; two of different names stand side by side.",
    )(command)


_format_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)


@click.group("sandbox")
def command() -> None:
    """A local control plane, made of the real programs, without containers.

    etcd, the Kubernetes API server and controllers, kwok's nodes and Argo CD run as processes of yours, on 127.0.0.1
    alone. They are taken from APIOPS_SANDBOX_BIN or PATH in the versions that this package pins, and built from source
    once where they are not there.
    """


@command.command("up")
@_name_option
@click.option("--slim", is_flag=True, help="etcd and the API server alone.")
@click.option(
    "--crds",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with definitions to install beside those of the Gateway API and Argo CD, such as ngrok's.",
)
@click.option("--fsync", is_flag=True, default=None, help="etcd waits for the disk: slower, and survives a power cut.")
@_format_option
@no_color_option
def up(sandbox: Sandbox, slim: bool, crds: tuple[Path, ...], fsync: bool | None, form: str) -> int:
    """Start it, or what of it does not run; prints the path of its kubeconfig."""
    kubeconfig = sandbox.up(full=not slim, fsync=fsync, crds=crds)
    if form == "json":
        print_json({"name": sandbox.name, "kubeconfig": str(kubeconfig)})
    else:
        click.echo(str(kubeconfig))
    return 0


@command.command("deploy")
@project_option
@env_option
@_name_option
@click.option(
    "--by",
    type=click.Choice(["pulumi", "argocd"]),
    help="A real `pulumi up`, or a commit that Argo CD follows  [default: as before; pulumi where it is on PATH]",
)
@_format_option
@no_color_option
def deploy(project: Project, env: str, sandbox: Sandbox, by: str | None, form: str) -> int:
    """Put an environment onto it, and wait until all of it is there.

    By Pulumi: the stacks themselves, their state in the sandbox. By Argo CD: namespaces and projects are applied, the
    rest is committed to a repository in the sandbox, and Argo CD has it Synced and Healthy. The objects are the same.
    """
    from apiops_components.sandbox.deploy import by_argocd, by_pulumi, deployed_by  # noqa: PLC0415

    show_warnings(project.warnings(env))
    with sandbox.ready():
        by = by or deployed_by(sandbox, env) or ("pulumi" if shutil.which("pulumi") else "argocd")
        deployed = (by_pulumi if by == "pulumi" else by_argocd)(sandbox, project, env)
    if form == "json":
        print_json(asdict(deployed))
    else:
        what = ", ".join(deployed.applications) or "nothing"
        commit = f", commit {deployed.commit[:12]}" if deployed.commit else ""
        click.echo(f"{env}: {what} deployed by {deployed.by} in {deployed.seconds:.1f} s{commit}")
    return 0


@command.command("status")
@_name_option
@_format_option
@no_color_option
def status(sandbox: Sandbox, form: str) -> int:
    """Show its processes and what Argo CD delivers; exit 1 where a process is not ready."""
    from apiops_components.sandbox.deploy import applications  # noqa: PLC0415

    processes = sandbox.status()
    delivered = applications(sandbox)
    if form == "json":
        listed = [asdict(process) for process in processes]
        print_json(
            {
                "name": sandbox.name,
                "kubeconfig": str(sandbox.folder.kubeconfig),
                "processes": listed,
                "applications": [asdict(application) for application in delivered],
            }
        )
    else:
        width = max(len(process.name) for process in processes)
        for process in processes:
            where = f"pid {process.pid}, port {process.port}, {process.megabytes} MB" if process.pid else process.log
            click.secho(f"{process.name:{width}}  {process.state:9}  {where}", fg=_COLOURS[process.state])
        total = sum(process.megabytes for process in processes)
        click.echo(f"{'together':{width}}             {total} MB resident")
        for application in delivered:
            said = application.detail or f"{application.sync}, {application.health}"
            click.secho(
                f"{'application ' + application.name:{width}}  {said}, commit {application.commit[:12] or 'none'}",
                fg="yellow" if application.detail else "green",
            )
        click.echo(f"KUBECONFIG={sandbox.folder.kubeconfig}")
    return 0 if all(process.state == "ready" for process in processes) else 1


_COLOURS = {"ready": "green", "not ready": "yellow", "dead": "red"}


@command.command("down")
@_name_option
@no_color_option
def down(sandbox: Sandbox) -> int:
    """End it and remove what it holds; built programs stay for the next one."""
    there = sandbox.down()
    click.echo(f"sandbox {sandbox.name!r} is gone" if there else f"there is no sandbox {sandbox.name!r}", err=True)
    return 0
