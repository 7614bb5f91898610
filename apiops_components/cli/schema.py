"""``apiopsctl schema``."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, NamedTuple

import click

from apiops_components.cli.output import print_json

if TYPE_CHECKING:
    from pydantic import BaseModel

# What there is beside models, to make them.
_FUNCTIONS = ("models.policy.factories", "models.policy.expression")


def model_homes() -> dict[str, str]:
    """The module of each public model, by its name."""
    import apiops_components as public  # noqa: PLC0415

    homes = {name: home for name, home in public._HOME.items() if home.startswith("models.")}  # noqa: SLF001
    return {name: home for name, home in homes.items() if not home.startswith(_FUNCTIONS)}


class Named(NamedTuple):
    """What a name stands for.

    Attributes:
        name: As it is spelt.
        model: The model.
        path: Where it stands in an object of that kind; empty for a model itself.
    """

    name: str
    model: type[BaseModel]
    path: tuple[str, ...] = ()


def named(name: str) -> Named:
    """What a name stands for: a model, an action by ngrok's name, a kind of the Gateway API, ngrok or Argo CD.

    Raises:
        UsageError: None; the message names the nearest.
    """
    from apiops_components.models.policy.actions import ACTIONS  # noqa: PLC0415

    homes, kinds = model_homes(), _kinds()
    if name in ACTIONS:
        return Named(name, ACTIONS[name])
    if name in homes:
        return Named(name, getattr(importlib.import_module(f"apiops_components.{homes[name]}"), name))
    kind = next((kind for kind in kinds if kind.lower() == name.lower()), None)
    if kind is not None:
        place, path = kinds[kind]
        module, _, model = place.partition(":")
        return Named(kind, getattr(importlib.import_module(f"apiops_components.models.{module}"), model), path)
    near = difflib.get_close_matches(name, [*kinds, *homes, *ACTIONS], 1)
    hint = f"did you mean {near[0]}?" if near else "`apiopsctl schema` lists the models"
    raise click.UsageError(f"unknown model {name!r}; {hint}")


def _kinds() -> dict[str, tuple[str, tuple[str, ...]]]:
    from apiops_components.validation.modelled import MODELLED  # noqa: PLC0415

    return {kind: (found.model, found.path) for (_, kind), found in MODELLED.items()}


@click.command("schema")
@click.argument("model", required=False)
@click.option("--file", "file", is_flag=True, help="With Environment: of the whole file Pulumi.<env>.yaml.")
def command(model: str | None, *, file: bool) -> int:
    """Print the JSON Schema of MODEL; without MODEL, the names of all models.

    Environment is the settings of an environment (apiops:environment), TrafficPolicy a policy document. A kind such as
    HTTPRoute is a model, too; an action goes by ngrok's name as well.
    """
    from apiops_components.models.docs import documented_schema, settings_file_schema  # noqa: PLC0415

    if file and model != "Environment":
        raise click.UsageError("--file goes with Environment, which is a part of a file")
    if model is None:
        for name in sorted({*model_homes(), *_kinds()}):
            click.echo(name)
        return 0
    found = named(model)
    schema = settings_file_schema(found.model, "apiops:environment") if file else documented_schema(found.model)
    for step in reversed(found.path):
        below = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}
        schema = {"type": "object", "properties": {step: schema}, "required": [step], **below}
    print_json({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    return 0
