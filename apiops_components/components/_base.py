"""What every component does alike: its type token, its children's options, its spec."""

from collections.abc import Mapping
from typing import Any, TypeVar

import pulumi
from pydantic import BaseModel, ValidationError

from apiops_components.charts import chart_problems
from apiops_components.components._charts import project_root
from apiops_components.errors import InvalidInput, problems_of

M = TypeVar("M", bound=BaseModel)


class Component(pulumi.ComponentResource):
    """Base of our components: type token ``apiops:index:<Class>``, no inputs in the state.

    The caller's options go to the component alone; children get fresh ones from `child`, so that aliases and
    dependencies of the component are not copied onto each of them.
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"apiops:index:{type(self).__name__}", name, {}, opts)

    def child(self, **options: Any) -> pulumi.ResourceOptions:
        """Options of a child: its parent, and what is given."""
        return pulumi.ResourceOptions(parent=self, **options)


def spec_of(model: type[M], value: M | Mapping[str, Any], where: str) -> M:
    """The spec of a component: an object of the model as it is, a mapping validated.

    Raises:
        InvalidInput: The mapping breaks the model, or a chart that it names by path is none; all its problems, with
            ``where`` (such as ``GkeCluster prod``).
    """
    problems = list(chart_problems(model, value, project_root()))
    try:
        spec = value if isinstance(value, model) else model.model_validate(value)
    except ValidationError as error:
        raise InvalidInput(p.at(document=where) for p in (*problems_of(error, value), *problems)) from None
    if problems:
        raise InvalidInput(problem.at(document=where) for problem in problems)
    return spec
