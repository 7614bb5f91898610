"""``apiopsctl schema``."""

from __future__ import annotations

import difflib
import importlib

import click

from apiops_components.cli.output import print_json

# What there is beside models, to make them.
_FUNCTIONS = ("models.policy.factories", "models.policy.expression")


def model_homes() -> dict[str, str]:
    """The module of each public model, by its name."""
    import apiops_components as public  # noqa: PLC0415

    homes = {name: home for name, home in public._HOME.items() if home.startswith("models.")}  # noqa: SLF001
    return {name: home for name, home in homes.items() if not home.startswith(_FUNCTIONS)}


@click.command("schema")
@click.argument("model", required=False)
def command(model: str | None) -> int:
    """Print the JSON Schema of MODEL; without MODEL, the names of all models.

    Environment is the settings of an environment (apiops:environment), TrafficPolicy a policy document.
    """
    from apiops_components.models.docs import documented_schema  # noqa: PLC0415

    homes = model_homes()
    if model is None:
        for name in sorted(homes):
            click.echo(name)
        return 0
    if model not in homes:
        near = difflib.get_close_matches(model, homes, 1)
        hint = f"; did you mean {near[0]}?" if near else "; `apiopsctl schema` lists them"
        raise click.UsageError(f"unknown model {model!r}{hint}")
    found = getattr(importlib.import_module(f"apiops_components.{homes[model]}"), model)
    print_json({"$schema": "https://json-schema.org/draft/2020-12/schema", **documented_schema(found)})
    return 0
