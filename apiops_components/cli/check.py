"""``apiopsctl check``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING

import click

from apiops_components.cli.options import env_option, no_color_option, project_option, team_option, today_option
from apiops_components.cli.output import print_json, show_warnings

if TYPE_CHECKING:
    from apiops_components.guardrails.finding import Finding
    from apiops_components.project import Project


@click.command("check")
@project_option
@env_option
@team_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@today_option
@no_color_option
def command(project: Project, env: str, team: str | None, form: str, today: date) -> int:
    """Check the platform's guardrails over an environment.

    Each finding names what breaks the guardrail, who answers for it, the likely fix and, where there is one, a request
    that gets through. Exit 1 where a guardrail is broken; what the platform has waived is shown and breaks nothing.
    A GitLab token that ends soon breaks one, too, and so does a manifest that refers to a Gateway, policy or grant that
    is not among the others. A Service may always be deployed elsewhere.
    """
    from apiops_components.guardrails.check import check  # noqa: PLC0415
    from apiops_components.guardrails.expiry import expiring  # noqa: PLC0415
    from apiops_components.render.description import render_all, render_warnings  # noqa: PLC0415
    from apiops_components.validation.rendered import reference_findings  # noqa: PLC0415

    show_warnings(project.warnings(env))
    descriptions = project.descriptions(env, team)
    show_warnings(render_warnings(descriptions))
    manifests = render_all(descriptions)  # what cannot be rendered safely is no less wrong than a broken guardrail
    rules = project.guardrails(env)
    show_warnings(project.unknown_names(rules))
    findings = check(descriptions, rules)
    whole = team is None and project.platform == project
    broken_references, warnings = reference_findings(manifests, "project" if whole else "input")
    findings += broken_references
    show_warnings(warnings)
    if whole:
        findings += expiring(project.settings(env).environment, today)
    broken = [finding for finding in findings if not finding.waived]
    apis = sum(len(gateway.apis) for description in descriptions for gateway in description.gateways)
    raw = sum(description.raw_actions for description in descriptions)
    if form == "json":
        summary = {
            "guardrails": len(rules),
            "apis": apis,
            "broken": len(broken),
            "waived": len(findings) - len(broken),
            "raw_actions": raw,
        }
        print_json({"environment": env, "summary": summary, "findings": [asdict(finding) for finding in findings]})
    else:
        _print(findings)
        if raw:
            from apiops_components.delivery.preview_text import raw_counted  # noqa: PLC0415

            click.secho(raw_counted(raw), fg="yellow")
        waived = len(findings) - len(broken)
        verdict = f"{len(broken)} broken" if broken else "all hold"
        click.secho(
            f"{env}: {len(rules)} guardrails over {apis} APIs: {verdict}" + (f", {waived} waived" if waived else ""),
            fg="red" if broken else "green",
        )
    return 1 if broken else 0


def _print(findings: Sequence[Finding]) -> None:
    for finding in findings:
        mark, colour = ("waived", "yellow") if finding.waived else ("broken", "red")
        owner = f" (owner: {finding.owner})" if finding.owner else ""
        click.secho(f"{mark}  {finding.guardrail}  {finding.subject}{owner}", fg=colour)
        click.echo(f"        {finding.path}: {finding.message}")
        if finding.request:
            click.echo(f"        gets through: {finding.request}")
        if finding.waived:
            click.echo(f"        reason: {finding.waived}")
        elif finding.hint:
            click.echo(f"        fix: {finding.hint}")
